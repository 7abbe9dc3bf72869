//! What drills compare between the regions, beside what drivers tell by themselves: the `controls` of a `ProtectionGroup`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::ProbeSpec;
use crate::model::{Control, RegionName, Strength};

/// What must hold on the destination as it does on the source. Drivers tell what they can by themselves (TLS and logins of
/// databases, encryption and policies of buckets, versions); here stands what only the owner knows.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ControlsSpec {
    /// What every encryption must have at least, in both regions. Default: the destination's must be no weaker than the source's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encryption: Option<Strength>,
    /// What the network lets in.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ingress: Vec<IngressSpec>,
    /// Tenants that must not see each other.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tenants: Vec<TenantSpec>,
    /// Anything else that a program can tell.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub checks: Vec<ControlProgram>,
    /// Differences that are meant.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exceptions: Vec<ControlException>,
}

/// What the network of a region lets in: as declared, as in force, and as seen from here.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct IngressSpec {
    /// Its name: `edge`, `database-subnet`.
    pub name: String,
    /// The rules that are declared, one a line, in the words of `observed`: `tcp 5432 from 10.1.0.0/16`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<String>,
    /// A program that prints the rules in force, one a line; lines that are empty or begin with `#` are left out. `{{ region }}` in
    /// its words is the region.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub observed: Vec<String>,
    /// What must be open and closed as seen from where Lifeboat runs. Nothing is sent: a connection is opened, and closed again.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reach: Vec<ReachSpec>,
}

/// Addresses of one region, as seen from where Lifeboat runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ReachSpec {
    /// Where.
    pub region: RegionName,
    /// `host:port` that must accept a connection.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub open: Vec<String>,
    /// `host:port` that must not.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub closed: Vec<String>,
}

/// Two tenants, and how to see that the one does not see the other.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TenantSpec {
    /// Its name: `acme-reads-globex`.
    pub name: String,
    /// One a region.
    pub by_region: Vec<TenantProbes>,
}

/// Two probes with the same tenant's credentials.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TenantProbes {
    /// Where.
    pub region: RegionName,
    /// The tenant's own data: healthy when it is served. Without that, a refusal proves nothing.
    pub own: ProbeSpec,
    /// Another tenant's data: healthy when it is refused, such as `http: {url: …, expectStatus: 403}`.
    pub other: ProbeSpec,
}

/// A program that tells of one control in one region.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ControlProgram {
    /// Its name: `disk-encryption`.
    pub name: String,
    /// Which control it tells of.
    pub control: Control,
    /// The program and its arguments, without a shell; `{{ region }}` is the region. It changes nothing, ends with exit code 0, and
    /// the first line that it prints is what is so. For encryptions, a line with `256` in it counts as 256 bits, one with `128` or
    /// `192` as 128, `none` as none.
    pub run: Vec<String>,
    /// Lines that are well. Default: what the source's program prints.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub expect: Vec<String>,
}

/// A difference that is meant.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ControlException {
    /// Of which control.
    pub control: Control,
    /// Differences that hold this text: `10.2.0.0/16`.
    #[schemars(length(min = 1))]
    pub containing: String,
    /// Why it is meant; kept as evidence.
    #[schemars(length(min = 1))]
    pub reason: String,
    /// The last day (UTC) on which it counts, `YYYY-MM-DD`; default: it always does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
}
