//! Temporary.
#![allow(missing_docs, clippy::all, clippy::pedantic, clippy::allow_attributes, clippy::allow_attributes_without_reason)]
use crate::{manifest::{Documents, Finding}, model::*, port::Catalog};
use std::collections::BTreeMap;
pub fn check(_: &Documents, _: &dyn Catalog) -> Vec<Finding> { Vec::new() }
pub fn group(d: &Documents, name: &GroupName) -> Option<Group> {
    let g = &d.group(name)?.spec;
    Some(Group {
        name: name.clone(),
        regions: g.regions.iter().map(|r| (r.name.clone(), r.role)).collect(),
        objectives: Objectives { recovery_time_seconds: g.objectives.recovery_time_seconds, recovery_point_seconds: g.objectives.recovery_point_seconds, drill_max_age_seconds: g.objectives.drill_max_age_seconds },
        targets: g.targets.iter().filter_map(|t| { let k = t.kind().ok()?; Some(TargetRef { name: t.name.clone(), driver: k.driver().into(), capability: k.capability(), settings: k.settings() }) }).collect(),
        detection: Detection { period_ms: (g.detection.period_seconds * 1000.0) as u64, failure_threshold: g.detection.failure_threshold, observer_quorum: g.detection.observer_quorum },
        automation: g.automation, fencing: g.fencing, cooldown_seconds: g.cooldown_seconds, approvals_required: g.approvals.required,
        runbooks: [(RunKind::Failover, &g.runbooks.failover), (RunKind::Switchover, &g.runbooks.switchover), (RunKind::Failback, &g.runbooks.failback)].into_iter().filter_map(|(k, n)| Some((k, n.clone()?))).collect::<BTreeMap<_, _>>(),
    })
}
pub fn compile(d: &Documents, c: &dyn Catalog, name: &GroupName, kind: RunKind, s: &RegionName, t: &RegionName) -> Result<Plan, Vec<Finding>> {
    let group = group(d, name).unwrap();
    let rb = d.runbook(&group.runbooks[&kind]).unwrap();
    let at = |n: &StepName| StepIndex(rb.spec.steps.iter().position(|s| s.name == *n).unwrap() as u32);
    let steps = rb.spec.steps.iter().map(|s| {
        let verb: Verb = s.uses.parse().unwrap();
        let driver = s.target.as_ref().map(|t| group.target(t).unwrap().driver.clone());
        let de = c.descriptor(driver.as_deref(), verb.capability(), verb).unwrap();
        PlanStep { name: s.name.clone(), verb, target: s.target.clone(), with: s.with.clone(), needs: s.needs.iter().map(at).collect(), when: s.when.clone(), verify: s.verify.clone(),
            timeout_ms: s.timeout_seconds.map_or(de.timeout.as_millis() as u64, |s| s * 1000),
            retry: s.retry.as_ref().map_or(Retry { attempts: de.attempts, backoff_ms: 1000 }, |r| Retry { attempts: r.attempts, backoff_ms: (r.backoff_seconds * 1000.0) as u64 }),
            on_failure: s.on_failure, undo: None, reversible: de.reversible, drill: s.drill, best_effort: s.best_effort, manual: s.manual.as_ref().map(|m| m.instructions.clone()), effect: de.effect, expected_ms: de.expected.as_millis() as u64 }
    }).collect();
    let regions = d.regions.iter().map(|r| Region { name: r.name.clone(), provider: r.spec.provider, addresses: r.spec.addresses.clone(), probes: r.spec.probes.iter().map(|p| serde_json::to_value(p).unwrap()).collect() }).collect();
    Ok(Plan { runbook: rb.name.clone(), group, regions, source: s.clone(), destination: t.clone(), steps })
}
#[derive(serde::Serialize, serde::Deserialize, Debug)]
pub struct Record { pub run: RunId, pub events: Vec<Event> }
pub fn record(run: &Run, events: &[Event]) -> Record { Record { run: run.id.clone(), events: events.to_vec() } }
