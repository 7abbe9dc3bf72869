//! What ends a drive other than its own rest.

use crate::{
    model::{IllegalEvent, RunId},
    port::{Disposition, LeaseError, StoreError},
};

/// A drive that could not go on. Nothing is lost: the journal says where it stopped.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// Another process is in charge, or may be.
    #[error("the lease was lost, so this process stopped acting; `lifeboat run show {run}` says who goes on")]
    LeaseLost {
        /// The run.
        run: RunId,
        /// How it was noticed.
        #[source]
        source: LeaseError,
    },
    /// The journal could not be written or read: nothing acts without it.
    #[error("the journal of {run} could not be written, so nothing more was started")]
    Journal {
        /// The run.
        run: RunId,
        /// Why.
        #[source]
        source: StoreError,
    },
    /// The store holds an event that cannot follow the one before it.
    #[error("the journal of {run} makes no sense")]
    Illegal {
        /// The run.
        run: RunId,
        /// Where.
        #[source]
        source: IllegalEvent,
    },
    /// Nobody can carry out a step of the plan.
    #[error("no driver is open for step `{step}` of {run}")]
    NoDriver {
        /// The run.
        run: RunId,
        /// The step.
        step: String,
    },
}

impl EngineError {
    /// What to do about it.
    pub fn disposition(&self) -> Disposition {
        match self {
            Self::LeaseLost { .. } => Disposition::StandDown,
            Self::Journal { source, .. } => source.disposition(),
            Self::Illegal { .. } | Self::NoDriver { .. } => Disposition::Bug,
        }
    }
}
