//! Which way a run goes: where the group serves now, and where it should go. Pure; the world comes in as what was seen.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    model::{Facts, Group, Outcome, Plan, PlanStep, RegionName, Role, RunKind, TargetName, Verb},
    port::RunSummary,
};

/// What the members of each target said.
pub type Survey = BTreeMap<TargetName, Facts>;

/// Where from and where to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// The region that serves now.
    pub source: RegionName,
    /// The region that should.
    pub destination: RegionName,
}

impl Route {
    fn joins(&self, region: &RegionName) -> bool {
        *region == self.source || *region == self.destination
    }
}

/// Why there is no way.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoRoute {
    /// A region that the group lacks, or a witness.
    #[error("{region} is no region that can serve group {group}; it has {}", list(.serving))]
    NotServing {
        /// The group.
        group: String,
        /// What was asked for.
        region: RegionName,
        /// What could have been.
        serving: Vec<RegionName>,
    },
    /// More than one place to go.
    #[error("group {group} can go to {}; say which with --to", list(.choices))]
    Ambiguous {
        /// The group.
        group: String,
        /// The places.
        choices: Vec<RegionName>,
    },
    /// The destination serves already.
    #[error("{region} serves group {group} already")]
    AlreadyThere {
        /// The group.
        group: String,
        /// The region.
        region: RegionName,
    },
    /// The group has one serving region or no preferred one.
    #[error("group {group} has nowhere to go: {why}")]
    Nowhere {
        /// The group.
        group: String,
        /// Why.
        why: String,
    },
}

fn list(regions: &[RegionName]) -> String {
    regions.iter().map(RegionName::as_str).collect::<Vec<_>>().join(" or ")
}

/// The region that serves now: where the last run that moved the group ended, or the preferred region when none did.
///
/// `runs` is newest first. A run that failed, was cancelled or unwound moved nothing for good; one that is open leaves the
/// question to the person who goes on with it.
pub(super) fn serves<'a>(group: &'a Group, runs: &'a [RunSummary]) -> Option<&'a RegionName> {
    let moved = runs.iter().filter(|run| !run.rehearsal).find(|run| match run.closed {
        Some((_, Outcome::Succeeded | Outcome::CompletedWithExceptions)) => true,
        Some((_, Outcome::Failed | Outcome::Cancelled | Outcome::Unwound)) | None => false,
    });
    moved
        .map(|run| &run.destination)
        .filter(|region| group.serving().any(|other| other == *region))
        .or(group.preferred())
}

/// Chooses the way. `from` and `to` are what was typed.
pub(super) fn choose(
    kind: RunKind,
    group: &Group,
    runs: &[RunSummary],
    from: Option<&RegionName>,
    to: Option<&RegionName>,
) -> Result<Route, NoRoute> {
    let name = group.name.to_string();
    for region in [from, to].into_iter().flatten() {
        if !group.serving().any(|serving| serving == region) {
            let serving = group.serving().cloned().collect();
            return Err(NoRoute::NotServing { group: name, region: region.clone(), serving });
        }
    }
    let nowhere = |why: &str| NoRoute::Nowhere { group: name.clone(), why: why.to_owned() };
    let source = from.or_else(|| serves(group, runs)).ok_or_else(|| nowhere("no region is preferred"))?;
    let destination = match (to, kind) {
        (Some(to), _) => to,
        (None, RunKind::Failback) => group.preferred().ok_or_else(|| nowhere("no region is preferred"))?,
        (None, RunKind::Failover | RunKind::Switchover) => {
            let mut others = group.serving().filter(|region| *region != source);
            match (others.next(), others.next()) {
                (Some(only), None) => only,
                (None, _) => return Err(nowhere("only one region can serve it")),
                (Some(_), Some(_)) => {
                    let choices = group.serving().filter(|region| *region != source).cloned().collect();
                    return Err(NoRoute::Ambiguous { group: name, choices });
                }
            }
        }
    };
    if source == destination {
        return Err(NoRoute::AlreadyThere { group: name, region: destination.clone() });
    }
    Ok(Route { source: source.clone(), destination: destination.clone() })
}

/// Something about the members' roles that forbids a run.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Misplaced {
    /// Promise S6.
    #[error("ALARM: {target} accepts writes in more than one region: {}", .regions.iter().map(RegionName::as_str).collect::<Vec<_>>().join(" and "))]
    TwoPrimaries {
        /// The target.
        target: TargetName,
        /// Where.
        regions: Vec<RegionName>,
    },
    /// Every member follows another one, so nobody takes writes and nobody has the last word (S6).
    #[error("ALARM: {target} has no primary: every member is a standby")]
    NoPrimary {
        /// The target.
        target: TargetName,
    },
    /// The group serves elsewhere than the history says.
    #[error("{target} has its primary in {seen}, and the group should serve from {source_region}")]
    Elsewhere {
        /// The target.
        target: TargetName,
        /// Where it was seen.
        seen: RegionName,
        /// Where the run expects it.
        source_region: RegionName,
    },
}

/// Targets whose copy in the destination the run first of all makes a fenced copy of the source's, setting aside what it
/// held: a bucket that came back after a failover, which nobody could tell that it stands by now. A database is not
/// among them: what a second primary took is in no copy, and a person has to look at it first.
pub(super) fn rejoins(plan: &Plan) -> BTreeSet<TargetName> {
    let rejoins = |step: &&PlanStep| {
        step.verb == Verb::StorageReverse
            && step.needs.is_empty()
            && step.when.is_none()
            && step.with.get("member").and_then(serde_json::Value::as_str) == Some("destination")
    };
    plan.steps.iter().filter(rejoins).filter_map(|step| step.target.clone()).collect()
}

/// Targets of which every member answers that it is a standby. A planned run cannot say then what the last write was; a
/// failover may be just what ends this.
pub(super) fn leaderless(survey: &Survey) -> Vec<Misplaced> {
    let standby = |facts: &Facts| !facts.sides.is_empty() && facts.sides.iter().all(|side| side.role == Role::Standby);
    let found = survey.iter().filter(|(_, facts)| standby(facts));
    found.map(|(target, _)| Misplaced::NoPrimary { target: target.clone() }).collect()
}

/// Compares what was seen with the way that was chosen. Members that say nothing object to nothing.
pub(super) fn misplaced(route: &Route, survey: &Survey, rejoins: &BTreeSet<TargetName>) -> Vec<Misplaced> {
    let mut found = Vec::new();
    for (target, facts) in survey {
        let regions: Vec<RegionName> =
            facts.sides.iter().filter(|side| side.role == Role::Primary).map(|side| side.region.clone()).collect();
        match regions.as_slice() {
            [] => {}
            [seen] if *seen == route.source => {}
            [seen] => found.push(Misplaced::Elsewhere {
                target: target.clone(),
                seen: seen.clone(),
                source_region: route.source.clone(),
            }),
            [one, two] if rejoins.contains(target) && [one, two].into_iter().all(|region| route.joins(region)) => {}
            [_, _, ..] => found.push(Misplaced::TwoPrimaries { target: target.clone(), regions }),
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::model::Side;

    fn region(name: &str) -> RegionName {
        RegionName::new(name).unwrap()
    }

    fn group(regions: &[(&str, &str)]) -> Group {
        let regions: Vec<_> = regions.iter().map(|(name, role)| json!([name, role])).collect();
        serde_json::from_value(json!({
            "name": "orders", "regions": regions, "targets": [], "runbooks": {},
            "objectives": {"recovery_time_seconds": 1, "recovery_point_seconds": 1, "drill_max_age_seconds": 1},
            "detection": {"period_ms": 1, "failure_threshold": 1, "observer_quorum": 1},
            "automation": "Manual", "fencing": "Required", "cooldown_seconds": 1, "approvals_required": 1,
        }))
        .unwrap()
    }

    fn pair() -> Group {
        group(&[("fra", "Preferred"), ("dub", "Standby"), ("ams", "Witness")])
    }

    fn run(number: u64, to: &str, outcome: Option<Outcome>, rehearsal: bool) -> RunSummary {
        let from = if to == "dub" { "fra" } else { "dub" };
        RunSummary {
            run: format!("orders-{number}").parse().unwrap(),
            kind: RunKind::Failover,
            rehearsal,
            source: region(from),
            destination: region(to),
            opened_at: jiff::Timestamp::UNIX_EPOCH,
            closed: outcome.map(|outcome| (jiff::Timestamp::UNIX_EPOCH, outcome)),
            drill: None,
            scheduled: None,
        }
    }

    #[test]
    fn the_last_run_that_moved_the_group_says_who_serves() {
        use Outcome::{Cancelled, CompletedWithExceptions, Failed, Succeeded, Unwound};
        for (runs, expected) in [
            (vec![], "fra"),
            (vec![run(1, "dub", Some(Succeeded), false)], "dub"),
            (vec![run(1, "dub", Some(CompletedWithExceptions), false)], "dub"),
            (vec![run(1, "dub", Some(Succeeded), true)], "fra"),
            (vec![run(1, "dub", Some(Failed), false)], "fra"),
            (vec![run(1, "dub", Some(Cancelled), false)], "fra"),
            (vec![run(1, "dub", Some(Unwound), false)], "fra"),
            (vec![run(1, "dub", None, false)], "fra"),
            (vec![run(2, "fra", Some(Succeeded), false), run(1, "dub", Some(Succeeded), false)], "fra"),
            (vec![run(2, "fra", Some(Cancelled), false), run(1, "dub", Some(Succeeded), false)], "dub"),
            (vec![run(1, "gone", Some(Succeeded), false)], "fra"),
        ] {
            assert_eq!(serves(&pair(), &runs), Some(&region(expected)), "{runs:?}");
        }
    }

    #[test]
    fn a_pair_goes_to_the_other_side_and_a_witness_never_serves() {
        let route = choose(RunKind::Failover, &pair(), &[], None, None).unwrap();
        assert_eq!(route, Route { source: region("fra"), destination: region("dub") });
        let to_witness = choose(RunKind::Failover, &pair(), &[], None, Some(&region("ams")));
        assert!(matches!(to_witness, Err(NoRoute::NotServing { .. })));
    }

    #[test]
    fn failback_goes_to_the_preferred_region_and_nowhere_when_it_is_there() {
        let away = [run(1, "dub", Some(Outcome::Succeeded), false)];
        let route = choose(RunKind::Failback, &pair(), &away, None, None).unwrap();
        assert_eq!(route, Route { source: region("dub"), destination: region("fra") });
        assert!(matches!(choose(RunKind::Failback, &pair(), &[], None, None), Err(NoRoute::AlreadyThere { .. })));
    }

    #[test]
    fn three_regions_need_a_word_and_one_has_nowhere_to_go() {
        let three = group(&[("fra", "Preferred"), ("dub", "Standby"), ("sto", "Standby")]);
        assert!(matches!(choose(RunKind::Failover, &three, &[], None, None), Err(NoRoute::Ambiguous { .. })));
        assert!(choose(RunKind::Failover, &three, &[], None, Some(&region("sto"))).is_ok());
        let one = group(&[("fra", "Preferred")]);
        assert!(matches!(choose(RunKind::Failover, &one, &[], None, None), Err(NoRoute::Nowhere { .. })));
    }

    #[test]
    fn two_primaries_are_an_alarm_and_one_elsewhere_is_an_error() {
        let route = Route { source: region("fra"), destination: region("dub") };
        let seen = |roles: &[(&str, Role)]| {
            let sides = roles
                .iter()
                .map(|(name, role)| Side { region: region(name), role: role.clone(), position: None })
                .collect();
            Survey::from([(TargetName::new("db").unwrap(), Facts { sides, ..Facts::default() })])
        };
        let unknown = || Role::Unknown("no answer".into());
        let none = BTreeSet::new();
        assert_eq!(misplaced(&route, &seen(&[("fra", Role::Primary), ("dub", Role::Standby)]), &none), []);
        assert_eq!(misplaced(&route, &seen(&[("fra", unknown()), ("dub", Role::Standby)]), &none), []);
        assert_eq!(misplaced(&route, &seen(&[]), &none), []);
        let elsewhere = misplaced(&route, &seen(&[("fra", unknown()), ("dub", Role::Primary)]), &none);
        assert!(matches!(elsewhere.as_slice(), [Misplaced::Elsewhere { seen, .. }] if *seen == region("dub")));
        let both = misplaced(&route, &seen(&[("fra", Role::Primary), ("dub", Role::Primary)]), &none);
        assert!(matches!(both.as_slice(), [Misplaced::TwoPrimaries { regions, .. }] if regions.len() == 2));
        let rejoins = BTreeSet::from([TargetName::new("db").unwrap()]);
        assert_eq!(misplaced(&route, &seen(&[("fra", Role::Primary), ("dub", Role::Primary)]), &rejoins), []);
        let leaderless = |roles: &[(&str, Role)]| super::leaderless(&seen(roles)).len();
        assert_eq!(leaderless(&[("fra", Role::Standby), ("dub", Role::Standby)]), 1);
        assert_eq!(
            leaderless(&[("fra", Role::ReadOnly), ("dub", Role::Standby)]),
            0,
            "a fenced primary has the last word"
        );
        assert_eq!(leaderless(&[("fra", unknown()), ("dub", Role::Standby)]), 0, "nobody can tell");
        assert_eq!(leaderless(&[]), 0);
        let third = misplaced(&route, &seen(&[("fra", Role::Primary), ("sto", Role::Primary)]), &rejoins);
        assert_eq!(third.len(), 1, "the run does not touch sto");
    }
}
