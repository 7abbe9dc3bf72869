//! From a group and its runbook to the documents of an isolated drill, and back to a plan that says what it is.
//!
//! The stand-ins take the places of the group's targets before anything is compiled, so no step of the plan can name a
//! real target: there is none in it.

use super::{
    check::isolation,
    code::Severity,
    compile::{Route, compile, group as compiled},
    document::Document,
    finding::Finding,
};
use crate::{
    model::{
        Capability, ControlCheck, DrillPolicy, Effect, Isolation, LeftOut, OnFailure, Plan, PlanStep, Retry, StepIndex,
        StepName, TargetName, Verb,
    },
    port::Catalog,
    spec::{DrillsSpec, IsolatedSpec, ProtectionGroupSpec, RegionSpec, RunbookSpec, StepSpec},
};

/// How long the looks at the end may take, in milliseconds: every member is asked, and one that does not answer takes its time.
const LOOK_MS: u64 = 60_000;

/// Makes the plan of an isolated drill.
///
/// # Errors
/// Every error of the documents that it would stand on.
pub fn isolate(
    group: &Document<ProtectionGroupSpec>,
    isolated: &IsolatedSpec,
    runbook: &Document<RunbookSpec>,
    regions: &[Document<RegionSpec>],
    catalog: &dyn Catalog,
    route: Route<'_>,
) -> Result<Plan, Vec<Finding>> {
    let mut findings = isolation::findings(group);
    findings.retain(|finding| finding.severity() == Severity::Error);
    if !findings.is_empty() {
        return Err(findings);
    }
    let real = compiled(group)?.targets;
    let mut stand_ins = group.spec.as_ref().clone();
    stand_ins.targets.clone_from(&isolated.targets);
    stand_ins.drills = DrillsSpec::default();
    let (steps, left_out) = steps(isolated, &runbook.spec.steps);
    let runs = RunbookSpec { description: runbook.spec.description.clone(), steps };
    let group = Document::placeless(group.name.clone(), stand_ins);
    let runbook = Document::placeless(runbook.name.clone(), runs);
    let mut plan = compile(&group, &runbook, regions, catalog, route)?;
    let down: Vec<StepIndex> = isolated.tear_down.iter().filter_map(|step| plan.find(&step.name)).collect();
    for step in &down {
        if let Some(step) = plan.steps.get_mut(step.at()) {
            step.last = true;
        }
    }
    for (verb, name) in [(Verb::DrillLeftovers, "leftovers"), (Verb::DrillUntouched, "untouched")] {
        plan.steps.extend(look(verb, name, &plan, &down));
    }
    plan.isolation = Some(Isolation { real, left_out });
    Ok(plan)
}

/// The steps of the drill, and those of the runbook that it leaves out.
fn steps(isolated: &IsolatedSpec, runbook: &[StepSpec]) -> (Vec<StepSpec>, Vec<LeftOut>) {
    let stands = |name: &TargetName| isolated.targets.iter().any(|target| target.name == *name);
    let left_out: Vec<LeftOut> = runbook
        .iter()
        .filter_map(|step| why_not(step, stands).map(|why| LeftOut { step: step.name.clone(), why }))
        .collect();
    let set_up: Vec<StepName> = isolated.set_up.iter().map(|step| step.name.clone()).collect();
    let mut steps = isolated.set_up.clone();
    for step in runbook.iter().filter(|step| !left_out.iter().any(|left| left.step == step.name)) {
        let mut step = step.clone();
        step.needs = bridged(&step, runbook, &left_out);
        if step.needs.is_empty() {
            step.needs.clone_from(&set_up);
        }
        steps.push(step);
    }
    steps.extend(isolated.tear_down.iter().cloned());
    (steps, left_out)
}

/// Why an isolated drill cannot do the step.
fn why_not(step: &StepSpec, stands: impl Fn(&TargetName) -> bool) -> Option<String> {
    if let Some(target) = &step.target {
        return (!stands(target)).then(|| format!("nothing stands in for target {target}"));
    }
    let reads = step.with.get("readOnly").and_then(serde_json::Value::as_bool).unwrap_or(false);
    match step.uses.parse::<Verb>() {
        Ok(Verb::Command) if reads => None,
        Ok(Verb::Command | Verb::Http) => Some("it acts outside of the stand-ins".to_owned()),
        Ok(Verb::ProbeAwait) => Some("probes see the real service, which does not run on stand-ins".to_owned()),
        Ok(_) | Err(_) => None,
    }
}

/// What the step needs among those that are there: a step that is left out stands for what it needs itself.
fn bridged(step: &StepSpec, runbook: &[StepSpec], left_out: &[LeftOut]) -> Vec<StepName> {
    let mut needs = Vec::new();
    let mut open = step.needs.clone();
    let mut seen = Vec::new();
    while let Some(name) = open.pop() {
        if seen.contains(&name) {
            continue;
        }
        seen.push(name.clone());
        if !left_out.iter().any(|left| left.step == name) {
            needs.push(name);
        } else if let Some(bridge) = runbook.iter().find(|step| step.name == name) {
            open.extend(bridge.needs.iter().cloned());
        }
    }
    needs.sort();
    needs
}

/// Lets a drill compare the controls of both regions when all else is over. Where no driver tells of any, and the group declares none,
/// there is nothing to compare.
pub fn compare_controls(plan: &mut Plan, group: &ProtectionGroupSpec) {
    let told = group.targets.iter().filter_map(|target| target.kind().ok()).any(|kind| kind.tells_controls());
    if !told && group.controls.is_none() {
        return;
    }
    let Some(mut step) = look(Verb::DrillParity, "parity", plan, &[]) else { return };
    // The run goes by what was declared when it was opened, whoever resumes it.
    if let Some(Ok(controls)) = group.controls.as_ref().map(serde_json::to_value) {
        step.with.insert(ControlCheck::DECLARED.into(), controls);
    }
    plan.steps.push(step);
}

/// A look at the end: nothing of it is written in a document.
fn look(verb: Verb, name: &str, plan: &Plan, after: &[StepIndex]) -> Option<PlanStep> {
    // A step of the runbook may have the name already.
    let names = std::iter::successors(Some(name.to_owned()), |taken| Some(format!("{taken}-now")));
    let free = |name: &StepName| plan.find(name).is_none();
    let name = names.take(9).filter_map(|name| StepName::new(name).ok()).find(free)?;
    Some(PlanStep {
        name,
        verb,
        target: None,
        with: serde_json::Map::new(),
        needs: after.to_vec(),
        when: None,
        verify: None,
        timeout_ms: LOOK_MS,
        retry: Retry { attempts: 1, backoff_ms: 1_000 },
        on_failure: OnFailure::Pause,
        undo: None,
        reversible: false,
        drill: DrillPolicy::Run,
        best_effort: false,
        manual: None,
        effect: Effect::Reads,
        expected_ms: 100,
        last: true,
    })
}

/// Verbs with which an isolated drill may be set up and taken down.
pub(super) fn sets_up(verb: Verb) -> bool {
    verb.capability() == Capability::General && matches!(verb, Verb::Command | Verb::Http | Verb::Wait)
}
