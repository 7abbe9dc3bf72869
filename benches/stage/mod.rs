//! Plans of no-op steps and a driver that does nothing, for the benches.

#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::wildcard_imports,
    reason = "a bench; each uses its part"
)]

use std::{sync::Arc, time::Duration};

use futures::future::BoxFuture;
use lifeboat::{
    decide::Rest,
    engine::{self, Engine, Options, Stop},
    model::*,
    port::{Call, Clock, Descriptor, Driver, Drivers, LeaseKey, Permit, Store, SystemClock},
};
use serde_json::{Map, json};
use tokio::sync::watch;

/// Observes that it is ready, and acts at once.
pub(crate) struct Noop;

impl Driver for Noop {
    fn descriptor(&self, _: Verb) -> Option<&'static Descriptor> {
        None
    }
    fn observe<'a>(&'a self, _: &'a Call) -> BoxFuture<'a, Observed> {
        Box::pin(std::future::ready(Observed::Ready { facts: Facts::default() }))
    }
    fn act<'a>(&'a self, _: &'a Permit, _: &'a Call) -> BoxFuture<'a, Attempt> {
        Box::pin(std::future::ready(Attempt::Applied { output: Output::new(), facts: Facts::default() }))
    }
    fn undo<'a>(&'a self, permit: &'a Permit, call: &'a Call) -> BoxFuture<'a, Attempt> {
        self.act(permit, call)
    }
    fn endpoints(&self, _: &Call) -> Vec<Endpoint> {
        Vec::new()
    }
}

/// Shapes of a thousand steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// Each needs the one before.
    Chain,
    /// None needs any.
    Fan,
    /// A hundred layers of ten; each needs all ten of the layer before.
    Layered,
}

impl Shape {
    pub(crate) const ALL: [Self; 3] = [Self::Chain, Self::Fan, Self::Layered];

    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Chain => "chain",
            Self::Fan => "fan-out",
            Self::Layered => "layered",
        }
    }

    fn needs(self, step: u32) -> Vec<StepIndex> {
        match self {
            Self::Chain => step.checked_sub(1).map(StepIndex).into_iter().collect(),
            Self::Fan => Vec::new(),
            Self::Layered => (step / 10)
                .checked_sub(1)
                .map_or(Vec::new(), |layer| (layer * 10..layer * 10 + 10).map(StepIndex).collect()),
        }
    }

    /// A plan of `count` steps with this verb and these parameters.
    pub(crate) fn plan(self, count: u32, verb: Verb, with: &serde_json::Value) -> Plan {
        let fra = RegionName::new("fra").unwrap();
        let dub = RegionName::new("dub").unwrap();
        let steps = (0..count).map(|n| PlanStep {
            name: StepName::new(format!("s{n}")).unwrap(),
            verb,
            target: None,
            with: with.as_object().cloned().unwrap_or_else(Map::new),
            needs: self.needs(n),
            when: None,
            verify: None,
            timeout_ms: 60_000,
            retry: Retry { attempts: 1, backoff_ms: 1_000 },
            on_failure: OnFailure::Pause,
            undo: None,
            reversible: false,
            drill: DrillPolicy::Run,
            best_effort: false,
            manual: None,
            effect: Effect::Changes,
            expected_ms: 1,
            last: false,
        });
        Plan {
            runbook: RunbookName::new("bench").unwrap(),
            group: Group {
                name: GroupName::new("bench").unwrap(),
                regions: vec![(fra.clone(), MemberRole::Preferred), (dub.clone(), MemberRole::Standby)],
                objectives: Objectives {
                    recovery_time_seconds: 300,
                    recovery_point_seconds: 10,
                    drill_max_age_seconds: 1,
                },
                targets: Vec::new(),
                detection: Detection { period_ms: 100, failure_threshold: 3, observer_quorum: 1 },
                watch: WatchRules::default(),
                automation: Automation::Manual,
                fencing: FencingPolicy::Required,
                cooldown_seconds: 0,
                approvals_required: 1,
                approvals_signed: false,
                runbooks: std::collections::BTreeMap::new(),
            },
            regions: Vec::new(),
            source: fra,
            destination: dub,
            steps: steps.collect(),
            isolation: None,
        }
    }
}

/// Runs a plan to its end; panics unless it succeeds.
pub(crate) async fn run(store: Arc<dyn Store>, plan: Plan, driver: Arc<dyn Driver>, parallel: usize) {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::start());
    let key = LeaseKey { group: plan.group.name.clone(), rehearsal: false };
    let mut hold = engine::take(&store, &clock, &key, "bench/1", &mut |_| {}).await.expect("the lease");
    let verb = plan.steps[0].verb;
    let opened = Opened {
        kind: RunKind::Failover,
        rehearsal: false,
        digest: plan.digest(),
        plan: plan.into(),
        requested_by: Actor::new("bench").unwrap(),
        reason: "bench".into(),
        onset: None,
        onset_basis: String::new(),
        noticed: None,
        accepted: Vec::new(),
        cooldown_until: None,
        estimates: Vec::new(),
        version: "bench".into(),
        drill: None,
        scheduled: None,
    };
    let body = EventBody::Opened(Box::new(opened));
    let (id, first) = store.open(hold.permit(), clock.now(), body).await.expect("a run");
    let run = Run::open(id, &first).expect("a run");
    let drivers = Drivers { general: [(verb, driver)].into_iter().collect(), ..Drivers::default() };
    let engine = Engine {
        store,
        clock,
        persons: Arc::new(lifeboat::port::Nobody),
        options: Options { parallel, ..Options::default() },
    };
    let stop = watch::Sender::new(Stop::No);
    let rest = engine.drive(run, &mut hold, &drivers, &mut |_: &Event, _: &Run| {}, stop.subscribe()).await;
    assert_eq!(rest.expect("an end"), Rest::Closed(Outcome::Succeeded));
    hold.release().await;
}

/// The parameters of `/bin/true`.
pub(crate) fn bin_true() -> serde_json::Value {
    json!({ "run": ["/bin/true"] })
}

/// A runtime like the program's own.
pub(crate) fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime")
}

/// Milliseconds, for tables.
pub(crate) fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1_000.0
}
