//! What a judge asks of the composition root: how the group stands by its history, and to start a run.

use futures::future::BoxFuture;
use jiff::Timestamp;

use crate::model::{Group, GroupName, RegionName, RunId, StopOrder, Term};

/// How a group stands, as far as the store and the documents say.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Outlook {
    /// The region that serves.
    pub serves: Option<RegionName>,
    /// The one region that a failover would go to.
    pub destination: Option<RegionName>,
    /// The run that is open.
    pub open: Option<RunId>,
    /// The order that stops the group.
    pub stopped: Option<StopOrder>,
    /// Until when the group cools down.
    pub cooldown_until: Option<Timestamp>,
    /// The deploy freeze that is on.
    pub frozen: Option<String>,
    /// Groups below this one that still serve from the same region.
    pub waits_for: Vec<GroupName>,
    /// The term that the group's lease is at.
    pub term: Term,
}

/// What was decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    /// The group.
    pub group: GroupName,
    /// Away from here.
    pub source: RegionName,
    /// To here.
    pub destination: RegionName,
    /// When the outage began.
    pub onset: Option<Timestamp>,
    /// When the verdict was *down* first.
    pub noticed: Timestamp,
    /// The term at which the world looked like this. The start is refused at any other.
    pub term: Term,
    /// The verdict in words: the run's reason.
    pub reason: String,
}

/// What came of a start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Started {
    /// It was refused before anything changed.
    Refused(String),
    /// A run was opened, and came to rest.
    Rested {
        /// Which.
        run: RunId,
        /// How, in words.
        how: String,
    },
}

/// The way to the outside.
pub trait Helm: Send + Sync {
    /// How the group stands. The error says why the store could not.
    fn outlook<'a>(&'a self, group: &'a Group) -> BoxFuture<'a, Result<Outlook, String>>;
    /// Starts a failover, and drives it until it rests.
    fn start(&self, order: Order) -> BoxFuture<'_, Started>;
}
