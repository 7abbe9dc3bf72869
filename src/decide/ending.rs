//! How a run comes to rest: nothing left to do, cancelled, or unwound.

use super::{Next, Rest, World, next_undo, teardown::cut};
use crate::model::{EventBody, Outcome, PauseReason, PlanStep, Run, SkippedBy, StepIndex, StepState};

/// Nothing is under way and nothing can start.
pub(super) fn stand_still(run: &Run, next: &mut Next) {
    if let Some(place) = run.steps.iter().position(|state| matches!(state, StepState::AwaitingApproval { .. })) {
        next.rest = Some(Rest::AwaitingApproval(StepIndex(u32::try_from(place).unwrap_or(u32::MAX))));
    } else if let Some(place) = run.steps.iter().position(|state| matches!(state, StepState::Blocked { .. })) {
        let step = StepIndex(u32::try_from(place).unwrap_or(u32::MAX));
        next.record.push(EventBody::Paused { reason: PauseReason::StepBlocked { step } });
    } else if run.steps.iter().all(StepState::ended) {
        next.record.push(EventBody::Closed { outcome: outcome(run) });
    }
}

/// A run with a step that failed, or that a person left out, is never called a success.
fn outcome(run: &Run) -> Outcome {
    let clean = run.steps.iter().all(|state| match state {
        StepState::Done { .. } => true,
        StepState::Skipped { by, .. } => match by {
            SkippedBy::When | SkippedBy::Drill => true,
            SkippedBy::Person(_) | SkippedBy::Need(_) | SkippedBy::End => false,
        },
        StepState::Waiting
        | StepState::Blocked { .. }
        | StepState::AwaitingApproval { .. }
        | StepState::Acting { .. }
        | StepState::Unsure { .. }
        | StepState::Resting { .. }
        | StepState::Failed { .. }
        | StepState::Undoing { .. }
        | StepState::Undone
        | StepState::Stuck { .. } => false,
    });
    if clean {
        Outcome::Succeeded
    } else if cut(run) {
        Outcome::Failed
    } else {
        Outcome::CompletedWithExceptions
    }
}

/// Closes the run once nothing is under way or in doubt; what has not started is recorded as left out.
pub(super) fn end(run: &Run, world: &World, next: &mut Next, outcome: Outcome) {
    if !world.busy.is_empty() || run.steps.iter().any(StepState::in_doubt) || !next.is_still() {
        return;
    }
    leave_out(run, next, "the run ended first", |_| true);
    next.record.push(EventBody::Closed { outcome });
}

/// Records what has not begun as left out, among these steps.
pub(super) fn leave_out(run: &Run, next: &mut Next, why: &str, among: impl Fn(&PlanStep) -> bool) {
    for (step, (planned, state)) in run.plan().indices().zip(run.plan().steps.iter().zip(&run.steps)) {
        match state {
            StepState::Waiting
            | StepState::Blocked { .. }
            | StepState::AwaitingApproval { .. }
            | StepState::Resting { .. } => {
                if among(planned) {
                    next.record.push(EventBody::Skipped { step, by: SkippedBy::End, why: why.to_owned() });
                }
            }
            StepState::Acting { .. }
            | StepState::Unsure { .. }
            | StepState::Done { .. }
            | StepState::Skipped { .. }
            | StepState::Failed { .. }
            | StepState::Undoing { .. }
            | StepState::Undone
            | StepState::Stuck { .. } => {}
        }
    }
}

/// A cancelled run begins no other undo, and finishes the one that was begun: its process may be gone, and a step that is half
/// taken back is no place to end at.
pub(super) fn finish_undo(run: &Run, world: &World, next: &mut Next) {
    if !world.busy.is_empty() || !next.is_still() {
        return;
    }
    let begun = run.plan().indices().zip(&run.steps).find(|(_, state)| matches!(state, StepState::Undoing { .. }));
    if let Some((step, _)) = begun {
        next.record.push(EventBody::Undoing { step });
        next.undo = Some(step);
    }
}

pub(super) fn unwind(run: &Run, world: &World, next: &mut Next) {
    let stuck = run.steps.iter().position(|state| matches!(state, StepState::Stuck { .. }));
    if let Some(place) = stuck {
        let step = StepIndex(u32::try_from(place).unwrap_or(u32::MAX));
        next.record.push(EventBody::Paused { reason: PauseReason::UndoStuck { step } });
    } else if world.busy.is_empty() && !run.steps.iter().any(|state| matches!(state, StepState::Unsure { .. })) {
        match next_undo(run) {
            Some(step) => {
                next.record.push(EventBody::Undoing { step });
                next.undo = Some(step);
            }
            None => end(run, world, next, Outcome::Unwound),
        }
    }
}
