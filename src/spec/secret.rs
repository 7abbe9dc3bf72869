//! Where a secret is kept. Documents, journals and records hold the reference, never the value.

use std::{borrow::Cow, fmt, path::PathBuf};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser::SerializeMap};

/// `{file: /run/secrets/pg}` or `{env: TSIG_SECRET}`.
///
/// A literal is parsed too, so that the checker can say where it stands and what to write instead; it is never
/// used, and it never leaves this type again: serialising and printing it give `[REDACTED]`.
#[derive(Clone, PartialEq, Eq)]
pub enum SecretRef {
    /// The file's content, without a trailing line break.
    File(PathBuf),
    /// The value of an environment variable.
    Env(String),
    /// Written into the document: a finding.
    Literal,
}

impl fmt::Debug for SecretRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for SecretRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "file {}", path.display()),
            Self::Env(name) => write!(f, "environment variable {name}"),
            Self::Literal => f.write_str("[REDACTED]"),
        }
    }
}

impl Serialize for SecretRef {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = match self {
            Self::Literal => return serializer.serialize_str("[REDACTED]"),
            Self::File(_) | Self::Env(_) => serializer.serialize_map(Some(1))?,
        };
        match self {
            Self::File(path) => map.serialize_entry("file", path)?,
            Self::Env(name) => map.serialize_entry("env", name)?,
            Self::Literal => {}
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for SecretRef {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> de::Visitor<'de> for Visitor {
            type Value = SecretRef;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a reference to a secret: {file: PATH} or {env: NAME}")
            }
            fn visit_str<E: de::Error>(self, _: &str) -> Result<SecretRef, E> {
                Ok(SecretRef::Literal)
            }
            fn visit_i64<E: de::Error>(self, _: i64) -> Result<SecretRef, E> {
                Ok(SecretRef::Literal)
            }
            fn visit_u64<E: de::Error>(self, _: u64) -> Result<SecretRef, E> {
                Ok(SecretRef::Literal)
            }
            fn visit_map<A: de::MapAccess<'de>>(self, mut map: A) -> Result<SecretRef, A::Error> {
                let found = match map.next_key::<Cow<'_, str>>()? {
                    Some(key) if key == "file" => SecretRef::File(map.next_value()?),
                    Some(key) if key == "env" => SecretRef::Env(map.next_value()?),
                    Some(key) => return Err(de::Error::unknown_field(&key, &["file", "env"])),
                    None => return Err(de::Error::custom("a secret needs `file` or `env`")),
                };
                match map.next_key::<Cow<'_, str>>()? {
                    None => Ok(found),
                    Some(_) => Err(de::Error::custom("a secret has exactly one of `file` and `env`")),
                }
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

impl schemars::JsonSchema for SecretRef {
    fn schema_name() -> Cow<'static, str> {
        "SecretRef".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "object",
            "description": "Where a secret is kept: exactly one of file and env.",
            "properties": { "file": { "type": "string", "nullable": true }, "env": { "type": "string", "nullable": true } },
            "maxProperties": 1, "minProperties": 1,
        })
    }
}
