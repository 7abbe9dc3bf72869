//! A driver that is faulty on purpose, in one way at a time: each is caught, and by the check that is meant for it.

use std::collections::BTreeSet;

use futures::{StreamExt as _, stream};
use lifeboat::driver::conformance::Promise;

use super::{
    conforms, examined,
    lamps::{Flaw, OnTrial},
};

/// Each flaw, and the promise that it breaks.
const TABLE: &[(Flaw, Promise)] = &[
    (Flaw::NoTries, Promise::Described),
    (Flaw::UntriedVerb, Promise::Described),
    (Flaw::ObserveWrites, Promise::Harmless),
    (Flaw::SurveyWrites, Promise::Harmless),
    (Flaw::Fickle, Promise::Steady),
    (Flaw::NeverSure, Promise::Applied),
    (Flaw::OutputMore, Promise::Outputs),
    (Flaw::OutputLess, Promise::Outputs),
    (Flaw::NoEndpoint, Promise::Endpoints),
    (Flaw::Blind, Promise::Seen),
    (Flaw::Adds, Promise::Twice),
    (Flaw::Unchecked, Promise::BadParameters),
    (Flaw::LostIsFailed, Promise::LostReply),
    (Flaw::Poisoned, Promise::Recovery),
    (Flaw::RefusedIsFinal, Promise::Refused),
    (Flaw::GuessesReady, Promise::Dead),
    (Flaw::GuessesAlready, Promise::Dead),
    (Flaw::SurveyGuesses, Promise::Dead),
    (Flaw::LooksForever, Promise::Deadline),
    (Flaw::ActsForever, Promise::Deadline),
    (Flaw::LateIsFailed, Promise::Deadline),
    (Flaw::LeavesOpen, Promise::Dropped),
    (Flaw::ActsUnpermitted, Promise::NoPermit),
    (Flaw::UndoesUnpermitted, Promise::NoPermit),
    (Flaw::AsksOnce, Promise::PermitLost),
    (Flaw::DeniesHalf, Promise::PermitLost),
    (Flaw::UndoesHalf, Promise::Undone),
    (Flaw::UndoAdds, Promise::Undone),
    (Flaw::SecretInError, Promise::Secrets),
    (Flaw::SecretInFacts, Promise::Secrets),
    (Flaw::SecretInEndpoint, Promise::Secrets),
    (Flaw::SecretInDisguise, Promise::Secrets),
];

#[tokio::test(flavor = "multi_thread")]
async fn the_lamps_without_a_flaw_conform() {
    insta::assert_snapshot!(conforms(&OnTrial::new(Flaw::None)).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_flaw_is_caught_by_the_check_that_is_meant_for_it_and_by_no_other() {
    let found: Vec<_> = stream::iter(TABLE)
        .map(async |(flaw, promise)| (flaw, promise, examined(&OnTrial::new(*flaw)).await))
        .buffer_unordered(8)
        .collect()
        .await;
    for (flaw, promise, report) in found {
        let broken: BTreeSet<_> = report.broken().map(|check| check.promise).collect();
        assert_eq!(broken, BTreeSet::from([*promise]), "{flaw:?}\n{report}");
    }
}

#[test]
fn every_promise_has_a_flaw_that_breaks_it() {
    for promise in Promise::ALL {
        assert!(TABLE.iter().any(|(_, broken)| broken == promise), "nothing shows that `{promise}` can be broken");
    }
}
