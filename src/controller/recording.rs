//! A recording: everything that one judge heard and answered, in lines of JSON, so that an incident can be judged again.
//!
//! It holds what the judge knew, on the judge's own monotonic clock, and so needs no comparison of clocks between machines. What has
//! not changed is not said twice: an observer that says the same again is a short line, in which the counters of its streaks and the
//! times of its last answers are left out, because no verdict reads them. A file that ends in the middle of a line
//! is a recording up to the line before.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::{bench::Look, helm::Outlook};
use crate::model::{
    Automation, Detection, Group, GroupName, Judged, ObserverReport, ProbeName, RegionName, RunId, StopOrder,
};

/// A wall clock that went another way than the monotonic one by more than this has a line of its own. Below it lies the
/// discipline of a healthy clock.
const CLOCK_APART: Duration = Duration::from_millis(100);

/// A judge who hears nothing for this long has a line of its own for each look: reports grow old in silence.
const SILENCE: Duration = Duration::from_secs(1);

/// One line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Line {
    /// The group.
    pub group: GroupName,
    /// Microseconds by the monotonic clock of the judge's process.
    pub us: u64,
    /// What was heard or answered then.
    #[serde(flatten)]
    pub what: Entry,
}

/// What a line holds. Words of a file that people keep: additive.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Entry {
    /// A judge begins. What it remembered before is gone with its process.
    Begins(Box<Charge>),
    /// An observer says something new.
    Heard(Box<ObserverReport>),
    /// An observer published the same words again.
    Again {
        /// The observer.
        observer: String,
        /// When it published them, by its own clock.
        at: Timestamp,
    },
    /// The judge looked, and nobody had said anything for a while. Where not even this was written it stood still.
    Silence {},
    /// How the group stands has changed.
    World(Box<World>),
    /// The judge's wall clock jumped, to this time.
    Clock(Timestamp),
    /// The answer, or its reasons, changed.
    Judged(Box<Judged>),
    /// What really happened. No judge writes this: whoever knows adds it, so that the judgement can be graded.
    Truth(Truth),
}

/// What a judge goes by.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Charge {
    /// The judge's wall clock.
    pub wall: Timestamp,
    /// The group, as runs pin it.
    pub group: Group,
    /// Milliseconds that a region must be down, by verdict, before anything starts by itself.
    pub hold_down_ms: u64,
    /// Independent probes of a region that must fail; `None`: all of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failing_probes: Option<u32>,
    /// Probes that stand on one shared dependency.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub correlated: Vec<BTreeSet<ProbeName>>,
}

/// How a group stands, as far as a judge knows.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct World {
    /// The region that serves.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub serves: Option<RegionName>,
    /// The one region that a failover would go to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub destination: Option<RegionName>,
    /// The run that is open.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub open: Option<RunId>,
    /// The order that stops the group.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stopped: Option<StopOrder>,
    /// Until when the group cools down.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cooldown_until: Option<Timestamp>,
    /// The deploy freeze that is on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub frozen: Option<String>,
    /// Groups below this one that still serve from the same region.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub waits_for: Vec<GroupName>,
    /// Why the store could not be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub store_lost: Option<String>,
    /// Why a start was refused a moment ago.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
}

/// What really happened to the world.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Truth {
    /// In words.
    pub what: String,
    /// From here on a failover is deserved.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub deserved: bool,
}

impl Charge {
    /// Of this group.
    pub fn of(group: &Group, wall: Timestamp) -> Self {
        let (group, watch) = (group.clone(), &group.watch);
        Self {
            wall,
            hold_down_ms: watch.hold_down_ms,
            failing_probes: watch.failing_probes,
            correlated: watch.correlated.clone(),
            group,
        }
    }

    /// The group, with the rules that a judgement reads.
    pub fn group(&self) -> Group {
        let mut group = self.group.clone();
        group.watch.hold_down_ms = self.hold_down_ms;
        group.watch.failing_probes = self.failing_probes;
        group.watch.correlated.clone_from(&self.correlated);
        group
    }

    /// How an outage is noticed, and what happens then.
    pub fn policy(&self) -> (Detection, Automation) {
        (self.group.detection, self.group.automation)
    }
}

impl World {
    fn of(look: &Look) -> Self {
        let Outlook { serves, destination, open, stopped, cooldown_until, frozen, waits_for, term: _ } =
            look.outlook.clone();
        let (store_lost, refused) = (look.reports.as_ref().err().cloned(), look.refused.clone());
        Self { serves, destination, open, stopped, cooldown_until, frozen, waits_for, store_lost, refused }
    }

    /// As a judge asks for it. The term is not kept: nothing is started by a replay.
    pub(super) fn outlook(&self) -> Outlook {
        let Self { serves, destination, open, stopped, cooldown_until, frozen, waits_for, .. } = self.clone();
        Outlook { serves, destination, open, stopped, cooldown_until, frozen, waits_for, term: Outlook::default().term }
    }
}

/// Turns what a judge is told into lines.
#[derive(Debug)]
pub struct Recorder {
    charge: Charge,
    begun: bool,
    said: BTreeMap<String, ObserverReport>,
    world: Option<World>,
    /// The last line.
    last: Duration,
    /// Both clocks, when they were last compared.
    clocks: (Timestamp, Duration),
}

impl Recorder {
    /// Of the judge of this group.
    pub fn new(group: &Group) -> Self {
        let charge = Charge::of(group, Timestamp::UNIX_EPOCH);
        let clocks = (Timestamp::UNIX_EPOCH, Duration::ZERO);
        Self { charge, begun: false, said: BTreeMap::new(), world: None, last: Duration::ZERO, clocks }
    }

    /// What is new in what the judge looked at.
    pub fn looked(&mut self, look: &Look) -> Vec<Line> {
        let mut new = Vec::new();
        if !self.begun {
            (self.begun, self.clocks) = (true, (look.wall, look.now));
            new.push(Entry::Begins(Box::new(Charge { wall: look.wall, ..self.charge.clone() })));
        }
        let expected = wall_at(self.clocks, look.now);
        if look.wall.duration_since(expected).unsigned_abs() > CLOCK_APART {
            self.clocks = (look.wall, look.now);
            new.push(Entry::Clock(look.wall));
        }
        let world = World::of(look);
        if self.world.as_ref() != Some(&world) {
            new.push(Entry::World(Box::new(world.clone())));
            self.world = Some(world);
        }
        for report in look.reports.iter().flatten() {
            new.extend(self.heard(report));
        }
        if new.is_empty() && look.now.saturating_sub(self.last) >= SILENCE {
            new.push(Entry::Silence {});
        }
        if !new.is_empty() {
            self.last = look.now;
        }
        let us = micros(look.now);
        new.into_iter().map(|what| Line { group: self.charge.group.name.clone(), us, what }).collect()
    }

    /// The answer that followed on a look at `now`.
    pub fn judged(&self, judged: &Judged, now: Duration) -> Line {
        Line { group: self.charge.group.name.clone(), us: micros(now), what: Entry::Judged(Box::new(judged.clone())) }
    }

    fn heard(&mut self, report: &ObserverReport) -> Option<Entry> {
        let before = self.said.get(&report.observer);
        if before.is_some_and(|before| before.at == report.at) {
            return None;
        }
        let again = before.is_some_and(|before| means_the_same(before, report));
        // What it judged itself is a judge's recording of its own.
        let report = ObserverReport { judged: None, ..report.clone() };
        self.said.insert(report.observer.clone(), report.clone());
        Some(if again {
            Entry::Again { observer: report.observer, at: report.at }
        } else {
            Entry::Heard(Box::new(report))
        })
    }
}

/// Nothing that a verdict reads is different.
fn means_the_same(before: &ObserverReport, now: &ObserverReport) -> bool {
    before.abstains == now.abstains
        && before.valid_ms == now.valid_ms
        && before.probes.len() == now.probes.len()
        && before.probes.iter().zip(&now.probes).all(|(before, now)| {
            (&before.region, &before.probe, before.state, before.only_serving)
                == (&now.region, &now.probe, now.state, now.only_serving)
                && before.degraded.is_some() == now.degraded.is_some()
                && before.failing_since == now.failing_since
        })
}

/// What a wall clock shows at `now`, when it and the monotonic one showed `clocks` and it did not jump since.
pub(super) fn wall_at(clocks: (Timestamp, Duration), now: Duration) -> Timestamp {
    let on = SignedDuration::try_from(now.saturating_sub(clocks.1)).unwrap_or(SignedDuration::MAX);
    clocks.0.saturating_add(on).unwrap_or(clocks.0)
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}
