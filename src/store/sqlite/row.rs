//! Between columns and words. What cannot be read back is `Corrupt`, with its place.

use jiff::Timestamp;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use super::worker::Halt;
use crate::{
    model::{RunId, Term},
    port::StoreError,
};

/// A counter as SQLite's signed integer. Counters start at 1 and never come near the end.
pub(super) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// A counter of ours; SQLite holds no negative one, since nothing writes one.
pub(super) fn counter(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

/// A term.
pub(super) fn term(number: i64) -> Term {
    Term(counter(number))
}

/// The key columns of a run.
pub(super) fn key(run: &RunId) -> (String, i64) {
    (run.group.as_str().to_owned(), signed(run.number))
}

/// A value as JSON. Our own types have string keys and finite numbers, so this does not fail in practice.
pub(super) fn json<T: Serialize>(what: &str, value: &T) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|error| StoreError::Corrupt { what: format!("{what} to be written: {error}") })
}

/// A value from JSON.
pub(super) fn parse<T: DeserializeOwned>(what: impl Fn() -> String, text: &str) -> Result<T, StoreError> {
    serde_json::from_str(text).map_err(|error| StoreError::Corrupt { what: format!("{}: {error}", what()) })
}

/// A word of ours (an enum without data, a name) as plain text.
pub(super) fn word<T: Serialize>(what: &str, value: &T) -> Result<String, StoreError> {
    match serde_json::to_value(value) {
        Ok(Value::String(text)) => Ok(text),
        Ok(_) | Err(_) => Err(StoreError::Corrupt { what: format!("{what} to be written, which is no word") }),
    }
}

/// A word of ours from plain text.
pub(super) fn parse_word<T: DeserializeOwned>(what: impl Fn() -> String, text: &str) -> Result<T, StoreError> {
    serde_json::from_value(Value::String(text.to_owned()))
        .map_err(|error| StoreError::Corrupt { what: format!("{}: {error}", what()) })
}

/// A time.
pub(super) fn time(what: impl Fn() -> String, text: &str) -> Result<Timestamp, StoreError> {
    text.parse().map_err(|error| StoreError::Corrupt { what: format!("{}: {error}", what()) })
}

/// Ends a job with a refusal.
pub(super) fn said<T>(error: StoreError) -> Result<T, Halt<StoreError>> {
    Err(Halt::Said(error))
}
