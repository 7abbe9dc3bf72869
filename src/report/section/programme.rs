//! What came after the run: findings of persons, actions, and how the programme of drills stands.

use crate::{
    decide::programme::{RULE, Standing},
    evidence::{Action, Raised},
    report::{
        Programme,
        sheet::{Block, Material, Section, facts, table, text},
    },
};

/// What persons found.
pub(super) fn raised(material: &Material<'_>) -> Vec<Block> {
    let Some(programme) = material.terms.programme else { return Vec::new() };
    let row = |found: &Raised| {
        vec![
            found.number.to_string(),
            found.what.severity.as_str().into(),
            found.what.text.clone(),
            found.what.by.to_string(),
            format!("{:.0}", found.at),
        ]
    };
    let rows = programme.findings.iter().map(row).collect();
    let columns = ["Ledger entry", "Severity", "What", "Found by", "At (UTC)"];
    vec![table("Findings of persons, after the run", &columns, rows, "No person added a finding.")]
}

/// Corrective actions.
pub(super) fn actions(material: &Material<'_>) -> Section {
    let blocks = match material.terms.programme {
        None => vec![text("Corrective actions: not recorded.")],
        Some(programme) => {
            let rows = programme.actions.iter().map(|action| action_row(programme, action)).collect();
            let columns = ["Action", "Finding", "Severity", "What", "Owner", "Due", "State", "Re-test"];
            vec![table("Corrective actions", &columns, rows, "No action was opened because of this run.")]
        }
    };
    Section::new("actions", "Corrective actions", blocks)
}

fn action_row(programme: &Programme, action: &Action) -> Vec<String> {
    let opened = &action.opened;
    let retest = action.closed.as_ref().and_then(|closed| closed.what.retest.as_ref());
    vec![
        action.number.to_string(),
        opened.finding.clone().unwrap_or_else(|| "none".into()),
        opened.severity.as_str().into(),
        opened.text.clone(),
        opened.owner.to_string(),
        opened.due.to_string(),
        state(programme, action),
        retest.map_or_else(|| "none".into(), ToString::to_string),
    ]
}

/// How an action stands, in words.
pub(in crate::report) fn state(programme: &Programme, action: &Action) -> String {
    match &action.closed {
        Some(closed) => format!("closed by {}: {}", closed.what.by, closed.what.note),
        None if action.is_overdue(programme.as_of) => format!("open, overdue on {}", programme.as_of),
        None => "open".into(),
    }
}

/// The actions that matter most, for the summary.
pub(super) fn most_important(material: &Material<'_>) -> String {
    let Some(programme) = material.terms.programme else { return "Most important actions: not recorded.".into() };
    let mut open: Vec<&Action> = programme.actions.iter().filter(|action| action.closed.is_none()).collect();
    open.sort_by_key(|action| (action.opened.severity, action.opened.due));
    if open.is_empty() {
        return "No action is open because of this run.".into();
    }
    let said = |action: &&Action| format!("{} ({}, {})", action.opened.text, action.opened.owner, action.opened.due);
    format!("Most important actions: {}.", open.iter().take(3).map(said).collect::<Vec<_>>().join("; "))
}

/// How the programme of drills stands.
pub(super) fn coverage(material: &Material<'_>) -> Vec<Block> {
    let unknown = || vec![text("State of the programme of drills: not recorded.")];
    let Some(programme) = material.terms.programme else { return unknown() };
    let Some(standings) = &programme.standings else { return unknown() };
    if standings.is_empty() {
        return vec![text("UNPROTECTED: no drill policy asks anything of this group.")];
    }
    let row = |one: &Standing| {
        vec![
            one.requirement.clone(),
            format!("{} every {} days", one.kind, one.every_days),
            one.status.as_str().into(),
            one.valid.as_ref().map_or_else(|| "none".into(), ToString::to_string),
            one.due.map_or_else(|| "none".into(), |due| due.to_string()),
            one.why.join("; "),
        ]
    };
    let next = standings.iter().filter_map(|one| one.due).min();
    let columns = ["Requirement", "What it asks for", "Status", "Last valid run", "Due", "Why"];
    vec![
        facts(vec![
            ("State of the programme at the end of (UTC)", programme.as_of.to_string()),
            ("Next due date", next.map_or_else(|| "none: nothing was drilled yet".into(), |due| due.to_string())),
            ("How days are counted", RULE.into()),
        ]),
        table("Requirements on this group", &columns, standings.iter().map(row).collect(), ""),
    ]
}
