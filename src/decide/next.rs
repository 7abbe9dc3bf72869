//! What happens next, for every step at once.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::{
    Gate, context,
    doubt::{Look, doubt, look_at_doubts, unseen},
    ending::{end, finish_undo, stand_still, unwind},
    gate, holds,
    retry::{LONGEST, rests},
    settle::{done, failed},
    teardown::{cut_short, over, take_down},
};
use crate::model::{
    Blocker, DrillPolicy, EventBody, Facts, Observed, OnFailure, Outcome, Output, PauseReason, PlanStep, Run, RunState,
    SkippedBy, StepIndex, StepState, StopOrder, Verb,
};

/// What the engine knows beside the journal, at one moment.
#[derive(Debug, Default)]
pub struct World {
    /// The moment.
    pub now: Timestamp,
    /// The newest observation of each step that was observed and not yet judged.
    pub observed: BTreeMap<StepIndex, Observed>,
    /// Steps with an observation, an act or an undo under way.
    pub busy: BTreeSet<StepIndex>,
    /// Steps that could not be seen when they were looked at last.
    pub looks: BTreeMap<StepIndex, Look>,
    /// Steps that may be under way at once.
    pub parallel: usize,
    /// The process was asked to end.
    pub interrupted: bool,
    /// The order that stops the group, where one does.
    pub stopped: Option<StopOrder>,
}

/// Why nothing more can happen by itself.
#[derive(Debug, Clone, PartialEq)]
pub enum Rest {
    /// The run is over.
    Closed(Outcome),
    /// It is paused.
    Paused(PauseReason),
    /// Only a person's approval is missing.
    AwaitingApproval(StepIndex),
    /// The process was asked to end while the run was being ended; whoever resumes it goes on with that.
    Interrupted,
}

/// The answer.
#[derive(Debug, Default, PartialEq)]
pub struct Next {
    /// Events to record, intents included.
    pub record: Vec<EventBody>,
    /// Steps to observe.
    pub observe: Vec<StepIndex>,
    /// Steps to act on once `record` is durable.
    pub act: Vec<StepIndex>,
    /// The step to undo once `record` is durable.
    pub undo: Option<StepIndex>,
    /// When to ask again although nothing happened.
    pub wake_at: Option<Timestamp>,
    /// Nothing can happen by itself.
    pub rest: Option<Rest>,
}

/// Decides.
pub fn next(run: &Run, world: &World) -> Next {
    let mut next = Next::default();
    match &run.state {
        RunState::Closed { outcome } => next.rest = Some(Rest::Closed(*outcome)),
        RunState::Paused { reason } => {
            look_at_doubts(run, world, &mut next);
            if world.busy.is_empty() && next.is_still() {
                next.rest = Some(Rest::Paused(reason.clone()));
            }
        }
        RunState::Running | RunState::Cancelling | RunState::Unwinding { .. } if world.stopped.is_some() => {
            next.record.extend(world.stopped.as_ref().map(pause_by));
        }
        RunState::Cancelling | RunState::Unwinding { .. } if world.interrupted => {
            if world.busy.is_empty() {
                next.rest = Some(Rest::Interrupted);
            }
        }
        RunState::Cancelling | RunState::Unwinding { .. } if run.isolated() => {
            look_at_doubts(run, world, &mut next);
            if take_down(run, world, &mut next) {
                end(run, world, &mut next, Outcome::Cancelled);
            }
        }
        RunState::Cancelling => {
            look_at_doubts(run, world, &mut next);
            finish_undo(run, world, &mut next);
            end(run, world, &mut next, Outcome::Cancelled);
        }
        RunState::Unwinding { .. } => {
            look_at_doubts(run, world, &mut next);
            unwind(run, world, &mut next);
        }
        RunState::Running if world.interrupted => {
            if world.busy.is_empty() {
                next.record.push(EventBody::Paused { reason: PauseReason::Interrupted });
            }
        }
        RunState::Running => running(run, world, &mut next),
    }
    next
}

/// A stop pauses whatever the run is doing, the ending of it included; a resume goes on from there.
fn pause_by(order: &StopOrder) -> EventBody {
    EventBody::Paused { reason: PauseReason::Stopped { by: order.by.clone(), reason: order.reason.clone() } }
}

impl Next {
    /// Nothing came of this pass so far.
    pub(super) fn is_still(&self) -> bool {
        self.record.is_empty() && self.observe.is_empty() && self.wake_at.is_none()
    }

    pub(super) fn wake(&mut self, at: Timestamp) {
        self.wake_at = Some(self.wake_at.map_or(at, |other| other.min(at)));
    }
}

fn running(run: &Run, world: &World, next: &mut Next) {
    if let Some(stop) = after_failure(run) {
        next.record.push(stop);
        return;
    }
    if cut_short(run, next) {
        return;
    }
    for (place, (step, state)) in run.plan().steps.iter().zip(&run.steps).enumerate() {
        let index = StepIndex(u32::try_from(place).unwrap_or(u32::MAX));
        match state {
            StepState::Waiting => {
                if ready(run, step) {
                    start(run, world, index, step, next);
                }
            }
            StepState::Resting { until, .. } if rests(*until, world.now, LONGEST) => next.wake(*until),
            StepState::Resting { .. } => start(run, world, index, step, next),
            StepState::AwaitingApproval { needed, have, .. } => {
                if u32::try_from(have.len()).unwrap_or(u32::MAX) >= *needed {
                    let mut output = Output::new();
                    output.insert("approved_by".into(), serde_json::json!(have));
                    next.record.push(EventBody::Done { step: index, attempt: 0, output, facts: Facts::default() });
                }
            }
            StepState::Unsure { attempt, why } => doubt(run, world, index, step, *attempt, why, next),
            StepState::Acting { .. }
            | StepState::Blocked { .. }
            | StepState::Done { .. }
            | StepState::Skipped { .. }
            | StepState::Failed { .. }
            | StepState::Undoing { .. }
            | StepState::Undone
            | StepState::Stuck { .. } => {}
        }
    }
    if world.busy.is_empty() && next.is_still() {
        stand_still(run, next);
    }
}

/// A failed step that is not passed over ends or pauses the run.
fn after_failure(run: &Run) -> Option<EventBody> {
    // What an isolated drill fails at ends it; what fails to take it down is for a person.
    let stops = |(step, state): (&PlanStep, &StepState)| {
        matches!(state, StepState::Failed { passed_over: false, .. }) && (step.last || !run.isolated())
    };
    let place = run.plan().steps.iter().zip(&run.steps).position(stops)?;
    let step = StepIndex(u32::try_from(place).unwrap_or(u32::MAX));
    let plan_step = run.plan().step(step)?;
    Some(match plan_step.on_failure {
        OnFailure::Unwind if !run.past_no_return() => {
            EventBody::Unwinding { why: format!("step `{}` failed", plan_step.name) }
        }
        OnFailure::Unwind | OnFailure::Pause | OnFailure::Continue => {
            EventBody::Paused { reason: PauseReason::StepFailed { step } }
        }
    })
}

/// Everything that the step needs has ended well. A need that was left out stands for its own needs: a person may leave it
/// out before its turn, and that is no leave to go on before what comes ahead of it.
fn ready(run: &Run, step: &PlanStep) -> bool {
    if step.last {
        return over(run, step);
    }
    let well = |need: &StepIndex| run.steps.get(need.at()).is_some_and(StepState::lets_dependents_run);
    let left_out = |need: &StepIndex| matches!(run.steps.get(need.at()), Some(StepState::Skipped { .. }));
    // Asked of every step that waits, at every turn: most wait for a need of their own, and cost no memory.
    let (mut met, mut stand_ins) = (BTreeSet::new(), Vec::new());
    let mut asked = Some(step);
    while let Some(step) = asked {
        if !step.needs.iter().all(well) {
            return false;
        }
        stand_ins.extend(step.needs.iter().copied().filter(|need| left_out(need) && met.insert(*need)));
        asked = stand_ins.pop().and_then(|index| run.plan().step(index));
    }
    true
}

/// A step whose needs have ended well: skip it, ask for approval, observe it, or judge what was observed.
pub(super) fn start(run: &Run, world: &World, index: StepIndex, step: &PlanStep, next: &mut Next) {
    if world.busy.contains(&index) {
        return;
    }
    if run.opened.rehearsal && step.drill == DrillPolicy::Skip {
        let why = "the drill policy leaves it out".into();
        next.record.push(EventBody::Skipped { step: index, by: SkippedBy::Drill, why });
        return;
    }
    if let Some(event) = unless_when(run, index, step, world.now) {
        next.record.push(event);
        return;
    }
    if step.verb == Verb::Approve {
        next.record.push(ask(run, index, step));
        return;
    }
    match world.observed.get(&index) {
        Some(observed) => judge(run, world, index, step, observed, next),
        None if world.busy.len() + next.observe.len() + next.act.len() >= world.parallel => {}
        None => match world.looks.get(&index) {
            Some(look) if look.exhausted() => next.record.push(unseen(run, index, step, &look.why, world.now)),
            Some(look) if look.rests(world.now) => next.wake(look.again),
            Some(_) | None => next.observe.push(index),
        },
    }
}

/// `when` that does not hold skips the step; one that cannot be evaluated fails it. In a rehearsal the outputs
/// of simulated steps are unknown, and a step whose `when` is unknown is rehearsed.
fn unless_when(run: &Run, index: StepIndex, step: &PlanStep, now: Timestamp) -> Option<EventBody> {
    let when = step.when.as_ref()?;
    match holds(when, &context(run)) {
        Ok(true) => None,
        Ok(false) => {
            let why = format!("`when` does not hold: {when}");
            Some(EventBody::Skipped { step: index, by: SkippedBy::When, why })
        }
        Err(_) if run.opened.simulated() => None,
        Err(error) => {
            let why = format!("its `when` cannot be evaluated: {error}");
            Some(failed(run, index, step, 0, why, false, now))
        }
    }
}

fn ask(run: &Run, index: StepIndex, step: &PlanStep) -> EventBody {
    if run.opened.rehearsal {
        return EventBody::Done { step: index, attempt: 0, output: Output::new(), facts: Facts::default() };
    }
    let needed = step.with.get("required").and_then(serde_json::Value::as_u64).unwrap_or(1);
    EventBody::ApprovalAsked { step: index, needed: u32::try_from(needed).unwrap_or(u32::MAX).max(1) }
}

/// Judges a fresh observation of a step that has not acted, or that rests between two tries.
fn judge(run: &Run, world: &World, index: StepIndex, step: &PlanStep, observed: &Observed, next: &mut Next) {
    let tries = run.tries.get(index.at()).copied().unwrap_or(0);
    match observed {
        Observed::Already { facts, output } => {
            next.record.push(done(run, index, step, tries, output.clone(), facts.clone(), world.now));
        }
        Observed::Ready { facts } => match gate(run, index, facts, world.now) {
            Gate::Open => {
                next.record.push(EventBody::Acting {
                    step: index,
                    attempt: tries.saturating_add(1),
                    facts: facts.clone(),
                });
                next.act.push(index);
            }
            Gate::Shut(reasons) => next.record.push(EventBody::Blocked { step: index, reasons, facts: facts.clone() }),
        },
        Observed::Refused { facts, .. } if run.opened.simulated() && after_simulated(run, step) => {
            next.record.push(EventBody::Acting { step: index, attempt: tries.saturating_add(1), facts: facts.clone() });
            next.act.push(index);
        }
        Observed::Refused { expected, found, .. } if step.best_effort => {
            let why = format!("expected {expected}, found {found}");
            next.record.push(failed(run, index, step, tries, why, false, world.now));
        }
        Observed::Refused { facts, expected, found } => next.record.push(EventBody::Blocked {
            step: index,
            reasons: vec![Blocker::Refused { expected: expected.clone(), found: found.clone() }],
            facts: facts.clone(),
        }),
        Observed::Unknown { why } => next.record.push(unseen(run, index, step, why, world.now)),
    }
}

/// In a rehearsal, what a step expects is often brought about by the steps before it, which were simulated.
fn after_simulated(run: &Run, step: &PlanStep) -> bool {
    step.needs.iter().any(|need| matches!(run.steps.get(need.at()), Some(StepState::Done { attempt: 1.., .. })))
}
