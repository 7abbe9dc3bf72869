//! Probes of services that have a protocol of their own: databases, monitoring, clusters, and whatever a program can ask.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{SecretRef, TlsSpec};

/// A PostgreSQL probe: healthy when the server accepts a connection and is in the expected role.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SqlProbe {
    /// `postgres://host:port/database`.
    pub url: String,
    /// The role to log in with.
    pub user: String,
    /// Its password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<SecretRef>,
    /// How the connection is protected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<TlsSpec>,
    /// The server must accept writes (`false`: it need only answer).
    #[serde(default)]
    pub writable: bool,
}

/// A MySQL or MariaDB probe: healthy when the server lets an account in.
///
/// It always logs in: a server counts clients that leave after its greeting, and refuses their host after a hundred
/// (`max_connect_errors`). Accounts with `mysql_native_password` or `caching_sha2_password` can.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MysqlProbe {
    /// `host:port`.
    pub address: String,
    /// The account to log in with. It needs no rights.
    pub user: String,
    /// Its password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<SecretRef>,
    /// How the connection is protected; default `verifyFull` against the system's authorities.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<TlsSpec>,
    /// The server must accept writes: `@@read_only` is 0. Default: it need only answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub writable: Option<bool>,
}

/// A Redis or Valkey probe: healthy when PING is answered with PONG and ROLE is the expected one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RedisProbe {
    /// `host:port`.
    pub address: String,
    /// The ACL user; default: Redis' own `default`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Its password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<SecretRef>,
    /// How the connection is protected; default `verifyFull` against the system's authorities.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<TlsSpec>,
    /// The role that the server must have; default: any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<RedisRole>,
}

/// The first element of the answer to ROLE.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum RedisRole {
    /// It takes writes.
    Master,
    /// It follows a master. A link to it that is not up makes the region degraded.
    Replica,
}

/// A Prometheus probe: healthy when every value that the query gives lies between `above` and `below`.
///
/// A Prometheus that does not answer, and a query without a value, say nothing about what is watched: silence.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PrometheusProbe {
    /// `http(s)://host:port`, with a path where Prometheus is served below one.
    pub url: String,
    /// The query (`PromQL`), without a comparison: one that filters gives no value when it does not hold.
    pub expr: String,
    /// Every value must be greater. At least one of `above` and `below` is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub above: Option<f64>,
    /// Every value must be smaller.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub below: Option<f64>,
    /// Bearer token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bearer: Option<SecretRef>,
    /// PEM file with the authorities to trust; default: the system's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca: Option<String>,
}

/// A Kubernetes probe: healthy when the API server is ready, or when the named Deployment has enough ready replicas.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct KubernetesProbe {
    /// The API server, `https://host:port`.
    pub url: String,
    /// PEM file with the cluster's authority; default: the system's authorities.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca: Option<String>,
    /// Bearer token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bearer: Option<SecretRef>,
    /// PEM file with a client certificate, in place of a token. Needs `key`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate: Option<String>,
    /// PEM file with the certificate's key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// The Deployment; without one the API server's own `/readyz` is asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deployment: Option<KubernetesDeployment>,
}

/// A Deployment to look at.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct KubernetesDeployment {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Ready replicas without which it does not serve; default 1. Fewer than the Deployment wants: degraded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 100_000))]
    pub min_ready: Option<u32>,
}

/// A program: exit code 0 is healthy, 1 is unhealthy; any other, and no end in time, say nothing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CommandProbe {
    /// The program and its arguments. No shell reads them.
    pub run: Vec<String>,
    /// Where it runs; default: where lifeboat does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub directory: Option<String>,
    /// Environment variables beside the inherited ones.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, String>,
    /// Environment variables whose values are secrets.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub secret_env: BTreeMap<String, SecretRef>,
}
