//! The targets of a group. The key names the driver; exactly one is set.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{BadChoice, SecretRef, exactly_one, runbook::free_object};
use crate::model::{Capability, RegionName, TargetName};

/// One protected thing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TargetSpec {
    /// Its name, unique in the group.
    pub name: TargetName,
    /// A PostgreSQL primary with streaming standbys.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub postgres: Option<PostgresTarget>,
    /// Buckets of any S3-compatible store.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub s3: Option<S3Target>,
    /// Records of a zone that takes dynamic updates.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rfc2136: Option<Rfc2136Target>,
    /// A programmable thing for tests and for trying runbooks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fake: Option<FakeTarget>,
}

/// The chosen driver of a target.
#[derive(Debug, Clone, Copy)]
pub enum TargetKind<'a> {
    /// `postgres`.
    Postgres(&'a PostgresTarget),
    /// `s3`.
    S3(&'a S3Target),
    /// `rfc2136`.
    Rfc2136(&'a Rfc2136Target),
    /// `fake`.
    Fake(&'a FakeTarget),
}

impl TargetSpec {
    /// The keys of which exactly one is set.
    pub const KINDS: &'static [&'static str] = &["postgres", "s3", "rfc2136", "fake"];

    /// The one driver that is set.
    pub fn kind(&self) -> Result<TargetKind<'_>, BadChoice> {
        let mut given = Vec::new();
        given.extend(self.postgres.as_ref().map(|t| ("postgres", TargetKind::Postgres(t))));
        given.extend(self.s3.as_ref().map(|t| ("s3", TargetKind::S3(t))));
        given.extend(self.rfc2136.as_ref().map(|t| ("rfc2136", TargetKind::Rfc2136(t))));
        given.extend(self.fake.as_ref().map(|t| ("fake", TargetKind::Fake(t))));
        exactly_one(Self::KINDS, given)
    }
}

impl TargetKind<'_> {
    /// The driver's name: the key.
    pub fn driver(&self) -> &'static str {
        match self {
            Self::Postgres(_) => "postgres",
            Self::S3(_) => "s3",
            Self::Rfc2136(_) => "rfc2136",
            Self::Fake(_) => "fake",
        }
    }
    /// What the driver offers.
    pub fn capability(&self) -> Capability {
        match self {
            Self::Postgres(_) => Capability::Database,
            Self::S3(_) => Capability::Storage,
            Self::Rfc2136(_) => Capability::Dns,
            Self::Fake(fake) => fake.capability,
        }
    }
    /// Whether the driver tells of its members' controls.
    pub fn tells_controls(&self) -> bool {
        match self {
            Self::Postgres(_) | Self::S3(_) => true,
            Self::Rfc2136(_) | Self::Fake(_) => false,
        }
    }
    /// The settings as data, to be pinned in a plan. Secrets are references.
    pub fn settings(&self) -> Value {
        let value = match self {
            Self::Postgres(t) => serde_json::to_value(t),
            Self::S3(t) => serde_json::to_value(t),
            Self::Rfc2136(t) => serde_json::to_value(t),
            Self::Fake(t) => serde_json::to_value(t),
        };
        // These types hold only strings, numbers, lists and maps with string keys: they always serialise.
        value.unwrap_or_default()
    }
}

/// A PostgreSQL primary with physical streaming standbys, one member a region.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PostgresTarget {
    /// One a region.
    pub members: Vec<PostgresMember>,
    /// Ways to fence a primary, tried in this order; the first whose effect is observed counts. Default: `readOnly`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fence: Vec<FenceMethod>,
    /// Program that makes the source's server a standby of the destination (`pg_rewind`, `pg_basebackup`) and starts it. It may be started
    /// again while an earlier start of it still works, because a Lifeboat that is killed leaves it running: let it take a lock where it
    /// works (`flock(1)`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reverse: Option<ProgramCall>,
    /// The table of heartbeat markers, `schema.table`; default `public.lifeboat_heartbeat`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub heartbeat_table: Option<String>,
}

/// One server.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PostgresMember {
    /// Where it lives.
    pub region: RegionName,
    /// `postgres://host:port/database`, without user and password.
    pub url: String,
    /// The role to log in with.
    pub user: String,
    /// Its password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<SecretRef>,
    /// How the connection is protected; default `verifyFull` against the system's authorities.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<TlsSpec>,
}

/// How a connection is protected.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TlsSpec {
    /// Whether and how.
    pub mode: TlsMode,
    /// A PEM file with the authorities to trust instead of the system's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca: Option<String>,
}

/// TLS modes, named as libpq names them; those that protect against nothing in particular are left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum TlsMode {
    /// No TLS. For loopback and for networks that encrypt on their own.
    Disable,
    /// TLS with the certificate and the host name verified.
    VerifyFull,
}

/// One way to fence: exactly one of `readOnly`, `command`, `http`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FenceMethod {
    /// Ask the server itself to refuse writes, and end its sessions. Needs the server to answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read_only: Option<ReadOnlyFence>,
    /// Run a program: a cloud's stop-instance call, a power switch, a firewall rule.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<ProgramCall>,
    /// Call a fencing agent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http: Option<HttpCall>,
}

/// The chosen way to fence.
#[derive(Debug, Clone, Copy)]
pub enum FenceMethodKind<'a> {
    /// `readOnly`.
    ReadOnly(&'a ReadOnlyFence),
    /// `command`.
    Command(&'a ProgramCall),
    /// `http`.
    Http(&'a HttpCall),
}

impl FenceMethod {
    /// The keys of which exactly one is set.
    pub const KINDS: &'static [&'static str] = &["readOnly", "command", "http"];

    /// The one method that is set.
    pub fn kind(&self) -> Result<FenceMethodKind<'_>, BadChoice> {
        let mut given = Vec::new();
        given.extend(self.read_only.as_ref().map(|m| ("readOnly", FenceMethodKind::ReadOnly(m))));
        given.extend(self.command.as_ref().map(|m| ("command", FenceMethodKind::Command(m))));
        given.extend(self.http.as_ref().map(|m| ("http", FenceMethodKind::Http(m))));
        exactly_one(Self::KINDS, given)
    }
}

/// `ALTER SYSTEM SET default_transaction_read_only = on`, reload, end every other client session.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ReadOnlyFence {}

/// A program to run, without a shell. The words may hold `{{ source }}`, `{{ destination }}`, `{{ target }}`; its environment has them and the
/// run as `LIFEBOAT_SOURCE`, `LIFEBOAT_DESTINATION`, `LIFEBOAT_TARGET`, `LIFEBOAT_RUN`, `LIFEBOAT_STEP`, and `LIFEBOAT_IDEMPOTENCY_KEY`, which is
/// the same for every try.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ProgramCall {
    /// The program and its arguments.
    pub run: Vec<String>,
    /// A program that exits 0 when the effect is so, seen from outside the thing itself.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub verify: Vec<String>,
}

/// An HTTP request that must answer 2xx.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HttpCall {
    /// Where to (POST).
    pub url: String,
    /// Sent as `Authorization: Bearer …`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bearer: Option<SecretRef>,
    /// Answers 2xx to a GET when the effect is so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verify_url: Option<String>,
}

/// Buckets, one a region.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct S3Target {
    /// One a region.
    pub members: Vec<S3Member>,
    /// Only keys that start with this are Lifeboat's business; default: all but Lifeboat's own `.lifeboat/`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prefix: Option<String>,
}

/// One bucket.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct S3Member {
    /// Where it lives.
    pub region: RegionName,
    /// Its name.
    pub bucket: String,
    /// URL of a server that is not AWS (path-style addressing is used then).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
    /// The AWS region to sign for; default `us-east-1` with `endpoint`, else the environment's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub location: Option<String>,
    /// Access key id; default: the AWS credential chain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access_key: Option<SecretRef>,
    /// Secret access key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_key: Option<SecretRef>,
}

/// Records of one zone, switched by RFC 2136 updates.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Rfc2136Target {
    /// The zone, `example.com`.
    pub zone: String,
    /// The primary server, `ip:port`: updates go there.
    pub server: String,
    /// Every authoritative server, `ip:port`, for the read-back; default: the primary alone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub authoritative: Vec<String>,
    /// The key that signs updates (RFC 8945).
    pub key: TsigKey,
    /// The records.
    pub records: Vec<DnsRecord>,
}

/// A TSIG key.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TsigKey {
    /// Its name on the server.
    pub name: String,
    /// Its algorithm.
    pub algorithm: TsigAlgorithm,
    /// Its secret, base64.
    pub secret: SecretRef,
}

/// TSIG algorithms of RFC 8945 section 6 that are not deprecated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum TsigAlgorithm {
    /// hmac-sha256.
    HmacSha256,
    /// hmac-sha384.
    HmacSha384,
    /// hmac-sha512.
    HmacSha512,
}

/// One record set.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DnsRecord {
    /// The full name, `orders.example.com`.
    pub name: String,
    /// Its type.
    #[serde(rename = "type")]
    pub kind: RecordType,
    /// Time to live in seconds.
    #[schemars(range(min = 1, max = 86_400))]
    pub ttl_seconds: u32,
    /// Its values when a region serves. Every serving region has an entry, and none is empty.
    pub by_region: Vec<RecordByRegion>,
}

/// Record types that a failover switches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum RecordType {
    /// IPv4 addresses.
    A,
    /// IPv6 addresses.
    Aaaa,
    /// An alias; exactly one value.
    Cname,
    /// Texts.
    Txt,
}

/// The values for one region.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RecordByRegion {
    /// When this region serves …
    pub region: RegionName,
    /// … the name has these values.
    #[schemars(length(min = 1))]
    pub values: Vec<String>,
}

/// A programmable thing. What it does is set by the world of a scenario, or by these settings.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FakeTarget {
    /// What it pretends to be.
    #[schemars(with = "String")]
    pub capability: Capability,
    /// Free settings of the fake world.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    #[schemars(schema_with = "free_object")]
    pub world: Map<String, Value>,
}
