//! The runbooks that are played.

use std::collections::BTreeMap;

use lifeboat::model::{
    Actor, Automation, Capability, Detection, FencingPolicy, Group, GroupName, MemberRole, Objectives, OnFailure,
    Opened, Plan, PlanStep, RegionName, RunKind, RunbookName, TargetName, TargetRef, Verb, WatchRules,
};

use crate::stage::sample;

/// The group `orders` of the two regions.
pub(crate) fn group() -> Group {
    let region = |name: &str| RegionName::new(name).unwrap();
    let target = |name: &str, capability| TargetRef {
        name: TargetName::new(name).unwrap(),
        driver: "fake".into(),
        capability,
        settings: serde_json::Value::Null,
    };
    Group {
        name: GroupName::new("orders").unwrap(),
        regions: vec![(region("fra"), MemberRole::Preferred), (region("dub"), MemberRole::Standby)],
        objectives: Objectives { recovery_time_seconds: 300, recovery_point_seconds: 10, drill_max_age_seconds: 100 },
        targets: vec![target("orders-db", Capability::Database), target("www", Capability::Dns)],
        detection: Detection { period_ms: 100, failure_threshold: 3, observer_quorum: 1 },
        watch: WatchRules::default(),
        automation: Automation::Manual,
        fencing: FencingPolicy::Required,
        cooldown_seconds: 3_600,
        approvals_required: 1,
        approvals_signed: false,
        runbooks: BTreeMap::new(),
    }
}

fn plan(source: &str, destination: &str, steps: Vec<PlanStep>) -> Plan {
    Plan {
        runbook: RunbookName::new("played").unwrap(),
        group: group(),
        regions: Vec::new(),
        source: RegionName::new(source).unwrap(),
        destination: RegionName::new(destination).unwrap(),
        steps,
        isolation: None,
    }
}

/// A step with a time-out that fits links that fail.
pub(crate) fn step(name: &str, verb: Verb, needs: &[u32]) -> PlanStep {
    PlanStep { timeout_ms: 20_000, ..sample::step(name, verb, needs) }
}

/// Fence, promote, prove, switch the name, tell.
pub(crate) fn failover(source: &str, destination: &str) -> Plan {
    let steps = vec![
        step("fence-db", Verb::DatabaseFence, &[]),
        step("promote-db", Verb::DatabasePromote, &[0]),
        step("verify-db", Verb::DatabaseVerify, &[1]),
        step("switch-dns", Verb::DnsSwitch, &[2]),
        step("verify-dns", Verb::DnsVerify, &[3]),
        step("announce", Verb::Command, &[3]),
    ];
    plan(source, destination, steps)
}

/// Nothing may be lost; the old side becomes the standby.
pub(crate) fn switchover(source: &str, destination: &str) -> Plan {
    let steps = vec![
        step("agree", Verb::Approve, &[]),
        step("fence-db", Verb::DatabaseFence, &[0]),
        step("catch-up", Verb::DatabaseCatchUp, &[1]),
        step("promote-db", Verb::DatabasePromote, &[1, 2]),
        step("switch-dns", Verb::DnsSwitch, &[3]),
        step("verify-dns", Verb::DnsVerify, &[4]),
        step("reverse-db", Verb::DatabaseReverse, &[3]),
    ];
    plan(source, destination, steps)
}

/// As [`failover`], but a promotion that fails is unwound, telling comes first, and the old side becomes the standby.
pub(crate) fn cautious(source: &str, destination: &str) -> Plan {
    let mut steps = vec![
        step("announce", Verb::Command, &[]),
        step("fence-db", Verb::DatabaseFence, &[]),
        step("promote-db", Verb::DatabasePromote, &[1]),
        step("switch-dns", Verb::DnsSwitch, &[2]),
        step("reverse-db", Verb::DatabaseReverse, &[3]),
    ];
    steps[1].on_failure = OnFailure::Unwind;
    steps[2].on_failure = OnFailure::Unwind;
    steps[4].on_failure = OnFailure::Continue;
    plan(source, destination, steps)
}

/// The first event of a failover of this plan, asked for by `anna`.
pub(crate) fn opened(plan: Plan) -> Opened {
    Opened { requested_by: Actor::new("anna").unwrap(), kind: RunKind::Failover, ..sample::opened(plan) }
}
