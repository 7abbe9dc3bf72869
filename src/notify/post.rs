//! One POST of JSON, and what its answer means for another try.

use std::{path::Path, time::Duration};

use reqwest::{
    Method, Request, Url,
    header::{CONTENT_TYPE, HeaderValue},
};

use super::text::conceal;
use crate::{
    net::{
        http::{CONNECT_TIMEOUT, Http, Outcome},
        postgres::told,
        tls,
    },
    port::NotifyError,
};

/// How long a receiver may take. Those that are well answer within a second; a person waits for the next channel's message
/// no longer than for this one's, for they have queues of their own.
pub(super) const TIMEOUT: Duration = Duration::from_secs(10);
/// How much of an answer is read: enough for a reason.
const REASON: usize = 2 * 1024;

/// Sends to one receiver.
pub(super) struct Post {
    http: Http,
    /// PEM file with the authorities, read at each try: it may be renewed.
    ca: Option<String>,
}

impl Post {
    pub(super) fn new(ca: Option<String>) -> Self {
        Self { http: Http::new(Some(CONNECT_TIMEOUT)), ca }
    }

    /// Posts. `secrets` are taken out of whatever is said about it.
    pub(super) async fn send(
        &self,
        url: Url,
        content: &'static str,
        headers: Vec<(&'static str, HeaderValue)>,
        body: String,
        secrets: &[&str],
    ) -> Result<(), NotifyError> {
        let receiver = receiver(&url);
        let http = match &self.ca {
            None => self.http.clone(),
            Some(path) => {
                let roots = tls::roots(Some(Path::new(path))).map_err(|error| later(told(&error)))?;
                Http::trusting(Some(CONNECT_TIMEOUT), roots)
            }
        };
        let mut request = Request::new(Method::POST, url);
        request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content));
        for (name, value) in headers {
            request.headers_mut().insert(name, value);
        }
        *request.body_mut() = Some(body.into());
        match http.send(request, TIMEOUT, REASON).await {
            Outcome::Refused { why } | Outcome::Unreached { why } | Outcome::Silent { why } => {
                Err(later(conceal(format!("{receiver}: {why}"), secrets)))
            }
            Outcome::Answered(answer) if answer.is_success() => Ok(()),
            Outcome::Answered(answer) => {
                let reason = super::text::cut(&super::text::line(&String::from_utf8_lossy(&answer.body)), 200);
                let why = conceal(format!("{receiver} answered {}: {reason}", answer.status), secrets);
                Err(judge(answer.status, why, answer.retry_after))
            }
        }
    }
}

/// What a status means (RFC 9110 section 15): a receiver that is busy, broken or does not know us *yet* is asked again.
fn judge(status: u16, why: String, after: Option<Duration>) -> NotifyError {
    match status {
        401 | 403 => NotifyError::Later { why: format!("{why}; check the channel's secret"), after },
        408 | 425 | 429 | 500..=599 => NotifyError::Later { why, after },
        _ => NotifyError::Refused { why: format!("{why}; check the channel's settings") },
    }
}

fn later(why: String) -> NotifyError {
    NotifyError::Later { why, after: None }
}

/// `hooks.example.com:8443`: never the path, which may be a secret.
fn receiver(url: &Url) -> String {
    let host = url.host_str().unwrap_or("the receiver");
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

/// A URL from a document or a secret.
pub(super) fn url(text: &str) -> Result<Url, NotifyError> {
    match Url::parse(text.trim()) {
        Ok(url) if matches!(url.scheme(), "http" | "https") && url.has_host() => Ok(url),
        Ok(_) | Err(_) => {
            Err(NotifyError::Refused { why: "the channel's URL is none; write https://host/path".to_owned() })
        }
    }
}

/// A header with a secret in it.
pub(super) fn secret_header(text: &str) -> Result<HeaderValue, NotifyError> {
    let mut value = HeaderValue::from_str(text).map_err(|_| NotifyError::Refused {
        why: "the channel's secret holds characters that no header may hold".to_owned(),
    })?;
    value.set_sensitive(true);
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_may_heal_is_tried_again() {
        for status in [401, 403, 408, 425, 429, 500, 502, 503, 504] {
            assert!(judge(status, String::new(), None).again(), "{status}");
        }
        for status in [301, 302, 400, 404, 405, 410, 413, 422] {
            assert!(!judge(status, String::new(), None).again(), "{status}");
        }
    }

    #[test]
    fn a_receiver_is_named_without_what_may_be_secret() {
        let url = url(" https://me:pw@hooks.example.com:8443/services/T0/B0/x?token=y ").unwrap();
        assert_eq!(receiver(&url), "hooks.example.com:8443");
    }
}
