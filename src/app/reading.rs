//! The entries of the ledger as this process has read them: each is parsed once, and everything that asks takes the same.
//!
//! The ledger itself shows each entry when it is read or written (`store::ledger::Follow`), so that the next question costs nothing but what other processes
//! added since. A copy that somebody holds stays as it was.

use std::{
    collections::BTreeSet,
    fmt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use jiff::Timestamp;

use crate::{
    evidence::{
        key::PublicKey,
        statement::{Entry, Role, What},
        tree::Hash,
    },
    model::RunId,
    store::ledger::{Disk, Files, Folder, Follow, Fresh},
};

/// An entry of the ledger, read.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Entered {
    /// Its number, from 0.
    pub index: u64,
    /// The entry.
    #[serde(flatten)]
    pub entry: Entry,
}

/// All entries, parsed. Clones share them.
#[derive(Debug, Default, Clone)]
pub struct Reading {
    entries: Arc<Vec<Entered>>,
    leaves: Arc<Vec<Hash>>,
    book: Arc<Book>,
    unreadable: Option<(u64, String)>,
}

impl Reading {
    /// Those that can be read, in order.
    pub fn entries(&self) -> &[Entered] {
        &self.entries
    }

    /// The hash of each.
    pub fn leaves(&self) -> &[Hash] {
        &self.leaves
    }

    /// The first that cannot be read: its number, and why. It is for `verify` to say more.
    pub fn unreadable(&self) -> Option<&(u64, String)> {
        self.unreadable.as_ref()
    }

    /// What is entered already.
    pub(super) fn book(&self) -> &Book {
        &self.book
    }
}

impl Follow for Reading {
    fn entry(&mut self, fresh: Fresh) {
        Arc::make_mut(&mut self.leaves).push(fresh.leaf);
        match fresh.read {
            Ok((_, statement)) => {
                let entry = statement.predicate;
                Arc::make_mut(&mut self.book).add(&entry);
                Arc::make_mut(&mut self.entries).push(Entered { index: fresh.index, entry });
            }
            Err(error) => drop(self.unreadable.get_or_insert_with(|| (fresh.index, error.to_string()))),
        }
    }
}

/// What the entries say about what is entered already.
#[derive(Debug, Default, Clone)]
pub(super) struct Book {
    pub(super) opened: BTreeSet<RunId>,
    pub(super) closed: BTreeSet<RunId>,
    /// Actions that were closed, by number.
    pub(super) done: BTreeSet<u64>,
    /// The id of the key that signs entries now.
    pub(super) record: Option<String>,
    /// When the last entry was made.
    pub(super) last: Option<Timestamp>,
    /// SHA-256 of the drill policy that was entered last.
    pub(super) policy: Option<String>,
    /// The drafts of incident notices: two processes never make one version of the same.
    pub(super) drafts: BTreeSet<(RunId, u32)>,
}

impl Book {
    fn add(&mut self, entry: &Entry) {
        self.last = Some(entry.at);
        match &entry.what {
            What::RunOpened { run, .. } => drop(self.opened.insert(run.clone())),
            What::RunClosed { run, .. } => drop(self.closed.insert(run.clone())),
            What::LedgerOpened { record_key: key, .. } | What::KeyAdded { role: Role::Record, key, .. } => {
                self.record = Some(key.id.clone());
            }
            What::ActionClosed(closed) => drop(self.done.insert(closed.action)),
            What::PolicyChanged(changed) => self.policy = Some(changed.policy.sha256.clone()),
            What::IncidentDrafted(made) => drop(self.drafts.insert((made.run.clone(), made.version))),
            What::LedgerRecovered { .. }
            | What::KeyAdded { role: Role::Ledger, .. }
            | What::KeyRetired { .. }
            | What::SignedOff(_)
            | What::FindingRaised(_)
            | What::ActionOpened(_)
            | What::Waived(_)
            | What::AssuranceRecorded(_)
            | What::Anchored(_)
            | What::Heartbeat { .. }
            | What::Other => {}
        }
    }

    pub(super) fn has(&self, what: &What) -> bool {
        match what {
            What::RunOpened { run, .. } => self.opened.contains(run),
            What::RunClosed { run, .. } => self.closed.contains(run),
            // Closed twice is a flaw: the second of two processes that close it at once makes no entry.
            What::ActionClosed(closed) => self.done.contains(&closed.action),
            What::IncidentDrafted(made) => self.drafts.contains(&(made.run.clone(), made.version)),
            What::PolicyChanged(changed) => self.policy.as_ref() == Some(&changed.policy.sha256),
            What::LedgerOpened { .. }
            | What::LedgerRecovered { .. }
            | What::KeyAdded { .. }
            | What::KeyRetired { .. }
            | What::SignedOff(_)
            | What::FindingRaised(_)
            | What::ActionOpened(_)
            | What::Waived(_)
            | What::AssuranceRecorded(_)
            | What::Anchored(_)
            | What::Heartbeat { .. }
            | What::Other => false,
        }
    }
}

/// The ledger that this process has open: what was read of it stays read.
pub struct Shelf {
    opens: fn(&Path) -> Box<dyn Disk>,
    held: Mutex<Option<(PathBuf, Files<Reading>)>>,
}

impl fmt::Debug for Shelf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Shelf")
    }
}

impl Default for Shelf {
    fn default() -> Self {
        Self::on(|folder| Box::new(Folder::at(folder)))
    }
}

impl Shelf {
    /// On disks that are opened in this way.
    pub fn on(opens: fn(&Path) -> Box<dyn Disk>) -> Self {
        Self { opens, held: Mutex::default() }
    }

    /// The disk of a folder.
    pub(super) fn disk(&self, folder: &Path) -> Box<dyn Disk> {
        (self.opens)(folder)
    }

    /// The ledger in this folder with these keys: the one that is open, or this one from now on. Keys change when they are rotated, also
    /// by another process.
    pub(super) fn take(
        &self,
        folder: &Path,
        (key, data): (&PublicKey, &[u8; 32]),
        open: impl FnOnce() -> Files<Reading>,
    ) -> Files<Reading> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, files)) = held.as_ref().filter(|(at, files)| at == folder && files.is_with(key, data)) {
            return files.clone();
        }
        let files = open();
        *held = Some((folder.to_owned(), files.clone()));
        files
    }
}
