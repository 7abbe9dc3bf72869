//! Every state with every event, every order in every state, and any sequence of events at all.

use jiff::Timestamp;
use proptest::prelude::*;

use super::*;
use crate::model::{
    Blocker, Facts, Output,
    sample::{acting, done, opened, order, plan, run, steps, then},
};

const PROMOTE: StepIndex = StepIndex(1);

fn fresh() -> Run {
    run(opened(plan(steps())))
}

/// One of each, in the order of the columns below.
fn states() -> Vec<StepState> {
    let since = Timestamp::UNIX_EPOCH;
    vec![
        StepState::Waiting,
        StepState::Blocked { reasons: vec![Blocker::CannotSee { why: "x".into() }] },
        StepState::AwaitingApproval { needed: 1, have: Vec::new(), since },
        StepState::Acting { attempt: 1, since },
        StepState::Unsure { attempt: 1, why: "x".into() },
        StepState::Resting { attempt: 1, until: since, why: "x".into() },
        StepState::Done { attempt: 1, output: Output::new(), facts: Facts::default() },
        StepState::Skipped { by: SkippedBy::Drill, why: "x".into() },
        StepState::Failed { attempt: 1, why: "x".into(), passed_over: false },
        StepState::Undoing { since },
        StepState::Undone,
        StepState::Stuck { why: "x".into() },
    ]
}

/// One of each event about a step.
fn events(step: StepIndex) -> Vec<EventBody> {
    let why = || String::from("x");
    let failed = |retry_at| EventBody::Failed { step, attempt: 1, why: why(), retry_at, passed_over: false };
    vec![
        EventBody::Skipped { step, by: SkippedBy::When, why: why() },
        EventBody::Blocked { step, reasons: Vec::new(), facts: Facts::default() },
        EventBody::ApprovalAsked { step, needed: 1 },
        EventBody::Acting { step, attempt: 1, facts: Facts::default() },
        EventBody::Done { step, attempt: 1, output: Output::new(), facts: Facts::default() },
        failed(None),
        failed(Some(Timestamp::UNIX_EPOCH)),
        EventBody::Lost { step, attempt: 1, why: why() },
        EventBody::Undoing { step },
        EventBody::Undone { step, output: Output::new() },
        EventBody::Stuck { step, why: why() },
    ]
}

#[test]
fn every_event_is_legal_exactly_where_the_table_says() {
    // Columns: waiting, blocked, awaiting approval, acting, unsure, resting, done, skipped, failed, undoing, undone, stuck.
    let table = [
        "skipped        y y y . . y . . y . . .",
        "blocked        y y . . . y . . . . . .",
        "approvalAsked  y . . . . . . . . . . .",
        "acting         y . . . y y . . . . . .",
        "done           y y y y y y . . . . . .",
        "failed         y . y y y y . . . . . .",
        "failed         y . y y y y . . . . . .",
        "lost           . . . y y . . . . . . .",
        "undoing        . . . . . . y . . y . y",
        "undone         . . . . . . . . . y . .",
        "stuck          . . . . y . . . . y . .",
    ];
    for (row, body) in table.iter().zip(events(PROMOTE)) {
        assert_eq!(serde_json::to_value(&body).unwrap()["event"], body.word());
        let mut seen = format!("{:<14}", body.word());
        for state in states() {
            let mut run = fresh();
            run.steps[PROMOTE.at()] = state.clone();
            let before = format!("{run:?}");
            let event = Event { seq: 2, term: Term(1), at: Timestamp::UNIX_EPOCH, body: body.clone() };
            let legal = run.after(&event).is_ok();
            assert!(legal || format!("{run:?}") == before, "a refused `{}` changed the run", body.word());
            seen.push_str(if legal { " y" } else { " ." });
        }
        assert_eq!(seen, *row);
    }
}

#[test]
fn an_illegal_event_is_told_with_its_step_and_state() {
    let mut run = fresh();
    then(&mut run, acting(0));
    then(&mut run, done(0, true));
    let event = Event { seq: 4, term: Term(1), at: Timestamp::UNIX_EPOCH, body: acting(0) };
    let told = run.after(&event).unwrap_err().to_string();
    assert_eq!(told, "event acting makes no sense for step `fence-db` of orders-1 which is done");
}

#[test]
fn a_step_that_is_not_in_the_plan_is_refused() {
    for body in events(StepIndex(3)) {
        let event = Event { seq: 2, term: Term(1), at: Timestamp::UNIX_EPOCH, body };
        assert!(fresh().after(&event).is_err());
    }
}

#[test]
fn a_gap_a_repetition_and_an_older_term_are_refused() {
    let event = |seq, term| Event { seq, term: Term(term), at: Timestamp::UNIX_EPOCH, body: acting(0) };
    for (seq, term, legal) in [(2, 1, true), (2, 7, true), (1, 1, false), (3, 1, false), (2, 0, false)] {
        assert_eq!(fresh().after(&event(seq, term)).is_ok(), legal, "event {seq} of term {term}");
    }
}

#[test]
fn a_journal_begins_with_opened_as_event_one() {
    let id: RunId = "orders-1".parse().unwrap();
    let first = |seq, body| Event { seq, term: Term(1), at: Timestamp::UNIX_EPOCH, body };
    let open = || EventBody::Opened(Box::new(opened(plan(steps()))));
    assert!(Run::open(id.clone(), &first(1, open())).is_ok());
    assert!(Run::open(id.clone(), &first(2, open())).is_err());
    assert!(Run::open(id.clone(), &first(1, acting(0))).is_err());
    assert!(Run::replay(id, &[]).unwrap().is_none());
    let again = Event { seq: 2, term: Term(1), at: Timestamp::UNIX_EPOCH, body: open() };
    assert!(fresh().after(&again).is_err());
}

#[test]
fn a_run_does_not_close_while_a_step_is_in_doubt() {
    for state in states() {
        let mut run = fresh();
        let doubt = matches!(state, StepState::Acting { .. } | StepState::Unsure { .. } | StepState::Undoing { .. });
        run.steps[PROMOTE.at()] = state;
        let body = EventBody::Closed { outcome: Outcome::Failed };
        let closed = run.after(&Event { seq: 2, term: Term(1), at: Timestamp::UNIX_EPOCH, body });
        assert_eq!(closed.is_err(), doubt, "{}", run.steps[PROMOTE.at()].word());
    }
}

fn told(run: &mut Run, body: CommandBody) {
    let inbox = run.inbox + 1;
    then(run, EventBody::Commanded { inbox, command: order("anna", body), refused: None });
}

#[test]
fn a_refused_order_is_counted_and_does_nothing() {
    let mut run = fresh();
    let command = order("anna", CommandBody::Pause);
    then(&mut run, EventBody::Commanded { inbox: 1, command, refused: Some("no".into()) });
    assert_eq!((run.inbox, &run.state), (1, &RunState::Running));
}

#[test]
fn orders_leave_alone_what_is_under_way_and_what_has_ended() {
    let promote = || StepName::new("promote-db").unwrap();
    let legal = |body: &CommandBody, state: &StepState| match body {
        CommandBody::Skip { .. } => {
            matches!(state.word(), "waiting" | "blocked" | "awaiting approval" | "unsure" | "resting" | "failed")
        }
        CommandBody::Deny { .. } => state.word() == "awaiting approval",
        _ => unreachable!(),
    };
    for state in states() {
        for body in [CommandBody::Skip { step: promote() }, CommandBody::Deny { step: Some(promote()) }] {
            let mut run = fresh();
            run.steps[PROMOTE.at()] = state.clone();
            told(&mut run, body.clone());
            assert_eq!(run.steps[PROMOTE.at()] != state, legal(&body, &state), "{body:?} while {}", state.word());
        }
    }
}

#[test]
fn a_pause_does_not_turn_a_run_around_that_is_being_ended() {
    let resumed = |how: CommandBody| {
        let mut run = fresh();
        told(&mut run, how);
        let ending = run.state.clone();
        told(&mut run, CommandBody::Pause);
        then(&mut run, EventBody::Paused { reason: PauseReason::Interrupted });
        assert!(matches!(run.state, RunState::Paused { .. }));
        told(&mut run, CommandBody::Resume);
        assert_eq!(run.state, ending);
    };
    resumed(CommandBody::Cancel { unwind: true });
    resumed(CommandBody::Cancel { unwind: false });
}

#[test]
fn skipping_a_step_does_not_turn_a_run_around_that_is_being_ended() {
    let mut run = fresh();
    told(&mut run, CommandBody::Cancel { unwind: true });
    told(&mut run, CommandBody::Skip { step: StepName::new("dns").unwrap() });
    assert!(matches!(run.state, RunState::Unwinding { .. }), "{:?}", run.state);
}

#[test]
fn a_promotion_in_doubt_stays_past_the_point_of_no_return_whatever_is_ordered() {
    let promote = || StepName::new("promote-db").unwrap();
    let lost = || EventBody::Lost { step: PROMOTE, attempt: 1, why: "timeout".into() };
    let orders = [CommandBody::Retry { step: promote() }, CommandBody::Skip { step: promote() }, CommandBody::Pause];
    for order in orders {
        let mut run = fresh();
        then(&mut run, acting(1));
        then(&mut run, lost());
        told(&mut run, order.clone());
        assert!(run.past_no_return(), "{order:?}");
    }
    let mut run = fresh();
    then(&mut run, acting(1));
    then(&mut run, lost());
    then(&mut run, EventBody::Stuck { step: PROMOTE, why: "nobody knows".into() });
    assert!(run.past_no_return());
}

#[test]
fn a_promotion_that_was_not_applied_or_was_so_before_can_still_turn_back() {
    let failed =
        EventBody::Failed { step: PROMOTE, attempt: 1, why: "refused".into(), retry_at: None, passed_over: false };
    let mut run = fresh();
    assert!(!run.past_no_return());
    then(&mut run, acting(1));
    assert!(run.past_no_return());
    then(&mut run, failed);
    assert!(!run.past_no_return());

    let before = EventBody::Done { step: PROMOTE, attempt: 0, output: Output::new(), facts: Facts::default() };
    let mut run = fresh();
    then(&mut run, before.clone());
    assert!(!run.past_no_return());

    // Seen done after a try of which nobody heard: it was the try.
    let mut run = fresh();
    then(&mut run, acting(1));
    then(&mut run, before);
    assert!(run.past_no_return());
}

#[test]
fn a_promotion_that_was_lost_and_then_seen_not_applied_may_still_arrive() {
    let failed = EventBody::Failed {
        step: PROMOTE,
        attempt: 1,
        why: "seen not applied".into(),
        retry_at: None,
        passed_over: false,
    };
    let again = EventBody::Acting { step: PROMOTE, attempt: 2, facts: Facts::default() };
    let refused =
        EventBody::Failed { step: PROMOTE, attempt: 2, why: "refused".into(), retry_at: None, passed_over: false };
    let mut run = fresh();
    then(&mut run, acting(1));
    then(&mut run, EventBody::Lost { step: PROMOTE, attempt: 1, why: "timeout".into() });
    then(&mut run, failed);
    assert!(run.past_no_return(), "the request may be on its way, or the server was promoted and stopped");
    told(&mut run, CommandBody::Retry { step: StepName::new("promote-db").unwrap() });
    then(&mut run, again);
    then(&mut run, refused);
    assert!(run.past_no_return(), "a second try that was certainly not applied says nothing about the first");
}

#[test]
fn a_promotion_that_failed_its_verify_may_have_been_applied() {
    let mut steps = steps();
    steps[PROMOTE.at()].verify = Some("steps.promote_db.timeline > 1".into());
    let mut run = run(opened(plan(steps)));
    then(&mut run, acting(1));
    let why = "it was applied, and its `verify` does not hold".into();
    then(&mut run, EventBody::Failed { step: PROMOTE, attempt: 1, why, retry_at: None, passed_over: false });
    assert!(run.past_no_return());
}

#[test]
fn a_journal_whose_plan_does_not_hold_together_is_refused_and_nobody_walks_it() {
    type Spoil = fn(&mut Plan);
    let damages: [(Spoil, &str); 4] = [
        (|plan| plan.steps[1].needs = vec![StepIndex(u32::MAX)], "step number 4294967295"),
        (|plan| plan.steps[0].needs = vec![StepIndex(0)], "wait for each other"),
        (|plan| plan.steps[1] = plan.steps[0].clone(), "two steps are named"),
        (|plan| plan.steps.clear(), "at least one step"),
    ];
    for (spoil, why) in damages {
        let mut spoilt = plan(steps());
        spoil(&mut spoilt);
        let body = EventBody::Opened(Box::new(opened(spoilt)));
        let first = Event { seq: 1, term: Term(1), at: Timestamp::UNIX_EPOCH, body };
        let refused = Run::replay("orders-1".parse().unwrap(), &[first]).unwrap_err();
        assert!(refused.to_string().contains(why), "{refused}");
    }
}

fn any_step() -> impl Strategy<Value = StepIndex> {
    (0..4_u32).prop_map(StepIndex)
}

fn any_order() -> impl Strategy<Value = CommandBody> {
    let step = || {
        prop::sample::select(vec!["fence-db", "promote-db", "dns", "unknown"])
            .prop_map(|name| StepName::new(name).unwrap())
    };
    prop_oneof![
        Just(CommandBody::Pause),
        Just(CommandBody::Resume),
        step().prop_map(|step| CommandBody::Retry { step }),
        step().prop_map(|step| CommandBody::Skip { step }),
        any::<bool>().prop_map(|unwind| CommandBody::Cancel { unwind }),
        prop::sample::select(Risk::ALL.to_vec()).prop_map(|risk| CommandBody::Accept { risk }),
        prop::option::of(step()).prop_map(|step| CommandBody::Approve { step }),
        prop::option::of(step()).prop_map(|step| CommandBody::Deny { step }),
    ]
}

fn any_body() -> impl Strategy<Value = EventBody> {
    prop_oneof![
        8 => (any_step(), 0..11_usize).prop_map(|(step, which)| events(step).swap_remove(which)),
        3 => (any_order(), prop::bool::weighted(0.2)).prop_map(|(body, refused)| EventBody::Commanded {
            inbox: 1,
            command: order("anna", body),
            refused: refused.then(|| "no".into()),
        }),
        1 => Just(EventBody::Paused { reason: PauseReason::Interrupted }),
        1 => Just(EventBody::Unwinding { why: "x".into() }),
        1 => Just(EventBody::TakenOver { holder: "host/1".into() }),
        1 => Just(EventBody::ApprovalWithdrawn { by: Actor::new("anna").unwrap(), why: "revoked".into() }),
        1 => Just(EventBody::Closed { outcome: Outcome::Failed }),
        1 => Just(EventBody::Opened(Box::new(opened(plan(steps()))))),
    ]
}

proptest! {
    #[test]
    fn any_sequence_of_events_keeps_the_promises(bodies in prop::collection::vec((any_body(), 0..3_u64), 0..60)) {
        let first = EventBody::Opened(Box::new(opened(plan(steps()))));
        let mut journal = vec![Event { seq: 1, term: Term(1), at: Timestamp::UNIX_EPOCH, body: first }];
        let mut run = fresh();
        for (body, terms) in bodies {
            let term = Term(run.term.0 + terms / 2);
            let event = Event { seq: run.seq + 1, term, at: Timestamp::UNIX_EPOCH, body };
            let before = run.clone();
            if run.after(&event).is_err() {
                prop_assert_eq!(format!("{:?}", run), format!("{:?}", before), "a refused event changed the run");
                continue;
            }
            prop_assert!(before.closed().is_none(), "a closed run took an event");
            if run.closed().is_some() {
                prop_assert!(!run.steps.iter().any(StepState::in_doubt), "closed while a step is in doubt");
            }
            // What was tried is in doubt until it is judged, whatever persons order meanwhile.
            let judged = matches!(
                event.body,
                EventBody::Done { .. } | EventBody::Failed { attempt: 1.., .. } | EventBody::Undone { .. }
            );
            let promote = event.body.step() == Some(PROMOTE);
            if before.past_no_return() && !(promote && judged) && !matches!(event.body, EventBody::Undoing { .. }) {
                prop_assert!(run.past_no_return(), "{:?} turned a possible promotion back", event.body);
            }
            journal.push(event);
        }
        let again = Run::replay("orders-1".parse().unwrap(), &journal).unwrap().unwrap();
        prop_assert_eq!(format!("{:?}", again), format!("{:?}", run), "the journal replays to another state");

        // And the same after a round through JSON, as a store keeps it.
        let text = serde_json::to_string(&journal).unwrap();
        let read: Vec<Event> = serde_json::from_str(&text).unwrap();
        prop_assert_eq!(&read, &journal);
    }
}
