//! `kind: EvidenceAnchor`.

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{BadChoice, SecretRef, exactly_one};

/// A place outside of this machine that remembers the checkpoints of the ledger: a name and exactly one of `witness`, `worm`,
/// `timestamp`.
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
    /// A bucket under S3 Object Lock: it keeps the whole ledger, sealed, where nobody can change or delete it for years.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub worm: Option<WormAnchor>,
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
    /// S3 Object Lock.
    Worm(&'a WormAnchor),
    /// RFC 3161.
    Timestamp(&'a TimestampAnchor),
}

impl EvidenceAnchorSpec {
    /// The keys of which exactly one is set.
    pub const KINDS: &'static [&'static str] = &["witness", "worm", "timestamp"];

    /// The one kind that is set.
    pub fn kind(&self) -> Result<AnchorKind<'_>, BadChoice> {
        let mut given = Vec::new();
        given.extend(self.witness.as_ref().map(|anchor| ("witness", AnchorKind::Witness(anchor))));
        given.extend(self.worm.as_ref().map(|anchor| ("worm", AnchorKind::Worm(anchor))));
        given.extend(self.timestamp.as_ref().map(|anchor| ("timestamp", AnchorKind::Timestamp(anchor))));
        exactly_one(Self::KINDS, given)
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

/// Days that an object is locked at least: three years, the least that a rule asks which names a number (NIS2 practice).
pub const LEAST_RETAINED_DAYS: u32 = 1_096;
/// Days that an object can be locked at most: a hundred years, says Amazon S3.
pub const MOST_RETAINED_DAYS: u32 = 36_500;

/// A bucket with versioning and Object Lock, in another account. What is put there is sealed with the ledger's data key; hashes, sizes
/// and the ledger's name are in clear.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct WormAnchor {
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
    /// Where in the bucket; nothing else may be below it. Default: the ledger's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prefix: Option<String>,
    /// How long each object is locked after it was put, in days, 1096 (three years) to 36500. Default 2192: six years.
    #[serde(default = "six_years")]
    #[schemars(range(min = 1_096, max = 36_500))]
    pub retain_days: u32,
}

/// 45 CFR 164.316(b)(2) (HIPAA) asks for six years; two of them may be leap years.
fn six_years() -> u32 {
    2_192
}
