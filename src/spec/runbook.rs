//! `kind: Runbook`.

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::model::{DrillPolicy, OnFailure, StepName, TargetName};

/// The declared steps. A runbook names no region: `source` and `destination` come from the run.
#[derive(CustomResource, Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "lifeboat.dev",
    version = "v1alpha1",
    kind = "Runbook",
    plural = "runbooks",
    shortname = "rb",
    category = "lifeboat",
    namespaced
)]
#[kube(derive = "PartialEq")]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RunbookSpec {
    /// What it is for, in a sentence.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// The steps. They run as soon as what they `needs` has ended well, in parallel where they can.
    pub steps: Vec<StepSpec>,
}

/// One step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct StepSpec {
    /// Its name, unique in the runbook.
    pub name: StepName,
    /// What it does: `database.promote`, `dns.switch`, `command` …
    pub uses: String,
    /// On which target of the group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<TargetName>,
    /// Parameters of the verb. Strings may hold `{{ expressions }}`.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    #[schemars(schema_with = "free_object")]
    pub with: Map<String, Value>,
    /// Steps that must have ended well before it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub needs: Vec<StepName>,
    /// Expression that must hold, or the step is skipped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<String>,
    /// Expression that must hold after the act.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verify: Option<String>,
    /// How long one try may take, in seconds; default: what the driver expects.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 86_400))]
    pub timeout_seconds: Option<u64>,
    /// How often it may be tried.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry: Option<RetrySpec>,
    /// What its failure means for the run.
    #[serde(default)]
    pub on_failure: OnFailure,
    /// How it is taken back, where the verb itself does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undo: Option<UndoSpec>,
    /// What it does in a drill.
    #[serde(default)]
    pub drill: DrillPolicy,
    /// Its failure is recorded and passed over; it may depend on the source region.
    #[serde(default)]
    pub best_effort: bool,
    /// What a person does when it cannot be done by machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub manual: Option<ManualSpec>,
}

/// Free parameters: the verb says which; the checker knows.
pub(super) fn free_object(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({ "type": "object", "x-kubernetes-preserve-unknown-fields": true })
}

/// Tries and the rest between them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RetrySpec {
    /// Tries in all.
    #[schemars(range(min = 1, max = 100))]
    pub attempts: u32,
    /// Rest after the first failed try, in seconds; doubles each time, with jitter, up to 60 s.
    #[serde(default = "one_second")]
    pub backoff_seconds: f64,
}

fn one_second() -> f64 {
    1.0
}

/// How a step is taken back.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct UndoSpec {
    /// The verb that undoes it.
    pub uses: String,
    /// Its parameters.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    #[schemars(schema_with = "free_object")]
    pub with: Map<String, Value>,
}

/// What a person does.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ManualSpec {
    /// The instructions, shown when the step fails.
    pub instructions: String,
}
