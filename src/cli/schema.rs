//! `lifeboat schema`.

use super::{Desk, exit::Exit};
use crate::manifest;

/// Print the JSON schema of the documents, for editors.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  lifeboat schema > lifeboat.schema.json
  # then, in the first line of a document:
  # yaml-language-server: $schema=lifeboat.schema.json")]
pub(super) struct Args {}

pub(super) fn run(desk: &Desk) -> Exit {
    desk.screen.json(&manifest::schema());
    Exit::Success
}
