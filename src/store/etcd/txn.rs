//! Transactions and their answers, in the JSON of etcd's gateway: bytes as base64, 64-bit numbers as text, and what is
//! false or zero left out (<https://etcd.io/docs/v3.4/dev-guide/api_grpc_gateway/>).

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::layout::end_of;

fn base64(bytes: impl AsRef<[u8]>) -> String {
    STANDARD.encode(bytes)
}

/// What a transaction rests on.
#[derive(Debug, Clone, Serialize)]
#[serde(transparent)]
pub(super) struct Compare(Value);

/// There is no such key.
pub(super) fn absent(key: &str) -> Compare {
    Compare(json!({ "key": base64(key), "target": "VERSION", "result": "EQUAL", "version": "0" }))
}

/// There is such a key.
pub(super) fn present(key: &str) -> Compare {
    Compare(json!({ "key": base64(key), "target": "VERSION", "result": "GREATER", "version": "0" }))
}

/// The key has this value.
pub(super) fn is(key: &str, value: &str) -> Compare {
    Compare(json!({ "key": base64(key), "target": "VALUE", "result": "EQUAL", "value": base64(value) }))
}

/// The key was not written since this revision; 0: there is no such key.
pub(super) fn unmoved(key: &str, revision: u64) -> Compare {
    Compare(json!({ "key": base64(key), "target": "MOD", "result": "EQUAL", "mod_revision": revision.to_string() }))
}

/// What a transaction does.
#[derive(Debug, Clone, Serialize)]
#[serde(transparent)]
pub(super) struct Op(Value);

/// Writes.
pub(super) fn put(key: &str, value: impl AsRef<[u8]>) -> Op {
    Op(json!({ "request_put": { "key": base64(key), "value": base64(value) } }))
}

/// Removes one key.
pub(super) fn delete(key: &str) -> Op {
    Op(json!({ "request_delete_range": { "key": base64(key) } }))
}

/// Removes all keys with this prefix.
pub(super) fn delete_all(prefix: &str) -> Op {
    Op(json!({ "request_delete_range": { "key": base64(prefix), "range_end": base64(end_of(prefix)) } }))
}

/// Reads one key.
pub(super) fn get(key: &str) -> Op {
    Op(json!({ "request_range": { "key": base64(key) } }))
}

/// Reads all keys with this prefix from `from` on, in their order, as many as [`PAGE`] at most.
pub(super) fn page(prefix: &str, from: &str) -> Op {
    Op(json!({ "request_range": {
        "key": base64(from), "range_end": base64(end_of(prefix)), "limit": PAGE.to_string(),
        "sort_order": "ASCEND", "sort_target": "KEY",
    } }))
}

/// Reads the last key with this prefix that is at most `until`.
pub(super) fn last(prefix: &str, until: Option<&str>) -> Op {
    // The first key after another is that key with a zero byte.
    let end = until.map_or_else(|| end_of(prefix), |until| [until.as_bytes(), &[0]].concat());
    Op(json!({ "request_range": {
        "key": base64(prefix), "range_end": base64(end), "limit": "1", "sort_order": "DESCEND", "sort_target": "KEY",
    } }))
}

/// Keys in one answer, at most: with values of a kilobyte it stays below a megabyte.
pub(super) const PAGE: usize = 512;

/// If all of this holds, do that, otherwise do the other. A transaction without comparisons always holds.
#[derive(Debug, Clone, Default, Serialize)]
pub(super) struct Txn {
    compare: Vec<Compare>,
    success: Vec<Op>,
    failure: Vec<Op>,
}

impl Txn {
    /// Reads, all at one revision.
    pub(super) fn read(ops: impl IntoIterator<Item = Op>) -> Self {
        Self { success: ops.into_iter().collect(), ..Self::default() }
    }

    pub(super) fn when(compare: impl IntoIterator<Item = Compare>) -> Self {
        Self { compare: compare.into_iter().collect(), ..Self::default() }
    }

    pub(super) fn and(mut self, compare: Compare) -> Self {
        self.compare.push(compare);
        self
    }

    pub(super) fn then(mut self, ops: impl IntoIterator<Item = Op>) -> Self {
        self.success.extend(ops);
        self
    }

    pub(super) fn otherwise(mut self, ops: impl IntoIterator<Item = Op>) -> Self {
        self.failure.extend(ops);
        self
    }

    /// Whether it may change anything.
    pub(super) fn writes(&self) -> bool {
        self.success.iter().any(|op| op.0.get("request_range").is_none())
    }

    pub(super) fn otherwise_first(mut self, op: Op) -> Self {
        self.failure.insert(0, op);
        self
    }
}

/// A key with its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) key: String,
    pub(super) value: Vec<u8>,
    /// The cluster's revision at its last write.
    pub(super) revision: u64,
}

/// What a transaction answered.
#[derive(Debug, Clone, Default)]
pub(super) struct Answer {
    /// All that was compared holds, and the transaction did what it does then.
    pub(super) succeeded: bool,
    /// The cluster's revision.
    pub(super) revision: u64,
    /// Another try of the same transaction, before the one that was answered, may have been applied.
    pub(super) repeated: bool,
    /// What was found, for each read in turn.
    reads: Vec<Vec<Found>>,
}

impl Answer {
    /// What the read number `at` found.
    pub(super) fn all(&self, at: usize) -> &[Found] {
        self.reads.get(at).map_or(&[], Vec::as_slice)
    }

    /// The first key that the read number `at` found.
    pub(super) fn one(&self, at: usize) -> Option<&Found> {
        self.all(at).first()
    }

    /// From the gateway's JSON; `Err` says what is wrong with it.
    pub(super) fn parse(text: &[u8]) -> Result<Self, String> {
        let raw: Raw = serde_json::from_slice(text).map_err(|error| error.to_string())?;
        let reads = raw.responses.into_iter().filter_map(|response| response.response_range);
        let reads = reads.map(|range| range.kvs.iter().map(found).collect::<Result<Vec<_>, _>>());
        Ok(Self {
            succeeded: raw.succeeded,
            revision: number(&raw.header.revision)?,
            repeated: false,
            reads: reads.collect::<Result<_, _>>()?,
        })
    }
}

fn found(raw: &RawPair) -> Result<Found, String> {
    let bytes = |text: &str| STANDARD.decode(text).map_err(|error| error.to_string());
    Ok(Found {
        key: String::from_utf8(bytes(&raw.key)?).map_err(|error| error.to_string())?,
        value: bytes(&raw.value)?,
        revision: number(&raw.mod_revision)?,
    })
}

fn number(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| format!("{text:?} is no revision"))
}

#[derive(Deserialize)]
struct Raw {
    header: RawHeader,
    #[serde(default)]
    succeeded: bool,
    #[serde(default)]
    responses: Vec<RawResponse>,
}

#[derive(Deserialize)]
struct RawHeader {
    revision: String,
}

#[derive(Deserialize)]
struct RawResponse {
    response_range: Option<RawRange>,
}

#[derive(Deserialize)]
struct RawRange {
    #[serde(default)]
    kvs: Vec<RawPair>,
}

#[derive(Deserialize)]
struct RawPair {
    key: String,
    #[serde(default)]
    value: String,
    mod_revision: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Replies of etcd 3.4.23, shortened by their cluster numbers.
    #[test]
    fn a_reply_says_what_was_found_and_leaves_out_what_is_false() {
        let refused = br#"{"header":{"revision":"2","raft_term":"2"},"responses":[
            {"response_range":{"header":{"revision":"2"},"kvs":[{"key":"YQ==","create_revision":"2","mod_revision":"2",
             "version":"1","value":"MQ=="}],"count":"1"}},
            {"response_range":{"header":{"revision":"2"}}}]}"#;
        let answer = Answer::parse(refused).unwrap();
        assert!(!answer.succeeded);
        assert_eq!(answer.all(0), [Found { key: "a".into(), value: b"1".to_vec(), revision: 2 }]);
        assert_eq!((answer.all(1), answer.one(7)), (&[][..], None));
        let written = br#"{"header":{"revision":"3"},"succeeded":true,"responses":[{"response_put":{}}]}"#;
        assert!(Answer::parse(written).unwrap().succeeded);
        Answer::parse(b"<html>").unwrap_err();
    }
}
