//! The SQL probe: a PostgreSQL server accepts a login and, where asked, writes.
//!
//! Promises: one try, within its timeout, that changes nothing. A refused connection and a server that does not let us in
//! are *unhealthy*; no answer, and a secret or authority file of our own that cannot be read, are *silent*: they say
//! nothing about the server.

use std::{sync::Arc, time::Duration};

use futures::future::BoxFuture;

use super::{Asks, Found, Ill};
use crate::{
    net::postgres::{Address, ConnectError, Limits, Server, connect, told},
    port::{Clock, Health, Secrets, SystemClock},
    spec::SqlProbe,
};

/// Probes once, within `timeout`.
pub async fn probe(spec: &SqlProbe, timeout: Duration, secrets: &dyn Secrets) -> Health {
    let clock = SystemClock::start();
    match tokio::time::timeout(timeout, ask(spec, timeout, secrets)).await {
        Ok(Ok(())) => Health::Healthy { took: clock.monotonic() },
        Ok(Err(Ill::Unhealthy(why))) => Health::Unhealthy { why },
        Ok(Err(Ill::Silent(why))) => Health::Silent { why },
        Err(_elapsed) => Health::Silent { why: format!("{} did not answer in {} ms", spec.url, timeout.as_millis()) },
    }
}

/// The same, prepared. Each try is a login of its own, so a password that was replaced counts at once.
pub(super) struct Sql {
    pub(super) spec: SqlProbe,
    pub(super) timeout: Duration,
    pub(super) secrets: Arc<dyn Secrets>,
}

impl Asks for Sql {
    fn ask(&self) -> BoxFuture<'_, Result<Found, Ill>> {
        Box::pin(async {
            ask(&self.spec, self.timeout, self.secrets.as_ref()).await?;
            Ok(Found::Well)
        })
    }

    fn shown(&self) -> &str {
        &self.spec.url
    }
}

async fn ask(spec: &SqlProbe, timeout: Duration, secrets: &dyn Secrets) -> Result<(), Ill> {
    let address: Address = spec.url.parse().map_err(|error| Ill::Silent(told(&error)))?;
    let at = address.to_string();
    let server = Server { address, user: spec.user.clone(), password: spec.password.clone(), tls: spec.tls.clone() };
    let session = connect(&server, secrets, Limits::within(timeout)).await.map_err(|error| {
        let why = told(&error);
        match error {
            ConnectError::Refused { .. } | ConnectError::Rejected { .. } | ConnectError::Tls { .. } => {
                Ill::Unhealthy(why)
            }
            ConnectError::Silent { .. } | ConnectError::TlsSettings { .. } | ConnectError::Secret { .. } => {
                Ill::Silent(why)
            }
        }
    })?;
    let lost = |error: tokio_postgres::Error| match error.as_db_error() {
        Some(db) => Ill::Unhealthy(format!("{at} answered: {}", db.message())),
        None => Ill::Silent(format!("{at} stopped answering: {}", told(&error))),
    };
    let row = session
        .query_one("SELECT pg_is_in_recovery(), current_setting('transaction_read_only')::bool", &[])
        .await
        .map_err(lost)?;
    let (standby, read_only): (bool, bool) = (row.try_get(0).map_err(lost)?, row.try_get(1).map_err(lost)?);
    match (spec.writable, standby, read_only) {
        (true, true, _) => Err(Ill::Unhealthy(format!("{at}: expected a writable server, found a standby"))),
        (true, false, true) => Err(Ill::Unhealthy(format!("{at}: expected a writable server, found it read-only"))),
        (true, false, false) | (false, ..) => Ok(()),
    }
}
