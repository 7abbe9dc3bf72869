//! The embedded store: one SQLite file, safe with several processes at once (the CLI beside the daemon).
//!
//! It promises what `port::Store` says. WAL with `synchronous=FULL`: an append that returned survives `kill -9` and
//! power loss, as far as the disk keeps its own word about `fsync`. Writes begin with `BEGIN IMMEDIATE`, so two processes
//! never interleave; a writer waits 5 s for another process. It assumes a local file system: locks do not work over NFS
//! (<https://www.sqlite.org/faq.html#q5>).
//!
//! A write or a sync that the disk denies fails every caller of that commit. SQLite goes back to the last commit that succeeded and
//! writes the pages anew with the next one, so no later success covers bytes that the kernel dropped after a failed `fsync`. Until
//! then the outcome of what was refused is unknown: when the process dies first, the log may hold it as a whole, or not at all.
//! Whoever goes on reads the journal, and observes before it acts.
//!
//! What was queued when a process died was either committed as a whole or not at all; nobody was answered before the
//! commit. `journal.rs`, `lease.rs` and `keep.rs` hold the queries, `worker.rs` the threads, `schema.rs` the
//! file, `problem.rs` what can be wrong with it.

mod journal;
mod keep;
mod lease;
mod problem;
mod row;
mod schema;
#[cfg(test)]
mod tests;
mod worker;

use std::path::Path;

use problem::Problem;
use rusqlite::Connection;
use worker::{Duty, Fault, Halt, Worker};

use crate::port::StoreError;

/// A store in one SQLite file.
#[derive(Debug)]
pub struct Sqlite {
    writer: Worker,
    reader: Worker,
}

impl Sqlite {
    /// Opens the store, and makes the file (mode 0600) and its folder (0700) where they are missing. Blocks for as long
    /// as another process migrates it.
    ///
    /// `Unavailable` when the file cannot be used, with the way out in its source; `Corrupt` when it belongs to another
    /// program or to a newer version of this one.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let unusable = |problem| unavailable(format!("open the store {}", path.display()), problem);
        let sql = |error| unusable(Problem::of(path, error));
        schema::make(path).map_err(unusable)?;
        let mut db = schema::connect(path).map_err(sql)?;
        schema::migrate(&mut db, path)?.map_err(sql)?;
        schema::write_ahead(&db).map_err(sql)?;
        let eyes = schema::connect(path).map_err(sql)?;
        eyes.pragma_update(None, "query_only", true).map_err(sql)?;
        Ok(Self {
            writer: Worker::start(path, db, Duty::Write).map_err(unusable)?,
            reader: Worker::start(path, eyes, Duty::Read).map_err(unusable)?,
        })
    }

    /// Writes; `intent` finishes the sentence "could not …".
    async fn write<T: Send + 'static>(
        &self,
        intent: impl Fn() -> String,
        work: impl FnOnce(&Connection) -> Result<T, Halt<StoreError>> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.writer.ask(work).await.map_err(|fault| told(fault, intent))
    }

    /// Reads.
    async fn read<T: Send + 'static>(
        &self,
        intent: impl Fn() -> String,
        work: impl FnOnce(&Connection) -> Result<T, Halt<StoreError>> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.reader.ask(work).await.map_err(|fault| told(fault, intent))
    }
}

fn told(fault: Fault<StoreError>, intent: impl Fn() -> String) -> StoreError {
    match fault {
        Fault::Said(error) => error,
        Fault::Broken(problem) => unavailable(intent(), problem),
    }
}

fn unavailable(intent: String, problem: Problem) -> StoreError {
    StoreError::Unavailable { intent, source: Box::new(problem) }
}
