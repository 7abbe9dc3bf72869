//! `lifeboat run list`.

use crate::{
    app::AppError,
    cli::{
        Desk,
        complaint::Complaint,
        exit::Exit,
        screen::{Screen, Tone, columns, tint},
    },
    model::{DrillMode, GroupName, Outcome},
    port::RunSummary,
};

/// List runs, newest first.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  lifeboat run list
  lifeboat run list orders -o json")]
pub(super) struct Args {
    /// Only this group's.
    #[arg(value_name = "GROUP")]
    group: Option<GroupName>,
}

pub(super) async fn run(args: Args, desk: &Desk) -> Result<Exit, Complaint> {
    let app = desk.app()?;
    let runs = app.store.runs(args.group.as_ref()).await.map_err(AppError::store("list the runs"))?;
    desk.screen.answer(&runs, |screen, runs| draw(screen, runs));
    Ok(Exit::Success)
}

fn draw(screen: &Screen, runs: &[RunSummary]) {
    if runs.is_empty() {
        screen.line("no runs yet");
    }
    screen.text(&columns(&runs.iter().map(row).collect::<Vec<_>>()));
}

fn row(run: &RunSummary) -> Vec<String> {
    let mode = run.drill.or(run.rehearsal.then_some(DrillMode::Rehearse));
    let kind = mode.map_or_else(|| run.kind.to_string(), |mode| format!("{} ({})", run.kind, mode.noun()));
    let end = match run.closed {
        None => tint(Tone::Warn, "open"),
        Some((_, outcome @ Outcome::Succeeded)) => tint(Tone::Good, outcome.as_str()),
        Some((_, outcome)) => tint(Tone::Bad, outcome.as_str()),
    };
    vec![
        run.run.to_string(),
        kind,
        format!("{} -> {}", run.source, run.destination),
        format!("{:.0}", run.opened_at),
        end,
    ]
}
