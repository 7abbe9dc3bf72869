//! Rounds: how each group stands, the store and the documents, looked at every few seconds for people and figures.
//!
//! Nothing here judges and nothing acts: what a round finds goes to [`Tidings`] and nowhere else. A round that the store does not answer
//! finds nothing; that the store is lost is told by a look of its own. A crash in the middle means that the next process looks anew, and
//! tells once more what is still so.

use std::{sync::Arc, time::Duration};

use jiff::{SignedDuration, Timestamp};
use tokio::sync::mpsc;

use super::{
    App, AppError, StorePlace,
    documents::{self, Papers, Written},
    looking::{self, LIMIT, within},
    readiness, route,
    supervise::Crew,
    tidings::Tidings,
};
use crate::{
    controller::Listener,
    decide::{
        absence::{Presence, presence},
        verdict::{Stance, verdicts},
    },
    model::{Group, Objectives, RegionName, Role, RunId, RunState, TargetName, Term},
    port::{Drivers, LeaseKey},
};

/// A round asks every member of every target, as `status` does: five periods of the probes, which is ten seconds where nothing else is
/// declared, and within these bounds.
const SHORTEST: Duration = Duration::from_millis(500);
/// See `SHORTEST`.
const LONGEST: Duration = Duration::from_secs(30);
/// Between two looks at the store.
const STORE_PACE: Duration = Duration::from_secs(1);
/// A look that takes longer found nothing.
const STORE_LIMIT: Duration = Duration::from_secs(2);
/// For how long the store may be away before people are told: an election takes one to two seconds, and heals by itself.
const STORE_PATIENCE: Duration = Duration::from_secs(5);
/// Between two looks at the documents on disk.
const DOCUMENTS_PACE: Duration = Duration::from_secs(2);

/// An observer, as it was heard.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Attendance {
    pub(super) observer: String,
    /// When its newest report was published, by its own clock.
    pub(super) last: Timestamp,
    pub(super) presence: Presence,
    /// What it says of each region.
    pub(super) says: Vec<(RegionName, Stance)>,
}

/// Who takes writes of a target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Writers {
    pub(super) target: TargetName,
    pub(super) primaries: Vec<RegionName>,
    /// Every member said what it is.
    pub(super) all_seen: bool,
}

/// What one round found of a group.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Round {
    pub(super) at: Timestamp,
    pub(super) regions: Vec<(RegionName, bool)>,
    pub(super) objectives: Objectives,
    pub(super) term: Term,
    /// Whether a process drives the run that is open and does not wait for a person; `None`: there is no such run.
    pub(super) driven: Option<bool>,
    pub(super) stopped: bool,
    pub(super) frozen: bool,
    /// The last drill that passed, and when.
    pub(super) drilled: Option<(Timestamp, RunId)>,
    /// It is not older than was promised.
    pub(super) drill_met: bool,
    pub(super) observers: Vec<Attendance>,
    pub(super) writers: Vec<Writers>,
}

impl App {
    /// Goes its rounds through a group.
    pub(super) fn board_rounds(
        self: &Arc<Self>,
        crew: &mut Crew,
        group: &Group,
        tidings: &Arc<Tidings>,
    ) -> Result<(), AppError> {
        let (app, group, tidings) = (Arc::clone(self), group.clone(), Arc::clone(tidings));
        let drivers = app.tools.open_targets(&group)?;
        let pace = (Duration::from_millis(group.detection.period_ms) * 5).clamp(SHORTEST, LONGEST);
        crew.board(format!("rounds of {}", group.name), async move {
            let (mut listener, mut measured) = (Listener::default(), None);
            loop {
                if let Ok(round) = app.round_of(&group, &drivers, &mut listener).await {
                    tidings.round(&group.name, &round);
                }
                app.measure_last(&group, &tidings, &mut measured).await;
                app.clock.sleep(pace).await;
            }
        });
        Ok(())
    }

    async fn round_of(&self, group: &Group, drivers: &Drivers, listener: &mut Listener) -> Result<Round, AppError> {
        let name = &group.name;
        let (runs, reports) = (self.runs_of(name).await?, self.reports_of(name).await?);
        let key = LeaseKey { group: name.clone(), rehearsal: false };
        let lease = self.store.lease(&key).await.map_err(AppError::store(format!("look at the lease on {key}")))?;
        let driven = match runs.iter().find(|run| run.closed.is_none() && !run.rehearsal) {
            None => None,
            Some(open) => match self.read(&open.run).await?.0.state {
                // It waits for its person, and nobody need drive it.
                RunState::Paused { .. } | RunState::Closed { .. } => None,
                RunState::Running | RunState::Cancelling | RunState::Unwinding { .. } => Some(lease.holder.is_some()),
            },
        };
        let (stopped, serves) = (self.stopped(name).await?.is_some(), route::serves(group, &runs).cloned());
        let survey = looking::survey(drivers, self.clock.as_ref(), LIMIT).await;
        let (now, wall) = (self.clock.monotonic(), self.clock.now());
        listener.hear(reports, now);
        let heard = listener.ages(now, wall);
        let verdicts = verdicts(group, serves.as_ref(), &heard);
        let says = |observer: &str| {
            let of = |(region, verdict): (&RegionName, &crate::decide::verdict::Verdict)| {
                verdict.voices.get(observer).map(|stance| (region.clone(), stance.clone()))
            };
            verdicts.iter().filter_map(of).collect()
        };
        let observers = heard.iter().map(|heard| Attendance {
            observer: heard.report.observer.clone(),
            last: heard.report.at,
            presence: presence(group, heard.report, heard.age, wall),
            says: says(&heard.report.observer),
        });
        let writers = survey.iter().filter(|(_, facts)| !facts.sides.is_empty()).map(|(target, facts)| Writers {
            target: target.clone(),
            primaries: facts
                .sides
                .iter()
                .filter(|side| side.role == Role::Primary)
                .map(|side| side.region.clone())
                .collect(),
            all_seen: !facts.sides.iter().any(|side| matches!(side.role, Role::Unknown(_))),
        });
        let drilled = readiness::last_drill(&runs).map(|(at, run)| (at, run.clone()));
        let allowed = i64::try_from(group.objectives.drill_max_age_seconds).unwrap_or(i64::MAX);
        Ok(Round {
            at: wall,
            regions: group.serving().map(|region| (region.clone(), serves.as_ref() == Some(region))).collect(),
            objectives: group.objectives,
            term: lease.term,
            driven,
            stopped,
            frozen: group.watch.freezes.at(wall).is_some(),
            drill_met: drilled
                .as_ref()
                .is_some_and(|(at, _)| wall.duration_since(*at) <= SignedDuration::from_secs(allowed)),
            drilled,
            observers: observers.collect(),
            writers: writers.collect(),
        })
    }

    /// Takes down what the last run that ended measured, once.
    async fn measure_last(&self, group: &Group, tidings: &Tidings, measured: &mut Option<RunId>) {
        let Ok(runs) = self.runs_of(&group.name).await else { return };
        let Some(last) = runs.iter().find(|run| run.closed.is_some()) else { return };
        if measured.as_ref() != Some(&last.run) && self.meter_run(tidings.meter(), &last.run).await.is_ok() {
            *measured = Some(last.run.clone());
        }
    }

    /// Looks whether the store answers.
    pub(super) fn board_store(self: &Arc<Self>, crew: &mut Crew, tidings: &Arc<Tidings>) {
        let (app, tidings, place) = (Arc::clone(self), Arc::clone(tidings), place(&self.settings.store));
        crew.board("look at the store".into(), async move {
            let mut since: Option<Duration> = None;
            loop {
                let asked = within(app.clock.as_ref(), STORE_LIMIT, app.store.stop_orders()).await;
                let failed = match asked {
                    Some(Ok(_)) => None,
                    Some(Err(error)) => Some(super::error::whole(&error)),
                    None => Some(format!("no answer within {} s", STORE_LIMIT.as_secs())),
                };
                let now = app.clock.monotonic();
                tidings.store(failed.is_none());
                match failed {
                    None => {
                        since = None;
                        tidings.store_back(&place);
                    }
                    Some(why) => {
                        let began = *since.get_or_insert(now);
                        if now.saturating_sub(began) >= STORE_PATIENCE {
                            tidings.store_lost(&place, &why);
                        }
                    }
                }
                app.clock.sleep(STORE_PACE).await;
            }
        });
    }

    /// Looks at the documents on disk, and hands over what says the same at two looks: an editor, or whoever copies several files, may
    /// be at it.
    pub(super) fn board_documents(
        self: &Arc<Self>,
        crew: &mut Crew,
        begun_with: &Arc<Papers>,
        tidings: &Arc<Tidings>,
    ) -> mpsc::Receiver<Written> {
        let (app, begun_with, tidings) = (Arc::clone(self), Arc::clone(begun_with), Arc::clone(tidings));
        let (sender, receiver) = mpsc::channel(1);
        crew.board("look at the documents".into(), async move {
            let mut before: Option<Written> = None;
            loop {
                let now = documents::written(&app.settings);
                if let Written::Clean(papers) = &now {
                    tidings.documents(&documents::differ_for_good(&begun_with, papers));
                }
                if before.as_ref().is_some_and(|before| before.says_the_same(&now)) {
                    // Nobody takes it when the process ends.
                    let _taken = sender.send(now.clone()).await;
                }
                before = Some(now);
                app.clock.sleep(DOCUMENTS_PACE).await;
            }
        });
        receiver
    }
}

/// Where the store is, without anything secret.
fn place(store: &StorePlace) -> String {
    match store {
        StorePlace::File(path) => path.display().to_string(),
        StorePlace::Etcd(place) => format!("etcd at {}", place.members.join(", ")),
    }
}
