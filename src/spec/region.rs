//! `kind: Region`.

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{BadChoice, SecretRef, TlsSpec, exactly_one};
use crate::model::{ProbeName, Provider};

/// A place that can serve: a cloud region, a data centre, a cluster.
#[derive(CustomResource, Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "lifeboat.dev",
    version = "v1alpha1",
    kind = "Region",
    plural = "regions",
    category = "lifeboat",
    namespaced
)]
#[kube(derive = "PartialEq")]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RegionSpec {
    /// Who runs the region.
    pub provider: Provider,
    /// The provider's name for it, such as `eu-central-1`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub location: Option<String>,
    /// Networks in CIDR notation that live here. The dependency check places endpoints by them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub addresses: Vec<String>,
    /// How to tell whether the region serves.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub probes: Vec<ProbeSpec>,
}

/// One probe: a name and exactly one of `http`, `tcp`, `dns`, `sql`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ProbeSpec {
    /// Its name; a runbook's `probe.await` uses the probe of that name in the destination region.
    pub name: ProbeName,
    /// Milliseconds that one try may take.
    #[serde(default = "default_timeout_ms")]
    #[schemars(range(min = 1, max = 60_000))]
    pub timeout_ms: u64,
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
    /// A DNS lookup at a chosen server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dns: Option<DnsProbe>,
    /// A query of a PostgreSQL server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sql: Option<SqlProbe>,
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
}

impl ProbeSpec {
    /// The one kind that is set.
    pub fn kind(&self) -> Result<ProbeKind<'_>, BadChoice> {
        let mut given = Vec::new();
        given.extend(self.http.as_ref().map(|p| ("http", ProbeKind::Http(p))));
        given.extend(self.tcp.as_ref().map(|p| ("tcp", ProbeKind::Tcp(p))));
        given.extend(self.dns.as_ref().map(|p| ("dns", ProbeKind::Dns(p))));
        given.extend(self.sql.as_ref().map(|p| ("sql", ProbeKind::Sql(p))));
        exactly_one(&["http", "tcp", "dns", "sql"], given)
    }
}

/// An HTTP(S) probe: healthy when the status is expected. Redirects are not followed; certificates are verified.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HttpProbe {
    /// What to get.
    pub url: String,
    /// The status that means healthy; default: any 2xx.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 100, max = 599))]
    pub expect_status: Option<u16>,
    /// Text that the first 64 KiB of the body must contain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expect_body: Option<String>,
}

/// A TCP probe: healthy when a connection is accepted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TcpProbe {
    /// `host:port`.
    pub address: String,
}

/// A DNS probe: healthy when the chosen server answers authoritatively.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DnsProbe {
    /// The server, `ip:port`.
    pub server: String,
    /// The name to ask for.
    pub name: String,
    /// Values that the answer must consist of, in any order; default: any answer.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub expect: Vec<String>,
}

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
