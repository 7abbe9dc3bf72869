//! Which orders make sense. A refusal says why and what would work, and is recorded like the order itself.

use crate::model::{Actor, Command, CommandBody, PauseReason, Proof, Run, RunState, StepName, StepState};

/// Why the order has no effect; `None`: it is carried out. `proof` says whether the signature under it holds now.
pub fn obey(run: &Run, command: &Command, proof: &Proof) -> Option<String> {
    if run.closed().is_some() {
        return Some("the run is over".into());
    }
    if let Some(why) = unproven(run, command, proof) {
        return Some(why);
    }
    match &command.body {
        CommandBody::Pause => may_pause(&run.state),
        CommandBody::Resume => may_resume(&run.state),
        CommandBody::Retry { step } => judge_step(run, step, may_retry),
        CommandBody::Skip { step } => judge_step(run, step, may_skip),
        CommandBody::Cancel { .. } | CommandBody::Deny { step: None } => run.past_no_return().then(|| NO_RETURN.into()),
        CommandBody::Accept { risk } if command.reason.trim().is_empty() => {
            Some(format!("accepting {risk} needs a reason; it is kept as evidence"))
        }
        CommandBody::Accept { .. } => None,
        CommandBody::Approve { step: None } => may_approve(run, &command.by, &run.approvals),
        CommandBody::Approve { step: Some(step) } => judge_approval(run, step, &command.by),
        CommandBody::Deny { step: Some(step) } => judge_step(run, step, may_deny),
    }
}

const NO_RETURN: &str = "a promotion was done or may have been: from here the run goes forward. Resume it, skip what cannot be done, or pause it";

fn may_pause(state: &RunState) -> Option<String> {
    match state {
        RunState::Paused { reason: PauseReason::Ordered { by, .. } } => Some(format!("{by} paused it already")),
        RunState::Running
        | RunState::Paused { .. }
        | RunState::Cancelling
        | RunState::Unwinding { .. }
        | RunState::Closed { .. } => None,
    }
}

fn may_resume(state: &RunState) -> Option<String> {
    match state {
        RunState::Paused { .. } => None,
        RunState::Running => Some("it is running".into()),
        RunState::Cancelling | RunState::Unwinding { .. } => Some("it is being ended".into()),
        RunState::Closed { .. } => Some("the run is over".into()),
    }
}

fn may_retry(state: &StepState) -> Option<&'static str> {
    match state {
        StepState::Failed { .. }
        | StepState::Blocked { .. }
        | StepState::Resting { .. }
        | StepState::Unsure { .. }
        | StepState::Stuck { .. } => None,
        StepState::Waiting
        | StepState::AwaitingApproval { .. }
        | StepState::Acting { .. }
        | StepState::Done { .. }
        | StepState::Skipped { .. }
        | StepState::Undoing { .. }
        | StepState::Undone => Some("only a failed, blocked, resting, unsure or stuck step can be tried again"),
    }
}

fn may_skip(state: &StepState) -> Option<&'static str> {
    match state {
        StepState::Waiting
        | StepState::Blocked { .. }
        | StepState::AwaitingApproval { .. }
        | StepState::Resting { .. }
        | StepState::Unsure { .. }
        | StepState::Failed { .. } => None,
        StepState::Acting { .. } | StepState::Undoing { .. } => Some("its act is under way; pause the run first"),
        StepState::Done { .. } | StepState::Skipped { .. } | StepState::Undone | StepState::Stuck { .. } => {
            Some("it has ended")
        }
    }
}

fn may_deny(state: &StepState) -> Option<&'static str> {
    match state {
        StepState::AwaitingApproval { .. } => None,
        StepState::Waiting
        | StepState::Blocked { .. }
        | StepState::Acting { .. }
        | StepState::Unsure { .. }
        | StepState::Resting { .. }
        | StepState::Done { .. }
        | StepState::Skipped { .. }
        | StepState::Failed { .. }
        | StepState::Undoing { .. }
        | StepState::Undone
        | StepState::Stuck { .. } => Some("it does not wait for an approval"),
    }
}

fn judge_step(run: &Run, step: &StepName, judge: fn(&StepState) -> Option<&'static str>) -> Option<String> {
    match run.plan().find(step).and_then(|index| run.steps.get(index.at())) {
        None => Some(format!("there is no step `{step}` in this run")),
        Some(state) => judge(state).map(|why| format!("step `{step}` is {}: {why}", state.word())),
    }
}

fn judge_approval(run: &Run, step: &StepName, by: &Actor) -> Option<String> {
    match run.plan().find(step).and_then(|index| run.steps.get(index.at())) {
        None => Some(format!("there is no step `{step}` in this run")),
        Some(StepState::AwaitingApproval { have, .. }) => may_approve(run, by, have),
        Some(
            state @ (StepState::Waiting
            | StepState::Blocked { .. }
            | StepState::Acting { .. }
            | StepState::Unsure { .. }
            | StepState::Resting { .. }
            | StepState::Done { .. }
            | StepState::Skipped { .. }
            | StepState::Failed { .. }
            | StepState::Undoing { .. }
            | StepState::Undone
            | StepState::Stuck { .. }),
        ) => Some(format!("step `{step}` is {}: it does not wait for an approval", state.word())),
    }
}

/// A signature that does not hold is worth less than none: somebody tried. Where signatures are wanted, a word without one
/// is nobody's.
fn unproven(run: &Run, command: &Command, proof: &Proof) -> Option<String> {
    match proof {
        Proof::Broken(why) => Some(format!("the signature of {} does not count: {why}", command.by)),
        Proof::Unsigned if command.body.is_word() && run.plan().group.approvals_signed => Some(format!(
            "the group wants it signed by {} with a key of their own: set LIFEBOAT_SSH_KEY, or give --key",
            command.by
        )),
        Proof::Unsigned | Proof::Holds => None,
    }
}

/// One person counts once, and where two are asked for the requester is not one of the others.
fn may_approve(run: &Run, by: &Actor, have: &[Actor]) -> Option<String> {
    // Where approvals are signed, who asked has said nothing yet, and may sign like everybody else.
    let asked = *by == run.opened.requested_by && !run.plan().group.approvals_signed;
    if run.plan().group.approvals_required > 1 && asked {
        Some(format!("{by} asked for this run, and the group wants another person to approve it"))
    } else if have.contains(by) {
        Some(format!("{by} approved it already"))
    } else {
        None
    }
}
