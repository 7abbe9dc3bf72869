//! Orders: `pause`, `retry`, `skip`, `accept`; and the giving of any order.

use std::path::PathBuf;

use clap::builder::TypedValueParser as _;
use serde_json::json;

use crate::{
    app::{Order, Told},
    cli::{
        Desk,
        begin::risk,
        complaint::Complaint,
        exit::Exit,
        screen::{Format, Tone, tint},
    },
    model::{CommandBody, Risk, RunId, StepName, Term},
};

/// Which state of the run the person has in mind.
#[derive(Debug, Clone, Copy, clap::Args)]
pub(in crate::cli) struct Seen {
    /// Only when it is still at this term, which `run show` and `status` print: no other process took it over since.
    #[arg(long, value_name = "TERM", value_parser = term())]
    pub(in crate::cli) expected_term: Option<Term>,
}

/// A term, as typed.
fn term() -> impl clap::builder::TypedValueParser<Value = Term> {
    clap::value_parser!(u64).map(Term)
}

/// Start nothing new; what is under way ends.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  lifeboat run pause orders-17 --reason \"the network team is looking\"
  lifeboat run resume orders-17               go on")]
pub(super) struct Pause {
    /// The run.
    #[arg(value_name = "RUN")]
    run: RunId,
    /// Why; kept as evidence.
    #[arg(long, value_name = "TEXT", default_value = "")]
    reason: String,
    #[command(flatten)]
    seen: Seen,
}

/// Try a failed, blocked or unsure step again.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  lifeboat run retry orders-17 promote-db

The step is observed first: what was done meanwhile is not done twice.")]
pub(super) struct Retry {
    /// The run.
    #[arg(value_name = "RUN")]
    run: RunId,
    /// The step.
    #[arg(value_name = "STEP")]
    step: StepName,
    /// Why; kept as evidence.
    #[arg(long, value_name = "TEXT", default_value = "")]
    reason: String,
    #[command(flatten)]
    seen: Seen,
}

/// Leave a step out; the run is no success then.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  lifeboat run skip orders-17 warm-cache --reason \"it warms by itself\"")]
pub(super) struct Skip {
    /// The run.
    #[arg(value_name = "RUN")]
    run: RunId,
    /// The step.
    #[arg(value_name = "STEP")]
    step: StepName,
    /// Why; kept as evidence.
    #[arg(long, value_name = "TEXT")]
    reason: String,
    #[command(flatten)]
    seen: Seen,
}

/// Accept a named risk for this run.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  lifeboat run accept orders-17 DataLoss --reason \"nine seconds of carts, agreed with the shop\"
  lifeboat explain UnverifiedFence            what a risk means")]
pub(super) struct Accept {
    /// The run.
    #[arg(value_name = "RUN")]
    run: RunId,
    /// The risk.
    #[arg(value_name = "RISK", value_parser = risk())]
    risk: Risk,
    /// Why; kept as evidence.
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// Your own SSH key, private or, where the agent has it, public; by default the one that is set
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    #[command(flatten)]
    seen: Seen,
}

pub(super) async fn pause(args: Pause, desk: &Desk) -> Result<Exit, Complaint> {
    give(desk, &args.run, CommandBody::Pause, args.reason, args.seen).await
}

pub(super) async fn retry(args: Retry, desk: &Desk) -> Result<Exit, Complaint> {
    give(desk, &args.run, CommandBody::Retry { step: args.step }, args.reason, args.seen).await
}

pub(super) async fn skip(args: Skip, desk: &Desk) -> Result<Exit, Complaint> {
    give(desk, &args.run, CommandBody::Skip { step: args.step }, args.reason, args.seen).await
}

pub(super) async fn accept(args: Accept, desk: &Desk) -> Result<Exit, Complaint> {
    give_signed(desk, &args.run, CommandBody::Accept { risk: args.risk }, args.reason, args.seen, args.key).await
}

/// Gives an order and says what became of it.
pub(in crate::cli) async fn give(
    desk: &Desk,
    run: &RunId,
    body: CommandBody,
    reason: String,
    seen: Seen,
) -> Result<Exit, Complaint> {
    give_signed(desk, run, body, reason, seen, None).await
}

/// The same with a person's own key, for orders that are a person's word.
pub(in crate::cli) async fn give_signed(
    desk: &Desk,
    run: &RunId,
    body: CommandBody,
    reason: String,
    seen: Seen,
    key: Option<PathBuf>,
) -> Result<Exit, Complaint> {
    let order = Order { body, reason, expected_term: seen.expected_term, key };
    let told = desk.app()?.tell(run, order).await?;
    let screen = &desk.screen;
    let exit = if matches!(told, Told::Refused { .. }) { Exit::Refused } else { Exit::Success };
    if screen.format == Format::Json {
        screen.json(&json!({ "run": run, "told": told }));
        return Ok(exit);
    }
    match told {
        Told::Taken => screen.line(format_args!("{} by the process that drives {run}", tint(Tone::Good, "taken"))),
        Told::Recorded => screen.line(format_args!("recorded; continue with lifeboat run resume {run}")),
        Told::Refused { why } => screen.warn(format_args!("{} {why}", tint(Tone::Bad, "refused:"))),
    }
    Ok(exit)
}
