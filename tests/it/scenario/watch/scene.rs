//! Two regions as they are and as each observer sees them; who serves, and what a start does.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use futures::future::BoxFuture;
use jiff::{SignedDuration, Timestamp};
use lifeboat::{
    controller::{Helm, Order, Outlook, Started},
    model::{Group, RunId, StopOrder},
    port::{Clock, Health, LeaseKey, Prober, Store},
    spec::ProbeSpec,
};

use super::story::{Act, Answer, REGIONS};
use crate::theatre::hall::Hall;

/// What a probe takes.
const TAKES: Duration = Duration::from_millis(5);
/// How long a run takes in these stories.
const RUN: Duration = Duration::from_secs(20);

/// The world and what was told of it.
pub(super) struct Scene {
    pub(super) hall: Arc<Hall>,
    begins: Timestamp,
    inside: Mutex<Inside>,
    lines: Mutex<Vec<String>>,
}

#[derive(Default)]
struct Inside {
    answers: BTreeMap<(String, String), Answer>,
    flaps: BTreeMap<String, Duration>,
    /// Observer and region; no region: everything.
    cuts: BTreeSet<(String, Option<String>)>,
    lies: BTreeSet<(String, String)>,
    wrong: BTreeMap<String, Arc<AtomicI64>>,
    stopped: bool,
    open: Option<RunId>,
    moved: bool,
    runs: u64,
}

impl Scene {
    pub(super) fn new(hall: Arc<Hall>, begins: Timestamp) -> Arc<Self> {
        Arc::new(Self { hall, begins, inside: Mutex::default(), lines: Mutex::default() })
    }

    fn inside(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn say(&self, who: &str, what: &str) {
        let mut line = String::new();
        let _ok = write!(line, "{:>4}s {who:<6} {what}", self.hall.now().as_secs());
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).push(line.trim_end().to_owned());
    }

    pub(super) fn lines(&self) -> Vec<String> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn serves(&self) -> &'static str {
        REGIONS[usize::from(self.inside().moved)]
    }

    pub(super) fn runs(&self) -> u64 {
        self.inside().runs
    }

    /// What happens to the world; the observers' processes and the store are the player's.
    pub(super) fn take(&self, act: &Act) {
        let mut inside = self.inside();
        match act {
            Act::Region { region, probe, answer } => {
                for name in super::story::PROBES.iter().filter(|name| probe.as_ref().is_none_or(|probe| probe == *name))
                {
                    inside.answers.insert((region.clone(), (*name).to_owned()), *answer);
                }
            }
            Act::Flaps { region, every: Some(every) } => {
                inside.flaps.insert(region.clone(), *every);
            }
            Act::Flaps { region, every: None } => {
                inside.flaps.remove(region);
            }
            Act::Cut { observer, region, cut: true } => {
                inside.cuts.insert((observer.clone(), region.clone()));
            }
            Act::Cut { observer, region, cut: false } => {
                inside.cuts.remove(&(observer.clone(), region.clone()));
            }
            Act::Lies { observer, region, lies: true } => {
                inside.lies.insert((observer.clone(), region.clone()));
            }
            Act::Lies { observer, region, lies: false } => {
                inside.lies.remove(&(observer.clone(), region.clone()));
            }
            Act::Clock { observer, by } => {
                let wrong = Arc::clone(inside.wrong.entry(observer.clone()).or_default());
                wrong.fetch_add(i64::try_from(by.as_millis()).unwrap(), Ordering::SeqCst);
            }
            Act::Stop { stops } => inside.stopped = *stops,
            Act::Run { open: true } => inside.open = Some("orders-9".parse().unwrap()),
            Act::Run { open: false } => inside.open = None,
            Act::Observer { .. } | Act::Store { .. } => {}
        }
    }

    fn answer(&self, observer: &str, region: Option<&str>, probe: &str) -> Answer {
        let inside = self.inside();
        let cut = |region: Option<&str>| inside.cuts.contains(&(observer.to_owned(), region.map(str::to_owned)));
        let Some(region) = region else { return if cut(None) { Answer::Silent } else { Answer::Well } };
        let lies = inside.lies.contains(&(observer.to_owned(), region.to_owned()));
        let dark = |every: &Duration| (self.hall.now().as_millis() / every.as_millis()).is_multiple_of(2);
        if lies || cut(None) || cut(Some(region)) || inside.flaps.get(region).is_some_and(dark) {
            return Answer::Silent;
        }
        inside.answers.get(&(region.to_owned(), probe.to_owned())).copied().unwrap_or(Answer::Well)
    }

    pub(super) fn clock(&self, observer: &str) -> Arc<dyn Clock> {
        let wrong = Arc::clone(self.inside().wrong.entry(observer.to_owned()).or_default());
        Arc::new(WatchClock { hall: Arc::clone(&self.hall), begins: self.begins, wrong })
    }
}

/// A process' own view of time.
struct WatchClock {
    hall: Arc<Hall>,
    begins: Timestamp,
    /// Milliseconds by which the wall clock is wrong.
    wrong: Arc<AtomicI64>,
}

impl Clock for WatchClock {
    fn now(&self) -> Timestamp {
        self.begins + self.hall.now() + SignedDuration::from_millis(self.wrong.load(Ordering::SeqCst))
    }
    fn monotonic(&self) -> Duration {
        self.hall.now()
    }
    fn sleep(&self, time: Duration) -> BoxFuture<'static, ()> {
        Box::pin(tokio::time::sleep(time))
    }
}

/// The probes of one observer. `10.1.` is Frankfurt, `10.2.` Dublin, and anything else lies outside of both.
pub(super) struct Eyes {
    pub(super) observer: String,
    pub(super) scene: Arc<Scene>,
}

impl Prober for Eyes {
    fn probe<'a>(&'a self, probe: &'a ProbeSpec) -> BoxFuture<'a, Health> {
        Box::pin(async move {
            let address = probe.tcp.as_ref().map(|tcp| tcp.address.clone()).unwrap_or_default();
            let region = REGIONS.iter().zip(["10.1.", "10.2."]).find(|(_, net)| address.starts_with(net));
            match self.scene.answer(&self.observer, region.map(|(name, _)| *name), probe.name.as_str()) {
                Answer::Silent => {
                    let limit = Duration::from_millis(probe.timeout_ms);
                    tokio::time::sleep(limit).await;
                    Health::Silent { why: format!("no answer within {limit:?}") }
                }
                found => {
                    tokio::time::sleep(TAKES).await;
                    match found {
                        Answer::Slow => Health::Degraded { took: TAKES, why: "slow".into() },
                        Answer::Wrong => Health::Unhealthy { why: "expected health, found none".into() },
                        Answer::Well | Answer::Silent => Health::Healthy { took: TAKES },
                    }
                }
            }
        })
    }
}

/// What a judge asks, and a start: the service moves within twenty seconds.
pub(super) struct AtTheWheel {
    pub(super) scene: Arc<Scene>,
    pub(super) store: Arc<dyn Store>,
    pub(super) clock: Arc<dyn Clock>,
}

impl Helm for AtTheWheel {
    fn outlook<'a>(&'a self, group: &'a Group) -> BoxFuture<'a, Result<Outlook, String>> {
        Box::pin(async move {
            let key = LeaseKey { group: group.name.clone(), rehearsal: false };
            let lease = self.store.lease(&key).await.map_err(|error| error.to_string())?;
            let serves = self.scene.serves();
            let destination = REGIONS.iter().find(|region| **region != serves).unwrap();
            let inside = self.scene.inside();
            let stopped = inside.stopped.then(|| StopOrder {
                group: Some(group.name.clone()),
                stops: true,
                by: "anna".parse().unwrap(),
                reason: "maintenance".into(),
                at: Timestamp::UNIX_EPOCH,
            });
            Ok(Outlook {
                serves: Some(serves.parse().unwrap()),
                destination: Some(destination.parse().unwrap()),
                open: inside.open.clone(),
                stopped,
                cooldown_until: None,
                frozen: group.watch.freezes.at(self.clock.now()).map(|frozen| frozen.to_string()),
                waits_for: Vec::new(),
                term: lease.term,
            })
        })
    }

    fn start(&self, order: Order) -> BoxFuture<'_, Started> {
        Box::pin(async move {
            let run: RunId = {
                let mut inside = self.scene.inside();
                if let Some(open) = &inside.open {
                    return Started::Refused(format!("{open} is open"));
                }
                inside.runs += 1;
                let run: RunId = format!("orders-{}", inside.runs).parse().unwrap();
                inside.open = Some(run.clone());
                run
            };
            tokio::time::sleep(RUN).await;
            let mut inside = self.scene.inside();
            (inside.open, inside.moved) = (None, order.destination.as_str() == REGIONS[1]);
            Started::Rested { run, how: "succeeded".into() }
        })
    }
}
