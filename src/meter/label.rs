//! Labels, and the words that are their values.

use prometheus_client::encoding::EncodeLabelSet;

use super::family::Labels;
use crate::model::Outcome;

macro_rules! labels {
    ($($(#[$doc:meta])* $name:ident { $($field:ident),+ } $group:expr;)+) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, EncodeLabelSet)]
        pub(super) struct $name { $(pub(super) $field: String,)+ }
        impl Labels for $name {
            fn group(&self) -> Option<&str> {
                let find: fn(&Self) -> Option<&str> = $group;
                find(self)
            }
        }
    )+};
}

labels! {
    /// A group.
    OfGroup { group } |l| Some(&l.group);
    /// A region of a group.
    OfRegion { group, region } |l| Some(&l.group);
    /// A target of a group.
    OfTarget { group, target } |l| Some(&l.group);
    /// A condition of a group: the word is `condition`, for `type` is the run's.
    OfCondition { group, r#type } |l| Some(&l.group);
    /// A requirement of a drill policy.
    OfRequirement { group, requirement } |l| Some(&l.group);
    /// The last run that a requirement asks for.
    OfTrial { group, requirement, verdict } |l| Some(&l.group);
    /// Actions of a severity.
    OfAction { group, action_severity } |l| Some(&l.group);
    /// What is judged of a region.
    OfVerdict { group, region, verdict } |l| Some(&l.group);
    /// What an observer judges of a region.
    OfObserver { group, region, observer, verdict } |l| Some(&l.group);
    /// An observer's reports.
    OfReport { group, observer } |l| Some(&l.group);
    /// A probe.
    OfProbe { region, probe } |_| None;
    /// A probe's results.
    OfProbed { region, probe, result } |_| None;
    /// Runs of a kind.
    OfKind { group, r#type } |l| Some(&l.group);
    /// Runs that ended.
    OfRuns { group, r#type, result } |l| Some(&l.group);
    /// Open runs, or steps of them, by state.
    OfState { group, r#type, state } |l| Some(&l.group);
    /// Accepted risks.
    OfRisk { group, kind } |l| Some(&l.group);
    /// A driver's operation.
    OfOperation { driver, op, result } |_| None;
    /// Notices.
    OfNotice { channel, result } |_| None;
    /// A channel.
    OfChannel { channel } |_| None;
    /// An anchor of the ledger.
    OfAnchor { anchor } |_| None;
    /// What an operation of the store came to.
    OfStore { result } |_| None;
}

/// What became of a notice in one channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// The receiver took it.
    Sent,
    /// It was told a short while ago.
    Repeated,
    /// The receiver does not take it, or did not for too long.
    Failed,
    /// The queue was full.
    Dropped,
}

impl Fate {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Sent, Self::Repeated, Self::Failed, Self::Dropped];

    /// The label's value.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sent => "sent",
            Self::Repeated => "repeated",
            Self::Failed => "failed",
            Self::Dropped => "dropped",
        }
    }
}

/// What is judged of a region.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Judged {
    /// It serves.
    Up,
    /// It does not.
    Down,
    /// Nobody can tell.
    Unknown,
}

impl Judged {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Up, Self::Down, Self::Unknown];

    /// The label's value.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Down => "down",
            Self::Unknown => "unknown",
        }
    }
}

/// How a run ended, as a label: the words of [`Outcome`] without spaces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RunResult(pub Outcome);

impl RunResult {
    /// The label's value.
    pub fn as_str(self) -> &'static str {
        match self.0 {
            Outcome::Succeeded => "succeeded",
            Outcome::CompletedWithExceptions => "exceptions",
            Outcome::Failed => "failed",
            Outcome::Cancelled => "cancelled",
            Outcome::Unwound => "unwound",
        }
    }
}
