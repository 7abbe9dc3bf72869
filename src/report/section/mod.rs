//! The sections, each from what the record knows.

mod annex;
mod course;
mod measured;
mod people;
mod programme;
mod scope;

use super::{
    Keeping, Terms, amount,
    sheet::{Fact, Material, NOT_MEASURED, NOT_RECORDED, Section, facts, table, text, title},
};
pub(super) use measured::{Found, loss, time};
pub(super) use programme::state;

use crate::{
    evidence::{Conclusion, Finding, Verdict},
    model::DrillMode,
};

/// All sections, in order.
pub(super) fn all(material: &Material<'_>) -> Vec<Section> {
    vec![
        summary(material),
        scope::objectives(material),
        scope::scope(material),
        people::people(material),
        scope::method(material),
        course::timeline(material),
        measured::measurements(material),
        measured::integrity(material),
        measured::parity(material),
        findings(material),
        Section::new(
            "lessons",
            "Lessons",
            vec![facts(vec![
                ("Worked, did not, surprised", NOT_RECORDED.into()),
                ("Changes made to the plan", NOT_RECORDED.into()),
            ])],
        ),
        programme::actions(material),
        annex::controls(material),
        annex::coverage(material),
        annex::sign_off(material),
        annex::annexes(material),
    ]
}

/// The verdict in a sentence, with what it rests on.
pub(super) fn sentence(material: &Material<'_>) -> String {
    let record = material.record;
    let what = title(record);
    let count = material.judgement.findings.len();
    let findings = if count == 1 { "1 finding".to_owned() } else { format!("{count} findings") };
    let verdict = match material.judgement.verdict {
        Conclusion::Passed => format!("The {what} passed."),
        Conclusion::PassedWithFindings => format!("The {what} passed with {findings}."),
        Conclusion::Failed => format!("The {what} failed ({findings})."),
        Conclusion::Inconclusive => format!("Nobody can tell whether the {what} did what it should ({findings})."),
    };
    match record.drill_mode() {
        Some(DrillMode::Rehearse) => format!(
            "{verdict} It was a rehearsal: nothing was moved, and neither recovery time nor data loss was measured."
        ),
        Some(DrillMode::Isolated) => format!(
            "{verdict} It was done on stand-ins: the service was not moved, and neither its recovery time nor its data loss was \
             measured."
        ),
        Some(DrillMode::Live) | None => verdict,
    }
}

/// The cover.
pub(super) fn cover(material: &Material<'_>) -> Vec<Fact> {
    let (record, terms) = (material.record, material.terms);
    let mode = record.drill.map(|mode| format!("drill, {mode}"));
    let environment = mode.unwrap_or_else(|| if record.rehearsal { "drill".into() } else { "real".into() });
    let scheduled = record.scheduled.as_ref().map_or_else(|| "no: a person started it".into(), ToString::to_string);
    let unsigned = || "none: the ledger does not hold the record".to_owned();
    let rows = vec![
        ("Run", record.run.to_string()),
        ("Number in its group", record.run.number.to_string()),
        ("Kind", record.run_kind.to_string()),
        ("Environment", environment),
        ("Scheduled", scheduled),
        ("Verdict", material.judgement.verdict.words().to_owned()),
        ("Outcome of the run", record.outcome.map_or("not closed", crate::model::Outcome::as_str).to_owned()),
        ("Opened (UTC)", format!("{:.3}", record.opened_at)),
        ("Closed (UTC)", record.closed_at.map_or_else(|| "not closed".into(), |at| format!("{at:.3}"))),
        ("Classification", NOT_RECORDED.to_owned()),
        ("Digest of the record", material.redacted.digest().to_string()),
        ("Record", keeping(terms.keeping).to_owned()),
        ("Signature", terms.signature.map_or_else(unsigned, |signature| signature.key.clone())),
        ("Ledger entry", terms.signature.map_or_else(|| NOT_RECORDED.into(), |signature| signature.entry.to_string())),
        ("Checkpoint", terms.signature.map_or_else(|| NOT_RECORDED.into(), |signature| signature.checkpoint.clone())),
        ("Anchor outside this machine", anchored(terms)),
    ];
    rows.into_iter().map(|(name, value)| Fact { name: name.into(), value }).collect()
}

fn anchored(terms: &Terms<'_>) -> String {
    match terms.signature {
        None => NOT_RECORDED.to_owned(),
        Some(signature) if signature.anchors.is_empty() => "none: the record is known to this machine alone".to_owned(),
        Some(signature) => signature.anchors.join("; "),
    }
}

fn keeping(keeping: Keeping) -> &'static str {
    match keeping {
        Keeping::Kept => "kept, and made again from its journal it is the same",
        Keeping::Differs => "kept, but made again from its journal by this program it is another one",
        Keeping::Unkept => "made from the journal for this report; this very record is not kept",
    }
}

fn summary(material: &Material<'_>) -> Section {
    let record = material.record;
    let (time, point) = (&record.measures.recovery_time, &record.measures.recovery_point);
    let row = |name: &str, objective: u64, found: Found, verdict: Verdict| {
        let margin = found.ms.map_or_else(|| NOT_MEASURED.into(), |ms| amount::margin(objective, ms));
        vec![name.to_owned(), format!("{objective} s"), found.words, margin, verdict.as_str().to_owned()]
    };
    let rows = vec![
        row("Recovery time", time.objective_seconds, measured::time(record), time.verdict),
        row("Data loss", point.objective_seconds, measured::loss(record), point.verdict),
    ];
    let top: Vec<_> =
        material.judgement.findings.iter().filter(|found| found.severity == crate::evidence::Severity::High).collect();
    let wrong = if top.is_empty() {
        "No finding of high severity.".to_owned()
    } else {
        format!(
            "Of high severity: {}.",
            top.iter().map(|found| format!("{} ({})", found.what, found.id)).collect::<Vec<_>>().join("; ")
        )
    };
    Section::new(
        "summary",
        "Summary",
        vec![
            text(sentence(material)),
            table("Objectives", &["Objective", "Allowed", "Measured", "Margin", "Verdict"], rows, ""),
            text(wrong),
            text(programme::most_important(material)),
        ],
    )
}

fn findings(material: &Material<'_>) -> Section {
    let row = |found: &Finding| {
        vec![
            found.id.clone(),
            found.severity.as_str().into(),
            found.what.clone(),
            found.place.clone(),
            NOT_RECORDED.into(),
            NOT_RECORDED.into(),
        ]
    };
    let rows = material.judgement.findings.iter().map(row).collect();
    let columns = ["Finding", "Severity", "What", "Where in the record", "Cause", "Repeats"];
    let mut blocks = vec![table("Findings", &columns, rows, "No findings.")];
    blocks.extend(programme::raised(material));
    Section::new("findings", "Findings", blocks)
}
