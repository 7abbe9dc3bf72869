//! What an outcome means. Pure.

use serde_json::{Value, json};

use crate::{
    model::{Attempt, Facts, Observed, Output},
    net::http::{Answer, Outcome},
    spec::HttpParams,
};

/// A request's effect cannot be seen: only a declared idempotency makes a second one safe.
pub(super) fn observed(params: &HttpParams, in_doubt: bool) -> Observed {
    if !in_doubt || params.idempotent {
        return Observed::Ready { facts: Facts::default() };
    }
    Observed::Unknown {
        why: "an earlier request may have been carried out, and the step does not say `idempotent: true`; look at the called \
              service, then `run retry` to send it again or `run skip` when it was carried out"
            .into(),
    }
}

/// What became of the step.
pub(super) fn attempt(params: &HttpParams, outcome: Outcome, secret: Option<&str>) -> Attempt {
    match outcome {
        Outcome::Refused { why } | Outcome::Unreached { why } => {
            Attempt::NotApplied { why: format!("the request was not delivered: {}", cut_out(why, secret)), retry: true }
        }
        Outcome::Silent { why } => {
            Attempt::Unknown { why: format!("the request was sent and its reply was lost: {}", cut_out(why, secret)) }
        }
        Outcome::Answered(answer) => answered(params, &answer, secret),
    }
}

fn answered(params: &HttpParams, answer: &Answer, secret: Option<&str>) -> Attempt {
    let status = answer.status;
    let expected =
        if params.expect_status.is_empty() { answer.is_success() } else { params.expect_status.contains(&status) };
    let body = cut_out(String::from_utf8_lossy(&answer.body).into_owned(), secret);
    if expected {
        let output = Output::from_iter([("status".into(), json!(status)), ("body".into(), Value::String(body))]);
        return Attempt::Applied { output, facts: Facts::default() };
    }
    let beginning: String = body.lines().next().unwrap_or_default().chars().take(200).collect();
    let wanted = match params.expect_status.as_slice() {
        [] => "a status of 200 to 299".to_owned(),
        some => format!("status {}", some.iter().map(u16::to_string).collect::<Vec<_>>().join(" or ")),
    };
    let why = format!("expected {wanted}, found {status}: {beginning}");
    match status {
        // A gateway that lost the reply of the server behind it says nothing about that server (promise S4).
        502 | 504 if !params.idempotent => {
            Attempt::Unknown { why: format!("a gateway lost the reply of the server behind it: {why}") }
        }
        429 | 502 | 503 | 504 => Attempt::NotApplied { why, retry: true },
        _other_status => Attempt::NotApplied { why, retry: false },
    }
}

/// Cuts the secret out of a text.
pub(super) fn cut_out(text: String, secret: Option<&str>) -> String {
    match secret {
        Some(secret) if !secret.is_empty() && text.contains(secret) => text.replace(secret, "[REDACTED]"),
        Some(_) | None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn params(idempotent: bool, expect_status: Vec<u16>) -> HttpParams {
        let mut params: HttpParams = serde_json::from_value(json!({"url": "http://a/"})).unwrap();
        params.idempotent = idempotent;
        params.expect_status = expect_status;
        params
    }

    fn word(attempt: &Attempt) -> &'static str {
        match attempt {
            Attempt::Applied { .. } => "applied",
            Attempt::NotApplied { retry: true, .. } => "retry",
            Attempt::NotApplied { retry: false, .. } => "failed",
            Attempt::Unknown { .. } => "unknown",
        }
    }

    #[test]
    fn every_outcome_has_its_meaning() {
        let answer = |status| Outcome::Answered(Answer { status, body: b"x".to_vec(), cut: false, retry_after: None });
        let table = [
            (false, vec![], answer(200), "applied"),
            (false, vec![], answer(299), "applied"),
            (false, vec![], answer(301), "failed"),
            (false, vec![409], answer(409), "applied"),
            (false, vec![409], answer(200), "failed"),
            (false, vec![], answer(404), "failed"),
            (false, vec![], answer(500), "failed"),
            (false, vec![], answer(429), "retry"),
            (false, vec![], answer(503), "retry"),
            (false, vec![], answer(502), "unknown"),
            (false, vec![], answer(504), "unknown"),
            (true, vec![], answer(502), "retry"),
            (true, vec![], answer(504), "retry"),
            (false, vec![], Outcome::Refused { why: "r".into() }, "retry"),
            (false, vec![], Outcome::Unreached { why: "u".into() }, "retry"),
            (true, vec![], Outcome::Silent { why: "s".into() }, "unknown"),
        ];
        for (idempotent, expect, outcome, expected) in table {
            let shown = format!("{idempotent} {expect:?} {outcome:?}");
            assert_eq!(word(&attempt(&params(idempotent, expect), outcome, None)), expected, "{shown}");
        }
    }

    #[test]
    fn only_a_doubt_without_idempotency_needs_a_person() {
        for (idempotent, in_doubt, ready) in
            [(false, false, true), (true, false, true), (true, true, true), (false, true, false)]
        {
            let seen = observed(&params(idempotent, vec![]), in_doubt);
            assert_eq!(matches!(seen, Observed::Ready { .. }), ready, "{seen:?}");
        }
    }
}
