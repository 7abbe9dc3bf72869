//! The record of a run: all that an auditor, or a person the morning after, asks about it.
//!
//! It is made from the journal alone and holds the journal, so every figure in it can be made again. Its words are only
//! added to, never changed or removed; it becomes the predicate of an in-toto statement as it is.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    measure::Measures,
    path::Times,
    step::{Exception, StepRecord, exceptions, steps},
    timeline::{Row, timeline},
};
use crate::model::{
    Actor, CommandBody, ControlCheck, ControlState, Digest, DrillMode, Event, EventBody, Firing, GroupName,
    IllegalEvent, Loss, Objectives, Outcome, PersonSignature, RegionName, Risk, Run, RunId, RunKind, RunbookName,
    StepName, StepState, TargetName, Verb,
};

/// `apiVersion` of a record.
pub const API_VERSION: &str = "lifeboat.dev/v1alpha1";
/// `kind` of a record.
pub const KIND: &str = "EvidenceRecord";

/// A journal of which no record can be made.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// Not one event.
    #[error("run {run} has no events, so there is nothing to record")]
    Empty {
        /// The run.
        run: RunId,
    },
    /// Events in an order that cannot be.
    #[error("the journal of run {run} is not one that a run can have; keep the store as it is and look at the events")]
    Illegal {
        /// The run.
        run: RunId,
        /// The first event that makes no sense.
        #[source]
        source: IllegalEvent,
    },
}

/// The runbook that the run pinned.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RunbookPinned {
    /// Its name.
    pub name: RunbookName,
    /// The digest of the compiled plan.
    pub digest: Digest,
}

/// What the group promised when the run was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Promised {
    /// RTO in seconds.
    pub recovery_time_seconds: u64,
    /// RPO in seconds.
    pub recovery_point_seconds: u64,
    /// How old the last passed drill may be, in seconds.
    pub drill_max_age_seconds: u64,
}

impl From<Objectives> for Promised {
    fn from(objectives: Objectives) -> Self {
        let Objectives { recovery_time_seconds, recovery_point_seconds, drill_max_age_seconds } = objectives;
        Self { recovery_time_seconds, recovery_point_seconds, drill_max_age_seconds }
    }
}

/// A person's approval.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Approval {
    /// Who.
    pub by: Actor,
    /// When.
    pub at: Timestamp,
    /// Of which step; absent: of the run.
    pub step: Option<StepName>,
    /// In the person's words; may be empty.
    pub reason: String,
    /// Signed with the person's own key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signed: Option<PersonSignature>,
}

/// A risk that a person accepted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AcceptedRisk {
    /// Which.
    pub risk: Risk,
    /// Who.
    pub by: Actor,
    /// When.
    pub at: Timestamp,
    /// Why, in the person's words.
    pub reason: String,
    /// Signed with the person's own key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signed: Option<PersonSignature>,
}

/// What a promotion would lose, stated before it (promise S5).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Estimate {
    /// Of which target.
    pub target: TargetName,
    /// When.
    pub at: Timestamp,
    /// The step that was about to promote; absent: stated when the run was opened.
    pub step: Option<StepName>,
    /// How much.
    pub loss: Loss,
}

/// A person, and what was done in that name.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Person {
    /// Who.
    pub name: Actor,
    /// What, in order.
    pub did: Vec<String>,
}

/// The record of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Record {
    /// Always `API_VERSION`.
    pub api_version: String,
    /// Always `KIND`.
    pub kind: String,
    /// The run.
    pub run: RunId,
    /// What for.
    pub run_kind: RunKind,
    /// A drill that changed nothing of the group: everything was observed and nothing done, or done on stand-ins (`drill`).
    pub rehearsal: bool,
    /// How far it went, where it is a drill.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drill: Option<DrillMode>,
    /// The firing of a schedule that it is the run of; absent: a person started it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scheduled: Option<Firing>,
    /// The group.
    pub group: GroupName,
    /// Away from here.
    pub source: RegionName,
    /// To here.
    pub destination: RegionName,
    /// When it was opened.
    pub opened_at: Timestamp,
    /// When it was closed; absent: it is not.
    pub closed_at: Option<Timestamp>,
    /// How it ended; absent: it did not.
    pub outcome: Option<Outcome>,
    /// It ended well, and without any exception.
    pub success: bool,
    /// The runbook.
    pub runbook: RunbookPinned,
    /// Who asked for it.
    pub requested_by: Actor,
    /// Why.
    pub reason: String,
    /// Approvals, in order.
    pub approvals: Vec<Approval>,
    /// Accepted risks, in order.
    pub accepted: Vec<AcceptedRisk>,
    /// What the group promised.
    pub objectives: Promised,
    /// What was measured, against that.
    pub measures: Measures,
    /// Losses stated before anything was promoted.
    pub estimates: Vec<Estimate>,
    /// The steps, in document order.
    pub steps: Vec<StepRecord>,
    /// Every step that did not simply succeed.
    pub exceptions: Vec<Exception>,
    /// Whether the controls of the destination are those of the source, where a drill compared them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parity: Vec<ControlCheck>,
    /// Everybody who had a hand in it.
    pub people: Vec<Person>,
    /// The program's version.
    pub version: String,
    /// The whole journal.
    pub events: Vec<Event>,
}

fn folded(id: &RunId, events: &[Event]) -> Result<Run, RecordError> {
    Run::replay(id.clone(), events)
        .map_err(|source| RecordError::Illegal { run: id.clone(), source })?
        .ok_or_else(|| RecordError::Empty { run: id.clone() })
}

impl Record {
    /// How far it went, where it is a drill. Records from before this word say it by `rehearsal` alone.
    pub fn drill_mode(&self) -> Option<DrillMode> {
        self.drill.or(self.rehearsal.then_some(DrillMode::Rehearse))
    }

    /// The controls that a drill found lost on the destination, of those that protect data: the drill has failed by them.
    pub fn controls_lost(&self) -> impl Iterator<Item = &ControlCheck> {
        let lost = |check: &&ControlCheck| check.state == ControlState::Fail && check.control.protects();
        self.parity.iter().filter(move |check| self.drill_mode().is_some() && lost(check))
    }

    /// The run that it is about, folded from its journal.
    pub fn replay(&self) -> Result<Run, RecordError> {
        folded(&self.run, &self.events)
    }

    /// The rows of its timeline.
    pub fn timeline(&self) -> Result<Vec<Row>, RecordError> {
        Ok(timeline(&self.replay()?, &self.events))
    }

    /// Makes the record of a run from its journal, finished or not.
    pub fn of(id: &RunId, events: Vec<Event>) -> Result<Self, RecordError> {
        let run = folded(id, &events)?;
        let times = Times::of(run.steps.len(), &events);
        let exceptions = exceptions(&run);
        let outcome = run.closed();
        let opened = &run.opened;
        let plan = run.plan();
        Ok(Self {
            api_version: API_VERSION.into(),
            kind: KIND.into(),
            run: id.clone(),
            run_kind: opened.kind,
            rehearsal: opened.rehearsal,
            drill: opened.drill_mode(),
            scheduled: opened.scheduled.clone(),
            group: plan.group.name.clone(),
            source: plan.source.clone(),
            destination: plan.destination.clone(),
            opened_at: run.opened_at,
            closed_at: outcome.and_then(|_| events.last()).map(|event| event.at),
            outcome,
            success: outcome == Some(Outcome::Succeeded) && exceptions.is_empty(),
            runbook: RunbookPinned { name: plan.runbook.clone(), digest: opened.digest.clone() },
            requested_by: opened.requested_by.clone(),
            reason: opened.reason.clone(),
            approvals: approvals(&events),
            accepted: accepted(&run, &events),
            objectives: plan.group.objectives.into(),
            measures: Measures::of(&run, &events),
            estimates: estimates(&run, &events),
            steps: steps(&run, &events, &times.steps),
            exceptions,
            parity: parity(&run),
            people: people(&run, &events),
            version: opened.version.clone(),
            events,
        })
    }
}

/// Orders that had an effect, with who and why.
fn orders(events: &[Event]) -> impl Iterator<Item = &crate::model::Command> {
    events.iter().filter_map(|event| match &event.body {
        EventBody::Commanded { command, refused: None, .. } => Some(command),
        _ => None,
    })
}

fn approvals(events: &[Event]) -> Vec<Approval> {
    let mut found: Vec<Approval> = Vec::new();
    for event in events {
        match &event.body {
            EventBody::Commanded { command, refused: None, .. } => {
                let CommandBody::Approve { step } = &command.body else { continue };
                found.push(Approval {
                    by: command.by.clone(),
                    at: command.at,
                    step: step.clone(),
                    reason: command.reason.clone(),
                    signed: command.signed.as_deref().cloned(),
                });
            }
            EventBody::ApprovalWithdrawn { by, .. } => found.retain(|one| one.by != *by || one.step.is_some()),
            _ => {}
        }
    }
    found
}

fn accepted(run: &Run, events: &[Event]) -> Vec<AcceptedRisk> {
    let with_request = run.opened.accepted.iter().map(|risk| AcceptedRisk {
        risk: *risk,
        by: run.opened.requested_by.clone(),
        at: run.opened_at,
        reason: run.opened.reason.clone(),
        signed: None,
    });
    let later = orders(events).filter_map(|command| match &command.body {
        CommandBody::Accept { risk } => {
            let (by, reason, signed) = (command.by.clone(), command.reason.clone(), command.signed.as_deref().cloned());
            Some(AcceptedRisk { risk: *risk, by, at: command.at, reason, signed })
        }
        _ => None,
    });
    with_request.chain(later).collect()
}

fn estimates(run: &Run, events: &[Event]) -> Vec<Estimate> {
    let opened = run.opened.estimates.iter().map(|(target, loss)| Estimate {
        target: target.clone(),
        at: run.opened_at,
        step: None,
        loss: loss.clone(),
    });
    let before = events.iter().filter_map(|event| match &event.body {
        EventBody::Acting { step, facts, .. } => {
            let step = run.plan().step(*step).filter(|step| step.verb.promotes())?;
            let (target, loss) = (step.target.clone()?, facts.loss.clone()?);
            Some(Estimate { target, at: event.at, step: Some(step.name.clone()), loss })
        }
        _ => None,
    });
    opened.chain(before).collect()
}

/// What the drill's comparison put into its output.
fn parity(run: &Run) -> Vec<ControlCheck> {
    let steps = run.plan().steps.iter().zip(&run.steps).filter(|(step, _)| step.verb == Verb::DrillParity);
    let checks = steps.filter_map(|(_, state)| match state {
        StepState::Done { output, .. } => output.get(ControlCheck::CHECKS).cloned(),
        _ => None,
    });
    checks.filter_map(|checks| serde_json::from_value::<Vec<ControlCheck>>(checks).ok()).flatten().collect()
}

fn people(run: &Run, events: &[Event]) -> Vec<Person> {
    let mut people =
        vec![Person { name: run.opened.requested_by.clone(), did: vec![format!("asked for the {}", run.opened.kind)] }];
    for event in events {
        let EventBody::Commanded { command, refused, .. } = &event.body else { continue };
        let mut did = ordered(&command.body, refused.is_some());
        if refused.is_some() {
            did.push_str(" and was refused");
        }
        match people.iter_mut().find(|person| person.name == command.by) {
            Some(person) => person.did.push(did),
            None => people.push(Person { name: command.by.clone(), did: vec![did] }),
        }
    }
    people
}

/// An order in words, after the name of whoever gave it. One that was refused was only wanted.
pub(super) fn ordered(body: &CommandBody, refused: bool) -> String {
    let (past, verb, rest) = match body {
        CommandBody::Pause => ("paused", "pause", "the run".into()),
        CommandBody::Resume => ("resumed", "resume", "the run".into()),
        CommandBody::Retry { step } => ("retried", "retry", step.to_string()),
        CommandBody::Skip { step } => ("left out", "leave out", step.to_string()),
        CommandBody::Cancel { unwind: false } => ("cancelled", "cancel", "the run".into()),
        CommandBody::Cancel { unwind: true } => ("ordered", "have", "the run undone".into()),
        CommandBody::Accept { risk } => ("accepted", "accept", format!("the risk {risk}")),
        CommandBody::Approve { step: None } => ("approved", "approve", "the run".into()),
        CommandBody::Approve { step: Some(step) } => ("approved", "approve", step.to_string()),
        CommandBody::Deny { step: None } => ("denied", "deny", "the run".into()),
        CommandBody::Deny { step: Some(step) } => ("denied", "deny", step.to_string()),
    };
    if refused { format!("wanted to {verb} {rest}") } else { format!("{past} {rest}") }
}
