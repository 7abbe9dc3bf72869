//! What `http` takes, and the facts about it.

use std::time::Duration;

use reqwest::{Method, Url, header::HeaderName};
use serde_json::{Map, Value};

use crate::{
    model::{Effect, Verb},
    port::{Descriptor, Touches},
    spec::HttpParams,
};

static HTTP: Descriptor = Descriptor {
    verb: Verb::Http,
    effect: Effect::Changes,
    reversible: false,
    observable: false,
    touches: Touches::Neither,
    expected: Duration::from_secs(1),
    timeout: Duration::from_secs(30),
    attempts: 3,
    outputs: &["status", "body"],
    check,
};

/// The facts about `http`.
pub fn descriptor(verb: Verb) -> Option<&'static Descriptor> {
    (verb == Verb::Http).then_some(&HTTP)
}

fn check(with: &Map<String, Value>) -> Result<(), String> {
    let params = parse(with)?;
    if !params.url.contains("{{") {
        url(&params)?;
    }
    if !params.method.as_deref().unwrap_or_default().contains("{{") {
        method(&params)?;
    }
    for name in params.headers.keys() {
        HeaderName::from_bytes(name.as_bytes()).map_err(|_| format!("`headers`: {name:?} is no header name"))?;
        if ["authorization", "idempotency-key"].contains(&name.to_ascii_lowercase().as_str()) {
            return Err(format!(
                "`headers`: {name} is set by lifeboat; write the token's reference under `bearer: {{file: PATH}}` or `bearer: {{env: NAME}}`"
            ));
        }
    }
    match params.expect_status.iter().find(|status| !(200..600).contains(*status)) {
        Some(status) => Err(format!("`expectStatus`: a final status is 200 to 599, found {status}")),
        None => Ok(()),
    }
}

pub(super) fn parse(with: &Map<String, Value>) -> Result<HttpParams, String> {
    serde_json::from_value(Value::Object(with.clone())).map_err(|error| error.to_string())
}

/// The address; one with a password in it is refused, because addresses are shown.
pub(super) fn url(params: &HttpParams) -> Result<Url, String> {
    let url = Url::parse(&params.url).map_err(|error| format!("`url` is not a URL: {error}"))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(format!("`url` starts with http:// or https://, found {}://", url.scheme()));
    }
    if url.password().is_some() || !url.username().is_empty() {
        return Err("`url` holds a user name or a password; use `bearer`".into());
    }
    Ok(url)
}

pub(super) fn method(params: &HttpParams) -> Result<Method, String> {
    match params.method.as_deref().unwrap_or("POST") {
        "GET" => Ok(Method::GET),
        "HEAD" => Ok(Method::HEAD),
        "POST" => Ok(Method::POST),
        "PUT" => Ok(Method::PUT),
        "PATCH" => Ok(Method::PATCH),
        "DELETE" => Ok(Method::DELETE),
        other => Err(format!("`method` is GET, HEAD, POST, PUT, PATCH or DELETE, found {other}")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn parameters_are_checked_with_the_field_in_the_message() {
        let good = [
            json!({"url": "https://a.example/"}),
            json!({"url": "http://{{ destination }}/x", "method": "PUT", "headers": {"x-a": "{{ b }}"}}),
            json!({"url": "{{ steps.a.url }}", "expectStatus": [202, 409], "bearer": {"env": "T"}, "idempotent": true}),
        ];
        for with in good {
            assert_eq!(check(with.as_object().unwrap()), Ok(()), "{with}");
        }
        let bad = [
            (json!({}), "url"),
            (json!({"url": "ftp://a"}), "url"),
            (json!({"url": "https://u:p@a/"}), "bearer"),
            (json!({"url": "https://a/", "method": "BREW"}), "method"),
            (json!({"url": "https://a/", "headers": {"a b": "c"}}), "headers"),
            (json!({"url": "https://a/", "headers": {"Authorization": "Basic x"}}), "bearer"),
            (json!({"url": "https://a/", "expectStatus": [99]}), "expectStatus"),
            (json!({"url": "https://a/", "verb": "GET"}), "verb"),
        ];
        for (with, field) in bad {
            let error = check(with.as_object().unwrap()).unwrap_err();
            assert!(error.contains(field), "{with}: {error}");
            assert!(!error.contains("u:p"), "{error}");
        }
    }
}
