//! The judge of one group: listens to all observers, asks `decide`, publishes what it found, and starts what is decided.
//!
//! Any number of processes judge the same group. Each start carries the term that its world was seen at, and the store opens one
//! run at a time (promise S6), so one of them starts and the others see an open run.

use std::{sync::Arc, time::Duration};

use futures::future::{Either, select};
use tokio::sync::{oneshot, watch};

use super::{
    bench::{Bench, Look, Weighed, same},
    helm::{Helm, Order, Outlook, Started},
};
use crate::{
    decide::automation::Judgement,
    model::{Group, Judged},
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
    /// What the next judgement stands on: each time.
    Looked(&'a Look),
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

impl Judge {
    /// Judges until the future is dropped.
    pub async fn run(self, told: &mut (dyn FnMut(Said<'_>) + Send)) {
        let mut bench = Bench::new(self.clock.now(), self.clock.monotonic());
        let mut refused: Option<(String, Duration)> = None;
        let pace = (Duration::from_millis(self.group.detection.period_ms) / 4).clamp(SHORTEST, LONGEST);
        let mut under_way: Option<Driving> = None;
        loop {
            let look = self.look(&mut refused).await;
            told(Said::Looked(&look));
            let weighed = bench.weigh(&self.group, look);
            let (judged, start) = self.found(&weighed);
            let changed = self.judged.borrow().as_ref().is_none_or(|before| !same(before, &judged));
            if changed {
                told(Said::Judged(&judged));
            }
            self.judged.send_replace(Some(judged));
            if let (Some(order), None) = (start, &under_way) {
                told(Said::Starting(&order));
                under_way = Some(Driving::start(&self.helm, order));
            }
            self.clock.sleep(pace).await;
            if let Some(started) = under_way.as_mut().and_then(Driving::ended) {
                under_way = None;
                if let Started::Refused(why) = &started {
                    refused = Some((why.clone(), self.clock.monotonic() + AFTER_REFUSAL));
                }
                told(Said::Started(&started));
            }
        }
    }

    async fn look(&self, refused: &mut Option<(String, Duration)>) -> Look {
        let asked = async { futures::join!(self.store.reports(&self.group.name), self.helm.outlook(&self.group)) };
        let answered = select(Box::pin(asked), self.clock.sleep(STORE_LIMIT)).await;
        let (now, wall) = (self.clock.monotonic(), self.clock.now());
        let (reports, outlook) = match answered {
            Either::Left(((Ok(reports), Ok(outlook)), _)) => (Ok(reports), outlook),
            Either::Left(((Err(error), _), _)) => (Err(error.to_string()), Outlook::default()),
            Either::Left(((_, Err(why)), _)) => (Err(why), Outlook::default()),
            Either::Right(_) => (Err(format!("no answer within {} s", STORE_LIMIT.as_secs())), Outlook::default()),
        };
        if refused.as_ref().is_some_and(|(_, until)| *until <= now) {
            *refused = None;
        }
        Look { now, wall, reports, outlook, refused: refused.as_ref().map(|(why, _)| why.clone()) }
    }

    fn found(&self, weighed: &Weighed) -> (Judged, Option<Order>) {
        let order = || {
            let outlook = &weighed.outlook;
            let (source, destination) = (outlook.serves.clone()?, outlook.destination.clone()?);
            let verdict = weighed.verdicts.get(&source)?;
            let reason = format!("{source} is {}: {}", verdict.state, verdict.reasons.join("; "));
            let (group, onset, term) = (self.group.name.clone(), verdict.onset, outlook.term);
            Some(Order { group, source, destination, onset, noticed: weighed.noticed, term, reason })
        };
        let (start, command) = match &weighed.judgement {
            Judgement::Nothing | Judgement::Hold(_) => (None, None),
            Judgement::Propose(_) => (None, order().map(|order| (self.approve)(&order))),
            Judgement::Start => (order(), None),
        };
        (weighed.judged(command), start)
    }
}
