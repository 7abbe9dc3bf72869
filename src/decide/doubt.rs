//! After unknown: observe, and observe again, and in the end let a person look.

use std::{hash::Hash, time::Duration};

use jiff::Timestamp;

use super::{
    Next, World, delay,
    retry::rests,
    settle::{done, failed},
};
use crate::model::{
    Blocker, EventBody, Facts, Observed, PauseReason, PlanStep, Retry, Run, RunState, StepIndex, StepState,
};

/// How often a step in doubt is observed before a person is asked. With the rests in between (0.2 s doubling to
/// 5 s) that is about 20 seconds: longer than a leader election or a restart, short enough for somebody who waits.
const LOOKS: u32 = 8;

/// Rest between two looks at something that could not be seen.
const LOOK_AGAIN: Retry = Retry { attempts: LOOKS, backoff_ms: 200 };

/// The longest rest between two looks.
const LONGEST_LOOK: Duration = Duration::from_secs(5);

/// A step that could not be seen.
#[derive(Debug, Clone, PartialEq)]
pub struct Look {
    /// Looks in a row that saw nothing.
    pub count: u32,
    /// When it may be looked at again.
    pub again: Timestamp,
    /// What the last look said.
    pub why: String,
}

impl Look {
    /// One more look in vain.
    pub fn in_vain(before: Option<&Self>, why: String, now: Timestamp, seed: impl Hash) -> Self {
        let count = before.map_or(1, |look| look.count + 1);
        let rest = delay(LOOK_AGAIN, count, seed).min(LONGEST_LOOK);
        Self { count, again: now.saturating_add(rest).unwrap_or(now), why }
    }

    /// It is too early for another look.
    pub(super) fn rests(&self, now: Timestamp) -> bool {
        rests(self.again, now, LONGEST_LOOK)
    }

    /// Looking again would not help; a person must.
    pub(super) fn exhausted(&self) -> bool {
        self.count >= LOOKS
    }
}

/// Events with which a process takes over a journal: what was acting under an older term is unknown now.
pub fn takeover(run: &Run, holder: &str) -> Vec<EventBody> {
    let lost = run.plan().indices().filter_map(|step| match run.steps.get(step.at()) {
        Some(StepState::Acting { attempt, .. }) => Some(EventBody::Lost {
            step,
            attempt: *attempt,
            why: "the process that acted is gone, and with it the reply".into(),
        }),
        Some(
            StepState::Waiting
            | StepState::Blocked { .. }
            | StepState::AwaitingApproval { .. }
            | StepState::Unsure { .. }
            | StepState::Resting { .. }
            | StepState::Done { .. }
            | StepState::Skipped { .. }
            | StepState::Failed { .. }
            | StepState::Undoing { .. }
            | StepState::Undone
            | StepState::Stuck { .. },
        )
        | None => None,
    });
    std::iter::once(EventBody::TakenOver { holder: holder.to_owned() }).chain(lost).collect()
}

/// A step that could not be seen however often it was looked at: passed over when it is best effort, otherwise a
/// person looks.
pub(super) fn unseen(run: &Run, index: StepIndex, step: &PlanStep, why: &str, now: Timestamp) -> EventBody {
    if step.best_effort {
        return failed(run, index, step, 0, format!("it cannot be seen: {why}"), false, now);
    }
    let reasons = vec![Blocker::CannotSee { why: why.to_owned() }];
    EventBody::Blocked { step: index, reasons, facts: Facts::default() }
}

/// After unknown the only legal act is to observe.
pub(super) fn doubt(
    run: &Run,
    world: &World,
    index: StepIndex,
    step: &PlanStep,
    attempt: u32,
    why: &str,
    next: &mut Next,
) {
    if world.busy.contains(&index) {
        return;
    }
    match world.observed.get(&index) {
        None => match world.looks.get(&index) {
            Some(look) if look.exhausted() => {
                if !matches!(run.state, RunState::Paused { .. }) {
                    let reason = PauseReason::OutcomeUnknown { step: index };
                    next.record.push(EventBody::Paused { reason });
                }
            }
            Some(look) if look.rests(world.now) => next.wake(look.again),
            Some(_) | None => next.observe.push(index),
        },
        Some(Observed::Already { facts, output }) => {
            next.record.push(done(run, index, step, attempt, output.clone(), facts.clone(), world.now));
        }
        Some(Observed::Ready { .. }) => {
            let why = format!("{why}; it was observed not to be applied");
            next.record.push(failed(run, index, step, attempt, why, true, world.now));
        }
        Some(Observed::Refused { expected, found, .. }) => {
            let why = format!("{why}; observed afterwards: expected {expected}, found {found}");
            next.record.push(failed(run, index, step, attempt, why, false, world.now));
        }
        Some(Observed::Unknown { .. }) => next.wake(world.looks.get(&index).map_or(world.now, |look| look.again)),
    }
}

/// While nothing new starts, what is in doubt is still cleared up.
pub(super) fn look_at_doubts(run: &Run, world: &World, next: &mut Next) {
    if world.interrupted {
        return;
    }
    for (index, (step, state)) in run.plan().indices().zip(run.plan().steps.iter().zip(&run.steps)) {
        if let StepState::Unsure { attempt, why } = state {
            doubt(run, world, index, step, *attempt, why, next);
        }
    }
}
