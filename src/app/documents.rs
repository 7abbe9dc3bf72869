//! The documents of a flow: loaded, checked, and turned into plans.

use super::{AppError, Route, Settings, wire::Wired};
use crate::{
    manifest::{self, Documents, Finding},
    model::{Group, GroupName, Plan, Region, RunKind},
};

/// Documents without errors, with the warnings that were found.
#[derive(Debug, Clone)]
pub struct Checked {
    /// The documents.
    pub documents: Documents,
    /// Warnings; an error would not have come here.
    pub warnings: Vec<Finding>,
}

/// Loads and checks; every finding at once, in the order of a report.
pub fn examine(files: &[std::path::PathBuf]) -> (Documents, Vec<Finding>) {
    let loaded = manifest::load(files);
    let mut findings = loaded.findings;
    findings.extend(super::shim::check(&loaded.documents, &Wired));
    manifest::tidy(&mut findings);
    (loaded.documents, findings)
}

/// Loads and checks what the settings name.
pub fn read(settings: &Settings) -> Result<Checked, AppError> {
    if settings.files_by_default && settings.files.iter().all(|path| !path.exists()) {
        return Err(AppError::NoDocuments);
    }
    let (documents, findings) = examine(&settings.files);
    if manifest::has_errors(&findings) {
        return Err(AppError::Findings { findings });
    }
    Ok(Checked { documents, warnings: findings })
}

impl Checked {
    /// The names of the groups, in document order.
    pub fn groups(&self) -> Vec<GroupName> {
        self.documents.groups.iter().map(|document| document.name.clone()).collect()
    }

    /// A group, checked.
    pub fn group(&self, name: &GroupName) -> Result<Group, AppError> {
        super::shim::group(&self.documents, name).ok_or_else(|| AppError::NoGroup { group: name.clone(), there: self.groups() })
    }

    /// The regions of a group, as they are pinned in plans.
    pub fn regions(&self, group: &Group) -> Vec<Region> {
        let documents = group.regions.iter().filter_map(|(name, _)| self.documents.region(name));
        documents.map(manifest::region).collect()
    }

    /// The plan of a run of this kind along this way.
    pub fn plan(&self, group: &GroupName, kind: RunKind, route: &Route) -> Result<Plan, AppError> {
        super::shim::compile(&self.documents, &Wired, group, kind, &route.source, &route.destination)
            .map_err(|findings| AppError::Findings { findings })
    }
}
