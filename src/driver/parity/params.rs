//! The facts about the verb.

use std::time::Duration;

use serde_json::{Map, Value};

use crate::{
    model::{Effect, Verb},
    port::{Descriptor, Touches},
    spec::ControlsSpec,
};

/// What the group declares, beside what drivers tell: a [`ControlsSpec`].
pub const CONTROLS: &str = "controls";
/// The list of checks in the step's output.
pub const CHECKS: &str = "checks";

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
    outputs: &[CHECKS],
    check,
};

/// The facts about the verb.
pub fn descriptor(verb: Verb) -> Option<&'static Descriptor> {
    (verb == Verb::DrillParity).then_some(&PARITY)
}

/// What is declared.
pub(super) fn parse(with: &Map<String, Value>) -> Result<ControlsSpec, String> {
    let declared = with.get(CONTROLS).cloned().map(serde_json::from_value).transpose();
    declared.map(Option::unwrap_or_default).map_err(|error| format!("`{CONTROLS}`: {error}"))
}

fn check(with: &Map<String, Value>) -> Result<(), String> {
    parse(with).map(|_| ())
}
