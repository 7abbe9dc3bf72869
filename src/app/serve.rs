//! The standing controller, put together: for each group an observer, a judge, and somebody who takes over runs whose process
//! is gone. All of them are supervised: the first to end ends the whole with its reason.

use std::{io, path::PathBuf, sync::Arc, time::Duration};

use futures::future::BoxFuture;

use tokio::{
    net::TcpListener,
    sync::{oneshot, watch},
};

use super::{
    App, AppError, Check, Readiness, Supervision, Vitals, documents,
    error::whole,
    helm::{AtTheHelm, Listeners},
    posts::Posts,
    recordings::Recording,
    route,
    supervise::Crew,
    tidings::Tidings,
};
use crate::{
    controller::{self, Drilled, Heart, Noted, Order, Started},
    engine::Stop,
    manifest::Severity,
    model::{GroupName, Judged, RegionName, RunId, ScheduleName, TargetName},
};

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
                Some(why) => why,
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
    /// Its documents changed, and its watch begins anew with them, or has ended because none names it.
    Watched {
        /// It begins anew.
        anew: bool,
    },
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
        mut serving: Serving,
        tell: Teller,
        listeners: Listeners,
        answering: Option<Answering>,
        supervision: &Supervision,
    ) -> Result<(), AppError> {
        let papers = Arc::new(documents::read(&self.settings)?);
        let names = papers.groups();
        names.iter().try_for_each(|name| papers.group(name).map(drop))?;
        if names.is_empty() {
            return Err(AppError::Missing {
                what: "the documents hold no protection group, so there is nothing to watch".into(),
                remedy: "name the files or folders with --file".into(),
            });
        }
        let mut crew = Crew::default();
        let tidings = Arc::new(Tidings::open(self, &papers)?);
        let app = Arc::new(self.timed(tidings.meter()));
        let (tell, listeners) = (heard_by(&tidings, &tell), tidings.beside(&listeners));
        let helm = Arc::new(AtTheHelm::new(&app, &papers, &listeners, supervision.stop()));
        let recording = match &serving.record {
            Some(file) if serving.judges => Some(Recording::open(&mut crew, file).await?),
            Some(_) | None => None,
        };
        let listener = serving.listener.take();
        let judges = serving.judges;
        let mut posts = Posts::new((&app, serving), &helm, recording, (&tell, &tidings));
        for name in &names {
            posts.begin(&papers, name).await?;
        }
        let mut written = app.board_documents(&mut crew, &papers, &tidings);
        if judges {
            app.board_store(&mut crew, &tidings);
            app.board_ledger(&mut crew);
            app.board_coverage(&mut crew, &tidings);
            app.board_anchors(&mut crew, &papers, &tidings)?;
        }
        let drills = if judges { Some(app.board_drills(&mut crew, supervision, &tell)) } else { None };
        if let (Some(listener), Some(answering)) = (listener, answering) {
            let vitals = Arc::new(Standing { app: Arc::clone(&app), tidings: Arc::clone(&tidings) });
            crew.board("health and figures".into(), async move {
                if let Err(error) = answering(listener, vitals, Box::pin(std::future::pending())).await {
                    tracing::error!(%error, "nothing answers for this process any more");
                }
            });
        }
        loop {
            tokio::select! {
                ended = crew.first_end() => return Err(AppError::Ended { task: ended.task, why: ended.why }),
                ended = posts.first_end() => return Err(AppError::Ended { task: ended.task, why: ended.why }),
                Some(written) = written.recv() => posts.take_up(&written).await,
                () = supervision.asked() => break,
            }
        }
        // Runs under way were told by the same signal: they pause and are resumed by whoever comes. The second signal
        // does not wait for what is under way.
        let mut stop = supervision.stop();
        let drills = async {
            if let Some(rest) = drills {
                drop(rest.await);
            }
        };
        tokio::select! {
            ((), ()) = async { futures::join!(helm.driving.none(), drills) } => {}
            _now = stop.wait_for(|stop| *stop == Stop::Now) => {}
        }
        posts.dismiss().await;
        crew.dismiss().await;
        tidings.flush().await;
        Ok(())
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
        let ((_nobody_judges, judged), (_nothing, remark)) = (watch::channel(None), watch::channel(None));
        let means = self.means(&group, judged, remark)?;
        let heart = Heart { regions: papers.regions(&group), group, observer, markers: Some(period), serves };
        controller::observe(heart, means, told).await;
        Ok(())
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
