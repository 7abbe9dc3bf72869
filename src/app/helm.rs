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

/// The runs that this process drives. A process that is asked to end lets them come to rest, and a group's watch is not begun anew
/// under one.
#[derive(Debug, Clone)]
pub(super) struct Driving(Arc<watch::Sender<BTreeMap<GroupName, Deck>>>);

/// Of one group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Deck {
    /// So many runs are driven.
    Driven(usize),
    /// None is, and none may begin: its watch is begun anew.
    Closed,
}

impl Default for Driving {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(BTreeMap::new())))
    }
}

/// One run that is driven, until it is dropped.
pub(super) struct Aboard {
    driving: Driving,
    group: GroupName,
}

impl Driving {
    /// `None`: the group's watch is begun anew just now.
    pub(super) fn aboard(&self, group: &GroupName) -> Option<Aboard> {
        let mut aboard = None;
        self.0.send_modify(|decks| match decks.entry(group.clone()).or_insert(Deck::Driven(0)) {
            Deck::Driven(runs) => {
                *runs += 1;
                aboard = Some(Aboard { driving: self.clone(), group: group.clone() });
            }
            Deck::Closed => {}
        });
        aboard
    }

    /// Lets no run of the group begin, unless one is driven: then it says `false`.
    pub(super) fn close(&self, group: &GroupName) -> bool {
        let mut closed = true;
        self.0.send_modify(|decks| match decks.get(group) {
            Some(Deck::Driven(runs)) if *runs > 0 => closed = false,
            Some(Deck::Driven(_) | Deck::Closed) | None => {
                decks.insert(group.clone(), Deck::Closed);
            }
        });
        closed
    }

    /// Lets runs of the group begin again.
    pub(super) fn open(&self, group: &GroupName) {
        self.0.send_modify(|decks| {
            decks.remove(group);
        });
    }

    /// Resolves when none is driven.
    pub(super) async fn none(&self) {
        let rests = |deck: &Deck| matches!(deck, Deck::Closed | Deck::Driven(0));
        // The sender is ours, so the only error, its end, cannot be.
        let _none = self.0.subscribe().wait_for(|decks| decks.values().all(rests)).await.is_ok();
    }
}

impl Drop for Aboard {
    fn drop(&mut self) {
        self.driving.0.send_modify(|decks| {
            if let Some(Deck::Driven(runs)) = decks.get_mut(&self.group) {
                *runs = runs.saturating_sub(1);
            }
        });
    }
}

/// The helm.
pub(super) struct AtTheHelm {
    pub(super) app: Arc<App>,
    papers: Mutex<Arc<Papers>>,
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
        let (app, listeners) = (Arc::clone(app), Arc::clone(listeners));
        let papers = Mutex::new(Arc::clone(papers));
        Self { app, papers, listeners, stop, driving: Driving::default(), acted: Mutex::default() }
    }

    /// Goes by other documents from now on.
    pub(super) fn take_up(&self, papers: &Arc<Papers>) {
        *self.papers.lock().unwrap_or_else(PoisonError::into_inner) = Arc::clone(papers);
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
        let papers = Arc::clone(&self.papers.lock().unwrap_or_else(PoisonError::into_inner));
        for name in &group.watch.after {
            let other = papers.group(name)?;
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
        let drawn_group = drawn.request.group.clone();
        let reports = self.app.reports_of(&drawn_group).await?;
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
        let Some(_aboard) = self.driving.aboard(&drawn_group) else { return Err(begun_anew(&drawn_group)) };
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

/// A run that would begin under documents that are being replaced.
fn begun_anew(group: &GroupName) -> AppError {
    AppError::Refused {
        what: format!("the documents of {group} changed just now, and its watch begins anew"),
        remedy: "it judges by the new documents within seconds".into(),
    }
}

/// How a run came to rest.
pub(super) fn in_words(rested: &Rested) -> String {
    match rested.run.closed() {
        Some(outcome) => outcome.as_str().to_owned(),
        None => "it waits for a person".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_is_not_closed_under_a_run_and_no_run_begins_while_it_is_closed() {
        let (driving, orders, billing) =
            (Driving::default(), "orders".parse().unwrap(), "billing".parse::<GroupName>().unwrap());
        let aboard = driving.aboard(&orders).unwrap();
        assert!(!driving.close(&orders), "a run is driven");
        assert!(driving.close(&billing), "another group's run is not in the way");
        drop(aboard);
        assert!(driving.close(&orders));
        assert!(driving.aboard(&orders).is_none(), "its watch begins anew");
        driving.open(&orders);
        let (one, two) = (driving.aboard(&orders).unwrap(), driving.aboard(&orders).unwrap());
        drop(one);
        assert!(!driving.close(&orders), "one of two is still driven");
        drop(two);
        assert!(driving.close(&orders));
    }
}
