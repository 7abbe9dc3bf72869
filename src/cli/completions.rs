//! `lifeboat completions`.

use clap::CommandFactory as _;
use clap_complete::Shell;
use serde_json::json;

use super::{Cli, Desk, exit::Exit, screen::Format};

/// Print the completion script of a shell.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  lifeboat completions bash > /etc/bash_completion.d/lifeboat
  lifeboat completions fish > ~/.config/fish/completions/lifeboat.fish")]
pub(super) struct Args {
    /// The shell.
    #[arg(value_enum, value_name = "SHELL")]
    shell: Shell,
}

pub(super) fn run(args: &Args, desk: &Desk) -> Exit {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "lifeboat", &mut script);
    let text = String::from_utf8_lossy(&script);
    match desk.screen.format {
        Format::Json => desk.screen.json(&json!({ "shell": args.shell.to_string(), "text": text })),
        Format::Text => desk.screen.text(&text),
    }
    Exit::Success
}
