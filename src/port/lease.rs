//! The lease on a group, and the proof of holding it.
//!
//! Promise S2: a stale term appends nothing and acts on nothing. The store compares the term in the same
//! transaction as the append; the permit goes out as soon as the holder's own monotonic clock says that the lease
//! was not renewed in time, without asking anybody.
//!
//! Nobody compares two machines' clocks. A contender that wants a lease held by another watches its revision; when it
//! has not changed for a full time-to-live *of the contender's monotonic clock*, the holder is gone, or has
//! already stopped acting by its own clock, and the lease may be taken with the next term.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use futures::future::BoxFuture;

use super::StoreError;
use crate::model::{GroupName, Term};

/// What a lease is on: a group's real runs, or its rehearsals. A rehearsal never stands in the way of a failover.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LeaseKey {
    /// The group.
    pub group: GroupName,
    /// Of its rehearsals.
    pub rehearsal: bool,
}

impl fmt::Display for LeaseKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.group, if self.rehearsal { "~rehearsal" } else { "" })
    }
}

/// The in-memory proof that this process holds the current term. Only a lease store makes one (the architecture
/// test sees to it), and it goes out when the lease is lost.
#[derive(Debug, Clone)]
pub struct Permit {
    key: LeaseKey,
    term: Term,
    live: Arc<AtomicBool>,
}

impl Permit {
    /// For lease stores alone: the lease on `key` was just acquired with `term`.
    pub fn granted(key: LeaseKey, term: Term) -> Self {
        Self { key, term, live: Arc::new(AtomicBool::new(true)) }
    }
    /// What it is on.
    pub fn key(&self) -> &LeaseKey {
        &self.key
    }
    /// The term that every append and every act carries.
    pub fn term(&self) -> Term {
        self.term
    }
    /// Whether the lease still holds. A driver asks before each effect of a longer act.
    pub fn live(&self) -> bool {
        self.live.load(Ordering::Acquire)
    }
    /// Puts it out, on every clone.
    pub fn revoke(&self) {
        self.live.store(false, Ordering::Release);
    }
}

/// A lease as a contender sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeaseState {
    /// `host/pid` of the holder; `None`: free.
    pub holder: Option<String>,
    /// Changes with every renewal.
    pub revision: u64,
    /// The current term.
    pub term: Term,
}

/// A lease that was not granted or not renewed.
#[derive(Debug, thiserror::Error)]
pub enum LeaseError {
    /// Another process holds it.
    #[error("the lease on {key} is held by {}", .state.holder.as_deref().unwrap_or("nobody"))]
    Held {
        /// What was asked for.
        key: LeaseKey,
        /// As it was seen.
        state: LeaseState,
    },
    /// It passed to another term.
    #[error("the lease on {key} was lost: term {term} is over")]
    Lost {
        /// What was held.
        key: LeaseKey,
        /// With which term.
        term: Term,
    },
    /// The store could not say.
    #[error("could not ask the store for the lease on {key}")]
    Store {
        /// What was asked for.
        key: LeaseKey,
        /// Why.
        #[source]
        source: StoreError,
    },
}

/// Leases of a store.
pub trait Leases: Send + Sync {
    /// Takes the lease when it is free, or when it is held and its revision is still `unchanged_since`. Each
    /// grant has a term one above the last.
    fn acquire<'a>(
        &'a self,
        key: &'a LeaseKey,
        holder: &'a str,
        unchanged_since: Option<u64>,
    ) -> BoxFuture<'a, Result<Permit, LeaseError>>;
    /// Moves the revision on. `Lost` when the term is over; the permit is put out then.
    fn renew<'a>(&'a self, permit: &'a Permit) -> BoxFuture<'a, Result<(), LeaseError>>;
    /// Gives it back. The next holder need not wait.
    fn release<'a>(&'a self, permit: &'a Permit) -> BoxFuture<'a, Result<(), LeaseError>>;
    /// How it stands.
    fn lease<'a>(&'a self, key: &'a LeaseKey) -> BoxFuture<'a, Result<LeaseState, StoreError>>;
}
