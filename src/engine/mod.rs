//! Floor 4: the only loop that acts.
//!
//! What it promises: nothing acts before its intent is durable (S1); a stale term appends nothing and acts on nothing
//! (S2); an unknown outcome is observed, never repeated blindly (S4, S12).
//!
//! What it assumes: a store whose append is durable and compares the term; drivers that keep the promises of
//! `port::Driver`.
//!
//! What a crash in the middle means: every record up to the last append is there, and everything that may have been
//! under way has an intent without an outcome. Whoever takes the run over records those as unknown and observes them.
//!
//! One record is written before an act and one after it. Records that are due at the same moment share one sync: a
//! thousand steps that become ready together cost one append.

mod calls;
mod drive;
mod error;
mod flight;
mod hold;
mod ledger;
mod proof;
mod recover;

pub use calls::{call, known};
pub use drive::{Engine, Hands, Options, Stop};
pub use error::EngineError;
pub use hold::{Hold, TIME_TO_LIVE, Waiting, take};
pub use ledger::Progress;
pub use proof::proof;
pub use recover::{load, recover};
