//! What became of each step, and of which nobody may say that it went well.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::path::{StepTime, between};
use crate::model::{
    Event, EventBody, FenceProof, Output, PlanStep, Run, SkippedBy, StepIndex, StepName, StepState, TargetName, Verb,
};

/// One step in the record.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StepRecord {
    /// Its name.
    pub name: StepName,
    /// What it does.
    pub verb: Verb,
    /// On what.
    pub target: Option<TargetName>,
    /// Where it was at the end, in one word.
    pub state: String,
    /// Why it failed, was left out or is in doubt; absent when it is done.
    pub why: Option<String>,
    /// Tries.
    pub attempts: u32,
    /// First intent.
    pub started: Option<Timestamp>,
    /// When it ended last.
    pub ended: Option<Timestamp>,
    /// Seconds between the two.
    pub seconds: Option<f64>,
    /// The newest proof of a fence that was seen in it.
    pub fence: Option<FenceProof>,
    /// Its output. Outputs hold no secrets (promise S14), so nothing is cut out.
    pub output: Output,
}

/// A step that did not simply succeed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Exception {
    /// The step.
    pub step: StepName,
    /// Where it was at the end, in one word.
    pub state: String,
    /// What that means, for a person.
    pub what: String,
}

/// All steps, in document order.
pub(super) fn steps(run: &Run, events: &[Event], times: &[StepTime]) -> Vec<StepRecord> {
    let rows = run.plan().indices().zip(run.plan().steps.iter().zip(&run.steps)).zip(times);
    rows.map(|((index, (step, state)), time)| of(index, step, state, time, events)).collect()
}

fn of(index: StepIndex, step: &PlanStep, state: &StepState, time: &StepTime, events: &[Event]) -> StepRecord {
    let output = match state {
        StepState::Done { output, .. } => output.clone(),
        _ => Output::new(),
    };
    StepRecord {
        name: step.name.clone(),
        verb: step.verb,
        target: step.target.clone(),
        state: state.word().to_owned(),
        why: why(state),
        attempts: time.attempts,
        started: time.started,
        ended: time.ended,
        seconds: time.started.zip(time.ended).map(|(from, to)| between(from, to).as_secs_f64()),
        fence: proof(index, events),
        output,
    }
}

/// The newest proof of a fence in a step's facts.
fn proof(index: StepIndex, events: &[Event]) -> Option<FenceProof> {
    events.iter().rev().filter(|event| event.body.step() == Some(index)).find_map(|event| match &event.body {
        EventBody::Acting { facts, .. } | EventBody::Done { facts, .. } | EventBody::Blocked { facts, .. } => {
            facts.fence.clone()
        }
        _ => None,
    })
}

fn why(state: &StepState) -> Option<String> {
    match state {
        StepState::Blocked { reasons } => Some(reasons.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")),
        StepState::Unsure { why, .. }
        | StepState::Resting { why, .. }
        | StepState::Skipped { why, .. }
        | StepState::Failed { why, .. }
        | StepState::Stuck { why } => Some(why.clone()),
        StepState::Waiting
        | StepState::AwaitingApproval { .. }
        | StepState::Acting { .. }
        | StepState::Done { .. }
        | StepState::Undoing { .. }
        | StepState::Undone => None,
    }
}

/// Every step that is neither done nor left out by its own `when` or the drill.
pub(super) fn exceptions(run: &Run) -> Vec<Exception> {
    let rows = run.plan().steps.iter().zip(&run.steps);
    rows.filter_map(|(step, state)| {
        Some(Exception { step: step.name.clone(), state: state.word().to_owned(), what: exception(state)? })
    })
    .collect()
}

fn exception(state: &StepState) -> Option<String> {
    let because = |what: &str| match why(state).filter(|why| !why.trim().is_empty()) {
        Some(why) => format!("{what}: {why}"),
        None => what.to_owned(),
    };
    match state {
        StepState::Done { .. } => None,
        StepState::Skipped { by, .. } => match by {
            SkippedBy::When | SkippedBy::Drill => None,
            SkippedBy::Person(who) => Some(because(&format!("left out by {who}"))),
            SkippedBy::Need(step) => Some(because(&format!("left out, because it needs {step}"))),
            SkippedBy::End => Some(because("not reached")),
        },
        StepState::Failed { passed_over: true, .. } => Some(because("failed and passed over")),
        StepState::Failed { passed_over: false, .. } => Some(because("failed")),
        StepState::Undone => Some("taken back".into()),
        StepState::Stuck { .. } => Some(because("could not be taken back, or nobody knows whether it was done")),
        StepState::Waiting => Some("not started".into()),
        StepState::Blocked { .. } => Some(because("blocked")),
        StepState::AwaitingApproval { .. } => Some("nobody approved it".into()),
        StepState::Acting { .. } => Some("begun, and its outcome was not recorded".into()),
        StepState::Unsure { .. } => Some(because("its outcome is not known")),
        StepState::Resting { .. } => Some(because("failed, and was to be tried again")),
        StepState::Undoing { .. } => Some("being taken back".into()),
    }
}
