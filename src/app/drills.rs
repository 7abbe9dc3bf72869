//! Drills on schedule: what there is, what is due, and the running of it.
//!
//! A scheduled drill has no person beside it. When it would pause and wait for one (a gate is shut, a step failed) it is ended
//! instead: the record says why, the drill has not passed, and the next one is not held up. One that is interrupted because
//! this process ends stays open, and is gone on with by whoever keeps the schedule next.

use futures::future::BoxFuture;
use jiff::Timestamp;
use serde::Serialize;
use tokio::sync::watch;

use super::{App, AppError, Manner, Order, Request, Rested, documents, documents::Papers, error::whole};
use crate::{
    controller::{Declined, DrillOrder, Drilled, Drillmaster, Drills, Noted},
    decide::{self, Due, Past, Rest, Wait},
    engine::Stop,
    evidence::Exception,
    manifest::{self, Finding, Kind as _, Severity},
    model::{
        Actor, CommandBody, DrillMode, Event, Firing, GroupName, Outcome, PauseReason, Run, RunId, RunKind, Schedule,
        ScheduleName,
    },
    port::RunSummary,
    spec::DrillScheduleSpec,
};

/// Who asks for a scheduled drill: nobody does, the schedule stands for itself. `None`: its name makes no actor.
pub(super) fn actor(schedule: &ScheduleName) -> Option<Actor> {
    Actor::new(format!("schedule {schedule}")).ok()
}

/// A schedule, as it stands now.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Scheduled {
    /// Its name.
    pub name: ScheduleName,
    /// The group that is drilled.
    pub group: GroupName,
    /// How far a drill goes.
    pub mode: DrillMode,
    /// When, as written.
    pub schedule: String,
    /// By whose clock.
    pub time_zone: String,
    /// Nothing starts.
    pub suspended: bool,
    /// The next instant at which a drill may start; `None`: never.
    pub next: Option<Timestamp>,
    /// The instant of a drill that is due now and has no run.
    pub due: Option<Timestamp>,
    /// What a drill that is due waits for.
    pub waits: Option<Wait>,
    /// The newest drill of this schedule.
    pub last: Option<RunSummary>,
    /// Drills that ended, newest first, as many as the schedule's `historyLimit` says.
    pub history: Vec<RunSummary>,
}

impl App {
    /// The schedules of a group (of all groups: `None`), in document order, each with what is due.
    pub async fn schedules(&self, papers: &Papers, group: Option<&GroupName>) -> Result<Vec<Scheduled>, AppError> {
        let mut all = Vec::new();
        for schedule in papers.schedules()? {
            if group.is_none_or(|group| *group == schedule.group) {
                let runs = self.runs_of(&schedule.group).await?;
                all.push(scheduled(&schedule, &runs, self.clock.now()));
            }
        }
        Ok(all)
    }

    /// Starts what is due by the schedules of the documents until `stop` says so, and waits until what is under way rests. The
    /// documents are read again at each look, so that a schedule that is changed holds at once. `tell` hears of everything.
    pub async fn drill_on_schedule(&self, tell: &mut (dyn FnMut(&Noted) + Send), stop: watch::Receiver<Stop>) {
        let master = Master { app: self, stop: stop.clone() };
        let mut known = Vec::new();
        let mut schedules = || {
            match documents::read(&self.settings).and_then(|papers| papers.schedules()) {
                Ok(schedules) => known = schedules,
                // Somebody is writing them: what held a moment ago holds until they can be read again.
                Err(error) => tracing::warn!(%error, "the drill schedules could not be read; the last ones hold"),
            }
            known.clone()
        };
        let mut asked = stop;
        let stop = async move {
            if asked.wait_for(|stop| *stop != Stop::No).await.is_err() {
                std::future::pending::<()>().await;
            }
        };
        Drills::new(&master, self.clock.as_ref()).run(&mut schedules, tell, stop).await;
    }

    /// There is no run of this firing. Asked under the lease, so that nobody else opens one meanwhile.
    pub(super) async fn unless_drilled(&self, firing: &Firing, group: &GroupName) -> Result<(), AppError> {
        let runs = self.runs_of(group).await?;
        match runs.into_iter().find(|run| run.scheduled.as_ref() == Some(firing)) {
            None => Ok(()),
            Some(there) => Err(AppError::Drilled { firing: firing.clone(), run: there.run }),
        }
    }

    /// Passes that drills make one by one, for whoever holds the clock.
    pub fn drillmaster(&self, stop: watch::Receiver<Stop>) -> impl Drillmaster + '_ {
        Master { app: self, stop }
    }
}

impl Papers {
    /// The drill schedules, checked.
    pub fn schedules(&self) -> Result<Vec<Schedule>, AppError> {
        let mut schedules = Vec::new();
        let mut findings = Vec::new();
        for document in &self.documents.schedules {
            match manifest::schedule(document) {
                Ok(schedule) => schedules.push(schedule),
                Err(bad) => findings.extend(bad),
            }
        }
        // One that could not even be read is a drill that would silently not be.
        let is_schedule = |finding: &&Finding| {
            finding.severity() == Severity::Error && finding.document.starts_with(DrillScheduleSpec::KIND)
        };
        findings.extend(self.findings.iter().filter(is_schedule).cloned());
        if findings.is_empty() { Ok(schedules) } else { Err(AppError::Findings { findings }) }
    }
}

fn scheduled(schedule: &Schedule, runs: &[RunSummary], now: Timestamp) -> Scheduled {
    let mine: Vec<&RunSummary> =
        runs.iter().filter(|run| run.scheduled.as_ref().is_some_and(|at| at.schedule == schedule.name)).collect();
    let past = Past {
        since: now,
        fired: decide::fired(schedule, runs.iter().filter_map(|run| run.scheduled.as_ref())),
        open: runs.iter().find(|run| run.closed.is_none()).map(|run| run.run.clone()),
    };
    let (due, waits) = match decide::due(schedule, &past, now) {
        Due::Nothing { .. } | Due::Skip { .. } => (None, None),
        Due::Hold { which, why } => (Some(which), Some(why)),
        Due::Start { which } => (Some(which), None),
    };
    let ended = |passed: bool, limit: usize| {
        let is =
            move |run: &&&RunSummary| run.closed.is_some_and(|(_, outcome)| (outcome == Outcome::Succeeded) == passed);
        mine.iter().filter(is).take(limit).map(|run| (*run).clone()).collect::<Vec<_>>()
    };
    let mut history = ended(true, schedule.history.passed);
    history.extend(ended(false, schedule.history.failed));
    history.sort_by_key(|run| std::cmp::Reverse(run.run.number));
    Scheduled {
        name: schedule.name.clone(),
        group: schedule.group.clone(),
        mode: schedule.mode,
        schedule: schedule.timetable.cron.to_string(),
        time_zone: schedule.timetable.zone.iana_name().unwrap_or("UTC").to_owned(),
        suspended: schedule.suspended,
        next: decide::next_drill(schedule, now),
        due,
        waits,
        last: mine.first().map(|run| (*run).clone()),
        history,
    }
}

/// Does what the loop says is due.
struct Master<'a> {
    app: &'a App,
    stop: watch::Receiver<Stop>,
}

impl Drillmaster for Master<'_> {
    fn runs<'a>(&'a self, group: &'a GroupName) -> BoxFuture<'a, Result<Vec<RunSummary>, Declined>> {
        Box::pin(async move { self.app.runs_of(group).await.map_err(|error| declined(&error)) })
    }

    fn drill(&self, order: DrillOrder) -> BoxFuture<'_, Result<Drilled, Declined>> {
        Box::pin(async move { self.start(order).await.map_err(|error| declined(&error)) })
    }

    fn finish(&self, run: RunId) -> BoxFuture<'_, Result<Drilled, Declined>> {
        Box::pin(async move {
            let rested = self.resume(&run).await.map_err(|error| declined(&error))?;
            self.to_its_end(rested).await.map_err(|error| declined(&error))
        })
    }
}

/// Nobody looks on.
fn nobody(_: &Event, _: &Run) {}

impl Master<'_> {
    async fn start(&self, order: DrillOrder) -> Result<Drilled, AppError> {
        let DrillOrder { firing, group, reason, mode } = order;
        if mode == DrillMode::Live {
            return Err(AppError::Refused {
                what: format!("a live drill of {group} moves the service, and a schedule has nobody beside it"),
                remedy: format!("drill with a person: lifeboat drill {group} --mode live"),
            });
        }
        let request = Request { reason, scheduled: Some(firing), ..Request::drill(mode, RunKind::Failover, group) };
        let prepared = self.app.prepare(request).await?;
        let (mut progress, stop) = (nobody, self.stop.clone());
        let rested = self.app.start(prepared, Manner::default(), &mut |_| {}, &mut progress, stop).await?;
        self.to_its_end(rested).await
    }

    async fn resume(&self, run: &RunId) -> Result<Rested, AppError> {
        let (mut progress, stop) = (nobody, self.stop.clone());
        let reason = "its process ended in the middle of the drill";
        self.app.resume(run, reason, Manner::default(), &mut |_| {}, &mut progress, stop).await
    }

    /// Ends a drill that waits for a person: there is none.
    async fn to_its_end(&self, rested: Rested) -> Result<Drilled, AppError> {
        let run = rested.run.id.clone();
        let outcome = match rested.rest {
            Rest::Closed(outcome) => Some(outcome),
            Rest::Interrupted
            | Rest::Paused(PauseReason::Interrupted | PauseReason::Stopped { .. } | PauseReason::Ordered { .. }) => {
                None
            }
            Rest::AwaitingApproval(_)
            | Rest::Paused(
                PauseReason::StepFailed { .. }
                | PauseReason::StepBlocked { .. }
                | PauseReason::OutcomeUnknown { .. }
                | PauseReason::UndoStuck { .. },
            ) => {
                let reason = format!("a scheduled drill waits for nobody; it stopped at {}", stopped_at(&rested));
                let body = CommandBody::Cancel { unwind: false };
                self.app.order(&run, Order { body, reason, expected_term: None, key: None }).await?;
                match self.resume(&run).await?.rest {
                    Rest::Closed(outcome) => Some(outcome),
                    Rest::Paused(_) | Rest::AwaitingApproval(_) | Rest::Interrupted => None,
                }
            }
        };
        Ok(Drilled { run, outcome })
    }
}

/// The steps that a drill could not get past, with what kept it.
fn stopped_at(rested: &Rested) -> String {
    let past = |step: &&Exception| step.state != "waiting" && step.state != "skipped";
    let steps = rested.record.exceptions.iter().filter(past);
    steps.map(|step| format!("{} ({})", step.step, step.what)).collect::<Vec<_>>().join(", ")
}

/// An error with its causes, in one line for a log.
fn declined(error: &AppError) -> Declined {
    let why = whole(error);
    if matches!(error, AppError::Drilled { .. } | AppError::Lease(_)) {
        Declined::Elsewhere { why }
    } else {
        Declined::Refused { why, remedy: error.remedy() }
    }
}
