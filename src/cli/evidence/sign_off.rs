//! `lifeboat evidence sign-off`.

use std::path::PathBuf;

use crate::{
    app::Review,
    cli::{
        Desk,
        complaint::Complaint,
        exit::Exit,
        screen::{Format, Tone, tint},
    },
    evidence::{Judgement, later::Opinion},
    model::RunId,
};

/// Say with your own key that you reviewed the record of a run.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  lifeboat evidence sign-off orders-17 --key ~/.ssh/id_ed25519
  lifeboat evidence sign-off orders-17 --comment \"the marker was late, and we know why\"
  lifeboat evidence sign-off orders-17 --dissent --comment \"nobody measured the way back\"

The record's digest, your opinion and your comment are signed, as `ssh-keygen -Y sign -n
signoff@lifeboat.dev` does it, and entered into the ledger. Your last word counts. A report is a
draft until somebody else than who asked for the run accepted its record.

Environment:
  LIFEBOAT_SSH_KEY          your own key; private, or public where the agent has it
  LIFEBOAT_ALLOWED_SIGNERS  whose key is whose, as ssh-keygen(1) reads it; default
                            keys/allowed_signers in the data folder
  LIFEBOAT_REVOKED_KEYS     keys that count no more; default keys/revoked_keys there")]
pub(super) struct Args {
    /// The run.
    #[arg(value_name = "RUN")]
    run: RunId,
    /// You do not stand behind the record; needs --comment.
    #[arg(long, requires = "comment")]
    dissent: bool,
    /// In your words; kept as evidence.
    #[arg(long, value_name = "TEXT", default_value = "")]
    comment: String,
    /// Your own SSH key, private or, where the agent has it, public; by default the one that is set
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
}

pub(super) async fn run(args: Args, desk: &Desk) -> Result<Exit, Complaint> {
    let app = desk.app()?;
    let screen = &desk.screen;
    if screen.format == Format::Text {
        let judgement = Judgement::of(&app.build(&args.run).await?);
        screen.remark(format_args!(
            "{}: {}, {} findings",
            args.run,
            judgement.verdict.words(),
            judgement.findings.len()
        ));
    }
    let opinion = if args.dissent { Opinion::Dissented } else { Opinion::Accepted };
    let review = Review { opinion, comment: args.comment };
    let done = app.sign_off(&args.run, review, args.key.as_deref()).await?;
    match screen.format {
        Format::Json => screen.json(&done),
        Format::Text => screen.line(format_args!(
            "{} by {} with {}",
            tint(Tone::Good, done.opinion.as_str()),
            done.by,
            done.signed.key
        )),
    }
    Ok(Exit::Success)
}
