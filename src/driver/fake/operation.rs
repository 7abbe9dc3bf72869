//! The fake driver.

use std::{sync::Arc, time::Duration};

use futures::future::{BoxFuture, Either, select};
use serde_json::{Map, Value};

use super::{
    client::{Act, World, trouble},
    observe,
    params::Script,
};
use crate::{
    model::{Attempt, Effect, Endpoint, Facts, Observed, Verb},
    port::{Call, Clock, Descriptor, Driver, Permit, Touches},
};

/// A fake target.
pub struct Fake {
    script: Script,
    world: World,
    clock: Arc<dyn Clock>,
}

impl Fake {
    /// Opens the target on a world. `settings` is the target's `fake` block; its `world` holds the [`Script`].
    pub fn open(settings: &Value, world: Option<World>, clock: Arc<dyn Clock>) -> Result<Self, String> {
        let script: Script = match settings.get("world") {
            Some(world) => serde_json::from_value(world.clone()).map_err(|error| error.to_string())?,
            None => Script::default(),
        };
        let world = world.unwrap_or_else(|| script.file.as_ref().map_or_else(World::new, World::in_file));
        Ok(Self { script, world, clock })
    }

    /// Opens it with a script made in code.
    pub fn scripted(script: Script, world: World, clock: Arc<dyn Clock>) -> Self {
        Self { script, world, clock }
    }

    fn apply(&self, permit: &Permit, call: &Call, undo: bool) {
        self.world.with(|state| {
            state.acts.push(Act {
                step: call.step.clone(),
                verb: call.verb,
                attempt: call.attempt,
                term: permit.term().0,
                undo,
            });
            if undo {
                state.applied.remove(&call.step);
            } else {
                state.applied.insert(call.step.clone(), call.verb);
            }
        });
    }
}

impl Driver for Fake {
    fn descriptor(&self, verb: Verb) -> Option<&'static Descriptor> {
        descriptor(verb)
    }

    fn observe<'a>(&'a self, call: &'a Call) -> BoxFuture<'a, Observed> {
        Box::pin(async move {
            if self.world.strikes(&self.script, &call.step, "unseen", |t| t.unseen) {
                return Observed::Unknown { why: "the script lets nothing be seen".into() };
            }
            if call.in_doubt && self.world.strikes(&self.script, &call.step, "unseen_in_doubt", |t| t.unseen_in_doubt) {
                return Observed::Unknown { why: "the script lets nothing be seen of a try in doubt".into() };
            }
            if self.world.strikes(&self.script, &call.step, "refuse", |t| t.refuse) {
                let facts = self.world.with(|state| observe::facts(&self.script, state, call));
                return Observed::Refused {
                    facts,
                    expected: "something else".into(),
                    found: "what the script says".into(),
                };
            }
            self.world.with(|state| observe::observed(&self.script, state, call))
        })
    }

    fn act<'a>(&'a self, permit: &'a Permit, call: &'a Call) -> BoxFuture<'a, Attempt> {
        Box::pin(async move {
            if !permit.live() {
                return Attempt::NotApplied { why: "the lease is lost".into(), retry: false };
            }
            let trouble = trouble(&self.script, &call.step);
            if let Some(takes) = trouble.map(|t| t.takes_ms).filter(|ms| *ms > 0) {
                let takes = self.clock.sleep(Duration::from_millis(takes));
                if let Either::Right(_late) = select(takes, self.clock.sleep(call.timeout)).await {
                    return Attempt::Unknown { why: "the script takes longer than the step may".into() };
                }
            }
            if self.world.strikes(&self.script, &call.step, "fail", |t| t.fail) {
                let retry = !trouble.is_some_and(|t| t.fatal);
                return Attempt::NotApplied { why: "the script lets it fail".into(), retry };
            }
            if self.world.strikes(&self.script, &call.step, "lose_request", |t| t.lose_request) {
                return Attempt::Unknown { why: "the script lost the request".into() };
            }
            if !permit.live() {
                return Attempt::NotApplied { why: "the lease was lost".into(), retry: false };
            }
            self.apply(permit, call, false);
            if self.world.strikes(&self.script, &call.step, "lose_reply", |t| t.lose_reply) {
                return Attempt::Unknown { why: "the script lost the reply".into() };
            }
            let (facts, output) = self
                .world
                .with(|state| (observe::facts(&self.script, state, call), observe::output(&self.script, call)));
            Attempt::Applied { output, facts }
        })
    }

    fn undo<'a>(&'a self, permit: &'a Permit, call: &'a Call) -> BoxFuture<'a, Attempt> {
        Box::pin(async move {
            if !permit.live() {
                return Attempt::NotApplied { why: "the lease is lost".into(), retry: false };
            }
            if self.world.strikes(&self.script, &call.step, "fail_undo", |t| t.fail_undo) {
                return Attempt::NotApplied { why: "the script lets the undo fail".into(), retry: true };
            }
            // Like a real thing it looks first: what was taken back already is not taken back again.
            if self.world.applied().contains(&call.step) {
                self.apply(permit, call, true);
            }
            if self.world.strikes(&self.script, &call.step, "lose_undo_reply", |t| t.lose_undo_reply) {
                return Attempt::Unknown { why: "the script lost the reply of the undo".into() };
            }
            Attempt::Applied { output: Map::new(), facts: Facts::default() }
        })
    }

    fn endpoints(&self, _: &Call) -> Vec<Endpoint> {
        Vec::new()
    }
}

macro_rules! descriptors {
    ($($name:ident: $verb:ident $effect:ident $reversible:literal $touches:ident $outputs:expr;)+) => {
        /// The facts about the fake's verbs: those of the real drivers.
        pub fn descriptor(verb: Verb) -> Option<&'static Descriptor> {
            $(static $name: Descriptor = Descriptor {
                verb: Verb::$verb,
                effect: Effect::$effect,
                reversible: $reversible,
                observable: true,
                touches: Touches::$touches,
                expected: Duration::from_millis(1),
                timeout: Duration::from_secs(30),
                attempts: 3,
                outputs: $outputs,
                check: anything,
            };)+
            match verb {
                $(Verb::$verb => Some(&$name),)+
                Verb::ProbeAwait | Verb::Approve | Verb::Wait | Verb::Http | Verb::Command | Verb::DrillLeftovers | Verb::DrillUntouched | Verb::DrillParity => None,
            }
        }
    };
}

#[expect(clippy::unnecessary_wraps, reason = "the shape of Descriptor::check")]
fn anything(_: &Map<String, Value>) -> Result<(), String> {
    Ok(())
}

descriptors! {
    DB_FENCE: DatabaseFence Destroys true SourceIfAlive &["method", "effect"];
    DB_UNFENCE: DatabaseUnfence Changes false Source &[];
    DB_CATCH_UP: DatabaseCatchUp Reads false Both &["lag_bytes", "lag_seconds"];
    DB_PROMOTE: DatabasePromote Destroys false Destination &["position", "timeline", "lost_seconds", "lost_bytes"];
    DB_VERIFY: DatabaseVerify Changes false Destination &["position"];
    DB_REVERSE: DatabaseReverse Destroys false Both &[];
    ST_FENCE: StorageFence Destroys true SourceIfAlive &["method", "effect"];
    ST_UNFENCE: StorageUnfence Changes false Source &[];
    ST_CATCH_UP: StorageCatchUp Changes false Both &["copied", "bytes"];
    ST_PROMOTE: StoragePromote Changes false Destination &["objects", "missing"];
    ST_VERIFY: StorageVerify Changes false Destination &[];
    ST_REVERSE: StorageReverse Destroys false Both &[];
    DNS_SWITCH: DnsSwitch Changes true Neither &["ttl_seconds", "serial"];
    DNS_VERIFY: DnsVerify Reads false Neither &[];
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        driver::fake::Trouble,
        model::Term,
        port::{LeaseKey, SystemClock},
    };

    fn call(timeout: Duration) -> Call {
        Call { step: "dns".parse().unwrap(), timeout, ..Call::sample(Verb::DnsSwitch) }
    }

    fn slow(world: &World) -> Fake {
        let trouble = Trouble { takes_ms: 1000, ..Trouble::default() };
        let script = Script { steps: [("*".to_owned(), trouble)].into(), ..Script::default() };
        Fake::scripted(script, world.clone(), Arc::new(SystemClock::start()))
    }

    fn permit() -> Permit {
        Permit::granted(LeaseKey { group: "orders".parse().unwrap(), rehearsal: false }, Term(1))
    }

    #[tokio::test(start_paused = true)]
    async fn an_act_that_takes_longer_than_the_step_is_unknown_and_not_applied_later() {
        let world = World::new();
        let attempt = slow(&world).act(&permit(), &call(Duration::from_millis(300))).await;
        assert!(matches!(attempt, Attempt::Unknown { .. }), "{attempt:?}");
        assert_eq!(world.acts(), []);
    }

    #[tokio::test(start_paused = true)]
    async fn a_permit_that_goes_out_meanwhile_stops_the_act_and_the_undo() {
        let (world, permit, call) = (World::new(), permit(), call(Duration::from_secs(5)));
        let fake = slow(&world);
        let lost = async {
            tokio::time::sleep(Duration::from_millis(500)).await;
            permit.revoke();
        };
        let (attempt, ()) = tokio::join!(fake.act(&permit, &call), lost);
        assert!(matches!(attempt, Attempt::NotApplied { retry: false, .. }), "{attempt:?}");
        let attempt = fake.undo(&permit, &call).await;
        assert!(matches!(attempt, Attempt::NotApplied { retry: false, .. }), "{attempt:?}");
        assert_eq!(world.acts(), []);
    }
}
