//! `lifeboat evidence verify`.

use std::path::PathBuf;

use serde_json::json;

use crate::{
    app::{Checked, documents},
    cli::{
        Desk,
        complaint::Complaint,
        exit::Exit,
        screen::{Format, Screen, Tone, tint},
    },
    evidence::{audit::Flaw, key::hex},
};

/// Verify the whole ledger, offline: signatures, tree, tiles, frames, entries, records, rotations, and that no run is missing.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  lifeboat evidence verify
  lifeboat evidence verify -o json
  lifeboat evidence verify --ask               also what witnesses and buckets have
  lifeboat evidence verify --trust ./keys-from-the-auditor

Exit codes:
  0  it is as it was written
  1  it is not: every flaw is listed with its place
  2  there is no ledger, or a key of --trust cannot be read
  4  a key cannot be used
  5  the ledger cannot be read, or another process writes to it

Receipts of anchors are verified, too: cosignatures with the keys in the documents, imprints of time
stamps. What it cannot see without --ask: an older copy of the whole folder, ledger.seen included,
and what a person with the keys wrote anew. With it, the anchors of the documents (kind
EvidenceAnchor) are asked. A witness says whether it has seen more, or something else. A bucket
under Object Lock is read as a whole, and nothing is changed there: every object is compared byte
for byte, its lock is checked, and delete markers and newer versions that hide it are named.")]
pub(super) struct Args {
    /// Folder with the public keys to trust: ledger.pub and record.pub; default: those of the keys that are set.
    #[arg(long, value_name = "DIR")]
    trust: Option<PathBuf>,
    /// Ask the witnesses and read the buckets of the documents, too: it is not offline then.
    #[arg(long)]
    ask: bool,
}

pub(super) async fn run(args: Args, desk: &Desk) -> Result<Exit, Complaint> {
    let app = desk.app()?;
    let papers = match documents::read(&app.settings) {
        Ok(papers) => Some(papers),
        // Whoever only verifies may have no documents.
        Err(_) if !args.ask => None,
        Err(error) => return Err(error.into()),
    };
    let mut checked = app.verify_ledger(args.trust.as_deref(), papers.as_ref()).await?;
    if let (true, Some(papers)) = (args.ask, &papers) {
        app.ask_anchors(papers, &mut checked).await?;
    }
    let exit = if checked.flaws.is_empty() { Exit::Success } else { Exit::Failure };
    match desk.screen.format {
        Format::Json => desk.screen.json(&json!({
            "origin": checked.origin,
            "size": checked.checkpoint.as_ref().map(|checkpoint| checkpoint.size),
            "root": checked.checkpoint.as_ref().map(|checkpoint| hex(&checkpoint.root)),
            "entries": checked.audited.entries,
            "runs": checked.audited.runs,
            "open": checked.audited.open,
            "late": checked.audited.late,
            "records": checked.audited.records(),
            "signatures": checked.audited.signed.len(),
            "files": checked.files,
            "receipts": checked.receipts.hold,
            "remembered": checked.receipts.remembered,
            "verified": checked.flaws.is_empty(),
            "flaws": checked.flaws,
            "remarks": checked.remarks,
            "exit": exit.code(),
        })),
        Format::Text => people(&desk.screen, &checked),
    }
    Ok(exit)
}

fn people(screen: &Screen, checked: &Checked) {
    let audited = &checked.audited;
    let (tone, word) = if checked.flaws.is_empty() { (Tone::Good, "verified") } else { (Tone::Bad, "NOT VERIFIED") };
    screen.line(format_args!("{}  {}", tint(Tone::Bold, &checked.origin), tint(tone, word)));
    if let Some(checkpoint) = &checked.checkpoint {
        screen.line(format_args!("  checkpoint  {} entries, root {}", checkpoint.size, hex(&checkpoint.root)));
    }
    screen.line(format_args!(
        "  entries     {} read, {} made up for; {} runs, {} records, {} signatures of persons, {} files, {} receipts",
        audited.entries,
        audited.late,
        audited.runs,
        audited.records(),
        audited.signed.len(),
        checked.files,
        checked.receipts.hold
    ));
    for run in &audited.open {
        screen.line(format_args!("  open        {run}"));
    }
    let said = |tone: Tone, word: &str, flaw: &Flaw| {
        screen.line(format_args!("  {} {}: {}", tint(tone, word), flaw.place, flaw.what));
    };
    checked.flaws.iter().for_each(|flaw| said(Tone::Bad, "flaw  ", flaw));
    checked.remarks.iter().for_each(|remark| said(Tone::Warn, "note  ", remark));
}
