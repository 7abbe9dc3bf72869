//! `lifeboat evidence finding`.

use clap::{Subcommand, ValueEnum};
use serde_json::json;

use crate::{
    cli::{Desk, complaint::Complaint, exit::Exit},
    evidence::Severity,
    model::RunId,
};

/// How much it matters, as typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Matters {
    /// Before the next run.
    High,
    /// Soon.
    Medium,
    /// When there is time.
    Low,
}

impl From<Matters> for Severity {
    fn from(matters: Matters) -> Self {
        match matters {
            Matters::High => Self::High,
            Matters::Medium => Self::Medium,
            Matters::Low => Self::Low,
        }
    }
}

/// Raise a finding about a run, beside those that its verdict rests on.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  lifeboat evidence finding add orders-17 --severity medium \"the dashboard showed the wrong region\"

It is a new entry of the ledger, in your name; nothing is edited. A run that the ledger does not
have is code 2, a finding without words is code 4.")]
pub(super) struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Raise one.
    Add(Add),
}

#[derive(Debug, clap::Args)]
struct Add {
    /// The run that showed it.
    #[arg(value_name = "RUN")]
    run: RunId,
    /// How much it matters.
    #[arg(long, value_enum)]
    severity: Matters,
    /// What was found.
    #[arg(value_name = "TEXT")]
    text: String,
}

pub(super) async fn run(args: Args, desk: &Desk) -> Result<Exit, Complaint> {
    let Verb::Add(Add { run, severity, text }) = args.verb;
    let number = desk.app()?.raise_finding(run.clone(), severity.into(), text).await?;
    desk.screen.answer(&json!({ "finding": number, "run": run }), |screen, _| {
        screen.line(format_args!("finding {number} about {run} is in the ledger"));
        screen.line(format_args!(
            "  what is to be done about it: lifeboat evidence action open {run} --finding {number} --owner … --due …"
        ));
    });
    Ok(Exit::Success)
}
