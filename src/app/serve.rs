//! The standing controller, put together: for each group an observer, a judge, and somebody who takes over runs whose process
//! is gone. All of them are supervised: the first to end ends the whole with its reason.

use std::{io, path::PathBuf, sync::Arc, time::Duration};

use futures::future::BoxFuture;

use tokio::{
    net::TcpListener,
    sync::{oneshot, watch},
};

use super::{
    App, AppError, Check, Manner, Readiness, Standing as StoodBy, Supervision, Vitals,
    documents::{self, Papers},
    error::whole,
    helm::{AtTheHelm, Listeners, in_words},
    recordings::{Recorded, Recording},
    route,
    supervise::Crew,
    tidings::Tidings,
};
use crate::{
    controller::{self, Drilled, Heart, Helm, Judge, Means, Noted, Order, Pulse, Said, Started},
    engine::Stop,
    manifest::Severity,
    model::{Automation, Group, GroupName, Judged, RegionName, RunId, RunState, ScheduleName, TargetName},
};

/// Between two looks for a run that nobody drives.
const ROUND: Duration = Duration::from_secs(1);

/// Between two looks at a group's readiness.
const READINESS: Duration = Duration::from_mins(1);

/// What this process does for the groups.
#[derive(Debug)]
pub struct Serving {
    /// The observer's name, unique among those of each group.
    pub observer: String,
    /// Time between two markers; `None`: another process writes them.
    pub markers: Option<Duration>,
    /// Judge, too, and act where the group's automation says so.
    pub judges: bool,
    /// Where what the judges hear and answer is appended, to be judged again.
    pub record: Option<PathBuf>,
    /// Where `/livez`, `/readyz` and `/metrics` are answered.
    pub listener: Option<TcpListener>,
}

/// What answers for this process over HTTP until the last argument resolves.
pub type Answering = fn(TcpListener, Arc<dyn Vitals>, BoxFuture<'static, ()>) -> BoxFuture<'static, io::Result<()>>;

/// What answers as a witness over HTTP until the last argument resolves.
pub type Witnessing =
    fn(TcpListener, Arc<super::Witness>, BoxFuture<'static, ()>) -> BoxFuture<'static, io::Result<()>>;

/// How the standing process is, for whoever asks.
struct Standing {
    app: Arc<App>,
    tidings: Arc<Tidings>,
}

impl Vitals for Standing {
    /// A task that ends takes the process with it, so a process that answers has all of them.
    fn live(&self) -> Vec<Check> {
        vec![Check { name: "tasks", ok: true, detail: "every task of this process is alive".into() }]
    }

    fn ready(&self) -> BoxFuture<'_, Vec<Check>> {
        Box::pin(async move {
            let store = self.app.store.stop_orders().await;
            self.tidings.store(store.is_ok());
            let of = |name, failed: Option<String>, well: &str| Check {
                name,
                ok: failed.is_none(),
                detail: failed.unwrap_or_else(|| well.to_owned()),
            };
            let documents = documents::examine(&self.app.settings.files).1;
            let errors = documents.iter().filter(|finding| finding.severity() == Severity::Error).count();
            let errors = (errors > 0).then(|| format!("{errors} errors; see `lifeboat check`"));
            let watched = match self.tidings.stale_documents() {
                None => "what is watched is what the documents say".into(),
                // It watches, as it was told to: no reason to call it unready.
                Some(differ) => format!("{differ} changed on disk: restart this process to watch what is written now"),
            };
            vec![
                of("store", store.err().map(|error| whole(&error)), "it answers"),
                of("documents", errors, "they are valid"),
                Check { name: "watched", ok: true, detail: watched },
            ]
        })
    }

    fn render(&self) -> String {
        self.tidings.render()
    }
}

/// News go to people and figures, too.
fn heard_by(tidings: &Arc<Tidings>, tell: &Teller) -> Teller {
    let (tidings, tell) = (Arc::clone(tidings), Arc::clone(tell));
    Arc::new(move |news: News| {
        tidings.hear(&news);
        tell(news);
    })
}

/// News of a group.
#[derive(Debug, Clone)]
pub struct News {
    /// The group.
    pub group: GroupName,
    /// What.
    pub what: What,
}

/// What is new.
#[derive(Debug, Clone)]
pub enum What {
    /// The first report was published.
    Observing {
        /// Probes of regions.
        probes: usize,
    },
    /// A target's markers go to another region now.
    MarkersMoved(TargetName, RegionName),
    /// No region acknowledges a target's markers.
    MarkersRefused(TargetName, String),
    /// The store did not take a report.
    Unpublished(String),
    /// This process stood still.
    StoodStill(Duration),
    /// The answer, or its reasons, changed.
    Judged(Judged),
    /// A failover starts.
    Starting(Order),
    /// It was refused, or came to rest.
    Started(Started),
    /// A run whose process is gone is driven on by this one.
    TakenOver(RunId),
    /// It came to rest.
    Rested(RunId, String),
    /// Taking over failed; it is tried again.
    NotTakenOver(RunId, String),
    /// The group's readiness changed.
    Readiness(Readiness),
    /// Of its drills.
    Drill(Noted),
}

/// Told of news, from any task.
pub type Teller = Arc<dyn Fn(News) + Send + Sync>;

impl App {
    /// Serves until a signal asks it to end, or a part of it fails.
    pub async fn serve(
        self: &Arc<Self>,
        serving: Serving,
        tell: Teller,
        listeners: Listeners,
        answering: Option<Answering>,
        supervision: &Supervision,
    ) -> Result<(), AppError> {
        let papers = Arc::new(documents::read(&self.settings)?);
        let groups: Vec<Group> = papers.groups().iter().map(|name| papers.group(name)).collect::<Result<_, _>>()?;
        if groups.is_empty() {
            return Err(AppError::Missing {
                what: "the documents hold no protection group, so there is nothing to watch".into(),
                remedy: "name the files or folders with --file".into(),
            });
        }
        let mut crew = Crew::default();
        let tidings = Arc::new(Tidings::open(self, &papers)?);
        let (tell, listeners) = (heard_by(&tidings, &tell), tidings.beside(&listeners));
        let helm = Arc::new(AtTheHelm::new(self, &papers, &listeners, supervision.stop()));
        let recording = match &serving.record {
            Some(file) if serving.judges => Some(Recording::open(&mut crew, file).await?),
            Some(_) | None => None,
        };
        let names: Vec<GroupName> = groups.iter().map(|group| group.name.clone()).collect();
        for group in groups {
            let (judged, heard) = watch::channel(None);
            self.board_observer(&mut crew, &papers, &group, &serving, heard, (&tell, &tidings)).await?;
            if serving.judges {
                self.board_rounds(&mut crew, &group, &tidings)?;
                self.board_readiness(&mut crew, &group.name, (&tell, &tidings));
                let recorded = recording.as_ref().map(|recording| recording.of(&group));
                self.board_judge(&mut crew, &group, (Arc::clone(&helm) as _, judged), recorded, &tell);
                if group.automation == Automation::Automatic {
                    self.board_keeper(&mut crew, &group, &helm, &tell);
                }
            }
        }
        self.board_documents(&mut crew, &papers, &tidings);
        if serving.judges {
            self.board_store(&mut crew, &tidings);
            self.board_ledger(&mut crew);
            self.board_coverage(&mut crew, &names, &tidings);
            self.board_anchors(&mut crew, &papers, &tidings)?;
        }
        let drills = if serving.judges { Some(self.board_drills(&mut crew, supervision, &tell)) } else { None };
        if let (Some(listener), Some(answering)) = (serving.listener, answering) {
            let vitals = Arc::new(Standing { app: Arc::clone(self), tidings: Arc::clone(&tidings) });
            crew.board("health and figures".into(), async move {
                if let Err(error) = answering(listener, vitals, Box::pin(std::future::pending())).await {
                    tracing::error!(%error, "nothing answers for this process any more");
                }
            });
        }
        tokio::select! {
            ended = crew.first_end() => Err(AppError::Ended { task: ended.task, why: ended.why }),
            () = supervision.asked() => {
                // Runs under way were told by the same signal: they pause and are resumed by whoever comes. The second signal
                // does not wait for what is under way.
                let mut stop = supervision.stop();
                let drills = async { if let Some(rest) = drills { drop(rest.await) } };
                tokio::select! {
                    ((), ()) = async { futures::join!(helm.driving.none(), drills) } => {}
                    _now = stop.wait_for(|stop| *stop == Stop::Now) => {}
                }
                crew.dismiss().await;
                tidings.flush().await;
                Ok(())
            }
        }
    }

    /// One observer of one group, with markers and probes every `period`, until the future is dropped.
    pub async fn heartbeat(
        &self,
        name: &GroupName,
        observer: String,
        period: Duration,
        told: controller::Told<'_>,
    ) -> Result<(), AppError> {
        let papers = documents::read(&self.settings)?;
        let mut group = papers.group(name)?;
        group.detection.period_ms = u64::try_from(period.as_millis()).unwrap_or(u64::MAX);
        group.watch.reprobe_ms = group.watch.reprobe_ms.min(group.detection.period_ms);
        let serves = route::serves(&group, &self.runs_of(name).await?).cloned();
        let (_nobody_judges, judged) = watch::channel(None);
        let means = self.means(&group, judged)?;
        let heart = Heart { regions: papers.regions(&group), group, observer, markers: Some(period), serves };
        controller::observe(heart, means, told).await;
        Ok(())
    }

    async fn board_observer(
        self: &Arc<Self>,
        crew: &mut Crew,
        papers: &Papers,
        group: &Group,
        serving: &Serving,
        judged: watch::Receiver<Option<Judged>>,
        (tell, tidings): (&Teller, &Arc<Tidings>),
    ) -> Result<(), AppError> {
        // A store that cannot be reached must not keep the observer from its first probe.
        let serves = self.runs_of(&group.name).await.ok().and_then(|runs| route::serves(group, &runs).cloned());
        let heart = Heart {
            group: group.clone(),
            regions: papers.regions(group),
            observer: serving.observer.clone(),
            markers: serving.markers,
            serves,
        };
        let means = self.means(group, judged)?;
        let (name, tell, tidings) = (group.name.clone(), Arc::clone(tell), Arc::clone(tidings));
        crew.board(format!("observer of {name}"), async move {
            let mut told = |pulse: Pulse<'_>| match pulsed(&pulse) {
                Some(what) => tell(News { group: name.clone(), what }),
                None => tidings.pulse(&pulse),
            };
            controller::observe(heart, means, &mut told).await;
        });
        Ok(())
    }

    /// What an observer of the group works with.
    fn means(&self, group: &Group, judged: watch::Receiver<Option<Judged>>) -> Result<Means, AppError> {
        Ok(Means {
            store: Arc::clone(&self.store),
            clock: Arc::clone(&self.clock),
            prober: Arc::clone(&self.tools.prober),
            drivers: self.tools.open_targets(group)?,
            judged,
        })
    }

    fn board_judge(
        self: &Arc<Self>,
        crew: &mut Crew,
        group: &Group,
        (helm, judged): (Arc<dyn Helm>, watch::Sender<Option<Judged>>),
        mut recorded: Option<Recorded>,
        tell: &Teller,
    ) {
        let judge = Judge {
            group: group.clone(),
            store: Arc::clone(&self.store),
            clock: Arc::clone(&self.clock),
            helm,
            approve,
            judged,
        };
        let (name, tell) = (group.name.clone(), Arc::clone(tell));
        crew.board(format!("judge of {name}"), async move {
            let mut told = |said: Said<'_>| {
                if let Some(recorded) = &mut recorded {
                    recorded.said(&said);
                }
                let what = match said {
                    Said::Looked(_) => return,
                    Said::Judged(judged) => What::Judged(judged.clone()),
                    Said::Starting(order) => What::Starting(order.clone()),
                    Said::Started(started) => What::Started(started.clone()),
                };
                tell(News { group: name.clone(), what });
            };
            judge.run(&mut told).await;
        });
    }

    /// Takes over a run of an automatic group whose process is gone. A run that is paused waits for its person.
    fn board_keeper(self: &Arc<Self>, crew: &mut Crew, group: &Group, helm: &Arc<AtTheHelm>, tell: &Teller) {
        let (app, name, helm, tell) = (Arc::clone(self), group.name.clone(), Arc::clone(helm), Arc::clone(tell));
        crew.board(format!("keeper of {name}"), async move {
            loop {
                app.clock.sleep(ROUND).await;
                let Ok(Some(run)) = app.running(&name).await else { continue };
                let what = match app.keep_going(&run, &helm, &tell).await {
                    Ok(None) => continue,
                    Ok(Some(how)) => What::Rested(run, how),
                    Err(error) => What::NotTakenOver(run, whole(&error)),
                };
                tell(News { group: name.clone(), what });
            }
        });
    }

    /// Looks every minute, and at once when a run was opened or closed; tells what changed.
    fn board_readiness(self: &Arc<Self>, crew: &mut Crew, name: &GroupName, (tell, tidings): (&Teller, &Arc<Tidings>)) {
        let (app, name, tell, tidings) = (Arc::clone(self), name.clone(), Arc::clone(tell), Arc::clone(tidings));
        crew.board(format!("readiness of {name}"), async move {
            let (mut told, mut stood, mut due) = (None, None, Duration::ZERO);
            loop {
                // A store that does not answer is the judge's news.
                let stands = app.runs_of(&name).await.ok().map(|runs| runs.into_iter().next());
                if stands != stood || app.clock.monotonic() >= due {
                    (stood, due) = (stands, app.clock.monotonic() + READINESS);
                    if let Ok(found) = app.readiness(&name).await {
                        tidings.readiness_figures(&found);
                        let now: Vec<_> = found.findings.iter().map(|one| (one.gravity, one.about.clone())).collect();
                        if told.as_ref() != Some(&now) {
                            told = Some(now);
                            tell(News { group: name.clone(), what: What::Readiness(found) });
                        }
                    }
                }
                app.clock.sleep(ROUND).await;
            }
        });
    }

    /// Drills on schedule, of all groups. What it gives back resolves when it was asked to end and no drill is under way.
    fn board_drills(
        self: &Arc<Self>,
        crew: &mut Crew,
        supervision: &Supervision,
        tell: &Teller,
    ) -> oneshot::Receiver<()> {
        let (app, stop, tell) = (Arc::clone(self), supervision.stop(), Arc::clone(tell));
        let (rests, at_rest) = oneshot::channel();
        crew.board("drill schedules".into(), async move {
            let mut told = |noted: &Noted| {
                if let Some(group) = drilled(&app, noted) {
                    tell(News { group, what: What::Drill(noted.clone()) });
                }
            };
            app.drill_on_schedule(&mut told, stop).await;
            // Nobody listens when the process ends for another reason.
            let _at_rest = rests.send(());
            std::future::pending::<()>().await;
        });
        at_rest
    }

    /// The group's run that should be driven by somebody.
    async fn running(&self, group: &GroupName) -> Result<Option<RunId>, AppError> {
        let runs = self.runs_of(group).await?;
        let Some(open) = runs.iter().find(|run| run.closed.is_none() && !run.rehearsal) else { return Ok(None) };
        let (run, _) = self.read(&open.run).await?;
        let waits = matches!(run.state, RunState::Paused { .. } | RunState::Closed { .. });
        Ok((!waits).then_some(run.id))
    }

    async fn keep_going(&self, run: &RunId, helm: &AtTheHelm, tell: &Teller) -> Result<Option<String>, AppError> {
        let hold = match self.stand_by(run, &mut |_| {}).await? {
            StoodBy::Over => return Ok(None),
            StoodBy::Ours { hold, .. } => *hold,
        };
        tell(News { group: run.group.clone(), what: What::TakenOver(run.clone()) });
        let _aboard = helm.driving.aboard();
        let (mut progress, stop) = ((helm.listeners)(), helm.stop.clone());
        let rested = self.take_over(run, hold, None, Manner::default(), progress.as_mut(), stop).await?;
        Ok(Some(in_words(&rested)))
    }
}

/// The group that the news is of; `None`: its schedule has just gone from the documents.
fn drilled(app: &App, noted: &Noted) -> Option<GroupName> {
    let of = |schedule: &ScheduleName| {
        let schedules = documents::read(&app.settings).and_then(|papers| papers.schedules()).ok()?;
        schedules.into_iter().find(|one| one.name == *schedule).map(|one| one.group)
    };
    match noted {
        Noted::GoesOn(run) | Noted::Rested(Drilled { run, .. }) => Some(run.group.clone()),
        Noted::Starts(firing) | Noted::Waits(firing, _) | Noted::Passed(firing, _) => of(&firing.schedule),
        Noted::Declined(schedule, _) => of(schedule),
    }
}

/// `None`: a figure, and no news.
fn pulsed(pulse: &Pulse<'_>) -> Option<What> {
    Some(match pulse {
        Pulse::Probed { .. } => return None,
        Pulse::Beating { report } => What::Observing { probes: report.probes.len() },
        Pulse::Moved { target, region } => What::MarkersMoved((*target).clone(), (*region).clone()),
        Pulse::Refused { target, why } => What::MarkersRefused((*target).clone(), (*why).to_owned()),
        Pulse::Unpublished { error } => What::Unpublished(whole(error)),
        Pulse::StoodStill { time } => What::StoodStill(*time),
    })
}

/// The command that approves a proposal: only for the world that it was made for.
fn approve(order: &Order) -> String {
    format!(
        "lifeboat failover {group} --from {} --to {} --expected-term {} --yes-i-mean {group}",
        order.source,
        order.destination,
        order.term,
        group = order.group
    )
}
