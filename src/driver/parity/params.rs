//! The facts about the verb.

use std::time::Duration;

use serde_json::{Map, Value};

use crate::{
    model::{ControlCheck, Effect, Verb},
    port::{Descriptor, Touches},
    spec::ControlsSpec,
};

static PARITY: Descriptor = Descriptor {
    verb: Verb::DrillParity,
    effect: Effect::Reads,
    reversible: false,
    observable: true,
    // What does not answer is not checked, and that is no failure.
    touches: Touches::Neither,
    expected: Duration::from_millis(500),
    timeout: Duration::from_mins(1),
    attempts: 1,
    outputs: &[ControlCheck::CHECKS],
    check,
};

/// The facts about the verb.
pub fn descriptor(verb: Verb) -> Option<&'static Descriptor> {
    (verb == Verb::DrillParity).then_some(&PARITY)
}

/// What is declared.
pub(super) fn parse(with: &Map<String, Value>) -> Result<ControlsSpec, String> {
    let declared = with.get(ControlCheck::DECLARED).cloned().map(serde_json::from_value).transpose();
    declared.map(Option::unwrap_or_default).map_err(|error| format!("`{}`: {error}", ControlCheck::DECLARED))
}

fn check(with: &Map<String, Value>) -> Result<(), String> {
    parse(with).map(|_| ())
}
