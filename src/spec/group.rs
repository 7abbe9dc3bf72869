//! `kind: ProtectionGroup`.

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{BlackoutSpec, ControlsSpec, DrillsSpec, ProbeSpec, TargetSpec};
use crate::model::{Automation, FencingPolicy, GroupName, MemberRole, ProbeName, RegionName, RunbookName, ServiceName};

/// The service that fails over as a whole: its regions, targets, objectives and policy.
#[derive(CustomResource, Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "lifeboat.dev",
    version = "v1alpha1",
    kind = "ProtectionGroup",
    plural = "protectiongroups",
    shortname = "pg",
    category = "lifeboat",
    namespaced
)]
#[kube(derive = "PartialEq")]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ProtectionGroupSpec {
    /// Its regions. Exactly one is `Preferred`, at least one more is `Standby`.
    pub regions: Vec<GroupRegion>,
    /// What is promised.
    pub objectives: ObjectivesSpec,
    /// What is moved.
    pub targets: Vec<TargetSpec>,
    /// The services that move with the group, in the words of `services` of its regions; default: one, of the group's own name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub services: Vec<ServiceName>,
    /// How much the group matters, 1 to 5: 1 matters most, and a group that says nothing counts as 1. Drill policies pick groups by
    /// it, and the readiness score weighs by it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 5))]
    pub tier: Option<u8>,
    /// How an outage is noticed.
    #[serde(default)]
    pub detection: DetectionSpec,
    /// What happens when the primary region is down.
    #[serde(default = "manual")]
    pub automation: Automation,
    /// Groups that this one stands on: it fails over by itself only after they have left the source.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub after: Vec<GroupName>,
    /// Times in which nothing starts or is proposed by itself: deploys, migrations, a season in which people want to decide
    /// themselves. Persons start runs as always.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub freezes: Vec<BlackoutSpec>,
    /// By whose clock `freezes` are read: a name of the IANA time zone database, such as `Europe/Berlin`; default UTC.
    #[serde(default = "utc")]
    pub time_zone: String,
    /// What a promotion needs.
    #[serde(default = "required")]
    pub fencing: FencingPolicy,
    /// Seconds after a run that acted in which the next one needs `SkipCooldown`.
    #[serde(default = "hour")]
    pub cooldown_seconds: u64,
    /// Who must stand behind a run.
    #[serde(default)]
    pub approvals: Approvals,
    /// The runbook of each kind of run; a kind without one uses the built-in, derived from the targets.
    #[serde(default)]
    pub runbooks: RunbookNames,
    /// What its drills need.
    #[serde(default, skip_serializing_if = "without_drills")]
    pub drills: DrillsSpec,
    /// What its drills compare between the regions, beside what drivers tell by themselves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub controls: Option<ControlsSpec>,
}

fn without_drills(drills: &DrillsSpec) -> bool {
    *drills == DrillsSpec::default()
}

fn manual() -> Automation {
    Automation::Manual
}
fn required() -> FencingPolicy {
    FencingPolicy::Required
}
fn utc() -> String {
    "UTC".into()
}
/// An hour: long enough for reverse replication to settle and for people to look.
fn hour() -> u64 {
    3_600
}

/// A region of a group.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct GroupRegion {
    /// Name of a `Region`.
    pub name: RegionName,
    /// What it does for the group.
    pub role: MemberRole,
}

/// Objectives in whole seconds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ObjectivesSpec {
    /// From the onset of the outage to health restored.
    #[schemars(range(min = 1))]
    pub recovery_time_seconds: u64,
    /// Age of the newest write that may be lost.
    pub recovery_point_seconds: u64,
    /// How old the last passed drill may be; default 90 days.
    #[serde(default = "quarter")]
    #[schemars(range(min = 1))]
    pub drill_max_age_seconds: u64,
}

fn quarter() -> u64 {
    90 * 24 * 3_600
}

/// How an outage is noticed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DetectionSpec {
    /// Seconds between two probes; 0.05 to 3600.
    #[serde(default = "two_seconds")]
    pub period_seconds: f64,
    /// Failed probes in a row that make an observer say *down*.
    #[serde(default = "three")]
    #[schemars(range(min = 1, max = 100))]
    pub failure_threshold: u32,
    /// Healthy probes in a row that make an observer say *up* again.
    #[serde(default = "two")]
    #[schemars(range(min = 1, max = 100))]
    pub success_threshold: u32,
    /// Observers that must agree.
    #[serde(default = "one")]
    #[schemars(range(min = 1, max = 100))]
    pub observer_quorum: u32,
    /// Seconds between two probes of something whose last probe failed, 0.05 to 3600; default: a quarter of the period, and
    /// never less than 0.05.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reprobe_seconds: Option<f64>,
    /// Seconds that the region must have been down, by verdict, before a run starts by itself, 0 to 3600. Longer than the
    /// partitions that heal by themselves: a cut of 43 seconds has cost a day of repairs elsewhere.
    #[serde(default = "minute")]
    pub hold_down_seconds: f64,
    /// Independent probes of a region that must fail before an observer says *down*; default: all of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1000))]
    pub failing_probes: Option<u32>,
    /// Probes that stand on one shared dependency: they count once.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub correlated: Vec<CorrelatedProbes>,
    /// Reference points outside the group's regions. An observer that reaches none of them has lost its own network, and
    /// its word counts for nothing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub references: Vec<ProbeSpec>,
}

/// Probes that fail together when something they share fails.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CorrelatedProbes {
    /// What they share: a sign-on, a queue, a certificate.
    pub dependency: String,
    /// Their names.
    pub probes: Vec<ProbeName>,
}

impl Default for DetectionSpec {
    fn default() -> Self {
        Self {
            period_seconds: two_seconds(),
            failure_threshold: three(),
            success_threshold: two(),
            observer_quorum: one(),
            reprobe_seconds: None,
            hold_down_seconds: minute(),
            failing_probes: None,
            correlated: Vec::new(),
            references: Vec::new(),
        }
    }
}

fn minute() -> f64 {
    60.0
}
fn two() -> u32 {
    2
}

fn two_seconds() -> f64 {
    2.0
}
fn three() -> u32 {
    3
}
fn one() -> u32 {
    1
}

/// Who must stand behind a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Approvals {
    /// Persons, the requester included. With 2 or more, the others must approve before the first act.
    #[schemars(range(min = 1, max = 10))]
    #[serde(default = "one")]
    pub required: u32,
    /// Whether approvals and accepted risks need a signature.
    #[serde(default)]
    pub signatures: Signatures,
}

/// Whether a person's word needs the signature of that person's own SSH key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub enum Signatures {
    /// A signature is checked where there is one.
    #[default]
    Optional,
    /// An approval or an accepted risk without one counts for nothing, and asking for a run approves nothing.
    Required,
}

impl Default for Approvals {
    fn default() -> Self {
        Self { required: 1, signatures: Signatures::Optional }
    }
}

/// The runbook of each kind of run.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RunbookNames {
    /// For an unplanned run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failover: Option<RunbookName>,
    /// For a planned run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub switchover: Option<RunbookName>,
    /// For the way back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failback: Option<RunbookName>,
}
