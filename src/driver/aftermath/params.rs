//! The facts about both verbs.

use std::time::Duration;

use serde_json::{Map, Value};

use crate::{
    model::{Effect, Verb},
    port::{Descriptor, Touches},
};

static LEFTOVERS: Descriptor = facts(Verb::DrillLeftovers);
static UNTOUCHED: Descriptor = facts(Verb::DrillUntouched);

/// What was seen of the real targets before the drill: `{target: {region: role}}`.
pub(super) const EXPECTED: &str = "expected";

const fn facts(verb: Verb) -> Descriptor {
    Descriptor {
        verb,
        effect: Effect::Reads,
        reversible: false,
        observable: true,
        touches: Touches::Both,
        expected: Duration::from_millis(100),
        timeout: Duration::from_mins(1),
        attempts: 1,
        outputs: &["seen"],
        check,
    }
}

/// The facts about a verb of an isolated drill.
pub fn descriptor(verb: Verb) -> Option<&'static Descriptor> {
    match verb {
        Verb::DrillLeftovers => Some(&LEFTOVERS),
        Verb::DrillUntouched => Some(&UNTOUCHED),
        _ => None,
    }
}

fn check(with: &Map<String, Value>) -> Result<(), String> {
    match with.get(EXPECTED) {
        None | Some(Value::Object(_)) => Ok(()),
        Some(other) => Err(format!("`{EXPECTED}`: a map of targets is needed, found {other}")),
    }
}
