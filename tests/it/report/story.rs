//! The runs that are reported, from journals written by hand.

use jiff::{SignedDuration, Timestamp};
use lifeboat::evidence::Record;

use crate::stage::{sample::*, *};

/// A moment, in seconds after the onset of every story here.
fn at(seconds: f64) -> Timestamp {
    "2026-05-04T03:00:00Z".parse::<Timestamp>().unwrap() + SignedDuration::from_secs_f64(seconds)
}

fn story(steps: Vec<PlanStep>) -> Opened {
    Opened {
        onset: Some(at(0.0)),
        onset_basis: "observer report".into(),
        noticed: Some(at(4.0)),
        estimates: vec![("orders-db".parse().unwrap(), loss(2.5, 4096))],
        version: "0.1.0".into(),
        ..opened(plan(steps))
    }
}

fn loss(seconds: f64, amount: u64) -> Loss {
    Loss { seconds: Some(seconds), amount: Some(amount), unit: "bytes".into(), basis: "last marker".into() }
}

/// Fence, promote, switch the name, wait for the probe.
fn four() -> Vec<PlanStep> {
    let mut four = steps();
    four.push(step("serving", Verb::ProbeAwait, &[2]));
    four
}

pub(crate) fn record(opened: Opened, rest: Vec<(f64, EventBody)>) -> Record {
    let all = std::iter::once((5.0, EventBody::Opened(Box::new(opened)))).chain(rest);
    let events = (1..).zip(all).map(|(seq, (seconds, body))| Event { seq, term: Term(1), at: at(seconds), body });
    Record::of(&"orders-17".parse().unwrap(), events.collect()).unwrap()
}

fn told(seconds: f64, who: &str, reason: &str, body: CommandBody) -> (f64, EventBody) {
    let by = Actor::new(who).unwrap();
    let command = Command { by, reason: reason.into(), at: at(seconds), expected_term: None, body, signed: None };
    (seconds, EventBody::Commanded { inbox: 1, command, refused: None })
}

fn done_with(step: u32, facts: Facts, output: &serde_json::Value) -> EventBody {
    let output = output.as_object().cloned().unwrap_or_default();
    EventBody::Done { step: StepIndex(step), attempt: 1, output, facts }
}

fn lost(seconds: f64, amount: u64) -> Facts {
    Facts { loss: Some(loss(seconds, amount)), ..Facts::default() }
}

fn closed(outcome: Outcome) -> EventBody {
    EventBody::Closed { outcome }
}

/// The events until the name is switched.
fn promoted(seconds: f64, amount: u64) -> Vec<(f64, EventBody)> {
    vec![
        (6.0, acting(0)),
        (8.0, done(0, true)),
        (8.0, acting(1)),
        (9.5, done_with(1, lost(seconds, amount), &serde_json::json!({"timeline": 7}))),
    ]
}

/// A real failover: approved by somebody else, a risk accepted, and the name left out by a person.
pub(crate) fn failover() -> Record {
    failover_because("fra is down")
}

pub(crate) fn failover_because(reason: &str) -> Record {
    let asked = StepName::new("ask").unwrap();
    let approved = EventBody::Done { step: StepIndex(4), attempt: 0, output: Output::new(), facts: Facts::default() };
    let mut run = vec![
        (5.2, EventBody::ApprovalAsked { step: StepIndex(4), needed: 1 }),
        told(5.5, "bob", "seen it too", CommandBody::Approve { step: Some(asked) }),
        (5.75, approved),
    ];
    run.extend(promoted(2.25, 8192));
    run.push(told(9.6, "anna", "the customer agreed", CommandBody::Accept { risk: Risk::SkipCooldown }));
    let by = SkippedBy::Person(Actor::new("anna").unwrap());
    run.push((10.0, EventBody::Skipped { step: StepIndex(2), by, why: "names are served elsewhere".into() }));
    run.extend([(10.0, acting(3)), (12.045, done(3, false)), (12.045, closed(Outcome::CompletedWithExceptions))]);
    let mut five = four();
    five.push(step("ask", Verb::Approve, &[]));
    record(Opened { reason: reason.into(), ..story(five) }, run)
}

/// A scheduled rehearsal that went through.
pub(crate) fn rehearsal() -> Record {
    let firing = Firing { schedule: "nightly".parse().unwrap(), instant: at(0.0) };
    let opened = Opened {
        rehearsal: true,
        drill: Some(DrillMode::Rehearse),
        scheduled: Some(firing),
        reason: "nightly rehearsal".into(),
        ..story(four())
    };
    let mut run = promoted(2.25, 8192);
    run.extend([(9.5, acting(2)), (9.75, done(2, false)), (9.75, acting(3)), (11.0, done(3, false))]);
    run.push((11.0, closed(Outcome::Succeeded)));
    record(opened, run)
}

/// A failover whose process was asked to end after the promotion had begun, and whose outcome nobody knows.
pub(crate) fn interrupted() -> Record {
    let why = "the connection was closed before an answer came".into();
    let run = vec![
        (6.0, acting(0)),
        (8.0, done(0, true)),
        (8.0, acting(1)),
        (9.0, EventBody::Lost { step: StepIndex(1), attempt: 1, why }),
        (9.0, EventBody::Paused { reason: PauseReason::Interrupted }),
    ];
    record(story(four()), run)
}

/// A planned move that lost nothing.
pub(crate) fn switchover() -> Record {
    let opened = Opened {
        kind: RunKind::Switchover,
        reason: "maintenance of fra".into(),
        onset: None,
        onset_basis: String::new(),
        noticed: None,
        ..story(four())
    };
    let mut run = promoted(0.0, 0);
    run.extend([(9.5, acting(2)), (9.75, done(2, false)), (9.75, acting(3)), (11.0, done(3, false))]);
    run.push((11.0, closed(Outcome::Succeeded)));
    record(opened, run)
}

/// A failover of which nobody knows when the outage began.
pub(crate) fn without_an_onset() -> Record {
    let opened = Opened { onset: None, onset_basis: String::new(), noticed: None, ..story(four()) };
    let mut run = promoted(2.25, 8192);
    run.extend([(9.5, acting(2)), (9.75, done(2, false)), (9.75, acting(3)), (11.0, done(3, false))]);
    run.push((11.0, closed(Outcome::Succeeded)));
    record(opened, run)
}

/// Messages that hold secrets, in every place where a person or a program may write.
pub(crate) fn talkative(secret: &str) -> Record {
    let mut steps = four();
    steps[0].with.insert("password".into(), secret.into());
    steps[1].manual = Some(format!("psql postgres://app:{secret}@db/orders"));
    let opened = Opened {
        reason: format!("PGPASSWORD={secret} did not work"),
        accepted: vec![Risk::SkipCooldown],
        ..story(steps)
    };
    let key = format!("-----BEGIN PRIVATE KEY-----\n{secret}\n-----END PRIVATE KEY-----");
    let fence = FenceProof { method: "command".into(), effect: format!("Authorization: Bearer {secret}") };
    let divergence = Divergence {
        region: RegionName::new("fra").unwrap(),
        amount: None,
        unit: "transactions".into(),
        positions: format!("token={secret}"),
    };
    let facts = Facts { fence: Some(fence), divergence: Some(divergence), ..Facts::default() };
    let output =
        serde_json::json!({"log": key, "apiKey": secret, "nested": {"url": format!("redis://:{secret}@cache")}});
    let run = vec![
        told(5.5, "bob", &format!("password: {secret}"), CommandBody::Approve { step: None }),
        (6.0, acting(0)),
        (8.0, done_with(0, facts, &output)),
        (8.0, acting(1)),
        (9.0, EventBody::Lost { step: StepIndex(1), attempt: 1, why: format!("https://app:{secret}@db refused") }),
        (
            9.0,
            EventBody::Paused {
                reason: PauseReason::Stopped { by: Actor::new("anna").unwrap(), reason: format!("secret={secret}") },
            },
        ),
    ];
    record(opened, run)
}

/// A chain of steps, each done in half a second; one of them says more than a page holds, in scripts that few fonts have.
pub(crate) fn long(count: u32) -> Record {
    let steps = (0..count).map(|at| {
        let needs: Vec<u32> = at.checked_sub(1).into_iter().collect();
        step(&format!("copy-objects-{at:03}"), Verb::Command, &needs)
    });
    let mut run = Vec::new();
    let mut seconds = 6.0;
    for at in 0..count {
        run.push((seconds, acting(at)));
        seconds += 0.5;
        let said =
            if at == 1 { "all 4096 objects of 上海 arrived; ".repeat(200) } else { "copied 4096 objects".into() };
        run.push((seconds, done_with(at, Facts::default(), &serde_json::json!({ "said": said }))));
    }
    run.push((seconds, closed(Outcome::Succeeded)));
    record(story(steps.collect()), run)
}
