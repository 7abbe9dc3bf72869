//! Each act of the real runbooks arrives twice on the real servers: at once, late, or only after it was given up.

use std::sync::Arc;

use lifeboat::{
    model::{Plan, RunKind},
    port::Driver,
};

use super::{World, odd::Here};
use crate::{
    matrix::twice::{Copies, Twice, When},
    servers::postgres::Node,
};

const WAYS: [When; 3] = [When::AtOnce, When::Late, When::GivenUp];

/// A step that may be tried once alone would wait for a person when its try was given up.
fn tried_again(plan: &mut Plan) {
    for step in &mut plan.steps {
        step.retry.attempts = step.retry.attempts.max(2);
    }
}

fn twice(when: When) -> impl Fn(Arc<dyn Driver>) -> Arc<dyn Driver> {
    move |inner| Arc::new(Twice { inner, when, copies: Copies::default() })
}

#[tokio::test(flavor = "multi_thread")]
async fn each_act_of_a_switchover_and_of_the_way_back_may_arrive_twice() {
    let mut world = World::start(|text| text);
    world.protect("0.2");
    let here = Here::beside(&world);
    for when in WAYS {
        for (kind, to) in [(RunKind::Switchover, Node::Dub), (RunKind::Failback, Node::Fra)] {
            let rested = here.runs(kind, tried_again, twice(when)).await;
            here.serves(&rested, to, &format!("{kind}, {when:?}"));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_act_of_a_failover_may_arrive_twice() {
    for when in WAYS {
        let mut world = World::start(|text| text);
        world.protect("0.2");
        world.regions.kill_region(Node::Fra);
        let here = Here::beside(&world);
        let rested = here.runs(RunKind::Failover, tried_again, twice(when)).await;
        here.serves(&rested, Node::Dub, &format!("{when:?}"));
    }
}
