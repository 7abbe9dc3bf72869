//! Floor 3: evidence. From the journal of a run to the record that is kept of it, and to what people read. Pure.
//!
//! It promises that the same events give the same record, that nothing in the record was not in the journal, and that a
//! run that is not closed, or in which a step failed or was left out by a person, never reads as a success. Words of the
//! record are only added, never changed: records of years are compared.
//!
//! The ledger that proves it is made of [`statement`]s in DSSE [`envelope`]s, signed with [`key`]s, over which a [`tree`] of hashes
//! grows that is kept in [`tile`]s and named by [`checkpoint`]s, which are signed [`note`]s. A [`witness`] puts its [`cosignature`] below them, a [`timestamp`] says when there was one, and a [`receipt`] is what is kept of both. [`audit`] reads the entries and says what
//! is wrong. Randomness and time are arguments.

pub mod audit;
pub mod bundle;
pub mod checkpoint;
pub mod cosignature;
pub mod envelope;
mod followup;
pub mod incident;
mod judgement;
pub mod key;
pub mod later;
mod measure;
pub mod note;
mod path;
mod phases;
pub mod receipt;
mod record;
mod redact;
pub mod seal;
pub mod signed;
pub mod statement;
mod step;
#[cfg(test)]
mod tests;
pub mod tile;
mod timeline;
pub mod timestamp;
pub mod tree;
pub mod witness;

pub use followup::{Action, Closed, FollowUp, Raised};
pub use judgement::{Bearing, Conclusion, Finding, Judgement, Severity};
pub use measure::{Measures, Overhead, RecoveryPoint, RecoveryTime, TargetLoss, Verdict};
pub use phases::Span;
pub use record::{
    API_VERSION, AcceptedRisk, Approval, Estimate, KIND, Person, Promised, Record, RecordError, RunbookPinned,
};
pub use redact::{RedactError, Redacted, Redaction, words};
pub use step::{Exception, StepRecord};
pub use timeline::{Row, paused, render, timeline};
