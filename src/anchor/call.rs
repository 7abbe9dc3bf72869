//! One POST to an anchor. Redirects are not followed, nothing is repeated, and what is said of it never holds a path or a query, which
//! may be secret.

use std::{path::Path, time::Duration};

use reqwest::{Method, Request, Url, header::CONTENT_TYPE};

use super::AnchorError;
use crate::net::{
    http::{Answer, CONNECT_TIMEOUT, Http, Outcome},
    postgres::told,
    tls,
};

/// How long an anchor may take. Public witnesses and authorities answer within a second; nobody waits for this one.
const TIMEOUT: Duration = Duration::from_secs(10);
/// The most that is read of an answer: a time stamp with a chain of certificates has 8 KiB.
const LONGEST: usize = 64 * 1024;

/// Where calls go.
#[derive(Debug)]
pub(super) struct Place {
    url: Url,
    http: Http,
    /// PEM file with the authorities, read at each call: it may be renewed.
    ca: Option<String>,
}

impl Place {
    pub(super) fn open(url: &str, ca: Option<String>) -> Result<Self, AnchorError> {
        match Url::parse(url.trim()) {
            Ok(url) if matches!(url.scheme(), "http" | "https") && url.has_host() => {
                Ok(Self { url, http: Http::new(Some(CONNECT_TIMEOUT)), ca })
            }
            Ok(_) | Err(_) => Err(AnchorError::Setting("its url is none; write https://HOST/PATH".into())),
        }
    }

    /// The same, with this behind the path.
    pub(super) fn below(mut self, word: &str) -> Self {
        let path = format!("{}/{word}", self.url.path().trim_end_matches('/'));
        self.url.set_path(&path);
        self
    }

    /// Host and port.
    pub(super) fn name(&self) -> String {
        let host = self.url.host_str().unwrap_or("the anchor");
        self.url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
    }

    pub(super) async fn post(&self, content: &'static str, body: Vec<u8>) -> Result<Answer, AnchorError> {
        let silent = |why: String| AnchorError::Silent { place: self.name(), why };
        let http = match &self.ca {
            None => self.http.clone(),
            Some(path) => {
                let roots = tls::roots(Some(Path::new(path))).map_err(|error| AnchorError::Setting(told(&error)))?;
                Http::trusting(Some(CONNECT_TIMEOUT), roots)
            }
        };
        let mut request = Request::new(Method::POST, self.url.clone());
        request.headers_mut().insert(CONTENT_TYPE, reqwest::header::HeaderValue::from_static(content));
        *request.body_mut() = Some(body.into());
        match http.send(request, TIMEOUT, LONGEST).await {
            Outcome::Refused { why } | Outcome::Unreached { why } | Outcome::Silent { why } => Err(silent(why)),
            Outcome::Answered(answer) if matches!(answer.status, 408 | 425 | 429 | 500..=599) => {
                Err(silent(format!("it answered {}: {}", answer.status, said(&answer))))
            }
            Outcome::Answered(answer) if answer.cut => Err(silent("its answer is longer than 64 KiB".into())),
            Outcome::Answered(answer) => Ok(answer),
        }
    }

    /// An answer that is neither a yes nor one that we know.
    pub(super) fn refused(&self, answer: &Answer) -> AnchorError {
        AnchorError::Refused { place: self.name(), status: answer.status, reason: said(answer) }
    }

    pub(super) fn worthless(&self, what: impl Into<String>) -> AnchorError {
        AnchorError::Worthless { place: self.name(), what: what.into() }
    }
}

/// The beginning of what an answer says, in one line.
fn said(answer: &Answer) -> String {
    let text = String::from_utf8_lossy(&answer.body);
    let line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(200).collect();
    let line = line.trim();
    if line.is_empty() { "no reason".into() } else { line.to_owned() }
}
