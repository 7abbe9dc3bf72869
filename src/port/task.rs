//! Background tasks that cannot outlive their owner.

use std::future::Future;

use tokio::task::JoinHandle;

/// A task that a client library needs in the background (a connection's reader, a DNS multiplexer). Dropping the
/// value ends the task, so nothing goes on talking to a server after its owner gave up.
#[derive(Debug)]
pub struct Tied(JoinHandle<()>);

impl Tied {
    /// Starts `task`. Must be called inside the runtime.
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place where a task is started outside supervision; it is tied to a value"
    )]
    pub fn start(task: impl Future<Output = ()> + Send + 'static) -> Self {
        Self(tokio::spawn(task))
    }
}

impl Drop for Tied {
    fn drop(&mut self) {
        self.0.abort();
    }
}
