//! One probe of one thing, as a value. A prober never decides what it means for a region.

use std::time::Duration;

use futures::future::BoxFuture;

use crate::spec::ProbeSpec;

/// What one probe found.
#[derive(Debug, Clone, PartialEq)]
pub enum Health {
    /// It serves.
    Healthy {
        /// How long it took to say so.
        took: Duration,
    },
    /// It answered, or its host did, and it does not serve.
    Unhealthy {
        /// Why: expected X, found Y.
        why: String,
    },
    /// No answer in time, or no way to ask: it may serve others.
    Silent {
        /// Why.
        why: String,
    },
}

/// Probes things.
pub trait Prober: Send + Sync {
    /// Probes once, within the probe's own timeout.
    fn probe<'a>(&'a self, probe: &'a ProbeSpec) -> BoxFuture<'a, Health>;
}
