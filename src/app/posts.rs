//! What this process does for each group, a post each: its observer, its judge, its rounds, and whoever takes over runs whose process is
//! gone.
//!
//! Posts stand on the documents that they began with. When the documents on disk say something else of a group or its regions, and all of
//! them check clean, the posts that it concerns end and begin anew: streaks begin at unknown and a judge remembers nothing, so nothing starts by itself
//! because of it, and a hold-down begins again. Documents that do not check are refused as a whole, and everything stays. A post whose process
//! drives a run is left as it is until that run has come to rest: a run goes on with what it pinned.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use futures::future::select_all;
use tokio::sync::watch;

use super::{
    App, AppError, Manner, News, Serving, Standing as StoodBy, Teller, What,
    documents::{Papers, Written},
    error::whole,
    helm::{AtTheHelm, in_words},
    recordings::{Recorded, Recording},
    route,
    supervise::{Crew, Ended},
    tidings::Tidings,
};
use crate::{
    controller::{self, Heart, Helm, Judge, Means, Order, Pulse, Said},
    model::{
        Automation, Group, GroupName, Judged, MemberRole, ProbeName, Region, RegionName, RunId, RunState, TargetName,
    },
};

/// Between two looks for a run that nobody drives.
const ROUND: Duration = Duration::from_secs(1);
/// Between two looks at a group's readiness.
const READINESS: Duration = Duration::from_mins(1);

/// All posts of this process.
pub(super) struct Posts {
    pub(super) app: Arc<App>,
    pub(super) serving: Serving,
    pub(super) helm: Arc<AtTheHelm>,
    pub(super) recording: Option<Recording>,
    pub(super) tell: Teller,
    pub(super) tidings: Arc<Tidings>,
    begun: BTreeMap<GroupName, Post>,
}

struct Post {
    crew: Crew,
    stands_on: Grounds,
}

/// What the documents say of a group, as far as its post reads it.
#[derive(Debug, Clone, PartialEq)]
struct Grounds {
    group: Group,
    regions: Vec<Region>,
}

impl Grounds {
    fn of(papers: &Papers, name: &GroupName) -> Result<Self, AppError> {
        let group = papers.group(name)?;
        let regions = papers.regions(&group);
        Ok(Self { group, regions })
    }

    /// What its figures are named by.
    fn shape(&self) -> (&[(RegionName, MemberRole)], Vec<&TargetName>) {
        (&self.group.regions, self.group.targets.iter().map(|target| &target.name).collect())
    }
}

impl Posts {
    pub(super) fn new(
        (app, serving): (&Arc<App>, Serving),
        helm: &Arc<AtTheHelm>,
        recording: Option<Recording>,
        (tell, tidings): (&Teller, &Arc<Tidings>),
    ) -> Self {
        Self {
            app: Arc::clone(app),
            serving,
            helm: Arc::clone(helm),
            recording,
            tell: Arc::clone(tell),
            tidings: Arc::clone(tidings),
            begun: BTreeMap::new(),
        }
    }

    /// Begins a group's post.
    pub(super) async fn begin(&mut self, papers: &Papers, name: &GroupName) -> Result<(), AppError> {
        let grounds = Grounds::of(papers, name)?;
        let (app, tell, tidings, group) = (&self.app, &self.tell, &self.tidings, &grounds.group);
        let mut crew = Crew::default();
        let (judged, heard) = watch::channel(None);
        app.board_observer(&mut crew, papers, group, &self.serving, heard, (tell, tidings)).await?;
        if self.serving.judges {
            app.board_rounds(&mut crew, group, tidings)?;
            app.board_readiness(&mut crew, name, (tell, tidings));
            let recorded = self.recording.as_ref().map(|recording| recording.of(group));
            app.board_judge(&mut crew, group, (Arc::clone(&self.helm) as _, judged), recorded, tell);
            if group.automation == Automation::Automatic {
                app.board_keeper(&mut crew, group, &self.helm, tell);
            }
        }
        self.begun.insert(name.clone(), Post { crew, stands_on: grounds });
        Ok(())
    }

    /// Takes up what is written now, where it differs and checks clean.
    pub(super) async fn take_up(&mut self, written: &Written) {
        match written {
            Written::Clean(papers) => match self.change(papers).await {
                Ok(()) => self.tidings.documents_refused(None),
                Err(why) => self.tidings.documents_refused(Some(whole(&why))),
            },
            Written::Broken(why) => self.tidings.documents_refused(Some(why.clone())),
        }
    }

    async fn change(&mut self, papers: &Arc<Papers>) -> Result<(), AppError> {
        let names = papers.groups();
        if names.is_empty() {
            return Err(AppError::Missing {
                what: "the documents hold no protection group any more, so there would be nothing to watch".into(),
                remedy: "end this process if that is meant".into(),
            });
        }
        let mut begins = Vec::new();
        for name in &names {
            let grounds = Grounds::of(papers, name)?;
            let before = self.begun.get(name).map(|post| &post.stands_on);
            if before != Some(&grounds) {
                // What would keep it from beginning is found before anything ends.
                drop(self.app.tools.open_targets(&grounds.group)?);
                begins.push((name.clone(), before.is_some_and(|before| before.shape() != grounds.shape())));
            }
        }
        let gone: Vec<GroupName> = self.begun.keys().filter(|name| !names.contains(name)).cloned().collect();
        let before = self.probes();
        self.helm.take_up(papers);
        for name in gone {
            if self.end(&name).await {
                self.helm.driving.open(&name);
                self.tidings.forget(&name);
                tracing::warn!(group = %name, "it is in no document any more: its watch has ended");
                (self.tell)(News { group: name, what: What::Watched { anew: false } });
            }
        }
        for (name, reshaped) in begins {
            if !self.end(&name).await {
                continue;
            }
            if reshaped {
                // What is not observed any more must not be shown as it was.
                self.tidings.forget_figures(&name);
            }
            let begun = self.begin(papers, &name).await;
            self.helm.driving.open(&name);
            begun?;
            tracing::warn!(group = %name, "its documents changed: its watch begins anew with them");
            (self.tell)(News { group: name, what: What::Watched { anew: true } });
        }
        for (region, probe) in before.difference(&self.probes()) {
            self.tidings.meter().forget_probe(region, probe);
        }
        Ok(())
    }

    /// All probes that are made.
    fn probes(&self) -> BTreeSet<(RegionName, ProbeName)> {
        let regions = self.begun.values().flat_map(|post| &post.stands_on.regions);
        let named = regions.flat_map(|region| {
            let names = region.probes.iter().filter_map(|probe| probe.get("name")?.as_str()?.parse().ok());
            names.map(|name| (region.name.clone(), name))
        });
        named.collect()
    }

    /// Ends a group's post; `false`: this process drives a run of it.
    async fn end(&mut self, name: &GroupName) -> bool {
        if !self.helm.driving.close(name) {
            return false;
        }
        if let Some(post) = self.begun.remove(name) {
            post.crew.dismiss().await;
        }
        true
    }

    /// Resolves when a task of any post has ended.
    pub(super) async fn first_end(&mut self) -> Ended {
        if self.begun.is_empty() {
            return std::future::pending().await;
        }
        select_all(self.begun.values_mut().map(|post| Box::pin(post.crew.first_end()))).await.0
    }

    /// Ends all of them.
    pub(super) async fn dismiss(self) {
        for (_, post) in self.begun {
            post.crew.dismiss().await;
        }
    }
}

impl App {
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
        let means = self.means(group, judged, tidings.remark())?;
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
    pub(super) fn means(
        &self,
        group: &Group,
        judged: watch::Receiver<Option<Judged>>,
        remark: watch::Receiver<Option<String>>,
    ) -> Result<Means, AppError> {
        Ok(Means {
            store: Arc::clone(&self.store),
            clock: Arc::clone(&self.clock),
            prober: Arc::clone(&self.tools.prober),
            drivers: self.tools.open_targets(group)?,
            judged,
            remark,
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
        // Whoever watches next takes it over.
        let Some(_aboard) = helm.driving.aboard(&run.group) else { return Ok(None) };
        tell(News { group: run.group.clone(), what: What::TakenOver(run.clone()) });
        let (mut progress, stop) = ((helm.listeners)(), helm.stop.clone());
        let rested = self.take_over(run, hold, None, Manner::default(), progress.as_mut(), stop).await?;
        Ok(Some(in_words(&rested)))
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
