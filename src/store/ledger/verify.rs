//! Verifying everything, offline: every file against every other, and all flaws at once.
//!
//! What passes was signed with the trusted keys, in this order, and was not changed since. What cannot be seen from here: an older
//! copy of *everything*, the mark beside it included. Only an anchor that has seen a later checkpoint sees that, when it is asked.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use super::{
    CHECKPOINT, HEAD, MARK, blob_path, digest_of,
    disk::Disk,
    failed,
    frame::DataKey,
    head::Head,
    receipts::{self, Receipts},
    sweep::{self, Bundle},
};
use crate::{
    evidence::{
        Record,
        audit::{Audit, Audited, Flaw},
        checkpoint::Checkpoint,
        cosignature::Cosigner,
        key::{PublicKey, hex},
        later::PolicyChanged,
        note::{Note, Verifier},
        signed::Signed,
        tile::{self, WIDE, WIDTH},
        tree::{self, Hash},
    },
    port::LedgerError,
};

/// The keys that the ledger must end with: the verifier got them another way.
#[derive(Debug, Clone)]
pub struct Trusted {
    /// Signs checkpoints.
    pub ledger: PublicKey,
    /// Signs entries.
    pub record: PublicKey,
    /// Opens frames.
    pub data: [u8; 32],
    /// The keys of witnesses, each with its anchor's name. Receipts of others are checked against what the entries say.
    pub witnesses: Vec<(String, Cosigner)>,
}

/// What was found.
#[derive(Debug)]
pub struct Checked {
    /// The ledger's name.
    pub origin: String,
    /// What its checkpoint says; `None`: there is none that can be read.
    pub checkpoint: Option<Checkpoint>,
    /// What its entries say.
    pub audited: Audited,
    /// Files that were compared.
    pub files: u64,
    /// What anchors gave in return.
    pub receipts: Receipts,
    /// What is wrong. None: it is as it was written.
    pub flaws: Vec<Flaw>,
    /// What is worth knowing and not wrong.
    pub remarks: Vec<Flaw>,
}

/// One pass over a ledger.
pub(super) struct Pass<'a> {
    disk: &'a dyn Disk,
    /// Files that were looked at.
    seen: BTreeSet<String>,
    flaws: Vec<Flaw>,
    pub(super) remarks: Vec<Flaw>,
}

impl Pass<'_> {
    pub(super) fn flaw(&mut self, place: impl Into<String>, what: impl Into<String>) {
        self.flaws.push(Flaw::new(place, what));
    }

    pub(super) fn read(&mut self, path: &str) -> Result<Option<Vec<u8>>, LedgerError> {
        self.seen.insert(path.to_owned());
        self.disk.read(path).map_err(failed(format!("read {path} of the ledger {}", self.disk.place())))
    }

    /// A file that must be there.
    fn expect(&mut self, path: &str) -> Result<Option<Vec<u8>>, LedgerError> {
        let read = self.read(path)?;
        if read.is_none() {
            self.flaw(path, "it is missing");
        }
        Ok(read)
    }
}

/// Verifies the ledger in `disk`, with the mark in `beside`. Waits for nobody: a ledger that is written to meanwhile is asked for
/// again by the caller, on `Busy`.
pub fn verify(disk: &dyn Disk, beside: Option<&dyn Disk>, trusted: &Trusted) -> Result<Checked, LedgerError> {
    let place = disk.place();
    let locked = disk.lock(false).map_err(failed(format!("lock the ledger {place}")))?;
    let _lock = locked.ok_or(LedgerError::Busy { place: place.clone(), waited: Duration::ZERO })?;
    let listed = disk.list().map_err(failed(format!("list the files of the ledger {place}")))?;
    if listed.iter().all(|(path, _)| path == "lock") {
        return Err(LedgerError::None { place });
    }
    let mut pass = Pass { disk, seen: BTreeSet::new(), flaws: Vec::new(), remarks: Vec::new() };
    let head = match pass.expect(HEAD)? {
        Some(bytes) => Head::read(&bytes).map_err(|what| pass.flaw(HEAD, what)).ok(),
        None => None,
    };
    let note = pass.expect(CHECKPOINT)?;
    let said = note.as_ref().and_then(|bytes| said(&mut pass, CHECKPOINT, bytes));
    let origin = head.as_ref().map(|head| head.origin.clone()).unwrap_or_default();
    let mut audit = Audit::of(&origin);
    let (mut leaves, mut receipts) = (Vec::new(), Receipts::default());
    if let (Some(head), Some(said)) = (&head, &said) {
        let key = DataKey::new(trusted.data, head.id);
        leaves = entries(&mut pass, &key, said.size, &mut audit, &trusted.record)?;
        tiles(&mut pass, &leaves, said)?;
    }
    let mut audited = audit.end();
    if let (Some(head), Some(note)) = (&head, &note) {
        signatures(&mut pass, &head.origin, note, &audited, trusted);
        let key = DataKey::new(trusted.data, head.id);
        let of_runs = blobs(&mut pass, &key, &audited)?;
        audited.signed.extend(of_runs);
        policies(&mut pass, &key, &audited)?;
        receipts = receipts::check(&mut pass, &key, &leaves, &audited, (&head.origin, trusted))?;
    }
    if let Some(said) = &said {
        mark(&mut pass, beside, said, &leaves, &audited)?;
    }
    rest(&mut pass, &listed)?;
    pass.flaws.append(&mut audited.flaws);
    let files = pass.seen.len() as u64;
    let (flaws, remarks) = (pass.flaws, pass.remarks);
    let mut checked = Checked { origin, checkpoint: said, audited, files, receipts, flaws, remarks };
    if checked.checkpoint.is_some() {
        receipts::outside(&mut checked, MARK);
    }
    Ok(checked)
}

fn said(pass: &mut Pass<'_>, path: &str, bytes: &[u8]) -> Option<Checkpoint> {
    let note = Note::parse(bytes).map_err(|error| pass.flaw(path, error.to_string())).ok()?;
    Checkpoint::read(&note).map_err(|error| pass.flaw(path, error.to_string())).ok()
}

/// Opens every frame, and gives the hashes of the entries. Files are read in order, and their frames are opened by all processors.
fn entries(
    pass: &mut Pass<'_>,
    key: &DataKey,
    size: u64,
    audit: &mut Audit,
    trusted: &PublicKey,
) -> Result<Vec<Hash>, LedgerError> {
    let (mut leaves, hands) = (Vec::new(), sweep::hands());
    let (mut next, last) = (0, size.div_ceil(WIDTH));
    while next < last {
        let mut read = Vec::new();
        while next < last && read.len() < hands * sweep::SHARE {
            let path = tile::bundle(next);
            let Some(bytes) = pass.expect(&path)? else {
                // Without it nobody knows what follows.
                next = last;
                break;
            };
            read.push(Bundle { path, entries: next * WIDTH..size.min((next + 1) * WIDTH), bytes });
            next += 1;
        }
        // Before the first entry was read, the key that the verifier trusts is as good a guess as any.
        let guess = Arc::new(audit.record_key().unwrap_or(trusted).clone());
        for (bundle, swept) in read.iter().zip(sweep::all(&read, key, &guess, hands)) {
            for (leaf, entry) in swept.entries {
                leaves.push(leaf);
                audit.prepared(entry);
            }
            match swept.end {
                Ok(0) => {}
                Ok(left) => {
                    let what = format!(
                        "{left} bytes after the last entry of the checkpoint: a crash left them, or they are being written"
                    );
                    pass.remarks.push(Flaw::new(&bundle.path, what));
                }
                Err((index, error)) => {
                    pass.flaw(&bundle.path, format!("entry {index}: {error}"));
                    return Ok(leaves);
                }
            }
        }
    }
    Ok(leaves)
}

/// Computes every tile from the leaves, and the root by the definition of the tree.
fn tiles(pass: &mut Pass<'_>, leaves: &[Hash], said: &Checkpoint) -> Result<(), LedgerError> {
    if leaves.len() as u64 == said.size && tree::over(leaves) != said.root {
        pass.flaw(CHECKPOINT, "its root is not the one over the entries");
    }
    let (mut level, mut hashes) = (0, leaves.to_vec());
    while !hashes.is_empty() {
        for (index, content) in (0..).zip(hashes.chunks(WIDE)) {
            let path = tile::Place { level, index, width: content.len() as u64 }.to_string();
            // Where entries are missing, a tile has another width than its file; the missing entries are the flaw.
            let Some(bytes) = pass.expect(&path)? else { continue };
            if bytes != content.concat() {
                pass.flaw(path, "it does not hold the hashes of the entries");
            }
        }
        hashes = hashes.chunks_exact(WIDE).map(tree::over).collect();
        level += 1;
    }
    Ok(())
}

/// The last keys that entries name are the trusted ones, and the checkpoint is signed with the last.
fn signatures(pass: &mut Pass<'_>, origin: &str, note: &[u8], audited: &Audited, trusted: &Trusted) {
    match &audited.record {
        Some(key) if *key != trusted.record => {
            let what =
                format!("they end with the record key {}, and the trusted one is {}", key.id(), trusted.record.id());
            pass.flaw("entries", what);
        }
        Some(_) | None => {}
    }
    let Ok(own) = Verifier::new(origin, &trusted.ledger) else {
        return pass.flaw(CHECKPOINT, "the trusted ledger key is no Ed25519 key, or the origin no name of a key");
    };
    if audited.ledger.last().is_some_and(|last| *last != own) {
        pass.flaw("entries", format!("they do not end with the trusted ledger key {own}"));
    }
    if let Err(error) = Checkpoint::verified(note, &own, &audited.ledger) {
        pass.flaw(CHECKPOINT, error.to_string());
    }
}

/// Every blob that an entry names is there and is what the entry says. Gives what persons signed in the records.
fn blobs(pass: &mut Pass<'_>, key: &DataKey, audited: &Audited) -> Result<Vec<Signed>, LedgerError> {
    let mut signed = Vec::new();
    for (sha256, (length, run)) in &audited.blobs {
        let path = blob_path(sha256);
        let Some(bytes) = pass.expect(&path)? else { continue };
        let Some(digest) = digest_of(sha256) else {
            pass.flaw(path, "an entry names it by no digest");
            continue;
        };
        match key.open_blob(&bytes, &digest) {
            Err(error) => pass.flaw(path, error.to_string()),
            Ok(blob) if tree::sha256(&blob) != digest || blob.len() as u64 != *length => {
                pass.flaw(path, "it is not what the entry says");
            }
            Ok(blob) => {
                let Some(run) = run else { continue };
                let of = serde_json::from_slice::<serde_json::Value>(&blob).ok();
                let of = of.as_ref().and_then(|record| record.get("run")).and_then(serde_json::Value::as_str);
                if of != Some(run.to_string().as_str()) {
                    pass.flaw(path, format!("it is not the record of run {run}"));
                    continue;
                }
                // A record of a newer program may not be readable here; its orders are signed all the same.
                match serde_json::from_slice::<Record>(&blob).map(|record| Signed::of_record(&record)) {
                    Ok(Ok(of_run)) => signed.extend(of_run),
                    Ok(Err(what)) => pass.flaw(path, what),
                    Err(_) => pass
                        .remarks
                        .push(Flaw::new(path, "this program cannot read it, so signatures in it are not verified")),
                }
            }
        }
    }
    Ok(signed)
}

/// Each drill policy asks as much as its entry says. One that is missing or was changed is a flaw already.
fn policies(pass: &mut Pass<'_>, key: &DataKey, audited: &Audited) -> Result<(), LedgerError> {
    for (index, changed) in &audited.policies {
        let (path, digest) = (blob_path(&changed.policy.sha256), digest_of(&changed.policy.sha256));
        let (Some(bytes), Some(digest)) = (pass.read(&path)?, digest) else { continue };
        let Ok(text) = key.open_blob(&bytes, &digest) else { continue };
        let Ok(asked) = PolicyChanged::read(&text) else {
            let what = "this program cannot read the drill policy, so no day is judged by it";
            pass.remarks.push(Flaw::new(format!("entry {index}"), what));
            continue;
        };
        let found: u64 = asked.iter().map(|one| one.requirements.len() as u64).sum();
        if found != changed.requirements {
            let what = format!("it says {} requirements, and its policy makes {found}", changed.requirements);
            pass.flaw(format!("entry {index}"), what);
        }
    }
    Ok(())
}

/// The mark is a checkpoint of this ledger, and this ledger has grown from it.
fn mark(
    pass: &mut Pass<'_>,
    beside: Option<&dyn Disk>,
    said: &Checkpoint,
    leaves: &[Hash],
    audited: &Audited,
) -> Result<(), LedgerError> {
    let bytes = match beside {
        Some(beside) => beside.read(MARK).map_err(failed(format!("read {MARK} beside the ledger")))?,
        None => None,
    };
    let Some(bytes) = bytes else {
        pass.remarks.push(Flaw::new(MARK, "it is not there, so what this machine has seen before is not known"));
        return Ok(());
    };
    let Some(seen) = self::said(pass, MARK, &bytes) else { return Ok(()) };
    let signed = audited.ledger.iter().any(|key| Checkpoint::verified(&bytes, key, &audited.ledger).is_ok());
    if !signed {
        pass.flaw(MARK, "it is not signed with a key of this ledger");
    } else if seen.size > said.size {
        pass.flaw(
            MARK,
            format!("this machine has seen {} entries, and the checkpoint is over {}", seen.size, said.size),
        );
    } else if let Some(then) = usize::try_from(seen.size).ok().and_then(|size| leaves.get(..size))
        && tree::over(then) != seen.root
    {
        pass.flaw(MARK, format!("the first {} entries are not those that this machine has seen", seen.size));
    }
    Ok(())
}

/// Files that nothing names.
fn rest(pass: &mut Pass<'_>, listed: &[(String, u64)]) -> Result<(), LedgerError> {
    for (path, _) in listed {
        if path == "lock" || pass.seen.contains(path) {
            continue;
        }
        let Some(name) = path.strip_prefix("recovered/") else {
            pass.remarks.push(Flaw::new(path, "nothing names it: a crash left it, or it was put there"));
            continue;
        };
        let bytes = pass.read(path)?.unwrap_or_default();
        if name.split_once('-').is_none_or(|(sha256, _)| sha256 != hex(&tree::sha256(&bytes))) {
            pass.flaw(path, "it is not what its name says");
        }
    }
    Ok(())
}
