//! The end of an isolated drill: what it set up is taken down, whatever happened before.
//!
//! Its last steps wait for all others to be over, however they ended. A step of the drill itself that fails, or that may not
//! act, cuts the drill short: there is nobody whose service waits for the rest, and the failure is the result. A last step
//! that fails is for a person, because something may be left behind.

use super::{Next, World, ending, next::start};
use crate::model::{PlanStep, Run, SkippedBy, StepIndex, StepState};

/// Leaves out what has not begun once a step of an isolated drill failed, or is not allowed to act. Whether it did.
pub(super) fn cut_short(run: &Run, next: &mut Next) -> bool {
    if !run.isolated() {
        return false;
    }
    let why = steps(run).filter(|(_, step, _)| !step.last).find_map(|(_, step, state)| match state {
        StepState::Failed { passed_over: false, why, .. } => Some(format!("step `{}` failed: {why}", step.name)),
        StepState::Blocked { reasons } => {
            let reasons = reasons.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
            Some(format!("step `{}` may not act: {reasons}", step.name))
        }
        StepState::Failed { .. }
        | StepState::Waiting
        | StepState::AwaitingApproval { .. }
        | StepState::Acting { .. }
        | StepState::Unsure { .. }
        | StepState::Resting { .. }
        | StepState::Done { .. }
        | StepState::Skipped { .. }
        | StepState::Undoing { .. }
        | StepState::Undone
        | StepState::Stuck { .. } => None,
    });
    why.is_some_and(|why| leave_out(run, next, &why))
}

/// Takes down what was set up, for a drill that is being ended. Whether everything is over. A drill that is none of this kind
/// has nothing to take down.
pub(super) fn take_down(run: &Run, world: &World, next: &mut Next) -> bool {
    if leave_out(run, next, "the run ended first") {
        return false;
    }
    for (index, step, state) in steps(run).filter(|(_, step, _)| step.last) {
        match state {
            StepState::Waiting if over(run, step) => start(run, world, index, step, next),
            StepState::Resting { until, .. } if *until > world.now => next.wake(*until),
            StepState::Resting { .. } => start(run, world, index, step, next),
            // Whoever ends a drill twice ends it: what is left is in its record.
            StepState::Waiting
            | StepState::Blocked { .. }
            | StepState::AwaitingApproval { .. }
            | StepState::Acting { .. }
            | StepState::Unsure { .. }
            | StepState::Done { .. }
            | StepState::Skipped { .. }
            | StepState::Failed { .. }
            | StepState::Undoing { .. }
            | StepState::Undone
            | StepState::Stuck { .. } => {}
        }
    }
    run.steps.iter().all(stays)
}

/// All steps that are not among the last are over, and so is what this one needs of the last.
pub(super) fn over(run: &Run, step: &PlanStep) -> bool {
    steps(run).filter(|(_, other, _)| !other.last).all(|(_, _, state)| state.ended())
        && step.needs.iter().filter_map(|need| run.step(*need)).all(|(_, state)| stays(state))
}

/// Leaves out what has not begun of all steps but the last. Whether there was anything.
fn leave_out(run: &Run, next: &mut Next, why: &str) -> bool {
    let before = next.record.len();
    ending::leave_out(run, next, why, |step| !step.last);
    next.record.len() > before
}

/// It ended, or stands still and is left like that.
fn stays(state: &StepState) -> bool {
    state.ended() || matches!(state, StepState::Blocked { .. })
}

fn steps(run: &Run) -> impl Iterator<Item = (StepIndex, &PlanStep, &StepState)> {
    run.plan().indices().zip(run.plan().steps.iter().zip(&run.steps)).map(|(index, (step, state))| (index, step, state))
}

/// An isolated drill did not get to its end.
pub(super) fn cut(run: &Run) -> bool {
    let not_reached = |state: &StepState| {
        matches!(state, StepState::Failed { passed_over: false, .. } | StepState::Skipped { by: SkippedBy::End, .. })
    };
    run.isolated() && steps(run).any(|(_, step, state)| !step.last && not_reached(state))
}
