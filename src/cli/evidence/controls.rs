//! `lifeboat evidence controls`.

use crate::{
    app,
    cli::{Desk, complaint::Complaint, exit::Exit},
    report::DEFAULT_CONTROLS,
};

/// Print the cross-walk that is built in: which requirement each kind of run supports.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  lifeboat evidence controls > controls.yaml
  lifeboat evidence report orders-17 --controls controls.yaml")]
pub(in crate::cli) struct Args {}

pub(in crate::cli) fn run(desk: &Desk) -> Result<Exit, Complaint> {
    match desk.screen.format {
        crate::cli::screen::Format::Json => desk.screen.json(&app::controls(None)?),
        crate::cli::screen::Format::Text => desk.screen.text(DEFAULT_CONTROLS),
    }
    Ok(Exit::Success)
}
