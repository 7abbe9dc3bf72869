//! Undo in reverse order, only what is reversible, and never past the point of no return.

use crate::model::{Effect, PlanStep, Run, StepIndex, StepState};

/// The step to undo next: the last in plan order that was applied and can be taken back; `None`: nothing is left.
///
/// A step that was already so before the run touched it (`attempt` 0) is not this run's to take back.
pub fn next_undo(run: &Run) -> Option<StepIndex> {
    let order = run.plan().order().ok()?;
    order.into_iter().rev().find(|index| {
        run.step(*index).is_some_and(|(step, state)| {
            matches!(state, StepState::Undoing { .. })
                || (reversible(step) && matches!(state, StepState::Done { attempt: 1.., .. }))
        })
    })
}

fn reversible(step: &PlanStep) -> bool {
    match step.effect {
        Effect::Reads => false,
        Effect::Changes | Effect::Destroys => step.reversible || step.undo.is_some(),
    }
}
