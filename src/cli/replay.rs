//! `lifeboat replay`.

use std::{fs, path::PathBuf};

use jiff::Timestamp;
use serde::Serialize;

use super::{Desk, complaint::Complaint, exit::Exit, screen::Screen};
use crate::{
    controller::{Entry, Line, Replayed, replay},
    model::{GroupName, Judged},
};

/// Judge a recording of the watch again, by this program; changes nothing.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  lifeboat serve --record watch.jsonl   keep what was heard and answered
  lifeboat replay watch.jsonl           what this program answers, and where that is new
  lifeboat replay watch.jsonl -o json")]
pub(super) struct Args {
    /// What `lifeboat serve --record` wrote.
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

/// One answer that is not the one before.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    group: GroupName,
    /// By the wall clock of the judge who was recorded.
    at: Timestamp,
    judged: Judged,
    /// The judge who was recorded answered the same, or had answered it.
    as_then: bool,
}

pub(super) fn run(args: &Args, desk: &Desk) -> Result<Exit, Complaint> {
    let name = args.file.display().to_string();
    let text = fs::read_to_string(&args.file).map_err(Complaint::machine(format!("read {name}")))?;
    let lines = read(&text).map_err(|(line, why)| {
        Complaint::typed(
            format!("{name}: line {line} is no line of a recording: {why}"),
            "give a file that `lifeboat serve --record` wrote, or take that line out",
        )
    })?;
    let answers: Vec<Answer> = replay(&lines).into_iter().map(|replayed| answer(&lines, replayed)).collect();
    desk.screen.answer(&answers, |screen, answers| answers.iter().for_each(|answer| draw(screen, answer)));
    Ok(Exit::Success)
}

/// The last line may have been cut off by the end of its process.
fn read(text: &str) -> Result<Vec<Line>, (usize, serde_json::Error)> {
    let whole = if text.ends_with('\n') { text } else { text.rsplit_once('\n').map_or("", |(whole, _)| whole) };
    let lines = whole.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    lines.map(|(index, line)| serde_json::from_str(line).map_err(|error| (index + 1, error))).collect()
}

fn answer(lines: &[Line], Replayed { group, us, at, judged }: Replayed) -> Answer {
    let own = lines.iter().filter(|line| line.group == group);
    let then = own.take_while(|line| line.us <= us).filter_map(|line| match &line.what {
        Entry::Judged(then) => Some(then),
        Entry::Begins(_)
        | Entry::Heard(_)
        | Entry::Again { .. }
        | Entry::Silence {}
        | Entry::World(_)
        | Entry::Clock(_)
        | Entry::Truth(_) => None,
    });
    let states = |judged: &Judged| -> Vec<String> { judged.verdicts.iter().map(|one| one.state.clone()).collect() };
    let as_then = then.last().is_some_and(|then| then.answer == judged.answer && states(then) == states(&judged));
    Answer { group, at, judged, as_then }
}

fn draw(screen: &Screen, Answer { group, at, judged, as_then }: &Answer) {
    let regions: Vec<String> =
        judged.verdicts.iter().map(|verdict| format!("{} {}", verdict.region, verdict.state)).collect();
    let otherwise = if *as_then { "" } else { "; then it was answered otherwise" };
    screen.line(format_args!("{at:.3}  {group}: {} ({}){otherwise}", judged.answer, regions.join(", ")));
    for reason in judged.reasons.iter().chain(judged.verdicts.iter().flat_map(|verdict| &verdict.reasons)) {
        screen.line(format_args!("  {reason}"));
    }
}
