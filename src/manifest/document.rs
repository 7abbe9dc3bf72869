//! The documents that were loaded, each with its origin, and the reporting of what is wrong with them.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use super::{
    code::Code,
    finding::{Finding, Place, Source},
    locate::{Aim, Node, Path},
};
use crate::{
    model::{
        AnchorName, BadName, CalendarName, ChannelName, GroupName, PolicyName, RegionName, RunbookName, ScheduleName,
    },
    spec::{
        AssuranceCalendarSpec, DrillPolicySpec, DrillScheduleSpec, EvidenceAnchorSpec, NotificationChannelSpec,
        ProtectionGroupSpec, RegionSpec, RunbookSpec,
    },
};

/// A `spec` that has a kind and a name.
pub trait Kind {
    /// The name's type.
    type Name: Clone + Ord + std::fmt::Display;
    /// As written in `kind:`.
    const KIND: &'static str;
    /// Checks a name.
    ///
    /// # Errors
    /// When it does not follow the rule.
    fn name(text: &str) -> Result<Self::Name, BadName>;
}

impl Kind for RegionSpec {
    type Name = RegionName;
    const KIND: &'static str = "Region";
    fn name(text: &str) -> Result<RegionName, BadName> {
        RegionName::new(text)
    }
}
impl Kind for ProtectionGroupSpec {
    type Name = GroupName;
    const KIND: &'static str = "ProtectionGroup";
    fn name(text: &str) -> Result<GroupName, BadName> {
        GroupName::new(text)
    }
}
impl Kind for RunbookSpec {
    type Name = RunbookName;
    const KIND: &'static str = "Runbook";
    fn name(text: &str) -> Result<RunbookName, BadName> {
        RunbookName::new(text)
    }
}

impl Kind for DrillScheduleSpec {
    type Name = ScheduleName;
    const KIND: &'static str = "DrillSchedule";
    fn name(text: &str) -> Result<ScheduleName, BadName> {
        ScheduleName::new(text)
    }
}

impl Kind for NotificationChannelSpec {
    type Name = ChannelName;
    const KIND: &'static str = "NotificationChannel";
    fn name(text: &str) -> Result<ChannelName, BadName> {
        ChannelName::new(text)
    }
}

impl Kind for DrillPolicySpec {
    type Name = PolicyName;
    const KIND: &'static str = "DrillPolicy";
    fn name(text: &str) -> Result<PolicyName, BadName> {
        PolicyName::new(text)
    }
}

impl Kind for AssuranceCalendarSpec {
    type Name = CalendarName;
    const KIND: &'static str = "AssuranceCalendar";
    fn name(text: &str) -> Result<CalendarName, BadName> {
        CalendarName::new(text)
    }
}

impl Kind for EvidenceAnchorSpec {
    type Name = AnchorName;
    const KIND: &'static str = "EvidenceAnchor";
    fn name(text: &str) -> Result<AnchorName, BadName> {
        AnchorName::new(text)
    }
}

/// Where a document was written.
#[derive(Debug, Clone, PartialEq)]
pub struct Origin {
    /// The file.
    pub source: Arc<Source>,
    /// The document with its places.
    pub node: Arc<Node>,
}

impl Origin {
    pub(super) fn place(&self, path: &Path, aim: Aim) -> Place {
        Place { source: Arc::clone(&self.source), span: self.node.locate(path, aim) }
    }
}

/// One document.
#[derive(Debug, Clone)]
pub struct Document<T: Kind> {
    /// Its name.
    pub name: T::Name,
    /// What it says. Nobody changes it, so who needs the document for longer shares it.
    pub spec: Arc<T>,
    /// Where it was written; `None` for an object of a cluster.
    pub origin: Option<Origin>,
}

impl<T: Kind> Document<T> {
    /// An object of a cluster, or one made by a program.
    pub fn placeless(name: T::Name, spec: T) -> Self {
        Self { name, spec: Arc::new(spec), origin: None }
    }
    /// `Runbook/region-failover`.
    pub fn title(&self) -> String {
        format!("{}/{}", T::KIND, self.name)
    }
    /// A finding about a value of this document.
    pub(super) fn finding(
        &self,
        code: Code,
        path: &Path,
        message: impl Into<String>,
        help: impl Into<String>,
    ) -> Finding {
        self.aimed(code, path, Aim::Value, message.into(), help.into())
    }
    pub(super) fn aimed(&self, code: Code, path: &Path, aim: Aim, message: String, help: String) -> Finding {
        Finding {
            code,
            document: self.title(),
            path: path.to_string(),
            message,
            help,
            place: self.origin.as_ref().map(|origin| origin.place(path, aim)),
        }
    }
}

/// Everything that was loaded.
#[derive(Debug, Clone, Default)]
pub struct Documents {
    /// In order of loading.
    pub regions: Vec<Document<RegionSpec>>,
    /// In order of loading.
    pub groups: Vec<Document<ProtectionGroupSpec>>,
    /// In order of loading.
    pub runbooks: Vec<Document<RunbookSpec>>,
    /// In order of loading.
    pub schedules: Vec<Document<DrillScheduleSpec>>,
    /// In order of loading.
    pub channels: Vec<Document<NotificationChannelSpec>>,
    /// In order of loading.
    pub policies: Vec<Document<DrillPolicySpec>>,
    /// Calendars of assurance.
    pub calendars: Vec<Document<AssuranceCalendarSpec>>,
    /// Where checkpoints of the ledger go.
    pub anchors: Vec<Document<EvidenceAnchorSpec>>,
    /// Kind and name of documents that exist and could not be read: a reference to one is no finding of its own.
    pub broken: BTreeSet<(&'static str, String)>,
}

impl Documents {
    /// The region of that name.
    pub fn region(&self, name: &RegionName) -> Option<&Document<RegionSpec>> {
        self.regions.iter().find(|region| region.name == *name)
    }
    /// The group of that name.
    pub fn group(&self, name: &GroupName) -> Option<&Document<ProtectionGroupSpec>> {
        self.groups.iter().find(|group| group.name == *name)
    }
    /// The runbook of that name.
    pub fn runbook(&self, name: &RunbookName) -> Option<&Document<RunbookSpec>> {
        self.runbooks.iter().find(|runbook| runbook.name == *name)
    }
    /// There is such a document, and it could not be read.
    pub(super) fn is_broken<T: Kind>(&self, name: &T::Name) -> bool {
        !self.broken.is_empty() && self.broken.contains(&(T::KIND, name.to_string()))
    }
    /// Every region by name, the first of equals.
    pub(super) fn regions_by_name(&self) -> BTreeMap<&RegionName, &Document<RegionSpec>> {
        self.regions.iter().rev().map(|region| (&region.name, region)).collect()
    }
}
