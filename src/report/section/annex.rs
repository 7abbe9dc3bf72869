//! What the run supports, who signs it, and how to check it.

use crate::report::{
    Banner, amount,
    controls::Supported,
    sheet::{Material, NOT_RECORDED, Section, facts, or_not_recorded, table, text},
};

/// Control cross-walk.
pub(super) fn controls(material: &Material<'_>) -> Section {
    let (supported, open) = material.terms.controls.split(
        material.record,
        material.terms.signature.is_some(),
        material.terms.draft(material.record).is_none(),
    );
    let rows = |of: &[Supported<'_>]| {
        let row = |(support, by): &Supported<'_>| {
            vec![support.framework.clone(), support.id.clone(), support.title.clone(), by.join(", ")]
        };
        of.iter().map(row).collect()
    };
    let none = "This run provides evidence towards no requirement of the cross-walk.";
    let blocks = vec![
        text("Only an assessor says that a requirement is satisfied."),
        table(
            "Requirements that this run provides evidence towards",
            &["Framework", "Requirement", "What it asks for", "Supported by"],
            rows(&supported),
            none,
        ),
        table(
            "Not covered by this run",
            &["Framework", "Requirement", "What it asks for", "Would be supported by"],
            rows(&open),
            "The cross-walk names nothing else.",
        ),
    ];
    Section::new("controls", "Control cross-walk", blocks)
}

/// Coverage.
pub(super) fn coverage(material: &Material<'_>) -> Section {
    let record = material.record;
    let age = record.objectives.drill_max_age_seconds;
    let what = match Banner::of(record) {
        Banner::Drill => format!("A passed drill of this group counts for {} after its end.", amount::age(age)),
        Banner::Real => "This run was no drill.".to_owned(),
    };
    let mut blocks = vec![text(what)];
    blocks.extend(super::programme::coverage(material));
    Section::new("coverage", "Coverage", blocks)
}

/// Sign-off.
pub(super) fn sign_off(material: &Material<'_>) -> Section {
    let terms = material.terms;
    let draft = terms.draft(material.record).map_or_else(|| "no".to_owned(), |why| format!("yes: {why}"));
    let rows = terms.sign_offs.iter().map(|sign_off| {
        let at = format!("{:.3}", sign_off.signed_at);
        let comment = or_not_recorded(&sign_off.comment);
        let key = sign_off.signed.key.clone();
        vec![sign_off.by.to_string(), sign_off.opinion.as_str().to_owned(), at, comment, key]
    });
    Section::new(
        "sign-off",
        "Sign-off",
        vec![
            facts(vec![
                ("Draft", draft),
                ("Prepared by", format!("lifeboat {}, from the journal of the run", material.record.version)),
            ]),
            table(
                "Reviews, signed with the persons' own keys",
                &["Person", "Opinion", "At (UTC)", "Comment", "Key"],
                rows.collect(),
                "Nobody reviewed the record.",
            ),
        ],
    )
}

/// Annexes.
pub(super) fn annexes(material: &Material<'_>) -> Section {
    let record = material.record;
    let outputs = record.steps.iter().flat_map(|step| {
        step.output.iter().map(|(name, value)| {
            let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            vec![step.name.to_string(), name.clone(), value]
        })
    });
    let redactions = material.redacted.redactions().iter().map(|out| vec![out.path.clone(), out.rule.clone()]);
    let none = "No secret was found in the record, so nothing was taken out.";
    Section::new("annexes", "Annexes", vec![
        table("Outputs of the steps", &["Step", "Name", "Value"], outputs.collect(), "No step gave an output."),
        table("Redactions: what was taken out of this report", &["Place in the record", "Rule"], redactions.collect(), none),
        facts(vec![
            ("Events in the journal", record.events.len().to_string()),
            ("Probe series", NOT_RECORDED.into()),
            ("Messages to people", NOT_RECORDED.into()),
            ("To see the record", format!("lifeboat evidence show {} -o json", record.run)),
            ("To make the figures again", "fold the record's events over the plan in its first event; the record holds both".into()),
            ("To check the digest", "SHA-256 (FIPS 180-4) of the record as one line of JSON, without a line break, as the store keeps it".into()),
        ]),
    ])
}
