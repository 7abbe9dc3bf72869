//! Where the recovery time goes, and what is said when it was not seen.

use super::*;

#[test]
fn the_phases_of_a_run_follow_one_another() {
    let run = events(&[did(0, 6.0, 8.0), did(1, 8.0, 9.5), did(2, 9.5, 9.625), did(3, 9.75, 12.0)]);
    let record = record(story(four()), run);
    assert_eq!(phases(&record), [4000, 2000, 2000, 1500, 125, 2375, 12_000]);
    let time = &record.measures.recovery_time;
    assert_eq!((time.basis.as_str(), time.restored_by[0].as_str()), ("observer report", "serving"));
    assert_eq!((time.verdict, time.interruption_ms), (Verdict::Met, Some(6000)));
}

#[test]
fn time_belongs_to_the_earliest_phase_that_is_still_unfinished() {
    let plan = || {
        vec![
            step("fence-db", Verb::DatabaseFence, &[]),
            step("copy", Verb::StorageCatchUp, &[]),
            step("promote-db", Verb::DatabasePromote, &[0]),
            step("dns", Verb::DnsSwitch, &[1, 2]),
            step("serving", Verb::ProbeAwait, &[3]),
        ]
    };
    // (fence, copy, promote, dns, serving) and the phases that follow.
    let table = [
        ("the fence outlasts the copy", [(6., 10.), (6., 8.), (10., 11.), (11., 12.), (12., 13.)], [4, 2, 4, 1, 1, 1]),
        ("the copy outlasts the fence", [(6., 8.), (6., 12.), (8., 9.), (12., 13.), (13., 14.)], [4, 2, 2, 4, 1, 1]),
        ("the copy starts first", [(7., 8.), (6., 7.), (8., 9.), (9., 10.), (10., 11.)], [4, 2, 2, 1, 1, 1]),
        ("nothing takes time", [(6., 6.), (6., 6.), (6., 6.), (6., 6.), (6., 6.)], [4, 2, 0, 0, 0, 0]),
    ];
    for (name, times, expected) in table {
        let spans: Vec<_> = (0..).zip(times).map(|(step, (from, to))| did(step, from, to)).collect();
        let record = record(story(plan()), events(&spans));
        assert_eq!(phases(&record)[..6], expected.map(|seconds| seconds * 1000), "{name}");
    }
}

#[test]
fn waiting_for_an_approval_is_deciding_and_a_notification_afterwards_is_nothing() {
    let plan = vec![
        step("ask", Verb::Approve, &[]),
        step("promote-db", Verb::DatabasePromote, &[0]),
        step("serving", Verb::ProbeAwait, &[1]),
        step("tell", Verb::Command, &[2]),
    ];
    let run = events(&[did(0, 6.0, 60.0), did(1, 60.0, 61.0), did(2, 61.0, 62.0), did(3, 62.0, 90.0)]);
    assert_eq!(phases(&record(story(plan), run)), [4000, 56_000, 0, 1000, 0, 1000, 62_000]);
}

#[test]
fn a_fence_that_was_tried_again_is_one_fence() {
    let again = EventBody::Failed {
        step: StepIndex(0),
        attempt: 1,
        why: "connection refused".into(),
        retry_at: Some(at(7.5)),
        passed_over: false,
    };
    let second = EventBody::Acting { step: StepIndex(0), attempt: 2, facts: Facts::default() };
    let mut run = vec![(6.0, acting(0)), (7.0, again), (7.5, second), (9.0, done(0))];
    run.extend(events(&[did(1, 9.0, 10.0), did(2, 10.0, 11.0), did(3, 11.0, 12.0)]));
    let record = record(story(four()), run);
    assert_eq!(phases(&record), [4000, 2000, 3000, 1000, 1000, 1000, 12_000]);
    assert_eq!((record.steps[0].attempts, record.steps[0].seconds), (2, Some(3.0)));
    assert_eq!(record.exceptions, []);
}

#[test]
fn a_fence_that_was_passed_over_ends_with_its_failure() {
    let mut run = vec![(6.0, acting(0)), (9.0, failed(0, true))];
    run.extend(events(&[did(1, 9.5, 10.0), did(2, 10.0, 11.0), did(3, 11.0, 12.0)]));
    let record = record(story(four()), run);
    assert_eq!(phases(&record), [4000, 2000, 3000, 1000, 1000, 1000, 12_000]);
    assert_eq!(record.exceptions[0].what, "failed and passed over: refused");
}

#[test]
fn what_was_already_so_takes_no_time() {
    let already =
        |step| EventBody::Done { step: StepIndex(step), attempt: 0, output: Output::new(), facts: Facts::default() };
    let run = vec![(6.0, already(0)), (6.0, already(1)), (6.5, already(2)), (7.0, already(3))];
    let record = record(story(four()), run);
    assert_eq!(phases(&record), [4000, 2000, 0, 0, 500, 500, 7000]);
    assert_eq!((record.steps[1].attempts, record.steps[1].seconds), (0, Some(0.0)));
    assert_eq!(record.measures.overhead.per_step_us, None);
}

#[test]
fn a_clock_that_jumps_back_makes_a_phase_zero_and_never_negative() {
    let run = vec![
        (6.0, acting(0)),
        (8.0, done(0)),
        (3.0, acting(1)),
        (2.0, done(1)),
        (9.0, acting(2)),
        (10.0, done(2)),
        (10.0, acting(3)),
        (1.0, done(3)),
    ];
    assert_eq!(phases(&record(story(four()), run.clone())), [4000, 2000, 2000, 0, 2000, 0, 10_000]);
    // An onset after everything else is counted from the first event.
    let late = Opened { onset: Some(at(100.0)), noticed: Some(at(200.0)), ..story(four()) };
    assert_eq!(phases(&record(late, run)), [1000, 0, 2000, 0, 2000, 0, 5000]);
}

#[test]
fn without_a_probe_the_last_step_that_verifies_or_routes_restores() {
    let run = |steps: Vec<PlanStep>| {
        let spans: Vec<_> = (0..).zip(&steps).map(|(n, _)| did(n, 6.0 + f64::from(n), 7.0 + f64::from(n))).collect();
        let record = record(story(steps), events(&spans));
        let by: Vec<_> =
            record.measures.recovery_time.restored_by.iter().map(|name| name.as_str().to_owned()).collect();
        (by.join(" "), record.measures.recovery_time.total_ms)
    };
    let fence = || step("fence-db", Verb::DatabaseFence, &[]);
    let promote = || step("promote-db", Verb::DatabasePromote, &[0]);
    let dns = || step("dns", Verb::DnsSwitch, &[1]);
    let verify = |needs| step("dns-verify", Verb::DnsVerify, needs);
    let table = [
        (vec![fence(), promote()], "promote-db", 8000),
        (vec![fence(), promote(), dns()], "dns", 9000),
        (vec![fence(), promote(), dns(), verify(&[2])], "dns-verify", 10_000),
        (vec![fence(), promote(), step("serving", Verb::ProbeAwait, &[1]), verify(&[2])], "serving", 9000),
        // What waits for the reversed replication comes after recovery.
        (vec![fence(), promote(), dns(), step("reverse", Verb::DatabaseReverse, &[1]), verify(&[3])], "dns", 9000),
    ];
    for (steps, by, total) in table {
        assert_eq!(run(steps), (by.to_owned(), Some(total)));
    }
    // A destination that first becomes a replica again is ahead of the recovery.
    let mut rejoin = step("rejoin-db", Verb::DatabaseReverse, &[]);
    rejoin.with.insert("member".into(), "destination".into());
    let fence = step("fence-db", Verb::DatabaseFence, &[0]);
    let steps =
        vec![rejoin, fence, step("promote-db", Verb::DatabasePromote, &[1]), step("dns", Verb::DnsSwitch, &[2])];
    assert_eq!(run(steps), ("dns".to_owned(), Some(10_000)));
}

#[test]
fn health_that_was_not_seen_restored_is_unknown_until_the_objective_is_over() {
    let run = |until: f64| {
        let mut run = events(&[did(0, 6.0, 8.0), did(1, 8.0, 9.0), did(2, 9.0, 10.0)]);
        run.extend([(10.0, acting(3)), (until, failed(3, false)), (until, closed(Outcome::Failed))]);
        record(story(four()), run)
    };
    let (early, late) = (run(70.0), run(301.0));
    assert_eq!(phases(&early), Vec::<u64>::new());
    assert_eq!(early.measures.recovery_time.verdict, Verdict::Unknown);
    assert_eq!(early.measures.recovery_time.note, "health was not seen restored");
    assert_eq!(late.measures.recovery_time.verdict, Verdict::Missed);
}

#[test]
fn a_recovery_time_without_an_onset_is_never_called_met() {
    let run = |late: f64| events(&[did(0, 6.0, 8.0), did(1, 8.0, 9.0), did(2, 9.0, 10.0), did(3, 10.0, late)]);
    let unknown = || Opened { onset: None, ..story(four()) };
    // (what is known, when it was restored, verdict, basis)
    let table = [
        (unknown(), 12.0, Verdict::Unknown, "noticed; the onset is not known"),
        (Opened { noticed: None, ..unknown() }, 12.0, Verdict::Unknown, "run opened; the onset is not known"),
        (unknown(), 400.0, Verdict::Missed, "noticed; the onset is not known"),
        (
            Opened { kind: RunKind::Switchover, ..unknown() },
            12.0,
            Verdict::Met,
            "first fence; a planned run interrupts nothing before it",
        ),
        (story(four()), 300.0, Verdict::Met, "observer report"),
        (story(four()), 300.001, Verdict::Missed, "observer report"),
    ];
    for (opened, late, verdict, basis) in table {
        let time = record(opened, run(late)).measures.recovery_time;
        assert_eq!((time.verdict, time.basis.as_str()), (verdict, basis), "restored after {late} s");
    }
}
