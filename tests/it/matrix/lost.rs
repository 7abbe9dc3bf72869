//! A reply or a request is lost at each step, also with a death at the record after it (S4, S12).

use lifeboat::{decide::Rest, driver::fake::Trouble};

use super::{
    book::books,
    life::{Lives, at_event, troubled},
};
use crate::stage::*;

const SUCCEEDED: Rest = Rest::Closed(Outcome::Succeeded);

type Change = fn(&mut Trouble);

const LOST: [(&str, Change); 2] = [
    ("the reply was lost", |trouble| trouble.lose_reply = 1),
    ("the request was lost", |trouble| trouble.lose_request = 1),
];

#[tokio::test(start_paused = true)]
async fn a_lost_reply_or_request_at_any_step_leads_to_the_same_end_also_with_a_death_after_it() {
    for book in books() {
        for (index, name) in book.steps() {
            for (what, lose) in LOST {
                for dies in [None, Some(Dies::Before), Some(Dies::After)] {
                    // A read that was lost left nothing behind, so it is a failed try; all else is unknown.
                    let after = move |body: &EventBody| match body {
                        EventBody::Lost { step, .. } | EventBody::Failed { step, .. } => *step == index,
                        _ => false,
                    };
                    let dooms = dies.map(|dies| at_event(dies, after)).into_iter().collect();
                    let mut lived = Lives::new(&book, &troubled(&book, &name, lose), None).until_rest(dooms).await;
                    assert_eq!(lived.deaths, usize::from(dies.is_some()), "{}, {name}", book.title);
                    if lived.rest == Rest::Closed(Outcome::CompletedWithExceptions) {
                        lived.passed_over(&book, &[index]);
                        continue;
                    }
                    // A read that may be tried once alone (waiting for a probe) is failed by it, and a person goes on.
                    let step = &book.plan.steps[index.at()];
                    if step.effect == Effect::Reads && step.retry.attempts == 1 && lived.rest != SUCCEEDED {
                        assert_eq!(lived.rest, Rest::Paused(PauseReason::StepFailed { step: index }), "{}", book.title);
                        lived = lived.after_order(CommandBody::Resume).await;
                    }
                    lived.ended_well(&book, &format!("{what} at {name}, death {dies:?}")).await;
                }
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_step_that_cannot_be_seen_after_a_lost_reply_pauses_and_is_neither_repeated_nor_undone() {
    for book in books() {
        for (index, name) in book.steps() {
            if book.plan.steps[index.at()].effect == Effect::Reads {
                continue;
            }
            let book = super::fail::with_policy(&book, index, OnFailure::Unwind);
            let script = troubled(&book, &name, |trouble| (trouble.lose_reply, trouble.unseen_in_doubt) = (1, 1_000));
            let lived = Lives::new(&book, &script, None).until_rest(Vec::new()).await;
            let expected = Rest::Paused(PauseReason::OutcomeUnknown { step: index });
            assert_eq!(lived.rest, expected, "{}: {:?}", book.title, lived.run.steps);
            assert_eq!(lived.stage.effects()[&name], 1, "{}", book.title);
            assert!(lived.undone().is_empty(), "{}: undone on unknown", book.title);
        }
    }
}
