//! What an act's result means for its step.

use jiff::Timestamp;

use super::{context::context_with, delay, holds};
use crate::model::{Attempt, DrillPolicy, Effect, EventBody, Facts, OnFailure, Output, PlanStep, Run, StepIndex};

/// The event that records what became of try `attempt` of a step.
pub fn settle(run: &Run, index: StepIndex, attempt: u32, result: Attempt, now: Timestamp) -> Option<EventBody> {
    let step = run.plan().step(index)?;
    Some(match result {
        Attempt::Applied { output, facts } => done(run, index, step, attempt, output, facts, now),
        Attempt::NotApplied { why, retry } => failed(run, index, step, attempt, why, retry, now),
        // A read that was lost left nothing behind: it is simply tried again.
        Attempt::Unknown { why } if step.effect == Effect::Reads => failed(run, index, step, attempt, why, true, now),
        Attempt::Unknown { why } => EventBody::Lost { step: index, attempt, why },
    })
}

/// Done, unless the declared `verify` says otherwise. A `verify` that does not hold is a failure without another
/// try: the act was applied, and doing it again would not change what it said.
pub(super) fn done(
    run: &Run,
    index: StepIndex,
    step: &PlanStep,
    attempt: u32,
    output: Output,
    facts: Facts,
    now: Timestamp,
) -> EventBody {
    let Some(verify) = &step.verify else { return EventBody::Done { step: index, attempt, output, facts } };
    let why = match holds(verify, &context_with(run, step, &output)) {
        Ok(true) => return EventBody::Done { step: index, attempt, output, facts },
        Ok(false) => format!("it was applied, and its `verify` does not hold: {verify}"),
        // Outputs of a simulated act are unknown, and stay so.
        Err(_) if run.opened.simulated() || (run.opened.rehearsal && step.drill == DrillPolicy::Simulate) => {
            return EventBody::Done { step: index, attempt, output, facts };
        }
        Err(error) => format!("it was applied, and its `verify` cannot be evaluated: {error}"),
    };
    failed(run, index, step, attempt, why, false, now)
}

/// A try that was certainly not applied.
pub(super) fn failed(
    run: &Run,
    index: StepIndex,
    step: &PlanStep,
    attempt: u32,
    why: String,
    retry: bool,
    now: Timestamp,
) -> EventBody {
    let spent = attempt.saturating_sub(run.forgiven.get(index.at()).copied().unwrap_or(0));
    let again = retry && spent < step.retry.attempts;
    let rest = delay(step.retry, spent, (&run.id, &step.name));
    let retry_at = again.then(|| now.saturating_add(rest).unwrap_or(now));
    let passed_over = !again && (step.best_effort || step.on_failure == OnFailure::Continue);
    EventBody::Failed { step: index, attempt, why, retry_at, passed_over }
}
