//! The loop: orders, decide, record, act, and wait for the first thing that happens.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use jiff::Timestamp;
use tokio::sync::watch;

use super::{
    EngineError, Hold, Progress, calls,
    flight::{Flight, Landed},
    ledger::Ledger,
    proof::{proof, withdrawn},
};
use crate::{
    decide::{self, Look, Next, Rest, World},
    model::{Attempt, DrillPolicy, EventBody, Observed, Run, StepIndex, TargetName, stopped},
    port::{Clock, Driver, Drivers, Known, Persons, Store, StoreError},
};

/// How often the inbox is read: an order from another terminal is taken within this time.
const INBOX: Duration = Duration::from_millis(100);

/// Settings of a drive.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Steps that may be under way at once.
    pub parallel: usize,
    /// Stay and wait for orders when the run is paused, instead of coming back.
    pub stay: bool,
}

impl Default for Options {
    /// 64 at once: far more than a runbook has side by side, few enough for file descriptors and servers.
    fn default() -> Self {
        Self { parallel: 64, stay: false }
    }
}

/// Whether acts are real.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hands {
    /// Drivers act.
    Real,
    /// Everything is observed and nothing is changed: no driver ever sees a permit.
    Simulated,
}

/// How a person's Ctrl-C reaches the loop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Stop {
    /// Go on.
    #[default]
    No,
    /// Start nothing new, wait for what is under way.
    Gently,
    /// Come back now; what is under way is unknown and will be observed by whoever resumes.
    Now,
}

/// Drives runs.
pub struct Engine {
    /// Where journals are.
    pub store: Arc<dyn Store>,
    /// Where time comes from.
    pub clock: Arc<dyn Clock>,
    /// Who can tell whether a person signed an order.
    pub persons: Arc<dyn Persons>,
    /// Settings.
    pub options: Options,
}

struct Drive<'a> {
    engine: &'a Engine,
    ledger: Ledger,
    hold: &'a mut Hold,
    drivers: &'a Drivers,
    hands: Hands,
    known: BTreeMap<TargetName, Known>,
    world: World,
    flight: Flight,
    progress: &'a mut dyn Progress,
    stop: watch::Receiver<Stop>,
    orders_at: Duration,
    /// What the wall clock and the monotonic clock showed at the beginning.
    began: (Timestamp, Duration),
}

impl Engine {
    /// Drives `run` until it rests. The hold stays with the caller, who releases it.
    pub async fn drive(
        &self,
        run: Run,
        hold: &mut Hold,
        drivers: &Drivers,
        progress: &mut dyn Progress,
        stop: watch::Receiver<Stop>,
    ) -> Result<Rest, EngineError> {
        let reports = self
            .store
            .reports(&run.id.group)
            .await
            .map_err(|source| EngineError::Journal { run: run.id.clone(), source })?;
        let hands = if run.opened.simulated() { Hands::Simulated } else { Hands::Real };
        let drive = Drive {
            engine: self,
            known: calls::known(&run, &reports),
            ledger: Ledger::new(run, &self.store, &self.clock),
            hold,
            drivers,
            hands,
            world: World { parallel: self.options.parallel.max(1), ..World::default() },
            flight: Flight::new(&self.clock),
            progress,
            stop,
            orders_at: Duration::ZERO,
            began: (self.clock.now(), self.clock.monotonic()),
        };
        drive.run().await
    }
}

impl Drive<'_> {
    async fn run(mut self) -> Result<Rest, EngineError> {
        loop {
            self.renew().await?;
            self.take_orders().await?;
            let next = self.decide().await?;
            let moved = !next.record.is_empty() || !next.observe.is_empty();
            self.start(&next).await?;
            let landed = self.land_ready()?;
            if moved || landed {
                continue;
            }
            self.ledger.save(self.hold.permit(), self.progress).await?;
            if let Some(rest) = next.rest
                && self.flight.is_empty()
                && !self.waits(&rest)
            {
                return Ok(rest);
            }
            if *self.stop.borrow() == Stop::Now {
                return Ok(Rest::Interrupted);
            }
            self.wait(next.wake_at).await?;
        }
    }

    /// An approval is waited for; a pause only where the caller wants to stay.
    fn waits(&self, rest: &Rest) -> bool {
        match rest {
            Rest::AwaitingApproval(_) => true,
            Rest::Paused(_) => self.engine.options.stay && *self.stop.borrow() == Stop::No,
            Rest::Closed(_) | Rest::Interrupted => false,
        }
    }

    /// Puts the permit out when its time is up. Asked before anything under way is polled: the store may have kept this
    /// loop waiting for longer than the lease lasts.
    fn check(&self) -> Result<(), EngineError> {
        self.hold.check().map_err(|source| EngineError::LeaseLost { run: self.ledger.run.id.clone(), source })
    }

    async fn renew(&mut self) -> Result<(), EngineError> {
        let run = self.ledger.run.id.clone();
        self.hold.renew().await.map_err(|source| EngineError::LeaseLost { run, source })
    }

    /// Takes what is in the inbox, and sees whether the group is stopped, when it is time to look.
    async fn take_orders(&mut self) -> Result<(), EngineError> {
        let now = self.engine.clock.monotonic();
        // A run that ended between being found open and being taken over obeys nobody: it is over, and no error.
        if now < self.orders_at || self.ledger.run.closed().is_some() {
            return Ok(());
        }
        self.orders_at = now + INBOX;
        let run = &self.ledger.run;
        match self.engine.store.stop_orders().await {
            Ok(orders) => self.world.stopped = stopped(&orders, &run.id.group).cloned(),
            // Nobody can tell: what was known last counts.
            Err(StoreError::Unavailable { .. }) => {}
            Err(source) => return Err(EngineError::Journal { run: run.id.clone(), source }),
        }
        let orders = match self.engine.store.inbox(&run.id, run.inbox).await {
            Ok(orders) => orders,
            // Orders can wait; the journal is what must not fail.
            Err(StoreError::Unavailable { .. }) => return Ok(()),
            Err(source) => return Err(EngineError::Journal { run: run.id.clone(), source }),
        };
        for order in orders {
            let persons = self.engine.persons.as_ref();
            let proof = proof(persons, &self.ledger.run, &order.command, self.engine.clock.now()).await;
            let refused = decide::obey(&self.ledger.run, &order.command, &proof);
            let body = EventBody::Commanded { inbox: order.number, command: order.command, refused };
            self.ledger.note(self.hold.permit().term(), body)?;
            self.world.observed.clear();
            self.world.looks.clear();
        }
        Ok(())
    }

    /// The time by which is decided: the wall clock of the beginning, carried on by the monotonic clock. A wall clock that is
    /// set in the middle of a run neither stretches a rest nor cuts it short, and ends no cool-down.
    fn now(&self) -> Timestamp {
        let (wall, monotonic) = self.began;
        wall.saturating_add(self.engine.clock.monotonic().saturating_sub(monotonic)).unwrap_or(wall)
    }

    async fn decide(&mut self) -> Result<Next, EngineError> {
        self.world.now = self.now();
        self.world.interrupted = *self.stop.borrow() != Stop::No;
        let mut next = decide::next(&self.ledger.run, &self.world);
        if !next.act.is_empty() && self.ask_again().await? {
            next = decide::next(&self.ledger.run, &self.world);
        }
        for body in &next.record {
            self.note(body.clone())?;
        }
        Ok(next)
    }

    /// Before the first act, persons who signed an approval are asked for once more: a key that was revoked since counts no more. Whether
    /// anything came of it.
    async fn ask_again(&mut self) -> Result<bool, EngineError> {
        let run = &self.ledger.run;
        if run.opened.rehearsal || run.has_acted() {
            return Ok(false);
        }
        let withdrawn = withdrawn(self.engine.persons.as_ref(), run, self.engine.clock.now()).await;
        for body in &withdrawn {
            self.note(body.clone())?;
        }
        Ok(!withdrawn.is_empty())
    }

    /// Notes an event. Whatever was seen of its step has been judged by then.
    fn note(&mut self, body: EventBody) -> Result<(), EngineError> {
        if let Some(step) = body.step() {
            self.world.observed.remove(&step);
            self.world.looks.remove(&step);
        }
        self.ledger.note(self.hold.permit().term(), body)
    }

    /// Starts what was decided. Acts start only after their intents are durable and the lease was checked again.
    async fn start(&mut self, next: &Next) -> Result<(), EngineError> {
        for index in &next.observe {
            self.observe(*index)?;
        }
        if next.act.is_empty() && next.undo.is_none() {
            return Ok(());
        }
        self.ledger.save(self.hold.permit(), self.progress).await?;
        self.check()?;
        for index in &next.act {
            self.act(*index)?;
        }
        next.undo.map_or(Ok(()), |index| self.undo(index))
    }

    fn driver(&self, index: StepIndex) -> Result<Arc<dyn Driver>, EngineError> {
        let run = &self.ledger.run;
        let step = run.plan().step(index);
        step.and_then(|step| self.drivers.of(step.verb, step.target.as_ref())).cloned().ok_or_else(|| {
            let step = step.map_or_else(|| index.0.to_string(), |step| step.name.to_string());
            EngineError::NoDriver { run: run.id.clone(), step }
        })
    }

    fn observe(&mut self, index: StepIndex) -> Result<(), EngineError> {
        let driver = self.driver(index)?;
        let run = &self.ledger.run;
        let Some(step) = run.plan().step(index) else { return Ok(()) };
        match calls::call(run, index, step, &self.known, self.world.now) {
            Ok(call) => {
                self.world.busy.insert(index);
                self.flight.observe(index, driver, call);
            }
            Err(error) => {
                let why = format!("its parameters cannot be filled in: {error}");
                let result = Attempt::NotApplied { why, retry: false };
                let attempt = run.tries.get(index.at()).copied().unwrap_or(0);
                let settled = decide::settle(run, index, attempt, result, self.world.now);
                return settled.map_or(Ok(()), |body| self.note(body));
            }
        }
        Ok(())
    }

    fn act(&mut self, index: StepIndex) -> Result<(), EngineError> {
        let driver = self.driver(index)?;
        let run = &self.ledger.run;
        let Some(step) = run.plan().step(index) else { return Ok(()) };
        let simulated = run.opened.rehearsal && step.drill == DrillPolicy::Simulate;
        let hands = if simulated { Hands::Simulated } else { self.hands };
        match (hands, calls::call(run, index, step, &self.known, self.world.now)) {
            (Hands::Simulated, _) => self.flight.simulate(index, run.tries.get(index.at()).copied().unwrap_or(1)),
            (Hands::Real, Ok(call)) => {
                self.flight.act(index, driver, self.hold.permit().clone(), self.hold.watch(), call);
            }
            (Hands::Real, Err(error)) => {
                let why = format!("its parameters cannot be filled in: {error}");
                let attempt = run.tries.get(index.at()).copied().unwrap_or(1);
                let result = Attempt::NotApplied { why, retry: false };
                let settled = decide::settle(run, index, attempt, result, self.world.now);
                return settled.map_or(Ok(()), |body| self.note(body));
            }
        }
        self.world.busy.insert(index);
        Ok(())
    }

    /// Undoes by the driver, or by the verb that the runbook declares for it.
    fn undo(&mut self, index: StepIndex) -> Result<(), EngineError> {
        let run = &self.ledger.run;
        let Some(step) = run.plan().step(index).cloned() else { return Ok(()) };
        let mut undoing = step.clone();
        if let Some(undo) = &step.undo {
            undoing.verb = undo.uses;
            undoing.with.clone_from(&undo.with);
            if undo.uses.capability() == crate::model::Capability::General {
                undoing.target = None;
            }
        }
        let driver = self.drivers.of(undoing.verb, undoing.target.as_ref()).cloned();
        match (driver, calls::call(run, index, &undoing, &self.known, self.world.now)) {
            (Some(driver), Ok(call)) => {
                let (permit, watch) = (self.hold.permit().clone(), self.hold.watch());
                self.flight.undo(index, driver, permit, watch, call, step.undo.is_some());
                self.world.busy.insert(index);
                Ok(())
            }
            (None, _) => self.note(EventBody::Stuck { step: index, why: "no driver is open for its undo".into() }),
            (Some(_), Err(error)) => {
                let why = format!("the parameters of its undo cannot be filled in: {error}");
                self.note(EventBody::Stuck { step: index, why })
            }
        }
    }

    /// Takes in whatever has ended by now.
    fn land_ready(&mut self) -> Result<bool, EngineError> {
        self.check()?;
        let mut any = false;
        while let Some(landed) = self.flight.landed() {
            any = true;
            self.land(landed)?;
        }
        Ok(any)
    }

    fn land(&mut self, landed: Landed) -> Result<(), EngineError> {
        self.world.now = self.now();
        match landed {
            Landed::Observed(index, Observed::Unknown { why }) => {
                self.world.busy.remove(&index);
                let run = &self.ledger.run;
                let look = Look::in_vain(self.world.looks.get(&index), why, self.world.now, (&run.id, index));
                self.world.looks.insert(index, look);
                Ok(())
            }
            Landed::Observed(index, observed) => {
                self.world.busy.remove(&index);
                self.world.observed.insert(index, observed);
                Ok(())
            }
            Landed::Acted(index, attempt, result) => {
                self.world.busy.remove(&index);
                match decide::settle(&self.ledger.run, index, attempt, result, self.world.now) {
                    Some(body) => self.note(body),
                    None => Ok(()),
                }
            }
            Landed::Undone(step, result) => {
                self.world.busy.remove(&step);
                self.note(match result {
                    Attempt::Applied { output, .. } => EventBody::Undone { step, output },
                    Attempt::NotApplied { why, .. } => EventBody::Stuck { step, why },
                    Attempt::Unknown { why } => {
                        EventBody::Stuck { step, why: format!("nobody knows whether it was undone: {why}") }
                    }
                })
            }
        }
    }

    /// Waits for the first thing that happens: something lands, an order may have come, the lease wants renewing, a rest
    /// is over, the process is asked to end.
    async fn wait(&mut self, wake_at: Option<Timestamp>) -> Result<(), EngineError> {
        self.check()?;
        let orders = self.orders_at.saturating_sub(self.engine.clock.monotonic());
        let wake =
            wake_at.map_or(INBOX, |at| Duration::try_from(at.duration_since(self.world.now)).unwrap_or_default());
        let sleep = self.engine.clock.sleep(orders.min(self.hold.due_in()).min(wake).max(Duration::from_millis(1)));
        let ended = *self.stop.borrow_and_update() == Stop::Now;
        // In this order, for the same story every time: what else is ready is met at the next turn, before anything is waited for.
        tokio::select! {
            biased;
            landed = self.flight.next() => self.land(landed),
            () = sleep => Ok(()),
            changed = self.stop.changed(), if !ended => {
                if changed.is_err() {
                    // Nobody can ask us to end any more: wait without that branch.
                    self.engine.clock.sleep(INBOX).await;
                }
                Ok(())
            }
        }
    }
}
