//! Small plans and runs for the tests of the floors above.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Map, json};

use super::*;

/// Group `orders` from `fra` to `dub`: a database, a storage and a name, all fake, objectives 300 s and 10 s.
pub(crate) fn group() -> Group {
    let target = |name: &str, capability| TargetRef {
        name: TargetName::new(name).unwrap(),
        driver: "fake".into(),
        capability,
        settings: json!({}),
    };
    Group {
        name: GroupName::new("orders").unwrap(),
        regions: vec![
            (RegionName::new("fra").unwrap(), MemberRole::Preferred),
            (RegionName::new("dub").unwrap(), MemberRole::Standby),
        ],
        objectives: Objectives { recovery_time_seconds: 300, recovery_point_seconds: 10, drill_max_age_seconds: 100 },
        targets: vec![
            target("orders-db", Capability::Database),
            target("uploads", Capability::Storage),
            target("www", Capability::Dns),
        ],
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

/// A step with the fake driver's facts; the target follows from the verb.
pub(crate) fn step(name: &str, verb: Verb, needs: &[u32]) -> PlanStep {
    let target = match verb.capability() {
        Capability::Database => Some("orders-db"),
        Capability::Storage => Some("uploads"),
        Capability::Dns => Some("www"),
        Capability::General => None,
    };
    let reads = matches!(verb, Verb::DatabaseCatchUp | Verb::ProbeAwait | Verb::Wait | Verb::DnsVerify);
    PlanStep {
        name: StepName::new(name).unwrap(),
        verb,
        target: target.map(|name| TargetName::new(name).unwrap()),
        with: Map::new(),
        needs: needs.iter().map(|need| StepIndex(*need)).collect(),
        when: None,
        verify: None,
        timeout_ms: 30_000,
        retry: Retry { attempts: 3, backoff_ms: 1_000 },
        on_failure: OnFailure::Pause,
        undo: None,
        reversible: matches!(verb, Verb::DatabaseFence | Verb::StorageFence | Verb::DnsSwitch),
        drill: DrillPolicy::Run,
        best_effort: false,
        manual: None,
        effect: if reads { Effect::Reads } else { Effect::Changes },
        expected_ms: 10,
        last: false,
    }
}

/// Fence, then promote, then switch the name.
pub(crate) fn steps() -> Vec<PlanStep> {
    vec![
        step("fence-db", Verb::DatabaseFence, &[]),
        step("promote-db", Verb::DatabasePromote, &[0]),
        step("dns", Verb::DnsSwitch, &[1]),
    ]
}

/// A plan of these steps.
pub(crate) fn plan(steps: Vec<PlanStep>) -> Plan {
    Plan {
        runbook: RunbookName::new("region-failover").unwrap(),
        group: group(),
        regions: Vec::new(),
        source: RegionName::new("fra").unwrap(),
        destination: RegionName::new("dub").unwrap(),
        steps,
        isolation: None,
    }
}

/// The first event of a failover asked for by `anna`.
pub(crate) fn opened(plan: Plan) -> Opened {
    Opened {
        kind: RunKind::Failover,
        rehearsal: false,
        digest: plan.digest(),
        plan: plan.into(),
        requested_by: Actor::new("anna").unwrap(),
        reason: "fra is down".into(),
        onset: None,
        onset_basis: String::new(),
        noticed: None,
        accepted: Vec::new(),
        cooldown_until: None,
        estimates: Vec::new(),
        version: "test".into(),
        drill: None,
        scheduled: None,
    }
}

/// A run that was just opened.
pub(crate) fn run(opened: Opened) -> Run {
    let first = Event { seq: 1, term: Term(1), at: Timestamp::UNIX_EPOCH, body: EventBody::Opened(Box::new(opened)) };
    Run::open("orders-1".parse().unwrap(), &first).unwrap()
}

/// Appends an event at the epoch.
pub(crate) fn then(run: &mut Run, body: EventBody) {
    let event = Event { seq: run.seq + 1, term: run.term, at: Timestamp::UNIX_EPOCH, body };
    run.after(&event).unwrap();
}

/// Facts in which the source and the destination have these roles and nothing would be lost.
pub(crate) fn facts(source: Role, destination: Role) -> Facts {
    let side = |region: &str, role| Side { region: RegionName::new(region).unwrap(), role, position: None };
    Facts {
        sides: vec![side("fra", source), side("dub", destination)],
        loss: Some(Loss::none("bytes", "test")),
        ..Facts::default()
    }
}

/// A step done by its first try, with a fence proof when it is a fence.
pub(crate) fn done(index: u32, proof: bool) -> EventBody {
    let fence = proof.then(|| FenceProof { method: "readOnly".into(), effect: "a write was refused".into() });
    EventBody::Done {
        step: StepIndex(index),
        attempt: 1,
        output: Output::new(),
        facts: Facts { fence, ..Facts::default() },
    }
}

/// Intent of a step's first try.
pub(crate) fn acting(index: u32) -> EventBody {
    EventBody::Acting { step: StepIndex(index), attempt: 1, facts: Facts::default() }
}

/// An order by `who`.
pub(crate) fn order(who: &str, body: CommandBody) -> Command {
    Command {
        by: Actor::new(who).unwrap(),
        reason: "because".into(),
        at: Timestamp::UNIX_EPOCH,
        expected_term: None,
        signed: None,
        body,
    }
}
