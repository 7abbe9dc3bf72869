//! Drills on schedule.
//!
//! One pass:
//!
//! 1. Each schedule is judged by [`decide::due`] on what is remembered: nearly always nothing is due, and nobody is asked.
//! 2. When something may be due, at the first look, and once a minute, the runs of the group are read. A drill whose process
//!    ended in its middle is gone on with. What is due is judged again, by what the journals say.
//! 3. A drill that is due is started, and driven beside the others: the loop goes on looking.
//!
//! The loop remembers nothing that matters. The instant that a drill is for stands in the first event of its run, so whoever
//! looks next sees that it was started; of two processes that look at once one gets the lease, and the other finds the run.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use futures::{StreamExt as _, future::BoxFuture, stream::FuturesUnordered};
use jiff::Timestamp;

use super::{Declined, DrillOrder, Drilled, Drillmaster};
use crate::{
    decide::{self, Due, Passed, Past, Wait},
    model::{Firing, GroupName, Schedule, ScheduleName},
    port::{Clock, RunSummary},
};

/// Between two looks at the wall clock, which may be put forward or back meanwhile. A drill starts at most this late.
const LOOK: Duration = Duration::from_secs(5);
/// Between two looks at the journals when nothing is due: for drills whose process ended in their middle.
const READ: Duration = Duration::from_mins(1);
/// Rest after a drill that was declined, before it is asked for again.
const REST: Duration = Duration::from_secs(30);

/// What the loop did or saw; for a log, and for tests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Noted {
    /// A drill starts.
    Starts(Firing),
    /// A drill is open. It is gone on with, unless its process is alive.
    GoesOn(crate::model::RunId),
    /// A drill came to rest.
    Rested(Drilled),
    /// A drill is due and waits.
    Waits(Firing, Wait),
    /// A drill is passed over.
    Passed(Firing, Passed),
    /// What was asked for was not done.
    Declined(ScheduleName, Declined),
}

/// The loop.
pub struct Drills<'h> {
    master: &'h dyn Drillmaster,
    clock: &'h dyn Clock,
    seen: BTreeMap<ScheduleName, Seen>,
    /// Groups in which this loop drives a drill.
    busy: BTreeSet<GroupName>,
}

/// What is remembered of a schedule.
struct Seen {
    since: Timestamp,
    fired: Vec<Timestamp>,
    /// The next look at the journals, by the monotonic clock.
    read_at: Duration,
    /// Nothing is asked for before then: it was declined a moment ago, or a run is open.
    rests_until: Duration,
    /// What was said of the drill that is due now: it is not said again.
    said: Vec<Noted>,
}

/// A drill that is under way.
pub struct Underway<'h> {
    schedule: ScheduleName,
    group: GroupName,
    rests: BoxFuture<'h, Result<Drilled, Declined>>,
}

/// A drill that rests.
struct Ended {
    schedule: ScheduleName,
    group: GroupName,
    how: Result<Drilled, Declined>,
}

impl<'h> Underway<'h> {
    fn of(schedule: &Schedule, rests: BoxFuture<'h, Result<Drilled, Declined>>) -> Self {
        Self { schedule: schedule.name.clone(), group: schedule.group.clone(), rests }
    }

    async fn ended(self) -> Ended {
        Ended { how: self.rests.await, schedule: self.schedule, group: self.group }
    }
}

/// Where what happens is told.
pub type Tell<'t> = &'t mut (dyn FnMut(&Noted) + Send);

impl<'h> Drills<'h> {
    /// A loop that has not looked yet.
    pub fn new(master: &'h dyn Drillmaster, clock: &'h dyn Clock) -> Self {
        Self { master, clock, seen: BTreeMap::new(), busy: BTreeSet::new() }
    }

    /// Looks and starts until `stop` resolves, and then waits until what is under way rests. `schedules` is asked at each look.
    pub async fn run(
        mut self,
        schedules: &mut (dyn FnMut() -> Vec<Schedule> + Send),
        tell: Tell<'_>,
        stop: impl Future<Output = ()> + Send,
    ) {
        let mut stop = std::pin::pin!(stop);
        let mut underway = FuturesUnordered::new();
        loop {
            let all = schedules();
            let mut ended = Vec::new();
            // What is under way holds leases: it goes on while the store is asked.
            let started = {
                let mut look = std::pin::pin!(self.look(&all, tell));
                loop {
                    tokio::select! {
                        started = &mut look => break started,
                        Some(rested) = underway.next() => ended.push(rested),
                    }
                }
            };
            for ended in ended {
                self.settle(ended, tell);
            }
            underway.extend(started.into_iter().map(Underway::ended));
            let mut pause = self.clock.sleep(self.pause(&all));
            loop {
                tokio::select! {
                    () = &mut stop => {
                        while let Some(ended) = underway.next().await {
                            self.settle(ended, tell);
                        }
                        return;
                    }
                    Some(ended) = underway.next() => self.settle(ended, tell),
                    () = &mut pause => break,
                }
            }
        }
    }

    /// Until the next look: sooner than usual when a drill is due sooner.
    fn pause(&self, schedules: &[Schedule]) -> Duration {
        let now = self.clock.now();
        let next = schedules.iter().filter_map(|schedule| schedule.timetable.after(now)).min();
        let until = next.and_then(|next| Duration::try_from(next.duration_since(now)).ok());
        until.map_or(LOOK, |until| until.min(LOOK))
    }

    /// One pass: what it starts is handed back, to be driven.
    pub async fn look(&mut self, schedules: &[Schedule], tell: Tell<'_>) -> Vec<Underway<'h>> {
        let mut started = Vec::new();
        self.seen.retain(|name, _| schedules.iter().any(|schedule| schedule.name == *name));
        for schedule in schedules {
            if self.busy.contains(&schedule.group) {
                continue;
            }
            if let Some(underway) = self.look_at(schedule, tell).await {
                self.busy.insert(schedule.group.clone());
                started.push(underway);
            }
        }
        started
    }

    async fn look_at(&mut self, schedule: &Schedule, tell: Tell<'_>) -> Option<Underway<'h>> {
        let (now, monotonic) = (self.clock.now(), self.clock.monotonic());
        let fresh = || Seen {
            since: now,
            fired: Vec::new(),
            read_at: Duration::ZERO,
            rests_until: Duration::ZERO,
            said: Vec::new(),
        };
        let seen = self.seen.entry(schedule.name.clone()).or_insert_with(fresh);
        let past = Past { since: seen.since, fired: seen.fired.clone(), open: None };
        let guess = decide::due(schedule, &past, now);
        let first = seen.read_at == Duration::ZERO;
        let resting = !first && monotonic < seen.read_at;
        match guess {
            Due::Skip { which, why, .. } if resting => {
                seen.say(Noted::Passed(firing(schedule, which), why), tell);
                return None;
            }
            Due::Hold { which, why } if resting => {
                seen.say(Noted::Waits(firing(schedule, which), why), tell);
                return None;
            }
            Due::Nothing { .. } if resting => return None,
            Due::Start { .. } if monotonic < seen.rests_until => return None,
            Due::Nothing { .. } | Due::Skip { .. } | Due::Hold { .. } | Due::Start { .. } => {}
        }
        let runs = match self.master.runs(&schedule.group).await {
            Ok(runs) => runs,
            Err(declined) => {
                (seen.read_at, seen.rests_until) = (monotonic + REST, monotonic + REST);
                seen.say(Noted::Declined(schedule.name.clone(), declined), tell);
                return None;
            }
        };
        seen.read_at = monotonic + READ;
        seen.fired = decide::fired(schedule, runs.iter().filter_map(|run| run.scheduled.as_ref()));
        if let Some(run) = orphan(&runs) {
            tell(&Noted::GoesOn(run.run.clone()));
            return Some(Underway::of(schedule, self.master.finish(run.run.clone())));
        }
        let open = runs.iter().find(|run| run.closed.is_none()).map(|run| run.run.clone());
        // The clock went on while the store was asked.
        let now = self.clock.now();
        match decide::due(schedule, &Past { since: seen.since, fired: seen.fired.clone(), open }, now) {
            Due::Nothing { .. } => {
                seen.said.clear();
                None
            }
            Due::Skip { which, why, .. } => {
                seen.say(Noted::Passed(firing(schedule, which), why), tell);
                None
            }
            Due::Hold { which, why } => {
                if matches!(why, Wait::RunOpen { .. }) {
                    seen.rests_until = monotonic + LOOK;
                }
                seen.say(Noted::Waits(firing(schedule, which), why), tell);
                None
            }
            Due::Start { which } => {
                let firing = firing(schedule, which);
                seen.say(Noted::Starts(firing.clone()), tell);
                let (group, mode, reason) = (schedule.group.clone(), schedule.mode, schedule.reason.clone());
                let order = DrillOrder { firing, group, mode, reason };
                Some(Underway::of(schedule, self.master.drill(order)))
            }
        }
    }

    /// Takes note of how a drill came to rest.
    fn settle(&mut self, ended: Ended, tell: Tell<'_>) {
        self.busy.remove(&ended.group);
        let monotonic = self.clock.monotonic();
        let Some(seen) = self.seen.get_mut(&ended.schedule) else { return };
        match ended.how {
            Ok(drilled) => {
                // The journals say what comes next.
                seen.read_at = Duration::ZERO;
                seen.said.clear();
                tell(&Noted::Rested(drilled));
            }
            Err(declined) => {
                (seen.read_at, seen.rests_until) = (monotonic + REST, monotonic + REST);
                seen.say(Noted::Declined(ended.schedule, declined), tell);
            }
        }
    }

    /// Waits until what a pass started rests; for whoever makes the passes.
    pub async fn wait(&mut self, started: Vec<Underway<'h>>, tell: Tell<'_>) {
        let mut underway: FuturesUnordered<_> = started.into_iter().map(Underway::ended).collect();
        while let Some(ended) = underway.next().await {
            self.settle(ended, tell);
        }
    }
}

impl Seen {
    fn say(&mut self, noted: Noted, tell: Tell<'_>) {
        if !self.said.contains(&noted) {
            tell(&noted);
            self.said.push(noted);
        }
    }
}

fn firing(schedule: &Schedule, instant: Timestamp) -> Firing {
    Firing { schedule: schedule.name.clone(), instant }
}

/// A scheduled drill that is open: nobody waits for it but whoever keeps the schedule.
fn orphan(runs: &[RunSummary]) -> Option<&RunSummary> {
    runs.iter().find(|run| run.closed.is_none() && run.scheduled.is_some())
}
