//! What an event is called, and reading one without keeping it aside.
//!
//! Serde reads a tagged enum by keeping everything of it until it has met the tag. The first event of a run holds the whole plan, by far
//! the largest thing in a journal, which would be there twice. What we write begins with the tag, so the rest can be read for what it is.
//! A body that begins otherwise says the same, and is read as any other.

use std::fmt;

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{self, IntoDeserializer as _, MapAccess, Visitor, value::MapAccessDeserializer},
};

use super::{EventBody, Opened};

/// The key of the tag.
const TAG: &str = "event";
/// The tag of [`EventBody::Opened`].
const OPENED: &str = "opened";

impl EventBody {
    /// What it is called in a journal: the tag.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Opened(_) => OPENED,
            Self::TakenOver { .. } => "takenOver",
            Self::Commanded { .. } => "commanded",
            Self::ApprovalWithdrawn { .. } => "approvalWithdrawn",
            Self::Skipped { .. } => "skipped",
            Self::Blocked { .. } => "blocked",
            Self::ApprovalAsked { .. } => "approvalAsked",
            Self::Acting { .. } => "acting",
            Self::Done { .. } => "done",
            Self::Failed { .. } => "failed",
            Self::Lost { .. } => "lost",
            Self::Paused { .. } => "paused",
            Self::Unwinding { .. } => "unwinding",
            Self::Undoing { .. } => "undoing",
            Self::Undone { .. } => "undone",
            Self::Stuck { .. } => "stuck",
            Self::Closed { .. } => "closed",
        }
    }
}

impl Serialize for EventBody {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // The derived one, which is no method of the trait.
        Self::serialize(self, serializer)
    }
}

impl<'de> Deserialize<'de> for EventBody {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Body)
    }
}

struct Body;

impl<'de> Visitor<'de> for Body {
    type Value = EventBody;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an event")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut rest: A) -> Result<EventBody, A::Error> {
        let key: Option<String> = rest.next_key()?;
        let word: Option<String> = if key.as_deref() == Some(TAG) { Some(rest.next_value()?) } else { None };
        if word.as_deref() == Some(OPENED) {
            let opened = Opened::deserialize(MapAccessDeserializer::new(rest))?;
            return Ok(EventBody::Opened(Box::new(opened)));
        }
        // The derived one, which is no function of the trait.
        EventBody::deserialize(MapAccessDeserializer::new(Begun { key, word, rest }))
    }
}

/// A map of which the first key was taken already, and its value where that is the tag's.
struct Begun<A> {
    key: Option<String>,
    word: Option<String>,
    rest: A,
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Begun<A> {
    type Error = A::Error;

    fn next_key_seed<K: de::DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, A::Error> {
        match self.key.take() {
            Some(key) => seed.deserialize(key.into_deserializer()).map(Some),
            None => self.rest.next_key_seed(seed),
        }
    }

    fn next_value_seed<V: de::DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, A::Error> {
        match self.word.take() {
            Some(word) => seed.deserialize(word.into_deserializer()),
            None => self.rest.next_value_seed(seed),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::model::{
        StepIndex,
        sample::{opened, plan, steps},
    };

    fn events() -> Vec<EventBody> {
        let opened = opened(plan(steps()));
        let undoing = EventBody::Undoing { step: StepIndex(0) };
        vec![EventBody::Opened(Box::new(opened)), undoing, EventBody::TakenOver { holder: "here/1".into() }]
    }

    #[test]
    fn an_event_is_read_whatever_its_keys_are_ordered_by() {
        for event in events() {
            let text = serde_json::to_string(&event).unwrap();
            assert!(text.starts_with(&format!("{{\"{TAG}\":\"{}\"", event.word())), "{text}");
            assert_eq!(serde_json::from_str::<EventBody>(&text).unwrap(), event);
            let Value::Object(map) = serde_json::from_str(&text).unwrap() else { panic!("{text}") };
            let turned: serde_json::Map<String, Value> = map.into_iter().rev().collect();
            assert_eq!(turned.keys().next_back().map(String::as_str), Some(TAG));
            assert_eq!(serde_json::from_value::<EventBody>(Value::Object(turned)).unwrap(), event);
        }
    }

    #[test]
    fn what_is_no_event_is_refused_with_what_is_wrong() {
        let refusal = |value: Value| serde_json::from_str::<EventBody>(&value.to_string()).unwrap_err().to_string();
        assert!(refusal(json!({"event": "sunk"})).starts_with("unknown variant `sunk`"));
        assert!(refusal(json!({"step": 1})).starts_with("missing field `event`"));
        assert!(refusal(json!({})).starts_with("missing field `event`"));
        assert!(refusal(json!({"event": "opened"})).starts_with("missing field `kind`"));
        assert!(refusal(json!({"event": 1})).starts_with("invalid type"));
        assert!(refusal(json!([])).starts_with("invalid type: sequence, expected an event"));
    }
}
