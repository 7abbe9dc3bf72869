//! What a ledger promises: entries are added at its end, signed as a whole, and never changed.
//!
//! When an append has returned, its entries survive `kill -9` and power loss. After an error they may be in it, as a whole or
//! not at all; whoever tries again looks first. Calls block: they wait for the disk, and a short while for another
//! process that writes.

use std::time::Duration;

use super::Disposition;

/// A ledger that did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// Another process writes for longer than this one waits.
    #[error("another process held the ledger {place} for more than {waited:?}")]
    Busy {
        /// Its folder.
        place: String,
        /// How long it was waited for.
        waited: Duration,
    },
    /// Something before the last checkpoint is missing or is not what was written.
    #[error("the ledger {place} is not as it was written: {what}")]
    Damaged {
        /// Its folder.
        place: String,
        /// The file, and what is wrong.
        what: String,
    },
    /// It is shorter than, or other than, the one that this machine has seen.
    #[error("the ledger {place} went back: {what}")]
    WentBack {
        /// Its folder.
        place: String,
        /// Seen then and now.
        what: String,
    },
    /// There is none.
    #[error("there is no ledger in {place}")]
    None {
        /// Its folder.
        place: String,
    },
    /// The settings are of another ledger: its name, or a key.
    #[error("the ledger {place} is not the one that the settings speak of: {what}")]
    Other {
        /// Its folder.
        place: String,
        /// What differs.
        what: String,
    },
    /// The disk did not do what it was told.
    #[error("could not {intent}")]
    Disk {
        /// What was being done.
        intent: String,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// What was to be entered could not be made.
    #[error("could not make the entry")]
    Entry(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl LedgerError {
    /// What to do about it.
    pub fn disposition(&self) -> Disposition {
        match self {
            Self::Busy { .. } => Disposition::Retry,
            Self::Damaged { .. }
            | Self::WentBack { .. }
            | Self::None { .. }
            | Self::Other { .. }
            | Self::Disk { .. } => Disposition::AskHuman,
            Self::Entry(_) => Disposition::Bug,
        }
    }
}

/// Bytes that a crash left after the last checkpoint. Nobody was told that they were in; they are kept beside the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leftover {
    /// The file that held them.
    pub file: String,
    /// How many.
    pub bytes: u64,
    /// SHA-256 of them, in hexadecimal.
    pub sha256: String,
}

/// The ledger as it stands while nobody else writes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// Its name.
    pub origin: String,
    /// Entries; 0: it is being made, and the first entry must open it.
    pub size: u64,
    /// The root over them.
    pub root: [u8; 32],
    /// What a crash left: each wants an entry.
    pub leftovers: Vec<Leftover>,
}

/// What is added together, under one checkpoint.
#[derive(Debug, Default)]
pub struct Batch {
    /// In order; none: nothing is written.
    pub entries: Vec<Vec<u8>>,
    /// What entries name by its SHA-256.
    pub blobs: Vec<Vec<u8>>,
    /// PKCS#8 as PEM of the key that signs checkpoints from the next one on; this one is signed by both.
    pub next_key: Option<secrecy::SecretString>,
}

/// Decides under the lock what is added. It sees how the ledger stands, and what is kept of all its entries.
pub type Compose<'a, S> = &'a mut dyn FnMut(&Standing, &S) -> Result<Batch, LedgerError>;

/// An append-only, signed log.
pub trait Ledger: Send + Sync {
    /// What is kept of the entries: each is read once.
    type Seen;

    /// Adds what `compose` gives, under one lock, and says how many entries there are then. A ledger that does not exist yet is made.
    fn append(&self, compose: Compose<'_, Self::Seen>) -> Result<u64, LedgerError>;
    /// What is kept of all entries; refused with `None` when there is no ledger.
    fn entries(&self) -> Result<Self::Seen, LedgerError>;
    /// A blob by its SHA-256 in hexadecimal.
    fn blob(&self, sha256: &str) -> Result<Option<Vec<u8>>, LedgerError>;
}

/// The ledger's frames, as they are on the disk: sealed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Frames {
    /// What says which ledger it is: its name and id, in clear.
    pub head: Vec<u8>,
    /// One of each entry under the checkpoint.
    pub entries: Vec<Vec<u8>>,
}

/// What may be given to somebody who keeps the ledger and need not read it.
pub trait Sealed: Send + Sync {
    /// The frames of all entries. They are whole, and not opened.
    fn frames(&self) -> Result<Frames, LedgerError>;
    /// The frame of a blob, by the SHA-256 of its content in hexadecimal.
    fn sealed_blob(&self, sha256: &str) -> Result<Option<Vec<u8>>, LedgerError>;
}
