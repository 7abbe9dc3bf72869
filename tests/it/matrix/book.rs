//! From the files in `runbooks/` to plans.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    fs,
    path::Path,
};

use lifeboat::{
    app::Wired,
    manifest::{self, Document, Look, Route, load_texts, render},
    model::{Capability, Plan, RegionName, RunKind, StepIndex, Verb},
    spec::RunbookSpec,
};

/// A runbook, compiled for one kind of run from `fra` to `dub`.
pub(super) struct Book {
    /// `region-failover as failover`.
    pub(super) title: String,
    pub(super) kind: RunKind,
    pub(super) plan: Plan,
}

impl Book {
    /// Its steps with their names.
    pub(super) fn steps(&self) -> Vec<(StepIndex, String)> {
        self.plan.indices().map(|index| (index, self.plan.steps[index.at()].name.to_string())).collect()
    }

    /// Everything that a step needs, directly or not.
    pub(super) fn before(&self, index: StepIndex) -> BTreeSet<StepIndex> {
        let mut found = BTreeSet::new();
        let mut stack = self.plan.steps[index.at()].needs.clone();
        while let Some(at) = stack.pop() {
            if found.insert(at) {
                stack.extend(&self.plan.steps[at.at()].needs);
            }
        }
        found
    }
}

/// Every shipped runbook, for the first kind of run that it compiles for: a failover, or else a planned one.
pub(super) fn books() -> Vec<Book> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("runbooks");
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "yaml"));
    files.sort();
    assert!(!files.is_empty(), "runbooks/ is empty");
    files.iter().flat_map(|path| compiled(&fs::read_to_string(path).unwrap(), &path.display().to_string())).collect()
}

fn compiled(text: &str, name: &str) -> Vec<Book> {
    let loaded = load_texts([(name, text)]);
    let runbooks = &loaded.documents.runbooks;
    assert!(!runbooks.is_empty(), "{name} holds no runbook");
    runbooks.iter().map(|runbook| of_runbook(runbook, text, name)).collect()
}

fn of_runbook(runbook: &Document<RunbookSpec>, text: &str, name: &str) -> Book {
    let documents = group_for(&runbook.spec);
    let loaded = load_texts([("group.yaml", documents.as_str()), (name, text)]);
    assert!(loaded.findings.is_empty(), "{}", render(&loaded.findings, Look::default()));
    let documents = loaded.documents;
    let (source, destination) = (region("fra"), region("dub"));
    let mut problems = String::new();
    for kind in [RunKind::Failover, RunKind::Switchover] {
        let route = Route { kind, source: &source, destination: &destination };
        match manifest::compile(&documents.groups[0], runbook, &documents.regions, &Wired, route) {
            Ok(plan) => return Book { title: format!("{} as {kind}", runbook.name), kind, plan },
            Err(findings) => problems.push_str(&render(&findings, Look::default())),
        }
    }
    panic!("{} makes no plan of any kind:\n{problems}", runbook.name)
}

fn region(name: &str) -> RegionName {
    RegionName::new(name).unwrap()
}

/// Two regions and a group of fake targets: those that the runbook's steps name.
fn group_for(runbook: &RunbookSpec) -> String {
    let mut targets: BTreeMap<&str, Capability> = BTreeMap::new();
    let mut probes = BTreeSet::from(["any"]);
    for step in &runbook.steps {
        if let (Some(target), Ok(verb)) = (&step.target, step.uses.parse::<Verb>()) {
            targets.insert(target.as_str(), verb.capability());
        }
        probes.extend(step.with.get("probe").and_then(|probe| probe.as_str()));
    }
    let mut text = String::new();
    for (region, network) in [("fra", 1), ("dub", 2)] {
        let probes: Vec<_> = probes
            .iter()
            .map(|name| format!("{{name: {name}, tcp: {{address: \"10.{network}.0.80:443\"}}}}"))
            .collect();
        let _ok = write!(
            text,
            "apiVersion: lifeboat.dev/v1alpha1\nkind: Region\nmetadata: {{name: {region}}}\nspec: {{provider: other, probes: \
             [{}]}}\n---\n",
            probes.join(", ")
        );
    }
    text.push_str(
        "apiVersion: lifeboat.dev/v1alpha1\nkind: ProtectionGroup\nmetadata: {name: orders}\nspec:\n  regions: [{name: fra, \
         role: Preferred}, {name: dub, role: Standby}]\n  objectives: {recoveryTimeSeconds: 300, recoveryPointSeconds: 10}\n  \
         targets:\n",
    );
    for (name, capability) in targets {
        let capability = serde_json::to_value(capability).unwrap();
        let _ok = writeln!(text, "  - {{name: {name}, fake: {{capability: {capability}}}}}");
    }
    text
}

#[test]
fn every_shipped_runbook_is_in_the_matrix() {
    let books = books();
    let titles: BTreeSet<_> = books.iter().map(|book| book.title.as_str()).collect();
    assert_eq!(titles.len(), books.len());
    assert!(books.iter().any(|book| book.kind == RunKind::Failover), "{titles:?}");
    assert!(books.iter().any(|book| book.kind.planned()), "{titles:?}");
    println!("{titles:?}");
}
