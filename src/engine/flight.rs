//! What is under way: observations, acts and undos, polled by the engine's own loop. Dropping the flight drops them all,
//! which drivers promise is safe; what they did by then is unknown and in the journal as an intent.

use std::{future::poll_fn, sync::Arc, time::Duration};

use futures::{
    FutureExt,
    future::{BoxFuture, Either, select},
    stream::{FuturesUnordered, StreamExt},
};

use super::hold::Watch;
use crate::{
    model::{Attempt, Observed, StepIndex},
    port::{Call, Clock, Driver, Permit},
};

/// Something that ended.
pub(super) enum Landed {
    /// A look.
    Observed(StepIndex, Observed),
    /// A try.
    Acted(StepIndex, u32, Attempt),
    /// An undo.
    Undone(StepIndex, Attempt),
}

/// Looking may take this long at most, whatever the step's own timeout: a look that does not come back is *unknown*, and
/// unknown is looked at again.
const LONGEST_LOOK: Duration = Duration::from_secs(10);

/// Everything under way.
pub(super) struct Flight {
    tasks: FuturesUnordered<BoxFuture<'static, Landed>>,
    clock: Arc<dyn Clock>,
}

impl Flight {
    pub(super) fn new(clock: &Arc<dyn Clock>) -> Self {
        Self { tasks: FuturesUnordered::new(), clock: Arc::clone(clock) }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.tasks.is_empty()
    }

    pub(super) fn observe(&mut self, index: StepIndex, driver: Arc<dyn Driver>, call: Call) {
        let limit = call.timeout.min(LONGEST_LOOK);
        let deadline = Deadline { clock: Arc::clone(&self.clock), limit };
        self.tasks.push(Box::pin(async move {
            let seen = deadline.race(driver.observe(&call)).await;
            let seen = seen.unwrap_or_else(|| Observed::Unknown { why: format!("no answer within {limit:?}") });
            Landed::Observed(index, seen)
        }));
    }

    pub(super) fn act(&mut self, index: StepIndex, driver: Arc<dyn Driver>, permit: Permit, watch: Watch, call: Call) {
        let deadline = Deadline { clock: Arc::clone(&self.clock), limit: call.timeout };
        self.tasks.push(Box::pin(async move {
            let result = deadline.race(watched(watch, driver.act(&permit, &call))).await;
            Landed::Acted(index, call.attempt, result.unwrap_or_else(|| timed_out(&call)))
        }));
    }

    /// An act of a rehearsal: it is taken to have worked, and nothing is known of its output.
    pub(super) fn simulate(&mut self, index: StepIndex, attempt: u32) {
        let applied = Attempt::Applied { output: serde_json::Map::new(), facts: crate::model::Facts::default() };
        self.tasks.push(Box::pin(futures::future::ready(Landed::Acted(index, attempt, applied))));
    }

    pub(super) fn undo(
        &mut self,
        index: StepIndex,
        driver: Arc<dyn Driver>,
        permit: Permit,
        watch: Watch,
        call: Call,
        other_verb: bool,
    ) {
        let deadline = Deadline { clock: Arc::clone(&self.clock), limit: call.timeout };
        self.tasks.push(Box::pin(async move {
            let work = if other_verb { driver.act(&permit, &call) } else { driver.undo(&permit, &call) };
            let result = deadline.race(watched(watch, work)).await;
            Landed::Undone(index, result.unwrap_or_else(|| timed_out(&call)))
        }));
    }

    /// What has ended by now, without waiting.
    pub(super) fn landed(&mut self) -> Option<Landed> {
        self.tasks.next().now_or_never().flatten()
    }

    /// Waits for the next to end; for ever when nothing is under way.
    pub(super) async fn next(&mut self) -> Landed {
        match self.tasks.next().await {
            Some(landed) => landed,
            None => futures::future::pending().await,
        }
    }
}

/// Looks at the lease's time before the work goes on each time. A process may be stopped between two steps of an act, for longer
/// than its lease lasts; the driver asks `permit.live()` before its next effect, and must not be told what was true before.
fn watched<'a, T: 'a>(watch: Watch, mut work: BoxFuture<'a, T>) -> BoxFuture<'a, T> {
    Box::pin(poll_fn(move |context| {
        watch.look();
        work.as_mut().poll(context)
    }))
}

fn timed_out(call: &Call) -> Attempt {
    Attempt::Unknown { why: format!("no answer within {:?}", call.timeout) }
}

struct Deadline {
    clock: Arc<dyn Clock>,
    limit: Duration,
}

impl Deadline {
    /// `None` when the time is up first. The timer starts only when the work is not done at once.
    async fn race<T>(self, mut work: BoxFuture<'_, T>) -> Option<T> {
        if let Some(done) = (&mut work).now_or_never() {
            return Some(done);
        }
        match select(work, self.clock.sleep(self.limit)).await {
            Either::Left((done, _)) => Some(done),
            Either::Right(((), _)) => None,
        }
    }
}
