//! Secrets written into documents that have no file (objects of a cluster). In files the loader sees them first, and
//! takes them out of the text before anybody can draw it.

use serde::Serialize;
use serde_json::Value;

use super::Notes;
use crate::manifest::{code::Code, conceal, document::Kind, locate::Path};

/// What `SecretRef::Literal` serialises as.
const TAKEN_OUT: &str = "[REDACTED]";

pub(super) fn check<T: Kind + Serialize>(notes: &mut Notes<'_, T>) {
    if notes.document.origin.is_some() {
        return;
    }
    // The spec types always serialise.
    let spec = serde_json::to_value(notes.document.spec.as_ref()).unwrap_or_default();
    walk(&spec, &Path::spec(), notes);
}

fn walk<T: Kind>(value: &Value, path: &Path, notes: &mut Notes<'_, T>) {
    match value {
        Value::String(text) if text == TAKEN_OUT => {
            notes.add(Code::LiteralSecret, path, "a secret is written into the document", conceal::HELP);
        }
        Value::String(_) | Value::Null | Value::Bool(_) | Value::Number(_) => {}
        Value::Array(items) => items.iter().enumerate().for_each(|(index, item)| walk(item, &path.at(index), notes)),
        Value::Object(map) => map.iter().for_each(|(key, item)| walk(item, &path.key(key), notes)),
    }
}
