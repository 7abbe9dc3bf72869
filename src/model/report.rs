//! What observers report, and what was judged of it. Words of the store: additive, like those of the journal.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{GroupName, ProbeName, RegionName, TargetName};

/// How a probe stands after its thresholds, by one observer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ProbeState {
    /// Neither threshold was reached yet.
    #[default]
    Unknown,
    /// It answered often enough in a row.
    Up,
    /// It failed often enough in a row.
    Down,
}

/// What one observer saw of one probe.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ProbeSeen {
    /// The region.
    pub region: RegionName,
    /// The probe.
    pub probe: ProbeName,
    /// How it stands after its thresholds. Reports of older programs do not say.
    #[serde(default)]
    pub state: ProbeState,
    /// Only the region that serves answers it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub only_serving: bool,
    /// It answers, and worse than it should: slowly, or with a certificate that ends soon.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub degraded: Option<String>,
    /// Healthy probes in a row, 0 when the last one failed.
    pub rising: u32,
    /// Failed probes in a row, 0 when the last one was healthy.
    pub falling: u32,
    /// Start of the current streak of failures: the onset, as this observer saw it.
    pub failing_since: Option<Timestamp>,
    /// The last healthy probe.
    pub last_healthy: Option<Timestamp>,
    /// What the last probe said.
    pub detail: String,
}

/// The newest heartbeat marker that a target's primary acknowledged.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MarkerSeen {
    /// The target.
    pub target: TargetName,
    /// The region that acknowledged it.
    pub region: RegionName,
    /// The marker's own time.
    pub at: Timestamp,
    /// The primary's position after it, where it has one.
    pub position: Option<u64>,
}

/// What one process judged of a region.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct VerdictSeen {
    /// The region.
    pub region: RegionName,
    /// `up`, `degraded`, `down`, `unknown`.
    pub state: String,
    /// Why, a line each.
    pub reasons: Vec<String>,
}

/// What one process judged of a group: everything that `status` prints.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Judged {
    /// `nothing`, `hold`, `propose`, `start`.
    pub answer: String,
    /// Why, a line each.
    pub reasons: Vec<String>,
    /// The one command that approves a proposal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
    /// Of each region.
    pub verdicts: Vec<VerdictSeen>,
}

/// What one observer saw of one group.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ObserverReport {
    /// The observer.
    pub observer: String,
    /// The group.
    pub group: GroupName,
    /// When it was published.
    pub at: Timestamp,
    /// How long it is worth something, in milliseconds.
    pub valid_ms: u64,
    /// Why this observer's word counts for nothing now: it reaches none of its reference points, or its probes are late.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub abstains: Option<String>,
    /// Its probes.
    pub probes: Vec<ProbeSeen>,
    /// Its markers.
    pub markers: Vec<MarkerSeen>,
    /// What its process says of itself: that documents were refused, and why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remark: Option<String>,
    /// What the same process judges, where it judges.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub judged: Option<Judged>,
}
