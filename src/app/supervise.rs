//! How the outside ends this process: the first Ctrl-C or SIGTERM asks the engine to end gently, the second at once.
//!
//! Whatever was under way when the process ends at once is an intent without an outcome in the journal; whoever resumes
//! the run observes it first.

use std::io;

use tokio::{
    signal::unix::{SignalKind, signal},
    sync::watch,
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
