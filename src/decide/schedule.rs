//! Whether a drill is due. Pure: `(schedule, what was seen, now) -> due, with reasons`.
//!
//! A firing is known by its scheduled instant and by nothing else, so the answer depends on no memory but the runs that there
//! are: a restart, a second process or a clock that is put back changes nothing about what was started already.
//!
//! 1. Instants older than the deadline are passed over. Of those that are not, the newest is taken and the others are not made
//!    up for: three missed nights are one drill.
//! 2. An instant inside a blackout is passed over. One from before the blackout waits until it is over, if its deadline allows.
//! 3. A suspended schedule, and a group in which something runs, make it wait in the same way: `Forbid`, as a `CronJob` says.
//! 4. Nothing older than what was started last is started. What was started under a clock that ran ahead by more than the
//!    deadline counts for its own instant alone, or one wrong clock would silence a schedule for a year.
//! 5. A schedule of which there is no run yet speaks from the moment that it was first read: one that is written at noon does
//!    not drill for this morning.

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use crate::model::{Firing, RunId, Schedule};

/// Firings inside of blackouts that are passed by in search of the next one that may start.
const SEARCH: u32 = 5_000;

/// What was seen of a schedule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Past {
    /// When the schedule was first read; only asked while nothing was started.
    pub since: Timestamp,
    /// The instants for which there is a run, in any order.
    pub fired: Vec<Timestamp>,
    /// A run of the group that is open.
    pub open: Option<RunId>,
}

/// Why a firing that is due waits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase", tag = "is")]
pub enum Wait {
    /// `suspend: true`.
    Suspended,
    /// It is a blackout now.
    Blackout {
        /// Why.
        reason: String,
        /// When it is over, where that can be said.
        until: Option<Timestamp>,
    },
    /// A run of the group is open.
    RunOpen {
        /// The run.
        run: RunId,
    },
}

/// Why a firing is passed over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase", tag = "is")]
pub enum Passed {
    /// Its deadline is over.
    TooLate,
    /// It lies in a blackout.
    Blackout {
        /// Why.
        reason: String,
    },
}

/// What is due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Due {
    /// Nothing.
    Nothing {
        /// The next instant at which a drill may start. `None`: never.
        next: Option<Timestamp>,
    },
    /// One is due and waits.
    Hold {
        /// Which.
        which: Timestamp,
        /// For what.
        why: Wait,
    },
    /// The newest one will not be started.
    Skip {
        /// Which.
        which: Timestamp,
        /// Why not.
        why: Passed,
        /// The next instant at which a drill may start.
        next: Option<Timestamp>,
    },
    /// One is due.
    Start {
        /// Which.
        which: Timestamp,
    },
}

/// Judges what is due.
pub fn due(schedule: &Schedule, past: &Past, now: Timestamp) -> Due {
    let settled = settled(schedule, past, now);
    let oldest = earlier(now, schedule.deadline);
    let newest = newest(schedule, settled.max(oldest), now);
    match newest {
        Newest { allowed: Some(which), .. } => match wait(schedule, past, now) {
            Some(why) => Due::Hold { which, why },
            None => Due::Start { which },
        },
        Newest { allowed: None, blacked_out: Some(which) } => {
            let reason = schedule.blackout(which).map(|blackout| blackout.reason.clone()).unwrap_or_default();
            Due::Skip { which, why: Passed::Blackout { reason }, next: next(schedule, now) }
        }
        Newest { allowed: None, blacked_out: None } => match last_missed(schedule, settled, oldest.min(now)) {
            Some(which) => Due::Skip { which, why: Passed::TooLate, next: next(schedule, now) },
            None => Due::Nothing { next: next(schedule, settled.max(now)) },
        },
    }
}

/// The next instant after `after` at which a drill may start: outside of every blackout. `None`: never, or so far away that
/// nobody waits for it.
pub fn next(schedule: &Schedule, after: Timestamp) -> Option<Timestamp> {
    let mut at = after;
    for _ in 0..SEARCH {
        at = schedule.timetable.after(at)?;
        match schedule.blackout_ends(at) {
            None if schedule.blackout(at).is_none() => return Some(at),
            // On from the end, whose own instant may start.
            Some(end) => at = earlier(end, SignedDuration::from_nanos(1)).max(at),
            None => return None,
        }
    }
    None
}

/// The instants of this schedule for which there is a run.
pub fn fired<'r>(schedule: &Schedule, firings: impl IntoIterator<Item = &'r Firing>) -> Vec<Timestamp> {
    firings.into_iter().filter(|firing| firing.schedule == schedule.name).map(|firing| firing.instant).collect()
}

/// Everything up to here is settled.
fn settled(schedule: &Schedule, past: &Past, now: Timestamp) -> Timestamp {
    let horizon = now.checked_add(schedule.deadline).unwrap_or(Timestamp::MAX);
    let last = past.fired.iter().copied().filter(|instant| *instant <= horizon).max();
    match last {
        Some(last) => last,
        None if past.fired.is_empty() => past.since,
        // Everything was started under a clock that ran ahead.
        None => Timestamp::MIN,
    }
}

fn earlier(at: Timestamp, by: SignedDuration) -> Timestamp {
    at.checked_sub(by).unwrap_or(Timestamp::MIN)
}

/// The newest instants of a time, by whether they may start.
#[derive(Default)]
struct Newest {
    allowed: Option<Timestamp>,
    blacked_out: Option<Timestamp>,
}

fn newest(schedule: &Schedule, after: Timestamp, now: Timestamp) -> Newest {
    let mut newest = Newest::default();
    let mut at = after;
    while let Some(instant) = schedule.timetable.after(at).filter(|instant| *instant <= now) {
        match schedule.blackout(instant) {
            None => newest.allowed = Some(instant),
            Some(_) => newest.blacked_out = Some(instant),
        }
        at = instant;
    }
    newest
}

/// The last allowed instant that nobody started in time; only the last day's worth is looked for, to name one of them.
fn last_missed(schedule: &Schedule, settled: Timestamp, until: Timestamp) -> Option<Timestamp> {
    let day = earlier(until, SignedDuration::from_hours(24));
    newest(schedule, settled.max(day), until).allowed
}

/// What a firing that is due waits for.
fn wait(schedule: &Schedule, past: &Past, now: Timestamp) -> Option<Wait> {
    if schedule.suspended {
        return Some(Wait::Suspended);
    }
    if let Some(blackout) = schedule.blackout(now) {
        return Some(Wait::Blackout { reason: blackout.reason.clone(), until: schedule.blackout_ends(now) });
    }
    past.open.clone().map(|run| Wait::RunOpen { run })
}
