//! `lifeboat witness`.

use std::{net::SocketAddr, path::PathBuf, sync::Arc};

use serde_json::json;
use tokio::net::TcpListener;

use super::{Desk, begin, complaint::Complaint, exit::Exit, screen::Format};
use crate::{
    app::{Witness, identity},
    evidence::note::Verifier,
};

/// Be a witness for other people's ledgers: cosign a checkpoint only when the ledger has grown from the last one.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  lifeboat evidence keygen                     on the machine with the ledger: its key, NAME+ID+KEY
  lifeboat witness --listen 10.9.0.1:9465 --state ./witness --log 'fra/ledger+d6a6a4e5+AdhvUcC3…'
                                               on another machine, under other hands

It needs no documents, no store and no ledger. Its own key is made in the folder when it is
missing, and printed: put it into the EvidenceAnchor of whoever uses this witness. It speaks
C2SP tlog-witness (POST /add-checkpoint) without TLS: what passes is signed, and public.

An older copy of its folder, put back, takes back what it promised.

Exit codes:
  0    it was ended
  1    it cannot listen, or its folder cannot be written
  2    a key of --log is none
  4    another process is the witness in this folder, or its key cannot be used
  130  interrupted before it listened")]
pub(super) struct Args {
    /// Answer at this address; port 0 takes any that is free, which is printed.
    #[arg(long, value_name = "IP:PORT")]
    listen: SocketAddr,
    /// Folder that remembers what was cosigned; made when it is missing.
    #[arg(long, value_name = "DIR")]
    state: PathBuf,
    /// The key of a ledger, NAME+ID+KEY; may be given several times, also for the keys of one ledger that passed on its key.
    #[arg(long, value_name = "KEY", required = true, value_parser = key)]
    log: Vec<Verifier>,
    /// The witness's name in its cosignatures, which belongs to its key; default: HOST/witness.
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
}

fn key(text: &str) -> Result<Verifier, String> {
    text.parse().map_err(|error: crate::evidence::note::BadNote| error.to_string())
}

pub(super) async fn run(args: Args, desk: &Desk) -> Result<Exit, Complaint> {
    let name = args.name.unwrap_or_else(|| format!("{}/witness", identity::host().replace([' ', '+'], "-")));
    let witness = Arc::new(Witness::open(&args.state, &name, args.log)?);
    let (supervision, _) = begin::listen(desk)?;
    let at = args.listen;
    let listener = TcpListener::bind(at).await.map_err(Complaint::machine(format!("listen on {at}")))?;
    let at = listener.local_addr().map_err(Complaint::machine(format!("listen on {at}")))?;
    match desk.screen.format {
        Format::Json => desk.screen.json(&json!({
            "listen": at.to_string(),
            "key": witness.key().to_string(),
            "logs": witness.seen().iter().map(|(origin, size)| json!({ "origin": origin, "size": size })).collect::<Vec<_>>(),
        })),
        Format::Text => {
            desk.screen.line(format_args!("witness at http://{at}, with the key"));
            desk.screen.line(format_args!("  {}", witness.key()));
            for (origin, size) in witness.seen() {
                let seen = size.map_or_else(|| "nothing yet".into(), |size| format!("{size} entries"));
                desk.screen.line(format_args!("  {origin}: {seen}"));
            }
        }
    }
    let shutdown = Box::pin(async move { supervision.asked().await });
    (desk.witnessing)(listener, witness, shutdown).await.map_err(Complaint::machine(format!("serve on {at}")))?;
    Ok(Exit::Success)
}
