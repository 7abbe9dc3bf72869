//! The helm of the standing controller: what a judge asks, answered from the store, and a start that goes the same way as a
//! person's. The run's requester is the process that judged, by the name of its machine.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use futures::future::BoxFuture;
use jiff::Timestamp;
use tokio::sync::watch;

use super::{
    App, AppError, Manner, Outage, Request, Rested, documents::Papers, error::whole, history, identity, route,
};
use crate::{
    controller::{Helm, Order, Outlook, Started},
    engine::{Progress, Stop},
    model::{Actor, Group, GroupName, RegionName, RunId, RunKind},
    port::{LeaseKey, RunSummary},
};

/// Makes the listener of one run's events.
pub type Listeners = Arc<dyn Fn() -> Box<dyn Progress + Send> + Send + Sync>;

/// How many runs this process drives. A process that is asked to end lets them come to rest.
#[derive(Debug, Clone)]
pub(super) struct Driving(Arc<watch::Sender<usize>>);

impl Default for Driving {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(0)))
    }
}

/// One run that is driven, until it is dropped.
pub(super) struct Aboard(Driving);

impl Driving {
    pub(super) fn aboard(&self) -> Aboard {
        self.0.send_modify(|runs| *runs += 1);
        Aboard(self.clone())
    }

    /// Resolves when none is driven.
    pub(super) async fn none(&self) {
        // The sender is ours, so the only error, its end, cannot be.
        let _none = self.0.subscribe().wait_for(|runs| *runs == 0).await.is_ok();
    }
}

impl Drop for Aboard {
    fn drop(&mut self) {
        self.0.0.send_modify(|runs| *runs = runs.saturating_sub(1));
    }
}

/// The helm.
pub(super) struct AtTheHelm {
    pub(super) app: Arc<App>,
    pub(super) papers: Arc<Papers>,
    pub(super) listeners: Listeners,
    pub(super) stop: watch::Receiver<Stop>,
    pub(super) driving: Driving,
    /// Whether a run that ended acted, by the run: journals are read once.
    acted: Mutex<BTreeMap<RunId, bool>>,
}

impl AtTheHelm {
    pub(super) fn new(
        app: &Arc<App>,
        papers: &Arc<Papers>,
        listeners: &Listeners,
        stop: watch::Receiver<Stop>,
    ) -> Self {
        let (app, papers, listeners) = (Arc::clone(app), Arc::clone(papers), Arc::clone(listeners));
        Self { app, papers, listeners, stop, driving: Driving::default(), acted: Mutex::default() }
    }

    async fn look(&self, group: &Group) -> Result<Outlook, AppError> {
        let (app, name) = (&self.app, &group.name);
        let key = LeaseKey { group: name.clone(), rehearsal: false };
        // The term first: whatever runs after it was read has another one.
        let lease = app.store.lease(&key).await.map_err(AppError::store(format!("look at the lease on {key}")))?;
        let runs = app.runs_of(name).await?;
        let serves = route::serves(group, &runs).cloned();
        let way = route::choose(RunKind::Failover, group, &runs, serves.as_ref(), None);
        Ok(Outlook {
            destination: way.ok().map(|way| way.destination),
            open: runs.iter().find(|run| run.closed.is_none() && run.key() == key).map(|run| run.run.clone()),
            stopped: app.stopped(name).await?,
            cooldown_until: self.cools(group, &runs).await?,
            frozen: group.watch.freezes.at(app.clock.now()).map(|frozen| frozen.to_string()),
            waits_for: self.below(group, serves.as_ref()).await?,
            term: lease.term,
            serves,
        })
    }

    /// Until when the group cools down after its last run that acted.
    async fn cools(&self, group: &Group, runs: &[RunSummary]) -> Result<Option<Timestamp>, AppError> {
        for summary in runs.iter().filter(|run| !run.rehearsal) {
            let Some((ended, _)) = summary.closed else { continue };
            let known = self.acted.lock().unwrap_or_else(PoisonError::into_inner).get(&summary.run).copied();
            let acted = if let Some(acted) = known {
                acted
            } else {
                let (_, events) = self.app.read(&summary.run).await?;
                let acted = history::acted(&events);
                self.acted.lock().unwrap_or_else(PoisonError::into_inner).insert(summary.run.clone(), acted);
                acted
            };
            if acted {
                return Ok(history::cools_until(ended, group.cooldown_seconds));
            }
        }
        Ok(None)
    }

    /// The groups that this one stands on and that still serve from `serves`.
    async fn below(&self, group: &Group, serves: Option<&RegionName>) -> Result<Vec<GroupName>, AppError> {
        let mut below = Vec::new();
        for name in &group.watch.after {
            let other = self.papers.group(name)?;
            let runs = self.app.runs_of(name).await?;
            if route::serves(&other, &runs) == serves {
                below.push(name.clone());
            }
        }
        Ok(below)
    }

    async fn fail_over(&self, order: Order) -> Result<Rested, AppError> {
        let request = Request {
            from: Some(order.source),
            to: Some(order.destination),
            reason: order.reason,
            ..Request::new(RunKind::Failover, order.group)
        };
        let mut drawn = self.app.draw(request).await?;
        if let Ok(actor) = Actor::new(format!("lifeboat serve on {}", identity::host())) {
            drawn.requested_by = actor;
        }
        let reports = self.app.reports_of(&drawn.request.group).await?;
        let seen = self.app.witness(&drawn, &reports).await?;
        drawn.objections(&seen)?;
        let outage = Outage {
            onset: order.onset,
            basis: "observers' verdict".into(),
            noticed: Some(order.noticed),
            probes: seen.outage.probes,
        };
        let prepared = drawn.prepared(outage, seen.estimates);
        let manner = Manner { stay: false, expected_term: Some(order.term) };
        let mut progress = (self.listeners)();
        let _aboard = self.driving.aboard();
        self.app.start(prepared, manner, &mut |_| {}, progress.as_mut(), self.stop.clone()).await
    }
}

impl Helm for AtTheHelm {
    fn outlook<'a>(&'a self, group: &'a Group) -> BoxFuture<'a, Result<Outlook, String>> {
        Box::pin(async move { self.look(group).await.map_err(|error| whole(&error)) })
    }

    fn start(&self, order: Order) -> BoxFuture<'_, Started> {
        Box::pin(async move {
            match self.fail_over(order).await {
                Ok(rested) => Started::Rested { run: rested.run.id.clone(), how: in_words(&rested) },
                Err(error) => Started::Refused(whole(&error)),
            }
        })
    }
}

/// How a run came to rest.
pub(super) fn in_words(rested: &Rested) -> String {
    match rested.run.closed() {
        Some(outcome) => outcome.as_str().to_owned(),
        None => "it waits for a person".to_owned(),
    }
}
