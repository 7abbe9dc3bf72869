//! `lifeboat run resume`.

use crate::{
    app::{App, Manner, Order, Standing, Told},
    cli::{
        Desk, begin,
        complaint::Complaint,
        exit::Exit,
        finish, progress,
        screen::{Format, Tone, tint},
    },
    model::{CommandBody, RunId, RunState},
    port::LeaseState,
};

/// Go on with a run: in this process, or by an order to the process that drives it.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  lifeboat run resume orders-17
  lifeboat run resume orders-17 --wait     stand by; take over when its process is gone

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
    /// Stand by while another process drives the run; take it over when that process is gone.
    #[arg(long, conflicts_with = "expected_term")]
    wait: bool,
}

pub(super) async fn run(args: Args, desk: &Desk) -> Result<Exit, Complaint> {
    let app = desk.app()?;
    if args.wait {
        return stand_by(args, desk, &app).await;
    }
    let (seen, _) = app.read(&args.run).await?;
    if matches!(seen.state, RunState::Paused { .. }) && app.is_driven(&args.run).await? {
        let order = Order {
            body: CommandBody::Resume,
            reason: args.reason.clone(),
            expected_term: args.seen.expected_term,
            key: None,
        };
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

/// Waits until the run needs this process, and drives it on then. A run that a person paused meanwhile stays paused.
async fn stand_by(args: Args, desk: &Desk, app: &App) -> Result<Exit, Complaint> {
    let (supervision, underway) = begin::listen(desk)?;
    let screen = &desk.screen;
    let mut waiting = |state: &LeaseState| {
        let holder = state.holder.as_deref().unwrap_or("nobody");
        screen.remark(format_args!("standing by: {holder} drives {}", args.run));
    };
    let standing = tokio::select! {
        standing = app.stand_by(&args.run, &mut waiting) => standing?,
        () = supervision.asked() => return Ok(Exit::Interrupted),
    };
    let mut told = progress::Told::new(&desk.screen, underway);
    let manner = Manner { stay: args.stay, expected_term: None };
    let rested = match standing {
        Standing::Ours { hold, waited } => {
            let reason = (!waited).then_some(args.reason.as_str());
            app.take_over(&args.run, *hold, reason, manner, &mut told, supervision.stop()).await?
        }
        Standing::Over => {
            let mut waiting = begin::waiting(screen);
            app.resume(&args.run, &args.reason, manner, &mut waiting, &mut told, supervision.stop()).await?
        }
    };
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
