//! What a store promises.
//!
//! Append is "create sequence N or fail", and it compares the term in the same transaction: two writers can never
//! interleave, and a process that lost its lease cannot write. When an append has returned, the events survive
//! `kill -9` and power loss.

use std::{future::pending, time::Duration};

use futures::future::BoxFuture;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{LeaseKey, Leases, Permit};
use crate::model::{
    Command, DrillMode, Event, EventBody, Firing, GroupName, ObserverReport, Outcome, RegionName, RunId, RunKind,
    StopOrder, Term,
};

/// What to do about an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Disposition {
    /// The same call may succeed later.
    Retry,
    /// Another process is in charge now: stop acting.
    StandDown,
    /// A person must look.
    AskHuman,
    /// Our own mistake.
    Bug,
}

/// A store that did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The lease passed to another term (promise S2).
    #[error("term {term} is over: another process took the lease on {key}")]
    StaleTerm {
        /// The lease.
        key: String,
        /// The term that is over.
        term: Term,
    },
    /// The sequence exists already.
    #[error("event {seq} of run {run} exists already")]
    Conflict {
        /// The run.
        run: RunId,
        /// The sequence.
        seq: u64,
    },
    /// At most one run per group (promise S6).
    #[error("run {run} of this group is still open")]
    RunOpen {
        /// The open run.
        run: RunId,
    },
    /// An order that was given for another term than the run is at.
    #[error("run {run} is at term {found} now, and the order was given for term {expected}")]
    TermMoved {
        /// The run.
        run: RunId,
        /// As the person saw it.
        expected: Term,
        /// As it is.
        found: Term,
    },
    /// The run ended: its journal and its inbox take nothing more.
    #[error("run {run} is over")]
    RunClosed {
        /// The run.
        run: RunId,
    },
    /// No such run.
    #[error("there is no run {run}")]
    NoRun {
        /// What was asked for.
        run: RunId,
    },
    /// The store answered something that it never wrote.
    #[error("the store holds something unreadable: {what}")]
    Corrupt {
        /// What and where.
        what: String,
    },
    /// It could not be reached, read or written.
    #[error("could not {intent}")]
    Unavailable {
        /// What was being done: `append 3 events to run orders-17`.
        intent: String,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl StoreError {
    /// What to do about it.
    pub fn disposition(&self) -> Disposition {
        match self {
            Self::StaleTerm { .. } | Self::Conflict { .. } => Disposition::StandDown,
            Self::RunOpen { .. }
            | Self::RunClosed { .. }
            | Self::TermMoved { .. }
            | Self::NoRun { .. }
            | Self::Corrupt { .. } => Disposition::AskHuman,
            Self::Unavailable { .. } => Disposition::Retry,
        }
    }
}

/// A run in a list.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunSummary {
    /// Its name.
    pub run: RunId,
    /// What for.
    pub kind: RunKind,
    /// Nothing was changed.
    pub rehearsal: bool,
    /// From.
    pub source: RegionName,
    /// To.
    pub destination: RegionName,
    /// When it was opened.
    pub opened_at: Timestamp,
    /// When and how it ended.
    pub closed: Option<(Timestamp, Outcome)>,
    /// How far it went, where it is a drill whose journal says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drill: Option<DrillMode>,
    /// The firing of a schedule that it is the run of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scheduled: Option<Firing>,
}

/// An order in a run's inbox.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct InboxEntry {
    /// Its number, from 1 in each run.
    pub number: u64,
    /// The order.
    pub command: Command,
}

/// Journals of runs, and the inboxes through which other processes give orders.
pub trait Journal: Send + Sync {
    /// Gives the run the group's next number and writes `opened` as event 1, in one transaction; refuses with
    /// `RunOpen` while another run under the same lease key is open, and with `StaleTerm`.
    fn open<'a>(
        &'a self,
        permit: &'a Permit,
        at: Timestamp,
        opened: EventBody,
    ) -> BoxFuture<'a, Result<(RunId, Event), StoreError>>;
    /// Appends events `after + 1 …` in one transaction, durable on return. After `Unavailable` they may be there, as a
    /// whole or not at all; every other refusal means that they are not, and never will be.
    fn append<'a>(
        &'a self,
        permit: &'a Permit,
        run: &'a RunId,
        after: u64,
        events: Vec<(Timestamp, EventBody)>,
    ) -> BoxFuture<'a, Result<(), StoreError>>;
    /// Events with a sequence above `after`, in order. `NoRun` when there is no such run.
    fn read<'a>(&'a self, run: &'a RunId, after: u64) -> BoxFuture<'a, Result<Vec<Event>, StoreError>>;
    /// Runs of a group (all groups: `None`), newest first.
    fn runs<'a>(&'a self, group: Option<&'a GroupName>) -> BoxFuture<'a, Result<Vec<RunSummary>, StoreError>>;
    /// Puts an order into a run's inbox, and says its number. `TermMoved` when the order expects another term than that of
    /// the journal's last event, compared in the same transaction.
    fn tell<'a>(&'a self, run: &'a RunId, command: Command) -> BoxFuture<'a, Result<u64, StoreError>>;
    /// Orders with a number above `after`, in order.
    fn inbox<'a>(&'a self, run: &'a RunId, after: u64) -> BoxFuture<'a, Result<Vec<InboxEntry>, StoreError>>;
    /// Resolves when the journal may hold events above `after`. It may resolve too early, and never in a store that has
    /// no news or has lost touch: callers look at their own [`pace`](Self::pace) beside it.
    fn changed<'a>(&'a self, _run: &'a RunId, _after: u64) -> BoxFuture<'a, ()> {
        Box::pin(pending())
    }
    /// How often a caller that waits for news looks by itself.
    fn pace(&self) -> Duration {
        Duration::from_millis(100)
    }
}

/// Reports of observers; the newest of each.
pub trait Reports: Send + Sync {
    /// Publishes a report in place of the observer's last one.
    fn publish<'a>(&'a self, report: &'a ObserverReport) -> BoxFuture<'a, Result<(), StoreError>>;
    /// The newest report of each observer of the group.
    fn reports<'a>(&'a self, group: &'a GroupName) -> BoxFuture<'a, Result<Vec<ObserverReport>, StoreError>>;
}

/// Evidence records, by run.
pub trait Records: Send + Sync {
    /// Keeps a run's record (JSON), in place of an earlier one of the same run.
    fn keep<'a>(&'a self, run: &'a RunId, record: String) -> BoxFuture<'a, Result<(), StoreError>>;
    /// A run's record.
    fn record<'a>(&'a self, run: &'a RunId) -> BoxFuture<'a, Result<Option<String>, StoreError>>;
}

/// Stops of groups and of everything. They need no lease: a person stops whatever process is in charge.
pub trait Stops: Send + Sync {
    /// Adds an order, durable on return.
    fn order_stop<'a>(&'a self, order: &'a StopOrder) -> BoxFuture<'a, Result<(), StoreError>>;
    /// All orders, in the order they were given.
    fn stop_orders(&self) -> BoxFuture<'_, Result<Vec<StopOrder>, StoreError>>;
}

/// All that the engine and the faces need of a store.
pub trait Store: Journal + Leases + Reports + Records + Stops {}

impl<T: Journal + Leases + Reports + Records + Stops> Store for T {}

/// The lease key under which a run's journal is written.
impl RunSummary {
    /// Its lease key.
    pub fn key(&self) -> LeaseKey {
        LeaseKey { group: self.run.group.clone(), rehearsal: self.rehearsal }
    }
}
