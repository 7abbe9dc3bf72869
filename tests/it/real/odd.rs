//! Whole runs of the real runbooks in this process, with something odd between the engine and the real drivers.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
};

use futures::future::BoxFuture;
use lifeboat::{
    app::{self, App, Manner, Order, Request, Rested, Told, Typed},
    decide::Rest,
    engine::Stop,
    model::{
        Attempt, CommandBody, Endpoint, Event, GroupName, Observed, Outcome, Plan, PlanStep, Run, RunId, RunKind,
        StepName, Verb,
    },
    port::{Call, Descriptor, Driver, Drivers, Permit},
};
use tokio::sync::watch;

use super::World;
use crate::servers::postgres::Node;

/// What befalls a step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Trouble {
    /// It is done, and nobody hears of it: the first time.
    ReplyLost,
    /// It is not done, for good.
    Fails,
}

/// A driver with trouble. Whatever is undone is undone twice.
pub(super) struct Odd {
    inner: Arc<dyn Driver>,
    trouble: Trouble,
    steps: Vec<StepName>,
    /// The steps that it came to.
    came: Arc<Mutex<BTreeSet<StepName>>>,
}

impl Driver for Odd {
    fn descriptor(&self, verb: Verb) -> Option<&'static Descriptor> {
        self.inner.descriptor(verb)
    }
    fn observe<'a>(&'a self, call: &'a Call) -> BoxFuture<'a, Observed> {
        self.inner.observe(call)
    }
    fn act<'a>(&'a self, permit: &'a Permit, call: &'a Call) -> BoxFuture<'a, Attempt> {
        Box::pin(async move {
            if !self.steps.contains(&call.step) {
                return self.inner.act(permit, call).await;
            }
            let first = self.came.lock().expect("the steps").insert(call.step.clone());
            match self.trouble {
                Trouble::Fails => Attempt::NotApplied { why: "it was made to fail".into(), retry: false },
                Trouble::ReplyLost if first => {
                    let _unheard = self.inner.act(permit, call).await;
                    Attempt::Unknown { why: "the reply was lost".into() }
                }
                Trouble::ReplyLost => self.inner.act(permit, call).await,
            }
        })
    }
    fn undo<'a>(&'a self, permit: &'a Permit, call: &'a Call) -> BoxFuture<'a, Attempt> {
        Box::pin(async move {
            let _first = self.inner.undo(permit, call).await;
            self.inner.undo(permit, call).await
        })
    }
    fn endpoints(&self, call: &Call) -> Vec<Endpoint> {
        self.inner.endpoints(call)
    }
}

/// A run's drivers, each behind something else.
pub(super) fn behind(drivers: &Drivers, between: impl Fn(Arc<dyn Driver>) -> Arc<dyn Driver>) -> Drivers {
    let of = |driver: &Arc<dyn Driver>| between(Arc::clone(driver));
    Drivers {
        targets: drivers.targets.iter().map(|(name, driver)| (name.clone(), of(driver))).collect(),
        general: drivers.general.iter().map(|(verb, driver)| (*verb, of(driver))).collect::<BTreeMap<_, _>>(),
    }
}

/// This process beside the world.
pub(super) struct Here<'a> {
    pub(super) world: &'a World,
    app: App,
    /// Kept: who holds it may ask runs to stop.
    stop: watch::Sender<Stop>,
}

impl<'a> Here<'a> {
    pub(super) fn beside(world: &'a World) -> Self {
        app::install_crypto();
        let typed = Typed {
            data_dir: Some(world.path("data")),
            files: vec![world.regions.documents()],
            actor: Some("anna".into()),
            store: None,
        };
        let app = App::open(app::settle(typed, &|_| None).expect("settings")).expect("a store");
        Self { world, app, stop: watch::Sender::new(Stop::No) }
    }

    /// A run from its beginning until it rests, with its plan and its drivers changed.
    pub(super) async fn runs(
        &self,
        kind: RunKind,
        change: impl FnOnce(&mut Plan),
        between: impl Fn(Arc<dyn Driver>) -> Arc<dyn Driver>,
    ) -> Rested {
        let group: GroupName = "orders".parse().expect("a name");
        let mut prepared = self.app.prepare(Request::new(kind, group)).await.expect("a run that may start");
        let mut plan = Plan::clone(&prepared.opened.plan);
        change(&mut plan);
        prepared.opened.digest = plan.digest();
        prepared.opened.plan = Arc::new(plan);
        prepared.drivers = behind(&prepared.drivers, between);
        let (mut quiet, stop) = (|_: &Event, _: &Run| {}, self.stop.subscribe());
        let started = self.app.start(prepared, Manner::default(), &mut |_| {}, &mut quiet, stop).await;
        started.unwrap_or_else(|error| panic!("{kind}: {error}\n{}", self.world.regions.logs()))
    }

    /// A run with trouble at its steps with these numbers; beyond the last step there is none. How many of them it came to.
    pub(super) async fn troubled(
        &self,
        kind: RunKind,
        places: &[usize],
        trouble: Trouble,
        change: impl Fn(&mut PlanStep),
    ) -> (Rested, usize) {
        let came: Arc<Mutex<BTreeSet<StepName>>> = Arc::default();
        let befalls: RefCell<Vec<StepName>> = RefCell::default();
        let changed = |plan: &mut Plan| {
            for place in places {
                if let Some(step) = plan.steps.get_mut(*place) {
                    befalls.borrow_mut().push(step.name.clone());
                    change(step);
                }
            }
        };
        let odd = |inner| -> Arc<dyn Driver> {
            let steps = befalls.borrow().clone();
            Arc::new(Odd { inner, trouble, steps, came: Arc::clone(&came) })
        };
        let rested = self.runs(kind, changed, odd).await;
        let times = came.lock().expect("the steps").len();
        (rested, times)
    }

    /// A run without trouble.
    pub(super) async fn plainly(&self, kind: RunKind) -> Rested {
        self.runs(kind, |_| {}, |driver| driver).await
    }

    /// Goes on with a run, without trouble.
    pub(super) async fn resume(&self, run: &RunId) -> Rested {
        let mut quiet = |_: &Event, _: &Run| {};
        let stop = self.stop.subscribe();
        let resumed = self.app.resume(run, "go on", Manner::default(), &mut |_| {}, &mut quiet, stop).await;
        resumed.unwrap_or_else(|error| panic!("{run}: {error}\n{}", self.world.regions.logs()))
    }

    /// A person ends a run that cannot be undone: what is left of it stays as it is.
    pub(super) async fn cancel(&self, run: &RunId) -> Rested {
        let body = CommandBody::Cancel { unwind: false };
        let order =
            Order { body, reason: "its undo needs a server that is dead".into(), expected_term: None, key: None };
        assert_eq!(self.app.tell(run, order).await.expect("an order"), Told::Recorded);
        self.resume(run).await
    }

    /// The run ended, and the group serves from `to` alone: one writable primary, and the name.
    pub(super) fn serves(&self, rested: &Rested, to: Node, title: &str) {
        let well = match rested.rest {
            Rest::Closed(Outcome::Succeeded) => true,
            // A failover from a dead region passes its bucket over, which no fence reaches.
            Rest::Closed(Outcome::CompletedWithExceptions) => {
                rested.record.exceptions.iter().all(|exception| exception.step.as_str() == "fence-uploads")
            }
            _ => false,
        };
        let (steps, events) = (&rested.run.steps, &rested.record.exceptions);
        assert!(well, "{title}: {:?}\n{steps:?}\n{events:?}\n{}", rested.rest, self.world.regions.logs());
        self.serves_from(to, title);
    }

    /// One writable primary, and the name.
    pub(super) fn serves_from(&self, to: Node, title: &str) {
        assert!(self.world.writable(to), "{title}: {} takes no writes", to.region());
        assert!(!self.world.writable(to.peer()), "{title}: two primaries");
        let address = match to {
            Node::Fra => "127.1.0.80",
            Node::Dub => "127.2.0.80",
        };
        assert_eq!(self.world.name(), address, "{title}");
    }
}
