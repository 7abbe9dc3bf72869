//! What the loop of drills may have done. The composition root does it; the loop only says what is due.

use futures::future::BoxFuture;

use crate::{
    model::{DrillMode, Firing, GroupName, Outcome, RunId},
    port::RunSummary,
};

/// A drill that is due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DrillOrder {
    /// What makes it this drill and no other.
    pub firing: Firing,
    /// Which group.
    pub group: GroupName,
    /// How far it goes.
    pub mode: DrillMode,
    /// Why; kept as evidence.
    pub reason: String,
}

/// A drill that came to rest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Drilled {
    /// Its run.
    pub run: RunId,
    /// How it ended; `None`: it was interrupted, and can be gone on with.
    pub outcome: Option<Outcome>,
}

/// What was asked for was not done.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Declined {
    /// Another process has done it, or is about it.
    #[error("another process sees to it: {why}")]
    Elsewhere {
        /// What shows it.
        why: String,
    },
    /// It cannot be done now.
    #[error("{why}")]
    Refused {
        /// Why not, with its causes.
        why: String,
        /// What to do about it.
        remedy: Option<String>,
    },
}

/// Whoever can start drills.
pub trait Drillmaster: Send + Sync {
    /// The runs of a group, newest first.
    fn runs<'a>(&'a self, group: &'a GroupName) -> BoxFuture<'a, Result<Vec<RunSummary>, Declined>>;
    /// Starts a drill and stays with it until it rests. It is started once, however often and by however many it is asked
    /// for: the run of its firing is looked for under the lease.
    fn drill(&self, order: DrillOrder) -> BoxFuture<'_, Result<Drilled, Declined>>;
    /// Goes on with a drill whose process ended in its middle, and stays with it until it rests.
    fn finish(&self, run: RunId) -> BoxFuture<'_, Result<Drilled, Declined>>;
}
