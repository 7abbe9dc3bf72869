//! Whether an observer is there. Pure; a report's age is the listener's own, as everywhere.
//!
//! Four answers, because three different things hang on them. A report that is not *fresh* counts for nothing in a verdict. An
//! observer that is *silent* is news for people: something ended that should go on. One that is *gone* was taken away for good: it is
//! named apart, and nobody is told of it any more.

use std::time::Duration;

use jiff::Timestamp;

use crate::model::{Group, ObserverReport};

/// A report that is worth nothing and says of itself that it is older than this is of an observer that is gone. A day outlasts every
/// restart, upgrade and repair of a vantage point that is meant to come back. The report's own time may be wrong by as much as its
/// observer's clock is, which is why a fresh report is never dropped, whatever it says.
pub const GONE: Duration = Duration::from_hours(24);

/// How an observer is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Presence {
    /// Its newest report is worth something.
    Fresh,
    /// It is late; it may be starting again.
    Late,
    /// It has been late for so long that people should know.
    Silent,
    /// It has not reported for a day.
    Gone,
}

/// How the observer of a report is there, whose report is of this age. People are told after as long as an outage is held, and never
/// sooner than after three times what the report is worth.
pub fn presence(group: &Group, report: &ObserverReport, age: Duration, wall: Timestamp) -> Presence {
    let worth = Duration::from_millis(report.valid_ms);
    let patience = (worth * 3).max(Duration::from_millis(group.watch.hold_down_ms));
    if age <= worth {
        Presence::Fresh
    } else if is_gone(report, age, wall) {
        Presence::Gone
    } else if age <= patience {
        Presence::Late
    } else {
        Presence::Silent
    }
}

/// Whether the report is of an observer that is gone.
pub fn is_gone(report: &ObserverReport, age: Duration, wall: Timestamp) -> bool {
    let stale = age > Duration::from_millis(report.valid_ms);
    let old = Duration::try_from(wall.duration_since(report.at)).is_ok_and(|old| old > GONE);
    stale && old
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::sample;

    #[test]
    fn an_observer_is_late_then_silent_and_after_a_day_it_is_gone() {
        let mut group = sample::group();
        group.watch.hold_down_ms = 60_000;
        let report = |valid_ms| ObserverReport {
            observer: "ams".into(),
            group: group.name.clone(),
            at: Timestamp::UNIX_EPOCH,
            valid_ms,
            abstains: None,
            probes: Vec::new(),
            markers: Vec::new(),
            remark: None,
            judged: None,
        };
        let (day, hour) = (86_400_u64, 3_600_i64);
        let after = i64::try_from(day).unwrap() + 1;
        for (story, valid_ms, age, wall, expected) in [
            ("at the end of its worth", 6_000, 6, 6, Presence::Fresh),
            ("a restart", 6_000, 60, 60, Presence::Late),
            ("longer than an outage is held", 6_000, 61, 61, Presence::Silent),
            ("three times a long worth is longer", 30_000, 90, 90, Presence::Late),
            ("and then it is silent, too", 30_000, 91, 91, Presence::Silent),
            ("at the end of the day", 6_000, day, after - 1, Presence::Silent),
            ("after the day", 6_000, day + 1, after, Presence::Gone),
            ("it was there, long silent, when we began to listen", 6_000, 12, after, Presence::Gone),
            ("its clock is a day behind, and it reports", 6_000, 1, after + hour, Presence::Fresh),
            ("its clock is ahead", 6_000, 2 * day, -hour, Presence::Silent),
        ] {
            let (age, wall) = (Duration::from_secs(age), Timestamp::from_second(wall).unwrap());
            assert_eq!(presence(&group, &report(valid_ms), age, wall), expected, "{story}");
        }
    }
}
