//! Names and numbers that identify things. If one exists, it is well formed.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A name that does not follow the rule of its kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "a {kind} name is 1 to 63 of a-z, 0-9 and `-`, starts with a letter and does not end with `-`, found `{found}`"
)]
pub struct BadName {
    /// What was being named.
    pub kind: &'static str,
    /// What was written.
    pub found: String,
}

/// The rule of RFC 1123 section 2.1 labels, narrowed to a first letter: a name is safe as a DNS label, a
/// Kubernetes object name, a file name and a bare YAML scalar.
fn is_label(text: &str) -> bool {
    let bytes = text.as_bytes();
    (1..=63).contains(&bytes.len())
        && bytes[0].is_ascii_lowercase()
        && !text.ends_with('-')
        && bytes.iter().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || *b == b'-')
}

macro_rules! names {
    ($($(#[$doc:meta])* $name:ident, $kind:literal;)+) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl schemars::JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> { stringify!($name).into() }
            fn inline_schema() -> bool { true }
            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({
                    "type": "string", "minLength": 1, "maxLength": 63, "pattern": "^[a-z]([a-z0-9-]*[a-z0-9])?$",
                })
            }
        }

        impl $name {
            /// Checks the rule and keeps the name.
            pub fn new(text: impl Into<String>) -> Result<Self, BadName> {
                let text = text.into();
                if is_label(&text) { Ok(Self(text)) } else { Err(BadName { kind: $kind, found: text }) }
            }
            /// The name as text.
            pub fn as_str(&self) -> &str { &self.0 }
        }
        impl TryFrom<String> for $name {
            type Error = BadName;
            fn try_from(text: String) -> Result<Self, BadName> { Self::new(text) }
        }
        impl std::str::FromStr for $name {
            type Err = BadName;
            fn from_str(text: &str) -> Result<Self, BadName> { Self::new(text) }
        }
        impl From<$name> for String {
            fn from(name: $name) -> String { name.0 }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { f.pad(&self.0) }
        }
    )+};
}

names! {
    /// A region: a place that can serve.
    RegionName, "region";
    /// A protection group: what fails over as a whole.
    GroupName, "group";
    /// A target: one protected thing of a group.
    TargetName, "target";
    /// A runbook.
    RunbookName, "runbook";
    /// A step of a runbook.
    StepName, "step";
    /// A probe of a region.
    ProbeName, "probe";
    /// A drill schedule.
    ScheduleName, "drill schedule";
    /// A drill policy.
    PolicyName, "drill policy";
    /// A requirement of a drill policy.
    RequirementName, "requirement";
    /// A channel through which people are told.
    ChannelName, "channel";
    /// A calendar of what others examine.
    CalendarName, "calendar";
    /// A service that runs in a region.
    ServiceName, "service";
    /// A place outside of this machine that remembers checkpoints of the ledger.
    AnchorName, "anchor";
}

/// The person (or the service account) who asked for something: what the record will name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Actor(String);

impl Actor {
    /// An actor is 1 to 128 printable characters without line breaks: an account, an e-mail address.
    pub fn new(text: impl Into<String>) -> Result<Self, BadActor> {
        let text = text.into();
        let trimmed = text.trim();
        if trimmed.is_empty() || trimmed.len() > 128 || trimmed.chars().any(char::is_control) {
            return Err(BadActor { found: text });
        }
        Ok(Self(trimmed.to_owned()))
    }
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A person's name that could not be recorded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a person is named by 1 to 128 printable characters, found {found:?}")]
pub struct BadActor {
    /// What was given.
    pub found: String,
}

impl TryFrom<String> for Actor {
    type Error = BadActor;
    fn try_from(text: String) -> Result<Self, BadActor> {
        Self::new(text)
    }
}
impl std::str::FromStr for Actor {
    type Err = BadActor;
    fn from_str(text: &str) -> Result<Self, BadActor> {
        Self::new(text)
    }
}
impl From<Actor> for String {
    fn from(actor: Actor) -> String {
        actor.0
    }
}
impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// A run: the group and its gap-free number, written `orders-17`. Short enough to read over a phone.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RunId {
    /// The group that the run moves.
    pub group: GroupName,
    /// Counts from 1 without a gap in each group.
    pub number: u64,
}

/// A text that names no run.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a run is named `<group>-<number>` such as `orders-17`, found `{found}`")]
pub struct BadRunId {
    /// What was written.
    pub found: String,
}

impl std::str::FromStr for RunId {
    type Err = BadRunId;
    fn from_str(text: &str) -> Result<Self, BadRunId> {
        let bad = || BadRunId { found: text.to_owned() };
        let (group, number) = text.rsplit_once('-').ok_or_else(bad)?;
        let group = GroupName::new(group).map_err(|_| bad())?;
        let id = Self { group, number: number.parse().map_err(|_| bad())? };
        // One run, one name: `orders-017` and `orders-+17` are none.
        if id.number == 0 || id.to_string() != text { Err(bad()) } else { Ok(id) }
    }
}
impl TryFrom<String> for RunId {
    type Error = BadRunId;
    fn try_from(text: String) -> Result<Self, BadRunId> {
        text.parse()
    }
}
impl From<RunId> for String {
    fn from(id: RunId) -> String {
        id.to_string()
    }
}
impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.group, self.number)
    }
}

/// The generation of the lease on a group. It only grows; every append and every act carries it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Term(pub u64);

impl fmt::Display for Term {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_labels_that_start_with_a_letter() {
        for good in ["a", "fra", "orders-db", "a1-2"] {
            assert!(RegionName::new(good).is_ok(), "{good}");
        }
        let long = "a".repeat(64);
        for bad in ["", "-a", "a-", "1a", "A", "a_b", "a.b", "é", long.as_str()] {
            assert!(RegionName::new(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_run_is_named_by_its_group_and_number() {
        let id: RunId = "orders-eu-17".parse().unwrap();
        assert_eq!((id.group.as_str(), id.number), ("orders-eu", 17));
        assert_eq!(id.to_string(), "orders-eu-17");
        for bad in ["orders", "orders-", "-1", "orders-x", "orders-0", "orders-017", "orders-+17"] {
            assert!(bad.parse::<RunId>().is_err(), "{bad}");
        }
    }
}
