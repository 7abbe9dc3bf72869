//! Floor 4: probes. One probe asks one thing once and says what it found; what it means for a region is decided elsewhere.
//!
//! Promises: a probe ends within its own timeout; it changes nothing; it tells an answer (*unhealthy*) from silence, because only an
//! answer is evidence against a server: silence may be our own network. No connection is used twice, so a probe never
//! measures a connection that clients could no longer open.
//!
//! | | healthy | unhealthy | silent |
//! |---|---|---|---|
//! | http | expected status and body | other status or body, bad certificate, closed port, reset | time out, no route, name not resolved |
//! | tcp | connection accepted | closed port | time out, no route, name not resolved |
//! | dns | authoritative answer as expected | other answer, error code, closed port | time out, no route |
//! | sql | see [`sql`] | | |
//!
//! A crash in the middle means nothing: the next probe starts afresh.

mod dns;
mod http;
pub mod sql;
mod tcp;

use std::{fmt, io, sync::Arc, time::Duration};

use futures::future::BoxFuture;
use rustls::RootCertStore;
use rustls_pki_types::CertificateDer;

use crate::{
    net::http::Http,
    port::{Clock, Health, Prober, Secrets, SystemClock},
    spec::{ProbeKind, ProbeSpec},
};

/// All kinds of probes.
#[derive(Clone)]
pub struct Probes {
    secrets: Arc<dyn Secrets>,
    clock: Arc<dyn Clock>,
    http: Http,
}

impl fmt::Debug for Probes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Probes").finish_non_exhaustive()
    }
}

impl Probes {
    /// Reads the operating system's trust store once, for the first HTTPS probe; certificates are verified against it.
    pub fn new(secrets: Arc<dyn Secrets>) -> Self {
        Self { secrets, clock: Arc::new(SystemClock::start()), http: Http::new(None) }
    }

    /// The same with these authorities instead of the machine's: for a company's own, and for tests.
    pub fn trusting(secrets: Arc<dyn Secrets>, authorities: impl IntoIterator<Item = CertificateDer<'static>>) -> Self {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(authorities);
        Self { secrets, clock: Arc::new(SystemClock::start()), http: Http::trusting(None, roots) }
    }

    async fn once(&self, probe: &ProbeSpec) -> Health {
        let start = self.clock.monotonic();
        let timeout = Duration::from_millis(probe.timeout_ms);
        let found = match probe.kind() {
            Ok(ProbeKind::Http(spec)) => http::probe(&self.http, spec, timeout).await,
            Ok(ProbeKind::Tcp(spec)) => tcp::probe(spec, timeout).await,
            Ok(ProbeKind::Dns(spec)) => dns::probe(spec, timeout).await,
            Ok(ProbeKind::Sql(spec)) => return sql::probe(spec, timeout, self.secrets.as_ref()).await,
            Err(bad) => Err(Ill::Silent(format!("probe {} cannot ask: {bad}", probe.name))),
        };
        match found {
            Ok(()) => Health::Healthy { took: self.clock.monotonic().saturating_sub(start) },
            Err(Ill::Unhealthy(why)) => Health::Unhealthy { why },
            Err(Ill::Silent(why)) => Health::Silent { why },
        }
    }
}

impl Prober for Probes {
    fn probe<'a>(&'a self, probe: &'a ProbeSpec) -> BoxFuture<'a, Health> {
        Box::pin(self.once(probe))
    }
}

/// Anything but health.
#[derive(Debug, PartialEq, Eq)]
enum Ill {
    /// It answered, or its host did.
    Unhealthy(String),
    /// Nothing is known.
    Silent(String),
}

impl Ill {
    fn time_out(address: &str, timeout: Duration) -> Self {
        Self::Silent(format!("no answer from {address} within {} ms", timeout.as_millis()))
    }

    /// An error of a connection. A refusal or a reset is an answer of the host; everything else says nothing about it.
    fn of(address: &str, error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::ConnectionRefused => {
                Self::Unhealthy(format!("nothing listens on {address}: connection refused"))
            }
            io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionAborted | io::ErrorKind::UnexpectedEof => {
                Self::Unhealthy(format!("{address} broke the connection: {error}"))
            }
            _ => Self::Silent(format!("{address} could not be asked: {error}")),
        }
    }
}
