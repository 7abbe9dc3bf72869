//! Sessions of PostgreSQL servers.
//!
//! Promises: a connection attempt ends within its limit and says *which* kind of no it got, because the kinds mean
//! different things in a failover: *refused* (the host answers that nothing listens), *silent* (nothing is known),
//! *rejected* (a server answers and does not let us in), TLS. Passwords are asked for at each attempt and are in
//! no error. Dropping a session closes its connection. Assumes that lookups and servers may hang.
//!
//! A name with several addresses is refused only when every address refuses: one silent address may be the one that
//! serves others.

use std::{error::Error as StdError, fmt, io, net::SocketAddr, ops::Deref, time::Duration};

use futures::future::BoxFuture;
use secrecy::ExposeSecret;
use tokio_postgres::{Client, Config, config::SslMode};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::tls::{TlsError, client_config};
use crate::{
    port::{SecretError, Secrets, Tied},
    spec::{SecretRef, TlsSpec},
};

/// Where a server is: `postgres://host:port/database`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// A name, an IPv4 address, or an IPv6 address without brackets.
    pub host: String,
    /// Default 5432.
    pub port: u16,
    /// The database.
    pub database: String,
}

/// A URL that is not `postgres://host:port/database`. What was written is shown only where it can hold no password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadUrl {
    /// Another scheme, or none.
    #[error("a server is written postgres://host:port/database, found no `postgres://` at the start")]
    Scheme,
    /// `user:password@`.
    #[error(
        "the URL holds a user before `@`; write postgres://host:port/database, and `user` and `password` beside it"
    )]
    User,
    /// `?options`.
    #[error("the URL holds options after `?`; write postgres://host:port/database, and `tls` beside it")]
    Options,
    /// No host.
    #[error("the URL names no host; write postgres://host:port/database")]
    Host,
    /// A port that is none.
    #[error("the URL's port is 1 to 65535, found `{found}`")]
    Port {
        /// What was written.
        found: String,
    },
    /// No database.
    #[error("the URL names no database; write postgres://host:port/database")]
    Database,
}

impl std::str::FromStr for Address {
    type Err = BadUrl;
    fn from_str(url: &str) -> Result<Self, BadUrl> {
        let rest = url.strip_prefix("postgres://").or_else(|| url.strip_prefix("postgresql://"));
        let rest = rest.ok_or(BadUrl::Scheme)?;
        if rest.contains('@') {
            return Err(BadUrl::User);
        }
        if rest.contains(['?', '#']) {
            return Err(BadUrl::Options);
        }
        let (authority, database) = rest.split_once('/').unwrap_or((rest, ""));
        let (host, port) = match authority.strip_prefix('[') {
            Some(bracketed) => bracketed.split_once(']').ok_or(BadUrl::Host)?,
            None => authority.find(':').map_or((authority, ""), |at| authority.split_at(at)),
        };
        let port = match port.strip_prefix(':') {
            Some(text) => text.parse().ok().filter(|port| *port != 0),
            None if port.is_empty() => Some(5432),
            None => None,
        };
        let port = port.ok_or_else(|| BadUrl::Port {
            found: authority.rsplit_once(':').map_or(authority, |(_, port)| port).to_owned(),
        })?;
        if host.is_empty() {
            return Err(BadUrl::Host);
        }
        if database.is_empty() || database.contains('/') {
            return Err(BadUrl::Database);
        }
        Ok(Self { host: host.to_owned(), port, database: database.to_owned() })
    }
}

/// As a person would look for it in a firewall rule: `host:port`.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

/// A server and how to get in. Holds references to secrets, never a secret.
#[derive(Debug, Clone)]
pub struct Server {
    /// Where.
    pub address: Address,
    /// The role to log in with.
    pub user: String,
    /// Its password.
    pub password: Option<SecretRef>,
    /// How the connection is protected.
    pub tls: Option<TlsSpec>,
}

/// How long things may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// From the name lookup to the first `ReadyForQuery`.
    pub connect: Duration,
    /// One statement (`statement_timeout`), and data on the wire without an acknowledgement (`TCP_USER_TIMEOUT`).
    pub statement: Duration,
    /// Waiting for a lock (`lock_timeout`).
    pub lock: Duration,
}

impl Limits {
    /// The same for a connection and a statement, and half of it for a lock.
    pub fn within(time: Duration) -> Self {
        Self { connect: time, statement: time, lock: time / 2 }
    }
}

/// A server that did not let us in.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The host answers, and nothing listens.
    #[error("{at} refuses connections: the host answers and nothing listens there")]
    Refused {
        /// `host:port`.
        at: String,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// No answer, or one that broke off: nothing is known.
    #[error("{at} did not answer: {what}")]
    Silent {
        /// `host:port`.
        at: String,
        /// What was being waited for, and how long.
        what: String,
        /// What the system said, if anything.
        #[source]
        source: Option<Box<dyn StdError + Send + Sync>>,
    },
    /// A server answers and does not let us in.
    #[error("{at} answers and rejects the login of {user}: {message} (SQLSTATE {code})")]
    Rejected {
        /// `host:port`.
        at: String,
        /// Who tried.
        user: String,
        /// SQLSTATE: `28P01` wrong password, `57P03` starting up or shutting down, `53300` too many connections …
        code: String,
        /// The server's own words.
        message: String,
    },
    /// TLS could not be agreed on, or the certificate did not hold.
    #[error("{at} answers and TLS failed")]
    Tls {
        /// `host:port`.
        at: String,
        /// Why.
        #[source]
        source: Box<dyn StdError + Send + Sync>,
    },
    /// The TLS settings cannot be used.
    #[error("the TLS settings for {at} cannot be used")]
    TlsSettings {
        /// `host:port`.
        at: String,
        /// Why.
        #[source]
        source: TlsError,
    },
    /// The password cannot be had.
    #[error("the password for {user} at {at} cannot be had")]
    Secret {
        /// `host:port`.
        at: String,
        /// Whose.
        user: String,
        /// Why.
        #[source]
        source: SecretError,
    },
}

/// An error and its causes in one line, for a fact or a probe's detail.
pub fn told(error: &dyn StdError) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let next = error.to_string();
        if !text.contains(&next) {
            text = format!("{text}: {next}");
        }
        cause = error.source();
    }
    text.replace('\n', "; ")
}

/// A session. Dropping it closes the connection.
pub struct Session {
    client: Client,
    _connection: Tied,
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").field("closed", &self.client.is_closed()).finish_non_exhaustive()
    }
}

impl Deref for Session {
    type Target = Client;
    fn deref(&self) -> &Client {
        &self.client
    }
}

/// Opens a session within `limits.connect`.
pub async fn connect(server: &Server, secrets: &dyn Secrets, limits: Limits) -> Result<Session, ConnectError> {
    let at = server.address.to_string();
    match tokio::time::timeout(limits.connect, login(server, secrets, limits)).await {
        Ok(done) => done,
        Err(_elapsed) => Err(ConnectError::Silent {
            at,
            what: format!("no login within {} ms", limits.connect.as_millis()),
            source: None,
        }),
    }
}

async fn login(server: &Server, secrets: &dyn Secrets, limits: Limits) -> Result<Session, ConnectError> {
    let at = server.address.to_string();
    let mut config = configured(server, limits);
    if let Some(reference) = &server.password {
        let secret = secrets.resolve(reference).map_err(|source| ConnectError::Secret {
            at: at.clone(),
            user: server.user.clone(),
            source,
        })?;
        config.password(secret.expose_secret());
    }
    let tls = client_config(server.tls.as_ref())
        .map_err(|source| ConnectError::TlsSettings { at: at.clone(), source })?
        .map(MakeRustlsConnect::new);
    config.ssl_mode(if tls.is_some() { SslMode::Require } else { SslMode::Disable });

    let addresses: Vec<SocketAddr> = tokio::net::lookup_host((server.address.host.as_str(), server.address.port))
        .await
        .map_err(|source| silent(&at, "its name could not be resolved", Some(source.into())))?
        .collect();
    let mut worst = None;
    for address in addresses {
        let mut config = config.clone();
        config.hostaddr(address.ip());
        match start(&config, tls.clone()).await {
            Ok(session) => return Ok(session),
            Err(error) => {
                let error = classify(server, error);
                // Refused is the strongest statement: it stands only when nothing weaker was heard.
                if !matches!((&worst, &error), (Some(_), ConnectError::Refused { .. })) {
                    worst = Some(error);
                }
            }
        }
    }
    Err(worst.unwrap_or_else(|| silent(&at, "its name has no address", None)))
}

fn configured(server: &Server, limits: Limits) -> Config {
    let mut config = Config::new();
    config
        .host(&server.address.host)
        .port(server.address.port)
        .dbname(&server.address.database)
        .user(&server.user)
        .application_name("lifeboat")
        .connect_timeout(limits.connect)
        .tcp_user_timeout(limits.statement)
        .options(format!(
            "-c statement_timeout={} -c lock_timeout={}",
            limits.statement.as_millis().max(1),
            limits.lock.as_millis().max(1)
        ));
    config
}

fn start(config: &Config, tls: Option<MakeRustlsConnect>) -> BoxFuture<'_, Result<Session, tokio_postgres::Error>> {
    Box::pin(async move {
        // A connection's task ends with the connection; its error reaches the caller through the client.
        if let Some(tls) = tls {
            let (client, connection) = config.connect(tls).await?;
            let task = Tied::start(async move { drop(connection.await) });
            return Ok(Session { client, _connection: task });
        }
        let (client, connection) = config.connect(tokio_postgres::NoTls).await?;
        let task = Tied::start(async move { drop(connection.await) });
        Ok(Session { client, _connection: task })
    })
}

fn silent(at: &str, what: &str, source: Option<Box<dyn StdError + Send + Sync>>) -> ConnectError {
    ConnectError::Silent { at: at.to_owned(), what: what.to_owned(), source }
}

/// What kind of no it was.
fn classify(server: &Server, error: tokio_postgres::Error) -> ConnectError {
    let at = server.address.to_string();
    if let Some(db) = error.as_db_error() {
        return ConnectError::Rejected {
            at,
            user: server.user.clone(),
            code: db.code().code().to_owned(),
            message: db.message().to_owned(),
        };
    }
    // The client keeps its kinds to itself; these texts are all that tells them apart.
    let kind = error.to_string();
    let io = error.source().and_then(|cause| cause.downcast_ref::<io::Error>()).map(io::Error::kind);
    match (kind.as_str(), io) {
        ("error connecting to server", Some(io::ErrorKind::ConnectionRefused)) => {
            ConnectError::Refused { at, source: io::Error::from(io::ErrorKind::ConnectionRefused) }
        }
        ("error performing TLS handshake", _) => {
            ConnectError::Tls { at, source: error.into_source().unwrap_or_else(|| kind.into()) }
        }
        ("authentication error" | "invalid configuration", _) => {
            ConnectError::Rejected { at, user: server.user.clone(), code: "28000".into(), message: told(&error) }
        }
        ("error connecting to server", _) => silent(&at, "no connection", error.into_source()),
        _ => silent(&at, "the connection broke off during the login", Some(error.into())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_host_port_and_database() {
        let parsed = |url: &str| url.parse::<Address>().map(|a| (a.to_string(), a.database));
        for (url, expected) in [
            ("postgres://db:5433/orders", Ok(("db:5433", "orders"))),
            ("postgresql://10.1.0.10/orders", Ok(("10.1.0.10:5432", "orders"))),
            ("postgres://[::1]:5433/orders", Ok(("[::1]:5433", "orders"))),
            ("mysql://db/orders", Err(BadUrl::Scheme)),
            ("postgres://me:secret@db/orders", Err(BadUrl::User)),
            ("postgres://db/orders?sslmode=disable", Err(BadUrl::Options)),
            ("postgres:///orders", Err(BadUrl::Host)),
            ("postgres://:5432/orders", Err(BadUrl::Host)),
            ("postgres://db:0/orders", Err(BadUrl::Port { found: "0".into() })),
            ("postgres://db:x/orders", Err(BadUrl::Port { found: "x".into() })),
            ("postgres://[::1]5433/orders", Err(BadUrl::Port { found: "1]5433".into() })),
            ("postgres://db:5432", Err(BadUrl::Database)),
            ("postgres://db:5432/", Err(BadUrl::Database)),
        ] {
            let expected = expected.map(|(at, database): (&str, &str)| (at.to_owned(), database.to_owned()));
            assert_eq!(parsed(url), expected, "{url}");
        }
    }

    #[test]
    fn a_url_with_a_password_is_refused_without_repeating_it() {
        let error = "postgres://me:hunter2@db/orders".parse::<Address>().unwrap_err();
        assert!(!format!("{error} {error:?}").contains("hunter2"));
    }

    #[test]
    fn an_error_is_told_with_its_causes_once() {
        let error = ConnectError::Silent {
            at: "db:5432".into(),
            what: "no connection".into(),
            source: Some(io::Error::other("network is unreachable").into()),
        };
        assert_eq!(told(&error), "db:5432 did not answer: no connection: network is unreachable");
    }
}
