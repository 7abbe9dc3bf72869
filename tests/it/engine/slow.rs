//! A store that answers late: by its own clock the holder stops in time.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use lifeboat::{driver::fake::Trouble, engine::EngineError, store::memory::Memory};

use crate::stage::{Dies, Mortal, Stage, sample::*, *};

/// Acts take five seconds; the store never dies.
fn stage() -> (Stage, Arc<Mortal>) {
    let store = Arc::new(Mortal::new(Arc::new(Memory::new()), i64::MAX, Dies::Before));
    let slow = Trouble { takes_ms: 5_000, ..Trouble::default() };
    (Stage::new(Arc::clone(&store) as _, &script(&[("*", slow)])), store)
}

#[tokio::test(start_paused = true)]
async fn a_grant_counts_from_when_it_was_asked_for() {
    let (mut stage, store) = stage();
    store.slow.grant.store(3_500, Ordering::SeqCst);
    let ended = stage.start(opened(plan(steps()))).await;
    assert!(matches!(ended, Err(EngineError::LeaseLost { .. })), "{ended:?}");
    assert!(stage.effects().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_renewal_without_an_answer_is_waited_for_no_longer_than_the_lease() {
    let (mut stage, store) = stage();
    store.slow.renewal.store(60_000, Ordering::SeqCst);
    let began = stage.clock.monotonic();
    let ended = stage.start(opened(plan(steps()))).await;
    assert!(matches!(ended, Err(EngineError::LeaseLost { .. })), "{ended:?}");
    let took = stage.clock.monotonic().saturating_sub(began);
    assert!(took < Duration::from_millis(3_200), "{took:?}");
    assert!(stage.effects().is_empty());
}

/// The first act has begun and needs five seconds; `stall` makes the store keep the loop for six.
async fn nothing_comes_of_the_act(stall: impl AsyncFnOnce(&Mortal)) {
    let (mut stage, store) = stage();
    let stalling = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        stall(&store).await;
    };
    let (ended, ()) = tokio::join!(stage.start(opened(plan(steps()))), stalling);
    assert!(matches!(ended, Err(EngineError::LeaseLost { .. })), "{ended:?}");
    assert!(stage.effects().is_empty(), "{:?}", stage.effects());
}

#[tokio::test(start_paused = true)]
async fn what_is_under_way_gets_no_further_when_reading_orders_outlasts_the_lease() {
    nothing_comes_of_the_act(async |store| store.slow.inbox.store(6_000, Ordering::SeqCst)).await;
}

#[tokio::test(start_paused = true)]
async fn what_is_under_way_gets_no_further_when_an_append_outlasts_the_lease() {
    nothing_comes_of_the_act(async |store| {
        store.slow.append.store(6_000, Ordering::SeqCst);
        // Something to append: a risk is accepted.
        let accept = CommandBody::Accept { risk: Risk::DataLoss };
        store.inner.tell(&"orders-1".parse().unwrap(), order("bob", accept)).await.unwrap();
    })
    .await;
}
