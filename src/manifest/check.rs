//! What documents mean, judged against each other and against what the drivers can do. Form was judged on loading.
//!
//! Every check is a function from documents to findings; none of them stops another. The cost is linear in the
//! documents, but for the steps that lie before a step: these are bit sets, n²/64 words for n steps.

mod address;
mod anchor;
mod assurance;
mod channel;
mod control;
mod expression;
mod graph;
mod group;
pub(super) mod isolation;
mod limit;
mod policy;
mod probe;
mod record;
mod region;
mod runbook;
mod safety;
mod schedule;
mod secret;
mod target;
mod usage;
mod watch;

use std::collections::BTreeMap;

pub use address::region_of;
pub(super) use graph::Graph;
pub(super) use limit::written_limit;

use super::{
    bounds,
    code::Code,
    document::{Document, Documents, Kind},
    finding::{Finding, tidy},
    locate::{Aim, Path},
};
use crate::{
    model::{RegionName, RunKind, RunbookName},
    port::Catalog,
    spec::{ProtectionGroupSpec, RegionSpec},
};

/// Judges every document. The answer is in order of file and place, without repetitions.
pub fn check(documents: &Documents, catalog: &dyn Catalog) -> Vec<Finding> {
    let mut findings = Vec::new();
    let world = World { documents, catalog, regions: documents.regions_by_name() };
    for document in &documents.regions {
        let mut notes = Notes { document, findings: &mut findings };
        notes.long_lists();
        region::check(&mut notes);
        secret::check(&mut notes);
    }
    region::check_overlaps(documents, &mut findings);
    for document in &documents.groups {
        let mut notes = Notes { document, findings: &mut findings };
        notes.long_lists();
        group::check(&world, &mut notes);
        watch::check(&world, &mut notes);
        target::check(&document.spec, &mut notes);
        isolation::check(&mut notes);
        control::check(&mut notes);
        policy::unprotected(&world, &mut notes);
        secret::check(&mut notes);
    }
    let mut uses: BTreeMap<&RunbookName, Vec<Use<'_>>> = BTreeMap::new();
    for group in &documents.groups {
        for (kind, name, _) in named_runbooks(&group.spec) {
            uses.entry(name).or_default().push(Use { group, kind });
        }
    }
    for document in &documents.runbooks {
        let mut notes = Notes { document, findings: &mut findings };
        let uses = uses.get(&document.name).map_or(&[][..], Vec::as_slice);
        notes.long_lists();
        runbook::check(&world, uses, &mut notes);
        secret::check(&mut notes);
    }
    for document in &documents.schedules {
        let mut notes = Notes { document, findings: &mut findings };
        notes.long_lists();
        schedule::check(&world, &mut notes);
    }
    for document in &documents.policies {
        policy::check(&world, &mut Notes { document, findings: &mut findings });
    }
    for document in &documents.channels {
        let mut notes = Notes { document, findings: &mut findings };
        channel::check(&world, &mut notes);
        secret::check(&mut notes);
    }
    for document in &documents.calendars {
        let mut notes = Notes { document, findings: &mut findings };
        notes.long_lists();
        assurance::check(&world, &mut notes);
    }
    for document in &documents.anchors {
        let mut notes = Notes { document, findings: &mut findings };
        anchor::check(&mut notes);
        secret::check(&mut notes);
    }
    tidy(&mut findings);
    findings
}

/// What the checks may look at.
struct World<'a> {
    documents: &'a Documents,
    catalog: &'a dyn Catalog,
    regions: BTreeMap<&'a RegionName, &'a Document<RegionSpec>>,
}

/// A group that uses a runbook for a kind of run.
#[derive(Clone, Copy)]
struct Use<'a> {
    group: &'a Document<ProtectionGroupSpec>,
    kind: RunKind,
}

/// Findings about one document.
struct Notes<'a, T: Kind> {
    document: &'a Document<T>,
    findings: &'a mut Vec<Finding>,
}

impl<T: Kind> Notes<'_, T> {
    fn add(&mut self, code: Code, path: &Path, message: impl Into<String>, help: impl Into<String>) {
        self.findings.push(self.document.finding(code, path, message, help));
    }
    /// Reports every list that is longer than a list may be. An object of a cluster was judged by its API server.
    fn long_lists(&mut self) {
        let Some(origin) = &self.document.origin else { return };
        for (list, length, most) in bounds::exceeded(T::KIND, &origin.node) {
            let message = format!("the list has {length} entries, and {most} are the most");
            self.add_at_key(Code::OutOfRange, &list, message, "split it into several documents, or leave entries out");
        }
    }
    fn add_at_key(&mut self, code: Code, path: &Path, message: impl Into<String>, help: impl Into<String>) {
        self.findings.push(self.document.aimed(code, path, Aim::Key, message.into(), help.into()));
    }
}

/// The runbooks that a group names, with the keys that name them.
fn named_runbooks(group: &ProtectionGroupSpec) -> impl Iterator<Item = (RunKind, &RunbookName, &'static str)> {
    let names = &group.runbooks;
    [
        (RunKind::Failover, &names.failover, "failover"),
        (RunKind::Switchover, &names.switchover, "switchover"),
        (RunKind::Failback, &names.failback, "failback"),
    ]
    .into_iter()
    .filter_map(|(kind, name, key)| name.as_ref().map(|name| (kind, name, key)))
}

/// Reports every name that stands a second time in a list.
fn repeated_names<'n, T: Kind>(
    notes: &mut Notes<'_, T>,
    list: &Path,
    what: &str,
    names: impl Iterator<Item = &'n str>,
) {
    let mut seen: BTreeMap<_, usize> = BTreeMap::new();
    for (index, name) in names.enumerate() {
        if let Some(first) = seen.get(name) {
            let message = format!("there is a {what} named `{name}` already, number {} of the list", first + 1);
            notes.add(Code::DuplicateName, &list.at(index).key("name"), message, "rename one of them");
        } else {
            seen.insert(name, index);
        }
    }
}
