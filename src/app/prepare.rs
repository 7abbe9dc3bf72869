//! From a request to a run that could be opened: documents, way, plan, drivers, and what the world says before anything
//! acts. Nothing here changes anything; a crash in the middle means nothing.
//!
//! Everything that asks the outside runs side by side and within one limit, because these seconds count as recovery time.

use std::sync::Arc;

use jiff::Timestamp;

use super::{
    App, AppError, Misplaced, Outage, Route, documents, drills, go_on, history,
    looking::{self, LIMIT},
    outage, route, stopping,
};
use crate::{
    model::{
        Actor, DrillMode, Facts, Firing, Group, GroupName, Loss, Opened, Plan, RegionName, Risk, RunId, RunKind,
        StopOrder, TargetName,
    },
    port::{Drivers, LeaseKey, ObserverReport, RunSummary},
};

/// What a person asks for.
#[derive(Debug, Clone)]
pub struct Request {
    /// What kind of run.
    pub kind: RunKind,
    /// A drill that changes nothing of the group.
    pub rehearsal: bool,
    /// How far that drill goes; `None`: it observes and does nothing.
    pub drill: Option<DrillMode>,
    /// The group.
    pub group: GroupName,
    /// Away from here; default: the region that serves now.
    pub from: Option<RegionName>,
    /// To here; default: the only other region, or the preferred one for a failback.
    pub to: Option<RegionName>,
    /// Why.
    pub reason: String,
    /// Risks accepted with the request.
    pub accept: Vec<Risk>,
    /// Fail over although every probe says that the source serves.
    pub healthy_anyway: bool,
    /// The firing of a schedule that asks for it; `None`: a person does.
    pub scheduled: Option<Firing>,
}

impl Request {
    /// A request without wishes.
    pub fn new(kind: RunKind, group: GroupName) -> Self {
        let (rehearsal, healthy_anyway) = (false, false);
        let (from, to, scheduled, drill) = (None, None, None, None);
        Self {
            kind,
            rehearsal,
            drill,
            group,
            from,
            to,
            reason: String::new(),
            accept: Vec::new(),
            healthy_anyway,
            scheduled,
        }
    }

    /// A drill of this mode.
    pub fn drill(mode: DrillMode, kind: RunKind, group: GroupName) -> Self {
        let rehearsal = match mode {
            DrillMode::Rehearse | DrillMode::Isolated => true,
            DrillMode::Live => false,
        };
        Self { rehearsal, drill: Some(mode), ..Self::new(kind, group) }
    }

    /// The lease under which the run's journal is written.
    pub fn key(&self) -> LeaseKey {
        LeaseKey { group: self.group.clone(), rehearsal: self.rehearsal }
    }
}

/// A plan with opened drivers; the world has not been asked yet.
pub struct Drawn {
    /// What was asked for.
    pub request: Request,
    /// Who asks.
    pub requested_by: Actor,
    /// The plan.
    pub plan: Arc<Plan>,
    /// Steps whose duration is known from earlier runs.
    pub learnt: usize,
    /// The drivers.
    pub drivers: Drivers,
    /// The run of this group that is still open.
    pub open: Option<RunId>,
    /// The newest real run of this group. The plan stands on it: it says who serves.
    pub newest: Option<RunId>,
    /// Until when the group cools down.
    pub cooldown_until: Option<Timestamp>,
    /// The order that stops the group.
    pub stopped: Option<StopOrder>,
}

/// A run that could be opened now.
pub struct Prepared {
    /// What was asked for.
    pub request: Request,
    /// Its first event.
    pub opened: Opened,
    /// The newest real run that it was prepared for.
    pub newest: Option<RunId>,
    /// The drivers.
    pub drivers: Drivers,
}

/// What the world said.
pub struct Witnessed {
    /// The members' roles.
    pub survey: super::Survey,
    /// What is known of the outage.
    pub outage: Outage,
    /// What would be lost.
    pub estimates: Vec<(TargetName, Loss)>,
    /// What the promotions saw: the destination's own role is in it.
    pub promotions: Vec<Facts>,
}

impl App {
    /// Documents, way, plan and drivers.
    pub async fn draw(&self, request: Request) -> Result<Drawn, AppError> {
        let papers = documents::read(&self.settings)?;
        let group = papers.group(&request.group)?;
        let runs = self.runs_of(&request.group).await?;
        let route = route::choose(request.kind, &group, &runs, request.from.as_ref(), request.to.as_ref())?;
        let mut plan = if request.drill == Some(DrillMode::Isolated) {
            papers.isolated(&request.group, request.kind, &route)?
        } else {
            papers.plan(&request.group, request.kind, &route)?
        };
        if request.rehearsal || request.drill.is_some() {
            papers.compare_controls(&mut plan)?;
        }
        let earlier = self.earlier(&runs).await?;
        let learnt = history::teach(&mut plan, &earlier);
        let drivers = self.tools.open(&plan)?;
        let key = request.key();
        let open = runs.iter().find(|run| run.closed.is_none() && run.key() == key).map(|run| run.run.clone());
        let newest = newest(&runs);
        let cooldown_until = self.cooldown(&group, &runs).await?;
        let stopped = self.stopped(&request.group).await?;
        let requested_by = match &request.scheduled {
            Some(firing) => drills::actor(&firing.schedule),
            None => None,
        };
        let requested_by = requested_by.unwrap_or_else(|| self.settings.actor.clone());
        let plan = Arc::new(plan);
        Ok(Drawn { request, requested_by, plan, learnt, drivers, open, newest, cooldown_until, stopped })
    }

    /// Everything up to the moment before the run is opened. Refuses what a person would regret.
    pub async fn prepare(&self, request: Request) -> Result<Prepared, AppError> {
        let drawn = self.draw(request).await?;
        if drawn.plan.isolation.is_some() {
            return self.prepare_isolated(drawn).await;
        }
        let reports = self.reports_of(&drawn.request.group).await?;
        let seen = self.witness(&drawn, &reports).await?;
        drawn.objections(&seen)?;
        Ok(drawn.prepared(seen.outage, seen.estimates))
    }

    /// Asks the world: members, probes of the source, and what would be lost.
    pub async fn witness(&self, drawn: &Drawn, reports: &[ObserverReport]) -> Result<Witnessed, AppError> {
        let clock = self.clock.as_ref();
        let opened = drawn.opened(Outage::default(), Vec::new());
        let Some(run) = looking::hypothetical(&opened, clock.now()) else { return Err(bad_plan(&drawn.request.group)) };
        let plan = &drawn.plan;
        let probes = plan.regions.iter().find(|region| region.name == plan.source).map(outage::probes_of);
        let probes = if drawn.request.kind.planned() { Vec::new() } else { probes.unwrap_or_default() };
        let (survey, promotions, answers) = futures::join!(
            looking::survey(&drawn.drivers, clock, LIMIT),
            looking::observe(&run, &drawn.drivers, reports, clock, LIMIT, crate::model::Verb::promotes),
            outage::probe_all(self.tools.prober.as_ref(), clock, &plan.source, &probes),
        );
        let outage = if drawn.request.kind.planned() {
            Outage::default()
        } else {
            outage::look(&plan.source, plan.group.detection, reports, answers, clock.now())
        };
        let estimates = looking::estimates(&run, &promotions);
        let promotions = promotions.values().filter_map(|seen| looking::facts(&seen.observed).cloned()).collect();
        Ok(Witnessed { survey, outage, estimates, promotions })
    }

    pub(super) async fn runs_of(&self, group: &GroupName) -> Result<Vec<RunSummary>, AppError> {
        self.store.runs(Some(group)).await.map_err(AppError::store(format!("list the runs of {group}")))
    }

    pub(super) async fn reports_of(&self, group: &GroupName) -> Result<Vec<ObserverReport>, AppError> {
        self.store.reports(group).await.map_err(AppError::store(format!("read the observers' reports of {group}")))
    }

    /// Durations of the last five real runs that ended.
    async fn earlier(&self, runs: &[RunSummary]) -> Result<Vec<super::Durations>, AppError> {
        let mut earlier = Vec::new();
        for summary in runs.iter().filter(|run| !run.rehearsal && run.closed.is_some()).take(5) {
            let (run, events) = self.read(&summary.run).await?;
            earlier.push(history::durations(&run, &events));
        }
        Ok(earlier)
    }

    /// The cool-down lasts from the end of the last run that acted.
    async fn cooldown(&self, group: &Group, runs: &[RunSummary]) -> Result<Option<Timestamp>, AppError> {
        for summary in runs.iter().filter(|run| !run.rehearsal) {
            let Some((ended, _)) = summary.closed else { continue };
            let (_, events) = self.read(&summary.run).await?;
            if history::acted(&events) {
                return Ok(
                    history::cools_until(ended, group.cooldown_seconds).filter(|until| *until > self.clock.now())
                );
            }
        }
        Ok(None)
    }
}

/// The newest real run of a list that is newest first.
pub(super) fn newest(runs: &[RunSummary]) -> Option<RunId> {
    runs.iter().find(|run| !run.rehearsal).map(|run| run.run.clone())
}

pub(super) fn bad_plan(group: &GroupName) -> AppError {
    AppError::Refused {
        what: format!("the plan for {group} makes no run"),
        remedy: "this is a defect of lifeboat: please report it with the documents".into(),
    }
}

/// The gravest first.
fn gravity(found: &Misplaced) -> u8 {
    match found {
        Misplaced::TwoPrimaries { .. } => 0,
        Misplaced::NoPrimary { .. } => 1,
        Misplaced::Elsewhere { .. } => 2,
    }
}

fn remedy(found: &Misplaced) -> &'static str {
    match found {
        Misplaced::TwoPrimaries { .. } => {
            "stop writes in one of them first: both sides are changing, and no run may choose between them"
        }
        Misplaced::NoPrimary { .. } => "find the one with the last write and promote it, or fail over",
        Misplaced::Elsewhere { .. } => {
            "say where the group really serves with --from and --to, or move the target back"
        }
    }
}

impl Drawn {
    /// The way.
    pub fn route(&self) -> Route {
        Route { source: self.plan.source.clone(), destination: self.plan.destination.clone() }
    }

    /// What the members' roles say against the run.
    pub(super) fn misplaced(&self, seen: &Witnessed) -> Vec<Misplaced> {
        let mut found = route::misplaced(&self.route(), &seen.survey, &route::rejoins(&self.plan));
        if self.request.kind.planned() {
            found.extend(route::leaderless(&seen.survey));
        }
        found
    }

    /// What forbids the run, whatever its gates say later.
    pub fn objections(&self, seen: &Witnessed) -> Result<(), AppError> {
        if let Some(order) = &self.stopped {
            return Err(stopping::refusal(order));
        }
        if let Some(run) = &self.open {
            return Err(AppError::Refused {
                what: format!("run {run} of this group is still open"),
                remedy: go_on(run),
            });
        }
        if let (true, Some(risk)) = (self.plan.group.approvals_signed, self.request.accept.first()) {
            return Err(AppError::Refused {
                what: format!(
                    "the group wants accepted risks to be signed, and one that comes with the request ({risk}) is not"
                ),
                remedy: format!("open the run without --accept, then `lifeboat run accept RUN {risk} --reason …`"),
            });
        }
        let misplaced = self.misplaced(seen);
        if let Some(worst) = misplaced.iter().min_by_key(|found| gravity(found)) {
            let what = misplaced.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
            return Err(AppError::Refused { what, remedy: remedy(worst).into() });
        }
        let failover = !self.request.kind.planned() && !self.request.rehearsal;
        if failover && !self.request.healthy_anyway && seen.outage.source_is_healthy() {
            let (group, source) = (&self.request.group, &self.plan.source);
            return Err(AppError::Refused {
                what: format!("every probe of {source} says that it serves, and a failover may lose data"),
                remedy: format!(
                    "move it without loss with `lifeboat switchover {group}`, or say --source-is-healthy-anyway"
                ),
            });
        }
        Ok(())
    }

    /// The first event of the run.
    pub fn opened(&self, outage: Outage, estimates: Vec<(TargetName, Loss)>) -> Opened {
        Opened {
            kind: self.request.kind,
            rehearsal: self.request.rehearsal,
            digest: self.plan.digest(),
            plan: Arc::clone(&self.plan),
            requested_by: self.requested_by.clone(),
            reason: self.request.reason.clone(),
            onset: outage.onset,
            onset_basis: outage.basis,
            noticed: outage.noticed,
            accepted: self.request.accept.clone(),
            cooldown_until: self.cooldown_until,
            estimates,
            version: env!("CARGO_PKG_VERSION").into(),
            drill: self.request.drill.or(self.request.rehearsal.then_some(DrillMode::Rehearse)),
            scheduled: self.request.scheduled.clone(),
        }
    }

    /// Ready to be opened.
    pub fn prepared(self, outage: Outage, estimates: Vec<(TargetName, Loss)>) -> Prepared {
        let opened = self.opened(outage, estimates);
        Prepared { request: self.request, opened, newest: self.newest, drivers: self.drivers }
    }
}
