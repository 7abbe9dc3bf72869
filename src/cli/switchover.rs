//! `lifeboat switchover`.

use super::{
    Desk,
    begin::{self, Way},
    complaint::Complaint,
    exit::Exit,
};
use crate::model::RunKind;

/// Move a group to another region without losing anything; both sides must answer.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  lifeboat plan orders --kind switchover         look before
  lifeboat switchover orders                     asks for the group's name
  lifeboat switchover orders --to dub --reason \"maintenance in fra\" --yes-i-mean orders")]
pub(super) struct Args {
    #[command(flatten)]
    way: Way,
    /// The group's name, instead of typing it at the prompt.
    #[arg(long, value_name = "GROUP")]
    yes_i_mean: Option<String>,
}

pub(super) async fn run(args: Args, desk: &Desk) -> Result<Exit, Complaint> {
    begin::begin(desk, args.way, RunKind::Switchover, args.yes_i_mean.as_deref()).await
}
