//! The settings of a `postgres` target, checked, and the facts about the driver's verbs.
//!
//! Nothing here connects to anything: a plan is made and checked while both regions are down.

use std::time::Duration;

use serde_json::{Map, Value};

use crate::{
    model::{Effect, RegionName, Verb},
    net::postgres::{Address, BadUrl, Server},
    port::{Descriptor, Touches},
    spec::{
        BadChoice, FenceMethod, FenceMethodKind, HttpCall, PostgresTarget, ProgramCall, ReadOnlyFence, ReverseParams,
    },
};

/// Settings that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ParamError {
    /// Not the shape of a `postgres` target.
    #[error("the settings of target {target} are not those of a postgres target")]
    Shape {
        /// The target.
        target: String,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
    /// A member's URL.
    #[error("target {target}: the url of the member in {region} cannot be used")]
    Url {
        /// The target.
        target: String,
        /// The member's region.
        region: RegionName,
        /// Why.
        #[source]
        source: BadUrl,
    },
    /// Two members in one region.
    #[error("target {target} has two members in {region}; a region has one")]
    Twice {
        /// The target.
        target: String,
        /// The region.
        region: RegionName,
    },
    /// A fence method with none or several kinds.
    #[error("target {target}: fence method {number} cannot be used")]
    Fence {
        /// The target.
        target: String,
        /// Which, from 1.
        number: usize,
        /// Why.
        #[source]
        source: BadChoice,
    },
    /// A program without words.
    #[error("target {target}: {place} names no program; `run` is a program and its arguments")]
    NoProgram {
        /// The target.
        target: String,
        /// `fence[0].command`, `reverse`.
        place: String,
    },
    /// The heartbeat table.
    #[error("target {target}: heartbeatTable is `schema.table` of a-z, 0-9 and `_`, at most 63 each, found `{found}`")]
    Table {
        /// The target.
        target: String,
        /// What was written.
        found: String,
    },
}

/// One server of the target.
#[derive(Debug, Clone)]
pub(super) struct Member {
    /// Where it lives.
    pub(super) region: RegionName,
    /// How to reach it.
    pub(super) server: Server,
}

/// One way to fence.
#[derive(Debug, Clone)]
pub(super) enum Method {
    /// The server refuses writes by itself.
    ReadOnly,
    /// A program.
    Command(ProgramCall),
    /// A fencing agent.
    Http(HttpCall),
}

impl Method {
    /// Its name in documents and proofs.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::ReadOnly => "readOnly",
            Self::Command(_) => "command",
            Self::Http(_) => "http",
        }
    }
}

/// The settings, checked.
#[derive(Debug, Clone)]
pub(super) struct Params {
    /// The target's name.
    pub(super) target: String,
    /// Its servers.
    pub(super) members: Vec<Member>,
    /// Ways to fence, in order; never empty.
    pub(super) fence: Vec<Method>,
    /// The program that makes the source a standby of the destination.
    pub(super) reverse: Option<ProgramCall>,
    /// The heartbeat table, quoted for SQL.
    pub(super) table: String,
}

impl Params {
    /// Checks `settings`, a serialised [`PostgresTarget`].
    pub(super) fn parse(target: &str, settings: &Value) -> Result<Self, ParamError> {
        let name = || target.to_owned();
        let spec = <PostgresTarget as serde::Deserialize>::deserialize(settings)
            .map_err(|source| ParamError::Shape { target: name(), source })?;
        let mut members: Vec<Member> = Vec::new();
        for member in spec.members {
            let address: Address = member.url.parse().map_err(|source| ParamError::Url {
                target: name(),
                region: member.region.clone(),
                source,
            })?;
            if members.iter().any(|known| known.region == member.region) {
                return Err(ParamError::Twice { target: name(), region: member.region });
            }
            let server = Server { address, user: member.user, password: member.password, tls: member.tls };
            members.push(Member { region: member.region, server });
        }
        let mut fence = Vec::new();
        for (at, method) in spec.fence.iter().enumerate() {
            fence.push(parse_method(target, at, method)?);
        }
        if fence.is_empty() {
            fence.push(Method::ReadOnly);
        }
        if spec.reverse.as_ref().is_some_and(|call| call.run.is_empty()) {
            return Err(ParamError::NoProgram { target: name(), place: "reverse".into() });
        }
        let table = spec.heartbeat_table.as_deref().unwrap_or("public.lifeboat_heartbeat");
        let table = quoted(table).ok_or_else(|| ParamError::Table { target: name(), found: table.to_owned() })?;
        Ok(Self { target: name(), members, fence, reverse: spec.reverse, table })
    }
}

fn parse_method(target: &str, at: usize, method: &FenceMethod) -> Result<Method, ParamError> {
    let kind =
        method.kind().map_err(|source| ParamError::Fence { target: target.to_owned(), number: at + 1, source })?;
    match kind {
        FenceMethodKind::ReadOnly(ReadOnlyFence {}) => Ok(Method::ReadOnly),
        FenceMethodKind::Command(call) if call.run.is_empty() => {
            Err(ParamError::NoProgram { target: target.to_owned(), place: format!("fence[{at}].command") })
        }
        FenceMethodKind::Command(call) => Ok(Method::Command(call.clone())),
        FenceMethodKind::Http(call) => Ok(Method::Http(call.clone())),
    }
}

/// `schema.table` as `"schema"."table"`.
fn quoted(table: &str) -> Option<String> {
    let (schema, table) = table.split_once('.')?;
    let fine = |name: &str| {
        (1..=63).contains(&name.len())
            && !name.starts_with(|c: char| c.is_ascii_digit())
            && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
    };
    (fine(schema) && fine(table)).then(|| format!("\"{schema}\".\"{table}\""))
}

/// The facts about `verb`, without a connection; `None`: not a database's.
pub fn descriptor(verb: Verb) -> Option<&'static Descriptor> {
    DESCRIPTORS.iter().find(|known| known.verb == verb)
}

/// A promotion is 60 to 90 ms on an idle server; the rest are round trips between regions.
static DESCRIPTORS: [Descriptor; 6] = [
    Descriptor {
        reversible: true,
        touches: Touches::SourceIfAlive,
        outputs: &["method", "effect"],
        ..describe(Verb::DatabaseFence, Effect::Destroys, 500, 60)
    },
    Descriptor { touches: Touches::Source, ..describe(Verb::DatabaseUnfence, Effect::Changes, 300, 30) },
    Descriptor {
        touches: Touches::Both,
        outputs: &["lag_bytes", "lag_seconds"],
        check: within_only,
        ..describe(Verb::DatabaseCatchUp, Effect::Reads, 500, 300)
    },
    Descriptor {
        outputs: &["position", "timeline", "lost_seconds", "lost_bytes"],
        ..describe(Verb::DatabasePromote, Effect::Destroys, 300, 60)
    },
    Descriptor { attempts: 3, ..describe(Verb::DatabaseVerify, Effect::Changes, 100, 30) },
    Descriptor {
        touches: Touches::Both,
        check: reverse_only,
        ..describe(Verb::DatabaseReverse, Effect::Destroys, 30_000, 3_600)
    },
];

const fn describe(verb: Verb, effect: Effect, expected_ms: u64, timeout_seconds: u64) -> Descriptor {
    Descriptor {
        verb,
        effect,
        reversible: false,
        observable: true,
        touches: Touches::Destination,
        expected: Duration::from_millis(expected_ms),
        timeout: Duration::from_secs(timeout_seconds),
        attempts: 1,
        outputs: &[],
        check: nothing,
    }
}

fn nothing(with: &Map<String, Value>) -> Result<(), String> {
    match with.keys().next() {
        None => Ok(()),
        Some(field) => Err(format!("`{field}` is not a parameter; this verb takes none")),
    }
}

fn reverse_only(with: &Map<String, Value>) -> Result<(), String> {
    serde_json::from_value::<ReverseParams>(Value::Object(with.clone())).map(drop).map_err(|error| error.to_string())
}

fn within_only(with: &Map<String, Value>) -> Result<(), String> {
    for (field, value) in with {
        let fine = match value {
            Value::Number(number) => number.as_u64().is_some_and(|seconds| seconds > 0),
            Value::String(text) => text.contains("{{") || text.parse::<u64>().is_ok_and(|seconds| seconds > 0),
            Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => false,
        };
        if field != "within" {
            return Err(format!("`{field}` is not a parameter; this verb takes `within`"));
        }
        if !fine {
            return Err(format!("`within` is a whole number of seconds from 1, found {value}"));
        }
    }
    Ok(())
}

/// `within` of a checked call, where it is given.
pub(super) fn within(with: &Map<String, Value>) -> Option<Duration> {
    let value = with.get("within")?;
    let seconds = value.as_u64().or_else(|| value.as_str().and_then(|text| text.parse().ok()))?;
    Some(Duration::from_secs(seconds))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn member(region: &str, url: &str) -> Value {
        json!({"region": region, "url": url, "user": "lifeboat"})
    }

    #[test]
    fn settings_that_cannot_be_used_say_which_and_why() {
        let good = member("fra", "postgres://a/orders");
        for (settings, expected) in [
            (json!({"members": [member("fra", "postgres://me:pw@a/orders")]}), "url of the member in fra"),
            (json!({"members": [good, good]}), "two members in fra"),
            (json!({"members": [good], "fence": [{}]}), "fence method 1"),
            (json!({"members": [good], "fence": [{"command": {"run": []}}]}), "fence[0].command names no program"),
            (json!({"members": [good], "reverse": {"run": []}}), "reverse names no program"),
            (json!({"members": [good], "heartbeatTable": "x; drop table y"}), "heartbeatTable"),
            (json!({"members": 3}), "not those of a postgres target"),
        ] {
            let error = Params::parse("orders-db", &settings).unwrap_err();
            assert!(error.to_string().contains(expected), "{settings}: {error}");
        }
    }

    #[test]
    fn without_a_fence_method_the_server_is_asked_to_be_read_only() {
        let params = Params::parse("orders-db", &json!({"members": []})).unwrap();
        assert!(matches!(params.fence.as_slice(), [Method::ReadOnly]));
        assert_eq!(params.table, "\"public\".\"lifeboat_heartbeat\"");
    }

    #[test]
    fn parameters_may_be_expressions_and_nothing_else_unknown() {
        let check = descriptor(Verb::DatabaseCatchUp).unwrap().check;
        let with = |value: Value| check(value.as_object().unwrap());
        assert!(with(json!({})).is_ok() && with(json!({"within": 5})).is_ok());
        assert!(with(json!({"within": "{{ steps.a.seconds }}"})).is_ok());
        assert!(with(json!({"within": "soon"})).is_err() && with(json!({"within": 0})).is_err());
        assert!(with(json!({"whitin": 5})).is_err());
        assert!(
            (descriptor(Verb::DatabasePromote).unwrap().check)(json!({"force": true}).as_object().unwrap()).is_err()
        );
        assert!(descriptor(Verb::StoragePromote).is_none());
    }
}
