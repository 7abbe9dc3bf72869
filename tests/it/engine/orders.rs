//! Orders from another process while a run is open, and the lease.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use lifeboat::{
    decide::Rest,
    driver::fake::Trouble,
    engine::{self, EngineError, Stop},
    port::{LeaseError, Store},
    store::memory::Memory,
};

use crate::stage::{Stage, sample::*, *};

fn slow_stage() -> Stage {
    let slow = Trouble { takes_ms: 5_000, ..Trouble::default() };
    Stage::new(Arc::new(Memory::new()), &script(&[("*", slow)]))
}

/// Gives an order once `step` is acting, beside the drive.
async fn when_acting(store: Arc<dyn Store>, step: u32, who: &str, body: CommandBody) {
    let id: RunId = "orders-1".parse().unwrap();
    loop {
        tokio::time::sleep(Duration::from_millis(50)).await;
        let Ok(run) = engine::load(&store, &id).await else { continue };
        if matches!(run.steps[step as usize], StepState::Acting { .. }) {
            store.tell(&id, order(who, body)).await.unwrap();
            return;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_pause_lets_what_is_under_way_end_and_a_resume_goes_on() {
    let mut stage = slow_stage();
    let order = when_acting(Arc::clone(&stage.store), 0, "bob", CommandBody::Pause);
    let (result, ()) = tokio::join!(stage.start(opened(plan(steps()))), order);
    let (run, rest) = result.unwrap();
    assert!(matches!(rest, Rest::Paused(PauseReason::Ordered { .. })), "{rest:?}");
    assert!(matches!(run.steps[0], StepState::Done { .. }));
    assert_eq!(run.steps[1], StepState::Waiting);
    stage.tell(&run.id, "bob", CommandBody::Resume).await;
    let (_, rest) = stage.resume(&run.id).await.unwrap();
    assert_eq!(rest, Rest::Closed(Outcome::Succeeded));
    assert!(stage.effects().values().all(|count| *count == 1));
}

#[tokio::test(start_paused = true)]
async fn a_cancel_before_the_promotion_unwinds_and_one_after_it_is_refused() {
    let mut stage = slow_stage();
    let order = when_acting(Arc::clone(&stage.store), 0, "bob", CommandBody::Cancel { unwind: true });
    let (result, ()) = tokio::join!(stage.start(opened(plan(steps()))), order);
    let (run, rest) = result.unwrap();
    assert_eq!(rest, Rest::Closed(Outcome::Unwound));
    assert_eq!(run.steps[0], StepState::Undone);

    let mut stage = slow_stage();
    let order = when_acting(Arc::clone(&stage.store), 2, "bob", CommandBody::Cancel { unwind: true });
    let (result, ()) = tokio::join!(stage.start(opened(plan(steps()))), order);
    assert_eq!(result.unwrap().1, Rest::Closed(Outcome::Succeeded));
    let refused = stage.events.iter().any(|event| matches!(&event.body, EventBody::Commanded { refused: Some(_), .. }));
    assert!(refused, "the refusal is recorded");
}

#[tokio::test(start_paused = true)]
async fn a_failed_step_can_be_retried_or_skipped_by_a_person() {
    for (body, outcome) in [
        (CommandBody::Retry { step: StepName::new("dns").unwrap() }, Outcome::Succeeded),
        (CommandBody::Skip { step: StepName::new("dns").unwrap() }, Outcome::CompletedWithExceptions),
    ] {
        let fatal = Trouble { fail: 1, fatal: true, ..Trouble::default() };
        let mut stage = Stage::new(Arc::new(Memory::new()), &script(&[("dns", fatal)]));
        let (run, rest) = stage.start(opened(plan(steps()))).await.unwrap();
        assert_eq!(rest, Rest::Paused(PauseReason::StepFailed { step: StepIndex(2) }));
        stage.tell(&run.id, "bob", body).await;
        assert_eq!(stage.resume(&run.id).await.unwrap().1, Rest::Closed(outcome));
    }
}

#[tokio::test(start_paused = true)]
async fn an_approve_step_waits_for_a_person() {
    let steps = vec![step("agree", Verb::Approve, &[]), step("fence-db", Verb::DatabaseFence, &[0])];
    let mut stage = slow_stage();
    let store = Arc::clone(&stage.store);
    let approve = async {
        let id: RunId = "orders-1".parse().unwrap();
        loop {
            tokio::time::sleep(Duration::from_millis(50)).await;
            let Ok(run) = engine::load(&store, &id).await else { continue };
            if matches!(run.steps[0], StepState::AwaitingApproval { .. }) {
                let step = Some(StepName::new("agree").unwrap());
                store.tell(&id, order("bob", CommandBody::Approve { step })).await.unwrap();
                return;
            }
        }
    };
    let (result, ()) = tokio::join!(stage.start(opened(plan(steps))), approve);
    let (run, rest) = result.unwrap();
    assert_eq!(rest, Rest::Closed(Outcome::Succeeded));
    let StepState::Done { output, .. } = &run.steps[0] else { panic!("{:?}", run.steps[0]) };
    assert_eq!(output["approved_by"], serde_json::json!(["bob"]));
}

#[tokio::test(start_paused = true)]
async fn an_interrupted_drive_waits_for_what_is_under_way_and_pauses() {
    let mut stage = slow_stage();
    let stop = stage.stop.clone();
    let interrupt = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        stop.send_replace(Stop::Gently);
    };
    let (result, ()) = tokio::join!(stage.start(opened(plan(steps()))), interrupt);
    let (run, rest) = result.unwrap();
    assert_eq!(rest, Rest::Paused(PauseReason::Interrupted));
    assert!(matches!(run.steps[0], StepState::Done { .. }), "{:?}", run.steps[0]);
}

#[tokio::test(start_paused = true)]
async fn a_second_interrupt_comes_back_at_once_and_the_act_is_observed_by_the_next() {
    let mut stage = slow_stage();
    let stop = stage.stop.clone();
    let interrupt = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        stop.send_replace(Stop::Now);
    };
    let (result, ()) = tokio::join!(stage.start(opened(plan(steps()))), interrupt);
    let (run, rest) = result.unwrap();
    assert_eq!(rest, Rest::Interrupted);
    assert!(matches!(run.steps[0], StepState::Acting { .. }), "{:?}", run.steps[0]);
    stage.stop.send_replace(Stop::No);
    let (run, rest) = stage.resume(&run.id).await.unwrap();
    assert_eq!(rest, Rest::Closed(Outcome::Succeeded));
    assert_eq!((run.tries[0], stage.effects()["fence-db"]), (2, 1));
}

#[tokio::test(start_paused = true)]
async fn a_process_that_lost_its_lease_stops_acting_at_once() {
    let mut stage = slow_stage();
    let store = Arc::clone(&stage.store);
    let thief = async {
        tokio::time::sleep(Duration::from_millis(4_500)).await;
        let key = Stage::key(false);
        let state = store.lease(&key).await.unwrap();
        store.acquire(&key, "thief", Some(state.revision)).await.unwrap();
    };
    let (result, ()) = tokio::join!(stage.start(opened(plan(steps()))), thief);
    assert!(matches!(result, Err(EngineError::LeaseLost { .. })), "{result:?}");
    assert!(!stage.effects().contains_key("promote-db"));
}

#[tokio::test(start_paused = true)]
async fn a_dead_holder_is_waited_for_no_longer_than_the_time_to_live_and_a_live_one_is_not_robbed() {
    let stage = slow_stage();
    let key = Stage::key(false);
    let dead = engine::take(&stage.store, &stage.clock, &key, "a", &mut |_| {}).await.unwrap();
    let began = stage.clock.monotonic();
    let next = engine::take(&stage.store, &stage.clock, &key, "b", &mut |_| {}).await.unwrap();
    let waited = stage.clock.monotonic().saturating_sub(began);
    assert!(waited >= engine::TIME_TO_LIVE && waited < engine::TIME_TO_LIVE + Duration::from_millis(200), "{waited:?}");
    assert_eq!(next.permit().term().0, dead.permit().term().0 + 1);
    let renew = async {
        for _ in 0..10 {
            tokio::time::sleep(Duration::from_secs(1)).await;
            stage.store.renew(next.permit()).await.unwrap();
        }
    };
    let mut ignore = |_: &_| {};
    let (third, ()) = tokio::join!(engine::take(&stage.store, &stage.clock, &key, "c", &mut ignore), renew);
    assert!(matches!(third, Err(LeaseError::Held { .. })));
}

#[tokio::test(start_paused = true)]
async fn a_stop_lets_what_is_under_way_end_and_nothing_goes_on_until_it_is_lifted() {
    let mut stage = slow_stage();
    let stop = |stops| StopOrder {
        group: None,
        stops,
        by: Actor::new("ana").unwrap(),
        reason: "look".into(),
        at: Timestamp::UNIX_EPOCH,
    };
    let store = Arc::clone(&stage.store);
    let stopping = async {
        tokio::time::sleep(Duration::from_secs(2)).await;
        store.order_stop(&stop(true)).await.unwrap();
    };
    let (result, ()) = tokio::join!(stage.start(opened(plan(steps()))), stopping);
    let (run, rest) = result.unwrap();
    assert!(matches!(rest, Rest::Paused(PauseReason::Stopped { .. })), "{rest:?}");
    assert!(matches!(run.steps[0], StepState::Done { .. }), "what was under way has ended");
    // A person who resumes it all the same gets nowhere: it is paused again before anything acts.
    stage.tell(&run.id, "bob", CommandBody::Resume).await;
    let (run, rest) = stage.resume(&run.id).await.unwrap();
    assert!(matches!(rest, Rest::Paused(PauseReason::Stopped { .. })), "{rest:?}");
    assert_eq!((stage.effects().len(), &run.steps[1]), (1, &StepState::Waiting));
    stage.store.order_stop(&stop(false)).await.unwrap();
    stage.tell(&run.id, "bob", CommandBody::Resume).await;
    assert_eq!(stage.resume(&run.id).await.unwrap().1, Rest::Closed(Outcome::Succeeded));
    assert!(stage.effects().values().all(|count| *count == 1));
}
