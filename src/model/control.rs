//! Controls that must hold on the destination as they do on the source, and what comparing them found.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::TargetName;

/// A control that a failover must not lose. The regions may differ in how they do it, not in what is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Control {
    /// What travels is encrypted.
    EncryptionInTransit,
    /// What is kept is encrypted.
    EncryptionAtRest,
    /// Who is let in, and how.
    Access,
    /// A second factor is asked for.
    SecondFactor,
    /// An identity that is disabled in the one region is disabled in the other.
    Revocation,
    /// What the network lets in.
    Ingress,
    /// What is written down of what people do.
    Logging,
    /// One tenant does not see another's data.
    TenantIsolation,
    /// Versions of what runs there.
    Version,
    /// Room for what has to run there.
    Capacity,
}

impl Control {
    /// All of them, in the order in which reports show them.
    pub const ALL: [Self; 10] = [
        Self::EncryptionInTransit,
        Self::EncryptionAtRest,
        Self::Access,
        Self::SecondFactor,
        Self::Revocation,
        Self::Ingress,
        Self::Logging,
        Self::TenantIsolation,
        Self::Version,
        Self::Capacity,
    ];

    /// As people read it.
    pub fn words(self) -> &'static str {
        match self {
            Self::EncryptionInTransit => "encryption in transit",
            Self::EncryptionAtRest => "encryption at rest",
            Self::Access => "access",
            Self::SecondFactor => "second factor",
            Self::Revocation => "revoked identities",
            Self::Ingress => "ingress rules",
            Self::Logging => "logging",
            Self::TenantIsolation => "separation of tenants",
            Self::Version => "versions",
            Self::Capacity => "capacity",
        }
    }

    /// The activity of the cross-walk (`controls.yaml`) that a passed check is evidence of.
    pub fn activity(self) -> &'static str {
        match self {
            Self::EncryptionInTransit => "encryptionInTransit",
            Self::EncryptionAtRest => "encryptionAtRest",
            Self::Access => "access",
            Self::SecondFactor => "secondFactor",
            Self::Revocation => "revocation",
            Self::Ingress => "ingress",
            Self::Logging => "logging",
            Self::TenantIsolation => "tenantIsolation",
            Self::Version => "version",
            Self::Capacity => "capacity",
        }
    }

    /// Whether losing it endangers what users entrusted: a drill that finds it so has failed. The others make a later failover
    /// harder, which a finding says.
    pub fn protects(self) -> bool {
        match self {
            Self::EncryptionInTransit
            | Self::EncryptionAtRest
            | Self::Access
            | Self::SecondFactor
            | Self::Revocation
            | Self::Ingress
            | Self::TenantIsolation => true,
            Self::Logging | Self::Version | Self::Capacity => false,
        }
    }
}

impl fmt::Display for Control {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.words())
    }
}

/// How strong an encryption is, by its key: what was agreed on or set, never what a provider only says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Strength {
    /// Nothing is encrypted.
    None,
    /// Encrypted with less than 128 bits, or nobody can tell with how many.
    Weak,
    /// 128 bits or more, and less than 256.
    Aes128,
    /// 256 bits: AES-256, or a cipher of the same strength.
    Aes256,
}

impl Strength {
    /// Of a cipher with this many bits.
    pub fn of_bits(bits: u32) -> Self {
        match bits {
            0 => Self::None,
            1..128 => Self::Weak,
            128..256 => Self::Aes128,
            256.. => Self::Aes256,
        }
    }
}

/// What comparing one control found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ControlState {
    /// It holds on the destination as on the source.
    Pass,
    /// It does not.
    Fail,
    /// Nobody can tell. Never in our favour.
    NotChecked,
}

impl ControlState {
    /// As people read it.
    pub fn words(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail => "FAIL",
            Self::NotChecked => "not checked",
        }
    }
}

/// One control of one thing, compared between the source and the destination of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ControlCheck {
    /// Which control.
    pub control: Control,
    /// Of which target; absent: of the group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<TargetName>,
    /// Of what: `connections`, `pg_hba.conf`, the name of a declared check.
    pub subject: String,
    /// What was seen in the source.
    pub source: String,
    /// What was seen in the destination.
    pub destination: String,
    /// What comes of it.
    pub state: ControlState,
    /// Why it failed or was not checked, and which differences are excepted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

impl ControlCheck {
    /// Where the step `drill.parity` keeps its checks: a list in its output.
    pub const CHECKS: &'static str = "checks";
    /// Where that step has what the group declares: a parameter.
    pub const DECLARED: &'static str = "controls";

    /// `orders-db: pg_hba.conf`, or the subject alone.
    pub fn what(&self) -> String {
        match &self.target {
            Some(target) => format!("{target}: {}", self.subject),
            None => self.subject.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cipher_is_as_strong_as_its_key() {
        for (bits, strength) in [
            (0, Strength::None),
            (56, Strength::Weak),
            (128, Strength::Aes128),
            (192, Strength::Aes128),
            (256, Strength::Aes256),
        ] {
            assert_eq!(Strength::of_bits(bits), strength, "{bits}");
        }
        assert!(Strength::None < Strength::Weak && Strength::Weak < Strength::Aes128);
        assert!(Strength::Aes128 < Strength::Aes256);
    }

    #[test]
    fn each_control_has_an_activity_of_its_own() {
        let names: std::collections::BTreeSet<_> = Control::ALL.iter().map(|control| control.activity()).collect();
        assert_eq!(names.len(), Control::ALL.len());
    }
}
