//! What was measured: time, loss, integrity; and what was not.

use crate::{
    evidence::{Record, Verdict},
    model::{Control, ControlState, EventBody, Loss},
    report::{
        amount,
        sheet::{Material, NOT_MEASURED, NOT_RECORDED, Section, facts, or_not_recorded, table, text},
    },
};

/// A figure as a report may show it.
pub(in crate::report) struct Found {
    /// In words.
    pub(in crate::report) words: String,
    /// In milliseconds, where it may be held against an objective.
    pub(in crate::report) ms: Option<u64>,
}

impl Found {
    fn nothing() -> Self {
        Self { words: NOT_MEASURED.into(), ms: None }
    }
}

/// The recovery time. A rehearsal has none, whatever its clock says; without an onset it is the least that it can have been.
pub(in crate::report) fn time(record: &Record) -> Found {
    let time = &record.measures.recovery_time;
    match time.total_ms {
        Some(_) if record.rehearsal => Found::nothing(),
        Some(ms) if time.verdict == Verdict::Unknown => {
            Found { words: format!("at least {}", amount::ms(ms)), ms: None }
        }
        Some(ms) => Found { words: amount::ms(ms), ms: Some(ms) },
        None => Found::nothing(),
    }
}

/// The loss of the worst target; not measured while one target's is not known.
pub(in crate::report) fn loss(record: &Record) -> Found {
    let targets = &record.measures.recovery_point.targets;
    if record.rehearsal || targets.is_empty() {
        return Found::nothing();
    }
    let all: Option<Vec<u64>> = targets.iter().map(|target| lost_ms(target.loss.as_ref()?)).collect();
    all.and_then(|all| all.into_iter().max())
        .map_or_else(Found::nothing, |ms| Found { words: amount::ms(ms), ms: Some(ms) })
}

/// Where nothing is missing, nothing was lost, however old the newest write is.
fn lost_ms(loss: &Loss) -> Option<u64> {
    if loss.amount == Some(0) { Some(0) } else { loss.seconds.map(amount::up) }
}

/// Measurements.
pub(super) fn measurements(material: &Material<'_>) -> Section {
    let record = material.record;
    let measured = &record.measures.recovery_time;
    let mut blocks = vec![facts(vec![
        ("Recovery time", time(record).words),
        (
            "Its definition",
            "from the onset of the outage to health restored on the destination, in whole milliseconds".into(),
        ),
        ("Counted from (UTC)", format!("{:.3}", measured.from)),
        ("How that moment is known", or_not_recorded(&measured.basis)),
        (
            "Health restored at (UTC)",
            measured.restored_at.map_or_else(|| "was not seen restored".into(), |at| format!("{at:.3}")),
        ),
        ("Seen by", seen_by(record)),
        ("Verdict", verdict(measured.verdict, &measured.note)),
    ])];
    if record.rehearsal {
        blocks.push(text(
            "A rehearsal moves nothing: its times say how long observing and deciding took, and no recovery time.",
        ));
    } else {
        let spans = measured.phases.iter().map(|span| vec![span.phase.as_str().into(), amount::ms(span.ms)]);
        blocks.push(table("Recovery time by phase", &["Phase", "Time"], spans.collect(), "Phases: not measured."));
    }
    let interruption = measured.interruption_ms.filter(|_| !record.rehearsal);
    let overhead = &record.measures.overhead;
    blocks.push(facts(vec![
        ("First fence to health restored", interruption.map_or_else(|| NOT_MEASURED.into(), amount::ms)),
        ("Availability seen by an outside probe", NOT_MEASURED.into()),
        ("Whole run, first event to last", amount::us(overhead.run_us)),
        ("Of it, the drivers' longest chain", amount::us(overhead.drivers_us)),
        ("Of it, Lifeboat and waiting for persons", amount::us(overhead.overhead_us)),
        ("Digest of raw series", NOT_RECORDED.into()),
    ]));
    let point = &record.measures.recovery_point;
    blocks.push(facts(vec![
        ("Data loss, worst target", loss(record).words),
        (
            "Its definition",
            "age of the newest write that the destination lacked when it was promoted; rounded up to the millisecond"
                .into(),
        ),
        ("Verdict", verdict(point.verdict, &point.note)),
    ]));
    let rows = point.targets.iter().map(|target| {
        let [seconds, amount, basis] = lost(target.loss.as_ref());
        vec![target.target.to_string(), target.step.to_string(), seconds, amount, basis, target.verdict.as_str().into()]
    });
    let columns = ["Target", "Promoted by", "Lost seconds", "Lost amount", "Known by", "Verdict"];
    blocks.push(table("Data loss by target", &columns, rows.collect(), "Data loss by target: not measured."));
    let rows = record.estimates.iter().map(|estimate| {
        let [seconds, amount, basis] = lost(Some(&estimate.loss));
        let when =
            estimate.step.as_ref().map_or_else(|| "when the run was opened".into(), |step| format!("before {step}"));
        vec![estimate.target.to_string(), when, seconds, amount, basis]
    });
    let columns = ["Target", "Stated", "Seconds", "Amount", "Known by"];
    blocks.push(table(
        "Loss stated before anything was promoted",
        &columns,
        rows.collect(),
        "No loss was stated before a promotion.",
    ));
    Section::new("measurements", "Measurements", blocks)
}

fn verdict(verdict: Verdict, note: &str) -> String {
    if note.is_empty() { verdict.as_str().into() } else { format!("{}: {note}", verdict.as_str()) }
}

fn seen_by(record: &Record) -> String {
    let by = &record.measures.recovery_time.restored_by;
    if by.is_empty() { NOT_RECORDED.into() } else { by.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ") }
}

fn lost(loss: Option<&Loss>) -> [String; 3] {
    let Some(loss) = loss else { return [NOT_MEASURED.into(), NOT_MEASURED.into(), NOT_RECORDED.into()] };
    let seconds = loss.seconds.map_or_else(|| NOT_MEASURED.into(), |seconds| amount::ms(amount::up(seconds)));
    let amount = loss.amount.map_or_else(|| NOT_MEASURED.into(), |amount| format!("{amount} {}", loss.unit));
    [seconds, amount, or_not_recorded(&loss.basis)]
}

/// Data integrity and reconciliation.
pub(super) fn integrity(material: &Material<'_>) -> Section {
    let record = material.record;
    let fences = record.steps.iter().filter_map(|step| {
        let proof = step.fence.as_ref()?;
        let target = step.target.as_ref().map(ToString::to_string).unwrap_or_default();
        Some(vec![step.name.to_string(), target, proof.method.clone(), proof.effect.clone()])
    });
    let columns = ["Step", "Target", "Fenced by", "What was seen"];
    let mut blocks = vec![table(
        "Fences, proven by their effect",
        &columns,
        fences.collect(),
        "Fences: no proof of a fence is in the journal.",
    )];
    let mut found = Vec::new();
    for event in &record.events {
        if let EventBody::Acting { facts, .. } | EventBody::Done { facts, .. } | EventBody::Blocked { facts, .. } =
            &event.body
            && let Some(divergence) = &facts.divergence
        {
            found.push(vec![format!("{:.3}", event.at), divergence.to_string()]);
        }
    }
    blocks.push(table(
        "Both sides wrote after they parted",
        &["At (UTC)", "What"],
        found,
        "Divergence of the two sides: none is in the journal.",
    ));
    blocks.push(facts(vec![
        ("Checksums of both sides", NOT_MEASURED.into()),
        ("Counts of both sides", NOT_MEASURED.into()),
        ("Restored items, and by whom", NOT_RECORDED.into()),
    ]));
    Section::new("integrity", "Data integrity and reconciliation", blocks)
}

/// Control parity: what was compared, and what nobody looked at.
pub(super) fn parity(material: &Material<'_>) -> Section {
    let checks = &material.record.parity;
    let mut rows = Vec::new();
    for control in Control::ALL {
        let mine: Vec<_> = checks.iter().filter(|check| check.control == control).collect();
        if mine.is_empty() {
            let blank = || String::new();
            rows.push(vec![
                control.to_string(),
                blank(),
                blank(),
                blank(),
                ControlState::NotChecked.words().into(),
                blank(),
            ]);
        }
        rows.extend(mine.into_iter().map(|check| {
            vec![
                control.to_string(),
                check.what(),
                check.source.clone(),
                check.destination.clone(),
                check.state.words().to_owned(),
                check.why.clone().unwrap_or_default(),
            ]
        }));
    }
    let columns = ["Control", "Of", "Source", "Destination", "State", "Why"];
    Section::new(
        "parity",
        "Control parity of source and destination",
        vec![table("Control parity", &columns, rows, "")],
    )
}
