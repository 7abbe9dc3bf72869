//! `lifeboat approve`.

use super::{Desk, complaint::Complaint, exit::Exit, run::order};
use crate::model::{CommandBody, RunId, StepName};

/// Stand behind a run, or behind one of its steps, in your own name.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  lifeboat approve orders-17                the run
  lifeboat approve orders-17 go-ahead       the step `go-ahead`
  lifeboat approve orders-17 go-ahead --deny --reason \"the standby is half an hour behind\"

One person counts once; who asked for a run does not count as another person.")]
pub(super) struct Args {
    /// The run.
    #[arg(value_name = "RUN")]
    run: RunId,
    /// The step that waits; without it, the run.
    #[arg(value_name = "STEP")]
    step: Option<StepName>,
    /// Refuse instead.
    #[arg(long)]
    deny: bool,
    /// Why; kept as evidence.
    #[arg(long, value_name = "TEXT", default_value = "")]
    reason: String,
    #[command(flatten)]
    seen: order::Seen,
}

pub(super) async fn run(args: Args, desk: &Desk) -> Result<Exit, Complaint> {
    let step = args.step;
    let body = if args.deny { CommandBody::Deny { step } } else { CommandBody::Approve { step } };
    order::give(desk, &args.run, body, args.reason, args.seen).await
}
