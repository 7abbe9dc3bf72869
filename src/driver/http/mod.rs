//! `http`: one HTTP request.
//!
//! Promises: every request of one step of one run carries the same `Idempotency-Key`; a lost reply is unknown, and only
//! a step that says `idempotent: true` is repeated after it; the bearer token never leaves this module.
//!
//! Assumes that a server that answers means what it says. A crash in the middle means a lost reply.

mod observe;
mod params;

use std::{fmt, sync::Arc};

use futures::future::BoxFuture;
use reqwest::header::{AUTHORIZATION, HeaderName, HeaderValue};
use secrecy::{ExposeSecret, SecretString};

pub use self::params::descriptor;
use crate::{
    model::{Attempt, Endpoint, Facts, Observed, Verb},
    net::{
        http::{CONNECT_TIMEOUT, Http},
        postgres::told,
    },
    port::{Call, Descriptor, Driver, Permit, Secrets},
    spec::HttpParams,
};

/// How much of an answer's body is kept, in bytes.
const BODY_CAP: usize = 64 * 1024;

/// The driver of `http`.
pub struct HttpRequest {
    http: Http,
    secrets: Arc<dyn Secrets>,
}

impl HttpRequest {
    /// Asks `secrets` for bearer tokens at each request.
    pub fn new(secrets: Arc<dyn Secrets>) -> Self {
        Self { http: Http::new(Some(CONNECT_TIMEOUT)), secrets }
    }

    async fn send(&self, permit: &Permit, call: &Call) -> Attempt {
        let not_sent = |why: String| Attempt::NotApplied { why, retry: false };
        if let Some(refusal) = descriptor(Verb::Http).and_then(|facts| facts.refusal(&call.with)) {
            return refusal;
        }
        let params = match params::parse(&call.with) {
            Ok(params) => params,
            Err(why) => return not_sent(why),
        };
        let bearer = match params.bearer.as_ref().map(|reference| self.secrets.resolve(reference)).transpose() {
            Ok(bearer) => bearer,
            Err(error) => return not_sent(error.to_string()),
        };
        let secret = bearer.as_ref().map(ExposeSecret::expose_secret);
        let request = match self.request(&params, call, bearer.as_ref()) {
            Ok(request) => request,
            Err(why) => return not_sent(observe::cut_out(why, secret)),
        };
        if !permit.live() {
            return not_sent("the lease was lost before the request was sent".into());
        }
        // Room for a whole token beyond the cap, so that none is cut in two before it is cut out.
        let room = BODY_CAP + secret.map_or(0, str::len);
        let outcome = self.http.send(request, call.timeout, room).await;
        capped(observe::attempt(&params, outcome, secret))
    }

    fn request(
        &self,
        params: &HttpParams,
        call: &Call,
        bearer: Option<&SecretString>,
    ) -> Result<reqwest::Request, String> {
        let url = params::url(params)?;
        let client = self.http.client(&url).map_err(|error| told(&error))?;
        let mut request =
            client.request(params::method(params)?, url).header("idempotency-key", call.idempotency_key());
        for (name, value) in &params.headers {
            let name = HeaderName::from_bytes(name.as_bytes())
                .map_err(|_| format!("`headers`: {name:?} is no header name"))?;
            let value = HeaderValue::from_str(value)
                .map_err(|_| format!("`headers`: the value of {name} is no header value"))?;
            request = request.header(name, value);
        }
        if let Some(bearer) = bearer {
            let mut value = HeaderValue::from_str(&format!("Bearer {}", bearer.expose_secret()))
                .map_err(|_| "`bearer`: the secret holds characters that no header may hold".to_owned())?;
            value.set_sensitive(true);
            request = request.header(AUTHORIZATION, value);
        }
        if let Some(body) = &params.body {
            request = request.body(body.clone());
        }
        request.build().map_err(|error| format!("the request is not well formed: {}", error.without_url()))
    }
}

/// Cuts the body to the cap, at a character's end.
fn capped(mut attempt: Attempt) -> Attempt {
    if let Attempt::Applied { output, .. } = &mut attempt
        && let Some(serde_json::Value::String(body)) = output.get_mut("body")
    {
        body.truncate(body.floor_char_boundary(BODY_CAP));
    }
    attempt
}

impl fmt::Debug for HttpRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HttpRequest")
    }
}

impl Driver for HttpRequest {
    fn descriptor(&self, verb: Verb) -> Option<&'static Descriptor> {
        descriptor(verb)
    }

    fn observe<'a>(&'a self, call: &'a Call) -> BoxFuture<'a, Observed> {
        Box::pin(async move {
            match params::parse(&call.with) {
                Ok(params) => observe::observed(&params, call.in_doubt),
                Err(found) => {
                    Observed::Refused { facts: Facts::default(), expected: "the parameters of `http`".into(), found }
                }
            }
        })
    }

    fn act<'a>(&'a self, permit: &'a Permit, call: &'a Call) -> BoxFuture<'a, Attempt> {
        Box::pin(self.send(permit, call))
    }

    fn undo<'a>(&'a self, _: &'a Permit, _: &'a Call) -> BoxFuture<'a, Attempt> {
        Box::pin(async {
            Attempt::NotApplied { why: "a request cannot be taken back; declare an `undo` step".into(), retry: false }
        })
    }

    fn endpoints(&self, call: &Call) -> Vec<Endpoint> {
        let Ok(params) = params::parse(&call.with) else { return Vec::new() };
        let address = match params::url(&params) {
            Ok(mut url) => {
                // A query may hold a token.
                url.set_query(None);
                url.set_fragment(None);
                url.to_string()
            }
            Err(_) => return Vec::new(),
        };
        vec![Endpoint { address, region: None, purpose: format!("HTTP request of step {}", call.step) }]
    }
}
