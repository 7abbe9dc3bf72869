//! All runs of a period, one line each: what an auditor draws a sample from.
//!
//! Runs that failed, were cancelled or never ended are in it like the others. A group's runs are numbered without a gap; a number that
//! is missing below the highest is a line of its own, whatever the period, since nobody can tell when its run was.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::Serialize;

use super::{Banner, csv, section};
use crate::{
    evidence::{Conclusion, Judgement, Redacted, Verdict},
    model::{GroupName, RunId, RunKind},
    port::RunSummary,
};

/// What is known of a run in a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum State {
    /// Its journal makes a record.
    Recorded,
    /// It is listed, and its journal makes none.
    Unreadable,
    /// Its number was given, and there is no run.
    Missing,
}

impl State {
    fn as_str(self) -> &'static str {
        match self {
            Self::Recorded => "recorded",
            Self::Unreadable => "unreadable",
            Self::Missing => "missing",
        }
    }
}

/// One run.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Line {
    /// Which.
    pub run: RunId,
    /// What is known of it.
    pub state: State,
    /// What for.
    pub kind: Option<RunKind>,
    /// Drill or real.
    pub environment: Option<Banner>,
    /// A rehearsal: nothing was moved.
    pub rehearsal: Option<bool>,
    /// Its schedule and instant.
    pub scheduled: Option<String>,
    /// When it was opened.
    pub opened_at: Option<Timestamp>,
    /// When it was closed; absent: it is not.
    pub closed_at: Option<Timestamp>,
    /// How it ended.
    pub outcome: Option<String>,
    /// The verdict.
    pub verdict: Option<Conclusion>,
    /// Recovery time in milliseconds; absent: not measured.
    pub recovery_time_ms: Option<u64>,
    /// Its objective in seconds.
    pub recovery_time_objective_seconds: Option<u64>,
    /// Against it.
    pub recovery_time_verdict: Option<Verdict>,
    /// Data loss in milliseconds, rounded up; absent: not measured.
    pub data_loss_ms: Option<u64>,
    /// Its objective in seconds.
    pub data_loss_objective_seconds: Option<u64>,
    /// Against it.
    pub data_loss_verdict: Option<Verdict>,
    /// How many findings.
    pub findings: Option<usize>,
    /// Who asked.
    pub requested_by: Option<String>,
    /// The runbook.
    pub runbook: Option<String>,
    /// The digest of the plan.
    pub plan_digest: Option<String>,
    /// Why there is no more to say; may be empty.
    pub note: String,
}

impl Line {
    /// A run whose journal makes a record.
    pub fn of(redacted: &Redacted) -> Self {
        let record = redacted.record();
        let judgement = Judgement::of(record);
        let (time, point) = (&record.measures.recovery_time, &record.measures.recovery_point);
        Self {
            run: record.run.clone(),
            state: State::Recorded,
            kind: Some(record.run_kind),
            environment: Some(Banner::of(record)),
            rehearsal: Some(record.rehearsal),
            scheduled: record.scheduled.as_ref().map(ToString::to_string),
            opened_at: Some(record.opened_at),
            closed_at: record.closed_at,
            outcome: Some(record.outcome.map_or("not closed", crate::model::Outcome::as_str).to_owned()),
            verdict: Some(judgement.verdict),
            recovery_time_ms: section::time(record).ms,
            recovery_time_objective_seconds: Some(time.objective_seconds),
            recovery_time_verdict: Some(time.verdict),
            data_loss_ms: section::loss(record).ms,
            data_loss_objective_seconds: Some(point.objective_seconds),
            data_loss_verdict: Some(point.verdict),
            findings: Some(judgement.findings.len()),
            requested_by: Some(record.requested_by.to_string()),
            runbook: Some(record.runbook.name.to_string()),
            plan_digest: Some(record.runbook.digest.to_string()),
            note: String::new(),
        }
    }

    /// A run that is listed and of which no record can be made.
    pub fn unreadable(listed: &RunSummary, why: String) -> Self {
        Self {
            kind: Some(listed.kind),
            rehearsal: Some(listed.rehearsal),
            opened_at: Some(listed.opened_at),
            closed_at: listed.closed.map(|(at, _)| at),
            outcome: listed.closed.map(|(_, outcome)| outcome.as_str().to_owned()),
            ..Self::bare(listed.run.clone(), State::Unreadable, why)
        }
    }

    fn bare(run: RunId, state: State, note: String) -> Self {
        Self {
            run,
            state,
            kind: None,
            environment: None,
            rehearsal: None,
            scheduled: None,
            opened_at: None,
            closed_at: None,
            outcome: None,
            verdict: None,
            recovery_time_ms: None,
            recovery_time_objective_seconds: None,
            recovery_time_verdict: None,
            data_loss_ms: None,
            data_loss_objective_seconds: None,
            data_loss_verdict: None,
            findings: None,
            requested_by: None,
            runbook: None,
            plan_digest: None,
            note,
        }
    }

    fn cells(&self) -> Vec<String> {
        fn or_empty<T: ToString>(value: Option<&T>) -> String {
            value.map(ToString::to_string).unwrap_or_default()
        }
        vec![
            self.run.to_string(),
            self.run.group.to_string(),
            self.run.number.to_string(),
            self.state.as_str().into(),
            or_empty(self.kind.as_ref()),
            self.environment.map_or("", Banner::as_str).into(),
            or_empty(self.rehearsal.as_ref()),
            or_empty(self.scheduled.as_ref()),
            or_empty(self.opened_at.as_ref()),
            or_empty(self.closed_at.as_ref()),
            or_empty(self.outcome.as_ref()),
            self.verdict.map_or("", Conclusion::as_str).into(),
            or_empty(self.recovery_time_ms.as_ref()),
            or_empty(self.recovery_time_objective_seconds.as_ref()),
            self.recovery_time_verdict.map_or("", Verdict::as_str).into(),
            or_empty(self.data_loss_ms.as_ref()),
            or_empty(self.data_loss_objective_seconds.as_ref()),
            self.data_loss_verdict.map_or("", Verdict::as_str).into(),
            or_empty(self.findings.as_ref()),
            or_empty(self.requested_by.as_ref()),
            or_empty(self.runbook.as_ref()),
            or_empty(self.plan_digest.as_ref()),
            self.note.clone(),
        ]
    }
}

/// The headings of the lines' cells.
const HEADINGS: [&str; 23] = [
    "run",
    "group",
    "number",
    "state",
    "kind",
    "environment",
    "rehearsal",
    "scheduled",
    "opened_at",
    "closed_at",
    "outcome",
    "verdict",
    "recovery_time_ms",
    "recovery_time_objective_seconds",
    "recovery_time_verdict",
    "data_loss_ms",
    "data_loss_objective_seconds",
    "data_loss_verdict",
    "findings",
    "requested_by",
    "runbook",
    "plan_digest",
    "note",
];

/// All runs of a period.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Population {
    /// Only runs opened at this moment or later.
    pub from: Option<Timestamp>,
    /// Only runs opened before this moment.
    pub to: Option<Timestamp>,
    /// No number is missing and every journal makes a record.
    pub complete: bool,
    /// Numbers that are missing.
    pub missing: Vec<RunId>,
    /// The runs, by group and number.
    pub runs: Vec<Line>,
}

impl Population {
    /// Whether a run that was opened `at` belongs to the period.
    pub fn within(at: Timestamp, from: Option<Timestamp>, to: Option<Timestamp>) -> bool {
        from.is_none_or(|from| at >= from) && to.is_none_or(|to| at < to)
    }

    /// Puts the lines in order, with one for each number that is missing among `known`: all runs of these groups, of any time.
    pub fn of(lines: Vec<Line>, known: &[RunId], from: Option<Timestamp>, to: Option<Timestamp>) -> Self {
        let mut numbers: BTreeMap<&GroupName, BTreeSet<u64>> = BTreeMap::new();
        for run in known {
            numbers.entry(&run.group).or_default().insert(run.number);
        }
        let missing: Vec<RunId> = numbers
            .into_iter()
            .flat_map(|(group, there)| {
                let highest = there.last().copied().unwrap_or(0);
                (1..=highest)
                    .filter(move |number| !there.contains(number))
                    .map(|number| RunId { group: group.clone(), number })
            })
            .collect();
        let note = "its number was given to a run, and the store has none";
        let mut runs = lines;
        runs.extend(missing.iter().map(|run| Line::bare(run.clone(), State::Missing, note.into())));
        runs.sort_by(|a, b| a.run.cmp(&b.run));
        let complete = runs.iter().all(|line| line.state == State::Recorded);
        Self { from, to, complete, missing, runs }
    }

    /// As comma-separated values, with headings.
    pub fn csv(&self) -> String {
        let mut out = csv::line(&HEADINGS.map(String::from));
        for line in &self.runs {
            out.push_str(&csv::line(&line.cells()));
        }
        out
    }
}
