//! How the outside ends this process: the first Ctrl-C or SIGTERM asks the engine to end gently, the second at once.
//!
//! Whatever was under way when the process ends at once is an intent without an outcome in the journal; whoever resumes
//! the run observes it first.

use std::{collections::BTreeMap, io};

use tokio::{
    signal::unix::{SignalKind, signal},
    sync::watch,
    task::{Id, JoinSet},
};

use crate::{engine::Stop, port::Tied};

/// Listens to signals for as long as it lives.
#[derive(Debug)]
pub struct Supervision {
    stop: watch::Receiver<Stop>,
    _task: Tied,
}

impl Supervision {
    /// Starts to listen. `told` hears of each step: the person at the terminal wants to know what is waited for.
    pub fn listen(told: impl Fn(Stop) + Send + 'static) -> io::Result<Self> {
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        let (sender, stop) = watch::channel(Stop::No);
        let task = Tied::start(async move {
            loop {
                let heard = tokio::select! {
                    heard = interrupt.recv() => heard,
                    heard = terminate.recv() => heard,
                };
                if heard.is_none() {
                    return futures::future::pending().await;
                }
                let next = match *sender.borrow() {
                    Stop::No => Stop::Gently,
                    Stop::Gently | Stop::Now => Stop::Now,
                };
                told(next);
                sender.send_replace(next);
            }
        });
        Ok(Self { stop, _task: task })
    }

    /// For the engine.
    pub fn stop(&self) -> watch::Receiver<Stop> {
        self.stop.clone()
    }

    /// Resolves at the first signal.
    pub async fn asked(&self) {
        let mut stop = self.stop.clone();
        if stop.wait_for(|stop| *stop != Stop::No).await.is_err() {
            futures::future::pending::<()>().await;
        }
    }
}

/// Tasks that must all go on. The first to end ends the whole: a process that looks healthy while its judge is gone is worse
/// than none.
#[derive(Debug, Default)]
pub(super) struct Crew {
    tasks: JoinSet<()>,
    names: BTreeMap<Id, String>,
}

/// A task that ended.
#[derive(Debug)]
pub(super) struct Ended {
    /// Which.
    pub(super) task: String,
    /// Why, as far as it is known.
    pub(super) why: String,
}

impl Crew {
    /// Starts a task that is meant never to end.
    pub(super) fn board(&mut self, name: String, task: impl Future<Output = ()> + Send + 'static) {
        let id = self.tasks.spawn(task).id();
        self.names.insert(id, name);
    }

    /// Resolves when one of them has ended.
    pub(super) async fn first_end(&mut self) -> Ended {
        match self.tasks.join_next_with_id().await {
            Some(Ok((id, ()))) => Ended { task: self.name(id), why: "it came to an end by itself".into() },
            Some(Err(error)) => Ended { task: self.name(error.id()), why: error.to_string() },
            None => std::future::pending().await,
        }
    }

    fn name(&self, id: Id) -> String {
        self.names.get(&id).cloned().unwrap_or_default()
    }

    /// Ends all of them.
    pub(super) async fn dismiss(mut self) {
        self.tasks.shutdown().await;
    }
}
