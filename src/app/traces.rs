//! Traces of runs, for whoever collects them: told once, when a run has ended and its lease is given back.
//!
//! Off unless the environment names a collector (OpenTelemetry, "Environment Variable Specification" and "OTLP Exporter Configuration"). Nothing
//! waits for it but the end of the verb, for [`LIMIT`] at most, and what fails is a line in the log: the run is over, and its record
//! is kept. A crash in the middle loses the trace; the journal has everything that was in it.

use std::time::Duration;

use reqwest::{Url, header::CONTENT_TYPE};
use secrecy::{ExposeSecret as _, SecretString};

use super::{App, AppError, Rested, error::whole, settings::Environment};
use crate::{
    meter,
    net::http::{CONNECT_TIMEOUT, Http, Outcome},
};

/// How long telling may take.
const LIMIT: Duration = Duration::from_secs(3);
/// Of an answer's body, which nobody reads.
const CAP: usize = 1_024;

/// Where traces go.
#[derive(Debug, Clone)]
pub struct Collector {
    /// `POST` here.
    url: String,
    /// Beside it: they may hold a token.
    headers: Vec<(String, SecretString)>,
    /// `service.name`.
    service: String,
}

impl Collector {
    /// As the environment says: `OTEL_EXPORTER_OTLP_TRACES_ENDPOINT` as it is, or `OTEL_EXPORTER_OTLP_ENDPOINT` with `/v1/traces`
    /// behind it; `None`: neither, or `OTEL_SDK_DISABLED`.
    pub(super) fn of(env: Environment<'_>) -> Option<Self> {
        let text = |name: &str| env(name).and_then(|value| value.into_string().ok());
        if text("OTEL_SDK_DISABLED").is_some_and(|off| off.eq_ignore_ascii_case("true")) {
            return None;
        }
        let base = || Some(format!("{}/v1/traces", text("OTEL_EXPORTER_OTLP_ENDPOINT")?.trim_end_matches('/')));
        let url = text("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT").or_else(base)?;
        let headers = text("OTEL_EXPORTER_OTLP_TRACES_HEADERS").or_else(|| text("OTEL_EXPORTER_OTLP_HEADERS"));
        let headers = headers.unwrap_or_default();
        let pairs = headers.split(',').filter_map(|pair| pair.split_once('='));
        let headers = pairs.map(|(name, value)| (name.trim().to_owned(), SecretString::from(value.trim()))).collect();
        Some(Self { url, headers, service: text("OTEL_SERVICE_NAME").unwrap_or_else(|| "lifeboat".into()) })
    }
}

impl App {
    /// Tells the collector of a run that has ended.
    pub(super) async fn trace(&self, rested: &Result<Rested, AppError>) {
        let (Some(collector), Ok(rested)) = (&self.settings.traces, rested) else { return };
        if rested.run.closed().is_none() {
            // It goes on, and is told of as one when it ends.
            return;
        }
        let why = match self.read(&rested.run.id).await {
            Err(error) => Some(whole(&error)),
            Ok((run, events)) => {
                let body = meter::trace(&run, &events, &collector.service, env!("CARGO_PKG_VERSION"));
                post(collector, body.to_string()).await.err()
            }
        };
        if let Some(why) = why {
            tracing::warn!(run = %rested.run.id, why, "the collector was not told of this run; its journal and its record are kept");
        }
    }
}

async fn post(collector: &Collector, body: String) -> Result<(), String> {
    // A URL may hold a token, so none is repeated.
    let url = Url::parse(&collector.url).map_err(|_| "the endpoint is no URL".to_owned())?;
    let http = Http::new(Some(CONNECT_TIMEOUT));
    let client = http.client(&url).map_err(|error| whole(&error))?;
    let mut request = client.post(url).header(CONTENT_TYPE, "application/json").body(body);
    for (name, value) in &collector.headers {
        request = request.header(name, value.expose_secret());
    }
    let request = request.build().map_err(|_| "a header of the environment is none".to_owned())?;
    match http.send(request, LIMIT, CAP).await {
        Outcome::Answered(answer) if answer.is_success() => Ok(()),
        Outcome::Answered(answer) => Err(format!("it answered with status {}", answer.status)),
        Outcome::Refused { why } | Outcome::Unreached { why } | Outcome::Silent { why } => Err(why),
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use super::*;

    #[test]
    fn a_collector_is_where_the_environment_says_and_nowhere_otherwise() {
        let found = |pairs: &[(&str, &str)]| {
            let env = |name: &str| pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| OsString::from(value));
            Collector::of(&env)
        };
        let (base, own, off) =
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_SDK_DISABLED");
        for (pairs, url) in [
            (&[][..], None),
            (&[(base, "http://127.0.0.1:4318")], Some("http://127.0.0.1:4318/v1/traces")),
            (&[(base, "http://127.0.0.1:4318/otlp/")], Some("http://127.0.0.1:4318/otlp/v1/traces")),
            (&[(base, "http://127.0.0.1:4318"), (own, "http://127.0.0.2/t")], Some("http://127.0.0.2/t")),
            (&[(base, "http://127.0.0.1:4318"), (off, "true")], None),
        ] {
            assert_eq!(found(pairs).map(|collector| collector.url).as_deref(), url, "{pairs:?}");
        }
        let one =
            found(&[(base, "http://h"), ("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer hush, x = y")]).unwrap();
        let names: Vec<_> = one.headers.iter().map(|(name, value)| (name.as_str(), value.expose_secret())).collect();
        assert_eq!(names, [("authorization", "Bearer hush"), ("x", "y")]);
        assert!(!format!("{one:?}").contains("hush"));
    }
}
