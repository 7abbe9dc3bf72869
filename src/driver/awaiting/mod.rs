//! `probe.await`: waits until a probe of the destination is healthy.
//!
//! Promises: it only reads. It answers within the step's time, with the reason of the last probe when health did not come.
//!
//! Assumes: the destination region declares a probe of the given name.
//!
//! A crash in the middle means nothing: the next try starts to count again.

mod observe;
mod params;

use std::{fmt, sync::Arc, time::Duration};

use futures::future::BoxFuture;
use serde_json::{Map, Value};

use self::{
    observe::Streak,
    params::{BadCall, Wish},
};
use crate::{
    model::{Attempt, Effect, Endpoint, Observed, Region, Verb},
    port::{Call, Clock, Descriptor, Driver, Health, Permit, Prober, Touches},
};

/// Time between the end of one probe and the start of the next: short beside the seconds that a service needs to come up.
const PAUSE: Duration = Duration::from_millis(100);

/// Waits for health.
#[derive(Clone)]
pub struct Awaiting {
    prober: Arc<dyn Prober>,
    regions: Vec<Region>,
    clock: Arc<dyn Clock>,
}

impl fmt::Debug for Awaiting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let regions: Vec<_> = self.regions.iter().map(|region| region.name.as_str()).collect();
        f.debug_struct("Awaiting").field("regions", &regions).finish_non_exhaustive()
    }
}

static AWAIT: Descriptor = Descriptor {
    verb: Verb::ProbeAwait,
    effect: Effect::Reads,
    reversible: false,
    observable: true,
    touches: Touches::Destination,
    expected: Duration::from_secs(2),
    // A minute: enough for a service that starts, short enough to tell a person within the usual objective.
    timeout: Duration::from_mins(1),
    attempts: 1,
    outputs: &["took_ms"],
    check: params::check,
};

/// The facts about the verb, without opening anything.
pub fn descriptor(verb: Verb) -> Option<&'static Descriptor> {
    (verb == Verb::ProbeAwait).then_some(&AWAIT)
}

impl Awaiting {
    /// Over the pinned regions; their probes are [`crate::spec::ProbeSpec`] as data.
    pub fn new(prober: Arc<dyn Prober>, regions: Vec<Region>, clock: Arc<dyn Clock>) -> Self {
        Self { prober, regions, clock }
    }

    fn wish(&self, call: &Call) -> Result<Wish, BadCall> {
        Wish::read(&self.regions, &call.destination, &call.with)
    }

    async fn look(&self, call: &Call) -> Observed {
        let wish = match self.wish(call) {
            Ok(wish) => wish,
            Err(bad) => return bad.observed(),
        };
        let start = self.clock.monotonic();
        let found = self.prober.probe(&wish.probe).await;
        let facts = observe::facts(&wish, &found);
        match found {
            Health::Healthy { .. } | Health::Degraded { .. } if wish.rise <= 1 => {
                Observed::Already { facts, output: observe::output(self.clock.monotonic().saturating_sub(start)) }
            }
            Health::Healthy { .. } | Health::Degraded { .. } | Health::Unhealthy { .. } | Health::Silent { .. } => {
                Observed::Ready { facts }
            }
        }
    }

    async fn wait(&self, permit: &Permit, call: &Call) -> Attempt {
        if let Some(refusal) = AWAIT.refusal(&call.with) {
            return refusal;
        }
        let wish = match self.wish(call) {
            Ok(wish) => wish,
            Err(bad) => return Attempt::NotApplied { why: bad.to_string(), retry: false },
        };
        let start = self.clock.monotonic();
        // A little less than the step's own time, so that the reason of the last probe is not lost with the call.
        let most = call.timeout.saturating_sub((call.timeout / 10).min(Duration::from_millis(500)));
        let end = start + wish.within.map_or(most, |within| within.min(most));
        let mut streak = Streak::default();
        loop {
            if !permit.live() {
                let why = "this process lost the lease on the group; the process that holds it goes on".to_owned();
                return Attempt::NotApplied { why, retry: false };
            }
            // The last probe is cut short: it may take no longer than what is left.
            let left = end.saturating_sub(self.clock.monotonic());
            let mut probe = wish.probe.clone();
            probe.timeout_ms = probe.timeout_ms.min(u64::try_from(left.as_millis()).unwrap_or(u64::MAX)).max(1);
            let found = self.prober.probe(&probe).await;
            let now = self.clock.monotonic();
            streak.count(&found);
            if streak.rising() >= wish.rise {
                return Attempt::Applied {
                    output: observe::output(now.saturating_sub(start)),
                    facts: observe::facts(&wish, &found),
                };
            }
            if now + PAUSE >= end {
                let why = streak.gave_up(&wish, &call.destination, now.saturating_sub(start));
                return Attempt::NotApplied { why, retry: true };
            }
            self.clock.sleep(PAUSE).await;
        }
    }
}

impl Driver for Awaiting {
    fn descriptor(&self, verb: Verb) -> Option<&'static Descriptor> {
        descriptor(verb)
    }

    fn observe<'a>(&'a self, call: &'a Call) -> BoxFuture<'a, Observed> {
        Box::pin(self.look(call))
    }

    fn act<'a>(&'a self, permit: &'a Permit, call: &'a Call) -> BoxFuture<'a, Attempt> {
        Box::pin(self.wait(permit, call))
    }

    fn undo<'a>(&'a self, _: &'a Permit, _: &'a Call) -> BoxFuture<'a, Attempt> {
        let why = "waiting changes nothing, so there is nothing to take back".to_owned();
        Box::pin(async move { Attempt::NotApplied { why, retry: false } })
    }

    fn endpoints(&self, call: &Call) -> Vec<Endpoint> {
        self.wish(call).map(|wish| vec![wish.endpoint(&call.destination)]).unwrap_or_default()
    }
}

/// The parameters as data.
type With = Map<String, Value>;
