//! One GET on a connection of its own. Redirects are an answer like any other, and a certificate that does not verify is an
//! answer too: clients would turn away as we do.

use std::{error::Error, io, time::Duration};

use reqwest::{Client, Url};
use tokio::time;

use super::Ill;
use crate::{
    net::{http::Http, postgres::told},
    spec::HttpProbe,
};

/// How much of a body is read: a health page is small, and a server that sends without end must not fill our memory.
const BODY: usize = 64 * 1024;

pub(super) async fn probe(http: &Http, spec: &HttpProbe, timeout: Duration) -> Result<(), Ill> {
    let url = Url::parse(&spec.url)
        .map_err(|bad| Ill::Silent(format!("the probe's URL is none ({bad}); write http(s)://host/path")))?;
    let shown = shown(&url);
    // Before the clock runs: the first HTTPS probe reads the machine's authorities.
    let client =
        http.client(&url).map_err(|error| Ill::Silent(format!("{shown} could not be asked: {}", told(&error))))?;
    time::timeout(timeout, get(client, spec, url, &shown)).await.unwrap_or_else(|_| Err(Ill::time_out(&shown, timeout)))
}

async fn get(client: &Client, spec: &HttpProbe, url: Url, shown: &str) -> Result<(), Ill> {
    let mut response = client.get(url).send().await.map_err(|error| ill(shown, error))?;
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
