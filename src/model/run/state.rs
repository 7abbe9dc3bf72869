//! What a run is for, where it is, and how it ended.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::{Actor, StepIndex};

/// What a run is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum RunKind {
    /// Unplanned: the source may be dead; loss is possible and gated.
    Failover,
    /// Planned: no loss.
    Switchover,
    /// A switchover back to the preferred region.
    Failback,
}

impl RunKind {
    /// As typed and shown.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Failover => "failover",
            Self::Switchover => "switchover",
            Self::Failback => "failback",
        }
    }
    /// Whether the run was planned and must lose nothing.
    pub fn planned(self) -> bool {
        match self {
            Self::Failover => false,
            Self::Switchover | Self::Failback => true,
        }
    }
}

impl std::fmt::Display for RunKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Outcome {
    /// Every step is done, or was skipped by its own `when` or by the drill.
    Succeeded,
    /// It ended, and at least one step failed or was skipped by a person. Never called a success.
    CompletedWithExceptions,
    /// It ended on a failure.
    Failed,
    /// A person ended it; nothing was undone.
    Cancelled,
    /// Everything reversible was undone.
    Unwound,
}

impl Outcome {
    /// As shown.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Succeeded => "succeeded",
            Self::CompletedWithExceptions => "completed with exceptions",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::Unwound => "unwound",
        }
    }
}

/// Why a run starts nothing new.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "is")]
pub enum PauseReason {
    /// A person said so.
    Ordered {
        /// Who.
        by: Actor,
        /// Why.
        reason: String,
    },
    /// A step failed and its `onFailure` is `Pause`.
    StepFailed {
        /// The step.
        step: StepIndex,
    },
    /// A gate is shut and nothing else can run.
    StepBlocked {
        /// The step.
        step: StepIndex,
    },
    /// Nobody can tell whether a try was applied.
    OutcomeUnknown {
        /// The step.
        step: StepIndex,
    },
    /// A step could not be undone.
    UndoStuck {
        /// The step.
        step: StepIndex,
    },
    /// The process was asked to end (Ctrl-C, SIGTERM).
    Interrupted,
    /// A person stopped the group, or everything.
    Stopped {
        /// Who.
        by: Actor,
        /// Why.
        reason: String,
    },
}

/// Where a run is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "is")]
pub enum RunState {
    /// Steps start as they become ready.
    Running,
    /// Nothing new starts.
    Paused {
        /// Why.
        reason: PauseReason,
    },
    /// Ends as soon as nothing is under way.
    Cancelling,
    /// Undoes in reverse order.
    Unwinding {
        /// Why.
        why: String,
    },
    /// Over.
    Closed {
        /// How.
        outcome: Outcome,
    },
}
