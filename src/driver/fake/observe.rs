//! From the world to observations.

use serde_json::json;

use super::{client::State, params::Script};
use crate::{
    model::{Facts, FenceProof, Loss, Observed, Output, Role, Side, Verb},
    port::Call,
};

/// What a look at a step's effect sees.
pub(super) fn observed(script: &Script, state: &State, call: &Call) -> Observed {
    let facts = facts(script, state, call);
    if state.applied.contains_key(&call.step) {
        return Observed::Already { output: output(script, call), facts };
    }
    let needs_destination = matches!(call.verb, Verb::DatabasePromote | Verb::StoragePromote);
    if needs_destination && script.dead.contains(&call.destination) {
        return Observed::Unknown { why: format!("{} does not answer", call.destination) };
    }
    Observed::Ready { facts }
}

/// The members' roles follow from what was applied.
pub(super) fn facts(script: &Script, state: &State, call: &Call) -> Facts {
    let fenced = !script.lying_fence && (state.has(Verb::DatabaseFence) || state.has(Verb::StorageFence));
    let promoted = state.has(Verb::DatabasePromote) || state.has(Verb::StoragePromote);
    let role = |region: &crate::model::RegionName, alive: Role| {
        if script.dead.contains(region) { Role::Unknown("no answer".into()) } else { alive }
    };
    // A reversal before the promotion made the *destination* a copy (`member: destination`).
    let source = if state.has(Verb::DatabaseReverse) && promoted {
        Role::Standby
    } else if fenced {
        Role::ReadOnly
    } else {
        Role::Primary
    };
    let destination = if promoted { Role::Primary } else { Role::Standby };
    let fence = (fenced && call.verb.fences())
        .then(|| FenceProof { method: "fake".into(), effect: "the fake source refuses writes".into() });
    Facts {
        sides: vec![
            Side { region: call.source.clone(), role: role(&call.source, source), position: None },
            Side { region: call.destination.clone(), role: role(&call.destination, destination), position: None },
        ],
        fence,
        loss: call.verb.promotes().then(|| script.loss.clone().unwrap_or_else(|| Loss::none("bytes", "fake world"))),
        ..Facts::default()
    }
}

/// What the verb says.
pub(super) fn output(script: &Script, call: &Call) -> Output {
    let value = match call.verb {
        Verb::DatabaseFence | Verb::StorageFence => json!({"method": "fake", "effect": "refuses writes"}),
        Verb::DatabasePromote => {
            let loss = script.loss.clone().unwrap_or_else(|| Loss::none("bytes", "fake world"));
            json!({"position": 1, "timeline": 2, "lost_seconds": loss.seconds, "lost_bytes": loss.amount})
        }
        Verb::DatabaseCatchUp => json!({"lag_bytes": 0, "lag_seconds": 0.0}),
        Verb::DatabaseVerify => json!({"position": 2}),
        Verb::StorageCatchUp => json!({"copied": 0, "bytes": 0}),
        Verb::StoragePromote => json!({"objects": 0, "missing": 0}),
        Verb::DnsSwitch => json!({"ttl_seconds": 30, "serial": 2}),
        Verb::DatabaseUnfence
        | Verb::DatabaseReverse
        | Verb::StorageUnfence
        | Verb::StorageVerify
        | Verb::StorageReverse
        | Verb::DnsVerify
        | Verb::ProbeAwait
        | Verb::Approve
        | Verb::Wait
        | Verb::Http
        | Verb::Command
        | Verb::DrillLeftovers
        | Verb::DrillUntouched
        | Verb::DrillParity => json!({}),
    };
    value.as_object().cloned().unwrap_or_default()
}
