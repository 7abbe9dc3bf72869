//! What was promised, what was in it, and how it was done.

use crate::{
    model::{DrillMode, Effect, EventBody, SkippedBy, StepState},
    report::{
        amount,
        sheet::{Material, NOT_RECORDED, Section, facts, or_not_recorded, table},
    },
};

/// Objectives and success criteria.
pub(super) fn objectives(material: &Material<'_>) -> Section {
    let record = material.record;
    let needed = material.run.as_ref().map(|run| run.plan().group.approvals_required);
    Section::new(
        "objectives",
        "Objectives and success criteria",
        vec![facts(vec![
            ("Recovery time objective", format!("{} s", record.objectives.recovery_time_seconds)),
            ("Recovery point objective", format!("{} s", record.objectives.recovery_point_seconds)),
            ("Age that a passed drill may have", amount::age(record.objectives.drill_max_age_seconds)),
            (
                "Persons that must stand behind a run",
                needed.map_or_else(|| NOT_RECORDED.into(), |needed| needed.to_string()),
            ),
            ("Fixed before the start", "yes: they are part of the plan that the run pinned as its first event".into()),
            ("Digest of the plan", record.runbook.digest.to_string()),
            ("Source of the objectives", NOT_RECORDED.into()),
        ])],
    )
}

/// Scope and scenario.
pub(super) fn scope(material: &Material<'_>) -> Section {
    let record = material.record;
    let mut blocks = vec![facts(vec![
        ("Protection group", record.group.to_string()),
        ("From region", record.source.to_string()),
        ("To region", record.destination.to_string()),
        ("Scenario", or_not_recorded(&record.reason)),
        ("Assumptions", NOT_RECORDED.into()),
        ("People deliberately left out", NOT_RECORDED.into()),
    ])];
    let Some(run) = &material.run else { return Section::new("scope", "Scope and scenario", blocks) };
    let targets = run.plan().group.targets.iter().map(|target| {
        let steps = run.plan().steps.iter().filter(|step| step.target.as_ref() == Some(&target.name)).count();
        let steps = if steps == 0 { "none: not part of this run".to_owned() } else { steps.to_string() };
        vec![target.name.to_string(), format!("{:?}", target.capability).to_lowercase(), target.driver.clone(), steps]
    });
    blocks.push(table(
        "Targets of the group",
        &["Target", "Kind", "Driver", "Steps"],
        targets.collect(),
        "The group has no targets.",
    ));
    let excluded = run.plan().steps.iter().zip(&run.steps).filter_map(|(step, state)| match state {
        StepState::Skipped { by: by @ (SkippedBy::When | SkippedBy::Drill), why } => {
            let by = if *by == SkippedBy::When { "its own condition" } else { "the drill" };
            Some(vec![step.name.to_string(), by.to_owned(), why.clone()])
        }
        _ => None,
    });
    blocks.push(table(
        "What the plan itself left out",
        &["Step", "Left out by", "Why"],
        excluded.collect(),
        "The plan left nothing out.",
    ));
    Section::new("scope", "Scope and scenario", blocks)
}

/// Method.
pub(super) fn method(material: &Material<'_>) -> Section {
    let record = material.record;
    let mode = match record.drill_mode() {
        Some(DrillMode::Rehearse) => "rehearsal: everything was observed and nothing was changed",
        Some(DrillMode::Isolated) => "isolated: the steps act on stand-ins, which are taken down again",
        Some(DrillMode::Live) | None => "live: the steps act on what they name",
    };
    let mut blocks = vec![facts(vec![
        ("Runbook", record.runbook.name.to_string()),
        ("Digest of the compiled plan", record.runbook.digest.to_string()),
        ("Lifeboat", record.version.clone()),
        ("Digest of the program", NOT_RECORDED.into()),
        ("Mode", mode.into()),
    ])];
    let deviations = record.exceptions.iter().map(|e| vec![e.step.to_string(), e.state.clone(), e.what.clone()]);
    blocks.push(table(
        "Deviations from the runbook",
        &["Step", "State", "What"],
        deviations.collect(),
        "No step deviated from the runbook.",
    ));
    if let Some(run) = &material.run {
        let manual = run.plan().steps.iter().filter_map(|step| Some(vec![step.name.to_string(), step.manual.clone()?]));
        blocks.push(table(
            "What a person does where a step cannot",
            &["Step", "By hand"],
            manual.collect(),
            "The plan has no instructions for doing a step by hand.",
        ));
        let destroys = run.plan().steps.iter().filter(|step| step.effect == Effect::Destroys);
        let rows = destroys.map(|step| vec![step.name.to_string(), step.verb.to_string()]).collect();
        blocks.push(table(
            "Steps that may lose data or take a service away",
            &["Step", "What it does"],
            rows,
            "The plan has no step that may lose data or take a service away.",
        ));
    }
    let told = material.record.events.iter().filter_map(|event| match &event.body {
        EventBody::TakenOver { holder } => Some(vec![format!("{:.3}", event.at), format!("taken over by {holder}")]),
        EventBody::ApprovalWithdrawn { by, why } => {
            Some(vec![format!("{:.3}", event.at), format!("the approval of {by} counts no more: {why}")])
        }
        EventBody::Paused { reason } => {
            let why = material.run.as_ref().map_or_else(String::new, |run| crate::evidence::paused(run.plan(), reason));
            Some(vec![format!("{:.3}", event.at), format!("paused: {why}")])
        }
        EventBody::Unwinding { why } => Some(vec![format!("{:.3}", event.at), format!("undoing began: {why}")]),
        _ => None,
    });
    blocks.push(table("Interruptions", &["At (UTC)", "What"], told.collect(), "The run was not interrupted."));
    Section::new("method", "Method", blocks)
}
