//! Starting a run, going on with one, and keeping the record of both.
//!
//! A run is driven under a lease, and a record is kept whenever it comes to rest: closed, paused, interrupted, or
//! stopped by an error (promise S13). A later record of the same run replaces it. When the process is killed, no record
//! is written; `resume` writes it. A run is entered into the ledger before its first act, and when it is closed.

use std::sync::Arc;

use tokio::sync::watch;

use super::{App, AppError, Order, Prepared, identity, prepare::newest, records::Kept};
use crate::{
    decide::{self, Rest},
    engine::{self, Engine, Hold, Options, Progress, Stop},
    evidence::Record,
    model::{CommandBody, Event, EventBody, Run, RunId, RunKind, RunState, Term},
    port::{Drivers, LeaseKey, LeaseState},
};

/// How to drive.
#[derive(Debug, Clone, Copy, Default)]
pub struct Manner {
    /// Stay and wait for orders while the run is paused.
    pub stay: bool,
    /// Only when the group's lease is still at this term: nothing ran since a person looked.
    pub expected_term: Option<Term>,
}

/// A run that came to rest.
#[derive(Debug)]
pub struct Rested {
    /// The run as it stands.
    pub run: Run,
    /// Its record.
    pub record: Record,
    /// Why nothing more happens by itself.
    pub rest: Rest,
    /// Where that is, where this process kept it.
    pub kept: Option<Kept>,
    /// What kept it out of the ledger until now; `None`: it is in.
    pub unentered: Option<String>,
}

/// Told while waiting for a lease that another process holds.
pub type Waiting<'a> = &'a mut (dyn FnMut(&LeaseState) + Send);

impl App {
    /// Opens a run and drives it until it rests.
    pub async fn start(
        &self,
        prepared: Prepared,
        manner: Manner,
        waiting: Waiting<'_>,
        progress: &mut dyn Progress,
        stop: watch::Receiver<Stop>,
    ) -> Result<Rested, AppError> {
        self.unless_stopped(&prepared.request.group).await?;
        let goes_on = prepared.request.kind == RunKind::Failover && !prepared.request.rehearsal;
        self.ledger_ready(goes_on).await?;
        let mut hold = self.take(&prepared.request.key(), manner, waiting).await?;
        if let Err(moved) = self.still_after(&prepared).await {
            hold.release().await;
            return Err(moved);
        }
        // Under the lease: from here on no other process opens a run that would be the same drill.
        if let Some(firing) = &prepared.request.scheduled
            && let Err(twice) = self.unless_drilled(firing, &prepared.request.group).await
        {
            hold.release().await;
            return Err(twice);
        }
        let opened = EventBody::Opened(Box::new(prepared.opened));
        let now = self.clock.now();
        let (id, first) = match self.store.open(hold.permit(), now, opened).await {
            Ok(opened) => opened,
            Err(source) => {
                hold.release().await;
                return Err(AppError::Store { intent: "open the run".into(), source });
            }
        };
        let run = Run::open(id.clone(), &first)
            .map_err(|source| AppError::Engine(engine::EngineError::Illegal { run: id.clone(), source }))?;
        progress.event(&first, &run);
        drop(first);
        if let Err(error) = self.entered_opened(&id, goes_on).await {
            hold.release().await;
            return Err(error);
        }
        self.sign_own(&run).await;
        let rested = self.drive(run, &mut hold, &prepared.drivers, manner, progress, stop).await;
        hold.release().await;
        self.trace(&rested).await;
        rested
    }

    /// Refuses what was prepared for another world: while it waited for the lease, somebody else's run moved the group.
    async fn still_after(&self, prepared: &Prepared) -> Result<(), AppError> {
        let group = &prepared.request.group;
        match newest(&self.runs_of(group).await?) {
            Some(run) if !prepared.request.rehearsal && Some(&run) != prepared.newest.as_ref() => {
                Err(AppError::Refused {
                    what: format!(
                        "run {run} came in between, so this one was prepared for a group that stood otherwise"
                    ),
                    remedy: format!("see how it stands now with `lifeboat status {group}`"),
                })
            }
            Some(_) | None => Ok(()),
        }
    }

    /// Takes a run over and drives it on: with an order to resume where it would stay paused otherwise.
    pub async fn resume(
        &self,
        id: &RunId,
        reason: &str,
        manner: Manner,
        waiting: Waiting<'_>,
        progress: &mut dyn Progress,
        stop: watch::Receiver<Stop>,
    ) -> Result<Rested, AppError> {
        let run = engine::load(&self.store, id).await?;
        if let Some(outcome) = run.closed() {
            // Its process may have been killed between the end and the record (promise S13).
            let (record, kept) = self.keep(id).await?;
            let unentered = self.entered(None).await;
            return Ok(Rested { run, record, kept: Some(kept), rest: Rest::Closed(outcome), unentered });
        }
        // What would keep it from going on is found before another process is kept from it.
        let drivers = self.tools.open(run.plan())?;
        let key = LeaseKey { group: id.group.clone(), rehearsal: run.opened.rehearsal };
        self.unless_stopped(&id.group).await?;
        let mut hold = self.take(&key, manner, waiting).await?;
        let rested = self.go_on(id, Some(reason), &mut hold, &drivers, manner, progress, stop).await;
        hold.release().await;
        self.trace(&rested).await;
        rested
    }

    /// Drives a run on with a lease that this process came by while it stood by. Where it would stay paused it is resumed
    /// for `reason`; without one it stays paused.
    pub async fn take_over(
        &self,
        id: &RunId,
        mut hold: Hold,
        reason: Option<&str>,
        manner: Manner,
        progress: &mut dyn Progress,
        stop: watch::Receiver<Stop>,
    ) -> Result<Rested, AppError> {
        let rested = async {
            self.unless_stopped(&id.group).await?;
            let run = engine::load(&self.store, id).await?;
            let drivers = self.tools.open(run.plan())?;
            self.go_on(id, reason, &mut hold, &drivers, manner, progress, stop).await
        }
        .await;
        hold.release().await;
        self.trace(&rested).await;
        rested
    }

    #[expect(clippy::too_many_arguments, reason = "the parts of one drive; a struct would only rename them")]
    async fn go_on(
        &self,
        id: &RunId,
        reason: Option<&str>,
        hold: &mut Hold,
        drivers: &Drivers,
        manner: Manner,
        progress: &mut dyn Progress,
        stop: watch::Receiver<Stop>,
    ) -> Result<Rested, AppError> {
        let run = engine::recover(&self.store, &self.clock, hold, id, &identity::holder(), progress).await?;
        if let Some(reason) = reason
            && matches!(self.after_orders(&run).await?.state, RunState::Paused { .. })
        {
            let order = Order { body: CommandBody::Resume, reason: reason.to_owned(), expected_term: None, key: None };
            self.order(id, order).await?;
        }
        self.drive(run, hold, drivers, manner, progress, stop).await
    }

    /// The run as it will stand once the orders that wait in its inbox are taken.
    pub(super) async fn after_orders(&self, run: &Run) -> Result<Run, AppError> {
        let orders = self.store.inbox(&run.id, run.inbox).await;
        let orders = orders.map_err(AppError::store(format!("read the orders of {}", run.id)))?;
        let mut run = run.clone();
        for order in orders {
            let proof = engine::proof(&self.settings.persons, &run, &order.command, self.clock.now()).await;
            let refused = decide::obey(&run, &order.command, &proof);
            let body = EventBody::Commanded { inbox: order.number, command: order.command, refused };
            let event = Event { seq: run.seq + 1, term: run.term, at: self.clock.now(), body };
            run.after(&event).map_err(|source| engine::EngineError::Illegal { run: run.id.clone(), source })?;
        }
        Ok(run)
    }

    /// Takes the lease. Each grant has a term one above the last, so any other grant since a person looked shows.
    pub(super) async fn take(&self, key: &LeaseKey, manner: Manner, waiting: Waiting<'_>) -> Result<Hold, AppError> {
        let now = self.store.lease(key).await.map_err(AppError::store(format!("look at the lease on {key}")))?;
        still_at(key, now.term, manner)?;
        let hold = engine::take(&self.store, &self.clock, key, &identity::holder(), waiting).await;
        let hold = hold.map_err(AppError::Lease)?;
        match still_at(key, Term(hold.permit().term().0.saturating_sub(1)), manner) {
            Ok(()) => Ok(hold),
            Err(moved) => {
                hold.release().await;
                Err(moved)
            }
        }
    }

    /// Drives, and keeps the record of whatever came of it.
    async fn drive(
        &self,
        run: Run,
        hold: &mut Hold,
        drivers: &Drivers,
        manner: Manner,
        progress: &mut dyn Progress,
        stop: watch::Receiver<Stop>,
    ) -> Result<Rested, AppError> {
        let id = run.id.clone();
        let options = Options { stay: manner.stay, ..Options::default() };
        let persons = Arc::new(self.settings.persons.clone());
        let engine = Engine { store: Arc::clone(&self.store), clock: Arc::clone(&self.clock), persons, options };
        let driven = engine.drive(run, hold, drivers, progress, stop).await;
        // One behind the other: each holds the whole journal while it works.
        let unentered = self.entered(Some(&id)).await;
        let kept = self.keep(&id).await;
        let rest = driven?;
        let (record, kept) = kept?;
        let run = record.replay().map_err(AppError::Record)?;
        Ok(Rested { run, record, rest, kept: Some(kept), unentered })
    }

    /// A run with its events.
    pub async fn read(&self, id: &RunId) -> Result<(Run, Vec<Event>), AppError> {
        let events = self.store.read(id, 0).await.map_err(AppError::store(format!("read the journal of {id}")))?;
        let run = Run::replay(id.clone(), &events)
            .map_err(|source| engine::EngineError::Illegal { run: id.clone(), source })?
            .ok_or_else(|| AppError::Store {
                intent: format!("read the journal of {id}"),
                source: crate::port::StoreError::NoRun { run: id.clone() },
            })?;
        Ok((run, events))
    }
}

/// Refuses when the lease has passed to another term than the one a person saw.
fn still_at(key: &LeaseKey, found: Term, manner: Manner) -> Result<(), AppError> {
    match manner.expected_term {
        Some(expected) if expected != found => Err(AppError::Refused {
            what: format!("group {} is at term {found} now, and not at {expected}", key.group),
            remedy: format!("look again with `lifeboat status {}`, then give the term that it shows", key.group),
        }),
        Some(_) | None => Ok(()),
    }
}
