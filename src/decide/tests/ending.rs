//! Tables: how a run is taken back, stopped, rehearsed, and ended.

use super::*;

#[test]
fn unwinding_undoes_what_was_applied_in_reverse_and_leaves_what_was_already_so() {
    let steps = vec![
        step("fence-a", Verb::DatabaseFence, &[]),
        step("fence-b", Verb::StorageFence, &[0]),
        step("dns", Verb::DnsSwitch, &[1]),
    ];
    let mut run = run(opened(plan(steps)));
    then(&mut run, acting(0));
    then(&mut run, done(0, true));
    then(&mut run, acting(1));
    then(&mut run, done(1, true));
    then(&mut run, EventBody::Done { step: StepIndex(2), attempt: 0, output: Output::new(), facts: Facts::default() });
    then(&mut run, EventBody::Unwinding { why: "test".into() });
    let mut undone = Vec::new();
    loop {
        let decided = next(&run, &world());
        for body in &decided.record {
            then(&mut run, body.clone());
        }
        match decided.undo {
            Some(step) => {
                undone.push(step.0);
                then(&mut run, EventBody::Undone { step, output: Output::new() });
            }
            None => break,
        }
    }
    assert_eq!(undone, [1, 0]);
    assert_eq!(run.closed(), Some(Outcome::Unwound));
}

#[test]
fn a_failed_undo_is_stuck_and_waits_for_a_person() {
    let mut run = fenced(true);
    then(&mut run, EventBody::Unwinding { why: "test".into() });
    then(&mut run, EventBody::Undoing { step: StepIndex(0) });
    then(&mut run, EventBody::Stuck { step: StepIndex(0), why: "no".into() });
    let decided = next(&run, &world()).record;
    assert_eq!(decided, [EventBody::Paused { reason: PauseReason::UndoStuck { step: StepIndex(0) } }]);
    let retry = order("bob", CommandBody::Retry { step: StepName::new("fence-db").unwrap() });
    assert_eq!(obey(&run, &retry, &Proof::Unsigned), None);
    then(&mut run, decided[0].clone());
    then(&mut run, EventBody::Commanded { inbox: 1, command: retry, refused: None });
    assert_eq!(next(&run, &world()).undo, Some(StepIndex(0)));
}

#[test]
fn a_rehearsal_is_not_stopped_by_what_its_simulated_steps_would_have_cured() {
    let mut opened = opened(plan(steps()));
    opened.rehearsal = true;
    let mut run = run(opened);
    then(&mut run, acting(0));
    then(&mut run, done(0, false));
    let mut seen = facts(Role::Primary, Role::Standby);
    assert_eq!(promote_gate(&run, &seen), [""; 0]);
    seen.loss = Some(Loss { seconds: Some(99.0), amount: Some(9), unit: "bytes".into(), basis: "lag".into() });
    assert_eq!(promote_gate(&run, &seen), ["loss beyond objective"], "what a failover would meet is still said");
}

#[test]
fn a_stop_pauses_whatever_a_run_is_doing_and_the_resume_goes_on_from_there() {
    let by = Actor::new("ana").unwrap();
    let stop = StopOrder { group: None, stops: true, by: by.clone(), reason: "look".into(), at: T0 };
    let paused = EventBody::Paused { reason: PauseReason::Stopped { by, reason: "look".into() } };
    let stopped = World { stopped: Some(stop), parallel: 8, ..World::default() };
    let cancel = CommandBody::Cancel { unwind: true };
    for (story, orders) in [("running", vec![]), ("unwinding", vec![cancel])] {
        let mut run = fenced(true);
        for body in orders {
            then(&mut run, EventBody::Commanded { inbox: 1, command: order("bob", body), refused: None });
        }
        let before = run.state.clone();
        let next = next(&run, &stopped);
        assert_eq!((next.record, next.observe, next.act), (vec![paused.clone()], vec![], vec![]), "{story}");
        then(&mut run, paused.clone());
        let rest = super::next(&run, &stopped);
        assert!(matches!(rest.rest, Some(Rest::Paused(PauseReason::Stopped { .. }))), "{story}: {rest:?}");
        let resume = order("bob", CommandBody::Resume);
        then(&mut run, EventBody::Commanded { inbox: 2, command: resume, refused: None });
        assert_eq!(run.state, before, "{story}");
    }
}

#[test]
fn a_step_left_out_before_its_turn_lets_nobody_overtake_what_comes_ahead_of_it() {
    let mut steps = steps();
    steps.insert(2, step("verify-db", Verb::DatabaseVerify, &[1]));
    steps[3].needs = vec![StepIndex(2)];
    let mut run = run(opened(plan(steps)));
    let skip = order("bob", CommandBody::Skip { step: StepName::new("verify-db").unwrap() });
    assert_eq!(obey(&run, &skip, &Proof::Unsigned), None);
    then(&mut run, EventBody::Commanded { inbox: 1, command: skip, refused: None });
    assert_eq!(
        next(&run, &world()).observe,
        [StepIndex(0)],
        "the name waits for the promotion, not only for its proof"
    );
    then(&mut run, acting(0));
    then(&mut run, done(0, true));
    then(&mut run, acting(1));
    then(&mut run, done(1, false));
    assert_eq!(next(&run, &world()).observe, [StepIndex(3)]);
}

#[test]
fn a_rest_and_a_look_last_as_long_as_they_may_and_not_until_another_clock_agrees() {
    for (hours, waits) in [(0, true), (2, false)] {
        let mut run = run(opened(plan(steps())));
        then(&mut run, acting(0));
        let until = T0 + SignedDuration::from_hours(hours) + SignedDuration::from_secs(2);
        let why = "refused".to_owned();
        let failed =
            EventBody::Failed { step: StepIndex(0), attempt: 1, why, retry_at: Some(until), passed_over: false };
        then(&mut run, failed);
        let decided = next(&run, &world());
        assert_eq!((decided.wake_at.is_some(), decided.observe.is_empty()), (waits, waits), "a rest of {hours} h");

        let looked = Look { count: 1, again: until, why: "no answer".into() };
        let mut world = World { looks: [(StepIndex(0), looked)].into(), ..world() };
        let waiting = self::run(opened(plan(steps())));
        assert_eq!(next(&waiting, &world).observe.is_empty(), waits, "a look again in {hours} h");
        let mut unsure = self::run(opened(plan(steps())));
        then(&mut unsure, acting(0));
        then(&mut unsure, EventBody::Lost { step: StepIndex(0), attempt: 1, why: "no answer".into() });
        world.now = T0;
        assert_eq!(next(&unsure, &world).observe.is_empty(), waits, "a look at a doubt again in {hours} h");
    }
}

#[test]
fn a_run_cancelled_while_a_step_is_being_undone_finishes_that_undo_and_begins_no_other() {
    let steps = vec![step("fence-a", Verb::DatabaseFence, &[]), step("fence-b", Verb::StorageFence, &[0])];
    let mut run = run(opened(plan(steps)));
    for index in [0, 1] {
        then(&mut run, acting(index));
        then(&mut run, done(index, true));
    }
    then(&mut run, EventBody::Unwinding { why: "test".into() });
    then(&mut run, EventBody::Undoing { step: StepIndex(1) });
    let cancel = order("bob", CommandBody::Cancel { unwind: false });
    then(&mut run, EventBody::Commanded { inbox: 1, command: cancel, refused: None });
    then(&mut run, EventBody::TakenOver { holder: "another/1".into() });
    let busy = World { busy: [StepIndex(1)].into(), ..world() };
    assert_eq!(next(&run, &busy), Next::default(), "it is under way");
    let decided = next(&run, &world());
    assert_eq!((decided.undo, decided.record.len()), (Some(StepIndex(1)), 1));
    then(&mut run, decided.record[0].clone());
    then(&mut run, EventBody::Undone { step: StepIndex(1), output: Output::new() });
    assert_eq!(next(&run, &world()).record, [EventBody::Closed { outcome: Outcome::Cancelled }]);
}
