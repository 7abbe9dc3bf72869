//! `lifeboat evidence export`.

use std::path::{Path, PathBuf};

use serde_json::json;

use crate::{
    app::App,
    cli::{Desk, complaint::Complaint, exit::Exit, screen::Format},
    model::RunId,
};

/// Export the evidence of a run, or the whole ledger in clear, with everything that stock tools need to check it without this program.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  lifeboat evidence export orders-17 ./orders-17
  lifeboat evidence export orders-17 ./orders-17 -o json
  lifeboat evidence export orders-17 --seal-to auditor.pem --out orders-17.tar.p7m
  openssl cms -decrypt -inform DER -in orders-17.tar.p7m -inkey auditor.key -out orders-17.tar
  lifeboat evidence export --log ./ledger-in-clear

The folder is new or empty. Its VERIFY.md has the commands: openssl, Python with `cryptography`,
Go with `golang.org/x/mod`.

With --seal-to it is one file, a tar in a CMS message (AES-256-GCM) that only the holders of the
keys open: RSA of 2048 bits and more, EC P-256 or P-384. With several, each opens it alone.
Whether a certificate is still good is not looked at.

With --log it is the ledger as C2SP tlog-tiles: checkpoint, tiles, entries and blobs, in
PLAINTEXT; its files can be read by their owner alone (mode 0600).")]
pub(super) struct Args {
    /// The run; it is closed.
    #[arg(value_name = "RUN", required_unless_present = "log", conflicts_with = "log")]
    run: Option<RunId>,
    /// Where to.
    #[arg(value_name = "DIR", required_unless_present_any = ["log", "seal_to"], conflicts_with_all = ["log", "seal_to"])]
    to: Option<PathBuf>,
    /// Seal it to this certificate, a PEM file; may be given several times.
    #[arg(long, value_name = "CERT", conflicts_with = "log")]
    seal_to: Vec<PathBuf>,
    /// The file that is sealed; it is new. Default: RUN.tar.p7m.
    #[arg(long, value_name = "FILE", requires = "seal_to")]
    out: Option<PathBuf>,
    /// Export the whole ledger in clear, into this folder.
    #[arg(long, value_name = "DIR")]
    log: Option<PathBuf>,
}

pub(super) fn run(args: &Args, desk: &Desk) -> Result<Exit, Complaint> {
    let app = desk.app()?;
    let (files, to) = match (&args.run, &args.to, &args.log) {
        (Some(run), None, None) => return sealed(args, run, &app, desk),
        (Some(run), Some(to), None) => (app.export(run, to)?, to),
        (_, _, Some(to)) => {
            let files = app.export_log(to)?;
            desk.screen.warn(format_args!("{} holds the whole ledger in clear; keep it from others", to.display()));
            (files, to)
        }
        // What was typed has either.
        (None, _, None) => return Ok(Exit::Usage),
    };
    match desk.screen.format {
        Format::Json => desk.screen.json(&json!({ "folder": to, "files": files })),
        Format::Text => {
            desk.screen.line(format_args!(
                "{} files in {}; VERIFY.md says how to check them",
                files.len(),
                to.display()
            ));
        }
    }
    Ok(Exit::Success)
}

fn sealed(args: &Args, run: &RunId, app: &App, desk: &Desk) -> Result<Exit, Complaint> {
    let default = PathBuf::from(format!("{run}.tar.p7m"));
    let out: &Path = args.out.as_deref().unwrap_or(&default);
    let sealed = app.export_sealed(run, &args.seal_to, out)?;
    match desk.screen.format {
        Format::Json => desk.screen.json(&json!({
            "file": sealed.file, "files": sealed.files, "recipients": sealed.recipients,
        })),
        Format::Text => {
            desk.screen.line(format_args!("{} files are sealed in {}", sealed.files, sealed.file.display()));
            for recipient in &sealed.recipients {
                desk.screen.line(format_args!("  for {recipient}"));
            }
        }
    }
    Ok(Exit::Success)
}
