//! `/livez`, `/readyz`, `/metrics`.
//!
//! In the form that people know from Kubernetes: a status for machines (200 or 503), one line for each check that fails, and with
//! `?verbose` one for each check.

use std::{fmt::Write as _, sync::Arc};

use axum::{
    extract::{RawQuery, State},
    http::StatusCode,
    response::Response,
};
use tokio::time;

use super::{
    ANSWER,
    answer::{TEXT, answer},
};
use crate::{
    app::{Check, Vitals},
    meter::CONTENT_TYPE,
};

pub(super) async fn live(State(vitals): State<Arc<dyn Vitals>>, RawQuery(query): RawQuery) -> Response {
    judged("livez", &vitals.live(), verbose(query.as_deref()))
}

pub(super) async fn ready(State(vitals): State<Arc<dyn Vitals>>, RawQuery(query): RawQuery) -> Response {
    let Ok(checks) = time::timeout(ANSWER, vitals.ready()).await else {
        let body = format!("readyz: the checks did not answer within {} s\n", ANSWER.as_secs());
        return answer(StatusCode::SERVICE_UNAVAILABLE, TEXT, body);
    };
    judged("readyz", &checks, verbose(query.as_deref()))
}

pub(super) async fn metrics(State(vitals): State<Arc<dyn Vitals>>) -> Response {
    answer(StatusCode::OK, CONTENT_TYPE, vitals.render())
}

/// `?verbose`, alone or among others.
fn verbose(query: Option<&str>) -> bool {
    query.unwrap_or_default().split('&').any(|part| part.split('=').next() == Some("verbose"))
}

fn judged(name: &str, checks: &[Check], verbose: bool) -> Response {
    // No check at all is no proof of health.
    let well = !checks.is_empty() && checks.iter().all(|check| check.ok);
    let mut body = String::new();
    for check in checks.iter().filter(|check| verbose || !check.ok) {
        let sign = if check.ok { '+' } else { '-' };
        // Writing to a String cannot fail.
        let _always = writeln!(body, "[{sign}] {}: {}", check.name, one_line(&check.detail));
    }
    if checks.is_empty() {
        body.push_str("[-] nothing was checked\n");
    }
    if verbose || !well {
        let end = if well { "passed" } else { "failed" };
        let _always = writeln!(body, "{name} {end}");
    } else {
        body.push_str("ok\n");
    }
    let status = if well { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    answer(status, TEXT, body)
}

fn one_line(text: &str) -> String {
    text.split(char::is_control).filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ")
}
