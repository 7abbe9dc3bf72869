//! What keeps a flow from its end, with what to do about it.

use crate::{
    engine::EngineError,
    evidence::RecordError,
    manifest::Finding,
    model::{Firing, GroupName, RunId},
    port::{LeaseError, LedgerError, StoreError},
    store::etcd,
};

use super::{NoRoute, SettingsError};

/// The four ways not to get there. The faces give each a code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It was tried and failed.
    Failure,
    /// What was asked for, or a document, makes no sense.
    Usage,
    /// A gate or a check forbids it.
    Refused,
    /// The store is out of reach, or another process holds the lease.
    Unavailable,
}

/// A flow that did not get to its end.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    /// Settings make no sense.
    #[error("the settings make no sense")]
    Settings(#[from] SettingsError),
    /// The documents have errors.
    #[error("the documents have errors, so nothing was started")]
    Findings {
        /// All of them, warnings too.
        findings: Vec<Finding>,
    },
    /// Nobody said where the documents are.
    #[error("there are no documents: ./lifeboat does not exist")]
    NoDocuments,
    /// No such group.
    #[error("there is no group `{group}` in the documents")]
    NoGroup {
        /// What was asked for.
        group: GroupName,
        /// What there is.
        there: Vec<GroupName>,
    },
    /// No way for the run.
    #[error("there is no way for this run")]
    Route(#[from] NoRoute),
    /// A check forbids it.
    #[error("{what}")]
    Refused {
        /// What was found.
        what: String,
        /// What to do about it.
        remedy: String,
    },
    /// There is a run of this firing.
    #[error("run {run} is the drill of {firing}")]
    Drilled {
        /// The firing.
        firing: Firing,
        /// Its run.
        run: RunId,
    },
    /// Another process holds the lease.
    #[error("could not take the lease")]
    Lease(#[source] LeaseError),
    /// The store did not do what it was asked.
    #[error("could not {intent}")]
    Store {
        /// What was being done.
        intent: String,
        /// Why not.
        #[source]
        source: StoreError,
    },
    /// The engine stopped.
    #[error("the engine stopped")]
    Engine(#[from] EngineError),
    /// A target's driver cannot be opened.
    #[error("could not open {what}: {why}")]
    Driver {
        /// `target orders-db`, `probe edge`.
        what: String,
        /// Why not.
        why: String,
    },
    /// A task of the standing controller ended, and with it the process.
    #[error("the {task} ended: {why}")]
    Ended {
        /// Which.
        task: String,
        /// Why.
        why: String,
    },
    /// There is nothing of the kind.
    #[error("{what}")]
    Missing {
        /// What is missing.
        what: String,
        /// What there is instead.
        remedy: String,
    },
    /// The journal makes no record.
    #[error("could not make the record of the run")]
    Record(#[source] RecordError),
    /// A run came to rest, and its record is not kept.
    #[error("run {run} stands as its journal says, and its record could not be kept")]
    Unkept {
        /// The run.
        run: RunId,
        /// Why not.
        #[source]
        source: Box<AppError>,
    },
    /// The ledger did not do what it was asked.
    #[error("the ledger is out of order")]
    Ledger {
        /// Why.
        #[source]
        source: LedgerError,
    },
    /// The machine did not do what it was asked.
    #[error("could not {intent}")]
    Machine {
        /// What was being done.
        intent: String,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
}

impl AppError {
    /// A store's error with what was being done.
    pub fn store(intent: impl Into<String>) -> impl FnOnce(StoreError) -> Self {
        let intent = intent.into();
        move |source| Self::Store { intent, source }
    }

    /// Which way it did not get there.
    pub fn fault(&self) -> Fault {
        match self {
            Self::Route(NoRoute::AlreadyThere { .. }) | Self::Refused { .. } | Self::Drilled { .. } => Fault::Refused,
            Self::Settings(_)
            | Self::Findings { .. }
            | Self::NoDocuments
            | Self::NoGroup { .. }
            | Self::Missing { .. }
            | Self::Route(_) => Fault::Usage,
            Self::Store { source, .. } | Self::Engine(EngineError::Journal { source, .. }) => store_fault(source),
            Self::Ledger { source } => ledger_fault(source),
            Self::Lease(_) | Self::Unkept { .. } | Self::Engine(EngineError::LeaseLost { .. }) => Fault::Unavailable,
            Self::Engine(EngineError::Illegal { .. } | EngineError::NoDriver { .. })
            | Self::Driver { .. }
            | Self::Record(_)
            | Self::Ended { .. }
            | Self::Machine { .. } => Fault::Failure,
        }
    }

    /// What to do about it; `None` where the message says all there is.
    pub fn remedy(&self) -> Option<String> {
        match self {
            Self::NoDocuments => Some("name files or folders with --file, or set LIFEBOAT_FILES".into()),
            Self::NoGroup { there, .. } => {
                let there: Vec<_> = there.iter().map(GroupName::as_str).collect();
                Some(if there.is_empty() {
                    "they hold no ProtectionGroup".into()
                } else {
                    format!("they hold {}", there.join(", "))
                })
            }
            Self::Refused { remedy, .. } | Self::Missing { remedy, .. } => Some(remedy.clone()),
            Self::Lease(LeaseError::Held { key, .. }) => {
                Some(format!("that process drives a run; `lifeboat run list {}` shows which", key.group))
            }
            Self::Store { source: StoreError::RunOpen { run }, .. } => Some(go_on(run)),
            Self::Store { source: StoreError::RunClosed { run }, .. } => {
                Some(format!("it is over; `lifeboat run show {run}` shows how it ended"))
            }
            Self::Store { source: StoreError::TermMoved { run, .. }, .. } => {
                Some(format!("look again with `lifeboat run show {run}`, then give the term that it shows"))
            }
            Self::Store { source: StoreError::NoRun { .. }, .. } => {
                Some("`lifeboat run list` shows the runs there are".into())
            }
            Self::Store { source: StoreError::Corrupt { .. }, .. } => {
                Some("keep the store as it is, and go on with another (--store, --data-dir)".into())
            }
            Self::Unkept { run, .. } => Some(format!(
                "mend that; `lifeboat run show {run}` shows how the run stands, and `lifeboat run resume {run}` writes the record"
            )),
            Self::Store { source: StoreError::Unavailable { source, .. }, .. }
            | Self::Lease(LeaseError::Store { source: StoreError::Unavailable { source, .. }, .. }) => {
                out_of_reach(source.as_ref())
            }
            Self::Engine(EngineError::Journal { run, .. } | EngineError::LeaseLost { run, .. }) => {
                Some(format!("look with `lifeboat run show {run}`, then go on with `lifeboat run resume {run}`"))
            }
            Self::Ended { .. } => {
                Some("this is a defect of lifeboat: start it again, and please report it with its last lines".into())
            }
            Self::Ledger { source } => ledger_remedy(source),
            Self::Drilled { run, .. } => Some(format!("`lifeboat run show {run}` shows how it stands")),
            Self::Driver { .. } => Some("correct the target's settings in the documents".into()),
            Self::Settings(_)
            | Self::Findings { .. }
            | Self::Lease(LeaseError::Lost { .. } | LeaseError::Store { .. })
            | Self::Route(_)
            | Self::Store { .. }
            | Self::Engine(_)
            | Self::Record(_)
            | Self::Machine { .. } => None,
        }
    }
}

/// What to do about a store that could not be reached, read or written.
fn out_of_reach(source: &(dyn std::error::Error + Send + Sync + 'static)) -> Option<String> {
    match source.downcast_ref() {
        Some(etcd::Trouble::Silent { .. } | etcd::Trouble::Full { .. } | etcd::Trouble::Refused { .. }) => {
            Some("check the cluster that --store or LIFEBOAT_STORE names: `etcdctl endpoint status --cluster`".into())
        }
        // It says itself what to do.
        Some(
            etcd::Trouble::Forbidden { .. }
            | etcd::Trouble::TooLarge { .. }
            | etcd::Trouble::Stranger { .. }
            | etcd::Trouble::Tls(_)
            | etcd::Trouble::Client(_)
            | etcd::Trouble::Chance,
        ) => None,
        None => {
            Some("check the folder that --data-dir or LIFEBOAT_DATA names: space, permissions, a local disk".into())
        }
    }
}

fn ledger_fault(source: &LedgerError) -> Fault {
    match source {
        LedgerError::None { .. } => Fault::Usage,
        LedgerError::Busy { .. } | LedgerError::Disk { .. } => Fault::Unavailable,
        LedgerError::Damaged { .. } | LedgerError::WentBack { .. } | LedgerError::Other { .. } => Fault::Refused,
        LedgerError::Entry(_) => Fault::Failure,
    }
}

fn ledger_remedy(source: &LedgerError) -> Option<String> {
    let text = match source {
        LedgerError::Busy { place, .. } => format!("see which process it is (`fuser {place}/lock`) and try again"),
        LedgerError::Damaged { .. } => {
            "keep the folder as it is and put a copy of it beside; `lifeboat evidence verify` says all that is wrong. Nothing is \
             written to it until it is as it was: restore it from a copy, or begin another with --data-dir"
                .into()
        }
        LedgerError::WentBack { .. } => {
            "somebody put an older copy back, or entries were taken out: restore the newest copy. If that is what was meant, move \
             ledger.seen away"
                .into()
        }
        LedgerError::None { .. } => "the first run makes one; --data-dir or LIFEBOAT_DATA names the folder that it is in".into(),
        LedgerError::Other { .. } => {
            "set the keys and the origin that the ledger was written with; after a rotation that was cut off, \
             `lifeboat evidence keygen --rotate` comes to its end"
                .into()
        }
        LedgerError::Disk { .. } => {
            "check the folder that --data-dir or LIFEBOAT_DATA names: space, permissions, a local disk".into()
        }
        LedgerError::Entry(_) => return None,
    };
    Some(text)
}

fn store_fault(source: &StoreError) -> Fault {
    match source {
        StoreError::NoRun { .. } => Fault::Usage,
        StoreError::RunOpen { .. } | StoreError::RunClosed { .. } | StoreError::TermMoved { .. } => Fault::Refused,
        StoreError::StaleTerm { .. }
        | StoreError::Conflict { .. }
        | StoreError::Corrupt { .. }
        | StoreError::Unavailable { .. } => Fault::Unavailable,
    }
}

/// What to do about a run that is still open.
pub fn go_on(run: &RunId) -> String {
    format!(
        "look at it with `lifeboat run show {run}`; go on with `lifeboat run resume {run}`, or end it with `lifeboat run cancel {run}`"
    )
}

/// An error with its causes, in one line.
pub(super) fn whole(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        text.push_str(": ");
        text.push_str(&next.to_string());
        cause = next.source();
    }
    text
}
