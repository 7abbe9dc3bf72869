//! The words of the stories: a small plan, its events, its permits.

use jiff::{SignedDuration, Timestamp};
use lifeboat::{
    model::{
        Actor, Automation, Command, CommandBody, Detection, DrillMode, Effect, EventBody, FencingPolicy, Firing, Group,
        GroupName, Loss, MemberRole, Objectives, Opened, Outcome, Output, Plan, PlanStep, RegionName, Retry, RunKind,
        RunbookName, StepIndex, StepName, Verb,
    },
    port::{LeaseKey, Permit, Store},
};

/// A moment, in seconds after the story's beginning.
pub(crate) fn at(seconds: i64) -> Timestamp {
    Timestamp::UNIX_EPOCH + SignedDuration::from_secs(1_790_000_000 + seconds) + SignedDuration::from_nanos(123_456_789)
}

pub(crate) fn group(name: &str) -> GroupName {
    GroupName::new(name).unwrap()
}

pub(crate) fn region(name: &str) -> RegionName {
    RegionName::new(name).unwrap()
}

pub(crate) fn key(name: &str, rehearsal: bool) -> LeaseKey {
    LeaseKey { group: group(name), rehearsal }
}

fn plan(name: &str) -> Plan {
    let step = PlanStep {
        name: StepName::new("promote-db").unwrap(),
        verb: Verb::DatabasePromote,
        target: Some("orders-db".parse().unwrap()),
        with: serde_json::from_str(r#"{"text": "{{ destination }} \"ü\" \n", "number": 3, "list": [1.5, null]}"#)
            .unwrap(),
        needs: Vec::new(),
        when: Some("steps.fence.ok".into()),
        verify: None,
        timeout_ms: 60_000,
        retry: Retry { attempts: 3, backoff_ms: 500 },
        on_failure: lifeboat::model::OnFailure::Pause,
        undo: None,
        reversible: false,
        drill: lifeboat::model::DrillPolicy::Run,
        best_effort: false,
        manual: None,
        effect: Effect::Destroys,
        expected_ms: 900,
        last: false,
    };
    Plan {
        runbook: RunbookName::new("region-failover").unwrap(),
        group: Group {
            name: group(name),
            regions: vec![(region("fra"), MemberRole::Preferred), (region("dub"), MemberRole::Standby)],
            objectives: Objectives {
                recovery_time_seconds: 300,
                recovery_point_seconds: 10,
                drill_max_age_seconds: 7_776_000,
            },
            targets: Vec::new(),
            detection: Detection { period_ms: 2000, failure_threshold: 3, observer_quorum: 2 },
            watch: lifeboat::model::WatchRules::default(),
            automation: Automation::ProposeOnly,
            fencing: FencingPolicy::Required,
            cooldown_seconds: 3600,
            approvals_required: 1,
            approvals_signed: false,
            runbooks: [(RunKind::Failover, RunbookName::new("region-failover").unwrap())].into(),
        },
        regions: Vec::new(),
        source: region("fra"),
        destination: region("dub"),
        steps: vec![step],
        isolation: None,
    }
}

/// The first event of a run of `name`.
pub(crate) fn opened(name: &str, rehearsal: bool) -> EventBody {
    let plan = plan(name);
    EventBody::Opened(Box::new(Opened {
        kind: RunKind::Failover,
        rehearsal,
        digest: plan.digest(),
        plan: plan.into(),
        requested_by: Actor::new("Ada <ada@example.com>").unwrap(),
        reason: "fra is gone".into(),
        onset: Some(at(-30)),
        onset_basis: "own probe".into(),
        noticed: Some(at(-10)),
        accepted: Vec::new(),
        cooldown_until: None,
        estimates: vec![("orders-db".parse().unwrap(), Loss::none("bytes", "source readable"))],
        version: "0.1.0".into(),
        drill: rehearsal.then_some(DrillMode::Rehearse),
        scheduled: rehearsal.then(|| Firing { schedule: "nightly".parse().unwrap(), instant: at(0) }),
    }))
}

/// An event that says `n`.
pub(crate) fn note(n: u64) -> EventBody {
    let mut output = Output::new();
    output.insert("n".into(), n.into());
    EventBody::Done { step: StepIndex(0), attempt: 0, output, facts: lifeboat::model::Facts::default() }
}

pub(crate) fn closed(outcome: Outcome) -> EventBody {
    EventBody::Closed { outcome }
}

pub(crate) fn order(reason: &str) -> Command {
    Command {
        by: Actor::new("Ada").unwrap(),
        reason: reason.into(),
        at: at(5),
        expected_term: None,
        signed: None,
        body: CommandBody::Pause,
    }
}

/// A fresh lease on a group.
pub(crate) async fn lease(store: &dyn Store, name: &str) -> Permit {
    store.acquire(&key(name, false), "host/1", None).await.unwrap()
}
