//! `drill.parity`: whether the controls of the destination are those of the source.
//!
//! Promises: it looks, and changes nothing; a region that does not answer leaves its controls *not checked*, never passed; it ends
//! within its time whatever hangs, so that no drill waits for it. What comes of the checks is for the verdict on the drill.
//!
//! Assumes the drivers of the real targets, and that programs which the group declares change nothing. A crash in the middle means
//! that it looks again.

mod declared;
mod observe;
mod params;

use std::{fmt, sync::Arc, time::Duration};

use futures::future::{BoxFuture, join_all};
use jiff::{civil::Date, tz::TimeZone};
use serde_json::{Map, json};
use tokio::time::timeout;

pub use self::params::descriptor;
use crate::{
    decide::parity::{Comparison, Read},
    model::{Attempt, ControlCheck, Endpoint, Facts, Observed, RegionName, TargetName, Verb},
    port::{Call, Controls, Descriptor, Driver, Permit, Prober},
    spec::ControlsSpec,
};

/// How long one member may take for all that it has to tell.
const MEMBER: Duration = Duration::from_secs(10);

/// The driver of the verb.
pub struct Parity {
    targets: Vec<(TargetName, Arc<dyn Driver>)>,
    prober: Arc<dyn Prober>,
}

impl fmt::Debug for Parity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Parity").field("targets", &self.targets.len()).finish_non_exhaustive()
    }
}

async fn read(controls: &dyn Controls, region: &RegionName) -> Read {
    let late = |_elapsed| Err(format!("it did not answer within {} s", MEMBER.as_secs()));
    timeout(MEMBER, controls.read(region)).await.unwrap_or_else(late)
}

impl Parity {
    /// Looks at these targets, and makes declared probes with this prober.
    pub fn new(targets: Vec<(TargetName, Arc<dyn Driver>)>, prober: Arc<dyn Prober>) -> Self {
        Self { targets, prober }
    }

    /// Compares everything, now.
    pub async fn compare(
        &self,
        spec: &ControlsSpec,
        source: &RegionName,
        destination: &RegionName,
        today: Date,
    ) -> Vec<ControlCheck> {
        let (least, exceptions) = (spec.encryption, spec.exceptions.as_slice());
        let comparison = Comparison { source, destination, least, exceptions, today };
        let of_target = |(name, driver): &'_ (TargetName, Arc<dyn Driver>)| {
            let (name, driver) = (name.clone(), Arc::clone(driver));
            async move {
                let Some(controls) = driver.controls() else { return Vec::new() };
                let told: Vec<_> =
                    controls.told().into_iter().map(|(control, subject)| (control, subject.to_owned())).collect();
                let (from, to) = tokio::join!(read(controls, source), read(controls, destination));
                comparison.of(Some(&name), &told, &from, &to)
            }
        };
        let targets = join_all(self.targets.iter().map(of_target));
        let declared = async {
            let looks = declared::Declared { spec, prober: self.prober.as_ref() };
            let (from, to) = tokio::join!(looks.read(source), looks.read(destination));
            comparison.of(None, &[], &Ok(from), &Ok(to))
        };
        let (targets, declared) = tokio::join!(targets, declared);
        targets.into_iter().flatten().chain(declared).collect()
    }

    async fn look(&self, call: &Call) -> Observed {
        let spec = match params::parse(&call.with) {
            Ok(spec) => spec,
            Err(found) => {
                let expected = "the controls that the group declares".into();
                return Observed::Refused { facts: Facts::default(), expected, found };
            }
        };
        let today = call.now.to_zoned(TimeZone::UTC).date();
        let compared = timeout(call.timeout, self.compare(&spec, &call.source, &call.destination, today)).await;
        match compared {
            Ok(checks) => Observed::Already {
                facts: Facts::default(),
                output: Map::from_iter([(ControlCheck::CHECKS.to_owned(), json!(checks))]),
            },
            Err(_elapsed) => {
                Observed::Unknown { why: format!("no comparison within {:.0} s", call.timeout.as_secs_f64()) }
            }
        }
    }
}

impl Driver for Parity {
    fn descriptor(&self, verb: Verb) -> Option<&'static Descriptor> {
        descriptor(verb)
    }

    fn observe<'a>(&'a self, call: &'a Call) -> BoxFuture<'a, Observed> {
        Box::pin(self.look(call))
    }

    /// Another look: there is nothing else to do.
    fn act<'a>(&'a self, permit: &'a Permit, call: &'a Call) -> BoxFuture<'a, Attempt> {
        Box::pin(async move {
            if let Some(refusal) = descriptor(call.verb).and_then(|facts| facts.refusal(&call.with)) {
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
