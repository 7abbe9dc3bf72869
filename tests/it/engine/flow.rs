//! How a run flows.

use std::sync::Arc;

use lifeboat::{
    decide::Rest,
    driver::fake::{Script, Trouble},
    port::Store,
    store::memory::Memory,
};

use crate::stage::{Stage, sample::*, *};

fn memory() -> Arc<dyn Store> {
    Arc::new(Memory::new())
}

/// The events in short: `acting fence-db`.
fn words(run: &Run, events: &[Event]) -> Vec<String> {
    events
        .iter()
        .map(|event| {
            let json = serde_json::to_value(&event.body).unwrap();
            let word = json["event"].as_str().unwrap().to_owned();
            event.body.step().map_or(word.clone(), |step| format!("{word} {}", run.plan().step(step).unwrap().name))
        })
        .collect()
}

#[tokio::test(start_paused = true)]
async fn each_step_is_recorded_before_it_acts_and_after() {
    let mut stage = Stage::new(memory(), &Script::default());
    let (run, rest) = stage.start(opened(plan(steps()))).await.unwrap();
    assert_eq!(rest, Rest::Closed(Outcome::Succeeded));
    assert_eq!(
        words(&run, &stage.events),
        [
            "acting fence-db",
            "done fence-db",
            "acting promote-db",
            "done promote-db",
            "acting dns",
            "done dns",
            "closed",
        ]
    );
    assert_eq!(stage.effects().values().copied().collect::<Vec<_>>(), [1, 1, 1]);
}

#[tokio::test(start_paused = true)]
async fn steps_that_need_nothing_of_each_other_run_side_by_side() {
    let slow = Trouble { takes_ms: 10_000, ..Trouble::default() };
    let many = (0..20).map(|n| step(&format!("s{n}"), Verb::DnsSwitch, &[])).collect();
    let mut stage = Stage::new(memory(), &script(&[("*", slow)]));
    let began = stage.clock.monotonic();
    let (_, rest) = stage.start(opened(plan(many))).await.unwrap();
    assert_eq!(rest, Rest::Closed(Outcome::Succeeded));
    assert!(stage.clock.monotonic().saturating_sub(began).as_secs() < 11);
}

#[tokio::test(start_paused = true)]
async fn a_failed_try_is_followed_by_another_after_a_rest() {
    let twice = Trouble { fail: 2, ..Trouble::default() };
    let mut stage = Stage::new(memory(), &script(&[("fence-db", twice)]));
    let began = stage.clock.monotonic();
    let (run, rest) = stage.start(opened(plan(steps()))).await.unwrap();
    assert_eq!(rest, Rest::Closed(Outcome::Succeeded));
    assert_eq!(run.tries[0], 3);
    let took = stage.clock.monotonic().saturating_sub(began).as_secs_f64();
    assert!((1.5..3.2).contains(&took), "rests of 0.5 to 1 s and 1 to 2 s, found {took} s");
}

#[tokio::test(start_paused = true)]
async fn tries_are_used_up_and_the_run_pauses() {
    let always = Trouble { fail: 99, ..Trouble::default() };
    let mut stage = Stage::new(memory(), &script(&[("fence-db", always)]));
    let (run, rest) = stage.start(opened(plan(steps()))).await.unwrap();
    assert_eq!(rest, Rest::Paused(PauseReason::StepFailed { step: StepIndex(0) }));
    assert_eq!(run.tries[0], 3);
    assert!(stage.effects().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_lost_reply_of_an_applied_act_is_seen_and_never_repeated() {
    let lost = Trouble { lose_reply: 1, ..Trouble::default() };
    let mut stage = Stage::new(memory(), &script(&[("*", lost)]));
    let (run, rest) = stage.start(opened(plan(steps()))).await.unwrap();
    assert_eq!(rest, Rest::Closed(Outcome::Succeeded), "{:?}", words(&run, &stage.events));
    assert_eq!(stage.effects().values().copied().collect::<Vec<_>>(), [1, 1, 1]);
    assert_eq!(words(&run, &stage.events)[..3], ["acting fence-db", "lost fence-db", "done fence-db"]);
}

#[tokio::test(start_paused = true)]
async fn a_lost_request_is_seen_not_to_be_applied_and_tried_again() {
    let lost = Trouble { lose_request: 1, ..Trouble::default() };
    let mut stage = Stage::new(memory(), &script(&[("promote-db", lost)]));
    let (run, rest) = stage.start(opened(plan(steps()))).await.unwrap();
    assert_eq!(rest, Rest::Closed(Outcome::Succeeded));
    assert_eq!((run.tries[1], stage.effects()["promote-db"]), (2, 1));
}

#[tokio::test(start_paused = true)]
async fn an_act_that_does_not_come_back_in_time_is_unknown() {
    let slow = Trouble { takes_ms: 60_000, ..Trouble::default() };
    let mut stage = Stage::new(memory(), &script(&[("promote-db", slow)]));
    let (run, rest) = stage.start(opened(plan(steps()))).await.unwrap();
    assert!(words(&run, &stage.events).contains(&"lost promote-db".into()));
    assert_eq!(rest, Rest::Paused(PauseReason::StepFailed { step: StepIndex(1) }));
    assert!(!stage.effects().contains_key("dns"), "the name was switched to an unpromoted side");
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_seen_is_looked_at_again_and_then_a_person_looks() {
    let blind = |unseen| script(&[("promote-db", Trouble { unseen, ..Trouble::default() })]);
    let mut stage = Stage::new(memory(), &blind(3));
    let (_, rest) = stage.start(opened(plan(steps()))).await.unwrap();
    assert_eq!(rest, Rest::Closed(Outcome::Succeeded));
    let mut stage = Stage::new(memory(), &blind(1_000));
    let (_, rest) = stage.start(opened(plan(steps()))).await.unwrap();
    assert_eq!(rest, Rest::Paused(PauseReason::StepBlocked { step: StepIndex(1) }));
    assert!(!stage.effects().contains_key("promote-db"));
}

#[tokio::test(start_paused = true)]
async fn a_fence_that_lies_keeps_the_promotion_shut() {
    let lying = Script { lying_fence: true, ..Script::default() };
    let mut stage = Stage::new(memory(), &lying);
    let (run, rest) = stage.start(opened(plan(steps()))).await.unwrap();
    assert_eq!(rest, Rest::Paused(PauseReason::StepBlocked { step: StepIndex(1) }));
    let StepState::Blocked { reasons } = &run.steps[1] else { panic!("{:?}", run.steps[1]) };
    assert!(reasons.iter().any(|r| matches!(r, Blocker::SourceStillWritable { .. })), "{reasons:?}");
    assert!(!stage.effects().contains_key("promote-db"));
}

#[tokio::test(start_paused = true)]
async fn loss_beyond_the_objective_waits_for_a_name_and_is_recorded_before_it_acts() {
    let loss = Loss { seconds: Some(42.0), amount: Some(1_000), unit: "bytes".into(), basis: "last marker".into() };
    let lossy = Script { loss: Some(loss), ..Script::default() };
    let mut stage = Stage::new(memory(), &lossy);
    let (run, rest) = stage.start(opened(plan(steps()))).await.unwrap();
    assert_eq!(rest, Rest::Paused(PauseReason::StepBlocked { step: StepIndex(1) }));
    stage.tell(&run.id, "bob", CommandBody::Accept { risk: Risk::DataLoss }).await;
    let (run, rest) = stage.resume(&run.id).await.unwrap();
    assert_eq!(rest, Rest::Closed(Outcome::Succeeded));
    let (by, _) = &run.accepted[&Risk::DataLoss];
    assert_eq!(by.as_str(), "bob");
    let intent = stage.events.iter().find_map(|event| match &event.body {
        EventBody::Acting { step: StepIndex(1), facts, .. } => facts.loss.clone(),
        _ => None,
    });
    assert_eq!(intent.unwrap().seconds, Some(42.0), "the estimate stands in the intent");
}

#[tokio::test(start_paused = true)]
async fn a_rehearsal_observes_everything_and_changes_nothing() {
    let mut stage = Stage::new(memory(), &Script::default());
    let mut rehearsal = opened(plan(steps()));
    rehearsal.rehearsal = true;
    let (run, rest) = stage.start(rehearsal).await.unwrap();
    assert_eq!(rest, Rest::Closed(Outcome::Succeeded), "{:?}", words(&run, &stage.events));
    assert!(stage.world.acts().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_failed_step_unwinds_what_came_before_where_the_runbook_says_so() {
    let fatal = Trouble { fail: 1, fatal: true, ..Trouble::default() };
    let mut steps = steps();
    steps[1].on_failure = OnFailure::Unwind;
    let mut stage = Stage::new(memory(), &script(&[("promote-db", fatal)]));
    let (run, rest) = stage.start(opened(plan(steps))).await.unwrap();
    assert_eq!(rest, Rest::Closed(Outcome::Unwound));
    assert_eq!(run.steps[0], StepState::Undone);
    let undone: Vec<_> =
        stage.world.acts().into_iter().filter(|act| act.undo).map(|act| act.step.to_string()).collect();
    assert_eq!(undone, ["fence-db"]);
}
