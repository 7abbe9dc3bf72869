//! The verdict on a run, and what it rests on: a pure function of the record, so that an auditor can make it again.
//!
//! 1. A run **fails** when it ended on a failure or was taken back, when an objective was missed, when a step failed that
//!    nobody passed over, or, of a drill, when a control that protects data does not hold on the destination.
//! 2. Otherwise it is **inconclusive** when it is not closed, was cancelled, when a step is in doubt, or when an objective
//!    of a real run was not measured: what is not known is never in our favour.
//! 3. Otherwise it **passed with findings** when anything deviated from the plan: a step that was left out or failed and was
//!    passed over, a risk that somebody accepted, another control that differs.
//! 4. Otherwise it **passed**. Of a rehearsal that says that every step could have begun, and nothing of time or loss.

use serde::{Deserialize, Serialize};

use super::{Exception, Record, Verdict};
use crate::model::{ControlCheck, ControlState, Outcome, Risk};

/// The verdict on a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Conclusion {
    /// Without any finding.
    Passed,
    /// It did what it should, and something deviated.
    PassedWithFindings,
    /// It did not do what it should.
    Failed,
    /// Nobody can tell.
    Inconclusive,
}

impl Conclusion {
    /// As machines read it: `passed_with_findings`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::PassedWithFindings => "passed_with_findings",
            Self::Failed => "failed",
            Self::Inconclusive => "inconclusive",
        }
    }

    /// As people read it: `passed with findings`.
    pub fn words(self) -> &'static str {
        match self {
            Self::PassedWithFindings => "passed with findings",
            Self::Passed | Self::Failed | Self::Inconclusive => self.as_str(),
        }
    }
}

/// How much a finding matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Before the next run.
    High,
    /// Soon.
    Medium,
    /// When there is time.
    Low,
}

impl Severity {
    /// As shown.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::High => "high",
            Self::Medium => "medium",
            Self::Low => "low",
        }
    }
}

/// What a finding does to the verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Bearing {
    /// The run failed by it.
    Fails,
    /// Because of it nobody can tell.
    Doubts,
    /// The run may have passed all the same.
    Noted,
}

/// Something that was not as it should be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    /// `F-1`, `F-2`, … in the order of the list.
    pub id: String,
    /// How much it matters.
    pub severity: Severity,
    /// What it does to the verdict.
    pub bearing: Bearing,
    /// What it is, for a person.
    pub what: String,
    /// Where the record says so: a JSON pointer (RFC 6901).
    pub place: String,
}

/// The verdict on a run, with its findings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Judgement {
    /// The verdict.
    pub verdict: Conclusion,
    /// What it rests on; empty exactly when the run passed.
    pub findings: Vec<Finding>,
}

impl Judgement {
    /// Judges a run by its record.
    pub fn of(record: &Record) -> Self {
        let mut found = ending(record);
        found.extend(objectives(record));
        found.extend(record.exceptions.iter().enumerate().map(|(at, exception)| deviation(record, at, exception)));
        found.extend(record.accepted.iter().enumerate().map(|(at, accepted)| {
            let severity = match accepted.risk {
                Risk::DataLoss | Risk::UnverifiedFence | Risk::DivergentHistory => Severity::Medium,
                Risk::SkipCooldown => Severity::Low,
            };
            let what = format!("{} accepted the risk {}", accepted.by, accepted.risk);
            raw(severity, Bearing::Noted, what, format!("/accepted/{at}"))
        }));
        found.extend(record.parity.iter().enumerate().filter_map(|(at, check)| differs(record, at, check)));
        let findings: Vec<Finding> =
            (1..).zip(found).map(|(number, finding)| Finding { id: format!("F-{number}"), ..finding }).collect();
        Self { verdict: verdict(record, &findings), findings }
    }
}

fn verdict(record: &Record, findings: &[Finding]) -> Conclusion {
    let any = |bearing| findings.iter().any(|finding| finding.bearing == bearing);
    if any(Bearing::Fails) {
        Conclusion::Failed
    } else if any(Bearing::Doubts) {
        Conclusion::Inconclusive
    } else if !findings.is_empty() {
        Conclusion::PassedWithFindings
    } else if record.success {
        Conclusion::Passed
    } else {
        // A record that does not call itself a success, and from which nothing tells why.
        Conclusion::Inconclusive
    }
}

fn raw(severity: Severity, bearing: Bearing, what: impl Into<String>, place: impl Into<String>) -> Finding {
    Finding { id: String::new(), severity, bearing, what: what.into(), place: place.into() }
}

fn ending(record: &Record) -> Vec<Finding> {
    let (severity, bearing, what) = match record.outcome {
        Some(Outcome::Succeeded | Outcome::CompletedWithExceptions) => return Vec::new(),
        Some(Outcome::Failed) => (Severity::High, Bearing::Fails, "the run ended on a failure"),
        Some(Outcome::Unwound) => (Severity::High, Bearing::Fails, "what the run had done was taken back"),
        Some(Outcome::Cancelled) => (Severity::Medium, Bearing::Doubts, "a person ended the run before its end"),
        None => (Severity::Medium, Bearing::Doubts, "the run is not closed"),
    };
    vec![raw(severity, bearing, what, "/outcome")]
}

/// A rehearsal has none: it moves nothing, so there is nothing to measure.
fn objectives(record: &Record) -> Vec<Finding> {
    if record.rehearsal {
        return Vec::new();
    }
    let time = &record.measures.recovery_time;
    let point = &record.measures.recovery_point;
    let rows = [
        ("recovery time", time.verdict, &time.note, time.objective_seconds, "/measures/recoveryTime"),
        ("data loss", point.verdict, &point.note, point.objective_seconds, "/measures/recoveryPoint"),
    ];
    let finding = |(name, verdict, note, allowed, place): (&str, Verdict, &String, u64, &str)| {
        let because = if note.is_empty() { String::new() } else { format!(": {note}") };
        match verdict {
            Verdict::Met => None,
            Verdict::Missed => {
                let what = format!("the {name} is beyond its objective of {allowed} s{because}");
                Some(raw(Severity::High, Bearing::Fails, what, place))
            }
            Verdict::Unknown => {
                let what = format!("the {name} was not measured{because}");
                Some(raw(Severity::Medium, Bearing::Doubts, what, place))
            }
        }
    };
    rows.into_iter().filter_map(finding).collect()
}

/// Of a real run it is noted: users were served, and what it moved to is no reason to say that it did not move.
fn differs(record: &Record, at: usize, check: &ControlCheck) -> Option<Finding> {
    if check.state != ControlState::Fail {
        return None;
    }
    let bearing =
        if record.drill_mode().is_some() && check.control.protects() { Bearing::Fails } else { Bearing::Noted };
    let severity = if check.control.protects() { Severity::High } else { Severity::Medium };
    let why = check.why.as_deref().unwrap_or("the regions differ");
    Some(raw(severity, bearing, format!("{} of {}: {why}", check.control, check.what()), format!("/parity/{at}")))
}

fn deviation(record: &Record, at: usize, exception: &Exception) -> Finding {
    // A run gets to its end over a failed step only where it was passed over.
    let passed_over = record.outcome == Some(Outcome::CompletedWithExceptions);
    let (severity, bearing) = match exception.state.as_str() {
        "failed" if passed_over => (Severity::High, Bearing::Noted),
        "failed" | "stuck" => (Severity::High, Bearing::Fails),
        "acting" | "unsure" | "undoing" => (Severity::High, Bearing::Doubts),
        "skipped" => (Severity::Medium, Bearing::Noted),
        _ => (Severity::Low, Bearing::Noted),
    };
    raw(severity, bearing, format!("step {}: {}", exception.step, exception.what), format!("/exceptions/{at}"))
}
