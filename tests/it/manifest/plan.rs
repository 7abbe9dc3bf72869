//! Plans, built-in runbooks and schemas.

use std::{fmt::Write as _, sync::Arc};

use super::*;
use lifeboat::{
    manifest::Document,
    model::{Effect, Verb},
    port::Catalog as _,
    spec::RunbookSpec,
};

fn orders() -> Documents {
    let loaded = manifest::load(&[root().join("tests/manifest/good/orders.yaml"), root().join("runbooks")]);
    assert!(loaded.findings.is_empty());
    loaded.documents
}

fn name(text: &str) -> RegionName {
    RegionName::new(text).unwrap()
}

fn compile(
    documents: &Documents,
    runbook: &Document<RunbookSpec>,
    kind: RunKind,
) -> Result<lifeboat::model::Plan, Vec<Finding>> {
    let (source, destination) = (name("fra"), name("dub"));
    let route = manifest::Route { kind, source: &source, destination: &destination };
    manifest::compile(&documents.groups[0], runbook, &documents.regions, &TestCatalog, route)
}

#[test]
fn a_plan_says_in_full_what_the_runbook_leaves_open() {
    let documents = orders();
    let runbook = documents.runbooks.iter().find(|runbook| runbook.name.as_str() == "region-failover").unwrap();
    let plan = compile(&documents, runbook, RunKind::Failover).unwrap();
    plan.check().unwrap();
    let facts =
        TestCatalog.descriptor(Some("postgres"), lifeboat::model::Capability::Database, Verb::DatabasePromote).unwrap();
    let promote = &plan.steps[2];
    assert_eq!((promote.verb, promote.timeout_ms), (Verb::DatabasePromote, 60_000));
    assert_eq!((promote.retry.attempts, promote.effect), (facts.attempts, facts.effect));
    // `within: 60` and no timeout: the wait, and time for the answer to travel.
    assert_eq!(plan.steps.last().unwrap().timeout_ms, 65_000);
    assert_eq!(plan.regions.len(), 3);
    insta::assert_json_snapshot!(plan);
}

#[test]
fn every_shipped_and_every_built_in_runbook_makes_a_plan() {
    let documents = orders();
    for (kind, file) in [
        (RunKind::Failover, "region-failover"),
        (RunKind::Switchover, "region-switchover"),
        (RunKind::Failback, "region-failback"),
    ] {
        let runbook = documents.runbooks.iter().find(|runbook| runbook.name.as_str() == file).unwrap();
        compile(&documents, runbook, kind).unwrap().check().unwrap();
        let group = &documents.groups[0];
        let spec = scaffold::spec(kind, &group.spec, &documents.regions, &TestCatalog);
        let built_in = Document::placeless(scaffold::name(kind).unwrap(), spec.clone());
        compile(&documents, &built_in, kind).unwrap().check().unwrap();
        // What is printed is what is used.
        let text = scaffold::text(kind, &built_in.name, &group.spec, &documents.regions, &TestCatalog);
        let loaded = load_texts([("scaffold.yaml", text.as_str())]);
        assert!(loaded.findings.is_empty(), "{text}\n{}", render(&loaded.findings, Look::default()));
        assert_eq!(*loaded.documents.runbooks[0].spec, spec);
        insta::assert_snapshot!(format!("scaffold-{kind}"), text);
    }
}

#[test]
fn a_built_in_runbook_has_no_finding_but_for_the_time_limits() {
    let mut documents = orders();
    for kind in [RunKind::Failover, RunKind::Switchover, RunKind::Failback] {
        let spec = scaffold::spec(kind, &documents.groups[0].spec, &documents.regions, &TestCatalog);
        documents.runbooks.push(Document::placeless(scaffold::name(kind).unwrap(), spec));
    }
    Arc::make_mut(&mut documents.groups[0].spec).runbooks = lifeboat::spec::RunbookNames {
        failover: scaffold::name(RunKind::Failover),
        switchover: scaffold::name(RunKind::Switchover),
        failback: scaffold::name(RunKind::Failback),
    };
    let findings = manifest::check(&documents, &TestCatalog);
    assert!(findings.is_empty(), "{}", render(&findings, Look::default()));
}

#[test]
fn a_document_with_an_error_makes_no_plan() {
    let documents = orders();
    let mut runbook = documents.runbooks[0].clone();
    Arc::make_mut(&mut runbook.spec).steps.retain(|step| step.uses.parse().is_ok_and(|verb: Verb| !verb.fences()));
    let findings = compile(&documents, &runbook, RunKind::Failback).unwrap_err();
    assert!(findings.iter().all(|finding| finding.severity() == Severity::Error));
    assert!(codes(&findings).contains(&"LB0103") && codes(&findings).contains(&"LB0109"), "{:?}", codes(&findings));
}

#[test]
fn a_slip_in_another_runbook_does_not_hold_a_failover_up() {
    let mut documents = orders();
    Arc::make_mut(&mut documents.groups[0].spec).runbooks.switchover = Some("lost".parse().unwrap());
    assert!(codes(&manifest::check(&documents, &TestCatalog)).contains(&"LB0305"));
    let runbook = documents.runbooks.iter().find(|runbook| runbook.name.as_str() == "region-failover").unwrap();
    compile(&documents, runbook, RunKind::Failover).unwrap();
}

#[test]
fn a_plan_goes_from_one_serving_region_to_another() {
    let documents = orders();
    let runbook = documents.runbooks.iter().find(|runbook| runbook.name.as_str() == "region-failover").unwrap();
    for (source, destination) in [("fra", "fra"), ("fra", "ams"), ("x", "dub")] {
        let (source, destination) = (name(source), name(destination));
        let route = manifest::Route { kind: RunKind::Failover, source: &source, destination: &destination };
        let group = &documents.groups[0];
        let findings = manifest::compile(group, runbook, &documents.regions, &TestCatalog, route).unwrap_err();
        assert_eq!(codes(&findings), ["LB0301"], "{source} to {destination}");
    }
}

#[test]
fn a_command_that_changes_nothing_may_run_in_a_drill() {
    let documents = orders();
    let text = "apiVersion: lifeboat.dev/v1alpha1\nkind: Runbook\nmetadata: {name: look}\nspec:\n  steps:\n  \
        - {name: look, uses: command, with: {run: [/bin/true], readOnly: true}}\n  \
        - {name: act, uses: command, with: {run: [/bin/true]}}\n  \
        - {name: rest, uses: wait, with: {seconds: 1.5}}\n";
    let loaded = load_texts([("look.yaml", text)]);
    let plan = compile(&documents, &loaded.documents.runbooks[0], RunKind::Failover).unwrap();
    assert_eq!((plan.steps[0].effect, plan.steps[1].effect), (Effect::Reads, Effect::Changes));
    assert_eq!((plan.steps[2].expected_ms, plan.steps[2].timeout_ms), (1_500, 6_500));
}

#[test]
fn the_schemas_are_what_the_types_say() {
    insta::assert_snapshot!("crds", manifest::crds());
    insta::assert_json_snapshot!("schema", manifest::schema());
}

/// A runbook of 1,000 steps and 500 files of 3 KB, each within 200 ms of processor time in a release build (on two
/// processors, 100 ms); a debug build of all crates takes some twenty times that.
#[test]
fn large_inputs_are_checked_in_time() {
    let limit = Duration::from_millis(if cfg!(debug_assertions) { 5_000 } else { 200 });
    let mut text =
        "apiVersion: lifeboat.dev/v1alpha1\nkind: Runbook\nmetadata: {name: large}\nspec:\n  steps:\n".to_owned();
    for step in 0..1_000 {
        let needs = match step {
            0 => String::new(),
            1 => "step-0".to_owned(),
            _ => format!("step-{}, step-{}", step - 1, step - 2),
        };
        let _ok = write!(
            text,
            "  - name: step-{step}\n    uses: command\n    needs: [{needs}]\n    timeoutSeconds: 30\n    with:\n      \
             run: [/bin/echo, \"{{{{ destination }}}}\", \"{step}\"]\n      env: {{A: \"1\", B: \"2\"}}\n"
        );
    }
    let start = busy();
    let findings = check_text(&text);
    let took = busy().saturating_sub(start);
    assert!(findings.is_empty(), "{}", render(&findings, Look::default()));
    println!("1,000 steps: {took:?}");
    assert!(took < limit, "1,000 steps took {took:?}");

    let folder = tempfile::tempdir().unwrap();
    let runbook = fs::read_to_string(root().join("runbooks/region-switchover.yaml")).unwrap();
    for number in 0..500 {
        let text = runbook.replace("name: region-switchover", &format!("name: region-{number}"));
        fs::write(folder.path().join(format!("{number}.yaml")), text).unwrap();
    }
    let start = busy();
    let findings = findings_of(manifest::load(&[folder.path()]));
    let took = busy().saturating_sub(start);
    assert!(findings.is_empty());
    println!("500 files: {took:?}");
    assert!(took < limit, "500 files took {took:?}");
}
