//! `lifeboat run show`.

use serde_json::json;

use crate::{
    app::AppError,
    cli::{
        Desk, advice,
        complaint::Complaint,
        exit::Exit,
        record,
        screen::{Format, Tone, tint},
    },
    model::{RunId, RunState},
};

/// Show a run as its journal says now: steps, measures, timeline, and what can be done.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  lifeboat run show orders-17
  lifeboat run show orders-17 -o json | jq .state")]
pub(super) struct Args {
    /// The run.
    #[arg(value_name = "RUN")]
    run: RunId,
}

pub(super) async fn run(args: Args, desk: &Desk) -> Result<Exit, Complaint> {
    let app = desk.app()?;
    let built = app.build(&args.run).await?;
    let run = built.replay().map_err(AppError::Record)?;
    let screen = &desk.screen;
    let advice = advice::of_run(&run);
    if screen.format == Format::Json {
        screen
            .json(&json!({ "run": run.id, "term": run.term, "state": run.state, "steps": run.steps, "advice": advice, "record": built }));
        return Ok(Exit::Success);
    }
    record::draw(screen, &built);
    if run.closed().is_none() {
        let term = tint(Tone::Dim, format_args!("term {}", run.term));
        screen.line(format_args!("\n{} {}  {term}", tint(Tone::Bold, "now"), tint(Tone::Warn, word(&run.state))));
    }
    for line in advice {
        screen.line(format_args!("  {} {line}", tint(Tone::Dim, "->")));
    }
    Ok(Exit::Success)
}

fn word(state: &RunState) -> &'static str {
    match state {
        RunState::Running => "running",
        RunState::Paused { .. } => "paused",
        RunState::Cancelling => "being cancelled",
        RunState::Unwinding { .. } => "being taken back",
        RunState::Closed { .. } => "closed",
    }
}
