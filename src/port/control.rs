//! What a target says of its controls, region by region. Comparing is somebody else's.

use std::collections::BTreeSet;

use futures::future::BoxFuture;

use crate::model::{Control, RegionName, Strength};

/// How one control of one thing stands in one region.
#[derive(Debug, Clone, PartialEq)]
pub struct Reading {
    /// Which control.
    pub control: Control,
    /// Of what: the same word in every region.
    pub subject: String,
    /// What was seen.
    pub held: Held,
}

impl Reading {
    /// Of this control and subject.
    pub fn new(control: Control, subject: impl Into<String>, held: Held) -> Self {
        Self { control, subject: subject.into(), held }
    }
}

/// What was seen of a control.
#[derive(Debug, Clone, PartialEq)]
pub enum Held {
    /// An encryption; the words say which.
    Encryption {
        /// How strong.
        strength: Strength,
        /// What was seen.
        said: String,
    },
    /// Rules and settings that must be the same: one a line.
    Rules(BTreeSet<String>),
    /// Rules of which the first that fits counts: they must be the same, in the same order.
    Ordered(Vec<String>),
    /// Rules as declared, and as they are in force.
    Declared {
        /// What the documents say.
        declared: BTreeSet<String>,
        /// What is so.
        observed: BTreeSet<String>,
    },
    /// Who gets in now, and who is known and does not.
    Identities {
        /// These get in.
        enabled: BTreeSet<String>,
        /// These are known, and do not.
        disabled: BTreeSet<String>,
    },
    /// A version, part by part: the first part must be the same, and the others no older.
    Version {
        /// `[15, 6]`.
        parts: Vec<u64>,
        /// As people write it.
        said: String,
    },
    /// Something of which there must be no less.
    Amount {
        /// How much.
        amount: u64,
        /// Of what.
        unit: &'static str,
    },
    /// Something that must be so in every region, whatever the other has.
    Holds {
        /// It is so.
        holds: bool,
        /// What was seen.
        said: String,
    },
    /// A value that must be the same, or one of those that are declared.
    Value {
        /// What was seen.
        said: String,
        /// The values that are declared to be well; none: the source's.
        expected: Vec<String>,
    },
    /// It cannot be told, and why.
    Untold(String),
}

/// The controls that a driver can tell of its members.
pub trait Controls: Send + Sync {
    /// Every control and subject that [`read`](Self::read) tells: what is not checked when a member does not answer.
    fn told(&self) -> Vec<(Control, &'static str)>;
    /// Reads them in this region's member. Changes nothing.
    ///
    /// # Errors
    /// Why nothing can be told of the whole member: it does not answer, or there is none.
    fn read<'a>(&'a self, region: &'a RegionName) -> BoxFuture<'a, Result<Vec<Reading>, String>>;
}
