//! An isolated drill of every shipped runbook: whatever happens at whatever place, what it set up is taken down once, and after
//! everything else.

use lifeboat::{
    decide::Rest,
    driver::fake::Script,
    model::{Isolation, SkippedBy},
};

use super::{
    book::{Book, books},
    life::{Lived, Lives, at_append, timed, troubled},
};
use crate::stage::*;

const DROP: &str = "drop-clones";

/// The runbook with something before it that makes clones, and something behind it that takes them down.
fn drills() -> Vec<Book> {
    let isolated = |book: Book| {
        let mut plan = book.plan.clone();
        let clone = StepIndex(u32::try_from(plan.steps.len()).unwrap());
        for step in plan.steps.iter_mut().filter(|step| step.needs.is_empty()) {
            step.needs.push(clone);
        }
        plan.steps.push(sample::step("make-clones", Verb::Command, &[]));
        plan.steps.push(PlanStep { last: true, ..sample::step(DROP, Verb::Command, &[]) });
        plan.isolation = Some(Isolation { real: Vec::new(), left_out: Vec::new() });
        plan.check().unwrap();
        Book { title: format!("isolated {}", book.title), plan, kind: book.kind }
    };
    books().into_iter().map(isolated).collect()
}

async fn lives(book: &Book, script: &Script, dooms: Vec<crate::stage::Doom>) -> Lived {
    let mut lives = Lives::new(book, script, None);
    lives.rehearsal = true;
    lives.until_rest(dooms).await
}

/// Taken down once, after all else.
fn taken_down(lived: &Lived, title: &str) {
    let acts: Vec<String> =
        lived.stage.world.acts().iter().filter(|act| !act.undo).map(|act| act.step.to_string()).collect();
    let drops = acts.iter().filter(|step| *step == DROP).count();
    assert_eq!(drops, 1, "{title}: {acts:?}");
    assert_eq!(acts.last().map(String::as_str), Some(DROP), "{title}: {acts:?}");
}

#[tokio::test(start_paused = true)]
async fn killed_at_any_record_an_isolated_drill_is_done_and_taken_down_once() {
    for book in drills() {
        let script = timed(&book);
        let whole = lives(&book, &script, Vec::new()).await;
        whole.ended_well(&book, "without trouble").await;
        taken_down(&whole, &book.title);
        for dies in [Dies::Before, Dies::After] {
            for at in 0..whole.appends {
                let lived = lives(&book, &script, vec![at_append(at, dies)]).await;
                let title = format!("{}, killed {dies:?} record {at}", book.title);
                lived.ended_well(&book, &title).await;
                taken_down(&lived, &title);
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn whatever_an_isolated_drill_fails_at_it_is_cut_short_and_taken_down() {
    for book in drills() {
        for (index, name) in book.steps() {
            let step = &book.plan.steps[index.at()];
            if step.best_effort || step.last {
                continue;
            }
            let title = format!("{}, {name} fails", book.title);
            let script = troubled(&book, &name, |trouble| (trouble.fail, trouble.fatal) = (1_000, true));
            let lived = lives(&book, &script, Vec::new()).await;
            assert_eq!(lived.rest, Rest::Closed(Outcome::Failed), "{title}: {:?}", lived.run.steps);
            assert!(matches!(lived.run.steps[index.at()], StepState::Failed { .. }), "{title}");
            taken_down(&lived, &title);
            // What needed it did not begin.
            for (other, state) in book.plan.indices().zip(&lived.run.steps) {
                if book.before(other).contains(&index) {
                    assert!(matches!(state, StepState::Skipped { by: SkippedBy::End, .. }), "{title}: {state:?}");
                }
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_isolated_drill_that_may_not_act_is_cut_short_and_taken_down() {
    for book in drills().into_iter().filter(|book| book.kind == RunKind::Failover) {
        let mut script = timed(&book);
        script.loss =
            Some(Loss { seconds: Some(1_000_000.0), amount: Some(7), unit: "bytes".into(), basis: "a test".into() });
        let lived = lives(&book, &script, Vec::new()).await;
        assert_eq!(lived.rest, Rest::Closed(Outcome::Failed), "{}: {:?}", book.title, lived.run.steps);
        assert!(!lived.acted(|act| act.verb == Verb::DatabasePromote), "{}", book.title);
        taken_down(&lived, &book.title);
    }
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_taken_down_waits_for_a_person_who_tries_again_or_lets_it_be() {
    for book in drills() {
        for again in [true, false] {
            let script = troubled(&book, DROP, |trouble| (trouble.fail, trouble.fatal) = (1, true));
            let lived = lives(&book, &script, Vec::new()).await;
            let drop = book.plan.find(&StepName::new(DROP).unwrap()).unwrap();
            assert_eq!(lived.rest, Rest::Paused(PauseReason::StepFailed { step: drop }), "{}", book.title);
            if again {
                let ended = lived.after_order(CommandBody::Resume).await;
                assert_eq!(ended.rest, Rest::Closed(Outcome::Succeeded), "{}: {:?}", book.title, ended.run.steps);
                taken_down(&ended, &book.title);
            } else {
                // Past a promotion, too: it was that of a clone.
                let ended = lived.after_order(CommandBody::Cancel { unwind: false }).await;
                assert_eq!(ended.rest, Rest::Closed(Outcome::Cancelled), "{}", book.title);
                assert!(matches!(ended.run.steps[drop.at()], StepState::Failed { .. }), "{}", book.title);
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_isolated_drill_that_is_cancelled_at_any_record_is_taken_down() {
    for book in drills() {
        let whole = lives(&book, &timed(&book), Vec::new()).await;
        for unwind in [true, false] {
            for at in 1..whole.appends - 2 {
                let mut begun = Lives::new(&book, &timed(&book), None);
                begun.rehearsal = true;
                begun.before_second = vec![CommandBody::Cancel { unwind }];
                let lived = begun.until_rest(vec![at_append(at, Dies::Before)]).await;
                let title = format!("{}, cancelled at {at}: {:?}", book.title, lived.run.steps);
                assert!(matches!(lived.rest, Rest::Closed(Outcome::Cancelled | Outcome::Succeeded)), "{title}");
                assert!(lived.undone().is_empty(), "{title}");
                taken_down(&lived, &title);
            }
        }
    }
}
