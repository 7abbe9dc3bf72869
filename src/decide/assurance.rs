//! When an assessment, an audit, a test or a scan is due again. Calendar days, UTC: the same question has the same answer next year.

use jiff::{Span, civil::Date};
use serde::Serialize;

/// How often something takes place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase", tag = "every", content = "count")]
pub enum Period {
    /// So many days.
    Days(u16),
    /// So many months: on the same day of the month, or on the month's last where it has no such day.
    Months(u16),
}

impl Period {
    /// The day on which it is due again; the last day that calendars know where there is no such day.
    pub fn after(self, last: Date) -> Date {
        let span = match self {
            Self::Days(days) => Span::new().days(days),
            Self::Months(months) => Span::new().months(months),
        };
        last.checked_add(span).unwrap_or(Date::MAX)
    }
}

/// Where something stands on a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase", tag = "is")]
pub enum Renewal {
    /// It never took place, as far as anybody recorded.
    Never,
    /// It is due on a later day.
    Current {
        /// That day.
        due: Date,
        /// Days until then.
        days: i32,
    },
    /// It is due soon, or today.
    Soon {
        /// That day.
        due: Date,
        /// Days until then.
        days: i32,
    },
    /// The day is over.
    Overdue {
        /// That day.
        due: Date,
        /// Days since then, at least 1.
        days: i32,
    },
}

impl Renewal {
    /// Nobody can say that it took place in time.
    pub fn is_missed(self) -> bool {
        match self {
            Self::Never | Self::Overdue { .. } => true,
            Self::Current { .. } | Self::Soon { .. } => false,
        }
    }
}

/// Where something stands at the end of `as_of`, that took place on `held`. What took place later than that day is not known yet. `warn`: so
/// many days before the day it is due soon.
pub fn renewal(held: impl IntoIterator<Item = Date>, period: Period, warn: u16, as_of: Date) -> Renewal {
    let Some(last) = held.into_iter().filter(|day| *day <= as_of).max() else { return Renewal::Never };
    let due = period.after(last);
    // Both are days of the calendar, so their distance is whole days.
    let days = due.since(as_of).map_or(i32::MAX, |span| span.get_days());
    match days {
        ..0 => Renewal::Overdue { due, days: -days },
        days if days <= i32::from(warn) => Renewal::Soon { due, days },
        days => Renewal::Current { due, days },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> Date {
        text.parse().unwrap()
    }

    #[test]
    fn a_period_ends_on_the_same_day_or_on_the_months_last() {
        for (last, period, expected) in [
            ("2026-01-31", Period::Months(1), "2026-02-28"),
            ("2028-01-31", Period::Months(1), "2028-02-29"),
            ("2026-02-28", Period::Months(1), "2026-03-28"),
            ("2026-08-31", Period::Months(6), "2027-02-28"),
            ("2027-08-31", Period::Months(6), "2028-02-29"),
            ("2028-02-29", Period::Months(12), "2029-02-28"),
            ("2028-02-29", Period::Months(48), "2032-02-29"),
            ("2026-12-31", Period::Months(2), "2027-02-28"),
            ("2026-12-15", Period::Months(12), "2027-12-15"),
            ("2028-02-28", Period::Days(1), "2028-02-29"),
            ("2026-12-31", Period::Days(30), "2027-01-30"),
            ("2027-03-01", Period::Days(366), "2028-03-01"),
            ("9999-12-31", Period::Months(12), "9999-12-31"),
        ] {
            assert_eq!(period.after(day(last)), day(expected), "{last} and {period:?}");
        }
    }

    #[test]
    fn where_something_stands_turns_on_the_day_itself() {
        let year = Period::Months(12);
        let held = [day("2025-05-04"), day("2026-05-04"), day("2024-01-01")];
        for (as_of, expected) in [
            ("2023-12-31", Renewal::Never),
            ("2024-01-01", Renewal::Current { due: day("2025-01-01"), days: 366 }),
            ("2025-05-03", Renewal::Overdue { due: day("2025-01-01"), days: 122 }),
            ("2026-05-04", Renewal::Current { due: day("2027-05-04"), days: 365 }),
            ("2027-04-03", Renewal::Current { due: day("2027-05-04"), days: 31 }),
            ("2027-04-04", Renewal::Soon { due: day("2027-05-04"), days: 30 }),
            ("2027-05-04", Renewal::Soon { due: day("2027-05-04"), days: 0 }),
            ("2027-05-05", Renewal::Overdue { due: day("2027-05-04"), days: 1 }),
            ("2028-05-04", Renewal::Overdue { due: day("2027-05-04"), days: 366 }),
        ] {
            assert_eq!(renewal(held, year, 30, day(as_of)), expected, "{as_of}");
        }
        assert_eq!(renewal([], year, 30, day("2026-05-04")), Renewal::Never);
    }
}
