//! One request. By default on a connection of its own, and a redirect is an answer like any other. A certificate that does not
//! verify is an answer too: clients would turn away as we do.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::future::BoxFuture;
use hyper::{
    HeaderMap, Method, StatusCode,
    header::{ACCEPT, CONNECTION, HeaderName, HeaderValue, LOCATION, USER_AGENT},
};
use jiff::Timestamp;
use reqwest::Url;
use secrecy::ExposeSecret as _;

use super::{
    Asks, Found, Ill, certificate,
    trust::{Authorities, Trust},
    web::{self, Line, Site},
};
use crate::{
    net::postgres::told,
    port::{Clock, Secrets},
    spec::{HttpProbe, ProbeMethod, SecretRef},
};

/// How much of a body is read: a health page is small, and a server that sends without end must not fill our memory.
const BODY: usize = 64 * 1024;

pub(super) struct Http {
    url: Url,
    site: Site,
    trust: Arc<Trust>,
    secrets: Arc<dyn Secrets>,
    clock: Arc<dyn Clock>,
    method: Method,
    /// Those that are no secret.
    headers: HeaderMap,
    hidden: Vec<(HeaderName, SecretRef)>,
    expect_status: Option<u16>,
    expect_body: String,
    redirects: u32,
    days: Option<u32>,
    reuse: bool,
    kept: Mutex<Option<Line>>,
}

/// An answer, as far as it is judged.
struct Answer {
    status: StatusCode,
    location: Option<String>,
    body: Vec<u8>,
}

/// What goes with each request that says nothing else.
pub(super) fn usual_headers(reuse: bool) -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(8);
    headers.insert(USER_AGENT, HeaderValue::from_static(concat!("lifeboat/", env!("CARGO_PKG_VERSION"))));
    headers.insert(ACCEPT, HeaderValue::from_static("*/*"));
    if !reuse {
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
    }
    headers
}

impl Http {
    pub(super) fn new(
        spec: &HttpProbe,
        authorities: &Authorities,
        secrets: Arc<dyn Secrets>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, Ill> {
        let url = web::url(&spec.url)?;
        let trust = authorities.of(spec.ca.as_deref(), None);
        let site = Site::new(&url, || Arc::clone(&trust))?;
        let reuse = spec.reuse.unwrap_or(false);
        let (mut headers, mut hidden) = (usual_headers(reuse), Vec::new());
        for header in &spec.headers {
            let bad =
                || Ill::Silent(format!("{} could not be asked: header `{}` is none", site.place.shown, header.name));
            let name = HeaderName::try_from(&header.name).map_err(|_| bad())?;
            match (&header.value, &header.secret) {
                (Some(value), None) => {
                    headers.insert(name, HeaderValue::try_from(value).map_err(|_| bad())?);
                }
                (None, Some(secret)) => hidden.push((name, secret.clone())),
                (Some(_), Some(_)) | (None, None) => return Err(bad()),
            }
        }
        Ok(Self {
            method: match spec.method {
                Some(ProbeMethod::Head) => Method::HEAD,
                Some(ProbeMethod::Get) | None => Method::GET,
            },
            expect_status: spec.expect_status,
            expect_body: spec.expect_body.clone().unwrap_or_default(),
            redirects: spec.follow_redirects.unwrap_or(0),
            days: spec.min_certificate_days,
            kept: Mutex::default(),
            url,
            site,
            trust,
            secrets,
            clock,
            headers,
            hidden,
            reuse,
        })
    }

    async fn once(&self) -> Result<Found, Ill> {
        let mut headers = self.headers.clone();
        for (name, secret) in &self.hidden {
            headers.insert(name.clone(), resolve(self.secrets.as_ref(), secret, &self.site.place.shown)?);
        }
        let (mut answer, mut ends) = self.first(&headers).await?;
        let (mut at, mut shown) = (self.url.clone(), self.site.place.shown.clone());
        let mut followed = 0;
        while let Some(next) = self.next(&at, &shown, &answer)? {
            if followed == self.redirects {
                return Err(Ill::Unhealthy(format!("{shown}: expected at most {followed} redirects, found one more")));
            }
            followed += 1;
            if next.origin() != at.origin() {
                // Another server's business: a token of ours is not.
                self.hidden.iter().for_each(|(name, _)| drop(headers.remove(name)));
            }
            let site = Site::new(&next, || Arc::clone(&self.trust))?;
            let mut line = Line::open(&site, self.days.is_some()).await?;
            ends = certificate::sooner(ends, certificate::ends(&line.certificates));
            answer = self.exchange(&mut line, &site, &headers).await?.0;
            (at, shown) = (next, site.place.shown);
        }
        judge(&shown, self.expect_status, &self.expect_body, &answer)?;
        Ok(self.days.map_or(Found::Well, |days| certificate::judge(&shown, ends, days, self.clock.now())))
    }

    /// The answer of the URL itself, and when the first of its certificates ends.
    async fn first(&self, headers: &HeaderMap) -> Result<(Answer, Option<Timestamp>), Ill> {
        let kept = if self.reuse { self.kept().take() } else { None };
        if let Some(line) = kept {
            // A kept connection that broke may have been idle for too long: only a new one speaks for the server.
            if let Ok(answered) = self.over(line, headers).await {
                return Ok(answered);
            }
        }
        self.over(Line::open(&self.site, self.days.is_some()).await?, headers).await
    }

    async fn over(&self, mut line: Line, headers: &HeaderMap) -> Result<(Answer, Option<Timestamp>), Ill> {
        let (answer, whole) = self.exchange(&mut line, &self.site, headers).await?;
        let ends = certificate::ends(&line.certificates);
        if self.reuse && whole && line.is_open() {
            *self.kept() = Some(line);
        }
        Ok((answer, ends))
    }

    fn kept(&self) -> MutexGuard<'_, Option<Line>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The answer, and whether it was read to its end.
    async fn exchange(&self, line: &mut Line, site: &Site, headers: &HeaderMap) -> Result<(Answer, bool), Ill> {
        let response = line.send(site, &self.method, headers).await?;
        let status = response.status();
        let location = response.headers().get(LOCATION).and_then(|text| text.to_str().ok()).map(str::to_owned);
        let searched = !self.expect_body.is_empty() && is_expected(self.expect_status, status);
        let (body, whole) = if searched || self.reuse {
            // A connection that is to be kept must be read to the end of the answer.
            let enough = |read: &[u8]| !self.reuse && holds(read, &self.expect_body);
            line.body(site, response.into_body(), BODY, enough).await?
        } else {
            (Vec::new(), false)
        };
        Ok((Answer { status, location, body }, whole))
    }

    /// Where an answer leads, when redirects are followed.
    fn next(&self, at: &Url, shown: &str, answer: &Answer) -> Result<Option<Url>, Ill> {
        let leads = matches!(answer.status.as_u16(), 301 | 302 | 303 | 307 | 308) && self.redirects > 0;
        let Some(location) = answer.location.as_deref().filter(|_| leads) else { return Ok(None) };
        let next = at.join(location).map_err(|_| Ill::Unhealthy(format!("{shown}: it redirects to what is no URL")))?;
        match (at.scheme(), next.scheme()) {
            ("https", "https") | ("http", "http" | "https") => Ok(Some(next)),
            (_, scheme) => {
                Err(Ill::Unhealthy(format!("{shown}: it redirects to `{scheme}`, which no client should follow")))
            }
        }
    }
}

impl Asks for Http {
    fn ask(&self) -> BoxFuture<'_, Result<Found, Ill>> {
        Box::pin(self.once())
    }

    fn shown(&self) -> &str {
        &self.site.place.shown
    }
}

/// A header's value that is kept elsewhere. It is never indexed, logged or shown.
pub(super) fn resolve(secrets: &dyn Secrets, secret: &SecretRef, shown: &str) -> Result<HeaderValue, Ill> {
    let value = secrets
        .resolve(secret)
        .map_err(|error| Ill::Silent(format!("{shown} could not be asked: {}", told(&error))))?;
    let mut value = HeaderValue::try_from(value.expose_secret()).map_err(|_| {
        Ill::Silent(format!("{shown} could not be asked: the secret in {secret} cannot be sent as a header"))
    })?;
    value.set_sensitive(true);
    Ok(value)
}

fn is_expected(expected: Option<u16>, status: StatusCode) -> bool {
    expected.map_or_else(|| status.is_success(), |expected| status.as_u16() == expected)
}

fn holds(body: &[u8], text: &str) -> bool {
    text.is_empty() || body.windows(text.len()).any(|part| part == text.as_bytes())
}

fn judge(shown: &str, expected: Option<u16>, text: &str, answer: &Answer) -> Result<(), Ill> {
    let status = answer.status;
    if !is_expected(expected, status) {
        let wanted = expected.map_or_else(|| "2xx".to_owned(), |status| status.to_string());
        return Err(Ill::Unhealthy(format!("{shown}: expected status {wanted}, found {status}")));
    }
    if holds(&answer.body, text) {
        return Ok(());
    }
    Err(Ill::Unhealthy(format!(
        "{shown}: expected `{text}` in the first {} bytes of the body, found nothing like it",
        answer.body.len()
    )))
}
