//! What the record of a run proposes for the fields of a notice. Only what was observed, and no judgement.

use jiff::Timestamp;

use super::Field;
use crate::{
    evidence::{Record, Redacted, StepRecord, Verdict},
    model::EventBody,
};

/// What the record says towards a field; `None`: nothing.
pub(super) fn proposal(redacted: &Redacted, field: Field) -> Option<String> {
    let record = redacted.record();
    match field {
        Field::Extent => Some(extent(record)),
        Field::Happened => Some(happened(record)),
        Field::Occurred => occurred(record),
        Field::Discovered => discovery(record).map(|at| format!("{at:.3}, the first time that Lifeboat noticed")),
        Field::Scope => Some(scope(record)),
        Field::Response => response(record),
        Field::Breach
        | Field::Delay
        | Field::Notified
        | Field::Categories
        | Field::Contact
        | Field::Consequences
        | Field::Measures => None,
    }
}

/// When somebody or something first noticed, as far as the journal knows: a candidate for the date of discovery.
pub(super) fn discovery(record: &Record) -> Option<Timestamp> {
    record.events.first().and_then(|event| match &event.body {
        EventBody::Opened(opened) => opened.noticed,
        _ => None,
    })
}

fn acted(record: &Record) -> impl Iterator<Item = &StepRecord> {
    record.steps.iter().filter(|step| step.started.is_some())
}

/// Stores that steps touched, and writes that were lost. The record knows nothing of who read what.
fn extent(record: &Record) -> String {
    let mut stores: Vec<String> = Vec::new();
    for target in acted(record).filter_map(|step| step.target.as_ref()) {
        if !stores.contains(&target.to_string()) {
            stores.push(target.to_string());
        }
    }
    let touched = if stores.is_empty() { "no target".into() } else { stores.join(", ") };
    let lost = record.measures.recovery_point.targets.iter().map(|target| {
        let how = target.loss.as_ref().map_or_else(
            || "not known".into(),
            |loss| {
                let seconds = loss.seconds.map(|seconds| format!("{seconds:.3} s of writes"));
                let amount = loss.amount.map(|amount| format!("{amount} {}", loss.unit));
                let both: Vec<String> = seconds.into_iter().chain(amount).collect();
                if both.is_empty() { "not known".into() } else { format!("{} ({})", both.join(", "), loss.basis) }
            },
        );
        format!("{}: {how}", target.target)
    });
    let lost: Vec<String> = lost.collect();
    let lost = if lost.is_empty() { "not measured".into() } else { lost.join("; ") };
    format!(
        "Touched by the recovery: {touched}. Data lost by it: {lost}. \
         Whether anybody used, accessed, acquired or disclosed data: the record of the run cannot say."
    )
}

fn happened(record: &Record) -> String {
    let time = &record.measures.recovery_time;
    let end = match (time.restored_at, record.outcome) {
        (Some(at), _) => format!("Health was seen restored in {} at {at:.3}.", record.destination),
        (None, Some(outcome)) => format!("The run ended ({}); health was not seen restored.", outcome.as_str()),
        (None, None) => "The run is not closed; health was not seen restored.".into(),
    };
    format!(
        "A {} of service {} from {} to {} was begun by {} at {:.3} (run {}). {end}",
        record.run_kind,
        record.group,
        record.source,
        record.destination,
        record.requested_by,
        record.opened_at,
        record.run
    )
}

fn occurred(record: &Record) -> Option<String> {
    let onset = record.events.first().and_then(|event| match &event.body {
        EventBody::Opened(opened) => opened.onset.map(|at| (at, opened.onset_basis.clone())),
        _ => None,
    });
    onset.map(|(at, basis)| format!("{at:.3}, the onset of the outage (by {basis})"))
}

fn scope(record: &Record) -> String {
    let targets: Vec<String> = record.replay().map_or_else(
        |_| Vec::new(),
        |run| run.plan().group.targets.iter().map(|target| target.name.to_string()).collect(),
    );
    let time = &record.measures.recovery_time;
    let window = time.restored_at.map_or_else(
        || format!("from {:.3}; its end is not known", time.from),
        |at| format!("from {:.3} to {at:.3}", time.from),
    );
    format!(
        "Service {}; regions {} and {}; targets {}; {window}.",
        record.group,
        record.source,
        record.destination,
        if targets.is_empty() { "not known".into() } else { targets.join(", ") }
    )
}

fn response(record: &Record) -> Option<String> {
    let steps: Vec<String> = acted(record)
        .map(|step| {
            let at = step.started.map(|at| format!("{at:.3} ")).unwrap_or_default();
            let on = step.target.as_ref().map(|target| format!(" on {target}")).unwrap_or_default();
            format!("{at}{} ({}{on}): {}", step.name, step.verb, step.state)
        })
        .collect();
    if steps.is_empty() {
        return None;
    }
    let time = &record.measures.recovery_time;
    // Without an onset it is the least that it can have been.
    let least = if time.verdict == Verdict::Unknown { "at least " } else { "" };
    let recovered = time.total_ms.map_or_else(
        || "recovery time not measured".into(),
        |ms| format!("recovered in {least}{}.{:03} s", ms / 1000, ms % 1000),
    );
    Some(format!("{}; {recovered}.", steps.join("; ")))
}
