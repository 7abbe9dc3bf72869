//! `lifeboat evidence waive`.

use jiff::civil::Date;
use serde_json::json;

use crate::{
    cli::{Desk, complaint::Complaint, exit::Exit},
    model::GroupName,
};

/// Ask a requirement of a group no more, for a while: in your name, with a reason, and shown wherever coverage is.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  lifeboat evidence waive orders live --until 2026-12-31 --reason \"the data centre moves\"
  lifeboat evidence waive orders tier1/live --until 2026-12-31 --reason \"…\"

It is a new entry of the ledger. Whoever asks for coverage sees what it hides; the score counts it
as lost. An end within a year is needed: what is never drilled belongs out of the policy.

Exit codes:
  0  it is entered
  2  there is no such group or requirement
  4  it is refused: a day that is over or far away, no reason")]
pub(super) struct Args {
    /// The group.
    #[arg(value_name = "GROUP")]
    group: GroupName,
    /// The requirement, as `evidence coverage` names it: POLICY/NAME, or NAME where there is one.
    #[arg(value_name = "REQUIREMENT")]
    requirement: String,
    /// To the end of this day (UTC).
    #[arg(long, value_name = "DATE")]
    until: Date,
    /// Why.
    #[arg(long, value_name = "TEXT")]
    reason: String,
}

pub(super) async fn run(args: Args, desk: &Desk) -> Result<Exit, Complaint> {
    let Args { group, requirement, until, reason } = args;
    let title = desk.app()?.waive(group.clone(), &requirement, until, &reason).await?;
    desk.screen.answer(&json!({ "group": group, "requirement": title, "until": until }), |screen, _| {
        screen.line(format_args!("{title} is not asked of {group} until {until}"));
    });
    Ok(Exit::Success)
}
