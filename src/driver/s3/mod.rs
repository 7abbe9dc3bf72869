//! `s3`: buckets of any S3-compatible store, one a region.
//!
//! Lifeboat keeps its own objects under `.lifeboat/` in each bucket (the marker of the primary, heartbeats, probes, what a reverse
//! replaced); they are never counted or copied as data, except the heartbeats, which whatever replicates the bucket must
//! replicate too: they measure the loss when the source is dead. Replication of object stores promises no order (Amazon S3 user guide,
//! "Replicating objects"): where a heartbeat overtakes older objects, more was lost than is stated, by as much as they waited.
//!
//! Promises: a fence is proven by a refused write; a copy is checked by content; a bucket that is silent is unknown, one that
//! refuses the connection is down. See `observe` for the roles, `operation` for the order of each act and for what a crash in its
//! middle means.
//!
//! Assumes one writer of policies and markers at a time, which the lease on the group sees to.

mod client;
mod compare;
mod controls;
mod copy;
mod fence;
mod leave;
mod observe;
mod operation;
mod params;
mod policy;
mod survey;

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use futures::future::BoxFuture;
use serde_json::{Value, json};
use tokio::time::timeout;

use self::{
    client::{Bucket, Trouble},
    leave::Leave,
    operation::Stop,
    survey::{Measured, Measurements},
};
pub use self::{
    observe::Marker,
    params::descriptor,
    policy::{BadPolicy, holds_fence, with_fence, without_fence},
};
use crate::{
    model::{Attempt, Endpoint, Facts, Observed, RegionName, Verb},
    port::{Call, Concern, Controls, Descriptor, Driver, Heartbeat, Permit, Secrets},
    spec::S3Target,
};

/// A target that cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum S3Error {
    /// The settings are not those of an `s3` target.
    #[error("the settings of {name} are not those of an s3 target")]
    Settings {
        /// The target.
        name: String,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
    /// Two buckets for one region, or two regions for one bucket.
    #[error("{name} has two members with the same {what}")]
    Twice {
        /// The target.
        name: String,
        /// Of what.
        what: String,
    },
    /// Only one of the two parts of a key.
    #[error(
        "the member of {name} in {region} has only one of accessKey and secretKey; give both, or neither for the AWS credential chain"
    )]
    HalfAKey {
        /// The target.
        name: String,
        /// The member.
        region: RegionName,
    },
    /// The prefix is Lifeboat's own folder.
    #[error("the prefix of {name} is inside .lifeboat/, where Lifeboat keeps its own objects")]
    OwnPrefix {
        /// The target.
        name: String,
    },
}

/// The driver of one `s3` target.
pub struct S3 {
    name: String,
    prefix: Option<String>,
    buckets: Vec<Bucket>,
    measured: Mutex<Measurements>,
}

impl S3 {
    /// Opens a target by its settings ([`S3Target`]). Connects to nothing.
    pub fn open(name: &str, settings: &Value, secrets: Arc<dyn Secrets>) -> Result<Self, S3Error> {
        let name = name.to_owned();
        let target: S3Target = serde_json::from_value(settings.clone())
            .map_err(|source| S3Error::Settings { name: name.clone(), source })?;
        if target.prefix.as_deref().is_some_and(|prefix| prefix.starts_with(compare::OWN)) {
            return Err(S3Error::OwnPrefix { name });
        }
        for (index, member) in target.members.iter().enumerate() {
            let earlier = target.members.iter().take(index);
            if earlier.clone().any(|other| other.region == member.region) {
                return Err(S3Error::Twice { name, what: format!("region {}", member.region) });
            }
            if earlier.clone().any(|other| other.bucket == member.bucket && other.endpoint == member.endpoint) {
                return Err(S3Error::Twice { name, what: format!("bucket {}", member.bucket) });
            }
            if member.access_key.is_some() != member.secret_key.is_some() {
                return Err(S3Error::HalfAKey { name, region: member.region.clone() });
            }
        }
        let buckets = target.members.into_iter().map(move |member| Bucket::new(member, Arc::clone(&secrets))).collect();
        Ok(Self { name, prefix: target.prefix, buckets, measured: Mutex::default() })
    }

    fn member(&self, region: &RegionName) -> Result<&Bucket, Trouble> {
        self.buckets
            .iter()
            .find(|bucket| bucket.region == *region)
            .ok_or_else(|| Trouble::NotAsked(format!("{} has no bucket in {region}; add a member for it", self.name)))
    }

    fn bucket(&self, region: &RegionName) -> Result<&Bucket, Stop> {
        self.member(region).map_err(|trouble| Stop::not_applied(trouble.to_string(), false))
    }

    fn measured(&self, call: &Call) -> Option<Measured> {
        self.measured.lock().unwrap_or_else(PoisonError::into_inner).remove(&call.idempotency_key())
    }

    async fn look(&self, call: &Call) -> Observed {
        let call = &*call.oriented();
        let all = survey::looks(self).await;
        let of = |region: &RegionName| all.iter().find(|(name, _)| name == region).map(|(_, look)| look);
        let (Some(source), Some(destination)) = (of(&call.source), of(&call.destination)) else {
            return Observed::Refused {
                facts: Facts::default(),
                expected: format!("a bucket in {} and one in {}", call.source, call.destination),
                found: format!("{} has none in one of them", self.name),
            };
        };
        let mut facts = survey::facts(&all);
        // Source first, as the word says.
        facts.sides.sort_by_key(|side| side.region != call.source);
        facts.fence = source.seen().and_then(observe::proof);
        match call.verb {
            Verb::StorageFence => observe::fence(&call.source, source, facts),
            Verb::StorageUnfence => observe::unfence(source, destination, &call.destination, facts),
            Verb::StorageCatchUp => {
                let gap = survey::gap(self, &call.source, &call.destination).await;
                if let Ok((inventory, gap)) = &gap {
                    facts.loss = Some(compare::loss(inventory, gap));
                }
                observe::catch_up(source, gap.as_ref().map(|(_, gap)| gap), facts)
            }
            Verb::StoragePromote => {
                let measured = survey::measure_loss(self, call).await;
                facts.loss = Some(measured.loss.clone());
                facts.marker = measured.marker;
                if !measured.first.is_empty() {
                    facts.details.insert("firstMissing".into(), json!(measured.first));
                }
                let output = observe::promotion(measured.objects, measured.loss.amount);
                self.measured.lock().unwrap_or_else(PoisonError::into_inner).insert(call.idempotency_key(), measured);
                observe::promote(destination, &call.destination, facts, output)
            }
            Verb::StorageVerify => match destination.seen() {
                Some(_) => Observed::Ready { facts },
                None => Observed::Unknown {
                    why: format!(
                        "the bucket in {} does not answer: {}",
                        call.destination,
                        observe::why_not(destination)
                    ),
                },
            },
            Verb::StorageReverse => {
                let gap = survey::gap(self, &call.destination, &call.source).await;
                if let Ok((_, gap)) = &gap {
                    facts.details.insert("onlyOnSource".into(), json!(gap.only_there));
                    facts.details.insert("differing".into(), json!(gap.differing.len()));
                }
                observe::reverse(source, destination, &call.destination, gap.as_ref().map(|(_, gap)| gap), facts)
            }
            other => Observed::Refused { facts, expected: "a verb of storage".into(), found: other.to_string() },
        }
    }

    async fn run(&self, permit: &Permit, call: &Call) -> Attempt {
        if let Some(refusal) = descriptor(call.verb).and_then(|facts| facts.refusal(&call.with)) {
            return refusal;
        }
        let call = &*call.oriented();
        let leave = &Leave::of(permit);
        let done = match call.verb {
            Verb::StorageFence => operation::fence(self, leave, call).await,
            Verb::StorageUnfence => operation::unfence(self, leave, call).await,
            Verb::StorageCatchUp => operation::catch_up(self, leave, call).await,
            Verb::StoragePromote => operation::promote(self, leave, call).await,
            Verb::StorageVerify => operation::verify(self, leave, call).await,
            Verb::StorageReverse => operation::reverse(self, leave, call).await,
            other => Err(Stop::not_applied(format!("{other} is no verb of storage"), false)),
        };
        told(leave, done)
    }

    async fn take_back(&self, permit: &Permit, call: &Call) -> Attempt {
        if call.verb != Verb::StorageFence {
            return Attempt::NotApplied { why: format!("{} cannot be taken back", call.verb), retry: false };
        }
        let leave = &Leave::of(permit);
        told(leave, operation::unfence(self, leave, call).await)
    }
}

/// How an act ended.
fn told(leave: &Leave<'_>, done: operation::Done) -> Attempt {
    match done {
        Ok((output, facts)) => Attempt::Applied { output, facts },
        Err(stop) => leave.told(stop).into(),
    }
}

/// Ends an act at its deadline: what it did by then is unknown.
async fn by_deadline(call: &Call, act: impl Future<Output = Attempt>) -> Attempt {
    timeout(call.timeout, act).await.unwrap_or_else(|_elapsed| Attempt::Unknown {
        why: format!("{} did not end within {:.1} s", call.verb, call.timeout.as_secs_f64()),
    })
}

impl fmt::Debug for S3 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("S3").field("name", &self.name).field("buckets", &self.buckets).finish_non_exhaustive()
    }
}

impl Driver for S3 {
    fn descriptor(&self, verb: Verb) -> Option<&'static Descriptor> {
        descriptor(verb)
    }

    fn observe<'a>(&'a self, call: &'a Call) -> BoxFuture<'a, Observed> {
        Box::pin(async move {
            let late =
                || Observed::Unknown { why: format!("no observation within {:.1} s", call.timeout.as_secs_f64()) };
            timeout(call.timeout, self.look(call)).await.unwrap_or_else(|_elapsed| late())
        })
    }

    fn act<'a>(&'a self, permit: &'a Permit, call: &'a Call) -> BoxFuture<'a, Attempt> {
        Box::pin(by_deadline(call, self.run(permit, call)))
    }

    fn undo<'a>(&'a self, permit: &'a Permit, call: &'a Call) -> BoxFuture<'a, Attempt> {
        Box::pin(by_deadline(call, self.take_back(permit, call)))
    }

    fn endpoints(&self, call: &Call) -> Vec<Endpoint> {
        let touched = |bucket: &&Bucket| match call.verb {
            Verb::StorageVerify => bucket.region == call.destination,
            _both => bucket.region == call.destination || bucket.region == call.source,
        };
        let purpose = format!("storage of {}", self.name);
        self.buckets
            .iter()
            .filter(touched)
            .map(|bucket| Endpoint {
                address: bucket.address(),
                region: Some(bucket.region.clone()),
                purpose: purpose.clone(),
            })
            .collect()
    }

    fn survey(&self) -> BoxFuture<'_, Facts> {
        Box::pin(survey::survey(self))
    }

    fn preflight<'a>(&'a self, source: &'a RegionName, destination: &'a RegionName) -> BoxFuture<'a, Vec<Concern>> {
        Box::pin(survey::preflight(self, source, destination))
    }

    fn heartbeat(&self) -> Option<&dyn Heartbeat> {
        Some(self)
    }

    fn controls(&self) -> Option<&dyn Controls> {
        Some(self)
    }
}
