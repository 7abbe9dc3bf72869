//! What a driver promises.
//!
//! 1. `observe` never changes anything. `survey`, `preflight` and `Heartbeat::newest` neither.
//! 2. `act` is safe to call again after an observation said `Ready`: doing it twice does no more harm than once. `undo`
//!    looks first, so it is safe to call again at any time: whoever takes a run over goes on with an undo that was begun.
//! 3. A lost reply, a timeout, a closed connection during an act is `Attempt::Unknown`, never `NotApplied`.
//! 4. `act` and `undo` ask `permit.live()` before each effect and answer `NotApplied { retry: false }` when it is out.
//! 5. Nothing they return contains a secret.
//! 6. They respect `call.timeout`; the engine also drops the future at the deadline, and that is safe.
//! 7. `act` asks `check` of the descriptor again before it sends anything ([`Descriptor::refusal`]): what was an expression
//!    when a document was checked is a value now.
//!
//! `driver::conformance` tries each of them on a driver and its real target.

use std::{borrow::Cow, time::Duration};

use futures::future::BoxFuture;
use jiff::Timestamp;
use serde_json::{Map, Value};

use super::{Controls, Descriptor, MarkerSeen, Permit};
use crate::{
    model::{Attempt, Endpoint, Facts, Observed, RegionName, RunId, RunKind, StepName, TargetName, Verb},
    spec::ReverseMember,
};

/// What the observers knew before the run: a driver measures loss against it when the source cannot be asked.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Known {
    /// The newest marker of this target that the source acknowledged.
    pub marker: Option<MarkerSeen>,
    /// The first failed probe of the source.
    pub onset: Option<Timestamp>,
}

/// One call of a verb.
#[derive(Debug, Clone)]
pub struct Call {
    /// The run; also in idempotency keys.
    pub run: RunId,
    /// What kind of run.
    pub kind: RunKind,
    /// The step.
    pub step: StepName,
    /// Which try, from 1; 0 while observing before the first.
    pub attempt: u32,
    /// An earlier try of this step has an unknown outcome.
    pub in_doubt: bool,
    /// The verb.
    pub verb: Verb,
    /// The target.
    pub target: Option<TargetName>,
    /// The region the run moves away from.
    pub source: RegionName,
    /// The region it moves to.
    pub destination: RegionName,
    /// Parameters, interpolated.
    pub with: Map<String, Value>,
    /// How long the call may take.
    pub timeout: Duration,
    /// The wall-clock time at the call, for markers and ages.
    pub now: Timestamp,
    /// What the observers knew.
    pub known: Known,
}

impl Call {
    /// For tests: a step named `step` of run `orders-1`, from `fra` to `dub`, without a target, with a minute.
    #[cfg(test)]
    pub(crate) fn sample(verb: Verb) -> Self {
        Self {
            run: "orders-1".parse().unwrap(),
            kind: RunKind::Failover,
            step: "step".parse().unwrap(),
            attempt: 1,
            in_doubt: false,
            verb,
            target: None,
            source: "fra".parse().unwrap(),
            destination: "dub".parse().unwrap(),
            with: Map::new(),
            timeout: Duration::from_mins(1),
            now: "2026-01-01T00:00:00Z".parse().unwrap(),
            known: Known::default(),
        }
    }

    /// A key that is the same for every try of this step in this run.
    pub fn idempotency_key(&self) -> String {
        format!("lifeboat/{}/{}", self.run, self.step)
    }

    /// What a program that is run for this call finds in its environment: `LIFEBOAT_RUN`, `LIFEBOAT_STEP`, `LIFEBOAT_SOURCE`,
    /// `LIFEBOAT_DESTINATION`, `LIFEBOAT_IDEMPOTENCY_KEY`, and `LIFEBOAT_TARGET` where the step has one. By the key it can tell that an
    /// earlier try of itself still works.
    pub fn environment(&self) -> Vec<(&'static str, String)> {
        let mut all = vec![
            ("LIFEBOAT_RUN", self.run.to_string()),
            ("LIFEBOAT_STEP", self.step.to_string()),
            ("LIFEBOAT_SOURCE", self.source.to_string()),
            ("LIFEBOAT_DESTINATION", self.destination.to_string()),
            ("LIFEBOAT_IDEMPOTENCY_KEY", self.idempotency_key()),
        ];
        all.extend(self.target.as_ref().map(|target| ("LIFEBOAT_TARGET", target.to_string())));
        all
    }

    /// The call as a reverse sees it: `with: {member: destination}` exchanges the sides, so that `source` is always the
    /// one that becomes the replica. Any other call stays as it is.
    pub fn oriented(&self) -> Cow<'_, Self> {
        let reverses = matches!(self.verb, Verb::DatabaseReverse | Verb::StorageReverse);
        let member = self.with.get("member").cloned().and_then(|member| serde_json::from_value(member).ok());
        match member {
            Some(ReverseMember::Destination) if reverses => {
                Cow::Owned(Self { source: self.destination.clone(), destination: self.source.clone(), ..self.clone() })
            }
            Some(_) | None => Cow::Borrowed(self),
        }
    }
}

/// Something that would make a failover slow, lossy or impossible, found by looking ahead.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Concern {
    /// What was found, with its figures.
    pub what: String,
    /// What to do about it.
    pub remedy: String,
}

/// The code that speaks to one technology, opened for one target (or for a general verb).
pub trait Driver: Send + Sync {
    /// The facts about a verb; `None`: the driver lacks it.
    fn descriptor(&self, verb: Verb) -> Option<&'static Descriptor>;
    /// Looks whether the call's effect is so.
    fn observe<'a>(&'a self, call: &'a Call) -> BoxFuture<'a, Observed>;
    /// Makes it so.
    fn act<'a>(&'a self, permit: &'a Permit, call: &'a Call) -> BoxFuture<'a, Attempt>;
    /// Takes it back. Called only for verbs whose descriptor is reversible.
    fn undo<'a>(&'a self, permit: &'a Permit, call: &'a Call) -> BoxFuture<'a, Attempt>;
    /// Every address that the verb may touch in this call.
    fn endpoints(&self, call: &Call) -> Vec<Endpoint>;
    /// The role of every member, for `status` and `plan`. A driver without members has none to show.
    fn survey(&self) -> BoxFuture<'_, Facts> {
        Box::pin(std::future::ready(Facts::default()))
    }
    /// What would make a failover from `source` to `destination` slow, lossy or impossible; nothing, where a driver
    /// has no members to look at.
    fn preflight<'a>(&'a self, _source: &'a RegionName, _destination: &'a RegionName) -> BoxFuture<'a, Vec<Concern>> {
        Box::pin(std::future::ready(Vec::new()))
    }
    /// The driver's heartbeat markers, where it has them.
    fn heartbeat(&self) -> Option<&dyn Heartbeat> {
        None
    }
    /// What the driver can tell of its members' controls, where it can.
    fn controls(&self) -> Option<&dyn Controls> {
        None
    }
}

/// What became of a marker.
#[derive(Debug, Clone, PartialEq)]
pub enum Beat {
    /// Acknowledged by the region's member, which is the primary.
    Acknowledged {
        /// Its position after it, where it has one.
        position: Option<u64>,
    },
    /// Refused, or not reachable: the region's member does not serve.
    Refused {
        /// Why.
        why: String,
    },
}

/// Markers that measure loss: a row, an object with its time, written beside the service.
pub trait Heartbeat: Send + Sync {
    /// Writes a marker with this time in this region.
    fn beat<'a>(&'a self, region: &'a RegionName, at: Timestamp) -> BoxFuture<'a, Beat>;
    /// The newest marker that this region's member holds.
    fn newest<'a>(&'a self, region: &'a RegionName) -> BoxFuture<'a, Result<Option<Timestamp>, String>>;
}
