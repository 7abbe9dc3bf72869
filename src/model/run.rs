//! A run: events folded over its plan.
//!
//! `after` is total: an event that makes no sense in a state is an error, in release builds too. Recovery is
//! folding the journal again, so the state after a crash is the state before it, by construction.

mod state;
#[cfg(test)]
mod tests;
mod transition;

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::{
    Actor, Command, CommandBody, Event, EventBody, Opened, Plan, PlanStep, Risk, RunId, SkippedBy, StepIndex, StepName,
    StepState, Term,
};
pub use state::{Outcome, PauseReason, RunKind, RunState};
use transition::step_after;

/// An event that makes no sense where the run is. A bug, or a journal that was tampered with.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("event {event} makes no sense for {subject} which is {state}")]
pub struct IllegalEvent {
    /// The event's word.
    pub event: &'static str,
    /// The step or the run.
    pub subject: String,
    /// Where it is.
    pub state: String,
}

/// A run, folded.
#[derive(Debug, Clone)]
pub struct Run {
    /// Its name.
    pub id: RunId,
    /// How it began.
    pub opened: Opened,
    /// When.
    pub opened_at: Timestamp,
    /// Where it is.
    pub state: RunState,
    /// Where its steps are, by place.
    pub steps: Vec<StepState>,
    /// Tries spent so far, by place: survives `Retry`, so that attempts keep counting.
    pub tries: Vec<u32>,
    /// Tries that a person's order forgave, by place: the allowance of tries counts from there.
    pub forgiven: Vec<u32>,
    /// A try whose outcome was unknown may have been applied, or may still be, by place: survives `Stuck`, `Retry`, `Skip` and
    /// a look that saw it not applied, until the step is seen done. A request that was lost can arrive after the look, and a
    /// server that was promoted and then stopped does not look promoted.
    pub doubted: Vec<bool>,
    /// What the run goes back to when it is resumed: a pause does not turn an unwinding or a cancelling run around.
    resume: RunState,
    /// Accepted risks with the person and the reason.
    pub accepted: BTreeMap<Risk, (Actor, String)>,
    /// Persons who stand behind the run; the requester is the first.
    pub approvals: Vec<Actor>,
    /// Approvals of the run that were signed, as they were given.
    pub signed_approvals: Vec<Command>,
    /// The last command of the inbox that was taken.
    pub inbox: u64,
    /// Sequence of the last event.
    pub seq: u64,
    /// Highest term seen.
    pub term: Term,
}

impl Run {
    /// Begins a run from its first event, which holds a plan that can be walked.
    pub fn open(id: RunId, first: &Event) -> Result<Self, IllegalEvent> {
        let (EventBody::Opened(opened), 1) = (&first.body, first.seq) else {
            return Err(IllegalEvent { event: first.body.word(), subject: id.to_string(), state: "not open".into() });
        };
        // What walks the plan later relies on it: a need that is none would be a place outside of it.
        if let Err(bad) = opened.plan.check() {
            let state = format!("without a plan that holds together ({bad})");
            return Err(IllegalEvent { event: first.body.word(), subject: id.to_string(), state });
        }
        let by = &opened.requested_by;
        Ok(Self {
            id,
            state: RunState::Running,
            steps: vec![StepState::Waiting; opened.plan.steps.len()],
            tries: vec![0; opened.plan.steps.len()],
            forgiven: vec![0; opened.plan.steps.len()],
            doubted: vec![false; opened.plan.steps.len()],
            resume: RunState::Running,
            accepted: opened.accepted.iter().map(|risk| (*risk, (by.clone(), opened.reason.clone()))).collect(),
            approvals: if opened.plan.group.approvals_signed { Vec::new() } else { vec![by.clone()] },
            signed_approvals: Vec::new(),
            opened: (**opened).clone(),
            opened_at: first.at,
            inbox: 0,
            seq: first.seq,
            term: first.term,
        })
    }

    /// Folds a whole journal.
    pub fn replay(id: RunId, events: &[Event]) -> Result<Option<Self>, IllegalEvent> {
        let Some((first, rest)) = events.split_first() else { return Ok(None) };
        let mut run = Self::open(id, first)?;
        for event in rest {
            run.after(event)?;
        }
        Ok(Some(run))
    }

    /// The plan.
    pub fn plan(&self) -> &Plan {
        &self.opened.plan
    }

    /// A step of the plan with its state.
    pub fn step(&self, index: StepIndex) -> Option<(&PlanStep, &StepState)> {
        Some((self.plan().step(index)?, self.steps.get(index.at())?))
    }

    /// A step was tried, or is being tried: what the run does cannot be refused as a whole any more.
    pub fn has_acted(&self) -> bool {
        self.tries.iter().any(|tries| *tries > 0)
    }

    /// It works on stand-ins.
    pub fn isolated(&self) -> bool {
        self.plan().isolation.is_some()
    }

    /// Whether the run is over.
    pub fn closed(&self) -> Option<Outcome> {
        match self.state {
            RunState::Closed { outcome } => Some(outcome),
            RunState::Running | RunState::Paused { .. } | RunState::Cancelling | RunState::Unwinding { .. } => None,
        }
    }

    /// A promotion was done, or may have been: from here a run goes forward or pauses; nothing is un-fenced (S4). The promotion
    /// of a stand-in binds nobody.
    pub fn past_no_return(&self) -> bool {
        if self.isolated() {
            return false;
        }
        let done = |index: StepIndex| {
            let tried = self.tries.get(index.at()).is_some_and(|tries| *tries > 0);
            tried && matches!(self.steps.get(index.at()), Some(StepState::Done { .. }))
        };
        let doubted = |index: StepIndex| {
            self.doubted.get(index.at()).is_some_and(|doubted| *doubted)
                || self.steps.get(index.at()).is_some_and(StepState::in_doubt)
        };
        let promotes = |index: &StepIndex| self.plan().step(*index).is_some_and(|step| step.verb.promotes());
        self.plan().indices().filter(promotes).any(|index| done(index) || doubted(index))
    }

    /// The run after `event`.
    pub fn after(&mut self, event: &Event) -> Result<(), IllegalEvent> {
        if event.seq != self.seq + 1 || event.term < self.term {
            return Err(IllegalEvent {
                event: event.body.word(),
                subject: format!("{} at event {} of term {}", self.id, event.seq, event.term),
                state: format!("at event {} of term {}", self.seq, self.term),
            });
        }
        self.fold(&event.body, event.at)?;
        self.seq = event.seq;
        self.term = event.term;
        Ok(())
    }

    fn fold(&mut self, body: &EventBody, at: Timestamp) -> Result<(), IllegalEvent> {
        if self.closed().is_some() {
            return Err(self.illegal(body));
        }
        match body {
            EventBody::Opened(_) => Err(self.illegal(body)),
            EventBody::TakenOver { .. } => {
                // A try that was lost with its process is not the step's failure.
                for (place, state) in self.steps.iter().enumerate() {
                    if state.in_doubt() {
                        self.forgiven[place] = self.tries[place];
                    }
                }
                Ok(())
            }
            EventBody::Commanded { inbox, command, refused } => {
                self.inbox = *inbox;
                if refused.is_none() {
                    self.obey(command);
                }
                Ok(())
            }
            EventBody::ApprovalWithdrawn { by, .. } => {
                if self.has_acted() || !self.approvals.contains(by) {
                    return Err(self.illegal(body));
                }
                self.approvals.retain(|one| one != by);
                self.signed_approvals.retain(|one| one.by != *by);
                Ok(())
            }
            EventBody::Paused { reason } => match self.state {
                RunState::Running | RunState::Paused { .. } | RunState::Unwinding { .. } | RunState::Cancelling => {
                    self.pause(reason.clone());
                    Ok(())
                }
                RunState::Closed { .. } => Err(self.illegal(body)),
            },
            EventBody::Unwinding { why } => {
                self.state = RunState::Unwinding { why: why.clone() };
                Ok(())
            }
            EventBody::Closed { outcome } => {
                if self.steps.iter().any(StepState::in_doubt) {
                    return Err(self.illegal(body));
                }
                self.state = RunState::Closed { outcome: *outcome };
                Ok(())
            }
            EventBody::Skipped { step, .. }
            | EventBody::Blocked { step, .. }
            | EventBody::ApprovalAsked { step, .. }
            | EventBody::Acting { step, .. }
            | EventBody::Done { step, .. }
            | EventBody::Failed { step, .. }
            | EventBody::Lost { step, .. }
            | EventBody::Undoing { step }
            | EventBody::Undone { step, .. }
            | EventBody::Stuck { step, .. } => self.fold_step(*step, body, at),
        }
    }

    fn fold_step(&mut self, step: StepIndex, body: &EventBody, at: Timestamp) -> Result<(), IllegalEvent> {
        let Some(state) = self.steps.get(step.at()) else { return Err(self.illegal(body)) };
        let Some(next) = step_after(state, body, at) else {
            let name = self.plan().step(step).map_or_else(String::new, |s| s.name.to_string());
            return Err(IllegalEvent {
                event: body.word(),
                subject: format!("step `{name}` of {}", self.id),
                state: state.word().into(),
            });
        };
        // A step with `verify` fails also when it was applied and did not do what it should; and a failure that names no try
        // says nothing about the one that is under way.
        let unjudged = if matches!(body, EventBody::Failed { attempt: 0, .. }) {
            matches!(state, StepState::Acting { .. })
        } else {
            self.plan().step(step).is_some_and(|s| s.verify.is_some())
        };
        match body {
            EventBody::Acting { attempt, .. } => self.tries[step.at()] = *attempt,
            EventBody::Lost { .. } | EventBody::Undoing { .. } => self.doubted[step.at()] = true,
            EventBody::Done { .. } | EventBody::Undone { .. } => self.doubted[step.at()] = false,
            EventBody::Failed { .. } if unjudged => self.doubted[step.at()] = true,
            EventBody::Failed { .. }
            | EventBody::Skipped { .. }
            | EventBody::Blocked { .. }
            | EventBody::ApprovalAsked { .. }
            | EventBody::Stuck { .. }
            | EventBody::Opened(_)
            | EventBody::TakenOver { .. }
            | EventBody::Commanded { .. }
            | EventBody::ApprovalWithdrawn { .. }
            | EventBody::Paused { .. }
            | EventBody::Unwinding { .. }
            | EventBody::Closed { .. } => {}
        }
        self.steps[step.at()] = next;
        Ok(())
    }

    /// Carries out an order that `decide::obey` found legal. Total: an order that changes nothing changes nothing.
    fn obey(&mut self, command: &Command) {
        match &command.body {
            CommandBody::Pause => {
                self.pause(PauseReason::Ordered { by: command.by.clone(), reason: command.reason.clone() });
            }
            CommandBody::Resume => {
                self.go_on();
                if self.state == RunState::Running {
                    self.reopen_blocked();
                    // What an isolated drill failed at is its result: only the taking down is tried again.
                    let isolated = self.opened.plan.isolation.is_some();
                    for (place, (step, state)) in self.opened.plan.steps.iter().zip(&mut self.steps).enumerate() {
                        if matches!(state, StepState::Failed { passed_over: false, .. }) && (step.last || !isolated) {
                            *state = StepState::Waiting;
                            self.forgiven[place] = self.tries[place];
                        }
                    }
                }
            }
            CommandBody::Retry { step } => self.retry(step, command),
            CommandBody::Skip { step } => self.skip(step, command),
            CommandBody::Cancel { unwind: true } => {
                self.state = RunState::Unwinding { why: format!("ordered by {}: {}", command.by, command.reason) };
            }
            CommandBody::Cancel { unwind: false } | CommandBody::Deny { step: None } => {
                self.state = RunState::Cancelling;
            }
            CommandBody::Accept { risk } => {
                self.accepted.insert(*risk, (command.by.clone(), command.reason.clone()));
                self.reopen_blocked();
            }
            CommandBody::Approve { step: None } => {
                if !self.approvals.contains(&command.by) {
                    self.approvals.push(command.by.clone());
                    self.signed_approvals.extend(command.signed.is_some().then(|| command.clone()));
                }
                self.reopen_blocked();
            }
            CommandBody::Approve { step: Some(step) } => {
                if let Some(index) = self.plan().find(step)
                    && let StepState::AwaitingApproval { have, .. } = &mut self.steps[index.at()]
                    && !have.contains(&command.by)
                {
                    have.push(command.by.clone());
                }
            }
            CommandBody::Deny { step: Some(step) } => {
                if let Some(index) = self.plan().find(step)
                    && matches!(self.steps[index.at()], StepState::AwaitingApproval { .. })
                {
                    self.steps[index.at()] = StepState::Failed {
                        attempt: self.tries[index.at()],
                        why: format!("{} denied it: {}", command.by, command.reason),
                        passed_over: false,
                    };
                }
            }
        }
    }

    /// A person says: again. A step in doubt goes back to waiting on that person's word, and is observed again
    /// before it acts; a stuck undo is undone again.
    fn retry(&mut self, step: &StepName, command: &Command) {
        let Some(index) = self.plan().find(step) else { return };
        match &self.steps[index.at()] {
            StepState::Failed { .. }
            | StepState::Blocked { .. }
            | StepState::Resting { .. }
            | StepState::Unsure { .. } => {
                self.steps[index.at()] = StepState::Waiting;
                self.forgiven[index.at()] = self.tries[index.at()];
                self.go_on();
            }
            StepState::Stuck { .. } => {
                self.steps[index.at()] = StepState::Undoing { since: command.at };
                self.state = RunState::Unwinding { why: format!("ordered by {}: {}", command.by, command.reason) };
            }
            StepState::Waiting
            | StepState::AwaitingApproval { .. }
            | StepState::Acting { .. }
            | StepState::Done { .. }
            | StepState::Skipped { .. }
            | StepState::Undoing { .. }
            | StepState::Undone => {}
        }
    }

    /// A person says: without it. What is under way, or was done, stays what it is.
    fn skip(&mut self, step: &StepName, command: &Command) {
        let Some(index) = self.plan().find(step) else { return };
        match &self.steps[index.at()] {
            StepState::Waiting
            | StepState::Blocked { .. }
            | StepState::AwaitingApproval { .. }
            | StepState::Resting { .. }
            | StepState::Unsure { .. }
            | StepState::Failed { .. } => {
                self.steps[index.at()] =
                    StepState::Skipped { by: SkippedBy::Person(command.by.clone()), why: command.reason.clone() };
                self.go_on();
            }
            StepState::Acting { .. }
            | StepState::Done { .. }
            | StepState::Skipped { .. }
            | StepState::Undoing { .. }
            | StepState::Undone
            | StepState::Stuck { .. } => {}
        }
    }

    fn pause(&mut self, reason: PauseReason) {
        let before = std::mem::replace(&mut self.state, RunState::Paused { reason });
        if !matches!(before, RunState::Paused { .. }) {
            self.resume = before;
        }
    }

    /// Ends a pause: a run that was being ended goes on ending.
    fn go_on(&mut self) {
        if matches!(self.state, RunState::Paused { .. }) {
            self.state = self.resume.clone();
        }
    }

    fn reopen_blocked(&mut self) {
        for state in &mut self.steps {
            if matches!(state, StepState::Blocked { .. }) {
                *state = StepState::Waiting;
            }
        }
        if matches!(self.state, RunState::Paused { reason: PauseReason::StepBlocked { .. } }) {
            self.go_on();
        }
    }

    fn illegal(&self, body: &EventBody) -> IllegalEvent {
        let state = match &self.state {
            RunState::Running => "running",
            RunState::Paused { .. } => "paused",
            RunState::Cancelling => "cancelling",
            RunState::Unwinding { .. } => "unwinding",
            RunState::Closed { .. } => "closed",
        };
        IllegalEvent { event: body.word(), subject: self.id.to_string(), state: state.into() }
    }
}
