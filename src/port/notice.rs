//! What people are told, and what tells them.
//!
//! A notice is a value. Nothing in it is a secret: it goes to chat rooms and mail boxes, and stays there for years.

use std::time::Duration;

use futures::future::BoxFuture;
use jiff::Timestamp;
use serde::Serialize;

use super::SecretError;
use crate::{
    model::{GroupName, Outcome, RegionName, RunId},
    spec::{NoticeEvent, NoticeSeverity},
};

/// What happened.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "is")]
pub enum NoticeKind {
    /// The observers agree that a region is down.
    OutageDetected,
    /// They agree that it is up again.
    OutageOver,
    /// A failover is proposed, and waits for a person.
    Proposal,
    /// A run began.
    RunStarted,
    /// A run cannot go on without a person.
    RunNeedsPerson {
        /// What would let it go on.
        why: String,
    },
    /// A run ended.
    RunClosed {
        /// How.
        outcome: Outcome,
    },
    /// No drill passed within the time that the group promised.
    DrillOverdue,
    /// A drill passed.
    DrillPassed,
    /// A group became ready for a failover, or stopped being so.
    ReadinessChanged {
        /// It is ready.
        ready: bool,
    },
    /// An observer's reports stopped.
    ObserverLost {
        /// Which.
        observer: String,
    },
    /// They came back.
    ObserverBack {
        /// Which.
        observer: String,
    },
    /// The store does not answer.
    StoreLost,
    /// It answers again.
    StoreBack,
    /// Two regions take writes.
    TwoPrimaries,
    /// No more than one does.
    TwoPrimariesOver,
}

impl NoticeKind {
    /// The word in documents.
    pub fn event(&self) -> NoticeEvent {
        match self {
            Self::OutageDetected => NoticeEvent::OutageDetected,
            Self::OutageOver => NoticeEvent::OutageOver,
            Self::Proposal => NoticeEvent::Proposal,
            Self::RunStarted => NoticeEvent::RunStarted,
            Self::RunNeedsPerson { .. } => NoticeEvent::RunNeedsPerson,
            Self::RunClosed { .. } => NoticeEvent::RunClosed,
            Self::DrillOverdue => NoticeEvent::DrillOverdue,
            Self::DrillPassed => NoticeEvent::DrillPassed,
            Self::ReadinessChanged { .. } => NoticeEvent::ReadinessChanged,
            Self::ObserverLost { .. } => NoticeEvent::ObserverLost,
            Self::ObserverBack { .. } => NoticeEvent::ObserverBack,
            Self::StoreLost => NoticeEvent::StoreLost,
            Self::StoreBack => NoticeEvent::StoreBack,
            Self::TwoPrimaries => NoticeEvent::TwoPrimaries,
            Self::TwoPrimariesOver => NoticeEvent::TwoPrimariesOver,
        }
    }

    /// Whether it ends what an earlier notice with the same key began: a pager's incident is resolved by it. A run that failed
    /// ends nothing: a person has to look.
    pub fn closes(&self) -> bool {
        match self {
            Self::OutageOver
            | Self::RunClosed {
                outcome: Outcome::Succeeded | Outcome::CompletedWithExceptions | Outcome::Cancelled | Outcome::Unwound,
            }
            | Self::DrillPassed
            | Self::ReadinessChanged { ready: true }
            | Self::ObserverBack { .. }
            | Self::StoreBack
            | Self::TwoPrimariesOver => true,
            Self::OutageDetected
            | Self::Proposal
            | Self::RunStarted
            | Self::RunNeedsPerson { .. }
            | Self::RunClosed { outcome: Outcome::Failed }
            | Self::DrillOverdue
            | Self::ReadinessChanged { ready: false }
            | Self::ObserverLost { .. }
            | Self::StoreLost
            | Self::TwoPrimaries => false,
        }
    }
}

/// What people are told.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Notice {
    /// What happened.
    pub kind: NoticeKind,
    /// How grave it is.
    pub severity: NoticeSeverity,
    /// The group; `None`: it concerns all.
    pub group: Option<GroupName>,
    /// The region.
    pub region: Option<RegionName>,
    /// The run.
    pub run: Option<RunId>,
    /// One line, without figures that change from one look to the next: the same title with the same key is told once.
    pub title: String,
    /// A few sentences: what is known, since when, and what it means. May be empty.
    pub body: String,
    /// The one command to type now.
    pub command: Option<String>,
    /// What it is about: `outage/orders/fra`. Whatever ends it has the same key.
    pub key: String,
    /// When it happened, by the wall clock.
    pub at: Timestamp,
}

/// A notice that was not delivered. None of the texts holds a secret or a whole URL.
#[derive(Debug, thiserror::Error)]
pub enum NotifyError {
    /// It may be delivered later: no answer, or a busy or broken receiver.
    #[error("not delivered yet: {why}")]
    Later {
        /// Why.
        why: String,
        /// How long the receiver asked us to wait.
        after: Option<Duration>,
    },
    /// The receiver does not take it, and will not take it later.
    #[error("the receiver refuses it: {why}")]
    Refused {
        /// Why, and what to do.
        why: String,
    },
    /// The channel's secret cannot be had now; whoever renews secrets may be at it.
    #[error("the channel's secret cannot be had")]
    Secret(#[from] SecretError),
}

impl NotifyError {
    /// Whether another try makes sense.
    pub fn again(&self) -> bool {
        match self {
            Self::Later { .. } => true,
            Self::Refused { .. } => false,
            Self::Secret(error) => !matches!(error, SecretError::Literal),
        }
    }
}

/// Something that tells people. It need not hurry and may fail: whoever calls it does not wait for it (`notify::Outbox`).
pub trait Notifier: Send + Sync {
    /// Tells of one notice, once. Twice the same notice is the same message to a receiver that looks at its identity.
    fn notify<'a>(&'a self, notice: &'a Notice) -> BoxFuture<'a, Result<(), NotifyError>>;
}
