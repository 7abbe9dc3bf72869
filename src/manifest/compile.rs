//! From documents without errors to the plan of one run.
//!
//! Promises: a plan is made only when the group, its regions and this runbook have no error; the other runbooks of
//! the group do not matter, so that a slip in the switchover never holds up a failover. What the runbook leaves open
//! (time limits, tries) comes from the driver's descriptor, and the plan says it in full.

use std::sync::Arc;

use super::{
    blackout,
    check::{check, written_limit},
    code::{Code, Severity},
    document::{Document, Documents},
    finding::Finding,
    locate::Path,
};
use crate::{
    model::{
        Capability, Detection, Effect, Freezes, Group, MemberRole, Objectives, Plan, PlanStep, Region, RegionName,
        Retry, RunKind, StepIndex, TargetRef, Undo, Verb, WatchRules,
    },
    port::{Catalog, Descriptor},
    spec::{ProtectionGroupSpec, RegionSpec, RunbookNames, RunbookSpec, Signatures, StepSpec},
};

/// Milliseconds that a step may take longer than the wait it declares: answers need time to travel.
const MARGIN_MS: u64 = 5_000;
/// Rest after the first failed try where the runbook does not say, in milliseconds.
const BACKOFF_MS: u64 = 1_000;

/// What a run is to do.
#[derive(Debug, Clone, Copy)]
pub struct Route<'a> {
    /// What kind of run.
    pub kind: RunKind,
    /// Away from here.
    pub source: &'a RegionName,
    /// To here.
    pub destination: &'a RegionName,
}

/// Makes the plan of a run.
///
/// # Errors
/// Every error of the documents that the run would stand on.
pub fn compile(
    group: &Document<ProtectionGroupSpec>,
    runbook: &Document<RunbookSpec>,
    regions: &[Document<RegionSpec>],
    catalog: &dyn Catalog,
    route: Route<'_>,
) -> Result<Plan, Vec<Finding>> {
    let mine: Vec<Document<RegionSpec>> = group
        .spec
        .regions
        .iter()
        .filter_map(|member| regions.iter().find(|region| region.name == member.name).cloned())
        .collect();
    let mut alone = group.clone();
    Arc::make_mut(&mut alone.spec).runbooks = only(route.kind, runbook);
    let documents =
        Documents { regions: mine, groups: vec![alone], runbooks: vec![runbook.clone()], ..Documents::default() };
    let mut findings = check(&documents, catalog);
    findings.retain(|finding| finding.severity() == Severity::Error);
    check_route(group, route, &mut findings);
    if !findings.is_empty() {
        return Err(findings);
    }
    let steps = &runbook.spec.steps;
    let mut planned = Vec::with_capacity(steps.len());
    for (place, step) in steps.iter().enumerate() {
        if let Some(step) = plan_step(&group.spec, steps, step, catalog) {
            planned.push(step);
        } else {
            let path = Path::spec().key("steps").at(place).key("uses");
            let message = format!("no driver offers `{}` for this step", step.uses);
            findings.push(runbook.finding(Code::VerbNotOffered, &path, message, "use a verb that the driver has"));
        }
    }
    if !findings.is_empty() {
        return Err(findings);
    }
    Ok(Plan {
        runbook: runbook.name.clone(),
        group: model_group(group)?,
        regions: documents.regions.iter().map(region).collect(),
        source: route.source.clone(),
        destination: route.destination.clone(),
        steps: planned,
        isolation: None,
    })
}

fn only(kind: RunKind, runbook: &Document<RunbookSpec>) -> RunbookNames {
    let name = Some(runbook.name.clone());
    match kind {
        RunKind::Failover => RunbookNames { failover: name, ..RunbookNames::default() },
        RunKind::Switchover => RunbookNames { switchover: name, ..RunbookNames::default() },
        RunKind::Failback => RunbookNames { failback: name, ..RunbookNames::default() },
    }
}

fn check_route(group: &Document<ProtectionGroupSpec>, route: Route<'_>, findings: &mut Vec<Finding>) {
    let path = Path::spec().key("regions");
    let serves = |name: &RegionName| {
        group.spec.regions.iter().any(|region| region.name == *name && region.role != MemberRole::Witness)
    };
    for (what, name) in [("source", route.source), ("destination", route.destination)] {
        if !serves(name) {
            let message = format!("the {what} `{name}` is no serving region of the group");
            findings.push(group.finding(Code::UnknownRegion, &path, message, "name a Preferred or Standby region"));
        }
    }
    if route.source == route.destination {
        let message = format!("source and destination are both `{}`", route.source);
        findings.push(group.finding(Code::UnknownRegion, &path, message, "name two different regions"));
    }
}

fn plan_step(
    group: &ProtectionGroupSpec,
    steps: &[StepSpec],
    step: &StepSpec,
    catalog: &dyn Catalog,
) -> Option<PlanStep> {
    let verb: Verb = step.uses.parse().ok()?;
    let facts = facts_of(group, step, verb, catalog)?;
    let needs = step.needs.iter().filter_map(|need| {
        let place = steps.iter().position(|other| other.name == *need)?;
        u32::try_from(place).ok().map(StepIndex)
    });
    let undo = match &step.undo {
        None => None,
        Some(undo) => Some(Undo { uses: undo.uses.parse().ok()?, with: undo.with.clone() }),
    };
    let limit_ms = written_limit(step).map(|(_, seconds)| milliseconds(seconds));
    let own_ms = u64::try_from(facts.timeout.as_millis()).unwrap_or(u64::MAX);
    let timeout_ms = match (step.timeout_seconds, limit_ms) {
        (Some(seconds), _) => seconds.saturating_mul(1_000),
        (None, Some(limit)) => limit.saturating_add(MARGIN_MS),
        (None, None) => own_ms,
    };
    let retry = match &step.retry {
        Some(retry) => Retry { attempts: retry.attempts, backoff_ms: milliseconds(retry.backoff_seconds) },
        None => Retry { attempts: facts.attempts.max(1), backoff_ms: BACKOFF_MS },
    };
    let expected_ms = match (verb, limit_ms) {
        (Verb::Wait, Some(limit)) => limit,
        _ => u64::try_from(facts.expected.as_millis()).unwrap_or(u64::MAX).min(timeout_ms),
    };
    Some(PlanStep {
        name: step.name.clone(),
        verb,
        target: step.target.clone(),
        with: step.with.clone(),
        needs: needs.collect(),
        when: step.when.clone(),
        verify: step.verify.clone(),
        timeout_ms,
        retry,
        on_failure: step.on_failure,
        undo,
        reversible: facts.reversible,
        drill: step.drill,
        best_effort: step.best_effort,
        manual: step.manual.as_ref().map(|manual| manual.instructions.clone()),
        effect: effect_of(step, verb, facts),
        expected_ms,
        last: false,
    })
}

fn facts_of(
    group: &ProtectionGroupSpec,
    step: &StepSpec,
    verb: Verb,
    catalog: &dyn Catalog,
) -> Option<&'static Descriptor> {
    if verb.capability() == Capability::General {
        return catalog.descriptor(None, Capability::General, verb);
    }
    let target = group.targets.iter().find(|target| Some(&target.name) == step.target.as_ref())?;
    let kind = target.kind().ok()?;
    catalog.descriptor(Some(kind.driver()), kind.capability(), verb)
}

/// A command that is declared to change nothing may run in a drill.
fn effect_of(step: &StepSpec, verb: Verb, facts: &Descriptor) -> Effect {
    let read_only = step.with.get("readOnly").and_then(serde_json::Value::as_bool).unwrap_or(false);
    if verb == Verb::Command && read_only { Effect::Reads } else { facts.effect }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked to be 0 to 86,400 seconds")]
fn milliseconds(seconds: f64) -> u64 {
    (seconds.max(0.0) * 1_000.0).round() as u64
}

/// A region as a plan pins it.
pub fn region(document: &Document<RegionSpec>) -> Region {
    Region {
        name: document.name.clone(),
        provider: document.spec.provider,
        addresses: document.spec.addresses.clone(),
        // A probe has only strings and numbers: it always serialises.
        probes: document.spec.probes.iter().map(|probe| serde_json::to_value(probe).unwrap_or_default()).collect(),
    }
}

/// A group as a plan pins it.
///
/// # Errors
/// Targets that do not have exactly one driver.
pub fn group(document: &Document<ProtectionGroupSpec>) -> Result<Group, Vec<Finding>> {
    model_group(document)
}

fn model_group(document: &Document<ProtectionGroupSpec>) -> Result<Group, Vec<Finding>> {
    let spec = &document.spec;
    let mut findings = Vec::new();
    let mut targets = Vec::with_capacity(spec.targets.len());
    for (index, target) in spec.targets.iter().enumerate() {
        match target.kind() {
            Ok(kind) => targets.push(TargetRef {
                name: target.name.clone(),
                driver: kind.driver().to_owned(),
                capability: kind.capability(),
                settings: kind.settings(),
            }),
            Err(bad) => {
                let path = Path::spec().key("targets").at(index);
                let help = "a target has exactly one driver";
                findings.push(document.finding(Code::NotOneChoice, &path, bad.to_string(), help));
            }
        }
    }
    let freezes = blackout::freezes(document).map_err(|found| findings.extend(found));
    let (Ok(freezes), true) = (freezes, findings.is_empty()) else { return Err(findings) };
    let names = &spec.runbooks;
    let runbooks = [
        (RunKind::Failover, &names.failover),
        (RunKind::Switchover, &names.switchover),
        (RunKind::Failback, &names.failback),
    ];
    Ok(Group {
        name: document.name.clone(),
        regions: spec.regions.iter().map(|region| (region.name.clone(), region.role)).collect(),
        objectives: Objectives {
            recovery_time_seconds: spec.objectives.recovery_time_seconds,
            recovery_point_seconds: spec.objectives.recovery_point_seconds,
            drill_max_age_seconds: spec.objectives.drill_max_age_seconds,
        },
        targets,
        detection: Detection {
            period_ms: milliseconds(spec.detection.period_seconds),
            failure_threshold: spec.detection.failure_threshold,
            observer_quorum: spec.detection.observer_quorum,
        },
        watch: watch_rules(spec, freezes),
        automation: spec.automation,
        fencing: spec.fencing,
        cooldown_seconds: spec.cooldown_seconds,
        approvals_required: spec.approvals.required,
        approvals_signed: spec.approvals.signatures == Signatures::Required,
        runbooks: runbooks.into_iter().filter_map(|(kind, name)| name.clone().map(|name| (kind, name))).collect(),
    })
}

fn watch_rules(spec: &ProtectionGroupSpec, freezes: Freezes) -> WatchRules {
    let detection = &spec.detection;
    // A quarter: the threshold is reached within one more period, and a server in trouble is not flooded.
    let reprobe = detection.reprobe_seconds.unwrap_or(detection.period_seconds / 4.0).max(0.05);
    WatchRules {
        success_threshold: detection.success_threshold,
        reprobe_ms: milliseconds(reprobe.min(detection.period_seconds)),
        hold_down_ms: milliseconds(detection.hold_down_seconds),
        failing_probes: detection.failing_probes,
        correlated: detection.correlated.iter().map(|set| set.probes.iter().cloned().collect()).collect(),
        // Probes hold only strings, numbers, lists and maps with string keys: they always serialise.
        references: detection.references.iter().filter_map(|probe| serde_json::to_value(probe).ok()).collect(),
        after: spec.after.clone(),
        freezes,
    }
}
