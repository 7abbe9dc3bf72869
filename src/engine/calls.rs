//! From a step of the plan to a driver's call.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::{
    decide::{self, ExprError},
    model::{PlanStep, Run, StepIndex, StepState, TargetName},
    port::{Call, Known, ObserverReport},
};

/// What the observers know, by target: the newest marker that the source acknowledged.
pub fn known(run: &Run, reports: &[ObserverReport]) -> BTreeMap<TargetName, Known> {
    let source = &run.plan().source;
    let mut known: BTreeMap<TargetName, Known> = BTreeMap::new();
    // They know the real targets; a stand-in is as old as it is.
    if run.isolated() {
        return known;
    }
    for target in &run.plan().group.targets {
        let marker = reports
            .iter()
            .flat_map(|report| &report.markers)
            .filter(|marker| marker.target == target.name && marker.region == *source)
            .max_by_key(|marker| marker.at)
            .cloned();
        known.insert(target.name.clone(), Known { marker, onset: run.opened.onset });
    }
    known
}

/// The call of a step, with its parameters filled in.
pub fn call(
    run: &Run,
    index: StepIndex,
    step: &PlanStep,
    known: &BTreeMap<TargetName, Known>,
    now: Timestamp,
) -> Result<Call, ExprError> {
    let with = match decide::parameters(run, step) {
        Ok(with) => with,
        // Outputs of simulated steps are unknown, and stay so.
        Err(_) if run.opened.simulated() => step.with.clone(),
        Err(error) => return Err(error),
    };
    let plan = run.plan();
    Ok(Call {
        run: run.id.clone(),
        kind: run.opened.kind,
        step: step.name.clone(),
        attempt: run.tries.get(index.at()).copied().unwrap_or(0),
        in_doubt: matches!(run.steps.get(index.at()), Some(StepState::Unsure { .. })),
        verb: step.verb,
        target: step.target.clone(),
        source: plan.source.clone(),
        destination: plan.destination.clone(),
        with,
        timeout: step.timeout(),
        now,
        known: step.target.as_ref().and_then(|target| known.get(target)).cloned().unwrap_or_default(),
    })
}
