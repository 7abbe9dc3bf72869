//! A run as rows for people: when, which step, what happened.

use std::fmt::Write as _;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{phases::onset, record::ordered};
use crate::model::{Event, EventBody, Facts, PauseReason, Plan, Run, SkippedBy, StepIndex, StepName};

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Row {
    /// Seconds after the onset; where that is not known, after it was noticed or the run was opened.
    pub offset_seconds: f64,
    /// When.
    pub at: Timestamp,
    /// The step, where it was about one.
    pub step: Option<StepName>,
    /// What happened.
    pub what: String,
}

/// The rows of a run, in the order of its journal; `run` is `events` folded.
pub fn timeline(run: &Run, events: &[Event]) -> Vec<Row> {
    let (from, basis) = onset(run);
    let row = |at: Timestamp, step, what| Row { offset_seconds: at.duration_since(from).as_secs_f64(), at, step, what };
    let mut rows = Vec::with_capacity(events.len() + 2);
    if run.opened.onset.is_some() {
        rows.push(row(from, None, format!("{} stopped serving (by {basis})", run.plan().source)));
    }
    if let Some(noticed) = run.opened.noticed {
        rows.push(row(noticed, None, "noticed".into()));
    }
    for event in events {
        let step = event.body.step().and_then(|index| run.plan().step(index)).map(|step| step.name.clone());
        rows.push(row(event.at, step, what(run, &event.body)));
    }
    rows
}

/// The rows as aligned text, a line each: the offset, the step, what happened.
pub fn render(rows: &[Row]) -> String {
    let name = |row: &Row| row.step.as_ref().map_or("", StepName::as_str).to_owned();
    let offsets: Vec<String> = rows.iter().map(|row| format!("{:+.3} s", row.offset_seconds)).collect();
    let first = offsets.iter().map(String::len).max().unwrap_or(0);
    let second = rows.iter().map(|row| name(row).len()).max().unwrap_or(0);
    let mut text = String::new();
    for (row, offset) in rows.iter().zip(offsets) {
        // Text of drivers and persons may have several lines; they stay in their column.
        let what = row.what.lines().collect::<Vec<_>>().join(&format!("\n{:1$}", "", first + second + 4));
        // Writing to a String cannot fail.
        let _ok = writeln!(text, "{offset:>first$}  {:<second$}  {what}", name(row));
    }
    text
}

fn what(run: &Run, body: &EventBody) -> String {
    let plan = run.plan();
    match body {
        EventBody::Opened(opened) => {
            let rehearsal = if opened.rehearsal { "rehearsal of a " } else { "" };
            let why = if opened.reason.trim().is_empty() { String::new() } else { format!(": {}", opened.reason) };
            format!(
                "{rehearsal}{} from {} to {} opened by {}{why}",
                opened.kind, plan.source, plan.destination, opened.requested_by
            )
        }
        EventBody::TakenOver { holder } => format!("taken over by {holder}"),
        EventBody::Commanded { command, refused, .. } => {
            let mut text = format!("{} {}", command.by, ordered(&command.body, refused.is_some()));
            if !command.reason.trim().is_empty() {
                text = format!("{text}: {}", command.reason);
            }
            match refused {
                Some(why) => format!("{text} (refused: {why})"),
                None => text,
            }
        }
        EventBody::ApprovalWithdrawn { by, why } => format!("the approval of {by} counts no more: {why}"),
        EventBody::Skipped { by, why, .. } => match by {
            SkippedBy::When => format!("left out by its `when`: {why}"),
            SkippedBy::Drill => format!("left out by the drill: {why}"),
            SkippedBy::Person(who) => format!("left out by {who}: {why}"),
            SkippedBy::Need(step) => format!("left out, because it needs {step}: {why}"),
            SkippedBy::End => format!("not reached: {why}"),
        },
        EventBody::Blocked { reasons, .. } => {
            format!("blocked: {}", reasons.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))
        }
        EventBody::ApprovalAsked { needed: 1, .. } => "waits for one person's approval".into(),
        EventBody::ApprovalAsked { needed, .. } => format!("waits for the approval of {needed} persons"),
        EventBody::Acting { attempt: 1, .. } => "begins".into(),
        EventBody::Acting { attempt, .. } => format!("begins try {attempt}"),
        EventBody::Done { attempt: 0, facts, .. } => format!("is so already{}", proven(facts)),
        EventBody::Done { step, facts, .. } => format!("done{}{}", proven(facts), lost(run, *step, facts)),
        EventBody::Failed { attempt, why, retry_at: Some(at), .. } => {
            format!("try {attempt} failed: {why}; next try at {at:.3}")
        }
        EventBody::Failed { why, passed_over: true, .. } => format!("failed and passed over: {why}"),
        EventBody::Failed { why, .. } => format!("failed: {why}"),
        EventBody::Lost { attempt, why, .. } => format!("the outcome of try {attempt} is not known: {why}"),
        EventBody::Paused { reason } => format!("paused: {}", paused(plan, reason)),
        EventBody::Unwinding { why } => format!("undoing begins: {why}"),
        EventBody::Undoing { .. } => "is being taken back".into(),
        EventBody::Undone { .. } => "taken back".into(),
        EventBody::Stuck { why, .. } => format!("stuck, a person must look: {why}"),
        EventBody::Closed { outcome } => outcome.as_str().to_owned(),
    }
}

fn proven(facts: &Facts) -> String {
    facts.fence.as_ref().map_or_else(String::new, |fence| format!("; fenced by {}: {}", fence.method, fence.effect))
}

/// What a promotion lost. Elsewhere, and in a rehearsal, the figure is an estimate of something that did not happen.
fn lost(run: &Run, step: StepIndex, facts: &Facts) -> String {
    let promotes = run.plan().step(step).is_some_and(|step| step.verb.promotes());
    match &facts.loss {
        Some(loss) if promotes && !run.opened.rehearsal => format!("; lost {loss}"),
        Some(_) | None => String::new(),
    }
}

/// Why a run stands still, in words.
pub fn paused(plan: &Plan, reason: &PauseReason) -> String {
    let name = |index: &StepIndex| plan.step(*index).map_or_else(String::new, |step| step.name.to_string());
    match reason {
        PauseReason::Ordered { by, reason } if reason.trim().is_empty() => format!("{by} said so"),
        PauseReason::Ordered { by, reason } => format!("{by} said so: {reason}"),
        PauseReason::StepFailed { step } => format!("{} failed", name(step)),
        PauseReason::StepBlocked { step } => format!("{} is blocked", name(step)),
        PauseReason::OutcomeUnknown { step } => format!("nobody can tell whether {} was done", name(step)),
        PauseReason::UndoStuck { step } => format!("{} could not be taken back", name(step)),
        PauseReason::Interrupted => "the process was asked to end".into(),
        PauseReason::Stopped { by, reason } if reason.trim().is_empty() => format!("{by} ordered a stop"),
        PauseReason::Stopped { by, reason } => format!("{by} ordered a stop: {reason}"),
    }
}
