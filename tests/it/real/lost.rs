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

/// A run in which the reply of step number `place` is lost, to its end. Whether it was: a step may have nothing to do.
async fn loses(here: &Here<'_>, kind: RunKind, to: Node, place: usize) -> bool {
    let (mut rested, came) = here.troubled(kind, place, Trouble::ReplyLost, |_| {}).await;
    // A read that may be tried once alone is failed by a lost reply, and a person goes on.
    if let Rest::Paused(PauseReason::StepFailed { .. }) = rested.rest {
        rested = here.resume(&rested.run.id).await;
    }
    let lost = rested.run.plan().steps.get(place).map(|step| step.name.to_string());
    here.serves(&rested, to, &format!("{kind}, the reply of {lost:?} was lost"));
    came > 0
}

#[tokio::test(flavor = "multi_thread")]
async fn the_reply_of_any_step_of_a_switchover_or_of_the_way_back_may_be_lost() {
    let mut world = World::start(|text| text);
    world.protect("0.2");
    let here = Here::beside(&world);
    let mut lost = 0;
    for place in 0..16 {
        for (kind, to) in [(RunKind::Switchover, Node::Dub), (RunKind::Failback, Node::Fra)] {
            lost += usize::from(loses(&here, kind, to, place).await);
        }
    }
    println!("{lost} replies were lost");
    assert!(lost >= 18, "only {lost} replies were lost");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_reply_of_any_step_of_a_failover_may_be_lost() {
    let mut lost = 0;
    for place in 0..9 {
        let mut world = World::start(|text| text);
        world.protect("0.2");
        world.regions.kill_region(Node::Fra);
        let here = Here::beside(&world);
        lost += usize::from(loses(&here, RunKind::Failover, Node::Dub, place).await);
    }
    println!("{lost} replies were lost");
    assert!(lost >= 6, "only {lost} replies were lost");
}
