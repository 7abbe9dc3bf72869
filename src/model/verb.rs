//! What a step can do: capabilities, not products.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Phase;

/// What kind of thing a verb works on. A target's driver offers exactly one; the general verbs need no target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Capability {
    /// A database with one writable primary.
    Database,
    /// Objects or files.
    Storage,
    /// Names.
    Dns,
    /// No target.
    General,
}

/// What an act does to the world, at worst.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Effect {
    /// Changes nothing.
    Reads,
    /// Changes something that can be changed back, or adds something.
    Changes,
    /// May lose data or take a service away.
    Destroys,
}

macro_rules! verbs {
    ($($(#[$doc:meta])* $variant:ident = $text:literal, $capability:ident;)+) => {
        /// A verb of a step, written `capability.verb` (or alone when it needs no target).
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema)]
        pub enum Verb { $($(#[$doc])* #[serde(rename = $text)] $variant,)+ }

        impl Verb {
            /// Every verb there is.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];
            /// As written in a runbook.
            pub fn as_str(self) -> &'static str { match self { $(Self::$variant => $text,)+ } }
            /// The capability that offers it.
            pub fn capability(self) -> Capability { match self { $(Self::$variant => Capability::$capability,)+ } }
        }
    };
}

verbs! {
    /// Make the source's database accept nothing, provably.
    DatabaseFence = "database.fence", Database;
    /// Let the source's database accept writes again.
    DatabaseUnfence = "database.unfence", Database;
    /// Wait until the destination's copy has everything.
    DatabaseCatchUp = "database.catchUp", Database;
    /// Make the destination's copy the primary.
    DatabasePromote = "database.promote", Database;
    /// Prove by a write that the destination is the primary.
    DatabaseVerify = "database.verify", Database;
    /// Make the source's database a replica of the destination.
    DatabaseReverse = "database.reverse", Database;
    /// Make the source's storage accept nothing, provably.
    StorageFence = "storage.fence", Storage;
    /// Let the source's storage accept writes again.
    StorageUnfence = "storage.unfence", Storage;
    /// Copy what the destination is missing.
    StorageCatchUp = "storage.catchUp", Storage;
    /// Declare the destination's copy the real one.
    StoragePromote = "storage.promote", Storage;
    /// Prove by a write and a read that the destination serves.
    StorageVerify = "storage.verify", Storage;
    /// Make the source's storage a copy of the destination.
    StorageReverse = "storage.reverse", Storage;
    /// Point the names at the destination.
    DnsSwitch = "dns.switch", Dns;
    /// Prove that every authoritative server answers with the destination.
    DnsVerify = "dns.verify", Dns;
    /// Wait until a probe of the destination is healthy.
    ProbeAwait = "probe.await", General;
    /// Wait for a person's approval.
    Approve = "approve", General;
    /// Wait for a declared time.
    Wait = "wait", General;
    /// One HTTP request.
    Http = "http", General;
    /// Run a program.
    Command = "command", General;
    /// Prove that nothing of an isolated drill is left. Lifeboat adds it; no runbook names it.
    DrillLeftovers = "drill.leftovers", General;
    /// Prove that the group's real targets are as they were before an isolated drill. Lifeboat adds it; no runbook names it.
    DrillUntouched = "drill.untouched", General;
    /// Compare the controls of the destination with those of the source. Lifeboat adds it to drills; no runbook names it.
    DrillParity = "drill.parity", General;
}

impl Verb {
    /// The phase that the verb's time is booked on; `None` for work after recovery or without a phase of its own.
    pub fn phase(self) -> Option<Phase> {
        match self {
            Self::DatabaseFence | Self::StorageFence => Some(Phase::Fence),
            Self::DatabaseCatchUp
            | Self::DatabasePromote
            | Self::StorageCatchUp
            | Self::StoragePromote
            | Self::Http
            | Self::Command => Some(Phase::Promote),
            Self::DnsSwitch => Some(Phase::Route),
            Self::DatabaseVerify | Self::StorageVerify | Self::DnsVerify | Self::ProbeAwait => Some(Phase::Verify),
            Self::DatabaseUnfence
            | Self::DatabaseReverse
            | Self::StorageUnfence
            | Self::StorageReverse
            | Self::Approve
            | Self::Wait
            | Self::DrillLeftovers
            | Self::DrillUntouched
            | Self::DrillParity => None,
        }
    }

    /// Verbs that make the destination the real one: they need proof that the source is fenced (promise S3).
    pub fn promotes(self) -> bool {
        matches!(self, Self::DatabasePromote | Self::StoragePromote)
    }

    /// Verbs that Lifeboat adds to drills by itself; no runbook names them.
    pub fn added(self) -> bool {
        matches!(self, Self::DrillLeftovers | Self::DrillUntouched | Self::DrillParity)
    }

    /// Verbs that fence the source.
    pub fn fences(self) -> bool {
        matches!(self, Self::DatabaseFence | Self::StorageFence)
    }
}

impl fmt::Display for Verb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl std::str::FromStr for Verb {
    type Err = UnknownVerb;
    fn from_str(text: &str) -> Result<Self, UnknownVerb> {
        Self::ALL
            .iter()
            .copied()
            .find(|verb| verb.as_str() == text)
            .ok_or_else(|| UnknownVerb { found: text.to_owned() })
    }
}

/// A text that names no verb.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no verb `{found}`")]
pub struct UnknownVerb {
    /// What was written.
    pub found: String,
}
