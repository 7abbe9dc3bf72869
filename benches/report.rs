//! The report of a run of a hundred steps: redacted, judged, and written in each format.

#![allow(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a bench measures time and prints it"
)]

mod stage;

use std::time::Instant;

use jiff::{SignedDuration, Timestamp};
use lifeboat::{
    app,
    evidence::{Record, Redacted},
    model::{Actor, Event, EventBody, Facts, Opened, Outcome, Output, RunKind, StepIndex, Term, Verb},
    report::{self, Format, Keeping, Terms},
};
use stage::{Shape, ms};

const ROUNDS: usize = 21;
const STEPS: u32 = 100;

fn main() {
    // `cargo test --benches` compiles and starts benches; it is not the moment to measure.
    if !std::env::args().any(|word| word == "--bench") {
        return;
    }
    let record = record();
    let controls = app::controls(None).expect("the cross-walk");
    let terms = Terms {
        controls: &controls,
        keeping: Keeping::Kept,
        signature: None,
        sign_offs: &[],
        programme: None,
        observations_only: false,
    };
    let size = serde_json::to_string(&record).expect("JSON").len();
    println!("\na run of {STEPS} steps, {} events, a record of {size} bytes; median of {ROUNDS}", record.events.len());
    let (took, _) = median(|| Redacted::of(&record).expect("a redacted record"));
    println!("{:>12} {took:>10.3} ms", "redact");
    for (name, format) in [
        ("html", Format::Html),
        ("pdf", Format::Pdf),
        ("markdown", Format::Markdown),
        ("json", Format::Json),
        ("junit", Format::Junit),
        ("oscal-ar", Format::OscalResults),
        ("cloudevents", Format::CloudEvents),
    ] {
        let (took, text) = median(|| {
            let redacted = Redacted::of(&record).expect("a redacted record");
            report::write(format, &redacted, &terms).expect("a report")
        });
        println!("{name:>12} {took:>10.3} ms with redaction, {} bytes", text.len());
    }
}

fn median<T>(work: impl Fn() -> T) -> (f64, T) {
    let mut times = Vec::new();
    let mut last = None;
    for _ in 0..ROUNDS {
        let began = Instant::now();
        last = Some(work());
        times.push(ms(began.elapsed()));
    }
    times.sort_by(f64::total_cmp);
    (times[ROUNDS / 2], last.expect("a round"))
}

/// A chain of steps, each acting for a second and done.
fn record() -> Record {
    let plan = Shape::Chain.plan(STEPS, Verb::Command, &stage::bin_true());
    let opened = Opened {
        kind: RunKind::Failover,
        rehearsal: false,
        digest: plan.digest(),
        plan: plan.into(),
        requested_by: Actor::new("anna").unwrap(),
        reason: "fra is down".into(),
        onset: Some(Timestamp::UNIX_EPOCH),
        onset_basis: "own probe".into(),
        noticed: Some(Timestamp::UNIX_EPOCH),
        accepted: Vec::new(),
        cooldown_until: None,
        estimates: Vec::new(),
        version: "bench".into(),
        drill: None,
        scheduled: None,
    };
    let mut bodies = vec![EventBody::Opened(Box::new(opened))];
    for step in 0..STEPS {
        let step = StepIndex(step);
        bodies.push(EventBody::Acting { step, attempt: 1, facts: Facts::default() });
        let mut output = Output::new();
        output.insert("said".into(), "copied 4096 objects to the bucket of dub, none was missing".into());
        bodies.push(EventBody::Done { step, attempt: 1, output, facts: Facts::default() });
    }
    bodies.push(EventBody::Closed { outcome: Outcome::Succeeded });
    let events = (1_u64..).zip(bodies).map(|(seq, body)| {
        let at = Timestamp::UNIX_EPOCH + SignedDuration::from_millis(i64::try_from(seq).unwrap() * 500);
        Event { seq, term: Term(1), at, body }
    });
    Record::of(&"bench-1".parse().unwrap(), events.collect()).expect("a record")
}
