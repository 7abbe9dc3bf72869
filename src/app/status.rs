//! How a group stands now: who serves, what its members say, what runs, what was last, what the observers know.

use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;

use super::{
    AnchorState, App, AppError, Survey,
    documents::Papers,
    looking::{self, LIMIT},
    route,
};
use crate::{
    decide::{
        absence,
        programme::{self, Standing},
    },
    evidence,
    model::{Frozen, GroupName, Objectives, RegionName, Role, RunId, RunState, StopOrder, TargetName, Term},
    port::{Concern, LeaseKey, ObserverReport, RunSummary},
};

/// One member of a target, as seen now.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Member {
    /// The target.
    pub target: TargetName,
    /// The region.
    pub region: RegionName,
    /// Its role.
    pub role: Role,
}

/// A report with its age.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Observed {
    /// Its age in seconds.
    pub age_seconds: f64,
    /// It is still worth something.
    pub fresh: bool,
    /// The report.
    pub report: ObserverReport,
}

/// A run that is open.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Open {
    /// Which.
    pub summary: RunSummary,
    /// Where it is.
    pub state: RunState,
    /// `host/pid` of the process that drives it; `None`: nobody does.
    pub driven_by: Option<String>,
}

/// The last run that ended.
#[derive(Debug, Clone, Serialize)]
pub struct Last {
    /// Which.
    pub summary: RunSummary,
    /// What it measured.
    pub measures: evidence::Measures,
}

/// A group.
#[derive(Debug, Clone, Serialize)]
pub struct Status {
    /// Its name.
    pub group: GroupName,
    /// The region that serves, by the history of runs; `None`: no region is preferred.
    pub serves: Option<RegionName>,
    /// The term of the lease on its real runs: the number that `--expected-term` takes.
    pub term: Term,
    /// The order that stops it.
    pub stopped: Option<StopOrder>,
    /// The freeze that is on: nothing starts by itself.
    pub frozen: Option<Frozen>,
    /// Its objectives.
    pub objectives: Objectives,
    /// Its members.
    pub members: Vec<Member>,
    /// What must be looked at now.
    pub alarms: Vec<String>,
    /// What would make a failover slow, lossy or impossible.
    pub concerns: Vec<(TargetName, Concern)>,
    /// How the anchors of the ledger stand.
    pub anchors: Vec<AnchorState>,
    /// Runs that are open.
    pub open: Vec<Open>,
    /// The last run that ended and moved something.
    pub last: Option<Last>,
    /// The last drill that ended.
    pub last_drill: Option<RunSummary>,
    /// The observers.
    pub observers: Vec<Observed>,
    /// Requirements of drill policies that are not CURRENT, by ledger and documents.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub drills: Vec<Standing>,
    /// Observers that have not reported for a day: they were taken away, and count for nothing.
    pub gone: Vec<Gone>,
}

/// An observer that is gone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Gone {
    /// Its name.
    pub observer: String,
    /// When it reported last, by its own clock.
    pub last: Timestamp,
}

impl Observed {
    /// A person who types has no clock but the wall's to tell an age by.
    fn is_gone(&self) -> bool {
        let age = Duration::try_from_secs_f64(self.age_seconds).unwrap_or_default();
        let now = self.report.at.checked_add(age).unwrap_or(self.report.at);
        absence::is_gone(&self.report, age, now)
    }
}

/// What an observer's process says of itself.
fn remark(report: &ObserverReport) -> Option<String> {
    report
        .remark
        .as_ref()
        .map(|remark| format!("the process of observer {} refused documents: {remark}", report.observer))
}

impl App {
    /// Looks at one group.
    pub async fn status(&self, papers: &Papers, name: &GroupName) -> Result<Status, AppError> {
        let group = papers.group(name)?;
        let runs = self.runs_of(name).await?;
        let serves = route::serves(&group, &runs).cloned();
        let drivers = self.tools.open_targets(&group)?;
        let other = group.serving().find(|region| Some(*region) != serves.as_ref()).cloned();
        let (survey, concerns) = match (&serves, &other) {
            (Some(source), Some(destination)) => {
                let survey = looking::survey(&drivers, self.clock.as_ref(), LIMIT);
                futures::join!(survey, self.concerns(&drivers, source, destination))
            }
            (_, None) | (None, _) => (looking::survey(&drivers, self.clock.as_ref(), LIMIT).await, Vec::new()),
        };
        let now = self.clock.now();
        let observers = self.reports_of(name).await?.into_iter().map(|report| observed(report, now));
        let (gone, observers): (Vec<Observed>, Vec<Observed>) = observers.partition(Observed::is_gone);
        let gone = gone.into_iter().map(|seen| Gone { observer: seen.report.observer, last: seen.report.at }).collect();
        let mut open = Vec::new();
        for summary in runs.iter().filter(|run| run.closed.is_none()) {
            let (run, _) = self.read(&summary.run).await?;
            let lease = self.store.lease(&summary.key()).await;
            let lease = lease.map_err(AppError::store(format!("look at the lease on {name}")))?;
            open.push(Open { summary: summary.clone(), state: run.state, driven_by: lease.holder });
        }
        let ended = |rehearsal| runs.iter().find(move |run| run.rehearsal == rehearsal && run.closed.is_some());
        let last = match ended(false) {
            Some(summary) => Some(Last { summary: summary.clone(), measures: self.measures(&summary.run).await? }),
            None => None,
        };
        let lease = self.store.lease(&LeaseKey { group: name.clone(), rehearsal: false }).await;
        let mut alarms = serves.as_ref().map(|serves| alarms(serves, &survey)).unwrap_or_default();
        alarms.extend(observers.iter().filter_map(|seen| remark(&seen.report)));
        alarms.extend(self.ledger_alarm(name).await.map_err(AppError::store("list the runs"))?);
        // A ledger that cannot be read is an alarm already.
        let anchors = self.anchors(papers).and_then(|anchors| self.anchor_states(&anchors)).unwrap_or_default();
        alarms.extend(Self::anchor_alarms(&anchors));
        Ok(Status {
            group: name.clone(),
            term: lease.map_err(AppError::store(format!("look at the lease on {name}")))?.term,
            stopped: self.stopped(name).await?,
            alarms,
            serves,
            frozen: group.watch.freezes.at(now),
            objectives: group.objectives,
            members: members(&survey),
            concerns,
            anchors,
            open,
            last,
            last_drill: ended(true).cloned(),
            drills: self.drills_due(papers, name),
            observers,
            gone,
        })
    }

    /// Requirements that are not CURRENT. A ledger that cannot be read is an alarm of its own, and policies that cannot are for `check`.
    fn drills_due(&self, papers: &Papers, name: &GroupName) -> Vec<Standing> {
        let covered = self.standings(papers, name).ok().flatten();
        let all = covered.into_iter().flat_map(|covered| covered.requirements);
        all.filter(|one| one.status != programme::Status::Current).collect()
    }

    /// What a run measured, by its journal.
    pub async fn measures(&self, id: &RunId) -> Result<evidence::Measures, AppError> {
        let (run, events) = self.read(id).await?;
        Ok(evidence::Measures::of(&run, &events))
    }
}

pub(super) fn observed(report: ObserverReport, now: Timestamp) -> Observed {
    let age = now.duration_since(report.at);
    let fresh = age.as_millis() <= i128::from(report.valid_ms);
    Observed { age_seconds: age.as_secs_f64().max(0.0), fresh, report }
}

fn members(survey: &Survey) -> Vec<Member> {
    survey
        .iter()
        .flat_map(|(target, facts)| {
            let member = |side: &crate::model::Side| Member {
                target: target.clone(),
                region: side.region.clone(),
                role: side.role.clone(),
            };
            facts.sides.iter().map(member).collect::<Vec<_>>()
        })
        .collect()
}

/// Two primaries, a primary elsewhere than the history says, or none where one should be.
fn alarms(serves: &RegionName, survey: &Survey) -> Vec<String> {
    // Nobody moves anything here: the way is only what `misplaced` compares with.
    let route = super::Route { source: serves.clone(), destination: serves.clone() };
    let mut alarms: Vec<String> =
        route::misplaced(&route, survey, &std::collections::BTreeSet::new()).iter().map(ToString::to_string).collect();
    for (target, facts) in survey {
        if !facts.sides.is_empty() && facts.sides.iter().all(|side| side.role != Role::Primary) {
            alarms.push(format!("{target} has no primary that answers"));
        }
    }
    alarms
}
