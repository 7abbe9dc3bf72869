//! From a round to notices and figures: each thing is said when it begins and when it is over, once.

use std::collections::BTreeMap;

use tokio::sync::watch;

use super::{
    rounds::{Attendance, Round, Writers},
    tidings::Tidings,
};
use crate::{
    controller::Pulse,
    decide::{absence::Presence, verdict::Stance},
    meter::{Condition, GroupFigures, Judged, TargetFigures},
    model::{GroupName, TargetName},
    notify::word,
    port::Notice,
};

/// Rounds in a row that must see two primaries: the members are not asked at one instant, and a planned move lies between two answers.
const SURE: u8 = 2;

/// What was said of a group so far.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Spoken {
    /// Observers of whom it was said that they are silent.
    silent: Vec<String>,
    /// For how many rounds in a row a target has had two primaries.
    doubled: BTreeMap<TargetName, u8>,
    overdue: bool,
}

impl Spoken {
    /// What is news in a round.
    pub(super) fn news(&mut self, group: &GroupName, round: &Round) -> Vec<Notice> {
        let mut news: Vec<Notice> =
            round.observers.iter().filter_map(|seen| self.observer(group, seen, round)).collect();
        // Who is gone for a day is not waited for any more.
        self.silent.retain(|name| round.observers.iter().any(|seen| seen.observer == *name));
        news.extend(round.writers.iter().filter_map(|writers| self.writers(group, writers, round)));
        match (&round.drilled, round.drill_met, self.overdue) {
            (last, false, false) => {
                self.overdue = true;
                news.push(word::drill_overdue(group, last.as_ref().map(|(at, _)| *at), round.at));
            }
            (Some((_, run)), true, true) => {
                self.overdue = false;
                news.push(word::drill_passed(run, round.at));
            }
            (_, true, _) | (_, false, true) => {}
        }
        news
    }

    fn observer(&mut self, group: &GroupName, seen: &Attendance, round: &Round) -> Option<Notice> {
        let told = self.silent.contains(&seen.observer);
        match (seen.presence, told) {
            (Presence::Silent, false) => {
                self.silent.push(seen.observer.clone());
                Some(word::observer_lost(group, &seen.observer, seen.last, round.at))
            }
            (Presence::Fresh, true) => {
                self.silent.retain(|name| *name != seen.observer);
                Some(word::observer_back(group, &seen.observer, round.at))
            }
            (Presence::Fresh | Presence::Late | Presence::Gone, _) | (Presence::Silent, true) => None,
        }
    }

    fn writers(&mut self, group: &GroupName, writers: &Writers, round: &Round) -> Option<Notice> {
        let count = self.doubled.entry(writers.target.clone()).or_default();
        if writers.primaries.len() > 1 {
            *count = count.saturating_add(1);
            return (*count == SURE)
                .then(|| word::two_primaries(group, writers.target.as_str(), &writers.primaries, round.at));
        }
        // A member that does not answer may still take writes.
        if !writers.all_seen && *count >= SURE {
            return None;
        }
        let told = std::mem::take(count) >= SURE;
        told.then(|| word::two_primaries_over(group, writers.target.as_str(), &writers.primaries, round.at))
    }
}

impl Tidings {
    /// Takes in what a round found.
    pub(super) fn round(&self, group: &GroupName, round: &Round) {
        for notice in self.said(|said| said.spoken.entry(group.clone()).or_default().news(group, round)) {
            self.tell(notice);
        }
        for seen in &round.observers {
            for (region, stance) in &seen.says {
                self.meter().observer(group, region, &seen.observer, judged(stance), seen.last);
            }
        }
        self.figures(group, |figures| {
            figures.regions.clone_from(&round.regions);
            figures.term = Some(round.term);
            figures.lease_held = round.driven;
            figures.objectives = Some(round.objectives);
            figures.drilled_at = round.drilled.as_ref().map(|(at, _)| *at);
            figures.drill_met = Some(round.drill_met);
            set(&mut figures.conditions, Condition::Stopped, round.stopped);
            set(&mut figures.conditions, Condition::Frozen, round.frozen);
            for writers in &round.writers {
                let count = u32::try_from(writers.primaries.len()).unwrap_or(u32::MAX);
                // None is only seen where everybody was.
                let count = (count > 0 || writers.all_seen).then_some(count);
                of_target(figures, &writers.target, |found| found.primaries = count);
            }
        });
    }

    /// Takes down what an observer's pulse is a figure of.
    pub(super) fn pulse(&self, pulse: &Pulse<'_>) {
        match pulse {
            Pulse::Probed { region, probe, healthy, took } => self.meter().probed(region, probe, *healthy, *took),
            Pulse::Beating { .. }
            | Pulse::Moved { .. }
            | Pulse::Refused { .. }
            | Pulse::Unpublished { .. }
            | Pulse::StoodStill { .. } => {}
        }
    }

    /// The store has been away for a while.
    pub(super) fn store_lost(&self, place: &str, why: &str) {
        if !self.said(|said| std::mem::replace(&mut said.store_lost, true)) {
            self.tell(word::store_lost(place, why, self.now()));
        }
    }

    /// The store answers.
    pub(super) fn store_back(&self, place: &str) {
        if self.said(|said| std::mem::replace(&mut said.store_lost, false)) {
            self.tell(word::store_back(place, self.now()));
        }
    }

    /// Says once which documents changed that only a restart takes up: channels and anchors.
    pub(super) fn documents(&self, differ: &[String]) {
        let before = self.said(|said| std::mem::replace(&mut said.differ, differ.to_vec()));
        if before != differ && !differ.is_empty() {
            let differ = differ.join(", ");
            tracing::warn!(differ, "the documents changed: restart this process to use what they say now");
        }
    }

    /// Says once why the documents on disk were refused, or that they are not any more.
    pub(super) fn documents_refused(&self, why: Option<String>) {
        self.meter().documents(why.is_some());
        self.refused.send_if_modified(|before| {
            if *before == why {
                return false;
            }
            if let Some(why) = &why {
                tracing::warn!(why, "the documents were refused as a whole, and the old ones stay in force");
            } else {
                tracing::warn!("the documents that were refused are mended");
            }
            *before = why;
            true
        });
    }

    /// What an observer of this process says of its process.
    pub(super) fn remark(&self) -> watch::Receiver<Option<String>> {
        self.refused.subscribe()
    }

    /// Why what is watched is not what is written; `None`: it is.
    pub(super) fn stale_documents(&self) -> Option<String> {
        let refused = self.refused.borrow().as_ref().map(|why| format!("refused, and the old ones stay: {why}"));
        let differ = self.said(|said| said.differ.join(", "));
        let restart = (!differ.is_empty()).then(|| format!("{differ} changed on disk: restart this process to use it"));
        let all: Vec<String> = refused.into_iter().chain(restart).collect();
        (!all.is_empty()).then(|| all.join("; "))
    }
}

/// Sets one condition and leaves the others.
pub(super) fn set(conditions: &mut Vec<(Condition, bool)>, condition: Condition, holds: bool) {
    match conditions.iter_mut().find(|(known, _)| *known == condition) {
        Some((_, known)) => *known = holds,
        None => conditions.push((condition, holds)),
    }
}

/// Changes the figures of one target.
pub(super) fn of_target(figures: &mut GroupFigures, target: &TargetName, change: impl FnOnce(&mut TargetFigures)) {
    if let Some((_, known)) = figures.targets.iter_mut().find(|(known, _)| known == target) {
        return change(known);
    }
    let mut new = TargetFigures::default();
    change(&mut new);
    figures.targets.push((target.clone(), new));
}

fn judged(stance: &Stance) -> Judged {
    match stance {
        Stance::Up | Stance::Degraded(_) => Judged::Up,
        Stance::Down { .. } => Judged::Down,
        Stance::CannotTell(_) | Stance::Abstains(_) => Judged::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::model::{RegionName, Term, sample};

    fn region(name: &str) -> RegionName {
        name.parse().unwrap()
    }

    /// A round in which all is well.
    fn well() -> Round {
        let at = Timestamp::UNIX_EPOCH;
        Round {
            at,
            regions: vec![(region("fra"), true), (region("dub"), false)],
            objectives: sample::group().objectives,
            term: Term(3),
            driven: None,
            stopped: false,
            frozen: false,
            drilled: Some((at, "orders-7".parse().unwrap())),
            drill_met: true,
            observers: vec![attendance(Presence::Fresh)],
            writers: vec![writers(&["fra"], true)],
        }
    }

    fn attendance(presence: Presence) -> Attendance {
        Attendance { observer: "ams".into(), last: Timestamp::UNIX_EPOCH, presence, says: Vec::new() }
    }

    fn writers(primaries: &[&str], all_seen: bool) -> Writers {
        let primaries = primaries.iter().map(|name| region(name)).collect();
        Writers { target: "db".parse().unwrap(), primaries, all_seen }
    }

    /// The titles of what is told in each of these rounds.
    fn told(rounds: impl IntoIterator<Item = Round>) -> Vec<Vec<String>> {
        let (group, mut spoken) = ("orders".parse().unwrap(), Spoken::default());
        let titles = |round| spoken.news(&group, &round).into_iter().map(|notice| notice.title).collect();
        rounds.into_iter().map(titles).collect()
    }

    #[test]
    fn an_observer_is_told_as_silent_once_and_as_back_once_and_one_that_is_gone_is_forgotten() {
        use Presence::{Fresh, Gone, Late, Silent};
        let seen = |presence| Round { observers: vec![attendance(presence)], ..well() };
        let nobody = Round { observers: Vec::new(), ..well() };
        let rounds = [Fresh, Late, Fresh, Late, Silent, Silent, Late, Fresh, Fresh, Silent, Gone].map(seen);
        let mut found = told(rounds.into_iter().chain([nobody, seen(Fresh)])).into_iter();
        for (story, title) in [
            ("fresh", None),
            ("late", None),
            ("back before anybody was told", None),
            ("late", None),
            ("silent", Some("orders: observer ams is silent")),
            ("still", None),
            ("late is not back", None),
            ("back", Some("orders: observer ams reports again")),
            ("still", None),
            ("silent", Some("orders: observer ams is silent")),
            ("gone", None),
            ("not there any more", None),
            ("another one of that name", None),
        ] {
            assert_eq!(found.next().unwrap(), Vec::from_iter(title.map(str::to_owned)), "{story}");
        }
    }

    #[test]
    fn two_primaries_are_told_when_they_were_seen_twice_and_as_over_when_everybody_was_seen() {
        let seen = |primaries: &[&str], all_seen| Round { writers: vec![writers(primaries, all_seen)], ..well() };
        let rounds = [
            seen(&["fra", "dub"], true),
            seen(&["fra"], true),
            seen(&["fra", "dub"], true),
            seen(&["fra", "dub"], true),
            seen(&["fra", "dub"], true),
            seen(&["fra"], false),
            seen(&["fra"], true),
            seen(&["fra"], true),
        ];
        let (begins, ends) = ("orders: db has two primaries", "orders: db has two primaries no more");
        let expected = [None, None, None, Some(begins), None, None, Some(ends), None];
        assert_eq!(told(rounds), expected.map(|title| Vec::from_iter(title.map(str::to_owned))));
    }

    #[test]
    fn a_drill_that_is_overdue_is_told_once_and_the_one_that_passes_once() {
        let round = |drill_met| Round { drill_met, ..well() };
        let never = Round { drilled: None, ..round(false) };
        let found = told([round(true), never, round(false), round(true), round(true)]);
        assert_eq!(
            found,
            [
                vec![],
                vec!["orders: the drill is overdue".to_owned()],
                vec![],
                vec!["orders: drill orders-7 passed".to_owned()],
                vec![]
            ]
        );
    }
}
