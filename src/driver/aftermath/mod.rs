//! `drill.leftovers` and `drill.untouched`: what an isolated drill left behind, and what it must not have touched.
//!
//! Promises: it looks, and never acts. What cannot be seen is unknown, never well. It assumes the drivers of the stand-ins and
//! of the real targets, which it asks for nothing but the roles of their members. A crash in the middle means that it looks again.

mod observe;
mod params;

use std::{fmt, sync::Arc};

use futures::future::{BoxFuture, join_all};

pub use self::{observe::seen, params::descriptor};
use crate::{
    model::{Attempt, Capability, Endpoint, Facts, Observed, TargetName, Verb},
    port::{Call, Descriptor, Driver, Permit},
};

/// A target with its driver.
pub type Watched = (TargetName, Capability, Arc<dyn Driver>);

/// The driver of both verbs.
pub struct Aftermath {
    stand_ins: Vec<Watched>,
    real: Vec<Watched>,
}

impl Aftermath {
    /// Looks at these.
    pub fn new(stand_ins: Vec<Watched>, real: Vec<Watched>) -> Self {
        Self { stand_ins, real }
    }
}

impl fmt::Debug for Aftermath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Aftermath").field("stand_ins", &self.stand_ins.len()).field("real", &self.real.len()).finish()
    }
}

async fn survey(watched: &[Watched]) -> Vec<(TargetName, Capability, Facts)> {
    let asked = watched
        .iter()
        .map(|(name, capability, driver)| async move { (name.clone(), *capability, driver.survey().await) });
    join_all(asked).await
}

impl Aftermath {
    async fn look(&self, call: &Call) -> Observed {
        if call.verb == Verb::DrillLeftovers {
            observe::leftovers(&survey(&self.stand_ins).await)
        } else {
            observe::untouched(&call.with, &survey(&self.real).await)
        }
    }
}

impl Driver for Aftermath {
    fn descriptor(&self, verb: Verb) -> Option<&'static Descriptor> {
        descriptor(verb)
    }

    fn observe<'a>(&'a self, call: &'a Call) -> BoxFuture<'a, Observed> {
        Box::pin(self.look(call))
    }

    /// Another look: there is nothing else to do.
    fn act<'a>(&'a self, permit: &'a Permit, call: &'a Call) -> BoxFuture<'a, Attempt> {
        Box::pin(async move {
            if let Some(refusal) = self.descriptor(call.verb).and_then(|facts| facts.refusal(&call.with)) {
                return refusal;
            }
            if !permit.live() {
                return Attempt::NotApplied { why: "the lease was lost before the look".into(), retry: false };
            }
            self.look(call).await.looked()
        })
    }

    fn undo<'a>(&'a self, _: &'a Permit, _: &'a Call) -> BoxFuture<'a, Attempt> {
        Box::pin(async { Attempt::NotApplied { why: "a look leaves nothing to take back".into(), retry: false } })
    }

    fn endpoints(&self, _: &Call) -> Vec<Endpoint> {
        Vec::new()
    }
}
