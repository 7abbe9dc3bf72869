//! One probe of one thing, as a value. A prober never decides what it means for a region.

use std::{sync::Arc, time::Duration};

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
    /// It serves, and not as it should: too slowly, or with something that ends soon.
    Degraded {
        /// How long it took to say so.
        took: Duration,
        /// Why: expected X, found Y.
        why: String,
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

impl Health {
    /// It serves, however slowly.
    pub fn serves(&self) -> bool {
        match self {
            Self::Healthy { .. } | Self::Degraded { .. } => true,
            Self::Unhealthy { .. } | Self::Silent { .. } => false,
        }
    }
}

/// Probes things.
pub trait Prober: Send + Sync + 'static {
    /// Probes once, within the probe's own timeout.
    fn probe<'a>(&'a self, probe: &'a ProbeSpec) -> BoxFuture<'a, Health>;

    /// Gets a probe ready to be made again and again: what can be parsed and loaded once is. A probe that cannot be made
    /// is made nevertheless, and says so each time (*silent*).
    fn prepare(self: Arc<Self>, probe: &ProbeSpec) -> Arc<dyn Ready> {
        Arc::new(Each { prober: self, spec: probe.clone() })
    }
}

/// One probe that can be made at once. At most one try at a time keeps what it measures clean; several do no harm.
pub trait Ready: Send + Sync {
    /// Probes once, within the probe's own timeout.
    fn probe(&self) -> BoxFuture<'_, Health>;
}

/// A probe of a prober that has nothing to prepare.
struct Each<P: ?Sized> {
    prober: Arc<P>,
    spec: ProbeSpec,
}

impl<P: Prober + ?Sized> Ready for Each<P> {
    fn probe(&self) -> BoxFuture<'_, Health> {
        self.prober.probe(&self.spec)
    }
}
