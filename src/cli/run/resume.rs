//! `lifeboat run resume`.

use crate::{
    app::{Manner, Order, Told},
    cli::{
        Desk, begin,
        complaint::Complaint,
        exit::Exit,
        finish, progress,
        screen::{Format, Tone, tint},
    },
    model::{CommandBody, RunId, RunState},
};

/// Go on with a run: in this process, or by an order to the process that drives it.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  lifeboat run resume orders-17

What was under way when its process ended is looked at first; nothing is done twice unseen. No documents are needed:
the run pinned its plan.")]
pub(super) struct Args {
    /// The run.
    #[arg(value_name = "RUN")]
    run: RunId,
    /// Why; kept as evidence.
    #[arg(long, value_name = "TEXT", default_value = "")]
    reason: String,
    /// Stay and wait for orders while the run is paused, instead of ending with code 3.
    #[arg(long)]
    stay: bool,
    #[command(flatten)]
    seen: super::order::Seen,
}

pub(super) async fn run(args: Args, desk: &Desk) -> Result<Exit, Complaint> {
    let app = desk.app()?;
    let (seen, _) = app.read(&args.run).await?;
    if matches!(seen.state, RunState::Paused { .. }) && app.is_driven(&args.run).await? {
        let order =
            Order { body: CommandBody::Resume, reason: args.reason.clone(), expected_term: args.seen.expected_term };
        let told = app.tell(&args.run, order).await?;
        match told {
            // Whoever held the lease is gone: this process takes the run over.
            Told::Recorded => {}
            Told::Taken => {
                let text = format!("{} by the process that drives {}", tint(Tone::Good, "resumed"), args.run);
                return Ok(answer(desk, &args.run, &told, Exit::Success, &text));
            }
            Told::Refused { ref why } => {
                let text = format!("{} {why}", tint(Tone::Bad, "refused:"));
                return Ok(answer(desk, &args.run, &told, Exit::Refused, &text));
            }
        }
    }
    let (supervision, underway) = begin::listen(desk)?;
    let mut told = progress::Told::new(&desk.screen, underway);
    let mut waiting = begin::waiting(&desk.screen);
    let manner = Manner { stay: args.stay, expected_term: args.seen.expected_term };
    let rested = app.resume(&args.run, &args.reason, manner, &mut waiting, &mut told, supervision.stop()).await?;
    Ok(finish::finish(desk, &rested))
}

fn answer(desk: &Desk, run: &RunId, told: &Told, exit: Exit, text: &str) -> Exit {
    match desk.screen.format {
        Format::Json => desk.screen.json(&serde_json::json!({ "run": run, "told": told })),
        Format::Text if exit == Exit::Refused => desk.screen.warn(text),
        Format::Text => desk.screen.line(text),
    }
    exit
}
