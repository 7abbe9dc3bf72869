//! How old a report is. Each is aged by this process's monotonic clock from the moment it was first heard: observers' wall
//! clocks are never compared with ours, so a wrong clock neither silences an observer nor keeps a dead one alive.

use std::{collections::BTreeMap, time::Duration};

use jiff::Timestamp;

use crate::{
    decide::{absence::is_gone, verdict::Heard},
    model::ObserverReport,
};

/// What was heard last of each observer.
#[derive(Debug, Default)]
pub struct Listener {
    heard: BTreeMap<String, (ObserverReport, Duration)>,
}

impl Listener {
    /// Takes in the newest report of each observer, at `now`. One that has not changed keeps its age. A report that was there
    /// when this process began may be from long ago: only its first change makes it count.
    pub fn hear(&mut self, reports: Vec<ObserverReport>, now: Duration) {
        let old = std::mem::take(&mut self.heard);
        let first = old.is_empty();
        for report in reports {
            let since = match old.get(&report.observer) {
                Some((before, since)) if said_the_same(before, &report) => *since,
                None if first => now.saturating_sub(Duration::from_millis(report.valid_ms).saturating_mul(2)),
                Some(_) | None => now,
            };
            self.heard.insert(report.observer.clone(), (report, since));
        }
    }

    /// The reports with their ages at `now`; at `wall`, by the wall clock. Those of observers that are gone are left out: they count
    /// for nothing, and nobody wants to read of them.
    pub fn ages(&self, now: Duration, wall: Timestamp) -> Vec<Heard<'_>> {
        let aged = self.heard.values().map(|(report, since)| Heard { report, age: now.saturating_sub(*since) });
        aged.filter(|heard| !is_gone(heard.report, heard.age, wall)).collect()
    }
}

/// The same report again. Its time of publication is compared as a mark, never as a time.
fn said_the_same(before: &ObserverReport, now: &ObserverReport) -> bool {
    before.at == now.at && before.probes == now.probes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(observer: &str, at: i64) -> ObserverReport {
        ObserverReport {
            observer: observer.into(),
            group: "orders".parse().unwrap(),
            at: Timestamp::from_second(at).unwrap(),
            valid_ms: 2_000,
            abstains: None,
            probes: Vec::new(),
            markers: Vec::new(),
            remark: None,
            judged: None,
        }
    }

    fn ages(listener: &Listener, now: u64) -> Vec<(String, u64)> {
        let heard = listener.ages(Duration::from_secs(now), Timestamp::UNIX_EPOCH);
        heard.iter().map(|heard| (heard.report.observer.clone(), heard.age.as_secs())).collect()
    }

    #[test]
    fn a_report_ages_by_our_clock_whatever_its_own_says() {
        let mut listener = Listener::default();
        listener.hear(vec![report("ams", 1)], Duration::from_secs(100));
        listener.hear(vec![report("ams", 9_000)], Duration::from_secs(101));
        listener.hear(vec![report("ams", 9_000)], Duration::from_secs(104));
        assert_eq!(ages(&listener, 104), [("ams".to_owned(), 3)]);
        listener.hear(vec![report("ams", 5)], Duration::from_secs(105));
        assert_eq!(ages(&listener, 105), [("ams".to_owned(), 0)], "a clock that was set back is no silence");
    }

    #[test]
    fn what_was_there_before_us_is_old_until_it_changes_and_who_joins_later_is_heard() {
        let mut listener = Listener::default();
        listener.hear(vec![report("ams", 1)], Duration::from_secs(100));
        assert_eq!(ages(&listener, 100), [("ams".to_owned(), 4)]);
        listener.hear(vec![report("ams", 2), report("fra", 2)], Duration::from_secs(101));
        assert_eq!(ages(&listener, 101), [("ams".to_owned(), 0), ("fra".to_owned(), 0)]);
    }

    #[test]
    fn an_observer_that_is_gone_for_a_day_is_heard_of_no_more_and_heard_again_when_it_comes_back() {
        let mut listener = Listener::default();
        listener.hear(vec![report("ams", 1), report("fra", 90_000)], Duration::from_secs(100));
        let names = |listener: &Listener, now| -> Vec<String> {
            let heard = listener.ages(Duration::from_secs(now), Timestamp::from_second(90_000).unwrap());
            heard.iter().map(|heard| heard.report.observer.clone()).collect()
        };
        assert_eq!(names(&listener, 100), ["fra"]);
        // Its clock is still a day behind: what is fresh is heard, whatever it says of itself.
        listener.hear(vec![report("ams", 2), report("fra", 90_001)], Duration::from_secs(101));
        assert_eq!(names(&listener, 101), ["ams", "fra"]);
    }
}
