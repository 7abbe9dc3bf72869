//! `lifeboat failback`.

use super::{
    Desk,
    begin::{self, Way},
    complaint::Complaint,
    exit::Exit,
};
use crate::model::RunKind;

/// Move a group back to its preferred region without losing anything.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  lifeboat plan orders --kind failback           look before
  lifeboat failback orders                       asks for the group's name
  lifeboat failback orders --yes-i-mean orders   for scripts

Nothing fails back by itself.")]
pub(super) struct Args {
    #[command(flatten)]
    way: Way,
    /// The group's name, instead of typing it at the prompt.
    #[arg(long, value_name = "GROUP")]
    yes_i_mean: Option<String>,
}

pub(super) async fn run(args: Args, desk: &Desk) -> Result<Exit, Complaint> {
    begin::begin(desk, args.way, RunKind::Failback, args.yes_i_mean.as_deref()).await
}
