//! A bucket under Object Lock (S3, mode COMPLIANCE): the whole ledger, sealed, in the hands of somebody else.
//!
//! ```text
//! PREFIX/ledger.json              which ledger it is
//! PREFIX/entries/NUMBER           the frame of each entry, as it is on the disk
//! PREFIX/blobs/sha256/HEX         the frame of each blob that an entry names
//! PREFIX/checkpoints/SIZE         the signed checkpoint of each size that was anchored, put last
//! ```
//!
//! Promises: nothing is put in clear but hashes, sizes and the ledger's name; nothing is put where something is, and nothing that was
//! put can be deleted or shortened by anybody before its time. A checkpoint is there only when everything under it is. A crash in the
//! middle leaves objects without a checkpoint: the next try compares them with ours, byte for byte, and goes on. A bucket that holds
//! more than there is, or something else, accuses.
//!
//! Assumes that whoever could break into this machine has no other account in the bucket's, and that the lock holds: a lock guards
//! versions, so a newer one or a delete marker can hide them. `survey.rs` looks for that.

mod bucket;
mod name;
mod survey;

use std::{collections::BTreeSet, sync::Arc};

use bucket::{Bucket, Kept, Listing, Version};
use futures::{
    future::BoxFuture,
    stream::{self, StreamExt as _, TryStreamExt as _},
};
use jiff::{SignedDuration, Timestamp};
use name::Name;
pub use survey::Survey;

use super::{AnchorError, Head, Receipt};
use crate::{
    evidence::{checkpoint::Checkpoint, key::hex, note::Note, receipt::Worm as Written, tree},
    net::s3::Account,
    port::{Frames, Sealed, Secrets},
    spec::WormAnchor,
};

/// Calls at the same time: the first anchoring of a large ledger is many small objects.
const ABREAST: usize = 8;
/// How much shorter than asked a lock may be: the clocks of two machines, and what a crash lay between.
const SLACK: SignedDuration = SignedDuration::from_hours(24);

/// A bucket.
#[derive(Debug)]
pub(super) struct Worm {
    bucket: Bucket,
    /// With a slash at its end; `None`: the ledger's name.
    prefix: Option<String>,
    retain: SignedDuration,
}

/// What the bucket holds of this ledger, by the names alone.
struct Held {
    /// The largest checkpoint that is not over ours.
    checkpoint: Option<u64>,
    /// More entries than we have, by its entries and checkpoints.
    more: Option<u64>,
    /// The first object that is not of a ledger.
    foreign: Option<String>,
}

fn held(listing: &Listing, frames: u64, ours: u64) -> Held {
    let mut held = Held { checkpoint: None, more: None, foreign: None };
    for rest in listing.iter().filter(|(_, versions)| objects(versions).next().is_some()).map(|(rest, _)| rest) {
        match Name::parse(rest) {
            None => held.foreign = held.foreign.or_else(|| Some(rest.clone())),
            Some(Name::Entry(index)) if index >= frames => held.more = held.more.max(index.checked_add(1)),
            Some(Name::Checkpoint(size)) if size > frames => held.more = held.more.max(Some(size)),
            Some(Name::Checkpoint(size)) if size <= ours => held.checkpoint = held.checkpoint.max(Some(size)),
            Some(Name::Ledger | Name::Entry(_) | Name::Blob(_) | Name::Checkpoint(_)) => {}
        }
    }
    held
}

/// The versions that are no delete markers; the oldest first.
fn objects(versions: &[Version]) -> impl Iterator<Item = &Version> {
    versions.iter().filter(|version| !version.marker)
}

/// The oldest version of an object: what came later may hide it.
fn oldest<'l>(listing: &'l Listing, name: &Name) -> Option<&'l Version> {
    objects(listing.get(&name.to_string())?).next()
}

/// The ledger as it is to be found there.
struct Copied<'a> {
    frames: Frames,
    ledger: &'a dyn Sealed,
    head: &'a Head,
}

impl Copied<'_> {
    /// The bytes of an object; `None`: the ledger has no such thing.
    fn bytes(&self, name: &Name) -> Result<Option<Vec<u8>>, AnchorError> {
        match name {
            Name::Ledger => Ok(Some(self.frames.head.clone())),
            Name::Entry(index) => {
                Ok(usize::try_from(*index).ok().and_then(|index| self.frames.entries.get(index)).cloned())
            }
            Name::Blob(sha256) => {
                let read = self.ledger.sealed_blob(sha256);
                read.map_err(|error| AnchorError::Setting(format!("blob {sha256} of our own ledger: {error}")))
            }
            Name::Checkpoint(size) => Ok((*size == self.head.checkpoint.size).then(|| self.head.note.clone())),
        }
    }

    /// Everything under the head's checkpoint, in the order in which it is put; the checkpoint itself comes after it.
    fn names(&self) -> Vec<Name> {
        let blobs: BTreeSet<_> = self.head.blobs.iter().map(|(_, sha256)| sha256.clone()).collect();
        let entries = (0..self.head.checkpoint.size).map(Name::Entry);
        [Name::Ledger].into_iter().chain(blobs.into_iter().map(Name::Blob)).chain(entries).collect()
    }
}

impl Worm {
    pub(super) fn open(spec: &WormAnchor, secrets: Arc<dyn Secrets>) -> Result<Self, AnchorError> {
        if spec.access_key.is_some() != spec.secret_key.is_some() {
            let what = "it has only one of accessKey and secretKey; give both, or neither for the AWS credential chain";
            return Err(AnchorError::Setting(what.into()));
        }
        let account = Account {
            endpoint: spec.endpoint.clone(),
            location: spec.location.clone(),
            access_key: spec.access_key.clone(),
            secret_key: spec.secret_key.clone(),
        };
        Ok(Self {
            bucket: Bucket::new(spec.bucket.clone(), account, secrets),
            prefix: spec.prefix.as_deref().map(|prefix| format!("{}/", prefix.trim_matches('/'))),
            retain: SignedDuration::from_hours(24 * i64::from(spec.retain_days)),
        })
    }

    fn prefix(&self, head: &Head) -> String {
        self.prefix.clone().unwrap_or_else(|| format!("{}/", head.checkpoint.origin))
    }

    fn fork(&self, what: impl Into<String>) -> AnchorError {
        AnchorError::Fork { place: self.bucket.place(), what: what.into() }
    }

    pub(super) async fn take(&self, head: &Head, ledger: &dyn Sealed, now: Timestamp) -> Result<Receipt, AnchorError> {
        if let Some(what) = self.bucket.unfit().await? {
            return Err(AnchorError::Unfit { place: self.bucket.place(), what: what.into() });
        }
        let prefix = self.prefix(head);
        let listing = self.bucket.versions(&prefix).await?;
        // Read after the listing: what another process entered and took there meanwhile is no accusation.
        let copied = Copied { frames: copied(ledger)?, ledger, head };
        let ours = head.checkpoint.size;
        let found = held(&listing, copied.frames.entries.len() as u64, ours);
        if let Some(theirs) = found.more {
            return Err(AnchorError::Ahead { place: self.bucket.place(), theirs, ours });
        }
        if let Some(foreign) = found.foreign {
            return Err(self.fork(format!("{prefix}{foreign} is no object of this ledger")));
        }
        self.say_hidden(&listing);
        if let Some(size) = found.checkpoint.filter(|size| *size < ours) {
            self.grown_from(head, &prefix, size, &listing).await?;
        }
        let until = now + self.retain;
        let done = |name: Name| self.settle(&copied, &prefix, name, &listing, found.checkpoint.unwrap_or(0), until);
        stream::iter(copied.names().into_iter().map(done))
            .buffer_unordered(ABREAST)
            .try_for_each(async |_| Ok(()))
            .await?;
        let name = Name::Checkpoint(ours);
        let key = format!("{prefix}{name}");
        let kept = self.settle(&copied, &prefix, name, &listing, 0, until).await?;
        let kept = kept.ok_or_else(|| self.bucket.worthless(format!("{key} is not there")))?;
        self.receipt(head, key, kept)
    }

    fn receipt(&self, head: &Head, key: String, kept: Kept) -> Result<Receipt, AnchorError> {
        let Some(retain_until) = kept.lock.until else {
            return Err(self.bucket.worthless(format!("{key} is not locked")));
        };
        let Checkpoint { size, root, .. } = head.checkpoint;
        let bucket = self.bucket.name.clone();
        let written = Written { bucket, key, version_id: kept.version, size, root: hex(&root), retain_until };
        let bytes = serde_json::to_vec(&written).map_err(|error| AnchorError::Setting(error.to_string()))?;
        Ok(Receipt { bytes, at: kept.at, key: None })
    }

    /// The last checkpoint there is of this ledger, and ours has grown from it.
    async fn grown_from(&self, head: &Head, prefix: &str, size: u64, listing: &Listing) -> Result<(), AnchorError> {
        let name = Name::Checkpoint(size);
        let Some(version) = oldest(listing, &name) else { return Ok(()) };
        let key = format!("{prefix}{name}");
        let (bytes, _) = self.bucket.get(&key, Some(&version.id)).await?;
        if same_root(head, size, &bytes) {
            Ok(())
        } else {
            Err(self.fork(format!("{key} is no checkpoint of our first {size} entries")))
        }
    }

    /// Sees to it that an object is there and is ours. Objects under a checkpoint that was compared are not read again.
    fn settle<'f>(
        &'f self,
        copied: &'f Copied<'_>,
        prefix: &'f str,
        name: Name,
        listing: &'f Listing,
        under: u64,
        until: Timestamp,
    ) -> BoxFuture<'f, Result<Option<Kept>, AnchorError>> {
        // Boxed: the client library's futures are large.
        Box::pin(async move {
            let there = oldest(listing, &name);
            let settled = match &name {
                Name::Entry(index) => *index < under,
                Name::Blob(sha256) => copied.head.blobs.iter().any(|(index, blob)| blob == sha256 && *index < under),
                Name::Ledger | Name::Checkpoint(_) => false,
            };
            if settled && there.is_some() {
                return Ok(None);
            }
            let bytes = copied.bytes(&name)?;
            let bytes = bytes.ok_or_else(|| AnchorError::Setting(format!("our own ledger has no {name}")))?;
            let key = format!("{prefix}{name}");
            let version = match there {
                Some(version) => Some(version.id.as_str()),
                None => match self.bucket.put(&key, &bytes, until).await? {
                    Some(kept) => return Ok(Some(kept)),
                    None => None,
                },
            };
            let (theirs, kept) = self.bucket.get(&key, version).await?;
            if theirs != bytes {
                return Err(self.fork(format!("{key} is not ours")));
            }
            let asked = kept.at.map(|at| at + self.retain - SLACK);
            if !kept.lock.compliance || kept.lock.until.is_none_or(|until| asked.is_none_or(|asked| until < asked)) {
                let what =
                    format!("{key} was there already, and is not locked in COMPLIANCE mode for as long as asked");
                return Err(self.bucket.worthless(what));
            }
            Ok(Some(kept))
        })
    }

    /// What is hidden does not keep the ledger from being anchored, since the lock guards what is hidden.
    fn say_hidden(&self, listing: &Listing) {
        let hidden = listing.values().filter(|versions| versions.len() > 1).count();
        if hidden > 0 {
            tracing::warn!(
                "{hidden} objects of the ledger in {} are hidden by newer versions or delete markers; \
                 `lifeboat evidence verify --ask` names them",
                self.bucket.place()
            );
        }
    }
}

fn copied(ledger: &dyn Sealed) -> Result<Frames, AnchorError> {
    ledger.frames().map_err(|error| AnchorError::Setting(format!("our own ledger cannot be read: {error}")))
}

/// Whether these bytes are a checkpoint over our first entries. Its signature is not looked at: the root says it all.
fn same_root(head: &Head, size: u64, bytes: &[u8]) -> bool {
    let said = Note::parse(bytes).ok().and_then(|note| Checkpoint::read(&note).ok());
    let first = usize::try_from(size).ok().and_then(|size| head.leaves.get(..size));
    let ours = first.map(|first| Checkpoint { origin: head.checkpoint.origin.clone(), size, root: tree::over(first) });
    said.is_some() && said == ours
}
