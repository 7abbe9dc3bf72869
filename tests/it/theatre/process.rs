//! One orchestrator process on a machine of its own: its clock, its links, and a life that can be frozen and ended anywhere.
//!
//! A life is what one command of the program does: start a run, or resume one. It mirrors `app::runs`: take the lease, open or
//! recover, drive until it rests, release. The engine, the hold and the decisions are the real ones.
//!
//! - **Dies** ([`Process::crash`], [`Process::crash_at_poll`], [`Blow::Dies`](super::links::Blow)): the future is dropped where
//!   it waits. Requests that it sent are the network's and still arrive.
//! - **Freezes** ([`Process::freeze`]): the future is not polled. Its timers run out meanwhile and its replies arrive; it sees
//!   both when it goes on, in the order in which it happens to look. Its monotonic clock has gone on, as that of a stopped
//!   process does.
//! - **Wall clock** ([`Process::wall_jumps`]): forwards or backwards, whenever. The monotonic clock never jumps.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering},
    },
    task::{Context, Poll, Waker},
    time::Duration,
};

use futures::future::BoxFuture;
use jiff::Timestamp;
use lifeboat::{
    decide::Rest,
    engine::{self, Engine, EngineError, Hold, Options, Stop},
    model::{Actor, Command, CommandBody, Event, EventBody, Opened, Run, RunId, RunState},
    port::{Clock, Drivers, LeaseKey, Store},
};
use tokio::sync::watch;

use super::{
    driver,
    hall::{Hall, Happening},
    links::StoreLink,
};

/// The hands on one life: it is told to freeze, to go on, to die.
#[derive(Debug, Default)]
pub(crate) struct Control {
    dead: AtomicBool,
    frozen: AtomicBool,
    polls: AtomicU64,
    /// Dies at this poll; 0: at none.
    dies_at: AtomicU64,
    waker: Mutex<Option<Waker>>,
}

impl Control {
    fn wake(&self) {
        if let Some(waker) = self.waker.lock().unwrap_or_else(PoisonError::into_inner).take() {
            waker.wake();
        }
    }

    pub(super) fn kill(&self) {
        self.dead.store(true, Ordering::SeqCst);
        self.wake();
    }

    /// Freezes for a time; must be called inside the runtime.
    pub(super) fn freeze(self: &Arc<Self>, time: Duration) {
        if self.frozen.swap(true, Ordering::SeqCst) {
            return;
        }
        let control = Arc::clone(self);
        tokio::spawn(async move {
            tokio::time::sleep(time).await;
            control.frozen.store(false, Ordering::SeqCst);
            control.wake();
        });
    }

    fn born(&self) {
        self.dead.store(false, Ordering::SeqCst);
        self.polls.store(0, Ordering::SeqCst);
        self.dies_at.store(0, Ordering::SeqCst);
    }
}

/// A life under control. `None`: it was ended from outside.
struct Vessel<F> {
    life: Option<Pin<Box<F>>>,
    control: Arc<Control>,
}

impl<F: Future> Future for Vessel<F> {
    type Output = Option<F::Output>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let control = Arc::clone(&self.control);
        *control.waker.lock().unwrap_or_else(PoisonError::into_inner) = Some(context.waker().clone());
        let dead = || control.dead.load(Ordering::SeqCst);
        if !dead() && control.frozen.load(Ordering::SeqCst) {
            return Poll::Pending;
        }
        let polls = control.polls.fetch_add(1, Ordering::SeqCst) + 1;
        if polls == control.dies_at.load(Ordering::SeqCst) {
            control.dead.store(true, Ordering::SeqCst);
        }
        let polled = match (&mut self.life, dead()) {
            (Some(life), false) => life.as_mut().poll(context),
            (_, true) | (None, _) => Poll::Pending,
        };
        match polled {
            _ if dead() => {
                self.life = None;
                Poll::Ready(None)
            }
            Poll::Ready(end) => Poll::Ready(Some(end)),
            Poll::Pending => Poll::Pending,
        }
    }
}

/// A process' own view of time.
struct ProcessClock {
    hall: Arc<Hall>,
    /// Milliseconds by which the wall clock is wrong.
    wrong: Arc<AtomicI64>,
}

/// What the wall clocks show when everything begins: 2026-01-01T00:00:00Z.
const BEGINNING: i64 = 1_767_225_600;

impl Clock for ProcessClock {
    fn now(&self) -> Timestamp {
        let right = Timestamp::from_second(BEGINNING).unwrap() + self.hall.now();
        right + jiff::SignedDuration::from_millis(self.wrong.load(Ordering::SeqCst))
    }
    fn monotonic(&self) -> Duration {
        self.hall.now()
    }
    fn sleep(&self, time: Duration) -> BoxFuture<'static, ()> {
        Box::pin(tokio::time::sleep(time))
    }
}

/// How a life ended.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Ended {
    /// The run rests.
    Rested(Rest),
    /// It stopped with an error: the engine's words.
    Stopped(String),
    /// The journal made no sense, or a driver was missing: never right.
    Broken(String),
    /// It was ended from outside.
    Died,
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rested(rest) => write!(f, "{rest:?}"),
            Self::Stopped(words) => f.write_str(words),
            Self::Broken(words) => write!(f, "BROKEN: {words}"),
            Self::Died => f.write_str("died"),
        }
    }
}

/// A machine on which one process at a time lives.
pub(crate) struct Process {
    pub(crate) name: String,
    pub(crate) hall: Arc<Hall>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) store: Arc<dyn Store>,
    control: Arc<Control>,
    wrong: Arc<AtomicI64>,
    stop: watch::Sender<Stop>,
    lives: AtomicU64,
    alive: Arc<AtomicBool>,
    ended: Arc<Mutex<Option<Ended>>>,
    /// Stay and wait for orders while the run is paused.
    pub(crate) stays: AtomicBool,
}

/// What is asked before a run is opened.
pub(crate) type Asking =
    Box<dyn FnOnce(Arc<dyn Store>, Arc<dyn Clock>, Drivers) -> BoxFuture<'static, Result<Opened, String>> + Send>;

/// What a life is for.
pub(crate) enum Task {
    Start(Box<Opened>),
    /// Asks first, as the program does: what is found becomes the first event, or words why there is none.
    Ask(Asking),
    /// Takes a run over; with `order`, gives the order to resume where it would stay paused otherwise.
    Resume(RunId, bool),
}

impl Process {
    /// A machine with a link of its own to the store and to the world.
    pub(crate) fn new(hall: &Arc<Hall>, name: &str) -> Self {
        let (wrong, control) = (Arc::new(AtomicI64::new(0)), Arc::new(Control::default()));
        hall.net.know(name, &control);
        Self {
            name: name.to_owned(),
            hall: Arc::clone(hall),
            clock: Arc::new(ProcessClock { hall: Arc::clone(hall), wrong: Arc::clone(&wrong) }),
            store: Arc::new(StoreLink { process: name.to_owned(), hall: Arc::clone(hall) }),
            control,
            wrong,
            stop: watch::Sender::new(Stop::No),
            lives: AtomicU64::new(0),
            alive: Arc::default(),
            ended: Arc::default(),
            stays: AtomicBool::new(false),
        }
    }

    /// A process lives on it.
    pub(crate) fn lives(&self) -> bool {
        self.alive.load(Ordering::SeqCst)
    }

    /// How the last life ended; once.
    pub(crate) fn ended(&self) -> Option<Ended> {
        self.ended.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Begins a life. Does nothing while one goes on.
    pub(crate) fn begin(&self, task: Task) {
        if self.alive.swap(true, Ordering::SeqCst) {
            return;
        }
        self.control.born();
        self.stop.send_replace(Stop::No);
        let number = self.lives.fetch_add(1, Ordering::SeqCst) + 1;
        let life = Life {
            holder: format!("{}/{number}", self.name),
            store: Arc::clone(&self.store),
            clock: Arc::clone(&self.clock),
            drivers: driver::drivers(&self.hall, &self.name, &self.clock),
            stop: self.stop.subscribe(),
            stays: self.stays.load(Ordering::SeqCst),
            actor: Actor::new(self.name.as_str()).unwrap(),
        };
        self.hall.note(&self.name, || match &task {
            Task::Start(opened) => {
                format!(
                    "begins life {number}: {} from {} to {}",
                    opened.kind, opened.plan.source, opened.plan.destination
                )
            }
            Task::Ask(_) => format!("begins life {number}: asks"),
            Task::Resume(run, _) => format!("begins life {number}: resume {run}"),
        });
        let vessel = Vessel { life: Some(Box::pin(life.goes(task))), control: Arc::clone(&self.control) };
        let (alive, ended, hall, name) =
            (Arc::clone(&self.alive), Arc::clone(&self.ended), Arc::clone(&self.hall), self.name.clone());
        tokio::spawn(async move {
            let end = vessel.await.unwrap_or(Ended::Died);
            hall.tell(&Happening::Ended { process: &name, end: &end });
            *ended.lock().unwrap_or_else(PoisonError::into_inner) = Some(end);
            alive.store(false, Ordering::SeqCst);
        });
    }

    /// Ends the life where it waits.
    pub(crate) fn crash(&self) {
        if self.lives() {
            self.hall.note(&self.name, || "is killed".into());
            self.hall.count("crashes");
            self.control.kill();
        }
    }

    /// Ends the life at its poll number `polls` from now: anywhere between two awaits.
    pub(crate) fn crash_at_poll(&self, polls: u64) {
        let at = self.control.polls.load(Ordering::SeqCst) + polls.max(1);
        self.control.dies_at.store(at, Ordering::SeqCst);
        self.hall.count("crashes");
    }

    /// Stops the life for a time.
    pub(crate) fn freeze(&self, time: Duration) {
        self.hall.note(&self.name, || format!("is frozen for {time:?}"));
        self.hall.count("freezes");
        self.control.freeze(time);
    }

    /// The wall clock jumps.
    pub(crate) fn wall_jumps(&self, milliseconds: i64) {
        self.hall.note(&self.name, || format!("has its wall clock moved by {milliseconds} ms"));
        self.hall.count("wall clock jumps");
        self.wrong.fetch_add(milliseconds, Ordering::SeqCst);
    }

    /// Ctrl-C.
    pub(crate) fn stop(&self, how: Stop) {
        self.hall.note(&self.name, || format!("is asked to end: {how:?}"));
        self.stop.send_replace(how);
    }
}

/// One life.
struct Life {
    holder: String,
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    drivers: Drivers,
    stop: watch::Receiver<Stop>,
    stays: bool,
    actor: Actor,
}

fn stopped(error: &EngineError) -> Ended {
    let mut words = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        words = format!("{words}: {cause}");
        source = cause.source();
    }
    match error {
        EngineError::LeaseLost { .. } | EngineError::Journal { .. } => Ended::Stopped(words),
        EngineError::Illegal { .. } | EngineError::NoDriver { .. } => Ended::Broken(words),
    }
}

impl Life {
    async fn goes(self, task: Task) -> Ended {
        let task = match task {
            Task::Ask(ask) => match ask(Arc::clone(&self.store), Arc::clone(&self.clock), self.drivers.clone()).await {
                Ok(opened) => Task::Start(Box::new(opened)),
                Err(words) => return Ended::Stopped(words),
            },
            task @ (Task::Start(_) | Task::Resume(..)) => task,
        };
        let key = match &task {
            Task::Start(opened) => LeaseKey { group: opened.plan.group.name.clone(), rehearsal: opened.rehearsal },
            Task::Ask(_) => return Ended::Broken("asked twice".into()),
            Task::Resume(run, _) => match engine::load(&self.store, run).await {
                Ok(run) => LeaseKey { group: run.id.group, rehearsal: run.opened.rehearsal },
                Err(error) => return stopped(&error),
            },
        };
        let mut hold = match engine::take(&self.store, &self.clock, &key, &self.holder, &mut |_| {}).await {
            Ok(hold) => hold,
            Err(error) => return Ended::Stopped(error.to_string()),
        };
        let end = self.under(&mut hold, task).await;
        hold.release().await;
        end
    }

    async fn under(&self, hold: &mut Hold, task: Task) -> Ended {
        let run = match task {
            Task::Start(opened) => {
                let body = EventBody::Opened(opened);
                match self.store.open(hold.permit(), self.clock.now(), body).await {
                    Ok((id, first)) => Run::open(id, &first).expect("a run opens with its first event"),
                    Err(error) => return Ended::Stopped(error.to_string()),
                }
            }
            Task::Ask(_) => return Ended::Broken("asked twice".into()),
            Task::Resume(id, order) => match self.recover(hold, &id, order).await {
                Ok(run) => run,
                Err(error) => return stopped(&error),
            },
        };
        let options = Options { stay: self.stays, ..Options::default() };
        let engine = Engine {
            store: Arc::clone(&self.store),
            clock: Arc::clone(&self.clock),
            persons: Arc::new(lifeboat::port::Nobody),
            options,
        };
        let mut progress = |_: &Event, _: &Run| {};
        match engine.drive(run, hold, &self.drivers, &mut progress, self.stop.clone()).await {
            Ok(rest) => Ended::Rested(rest),
            Err(error) => stopped(&error),
        }
    }

    async fn recover(&self, hold: &Hold, id: &RunId, order: bool) -> Result<Run, EngineError> {
        let mut progress = |_: &Event, _: &Run| {};
        let run = engine::recover(&self.store, &self.clock, hold, id, &self.holder, &mut progress).await?;
        if order && matches!(run.state, RunState::Paused { .. }) {
            let reason = "resume".to_owned();
            let (by, at) = (self.actor.clone(), self.clock.now());
            let command = Command { by, reason, at, expected_term: None, body: CommandBody::Resume, signed: None };
            let told = self.store.tell(id, command).await;
            told.map_err(|source| EngineError::Journal { run: id.clone(), source })?;
        }
        Ok(run)
    }
}
