//! The readiness score: how much of what is asked for is so, in parts, with what lost points. The formula is this program's own; no
//! standard defines one. Points are rounded down, and what is not known counts as lost.

use serde::Serialize;

use super::{Standing, Status};
use crate::model::{GroupName, RunId, Tier};

/// Points of each part.
const COVERAGE: u32 = 40;
const OBJECTIVES: u32 = 20;
const READINESS: u32 = 20;
const PARITY: u32 = 10;
const ACTIONS: u32 = 10;
/// The runs of a group whose objectives are looked at, the newest ones that moved it.
const RUNS: usize = 3;
/// What an overdue action that is not grave costs.
const EACH_ACTION: u32 = 2;
/// More is not given while a group of tier 1 is not drilled.
const CAP: u32 = 49;

/// Whether a failover would work now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Preparedness {
    /// Somebody looked.
    Seen {
        /// What would keep it from its end.
        blocks: Vec<String>,
        /// What would make it slower, lossier or less sure.
        worries: usize,
    },
    /// Nobody can tell.
    Unknown(String),
}

/// What a drill's comparison of controls found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Compared {
    /// Checks that passed.
    pub passed: u32,
    /// What nobody could tell, and controls of which nothing was told at all.
    pub unchecked: u32,
    /// What differs.
    pub failed: Vec<String>,
}

/// What the score rests on, for one group.
#[derive(Debug, Clone)]
pub struct GroupFacts<'a> {
    /// Which.
    pub group: &'a GroupName,
    /// How much it matters.
    pub tier: Tier,
    /// Its requirements; none: no policy protects it.
    pub standings: &'a [Standing],
    /// The runs that moved it, the newest first, and whether each met both objectives by measurement.
    pub moved: Vec<(RunId, bool)>,
    /// The newest drill that compared the controls of both regions, and what it found.
    pub compared: Option<(RunId, Compared)>,
    /// Whether a failover would work now.
    pub ready: Preparedness,
}

/// An action whose day is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Overdue {
    /// Its number.
    pub action: u64,
    /// It is of high severity.
    pub grave: bool,
    /// In words.
    pub what: String,
}

/// A part of the score.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Part {
    /// What it looks at.
    pub name: &'static str,
    /// Points.
    pub points: u32,
    /// Out of.
    pub of: u32,
    /// What lost points.
    pub lost: Vec<String>,
}

/// The score.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Score {
    /// Out of 100, after the cap.
    pub points: u32,
    /// Nothing of tier 1 is missing.
    pub ready: bool,
    /// Why there are not more points, whatever the parts say.
    pub capped: Vec<String>,
    /// The parts.
    pub parts: Vec<Part>,
    /// Whose formula it is.
    pub formula: &'static str,
}

/// Whose formula it is, in words.
const FORMULA: &str =
    "The formula is Lifeboat's own; no standard defines one. Points are rounded down, and what is not known is lost.";

/// The score; `None`: there is no group.
pub fn score(groups: &[GroupFacts<'_>], overdue: &[Overdue]) -> Option<Score> {
    if groups.is_empty() {
        return None;
    }
    let parts = vec![coverage(groups), objectives(groups), readiness(groups), parity(groups), actions(overdue)];
    let capped: Vec<String> = groups.iter().filter(|group| group.tier <= Tier(1)).flat_map(missing).collect();
    let sum: u32 = parts.iter().map(|part| part.points).sum();
    let points = if capped.is_empty() { sum } else { sum.min(CAP) };
    Some(Score { points, ready: capped.is_empty(), capped, parts, formula: FORMULA })
}

fn share(points: u32, of: u32, all: u32) -> u32 {
    // Weights are small: this is far from overflowing.
    (points * of).checked_div(all).unwrap_or(0)
}

/// What a group of tier 1 may not lack.
fn missing(group: &GroupFacts<'_>) -> Vec<String> {
    if group.standings.is_empty() {
        return vec![format!("{} is UNPROTECTED", group.group)];
    }
    let short = |one: &&Standing| matches!(one.status, Status::Overdue | Status::Failed | Status::Never);
    let said = |one: &Standing| format!("{} {} is {}", group.group, one.requirement, one.status.as_str());
    group.standings.iter().filter(short).map(said).collect()
}

fn coverage(groups: &[GroupFacts<'_>]) -> Part {
    let (mut kept, mut all, mut lost) = (0, 0, Vec::new());
    for group in groups {
        let weight = group.tier.weight();
        if group.standings.is_empty() {
            all += weight;
            lost.push(format!("{}: no policy asks anything of it (UNPROTECTED)", group.group));
        }
        for one in group.standings {
            all += weight;
            if one.status.is_kept() {
                kept += weight;
            } else {
                lost.push(format!("{} {}: {}", group.group, one.requirement, one.status.as_str()));
            }
        }
    }
    Part { name: "coverage", points: share(kept, COVERAGE, all), of: COVERAGE, lost }
}

fn objectives(groups: &[GroupFacts<'_>]) -> Part {
    let (mut met, mut all, mut lost) = (0, 0, Vec::new());
    for group in groups {
        let newest = &group.moved[..group.moved.len().min(RUNS)];
        if newest.is_empty() {
            all += 1;
            lost.push(format!("{}: no run moved it, so nothing was measured", group.group));
        }
        for (run, so) in newest {
            all += 1;
            if *so {
                met += 1;
            } else {
                lost.push(format!("{run} did not meet both objectives by measurement"));
            }
        }
    }
    Part { name: "objectives", points: share(met, OBJECTIVES, all), of: OBJECTIVES, lost }
}

/// A group that is ready is worth two, one with worries one.
fn readiness(groups: &[GroupFacts<'_>]) -> Part {
    let (mut ready, mut all, mut lost) = (0, 0, Vec::new());
    for group in groups {
        all += 2;
        match &group.ready {
            Preparedness::Seen { blocks, worries: 0 } if blocks.is_empty() => ready += 2,
            Preparedness::Seen { blocks, worries } if blocks.is_empty() => {
                ready += 1;
                lost.push(format!("{}: {worries} worries; lifeboat readiness {}", group.group, group.group));
            }
            Preparedness::Seen { blocks, .. } => lost.push(format!("{}: {}", group.group, blocks.join("; "))),
            Preparedness::Unknown(why) => lost.push(format!("{}: not known: {why}", group.group)),
        }
    }
    Part { name: "live readiness", points: share(ready, READINESS, all), of: READINESS, lost }
}

/// By the newest drill of each group that compared. What is not checked is lost, as what differs is.
fn parity(groups: &[GroupFacts<'_>]) -> Part {
    // In thousandths of a group's weight: a group with many checks counts as much as one with few.
    const WHOLE: u32 = 1_000;
    let (mut held, mut all, mut lost) = (0, 0, Vec::new());
    for group in groups {
        let weight = group.tier.weight();
        all += weight * WHOLE;
        let Some((run, compared)) = &group.compared else {
            lost.push(format!("{}: not checked: no drill compared the controls of its regions", group.group));
            continue;
        };
        let failed = u32::try_from(compared.failed.len()).unwrap_or(u32::MAX);
        held += weight * share(compared.passed, WHOLE, compared.passed + compared.unchecked + failed);
        lost.extend(compared.failed.iter().map(|what| format!("{run}: {what}")));
        if compared.unchecked > 0 {
            lost.push(format!(
                "{run}: {} controls were not checked; lifeboat evidence report {run}",
                compared.unchecked
            ));
        }
    }
    Part { name: "control parity", points: share(held, PARITY, all), of: PARITY, lost }
}

fn actions(overdue: &[Overdue]) -> Part {
    let count = u32::try_from(overdue.len()).unwrap_or(u32::MAX);
    let points = if overdue.iter().any(|action| action.grave) {
        0
    } else {
        ACTIONS.saturating_sub(count.saturating_mul(EACH_ACTION))
    };
    let lost = overdue.iter().map(|action| format!("action {}: {}", action.action, action.what)).collect();
    Part { name: "open actions", points, of: ACTIONS, lost }
}
