//! Drills that happen on their own: how far they go, when, and what makes one of them the same one.

use std::fmt;

use jiff::{SignedDuration, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Blackout, GroupName, ScheduleName, Timetable, blackout};

/// How far a drill goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize, JsonSchema)]
pub enum DrillMode {
    /// Everything is observed, nothing is changed.
    #[default]
    Rehearse,
    /// Everything is done, on stand-ins: clones and test targets that are made for it and taken down again.
    Isolated,
    /// The group really moves, and comes back.
    Live,
}

impl DrillMode {
    /// As shown.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Rehearse => "Rehearse",
            Self::Isolated => "Isolated",
            Self::Live => "Live",
        }
    }
}

impl DrillMode {
    /// What a run of this mode is called.
    pub fn noun(self) -> &'static str {
        match self {
            Self::Rehearse => "rehearsal",
            Self::Isolated => "isolated drill",
            Self::Live => "live drill",
        }
    }
}

impl fmt::Display for DrillMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// One instant of one schedule. It is what a scheduled drill is known by: there is one run of it at most, however many
/// processes look at the clock, however often they are started again, and whatever the clock does meanwhile.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Firing {
    /// The schedule.
    pub schedule: ScheduleName,
    /// When the drill was to start: not when it did.
    pub instant: Timestamp,
}

impl fmt::Display for Firing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {}", self.instant, self.schedule)
    }
}

/// How many ended drills a list shows. Journals and records are kept whatever it says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HistoryLimit {
    /// That passed.
    pub passed: usize,
    /// That did not.
    pub failed: usize,
}

/// A schedule of drills.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule {
    /// Its name.
    pub name: ScheduleName,
    /// The group that is drilled.
    pub group: GroupName,
    /// How far a drill goes.
    pub mode: DrillMode,
    /// When.
    pub timetable: Timetable,
    /// How late a drill may start. An instant that is older is passed over.
    pub deadline: SignedDuration,
    /// Nothing starts.
    pub suspended: bool,
    /// When nothing starts either.
    pub blackouts: Vec<Blackout>,
    /// Of the list.
    pub history: HistoryLimit,
    /// Why there are these drills; kept as evidence.
    pub reason: String,
}

impl Schedule {
    /// The blackout that `at` lies in.
    pub fn blackout(&self, at: Timestamp) -> Option<&Blackout> {
        blackout::within(&self.timetable.zone, &self.blackouts, at)
    }

    /// When the blackouts that `at` lies in are over; `None`: it lies in none, or they have no end worth naming.
    pub fn blackout_ends(&self, at: Timestamp) -> Option<Timestamp> {
        blackout::ends(&self.timetable.zone, &self.blackouts, at)
    }
}
