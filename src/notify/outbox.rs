//! The outbox: whoever tells goes on at once; each channel has a queue and a task of its own.
//!
//! A try that fails rests for a second at first, twice as long each time, up to a minute, of which half is drawn by
//! what the notice is, so that many do not come back in step. After [`Limits::give_up`] it is given up, counted and logged.
//!
//! At a graceful end [`Outbox::flush`] tries whatever waits once more, without rests, until its deadline. Dropping the outbox ends
//! its tasks.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures::future::join_all;
use tokio::sync::{Notify, watch};

use super::{
    channel::{Channel, Telling},
    queue::{Pick, Queue, Waiting},
    text,
};
use crate::{
    decide,
    meter::{Fate, Meter},
    model::{ChannelName, Retry},
    net::postgres::told,
    port::{Clock, Notice, Notifier, NotifyError, Tied},
    spec::NoticeEvent,
};

/// How far the outbox goes.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Notices that wait for one channel.
    pub capacity: usize,
    /// How long one try may take.
    pub one_try: Duration,
    /// The rest after the first failed try; it doubles, up to a minute.
    pub first_rest: Duration,
    /// How long one notice is tried.
    pub give_up: Duration,
    /// The same title about the same thing is told once in this time.
    pub window: Duration,
}

impl Default for Limits {
    /// 256 notices are a bad night for hundreds of groups, in under a megabyte. A receiver that hangs holds its own queue for
    /// 15 s. An hour outlasts a receiver's restart and most of its outages; what is older than that, people have heard
    /// otherwise. Ten minutes keep a flapping thing from filling a chat room.
    fn default() -> Self {
        Self {
            capacity: 256,
            one_try: Duration::from_secs(15),
            first_rest: Duration::from_secs(1),
            give_up: Duration::from_hours(1),
            window: Duration::from_mins(10),
        }
    }
}

/// Keys that a lane remembers; beyond that, an end is told by the channel's ordinary rules.
const REMEMBERED: usize = 4_096;

/// What a flush left behind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Left {
    /// By which channel.
    pub channel: ChannelName,
    /// The titles, oldest first.
    pub titles: Vec<String>,
}

/// Tells people, and lets nobody wait.
pub struct Outbox {
    lanes: Vec<(Arc<Lane>, Tied)>,
    clock: Arc<dyn Clock>,
}

impl Outbox {
    /// Starts a task for each channel. Must be called inside the runtime.
    pub fn open(channels: Vec<Channel>, clock: &Arc<dyn Clock>, meter: &Meter, limits: Limits) -> Self {
        let lane = |channel: Channel| {
            meter.channel(&channel.name);
            let lane = Arc::new(Lane {
                name: channel.name,
                telling: channel.telling,
                notifier: channel.notifier,
                limits,
                clock: Arc::clone(clock),
                meter: meter.clone(),
                state: Mutex::new(State {
                    queue: Queue::new(limits.capacity),
                    not_before: Duration::ZERO,
                    begun: BTreeSet::new(),
                    last: BTreeMap::new(),
                    closing: false,
                }),
                bell: Notify::new(),
                idle: watch::channel(true).0,
            });
            (Arc::clone(&lane), Tied::start(async move { lane.run().await }))
        };
        Self { lanes: channels.into_iter().map(lane).collect(), clock: Arc::clone(clock) }
    }

    /// Tells every channel that takes it. Never waits for a channel, never fails.
    pub fn tell(&self, notice: Notice) {
        let notice = Arc::new(notice);
        for (lane, _) in &self.lanes {
            lane.put(&notice);
        }
    }

    /// Notices that wait, in all channels.
    pub fn waiting(&self) -> usize {
        self.lanes.iter().map(|(lane, _)| lane.state().queue.len()).sum()
    }

    /// Tries everything once more, without rests, for at most `within`; says what is left.
    pub async fn flush(&self, within: Duration) -> Vec<Left> {
        for (lane, _) in &self.lanes {
            lane.state().closing = true;
            lane.bell.notify_one();
        }
        let idle = join_all(self.lanes.iter().map(|(lane, _)| async {
            let mut idle = lane.idle.subscribe();
            // An error would be the end of the sender, which lives as long as the lane.
            let _idle = idle.wait_for(|idle| *idle).await;
        }));
        tokio::select! {
            _all = idle => {}
            () = self.clock.sleep(within) => {}
        }
        let left =
            self.lanes.iter().map(|(lane, _)| Left { channel: lane.name.clone(), titles: lane.state().queue.titles() });
        let left: Vec<Left> = left.filter(|left| !left.titles.is_empty()).collect();
        for left in &left {
            tracing::warn!(channel = %left.channel, titles = ?left.titles, "not told before the end");
        }
        left
    }
}

impl std::fmt::Debug for Outbox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.lanes.iter().map(|(lane, _)| &lane.name)).finish()
    }
}

struct State {
    queue: Queue,
    /// The receiver asked for a rest until then.
    not_before: Duration,
    /// What was told as begun, and not yet as ended.
    begun: BTreeSet<String>,
    /// The last that was told of each key, and when.
    last: BTreeMap<String, (NoticeEvent, String, Duration)>,
    closing: bool,
}

/// One channel's queue and what tells it.
struct Lane {
    name: ChannelName,
    telling: Telling,
    notifier: Arc<dyn Notifier>,
    limits: Limits,
    clock: Arc<dyn Clock>,
    meter: Meter,
    state: Mutex<State>,
    bell: Notify,
    /// Nothing waits, and nothing is being told.
    idle: watch::Sender<bool>,
}

impl Lane {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn put(&self, notice: &Arc<Notice>) {
        let now = self.clock.monotonic();
        let mut state = self.state();
        if !self.telling.takes(notice, state.begun.contains(&notice.key)) {
            return;
        }
        if state.repeats(notice, now, self.limits.window) {
            self.meter.notice(&self.name, Fate::Repeated);
            return;
        }
        if notice.kind.closes() {
            state.begun.remove(&notice.key);
        } else if state.begun.len() < REMEMBERED {
            state.begun.insert(notice.key.clone());
        }
        if let Some(gone) = state.queue.put(Arc::clone(notice), now) {
            self.meter.notice(&self.name, Fate::Dropped);
            tracing::warn!(channel = %self.name, title = gone.title, "too many notices wait: this one is dropped");
        }
        self.meter.queued(&self.name, state.queue.len());
        self.idle.send_replace(false);
        drop(state);
        self.bell.notify_one();
    }

    async fn run(&self) {
        loop {
            match self.next() {
                Pick::Tell(waiting) => self.tell(waiting).await,
                Pick::Later(due) => {
                    let rest = due.saturating_sub(self.clock.monotonic());
                    tokio::select! {
                        () = self.bell.notified() => {}
                        () = self.clock.sleep(rest) => {}
                    }
                }
                Pick::Empty => self.bell.notified().await,
            }
        }
    }

    fn next(&self) -> Pick {
        let now = self.clock.monotonic();
        let state = self.state();
        let pick = match state.queue.pick(now, state.closing) {
            Pick::Tell(_) if !state.closing && state.not_before > now => Pick::Later(state.not_before),
            pick => pick,
        };
        if matches!(pick, Pick::Empty) {
            self.idle.send_replace(true);
        }
        pick
    }

    async fn tell(&self, waiting: Waiting) {
        // A try that began before the end was near is not the last one.
        let last = self.state().closing;
        let told = tokio::select! {
            told = self.notifier.notify(&waiting.notice) => told,
            () = self.clock.sleep(self.limits.one_try) => Err(NotifyError::Later {
                why: format!("no answer within {} s", self.limits.one_try.as_secs_f64()),
                after: None,
            }),
        };
        match told {
            Ok(()) => {
                tracing::info!(channel = %self.name, title = waiting.notice.title, "told");
                self.done(&waiting, Fate::Sent);
            }
            Err(error) => self.failed(&waiting, &error, last),
        }
    }

    fn failed(&self, waiting: &Waiting, error: &NotifyError, last: bool) {
        let now = self.clock.monotonic();
        let title = &waiting.notice.title;
        let why = told(error);
        let given_up = now.saturating_sub(waiting.since) >= self.limits.give_up;
        if !error.again() || given_up || last {
            tracing::error!(channel = %self.name, title, tries = waiting.tries + 1, why, "nobody was told through this channel");
            return self.done(waiting, Fate::Failed);
        }
        tracing::warn!(channel = %self.name, title, tries = waiting.tries + 1, why, "not told yet: it is tried again");
        let rest = self.rest(waiting);
        let mut state = self.state();
        if let NotifyError::Later { after: Some(after), .. } = error {
            // A receiver that asks for a day is asked again within the time that a notice is worth something.
            state.not_before = now + (*after).min(self.limits.give_up / 4);
        }
        state.queue.rest(waiting.number, now + rest);
    }

    fn rest(&self, waiting: &Waiting) -> Duration {
        let backoff_ms = u64::try_from(self.limits.first_rest.as_millis()).unwrap_or(u64::MAX);
        let seed = (self.name.as_str(), text::identity(&waiting.notice));
        decide::delay(Retry { attempts: u32::MAX, backoff_ms }, waiting.tries + 1, seed)
    }

    fn done(&self, waiting: &Waiting, fate: Fate) {
        self.meter.notice(&self.name, fate);
        let mut state = self.state();
        state.queue.drop(waiting.number);
        self.meter.queued(&self.name, state.queue.len());
    }
}

impl State {
    /// Whether the last thing that was told of this key is this very thing, a short while ago.
    fn repeats(&mut self, notice: &Notice, now: Duration, window: Duration) -> bool {
        self.last.retain(|_, (_, _, at)| now.saturating_sub(*at) < window);
        let event = notice.kind.event();
        if self.last.get(&notice.key).is_some_and(|(last, title, _)| *last == event && *title == notice.title) {
            return true;
        }
        self.last.insert(notice.key.clone(), (event, notice.title.clone(), now));
        false
    }
}
