//! Each act arrives twice: at once, late, or only after it was given up (contract of `port::Driver`, point 2; S12).

use std::sync::{Arc, Mutex};

use futures::future::BoxFuture;
use lifeboat::{
    decide::Rest,
    driver::fake::Script,
    port::{Call, Descriptor, Driver, Permit},
};

use super::{
    book::{Book, books},
    life::{Lived, Lives, timed},
};
use crate::stage::*;

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum When {
    /// One behind the other.
    AtOnce,
    /// The copy arrives behind the next act of any step.
    Late,
    /// The first arrives only behind the second try, which the engine made because it saw nothing of the first.
    GivenUp,
}

pub(crate) type Copies = Arc<Mutex<Vec<(Permit, Call)>>>;

/// A network that delivers acts twice.
pub(crate) struct Twice {
    pub(crate) inner: Arc<dyn Driver>,
    pub(crate) when: When,
    pub(crate) copies: Copies,
}

impl Driver for Twice {
    fn descriptor(&self, verb: Verb) -> Option<&'static Descriptor> {
        self.inner.descriptor(verb)
    }
    fn observe<'a>(&'a self, call: &'a Call) -> BoxFuture<'a, Observed> {
        self.inner.observe(call)
    }
    fn act<'a>(&'a self, permit: &'a Permit, call: &'a Call) -> BoxFuture<'a, Attempt> {
        Box::pin(async move {
            // A read that was given up is a failed try, not an unknown one: nothing of it can arrive late.
            let reads = self.inner.descriptor(call.verb).is_none_or(|facts| facts.effect == Effect::Reads);
            if self.when == When::GivenUp && call.attempt == 1 && !reads {
                self.copies.lock().unwrap().push((permit.clone(), call.clone()));
                return Attempt::Unknown { why: "no answer".into() };
            }
            let result = self.inner.act(permit, call).await;
            let late: Vec<_> = std::mem::take(&mut *self.copies.lock().unwrap());
            for (permit, call) in late {
                let _arrived = self.inner.act(&permit, &call).await;
            }
            match self.when {
                When::AtOnce => return self.inner.act(permit, call).await,
                When::Late => self.copies.lock().unwrap().push((permit.clone(), call.clone())),
                When::GivenUp => {}
            }
            result
        })
    }
    fn undo<'a>(&'a self, permit: &'a Permit, call: &'a Call) -> BoxFuture<'a, Attempt> {
        self.inner.undo(permit, call)
    }
    fn endpoints(&self, call: &Call) -> Vec<Endpoint> {
        self.inner.endpoints(call)
    }
}

async fn delivered(book: &Book, when: When, script: &Script) -> (Lived, Copies) {
    let copies = Copies::default();
    let shared = Arc::clone(&copies);
    let between = move |inner| -> Arc<dyn Driver> { Arc::new(Twice { inner, when, copies: Arc::clone(&shared) }) };
    (Lives::new(book, script, Some(&between)).until_rest(Vec::new()).await, copies)
}

#[tokio::test(start_paused = true)]
async fn an_act_that_arrives_twice_does_no_more_harm_than_once() {
    for book in books() {
        let once = Lives::new(&book, &timed(&book), None).until_rest(Vec::new()).await;
        for when in [When::AtOnce, When::Late, When::GivenUp] {
            let (lived, copies) = delivered(&book, when, &timed(&book)).await;
            let title = format!("{}, {when:?}", book.title);
            if lived.rest == Rest::Closed(Outcome::CompletedWithExceptions) {
                assert_eq!(when, When::GivenUp, "{title}");
                lived.passed_over(&book, &book.plan.indices().collect::<Vec<_>>());
            } else {
                assert_eq!(lived.rest, Rest::Closed(Outcome::Succeeded), "{title}: {:?}", lived.run.steps);
            }
            assert_eq!(lived.stage.world.applied(), once.stage.world.applied(), "{title}");
            lived.in_order(&book, &title);
            assert!(lived.stage.effects().values().any(|count| *count == 2), "{title}: nothing arrived twice");
            // What is still on the way when the run is over finds a permit that is out (S2).
            let (acts, late) = (lived.stage.world.acts(), std::mem::take(&mut *copies.lock().unwrap()));
            for (permit, call) in &late {
                let driver = lived.stage.drivers.of(call.verb, call.target.as_ref()).unwrap();
                let result = driver.act(permit, call).await;
                assert!(matches!(result, Attempt::NotApplied { retry: false, .. }), "{title}: {result:?}");
            }
            assert_eq!(lived.stage.world.acts(), acts, "{title}: an act after the end");
        }
    }
}
