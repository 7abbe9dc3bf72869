//! `kind: Region`.

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::ProbeSpec;
use crate::model::{Provider, ServiceName};

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
    /// The services that run here. `lifeboat readiness` names those that no group covers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub services: Vec<ServiceName>,
    /// How to tell whether the region serves.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub probes: Vec<ProbeSpec>,
}
