//! What a Prometheus server measures: healthy when every value of an instant query lies where it should.
//!
//! Prometheus is a witness, not the thing itself. When it does not answer, answers with an error, or knows no value, nothing is
//! known of the region: *silent*. Only a value outside of the bounds is *unhealthy*.

use std::sync::Arc;

use futures::future::BoxFuture;
use hyper::{
    HeaderMap, Method,
    header::{AUTHORIZATION, HeaderValue},
};
use serde_json::Value;

use super::{
    Asks, Found, Ill, http,
    trust::Authorities,
    web::{self, Line, Site},
};
use crate::{
    port::Secrets,
    spec::{PrometheusProbe, SecretRef},
};

/// A query that gives more than some thousand values is not meant for this.
const MOST: usize = 1024 * 1024;

pub(super) struct Prometheus {
    spec: PrometheusProbe,
    site: Site,
    secrets: Arc<dyn Secrets>,
}

impl Prometheus {
    pub(super) fn new(
        spec: &PrometheusProbe,
        authorities: &Authorities,
        secrets: Arc<dyn Secrets>,
    ) -> Result<Self, Ill> {
        let mut url = web::url(&spec.url)?;
        url.set_path(&format!("{}/api/v1/query", url.path().trim_end_matches('/')));
        url.query_pairs_mut().clear().append_pair("query", &spec.expr);
        let site = Site::new(&url, || authorities.of(spec.ca.as_deref(), None))?;
        Ok(Self { spec: spec.clone(), site, secrets })
    }

    async fn once(&self) -> Result<Found, Ill> {
        let shown = &self.site.place.shown;
        let headers = with_bearer(self.spec.bearer.as_ref(), self.secrets.as_ref(), shown)?;
        let answered = fetch(&self.site, &headers, MOST).await;
        let (status, body) = answered.map_err(|ill| match ill {
            Ill::Unhealthy(why) | Ill::Silent(why) => Ill::Silent(why),
        })?;
        judge(&self.spec, shown, status, &body)
    }
}

impl Asks for Prometheus {
    fn ask(&self) -> BoxFuture<'_, Result<Found, Ill>> {
        Box::pin(self.once())
    }

    fn shown(&self) -> &str {
        &self.site.place.shown
    }
}

/// The usual headers, and a bearer token where there is one.
pub(super) fn with_bearer(bearer: Option<&SecretRef>, secrets: &dyn Secrets, shown: &str) -> Result<HeaderMap, Ill> {
    let mut headers = http::usual_headers(false);
    if let Some(bearer) = bearer {
        let token = http::resolve(secrets, bearer, shown)?;
        let mut value = HeaderValue::try_from([b"Bearer ", token.as_bytes()].concat())
            .map_err(|_| Ill::Silent(format!("{shown} could not be asked: its token cannot be sent")))?;
        value.set_sensitive(true);
        headers.insert(AUTHORIZATION, value);
    }
    Ok(headers)
}

/// One GET: the status, and the body when it is no longer than `most` bytes.
pub(super) async fn fetch(site: &Site, headers: &HeaderMap, most: usize) -> Result<(u16, Vec<u8>), Ill> {
    let mut line = Line::open(site, false).await?;
    let response = line.send(site, &Method::GET, headers).await?;
    let status = response.status().as_u16();
    let (body, _whole) = line.body(site, response.into_body(), most, |_| false).await?;
    Ok((status, body))
}

/// Prometheus HTTP API, "Instant queries": a scalar is `[time, "value"]`, a vector a list of `{metric, value}`.
fn judge(spec: &PrometheusProbe, shown: &str, status: u16, body: &[u8]) -> Result<Found, Ill> {
    let silent = |why: String| Err(Ill::Silent(format!("{shown}: {why}")));
    let Ok(answer) = serde_json::from_slice::<Value>(body) else {
        return silent(format!("it answered with status {status}, and not as Prometheus does"));
    };
    if answer["status"] != "success" {
        let error = answer["error"].as_str().unwrap_or("without a reason");
        return silent(format!("the query was refused with status {status}: {error}"));
    }
    let result = &answer["data"]["result"];
    let samples: Vec<(String, &Value)> = match answer["data"]["resultType"].as_str() {
        Some("scalar") => vec![(String::new(), &result[1])],
        Some("vector") => {
            let list = result.as_array().map(Vec::as_slice).unwrap_or_default();
            list.iter().map(|sample| (format!(" of {}", sample["metric"]), &sample["value"][1])).collect()
        }
        Some(other) => return silent(format!("the query gives a {other}; ask for numbers of one moment")),
        None => return silent("its answer has no result".into()),
    };
    if samples.is_empty() {
        return silent("the query gives no value: nothing is measured, or it filters what does not hold".into());
    }
    for (labels, value) in samples {
        let number = value.as_str().and_then(|text| text.parse::<f64>().ok()).filter(|number| !number.is_nan());
        let Some(number) = number else { return silent(format!("expected a number{labels}, found {value}")) };
        if let Some(above) = spec.above.filter(|above| number <= *above) {
            return Err(Ill::Unhealthy(format!("{shown}: expected a value above {above}, found {number}{labels}")));
        }
        if let Some(below) = spec.below.filter(|below| number >= *below) {
            return Err(Ill::Unhealthy(format!("{shown}: expected a value below {below}, found {number}{labels}")));
        }
    }
    Ok(Found::Well)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_value_outside_of_the_bounds_is_unhealthy() {
        let vector = |values: &[&str]| {
            let samples: Vec<_> = values
                .iter()
                .map(|value| serde_json::json!({"metric": {"job": "api"}, "value": [1_700_000_000.1, value]}))
                .collect();
            serde_json::json!({"status": "success", "data": {"resultType": "vector", "result": samples}}).to_string()
        };
        let scalar = r#"{"status":"success","data":{"resultType":"scalar","result":[1700000000,"0.5"]}}"#.to_owned();
        let refused = r#"{"status":"error","errorType":"bad_data","error":"parse error"}"#.to_owned();
        let matrix = r#"{"status":"success","data":{"resultType":"matrix","result":[]}}"#.to_owned();
        let cases = [
            (vector(&["0.5"]), 200, "well"),
            (vector(&["0.5", "0.99"]), 200, "well"),
            (vector(&["0.5", "1"]), 200, "unhealthy"),
            (vector(&["0"]), 200, "unhealthy"),
            (vector(&["+Inf"]), 200, "unhealthy"),
            (vector(&["NaN"]), 200, "silent"),
            (vector(&[]), 200, "silent"),
            (scalar, 200, "well"),
            (refused, 400, "silent"),
            (matrix, 200, "silent"),
            ("<html>".into(), 502, "silent"),
        ];
        let spec = PrometheusProbe {
            url: "http://x".into(),
            expr: "up".into(),
            above: Some(0.0),
            below: Some(1.0),
            bearer: None,
            ca: None,
        };
        for (body, status, expected) in cases {
            let word = match judge(&spec, "x", status, body.as_bytes()) {
                Ok(Found::Well) => "well",
                Ok(Found::Weak(_)) => "weak",
                Err(Ill::Unhealthy(_)) => "unhealthy",
                Err(Ill::Silent(_)) => "silent",
            };
            assert_eq!(word, expected, "{body}");
        }
    }
}
