//! `kind: AssuranceCalendar`.

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What others examine, and how often: assessments, audits, penetration tests, vulnerability scans. Lifeboat examines nothing of it; it says
/// what is due, and records what took place.
#[derive(CustomResource, Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "lifeboat.dev",
    version = "v1alpha1",
    kind = "AssuranceCalendar",
    plural = "assurancecalendars",
    shortname = "ac",
    category = "lifeboat",
    namespaced
)]
#[kube(derive = "PartialEq")]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AssuranceCalendarSpec {
    /// The items.
    pub items: Vec<AssuranceItemSpec>,
}

/// Something that takes place again and again. At most one of `everyDays` and `everyMonths`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AssuranceItemSpec {
    /// Its name, once in all calendars: small letters, digits and hyphens.
    #[schemars(length(min = 1, max = 63), regex(pattern = "^[a-z]([a-z0-9-]*[a-z0-9])?$"))]
    pub name: String,
    /// What it is.
    pub kind: AssuranceKind,
    /// Every so many days, 1 to 3660.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 3660))]
    pub every_days: Option<u16>,
    /// Every so many months, 1 to 120, on the same day of the month or on its last. Without either: an assessment and an audit every 12, a penetration
    /// test every 6 ("bi-annual" means twice a year to some and every two years, 24, to others: say which), a scan every month.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 120))]
    pub every_months: Option<u16>,
    /// So many days before it is due, it is due soon; default 30, for a scan 7.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 3660))]
    pub warn_days: Option<u16>,
    /// Who answers for it.
    pub owner: String,
}

/// What takes place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum AssuranceKind {
    /// An assessment by a third party.
    Assessment,
    /// An audit by an accredited body, such as of ISO/IEC 27001, 27017 and 27018.
    Audit,
    /// A penetration test.
    PenetrationTest,
    /// A scan for vulnerabilities.
    VulnerabilityScan,
}

impl AssuranceKind {
    /// As written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Assessment => "Assessment",
            Self::Audit => "Audit",
            Self::PenetrationTest => "PenetrationTest",
            Self::VulnerabilityScan => "VulnerabilityScan",
        }
    }

    /// Months between two, where an item says nothing.
    pub fn usual_months(self) -> u16 {
        match self {
            Self::Assessment | Self::Audit => 12,
            Self::PenetrationTest => 6,
            Self::VulnerabilityScan => 1,
        }
    }

    /// Days of warning, where an item says nothing.
    pub fn usual_warning(self) -> u16 {
        match self {
            Self::Assessment | Self::Audit | Self::PenetrationTest => 30,
            Self::VulnerabilityScan => 7,
        }
    }
}
