//! What happened when.

use jiff::Timestamp;

use crate::{
    evidence::StepRecord,
    model::{EventBody, StepIndex},
    report::{
        amount,
        picture::Picture,
        sheet::{Block, Material, NOT_MEASURED, NOT_RECORDED, Section, facts, table, text},
    },
};

/// Timeline.
pub(super) fn timeline(material: &Material<'_>) -> Section {
    let record = material.record;
    let time = &record.measures.recovery_time;
    let mut blocks = vec![facts(vec![
        ("Times", "UTC, by the clock of the machine that drove the run".into()),
        ("State of that clock", NOT_RECORDED.into()),
    ])];
    if record.rehearsal {
        blocks.push(text("Phases of recovery: not measured; a rehearsal moves nothing."));
    } else if time.phases.is_empty() {
        blocks.push(text("Phases of recovery: not measured; health was not seen restored."));
    } else {
        blocks.push(Block::Picture(Picture::phases(&time.phases)));
    }
    blocks.extend(Picture::steps(&record.steps, record.opened_at).map(Block::Picture));
    blocks.push(steps(material));
    blocks.push(waits(material));
    let rows = material.rows.iter().map(|row| {
        let step = row.step.as_ref().map(ToString::to_string).unwrap_or_default();
        vec![format!("{:+.3} s", row.offset_seconds), format!("{:.3}", row.at), step, row.what.clone()]
    });
    let columns = ["Offset", "At (UTC)", "Step", "What"];
    blocks.push(table("Everything in the journal, in order", &columns, rows.collect(), "Events: not recorded."));
    Section::new("timeline", "Timeline", blocks)
}

fn steps(material: &Material<'_>) -> Block {
    let when = |at: Option<Timestamp>| at.map_or_else(|| NOT_RECORDED.into(), |at| format!("{at:.3}"));
    let row = |step: &StepRecord| {
        vec![
            step.name.to_string(),
            step.verb.to_string(),
            step.target.as_ref().map(ToString::to_string).unwrap_or_default(),
            step.state.clone(),
            when(step.started),
            when(step.ended),
            step.seconds.map_or_else(|| NOT_MEASURED.into(), |seconds| amount::ms(amount::up(seconds))),
            step.attempts.to_string(),
            step.why.clone().unwrap_or_default(),
        ]
    };
    let columns = ["Step", "Verb", "Target", "State", "Started (UTC)", "Ended (UTC)", "Time", "Tries", "Why"];
    table("The plan as executed", &columns, material.record.steps.iter().map(row).collect(), "The plan has no steps.")
}

/// How long steps waited for persons, apart from machine time: from the question to what came next of that step.
fn waits(material: &Material<'_>) -> Block {
    let events = &material.record.events;
    let mut rows = Vec::new();
    let mut asked: Vec<(StepIndex, u32, Timestamp)> = Vec::new();
    for event in events {
        match &event.body {
            EventBody::ApprovalAsked { step, needed } => {
                if !asked.iter().any(|(open, ..)| open == step) {
                    asked.push((*step, *needed, event.at));
                }
            }
            body => {
                let Some(step) = body.step() else { continue };
                if let Some(at) = asked.iter().position(|(open, ..)| *open == step) {
                    let (_, needed, since) = asked.remove(at);
                    rows.push(wait(material, step, needed, since, Some(event.at)));
                }
            }
        }
    }
    rows.extend(asked.into_iter().map(|(step, needed, since)| wait(material, step, needed, since, None)));
    table(
        "Waiting for persons",
        &["Step", "Persons needed", "Asked at (UTC)", "Waited"],
        rows,
        "No step waited for a person.",
    )
}

fn wait(
    material: &Material<'_>,
    step: StepIndex,
    needed: u32,
    since: Timestamp,
    until: Option<Timestamp>,
) -> Vec<String> {
    let name = material.record.steps.get(step.at()).map(|step| step.name.to_string()).unwrap_or_default();
    let waited = until.map_or_else(
        || "still waits".into(),
        |until| amount::ms(amount::up(until.duration_since(since).as_secs_f64())),
    );
    vec![name, needed.to_string(), format!("{since:.3}"), waited]
}
