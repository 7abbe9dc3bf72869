//! Standing by: one process drives a run, others wait to take it over.
//!
//! Whoever stands by watches the lease and asks nobody else. A holder that is killed or cut off does not renew; after a full
//! time-to-live of *this* process's clock the lease is taken with the next term, and the run goes on from its journal. Of
//! several that stand by one gets it, and the others go on waiting. A crash while standing by means nothing.

use std::time::Duration;

use super::{App, AppError, Manner, Waiting};
use crate::{
    engine::{self, Hold},
    model::RunId,
    port::{LeaseError, LeaseKey, LeaseState, StoreError},
};

/// Pause before a store that did not answer is asked again.
const REST: Duration = Duration::from_millis(200);

/// How the waiting ended.
pub enum Standing {
    /// The run is closed: there is nothing to take over.
    Over,
    /// The lease is ours.
    Ours {
        /// The lease.
        hold: Box<Hold>,
        /// Another process held it when the waiting began.
        waited: bool,
    },
}

impl App {
    /// Waits for as long as another process drives the run, and takes its lease when that process gave it back or is gone.
    /// `waiting` hears of each holder once. A store that does not answer is asked again and again.
    pub async fn stand_by(&self, id: &RunId, waiting: Waiting<'_>) -> Result<Standing, AppError> {
        let run = engine::load(&self.store, id).await?;
        // What would keep it from taking over is told now, and not when it is needed.
        drop(self.tools.open(run.plan())?);
        let key = LeaseKey { group: id.group.clone(), rehearsal: run.opened.rehearsal };
        let mut held_by: Option<String> = None;
        let mut after = run.seq;
        let mut closed = run.closed().is_some();
        loop {
            if closed {
                return Ok(Standing::Over);
            }
            let mut heard = |state: &LeaseState| {
                if state.holder != held_by {
                    held_by.clone_from(&state.holder);
                    waiting(state);
                }
            };
            match self.take(&key, Manner::default(), &mut heard).await {
                Ok(hold) => return Ok(Standing::Ours { hold: Box::new(hold), waited: held_by.is_some() }),
                // It renewed in between, or another one that stands by was quicker.
                Err(AppError::Lease(LeaseError::Held { .. })) => {}
                Err(
                    AppError::Lease(LeaseError::Store { source: StoreError::Unavailable { .. }, .. })
                    | AppError::Store { source: StoreError::Unavailable { .. }, .. },
                ) => {
                    self.clock.sleep(REST).await;
                }
                Err(other) => return Err(other),
            }
            match self.store.read(id, after).await {
                Ok(events) => {
                    closed = events.iter().any(|event| matches!(event.body, crate::model::EventBody::Closed { .. }));
                    after = events.last().map_or(after, |event| event.seq);
                }
                Err(StoreError::Unavailable { .. }) => {}
                Err(source) => {
                    return Err(AppError::Store { intent: format!("read the journal of {id}"), source });
                }
            }
        }
    }
}
