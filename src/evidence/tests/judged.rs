//! The verdict on a run, and what passes the door of redaction.

use super::*;

/// The verdict, and the findings as `severity what`.
fn judged(record: &Record) -> (&'static str, Vec<String>) {
    let judged = Judgement::of(record);
    let findings = judged.findings.iter().map(|found| format!("{} {}", found.severity.as_str(), found.what)).collect();
    (judged.verdict.as_str(), findings)
}

/// All four steps went well, and the promotion lost `seconds`.
fn well(seconds: f64) -> Vec<(f64, EventBody)> {
    let facts = Facts { loss: Some(loss(Some(seconds), Some(9))), ..Facts::default() };
    let mut run = events(&[did(0, 6.0, 8.0)]);
    run.extend([(8.0, acting(1)), (9.0, done_with(1, facts))]);
    run.extend(events(&[did(2, 9.0, 10.0), did(3, 10.0, 11.0)]));
    run
}

#[test]
fn a_run_passes_only_when_it_kept_every_promise() {
    let ended = |opened: Opened, mut run: Vec<(f64, EventBody)>, outcome| {
        run.push((12.0, closed(outcome)));
        judged(&record(opened, run))
    };
    let real = || story(four());
    let rehearsed = || Opened { rehearsal: true, ..real() };
    let slow = || Opened { onset: Some(at(-600.0)), ..real() };
    let unnoticed = || Opened { onset: None, ..real() };
    let risky = || Opened { accepted: vec![Risk::SkipCooldown], ..real() };
    let person = SkippedBy::Person(Actor::new("ben").unwrap());
    let left_out = EventBody::Skipped { step: StepIndex(2), by: person, why: "served elsewhere".into() };
    let mut without = well(2.0);
    without.splice(4..6, [(9.0, left_out)]);
    let mut passed_over = well(2.0);
    passed_over[5] = (10.0, failed(2, true));
    let succeeded = Outcome::Succeeded;
    let table: Vec<(_, &str, Vec<&str>)> = vec![
        (ended(real(), well(2.0), succeeded), "passed", vec![]),
        (ended(rehearsed(), well(2.0), succeeded), "passed", vec![]),
        (ended(real(), well(10.5), succeeded), "failed", vec!["high the data loss is beyond its objective of 10 s"]),
        (
            ended(slow(), well(2.0), succeeded),
            "failed",
            vec!["high the recovery time is beyond its objective of 300 s"],
        ),
        (
            ended(unnoticed(), well(2.0), succeeded),
            "inconclusive",
            vec!["medium the recovery time was not measured: the onset of the outage is not known"],
        ),
        (ended(risky(), well(2.0), succeeded), "passed_with_findings", vec!["low anna accepted the risk SkipCooldown"]),
        (
            ended(real(), without, Outcome::CompletedWithExceptions),
            "passed_with_findings",
            vec!["medium step dns: left out by ben: served elsewhere"],
        ),
        (
            ended(real(), passed_over.clone(), Outcome::CompletedWithExceptions),
            "passed_with_findings",
            vec!["high step dns: failed and passed over: refused"],
        ),
        // The same step, and nobody passed over it.
        (
            ended(real(), passed_over, Outcome::Failed),
            "failed",
            vec!["high the run ended on a failure", "high step dns: failed and passed over: refused"],
        ),
        (ended(real(), well(2.0), Outcome::Unwound), "failed", vec!["high what the run had done was taken back"]),
        (
            ended(real(), well(2.0), Outcome::Cancelled),
            "inconclusive",
            vec!["medium a person ended the run before its end"],
        ),
        (judged(&record(real(), well(2.0))), "inconclusive", vec!["medium the run is not closed"]),
    ];
    for (row, (found, verdict, findings)) in table.into_iter().enumerate() {
        assert_eq!(found, (verdict, findings.into_iter().map(String::from).collect()), "row {row}");
    }
}

#[test]
fn a_secret_of_a_record_does_not_pass_the_door() {
    let why = "postgres://app:hunter2@db/orders: password authentication failed".to_owned();
    let lost = EventBody::Lost { step: StepIndex(0), attempt: 1, why };
    let opened = Opened { reason: "PGPASSWORD=hunter2 is wrong".into(), ..story(four()) };
    let record = record(opened, vec![(6.0, acting(0)), (7.0, lost)]);
    let redacted = Redacted::of(&record).unwrap();
    let text = serde_json::to_string(redacted.record()).unwrap();
    assert!(!text.contains("hunter2"), "{text}");
    assert_eq!(redacted.digest(), &crate::model::Digest::of(serde_json::to_string(&record).unwrap().as_bytes()));
    let listed: Vec<_> = redacted.redactions().iter().map(|out| format!("{} {}", out.path, out.rule)).collect();
    for expected in ["/reason key-value", "/steps/0/why url-password", "/events/2/why url-password"] {
        assert!(listed.iter().any(|found| found == expected), "no {expected} in {listed:?}");
    }
}

#[test]
fn a_record_without_secrets_passes_the_door_as_it_is() {
    let record = record(story(four()), well(2.0));
    let redacted = Redacted::of(&record).unwrap();
    assert_eq!((redacted.record(), redacted.redactions()), (&record, &[][..]));
}

#[test]
fn a_promotion_whose_outcome_is_not_known_is_not_called_none() {
    let lost = EventBody::Lost { step: StepIndex(1), attempt: 1, why: "timeout".into() };
    let run = events(&[did(0, 6.0, 8.0)]);
    let before = record(story(four()), run.clone()).measures.recovery_point;
    assert_eq!((before.verdict, before.note.as_str()), (Verdict::Unknown, "nothing was promoted"));
    let run = run.into_iter().chain([(8.0, acting(1)), (9.0, lost)]).collect();
    let after = record(story(four()), run).measures.recovery_point;
    assert_eq!(
        (after.verdict, after.note.as_str()),
        (Verdict::Unknown, "nobody can tell whether anything was promoted")
    );
}
