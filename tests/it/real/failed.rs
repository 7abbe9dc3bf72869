//! Each step of the real runbooks fails for good, and the run unwinds, each undo twice: before a promotion the service is as
//! it was, and after one the run waits for a person and goes forward.

use lifeboat::{
    app::Rested,
    decide::Rest,
    model::{OnFailure, Outcome, PauseReason, RunKind, StepState},
};

use super::{
    World,
    odd::{Here, Trouble},
};
use crate::servers::postgres::Node;

/// How a run with a step that fails came out.
#[derive(Debug, Default)]
struct Ways {
    back: usize,
    forward: usize,
    stuck: usize,
    undone: usize,
}

impl Ways {
    /// A run away from `from` in which step number `place` fails. Where nothing was promoted, nothing has moved; where something
    /// was, the run goes forward when a person says so. Whether the group serves from the other side now.
    async fn fails(&mut self, here: &Here<'_>, kind: RunKind, from: Node, place: usize) -> bool {
        let unwinds = |step: &mut lifeboat::model::PlanStep| step.on_failure = OnFailure::Unwind;
        let (rested, came) = here.troubled(kind, &[place], Trouble::Fails, unwinds).await;
        let name = rested.run.plan().steps.get(place).map(|step| step.name.to_string()).unwrap_or_default();
        let title = format!("{kind}, {name} fails ({came} times)");
        self.undone += undone(&rested);
        match rested.rest {
            Rest::Closed(Outcome::Unwound) => {
                assert!(!rested.run.past_no_return(), "{title}: unwound past a promotion");
                here.serves_from(from, &title);
                self.back += 1;
                false
            }
            Rest::Paused(PauseReason::StepFailed { .. }) => {
                assert!(rested.run.past_no_return(), "{title}: {:?}", rested.run.steps);
                assert_eq!(undone(&rested), 0, "{title}: undone past a promotion");
                let ended = here.resume(&rested.run.id).await;
                here.serves(&ended, from.peer(), &title);
                self.forward += 1;
                true
            }
            // A step that had nothing to do cannot fail, and beyond the last one there is none.
            _ => {
                assert_eq!(came, 0, "{title}: {:?}", rested.rest);
                here.serves(&rested, from.peer(), &title);
                true
            }
        }
    }
}

fn undone(rested: &Rested) -> usize {
    rested.run.steps.iter().filter(|state| matches!(state, StepState::Undone)).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_switchover_or_the_way_back_unwinds_from_any_step_before_the_promotion_and_goes_forward_after_it() {
    let mut world = World::start(|text| text);
    world.protect("0.2");
    let here = Here::beside(&world);
    let mut ways = Ways::default();
    for place in 0..16 {
        for (kind, from) in [(RunKind::Switchover, Node::Fra), (RunKind::Failback, Node::Dub)] {
            if !ways.fails(&here, kind, from, place).await {
                // What was unwound can be done: nothing is in the way of the next run.
                here.serves(&here.plainly(kind).await, from.peer(), &format!("{kind} after {place} had failed"));
            }
        }
    }
    println!("{ways:?}");
    // Each fence fails, there and back; whether there is something to copy, and whether the other fence had begun by then, is a matter of
    // moments.
    assert!(ways.back >= 4 && ways.forward >= 10 && ways.undone >= 2, "{ways:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failover_whose_step_fails_promotes_nothing_or_goes_forward_and_the_next_one_succeeds() {
    let mut ways = Ways::default();
    for place in 0..9 {
        let mut world = World::start(|text| text);
        world.protect("0.2");
        world.regions.kill_region(Node::Fra);
        let here = Here::beside(&world);
        let unwinds = |step: &mut lifeboat::model::PlanStep| step.on_failure = OnFailure::Unwind;
        let (rested, _) = here.troubled(RunKind::Failover, &[place], Trouble::Fails, unwinds).await;
        let title = format!("{:?} fails: {:?}", rested.run.plan().steps.get(place).map(|step| &step.name), rested.rest);
        println!("{title} {:?}", rested.run.steps);
        ways.undone += undone(&rested);
        match rested.rest {
            Rest::Closed(Outcome::Unwound) => {
                assert!(!rested.run.past_no_return() && !world.writable(Node::Dub), "{title}");
                assert_eq!(world.name(), "127.1.0.80", "{title}");
                here.serves(&here.plainly(RunKind::Failover).await, Node::Dub, &title);
                ways.back += 1;
            }
            // The fence of a dead server cannot be taken back: a person gives that up, and the next failover finds it proven.
            Rest::Paused(PauseReason::UndoStuck { .. }) => {
                assert!(!rested.run.past_no_return() && !world.writable(Node::Dub), "{title}");
                let ended = here.cancel(&rested.run.id).await;
                assert_eq!(ended.rest, Rest::Closed(Outcome::Cancelled), "{title}");
                here.serves(&here.plainly(RunKind::Failover).await, Node::Dub, &title);
                ways.stuck += 1;
            }
            _ => {
                here.serves(&here.resume(&rested.run.id).await, Node::Dub, &title);
                ways.forward += 1;
            }
        }
    }
    println!("{ways:?}");
    assert!(ways.back >= 1 && ways.stuck >= 1 && ways.forward >= 5, "{ways:?}");
}
