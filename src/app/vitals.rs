//! What the outside may ask of a process that stands watch: is it alive, can it do its work, what are its figures.

use futures::future::BoxFuture;
use serde::Serialize;

/// One check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    /// What is checked, in one word: `store`, `documents`, `lease`.
    pub name: &'static str,
    /// It is well.
    pub ok: bool,
    /// What was found, and what to do about it. It is shown to whoever can reach the address: no secret, no password.
    pub detail: String,
}

/// A process that can be asked how it is.
pub trait Vitals: Send + Sync {
    /// Whether each task without which this process is useless is alive. A restart heals what fails here, so nothing of the
    /// outside belongs here.
    fn live(&self) -> Vec<Check>;
    /// Whether it can do its work now: the store answers, the documents are valid, who holds the lease is known.
    fn ready(&self) -> BoxFuture<'_, Vec<Check>>;
    /// Its figures, as OpenMetrics text.
    fn render(&self) -> String;
}
