//! `kind: EvidenceAnchor`.

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{BadChoice, exactly_one};

/// A place outside of this machine that remembers the checkpoints of the ledger: a name and exactly one of `witness`, `timestamp`.
#[derive(CustomResource, Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "lifeboat.dev",
    version = "v1alpha1",
    kind = "EvidenceAnchor",
    plural = "evidenceanchors",
    category = "lifeboat",
    namespaced
)]
#[kube(derive = "PartialEq")]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EvidenceAnchorSpec {
    /// A witness: it cosigns a checkpoint only when the ledger has grown from what it saw before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub witness: Option<WitnessAnchor>,
    /// A time-stamping authority (RFC 3161): it says when a checkpoint existed. It does not see a ledger that went back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timestamp: Option<TimestampAnchor>,
    /// How old the last anchor may become while nothing is entered, in seconds, 1 to 604800. What is entered is anchored within
    /// a minute.
    #[serde(default = "six_hours")]
    #[schemars(range(min = 1, max = 604_800))]
    pub every_seconds: u32,
}

/// Four anchors a day on a quiet ledger: each is an entry, too, and 1,500 entries a year are read in no time.
fn six_hours() -> u32 {
    21_600
}

/// The chosen kind of an anchor.
#[derive(Debug, Clone, Copy)]
pub enum AnchorKind<'a> {
    /// C2SP tlog-witness.
    Witness(&'a WitnessAnchor),
    /// RFC 3161.
    Timestamp(&'a TimestampAnchor),
}

impl EvidenceAnchorSpec {
    /// The one kind that is set.
    pub fn kind(&self) -> Result<AnchorKind<'_>, BadChoice> {
        let mut given = Vec::new();
        given.extend(self.witness.as_ref().map(|anchor| ("witness", AnchorKind::Witness(anchor))));
        given.extend(self.timestamp.as_ref().map(|anchor| ("timestamp", AnchorKind::Timestamp(anchor))));
        exactly_one(&["witness", "timestamp"], given)
    }
}

/// A witness that speaks C2SP tlog-witness: another Lifeboat (`lifeboat witness`), or a public one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct WitnessAnchor {
    /// Where it is: `/add-checkpoint` is put behind it.
    pub url: String,
    /// Its key, `NAME+ID+KEY`, got another way than from that URL: `lifeboat witness` prints it.
    pub key: String,
    /// PEM file with the authorities to trust; default: the system's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca: Option<String>,
}

/// A time-stamping authority that speaks RFC 3161 over HTTP (its section 3.4).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TimestampAnchor {
    /// Where it is.
    pub url: String,
    /// PEM file with the authorities to trust for the connection; default: the system's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca: Option<String>,
}
