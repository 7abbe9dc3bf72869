//! PostgreSQL: a primary with physical streaming standbys, one member a region.
//!
//! | file | what |
//! |---|---|
//! | `params` | the settings, checked, and the facts about the verbs |
//! | `client` | asking the servers |
//! | `observe` | replies become roles, positions and losses (pure) |
//! | `effect` | whether a verb's effect is so (pure) |
//! | `fence` | making the source accept nothing, provably |
//! | `reverse` | making the source a standby of the destination |
//! | `operation` | the other acts |
//! | `program` | programs and fencing agents outside the database |
//! | `heartbeat` | markers |
//! | `preflight` | looking ahead |
//! | `controls` | what a server tells of its controls |
//! | `parity` | what both servers must have alike (pure) |
//!
//! Promises: those of [`crate::port::Driver`]. State is in the servers alone, so a crash loses nothing here: roles,
//! positions and the read-only flag are observed anew. Assumes a role that may log in at every member, and for acts one
//! that may `ALTER SYSTEM`, reload, signal backends and promote; `preflight` says what it may not.

mod client;
mod controls;
mod effect;
mod fence;
mod heartbeat;
mod observe;
mod operation;
mod params;
mod parity;
mod preflight;
mod program;
mod reverse;

use std::{fmt, sync::Arc, time::Duration};

use futures::future::BoxFuture;
use serde_json::Value;

pub use self::params::{ParamError, descriptor};
use self::{client::Members, heartbeat::Markers, observe::Reply, params::Method};
use crate::{
    model::{Attempt, Endpoint, Facts, Observed, RegionName, Role, Verb},
    net::http::{CONNECT_TIMEOUT, Http},
    port::{Call, Concern, Controls, Descriptor, Driver, Heartbeat, Permit, Secrets},
};

/// The driver, opened for one target.
pub struct Postgres {
    members: Members,
    markers: Markers,
}

impl fmt::Debug for Postgres {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Postgres").field("params", &self.members.params).finish_non_exhaustive()
    }
}

impl Postgres {
    /// Checks `settings` (a serialised `spec::PostgresTarget`). Connects to nothing.
    pub fn open(target: &str, settings: &Value, secrets: Arc<dyn Secrets>) -> Result<Self, ParamError> {
        let params = Arc::new(params::Params::parse(target, settings)?);
        let members = Members { params, secrets, http: Http::new(Some(CONNECT_TIMEOUT)) };
        Ok(Self { markers: Markers::new(members.clone()), members })
    }

    async fn look(&self, call: &Call) -> Observed {
        let call = call.oriented();
        let call = call.as_ref();
        if call.verb == Verb::DatabaseFence {
            return fence::observe(&self.members, call).await;
        }
        let view = self.members.view(Some(&call.source)).await;
        match call.verb {
            Verb::DatabaseUnfence => effect::unfence(&view, call),
            Verb::DatabaseCatchUp => effect::catch_up(&view, call),
            Verb::DatabasePromote => effect::promote(&self.settled(view, call).await, call),
            Verb::DatabaseVerify => effect::verify(&view, call),
            Verb::DatabaseReverse => match self.members.of(&call.destination) {
                Some(to) => effect::reverse(&view, call, &to.server.address),
                None => Observed::Unknown { why: format!("the target has no member in {}", call.destination) },
            },
            verb => Observed::Unknown { why: format!("{verb} is no verb of a postgres target") },
        }
    }

    /// The last bytes of a source that stopped writing arrive within a round trip; waits for them for up to 200 ms, so that
    /// they are not counted as lost.
    async fn settled(&self, mut view: observe::View, call: &Call) -> observe::View {
        for _ in 0..10 {
            let behind = match (view.of(&call.source), view.of(&call.destination)) {
                (Some(source @ Reply::Answered(_)), Some(Reply::Answered(to)))
                    if source.role() == Role::ReadOnly && to.standby && to.receiver.is_some() =>
                {
                    observe::loss(Some(source), to, &call.known).amount != Some(0)
                }
                _ => false,
            };
            if !behind {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
            view = self.members.view(Some(&call.source)).await;
        }
        view
    }

    async fn apply(&self, permit: &Permit, call: &Call) -> Attempt {
        let call = call.oriented();
        let call = call.as_ref();
        match call.verb {
            Verb::DatabaseFence => fence::act(&self.members, permit, call).await,
            Verb::DatabaseUnfence => operation::unfence(&self.members, permit, call).await,
            Verb::DatabaseCatchUp => operation::catch_up(&self.members, call).await,
            Verb::DatabasePromote => operation::promote(&self.members, permit, call).await,
            Verb::DatabaseVerify => operation::verify(&self.members, permit, call).await,
            Verb::DatabaseReverse => reverse::reverse(&self.members, permit, call).await,
            verb => Attempt::NotApplied { why: format!("{verb} is no verb of a postgres target"), retry: false },
        }
    }
}

/// Ends an act at its deadline: what it did by then is unknown.
async fn by_deadline(call: &Call, act: impl Future<Output = Attempt>) -> Attempt {
    tokio::time::timeout(call.timeout, act).await.unwrap_or_else(|_elapsed| Attempt::Unknown {
        why: format!("{} did not end within {:.1} s", call.verb, call.timeout.as_secs_f64()),
    })
}

impl Driver for Postgres {
    fn descriptor(&self, verb: Verb) -> Option<&'static Descriptor> {
        descriptor(verb)
    }

    fn observe<'a>(&'a self, call: &'a Call) -> BoxFuture<'a, Observed> {
        Box::pin(async move {
            let late =
                || Observed::Unknown { why: format!("no observation within {:.1} s", call.timeout.as_secs_f64()) };
            tokio::time::timeout(call.timeout, self.look(call)).await.unwrap_or_else(|_elapsed| late())
        })
    }

    fn act<'a>(&'a self, permit: &'a Permit, call: &'a Call) -> BoxFuture<'a, Attempt> {
        Box::pin(async move {
            if !permit.live() {
                return Attempt::NotApplied { why: "the lease was lost; nothing was done".into(), retry: false };
            }
            if let Some(refusal) = descriptor(call.verb).and_then(|facts| facts.refusal(&call.with)) {
                return refusal;
            }
            by_deadline(call, self.apply(permit, call)).await
        })
    }

    fn undo<'a>(&'a self, permit: &'a Permit, call: &'a Call) -> BoxFuture<'a, Attempt> {
        Box::pin(async move {
            if call.verb != Verb::DatabaseFence {
                return Attempt::NotApplied { why: format!("{} cannot be taken back", call.verb), retry: false };
            }
            by_deadline(call, operation::unfence(&self.members, permit, call)).await
        })
    }

    fn endpoints(&self, call: &Call) -> Vec<Endpoint> {
        let params = &self.members.params;
        let mut endpoints: Vec<Endpoint> = params
            .members
            .iter()
            .map(|member| Endpoint {
                address: member.server.address.to_string(),
                region: Some(member.region.clone()),
                purpose: operation::purpose(member, &params.target, call),
            })
            .collect();
        let mut outside = |address: &str, purpose: String| {
            endpoints.push(Endpoint { address: address.to_owned(), region: None, purpose });
        };
        if call.verb == Verb::DatabaseFence {
            for method in &params.fence {
                let purpose = format!("fence of {} ({})", params.target, method.name());
                match method {
                    Method::ReadOnly => {}
                    Method::Command(program) => {
                        program
                            .run
                            .first()
                            .into_iter()
                            .chain(program.verify.first())
                            .for_each(|word| outside(word, purpose.clone()));
                    }
                    Method::Http(agent) => {
                        std::iter::once(&agent.url)
                            .chain(&agent.verify_url)
                            .for_each(|url| outside(url, purpose.clone()));
                    }
                }
            }
        }
        if call.verb == Verb::DatabaseReverse
            && let Some(word) = params.reverse.as_ref().and_then(|program| program.run.first())
        {
            outside(word, format!("reverse of {}", params.target));
        }
        endpoints
    }

    fn survey(&self) -> BoxFuture<'_, Facts> {
        Box::pin(async move { self.members.view(None).await.facts() })
    }

    fn preflight<'a>(&'a self, source: &'a RegionName, destination: &'a RegionName) -> BoxFuture<'a, Vec<Concern>> {
        preflight::preflight(&self.members, source, destination)
    }

    fn heartbeat(&self) -> Option<&dyn Heartbeat> {
        Some(&self.markers)
    }

    fn controls(&self) -> Option<&dyn Controls> {
        Some(self)
    }
}
