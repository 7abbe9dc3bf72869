//! What was seen and what an act did. *Unknown* is a value here, never an error and never a failure.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::RegionName;

/// A step's output: what later steps can name as `steps.<step>.<field>`.
pub type Output = Map<String, Value>;

/// What one region's member of a target says of itself, at the moment it was asked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Side {
    /// The region.
    pub region: RegionName,
    /// The role that was seen.
    pub role: Role,
    /// A position in the target's own order (WAL byte, object count); comparable between sides of one target.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub position: Option<u64>,
}

/// The role a member was seen in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "is", content = "why")]
pub enum Role {
    /// Accepts writes.
    Primary,
    /// Follows a primary.
    Standby,
    /// Answers and refuses writes, without following anyone: a fenced primary.
    ReadOnly,
    /// The host answers that nothing listens there.
    Down(String),
    /// No answer, or one that could not be understood: nothing is known.
    Unknown(String),
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Primary => f.write_str("primary"),
            Self::Standby => f.write_str("standby"),
            Self::ReadOnly => f.write_str("read-only"),
            Self::Down(why) => write!(f, "down ({why})"),
            Self::Unknown(why) => write!(f, "unknown ({why})"),
        }
    }
}

/// Proof that the source accepts nothing: what was done and, seen afterwards, what it did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FenceProof {
    /// The method that was applied: `readOnly`, `command`, `denyPolicy`.
    pub method: String,
    /// The effect that was observed after it: `a write was refused with SQLSTATE 25006`.
    pub effect: String,
}

/// How much would be, or was, lost.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Loss {
    /// Age of the newest lost write in seconds. `None`: not known.
    pub seconds: Option<f64>,
    /// Bytes (databases) or objects (storage) that the destination lacks. `None`: not known.
    pub amount: Option<u64>,
    /// The unit of `amount`: `bytes` or `objects`.
    pub unit: String,
    /// How the figures were found: `source readable`, `last marker`, `onset`.
    pub basis: String,
}

impl Loss {
    /// Nothing is lost, known by `basis`.
    pub fn none(unit: &str, basis: &str) -> Self {
        Self { seconds: Some(0.0), amount: Some(0), unit: unit.into(), basis: basis.into() }
    }
}

impl fmt::Display for Loss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.seconds {
            Some(seconds) => write!(f, "{seconds:.3} s")?,
            None => f.write_str("unknown seconds")?,
        }
        match self.amount {
            Some(amount) => write!(f, ", {amount} {}", self.unit)?,
            None => write!(f, ", unknown {}", self.unit)?,
        }
        write!(f, " (by {})", self.basis)
    }
}

/// One side of a target wrote after the other had gone its own way: what it holds alone is lost when it is made a copy of
/// the other, or when the other is given up for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Divergence {
    /// The side that holds something alone.
    pub region: RegionName,
    /// How much, at most. `None`: nobody can tell, not even whether it is anything.
    pub amount: Option<u64>,
    /// The unit of `amount`: `transactions`.
    pub unit: String,
    /// Where both sides are.
    pub positions: String,
}

impl fmt::Display for Divergence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { region, amount, unit, positions } = self;
        match amount {
            Some(amount) => write!(f, "{region} holds up to {amount} {unit} that the other side lacks ({positions})"),
            None => write!(f, "nobody can tell what {region} holds that the other side lacks ({positions})"),
        }
    }
}

/// What an observation found. Typed where a gate judges by it; `details` is for expressions and the record.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Facts {
    /// What the members say, source first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sides: Vec<Side>,
    /// Proof of a fence, where one was seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fence: Option<FenceProof>,
    /// What would be lost if the destination were promoted now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub loss: Option<Loss>,
    /// Time of the newest heartbeat marker on the destination.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub marker: Option<Timestamp>,
    /// The destination takes in what the source writes, as both say. `None`: one of them does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replicates: Option<bool>,
    /// One side holds something alone, as far as can be seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub divergence: Option<Divergence>,
    /// Anything else worth a line in the record.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub details: Output,
}

impl Facts {
    /// The role that `region`'s member was seen in.
    pub fn role(&self, region: &RegionName) -> Option<&Role> {
        self.sides.iter().find(|side| side.region == *region).map(|side| &side.role)
    }
}

/// What observing a step's effect found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Observed {
    /// It is already so: nothing needs doing.
    Already {
        /// What was seen.
        facts: Facts,
        /// The step's output, as if it had acted.
        output: Output,
    },
    /// It is not yet so, and acting makes sense.
    Ready {
        /// What was seen.
        facts: Facts,
    },
    /// Acting would be wrong: expected X, found Y.
    Refused {
        /// What was seen.
        facts: Facts,
        /// What would have made sense.
        expected: String,
        /// What was found instead.
        found: String,
    },
    /// It could not be seen.
    Unknown {
        /// Why not.
        why: String,
    },
}

impl Observed {
    /// What came of an act that is but another look: where all is so, it is done.
    pub fn looked(self) -> Attempt {
        match self {
            Self::Already { facts, output } => Attempt::Applied { output, facts },
            Self::Refused { expected, found, .. } => {
                Attempt::NotApplied { why: format!("expected {expected}, found {found}"), retry: false }
            }
            Self::Ready { .. } => Attempt::NotApplied { why: "there is nothing to do".into(), retry: false },
            Self::Unknown { why } => Attempt::Unknown { why },
        }
    }
}

/// What an act did.
#[expect(clippy::large_enum_variant, reason = "the large variant is the usual one; there are few of them at a time")]
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Attempt {
    /// It was done.
    Applied {
        /// The step's output.
        output: Output,
        /// What was seen while doing it (a fence's proof, a promotion's loss).
        facts: Facts,
    },
    /// It was certainly not done.
    NotApplied {
        /// Why, and what to do about it.
        why: String,
        /// Whether the same act may succeed later.
        retry: bool,
    },
    /// It may or may not have been done. The only legal next act is to observe.
    Unknown {
        /// What was lost.
        why: String,
    },
}
