//! The gate in front of every act. It gives all the reasons that shut it, and every reason is typed.
//!
//! A gate judges facts that were observed a moment ago, so it is racy by nature: the world may change between the
//! look and the act. That is why drivers make their acts conditional where the technology allows it, and why a
//! promotion's facts include the source's role as seen in the same observation.

use jiff::Timestamp;

use crate::model::{
    Blocker, Capability, Effect, Facts, FencingPolicy, Loss, PlanStep, RegionName, Role, Run, StepIndex, StepState,
    TargetName, Verb,
};

/// Open, or shut with every reason.
#[derive(Debug, Clone, PartialEq)]
#[must_use]
pub enum Gate {
    /// The act may start.
    Open,
    /// It may not.
    Shut(Vec<Blocker>),
}

/// Judges whether `step` may act on what was seen.
pub fn gate(run: &Run, index: StepIndex, facts: &Facts, now: Timestamp) -> Gate {
    let Some(step) = run.plan().step(index) else { return Gate::Shut(Vec::new()) };
    let mut reasons = Vec::new();
    match step.effect {
        Effect::Reads => return Gate::Open,
        Effect::Changes | Effect::Destroys => {}
    }
    if !run.opened.rehearsal {
        reasons.extend(missing_approvals(run));
        reasons.extend(cooldown(run, now));
    }
    if let Some(target) = &step.target {
        if step.verb.fences() {
            reasons.extend(destination_not_ready(run, step, target, facts));
            reasons.extend(destination_cut_off(run, target, facts));
        }
        if step.verb.promotes() {
            reasons.extend(two_primaries(target, facts));
            reasons.extend(unfenced(run, index, step, target, facts));
            reasons.extend(divergence(target, facts));
            reasons.extend(loss(run, target, facts));
        }
        if step.verb == Verb::DatabaseReverse && !proven(run, index, |fence| fence.target.as_ref() == Some(target)) {
            reasons.extend(divergence(target, facts));
        }
    }
    reasons.retain(|reason| {
        reason.accepted_by().is_none_or(|risk| !run.accepted.contains_key(&risk)) && !cured_by_rehearsal(run, reason)
    });
    if reasons.is_empty() { Gate::Open } else { Gate::Shut(reasons) }
}

/// With two or more persons required, the others must stand behind the run before its first act.
fn missing_approvals(run: &Run) -> Option<Blocker> {
    let needed = run.plan().group.approvals_required;
    let have = u32::try_from(run.approvals.len()).unwrap_or(u32::MAX);
    (have < needed).then(|| Blocker::ApprovalsMissing { needed, have: run.approvals.clone() })
}

/// Promise S10.
fn cooldown(run: &Run, now: Timestamp) -> Option<Blocker> {
    run.opened.cooldown_until.filter(|until| *until > now).map(|until| Blocker::Cooldown { until })
}

/// The destination is judged as strictly as the source: no fence while nothing could take over. Only databases say
/// their role; a member whose driver does not say stands in nobody's way.
fn destination_not_ready(run: &Run, step: &PlanStep, target: &TargetName, facts: &Facts) -> Option<Blocker> {
    let destination = &run.plan().destination;
    if step.verb.capability() != Capability::Database {
        return None;
    }
    match facts.role(destination)? {
        Role::Standby | Role::Primary => None,
        role @ (Role::ReadOnly | Role::Down(_) | Role::Unknown(_)) => Some(Blocker::DestinationNotReady {
            target: target.clone(),
            destination: destination.clone(),
            found: role.to_string(),
        }),
    }
}

/// A source that still serves is not fenced for a destination that does not follow it: a planned run could not catch up
/// any more, and an unplanned one is judged by what would be lost before it takes the service away, not after (S10).
///
/// A source that serves nobody any more is fenced first and judged at the promotion: the sooner, the less it can do.
fn destination_cut_off(run: &Run, target: &TargetName, facts: &Facts) -> Option<Blocker> {
    let (source, destination) = (&run.plan().source, &run.plan().destination);
    if facts.replicates != Some(false) || facts.role(source) != Some(&Role::Primary) {
        return None;
    }
    if run.opened.kind.planned() {
        let (target, source, destination) = (target.clone(), source.clone(), destination.clone());
        Some(Blocker::NotReplicating { target, source, destination })
    } else {
        loss(run, target, facts)
    }
}

/// What one side holds alone is not thrown away without a person's word. A reverse after a proven fence of the same run
/// throws nothing away that the promotion's loss did not state.
fn divergence(target: &TargetName, facts: &Facts) -> Option<Blocker> {
    let detail = facts.divergence.as_ref()?.to_string();
    Some(Blocker::DivergentHistory { target: target.clone(), detail })
}

/// Promise S6: two members that accept writes are an alarm, and nobody may go on.
fn two_primaries(target: &TargetName, facts: &Facts) -> Option<Blocker> {
    let regions: Vec<RegionName> =
        facts.sides.iter().filter(|side| side.role == Role::Primary).map(|side| side.region.clone()).collect();
    (regions.len() > 1).then(|| Blocker::TwoPrimaries { target: target.clone(), regions })
}

/// Promise S3: proof of a fence among the steps that came before, and a source that was not just seen accepting writes.
fn unfenced(run: &Run, index: StepIndex, step: &PlanStep, target: &TargetName, facts: &Facts) -> Vec<Blocker> {
    let source = &run.plan().source;
    let mut reasons = Vec::new();
    if step.verb.capability() == Capability::Database && facts.role(source) == Some(&Role::Primary) {
        reasons.push(Blocker::SourceStillWritable { target: target.clone(), source: source.clone() });
    }
    if !fenced(run, index, step, target) {
        reasons.push(Blocker::NotFenced { target: target.clone(), source: source.clone() });
    }
    reasons
}

/// A fence counts when it is among the steps that the promotion needs, directly or not, and was proven by effect.
///
/// A database needs the fence of its own target. A storage, whose members do not elect a primary among themselves, is
/// written by the service that the source's database serves: a proven fence of any target of the group before it
/// counts. `fencing: BestEffort` is content with a fence that was tried.
fn fenced(run: &Run, index: StepIndex, step: &PlanStep, target: &TargetName) -> bool {
    let covers = |fence: &PlanStep| match step.verb.capability() {
        Capability::Storage => true,
        Capability::Database | Capability::Dns | Capability::General => fence.target.as_ref() == Some(target),
    };
    let content_with_a_try = run.plan().group.fencing == FencingPolicy::BestEffort;
    let tried = |fence: &PlanStep, state: &StepState| covers(fence) && state.ended();
    proven(run, index, covers) || (content_with_a_try && fence_before(run, index, tried))
}

/// A fence that `covers` accepts, among what the step needs, was proven by effect.
fn proven(run: &Run, index: StepIndex, covers: impl Fn(&PlanStep) -> bool) -> bool {
    fence_before(run, index, |fence, state| {
        covers(fence) && matches!(state, StepState::Done { facts, .. } if facts.fence.is_some())
    })
}

fn fence_before(run: &Run, index: StepIndex, is: impl Fn(&PlanStep, &StepState) -> bool) -> bool {
    let steps = ancestors(run, index).into_iter().filter_map(|before| run.step(before));
    steps.filter(|(step, _)| step.verb.fences()).any(|(step, state)| is(step, state))
}

/// Everything that a step needs, directly or not.
pub(super) fn ancestors(run: &Run, index: StepIndex) -> Vec<StepIndex> {
    let steps = &run.plan().steps;
    let mut seen = vec![false; steps.len()];
    let mut stack: Vec<StepIndex> = steps.get(index.at()).map(|step| step.needs.clone()).unwrap_or_default();
    let mut found = Vec::new();
    while let Some(at) = stack.pop() {
        if let Some(mark) = seen.get_mut(at.at())
            && !*mark
        {
            *mark = true;
            found.push(at);
            stack.extend(&steps[at.at()].needs);
        }
    }
    found
}

/// Promise S5.
fn loss(run: &Run, target: &TargetName, facts: &Facts) -> Option<Blocker> {
    let unknown = |why: &str| Blocker::LossUnknown { target: target.clone(), why: why.to_owned() };
    let Some(loss) = &facts.loss else { return Some(unknown("the driver gave no estimate")) };
    if loss.amount == Some(0) {
        return None;
    }
    if run.opened.kind.planned() {
        return Some(Blocker::NotCaughtUp { target: target.clone(), missing: missing(loss) });
    }
    let allowed = run.plan().group.objectives.recovery_point_seconds;
    #[expect(clippy::cast_precision_loss, reason = "objectives are far below 2^52 seconds")]
    let allowed = allowed as f64;
    match loss.seconds {
        None => Some(unknown(&format!("neither markers nor the source say ({})", loss.basis))),
        Some(seconds) if seconds > allowed => {
            Some(Blocker::LossBeyondObjective { target: target.clone(), seconds, allowed, basis: loss.basis.clone() })
        }
        Some(_) => None,
    }
}

fn missing(loss: &Loss) -> String {
    match (loss.amount, loss.seconds) {
        (Some(amount), _) => format!("{amount} {}", loss.unit),
        (None, Some(seconds)) => format!("{seconds:.3} s of writes"),
        (None, None) => format!("an unknown number of {}", loss.unit),
    }
}

/// In a rehearsal the steps before were simulated: what they would have cured is no reason.
fn cured_by_rehearsal(run: &Run, reason: &Blocker) -> bool {
    run.opened.simulated()
        && match reason {
            Blocker::NotFenced { target, source: _ }
            | Blocker::SourceStillWritable { target, source: _ }
            | Blocker::NotCaughtUp { target, missing: _ } => simulated_fence(run, target),
            Blocker::TwoPrimaries { .. }
            | Blocker::LossBeyondObjective { .. }
            | Blocker::LossUnknown { .. }
            | Blocker::ApprovalsMissing { .. }
            | Blocker::Cooldown { .. }
            | Blocker::DivergentHistory { .. }
            | Blocker::DestinationNotReady { .. }
            | Blocker::NotReplicating { .. }
            | Blocker::CannotSee { .. }
            | Blocker::Refused { .. } => false,
        }
}

fn simulated_fence(run: &Run, target: &TargetName) -> bool {
    run.plan().steps.iter().zip(&run.steps).any(|(step, state)| {
        step.verb.fences()
            && (step.target.as_ref() == Some(target) || step.verb.capability() == Capability::Database)
            && matches!(state, StepState::Done { .. })
    })
}
