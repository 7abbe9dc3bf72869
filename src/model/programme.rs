//! The programme of drills: what must be drilled how often, and what makes a drill count.

use std::{collections::BTreeSet, fmt};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{DrillMode, GroupName, PolicyName, RegionName, RequirementName, RunKind};

/// What a requirement asks for. One kind never stands for another: a live drill carries out the switchover, a rehearsal looks at
/// the failover.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Exercise {
    /// A live drill: the group really moved. Each of its two runs counts for its own direction.
    Live,
    /// An isolated drill: everything was done, on stand-ins.
    Isolated,
    /// A rehearsal: everything was observed and nothing changed.
    Rehearse,
    /// A failover that really moved the group.
    Failover,
    /// A switchover that really moved the group, in a live drill or by a person.
    Switchover,
    /// A failback that really moved the group, in a live drill or by a person.
    Failback,
}

impl Exercise {
    /// As written in documents.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Live => "Live",
            Self::Isolated => "Isolated",
            Self::Rehearse => "Rehearse",
            Self::Failover => "Failover",
            Self::Switchover => "Switchover",
            Self::Failback => "Failback",
        }
    }

    /// As a requirement without a name of its own is called.
    pub fn lower(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Isolated => "isolated",
            Self::Rehearse => "rehearse",
            Self::Failover => "failover",
            Self::Switchover => "switchover",
            Self::Failback => "failback",
        }
    }

    /// Whether a run of this kind, as a drill of this mode or as a real event, is one. Real events are asked for by `real`.
    pub fn is(self, kind: RunKind, drill: Option<DrillMode>, real: bool) -> bool {
        let moved = match drill {
            Some(DrillMode::Live) => true,
            None => real,
            Some(DrillMode::Rehearse | DrillMode::Isolated) => false,
        };
        match self {
            Self::Live => moved,
            Self::Isolated => drill == Some(DrillMode::Isolated),
            Self::Rehearse => drill == Some(DrillMode::Rehearse),
            Self::Failover => moved && kind == RunKind::Failover,
            Self::Switchover => moved && kind == RunKind::Switchover,
            Self::Failback => moved && kind == RunKind::Failback,
        }
    }
}

impl fmt::Display for Exercise {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Which ways a requirement asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub enum Directions {
    /// Any way counts.
    #[default]
    Any,
    /// Away from the preferred region and back to it, each in time.
    Both,
}

/// The way of a run, as seen from the preferred region of its group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// Away from the preferred region.
    Away,
    /// To the preferred region.
    Home,
    /// Between two others.
    Between,
}

impl Direction {
    /// Of a run from `source` to `destination`.
    pub fn of(source: &RegionName, destination: &RegionName, preferred: Option<&RegionName>) -> Self {
        if preferred == Some(source) {
            Self::Away
        } else if preferred == Some(destination) {
            Self::Home
        } else {
            Self::Between
        }
    }

    /// As shown.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Away => "away",
            Self::Home => "home",
            Self::Between => "between",
        }
    }
}

/// What makes a drill stale before its time: what it showed is no longer what there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Change {
    /// The steps of the runbook, without how long they are expected to take.
    RunbookChange,
    /// The group's regions and targets, and the regions' own settings.
    TopologyChange,
    /// The objectives for recovery time and recovery point.
    ObjectiveChange,
    /// The program's major version; below 1.0 the minor one, which may break as much (semver.org, item 4).
    EngineMajor,
}

impl Change {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::RunbookChange, Self::TopologyChange, Self::ObjectiveChange, Self::EngineMajor];
}

/// A verdict with which a drill may count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Acceptable {
    /// Without any finding.
    Passed,
    /// It did what it should, and something deviated.
    PassedWithFindings,
}

/// Which drills count by what the comparison of controls found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub enum ParityAsked {
    /// Whatever it found; what protects data fails the drill itself all the same.
    Any,
    /// No control differs. One that was not checked does not count against it.
    #[default]
    NoFail,
    /// Every control there is was compared and checked, and none differs: one of which nothing is told or declared is not checked.
    AllChecked,
}

/// What makes a drill count.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Validity {
    /// Verdicts that count.
    pub verdicts: BTreeSet<Acceptable>,
    /// Of a run that moved the group: its recovery time was measured and met.
    pub recovery_time_met: bool,
    /// Of a run that moved the group: its loss was measured and met.
    pub recovery_point_met: bool,
    /// What the comparison of controls found.
    pub parity: ParityAsked,
    /// Somebody signed its record off at most so many calendar days after its end; `None`: nobody has to.
    pub signed_off_within_days: Option<u32>,
}

/// One requirement on one group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Requirement {
    /// The policy that asks for it.
    pub policy: PolicyName,
    /// Its name in that policy.
    pub name: RequirementName,
    /// What it asks for.
    pub kind: Exercise,
    /// At least every so many calendar days, at least 1.
    pub every_days: u32,
    /// It is due soon so many days before.
    pub warn_days: u32,
    /// Which ways.
    pub directions: Directions,
    /// What makes it stale.
    pub stale_on: BTreeSet<Change>,
    /// What makes a drill count.
    pub valid: Validity,
    /// After a failure, a new try within so many calendar days.
    pub retest_within_days: u32,
    /// Real events count like drills.
    pub counts_real_events: bool,
}

impl Requirement {
    /// `tier1/live`: what a waiver names.
    pub fn title(&self) -> String {
        format!("{}/{}", self.policy, self.name)
    }
}

/// How much a group matters: 1 matters most. A group that says nothing counts as 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Tier(pub u8);

impl Tier {
    /// What a score weighs the group with: 4, 2, 1, and 1 for all below.
    pub fn weight(self) -> u32 {
        match self.0 {
            0 | 1 => 4,
            2 => 2,
            3.. => 1,
        }
    }
}

/// What is asked of a group.
///
/// The ledger holds it as JSON, for ever: fields are only added, and a new one has a default that means what its absence meant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Asked {
    /// The group.
    pub group: GroupName,
    /// How much it matters.
    pub tier: Tier,
    /// The requirements; none: no policy protects it.
    pub requirements: Vec<Requirement>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_drill_counts_for_its_own_kind_and_a_real_event_only_where_it_may() {
        use Exercise::{Failback, Failover, Isolated, Live, Rehearse, Switchover};
        let all = [Live, Isolated, Rehearse, Failover, Switchover, Failback];
        let counts = |kind, drill, real| all.into_iter().filter(|one| one.is(kind, drill, real)).collect::<Vec<_>>();
        assert_eq!(counts(RunKind::Failover, Some(DrillMode::Rehearse), true), [Rehearse]);
        assert_eq!(counts(RunKind::Failover, Some(DrillMode::Isolated), true), [Isolated]);
        assert_eq!(counts(RunKind::Switchover, Some(DrillMode::Live), false), [Live, Switchover]);
        assert_eq!(counts(RunKind::Failback, Some(DrillMode::Live), false), [Live, Failback]);
        assert_eq!(counts(RunKind::Failover, None, true), [Live, Failover]);
        assert_eq!(counts(RunKind::Failover, None, false), []);
    }

    #[test]
    fn the_way_of_a_run_is_told_from_the_preferred_region() {
        let [fra, dub, ams]: [RegionName; 3] = ["fra", "dub", "ams"].map(|name| name.parse().unwrap());
        assert_eq!(Direction::of(&fra, &dub, Some(&fra)), Direction::Away);
        assert_eq!(Direction::of(&dub, &fra, Some(&fra)), Direction::Home);
        assert_eq!(Direction::of(&dub, &ams, Some(&fra)), Direction::Between);
        assert_eq!(Direction::of(&dub, &fra, None), Direction::Between);
    }
}
