//! OSCAL 1.2.1: a run as assessment plan, assessment results, and plan of action and milestones.
//!
//! | here | there |
//! |---|---|
//! | the group | a component of type `service` |
//! | a step of the plan | a task; as it was carried out, an entry of the assessment log |
//! | a measure | an observation by method TEST |
//! | a finding | a risk, and an item of the plan of action |
//! | an action | an item of the plan of action; its last day is the deadline of the risk |
//! | a requirement of a drill policy | a task of the assessment plan, with how often |
//! | the verdict | a finding for each statement of a control that the cross-walk names, unless observations alone were asked for |
//!
//! A finding has a state only where a run that moved something passed without a finding or failed: everything else is left to
//! the assessor. Every reference points into the same document.

mod parts;
mod words;

use parts::Parts;
use words::{
    AssessmentPlan, AssessmentResults, BackMatter, Document, Frequency, Import, LocalDefinitions, Outcome,
    PlanOfAction, Task, Timing,
};

use super::{ReportError, Terms, json};
use crate::evidence::Redacted;

/// The plan that was carried out, as an assessment plan.
pub(super) fn plan(redacted: &Redacted, terms: &Terms<'_>) -> Result<String, ReportError> {
    let parts = Parts::of(redacted, terms);
    let record = redacted.record();
    let mut tasks = vec![Task {
        uuid: parts.uuid("task drill"),
        kind: "milestone",
        title: format!("Show that {} can be moved", record.group),
        description: format!("Carry out {} for {}, or rehearse it.", record.runbook.name, record.group),
        timing: frequency(record.objectives.drill_max_age_seconds).map(|at_frequency| Timing { at_frequency }),
        dependencies: Vec::new(),
    }];
    tasks.extend(parts.requirements());
    tasks.extend(parts.steps());
    let document = AssessmentPlan {
        uuid: parts.uuid("assessment plan"),
        metadata: parts.metadata("Assessment plan"),
        import_ssp: Import { href: parts.ssp() },
        local_definitions: LocalDefinitions { components: vec![parts.component()] },
        reviewed_controls: parts.reviewed()?,
        tasks,
        back_matter: BackMatter { resources: vec![parts.system(), parts.record()] },
    };
    json::pretty(&Document::AssessmentPlan(document), record)
}

/// What was seen and measured, as assessment results.
pub(super) fn results(redacted: &Redacted, terms: &Terms<'_>) -> Result<String, ReportError> {
    let parts = Parts::of(redacted, terms);
    let record = redacted.record();
    let outcome = Outcome {
        uuid: parts.uuid("result"),
        title: super::sheet::title(record),
        description: format!(
            "Verdict: {}. Lifeboat provides evidence; an assessor says what is satisfied.",
            parts.judgement.verdict.words()
        ),
        start: record.opened_at.to_string(),
        end: record.closed_at.map(|at| at.to_string()),
        props: parts.props(),
        local_definitions: LocalDefinitions { components: vec![parts.component()] },
        reviewed_controls: parts.reviewed()?,
        assessment_log: parts.log(),
        observations: parts.observations(),
        risks: parts.risks(),
        findings: parts.findings(),
    };
    let document = AssessmentResults {
        uuid: parts.uuid("assessment results"),
        metadata: parts.metadata("Assessment results"),
        import_ap: Import { href: parts.reference("resource plan") },
        results: vec![outcome],
        back_matter: BackMatter { resources: vec![parts.assessment_plan(), parts.record()] },
    };
    json::pretty(&Document::AssessmentResults(document), record)
}

/// The findings, as a plan of action and milestones.
pub(super) fn actions(redacted: &Redacted, terms: &Terms<'_>) -> Result<String, ReportError> {
    let parts = Parts::of(redacted, terms);
    let record = redacted.record();
    let items = parts.items();
    if items.is_empty() {
        return Err(ReportError::NothingToPlan { run: record.run.clone() });
    }
    let document = PlanOfAction {
        uuid: parts.uuid("plan of action"),
        metadata: parts.metadata("Plan of action and milestones"),
        import_ssp: Import { href: parts.ssp() },
        local_definitions: LocalDefinitions { components: vec![parts.component()] },
        observations: parts.observations(),
        risks: parts.all_risks(),
        poam_items: items,
        back_matter: BackMatter { resources: vec![parts.system(), parts.record()] },
    };
    json::pretty(&Document::PlanOfActionAndMilestones(document), record)
}

/// How often, from the age that a passed drill may have.
fn frequency(seconds: u64) -> Option<Frequency> {
    const DAY: u64 = 86_400;
    match seconds {
        0 => None,
        seconds if seconds % DAY == 0 => Some(Frequency { period: seconds / DAY, unit: "days" }),
        seconds => Some(Frequency { period: seconds, unit: "seconds" }),
    }
}
