//! How groups stand.

use jiff::Timestamp;
use prometheus_client::registry::{Registry, Unit};

use super::{
    Meter,
    family::{Fraction, Series},
    label::{Judged, OfCondition, OfGroup, OfRegion, OfTarget, OfVerdict},
};
use crate::model::{GroupName, Objectives, RegionName, TargetName, Term};

/// Something that is so, or is not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Condition {
    /// The documents hold no error.
    Valid,
    /// A failover would work now.
    Ready,
    /// A person stopped the group.
    Stopped,
    /// A failover is held back, or waits for a person.
    Held,
    /// A deploy freeze is on.
    Frozen,
}

impl Condition {
    /// The label's value.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Valid => "Valid",
            Self::Ready => "Ready",
            Self::Stopped => "Stopped",
            Self::Held => "Held",
            Self::Frozen => "Frozen",
        }
    }
}

/// How a group stands. What is `None` is not known, and has no series.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct GroupFigures {
    /// The regions of the group, with the one that serves marked.
    pub regions: Vec<(RegionName, bool)>,
    /// The term of its lease.
    pub term: Option<Term>,
    /// A process holds the lease on the run that is open; `None`: none is, or it waits for a person.
    pub lease_held: Option<bool>,
    /// What is promised.
    pub objectives: Option<Objectives>,
    /// When the last drill passed.
    pub drilled_at: Option<Timestamp>,
    /// A drill passed within the time that is promised.
    pub drill_met: Option<bool>,
    /// Conditions that are known.
    pub conditions: Vec<(Condition, bool)>,
    /// Its targets.
    pub targets: Vec<(TargetName, TargetFigures)>,
}

/// How a target stands.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct TargetFigures {
    /// Age of the newest write that the standby lacks, in seconds.
    pub lag_seconds: Option<f64>,
    /// Members that take writes.
    pub primaries: Option<u32>,
}

#[derive(Clone)]
pub(super) struct GroupSeries {
    active: Series<OfRegion, Fraction>,
    epoch: Series<OfGroup, Fraction>,
    lease: Series<OfGroup, Fraction>,
    condition: Series<OfCondition, Fraction>,
    lag: Series<OfTarget, Fraction>,
    primaries: Series<OfTarget, Fraction>,
    verdict: Series<OfVerdict, Fraction>,
    drilled: Series<OfGroup, Fraction>,
    drill_met: Series<OfGroup, Fraction>,
    recovery_time: Series<OfGroup, Fraction>,
    data_loss: Series<OfGroup, Fraction>,
    drill_age: Series<OfGroup, Fraction>,
}

impl GroupSeries {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let seconds = || Some(Unit::Seconds);
        Self {
            active: Series::register(registry, "group_active", "1: this region serves the group", None),
            epoch: Series::register(registry, "group_epoch", "Term of the lease on the group", None),
            lease: Series::register(
                registry,
                "lease_held",
                "1: a process drives the run that is open; no series while nobody has to",
                None,
            ),
            condition: Series::register(registry, "group_condition", "1: it is so; 0: it is not", None),
            lag: Series::register(
                registry,
                "replication_lag",
                "Age of the newest write that the standby lacks",
                seconds(),
            ),
            primaries: Series::register(registry, "primaries_observed", "Members of the target that take writes", None),
            verdict: Series::register(registry, "region_verdict", "1: this is the verdict on the region", None),
            drilled: Series::register(
                registry,
                "drill_last_success_timestamp",
                "When a drill of the group passed last, in seconds since 1970",
                seconds(),
            ),
            drill_met: Series::register(
                registry,
                "drill_objective_met",
                "1: a drill passed within the time that the group promised",
                None,
            ),
            recovery_time: Series::register(
                registry,
                "objective_recovery_time",
                "The promised recovery time",
                seconds(),
            ),
            data_loss: Series::register(
                registry,
                "objective_data_loss",
                "The promised age of the newest write that may be lost",
                seconds(),
            ),
            drill_age: Series::register(
                registry,
                "objective_drill_age",
                "The promised age of the last passed drill",
                seconds(),
            ),
        }
    }

    pub(super) fn forget(&self, group: &str) {
        self.active.forget(group);
        self.condition.forget(group);
        self.verdict.forget(group);
        for series in [&self.lag, &self.primaries] {
            series.forget(group);
        }
        for series in [
            &self.epoch,
            &self.lease,
            &self.drilled,
            &self.drill_met,
            &self.recovery_time,
            &self.data_loss,
            &self.drill_age,
        ] {
            series.forget(group);
        }
    }
}

impl Meter {
    /// Takes down how a group stands, in place of how it stood.
    pub fn group(&self, name: &GroupName, figures: &GroupFigures) {
        let series = &self.group;
        let group = name.to_string();
        let of = OfGroup { group: group.clone() };
        // A region or a target that the documents no longer name goes with the rest.
        series.active.forget(&group);
        series.condition.forget(&group);
        series.lag.forget(&group);
        series.primaries.forget(&group);
        for (region, active) in &figures.regions {
            let labels = OfRegion { group: group.clone(), region: region.to_string() };
            series.active.set(&labels, Some(one(*active)));
        }
        for (condition, holds) in &figures.conditions {
            let labels = OfCondition { group: group.clone(), r#type: condition.as_str().to_owned() };
            series.condition.set(&labels, Some(one(*holds)));
        }
        for (target, found) in &figures.targets {
            let labels = OfTarget { group: group.clone(), target: target.to_string() };
            series.lag.set(&labels, found.lag_seconds);
            series.primaries.set(&labels, found.primaries.map(f64::from));
        }
        series.epoch.set(&of, figures.term.map(|term| whole(term.0)));
        series.lease.set(&of, figures.lease_held.map(one));
        series.drilled.set(&of, figures.drilled_at.map(|at| at.as_duration().as_secs_f64()));
        series.drill_met.set(&of, figures.drill_met.map(one));
        self.run.begin(&group);
        let promised = figures.objectives;
        series.recovery_time.set(&of, promised.map(|promised| whole(promised.recovery_time_seconds)));
        series.data_loss.set(&of, promised.map(|promised| whole(promised.recovery_point_seconds)));
        series.drill_age.set(&of, promised.map(|promised| whole(promised.drill_max_age_seconds)));
    }

    /// Takes down the verdict on a region.
    pub fn verdict(&self, group: &GroupName, region: &RegionName, judged: Judged) {
        for each in Judged::ALL {
            let labels =
                OfVerdict { group: group.to_string(), region: region.to_string(), verdict: each.as_str().to_owned() };
            self.group.verdict.set(&labels, Some(one(each == judged)));
        }
    }
}

pub(super) fn one(so: bool) -> f64 {
    if so { 1.0 } else { 0.0 }
}

#[expect(clippy::cast_precision_loss, reason = "terms and objectives are far below 2^52")]
pub(super) fn whole(number: u64) -> f64 {
    number as f64
}
