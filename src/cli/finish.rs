//! How a run ended, in a few lines.

use serde::Serialize;
use serde_json::{Value, json};

use super::{
    Desk, advice,
    exit::Exit,
    record,
    screen::{Format, Screen, Tone, tint},
};
use crate::{app::Rested, decide::Rest, evidence::Measures, model::DrillMode};

/// Says how the run came to rest, and gives the code.
pub(super) fn finish(desk: &Desk, rested: &Rested) -> Exit {
    let exit = Exit::of_rested(rested);
    match desk.screen.format {
        Format::Json => desk.screen.json(&described(rested)),
        Format::Text => people(&desk.screen, rested),
    }
    exit
}

/// The same as data.
pub(super) fn described(rested: &Rested) -> Value {
    json!({
        "run": rested.run.id,
        "rest": rest(&rested.rest),
        "exit": Exit::of_rested(rested).code(),
        "file": rested.kept.as_ref().map(|kept| &kept.file),
        "advice": advice::of_run(&rested.run),
        "record": rested.record,
        "notInTheLedger": rested.unentered,
    })
}

fn people(screen: &Screen, rested: &Rested) {
    let (run, record) = (&rested.run, &rested.record);
    let word = rest(&rested.rest).word;
    let tone = if Exit::of_rested(rested) == Exit::Success { Tone::Good } else { Tone::Warn };
    let plan = run.plan();
    let rehearsal = match run.opened.drill_mode() {
        None | Some(DrillMode::Live) => "",
        Some(DrillMode::Rehearse) => " (rehearsal: nothing was changed)",
        Some(DrillMode::Isolated) => " (isolated drill: done on stand-ins)",
    };
    screen.line(format_args!("\n{} {}: {} -> {}{rehearsal}", run.id, tint(tone, word), plan.source, plan.destination));
    // While a run is open, what has not started yet is no exception.
    for exception in record.exceptions.iter().filter(|exception| run.closed().is_some() || exception.state != "waiting")
    {
        let what = exception.what.strip_prefix(&format!("{}: ", exception.state)).unwrap_or(&exception.what);
        screen.line(format_args!("  {} {}: {what}", exception.step, exception.state));
    }
    if run.closed().is_some() && !run.opened.rehearsal {
        measures(screen, &record.measures);
    }
    for line in record::parity(&record.parity) {
        screen.line(format_args!("  {line}"));
    }
    if let Some(kept) = &rested.kept {
        screen.line(format_args!("  record         {}", kept.file.display()));
    }
    if let Some(why) = &rested.unentered {
        screen.warn(format_args!("{} is not in the ledger yet; the next append makes up for it. {why}", run.id));
    }
    for line in advice::of_run(run) {
        screen.line(format_args!("  {} {line}", tint(Tone::Dim, "->")));
    }
}

/// The two measures against their objectives.
pub(super) fn measures(screen: &Screen, measures: &Measures) {
    for line in record::measures(measures) {
        screen.line(format_args!("  {line}"));
    }
}

#[derive(Serialize)]
struct Word {
    word: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<crate::model::PauseReason>,
}

fn rest(rest: &Rest) -> Word {
    match rest {
        Rest::Closed(outcome) => Word { word: outcome.as_str(), reason: None },
        Rest::Paused(reason) => Word { word: "paused", reason: Some(reason.clone()) },
        Rest::AwaitingApproval(_) => Word { word: "awaiting approval", reason: None },
        Rest::Interrupted => Word { word: "interrupted", reason: None },
    }
}
