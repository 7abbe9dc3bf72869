//! A record, drawn: who, what, when, and against which promises.

use super::screen::{Screen, Tone, columns, tint};
use crate::{
    evidence::{self, Measures, Record, StepRecord, Verdict},
    model::{ControlCheck, ControlState, PersonSignature},
};

fn verdict(verdict: Verdict) -> String {
    let tone = match verdict {
        Verdict::Met => Tone::Good,
        Verdict::Missed => Tone::Bad,
        Verdict::Unknown => Tone::Warn,
    };
    tint(tone, verdict.as_str())
}

#[expect(clippy::cast_precision_loss, reason = "milliseconds of a recovery are far below 2^52")]
fn seconds(ms: u64) -> f64 {
    ms as f64 / 1_000.0
}

/// Recovery time and data loss against their objectives, a line each.
pub(super) fn measures(measures: &Measures) -> Vec<String> {
    let time = &measures.recovery_time;
    let total = time.total_ms.map_or_else(|| "unknown".into(), |ms| format!("{:.3} s", seconds(ms)));
    let phases: Vec<String> =
        time.phases.iter().map(|span| format!("{} {:.3}", span.phase.as_str(), seconds(span.ms))).collect();
    let phases = if phases.is_empty() { String::new() } else { format!(" ({})", phases.join(", ")) };
    let mut lines = vec![format!(
        "recovery time  {total} of {} s: {}{phases}{}",
        time.objective_seconds,
        verdict(time.verdict),
        note(&time.note)
    )];
    let point = &measures.recovery_point;
    let worst = point.worst_seconds.map_or_else(|| "unknown".into(), |seconds| format!("{seconds:.3} s"));
    let target = point.worst.as_ref().map(|target| format!(", {target}")).unwrap_or_default();
    lines.push(format!(
        "data loss      {worst} of {} s: {}{target}{}",
        point.objective_seconds,
        verdict(point.verdict),
        note(&point.note)
    ));
    lines
}

/// The controls that a drill compared: how many hold, and all that do not. None were compared: nothing.
pub(super) fn parity(checks: &[ControlCheck]) -> Vec<String> {
    if checks.is_empty() {
        return Vec::new();
    }
    let count = |state| checks.iter().filter(|check| check.state == state).count();
    let (held, failed) = (count(ControlState::Pass), count(ControlState::Fail));
    let unchecked = count(ControlState::NotChecked);
    let mut lines = vec![format!("controls       {held} hold, {failed} differ, {unchecked} not checked")];
    for check in checks.iter().filter(|check| check.state != ControlState::Pass) {
        let tone = if check.state == ControlState::Fail { Tone::Bad } else { Tone::Dim };
        let why = check.why.as_deref().unwrap_or_default();
        lines.push(format!("  {} {} of {}: {why}", tint(tone, check.state.words()), check.control, check.what()));
    }
    lines
}

fn note(note: &str) -> String {
    if note.is_empty() { String::new() } else { format!("; {note}") }
}

/// The whole record.
pub(super) fn draw(screen: &Screen, record: &Record) {
    let rehearsal = record.drill_mode().map_or_else(String::new, |mode| format!("{} of a ", mode.noun()));
    let outcome = record.outcome.map_or("not closed", crate::model::Outcome::as_str);
    let tone = if record.success { Tone::Good } else { Tone::Warn };
    screen.line(format_args!(
        "{}  {rehearsal}{} {} -> {}  {}",
        tint(Tone::Bold, &record.run),
        record.run_kind,
        record.source,
        record.destination,
        tint(tone, outcome)
    ));
    let mut head = vec![vec!["opened".into(), format!("{:.3} by {}", record.opened_at, record.requested_by)]];
    head.extend(record.closed_at.map(|at| vec!["closed".into(), format!("{at:.3}")]));
    if !record.reason.is_empty() {
        head.push(vec!["reason".into(), record.reason.clone()]);
    }
    head.push(vec!["runbook".into(), format!("{} {}", record.runbook.name, record.runbook.digest)]);
    for approval in &record.approvals {
        let of = approval.step.as_ref().map_or_else(|| "the run".into(), ToString::to_string);
        head.push(vec![
            "approved".into(),
            format!(
                "{of} by {}{} at {:.3}{}",
                approval.by,
                key(approval.signed.as_ref()),
                approval.at,
                said(&approval.reason)
            ),
        ]);
    }
    for risk in &record.accepted {
        head.push(vec![
            "accepted".into(),
            format!(
                "{} by {}{} at {:.3}{}",
                risk.risk,
                risk.by,
                key(risk.signed.as_ref()),
                risk.at,
                said(&risk.reason)
            ),
        ]);
    }
    for estimate in &record.estimates {
        let when = estimate.step.as_ref().map_or_else(|| "when it was opened".into(), |step| format!("before {step}"));
        head.push(vec!["estimate".into(), format!("{} would lose {}, {when}", estimate.target, estimate.loss)]);
    }
    screen.text(&columns(&head));
    screen.line(tint(Tone::Bold, "\nsteps"));
    screen.text(&columns(&record.steps.iter().map(step).collect::<Vec<_>>()));
    screen.line(tint(Tone::Bold, "\nmeasures"));
    for line in measures(&record.measures) {
        screen.line(line);
    }
    if !record.parity.is_empty() {
        screen.line(tint(Tone::Bold, "\ncontrols of both regions"));
        for line in parity(&record.parity) {
            screen.line(line);
        }
    }
    screen.line(tint(Tone::Bold, "\ntimeline"));
    if let Ok(Some(run)) = crate::model::Run::replay(record.run.clone(), &record.events) {
        screen.text(&evidence::render(&evidence::timeline(&run, &record.events)));
    }
}

/// The key that signed, in brackets.
fn key(signed: Option<&PersonSignature>) -> String {
    signed.map_or_else(String::new, |signed| format!(" ({})", signed.key))
}

fn said(reason: &str) -> String {
    if reason.trim().is_empty() { String::new() } else { format!(": {reason}") }
}

fn step(step: &StepRecord) -> Vec<String> {
    let target = step.target.as_ref().map(ToString::to_string).unwrap_or_default();
    let took = step.seconds.map(|seconds| format!("{seconds:.3} s")).unwrap_or_default();
    let tries = if step.attempts > 1 { format!("{} tries", step.attempts) } else { String::new() };
    let tone = match step.state.as_str() {
        "done" => Tone::Good,
        "failed" | "blocked" | "stuck" => Tone::Bad,
        _ => Tone::Warn,
    };
    vec![
        format!("  {}", step.name),
        step.verb.to_string(),
        target,
        tint(tone, &step.state),
        took,
        tries,
        step.why.clone().unwrap_or_default(),
    ]
}
