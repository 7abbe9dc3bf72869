//! The place where a trial is made: it brings the target to its start, calls the driver, and keeps everything that it said.

use std::{
    collections::HashMap,
    pin::pin,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use futures::future::{Either, select};

use super::{
    report::{Outcome, broken, not_applicable},
    subject::{Fault, Subject, Trial, Wire},
};
use crate::{
    model::{Attempt, Observed},
    port::{Call, Clock, Driver, Permit},
};

/// Between two looks at the wire or at the world.
const PAUSE: Duration = Duration::from_millis(5);
/// How long the world has to be the same to be at rest.
const REST: Duration = Duration::from_millis(40);
/// How long the world may take to come to rest, and what is left open to close.
pub(super) const LIMIT: Duration = Duration::from_secs(5);

/// A subject on trial.
pub(super) struct Stage<'a> {
    pub(super) subject: &'a dyn Subject,
    pub(super) clock: &'a dyn Clock,
    heard: Mutex<Vec<Heard>>,
    starts: Mutex<HashMap<String, String>>,
}

/// Something that the driver returned.
pub(super) struct Heard {
    /// By which call.
    pub(super) by: String,
    /// As it prints.
    pub(super) text: String,
}

impl<'a> Stage<'a> {
    pub(super) fn new(subject: &'a dyn Subject, clock: &'a dyn Clock) -> Self {
        Self { subject, clock, heard: Mutex::default(), starts: Mutex::default() }
    }

    /// Keeps a text for the last check.
    pub(super) fn hear(&self, by: impl Into<String>, text: String) {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner).push(Heard { by: by.into(), text });
    }

    /// Everything heard so far.
    pub(super) fn heard(&self) -> Vec<Heard> {
        std::mem::take(&mut *self.heard.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The world as it is now.
    pub(super) async fn world(&self) -> String {
        self.subject.fingerprint().await
    }

    /// Waits until no request is on its way: what it does is part of the world.
    pub(super) async fn landed(&self) {
        let start = self.clock.monotonic();
        while self.wire().is_some_and(Wire::in_flight) && self.clock.monotonic().saturating_sub(start) < LIMIT {
            self.clock.sleep(PAUSE).await;
        }
    }

    /// The world when it has come to rest: nothing is on its way, and two looks see the same.
    pub(super) async fn at_rest(&self) -> String {
        let start = self.clock.monotonic();
        let begun = || self.wire().map_or(0, Wire::exchanges);
        self.landed().await;
        let (mut last, mut before) = (self.world().await, begun());
        loop {
            self.clock.sleep(REST).await;
            self.landed().await;
            let (now, after) = (self.world().await, begun());
            if (now == last && after == before) || self.clock.monotonic().saturating_sub(start) > LIMIT {
                return now;
            }
            (last, before) = (now, after);
        }
    }

    /// Brings the target to the trial's start, where it is not there already; the fingerprint of the start.
    pub(super) async fn begin(&self, trial: &Trial) -> Result<String, Outcome> {
        let title = trial.title();
        self.heal();
        let known = self.starts.lock().unwrap_or_else(PoisonError::into_inner).get(&title).cloned();
        let Some(start) = known else {
            self.subject.prepare(trial).await;
            let start = self.at_rest().await;
            self.starts.lock().unwrap_or_else(PoisonError::into_inner).insert(title, start.clone());
            self.heal();
            return Ok(start);
        };
        if self.world().await != start {
            self.subject.prepare(trial).await;
            let now = self.at_rest().await;
            if now != start {
                let what = difference(&start, &now);
                return Err(broken(
                    "`prepare` brings the target to the same start each time (a fault of the subject)",
                    what,
                ));
            }
        }
        self.heal();
        Ok(start)
    }

    pub(super) fn wire(&self) -> Option<&dyn Wire> {
        self.subject.wire()
    }

    /// Puts a fault; why a check that needs it is not applicable.
    pub(super) fn put(&self, fault: Fault) -> Result<&dyn Wire, Outcome> {
        let wire = self.wire().ok_or_else(|| not_applicable("nothing stands between the driver and its target"))?;
        wire.put(fault).map_err(not_applicable)?;
        Ok(wire)
    }

    pub(super) fn heal(&self) {
        if let Some(wire) = self.wire() {
            wire.heal();
        }
    }

    pub(super) async fn observe(&self, driver: &dyn Driver, call: &Call) -> Observed {
        let seen = driver.observe(call).await;
        self.hear(format!("observe of {}", call.verb), format!("{seen:?}"));
        seen
    }

    /// Runs `work` for at most `limit`; then it is dropped.
    pub(super) async fn within<T>(&self, limit: Duration, work: impl Future<Output = T>) -> Option<T> {
        match select(pin!(work), self.clock.sleep(limit)).await {
            Either::Left((done, _)) => Some(done),
            Either::Right(((), _)) => None,
        }
    }

    pub(super) async fn act(&self, driver: &dyn Driver, permit: &Permit, call: &Call) -> Attempt {
        let attempt = self.within(call.timeout + LIMIT, driver.act(permit, call)).await;
        // As the engine does with a call that outlives its deadline.
        let attempt =
            attempt.unwrap_or_else(|| Attempt::Unknown { why: "it was dropped long after its deadline".into() });
        self.hear(format!("act of {}", call.verb), format!("{attempt:?}"));
        attempt
    }

    /// An act with a permit of its own.
    pub(super) async fn acted(&self, driver: &dyn Driver, call: &Call) -> Attempt {
        let permit = self.subject.permit().await;
        self.act(driver, &permit, call).await
    }

    pub(super) async fn undo(&self, driver: &dyn Driver, permit: &Permit, call: &Call) -> Attempt {
        let attempt = driver.undo(permit, call).await;
        self.hear(format!("undo of {}", call.verb), format!("{attempt:?}"));
        attempt
    }

    /// Runs `act` until it ends or a reply is held. `None`: a reply is held.
    pub(super) async fn until_held<F>(&self, wire: &dyn Wire, act: &mut F) -> Option<Attempt>
    where
        F: Future<Output = Attempt> + Unpin,
    {
        let held = pin!(async {
            while !wire.holds() {
                self.clock.sleep(PAUSE).await;
            }
        });
        match select(act, held).await {
            Either::Left((attempt, _)) => Some(attempt),
            Either::Right(((), _)) => None,
        }
    }

    /// What is still open some seconds after everything was let go.
    pub(super) async fn left_open(&self) -> Vec<String> {
        let start = self.clock.monotonic();
        loop {
            let open = self.subject.left_open().await;
            if open.is_empty() || self.clock.monotonic().saturating_sub(start) > LIMIT {
                return open;
            }
            self.clock.sleep(REST).await;
        }
    }
}

/// The first lines in which two fingerprints differ.
pub(super) fn difference(before: &str, after: &str) -> String {
    let mut left: Vec<&str> = before.lines().filter(|line| !after.lines().any(|other| other == *line)).collect();
    let mut right: Vec<&str> = after.lines().filter(|line| !before.lines().any(|other| other == *line)).collect();
    left.truncate(5);
    right.truncate(5);
    format!("before: {}; after: {}", left.join(" | "), right.join(" | "))
}
