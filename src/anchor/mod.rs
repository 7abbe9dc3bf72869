//! Floor 4: anchors, which take the heads of the ledger out of this machine.
//!
//! Promises: nothing is called anchored before the answer was verified: the cosignature with the witness's key, the time stamp's
//! imprint and nonce, the lock of an object in a bucket, read back. An anchor that has seen more, or another ledger, is an error of its own ([`AnchorError::Ahead`],
//! [`AnchorError::Fork`]), never one of the network. Asking twice does no harm. Nothing is kept here, so a crash in the middle loses
//! nothing: the next try asks again.
//!
//! Assumes that the witness's key came here another way than the witness's answers.

mod call;
mod timestamp;
mod witness;
mod worm;

use std::sync::Arc;

use jiff::Timestamp;
pub use worm::Survey;

use crate::{
    evidence::{
        checkpoint::Checkpoint,
        receipt::{TIMESTAMP, WITNESS, WORM},
        tree::Hash,
    },
    model::AnchorName,
    port::{Clock, Sealed, Secrets},
    spec::{AnchorKind, EvidenceAnchorSpec},
};

/// The head of the ledger, as it is taken to an anchor.
#[derive(Debug, Clone)]
pub struct Head {
    /// The signed checkpoint, as it is in its file.
    pub note: Vec<u8>,
    /// What it says.
    pub checkpoint: Checkpoint,
    /// The hashes of all its entries: proofs are made of them.
    pub leaves: Vec<Hash>,
    /// The blobs that entries name: the entry's number, and the blob's SHA-256 in hexadecimal.
    pub blobs: Vec<(u64, String)>,
}

/// What an anchor is asked with.
#[derive(Clone, Copy)]
pub struct Means<'a> {
    /// The size that it had last, as far as the ledger says; 0: never.
    pub known: u64,
    /// Random bytes.
    pub nonce: [u8; 8],
    /// Where time comes from.
    pub clock: &'a dyn Clock,
    /// The ledger, for anchors that keep all of it.
    pub ledger: &'a dyn Sealed,
}

/// A checkpoint that an anchor has now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// What the anchor gave in return: a cosigned checkpoint, a response with a time stamp, a place in a bucket.
    pub bytes: Vec<u8>,
    /// When, by the anchor's clock.
    pub at: Option<Timestamp>,
    /// The key of the witness, as it is set.
    pub key: Option<String>,
}

/// An anchor that does not have the checkpoint, or is not known to.
#[derive(Debug, thiserror::Error)]
pub enum AnchorError {
    /// No answer, or one that says to come again.
    #[error("{place} does not answer: {why}")]
    Silent {
        /// Host and port.
        place: String,
        /// Why.
        why: String,
    },
    /// It does not take checkpoints of this ledger.
    #[error("{place} refused the checkpoint with status {status}: {reason}")]
    Refused {
        /// Host and port.
        place: String,
        /// The status.
        status: u16,
        /// What it said.
        reason: String,
    },
    /// It has seen more of this ledger than there is now.
    #[error("{place} has seen {theirs} entries of this ledger, and there are {ours}: the ledger went back")]
    Ahead {
        /// Host and port.
        place: String,
        /// Entries that it has seen.
        theirs: u64,
        /// Entries that there are.
        ours: u64,
    },
    /// It has seen other entries.
    #[error("{place} has seen another ledger of this name: {what}")]
    Fork {
        /// Host and port.
        place: String,
        /// What differs.
        what: String,
    },
    /// What came back proves nothing.
    #[error("the answer of {place} proves nothing: {what}")]
    Worthless {
        /// Host and port.
        place: String,
        /// Why.
        what: String,
    },
    /// It cannot keep anything for long.
    #[error("{place} cannot be an anchor: {what}")]
    Unfit {
        /// The bucket.
        place: String,
        /// What it lacks.
        what: String,
    },
    /// It does not let us.
    #[error("{place} does not let us {what}")]
    Denied {
        /// The bucket.
        place: String,
        /// What.
        what: String,
    },
    /// It cannot be asked.
    #[error("the anchor cannot be asked: {0}")]
    Setting(String),
}

impl AnchorError {
    /// Whether it shows that the ledger is not the one that was anchored.
    pub fn accuses(&self) -> bool {
        match self {
            Self::Ahead { .. } | Self::Fork { .. } => true,
            Self::Silent { .. }
            | Self::Refused { .. }
            | Self::Worthless { .. }
            | Self::Unfit { .. }
            | Self::Denied { .. }
            | Self::Setting(_) => false,
        }
    }

    /// What to do about it.
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::Silent { .. } => "it is asked again; check where its document says it is, and the way to it",
            Self::Refused { status: 403 | 404, .. } => {
                "the witness does not know this ledger's key: give it the one that `lifeboat evidence keygen` shows"
            }
            Self::Refused { .. } => "check where its document says it is; what it said is all that is known",
            Self::Ahead { .. } => {
                "an older copy of the data folder is in place: stop, keep it, and restore the newest copy before anything else is entered"
            }
            Self::Fork { .. } => {
                "entries were changed, or another ledger of the same name and key was anchored there: stop, keep the folder as it is, \
                 and compare it with the receipts"
            }
            Self::Worthless { .. } => {
                "check that the anchor's url and key belong together; of a bucket, that its server knows Object Lock"
            }
            Self::Unfit { .. } => {
                "make a bucket with versioning and Object Lock, in an account of other hands: \
                 `aws s3api create-bucket --object-lock-enabled-for-bucket`"
            }
            Self::Denied { .. } => {
                "give these credentials s3:PutObject, s3:PutObjectRetention, s3:GetObject, s3:GetObjectVersion, \
                 s3:GetObjectRetention, s3:ListBucketVersions and s3:GetBucketObjectLockConfiguration"
            }
            Self::Setting(_) => "correct the document of the anchor; `lifeboat check` says what is wrong with it",
        }
    }
}

/// An anchor, opened: nothing was contacted yet.
#[derive(Debug, Clone)]
pub struct Anchor {
    /// Its name.
    pub name: AnchorName,
    /// How old the last anchor may become while nothing is entered, in seconds.
    pub every_seconds: u32,
    way: Way,
}

#[derive(Debug, Clone)]
enum Way {
    Witness(Arc<witness::Witness>),
    Worm(Arc<worm::Worm>),
    Timestamp(Arc<timestamp::Authority>),
}

impl Anchor {
    /// Opens what a document says.
    ///
    /// # Errors
    /// When not exactly one kind is chosen, or its URL or key is none.
    pub fn open(name: AnchorName, spec: &EvidenceAnchorSpec, secrets: &Arc<dyn Secrets>) -> Result<Self, AnchorError> {
        let kind = spec.kind().map_err(|bad| AnchorError::Setting(bad.to_string()))?;
        let way = match kind {
            AnchorKind::Witness(witness) => Way::Witness(Arc::new(witness::Witness::open(witness)?)),
            AnchorKind::Worm(bucket) => Way::Worm(Arc::new(worm::Worm::open(bucket, Arc::clone(secrets))?)),
            AnchorKind::Timestamp(authority) => Way::Timestamp(Arc::new(timestamp::Authority::open(authority)?)),
        };
        Ok(Self { name, every_seconds: spec.every_seconds, way })
    }

    /// The word of its kind in entries.
    pub fn how(&self) -> &'static str {
        match &self.way {
            Way::Witness(_) => WITNESS,
            Way::Worm(_) => WORM,
            Way::Timestamp(_) => TIMESTAMP,
        }
    }

    /// The key of a witness.
    pub fn witness(&self) -> Option<&crate::evidence::cosignature::Cosigner> {
        match &self.way {
            Way::Witness(witness) => Some(&witness.key),
            Way::Worm(_) | Way::Timestamp(_) => None,
        }
    }

    /// Whether it notices a ledger that went back.
    pub fn remembers(&self) -> bool {
        match &self.way {
            Way::Witness(_) | Way::Worm(_) => true,
            Way::Timestamp(_) => false,
        }
    }

    /// Takes the head there.
    pub async fn take(&self, head: &Head, means: Means<'_>) -> Result<Receipt, AnchorError> {
        match &self.way {
            Way::Witness(witness) => witness.take(head, means.known, means.clock).await,
            // Boxed: the client library's futures are large.
            Way::Worm(bucket) => Box::pin(bucket.take(head, means.ledger, means.clock.now())).await,
            Way::Timestamp(authority) => authority.take(head, means.nonce).await,
        }
    }

    /// Compares all that it keeps with the ledger; `None`: it keeps nothing but what it was given in the first place. Nothing is
    /// changed there.
    pub async fn survey(&self, head: &Head, means: Means<'_>) -> Option<Result<Survey, AnchorError>> {
        match &self.way {
            Way::Worm(bucket) => Some(Box::pin(bucket.survey(head, means.known, means.ledger)).await),
            Way::Witness(_) | Way::Timestamp(_) => None,
        }
    }
}
