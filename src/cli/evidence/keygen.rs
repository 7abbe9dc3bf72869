//! `lifeboat evidence keygen`.

use clap::ValueEnum;
use serde_json::json;

use crate::{
    cli::{
        Desk,
        complaint::Complaint,
        exit::Exit,
        screen::{Format, columns},
    },
    evidence::{key::PublicKey, statement::Role},
};

/// Make the ledger's keys where they are missing, and show their public halves. With --rotate: a new one in place of another.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  lifeboat evidence keygen
  lifeboat evidence keygen --rotate record
  lifeboat evidence keygen -o json

Keys are files of mode 0600 in keys/ of the data folder, unless LIFEBOAT_LEDGER_KEY,
LIFEBOAT_RECORD_KEY or LIFEBOAT_DATA_KEY says otherwise. A rotation is an entry, signed with the old
key, that names the new one. The data key is not rotated: entries are not sealed anew.")]
pub(super) struct Args {
    /// Make a new key for this, and retire the old one.
    #[arg(long, value_enum, value_name = "KEY")]
    rotate: Option<Rotated>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Rotated {
    /// What signs checkpoints.
    Ledger,
    /// What signs entries.
    Record,
}

pub(super) fn run(args: &Args, desk: &Desk) -> Result<Exit, Complaint> {
    let app = desk.app()?;
    let made = app.make_keys()?;
    for file in &made {
        desk.screen.remark(format_args!("made {}; keep a copy of it in another place", file.display()));
    }
    match args.rotate {
        Some(Rotated::Ledger) => app.rotate(Role::Ledger)?,
        Some(Rotated::Record) => app.rotate(Role::Record)?,
        None => {}
    }
    let keys = app.public_keys()?;
    match desk.screen.format {
        Format::Json => {
            let key = |(kind, key): &(crate::app::KeyKind, PublicKey)| json!({ "key": kind.as_str(), "id": key.id(), "algorithm": key.algorithm(), "pem": key.pem() });
            desk.screen.json(
                &json!({ "made": made, "keys": keys.iter().map(key).collect::<Vec<_>>(), "note": app.note_key()? }),
            );
        }
        Format::Text => {
            let rows: Vec<_> =
                keys.iter().map(|(kind, key)| vec![format!("{} key", kind.as_str()), key.id()]).collect();
            desk.screen.text(&columns(&rows));
            desk.screen.line(format_args!("note key    {}", app.note_key()?));
        }
    }
    Ok(Exit::Success)
}
