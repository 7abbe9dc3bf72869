//! Objectives: what the group promised, and the phases that recovery time is split into.

use serde::{Deserialize, Serialize};

/// What a group promises. All in whole seconds, as declared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Objectives {
    /// Recovery-time objective: from onset to health restored, in seconds.
    pub recovery_time_seconds: u64,
    /// Recovery-point objective: the age of the newest write that may be missing, in seconds.
    pub recovery_point_seconds: u64,
    /// How old the last passed drill may be, in seconds.
    pub drill_max_age_seconds: u64,
}

/// Where the seconds of a recovery went. In this order on every timeline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Phase {
    /// From the first failed probe to the moment somebody, or something, knew.
    Detect,
    /// From knowing to the first step's intent.
    Decide,
    /// Making sure that the old primary accepts nothing.
    Fence,
    /// Making the destination's copies the real ones.
    Promote,
    /// Sending the traffic there.
    Route,
    /// Seeing that it serves.
    Verify,
}

impl Phase {
    /// All phases in order.
    pub const ALL: [Self; 6] = [Self::Detect, Self::Decide, Self::Fence, Self::Promote, Self::Route, Self::Verify];

    /// The word used on timelines.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Detect => "detect",
            Self::Decide => "decide",
            Self::Fence => "fence",
            Self::Promote => "promote",
            Self::Route => "route",
            Self::Verify => "verify",
        }
    }
}
