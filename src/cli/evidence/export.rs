//! `lifeboat evidence export`.

use std::path::PathBuf;

use serde_json::json;

use crate::{
    cli::{Desk, complaint::Complaint, exit::Exit, screen::Format},
    model::RunId,
};

/// Export the evidence of a run, with everything that stock tools need to check it without this program.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  lifeboat evidence export orders-17 ./orders-17
  lifeboat evidence export orders-17 ./orders-17 -o json

The folder is new or empty. Its VERIFY.md has the commands: openssl, Python with `cryptography`, Go
with `golang.org/x/mod`.")]
pub(super) struct Args {
    /// The run; it is closed.
    #[arg(value_name = "RUN")]
    run: RunId,
    /// Where to.
    #[arg(value_name = "DIR")]
    to: PathBuf,
}

pub(super) fn run(args: &Args, desk: &Desk) -> Result<Exit, Complaint> {
    let files = desk.app()?.export(&args.run, &args.to)?;
    match desk.screen.format {
        Format::Json => desk.screen.json(&json!({ "folder": args.to, "files": files })),
        Format::Text => {
            desk.screen.line(format_args!(
                "{} files in {}; VERIFY.md says how to check them",
                files.len(),
                args.to.display()
            ));
        }
    }
    Ok(Exit::Success)
}
