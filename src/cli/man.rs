//! `lifeboat man`, for packagers.

use std::path::PathBuf;

use clap::CommandFactory as _;
use serde_json::json;

use super::{Cli, Desk, complaint::Complaint, exit::Exit, screen::Format};

/// Print the manual page, or write all of them into a folder.
#[derive(Debug, clap::Args)]
#[command(
    hide = true,
    after_help = "\
Examples:
  lifeboat man | man -l -
  lifeboat man --dir target/man"
)]
pub(super) struct Args {
    /// Write one page for each verb into this folder.
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

pub(super) fn run(args: &Args, desk: &Desk) -> Result<Exit, Complaint> {
    if let Some(dir) = &args.dir {
        let intent = || format!("write the manual pages into {}", dir.display());
        std::fs::create_dir_all(dir).map_err(Complaint::machine(intent()))?;
        clap_mangen::generate_to(Cli::command(), dir).map_err(Complaint::machine(intent()))?;
        desk.screen.answer(&json!({ "dir": dir }), |_, _| {});
        return Ok(Exit::Success);
    }
    let mut page = Vec::new();
    clap_mangen::Man::new(Cli::command()).render(&mut page).map_err(Complaint::machine("draw the manual page"))?;
    let text = String::from_utf8_lossy(&page);
    match desk.screen.format {
        Format::Json => desk.screen.json(&json!({ "text": text })),
        Format::Text => desk.screen.text(&text),
    }
    Ok(Exit::Success)
}
