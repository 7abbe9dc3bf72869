//! The process dies while it undoes; persons cancel twice.

use lifeboat::decide::Rest;

use super::{
    book::{Book, books},
    fail::{unwound, with_policy},
    life::{Lives, at_append, at_event, troubled},
};
use crate::stage::*;

/// Every book with a step whose failure unwinds, where there is something to undo.
async fn unwinding() -> Vec<(Book, String, i64, usize)> {
    let mut found = Vec::new();
    for book in books() {
        for (index, name) in book.steps() {
            let book = with_policy(&book, index, OnFailure::Unwind);
            let whole = Lives::new(&book, &fatal(&book, &name), None).until_rest(Vec::new()).await;
            if whole.rest == Rest::Closed(Outcome::Unwound) && !whole.undone().is_empty() {
                found.push((book, name, whole.appends, whole.undone().len()));
            }
        }
    }
    assert!(found.iter().any(|(.., undone)| *undone > 1), "nothing unwinds more than one step");
    found
}

/// The step never succeeds, also for a process that did not learn that it failed.
fn fatal(book: &Book, name: &str) -> lifeboat::driver::fake::Script {
    troubled(book, name, |trouble| (trouble.fail, trouble.fatal) = (1_000, true))
}

#[tokio::test(start_paused = true)]
async fn killed_at_any_record_of_an_unwinding_the_run_unwinds_to_the_same_end_with_each_undo_once() {
    let mut unwindings = 0;
    for (book, name, appends, undone) in unwinding().await {
        for dies in [Dies::Before, Dies::After] {
            for at in 0..appends {
                let dooms = vec![at_append(at, dies), at_append(1, dies)];
                let lived = Lives::new(&book, &fatal(&book, &name), None).until_rest(dooms).await;
                lived.intended(&book.title).await;
                let promoted = lived.acted(|act| act.verb.promotes());
                if promoted || lived.run.past_no_return() {
                    // The death gave another branch the time to promote before this step failed, or left a promotion behind of
                    // which nobody can say that it will not arrive any more.
                    assert!(lived.run.past_no_return(), "{}: promoted, and it may be turned back", book.title);
                    assert!(matches!(lived.rest, Rest::Paused(PauseReason::StepFailed { .. })), "{}", book.title);
                    assert!(lived.undone().is_empty(), "{}: undone past a promotion", book.title);
                    continue;
                }
                unwound(&book, &lived);
                assert!(lived.undone().len() <= undone, "{}, {dies:?} record {at}: {:?}", book.title, lived.undone());
                unwindings += usize::from(lived.deaths > 0);
            }
        }
    }
    println!("{unwindings} unwindings with a death");
    assert!(unwindings > 20);
}

#[tokio::test(start_paused = true)]
async fn a_run_that_died_while_it_undid_a_step_can_be_cancelled_again() {
    for (book, name, ..) in unwinding().await {
        for unwind in [true, false] {
            for dies in [Dies::Before, Dies::After] {
                // Before: the undo reached the world and its outcome is not written. After: the intent is, and nothing more.
                let doom = match dies {
                    Dies::Before => at_event(dies, |body| matches!(body, EventBody::Undone { .. })),
                    Dies::After => at_event(dies, |body| matches!(body, EventBody::Undoing { .. })),
                };
                let mut lives = Lives::new(&book, &fatal(&book, &name), None);
                lives.before_second = vec![CommandBody::Cancel { unwind }];
                let lived = lives.until_rest(vec![doom]).await;
                assert_eq!(lived.deaths, 1, "{}", book.title);
                if unwind {
                    unwound(&book, &lived);
                } else {
                    // Nothing is left half undone: the step that was being taken back is, the others stay.
                    assert_eq!(lived.rest, Rest::Closed(Outcome::Cancelled), "{}: {:?}", book.title, lived.run.steps);
                    assert_eq!(lived.undone().len(), 1, "{}: {:?}", book.title, lived.undone());
                }
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_undo_that_fails_is_stuck_until_a_person_has_it_tried_again() {
    for (book, name, ..) in unwinding().await {
        let mut script = fatal(&book, &name);
        for trouble in script.steps.values_mut() {
            trouble.fail_undo = 1;
        }
        let mut lived = Lives::new(&book, &script, None).until_rest(Vec::new()).await;
        let mut times = 0;
        while let Rest::Paused(PauseReason::UndoStuck { step }) = lived.rest {
            times += 1;
            let step = book.plan.steps[step.at()].name.clone();
            lived = lived.after_order(CommandBody::Retry { step }).await;
        }
        assert!(times > 0, "{}", book.title);
        unwound(&book, &lived);
    }
}

#[tokio::test(start_paused = true)]
async fn an_undo_whose_reply_is_lost_is_stuck_and_is_not_repeated_when_it_is_tried_again() {
    for (book, name, _, undone) in unwinding().await {
        let mut script = fatal(&book, &name);
        for trouble in script.steps.values_mut() {
            trouble.lose_undo_reply = 1;
        }
        let mut lived = Lives::new(&book, &script, None).until_rest(Vec::new()).await;
        while let Rest::Paused(PauseReason::UndoStuck { step }) = lived.rest {
            let step = book.plan.steps[step.at()].name.clone();
            lived = lived.after_order(CommandBody::Retry { step }).await;
        }
        unwound(&book, &lived);
        assert_eq!(lived.undone().len(), undone, "{}: {:?}", book.title, lived.undone());
    }
}
