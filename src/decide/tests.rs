//! Tables: what is decided in which state of the run and the world.

mod ending;

use jiff::{SignedDuration, Timestamp};

use super::*;
use crate::model::{sample::*, *};

const T0: Timestamp = Timestamp::UNIX_EPOCH;

fn world() -> World {
    World { now: T0, parallel: 64, ..World::default() }
}

/// A run whose fence is done, with or without proof.
fn fenced(proof: bool) -> Run {
    let mut run = run(opened(plan(steps())));
    then(&mut run, acting(0));
    then(&mut run, done(0, proof));
    run
}

fn promote_gate(run: &Run, facts: &Facts) -> Vec<&'static str> {
    gate_of(run, 1, facts)
}

fn gate_of(run: &Run, step: u32, facts: &Facts) -> Vec<&'static str> {
    match gate(run, StepIndex(step), facts, T0) {
        Gate::Open => Vec::new(),
        Gate::Shut(reasons) => reasons.iter().map(name).collect(),
    }
}

fn name(reason: &Blocker) -> &'static str {
    match reason {
        Blocker::NotFenced { .. } => "not fenced",
        Blocker::SourceStillWritable { .. } => "source still writable",
        Blocker::TwoPrimaries { .. } => "two primaries",
        Blocker::LossBeyondObjective { .. } => "loss beyond objective",
        Blocker::LossUnknown { .. } => "loss unknown",
        Blocker::NotCaughtUp { .. } => "not caught up",
        Blocker::ApprovalsMissing { .. } => "approvals missing",
        Blocker::Cooldown { .. } => "cooldown",
        Blocker::DivergentHistory { .. } => "divergent history",
        Blocker::DestinationNotReady { .. } => "destination not ready",
        Blocker::NotReplicating { .. } => "not replicating",
        Blocker::CannotSee { .. } => "cannot see",
        Blocker::Refused { .. } => "refused",
    }
}

fn accept(run: &mut Run, risk: Risk) {
    let command = order("bob", CommandBody::Accept { risk });
    then(run, EventBody::Commanded { inbox: run.inbox + 1, command, refused: None });
}

#[test]
fn promotion_waits_while_the_old_primary_is_not_fenced() {
    let dead = facts(Role::Down("connection refused".into()), Role::Standby);
    assert_eq!(promote_gate(&fenced(false), &dead), ["not fenced"]);
    assert_eq!(promote_gate(&fenced(true), &dead), [""; 0]);
}

#[test]
fn a_person_may_accept_an_unverified_fence_and_nothing_else_by_it() {
    let mut run = fenced(false);
    let dead = facts(Role::Unknown("timeout".into()), Role::Standby);
    accept(&mut run, Risk::DataLoss);
    assert_eq!(promote_gate(&run, &dead), ["not fenced"]);
    accept(&mut run, Risk::UnverifiedFence);
    assert_eq!(promote_gate(&run, &dead), [""; 0]);
}

#[test]
fn a_source_seen_writable_after_its_fence_shuts_the_gate_whatever_was_accepted() {
    let mut run = fenced(true);
    let alive = facts(Role::Primary, Role::Standby);
    assert_eq!(promote_gate(&run, &alive), ["source still writable"]);
    for risk in Risk::ALL {
        accept(&mut run, risk);
    }
    assert_eq!(promote_gate(&run, &alive), ["source still writable"]);
}

#[test]
fn two_primaries_are_an_alarm_that_nobody_can_accept() {
    let mut run = fenced(true);
    for risk in Risk::ALL {
        accept(&mut run, risk);
    }
    let both = facts(Role::Primary, Role::Primary);
    assert_eq!(promote_gate(&run, &both), ["two primaries", "source still writable"]);
}

#[test]
fn loss_is_judged_by_the_objective_and_by_the_kind_of_run() {
    let lose = |seconds, amount| {
        let mut facts = facts(Role::Down("refused".into()), Role::Standby);
        facts.loss = Some(Loss { seconds, amount, unit: "bytes".into(), basis: "last marker".into() });
        facts
    };
    let failover = fenced(true);
    let mut switchover = fenced(true);
    switchover.opened.kind = RunKind::Switchover;
    let table = [
        (Some(0.0), Some(0), "", ""),
        (Some(10.0), Some(9), "", "not caught up"),
        (Some(10.1), Some(9), "loss beyond objective", "not caught up"),
        (Some(10.1), None, "loss beyond objective", "not caught up"),
        (None, Some(9), "loss unknown", "not caught up"),
        (None, None, "loss unknown", "not caught up"),
        (None, Some(0), "", ""),
    ];
    for (seconds, amount, unplanned, planned) in table {
        let facts = lose(seconds, amount);
        assert_eq!(promote_gate(&failover, &facts).join(","), unplanned, "failover {seconds:?} {amount:?}");
        assert_eq!(promote_gate(&switchover, &facts).join(","), planned, "switchover {seconds:?} {amount:?}");
    }
    let mut accepted = fenced(true);
    accept(&mut accepted, Risk::DataLoss);
    assert_eq!(promote_gate(&accepted, &lose(Some(99.0), None)), [""; 0]);
}

#[test]
fn no_estimate_at_all_is_an_unknown_loss() {
    let mut facts = facts(Role::Down("refused".into()), Role::Standby);
    facts.loss = None;
    assert_eq!(promote_gate(&fenced(true), &facts), ["loss unknown"]);
}

#[test]
fn a_storage_is_covered_by_the_proven_fence_of_the_group_s_database() {
    let steps = vec![
        step("fence-db", Verb::DatabaseFence, &[]),
        step("promote-files", Verb::StoragePromote, &[0]),
        step("promote-alone", Verb::StoragePromote, &[]),
    ];
    let mut run = run(opened(plan(steps)));
    then(&mut run, acting(0));
    then(&mut run, done(0, true));
    let seen = facts(Role::Down("refused".into()), Role::Standby);
    assert_eq!(gate(&run, StepIndex(1), &seen, T0), Gate::Open);
    assert!(matches!(gate(&run, StepIndex(2), &seen, T0), Gate::Shut(r) if name(&r[0]) == "not fenced"));
}

#[test]
fn nothing_is_fenced_while_the_destination_could_not_take_over() {
    let run = run(opened(plan(steps())));
    for role in [Role::Down("refused".into()), Role::Unknown("timeout".into()), Role::ReadOnly] {
        let seen = facts(Role::Primary, role);
        let Gate::Shut(reasons) = gate(&run, StepIndex(0), &seen, T0) else { panic!("open for {seen:?}") };
        assert_eq!(name(&reasons[0]), "destination not ready");
    }
    assert_eq!(gate(&run, StepIndex(0), &facts(Role::Primary, Role::Standby), T0), Gate::Open);
}

#[test]
fn a_second_person_must_stand_behind_the_run_where_the_group_asks_for_two() {
    let mut plan = plan(steps());
    plan.group.approvals_required = 2;
    let mut run = run(opened(plan));
    let seen = facts(Role::Primary, Role::Standby);
    assert!(matches!(gate(&run, StepIndex(0), &seen, T0), Gate::Shut(r) if name(&r[0]) == "approvals missing"));
    let by_requester = order("anna", CommandBody::Approve { step: None });
    assert!(obey(&run, &by_requester, &Proof::Unsigned).unwrap().contains("another person"));
    let by_bob = order("bob", CommandBody::Approve { step: None });
    assert_eq!(obey(&run, &by_bob, &Proof::Unsigned), None);
    then(&mut run, EventBody::Commanded { inbox: 1, command: by_bob.clone(), refused: None });
    assert_eq!(gate(&run, StepIndex(0), &seen, T0), Gate::Open);
    assert!(obey(&run, &by_bob, &Proof::Unsigned).unwrap().contains("already"));
}

#[test]
fn a_recent_run_shuts_the_gate_until_it_is_old_or_accepted() {
    let mut opened = opened(plan(steps()));
    opened.cooldown_until = Some(T0 + SignedDuration::from_secs(60));
    let mut run = run(opened);
    let seen = facts(Role::Primary, Role::Standby);
    assert!(matches!(gate(&run, StepIndex(0), &seen, T0), Gate::Shut(r) if name(&r[0]) == "cooldown"));
    assert_eq!(gate(&run, StepIndex(0), &seen, T0 + SignedDuration::from_secs(60)), Gate::Open);
    accept(&mut run, Risk::SkipCooldown);
    assert_eq!(gate(&run, StepIndex(0), &seen, T0), Gate::Open);
}

#[test]
fn a_step_is_observed_before_it_acts_and_its_intent_is_recorded() {
    let mut run = run(opened(plan(steps())));
    let mut world = world();
    let first = next(&run, &world);
    assert_eq!((first.observe, first.act.len(), first.record.len()), (vec![StepIndex(0)], 0, 0));
    world.observed.insert(StepIndex(0), Observed::Ready { facts: facts(Role::Primary, Role::Standby) });
    let second = next(&run, &world);
    assert_eq!(second.act, [StepIndex(0)]);
    assert!(matches!(&second.record[..], [EventBody::Acting { step: StepIndex(0), attempt: 1, .. }]));
    then(&mut run, second.record[0].clone());
    world.busy.insert(StepIndex(0));
    assert_eq!(next(&run, &world), Next::default());
}

#[test]
fn what_is_already_so_is_done_without_an_act() {
    let run = run(opened(plan(steps())));
    let mut world = world();
    let already = Observed::Already { facts: Facts::default(), output: Output::new() };
    world.observed.insert(StepIndex(0), already);
    let next = next(&run, &world);
    assert!(next.act.is_empty());
    assert!(matches!(&next.record[..], [EventBody::Done { attempt: 0, .. }]));
}

#[test]
fn a_lost_reply_is_unknown_and_only_observed() {
    let mut run = run(opened(plan(steps())));
    then(&mut run, acting(0));
    let lost = settle(&run, StepIndex(0), 1, Attempt::Unknown { why: "timeout".into() }, T0).unwrap();
    assert!(matches!(lost, EventBody::Lost { .. }));
    then(&mut run, lost);
    let mut world = world();
    let first = next(&run, &world);
    assert_eq!((first.observe, first.act.len()), (vec![StepIndex(0)], 0));
    // Seen to be so: done. Seen not to be so: a failed try, and the next one after a rest.
    for (seen, word) in [
        (Observed::Already { facts: Facts::default(), output: Output::new() }, "done"),
        (Observed::Ready { facts: Facts::default() }, "failed"),
    ] {
        world.observed.insert(StepIndex(0), seen);
        let decided = next(&run, &world);
        assert!(decided.act.is_empty());
        let found = match &decided.record[..] {
            [EventBody::Done { attempt: 1, .. }] => "done",
            [EventBody::Failed { attempt: 1, retry_at: Some(_), .. }] => "failed",
            other => panic!("{other:?}"),
        };
        assert_eq!(found, word);
    }
}

#[test]
fn a_step_that_stays_unknown_pauses_the_run_for_a_person() {
    let mut run = run(opened(plan(steps())));
    then(&mut run, acting(0));
    then(&mut run, EventBody::Lost { step: StepIndex(0), attempt: 1, why: "timeout".into() });
    let mut world = world();
    for _ in 0..100 {
        let decided = next(&run, &world);
        assert!(decided.act.is_empty(), "it acted on unknown");
        if let Some(at) = decided.wake_at {
            world.now = at;
        } else if !decided.observe.is_empty() {
            let look = Look::in_vain(world.looks.get(&StepIndex(0)), "silence".into(), world.now, 0);
            world.looks.insert(StepIndex(0), look);
        } else {
            let reason = PauseReason::OutcomeUnknown { step: StepIndex(0) };
            assert_eq!(decided.record, [EventBody::Paused { reason }]);
            return;
        }
    }
    panic!("it was looked at for ever");
}

#[test]
fn a_lost_read_is_simply_tried_again() {
    let mut run = run(opened(plan(vec![step("serving", Verb::ProbeAwait, &[])])));
    then(&mut run, acting(0));
    let event = settle(&run, StepIndex(0), 1, Attempt::Unknown { why: "timeout".into() }, T0).unwrap();
    assert!(matches!(event, EventBody::Failed { retry_at: Some(_), .. }));
}

#[test]
fn tries_end_and_then_the_run_pauses_passes_over_or_unwinds() {
    for (on_failure, best_effort, expected) in [
        (OnFailure::Pause, false, "paused"),
        (OnFailure::Unwind, false, "unwinding"),
        (OnFailure::Continue, false, "goes on"),
        (OnFailure::Pause, true, "goes on"),
    ] {
        let mut steps = steps();
        steps[0].on_failure = on_failure;
        steps[0].best_effort = best_effort;
        let mut run = run(opened(plan(steps)));
        then(&mut run, EventBody::Acting { step: StepIndex(0), attempt: 3, facts: Facts::default() });
        let refused = Attempt::NotApplied { why: "no".into(), retry: true };
        let failed = settle(&run, StepIndex(0), 3, refused, T0).unwrap();
        assert!(matches!(failed, EventBody::Failed { retry_at: None, .. }));
        then(&mut run, failed);
        let found = match &next(&run, &world()).record[..] {
            [EventBody::Paused { reason: PauseReason::StepFailed { .. } }] => "paused",
            [EventBody::Unwinding { .. }] => "unwinding",
            [] => "goes on",
            other => panic!("{other:?}"),
        };
        assert_eq!(found, expected, "{on_failure:?} {best_effort}");
    }
}

#[test]
fn a_verify_that_does_not_hold_is_a_failure_without_another_try() {
    let mut steps = steps();
    steps[0].verify = Some("steps['fence-db'].sessions == 0".into());
    let mut run = run(opened(plan(steps)));
    then(&mut run, acting(0));
    let applied = |sessions: u32| Attempt::Applied {
        output: serde_json::json!({ "sessions": sessions }).as_object().cloned().unwrap(),
        facts: Facts::default(),
    };
    assert!(matches!(settle(&run, StepIndex(0), 1, applied(0), T0), Some(EventBody::Done { .. })));
    let failed = settle(&run, StepIndex(0), 1, applied(4), T0).unwrap();
    assert!(matches!(failed, EventBody::Failed { retry_at: None, passed_over: false, .. }), "{failed:?}");
}

#[test]
fn a_step_whose_when_does_not_hold_is_skipped_and_one_that_names_a_skipped_output_fails() {
    let mut steps = steps();
    steps[0].when = Some("source == 'ams'".into());
    let mut run = run(opened(plan(steps.clone())));
    let skipped = next(&run, &world()).record;
    assert!(matches!(&skipped[..], [EventBody::Skipped { by: SkippedBy::When, .. }]));
    steps[1].when = Some("steps['fence-db'].sessions == 0".into());
    run = sample::run(opened(plan(steps)));
    then(&mut run, skipped[0].clone());
    let failed = next(&run, &world()).record;
    assert!(matches!(&failed[..], [EventBody::Failed { step: StepIndex(1), retry_at: None, .. }]), "{failed:?}");
}

#[test]
fn takeover_makes_every_act_under_way_unknown() {
    let mut run = run(opened(plan(steps())));
    then(&mut run, acting(0));
    let events = takeover(&run, "host/1");
    assert!(matches!(&events[..], [EventBody::TakenOver { .. }, EventBody::Lost { step: StepIndex(0), .. }]));
}

#[test]
fn a_try_that_was_lost_with_its_process_does_not_use_up_the_step_s_tries() {
    let mut steps = steps();
    steps[0].retry.attempts = 1;
    let mut run = run(opened(plan(steps)));
    then(&mut run, acting(0));
    for event in takeover(&run, "host/1") {
        then(&mut run, event);
    }
    let mut world = world();
    world.observed.insert(StepIndex(0), Observed::Ready { facts: Facts::default() });
    let decided = next(&run, &world).record;
    assert!(matches!(&decided[..], [EventBody::Failed { attempt: 1, retry_at: Some(_), .. }]), "{decided:?}");
}

#[test]
fn a_run_that_a_person_skipped_a_step_of_is_no_success() {
    let mut run = fenced(true);
    then(&mut run, EventBody::Acting { step: StepIndex(1), attempt: 1, facts: Facts::default() });
    then(&mut run, done(1, false));
    let skip = order("bob", CommandBody::Skip { step: StepName::new("dns").unwrap() });
    assert_eq!(obey(&run, &skip, &Proof::Unsigned), None);
    then(&mut run, EventBody::Commanded { inbox: 1, command: skip, refused: None });
    let closed = next(&run, &world()).record;
    assert_eq!(closed, [EventBody::Closed { outcome: Outcome::CompletedWithExceptions }]);
}

#[test]
fn past_a_promotion_nothing_is_cancelled_or_unfenced() {
    let mut run = fenced(true);
    let cancel = order("bob", CommandBody::Cancel { unwind: true });
    assert_eq!(obey(&run, &cancel, &Proof::Unsigned), None, "before the promotion it may be unwound");
    then(&mut run, EventBody::Acting { step: StepIndex(1), attempt: 1, facts: Facts::default() });
    assert!(obey(&run, &cancel, &Proof::Unsigned).unwrap().contains("goes forward"), "while it is under way");
    then(&mut run, EventBody::Lost { step: StepIndex(1), attempt: 1, why: "timeout".into() });
    assert!(obey(&run, &cancel, &Proof::Unsigned).unwrap().contains("goes forward"), "while it is unknown");
    then(&mut run, done(1, false));
    assert!(obey(&run, &cancel, &Proof::Unsigned).unwrap().contains("goes forward"), "after it");
}

#[test]
fn the_prediction_is_the_critical_path() {
    let mut steps = vec![
        step("a", Verb::Command, &[]),
        step("b", Verb::Command, &[0]),
        step("c", Verb::Command, &[0]),
        step("d", Verb::Command, &[1, 2]),
    ];
    steps[2].expected_ms = 500;
    let predicted = predict(&plan(steps));
    assert_eq!(predicted.total.as_millis(), 520);
    assert_eq!(predicted.path, [StepIndex(0), StepIndex(2), StepIndex(3)]);
}

#[test]
fn a_source_that_serves_is_not_fenced_for_a_destination_that_does_not_follow_it() {
    let lagging =
        |seconds| Some(Loss { seconds, amount: Some(9), unit: "bytes".into(), basis: "source readable".into() });
    let seen = |source: Role, replicates, loss| Facts { loss, replicates, ..facts(source, Role::Standby) };
    let table = [
        ("it follows", seen(Role::Primary, Some(true), None), "", ""),
        (
            "it does not, and little would be lost",
            seen(Role::Primary, Some(false), lagging(Some(9.0))),
            "",
            "not replicating",
        ),
        (
            "it does not",
            seen(Role::Primary, Some(false), lagging(Some(99.0))),
            "loss beyond objective",
            "not replicating",
        ),
        (
            "nobody knows how far it is",
            seen(Role::Primary, Some(false), lagging(None)),
            "loss unknown",
            "not replicating",
        ),
        ("the source serves nobody any more", seen(Role::ReadOnly, Some(false), lagging(Some(99.0))), "", ""),
        ("the source is dead", seen(Role::Unknown("timeout".into()), None, lagging(Some(99.0))), "", ""),
        ("the driver does not say", seen(Role::Primary, None, lagging(Some(99.0))), "", ""),
    ];
    let failover = run(opened(plan(steps())));
    let mut switchover = run(opened(plan(steps())));
    switchover.opened.kind = RunKind::Switchover;
    for (story, facts, unplanned, planned) in table {
        assert_eq!(gate_of(&failover, 0, &facts).join(","), unplanned, "failover: {story}");
        assert_eq!(gate_of(&switchover, 0, &facts).join(","), planned, "switchover: {story}");
    }
    accept(&mut switchover, Risk::DataLoss);
    assert_eq!(gate_of(&switchover, 0, &seen(Role::Primary, Some(false), None)), [""; 0]);
}

#[test]
fn what_one_side_holds_alone_is_given_up_only_by_name() {
    let positions = "it is at 0/1 of timeline 1, the other at 0/2 of timeline 2".into();
    let divergence = Some(Divergence {
        region: RegionName::new("fra").unwrap(),
        amount: Some(37),
        unit: "transactions".into(),
        positions,
    });
    let apart = |source, destination| Facts { divergence: divergence.clone(), ..facts(source, destination) };
    let mut promoting = fenced(true);
    assert_eq!(promote_gate(&promoting, &apart(Role::ReadOnly, Role::Standby)), ["divergent history"]);
    accept(&mut promoting, Risk::DivergentHistory);
    assert_eq!(promote_gate(&promoting, &apart(Role::ReadOnly, Role::Standby)), [""; 0]);

    let rejoin = vec![
        step("rejoin-db", Verb::DatabaseReverse, &[]),
        step("fence-db", Verb::DatabaseFence, &[0]),
        step("reverse-db", Verb::DatabaseReverse, &[1]),
    ];
    let mut run = run(opened(plan(rejoin)));
    let seen = apart(Role::Primary, Role::ReadOnly);
    assert_eq!(gate_of(&run, 0, &seen), ["divergent history"], "nobody knows who wrote there since");
    then(&mut run, acting(0));
    then(&mut run, done(0, false));
    then(&mut run, acting(1));
    then(&mut run, done(1, true));
    assert_eq!(gate_of(&run, 2, &seen), [""; 0], "fenced in this run: the promotion stated the loss");
}
