//! Regions and protection groups, checked.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Capability, Freezes, GroupName, Objectives, ProbeName, RegionName, RunKind, RunbookName, TargetName};

/// Who runs the region.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Provider {
    /// Amazon Web Services.
    Aws,
    /// Google Cloud.
    Gcp,
    /// A data centre, a colocation, anything else.
    Other,
}

/// A place that can serve. Pinned in a run, so that a resumed run probes what it planned to probe.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Region {
    /// Its name.
    pub name: RegionName,
    /// Who runs it.
    pub provider: Provider,
    /// The networks that live there, in CIDR notation: the dependency check places endpoints by them.
    pub addresses: Vec<String>,
    /// The declared probes, as `spec::Probe`.
    pub probes: Vec<Value>,
}

/// What a region does for a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub enum MemberRole {
    /// Serves when nothing is wrong; failback returns here.
    Preferred,
    /// Stands by.
    Standby,
    /// Votes, never serves.
    Witness,
}

/// Whether a run may go on when the fence could not be verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub enum FencingPolicy {
    /// No promotion without proof, unless a named person accepts `UnverifiedFence`.
    Required,
    /// A fence that was tried is enough; the record says that it was not proven.
    BestEffort,
}

/// What happens when a verdict says that the primary is down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub enum Automation {
    /// Nothing. A person watches.
    Manual,
    /// A proposal with one command to approve.
    ProposeOnly,
    /// The run starts.
    Automatic,
}

/// How an outage is noticed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Detection {
    /// Milliseconds between two probes.
    pub period_ms: u64,
    /// Failed probes in a row that make an observer say *down*.
    pub failure_threshold: u32,
    /// Observers that must agree.
    pub observer_quorum: u32,
}

/// How reports become a verdict, and a verdict an act. Not pinned in runs: a run does not ask whether it should have begun.
#[derive(Debug, Clone, PartialEq)]
pub struct WatchRules {
    /// Healthy probes in a row that make an observer say *up* again.
    pub success_threshold: u32,
    /// Milliseconds between two probes of something whose last probe failed.
    pub reprobe_ms: u64,
    /// Milliseconds that a region must be down, by verdict, before anything starts by itself.
    pub hold_down_ms: u64,
    /// Independent probes of a region that must fail; `None`: all of them.
    pub failing_probes: Option<u32>,
    /// Probes that stand on one shared dependency count once.
    pub correlated: Vec<BTreeSet<ProbeName>>,
    /// Reference points, as `spec::ProbeSpec`: an observer that reaches none of them abstains.
    pub references: Vec<Value>,
    /// Groups that must have left the source before this one follows by itself.
    pub after: Vec<GroupName>,
    /// Times in which nothing starts by itself.
    pub freezes: Freezes,
}

impl Default for WatchRules {
    fn default() -> Self {
        Self {
            success_threshold: 2,
            reprobe_ms: 500,
            hold_down_ms: 60_000,
            failing_probes: None,
            correlated: Vec::new(),
            references: Vec::new(),
            after: Vec::new(),
            freezes: Freezes::default(),
        }
    }
}

/// One protected thing, with its driver's settings. Secrets are references, so the whole value can be pinned and shown.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TargetRef {
    /// Its name.
    pub name: TargetName,
    /// The driver's name, which is the key in the document.
    pub driver: String,
    /// What the driver offers.
    pub capability: Capability,
    /// The driver's settings as declared.
    pub settings: Value,
}

/// The service that fails over as a whole.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Group {
    /// Its name.
    pub name: GroupName,
    /// Its regions; exactly one is preferred.
    pub regions: Vec<(RegionName, MemberRole)>,
    /// Its objectives.
    pub objectives: Objectives,
    /// Its targets, in document order.
    pub targets: Vec<TargetRef>,
    /// How an outage is noticed.
    pub detection: Detection,
    /// How reports become a verdict, and a verdict an act.
    #[serde(skip)]
    pub watch: WatchRules,
    /// What happens then.
    pub automation: Automation,
    /// What a promotion needs.
    pub fencing: FencingPolicy,
    /// Seconds after a run that acted in which the next one needs `SkipCooldown`.
    pub cooldown_seconds: u64,
    /// Persons who must stand behind a run, the requester included.
    pub approvals_required: u32,
    /// An approval counts only with the signature of that person's own key, and who asks has not approved by asking.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub approvals_signed: bool,
    /// The declared runbook of each kind of run; a kind without one uses the built-in.
    pub runbooks: BTreeMap<RunKind, RunbookName>,
}

impl Group {
    /// The region that failback returns to.
    pub fn preferred(&self) -> Option<&RegionName> {
        self.regions.iter().find(|(_, role)| *role == MemberRole::Preferred).map(|(name, _)| name)
    }

    /// Regions that can serve: all but witnesses.
    pub fn serving(&self) -> impl Iterator<Item = &RegionName> {
        self.regions.iter().filter(|(_, role)| *role != MemberRole::Witness).map(|(name, _)| name)
    }

    /// The target of that name.
    pub fn target(&self, name: &TargetName) -> Option<&TargetRef> {
        self.targets.iter().find(|target| target.name == *name)
    }
}

/// An address that a run will touch, and where it lives, as far as the documents say.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Endpoint {
    /// `host:port`, a URL or a program: what a person would look for in a firewall rule.
    pub address: String,
    /// The region that it was declared for; `None` where the document does not say.
    pub region: Option<RegionName>,
    /// What it is for, in a few words: `database of orders-db`.
    pub purpose: String,
}
