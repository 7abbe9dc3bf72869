//! The judge of one group: listens to all observers, asks `decide`, publishes what it found, and starts what is decided.
//!
//! Any number of processes judge the same group. Each start carries the term that its world was seen at, and the store opens one
//! run at a time (promise S6), so one of them starts and the others see an open run.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use futures::future::{Either, select};
use jiff::Timestamp;
use tokio::sync::{oneshot, watch};

use super::{
    helm::{Helm, Order, Outlook, Started},
    listen::Listener,
};
use crate::{
    decide::{
        automation::{Judgement, Memory, Sight, judge},
        verdict::{Verdict, verdicts},
    },
    model::{Group, Judged, RegionName, VerdictSeen},
    port::{Clock, Store, Tied},
};

/// Pause after a start that was refused, before the next is tried: whatever refused it takes longer than a probe.
const AFTER_REFUSAL: Duration = Duration::from_secs(10);
/// A store that does not answer within this is lost for this judgement.
const STORE_LIMIT: Duration = Duration::from_secs(2);
/// The shortest pause between two judgements; each reads the store.
const SHORTEST: Duration = Duration::from_millis(50);
/// The longest: a person who asks for the status wants to see what is, not what was.
const LONGEST: Duration = Duration::from_secs(1);

/// What is told when it changes.
#[derive(Debug)]
pub enum Said<'a> {
    /// The answer, or its reasons, are not what they were.
    Judged(&'a Judged),
    /// A failover starts.
    Starting(&'a Order),
    /// It was refused, or its run came to rest.
    Started(&'a Started),
}

/// Judges one group for as long as it lives.
pub struct Judge {
    /// The group.
    pub group: Group,
    /// Where reports are read.
    pub store: Arc<dyn Store>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// The way to the outside.
    pub helm: Arc<dyn Helm>,
    /// The one command that approves a proposal, from source and destination.
    pub approve: fn(&Order) -> String,
    /// What was judged, for the observer of the same process to publish.
    pub judged: watch::Sender<Option<Judged>>,
}

/// What a judge knows from one judgement to the next.
struct Bench {
    listener: Listener,
    memory: Memory,
    /// Both clocks at the last judgement.
    clocks: (Timestamp, Duration),
    /// Since when the verdict on the region that serves is down.
    noticed: Option<Timestamp>,
    refused: Option<(String, Duration)>,
}

/// A run on its way, in a task of its own: its lease is renewed however long a judgement takes.
struct Driving {
    _task: Tied,
    ended: oneshot::Receiver<Started>,
}

impl Driving {
    fn start(helm: &Arc<dyn Helm>, order: Order) -> Self {
        let (helm, (sender, ended)) = (Arc::clone(helm), oneshot::channel());
        let task = Tied::start(async move {
            // Nobody listens any more when the whole process ends.
            let _ended = sender.send(helm.start(order).await);
        });
        Self { _task: task, ended }
    }

    fn ended(&mut self) -> Option<Started> {
        match self.ended.try_recv() {
            Ok(started) => Some(started),
            Err(oneshot::error::TryRecvError::Empty) => None,
            Err(oneshot::error::TryRecvError::Closed) => Some(Started::Refused("the task that drove it ended".into())),
        }
    }
}

/// What one judgement came to.
struct Found {
    judged: Judged,
    start: Option<Order>,
}

impl Judge {
    /// Judges until the future is dropped.
    pub async fn run(self, told: &mut (dyn FnMut(Said<'_>) + Send)) {
        let mut bench = Bench {
            listener: Listener::default(),
            memory: Memory::default(),
            clocks: (self.clock.now(), self.clock.monotonic()),
            noticed: None,
            refused: None,
        };
        let pace = (Duration::from_millis(self.group.detection.period_ms) / 4).clamp(SHORTEST, LONGEST);
        let mut under_way: Option<Driving> = None;
        loop {
            let found = self.judge(&mut bench).await;
            let changed = self.judged.borrow().as_ref().is_none_or(|before| !same(before, &found.judged));
            if changed {
                told(Said::Judged(&found.judged));
            }
            self.judged.send_replace(Some(found.judged));
            if let (Some(order), None) = (found.start, &under_way) {
                told(Said::Starting(&order));
                under_way = Some(Driving::start(&self.helm, order));
            }
            self.clock.sleep(pace).await;
            if let Some(started) = under_way.as_mut().and_then(Driving::ended) {
                under_way = None;
                if let Started::Refused(why) = &started {
                    bench.refused = Some((why.clone(), self.clock.monotonic() + AFTER_REFUSAL));
                }
                told(Said::Started(&started));
            }
        }
    }

    async fn judge(&self, bench: &mut Bench) -> Found {
        let asked = async { futures::join!(self.store.reports(&self.group.name), self.helm.outlook(&self.group)) };
        let answered = select(Box::pin(asked), self.clock.sleep(STORE_LIMIT)).await;
        let (now, wall) = (self.clock.monotonic(), self.clock.now());
        let (reports, outlook) = match answered {
            Either::Left(((Ok(reports), Ok(outlook)), _)) => (Ok(reports), outlook),
            Either::Left(((Err(error), _), _)) => (Err(error.to_string()), Outlook::default()),
            Either::Left(((_, Err(why)), _)) => (Err(why), Outlook::default()),
            Either::Right(_) => (Err(format!("no answer within {} s", STORE_LIMIT.as_secs())), Outlook::default()),
        };
        let jump = jump(bench.clocks, (wall, now));
        bench.clocks = (wall, now);
        if bench.refused.as_ref().is_some_and(|(_, until)| *until <= now) {
            bench.refused = None;
        }
        let store_lost = reports.as_ref().err().cloned();
        if let Ok(reports) = reports {
            bench.listener.hear(reports, now);
        }
        // Without the store nobody says who serves: it is whoever did.
        let outlook =
            if store_lost.is_some() { Outlook { serves: bench.memory.about().cloned(), ..outlook } } else { outlook };
        let verdicts = verdicts(&self.group, outlook.serves.as_ref(), &bench.listener.ages(now, wall));
        let sight = Sight {
            group: &self.group,
            serves: outlook.serves.clone(),
            destination: outlook.destination.clone(),
            verdicts: &verdicts,
            now,
            clock_jump: jump,
            store_lost,
            open: outlook.open.clone(),
            stopped: outlook.stopped.clone(),
            cooldown_until: outlook.cooldown_until.filter(|until| *until > wall),
            frozen: outlook.frozen.clone(),
            waits_for: outlook.waits_for.clone(),
            refused: bench.refused.as_ref().map(|(why, _)| why.clone()),
        };
        let (memory, judgement) = judge(std::mem::take(&mut bench.memory), &sight);
        bench.memory = memory;
        bench.noticed = bench.memory.is_down().then(|| bench.noticed.unwrap_or(wall));
        self.found(&outlook, &verdicts, &judgement, bench.noticed.unwrap_or(wall))
    }

    fn found(
        &self,
        outlook: &Outlook,
        verdicts: &BTreeMap<RegionName, Verdict>,
        judgement: &Judgement,
        noticed: Timestamp,
    ) -> Found {
        let order = || {
            let (source, destination) = (outlook.serves.clone()?, outlook.destination.clone()?);
            let verdict = verdicts.get(&source)?;
            let reason = format!("{source} is {}: {}", verdict.state, verdict.reasons.join("; "));
            let (group, onset, term) = (self.group.name.clone(), verdict.onset, outlook.term);
            Some(Order { group, source, destination, onset, noticed, term, reason })
        };
        let (start, command) = match judgement {
            Judgement::Nothing | Judgement::Hold(_) => (None, None),
            Judgement::Propose(_) => (None, order().map(|order| (self.approve)(&order))),
            Judgement::Start => (order(), None),
        };
        let seen = |(region, verdict): (&RegionName, &Verdict)| VerdictSeen {
            region: region.clone(),
            state: verdict.state.to_string(),
            reasons: verdict.reasons.clone(),
        };
        let judged = Judged {
            answer: judgement.word().into(),
            reasons: judgement.reasons().iter().map(ToString::to_string).collect(),
            command,
            verdicts: verdicts.iter().map(seen).collect(),
        };
        Found { judged, start }
    }
}

/// By how much the wall clock went another way than the monotonic one.
fn jump(before: (Timestamp, Duration), now: (Timestamp, Duration)) -> Duration {
    let wall = now.0.duration_since(before.0).as_nanos();
    let steady = i128::try_from(now.1.saturating_sub(before.1).as_nanos()).unwrap_or(i128::MAX);
    let apart = wall.saturating_sub(steady).unsigned_abs();
    Duration::from_nanos(u64::try_from(apart).unwrap_or(u64::MAX))
}

/// Whether a person would read the same: seconds that are left count down without being news.
fn same(before: &Judged, now: &Judged) -> bool {
    let bare = |reasons: &[String]| -> Vec<String> {
        reasons.iter().map(|reason| reason.chars().filter(|c| !c.is_ascii_digit()).collect()).collect()
    };
    let states = |judged: &Judged| -> Vec<String> { judged.verdicts.iter().map(|one| one.state.clone()).collect() };
    before.answer == now.answer && bare(&before.reasons) == bare(&now.reasons) && states(before) == states(now)
}
