//! A step fails for good, at each place: undo backwards what can be undone, and never past a promotion (S4).

use lifeboat::decide::Rest;

use super::{
    book::{Book, books},
    life::{Lived, Lives, troubled},
};
use crate::stage::*;

/// The book with another `onFailure` for one step.
pub(super) fn with_policy(book: &Book, index: StepIndex, policy: OnFailure) -> Book {
    let mut plan = book.plan.clone();
    plan.steps[index.at()].on_failure = policy;
    Book { title: format!("{}, {} {policy:?}", book.title, plan.steps[index.at()].name), plan, kind: book.kind }
}

/// Everything reversible was taken back, dependents before what they need, and nothing was promoted.
pub(super) fn unwound(book: &Book, lived: &Lived) {
    assert_eq!(lived.rest, Rest::Closed(Outcome::Unwound), "{}: {:?}", book.title, lived.run.steps);
    assert!(!lived.acted(|act| act.verb.promotes()), "{}: unwound past a promotion", book.title);
    let reversible = |index: &StepIndex| book.plan.steps[index.at()].reversible;
    let undone: Vec<StepIndex> =
        lived.undone().iter().map(|name| book.plan.find(&StepName::new(name).unwrap()).unwrap()).collect();
    for (place, index) in undone.iter().enumerate() {
        let later = &undone[place + 1..];
        assert!(later.iter().all(|other| !book.before(*other).contains(index)), "{}: {:?}", book.title, lived.undone());
        assert!(!later.contains(index), "{}: undone twice: {:?}", book.title, lived.undone());
    }
    let applied = |index: &StepIndex| lived.acted(|act| act.step == book.plan.steps[index.at()].name);
    for index in book.plan.indices().filter(reversible).filter(applied) {
        assert!(undone.contains(&index), "{}: {:?} was left", book.title, book.plan.steps[index.at()].name);
        assert_eq!(lived.run.steps[index.at()], StepState::Undone, "{}", book.title);
    }
    let left = lived.stage.world.applied();
    assert!(book.plan.steps.iter().all(|step| !step.reversible || !left.contains(&step.name)), "{}", book.title);
}

/// The run at rest, after the step named `name` failed for good.
async fn failed(book: &Book, name: &str) -> Lived {
    let script = troubled(book, name, |trouble| (trouble.fail, trouble.fatal) = (1, true));
    Lives::new(book, &script, None).until_rest(Vec::new()).await
}

#[tokio::test(start_paused = true)]
async fn a_step_that_fails_pauses_the_run_and_a_person_may_unwind_it_or_go_forward() {
    let (mut back, mut forward) = (0, 0);
    for book in books() {
        for (index, name) in book.steps() {
            let lived = failed(&book, &name).await;
            if book.plan.steps[index.at()].best_effort {
                assert_eq!(lived.rest, Rest::Closed(Outcome::CompletedWithExceptions), "{}, {name}", book.title);
                continue;
            }
            assert_eq!(lived.rest, Rest::Paused(PauseReason::StepFailed { step: index }), "{}, {name}", book.title);
            assert!(!lived.acted(|act| act.step.as_str() == name), "a failed try was applied");
            let past = lived.run.past_no_return();
            assert_eq!(past, lived.acted(|act| act.verb.promotes()), "{}, {name}", book.title);
            let ended = lived.after_order(CommandBody::Cancel { unwind: true }).await;
            if past {
                assert_eq!(ended.rest, Rest::Paused(PauseReason::StepFailed { step: index }), "{}, {name}", book.title);
                assert!(ended.undone().is_empty(), "{}, {name}: undone past a promotion", book.title);
                let ended = ended.after_order(CommandBody::Resume).await;
                ended.ended_well(&book, &format!("{name} failed and was resumed")).await;
                forward += 1;
            } else {
                unwound(&book, &ended);
                ended.intended(&book.title).await;
                back += 1;
            }
        }
    }
    assert!(back > 0 && forward > 0, "{back} ways back, {forward} ways forward");
}

#[tokio::test(start_paused = true)]
async fn a_step_whose_failure_unwinds_does_so_before_a_promotion_and_pauses_after_it() {
    let (mut back, mut forward) = (0, 0);
    for book in books() {
        for (index, name) in book.steps() {
            if book.plan.steps[index.at()].best_effort {
                continue;
            }
            let book = with_policy(&book, index, OnFailure::Unwind);
            let lived = failed(&book, &name).await;
            if lived.acted(|act| act.verb.promotes()) {
                assert_eq!(lived.rest, Rest::Paused(PauseReason::StepFailed { step: index }), "{}", book.title);
                assert!(lived.undone().is_empty(), "{}: undone past a promotion", book.title);
                let ended = lived.after_order(CommandBody::Resume).await;
                ended.ended_well(&book, "failed and was resumed").await;
                forward += 1;
            } else {
                unwound(&book, &lived);
                lived.intended(&book.title).await;
                back += 1;
            }
        }
    }
    assert!(back > 0 && forward > 0, "{back} ways back, {forward} ways forward");
}

#[tokio::test(start_paused = true)]
async fn a_rehearsal_of_every_shipped_runbook_changes_nothing() {
    for book in books() {
        let mut lives = Lives::new(&book, &super::life::timed(&book), None);
        lives.rehearsal = true;
        let lived = lives.until_rest(Vec::new()).await;
        assert_eq!(lived.rest, Rest::Closed(Outcome::Succeeded), "{}: {:?}", book.title, lived.run.steps);
        assert!(lived.stage.world.acts().is_empty(), "{}", book.title);
    }
}
