//! What an isolated drill works on: stand-ins for the group's targets, and nothing else.
//!
//! The plan of such a drill has the stand-ins as its group's targets, under the names of what they stand in for, so that
//! the same runbook moves them. The real targets are pinned beside them for one purpose: to see, before and after, that
//! they are as they were.

use serde::{Deserialize, Serialize};

use super::{StepName, TargetRef};

/// Of the plan of an isolated drill.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Isolation {
    /// The group's own targets. They are looked at; no step acts on them.
    pub real: Vec<TargetRef>,
    /// Steps of the runbook that the drill leaves out.
    pub left_out: Vec<LeftOut>,
}

/// A step of the runbook that is not in the plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftOut {
    /// The step.
    pub step: StepName,
    /// Why the drill cannot do it.
    pub why: String,
}
