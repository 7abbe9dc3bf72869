//! A stage for the engine: a clock that tests can wind, sample plans, fake targets, and a store that can die.

pub(crate) use lifeboat::model::*;
use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering},
    },
    time::Duration,
};

use futures::future::BoxFuture;
use jiff::Timestamp;
use lifeboat::{
    decide::Rest,
    driver::fake::{Fake, Script, World},
    engine::{self, Engine, EngineError, Options, Stop},
    port::{
        Clock, Driver, Drivers, InboxEntry, Journal, LeaseError, LeaseKey, LeaseState, Leases, ObserverReport, Permit,
        Records, Reports, RunSummary, Stops, Store, StoreError,
    },
};
use tokio::sync::watch;

/// The sample plans of the library's own tests.
#[path = "../../src/model/sample.rs"]
pub(crate) mod sample;

/// Follows tokio's clock, which a test may pause: then a sleep takes no time and moves the clock.
pub(crate) struct TestClock(tokio::time::Instant);

impl TestClock {
    pub(crate) fn start() -> Arc<dyn Clock> {
        Arc::new(Self(tokio::time::Instant::now()))
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        Timestamp::UNIX_EPOCH + self.0.elapsed()
    }
    fn monotonic(&self) -> Duration {
        self.0.elapsed()
    }
    fn sleep(&self, time: Duration) -> BoxFuture<'static, ()> {
        Box::pin(tokio::time::sleep(time))
    }
}

/// The driver of every target of the sample group and of the general verbs.
pub(crate) fn drivers(script: &Script, world: &World, clock: &Arc<dyn Clock>) -> Drivers {
    let fake: Arc<dyn Driver> = Arc::new(Fake::scripted(script.clone(), world.clone(), Arc::clone(clock)));
    Drivers {
        targets: ["orders-db", "uploads", "www"]
            .map(|name| (TargetName::new(name).unwrap(), Arc::clone(&fake)))
            .into_iter()
            .collect(),
        general: Verb::ALL.iter().map(|verb| (*verb, Arc::clone(&fake))).collect(),
    }
}

/// A script with trouble for some steps.
pub(crate) fn script(steps: &[(&str, lifeboat::driver::fake::Trouble)]) -> Script {
    Script {
        steps: steps.iter().map(|(name, trouble)| ((*name).to_owned(), trouble.clone())).collect::<BTreeMap<_, _>>(),
        ..Script::default()
    }
}

/// Everything a drive needs.
pub(crate) struct Stage {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) drivers: Drivers,
    pub(crate) world: World,
    pub(crate) stop: watch::Sender<Stop>,
    pub(crate) events: Vec<Event>,
}

impl Stage {
    pub(crate) fn new(store: Arc<dyn Store>, script: &Script) -> Self {
        let (clock, world) = (TestClock::start(), World::new());
        let drivers = drivers(script, &world, &clock);
        Self { store, clock, drivers, world, stop: watch::Sender::new(Stop::No), events: Vec::new() }
    }

    pub(crate) fn key(rehearsal: bool) -> LeaseKey {
        LeaseKey { group: GroupName::new("orders").unwrap(), rehearsal }
    }

    /// Opens a run and drives it until it rests.
    pub(crate) async fn start(&mut self, opened: Opened) -> Result<(Run, Rest), EngineError> {
        let key = Self::key(opened.rehearsal);
        let hold = engine::take(&self.store, &self.clock, &key, "test/1", &mut |_| {}).await.expect("the lease");
        let body = EventBody::Opened(Box::new(opened));
        let (id, first) = self.store.open(hold.permit(), self.clock.now(), body).await.expect("a run");
        let run = Run::open(id, &first).unwrap();
        self.drive(run, hold).await
    }

    /// Takes a run over and drives it until it rests.
    pub(crate) async fn resume(&mut self, id: &RunId) -> Result<(Run, Rest), EngineError> {
        let rehearsal = engine::load(&self.store, id).await?.opened.rehearsal;
        let key = Self::key(rehearsal);
        let hold = engine::take(&self.store, &self.clock, &key, "test/2", &mut |_| {}).await.expect("the lease");
        let run = engine::recover(&self.store, &self.clock, &hold, id, "test/2", &mut |_: &Event, _: &Run| {}).await?;
        self.drive(run, hold).await
    }

    async fn drive(&mut self, run: Run, mut hold: engine::Hold) -> Result<(Run, Rest), EngineError> {
        let engine = Engine {
            store: Arc::clone(&self.store),
            clock: Arc::clone(&self.clock),
            persons: Arc::new(lifeboat::port::Nobody),
            options: Options::default(),
        };
        let id = run.id.clone();
        let events = &mut self.events;
        let mut progress = |event: &Event, _: &Run| events.push(event.clone());
        let rest = engine.drive(run, &mut hold, &self.drivers, &mut progress, self.stop.subscribe()).await;
        if rest.is_ok() {
            hold.release().await;
        }
        Ok((engine::load(&self.store, &id).await?, rest?))
    }

    /// Gives an order.
    pub(crate) async fn tell(&self, run: &RunId, who: &str, body: CommandBody) {
        self.store.tell(run, sample::order(who, body)).await.unwrap();
    }

    /// How often each step's effect reached the world.
    pub(crate) fn effects(&self) -> BTreeMap<String, usize> {
        let mut counts = BTreeMap::new();
        for act in self.world.acts().iter().filter(|act| !act.undo) {
            *counts.entry(act.step.to_string()).or_default() += 1;
        }
        counts
    }
}

/// When a store dies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dies {
    /// The events are not written.
    Before,
    /// They are written, and nobody learns of it.
    After,
}

/// Asked before each append, with its number from 0 and its events: whether the process dies there, and how.
pub(crate) type Doom = Box<dyn Fn(i64, &[(Timestamp, EventBody)]) -> Option<Dies> + Send + Sync>;

/// A store whose process dies at a chosen append. Everything before it is kept.
pub(crate) struct Mortal {
    pub(crate) inner: Arc<dyn Store>,
    appends: AtomicI64,
    dead: AtomicBool,
    doom: Doom,
    pub(crate) slow: Slow,
}

/// How long a store takes to answer, in milliseconds: it did what it was asked long before.
#[derive(Default)]
pub(crate) struct Slow {
    pub(crate) grant: AtomicU64,
    pub(crate) renewal: AtomicU64,
    pub(crate) inbox: AtomicU64,
    pub(crate) append: AtomicU64,
}

impl Slow {
    async fn pass(time: &AtomicU64) {
        match time.load(Ordering::SeqCst) {
            0 => {}
            time => tokio::time::sleep(Duration::from_millis(time)).await,
        }
    }
}

impl Mortal {
    /// Dies at append number `at`, from 0.
    pub(crate) fn new(inner: Arc<dyn Store>, at: i64, dies: Dies) -> Self {
        Self::doomed(inner, Box::new(move |number, _| (number == at).then_some(dies)))
    }

    /// Dies where `doom` says so.
    pub(crate) fn doomed(inner: Arc<dyn Store>, doom: Doom) -> Self {
        Self { inner, appends: AtomicI64::new(0), dead: AtomicBool::new(false), doom, slow: Slow::default() }
    }

    /// Appends that were asked for so far.
    pub(crate) fn appends(&self) -> i64 {
        self.appends.load(Ordering::SeqCst)
    }
}

fn dead() -> StoreError {
    StoreError::Unavailable { intent: "go on: the process died".into(), source: "kill -9".into() }
}

impl Journal for Mortal {
    fn open<'a>(
        &'a self,
        permit: &'a Permit,
        at: Timestamp,
        opened: EventBody,
    ) -> BoxFuture<'a, Result<(RunId, Event), StoreError>> {
        self.inner.open(permit, at, opened)
    }
    fn append<'a>(
        &'a self,
        permit: &'a Permit,
        run: &'a RunId,
        after: u64,
        events: Vec<(Timestamp, EventBody)>,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async move {
            if self.dead.load(Ordering::SeqCst) {
                return Err(dead());
            }
            let number = self.appends.fetch_add(1, Ordering::SeqCst);
            if let Some(dies) = (self.doom)(number, &events) {
                self.dead.store(true, Ordering::SeqCst);
                if dies == Dies::After {
                    self.inner.append(permit, run, after, events).await?;
                }
                return Err(dead());
            }
            let appended = self.inner.append(permit, run, after, events).await;
            Slow::pass(&self.slow.append).await;
            appended
        })
    }
    fn read<'a>(&'a self, run: &'a RunId, after: u64) -> BoxFuture<'a, Result<Vec<Event>, StoreError>> {
        self.inner.read(run, after)
    }
    fn runs<'a>(&'a self, group: Option<&'a GroupName>) -> BoxFuture<'a, Result<Vec<RunSummary>, StoreError>> {
        self.inner.runs(group)
    }
    fn tell<'a>(&'a self, run: &'a RunId, command: Command) -> BoxFuture<'a, Result<u64, StoreError>> {
        self.inner.tell(run, command)
    }
    fn inbox<'a>(&'a self, run: &'a RunId, after: u64) -> BoxFuture<'a, Result<Vec<InboxEntry>, StoreError>> {
        Box::pin(async move {
            let entries = self.inner.inbox(run, after).await;
            Slow::pass(&self.slow.inbox).await;
            entries
        })
    }
}

impl Leases for Mortal {
    fn acquire<'a>(
        &'a self,
        key: &'a LeaseKey,
        holder: &'a str,
        unchanged_since: Option<u64>,
    ) -> BoxFuture<'a, Result<Permit, LeaseError>> {
        Box::pin(async move {
            let granted = self.inner.acquire(key, holder, unchanged_since).await;
            Slow::pass(&self.slow.grant).await;
            granted
        })
    }
    fn renew<'a>(&'a self, permit: &'a Permit) -> BoxFuture<'a, Result<(), LeaseError>> {
        Box::pin(async move {
            let renewed = self.inner.renew(permit).await;
            Slow::pass(&self.slow.renewal).await;
            renewed
        })
    }
    fn release<'a>(&'a self, permit: &'a Permit) -> BoxFuture<'a, Result<(), LeaseError>> {
        self.inner.release(permit)
    }
    fn lease<'a>(&'a self, key: &'a LeaseKey) -> BoxFuture<'a, Result<LeaseState, StoreError>> {
        self.inner.lease(key)
    }
}

impl Reports for Mortal {
    fn publish<'a>(&'a self, report: &'a ObserverReport) -> BoxFuture<'a, Result<(), StoreError>> {
        self.inner.publish(report)
    }
    fn reports<'a>(&'a self, group: &'a GroupName) -> BoxFuture<'a, Result<Vec<ObserverReport>, StoreError>> {
        self.inner.reports(group)
    }
}

impl Stops for Mortal {
    fn order_stop<'a>(&'a self, order: &'a StopOrder) -> BoxFuture<'a, Result<(), StoreError>> {
        self.inner.order_stop(order)
    }
    fn stop_orders(&self) -> BoxFuture<'_, Result<Vec<StopOrder>, StoreError>> {
        self.inner.stop_orders()
    }
}

impl Records for Mortal {
    fn keep<'a>(&'a self, run: &'a RunId, record: String) -> BoxFuture<'a, Result<(), StoreError>> {
        self.inner.keep(run, record)
    }
    fn record<'a>(&'a self, run: &'a RunId) -> BoxFuture<'a, Result<Option<String>, StoreError>> {
        self.inner.record(run)
    }
}
