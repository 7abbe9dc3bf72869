//! A run's journal as a trace: one span for the run, one for each step, one for each attempt. Pure.
//!
//! The names of a trace and of its spans follow from the run alone, so whoever tells of a run twice, or takes it over and tells of it at its
//! end, tells of the same spans. Times are the journal's. Nothing is in a span that is not in the journal, which holds no secret
//! (promise S14); parameters and outputs of steps stay out of it.
//!
//! The text is OTLP's JSON encoding (OpenTelemetry Protocol 1.x, "JSON Protobuf Encoding"): ids in hexadecimal, 64-bit numbers as texts. It is
//! stable, and a whole SDK with its own threads would be no help to something that is sent once, after the end of a run.

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::model::{Digest, Event, EventBody, Outcome, PlanStep, Run, StepIndex};

/// `SPAN_KIND_INTERNAL`.
const INTERNAL: u8 = 1;
/// `STATUS_CODE_OK`, and `STATUS_CODE_ERROR`.
const OK: u8 = 1;
/// See `OK`.
const ERROR: u8 = 2;

/// One span that is being put together.
struct Span {
    id: String,
    parent: String,
    name: String,
    from: Timestamp,
    to: Timestamp,
    attributes: Vec<(&'static str, Value)>,
    moments: Vec<(Timestamp, &'static str, String)>,
    /// `None`: neither good nor bad.
    ended: Option<Result<(), String>>,
}

/// The body of an OTLP export request (`POST /v1/traces`) that holds the run.
pub fn trace(run: &Run, events: &[Event], service: &str, version: &str) -> Value {
    let id = hex(&run.id.to_string(), run, 32);
    let mut spans = vec![whole(run, events)];
    for (index, step) in run.plan().indices().zip(&run.plan().steps) {
        spans.extend(of_step(run, events, index, step));
    }
    let spans: Vec<Value> = spans.into_iter().map(|span| span.written(&id)).collect();
    json!({"resourceSpans": [{
        "resource": {"attributes": [text("service.name", service), text("service.version", version)]},
        "scopeSpans": [{"scope": {"name": "lifeboat", "version": version}, "spans": spans}],
    }]})
}

/// A name for a part of a run: the beginning of a digest over what makes it this part of this run.
fn hex(part: &str, run: &Run, digits: usize) -> String {
    let whole = Digest::of(format!("{}\n{}\n{}\n{part}", run.id, run.opened_at, run.opened.digest).as_bytes());
    whole.as_str().trim_start_matches("sha256:").chars().take(digits).collect()
}

fn whole(run: &Run, events: &[Event]) -> Span {
    let (plan, opened) = (run.plan(), &run.opened);
    let moment = |event: &Event| {
        let (name, about) = match &event.body {
            EventBody::ApprovalWithdrawn { by, why } => ("approval withdrawn", format!("{by}: {why}")),
            EventBody::TakenOver { holder } => ("taken over", holder.clone()),
            EventBody::Commanded { command, .. } => ("ordered", command.by.to_string()),
            EventBody::Paused { .. } => ("paused", String::new()),
            EventBody::Unwinding { .. } => ("unwinding", String::new()),
            EventBody::Opened(_)
            | EventBody::Skipped { .. }
            | EventBody::Blocked { .. }
            | EventBody::ApprovalAsked { .. }
            | EventBody::Acting { .. }
            | EventBody::Done { .. }
            | EventBody::Failed { .. }
            | EventBody::Lost { .. }
            | EventBody::Undoing { .. }
            | EventBody::Undone { .. }
            | EventBody::Stuck { .. }
            | EventBody::Closed { .. } => return None,
        };
        Some((event.at, name, about))
    };
    Span {
        id: hex("run", run, 16),
        parent: String::new(),
        name: format!("{} {}", opened.kind, run.id),
        from: run.opened_at,
        to: events.last().map_or(run.opened_at, |event| event.at),
        attributes: vec![
            ("lifeboat.run", json!(run.id.to_string())),
            ("lifeboat.group", json!(run.id.group.as_str())),
            ("lifeboat.kind", json!(opened.kind.as_str())),
            ("lifeboat.source", json!(plan.source.as_str())),
            ("lifeboat.destination", json!(plan.destination.as_str())),
            ("lifeboat.rehearsal", json!(opened.rehearsal)),
            ("lifeboat.requested_by", json!(opened.requested_by.as_str())),
            ("lifeboat.outcome", json!(run.closed().map_or("open", Outcome::as_str))),
        ],
        moments: events.iter().filter_map(moment).collect(),
        ended: run.closed().map(|outcome| match outcome {
            Outcome::Succeeded | Outcome::CompletedWithExceptions => Ok(()),
            Outcome::Failed | Outcome::Cancelled | Outcome::Unwound => Err(outcome.as_str().to_owned()),
        }),
    }
}

/// A step with its attempts; nothing of one that nothing happened to.
fn of_step(run: &Run, events: &[Event], index: StepIndex, step: &PlanStep) -> Vec<Span> {
    let mine: Vec<&Event> = events.iter().filter(|event| event.body.step() == Some(index)).collect();
    let (Some(first), Some(last)) = (mine.first(), mine.last()) else { return Vec::new() };
    let name = |part: &str| format!("{}{part}", step.name);
    let mut whole = Span {
        id: hex(&name(""), run, 16),
        parent: hex("run", run, 16),
        name: name(""),
        from: first.at,
        to: last.at,
        attributes: vec![("lifeboat.verb", json!(step.verb.as_str()))],
        moments: Vec::new(),
        ended: None,
    };
    whole.attributes.extend(step.target.iter().map(|target| ("lifeboat.target", json!(target.as_str()))));
    let mut attempts: Vec<Span> = Vec::new();
    let begin = |part: String, at: Timestamp, attributes| Span {
        id: hex(&name(&part), run, 16),
        parent: hex(&name(""), run, 16),
        name: name(&part),
        from: at,
        to: at,
        attributes,
        moments: Vec::new(),
        ended: None,
    };
    for event in mine {
        let end = |attempts: &mut Vec<Span>, how: Option<Result<(), String>>| {
            if let Some(open) = attempts.last_mut().filter(|open| open.ended.is_none()) {
                (open.to, open.ended) = (event.at, how);
            }
        };
        match &event.body {
            EventBody::Acting { attempt, .. } => {
                let number = vec![("lifeboat.attempt", json!(attempt))];
                attempts.push(begin(format!(", attempt {attempt}"), event.at, number));
            }
            EventBody::Undoing { .. } => {
                let number = attempts.len() + 1;
                attempts.push(begin(format!(", undo {number}"), event.at, Vec::new()));
            }
            EventBody::Done { .. } | EventBody::Undone { .. } => {
                end(&mut attempts, Some(Ok(())));
                whole.ended = Some(Ok(()));
            }
            EventBody::Failed { why, .. } | EventBody::Stuck { why, .. } => {
                end(&mut attempts, Some(Err(why.clone())));
                whole.ended = Some(Err(why.clone()));
            }
            // Unknown is neither good nor bad, and the attempt is over for whoever made it.
            EventBody::Lost { why, .. } => {
                whole.moments.push((event.at, "lost", why.clone()));
                if let Some(open) = attempts.last_mut() {
                    open.to = event.at;
                    open.attributes.push(("lifeboat.outcome", json!("unknown")));
                }
            }
            EventBody::Skipped { why, .. } => whole.moments.push((event.at, "skipped", why.clone())),
            EventBody::Blocked { reasons, .. } => {
                let reasons = reasons.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
                whole.moments.push((event.at, "blocked", reasons));
            }
            EventBody::ApprovalAsked { needed, .. } => {
                whole.moments.push((event.at, "approval asked", needed.to_string()));
            }
            EventBody::Opened(_)
            | EventBody::TakenOver { .. }
            | EventBody::Commanded { .. }
            | EventBody::ApprovalWithdrawn { .. }
            | EventBody::Paused { .. }
            | EventBody::Unwinding { .. }
            | EventBody::Closed { .. } => {}
        }
    }
    std::iter::once(whole).chain(attempts).collect()
}

impl Span {
    fn written(self, trace: &str) -> Value {
        let moments: Vec<Value> = self
            .moments
            .into_iter()
            .map(|(at, name, about)| json!({"timeUnixNano": nanos(at), "name": name, "attributes": [text("about", &about)]}))
            .collect();
        let attributes: Vec<Value> = self.attributes.into_iter().map(|(key, value)| attribute(key, value)).collect();
        let mut span = json!({
            "traceId": trace,
            "spanId": self.id,
            "name": self.name,
            "kind": INTERNAL,
            "startTimeUnixNano": nanos(self.from),
            "endTimeUnixNano": nanos(self.to),
            "attributes": attributes,
            "events": moments,
            "status": match self.ended {
                None => json!({}),
                Some(Ok(())) => json!({"code": OK}),
                Some(Err(why)) => json!({"code": ERROR, "message": why}),
            },
        });
        if let (Some(span), false) = (span.as_object_mut(), self.parent.is_empty()) {
            span.insert("parentSpanId".into(), self.parent.into());
        }
        span
    }
}

fn nanos(at: Timestamp) -> String {
    at.as_nanosecond().max(0).to_string()
}

fn text(key: &str, value: &str) -> Value {
    attribute(key, json!(value))
}

/// An attribute, by the kind of its value.
fn attribute(key: &str, value: Value) -> Value {
    let value = match value {
        Value::Bool(value) => json!({"boolValue": value}),
        Value::Number(value) => json!({"intValue": value.to_string()}),
        Value::String(value) => json!({"stringValue": value}),
        other @ (Value::Null | Value::Array(_) | Value::Object(_)) => json!({"stringValue": other.to_string()}),
    };
    json!({"key": key, "value": value})
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Facts, Term, sample};

    /// A failover whose fence fails once.
    fn story() -> (Run, Vec<Event>) {
        let opened = EventBody::Opened(Box::new(sample::opened(sample::plan(sample::steps()))));
        let (step, facts) = (StepIndex(0), Facts::default());
        let failed = EventBody::Failed {
            step,
            attempt: 1,
            why: "refused".into(),
            retry_at: Some(Timestamp::UNIX_EPOCH),
            passed_over: false,
        };
        let again = EventBody::Acting { step, attempt: 2, facts };
        let bodies = [opened, sample::acting(0), failed, again, sample::done(0, true)];
        let at = |second: usize| Timestamp::from_second(i64::try_from(second).unwrap()).unwrap();
        let events: Vec<Event> = (1..)
            .zip(bodies)
            .enumerate()
            .map(|(second, (seq, body))| Event { seq, term: Term(1), at: at(second), body })
            .collect();
        let mut run = Run::open("orders-1".parse().unwrap(), &events[0]).unwrap();
        for event in &events[1..] {
            run.after(event).unwrap();
        }
        (run, events)
    }

    #[test]
    fn a_run_is_one_span_each_step_one_and_each_attempt_one_in_the_times_of_the_journal() {
        let (run, events) = story();
        let body = trace(&run, &events, "dr", "1.2.3");
        let spans = body["resourceSpans"][0]["scopeSpans"][0]["spans"].as_array().unwrap();
        let seconds = |text: &Value| text.as_str().unwrap().trim_end_matches("000000000").parse::<u8>().unwrap_or(0);
        let found: Vec<_> = spans
            .iter()
            .map(|span| {
                let parent = spans.iter().find(|other| other["spanId"] == span["parentSpanId"]);
                let times = (seconds(&span["startTimeUnixNano"]), seconds(&span["endTimeUnixNano"]));
                let name = |span: &Value| span["name"].as_str().unwrap().to_owned();
                (name(span), parent.map(name), times, span["status"]["code"].as_u64())
            })
            .collect();
        let root = "failover orders-1".to_owned();
        let fence = "fence-db".to_owned();
        assert_eq!(
            found,
            [
                (root.clone(), None, (0, 4), None),
                (fence.clone(), Some(root), (1, 4), Some(1)),
                ("fence-db, attempt 1".into(), Some(fence.clone()), (1, 2), Some(2)),
                ("fence-db, attempt 2".into(), Some(fence), (3, 4), Some(1)),
            ]
        );
        assert_eq!(body, trace(&run, &events, "dr", "1.2.3"), "told twice, it is the same trace");
        assert!(spans.iter().all(|span| span["traceId"].as_str().unwrap().len() == 32));
        assert!(spans.iter().all(|span| span["spanId"].as_str().unwrap().len() == 16));
    }
}
