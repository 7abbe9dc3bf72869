//! The facts about the driver's verbs.

use std::time::Duration;

use serde_json::{Map, Value};

use crate::{
    model::{Effect, Verb},
    port::{Descriptor, Touches},
};

/// Half a second: an update takes a few milliseconds, a NOTIFY and a transfer to a secondary the rest.
const EXPECTED: Duration = Duration::from_millis(500);

/// Half a minute: BIND sends NOTIFY up to five seconds after a change, and a secondary may be asked again once.
const TIMEOUT: Duration = Duration::from_secs(30);

static SWITCH: Descriptor = Descriptor {
    verb: Verb::DnsSwitch,
    effect: Effect::Changes,
    reversible: true,
    observable: true,
    touches: Touches::Neither,
    expected: EXPECTED,
    timeout: TIMEOUT,
    attempts: 3,
    outputs: &["ttl_seconds", "serial", "servers", "stale_until_seconds"],
    check: no_params,
};

static VERIFY: Descriptor = Descriptor {
    verb: Verb::DnsVerify,
    effect: Effect::Reads,
    reversible: false,
    observable: true,
    touches: Touches::Neither,
    expected: EXPECTED,
    timeout: TIMEOUT,
    attempts: 3,
    outputs: &["ttl_seconds", "serial", "servers"],
    check: no_params,
};

/// The facts about a verb, without opening anything.
pub fn descriptor(verb: Verb) -> Option<&'static Descriptor> {
    [&SWITCH, &VERIFY].into_iter().find(|known| known.verb == verb)
}

fn no_params(with: &Map<String, Value>) -> Result<(), String> {
    match with.keys().next() {
        None => Ok(()),
        Some(key) => {
            Err(format!("`{key}` is unknown: the dns verbs take no parameters, the target declares the records"))
        }
    }
}
