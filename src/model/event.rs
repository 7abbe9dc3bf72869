//! What is written in the journal. These words are for ever: fields are added, never changed or removed; a
//! reader of a new event ships before its writer.

mod body;

use std::{fmt, sync::Arc};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    Actor, Blocker, DrillMode, Facts, Firing, Loss, Outcome, Output, PauseReason, PersonSignature, Plan, RunKind,
    SkippedBy, StepIndex, StepName, TargetName, Term,
};

/// A named risk that a person may accept, with a reason, for one run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Risk {
    /// Promote although writes are lost beyond the objective, or an unknown amount is.
    DataLoss,
    /// Promote although nothing proves that the source is fenced.
    UnverifiedFence,
    /// Start although the last run that acted is recent.
    SkipCooldown,
    /// Go on although both sides wrote after they parted.
    DivergentHistory,
}

impl Risk {
    /// All risks that can be accepted.
    pub const ALL: [Self; 4] = [Self::DataLoss, Self::UnverifiedFence, Self::SkipCooldown, Self::DivergentHistory];

    /// As typed.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::DataLoss => "DataLoss",
            Self::UnverifiedFence => "UnverifiedFence",
            Self::SkipCooldown => "SkipCooldown",
            Self::DivergentHistory => "DivergentHistory",
        }
    }
}

impl fmt::Display for Risk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// What a person orders while a run is open.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "do")]
pub enum CommandBody {
    /// Start nothing new; what is under way ends.
    Pause,
    /// Go on.
    Resume,
    /// Try a failed, blocked or unsure step again.
    Retry {
        /// The step.
        step: StepName,
    },
    /// Leave a step out.
    Skip {
        /// The step.
        step: StepName,
    },
    /// End at a safe point; with `unwind`, undo what is reversible first.
    Cancel {
        /// Undo first.
        unwind: bool,
    },
    /// Accept a risk by name.
    Accept {
        /// The risk.
        risk: Risk,
    },
    /// Approve a step, or the run when no step is named.
    Approve {
        /// The step.
        step: Option<StepName>,
    },
    /// Refuse to approve: the step fails, or the run is cancelled.
    Deny {
        /// The step.
        step: Option<StepName>,
    },
}

/// An order with who and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Command {
    /// Who.
    pub by: Actor,
    /// Why, in the person's words; may be empty for `resume` and `pause`.
    pub reason: String,
    /// When it was given.
    pub at: Timestamp,
    /// The run's term as the person saw it: the order is not taken when the run has passed to another since.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected_term: Option<Term>,
    /// What.
    pub body: CommandBody,
    /// Signed with the person's own key. Apart, since few orders are, and every event is as large as the largest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signed: Option<Box<PersonSignature>>,
}

/// The first event of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Opened {
    /// What kind of run.
    pub kind: RunKind,
    /// A drill that changes nothing of the group: it is written under a lease of its own, and stands in no real run's way.
    /// Everything is observed and nothing done, or, where the plan says [`isolation`](Plan::isolation), done on stand-ins.
    pub rehearsal: bool,
    /// The pinned plan. Nobody changes it, so whoever needs it shares it: it is by far the largest part of a run.
    #[serde(with = "shared")]
    pub plan: Arc<Plan>,
    /// Its digest.
    pub digest: super::Digest,
    /// Who asked.
    pub requested_by: Actor,
    /// Why.
    pub reason: String,
    /// First failed probe of the streak that led here, where known.
    pub onset: Option<Timestamp>,
    /// How the onset is known: `observer report`, `own probe`; empty when it is not.
    pub onset_basis: String,
    /// When somebody, or something, knew.
    pub noticed: Option<Timestamp>,
    /// Risks accepted with the request.
    pub accepted: Vec<Risk>,
    /// Until when the cool-down of the last acting run lasts, where one does.
    pub cooldown_until: Option<Timestamp>,
    /// What a failover would have lost at this moment, for each target: recorded before anything acts (S5).
    pub estimates: Vec<(TargetName, Loss)>,
    /// The program's version.
    pub version: String,
    /// How far it goes, where the run is a drill. A journal from before this word says it by `rehearsal` alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drill: Option<DrillMode>,
    /// The firing of a schedule that it is the run of. There is one run of a firing at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scheduled: Option<Firing>,
}

impl Opened {
    /// How far it goes; `None`: it is no drill.
    pub fn drill_mode(&self) -> Option<DrillMode> {
        self.drill.or(self.rehearsal.then_some(DrillMode::Rehearse))
    }

    /// No act is real: everything is observed, and what would be done is taken as done.
    pub fn simulated(&self) -> bool {
        self.rehearsal && self.plan.isolation.is_none()
    }
}

/// A shared plan is written as the plan; each that is read is one of its own.
mod shared {
    use std::sync::Arc;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use super::Plan;

    pub(super) fn serialize<S: Serializer>(plan: &Arc<Plan>, serializer: S) -> Result<S::Ok, S::Error> {
        plan.as_ref().serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Arc<Plan>, D::Error> {
        Plan::deserialize(deserializer).map(Arc::new)
    }
}

/// One event.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(remote = "Self", rename_all = "camelCase", tag = "event")]
pub enum EventBody {
    /// The run exists.
    Opened(Box<Opened>),
    /// A process took the run over; whatever was acting under an older term is unknown now.
    TakenOver {
        /// `host/pid`.
        holder: String,
    },
    /// A person ordered something. A refused order is recorded too.
    Commanded {
        /// Its number in the inbox.
        inbox: u64,
        /// The order.
        command: Command,
        /// Why it had no effect.
        refused: Option<String>,
    },
    /// A person's approval counts no more: the key that signed it was revoked, or is no longer that person's, before the first act.
    ApprovalWithdrawn {
        /// Whose.
        by: Actor,
        /// Why.
        why: String,
    },
    /// A step is left out.
    Skipped {
        /// The step.
        step: StepIndex,
        /// By whom.
        by: SkippedBy,
        /// Why.
        why: String,
    },
    /// A gate is shut.
    Blocked {
        /// The step.
        step: StepIndex,
        /// Everything that shuts it.
        reasons: Vec<Blocker>,
        /// What was seen.
        facts: Facts,
    },
    /// A person must approve.
    ApprovalAsked {
        /// The step.
        step: StepIndex,
        /// Persons needed.
        needed: u32,
    },
    /// Intent: the act starts once this is durable (S1).
    Acting {
        /// The step.
        step: StepIndex,
        /// Which try, from 1.
        attempt: u32,
        /// What was seen just before.
        facts: Facts,
    },
    /// It is so.
    Done {
        /// The step.
        step: StepIndex,
        /// The try; 0 when it was already so before any.
        attempt: u32,
        /// Its output.
        output: Output,
        /// What was seen.
        facts: Facts,
    },
    /// A try was certainly not applied.
    Failed {
        /// The step.
        step: StepIndex,
        /// The try.
        attempt: u32,
        /// Why.
        why: String,
        /// When the next try may start; `None`: there is none.
        retry_at: Option<Timestamp>,
        /// The run passes over it (`bestEffort`, `onFailure: Continue`).
        passed_over: bool,
    },
    /// The outcome of a try is unknown.
    Lost {
        /// The step.
        step: StepIndex,
        /// The try.
        attempt: u32,
        /// What was lost.
        why: String,
    },
    /// The run starts nothing new.
    Paused {
        /// Why.
        reason: PauseReason,
    },
    /// Undoing starts.
    Unwinding {
        /// Why.
        why: String,
    },
    /// Intent: the undo starts once this is durable.
    Undoing {
        /// The step.
        step: StepIndex,
    },
    /// Taken back.
    Undone {
        /// The step.
        step: StepIndex,
        /// What it said.
        output: Output,
    },
    /// Could not be taken back.
    Stuck {
        /// The step.
        step: StepIndex,
        /// Why.
        why: String,
    },
    /// The end.
    Closed {
        /// How.
        outcome: Outcome,
    },
}

impl EventBody {
    /// The step that the event is about.
    pub fn step(&self) -> Option<StepIndex> {
        match self {
            Self::Skipped { step, .. }
            | Self::Blocked { step, .. }
            | Self::ApprovalAsked { step, .. }
            | Self::Acting { step, .. }
            | Self::Done { step, .. }
            | Self::Failed { step, .. }
            | Self::Lost { step, .. }
            | Self::Undoing { step }
            | Self::Undone { step, .. }
            | Self::Stuck { step, .. } => Some(*step),
            Self::Opened(_)
            | Self::TakenOver { .. }
            | Self::Commanded { .. }
            | Self::ApprovalWithdrawn { .. }
            | Self::Paused { .. }
            | Self::Unwinding { .. }
            | Self::Closed { .. } => None,
        }
    }
}

/// An event in its place.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// Place in the run's journal, from 1 without a gap.
    pub seq: u64,
    /// Term of the process that wrote it.
    pub term: Term,
    /// When.
    pub at: Timestamp,
    /// What.
    #[serde(flatten)]
    pub body: EventBody,
}
