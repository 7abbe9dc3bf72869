//! Times in which no drill starts, by a wall clock.

use jiff::civil::{Date, DateTime};

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
}
