//! One judgement after another. Pure: what was looked at goes in, verdicts and an answer come out. The judge of a living group and the
//! replay of a recording sit on the same bench.

use std::{collections::BTreeMap, time::Duration};

use jiff::Timestamp;

use super::{helm::Outlook, listen::Listener};
use crate::{
    decide::{
        automation::{Judgement, Memory, Sight, judge},
        verdict::{Verdict, verdicts},
    },
    model::{Group, Judged, ObserverReport, RegionName, VerdictSeen},
};

/// Everything that one judgement stands on, beside what is remembered.
#[derive(Debug, Clone)]
pub struct Look {
    /// Monotonic time of the judge's process.
    pub now: Duration,
    /// Its wall clock.
    pub wall: Timestamp,
    /// The newest report of each observer, or why the store could not be read.
    pub reports: Result<Vec<ObserverReport>, String>,
    /// How the group stands.
    pub outlook: Outlook,
    /// Why a start was refused a moment ago.
    pub refused: Option<String>,
}

/// What a judge knows from one judgement to the next.
pub(super) struct Bench {
    listener: Listener,
    memory: Memory,
    /// Both clocks at the last judgement.
    clocks: (Timestamp, Duration),
    /// Since when the verdict on the region that serves is down.
    noticed: Option<Timestamp>,
}

/// What one judgement came to.
pub(super) struct Weighed {
    pub(super) outlook: Outlook,
    pub(super) verdicts: BTreeMap<RegionName, Verdict>,
    pub(super) judgement: Judgement,
    /// When the verdict was *down* first; now, where it is not.
    pub(super) noticed: Timestamp,
}

impl Bench {
    /// Both clocks as they are at the beginning.
    pub(super) fn new(wall: Timestamp, now: Duration) -> Self {
        Self { listener: Listener::default(), memory: Memory::default(), clocks: (wall, now), noticed: None }
    }

    pub(super) fn weigh(&mut self, group: &Group, look: Look) -> Weighed {
        let Look { now, wall, reports, outlook, refused } = look;
        let jump = jump(self.clocks, (wall, now));
        self.clocks = (wall, now);
        let store_lost = reports.as_ref().err().cloned();
        if let Ok(reports) = reports {
            self.listener.hear(reports, now);
        }
        // Without the store nobody says who serves: it is whoever did.
        let outlook =
            if store_lost.is_some() { Outlook { serves: self.memory.about().cloned(), ..outlook } } else { outlook };
        let verdicts = verdicts(group, outlook.serves.as_ref(), &self.listener.ages(now, wall));
        let sight = Sight {
            group,
            serves: outlook.serves.clone(),
            destination: outlook.destination.clone(),
            verdicts: &verdicts,
            now,
            clock_jump: jump,
            store_lost,
            open: outlook.open.clone(),
            stopped: outlook.stopped.clone(),
            cooldown_until: outlook.cooldown_until.filter(|until| *until > wall),
            frozen: outlook.frozen.clone(),
            waits_for: outlook.waits_for.clone(),
            refused,
        };
        let (memory, judgement) = judge(std::mem::take(&mut self.memory), &sight);
        self.memory = memory;
        self.noticed = self.memory.is_down().then(|| self.noticed.unwrap_or(wall));
        Weighed { outlook, verdicts, judgement, noticed: self.noticed.unwrap_or(wall) }
    }
}

impl Weighed {
    /// In words, as it is published.
    pub(super) fn judged(&self, command: Option<String>) -> Judged {
        let seen = |(region, verdict): (&RegionName, &Verdict)| VerdictSeen {
            region: region.clone(),
            state: verdict.state.to_string(),
            reasons: verdict.reasons.clone(),
        };
        Judged {
            answer: self.judgement.word().into(),
            reasons: self.judgement.reasons().iter().map(ToString::to_string).collect(),
            command,
            verdicts: self.verdicts.iter().map(seen).collect(),
        }
    }
}

/// By how much the wall clock went another way than the monotonic one.
fn jump(before: (Timestamp, Duration), now: (Timestamp, Duration)) -> Duration {
    let wall = now.0.duration_since(before.0).as_nanos();
    let steady = i128::try_from(now.1.saturating_sub(before.1).as_nanos()).unwrap_or(i128::MAX);
    let apart = wall.saturating_sub(steady).unsigned_abs();
    Duration::from_nanos(u64::try_from(apart).unwrap_or(u64::MAX))
}

/// Whether a person would read the same: seconds that are left count down without being news.
pub(super) fn same(before: &Judged, now: &Judged) -> bool {
    let bare = |reasons: &[String]| -> Vec<String> {
        reasons.iter().map(|reason| reason.chars().filter(|c| !c.is_ascii_digit()).collect()).collect()
    };
    let states = |judged: &Judged| -> Vec<String> { judged.verdicts.iter().map(|one| one.state.clone()).collect() };
    before.answer == now.answer && bare(&before.reasons) == bare(&now.reasons) && states(before) == states(now)
}
