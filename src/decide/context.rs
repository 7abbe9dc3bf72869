//! What expressions can name: `source`, `destination`, `group`, `run.*`, `steps.<name>.<output>`.

use serde_json::{Map, Value, json};

use super::{ExprError, render_params};
use crate::model::{Output, PlanStep, Run, StepState};

/// The context of an expression of this run. Outputs of steps that did not end well are absent, so that naming one is
/// an error and never an empty string.
pub fn context(run: &Run) -> Value {
    let plan = run.plan();
    let outputs: Map<String, Value> = plan
        .steps
        .iter()
        .zip(&run.steps)
        .filter_map(|(step, state)| match state {
            StepState::Done { output, .. } => Some((step.name.to_string(), Value::Object(output.clone()))),
            StepState::Waiting
            | StepState::Blocked { .. }
            | StepState::AwaitingApproval { .. }
            | StepState::Acting { .. }
            | StepState::Unsure { .. }
            | StepState::Resting { .. }
            | StepState::Skipped { .. }
            | StepState::Failed { .. }
            | StepState::Undoing { .. }
            | StepState::Undone
            | StepState::Stuck { .. } => None,
        })
        .collect();
    json!({
        "source": plan.source,
        "destination": plan.destination,
        "group": plan.group.name,
        "run": { "id": run.id, "kind": run.opened.kind, "rehearsal": run.opened.rehearsal },
        "steps": outputs,
    })
}

/// The same, with one step's own output in it: for `verify`.
pub(super) fn context_with(run: &Run, step: &PlanStep, output: &Output) -> Value {
    let mut all = context(run);
    if let Some(Value::Object(steps)) = all.get_mut("steps") {
        steps.insert(step.name.to_string(), Value::Object(output.clone()));
    }
    all
}

/// The step's parameters with expressions filled in. Costs nothing for a step that has none.
pub fn parameters(run: &Run, step: &PlanStep) -> Result<Map<String, Value>, ExprError> {
    if step.with.values().all(plain) { Ok(step.with.clone()) } else { render_params(&step.with, &context(run)) }
}

fn plain(value: &Value) -> bool {
    match value {
        Value::String(text) => !text.contains("{{"),
        Value::Array(items) => items.iter().all(plain),
        Value::Object(fields) => fields.values().all(plain),
        Value::Null | Value::Bool(_) | Value::Number(_) => true,
    }
}
