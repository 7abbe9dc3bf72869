//! One HTTP request, with an outcome that says whether it can have had an effect.
//!
//! Promises: a request that was certainly not delivered (`Refused`, `Unreached`) is never mixed up with one whose
//! reply was lost (`Silent`); redirects are not followed, nothing is retried, and each request has its own connection, so no
//! stale one is ever reused; no text that comes out of here holds a URL, a header or a body that went in.
//!
//! Assumes nothing about a process-wide TLS provider: the configuration names aws-lc-rs itself. Proxies of the
//! environment are not used: a fence or a probe must ask the thing itself. A crash in the middle means what a lost reply means.
//!
//! A client is made when it is first needed, and the machine's authorities are read when the first `https` URL is: most
//! runs ask for neither, and should not pay for them.

use std::{
    error::Error,
    fmt::Write as _,
    io,
    sync::{Arc, OnceLock},
    time::Duration,
};

use reqwest::{Client, Request, Response, Url, header::RETRY_AFTER, redirect, retry};
use rustls::RootCertStore;

use super::{
    postgres::told,
    tls::{TlsError, system_roots, trusting},
};

/// How long a connection may take to come about: two tries of TCP's first SYN and a handshake between continents.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// A client that could not be made.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// TLS could not be set up.
    #[error("could not prepare TLS")]
    Tls(#[source] TlsError),
    /// The client library refused its settings.
    #[error("could not prepare the HTTP client")]
    Client(#[source] reqwest::Error),
}

/// What became of a request.
#[derive(Debug)]
pub enum Outcome {
    /// The host answered that nothing listens there. The request was certainly not delivered.
    Refused {
        /// Why.
        why: String,
    },
    /// No connection came about: name, route, time or TLS. The request was certainly not delivered, and nothing is
    /// known about the server.
    Unreached {
        /// Why.
        why: String,
    },
    /// The request may have been delivered, and no whole answer came.
    Silent {
        /// Why.
        why: String,
    },
    /// The server answered.
    Answered(Answer),
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The status code (RFC 9110 section 15).
    pub status: u16,
    /// The body's beginning, at most the asked number of bytes.
    pub body: Vec<u8>,
    /// The body was longer.
    pub cut: bool,
    /// How long the server asked to be left alone, where it said so in seconds (RFC 9110 section 10.2.3).
    pub retry_after: Option<Duration>,
}

impl Answer {
    /// A status of 200 to 299.
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }
}

/// An HTTP client. Cheap to clone; clones share what was made so far.
#[derive(Debug, Clone)]
pub struct Http {
    connect_timeout: Option<Duration>,
    roots: Option<Arc<RootCertStore>>,
    plain: Arc<OnceLock<Client>>,
    secure: Arc<OnceLock<Client>>,
}

impl Http {
    /// A client that trusts the operating system's authorities. Without any, every `https` request ends `Unreached`.
    /// Without `connect_timeout`, a connection may take as long as the whole request.
    pub fn new(connect_timeout: Option<Duration>) -> Self {
        Self { connect_timeout, roots: None, plain: Arc::default(), secure: Arc::default() }
    }

    /// A client that trusts these authorities instead.
    pub fn trusting(connect_timeout: Option<Duration>, roots: RootCertStore) -> Self {
        Self { roots: Some(Arc::new(roots)), ..Self::new(connect_timeout) }
    }

    /// To build a request for `url` with, for [`Self::send`]. The one for plain `http` trusts nobody.
    pub fn client(&self, url: &Url) -> Result<&Client, HttpError> {
        let plain = url.scheme() == "http";
        let made = if plain { &self.plain } else { &self.secure };
        if let Some(client) = made.get() {
            return Ok(client);
        }
        let roots = match &self.roots {
            _ if plain => RootCertStore::empty(),
            Some(roots) => roots.as_ref().clone(),
            None => system_roots(),
        };
        let client = self.make(roots)?;
        Ok(made.get_or_init(|| client))
    }

    fn make(&self, roots: RootCertStore) -> Result<Client, HttpError> {
        let mut tls = trusting(roots).map_err(HttpError::Tls)?;
        tls.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        let mut client = Client::builder()
            .tls_backend_preconfigured(tls)
            .redirect(redirect::Policy::none())
            .retry(retry::never())
            // A kept connection that the server closed meanwhile would make "refused" look like "reply lost".
            .pool_max_idle_per_host(0)
            .no_proxy()
            .referer(false)
            .user_agent(concat!("lifeboat/", env!("CARGO_PKG_VERSION")));
        if let Some(limit) = self.connect_timeout {
            client = client.connect_timeout(limit);
        }
        client.build().map_err(HttpError::Client)
    }

    /// Sends a request, and reads at most `cap` bytes of the answer's body, all within `timeout`.
    pub async fn send(&self, mut request: Request, timeout: Duration, cap: usize) -> Outcome {
        *request.timeout_mut() = Some(timeout);
        let client = match self.client(request.url()) {
            Ok(client) => client,
            Err(error) => return Outcome::Unreached { why: told(&error) },
        };
        match client.execute(request).await {
            Ok(response) => read(response, cap).await,
            Err(error) => failed(&error),
        }
    }
}

async fn read(mut response: Response, cap: usize) -> Outcome {
    let status = response.status().as_u16();
    let retry_after = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
    let retry_after = retry_after.and_then(|text| text.trim().parse().ok()).map(Duration::from_secs);
    let mut body = Vec::new();
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) if body.len() + chunk.len() > cap => {
                let room = cap.saturating_sub(body.len());
                body.extend(chunk.iter().take(room));
                return Outcome::Answered(Answer { status, body, cut: true, retry_after });
            }
            Ok(Some(chunk)) => body.extend_from_slice(&chunk),
            Ok(None) => return Outcome::Answered(Answer { status, body, cut: false, retry_after }),
            Err(error) => {
                return Outcome::Silent {
                    why: format!("the answer with status {status} broke off: {}", reason(&error)),
                };
            }
        }
    }
}

fn failed(error: &reqwest::Error) -> Outcome {
    let refused = causes(error)
        .filter_map(|cause| cause.downcast_ref::<io::Error>())
        .any(|cause| cause.kind() == io::ErrorKind::ConnectionRefused);
    let why = reason(error);
    if error.is_builder() || error.is_connect() || error.is_dns() {
        if refused {
            Outcome::Refused { why: "connection refused: nothing listens there".into() }
        } else {
            Outcome::Unreached { why }
        }
    } else {
        Outcome::Silent { why }
    }
}

fn causes(error: &reqwest::Error) -> impl Iterator<Item = &(dyn Error + 'static)> {
    std::iter::successors(error.source(), |cause| Error::source(*cause))
}

/// The causes of an error without its own text, which holds the URL.
fn reason(error: &reqwest::Error) -> String {
    let mut text = if error.is_timeout() {
        "no answer in time".to_owned()
    } else if error.is_connect() {
        "no connection".to_owned()
    } else if error.is_builder() {
        "the request is not well formed".to_owned()
    } else {
        "no whole answer".to_owned()
    };
    if let Some(last) = causes(error).last() {
        // Writing to a String cannot fail.
        let _always = write!(text, " ({last})");
    }
    text
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    async fn ask(url: &str, timeout: Duration) -> Outcome {
        let http = Http::new(Some(Duration::from_millis(300)));
        let url = Url::parse(url).unwrap();
        let request = http.client(&url).unwrap().get(url).build().unwrap();
        http.send(request, timeout, 10).await
    }

    #[tokio::test]
    async fn a_closed_port_is_refused_and_a_silent_listener_is_silent() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let silent = ask(&format!("http://{address}/?token=hush"), Duration::from_millis(100)).await;
        assert!(matches!(&silent, Outcome::Silent { why } if !why.contains("hush")), "{silent:?}");
        drop(listener);
        let refused = ask(&format!("http://{address}/"), Duration::from_millis(500)).await;
        assert!(matches!(refused, Outcome::Refused { .. }), "{refused:?}");
    }

    #[tokio::test]
    async fn a_name_that_does_not_resolve_was_certainly_not_reached() {
        // A label of 64 bytes is longer than RFC 1035 section 2.3.4 allows, so no question leaves this machine.
        let outcome = ask(&format!("http://{}.test:1/", "x".repeat(64)), Duration::from_secs(5)).await;
        assert!(matches!(outcome, Outcome::Unreached { .. }), "{outcome:?}");
    }
}
