//! `lifeboat run cancel`.

use super::order;
use crate::{
    cli::{Desk, complaint::Complaint, confirm::confirm, exit::Exit},
    model::{CommandBody, RunId},
};

/// End a run at a safe point; refused once a promotion was done or may have been.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  lifeboat run cancel orders-17                                 leave things as they are
  lifeboat run cancel orders-17 --unwind --yes-i-mean orders    take back what it did first")]
pub(super) struct Args {
    /// The run.
    #[arg(value_name = "RUN")]
    run: RunId,
    /// Take back what is reversible first, in reverse order.
    #[arg(long)]
    unwind: bool,
    /// Why; kept as evidence.
    #[arg(long, value_name = "TEXT", default_value = "")]
    reason: String,
    /// The group's name, instead of typing it at the prompt.
    #[arg(long, value_name = "GROUP")]
    yes_i_mean: Option<String>,
    #[command(flatten)]
    seen: order::Seen,
}

pub(super) async fn run(args: Args, desk: &Desk) -> Result<Exit, Complaint> {
    confirm(&desk.screen, "cancel a run of", &args.run.group, args.yes_i_mean.as_deref())?;
    order::give(desk, &args.run, CommandBody::Cancel { unwind: args.unwind }, args.reason, args.seen).await
}
