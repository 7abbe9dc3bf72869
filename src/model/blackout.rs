//! Times in which no drill starts, or nothing starts by itself, by a wall clock.

use std::fmt;

use jiff::{
    Timestamp,
    civil::{Date, DateTime},
    tz::TimeZone,
};
use serde::Serialize;

/// Minutes of a day.
const DAY: u16 = 24 * 60;

/// When.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Window {
    /// Every week.
    Weekly {
        /// On these days, by their number from Sunday, 0 to 6.
        days: Vec<i8>,
        /// From this minute of the day, 0 to 1439.
        from: u16,
        /// To this one, 1 to 1440, which is outside. When it is not after `from` it is the next day's.
        to: u16,
    },
    /// Whole days.
    Dates {
        /// The first.
        from: Date,
        /// The last.
        to: Date,
    },
}

impl Window {
    /// When the window ends that `at` lies in; `None`: it lies in none.
    pub fn ends(&self, at: DateTime) -> Option<DateTime> {
        match self {
            Self::Dates { from, to } => {
                let inside = (*from..=*to).contains(&at.date());
                if inside { midnight_after(*to) } else { None }
            }
            Self::Weekly { days, from, to } => {
                let began_on = |date: Date| days.contains(&date.weekday().to_sunday_zero_offset());
                let minute = u16::try_from(i16::from(at.hour()) * 60 + i16::from(at.minute())).unwrap_or(0);
                let (today, over_night) = (at.date(), to <= from);
                if over_night && minute < *to && today.yesterday().is_ok_and(began_on) {
                    return minute_of(today, *to);
                }
                if !began_on(today) || minute < *from || (!over_night && minute >= *to) {
                    return None;
                }
                if over_night { minute_of(today.tomorrow().ok()?, *to) } else { minute_of(today, *to) }
            }
        }
    }
}

fn midnight_after(date: Date) -> Option<DateTime> {
    date.tomorrow().ok().map(|date| date.at(0, 0, 0, 0))
}

fn minute_of(date: Date, minute: u16) -> Option<DateTime> {
    if minute >= DAY {
        return midnight_after(date);
    }
    let (hour, minute) = (i8::try_from(minute / 60).ok()?, i8::try_from(minute % 60).ok()?);
    Some(date.at(hour, minute, 0, 0))
}

/// A window with its reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blackout {
    /// When.
    pub window: Window,
    /// Why; may be empty.
    pub reason: String,
}

/// Windows that follow each other without a gap which are looked at for their common end: a year of days.
const CHAIN: u32 = 400;

/// The window that `at` lies in, by the clock of `zone`.
pub(super) fn within<'a>(zone: &TimeZone, windows: &'a [Blackout], at: Timestamp) -> Option<&'a Blackout> {
    let clock = zone.to_datetime(at);
    windows.iter().find(|blackout| blackout.window.ends(clock).is_some())
}

/// When the windows that `at` lies in are over; `None`: it lies in none, or they have no end worth naming.
pub(super) fn ends(zone: &TimeZone, windows: &[Blackout], at: Timestamp) -> Option<Timestamp> {
    let mut clock = zone.to_datetime(at);
    for passed in 0..CHAIN {
        match windows.iter().filter_map(|blackout| blackout.window.ends(clock)).max() {
            Some(end) => clock = end,
            None if passed == 0 => return None,
            None => return zone.to_timestamp(clock).ok(),
        }
    }
    None
}

/// Times in which a group's automation holds: nothing starts or is proposed by itself. Persons are not held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Freezes {
    /// By whose clock.
    pub zone: TimeZone,
    /// When.
    pub windows: Vec<Blackout>,
}

impl Default for Freezes {
    fn default() -> Self {
        Self { zone: TimeZone::UTC, windows: Vec::new() }
    }
}

/// A freeze that is on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Frozen {
    /// Why; may be empty.
    pub reason: String,
    /// When it is over, where that can be said.
    pub until: Option<Timestamp>,
}

impl fmt::Display for Frozen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.reason.trim().is_empty() { "no reason is given" } else { &self.reason })?;
        self.until.map_or(Ok(()), |until| write!(f, ", until {until:.0}"))
    }
}

impl Freezes {
    /// The freeze that is on at `at`.
    pub fn at(&self, at: Timestamp) -> Option<Frozen> {
        let blackout = within(&self.zone, &self.windows, at)?;
        Some(Frozen { reason: blackout.reason.clone(), until: ends(&self.zone, &self.windows, at) })
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    #[test]
    fn a_window_ends_when_it_says_also_past_midnight() {
        let office = Window::Weekly { days: vec![1, 2, 3, 4, 5], from: 8 * 60, to: 18 * 60 };
        let night = Window::Weekly { days: vec![5], from: 22 * 60, to: 6 * 60 };
        let day = Window::Weekly { days: vec![6], from: 0, to: DAY };
        let feast = Window::Dates { from: date(2026, 12, 18), to: date(2027, 1, 3) };
        // 2026-03-27 is a Friday.
        for (window, at, ends) in [
            (&office, date(2026, 3, 27).at(7, 59, 59, 0), None),
            (&office, date(2026, 3, 27).at(8, 0, 0, 0), Some(date(2026, 3, 27).at(18, 0, 0, 0))),
            (&office, date(2026, 3, 27).at(17, 59, 59, 0), Some(date(2026, 3, 27).at(18, 0, 0, 0))),
            (&office, date(2026, 3, 27).at(18, 0, 0, 0), None),
            (&office, date(2026, 3, 28).at(12, 0, 0, 0), None),
            (&night, date(2026, 3, 27).at(22, 0, 0, 0), Some(date(2026, 3, 28).at(6, 0, 0, 0))),
            (&night, date(2026, 3, 28).at(5, 59, 0, 0), Some(date(2026, 3, 28).at(6, 0, 0, 0))),
            (&night, date(2026, 3, 28).at(6, 0, 0, 0), None),
            (&night, date(2026, 3, 27).at(5, 0, 0, 0), None),
            (&day, date(2026, 3, 28).at(23, 59, 0, 0), Some(date(2026, 3, 29).at(0, 0, 0, 0))),
            (&feast, date(2026, 12, 17).at(23, 59, 0, 0), None),
            (&feast, date(2026, 12, 18).at(0, 0, 0, 0), Some(date(2027, 1, 4).at(0, 0, 0, 0))),
            (&feast, date(2027, 1, 4).at(0, 0, 0, 0), None),
        ] {
            assert_eq!(window.ends(at), ends, "{window:?} {at}");
        }
    }

    #[test]
    fn a_freeze_is_on_by_the_clock_of_its_place_and_says_why_and_until_when() {
        let window = |window, reason: &str| Blackout { window, reason: reason.into() };
        let freezes = Freezes {
            zone: TimeZone::get("Europe/Berlin").unwrap(),
            windows: vec![
                window(Window::Weekly { days: vec![5], from: 18 * 60, to: DAY }, ""),
                window(Window::Dates { from: date(2026, 3, 28), to: date(2026, 3, 29) }, "the big release"),
            ],
        };
        // 2026-03-27 is a Friday; on the 29th the clock is put forward.
        for (at, frozen) in [
            ("2026-03-27T16:59:59Z", None),
            ("2026-03-27T17:00:00Z", Some("no reason is given, until 2026-03-29T22:00:00Z")),
            ("2026-03-29T21:59:59Z", Some("the big release, until 2026-03-29T22:00:00Z")),
            ("2026-03-29T22:00:00Z", None),
        ] {
            let found = freezes.at(at.parse().unwrap()).map(|frozen| frozen.to_string());
            assert_eq!(found.as_deref(), frozen, "{at}");
        }
        assert_eq!(Freezes::default().at(Timestamp::UNIX_EPOCH), None);
    }
}
