//! How a group is drilled, on stand-ins and in earnest: the `drills` of a `ProtectionGroup`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{ProbeSpec, StepSpec, TargetSpec};

/// What the group's drills need beside its runbooks.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DrillsSpec {
    /// Drills that do everything, on stand-ins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub isolated: Option<IsolatedSpec>,
    /// Drills that really move the group, and bring it back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub live: Option<LiveSpec>,
}

/// A live drill: a switchover, a stay, and the way back.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LiveSpec {
    /// Seconds that the group serves from the other region before the way back begins, 0 to 86,400; default 60.
    #[serde(default = "minute")]
    pub hold_seconds: f64,
    /// Probes that are made all the while, at the group's `periodSeconds`. One that fails as often in a row as its own
    /// `failureThreshold`, or else the group's, says ends the drill: before a promotion the run is undone, after it the way back
    /// begins at once. A planned outage lies between the fence and the end of each run: a probe of the service itself needs a
    /// threshold that is longer than that.
    #[schemars(length(min = 1))]
    pub abort_when: Vec<ProbeSpec>,
}

fn minute() -> f64 {
    60.0
}

/// Stand-ins, and how they come and go. The group's own runbook is run on them.
///
/// Steps on targets without a stand-in, probes of the real service, and commands and requests that are not `readOnly` are left
/// out. When everything is over, however it ended, `tearDown` is done; then it is proven that no stand-in database answers any
/// more, and that every real target is as it was.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct IsolatedSpec {
    /// Each stands in for the group's target of that name, with the same driver: a clone, a test zone, a test bucket.
    pub targets: Vec<TargetSpec>,
    /// Steps that come before the runbook's: they make the clones. `command`, `http` and `wait` alone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub set_up: Vec<StepSpec>,
    /// Steps that come when all others are over, however they ended. `command`, `http` and `wait` alone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tear_down: Vec<StepSpec>,
}
