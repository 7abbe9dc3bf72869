//! Time comes in as an argument. Wall-clock time is for people and records; only monotonic time decides.

use std::time::{Duration, Instant};

use futures::future::BoxFuture;
use jiff::Timestamp;

/// Where time comes from.
pub trait Clock: Send + Sync {
    /// What the wall clock shows, for people and records. It may jump.
    fn now(&self) -> Timestamp;
    /// Time since some fixed moment of this process. It never jumps.
    fn monotonic(&self) -> Duration;
    /// Resolves after `time`.
    fn sleep(&self, time: Duration) -> BoxFuture<'static, ()>;
}

/// The machine's own clock.
#[derive(Debug, Clone, Copy)]
pub struct SystemClock {
    start: Instant,
}

impl SystemClock {
    /// A clock whose monotonic time starts at zero now.
    #[expect(clippy::disallowed_methods, reason = "the one place where the machine's time comes in")]
    pub fn start() -> Self {
        Self { start: Instant::now() }
    }
}

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place where the machine's time comes in")]
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
    fn monotonic(&self) -> Duration {
        self.start.elapsed()
    }
    fn sleep(&self, time: Duration) -> BoxFuture<'static, ()> {
        Box::pin(tokio::time::sleep(time))
    }
}
