//! The SQL probe: a PostgreSQL server accepts a login and, where asked, writes.
//!
//! Promises: one try, within its timeout, that changes nothing. A refused connection and a server that does not let us in
//! are *unhealthy*; no answer, and a secret or authority file of our own that cannot be read, are *silent*: they say
//! nothing about the server.

use std::time::Duration;

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
        Ok(Err(unwell)) => unwell,
        Err(_elapsed) => Health::Silent { why: format!("{} did not answer in {} ms", spec.url, timeout.as_millis()) },
    }
}

async fn ask(spec: &SqlProbe, timeout: Duration, secrets: &dyn Secrets) -> Result<(), Health> {
    let address: Address = spec.url.parse().map_err(|error| Health::Silent { why: told(&error) })?;
    let at = address.to_string();
    let server = Server { address, user: spec.user.clone(), password: spec.password.clone(), tls: spec.tls.clone() };
    let session = connect(&server, secrets, Limits::within(timeout)).await.map_err(|error| {
        let why = told(&error);
        match error {
            ConnectError::Refused { .. } | ConnectError::Rejected { .. } | ConnectError::Tls { .. } => {
                Health::Unhealthy { why }
            }
            ConnectError::Silent { .. } | ConnectError::TlsSettings { .. } | ConnectError::Secret { .. } => {
                Health::Silent { why }
            }
        }
    })?;
    let lost = |error: tokio_postgres::Error| match error.as_db_error() {
        Some(db) => Health::Unhealthy { why: format!("{at} answered: {}", db.message()) },
        None => Health::Silent { why: format!("{at} stopped answering: {}", told(&error)) },
    };
    let row = session
        .query_one("SELECT pg_is_in_recovery(), current_setting('transaction_read_only')::bool", &[])
        .await
        .map_err(lost)?;
    let (standby, read_only): (bool, bool) = (row.try_get(0).map_err(lost)?, row.try_get(1).map_err(lost)?);
    match (spec.writable, standby, read_only) {
        (true, true, _) => Err(Health::Unhealthy { why: format!("{at}: expected a writable server, found a standby") }),
        (true, false, true) => {
            Err(Health::Unhealthy { why: format!("{at}: expected a writable server, found it read-only") })
        }
        (true, false, false) | (false, ..) => Ok(()),
    }
}
