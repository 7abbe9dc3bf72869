//! The reply of each step of the real runbooks is lost once: the act was done on the real servers, and nobody heard of it.

use lifeboat::{
    decide::Rest,
    model::{PauseReason, RunKind},
};

use super::{
    World,
    odd::{Here, Trouble},
};
use crate::servers::postgres::Node;

/// A run in which the replies of these steps are lost, to its end. How many were: a step may have nothing to do.
async fn loses(here: &Here<'_>, kind: RunKind, to: Node, places: &[usize]) -> usize {
    let (mut rested, came) = here.troubled(kind, places, Trouble::ReplyLost, |_| {}).await;
    // A read that may be tried once alone is failed by a lost reply, and a person goes on.
    if let Rest::Paused(PauseReason::StepFailed { .. }) = rested.rest {
        rested = here.resume(&rested.run.id).await;
    }
    here.serves(&rested, to, &format!("{kind}, the replies of steps {places:?} were lost"));
    came
}

#[tokio::test(flavor = "multi_thread")]
async fn the_reply_of_any_step_of_a_switchover_or_of_the_way_back_may_be_lost() {
    let mut world = World::start(|text| text);
    world.protect("0.2");
    let here = Here::beside(&world);
    let mut lost = 0;
    // Two of each run, one in its first half and one in its second: a run of its own for each takes twice the time.
    for place in 0..8 {
        for (kind, to) in [(RunKind::Switchover, Node::Dub), (RunKind::Failback, Node::Fra)] {
            lost += loses(&here, kind, to, &[place, place + 8]).await;
        }
    }
    println!("{lost} replies were lost");
    assert!(lost >= 18, "only {lost} replies were lost");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_reply_of_any_step_of_a_failover_may_be_lost() {
    let mut lost = 0;
    for place in 0..5 {
        let mut world = World::start(|text| text);
        world.protect("0.2");
        world.regions.kill_region(Node::Fra);
        let here = Here::beside(&world);
        lost += loses(&here, RunKind::Failover, Node::Dub, &[place, place + 5]).await;
    }
    println!("{lost} replies were lost");
    assert!(lost >= 6, "only {lost} replies were lost");
}
