//! Who can tell whether a person signed something.

use futures::future::BoxFuture;
use jiff::Timestamp;

use crate::model::{Actor, PersonSignature, Purpose};

/// A signature, and what is said of it.
#[derive(Debug, Clone, Copy)]
pub struct Claim<'a> {
    /// What it is for.
    pub purpose: Purpose,
    /// Whose it is said to be.
    pub by: &'a Actor,
    /// The signature, with its text.
    pub signed: &'a PersonSignature,
    /// The key must have been that person's then.
    pub at: Timestamp,
    /// A signature of the past, whose place in the ledger shows that it was made before: a key that was revoked since counted then.
    pub past: bool,
}

/// A signature that does not count.
#[derive(Debug, thiserror::Error)]
pub enum PersonError {
    /// It is not that person's, or the key is revoked, out of its time, or not for this purpose.
    #[error("{why}")]
    Refused {
        /// What the program that checked it said.
        why: String,
    },
    /// Nobody said whose key is whose.
    #[error("there is no file {file} that says whose key is whose")]
    NoSigners {
        /// The file.
        file: String,
    },
    /// Nobody can tell.
    #[error("could not {intent}")]
    Unavailable {
        /// What was being done.
        intent: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
}

/// Knows whose key is whose, and which ones count no more.
pub trait Persons: Send + Sync {
    /// The fingerprint of the key, where the signature is that person's and counts.
    fn verify<'a>(&'a self, claim: Claim<'a>) -> BoxFuture<'a, Result<String, PersonError>>;
}

/// Knows nobody: no signature counts.
#[derive(Debug, Clone, Copy, Default)]
pub struct Nobody;

impl Persons for Nobody {
    fn verify<'a>(&'a self, _: Claim<'a>) -> BoxFuture<'a, Result<String, PersonError>> {
        Box::pin(async { Err(PersonError::NoSigners { file: "allowed_signers".into() }) })
    }
}
