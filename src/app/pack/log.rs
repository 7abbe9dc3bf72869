//! The whole ledger in clear, in the form that C2SP tlog-tiles says, so that tools which are not ours read it.
//!
//! The folder is new or empty. The checkpoint is written last: a crash in the middle leaves a folder without one, which is no log.

use std::path::{Path, PathBuf};

use super::{empty, sums};
use crate::{
    app::{App, AppError, bookkeeping::ledger},
    evidence::{
        checkpoint::Checkpoint,
        key::{PublicKey, hex},
        note::{Note, Verifier},
        statement::{self, Role, What},
        tile,
    },
    port::Ledger as _,
};

const LOG: &str = include_str!("LOG.md");

/// Files by their names.
type Files = Vec<(String, Vec<u8>)>;

impl App {
    /// Writes the whole ledger in clear into `to`, and says which files.
    pub fn export_log(&self, to: &Path) -> Result<Vec<PathBuf>, AppError> {
        empty(to)?;
        let books = self.bookshelf()?;
        let (note, entries) = self.raw_head()?;
        let text = String::from_utf8_lossy(&note).into_owned();
        let said = Note::parse(&note).ok().and_then(|note| Checkpoint::read(&note).ok());
        // It was read and verified a moment ago.
        let said = said.ok_or_else(|| AppError::Missing {
            what: "the ledger's checkpoint cannot be read".into(),
            remedy: "`lifeboat evidence verify` says all that is wrong".into(),
        })?;
        let mut files = tile::files(&entries);
        for sha256 in blobs(&entries) {
            let blob = books.files.blob(&sha256).map_err(ledger)?.ok_or_else(|| AppError::Missing {
                what: format!("blob {sha256}, which an entry names, is missing"),
                remedy: "`lifeboat evidence verify` says all that is wrong".into(),
            })?;
            files.push((format!("blobs/sha256/{sha256}"), blob));
        }
        files.extend(keys(&said, &entries, self.ledger_keys()?.ledger.public()));
        let readme = LOG.replace("{ORIGIN}", &said.origin).replace("{SIZE}", &said.size.to_string());
        let readme = readme.replace("{LEDGER_KEY}", &self.ledger_keys()?.ledger.public().id());
        files.push(("VERIFY.md".into(), readme.replace("{ROOT}", &hex(&said.root)).into_bytes()));
        files.sort_unstable();
        files.push(("SHA256SUMS".into(), sums(&files).into_bytes()));
        files.push(("checkpoint".into(), text.into_bytes()));
        super::put_all(to, &files, 0o600)
    }
}

/// What entries keep beside them.
fn blobs(entries: &[Vec<u8>]) -> std::collections::BTreeSet<String> {
    let named = |entry: &Vec<u8>| Some(statement::read(entry).ok()?.1.predicate.what.blob()?.sha256.clone());
    entries.iter().filter_map(named).collect()
}

/// The ledger's key as it is set, and every key that signed entries, by the number of the entry that named it.
fn keys(said: &Checkpoint, entries: &[Vec<u8>], ledger: &PublicKey) -> Files {
    let mut files = vec![("keys/ledger.pub".to_owned(), ledger.pem().into_bytes())];
    let verifier = Verifier::new(&said.origin, ledger).ok();
    files.extend(verifier.map(|verifier| ("keys/ledger.vkey".to_owned(), format!("{verifier}\n").into_bytes())));
    for (index, entry) in entries.iter().enumerate() {
        let Ok((_, statement)) = statement::read(entry) else { continue };
        let (What::LedgerOpened { record_key: named, .. } | What::KeyAdded { role: Role::Record, key: named, .. }) =
            statement.predicate.what
        else {
            continue;
        };
        files.extend(named.key().ok().map(|key| (format!("keys/record-{index}.pub"), key.pem().into_bytes())));
    }
    files
}
