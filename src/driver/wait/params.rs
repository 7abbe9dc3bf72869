//! What `wait` takes, and the facts about it.

use std::time::Duration;

use serde_json::{Map, Value};

use crate::{
    model::{Effect, Verb},
    port::{Call, Descriptor, Touches},
    spec::WaitParams,
};

/// A week: whoever waits longer means `approve`.
const LONGEST: f64 = 7.0 * 24.0 * 3600.0;

static WAIT: Descriptor = Descriptor {
    verb: Verb::Wait,
    effect: Effect::Reads,
    reversible: false,
    observable: true,
    touches: Touches::Neither,
    expected: Duration::from_secs(10),
    timeout: Duration::from_hours(1),
    attempts: 1,
    outputs: &["waited_seconds"],
    check,
};

/// The facts about `wait`.
pub fn descriptor(verb: Verb) -> Option<&'static Descriptor> {
    (verb == Verb::Wait).then_some(&WAIT)
}

fn check(with: &Map<String, Value>) -> Result<(), String> {
    if let Some(Value::String(text)) = with.get("seconds")
        && text.contains("{{")
        && with.len() == 1
    {
        return Ok(());
    }
    seconds(with).map(|_| ())
}

/// How long to wait. An interpolated text that is a number counts as one.
pub(super) fn seconds(with: &Map<String, Value>) -> Result<Duration, String> {
    let mut with = with.clone();
    if let Some(number) = with.get("seconds").and_then(Value::as_str).and_then(|text| text.trim().parse::<f64>().ok()) {
        with.insert("seconds".into(), number.into());
    }
    let params: WaitParams = serde_json::from_value(Value::Object(with)).map_err(|error| error.to_string())?;
    if !(0.0..=LONGEST).contains(&params.seconds) {
        return Err(format!("`seconds` is 0 to {LONGEST:.0}, found {}", params.seconds));
    }
    Ok(Duration::from_secs_f64(params.seconds))
}

/// How long to wait in this call: no longer than it may take.
pub(super) fn within(call: &Call) -> Result<Duration, String> {
    let (time, most) = (seconds(&call.with)?, call.timeout);
    if time < most {
        return Ok(time);
    }
    let (time, most) = (time.as_secs_f64(), most.as_secs_f64());
    Err(format!(
        "a wait of {time} s does not fit into the {most} s that the step may take; raise its `timeoutSeconds` above it"
    ))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn with(value: &Value) -> Map<String, Value> {
        value.as_object().unwrap().clone()
    }

    #[test]
    fn a_wait_takes_a_number_of_seconds_or_an_expression() {
        for good in [json!({"seconds": 0}), json!({"seconds": 1.5}), json!({"seconds": "{{ steps.a.n }}"})] {
            assert_eq!(check(&with(&good)), Ok(()));
        }
        for bad in [
            json!({}),
            json!({"seconds": -1}),
            json!({"seconds": 1e9}),
            json!({"seconds": "soon"}),
            json!({"seconds": "{{ n }}", "second": 1}),
        ] {
            assert!(check(&with(&bad)).is_err(), "{bad}");
        }
        assert_eq!(seconds(&with(&json!({"seconds": " 2.5 "}))), Ok(Duration::from_millis(2500)));
    }
}
