//! One GET on a connection of its own. Redirects are an answer like any other, and a certificate that does not verify is an
//! answer too: clients would turn away as we do.

use std::{error::Error, io, sync::Arc, time::Duration};

use reqwest::{Client, Url, redirect, retry};
use rustls::{ClientConfig, RootCertStore, crypto::aws_lc_rs};
use tokio::time;

use super::Ill;
use crate::spec::HttpProbe;

/// How much of a body is read: a health page is small, and a server that sends without end must not fill our memory.
const BODY: usize = 64 * 1024;

/// HTTP probes cannot work on this machine.
#[derive(Debug, thiserror::Error)]
pub enum HttpSetup {
    /// No TLS version is left.
    #[error("TLS for HTTP probes could not be set up")]
    Tls {
        /// Why.
        #[source]
        source: rustls::Error,
    },
    /// The client could not be built.
    #[error("the client for HTTP probes could not be set up")]
    Client {
        /// Why.
        #[source]
        source: reqwest::Error,
    },
}

/// The client of all HTTP probes.
#[derive(Debug, Clone)]
pub(super) struct Http(Client);

impl Http {
    /// TLS is set up here in full, so that no provider has to be installed for the process. An unreadable trust store leaves no
    /// authority to trust: HTTPS probes say so then.
    pub(super) fn new() -> Result<Self, HttpSetup> {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        Self::trusting(roots)
    }

    /// The same with other authorities than the machine's.
    pub(super) fn trusting(roots: RootCertStore) -> Result<Self, HttpSetup> {
        let mut tls = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|source| HttpSetup::Tls { source })?
            .with_root_certificates(roots)
            .with_no_client_auth();
        tls.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Client::builder()
            .tls_backend_preconfigured(tls)
            .redirect(redirect::Policy::none())
            .retry(retry::never())
            .referer(false)
            .no_proxy()
            .pool_max_idle_per_host(0)
            .user_agent(concat!("lifeboat-probe/", env!("CARGO_PKG_VERSION")))
            .build()
            .map(Self)
            .map_err(|source| HttpSetup::Client { source })
    }

    pub(super) async fn probe(&self, spec: &HttpProbe, timeout: Duration) -> Result<(), Ill> {
        let url = Url::parse(&spec.url)
            .map_err(|bad| Ill::Silent(format!("the probe's URL is none ({bad}); write http(s)://host/path")))?;
        let shown = shown(&url);
        time::timeout(timeout, self.get(spec, url, &shown))
            .await
            .unwrap_or_else(|_| Err(Ill::time_out(&shown, timeout)))
    }

    async fn get(&self, spec: &HttpProbe, url: Url, shown: &str) -> Result<(), Ill> {
        let mut response = self.0.get(url).send().await.map_err(|error| ill(shown, error))?;
        let status = response.status();
        match spec.expect_status {
            Some(expected) if status.as_u16() != expected => {
                return Err(Ill::Unhealthy(format!("{shown}: expected status {expected}, found {status}")));
            }
            None if !status.is_success() => {
                return Err(Ill::Unhealthy(format!("{shown}: expected status 2xx, found {status}")));
            }
            Some(_) | None => {}
        }
        let Some(expected) = spec.expect_body.as_deref().filter(|text| !text.is_empty()) else { return Ok(()) };
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| ill(shown, error))? {
            let seen = body.len().saturating_sub(expected.len());
            body.extend_from_slice(chunk.get(..chunk.len().min(BODY - body.len())).unwrap_or_default());
            let fresh = body.get(seen..).unwrap_or_default();
            if fresh.windows(expected.len()).any(|part| part == expected.as_bytes()) {
                return Ok(());
            }
            if body.len() >= BODY {
                break;
            }
        }
        Err(Ill::Unhealthy(format!(
            "{shown}: expected `{expected}` in the first {} bytes of the body, found nothing like it",
            body.len()
        )))
    }
}

/// A URL for reports: without user, password, query and fragment, which are where people put tokens.
fn shown(url: &Url) -> String {
    let mut bare = url.clone();
    bare.set_query(None);
    bare.set_fragment(None);
    // Only URLs without a host refuse this, and those have no user either.
    let (_user, _password) = (bare.set_username(""), bare.set_password(None));
    bare.to_string()
}

/// Finds the error of the connection under the client's own.
fn ill(url: &str, error: reqwest::Error) -> Ill {
    let error = error.without_url();
    let mut cause: Option<&(dyn Error + 'static)> = Some(&error);
    let mut last = error.to_string();
    while let Some(next) = cause {
        if let Some(tls) = next.downcast_ref::<rustls::Error>() {
            return Ill::Unhealthy(format!("{url}: TLS failed: {tls}"));
        }
        if let Some(broken) = next.downcast_ref::<io::Error>() {
            return beneath(url, broken);
        }
        last = next.to_string();
        cause = next.source();
    }
    let text = format!("{url}: {last}");
    if error.is_connect() || error.is_builder() { Ill::Silent(text) } else { Ill::Unhealthy(text) }
}

/// An error of the connection, which may wrap another, which may wrap the one of TLS.
fn beneath(url: &str, error: &io::Error) -> Ill {
    match error.get_ref() {
        Some(inner) => match (inner.downcast_ref::<rustls::Error>(), inner.downcast_ref::<io::Error>()) {
            (Some(tls), _) => Ill::Unhealthy(format!("{url}: TLS failed: {tls}")),
            (None, Some(inner)) => beneath(url, inner),
            (None, None) => Ill::of(url, error),
        },
        None => Ill::of(url, error),
    }
}
