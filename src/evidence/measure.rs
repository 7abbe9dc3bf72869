//! Recovery time, data loss and our own overhead, each against its objective.
//!
//! What is not known is `unknown`, never `met`. A rehearsal moves nothing: its times say how long deciding takes, its
//! loss is not measured, and neither meets an objective.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    path::{Times, between, critical},
    phases::{Restored, Span, counted_from, restored, split},
};
use crate::model::{Event, Loss, Output, Phase, Run, StepName, StepState, TargetName};

/// A measure against its objective.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Verdict {
    /// Within the objective.
    Met,
    /// Beyond it.
    Missed,
    /// Nobody can tell.
    Unknown,
}

impl Verdict {
    /// As shown.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Met => "met",
            Self::Missed => "missed",
            Self::Unknown => "unknown",
        }
    }
}

/// From the onset of the outage to health restored on the destination.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RecoveryTime {
    /// Counted from here.
    pub from: Timestamp,
    /// How that moment is known.
    pub basis: String,
    /// When health was restored; absent: it was not seen restored.
    pub restored_at: Option<Timestamp>,
    /// The steps that saw it restored.
    pub restored_by: Vec<StepName>,
    /// Milliseconds in all: the sum of `phases` exactly.
    pub total_ms: Option<u64>,
    /// Where they went; empty while health is not restored.
    pub phases: Vec<Span>,
    /// Milliseconds from the first intent to fence to health restored: how long a planned run interrupts the service.
    pub interruption_ms: Option<u64>,
    /// What the group promised, in seconds.
    pub objective_seconds: u64,
    /// Against it.
    pub verdict: Verdict,
    /// Why it is unknown, or what a verdict rests on beside the figure; may be empty.
    pub note: String,
}

/// What a promotion lost.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TargetLoss {
    /// Of which target.
    pub target: TargetName,
    /// By which step.
    pub step: StepName,
    /// How much; absent: not known.
    pub loss: Option<Loss>,
    /// Against the objective.
    pub verdict: Verdict,
}

/// How much was lost.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RecoveryPoint {
    /// For each target that was promoted.
    pub targets: Vec<TargetLoss>,
    /// The target that lost most seconds, as far as known.
    pub worst: Option<TargetName>,
    /// How many.
    pub worst_seconds: Option<f64>,
    /// What the group promised, in seconds.
    pub objective_seconds: u64,
    /// All targets together: missed when one did, else unknown when one is.
    pub verdict: Verdict,
    /// Why it is unknown; may be empty.
    pub note: String,
}

/// What the run took beside the work itself: deciding, observing, the journal, and waiting for persons.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Overhead {
    /// From the first event to the last, in microseconds.
    pub run_us: u64,
    /// The longest chain of the drivers' own time, in microseconds.
    pub drivers_us: u64,
    /// The difference, in microseconds.
    pub overhead_us: u64,
    /// The steps of that chain that acted.
    pub critical_path: Vec<StepName>,
    /// `overhead_us` for each of them; absent when none acted.
    pub per_step_us: Option<u64>,
}

/// The measures of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Measures {
    /// RTO.
    pub recovery_time: RecoveryTime,
    /// RPO.
    pub recovery_point: RecoveryPoint,
    /// Our own share.
    pub overhead: Overhead,
}

impl Measures {
    /// Measures a run by its journal; `run` is `events` folded.
    pub fn of(run: &Run, events: &[Event]) -> Self {
        let times = Times::of(run.steps.len(), events);
        Self {
            recovery_time: recovery_time(run, &times),
            recovery_point: recovery_point(run),
            overhead: overhead(run, &times),
        }
    }
}

fn recovery_time(run: &Run, times: &Times) -> RecoveryTime {
    let (from, basis) = counted_from(run, times);
    let objective_seconds = run.plan().group.objectives.recovery_time_seconds;
    let restored = restored(run, times);
    let (total_ms, phases) = match &restored {
        Some(restored) => {
            let (total, spans) = split(run, times, from, restored);
            (Some(total), spans)
        }
        None => (None, Vec::new()),
    };
    let (verdict, note) = judge_time(run, times, from, total_ms);
    RecoveryTime {
        from,
        basis,
        restored_at: restored.as_ref().map(|restored| restored.at),
        restored_by: restored.as_ref().map(|restored| names(run, &restored.by)).unwrap_or_default(),
        total_ms,
        phases,
        interruption_ms: restored.as_ref().and_then(|restored| interruption(run, times, restored)),
        objective_seconds,
        verdict,
        note: note.to_owned(),
    }
}

fn judge_time(run: &Run, times: &Times, from: Timestamp, total_ms: Option<u64>) -> (Verdict, &'static str) {
    let allowed = run.plan().group.objectives.recovery_time_seconds.saturating_mul(1000);
    let so_far = u64::try_from(between(from, times.last).as_millis()).unwrap_or(u64::MAX);
    match total_ms {
        _ if run.opened.rehearsal => (Verdict::Unknown, "a rehearsal moves nothing"),
        Some(total) if total > allowed => (Verdict::Missed, ""),
        // Without an onset the figure is the least that it can have been.
        Some(_) if run.opened.onset.is_none() && !run.opened.kind.planned() => {
            (Verdict::Unknown, "the onset of the outage is not known")
        }
        Some(_) => (Verdict::Met, ""),
        None if so_far > allowed => (Verdict::Missed, "health was not seen restored"),
        None => (Verdict::Unknown, "health was not seen restored"),
    }
}

fn interruption(run: &Run, times: &Times, restored: &Restored) -> Option<u64> {
    let fences = run
        .plan()
        .steps
        .iter()
        .zip(&times.steps)
        .filter(|(step, time)| step.verb.phase() == Some(Phase::Fence) && time.attempts > 0);
    let from = fences.filter_map(|(_, time)| time.started).min()?;
    u64::try_from(between(from, restored.at).as_millis()).ok()
}

fn recovery_point(run: &Run) -> RecoveryPoint {
    let objective_seconds = run.plan().group.objectives.recovery_point_seconds;
    let mut targets = Vec::new();
    if !run.opened.rehearsal {
        for (step, state) in run.plan().steps.iter().zip(&run.steps) {
            if let (true, Some(target), StepState::Done { output, facts, .. }) =
                (step.verb.promotes(), &step.target, state)
            {
                let loss = facts.loss.clone().or_else(|| loss_of(output));
                let verdict = judge_loss(loss.as_ref(), objective_seconds);
                targets.push(TargetLoss { target: target.clone(), step: step.name.clone(), loss, verdict });
            }
        }
    }
    let worst = targets
        .iter()
        .filter_map(|lost| Some((lost, lost.loss.as_ref()?.seconds?)))
        .max_by(|(_, a), (_, b)| a.total_cmp(b));
    let (worst, worst_seconds) = (worst.map(|(lost, _)| lost.target.clone()), worst.map(|(_, seconds)| seconds));
    let any = |verdict| targets.iter().any(|lost| lost.verdict == verdict);
    let (verdict, note) = if run.opened.rehearsal {
        (Verdict::Unknown, "a rehearsal loses nothing and measures nothing")
    } else if targets.is_empty() {
        let doubt = run.past_no_return();
        (Verdict::Unknown, if doubt { "nobody can tell whether anything was promoted" } else { "nothing was promoted" })
    } else if any(Verdict::Missed) {
        (Verdict::Missed, "")
    } else if any(Verdict::Unknown) {
        (Verdict::Unknown, "the loss of a target is not known")
    } else {
        (Verdict::Met, "")
    };
    RecoveryPoint { targets, worst, worst_seconds, objective_seconds, verdict, note: note.to_owned() }
}

/// The figures that every promoting driver puts into its output.
fn loss_of(output: &Output) -> Option<Loss> {
    let seconds = output.get("lost_seconds").and_then(serde_json::Value::as_f64);
    let of = |unit: &str| {
        let amount = output.get(&format!("lost_{unit}")).and_then(serde_json::Value::as_u64)?;
        Some((amount, unit.to_owned()))
    };
    let found = of("bytes").or_else(|| of("objects"));
    if seconds.is_none() && found.is_none() {
        return None;
    }
    let (amount, unit) = found.map_or((None, "bytes".to_owned()), |(amount, unit)| (Some(amount), unit));
    Some(Loss { seconds, amount, unit, basis: "promotion's output".into() })
}

fn judge_loss(loss: Option<&Loss>, objective_seconds: u64) -> Verdict {
    let Some(loss) = loss else { return Verdict::Unknown };
    if loss.amount == Some(0) {
        return Verdict::Met;
    }
    #[expect(clippy::cast_precision_loss, reason = "objectives are far below 2^52 seconds")]
    let allowed = objective_seconds as f64;
    match loss.seconds {
        Some(seconds) if seconds <= allowed => Verdict::Met,
        Some(_) => Verdict::Missed,
        None => Verdict::Unknown,
    }
}

fn overhead(run: &Run, times: &Times) -> Overhead {
    let us = |time: Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
    let (path, drivers) = critical(run, times);
    let run_us = us(between(times.opened, times.last));
    let drivers_us = us(drivers).min(run_us);
    let overhead_us = run_us - drivers_us;
    Overhead {
        run_us,
        drivers_us,
        overhead_us,
        per_step_us: u64::try_from(path.len()).ok().and_then(|steps| overhead_us.checked_div(steps)),
        critical_path: names(run, &path),
    }
}

fn names(run: &Run, steps: &[crate::model::StepIndex]) -> Vec<StepName> {
    steps.iter().filter_map(|index| Some(run.plan().step(*index)?.name.clone())).collect()
}
