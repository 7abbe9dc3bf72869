//! `kind: DrillPolicy`.

use std::collections::BTreeSet;

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::{Acceptable, Change, Directions, Exercise, GroupName, ParityAsked, RequirementName};

/// Which drills protection groups must show, how often, and what makes one count. What comes of it is shown by `lifeboat evidence
/// coverage`; nothing is started by it (that is a `DrillSchedule`).
#[derive(CustomResource, Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "lifeboat.dev",
    version = "v1alpha1",
    kind = "DrillPolicy",
    plural = "drillpolicies",
    shortname = "dp",
    category = "lifeboat",
    namespaced
)]
#[kube(derive = "PartialEq")]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DrillPolicySpec {
    /// The groups that it asks; default: all.
    #[serde(default, rename = "match", skip_serializing_if = "everything")]
    pub groups: PolicyMatch,
    /// What it asks of each of them.
    #[schemars(length(min = 1))]
    pub require: Vec<RequirementSpec>,
    /// What makes a drill stale before its time; default: every change there is a word for.
    #[serde(default = "every_change")]
    pub stale_on: Vec<Change>,
    /// What makes a drill count.
    #[serde(default)]
    pub valid_if: ValidIf,
    /// What a failed drill asks for.
    #[serde(default)]
    pub after_failure: AfterFailure,
    /// A real failover, switchover or failback counts like a drill, also where it fails.
    #[serde(default)]
    pub counts_real_events: bool,
}

fn everything(groups: &PolicyMatch) -> bool {
    *groups == PolicyMatch::default()
}

fn every_change() -> Vec<Change> {
    Change::ALL.to_vec()
}

/// Groups that are in one of the lists. Where both lists are empty: all groups.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PolicyMatch {
    /// Names of protection groups.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<GroupName>,
    /// Tiers of protection groups, 1 to 5.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tiers: Vec<u8>,
}

/// One requirement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RequirementSpec {
    /// Its name, unique in the policy; default: its kind in lower case.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<RequirementName>,
    /// What is asked for.
    pub kind: Exercise,
    /// At least every so many calendar days (UTC), 1 to 3660.
    #[schemars(range(min = 1, max = 3660))]
    pub every_days: u32,
    /// It is due soon so many days before; less than `everyDays`. Default 14, or a quarter of a period that is shorter than 56 days.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warn_days: Option<u32>,
    /// Which ways.
    #[serde(default)]
    pub directions: Directions,
}

/// What makes a drill count.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ValidIf {
    /// Verdicts that count; default: both.
    #[serde(default = "both")]
    pub verdicts: BTreeSet<Acceptable>,
    /// Of a run that moved the group: its recovery time was measured, and met its objective. Default true.
    #[serde(default = "yes")]
    pub recovery_time_met: bool,
    /// Of a run that moved the group: its data loss was measured, and met its objective. Default true.
    #[serde(default = "yes")]
    pub recovery_point_met: bool,
    /// What the comparison of controls found; default `NoFail`.
    #[serde(default)]
    pub parity: ParityAsked,
    /// A person must sign the record off at most so many calendar days (UTC) after the end, 1 to 365; default: nobody has to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 365))]
    pub signed_off_within_days: Option<u32>,
}

impl Default for ValidIf {
    fn default() -> Self {
        Self {
            verdicts: both(),
            recovery_time_met: true,
            recovery_point_met: true,
            parity: ParityAsked::default(),
            signed_off_within_days: None,
        }
    }
}

fn both() -> BTreeSet<Acceptable> {
    BTreeSet::from([Acceptable::Passed, Acceptable::PassedWithFindings])
}
fn yes() -> bool {
    true
}

/// What a failed drill asks for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AfterFailure {
    /// A new try within so many calendar days (UTC), 1 to 3660; default 30.
    #[serde(default = "month")]
    #[schemars(range(min = 1, max = 3660))]
    pub retest_within_days: u32,
}

impl Default for AfterFailure {
    fn default() -> Self {
        Self { retest_within_days: month() }
    }
}

/// A month: long enough to mend what failed, and what supervisors usually ask for.
fn month() -> u32 {
    30
}
