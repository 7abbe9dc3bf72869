//! `lifeboat evidence receipts`.

use std::{fs, path::PathBuf};

use serde_json::json;

use crate::{
    cli::{Desk, complaint::Complaint, exit::Exit, screen::Format},
    evidence::receipt::{TIMESTAMP, WITNESS, WORM, checkpoint},
};

/// Write what anchors gave in return as files that other tools verify: cosigned checkpoints, time stamps.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  lifeboat evidence receipts ./receipts
  openssl ts -verify -data clock-17.checkpoint -in clock-17.tsr -CAfile tsa-ca.pem

Of each anchor and each size there are two files: NAME-SIZE.checkpoint, the text that was anchored
(origin, size, root), and NAME-SIZE.cosigned, a signed note with the lines of the ledger and of the
witness, or NAME-SIZE.tsr, an RFC 3161 response, or NAME-SIZE.worm.json, which says where the signed
checkpoint is in a bucket: bucket, key, version and until when it is locked.

Exit codes:
  0  they are written
  1  a file cannot be written
  2  there is no ledger
  4  a key cannot be used, or the ledger is damaged")]
pub(super) struct Args {
    /// Where to; made when it is missing.
    #[arg(value_name = "DIR")]
    folder: PathBuf,
}

pub(super) fn run(args: &Args, desk: &Desk) -> Result<Exit, Complaint> {
    let app = desk.app()?;
    let origin = app.origin();
    let mut written = Vec::new();
    let at = |path: &PathBuf| Complaint::machine(format!("write {}", path.display()));
    fs::create_dir_all(&args.folder).map_err(at(&args.folder))?;
    for (index, anchored, bytes) in app.receipts()? {
        let Some(text) = checkpoint(&origin, &anchored) else { continue };
        let end = match anchored.how.as_str() {
            WITNESS => "cosigned",
            TIMESTAMP => "tsr",
            WORM => "worm.json",
            _ => "receipt",
        };
        let base = format!("{}-{}", anchored.anchor, anchored.size);
        for (end, content) in [("checkpoint", text.to_string().into_bytes()), (end, bytes)] {
            let path = args.folder.join(format!("{base}.{end}"));
            fs::write(&path, content).map_err(at(&path))?;
        }
        written.push(json!({ "entry": index, "anchor": anchored.anchor, "how": anchored.how, "size": anchored.size,
            "checkpoint": format!("{base}.checkpoint"), "receipt": format!("{base}.{end}"), "key": anchored.key }));
    }
    match desk.screen.format {
        Format::Json => desk.screen.json(&json!({ "folder": args.folder, "receipts": written })),
        Format::Text => {
            desk.screen.line(format_args!("{} receipts are in {}", written.len(), args.folder.display()));
        }
    }
    Ok(Exit::Success)
}
