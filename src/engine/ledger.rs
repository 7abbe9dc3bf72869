//! The run in memory and its journal on disk, kept in step: events are folded when they are noted, and durable when
//! they are saved. Nothing that depends on an event leaves the process before it is saved.

use std::sync::Arc;

use super::EngineError;
use crate::{
    model::{Event, EventBody, Run, Term},
    port::{Clock, LeaseError, Permit, Store, StoreError},
};

/// Told of each event once it is durable.
pub trait Progress: Send {
    /// An event, and the run after everything that was saved with it.
    fn event(&mut self, event: &Event, run: &Run);
}

impl<F: FnMut(&Event, &Run) + Send> Progress for F {
    fn event(&mut self, event: &Event, run: &Run) {
        self(event, run);
    }
}

/// A run with the events that are not saved yet.
pub(super) struct Ledger {
    pub(super) run: Run,
    unsaved: Vec<Event>,
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
}

impl Ledger {
    pub(super) fn new(run: Run, store: &Arc<dyn Store>, clock: &Arc<dyn Clock>) -> Self {
        Self { run, unsaved: Vec::new(), store: Arc::clone(store), clock: Arc::clone(clock) }
    }

    /// Folds an event into the run.
    pub(super) fn note(&mut self, term: Term, body: EventBody) -> Result<(), EngineError> {
        let event = Event { seq: self.run.seq + 1, term, at: self.clock.now(), body };
        self.run.after(&event).map_err(|source| EngineError::Illegal { run: self.run.id.clone(), source })?;
        self.unsaved.push(event);
        Ok(())
    }

    /// Makes everything that was noted durable, in one append.
    pub(super) async fn save(&mut self, permit: &Permit, progress: &mut dyn Progress) -> Result<(), EngineError> {
        let Some(first) = self.unsaved.first() else { return Ok(()) };
        let after = first.seq - 1;
        let events = self.unsaved.iter().map(|event| (event.at, event.body.clone())).collect();
        self.store.append(permit, &self.run.id, after, events).await.map_err(|source| self.failed(permit, source))?;
        for event in self.unsaved.drain(..) {
            progress.event(&event, &self.run);
        }
        Ok(())
    }

    fn failed(&self, permit: &Permit, source: StoreError) -> EngineError {
        let run = self.run.id.clone();
        match source {
            StoreError::StaleTerm { term, .. } => {
                permit.revoke();
                EngineError::LeaseLost { run, source: LeaseError::Lost { key: permit.key().clone(), term } }
            }
            source @ (StoreError::Conflict { .. }
            | StoreError::RunOpen { .. }
            | StoreError::RunClosed { .. }
            | StoreError::TermMoved { .. }
            | StoreError::NoRun { .. }
            | StoreError::Corrupt { .. }
            | StoreError::Unavailable { .. }) => EngineError::Journal { run, source },
        }
    }
}
