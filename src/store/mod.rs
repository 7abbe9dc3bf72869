//! Floor 4: stores. Where journals, leases, reports of observers and evidence records live.
//!
//! Every store promises what `port::Store` says, and one suite (`tests/it/store/contract.rs`) holds all of them to it:
//!
//! 1. An append creates event N or fails, and compares the term in the same transaction (promise S2).
//! 2. When an append has returned, its events survive `kill -9` and, where there is a disk, power loss.
//! 3. A group's runs are numbered from 1 without a gap, rehearsals included (promise S13).
//! 4. At most one run under one lease key is open (promise S6).
//!
//! The ledger ([`ledger`]) is a store of its own: plain files that any tool can read, whatever the journals are in.
//!
//! A future that is dropped before it resolved may or may not have written: read the journal to know.

pub mod etcd;
pub mod ledger;
pub mod memory;
mod rules;
pub mod sqlite;

pub use etcd::Etcd;
pub use memory::Memory;
pub use sqlite::Sqlite;
