//! A run: events folded over its plan.
//!
//! `after` is total: an event that makes no sense in a state is an error, in release builds too. Recovery is
//! folding the journal again, so the state after a crash is the state before it, by construction.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    Actor, Command, CommandBody, Event, EventBody, Opened, Plan, PlanStep, Risk, RunId, SkippedBy, StepIndex, StepName,
    StepState, Term,
};

/// What a run is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum RunKind {
    /// Unplanned: the source may be dead; loss is possible and gated.
    Failover,
    /// Planned: no loss.
    Switchover,
    /// A switchover back to the preferred region.
    Failback,
}

impl RunKind {
    /// As typed and shown.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Failover => "failover",
            Self::Switchover => "switchover",
            Self::Failback => "failback",
        }
    }
    /// Whether the run was planned and must lose nothing.
    pub fn planned(self) -> bool {
        match self {
            Self::Failover => false,
            Self::Switchover | Self::Failback => true,
        }
    }
}

impl std::fmt::Display for RunKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Outcome {
    /// Every step is done, or was skipped by its own `when` or by the drill.
    Succeeded,
    /// It ended, and at least one step failed or was skipped by a person. Never called a success.
    CompletedWithExceptions,
    /// It ended on a failure.
    Failed,
    /// A person ended it; nothing was undone.
    Cancelled,
    /// Everything reversible was undone.
    Unwound,
}

impl Outcome {
    /// As shown.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Succeeded => "succeeded",
            Self::CompletedWithExceptions => "completed with exceptions",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::Unwound => "unwound",
        }
    }
}

/// Why a run starts nothing new.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "is")]
pub enum PauseReason {
    /// A person said so.
    Ordered {
        /// Who.
        by: Actor,
        /// Why.
        reason: String,
    },
    /// A step failed and its `onFailure` is `Pause`.
    StepFailed {
        /// The step.
        step: StepIndex,
    },
    /// A gate is shut and nothing else can run.
    StepBlocked {
        /// The step.
        step: StepIndex,
    },
    /// Nobody can tell whether a try was applied.
    OutcomeUnknown {
        /// The step.
        step: StepIndex,
    },
    /// A step could not be undone.
    UndoStuck {
        /// The step.
        step: StepIndex,
    },
    /// The process was asked to end (Ctrl-C, SIGTERM).
    Interrupted,
}

/// Where a run is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "is")]
pub enum RunState {
    /// Steps start as they become ready.
    Running,
    /// Nothing new starts.
    Paused {
        /// Why.
        reason: PauseReason,
    },
    /// Ends as soon as nothing is under way.
    Cancelling,
    /// Undoes in reverse order.
    Unwinding {
        /// Why.
        why: String,
    },
    /// Over.
    Closed {
        /// How.
        outcome: Outcome,
    },
}

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
    /// Accepted risks with the person and the reason.
    pub accepted: BTreeMap<Risk, (Actor, String)>,
    /// Persons who stand behind the run; the requester is the first.
    pub approvals: Vec<Actor>,
    /// The last command of the inbox that was taken.
    pub inbox: u64,
    /// Sequence of the last event.
    pub seq: u64,
    /// Highest term seen.
    pub term: Term,
}

impl Run {
    /// Begins a run from its first event.
    pub fn open(id: RunId, first: &Event) -> Result<Self, IllegalEvent> {
        let EventBody::Opened(opened) = &first.body else {
            return Err(IllegalEvent { event: word(&first.body), subject: id.to_string(), state: "not open".into() });
        };
        let by = &opened.requested_by;
        Ok(Self {
            id,
            state: RunState::Running,
            steps: vec![StepState::Waiting; opened.plan.steps.len()],
            tries: vec![0; opened.plan.steps.len()],
            forgiven: vec![0; opened.plan.steps.len()],
            accepted: opened.accepted.iter().map(|risk| (*risk, (by.clone(), opened.reason.clone()))).collect(),
            approvals: vec![by.clone()],
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

    /// Whether the run is over.
    pub fn closed(&self) -> Option<Outcome> {
        match self.state {
            RunState::Closed { outcome } => Some(outcome),
            RunState::Running | RunState::Paused { .. } | RunState::Cancelling | RunState::Unwinding { .. } => None,
        }
    }

    /// A promotion was done, or may have been: from here a run goes forward or pauses; nothing is un-fenced (S4).
    pub fn past_no_return(&self) -> bool {
        self.plan().steps.iter().zip(&self.steps).any(|(step, state)| {
            step.verb.promotes() && (state.in_doubt() || matches!(state, StepState::Done { attempt: 1.., .. }))
        })
    }

    /// The run after `event`.
    pub fn after(&mut self, event: &Event) -> Result<(), IllegalEvent> {
        if event.seq != self.seq + 1 || event.term < self.term {
            return Err(IllegalEvent {
                event: word(&event.body),
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
            EventBody::TakenOver { .. } => Ok(()),
            EventBody::Commanded { inbox, command, refused } => {
                self.inbox = *inbox;
                if refused.is_none() {
                    self.obey(command)
                }
                Ok(())
            }
            EventBody::Paused { reason } => match self.state {
                RunState::Running | RunState::Paused { .. } | RunState::Unwinding { .. } | RunState::Cancelling => {
                    self.state = RunState::Paused { reason: reason.clone() };
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
                event: word(body),
                subject: format!("step `{name}` of {}", self.id),
                state: state.word().into(),
            });
        };
        if let EventBody::Acting { attempt, .. } = body {
            self.tries[step.at()] = *attempt;
        }
        self.steps[step.at()] = next;
        Ok(())
    }

    /// Carries out an order that `decide::obey` found legal. Total: an order that changes nothing changes nothing.
    fn obey(&mut self, command: &Command) {
        match &command.body {
            CommandBody::Pause => {
                self.state = RunState::Paused {
                    reason: PauseReason::Ordered { by: command.by.clone(), reason: command.reason.clone() },
                };
            }
            CommandBody::Resume => {
                self.reopen_blocked();
                for (place, state) in self.steps.iter_mut().enumerate() {
                    if matches!(state, StepState::Failed { passed_over: false, .. }) {
                        *state = StepState::Waiting;
                        self.forgiven[place] = self.tries[place];
                    }
                }
                self.state = RunState::Running;
            }
            CommandBody::Retry { step } => self.retry(step, command),
            CommandBody::Skip { step } => {
                if let Some(index) = self.plan().find(step) {
                    self.steps[index.at()] =
                        StepState::Skipped { by: SkippedBy::Person(command.by.clone()), why: command.reason.clone() };
                }
                self.state = RunState::Running;
            }
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
                if let Some(index) = self.plan().find(step) {
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
                self.state = RunState::Running;
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

    fn reopen_blocked(&mut self) {
        for state in &mut self.steps {
            if matches!(state, StepState::Blocked { .. }) {
                *state = StepState::Waiting;
            }
        }
        if matches!(self.state, RunState::Paused { reason: PauseReason::StepBlocked { .. } }) {
            self.state = RunState::Running;
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
        IllegalEvent { event: word(body), subject: self.id.to_string(), state: state.into() }
    }
}

/// The state of a step after an event about it; `None` when the event makes no sense there.
fn step_after(state: &StepState, body: &EventBody, at: Timestamp) -> Option<StepState> {
    use EventBody as E;
    use StepState as S;
    match (body, state) {
        (
            E::Skipped { by, why, .. },
            S::Waiting | S::Blocked { .. } | S::AwaitingApproval { .. } | S::Failed { .. } | S::Resting { .. },
        ) => Some(S::Skipped { by: by.clone(), why: why.clone() }),
        (E::Blocked { reasons, .. }, S::Waiting | S::Resting { .. } | S::Blocked { .. }) => {
            Some(S::Blocked { reasons: reasons.clone() })
        }
        (E::ApprovalAsked { needed, .. }, S::Waiting) => {
            Some(S::AwaitingApproval { needed: *needed, have: Vec::new(), since: at })
        }
        (E::Acting { attempt, .. }, S::Waiting | S::Resting { .. } | S::Unsure { .. }) => {
            Some(S::Acting { attempt: *attempt, since: at })
        }
        (
            E::Done { attempt, output, facts, .. },
            S::Waiting
            | S::Resting { .. }
            | S::Acting { .. }
            | S::Unsure { .. }
            | S::AwaitingApproval { .. }
            | S::Blocked { .. },
        ) => Some(S::Done { attempt: *attempt, output: output.clone(), facts: facts.clone() }),
        (
            E::Failed { attempt, why, retry_at, passed_over, .. },
            S::Waiting | S::Resting { .. } | S::Acting { .. } | S::Unsure { .. } | S::AwaitingApproval { .. },
        ) => Some(match retry_at {
            Some(until) => S::Resting { attempt: *attempt, until: *until, why: why.clone() },
            None => S::Failed { attempt: *attempt, why: why.clone(), passed_over: *passed_over },
        }),
        (E::Lost { attempt, why, .. }, S::Acting { .. } | S::Unsure { .. }) => {
            Some(S::Unsure { attempt: *attempt, why: why.clone() })
        }
        (E::Undoing { .. }, S::Done { .. } | S::Undoing { .. } | S::Stuck { .. }) => Some(S::Undoing { since: at }),
        (E::Undone { .. }, S::Undoing { .. }) => Some(S::Undone),
        (E::Stuck { why, .. }, S::Undoing { .. } | S::Unsure { .. }) => Some(S::Stuck { why: why.clone() }),
        (
            E::Skipped { .. }
            | E::Blocked { .. }
            | E::ApprovalAsked { .. }
            | E::Acting { .. }
            | E::Done { .. }
            | E::Failed { .. }
            | E::Lost { .. }
            | E::Undoing { .. }
            | E::Undone { .. }
            | E::Stuck { .. }
            | E::Opened(_)
            | E::TakenOver { .. }
            | E::Commanded { .. }
            | E::Paused { .. }
            | E::Unwinding { .. }
            | E::Closed { .. },
            S::Waiting
            | S::Blocked { .. }
            | S::AwaitingApproval { .. }
            | S::Acting { .. }
            | S::Unsure { .. }
            | S::Resting { .. }
            | S::Done { .. }
            | S::Skipped { .. }
            | S::Failed { .. }
            | S::Undoing { .. }
            | S::Undone
            | S::Stuck { .. },
        ) => None,
    }
}

/// The event's word, for errors.
fn word(body: &EventBody) -> &'static str {
    match body {
        EventBody::Opened(_) => "opened",
        EventBody::TakenOver { .. } => "takenOver",
        EventBody::Commanded { .. } => "commanded",
        EventBody::Skipped { .. } => "skipped",
        EventBody::Blocked { .. } => "blocked",
        EventBody::ApprovalAsked { .. } => "approvalAsked",
        EventBody::Acting { .. } => "acting",
        EventBody::Done { .. } => "done",
        EventBody::Failed { .. } => "failed",
        EventBody::Lost { .. } => "lost",
        EventBody::Paused { .. } => "paused",
        EventBody::Unwinding { .. } => "unwinding",
        EventBody::Undoing { .. } => "undoing",
        EventBody::Undone { .. } => "undone",
        EventBody::Stuck { .. } => "stuck",
        EventBody::Closed { .. } => "closed",
    }
}
