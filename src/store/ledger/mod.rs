//! The ledger in plain files: C2SP tlog-tiles. One folder, which any tool can read.
//!
//! ```text
//! ledger.json               version, origin, id
//! checkpoint                origin, size and root, signed (C2SP tlog-checkpoint)
//! tile/LEVEL/…              hashes, clear: the tree can be checked without a key
//! tile/entries/…            frames of up to 256 entries (AES-256-GCM); one growing file for each bundle
//! blobs/sha256/HEX          a frame with what an entry names by its digest
//! recovered/…               what crashes left after the last checkpoint
//! lock                      held while a process writes
//! ../ledger.seen            the last checkpoint that this machine wrote: the high-water mark
//! ```
//!
//! It promises what `port::Ledger` says. An append writes blobs, frames, tiles, the checkpoint and the mark, in this order,
//! each durable before the next; the checkpoint takes its place by a rename, and only then is the entry in. A crash in
//! the middle leaves frames after the checkpointed size: the next append puts them into `recovered/`, takes them off, and enters that it did.
//! What is missing or different before that size is damage, and nothing is written any more until a person has looked.
//! After an error of the disk everything is read anew before the next write.
//!
//! A process reads an entry once: its own appends and what it has read stay with it as `Follow` keeps them, and the checkpoint tells what others
//! added since. Damage to what was read before is found by the next process that begins, and by `verify`.
//!
//! It assumes a local file system: locks and renames do not hold over NFS. `write.rs` and `load.rs` are the writer; `verify.rs`
//! reads the same files in another way and shares only the frame, the hash and the formats with them.

mod disk;
mod follow;
mod frame;
mod head;
mod load;
mod receipts;
mod sealed;
mod sweep;
mod verify;
mod write;

use std::{
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::Duration,
};

pub use disk::{Disk, Folder};
pub use follow::{Follow, Fresh};
use frame::DataKey;
use head::Head;
use load::State;
pub use receipts::Receipts;
use verify::Pass;
pub use verify::{Checked, Trusted, verify};

use crate::{
    evidence::{
        key::{PublicKey, SigningKey},
        tree,
    },
    port::{Compose, Ledger, LedgerError, Standing},
};

/// The mark's name, in the folder above.
const MARK: &str = "ledger.seen";
const CHECKPOINT: &str = "checkpoint";
const HEAD: &str = "ledger.json";

/// How long a lock is waited for: a run is opened under a lease that lasts three seconds.
const PATIENCE: Duration = Duration::from_secs(2);
/// The same where users wait: what is not entered now is made up for later.
const HURRY: Duration = Duration::from_millis(200);
/// Between two tries.
const PAUSE: Duration = Duration::from_millis(20);

/// Draws random bytes.
pub type Draw = fn() -> Result<[u8; 16], std::io::Error>;

/// What a ledger is written with.
pub struct Means {
    /// The folder.
    pub disk: Box<dyn Disk>,
    /// The folder above, for the mark.
    pub beside: Box<dyn Disk>,
    /// Signs checkpoints.
    pub key: SigningKey,
    /// Keeps entries and blobs secret at rest: 256 bits.
    pub data: [u8; 32],
    /// Its name, when it is made.
    pub origin: String,
    /// Refuse one that has another name.
    pub insists: bool,
    /// Where randomness comes from.
    pub draw: Draw,
}

/// A ledger in a folder. Several processes may hold one: each append is under a lock and looks first what the others wrote. What was
/// read of it is shared by clones; `F` says what is kept.
pub struct Files<F = Vec<Vec<u8>>> {
    means: Arc<Means>,
    patience: Duration,
    state: Arc<Mutex<State<F>>>,
}

impl<F> Clone for Files<F> {
    fn clone(&self) -> Self {
        Self { means: Arc::clone(&self.means), patience: self.patience, state: Arc::clone(&self.state) }
    }
}

impl<F: Follow> Files<F> {
    /// Nothing is read or written yet.
    pub fn new(means: Means) -> Self {
        Self { means: Arc::new(means), patience: PATIENCE, state: Arc::default() }
    }

    /// The same for whoever cannot wait: a ledger that another process holds is busy after a fifth of a second.
    #[must_use]
    pub fn hurried(mut self) -> Self {
        self.patience = HURRY;
        self
    }

    /// Whether it is written with these keys.
    pub fn is_with(&self, key: &PublicKey, data: &[u8; 32]) -> bool {
        self.means.key.public() == key && self.means.data == *data
    }

    fn place(&self) -> String {
        self.means.disk.place()
    }

    fn locked(&self, writes: bool) -> Result<Box<dyn Send>, LedgerError> {
        let mut waited = Duration::ZERO;
        loop {
            let locked = self.means.disk.lock(writes);
            if let Some(lock) = locked.map_err(failed(format!("lock the ledger {}", self.place())))? {
                return Ok(lock);
            }
            if waited >= self.patience {
                return Err(LedgerError::Busy { place: self.place(), waited });
            }
            thread::sleep(PAUSE);
            waited += PAUSE;
        }
    }

    /// Works on the state as the disk has it now. Whatever fails, the next call reads everything anew.
    fn with<T>(&self, work: impl FnOnce(&mut State<F>) -> Result<T, LedgerError>) -> Result<T, LedgerError> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let done = self.load(&mut state).and_then(|()| work(&mut state));
        if done.is_err() {
            *state = State::default();
        }
        done
    }

    /// The signed checkpoint as it is in its file, and what is kept of the entries under it. It is what goes to an anchor.
    pub fn signed_head(&self) -> Result<(Vec<u8>, F), LedgerError> {
        let _lock = self.locked(false)?;
        self.with(|state| {
            if state.note.is_empty() || state.edge.size() == 0 {
                return Err(LedgerError::None { place: self.place() });
            }
            Ok((state.note.clone(), state.seen.clone()))
        })
    }

    fn data_key(&self, head: &Head) -> DataKey {
        DataKey::new(self.means.data, head.id)
    }
}

/// The disk did not do what it was told.
fn failed(intent: String) -> impl FnOnce(std::io::Error) -> LedgerError {
    move |source| LedgerError::Disk { intent, source }
}

impl<F: Follow> Ledger for Files<F> {
    type Seen = F;

    fn append(&self, compose: Compose<'_, F>) -> Result<u64, LedgerError> {
        let _lock = self.locked(true)?;
        self.with(|state| {
            let leftovers = self.put_aside(state)?;
            let origin = state.head.as_ref().map_or_else(|| self.means.origin.clone(), |head| head.origin.clone());
            let standing = Standing { origin, size: state.edge.size(), root: state.edge.root(), leftovers };
            let batch = compose(&standing, &state.seen)?;
            if !batch.entries.is_empty() {
                self.write(state, &batch)?;
                self.entered(&standing.leftovers)?;
            }
            Ok(state.edge.size())
        })
    }

    fn entries(&self) -> Result<F, LedgerError> {
        let _lock = self.locked(false)?;
        self.with(|state| {
            if state.edge.size() == 0 { Err(LedgerError::None { place: self.place() }) } else { Ok(state.seen.clone()) }
        })
    }

    fn blob(&self, sha256: &str) -> Result<Option<Vec<u8>>, LedgerError> {
        let _lock = self.locked(false)?;
        self.with(|state| {
            let path = blob_path(sha256);
            let read = self.means.disk.read(&path);
            let Some(bytes) = read.map_err(failed(format!("read {path} of the ledger {}", self.place())))? else {
                return Ok(None);
            };
            let Some(head) = &state.head else { return Ok(None) };
            let damaged = |what: String| LedgerError::Damaged { place: self.place(), what: format!("{path}: {what}") };
            let digest = digest_of(sha256).ok_or_else(|| damaged("it is named after no digest".into()))?;
            let blob = self.data_key(head).open_blob(&bytes, &digest).map_err(|error| damaged(error.to_string()))?;
            if tree::sha256(&blob) == digest {
                Ok(Some(blob))
            } else {
                Err(damaged("it is not what its name says".into()))
            }
        })
    }
}

fn blob_path(sha256: &str) -> String {
    format!("blobs/sha256/{sha256}")
}

fn digest_of(sha256: &str) -> Option<[u8; 32]> {
    crate::evidence::key::unhex(sha256)?.try_into().ok()
}
