//! The state of one step. An enum that carries its data; `run.rs` says which event leads where.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Actor, Facts, Output, RegionName, Risk, StepName, TargetName};

/// Why a step may not act now. A gate gives all of them at once.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "is")]
pub enum Blocker {
    /// No fence of the target has been proven by effect (promise S3). Accept: `UnverifiedFence`.
    NotFenced {
        /// The target.
        target: TargetName,
        /// The region that may still accept writes.
        source: RegionName,
    },
    /// The source was seen accepting writes just now: the fence does not hold (S3). Never accepted.
    SourceStillWritable {
        /// The target.
        target: TargetName,
        /// The region.
        source: RegionName,
    },
    /// More than one member accepts writes (S6). Never accepted.
    TwoPrimaries {
        /// The target.
        target: TargetName,
        /// Where.
        regions: Vec<RegionName>,
    },
    /// The loss is beyond the objective (S5). Accept: `DataLoss`.
    LossBeyondObjective {
        /// The target.
        target: TargetName,
        /// Seconds that would be lost.
        seconds: f64,
        /// Seconds that the objective allows.
        allowed: f64,
        /// How the figure was found.
        basis: String,
    },
    /// The loss cannot be stated (S5). Accept: `DataLoss`.
    LossUnknown {
        /// The target.
        target: TargetName,
        /// What could not be seen.
        why: String,
    },
    /// A planned run loses nothing, and the destination lacks something. Accept: `DataLoss`.
    NotCaughtUp {
        /// The target.
        target: TargetName,
        /// How much is missing.
        missing: String,
    },
    /// More persons must stand behind the run.
    ApprovalsMissing {
        /// Persons needed, the requester included.
        needed: u32,
        /// Persons who did.
        have: Vec<Actor>,
    },
    /// A run that acted ended too recently (S10). Accept: `SkipCooldown`.
    Cooldown {
        /// When it is over.
        until: Timestamp,
    },
    /// Both sides wrote after they parted. Accept: `DivergentHistory`.
    DivergentHistory {
        /// The target.
        target: TargetName,
        /// Both positions.
        detail: String,
    },
    /// Fencing the source now would leave nobody to serve: the destination is judged as strictly as the source.
    DestinationNotReady {
        /// The target.
        target: TargetName,
        /// The region that should take over.
        destination: RegionName,
        /// The role it was seen in.
        found: String,
    },
    /// A planned run would fence a source that the destination does not follow: it could not catch up, and nobody would
    /// serve (S10). Accept: `DataLoss`.
    NotReplicating {
        /// The target.
        target: TargetName,
        /// The region that serves.
        source: RegionName,
        /// The region that should take over.
        destination: RegionName,
    },
    /// The world could not be seen, so nothing can be judged.
    CannotSee {
        /// Why not.
        why: String,
    },
    /// The expectation of the driver does not hold.
    Refused {
        /// What would have made sense.
        expected: String,
        /// What was found.
        found: String,
    },
}

impl Blocker {
    /// The risk that a person may accept to open this gate; `None`: nobody may.
    pub fn accepted_by(&self) -> Option<Risk> {
        match self {
            Self::NotFenced { .. } => Some(Risk::UnverifiedFence),
            Self::LossBeyondObjective { .. }
            | Self::LossUnknown { .. }
            | Self::NotCaughtUp { .. }
            | Self::NotReplicating { .. } => Some(Risk::DataLoss),
            Self::Cooldown { .. } => Some(Risk::SkipCooldown),
            Self::DivergentHistory { .. } => Some(Risk::DivergentHistory),
            Self::SourceStillWritable { .. }
            | Self::TwoPrimaries { .. }
            | Self::ApprovalsMissing { .. }
            | Self::DestinationNotReady { .. }
            | Self::CannotSee { .. }
            | Self::Refused { .. } => None,
        }
    }
}

impl fmt::Display for Blocker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotFenced { target, source } => {
                write!(f, "the fence of {target} in {source} is not proven; promotion could leave two primaries")
            }
            Self::SourceStillWritable { target, source } => {
                write!(f, "{target} in {source} still accepts writes; the fence does not hold")
            }
            Self::TwoPrimaries { target, regions } => {
                write!(f, "{target} has more than one primary:")?;
                for region in regions {
                    write!(f, " {region}")?;
                }
                Ok(())
            }
            Self::LossBeyondObjective { target, seconds, allowed, basis } => write!(
                f,
                "promoting {target} would lose {seconds:.3} s of writes (by {basis}); the objective allows {allowed:.0} s"
            ),
            Self::LossUnknown { target, why } => {
                write!(f, "the loss of promoting {target} cannot be stated: {why}")
            }
            Self::NotCaughtUp { target, missing } => {
                write!(f, "a planned run loses nothing, and the destination of {target} lacks {missing}")
            }
            Self::ApprovalsMissing { needed, have } => {
                write!(f, "{needed} persons must stand behind this run; so far:")?;
                for actor in have {
                    write!(f, " {actor}")?;
                }
                Ok(())
            }
            Self::Cooldown { until } => write!(f, "the last run that acted is too recent; wait until {until}"),
            Self::DivergentHistory { target, detail } => {
                write!(f, "both sides of {target} went on after they parted: {detail}")
            }
            Self::DestinationNotReady { target, destination, found } => {
                write!(
                    f,
                    "{target} in {destination} is {found}, not a standby; fencing now would leave nobody to serve"
                )
            }
            Self::NotReplicating { target, source, destination } => {
                write!(f, "{target} in {destination} does not follow {source}; fenced now, it could never catch up")
            }
            Self::CannotSee { why } => write!(f, "it cannot be seen: {why}"),
            Self::Refused { expected, found } => write!(f, "expected {expected}, found {found}"),
        }
    }
}

/// Who left a step out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "is", content = "who")]
pub enum SkippedBy {
    /// Its `when` did not hold.
    When,
    /// The drill policy.
    Drill,
    /// A person.
    Person(Actor),
    /// A step it needs was skipped or failed.
    Need(StepName),
    /// The run was cancelled or unwound first.
    End,
}

/// Where a step is.
#[expect(clippy::large_enum_variant, reason = "the large variant is the usual one; there are few of them at a time")]
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "is")]
pub enum StepState {
    /// Not started.
    #[default]
    Waiting,
    /// A gate is shut.
    Blocked {
        /// Everything that shuts it.
        reasons: Vec<Blocker>,
    },
    /// A person must approve.
    AwaitingApproval {
        /// Persons needed.
        needed: u32,
        /// Persons who did.
        have: Vec<Actor>,
        /// Since when.
        since: Timestamp,
    },
    /// The intent is durable; the act may be under way.
    Acting {
        /// Which try, from 1.
        attempt: u32,
        /// Since when.
        since: Timestamp,
    },
    /// The outcome of a try is unknown; only observing is legal.
    Unsure {
        /// Which try.
        attempt: u32,
        /// What was lost.
        why: String,
    },
    /// A try was certainly not applied; the next one comes after a rest.
    Resting {
        /// The try that failed.
        attempt: u32,
        /// Not before this.
        until: Timestamp,
        /// Why it failed.
        why: String,
    },
    /// It is so.
    Done {
        /// The try that did it; 0 when it was already so.
        attempt: u32,
        /// Its output.
        output: Output,
        /// What was seen.
        facts: Facts,
    },
    /// Left out.
    Skipped {
        /// By whom.
        by: SkippedBy,
        /// Why.
        why: String,
    },
    /// All tries failed.
    Failed {
        /// The last try.
        attempt: u32,
        /// Why.
        why: String,
        /// The run may pass over it.
        passed_over: bool,
    },
    /// Being taken back.
    Undoing {
        /// Since when.
        since: Timestamp,
    },
    /// Taken back.
    Undone,
    /// Could not be taken back, or nobody knows: a person decides.
    Stuck {
        /// Why.
        why: String,
    },
}

impl StepState {
    /// One word for lists.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Blocked { .. } => "blocked",
            Self::AwaitingApproval { .. } => "awaiting approval",
            Self::Acting { .. } => "acting",
            Self::Unsure { .. } => "unsure",
            Self::Resting { .. } => "resting",
            Self::Done { .. } => "done",
            Self::Skipped { .. } => "skipped",
            Self::Failed { .. } => "failed",
            Self::Undoing { .. } => "undoing",
            Self::Undone => "undone",
            Self::Stuck { .. } => "stuck",
        }
    }

    /// It ended, well or not; nothing more happens to it on its own.
    pub fn ended(&self) -> bool {
        match self {
            Self::Done { .. } | Self::Skipped { .. } | Self::Failed { .. } | Self::Undone | Self::Stuck { .. } => true,
            Self::Waiting
            | Self::Blocked { .. }
            | Self::AwaitingApproval { .. }
            | Self::Acting { .. }
            | Self::Unsure { .. }
            | Self::Resting { .. }
            | Self::Undoing { .. } => false,
        }
    }

    /// Steps that need it may go on.
    pub fn lets_dependents_run(&self) -> bool {
        match self {
            Self::Done { .. } | Self::Skipped { .. } => true,
            Self::Failed { passed_over, .. } => *passed_over,
            Self::Waiting
            | Self::Blocked { .. }
            | Self::AwaitingApproval { .. }
            | Self::Acting { .. }
            | Self::Unsure { .. }
            | Self::Resting { .. }
            | Self::Undoing { .. }
            | Self::Undone
            | Self::Stuck { .. } => false,
        }
    }

    /// A try may be under way, or may have been applied without anybody having seen it.
    pub fn in_doubt(&self) -> bool {
        matches!(self, Self::Acting { .. } | Self::Unsure { .. } | Self::Undoing { .. })
    }
}
