//! Probes of a region: what is asked, how often, and which answer means that it serves.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    BadChoice, CommandProbe, KubernetesProbe, MysqlProbe, PrometheusProbe, RedisProbe, SecretRef, SqlProbe, exactly_one,
};
use crate::model::ProbeName;

/// One probe: a name and exactly one of `http`, `tcp`, `dns`, `sql`, `mysql`, `redis`, `prometheus`, `kubernetes`, `command`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ProbeSpec {
    /// Its name; a runbook's `probe.await` uses the probe of that name in the destination region.
    pub name: ProbeName,
    /// Milliseconds that one try may take.
    #[serde(default = "default_timeout_ms")]
    #[schemars(range(min = 1, max = 60_000))]
    pub timeout_ms: u64,
    /// Milliseconds above which an answer is too slow: the region is degraded, it still serves. Default: never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 60_000))]
    pub degraded_ms: Option<u64>,
    /// Seconds between two probes, 0.05 to 3600; default: the group's `detection`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub period_seconds: Option<f64>,
    /// Failed probes in a row that make the probe fall, 1 to 100; default: the group's `detection`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 100))]
    pub failure_threshold: Option<u32>,
    /// Good probes in a row that make a fallen probe rise again, 1 to 100; default: the group's `detection`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 100))]
    pub success_threshold: Option<u32>,
    /// Only the region that serves answers it, because it needs a database that takes writes, say: a region that stands by
    /// is not judged by it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub only_serving: bool,
    /// An HTTP(S) request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http: Option<HttpProbe>,
    /// A TCP connection.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tcp: Option<TcpProbe>,
    /// A DNS lookup at chosen servers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dns: Option<DnsProbe>,
    /// A query of a PostgreSQL server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sql: Option<SqlProbe>,
    /// A MySQL or MariaDB server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mysql: Option<MysqlProbe>,
    /// A Redis or Valkey server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub redis: Option<RedisProbe>,
    /// A query of a Prometheus server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prometheus: Option<PrometheusProbe>,
    /// A Kubernetes API server, or a Deployment in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kubernetes: Option<KubernetesProbe>,
    /// A program of one's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<CommandProbe>,
}

/// Two seconds: a server that takes longer does not serve a person either.
fn default_timeout_ms() -> u64 {
    2_000
}

/// The chosen kind of a probe.
#[derive(Debug, Clone, Copy)]
pub enum ProbeKind<'a> {
    /// HTTP(S).
    Http(&'a HttpProbe),
    /// TCP.
    Tcp(&'a TcpProbe),
    /// DNS.
    Dns(&'a DnsProbe),
    /// PostgreSQL.
    Sql(&'a SqlProbe),
    /// MySQL or MariaDB.
    Mysql(&'a MysqlProbe),
    /// Redis or Valkey.
    Redis(&'a RedisProbe),
    /// Prometheus.
    Prometheus(&'a PrometheusProbe),
    /// Kubernetes.
    Kubernetes(&'a KubernetesProbe),
    /// A program.
    Command(&'a CommandProbe),
}

impl ProbeSpec {
    /// The keys of which exactly one is set.
    pub const KINDS: &'static [&'static str] =
        &["http", "tcp", "dns", "sql", "mysql", "redis", "prometheus", "kubernetes", "command"];

    /// The one kind that is set.
    pub fn kind(&self) -> Result<ProbeKind<'_>, BadChoice> {
        let mut given = Vec::new();
        given.extend(self.http.as_ref().map(|p| ("http", ProbeKind::Http(p))));
        given.extend(self.tcp.as_ref().map(|p| ("tcp", ProbeKind::Tcp(p))));
        given.extend(self.dns.as_ref().map(|p| ("dns", ProbeKind::Dns(p))));
        given.extend(self.sql.as_ref().map(|p| ("sql", ProbeKind::Sql(p))));
        given.extend(self.mysql.as_ref().map(|p| ("mysql", ProbeKind::Mysql(p))));
        given.extend(self.redis.as_ref().map(|p| ("redis", ProbeKind::Redis(p))));
        given.extend(self.prometheus.as_ref().map(|p| ("prometheus", ProbeKind::Prometheus(p))));
        given.extend(self.kubernetes.as_ref().map(|p| ("kubernetes", ProbeKind::Kubernetes(p))));
        given.extend(self.command.as_ref().map(|p| ("command", ProbeKind::Command(p))));
        exactly_one(Self::KINDS, given)
    }
}

impl ProbeKind<'_> {
    /// What is asked, for a list of endpoints: a URL, an address, or a program. The first of several servers.
    pub fn address(&self) -> &str {
        match self {
            Self::Http(probe) => &probe.url,
            Self::Tcp(probe) => &probe.address,
            Self::Dns(probe) => probe.asked().next().unwrap_or_default(),
            Self::Sql(probe) => &probe.url,
            Self::Mysql(probe) => &probe.address,
            Self::Redis(probe) => &probe.address,
            Self::Prometheus(probe) => &probe.url,
            Self::Kubernetes(probe) => &probe.url,
            Self::Command(probe) => probe.run.first().map(String::as_str).unwrap_or_default(),
        }
    }
}

/// An HTTP(S) probe: healthy when the status is expected. Speaks HTTP/1.1; certificates are verified.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HttpProbe {
    /// What to ask for.
    pub url: String,
    /// Default GET.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<ProbeMethod>,
    /// Sent with the request. A `host` here takes the place of the URL's own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub headers: Vec<ProbeHeader>,
    /// The status that means healthy; default: any 2xx.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 100, max = 599))]
    pub expect_status: Option<u16>,
    /// Text that the first 64 KiB of the body must contain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expect_body: Option<String>,
    /// Redirects that are followed at most; default 0: a redirect is an answer like any other.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 10))]
    pub follow_redirects: Option<u32>,
    /// A certificate that ends in fewer days makes the region degraded; default: only its end counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 365))]
    pub min_certificate_days: Option<u32>,
    /// PEM file with the authorities to trust; default: the system's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca: Option<String>,
    /// Keep the connection for the next probe. Default: a new one each time, as a new client would need it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reuse: Option<bool>,
}

/// The method of an HTTP probe. Neither changes anything (RFC 9110 section 9.2.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum ProbeMethod {
    /// GET.
    Get,
    /// HEAD: the answer has no body.
    Head,
}

/// One header: a name and exactly one of `value` and `secret`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ProbeHeader {
    /// Its name (RFC 9110 section 5.1).
    pub name: String,
    /// Its value, where it is no secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// Where its value is kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<SecretRef>,
}

/// A TCP probe: healthy when a connection is accepted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TcpProbe {
    /// `host:port`.
    pub address: String,
}

/// A DNS probe: healthy when each chosen server answers authoritatively; degraded while at least one of several does.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DnsProbe {
    /// The server, `ip:port`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server: Option<String>,
    /// Several servers, in place of `server`; all are asked.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub servers: Vec<String>,
    /// The name to ask for.
    pub name: String,
    /// Values that the answer must consist of, in any order; default: any answer.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub expect: Vec<String>,
}

impl DnsProbe {
    /// Every server that is asked.
    pub fn asked(&self) -> impl Iterator<Item = &str> {
        self.server.iter().chain(&self.servers).map(String::as_str)
    }
}
