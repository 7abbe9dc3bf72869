//! What a person can do about a run that stands still: the exact commands.

use std::collections::BTreeSet;

use crate::model::{Blocker, PauseReason, Risk, Run, RunState, StepIndex, StepState};

/// A line of advice, with the command in it.
pub(super) type Advice = String;

/// What to do about a shut gate.
pub(super) fn of_blockers(run: &Run, step: &str, reasons: &[Blocker]) -> Vec<Advice> {
    let id = &run.id;
    let risks: BTreeSet<Risk> = reasons.iter().filter_map(Blocker::accepted_by).collect();
    let mut advice: Vec<Advice> = Vec::new();
    if reasons.iter().any(|reason| matches!(reason, Blocker::ApprovalsMissing { .. })) {
        advice.push(format!("let another person stand behind it: lifeboat approve {id}"));
    }
    let cured = reasons
        .iter()
        .any(|reason| reason.accepted_by().is_none() && !matches!(reason, Blocker::ApprovalsMissing { .. }));
    if cured {
        advice.push(format!("when it is cured, look again: lifeboat run retry {id} {step}"));
    } else if !risks.is_empty() {
        advice.push(format!("cure it and look again: lifeboat run retry {id} {step}"));
    }
    for risk in risks {
        advice.push(format!("or take the risk, by name: lifeboat run accept {id} {risk} --reason \"…\""));
    }
    advice
}

/// What to do about a step that waits for approval.
pub(super) fn of_approval(run: &Run, step: &str) -> Vec<Advice> {
    let id = &run.id;
    vec![format!("approve it: lifeboat approve {id} {step}"), format!("or refuse: lifeboat approve {id} {step} --deny")]
}

/// What to do about a pause.
pub(super) fn of_pause(run: &Run, reason: &PauseReason) -> Vec<Advice> {
    let id = &run.id;
    let name = |index: &StepIndex| run.plan().step(*index).map_or_else(String::new, |step| step.name.to_string());
    match reason {
        PauseReason::Stopped { .. } => vec![
            format!("lift the stop when it may go on (lifeboat status {} shows which), then", id.group),
            format!("go on: lifeboat run resume {id}"),
        ],
        PauseReason::Ordered { .. } | PauseReason::Interrupted => vec![format!("go on: lifeboat run resume {id}")],
        PauseReason::StepFailed { step } => {
            let manual = run.plan().step(*step).and_then(|step| step.manual.clone());
            let mut advice: Vec<Advice> = manual.into_iter().map(|text| format!("by hand: {text}")).collect();
            let step = name(step);
            advice.push(format!("try it again: lifeboat run retry {id} {step}"));
            advice.push(format!("or leave it out: lifeboat run skip {id} {step} --reason \"…\""));
            advice.extend(ending(run));
            advice
        }
        PauseReason::StepBlocked { step } => match run.steps.get(step.at()) {
            Some(StepState::Blocked { reasons }) => {
                let mut advice = of_blockers(run, &name(step), reasons);
                advice.extend(ending(run));
                advice
            }
            Some(_) | None => vec![format!("go on: lifeboat run resume {id}")],
        },
        PauseReason::OutcomeUnknown { step } => {
            let step = name(step);
            vec![
                format!(
                    "see for yourself whether {step} was done; it is looked at again with: lifeboat run retry {id} {step}"
                ),
                format!("or, when it need not be so: lifeboat run skip {id} {step} --reason \"…\""),
            ]
        }
        PauseReason::UndoStuck { step } => {
            vec![format!("take it back by hand, then: lifeboat run retry {id} {}", name(step))]
        }
    }
}

/// How to end a run that may still be ended.
fn ending(run: &Run) -> Option<Advice> {
    let id = &run.id;
    let group = &id.group;
    (!run.past_no_return()).then(|| {
        format!("or end the run and take back what it did: lifeboat run cancel {id} --unwind --yes-i-mean {group}")
    })
}

/// What to do about a run as it stands.
pub(super) fn of_run(run: &Run) -> Vec<Advice> {
    match &run.state {
        RunState::Paused { reason } => of_pause(run, reason),
        RunState::Running | RunState::Cancelling | RunState::Unwinding { .. } => run
            .plan()
            .steps
            .iter()
            .zip(&run.steps)
            .filter(|(_, state)| matches!(state, StepState::AwaitingApproval { .. }))
            .flat_map(|(step, _)| of_approval(run, step.name.as_str()))
            .collect(),
        RunState::Closed { .. } => Vec::new(),
    }
}
