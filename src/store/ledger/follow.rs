//! What is kept of the entries of a ledger, by whoever works with it. Each entry is opened and parsed once in a process, in order.

use crate::evidence::{
    envelope::Envelope,
    statement::{self, BadEntry, Statement},
    tree::{self, Hash},
};

/// An entry that was read. Its signature is not verified: that is for `verify`.
#[derive(Debug)]
pub struct Fresh {
    /// Its number, from 0.
    pub index: u64,
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// Its hash in the tree.
    pub leaf: Hash,
    /// What it says, or why it cannot be read.
    pub read: Result<(Envelope, Statement), BadEntry>,
}

impl Fresh {
    /// Reads an entry.
    pub fn of(index: u64, bytes: Vec<u8>) -> Self {
        let (leaf, read) = (tree::leaf(&bytes), statement::read(&bytes));
        Self { index, bytes, leaf, read }
    }
}

/// Keeps of entries what somebody needs. Clones are cheap, or short-lived.
pub trait Follow: Default + Clone + Send {
    /// The next entry: each comes once, in order.
    fn entry(&mut self, fresh: Fresh);
}

/// The entries themselves.
impl Follow for Vec<Vec<u8>> {
    fn entry(&mut self, fresh: Fresh) {
        self.push(fresh.bytes);
    }
}
