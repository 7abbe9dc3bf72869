//! The documents of a flow: loaded, and turned into groups and plans.
//!
//! A run is refused for the errors that it would stand on, and for no others: a slip in the switchover's runbook must not
//! hold up a failover. `lifeboat check` reports all of them.

use std::{borrow::Cow, path::PathBuf, sync::Arc};

use super::{AppError, Route, Settings, wire::Wired};
use crate::{
    decide::{self, Uncovered},
    manifest::{self, Document, Documents, Finding, Kind, Severity, scaffold},
    model::{Group, GroupName, Plan, Region, RunKind, RunbookName, ServiceName},
    spec::{DrillsSpec, ProtectionGroupSpec, RunbookSpec},
};

/// Documents that were read.
#[derive(Debug, Clone)]
pub struct Papers {
    /// The documents.
    pub documents: Documents,
    /// Defects of form.
    pub findings: Vec<Finding>,
}

/// Loads and checks; every finding at once, in the order of a report.
pub fn examine(files: &[PathBuf]) -> (Documents, Vec<Finding>) {
    let loaded = manifest::load(files);
    let mut findings = loaded.findings;
    findings.extend(manifest::check(&loaded.documents, &Wired));
    manifest::tidy(&mut findings);
    (loaded.documents, findings)
}

/// Loads what the settings name.
pub fn read(settings: &Settings) -> Result<Papers, AppError> {
    if settings.files_by_default && settings.files.iter().all(|path| !path.exists()) {
        return Err(AppError::NoDocuments);
    }
    let loaded = manifest::load(&settings.files);
    Ok(Papers { documents: loaded.documents, findings: loaded.findings })
}

/// What is written on disk now, for a standing process.
#[derive(Debug, Clone)]
pub(super) enum Written {
    /// It checks.
    Clean(Arc<Papers>),
    /// It does not, with its errors.
    Broken(String),
}

impl Written {
    pub(super) fn says_the_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Clean(one), Self::Clean(other)) => differ(one, other).is_empty(),
            (Self::Broken(one), Self::Broken(other)) => one == other,
            (Self::Clean(_), Self::Broken(_)) | (Self::Broken(_), Self::Clean(_)) => false,
        }
    }
}

/// Reads and checks everything.
pub(super) fn written(settings: &Settings) -> Written {
    let (documents, findings) = examine(&settings.files);
    let errors: Vec<String> =
        findings.iter().filter(|finding| finding.severity() == Severity::Error).map(in_a_line).collect();
    if errors.is_empty() {
        Written::Clean(Arc::new(Papers { documents, findings }))
    } else {
        Written::Broken(errors.join("; "))
    }
}

/// Code, place and what is wrong, for a log.
fn in_a_line(finding: &Finding) -> String {
    let place =
        finding.place.as_ref().map_or_else(String::new, |place| format!("{}:{}: ", place.source.name, place.span.line));
    format!("{} {place}{}", finding.code.as_str(), finding.message)
}

/// What is not in both, or says something else, of what a standing process stands on: `ProtectionGroup/orders`. Runbooks and drill
/// schedules are read anew whenever they are needed.
fn differ(before: &Papers, now: &Papers) -> Vec<String> {
    let mut names = changed(&before.documents.groups, &now.documents.groups);
    names.extend(changed(&before.documents.regions, &now.documents.regions));
    names.extend(differ_for_good(before, now));
    names
}

/// The same, of what only a restart takes up.
pub(super) fn differ_for_good(before: &Papers, now: &Papers) -> Vec<String> {
    let mut names = changed(&before.documents.channels, &now.documents.channels);
    names.extend(changed(&before.documents.anchors, &now.documents.anchors));
    names
}

fn changed<T: Kind + PartialEq>(before: &[Document<T>], now: &[Document<T>]) -> Vec<String> {
    let find = |all: &'_ [Document<T>], title: &str| all.iter().position(|one| one.title() == title);
    let same = |one: &Document<T>| {
        find(now, &one.title()).and_then(|at| now.get(at)).is_some_and(|other| other.spec == one.spec)
    };
    let gone_or_other = before.iter().filter(|one| !same(one)).map(Document::title);
    let new = now.iter().map(Document::title).filter(|title| find(before, title).is_none());
    gone_or_other.chain(new).collect()
}

impl Papers {
    /// The services that run in a region and that no group covers.
    pub fn uncovered(&self) -> Vec<Uncovered> {
        let own = |group: &Document<ProtectionGroupSpec>| -> Vec<ServiceName> {
            if group.spec.services.is_empty() {
                // Both kinds of name follow one rule.
                ServiceName::new(group.name.as_str()).into_iter().collect()
            } else {
                group.spec.services.clone()
            }
        };
        let covered = self.documents.groups.iter().flat_map(own).collect();
        let run = self.documents.regions.iter().map(|region| (&region.name, region.spec.services.as_slice()));
        decide::uncovered(run, &covered)
    }

    /// The names of the groups, in document order.
    pub fn groups(&self) -> Vec<GroupName> {
        self.documents.groups.iter().map(|document| document.name.clone()).collect()
    }

    fn document(&self, name: &GroupName) -> Result<&Document<ProtectionGroupSpec>, AppError> {
        self.documents.group(name).ok_or_else(|| {
            // A document that could not be read may be the one that is missing.
            if manifest::has_errors(&self.findings) {
                AppError::Findings { findings: self.findings.clone() }
            } else {
                AppError::NoGroup { group: name.clone(), there: self.groups() }
            }
        })
    }

    /// A group, checked.
    pub fn group(&self, name: &GroupName) -> Result<Group, AppError> {
        manifest::group(self.document(name)?).map_err(|findings| AppError::Findings { findings })
    }

    /// The regions of a group, as they are pinned in plans.
    pub fn regions(&self, group: &Group) -> Vec<Region> {
        let documents = group.regions.iter().filter_map(|(name, _)| self.documents.region(name));
        documents.map(manifest::region).collect()
    }

    /// The runbook of a kind of run: the declared one, or the built-in.
    pub fn runbook(&self, name: &GroupName, kind: RunKind) -> Result<Cow<'_, Document<RunbookSpec>>, AppError> {
        let group = self.document(name)?;
        let names = &group.spec.runbooks;
        let declared = match kind {
            RunKind::Failover => &names.failover,
            RunKind::Switchover => &names.switchover,
            RunKind::Failback => &names.failback,
        };
        match declared {
            None => {
                let spec = scaffold::spec(kind, &group.spec, &self.documents.regions, &Wired);
                let name = scaffold::name(kind).ok_or_else(|| missing(kind.as_str()))?;
                Ok(Cow::Owned(Document::placeless(name, spec)))
            }
            Some(name) => self.documents.runbook(name).map(Cow::Borrowed).ok_or_else(|| self.unreadable(name)),
        }
    }

    fn unreadable(&self, name: &RunbookName) -> AppError {
        if manifest::has_errors(&self.findings) {
            return AppError::Findings { findings: self.findings.clone() };
        }
        missing(name.as_str())
    }

    /// The plan of a run of this kind along this way.
    pub fn plan(&self, name: &GroupName, kind: RunKind, route: &Route) -> Result<Plan, AppError> {
        let runbook = self.runbook(name, kind)?;
        let way = manifest::Route { kind, source: &route.source, destination: &route.destination };
        manifest::compile(self.document(name)?, &runbook, &self.documents.regions, &Wired, way)
            .map_err(|findings| AppError::Findings { findings })
    }

    /// What the group's drills need.
    pub(super) fn drills(&self, name: &GroupName) -> Result<&DrillsSpec, AppError> {
        Ok(&self.document(name)?.spec.drills)
    }

    /// The plan of an isolated drill along this way: the same runbook, on stand-ins.
    pub fn isolated(&self, name: &GroupName, kind: RunKind, route: &Route) -> Result<Plan, AppError> {
        let group = self.document(name)?;
        let Some(isolated) = &group.spec.drills.isolated else {
            return Err(AppError::Missing {
                what: format!("group {name} says of no stand-ins, so an isolated drill has nothing to work on"),
                remedy: "add `drills: {isolated: {targets: …}}` to the group, or drill with --mode rehearse".into(),
            });
        };
        let runbook = self.runbook(name, kind)?;
        let way = manifest::Route { kind, source: &route.source, destination: &route.destination };
        manifest::isolate(group, isolated, &runbook, &self.documents.regions, &Wired, way)
            .map_err(|findings| AppError::Findings { findings })
    }

    /// Lets a drill compare the controls of both regions.
    pub(super) fn compare_controls(&self, plan: &mut Plan) -> Result<(), AppError> {
        let group = self.document(&plan.group.name)?;
        manifest::compare_controls(plan, &group.spec);
        Ok(())
    }

    /// A built-in runbook as a document to start from.
    pub fn scaffold(&self, name: &GroupName, kind: RunKind, runbook: &RunbookName) -> Result<String, AppError> {
        let group = self.document(name)?;
        Ok(scaffold::text(kind, runbook, &group.spec, &self.documents.regions, &Wired))
    }
}

fn missing(runbook: &str) -> AppError {
    AppError::Missing {
        what: format!("there is no runbook `{runbook}` in the documents"),
        remedy: "name the file that holds it with --file, or leave the group's `runbooks` out to use the built-in"
            .into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_watched_and_what_is_written_differ_where_a_group_a_region_or_a_channel_does() {
        let region = |name: &str, more: &str| {
            format!(
                "apiVersion: lifeboat.dev/v1alpha1\nkind: Region\nmetadata: {{name: {name}}}\nspec: {{provider: other{more}}}\n---\n"
            )
        };
        let papers = |text: String| {
            let loaded = manifest::load_texts([("test.yaml", text.as_str())]);
            Papers { documents: loaded.documents, findings: loaded.findings }
        };
        let before = papers(region("fra", "") + &region("dub", "") + &region("ams", ""));
        // Another order and a comment say the same.
        let same = papers(region("ams", "") + "# as before\n" + &region("dub", "") + &region("fra", ""));
        assert_eq!(differ(&before, &same), Vec::<String>::new());
        let now = papers(region("fra", ", location: here") + &region("ams", "") + &region("lon", ""));
        assert_eq!(differ(&before, &now), ["Region/fra", "Region/dub", "Region/lon"]);
        assert_eq!(differ_for_good(&before, &now), Vec::<String>::new());
    }
}
