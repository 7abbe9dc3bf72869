//! `wait`: lets a declared time pass.
//!
//! Promises: it touches nothing, and begins no wait that the step's time would cut short. Assumes the clock it is given. A crash in the middle means that the wait starts again from
//! its beginning: waiting twice does no harm.

mod params;

use std::{fmt, sync::Arc, time::Duration};

use futures::future::BoxFuture;
use serde_json::{Map, Value, json};

pub use self::params::descriptor;
use crate::{
    model::{Attempt, Endpoint, Facts, Observed, Verb},
    port::{Call, Clock, Descriptor, Driver, Permit},
};

/// The driver of `wait`.
pub struct Wait {
    clock: Arc<dyn Clock>,
}

impl Wait {
    /// Waits by this clock.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock }
    }
}

impl fmt::Debug for Wait {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Wait")
    }
}

fn output(waited: Duration) -> Map<String, Value> {
    Map::from_iter([("waited_seconds".to_owned(), json!(waited.as_secs_f64()))])
}

impl Driver for Wait {
    fn descriptor(&self, verb: Verb) -> Option<&'static Descriptor> {
        descriptor(verb)
    }

    fn observe<'a>(&'a self, call: &'a Call) -> BoxFuture<'a, Observed> {
        Box::pin(async move {
            match params::within(call) {
                Ok(_) => Observed::Ready { facts: Facts::default() },
                Err(found) => Observed::Refused {
                    facts: Facts::default(),
                    expected: "`seconds`, a number of seconds within the step's time".into(),
                    found,
                },
            }
        })
    }

    fn act<'a>(&'a self, permit: &'a Permit, call: &'a Call) -> BoxFuture<'a, Attempt> {
        Box::pin(async move {
            let time = match params::within(call) {
                Ok(time) => time,
                Err(why) => return Attempt::NotApplied { why, retry: false },
            };
            if !permit.live() {
                return Attempt::NotApplied { why: "the lease was lost before the wait".into(), retry: false };
            }
            let start = self.clock.monotonic();
            self.clock.sleep(time).await;
            Attempt::Applied { output: output(self.clock.monotonic().saturating_sub(start)), facts: Facts::default() }
        })
    }

    fn undo<'a>(&'a self, _: &'a Permit, _: &'a Call) -> BoxFuture<'a, Attempt> {
        Box::pin(async {
            Attempt::NotApplied { why: "time that has passed cannot be taken back".into(), retry: false }
        })
    }

    fn endpoints(&self, _: &Call) -> Vec<Endpoint> {
        Vec::new()
    }
}
