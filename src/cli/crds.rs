//! `lifeboat crds`.

use serde_json::json;

use super::{Desk, exit::Exit, screen::Format};
use crate::manifest;

/// Print the custom resource definitions, for Kubernetes.
///
/// They carry rules (Kubernetes 1.29 or later evaluates them): the API server refuses by itself, under the codes of `lifeboat explain`, what one
/// document alone can show to be wrong. The rest is `lifeboat check`'s.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  lifeboat crds | kubectl apply --server-side -f -")]
pub(super) struct Args {}

pub(super) fn run(desk: &Desk) -> Exit {
    let text = manifest::crds();
    match desk.screen.format {
        Format::Json => desk.screen.json(&json!({ "text": text })),
        Format::Text => desk.screen.text(&text),
    }
    Exit::Success
}
