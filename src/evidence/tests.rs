//! Journals, and what is made of them.

mod judged;
mod phases;

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

use super::*;
use crate::model::{
    Actor, Command, CommandBody, Event, EventBody, Facts, FenceProof, Loss, Opened, Outcome, Output, Phase, PlanStep,
    Risk, Run, RunId, RunKind, SkippedBy, StepIndex, StepName, Term, Verb,
    sample::{opened, order, plan, step, steps},
};

/// A moment, in seconds after the onset of every story here.
fn at(seconds: f64) -> Timestamp {
    "2026-05-04T03:00:00Z".parse::<Timestamp>().unwrap() + SignedDuration::from_secs_f64(seconds)
}

fn id() -> RunId {
    "orders-1".parse().unwrap()
}

/// Noticed after 4 s, opened after 5 s.
fn story(steps: Vec<PlanStep>) -> Opened {
    Opened {
        onset: Some(at(0.0)),
        onset_basis: "observer report".into(),
        noticed: Some(at(4.0)),
        estimates: vec![("orders-db".parse().unwrap(), loss(Some(2.5), Some(4096)))],
        ..opened(plan(steps))
    }
}

fn loss(seconds: Option<f64>, amount: Option<u64>) -> Loss {
    Loss { seconds, amount, unit: "bytes".into(), basis: "last marker".into() }
}

fn journal(opened: Opened, rest: Vec<(f64, EventBody)>) -> Vec<Event> {
    let all = std::iter::once((5.0, EventBody::Opened(Box::new(opened)))).chain(rest);
    (1..).zip(all).map(|(seq, (seconds, body))| Event { seq, term: Term(1), at: at(seconds), body }).collect()
}

fn record(opened: Opened, rest: Vec<(f64, EventBody)>) -> Record {
    Record::of(&id(), journal(opened, rest)).unwrap()
}

fn acting(step: u32) -> EventBody {
    EventBody::Acting { step: StepIndex(step), attempt: 1, facts: Facts::default() }
}

fn done_with(step: u32, facts: Facts) -> EventBody {
    EventBody::Done { step: StepIndex(step), attempt: 1, output: Output::new(), facts }
}

fn done(step: u32) -> EventBody {
    done_with(step, Facts::default())
}

fn failed(step: u32, passed_over: bool) -> EventBody {
    EventBody::Failed { step: StepIndex(step), attempt: 1, why: "refused".into(), retry_at: None, passed_over }
}

fn closed(outcome: Outcome) -> EventBody {
    EventBody::Closed { outcome }
}

fn told(seconds: f64, who: &str, reason: &str, body: CommandBody) -> (f64, EventBody) {
    let command = Command {
        by: Actor::new(who).unwrap(),
        reason: reason.into(),
        at: at(seconds),
        expected_term: None,
        body,
        signed: None,
    };
    (seconds, EventBody::Commanded { inbox: 1, command, refused: None })
}

/// A step's intent and its end.
fn did(step: u32, from: f64, to: f64) -> [(f64, EventBody); 2] {
    [(from, acting(step)), (to, done(step))]
}

/// Events of several steps in the order of their times.
fn events(steps: &[[(f64, EventBody); 2]]) -> Vec<(f64, EventBody)> {
    let mut all: Vec<_> = steps.iter().flatten().cloned().collect();
    all.sort_by(|(a, _), (b, _)| a.total_cmp(b));
    all
}

/// Fence, promote, switch the name, wait for the probe.
fn four() -> Vec<PlanStep> {
    let mut four = steps();
    four.push(step("serving", Verb::ProbeAwait, &[2]));
    four
}

/// detect, decide, fence, promote, route, verify, and the sum, in milliseconds.
fn phases(record: &Record) -> Vec<u64> {
    let time = &record.measures.recovery_time;
    let mut spans: Vec<u64> = time.phases.iter().map(|span| span.ms).collect();
    assert_eq!(time.total_ms, (!spans.is_empty()).then(|| spans.iter().sum()));
    assert!(spans.is_empty() || time.phases.iter().map(|span| span.phase).eq(Phase::ALL));
    spans.extend(time.total_ms);
    spans
}

#[test]
fn loss_is_judged_for_each_target_and_the_worst_decides() {
    let plan = || {
        vec![
            step("promote-db", Verb::DatabasePromote, &[]),
            step("promote-files", Verb::StoragePromote, &[]),
            step("serving", Verb::ProbeAwait, &[0, 1]),
        ]
    };
    let run = |db: Option<Loss>, files: Option<Loss>| {
        let facts = |loss| Facts { loss, ..Facts::default() };
        let mut run = vec![(6.0, acting(0)), (7.0, acting(1)), (8.0, done_with(0, facts(db)))];
        run.extend([(9.0, done_with(1, facts(files))), (9.0, acting(2)), (9.5, done(2))]);
        record(story(plan()), run).measures.recovery_point
    };
    let some = |seconds, amount| Some(loss(seconds, amount));
    // The objective is 10 s. (database, files, verdict, worst)
    let table = [
        (some(Some(0.0), Some(0)), some(Some(3.0), Some(7)), Verdict::Met, Some("uploads")),
        (some(Some(10.0), Some(9)), some(Some(3.0), None), Verdict::Met, Some("orders-db")),
        (some(Some(10.5), Some(9)), some(Some(3.0), None), Verdict::Missed, Some("orders-db")),
        (some(Some(2.0), Some(9)), None, Verdict::Unknown, Some("orders-db")),
        (some(Some(11.0), Some(9)), None, Verdict::Missed, Some("orders-db")),
        (some(None, Some(9)), some(None, Some(9)), Verdict::Unknown, None),
        // Nothing was missing, however old the newest write was.
        (some(Some(900.0), Some(0)), some(None, Some(0)), Verdict::Met, Some("orders-db")),
    ];
    for (db, files, verdict, worst) in table {
        let point = run(db.clone(), files.clone());
        assert_eq!(point.verdict, verdict, "{db:?} {files:?}");
        assert_eq!(point.worst.as_ref().map(crate::model::TargetName::as_str), worst, "{db:?} {files:?}");
        assert_eq!(point.targets.len(), 2);
    }
}

#[test]
fn a_loss_that_only_the_output_states_counts() {
    let output = serde_json::from_str(r#"{"lost_seconds": 12.5, "lost_bytes": 77}"#).unwrap();
    let promoted = EventBody::Done { step: StepIndex(1), attempt: 1, output, facts: Facts::default() };
    let point = record(story(four()), vec![(6.0, acting(1)), (7.0, promoted)]).measures.recovery_point;
    let lost = point.targets[0].loss.clone().unwrap();
    assert_eq!((lost.seconds, lost.amount, lost.unit.as_str()), (Some(12.5), Some(77), "bytes"));
    assert_eq!(point.verdict, Verdict::Missed);
}

#[test]
fn a_rehearsal_measures_no_loss_and_meets_no_objective() {
    let rehearsal = Opened { rehearsal: true, ..story(four()) };
    let facts = Facts { loss: Some(loss(Some(1.0), Some(5))), ..Facts::default() };
    let mut run = events(&[did(0, 6.0, 8.0)]);
    run.extend([(8.0, acting(1)), (9.0, done_with(1, facts))]);
    run.extend(events(&[did(2, 9.0, 10.0), did(3, 10.0, 11.0)]));
    let record = record(rehearsal, run);
    assert_eq!(record.measures.recovery_point.targets, []);
    assert_eq!(record.measures.recovery_point.verdict, Verdict::Unknown);
    assert_eq!(record.measures.recovery_time.verdict, Verdict::Unknown);
    let rows = render(&record.timeline().unwrap());
    assert!(!rows.contains("lost"), "{rows}");
}

#[test]
fn overhead_is_the_run_without_its_longest_chain_of_acts() {
    let plan = vec![
        step("fence-db", Verb::DatabaseFence, &[]),
        step("copy", Verb::StorageCatchUp, &[]),
        step("promote-db", Verb::DatabasePromote, &[0]),
        step("serving", Verb::ProbeAwait, &[1, 2]),
    ];
    // Opened at 5; the copy (1 s) is off the chain of 2 + 1 + 1 s.
    let run = events(&[did(0, 5.25, 7.25), did(1, 5.25, 6.25), did(2, 7.5, 8.5), did(3, 8.5, 9.5)]);
    let overhead = record(story(plan), run).measures.overhead;
    assert_eq!((overhead.run_us, overhead.drivers_us, overhead.overhead_us), (4_500_000, 4_000_000, 500_000));
    assert_eq!(
        overhead.critical_path.iter().map(StepName::as_str).collect::<Vec<_>>(),
        ["fence-db", "promote-db", "serving"]
    );
    assert_eq!(overhead.per_step_us, Some(166_666));
}

/// A failover with everything in it: two persons, an accepted risk, a fence with proof, a step left out.
fn eventful() -> Vec<Event> {
    let fence = FenceProof { method: "readOnly".into(), effect: "a write was refused with SQLSTATE 25006".into() };
    let proof = Facts { fence: Some(fence), ..Facts::default() };
    let lost = |seconds| Facts { loss: Some(loss(Some(seconds), Some(8192))), ..Facts::default() };
    let promote = EventBody::Acting { step: StepIndex(1), attempt: 1, facts: lost(11.0) };
    let dns = || StepName::new("dns").unwrap();
    let mut refused = order("eve", CommandBody::Cancel { unwind: true });
    refused.at = at(9.5);
    let opened = Opened { accepted: vec![Risk::SkipCooldown], ..story(four()) };
    journal(
        opened,
        vec![
            told(5.5, "ben", "", CommandBody::Approve { step: None }),
            (6.0, acting(0)),
            (8.0, done_with(0, proof)),
            told(8.5, "ben", "the customer agreed", CommandBody::Accept { risk: Risk::DataLoss }),
            (9.0, promote),
            (9.5, EventBody::Commanded { inbox: 3, command: refused, refused: Some("a promotion may be done".into()) }),
            (10.0, done_with(1, lost(12.0))),
            told(11.0, "anna", "names are served elsewhere", CommandBody::Skip { step: dns() }),
            (11.0, acting(3)),
            (12.5, done(3)),
            (12.5, closed(Outcome::CompletedWithExceptions)),
        ],
    )
}

#[test]
fn the_record_says_who_what_when_and_why() {
    let record = Record::of(&id(), eventful()).unwrap();
    assert_eq!((record.api_version.as_str(), record.kind.as_str()), (API_VERSION, KIND));
    assert_eq!((record.run.to_string().as_str(), record.group.as_str()), ("orders-1", "orders"));
    assert_eq!((record.closed_at, record.outcome), (Some(at(12.5)), Some(Outcome::CompletedWithExceptions)));
    assert_eq!((record.requested_by.as_str(), record.reason.as_str()), ("anna", "fra is down"));
    assert_eq!(record.approvals.iter().map(|a| (a.by.as_str(), a.at)).collect::<Vec<_>>(), [("ben", at(5.5))]);
    let accepted: Vec<_> = record.accepted.iter().map(|a| (a.risk, a.by.as_str(), a.reason.as_str())).collect();
    assert_eq!(accepted, [(Risk::SkipCooldown, "anna", "fra is down"), (Risk::DataLoss, "ben", "the customer agreed")]);
    let estimates: Vec<_> =
        record.estimates.iter().map(|e| (e.step.as_ref().map(StepName::as_str), e.at, e.loss.seconds)).collect();
    assert_eq!(estimates, [(None, at(5.0), Some(2.5)), (Some("promote-db"), at(9.0), Some(11.0))]);
    assert_eq!(record.measures.recovery_point.worst_seconds, Some(12.0));
    assert_eq!(record.measures.recovery_point.verdict, Verdict::Missed);
    assert_eq!(record.steps[0].fence.as_ref().unwrap().effect, "a write was refused with SQLSTATE 25006");
    assert_eq!(record.steps[1].seconds, Some(1.0));
    let people: Vec<_> = record.people.iter().map(|p| format!("{}: {}", p.name, p.did.join(", "))).collect();
    assert_eq!(
        people,
        [
            "anna: asked for the failover, left out dns",
            "ben: approved the run, accepted the risk DataLoss",
            "eve: wanted to have the run undone and was refused",
        ]
    );
    assert_eq!(record.exceptions.len(), 1);
    assert_eq!(record.exceptions[0].what, "left out by anna: names are served elsewhere");
    assert!(!record.success);
}

#[test]
fn a_record_is_read_back_as_it_was_written() {
    let record = Record::of(&id(), eventful()).unwrap();
    let text = serde_json::to_string_pretty(&record).unwrap();
    assert_eq!(serde_json::from_str::<Record>(&text).unwrap(), record);
    for word in
        ["\"apiVersion\": \"lifeboat.dev/v1alpha1\"", "\"runKind\": \"failover\"", "\"recoveryTimeSeconds\": 300"]
    {
        assert!(text.contains(word), "{word} is not in {text}");
    }
}

#[test]
fn the_timeline_is_aligned_for_people() {
    let text = render(&Record::of(&id(), eventful()).unwrap().timeline().unwrap());
    insta::assert_snapshot!(text, @r"
     +0.000 s              fra stopped serving (by observer report)
     +4.000 s              noticed
     +5.000 s              failover from fra to dub opened by anna: fra is down
     +5.500 s              ben approved the run
     +6.000 s  fence-db    begins
     +8.000 s  fence-db    done; fenced by readOnly: a write was refused with SQLSTATE 25006
     +8.500 s              ben accepted the risk DataLoss: the customer agreed
     +9.000 s  promote-db  begins
     +9.500 s              eve wanted to have the run undone: because (refused: a promotion may be done)
    +10.000 s  promote-db  done; lost 12.000 s, 8192 bytes (by last marker)
    +11.000 s              anna left out dns: names are served elsewhere
    +11.000 s  serving     begins
    +12.500 s  serving     done
    +12.500 s              completed with exceptions
    ");
}

#[test]
fn text_of_several_lines_stays_in_its_column() {
    let why = "line one\nline two".to_owned();
    let lost = EventBody::Lost { step: StepIndex(0), attempt: 1, why };
    let rows = record(story(four()), vec![(6.0, acting(0)), (7.0, lost)]).timeline().unwrap();
    let text = render(&rows);
    let column = |word: &str| text.lines().find_map(|line| line.find(word)).unwrap();
    assert_eq!(column("line two"), column("the outcome"), "{text}");
}

#[test]
fn a_journal_that_cannot_be_is_no_record() {
    let none = Record::of(&id(), Vec::new()).unwrap_err();
    assert_eq!(none.to_string(), "run orders-1 has no events, so there is nothing to record");
    let mut gap = eventful();
    gap.remove(4);
    assert!(matches!(Record::of(&id(), gap).unwrap_err(), RecordError::Illegal { .. }));
}

#[test]
fn every_way_of_not_succeeding_is_an_exception() {
    let skipped = |by| EventBody::Skipped { step: StepIndex(2), by, why: "why".into() };
    let person = SkippedBy::Person(Actor::new("ben").unwrap());
    let need = SkippedBy::Need(StepName::new("promote-db").unwrap());
    let lost = EventBody::Lost { step: StepIndex(2), attempt: 1, why: "timeout".into() };
    let table: Vec<(Vec<EventBody>, Option<&str>)> = vec![
        (vec![acting(2), done(2)], None),
        (vec![skipped(SkippedBy::When)], None),
        (vec![skipped(SkippedBy::Drill)], None),
        (vec![skipped(person)], Some("left out by ben: why")),
        (vec![skipped(need)], Some("left out, because it needs promote-db: why")),
        (vec![skipped(SkippedBy::End)], Some("not reached: why")),
        (vec![acting(2), failed(2, true)], Some("failed and passed over: refused")),
        (vec![acting(2), failed(2, false)], Some("failed: refused")),
        (vec![], Some("not started")),
        (vec![acting(2)], Some("begun, and its outcome was not recorded")),
        (vec![acting(2), lost], Some("its outcome is not known: timeout")),
    ];
    for (bodies, expected) in table {
        let mut run = events(&[did(0, 6.0, 7.0), did(1, 7.0, 8.0)]);
        run.extend(bodies.into_iter().map(|body| (9.0, body)));
        let open = record(story(steps()), run.clone());
        assert_eq!(open.exceptions.first().map(|e| e.what.as_str()), expected);
        assert!(!open.success, "an open run is no success");
        // Whatever the last event claims.
        run.push((10.0, closed(Outcome::Succeeded)));
        if let Ok(closed) = Record::of(&id(), journal(story(steps()), run)) {
            assert_eq!(closed.success, expected.is_none(), "{expected:?}");
        }
    }
}

fn any_event() -> impl Strategy<Value = EventBody> {
    let step = || 0..4_u32;
    let facts = || {
        prop::option::of((prop::option::of(0.0..20.0), prop::option::of(0..9_u64)))
            .prop_map(|found| Facts { loss: found.map(|(s, a)| loss(s, a)), ..Facts::default() })
    };
    let retry = |step, again: bool| EventBody::Failed {
        step: StepIndex(step),
        attempt: 1,
        why: "x".into(),
        retry_at: again.then(|| at(0.0)),
        passed_over: !again,
    };
    prop_oneof![
        6 => step().prop_map(acting),
        6 => (step(), facts()).prop_map(|(step, facts)| done_with(step, facts)),
        1 => (step(), any::<bool>()).prop_map(move |(step, again)| retry(step, again)),
        1 => step().prop_map(|step| EventBody::Lost { step: StepIndex(step), attempt: 1, why: "x".into() }),
        1 => step().prop_map(|step| EventBody::Skipped { step: StepIndex(step), by: SkippedBy::When, why: "x".into() }),
        1 => step().prop_map(|step| EventBody::Undoing { step: StepIndex(step) }),
        1 => Just(EventBody::Paused { reason: crate::model::PauseReason::Interrupted }),
    ]
}

fn any_plan() -> impl Strategy<Value = Vec<PlanStep>> {
    let verbs = vec![
        Verb::DatabaseFence,
        Verb::DatabasePromote,
        Verb::StorageCatchUp,
        Verb::DnsSwitch,
        Verb::DnsVerify,
        Verb::ProbeAwait,
        Verb::Approve,
        Verb::DatabaseReverse,
    ];
    let step_of = |place: u32, verb: Verb, needs: Vec<bool>| {
        let needs: Vec<u32> = (0..place).zip(needs).filter_map(|(need, yes)| yes.then_some(need)).collect();
        step(&format!("step-{place}"), verb, &needs)
    };
    prop::collection::vec((prop::sample::select(verbs), prop::collection::vec(any::<bool>(), 4)), 4)
        .prop_map(move |rows| (0..).zip(rows).map(|(place, (verb, needs))| step_of(place, verb, needs)).collect())
}

proptest! {
    #[test]
    fn any_legal_journal_is_measured_without_a_gap_and_never_praised(
        plan in any_plan(),
        tried in prop::collection::vec((any_event(), -3.0..30.0_f64), 0..60),
        onset in prop::option::of(-50.0..50.0_f64),
        noticed in prop::option::of(-50.0..50.0_f64),
        rehearsal in any::<bool>(),
        outcome in prop::sample::select(vec![Outcome::Succeeded, Outcome::Failed, Outcome::CompletedWithExceptions]),
    ) {
        let first = Opened { onset: onset.map(at), noticed: noticed.map(at), rehearsal, ..story(plan) };
        let mut events = journal(first, Vec::new());
        let mut run = Run::open(id(), &events[0]).unwrap();
        let mut now = 5.0;
        let ending = std::iter::once((EventBody::Closed { outcome }, 1.0));
        for (body, wait) in tried.into_iter().chain(ending) {
            now += wait;
            let event = Event { seq: run.seq + 1, term: Term(1), at: at(now), body };
            if run.after(&event).is_ok() {
                events.push(event);
            }
        }
        let record = Record::of(&id(), events.clone()).unwrap();
        let time = &record.measures.recovery_time;
        prop_assert_eq!(time.total_ms.is_some(), time.restored_at.is_some());
        prop_assert_eq!(time.total_ms, (!time.phases.is_empty()).then(|| time.phases.iter().map(|span| span.ms).sum()));
        if let (Some(total), Some(restored)) = (time.total_ms, time.restored_at) {
            let exact = restored.duration_since(time.from).as_millis();
            prop_assert_eq!(i128::from(total), exact);
        }
        let overhead = &record.measures.overhead;
        prop_assert_eq!(overhead.drivers_us + overhead.overhead_us, overhead.run_us);
        if rehearsal {
            prop_assert_eq!(time.verdict, Verdict::Unknown);
            prop_assert!(record.measures.recovery_point.targets.is_empty());
        }
        prop_assert!(!record.success || (record.outcome == Some(Outcome::Succeeded) && record.exceptions.is_empty()));
        let judged = Judgement::of(&record);
        prop_assert_eq!(judged.verdict == Conclusion::Passed, judged.findings.is_empty() && record.success);
        if judged.verdict == Conclusion::Passed && !rehearsal {
            prop_assert_eq!((time.verdict, record.measures.recovery_point.verdict), (Verdict::Met, Verdict::Met));
        }
        if [time.verdict, record.measures.recovery_point.verdict].contains(&Verdict::Missed) {
            prop_assert_eq!(judged.verdict, Conclusion::Failed);
        }
        prop_assert_eq!(record.timeline().unwrap().len(), events.len() + usize::from(onset.is_some()) + usize::from(noticed.is_some()));

        // Without its end the run is not ended.
        if record.outcome.is_some() {
            events.pop();
            let open = Record::of(&id(), events).unwrap();
            prop_assert_eq!((open.outcome, open.closed_at, open.success), (None, None, false));
            prop_assert!(matches!(Judgement::of(&open).verdict, Conclusion::Failed | Conclusion::Inconclusive));
        }
    }
}
