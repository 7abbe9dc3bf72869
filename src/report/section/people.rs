//! Who took part, and on whose authority.

use std::collections::BTreeSet;

use crate::model::PersonSignature;
use crate::report::sheet::{Material, NOT_RECORDED, Section, facts, or_not_recorded, table};

/// Participants and authority.
pub(super) fn people(material: &Material<'_>) -> Section {
    let record = material.record;
    let people =
        record.people.iter().map(|person| vec![person.name.to_string(), NOT_RECORDED.into(), person.did.join("; ")]);
    let approvals = record.approvals.iter().map(|approval| {
        let of = approval.step.as_ref().map_or_else(|| "the run".to_owned(), ToString::to_string);
        let at = format!("{:.3}", approval.at);
        vec![approval.by.to_string(), of, at, or_not_recorded(&approval.reason), key(approval.signed.as_ref())]
    });
    let risks = record.accepted.iter().map(|accepted| {
        let at = format!("{:.3}", accepted.at);
        let key = key(accepted.signed.as_ref());
        vec![accepted.risk.to_string(), accepted.by.to_string(), at, or_not_recorded(&accepted.reason), key]
    });
    let none = "Nobody was asked to approve, and nobody did.";
    Section::new(
        "people",
        "Participants and authority",
        vec![
            table("People", &["Person", "Role", "What they did"], people.collect(), "People: not recorded."),
            facts(vec![
                ("Asked for by", record.requested_by.to_string()),
                ("Somebody else than who asked approved", segregation(material)),
            ]),
            table("Approvals", &["Person", "Of", "At (UTC)", "Reason", "Key"], approvals.collect(), none),
            table(
                "Accepted risks",
                &["Risk", "By", "At (UTC)", "Reason", "Key"],
                risks.collect(),
                "Nobody accepted a risk.",
            ),
        ],
    )
}

/// The key that signed.
fn key(signed: Option<&PersonSignature>) -> String {
    signed.map_or_else(|| "not signed".into(), |signed| signed.key.clone())
}

/// Whoever runs it is not the only one to approve it.
fn segregation(material: &Material<'_>) -> String {
    let record = material.record;
    let others: BTreeSet<&str> = record
        .approvals
        .iter()
        .filter(|approval| approval.by != record.requested_by)
        .map(|approval| approval.by.as_str())
        .collect();
    if others.is_empty() { "no".into() } else { format!("yes: {}", others.into_iter().collect::<Vec<_>>().join(", ")) }
}
