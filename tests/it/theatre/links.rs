//! Links between processes and the outside, and everything that goes wrong on them.
//!
//! Every request of a process, to the store or to the world, is carried by the [`Net`]. What becomes of one request is its
//! [`Fate`]; it comes from the first of these that applies:
//!
//! 1. a [`Cut`]: the link is down, in one direction or both;
//! 2. a [`Planned`] fault: by process, by the word of the request (`store.append`, `db.promote`, a prefix such as `dns.` or
//!    nothing for all), after so many of them went through;
//! 3. chance: [`Rates`] in a thousand, thrown from a seed;
//! 4. otherwise it passes, in no time (or with the jitter of the rates).
//!
//! A planned fault may also strike the process that sent the request ([`Blow`]): it dies or freezes right after sending.
//!
//! A request that was sent is the network's: it arrives although its sender died. That is why it is carried by a task of its
//! own, as soon as it takes any time.
//!
//! [`StoreLink`] is the store as one process sees it. What the store refuses is learnt only from a reply that arrives: a
//! permit goes out when its holder hears of it, not before.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures::{FutureExt, future::BoxFuture};
use jiff::Timestamp;
use lifeboat::{
    model::{Command, Event, EventBody, GroupName, RunId, StopOrder},
    port::{
        InboxEntry, Journal, LeaseError, LeaseKey, LeaseState, Leases, ObserverReport, Permit, Records, Reports,
        RunSummary, Stops, StoreError,
    },
};
use tokio::sync::oneshot;

use super::{
    dice::Dice,
    hall::{Hall, Happening},
    process::Control,
};

/// A caller waits this long for an answer that does not come.
pub(crate) const PATIENCE: Duration = Duration::from_secs(2);

/// What becomes of one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It arrives and so does the reply.
    Pass { there: Duration, back: Duration },
    /// It never arrives.
    LoseRequest,
    /// It arrives, and the reply does not.
    LoseReply,
    /// It arrives when its sender has long given up.
    Late { after: Duration },
    /// It arrives, the reply too, and then the request arrives once more.
    Twice { again: Duration },
}

/// What happens to the process that sent a request, right after it sent it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Blow {
    Dies,
    Freezes(Duration),
}

/// A link that is down. `None` and an empty prefix stand for all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Cut {
    pub(crate) process: Option<String>,
    /// Prefix of the request's word: `store.`, `db.`, `agent.`, `dns.`, `pager.`.
    pub(crate) word: String,
    pub(crate) region: Option<String>,
    /// Requests still arrive; only replies are lost.
    pub(crate) replies_only: bool,
}

/// A fault at a named moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Planned {
    pub(crate) process: Option<String>,
    pub(crate) word: String,
    pub(crate) region: Option<String>,
    /// So many matching requests pass before.
    pub(crate) skip: u32,
    /// So many are struck.
    pub(crate) times: u32,
    pub(crate) fate: Fate,
    pub(crate) blow: Option<Blow>,
}

/// Faults by chance, each in a thousand requests.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Rates {
    pub(crate) lose_request: u64,
    pub(crate) lose_reply: u64,
    pub(crate) late: u64,
    pub(crate) twice: u64,
    /// A reply that takes seconds, and still arrives in time.
    pub(crate) slow: u64,
    /// Milliseconds that any request and any reply may take.
    pub(crate) jitter_ms: u64,
    /// How late the latest arrives, in milliseconds.
    pub(crate) latest_ms: u64,
}

struct Inside {
    dice: Dice,
    store: Rates,
    world: Rates,
    cuts: Vec<Cut>,
    planned: Vec<Planned>,
    store_read_only: bool,
    /// What a request, and a reply, takes when nothing else is said.
    pace: Duration,
    controls: BTreeMap<String, Arc<Control>>,
}

/// The network.
pub(crate) struct Net {
    inside: Mutex<Inside>,
}

fn matches(process: Option<&String>, prefix: &str, in_region: Option<&String>, request: &Request<'_>) -> bool {
    process.is_none_or(|process| process == request.process)
        && request.word.starts_with(prefix)
        && in_region.is_none_or(|region| request.region == Some(region.as_str()))
}

/// A request as the network sees it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Request<'a> {
    pub(crate) process: &'a str,
    pub(crate) word: &'static str,
    pub(crate) region: Option<&'a str>,
    /// It changes something.
    pub(crate) changes: bool,
}

impl Net {
    pub(crate) fn new(dice: Dice) -> Self {
        let inside = Inside {
            dice,
            store: Rates::default(),
            world: Rates::default(),
            cuts: Vec::new(),
            planned: Vec::new(),
            store_read_only: false,
            pace: Duration::ZERO,
            controls: BTreeMap::new(),
        };
        Self { inside: Mutex::new(inside) }
    }

    fn inside(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Every request and every reply takes this long. With it a story has moments between sending, arriving and hearing.
    pub(crate) fn pace(&self, pace: Duration) {
        self.inside().pace = pace;
    }

    /// Faults by chance on the links to the store, and on those to the world.
    pub(crate) fn rates(&self, store: Rates, world: Rates) {
        let mut inside = self.inside();
        (inside.store, inside.world) = (store, world);
    }

    pub(crate) fn cut(&self, cut: Cut) {
        self.inside().cuts.push(cut);
    }

    /// Mends the cuts that `which` picks.
    pub(crate) fn mend(&self, which: impl Fn(&Cut) -> bool) {
        self.inside().cuts.retain(|cut| !which(cut));
    }

    pub(crate) fn plan(&self, fault: Planned) {
        self.inside().planned.push(fault);
    }

    /// The store answers and writes nothing.
    pub(crate) fn store_read_only(&self, read_only: bool) {
        self.inside().store_read_only = read_only;
    }

    /// Everything works from now on. What was sent before still arrives when it arrives.
    pub(crate) fn heal(&self) {
        let mut inside = self.inside();
        inside.cuts.clear();
        inside.planned.clear();
        inside.store_read_only = false;
        (inside.store, inside.world) = (Rates::default(), Rates::default());
    }

    pub(super) fn know(&self, process: &str, control: &Arc<Control>) {
        self.inside().controls.insert(process.to_owned(), Arc::clone(control));
    }

    /// The fate of a request.
    fn fate(&self, hall: &Hall, request: &Request<'_>) -> Fate {
        let mut guard = self.inside();
        let inside = &mut *guard;
        let cut = inside.cuts.iter().find(|cut| matches(cut.process.as_ref(), &cut.word, cut.region.as_ref(), request));
        if let Some(cut) = cut {
            hall.count("requests over a cut link");
            return if cut.replies_only { Fate::LoseReply } else { Fate::LoseRequest };
        }
        for planned in &mut inside.planned {
            if !matches(planned.process.as_ref(), &planned.word, planned.region.as_ref(), request) || planned.times == 0
            {
                continue;
            }
            if planned.skip > 0 {
                planned.skip -= 1;
                continue;
            }
            planned.times -= 1;
            let (fate, blow) = (planned.fate, planned.blow);
            if let (Some(blow), Some(control)) = (blow, inside.controls.get(request.process)) {
                hall.note(request.process, || format!("is struck as it sends {}: {blow:?}", request.word));
                match blow {
                    Blow::Dies => control.kill(),
                    Blow::Freezes(time) => control.freeze(time),
                }
                hall.count(match blow {
                    Blow::Dies => "crashes",
                    Blow::Freezes(_) => "freezes",
                });
            }
            return fate;
        }
        let of_store = request.word.starts_with("store.");
        let rates = if of_store { inside.store } else { inside.world };
        by_chance(&mut inside.dice, rates, request, inside.pace)
    }

    fn refuses_writes(&self) -> bool {
        self.inside().store_read_only
    }

    /// Carries a request. `work` is what it does where it arrives. `None`: no answer came.
    pub(crate) async fn carry<T: Send + 'static>(
        hall: &Arc<Hall>,
        request: Request<'_>,
        mut work: impl FnMut(bool) -> T + Send + 'static,
    ) -> Option<T> {
        let fate = hall.net.fate(hall, &request);
        let word = request.word;
        let struck = |what: &'static str| {
            hall.count(what);
            hall.note(request.process, || format!("{word}: {what}"));
        };
        match fate {
            Fate::Pass { there, back } if there.is_zero() && back.is_zero() => return Some(work(false)),
            Fate::LoseRequest => {
                struck("lost requests");
                tokio::time::sleep(PATIENCE).await;
                return None;
            }
            Fate::Pass { .. } => {}
            Fate::LoseReply => struck("lost replies"),
            Fate::Late { .. } => struck("late requests"),
            Fate::Twice { .. } => struck("requests that arrive twice"),
        }
        let (answers, answer) = oneshot::channel();
        tokio::spawn(async move {
            match fate {
                Fate::Pass { there, back } => {
                    tokio::time::sleep(there).await;
                    let answer = work(false);
                    tokio::time::sleep(back).await;
                    let _gone = answers.send(answer);
                }
                Fate::LoseRequest | Fate::LoseReply => {
                    work(false);
                    tokio::time::sleep(PATIENCE).await;
                }
                Fate::Late { after } => {
                    tokio::time::sleep(after).await;
                    work(false);
                }
                Fate::Twice { again } => {
                    let _gone = answers.send(work(false));
                    tokio::time::sleep(again).await;
                    work(true);
                }
            }
        });
        tokio::time::timeout(PATIENCE, answer).await.ok()?.ok()
    }
}

fn by_chance(dice: &mut Dice, rates: Rates, request: &Request<'_>, pace: Duration) -> Fate {
    let at = dice.below(1_000);
    let late = rates.late * u64::from(request.changes && request.word != "db.unfence");
    let twice = rates.twice * u64::from(request.changes && request.word != "db.unfence");
    let mut limit = rates.lose_request;
    if at < limit {
        return Fate::LoseRequest;
    }
    limit += rates.lose_reply;
    if at < limit {
        return Fate::LoseReply;
    }
    limit += late;
    if at < limit {
        return Fate::Late { after: dice.time(100, rates.latest_ms.max(100)) };
    }
    limit += twice;
    if at < limit {
        return Fate::Twice { again: dice.time(1, rates.latest_ms.max(1)) };
    }
    limit += rates.slow;
    if at < limit {
        let (there, back) = (dice.time(0, 900), dice.time(0, 1_000));
        return Fate::Pass { there, back };
    }
    // The inbox and the stops are read ten times a second by whoever drives a run; that they take no time hides nothing and
    // halves the work.
    if rates.jitter_ms == 0 || matches!(request.word, "store.inbox" | "store.stops") {
        return Fate::Pass { there: pace, back: pace };
    }
    Fate::Pass { there: dice.time(0, rates.jitter_ms), back: dice.time(0, rates.jitter_ms) }
}

/// The store as one process sees it.
pub(crate) struct StoreLink {
    pub(crate) process: String,
    pub(crate) hall: Arc<Hall>,
}

fn unavailable(intent: &str, why: &'static str) -> StoreError {
    StoreError::Unavailable { intent: intent.to_owned(), source: why.into() }
}

/// The memory store answers at once.
fn at_once<T>(future: BoxFuture<'_, T>) -> T {
    future.now_or_never().expect("the memory store answers at once")
}

/// A permit as it travels in a request: what the store finds out of it, its holder learns only from the reply.
fn copy(permit: &Permit) -> Permit {
    Permit::granted(permit.key().clone(), permit.term())
}

impl StoreLink {
    async fn carry<T: Send + 'static>(
        &self,
        word: &'static str,
        changes: bool,
        mut work: impl FnMut(&Hall) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let request = Request { process: &self.process, word, region: None, changes };
        let hall = Arc::clone(&self.hall);
        let at_store = move |_| {
            if changes && hall.net.refuses_writes() {
                hall.count("writes refused by a read-only store");
                return Err(unavailable(word, "the store is read-only"));
            }
            work(&hall)
        };
        Net::carry(&self.hall, request, at_store).await.unwrap_or_else(|| Err(unavailable(word, "no answer")))
    }

    async fn carry_lease<T: Send + 'static>(
        &self,
        word: &'static str,
        key: &LeaseKey,
        mut work: impl FnMut(&Hall) -> Result<T, LeaseError> + Send + 'static,
    ) -> Result<T, LeaseError> {
        let request = Request { process: &self.process, word, region: None, changes: true };
        let (hall, of) = (Arc::clone(&self.hall), key.clone());
        let silent = move |why: &'static str| LeaseError::Store { key: of.clone(), source: unavailable(word, why) };
        let read_only = silent.clone();
        let at_store = move |_| {
            if hall.net.refuses_writes() { Err(read_only("the store is read-only")) } else { work(&hall) }
        };
        Net::carry(&self.hall, request, at_store).await.unwrap_or_else(|| Err(silent("no answer")))
    }
}

/// The holder hears of it.
fn heed<T>(permit: &Permit, answer: Result<T, StoreError>) -> Result<T, StoreError> {
    if matches!(answer, Err(StoreError::StaleTerm { .. })) {
        permit.revoke();
    }
    answer
}

impl Journal for StoreLink {
    fn open<'a>(
        &'a self,
        permit: &'a Permit,
        at: Timestamp,
        opened: EventBody,
    ) -> BoxFuture<'a, Result<(RunId, Event), StoreError>> {
        let (sent, process) = (copy(permit), self.process.clone());
        Box::pin(async move {
            let answer = self.carry("store.open", true, move |hall| {
                let (id, event) = at_once(hall.memory.open(&sent, at, opened.clone()))?;
                let events = std::slice::from_ref(&event);
                hall.tell(&Happening::Wrote { process: &process, run: &id, term: sent.term(), events });
                Ok((id, event))
            });
            heed(permit, answer.await)
        })
    }

    fn append<'a>(
        &'a self,
        permit: &'a Permit,
        run: &'a RunId,
        after: u64,
        events: Vec<(Timestamp, EventBody)>,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        let (sent, process, id) = (copy(permit), self.process.clone(), run.clone());
        Box::pin(async move {
            let answer = self.carry("store.append", true, move |hall| {
                at_once(hall.memory.append(&sent, &id, after, events.clone()))?;
                let written = at_once(hall.memory.read(&id, after))?;
                hall.tell(&Happening::Wrote { process: &process, run: &id, term: sent.term(), events: &written });
                Ok(())
            });
            heed(permit, answer.await)
        })
    }

    fn read<'a>(&'a self, run: &'a RunId, after: u64) -> BoxFuture<'a, Result<Vec<Event>, StoreError>> {
        let run = run.clone();
        Box::pin(self.carry("store.read", false, move |hall| at_once(hall.memory.read(&run, after))))
    }

    fn runs<'a>(&'a self, group: Option<&'a GroupName>) -> BoxFuture<'a, Result<Vec<RunSummary>, StoreError>> {
        let group = group.cloned();
        Box::pin(self.carry("store.runs", false, move |hall| at_once(hall.memory.runs(group.as_ref()))))
    }

    fn tell<'a>(&'a self, run: &'a RunId, command: Command) -> BoxFuture<'a, Result<u64, StoreError>> {
        let run = run.clone();
        Box::pin(self.carry("store.tell", true, move |hall| at_once(hall.memory.tell(&run, command.clone()))))
    }

    fn inbox<'a>(&'a self, run: &'a RunId, after: u64) -> BoxFuture<'a, Result<Vec<InboxEntry>, StoreError>> {
        let run = run.clone();
        Box::pin(self.carry("store.inbox", false, move |hall| at_once(hall.memory.inbox(&run, after))))
    }
}

impl Leases for StoreLink {
    fn acquire<'a>(
        &'a self,
        key: &'a LeaseKey,
        holder: &'a str,
        unchanged_since: Option<u64>,
    ) -> BoxFuture<'a, Result<Permit, LeaseError>> {
        let (wanted, holder, process) = (key.clone(), holder.to_owned(), self.process.clone());
        Box::pin(self.carry_lease("store.acquire", key, move |hall| {
            let permit = at_once(hall.memory.acquire(&wanted, &holder, unchanged_since))?;
            hall.tell(&Happening::Granted { process: &process, term: permit.term() });
            Ok(permit)
        }))
    }

    fn renew<'a>(&'a self, permit: &'a Permit) -> BoxFuture<'a, Result<(), LeaseError>> {
        let sent = copy(permit);
        Box::pin(async move {
            let answer = self.carry_lease("store.renew", permit.key(), move |hall| at_once(hall.memory.renew(&sent)));
            let answer = answer.await;
            if matches!(answer, Err(LeaseError::Lost { .. })) {
                permit.revoke();
            }
            answer
        })
    }

    fn release<'a>(&'a self, permit: &'a Permit) -> BoxFuture<'a, Result<(), LeaseError>> {
        permit.revoke();
        let sent = copy(permit);
        Box::pin(self.carry_lease("store.release", permit.key(), move |hall| at_once(hall.memory.release(&sent))))
    }

    fn lease<'a>(&'a self, key: &'a LeaseKey) -> BoxFuture<'a, Result<LeaseState, StoreError>> {
        let key = key.clone();
        Box::pin(self.carry("store.lease", false, move |hall| at_once(hall.memory.lease(&key))))
    }
}

impl Reports for StoreLink {
    fn publish<'a>(&'a self, report: &'a ObserverReport) -> BoxFuture<'a, Result<(), StoreError>> {
        let report = report.clone();
        Box::pin(self.carry("store.publish", true, move |hall| at_once(hall.memory.publish(&report))))
    }

    fn reports<'a>(&'a self, group: &'a GroupName) -> BoxFuture<'a, Result<Vec<ObserverReport>, StoreError>> {
        let group = group.clone();
        Box::pin(self.carry("store.reports", false, move |hall| at_once(hall.memory.reports(&group))))
    }
}

impl Stops for StoreLink {
    fn order_stop<'a>(&'a self, order: &'a StopOrder) -> BoxFuture<'a, Result<(), StoreError>> {
        let order = order.clone();
        Box::pin(self.carry("store.stop", true, move |hall| at_once(hall.memory.order_stop(&order))))
    }

    fn stop_orders(&self) -> BoxFuture<'_, Result<Vec<StopOrder>, StoreError>> {
        Box::pin(self.carry("store.stops", false, move |hall| at_once(hall.memory.stop_orders())))
    }
}

impl Records for StoreLink {
    fn keep<'a>(&'a self, run: &'a RunId, record: String) -> BoxFuture<'a, Result<(), StoreError>> {
        let run = run.clone();
        Box::pin(self.carry("store.keep", true, move |hall| at_once(hall.memory.keep(&run, record.clone()))))
    }

    fn record<'a>(&'a self, run: &'a RunId) -> BoxFuture<'a, Result<Option<String>, StoreError>> {
        let run = run.clone();
        Box::pin(self.carry("store.record", false, move |hall| at_once(hall.memory.record(&run))))
    }
}
