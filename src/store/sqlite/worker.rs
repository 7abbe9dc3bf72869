//! The two threads that own the connections: one writes, one reads.
//!
//! The writer takes whatever is queued, up to a limit, into one transaction and syncs once for all of it (group commit);
//! an answer leaves only after the commit. Each job runs inside its own savepoint when it shares a transaction, so a
//! refused job takes nothing of its neighbours back. A crash in the middle loses the whole transaction, and
//! nobody of it was answered.

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc,
        mpsc::{self, Receiver, Sender},
    },
    thread::{self, JoinHandle},
};

use rusqlite::Connection;
use tokio::sync::oneshot;

use super::problem::Problem;

/// Jobs in one transaction, at most: bounds how long the first of them waits for the last.
const BATCH: usize = 256;

/// Why a job has no answer.
pub(super) enum Halt<E> {
    /// The store's rules say no.
    Said(E),
    /// SQLite says no.
    Sql(rusqlite::Error),
}

impl<E> From<rusqlite::Error> for Halt<E> {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sql(error)
    }
}

/// What the caller gets instead of an answer.
#[derive(Debug)]
pub(super) enum Fault<E> {
    /// The store's rules say no.
    Said(E),
    /// The database could not be used.
    Broken(Problem),
}

/// One caller's work: done in a transaction with others, answered when that is over.
trait Job: Send {
    /// Does it. `Ok(true)`: its changes are to be kept; `Err`: SQLite failed.
    fn work(&mut self, db: &Connection) -> Result<bool, Problem>;
    /// Answers the caller, once it is known what became of the transaction.
    fn answer(self: Box<Self>, committed: Result<(), Problem>);
}

/// A job with what its caller waits for.
struct Task<T, E, F> {
    path: Arc<PathBuf>,
    work: Option<F>,
    result: Option<Result<T, Fault<E>>>,
    reply: oneshot::Sender<Result<T, Fault<E>>>,
}

impl<T, E, F> Job for Task<T, E, F>
where
    T: Send,
    E: Send,
    F: FnOnce(&Connection) -> Result<T, Halt<E>> + Send,
{
    fn work(&mut self, db: &Connection) -> Result<bool, Problem> {
        let Some(work) = self.work.take() else { return Ok(false) };
        let result = work(db).map_err(|halt| match halt {
            Halt::Said(no) => Fault::Said(no),
            Halt::Sql(error) => Fault::Broken(Problem::of(&self.path, error)),
        });
        let verdict = match &result {
            Ok(_) => Ok(true),
            Err(Fault::Said(_)) => Ok(false),
            Err(Fault::Broken(problem)) => Err(problem.clone()),
        };
        self.result = Some(result);
        verdict
    }

    fn answer(self: Box<Self>, committed: Result<(), Problem>) {
        let result = match (self.result, committed) {
            (Some(Err(Fault::Broken(own))), _) => Err(Fault::Broken(own)),
            // A refusal counts only with the transaction it was found in: it may rest on a neighbour's write.
            (_, Err(problem)) => Err(Fault::Broken(problem)),
            (Some(result), Ok(())) => result,
            (None, Ok(())) => Err(Fault::Broken(Problem::Ended { path: self.path.as_ref().clone() })),
        };
        // Nobody waits any more when this fails, and that is the caller's right.
        drop(self.reply.send(result));
    }
}

/// A thread that owns a connection. Dropping it lets it finish what is queued, and waits.
#[derive(Debug)]
pub(super) struct Worker {
    path: Arc<PathBuf>,
    jobs: Option<Sender<Box<dyn Job>>>,
    thread: Option<JoinHandle<()>>,
}

/// What a worker does with its jobs.
#[derive(Debug, Clone, Copy)]
pub(super) enum Duty {
    /// Each batch in a transaction.
    Write,
    /// Each job on its own.
    Read,
}

impl Worker {
    /// Starts the thread.
    pub(super) fn start(path: &Path, db: Connection, duty: Duty) -> Result<Self, Problem> {
        let path = Arc::new(path.to_owned());
        let (jobs, queue) = mpsc::channel();
        let name = match duty {
            Duty::Write => "store-write",
            Duty::Read => "store-read",
        };
        let file = Arc::clone(&path);
        let thread = thread::Builder::new()
            .name(name.into())
            .spawn(move || match duty {
                Duty::Write => write(&db, &queue, &file),
                Duty::Read => read(&db, &queue),
            })
            .map_err(|source| Problem::Thread { path: path.as_ref().clone(), source: Arc::new(source) })?;
        Ok(Self { path, jobs: Some(jobs), thread: Some(thread) })
    }

    /// Has the thread do `work`, and waits for the answer. The work happens even if nobody waits any more.
    pub(super) async fn ask<T, E>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, Halt<E>> + Send + 'static,
    ) -> Result<T, Fault<E>>
    where
        T: Send + 'static,
        E: Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let job = Box::new(Task { path: Arc::clone(&self.path), work: Some(work), result: None, reply });
        let ended = || Fault::Broken(Problem::Ended { path: self.path.as_ref().clone() });
        self.jobs.as_ref().ok_or_else(ended)?.send(job).map_err(|_| ended())?;
        answer.await.map_err(|_| ended())?
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        drop(self.jobs.take());
        if let Some(thread) = self.thread.take() {
            // A thread that panicked has already failed its callers.
            drop(thread.join());
        }
    }
}

fn read(db: &Connection, queue: &Receiver<Box<dyn Job>>) {
    while let Ok(mut job) = queue.recv() {
        let read = job.work(db).map(|_| ());
        job.answer(read);
    }
}

fn write(db: &Connection, queue: &Receiver<Box<dyn Job>>, path: &Path) {
    while let Ok(first) = queue.recv() {
        let mut batch = vec![first];
        batch.extend(queue.try_iter().take(BATCH - 1));
        let committed = transact(db, &mut batch, path);
        if committed.is_err() && !db.is_autocommit() {
            // A failed rollback shows again at the next BEGIN, as an error to whoever asks then.
            drop(say(db, "ROLLBACK", path));
        }
        for job in batch {
            job.answer(committed.clone());
        }
    }
}

/// Does a batch in one transaction.
fn transact(db: &Connection, batch: &mut [Box<dyn Job>], path: &Path) -> Result<(), Problem> {
    say(db, "BEGIN IMMEDIATE", path)?;
    let shared = batch.len() > 1;
    let mut kept = false;
    for job in batch {
        if shared {
            say(db, "SAVEPOINT job", path)?;
        }
        let worked = job.work(db);
        if db.is_autocommit() {
            // A full disk or a failed one: SQLite took the whole transaction back, the neighbours' work too.
            return worked.map(|_| ()).and_then(|()| say(db, "COMMIT", path));
        }
        let keep = worked.unwrap_or(false);
        kept |= keep;
        if shared {
            if !keep {
                say(db, "ROLLBACK TO job", path)?;
            }
            say(db, "RELEASE job", path)?;
        }
    }
    say(db, if kept { "COMMIT" } else { "ROLLBACK" }, path)
}

fn say(db: &Connection, sql: &str, path: &Path) -> Result<(), Problem> {
    let said = db.prepare_cached(sql).and_then(|mut statement| statement.execute([]));
    said.map(|_| ()).map_err(|error| Problem::of(path, error))
}
