//! How the programme of drills stands.

use prometheus_client::registry::{Registry, Unit};

use super::{
    Meter,
    family::{Fraction, Series},
    group::one,
    label::{OfAction, OfRequirement, OfTrial},
};
use crate::model::GroupName;

/// What became of the last run that a requirement asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LastTrial {
    /// It counts.
    Valid,
    /// It does not.
    Invalid,
    /// It waits for a sign-off.
    Pending,
}

impl LastTrial {
    const ALL: [Self; 3] = [Self::Valid, Self::Invalid, Self::Pending];

    fn as_str(self) -> &'static str {
        match self {
            Self::Valid => "valid",
            Self::Invalid => "invalid",
            Self::Pending => "pending",
        }
    }
}

/// One requirement.
#[derive(Debug, Clone, PartialEq)]
pub struct RequirementFigures {
    /// Its title.
    pub requirement: String,
    /// Seconds since the end of the last valid run; `None`: there is none.
    pub age_seconds: Option<f64>,
    /// It is NEVER, OVERDUE, FAILED or STALE.
    pub overdue: bool,
    /// What became of the last run; `None`: there is none.
    pub last: Option<LastTrial>,
}

/// How the programme of a group stands.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ProgrammeFigures {
    /// Its requirements.
    pub requirements: Vec<RequirementFigures>,
    /// Open actions whose day is over, by severity.
    pub overdue_actions: Vec<(&'static str, u32)>,
}

#[derive(Clone)]
pub(super) struct ProgrammeSeries {
    age: Series<OfRequirement, Fraction>,
    overdue: Series<OfRequirement, Fraction>,
    last: Series<OfTrial, Fraction>,
    actions: Series<OfAction, Fraction>,
}

impl ProgrammeSeries {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let age = "Since the end of the last run that counts for the requirement";
        Self {
            age: Series::register(registry, "drill_age", age, Some(Unit::Seconds)),
            overdue: Series::register(
                registry,
                "drill_overdue",
                "1: the requirement is NEVER, OVERDUE, FAILED or STALE",
                None,
            ),
            last: Series::register(
                registry,
                "drill_last_verdict",
                "1: this became of the last run that the requirement asks for",
                None,
            ),
            actions: Series::register(registry, "actions_overdue", "Open actions whose last day is over", None),
        }
    }

    pub(super) fn forget(&self, group: &str) {
        self.age.forget(group);
        self.overdue.forget(group);
        self.last.forget(group);
        self.actions.forget(group);
    }
}

impl Meter {
    /// Takes down how the programme of a group stands, in place of how it stood.
    pub fn programme(&self, name: &GroupName, figures: &ProgrammeFigures) {
        let (series, group) = (&self.programme, name.to_string());
        series.forget(&group);
        for found in &figures.requirements {
            let labels = OfRequirement { group: group.clone(), requirement: found.requirement.clone() };
            series.age.set(&labels, found.age_seconds);
            series.overdue.set(&labels, Some(one(found.overdue)));
            for verdict in LastTrial::ALL {
                let labels = OfTrial {
                    group: group.clone(),
                    requirement: found.requirement.clone(),
                    verdict: verdict.as_str().to_owned(),
                };
                series.last.set(&labels, found.last.map(|last| one(last == verdict)));
            }
        }
        for (severity, count) in &figures.overdue_actions {
            let labels = OfAction { group: group.clone(), action_severity: (*severity).to_owned() };
            series.actions.set(&labels, Some(f64::from(*count)));
        }
    }
}
