//! From a wall clock's schedule to instants: what happens when the clock is moved.
//!
//! The rule is that of cron(8). A clock that is moved by up to three hours is a change of season: a time of its own
//! (`30 2 * * *`) happens exactly once a day. Where it does not exist, it happens the moment after the gap; where it exists
//! twice, the first time alone. An interval (`*/30 * * * *`, `0 * * * *`) follows the clock: nothing in the gap, and again in the
//! hour that is repeated. A clock that is moved by more (Apia had no 30 December 2011) is another clock: what it does not
//! show does not happen.
//!
//! Between two moves the offset is constant, so each stretch is one run of the calendar.

use jiff::{
    Timestamp,
    tz::{Offset, TimeZone},
};

use super::Cron;

/// Moves of the clock that are a change of season, in seconds: cron(8) says less than three hours.
const SEASON: i32 = 3 * 3_600;

/// Stretches that are searched. A zone's clock is moved four times a year at most, and the calendar gives up after nine years.
const STRETCHES: u32 = 64;

/// A schedule in a time zone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Timetable {
    /// When, by the wall clock.
    pub cron: Cron,
    /// Whose.
    pub zone: TimeZone,
}

/// A time in which the zone's offset does not change.
struct Stretch {
    from: Timestamp,
    offset: Offset,
    /// The offset before.
    before: Offset,
}

impl Stretch {
    /// By how many seconds the clock was put forward when it began; negative: back. Nothing when that was no change of season.
    fn season(&self) -> i32 {
        let moved = self.offset.seconds() - self.before.seconds();
        if moved.abs() <= SEASON { moved } else { 0 }
    }
}

impl Timetable {
    /// The first instant after `after`. `None`: there is none within nine years, which is never.
    pub fn after(&self, after: Timestamp) -> Option<Timestamp> {
        let mut stretch = self.stretch(after);
        for _ in 0..STRETCHES {
            let ends = self.zone.following(stretch.from.max(after)).next();
            if stretch.from > after && self.falls_into_the_gap(&stretch) {
                return Some(stretch.from);
            }
            let from = stretch.from.max(after.checked_add(jiff::SignedDuration::from_nanos(1)).ok()?);
            let mut clock = stretch.offset.to_datetime(from);
            if self.cron.has_times() && stretch.season() < 0 {
                clock = clock.max(stretch.before.to_datetime(stretch.from));
            }
            let found = stretch.offset.to_timestamp(self.cron.at_or_after(clock)?).ok()?;
            match ends {
                Some(ends) if found >= ends.timestamp() => {
                    stretch = Stretch { from: ends.timestamp(), offset: ends.offset(), before: stretch.offset };
                }
                Some(_) | None => return Some(found),
            }
        }
        None
    }

    /// The stretch that `at` lies in.
    fn stretch(&self, at: Timestamp) -> Stretch {
        let offset = self.zone.to_offset(at);
        let just_after = at.checked_add(jiff::SignedDuration::from_nanos(1)).unwrap_or(at);
        match self.zone.preceding(just_after).next() {
            None => Stretch { from: Timestamp::MIN, offset, before: offset },
            Some(began) => {
                let from = began.timestamp();
                let before = from.checked_sub(jiff::SignedDuration::from_nanos(1)).unwrap_or(from);
                Stretch { from, offset, before: self.zone.to_offset(before) }
            }
        }
    }

    /// Something has a time of its own that the clock did not show because it was put forward.
    fn falls_into_the_gap(&self, stretch: &Stretch) -> bool {
        if !self.cron.has_times() || stretch.season() <= 0 {
            return false;
        }
        let (last, first) = (stretch.before.to_datetime(stretch.from), stretch.offset.to_datetime(stretch.from));
        self.cron.at_or_after(last).is_some_and(|missed| missed < first)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(cron: &str, zone: &str) -> Timetable {
        Timetable { cron: cron.parse().unwrap(), zone: TimeZone::get(zone).unwrap() }
    }

    /// The instants after `from`, as that place's clock shows them.
    fn shown(cron: &str, zone: &str, from: &str, count: usize) -> Vec<String> {
        let table = table(cron, zone);
        let mut at: Timestamp = from.parse().unwrap();
        let mut shown = Vec::new();
        while let Some(next) = table.after(at).filter(|_| shown.len() < count) {
            assert!(next > at);
            shown.push(next.to_zoned(table.zone.clone()).strftime("%d %H:%M %:z").to_string());
            at = next;
        }
        shown
    }

    #[test]
    fn a_time_that_does_not_exist_happens_the_moment_after_the_gap() {
        // Berlin, 29 March 2026: 02:00 is 03:00.
        let at = "2026-03-27T12:00:00Z";
        assert_eq!(
            shown("30 2 * * *", "Europe/Berlin", at, 3),
            ["28 02:30 +01:00", "29 03:00 +02:00", "30 02:30 +02:00"]
        );
        assert_eq!(
            shown("0,30 2,3 * * *", "Europe/Berlin", "2026-03-29T00:00:00Z", 3),
            ["29 03:00 +02:00", "29 03:30 +02:00", "30 02:00 +02:00"],
            "two that are missing and one that is there are one"
        );
        // Lord Howe, 4 October 2026: half an hour, 02:00 is 02:30.
        assert_eq!(
            shown("15 2 * * *", "Australia/Lord_Howe", "2026-10-03T00:00:00Z", 2),
            ["04 02:30 +11:00", "05 02:15 +11:00"]
        );
    }

    #[test]
    fn a_time_that_happens_twice_is_taken_the_first_time() {
        // Berlin, 25 October 2026: 03:00 is 02:00.
        assert_eq!(
            shown("30 2 * * *", "Europe/Berlin", "2026-10-24T12:00:00Z", 2),
            ["25 02:30 +02:00", "26 02:30 +01:00"]
        );
        assert_eq!(
            shown("0,30 2,3 * * *", "Europe/Berlin", "2026-10-24T12:00:00Z", 4),
            ["25 02:00 +02:00", "25 02:30 +02:00", "25 03:00 +01:00", "25 03:30 +01:00"]
        );
        // Asked in the middle of the repeated hour.
        assert_eq!(shown("30 2 * * *", "Europe/Berlin", "2026-10-25T01:10:00Z", 1), ["26 02:30 +01:00"]);
    }

    #[test]
    fn an_interval_follows_the_clock() {
        assert_eq!(
            shown("*/30 * * * *", "Europe/Berlin", "2026-03-29T00:15:00Z", 3),
            ["29 01:30 +01:00", "29 03:00 +02:00", "29 03:30 +02:00"]
        );
        assert_eq!(
            shown("0 * * * *", "Europe/Berlin", "2026-10-24T23:30:00Z", 3),
            ["25 02:00 +02:00", "25 02:00 +01:00", "25 03:00 +01:00"]
        );
        assert_eq!(shown("*/30 2 * * *", "Europe/Berlin", "2026-03-28T12:00:00Z", 1), ["30 02:00 +02:00"]);
    }

    #[test]
    fn a_day_that_a_place_left_out_has_nothing() {
        assert_eq!(
            shown("0 2 * * *", "Pacific/Apia", "2011-12-28T20:00:00Z", 2),
            ["29 02:00 -10:00", "31 02:00 +14:00"]
        );
    }

    #[test]
    fn a_leap_day_comes_on_leap_days_and_a_day_that_never_comes_is_none() {
        assert_eq!(shown("0 3 29 2 *", "UTC", "2026-01-01T00:00:00Z", 2), ["29 03:00 +00:00", "29 03:00 +00:00"]);
        assert_eq!(table("0 3 30 2 *", "UTC").after(Timestamp::UNIX_EPOCH), None);
    }
}
