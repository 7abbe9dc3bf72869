//! How a group is drilled on stand-ins: the `drills` of a `ProtectionGroup`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{StepSpec, TargetSpec};

/// What the group's drills need beside its runbooks.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DrillsSpec {
    /// Drills that do everything, on stand-ins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub isolated: Option<IsolatedSpec>,
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
