//! What an auditor carries away: the evidence of one run, and how to check it with tools that are not ours.
//!
//! The folder is new or empty, and nothing outside it is touched. A crash in the middle leaves a folder without `SHA256SUMS`.

mod log;
mod sealed;

use std::{
    fs,
    path::{Path, PathBuf},
};

pub use sealed::SealedPack;

use super::{
    App, AppError,
    bookkeeping::ledger,
    keys::{machine, put},
    persons::second,
};
use crate::{
    evidence::{
        Record,
        bundle::{Proof, sigstore},
        checkpoint::Checkpoint,
        envelope::Envelope,
        key::{Algorithm, PublicKey, hex},
        note::{Note, Verifier},
        signed::Signed,
        statement::{self, Blob, Role, What},
        tree,
    },
    model::RunId,
    port::Ledger as _,
};

const VERIFY: &str = include_str!("VERIFY.md");

/// The entry that closes the run, with what is needed to check it.
struct Closed {
    index: u64,
    envelope: Envelope,
    record: Option<Blob>,
    /// What signed it.
    key: PublicKey,
}

/// What persons signed.
struct PersonsOf {
    signed: Vec<Signed>,
    /// Whose key is whose.
    allowed: Option<Vec<u8>>,
}

impl PersonsOf {
    /// Each signature with its text, and whose key is whose.
    fn files(&self) -> Vec<(String, Vec<u8>)> {
        let mut files = Vec::new();
        for (number, one) in (1..).zip(&self.signed) {
            files.push((format!("persons/{number}.sig"), one.signature.signature.clone().into_bytes()));
            files.push((format!("persons/{number}.txt"), one.signature.text.clone().into_bytes()));
        }
        files.extend(self.allowed.clone().filter(|_| !files.is_empty()).map(|text| ("allowed_signers".into(), text)));
        files
    }

    /// The commands that check them: a person is an argument, and quoted like one.
    fn commands(&self) -> String {
        let command = |(number, one): (usize, &Signed)| {
            format!(
                "ssh-keygen -Y verify -f allowed_signers -I '{}' -n {} -O verify-time={} -s persons/{number}.sig < persons/{number}.txt",
                one.by.as_str().replace('\'', "'\\''"),
                one.purpose.namespace(),
                second(one.at)
            )
        };
        let commands: Vec<_> = (1..).zip(&self.signed).map(command).collect();
        if commands.is_empty() { "# No person signed anything about this run.".into() } else { commands.join("\n") }
    }
}

/// Finds the entry that closes the run, and the key that signed entries then.
fn closing(entries: &[Vec<u8>], run: &RunId) -> Option<Closed> {
    let mut key = None;
    for (index, entry) in (0..).zip(entries) {
        let (envelope, statement) = statement::read(entry).ok()?;
        match statement.predicate.what {
            What::RunClosed { run: closed, record, .. } if closed == *run => {
                return Some(Closed { index, envelope, record, key: key? });
            }
            What::LedgerOpened { record_key: named, .. } | What::KeyAdded { role: Role::Record, key: named, .. } => {
                key = named.key().ok();
            }
            _ => {}
        }
    }
    None
}

impl App {
    /// Writes the evidence of a closed run into `to`, and says which files.
    pub fn export(&self, run: &RunId, to: &Path) -> Result<Vec<PathBuf>, AppError> {
        empty(to)?;
        put_all(to, &self.packed(run)?, 0o644)
    }

    /// The files of a pack, their sums at last.
    fn packed(&self, run: &RunId) -> Result<Vec<(String, Vec<u8>)>, AppError> {
        let file = self.settings.ledger_folder().join("checkpoint");
        let checkpoint = fs::read_to_string(&file).map_err(machine(format!("read {}", file.display())))?;
        let books = self.bookshelf()?;
        let entries = self.raw_entries()?;
        let missing = |what: String| AppError::Missing {
            what,
            remedy: format!(
                "`lifeboat run show {run}` shows how the run stands, `lifeboat evidence list` what is entered"
            ),
        };
        let found =
            closing(&entries, run).ok_or_else(|| missing(format!("no entry of the ledger closes run {run}")))?;
        let Some(record) = &found.record else {
            return Err(missing(format!("the entry that closes run {run} names no record")));
        };
        let blob = books.files.blob(&record.sha256).map_err(ledger)?;
        let blob = blob.ok_or_else(|| missing(format!("the record {} of run {run} is missing", record.sha256)))?;
        let persons = self.persons_of(run, &blob)?;
        let files = files(run, &checkpoint, &entries, &found, blob, &persons, self.ledger_keys()?.ledger.public());
        let mut files = files.ok_or_else(|| missing("the checkpoint of the ledger cannot be read".into()))?;
        files.push(("SHA256SUMS".into(), sums(&files).into_bytes()));
        Ok(files)
    }

    /// What persons signed about a run: orders in its record, and the last word of each who reviewed it.
    fn persons_of(&self, run: &RunId, record: &[u8]) -> Result<PersonsOf, AppError> {
        let mut signed = serde_json::from_slice::<Record>(record)
            .ok()
            .and_then(|record| Signed::of_record(&record).ok())
            .unwrap_or_default();
        let sign_offs = self.reviewed(run)?.sign_offs;
        signed.extend(sign_offs.iter().filter_map(|sign_off| Signed::of_sign_off(0, sign_off).ok()));
        // Without the file an auditor has it from somewhere else, and the commands say that it is missing.
        Ok(PersonsOf { signed, allowed: fs::read(&self.settings.persons.allowed).ok() })
    }
}

/// The files by their names, in order.
fn files(
    run: &RunId,
    checkpoint: &str,
    entries: &[Vec<u8>],
    found: &Closed,
    record: Vec<u8>,
    persons: &PersonsOf,
    ledger: &PublicKey,
) -> Option<Vec<(String, Vec<u8>)>> {
    let said = Checkpoint::read(&Note::parse(checkpoint.as_bytes()).ok()?).ok()?;
    let leaves: Vec<_> = entries.iter().map(|entry| tree::leaf(entry)).collect();
    let mut subtrees = |height: u32, index: u64| {
        let at = |index: u64| usize::try_from(index << height).map_err(|_| ());
        leaves.get(at(index)?..at(index + 1)?).map(tree::over).ok_or(())
    };
    let path = tree::inclusion(&mut subtrees, found.index, said.size).ok()?;
    let proof = Proof { index: found.index, path, checkpoint };
    let verifier = Verifier::new(&said.origin, ledger).ok()?;
    let entry = entries.get(usize::try_from(found.index).ok()?)?;
    let mut sigstore = serde_json::to_vec_pretty(&sigstore(&found.envelope)).ok()?;
    sigstore.push(b'\n');
    let openssl = match found.key.algorithm() {
        Algorithm::Ed25519 => {
            "pkeyutl -verify -pubin -inkey keys/record.pub -rawin -in \"$work/entry\" -sigfile \"$work/entry.sig\""
        }
        Algorithm::P256 => "dgst -sha256 -verify keys/record.pub -signature \"$work/entry.sig\" \"$work/entry\"",
    };
    let verify = VERIFY
        .replace("{RUN}", &run.to_string())
        .replace("{INDEX}", &found.index.to_string())
        .replace("{ORIGIN}", &said.origin)
        .replace("{SIZE}", &said.size.to_string())
        .replace("{RECORD_KEY}", &found.key.id())
        .replace("{LEDGER_KEY}", &ledger.id())
        .replace("{LEDGER_ID}", &hex(&verifier.id()))
        .replace("{PERSONS}", &persons.commands())
        .replace("{OPENSSL_RECORD}", openssl);
    let fixed = [
        ("VERIFY.md", verify.into_bytes()),
        ("checkpoint", checkpoint.as_bytes().to_vec()),
        ("keys/ledger.pub", ledger.pem().into_bytes()),
        ("keys/ledger.vkey", format!("{verifier}\n").into_bytes()),
        ("keys/record.pub", found.key.pem().into_bytes()),
        ("record.dsse.json", entry.clone()),
        ("record.json", record),
        ("record.sigstore.json", sigstore),
        ("record.tlog-proof", proof.to_string().into_bytes()),
    ];
    let fixed = fixed.into_iter().map(|(name, bytes)| (name.to_owned(), bytes));
    Some(fixed.chain(persons.files()).collect())
}

/// A folder that is new or empty.
fn empty(to: &Path) -> Result<(), AppError> {
    if fs::read_dir(to).is_ok_and(|mut inside| inside.next().is_some()) {
        return Err(AppError::Refused {
            what: format!("{} is not empty", to.display()),
            remedy: "name a folder that is not there yet".into(),
        });
    }
    Ok(())
}

/// As sha256sum writes them.
fn sums(files: &[(String, Vec<u8>)]) -> String {
    let sum = |(name, bytes): &(String, Vec<u8>)| [hex(&tree::sha256(bytes)).as_str(), "  ", name, "\n"].concat();
    files.iter().map(sum).collect()
}

/// Writes them in this order.
fn put_all(to: &Path, files: &[(String, Vec<u8>)], mode: u32) -> Result<Vec<PathBuf>, AppError> {
    let mut written = Vec::new();
    for (name, bytes) in files {
        let file = to.join(name);
        put(&file, bytes, mode).map_err(machine(format!("write {}", file.display())))?;
        written.push(file);
    }
    Ok(written)
}
