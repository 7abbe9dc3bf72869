//! `lifeboat evidence anchor`.

use serde_json::json;

use crate::{
    app::{Asked, documents},
    cli::{
        Desk,
        complaint::Complaint,
        exit::Exit,
        screen::{Format, Tone, tint},
    },
    model::AnchorName,
};

/// Take the ledger's checkpoint to the anchors of the documents now, and enter what they give in return.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  lifeboat evidence anchor
  lifeboat evidence anchor peer -o json

Exit codes:
  0  every anchor has the checkpoint, and its receipt is in the ledger
  1  an anchor has seen more entries, or other ones: the ledger went back, or was changed
  2  there is no ledger, or no such EvidenceAnchor
  5  an anchor did not answer, or refused")]
pub(super) struct Args {
    /// Only this one; default: all.
    #[arg(value_name = "NAME")]
    name: Option<AnchorName>,
}

pub(super) async fn run(args: Args, desk: &Desk) -> Result<Exit, Complaint> {
    let app = desk.app()?;
    let papers = documents::read(&app.settings)?;
    let asked = app.anchor(&papers, args.name.as_ref()).await?;
    let accused = asked.iter().any(|one| one.outcome.as_ref().is_err_and(crate::anchor::AnchorError::accuses));
    let exit = match accused {
        true => Exit::Failure,
        false if asked.iter().any(|one| one.outcome.is_err()) => Exit::Unavailable,
        false => Exit::Success,
    };
    match desk.screen.format {
        Format::Json => desk.screen.json(&json!({
            "anchors": asked.iter().map(one).collect::<Vec<_>>(),
            "exit": exit.code(),
        })),
        Format::Text => {
            for Asked { name, size, outcome } in &asked {
                match outcome {
                    Ok(at) => {
                        let at = at.map(|at| format!(" since {at:.0}, by its clock")).unwrap_or_default();
                        desk.screen.line(format_args!("{name}  {} {size} entries{at}", tint(Tone::Good, "has")));
                    }
                    Err(error) => {
                        let word = if error.accuses() { "ACCUSES" } else { "has not" };
                        desk.screen.line(format_args!("{name}  {} {size} entries: {error}", tint(Tone::Bad, word)));
                        desk.screen.line(format_args!("  {}", error.remedy()));
                    }
                }
            }
        }
    }
    Ok(exit)
}

fn one(asked: &Asked) -> serde_json::Value {
    let Asked { name, size, outcome } = asked;
    match outcome {
        Ok(at) => json!({ "name": name, "size": size, "anchored": true, "at": at.map(|at| at.to_string()) }),
        Err(error) => json!({
            "name": name, "size": size, "anchored": false, "accuses": error.accuses(),
            "error": error.to_string(), "remedy": error.remedy(),
        }),
    }
}
