//! Floor 4: probes. One probe asks one thing once and says what it found; what it means for a region is decided elsewhere.
//!
//! Promises: a probe ends within its own timeout; it changes nothing; it tells an answer (*unhealthy*) from silence, because only an
//! answer is evidence against a server: silence may be our own network. Unless it says `reuse`, no connection is used twice, so a
//! probe never measures a connection that clients could no longer open. Whatever serves and took longer than `degradedMs` is
//! *degraded*.
//!
//! | | healthy | degraded | unhealthy | silent |
//! |---|---|---|---|---|
//! | http | expected status and body | a certificate that ends soon | other status or body, bad certificate, closed port, reset | time out, no route, name not resolved |
//! | tcp | connection accepted | | closed port | time out, no route, name not resolved |
//! | dns | authoritative answer as expected | from some of the servers | other answer, error code, closed port | time out, no route |
//! | sql | see [`sql`] | | | |
//! | mysql | a login, and writes where asked | | refused, read-only, not MySQL, closed port, reset | time out, no route, a login we do not speak |
//! | redis | PONG, in the role | a replica whose link is not up | an error, another role, closed port, reset | time out, no route |
//! | prometheus | every value in its bounds | | a value outside | everything else: Prometheus is only a witness |
//! | kubernetes | `/readyz` is 200 | | other status, closed port, reset | time out, no route, we are not let in |
//! | … a Deployment | all replicas ready | some | too few, none of that name | everything else: the API server is only a witness |
//! | command | exit code 0 | | exit code 1 | any other end, or none in time |
//!
//! A probe that is made often is prepared once ([`Prober::prepare`]): its address is parsed, its files are loaded. Secrets and
//! names are looked up each time, because what they say may be what changed.
//!
//! A crash in the middle means nothing: the next probe starts afresh.

mod certificate;
mod command;
mod dns;
mod http;
mod kubernetes;
mod mysql;
mod place;
mod prometheus;
mod redis;
pub mod sql;
mod tcp;
mod trust;
mod web;

use std::{fmt, io, sync::Arc, time::Duration};

use futures::future::BoxFuture;
use rustls::RootCertStore;
use rustls_pki_types::CertificateDer;

use self::trust::Authorities;
use crate::{
    port::{Clock, Health, Prober, Ready, Secrets, SystemClock},
    spec::{ProbeKind, ProbeSpec},
};

/// All kinds of probes.
#[derive(Clone)]
pub struct Probes {
    secrets: Arc<dyn Secrets>,
    clock: Arc<dyn Clock>,
    authorities: Authorities,
}

impl fmt::Debug for Probes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Probes").finish_non_exhaustive()
    }
}

impl Probes {
    /// Reads the operating system's trust store once, for the first HTTPS probe; certificates are verified against it.
    pub fn new(secrets: Arc<dyn Secrets>) -> Self {
        Self { secrets, clock: Arc::new(SystemClock::start()), authorities: Authorities::default() }
    }

    /// The same with these authorities instead of the machine's: for a company's own, and for tests.
    pub fn trusting(secrets: Arc<dyn Secrets>, authorities: impl IntoIterator<Item = CertificateDer<'static>>) -> Self {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(authorities);
        Self { authorities: Authorities::trusting(roots), ..Self::new(secrets) }
    }

    fn prepared(&self, probe: &ProbeSpec) -> Prepared {
        let timeout = Duration::from_millis(probe.timeout_ms);
        let asks = self.asks(probe, timeout).map_err(|ill| match ill {
            Ill::Unhealthy(why) | Ill::Silent(why) => why,
        });
        let degraded = probe.degraded_ms.map(Duration::from_millis);
        Prepared { asks, timeout, degraded, clock: Arc::clone(&self.clock) }
    }

    fn asks(&self, probe: &ProbeSpec, timeout: Duration) -> Result<Box<dyn Asks>, Ill> {
        let secrets = Arc::clone(&self.secrets);
        let authorities = &self.authorities;
        Ok(match probe.kind().map_err(|bad| Ill::Silent(format!("probe {} cannot ask: {bad}", probe.name)))? {
            ProbeKind::Http(spec) => Box::new(http::Http::new(spec, authorities, secrets, Arc::clone(&self.clock))?),
            ProbeKind::Tcp(spec) => Box::new(tcp::Tcp::new(spec)?),
            ProbeKind::Dns(spec) => Box::new(dns::Dns::new(spec, timeout)?),
            ProbeKind::Sql(spec) => Box::new(sql::Sql { spec: spec.clone(), timeout, secrets }),
            ProbeKind::Mysql(spec) => Box::new(mysql::Mysql::new(spec, authorities, secrets)?),
            ProbeKind::Redis(spec) => Box::new(redis::Redis::new(spec, authorities, secrets)?),
            ProbeKind::Prometheus(spec) => Box::new(prometheus::Prometheus::new(spec, authorities, secrets)?),
            ProbeKind::Kubernetes(spec) => Box::new(kubernetes::Kubernetes::new(spec, authorities, secrets)?),
            ProbeKind::Command(spec) => Box::new(command::Own::new(spec, secrets, timeout)?),
        })
    }
}

impl Prober for Probes {
    fn probe<'a>(&'a self, probe: &'a ProbeSpec) -> BoxFuture<'a, Health> {
        Box::pin(async { self.prepared(probe).once().await })
    }

    fn prepare(self: Arc<Self>, probe: &ProbeSpec) -> Arc<dyn Ready> {
        Arc::new(self.prepared(probe))
    }
}

/// One probe, ready to be made. What cannot be made says why, each time.
struct Prepared {
    asks: Result<Box<dyn Asks>, String>,
    timeout: Duration,
    degraded: Option<Duration>,
    clock: Arc<dyn Clock>,
}

impl Prepared {
    async fn once(&self) -> Health {
        let asks = match &self.asks {
            Ok(asks) => asks,
            Err(why) => return Health::Silent { why: why.clone() },
        };
        let start = self.clock.monotonic();
        let found = if asks.keeps_time() {
            asks.ask().await
        } else {
            let limited = tokio::time::timeout(self.timeout, asks.ask()).await;
            limited.unwrap_or_else(|_| Err(Ill::time_out(asks.shown(), self.timeout)))
        };
        let took = self.clock.monotonic().saturating_sub(start);
        match found {
            Ok(found) => speed(found, asks.shown(), took, self.degraded),
            Err(Ill::Unhealthy(why)) => Health::Unhealthy { why },
            Err(Ill::Silent(why)) => Health::Silent { why },
        }
    }
}

impl Ready for Prepared {
    fn probe(&self) -> BoxFuture<'_, Health> {
        Box::pin(self.once())
    }
}

/// Latency is a signal: what serves too slowly is degraded, for that reason too.
fn speed(found: Found, shown: &str, took: Duration, degraded: Option<Duration>) -> Health {
    let slow = degraded.filter(|limit| took > *limit).map(|limit| {
        format!("{shown}: expected an answer within {} ms, found it after {}", limit.as_millis(), took.as_millis())
    });
    match (found, slow) {
        (Found::Well, None) => Health::Healthy { took },
        (Found::Well, Some(why)) | (Found::Weak(why), None) => Health::Degraded { took, why },
        (Found::Weak(why), Some(slow)) => Health::Degraded { took, why: format!("{why}; {slow}") },
    }
}

/// One thing that can be asked. Whoever asks limits the time, unless it does so itself.
trait Asks: Send + Sync {
    /// Asks once.
    fn ask(&self) -> BoxFuture<'_, Result<Found, Ill>>;
    /// What reports call it. Never a secret.
    fn shown(&self) -> &str;
    /// It ends in time on its own, because it has more to say at the end than that the time is up.
    fn keeps_time(&self) -> bool {
        false
    }
}

/// It serves.
#[derive(Debug, PartialEq, Eq)]
enum Found {
    /// As it should.
    Well,
    /// With something that a person should see to.
    Weak(String),
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

    /// An error of a connection, which may wrap another, which may wrap the one of TLS. A refusal, a reset and a certificate
    /// that is not valid are answers; everything else says nothing about the server.
    fn of(address: &str, error: &io::Error) -> Self {
        if let Some(inner) = error.get_ref() {
            if let Some(tls) = inner.downcast_ref::<rustls::Error>() {
                return Self::Unhealthy(format!("{address}: TLS failed: {tls}"));
            }
            if let Some(inner) = inner.downcast_ref::<io::Error>() {
                return Self::of(address, inner);
            }
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_serves_too_slowly_is_degraded_with_every_reason() {
        let took = Duration::from_millis(80);
        let word = |found, limit: Option<u64>| speed(found, "edge", took, limit.map(Duration::from_millis));
        assert_eq!(word(Found::Well, None), Health::Healthy { took });
        assert_eq!(word(Found::Well, Some(80)), Health::Healthy { took });
        let slow = "edge: expected an answer within 79 ms, found it after 80".to_owned();
        assert_eq!(word(Found::Well, Some(79)), Health::Degraded { took, why: slow.clone() });
        let weak = || Found::Weak("ends soon".into());
        assert_eq!(word(weak(), None), Health::Degraded { took, why: "ends soon".into() });
        assert_eq!(word(weak(), Some(79)), Health::Degraded { took, why: format!("ends soon; {slow}") });
    }
}
