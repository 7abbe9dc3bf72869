//! The store for those who outgrow one machine: an etcd cluster (v3), through its JSON gateway.
//!
//! It promises what `port::Store` says, as long as a majority of the members keeps its disks: an append that returned is
//! in the logs of a majority. Three members in three regions survive the loss of one region. Every read is
//! linearizable; every write is one transaction that compares what it rests on, so two processes never interleave and a
//! stale term writes nothing.
//!
//! **A reply that is lost** says nothing about the write. The same transaction is sent again, to the next member: it was
//! either applied, and then its comparisons fail the second time, or it can be applied now. Each write carries a *mark*
//! that no other write has; a refused transaction reads back what is there, and a write that finds its own mark was
//! applied. So a write that was applied is reported as such, and none is applied twice. When no member answers for five
//! seconds the answer is `Unavailable`, and the write may be there: whoever resumes the run reads the
//! journal. It cannot arrive late and do harm: the next holder's term makes it stale.
//!
//! **Sizes.** etcd takes 1.5 MiB and 128 operations in one transaction. An append is one key whatever the number of its
//! events, and a value beyond 256 KiB is put aside in pieces first, under its mark, where nobody looks; the
//! transaction then only names them. A crash in between leaves pieces that no key names, and no other trace.
//!
//! It assumes members that keep etcd's own promises, and one prefix for one installation. Nobody compares clocks: terms
//! are fencing numbers, and a lease's revision is the cluster's own (`port::lease` has the scheme).
//!
//! | file | holds |
//! |---|---|
//! | `layout.rs` | which key holds what |
//! | `txn.rs` | transactions and their answers as JSON |
//! | `gateway.rs` | the members, asked one after the other |
//! | `trouble.rs` | what can be wrong with the cluster, with the way out |
//! | `parcel.rs` | values with a mark, and large ones |
//! | `journal.rs`, `inbox.rs`, `lease.rs`, `keep.rs`, `news.rs` | what `port` asks for |

mod gateway;
mod inbox;
mod journal;
mod keep;
mod layout;
mod lease;
mod news;
mod parcel;
mod trouble;
mod txn;

use std::{
    path::PathBuf,
    sync::atomic::{AtomicU64, Ordering},
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use gateway::Gateway;
use layout::Layout;
pub use trouble::Trouble;
use txn::{Answer, Txn};

use crate::port::StoreError;

/// Where the cluster is, and who we are to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Whether members speak TLS.
    pub tls: bool,
    /// `host:port` of each member that may be asked, in the order of preference.
    pub members: Vec<String>,
    /// All keys begin with it; without slashes at its ends.
    pub prefix: String,
    /// PEM file with the authorities of the members' certificates; `None`: the system's.
    pub ca: Option<PathBuf>,
    /// PEM files with our certificate and its key.
    pub identity: Option<(PathBuf, PathBuf)>,
}

/// A store in an etcd cluster.
#[derive(Debug)]
pub struct Etcd {
    gateway: Gateway,
    layout: Layout,
    /// What the marks of this value begin with: drawn by chance, so that no two processes share it.
    origin: String,
    marks: AtomicU64,
}

impl Etcd {
    /// Prepares the store. Nothing is asked of the cluster yet; certificates are read now.
    ///
    /// `Unavailable` when they cannot be used.
    pub fn open(place: &Place) -> Result<Self, StoreError> {
        let unusable = |trouble| unavailable(format!("open the store {}", name(place)), trouble);
        let gateway = Gateway::open(place).map_err(unusable)?;
        let mut origin = [0; 12];
        aws_lc_rs::rand::fill(&mut origin).map_err(|_| unusable(Trouble::Chance))?;
        let origin = URL_SAFE_NO_PAD.encode(origin);
        Ok(Self { gateway, layout: Layout::new(&place.prefix), origin, marks: AtomicU64::new(0) })
    }

    /// A mark that no other write has.
    fn mark(&self) -> String {
        format!("{}-{}", self.origin, self.marks.fetch_add(1, Ordering::Relaxed))
    }

    /// Asks for a transaction; `intent` finishes the sentence "could not …".
    async fn ask(&self, intent: impl FnOnce() -> String, txn: &Txn) -> Result<Answer, StoreError> {
        self.gateway.txn(txn).await.map_err(|trouble| unavailable(intent(), trouble))
    }

    /// Writes, if what the transaction compares holds. It begins what it does otherwise by reading the key `proof`,
    /// under which it would have left `mark`: so a write whose reply was lost recognises itself.
    async fn write(
        &self,
        intent: impl FnOnce() -> String,
        proof: &str,
        mark: &str,
        txn: Txn,
    ) -> Result<Written, StoreError> {
        let answer = self.ask(intent, &txn.otherwise_first(txn::get(proof))).await?;
        if answer.succeeded {
            return Ok(Written::Done(answer));
        }
        let ours = answer.one(0).is_some_and(|found| parcel::marked(&found.value, mark));
        Ok(if ours { Written::Done(answer) } else { Written::Refused(answer) })
    }
}

/// What became of a write.
enum Written {
    /// It was applied, now or by an earlier try whose reply was lost.
    Done(Answer),
    /// It was not, and never will be: what it compared does not hold any more.
    Refused(Answer),
}

fn unavailable(intent: String, trouble: Trouble) -> StoreError {
    StoreError::Unavailable { intent, source: Box::new(trouble) }
}

/// The cluster, for messages.
fn name(place: &Place) -> String {
    let scheme = if place.tls { "etcd+https" } else { "etcd+http" };
    format!("{scheme}://{}/{}", place.members.join(","), place.prefix)
}
