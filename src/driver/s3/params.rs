//! What the verbs of a bucket take, and the facts about them.

use std::time::Duration;

use serde_json::{Map, Value};

use crate::{
    model::{Effect, Verb},
    port::{Descriptor, Touches},
    spec::{NoParams, ReverseMember, WithinParams},
};

static FENCE: Descriptor = Descriptor {
    verb: Verb::StorageFence,
    effect: Effect::Destroys,
    reversible: true,
    observable: true,
    touches: Touches::Source,
    expected: Duration::from_secs(3),
    timeout: Duration::from_secs(45),
    attempts: 3,
    outputs: &["fenced"],
    check: nothing,
};

static UNFENCE: Descriptor = Descriptor {
    verb: Verb::StorageUnfence,
    effect: Effect::Changes,
    reversible: false,
    observable: true,
    touches: Touches::Source,
    expected: Duration::from_secs(2),
    timeout: Duration::from_secs(45),
    attempts: 3,
    outputs: &["fenced"],
    check: nothing,
};

static CATCH_UP: Descriptor = Descriptor {
    verb: Verb::StorageCatchUp,
    effect: Effect::Changes,
    reversible: false,
    observable: true,
    touches: Touches::Both,
    expected: Duration::from_secs(30),
    timeout: Duration::from_hours(1),
    attempts: 3,
    outputs: &["copied", "bytes", "missing"],
    check: within,
};

static PROMOTE: Descriptor = Descriptor {
    verb: Verb::StoragePromote,
    effect: Effect::Destroys,
    reversible: false,
    observable: true,
    touches: Touches::SourceIfAlive,
    expected: Duration::from_secs(2),
    timeout: Duration::from_mins(1),
    attempts: 3,
    outputs: &["objects", "missing"],
    check: nothing,
};

static VERIFY: Descriptor = Descriptor {
    verb: Verb::StorageVerify,
    effect: Effect::Changes,
    reversible: false,
    observable: true,
    touches: Touches::Destination,
    expected: Duration::from_secs(1),
    timeout: Duration::from_secs(30),
    attempts: 3,
    outputs: &["verified"],
    check: nothing,
};

static REVERSE: Descriptor = Descriptor {
    verb: Verb::StorageReverse,
    effect: Effect::Destroys,
    reversible: false,
    observable: true,
    touches: Touches::Both,
    expected: Duration::from_secs(30),
    timeout: Duration::from_hours(1),
    attempts: 3,
    outputs: &["copied", "bytes", "missing", "set_aside", "fenced"],
    check: reverse,
};

/// The facts about a verb of a bucket; `None`: it has no such verb.
pub fn descriptor(verb: Verb) -> Option<&'static Descriptor> {
    [&FENCE, &UNFENCE, &CATCH_UP, &PROMOTE, &VERIFY, &REVERSE].into_iter().find(|descriptor| descriptor.verb == verb)
}

fn nothing(with: &Map<String, Value>) -> Result<(), String> {
    serde_json::from_value::<NoParams>(Value::Object(with.clone())).map(|_| ()).map_err(|error| error.to_string())
}

fn within(with: &Map<String, Value>) -> Result<(), String> {
    if with.contains_key("member") {
        return Err("unknown field `member`, expected `within`".into());
    }
    if let Some(Value::String(text)) = with.get("within")
        && text.contains("{{")
        && with.len() == 1
    {
        return Ok(());
    }
    limit(with, Duration::MAX).map(|_| ())
}

fn reverse(with: &Map<String, Value>) -> Result<(), String> {
    let mut with = with.clone();
    if let Some(member) = with.remove("member") {
        serde_json::from_value::<ReverseMember>(member).map_err(|error| error.to_string())?;
    }
    within(&with)
}

/// How long a copying verb may take: `within`, at most the call's own timeout.
pub(super) fn limit(with: &Map<String, Value>, timeout: Duration) -> Result<Duration, String> {
    let mut with = with.clone();
    // A reverse also says which side; `Call::oriented` has read it.
    with.remove("member");
    if let Some(number) = with.get("within").and_then(Value::as_str).and_then(|text| text.trim().parse::<u64>().ok()) {
        with.insert("within".into(), number.into());
    }
    let params: WithinParams = serde_json::from_value(Value::Object(with)).map_err(|error| error.to_string())?;
    Ok(params.within.map_or(timeout, |seconds| Duration::from_secs(seconds).min(timeout)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_copying_takes_a_limit() {
        let check = |verb, with: Value| (descriptor(verb).unwrap().check)(with.as_object().unwrap());
        assert_eq!(check(Verb::StorageCatchUp, json!({"within": 5})), Ok(()));
        assert_eq!(check(Verb::StorageReverse, json!({"within": "{{ steps.a.n }}"})), Ok(()));
        assert!(check(Verb::StorageCatchUp, json!({"within": "soon"})).is_err());
        assert_eq!(check(Verb::StorageReverse, json!({"within": 5, "member": "destination"})), Ok(()));
        assert!(check(Verb::StorageReverse, json!({"member": "dub"})).is_err());
        assert!(check(Verb::StorageCatchUp, json!({"member": "destination"})).is_err());
        assert!(check(Verb::StoragePromote, json!({"within": 5})).unwrap_err().contains("within"));
        assert!(descriptor(Verb::DatabaseFence).is_none());
    }
}
