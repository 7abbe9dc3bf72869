//! YAML text through all that documents go through: read, checked, drawn, compiled, and written as built-in runbooks.

use lifeboat::{
    app::Wired,
    manifest::{self, Document, Look, Route, load_texts, render, scaffold},
    model::{Plan, RunKind},
};

/// Promises: whatever the text, there are findings or documents, and every finding lies inside of the text; documents without
/// an error make plans that hold together; what is printed as a runbook is read back as it was meant.
pub fn documents(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let loaded = load_texts([("fuzz.yaml", text)]);
    let mut findings = loaded.findings;
    findings.extend(manifest::check(&loaded.documents, &Wired));
    manifest::tidy(&mut findings);
    for finding in &findings {
        let span = finding.place.as_ref().map(|place| place.span);
        assert!(span.is_none_or(|span| span.offset + span.len <= text.len()), "outside of the text: {finding:?}");
    }
    let _drawn = render(&findings, Look::default());
    let _json = serde_json::to_string(&findings).expect("findings are written as JSON");
    if manifest::has_errors(&findings) {
        return;
    }
    let documents = &loaded.documents;
    for group in &documents.groups {
        for kind in [RunKind::Failover, RunKind::Switchover, RunKind::Failback] {
            let Some(name) = scaffold::name(kind) else { continue };
            let spec = scaffold::spec(kind, &group.spec, &documents.regions, &Wired);
            let printed = scaffold::text(kind, &name, &group.spec, &documents.regions, &Wired);
            let read = load_texts([("scaffold.yaml", printed.as_str())]);
            assert!(read.findings.is_empty(), "{printed}\n{}", render(&read.findings, Look::default()));
            assert_eq!(read.documents.runbooks.first().map(|runbook| runbook.spec.as_ref()), Some(&spec), "{printed}");
            let built_in = Document::placeless(name, spec);
            for runbook in documents.runbooks.iter().chain([&built_in]) {
                for source in &group.spec.regions {
                    for destination in &group.spec.regions {
                        let route = Route { kind, source: &source.name, destination: &destination.name };
                        if let Ok(plan) = manifest::compile(group, runbook, &documents.regions, &Wired, route) {
                            holds_together(&plan);
                        }
                    }
                }
            }
        }
    }
}

fn holds_together(plan: &Plan) {
    plan.check().expect("a compiled plan has no gap and no circle");
    let text = serde_json::to_string(plan).expect("a plan is written as JSON");
    let read: Plan = serde_json::from_str(&text).expect("and read back");
    assert_eq!(read.digest(), plan.digest(), "a plan that is read back has another digest: {text}");
    let _predicted = lifeboat::decide::predict(plan);
}
