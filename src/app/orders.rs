//! Orders to a run: put into its inbox, and watched until whoever drives the run has taken them.

use std::time::Duration;

use super::{App, AppError};
use crate::{
    decide,
    engine::{self, TIME_TO_LIVE},
    model::{Command, CommandBody, EventBody, RunId, Term},
    port::LeaseKey,
};

/// What became of an order.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "camelCase", tag = "is")]
pub enum Told {
    /// The process that drives the run carried it out.
    Taken,
    /// It is in the inbox; nobody drives the run now.
    Recorded,
    /// It makes no sense now.
    Refused {
        /// Why, and what would.
        why: String,
    },
}

/// What a person orders a run to do.
#[derive(Debug, Clone)]
pub struct Order {
    /// What.
    pub body: CommandBody,
    /// Why; may be empty where the order needs none.
    pub reason: String,
    /// Only when the run is still at this term.
    pub expected_term: Option<Term>,
}

/// How often the journal is read for the answer.
const LOOK: Duration = Duration::from_millis(20);

impl App {
    /// Gives an order. A driving process reads its inbox every 100 ms; one that does not answer for a lease's
    /// time-to-live and a second more is gone.
    pub async fn tell(&self, id: &RunId, order: Order) -> Result<Told, AppError> {
        let run = engine::load(&self.store, id).await?;
        let key = LeaseKey { group: id.group.clone(), rehearsal: run.opened.rehearsal };
        if !self.driven(&key).await?
            && let Some(why) = decide::obey(&self.after_orders(&run).await?, &self.command(order.clone()))
        {
            return Ok(Told::Refused { why });
        }
        let number = self.order(id, order).await?;
        let deadline = self.clock.monotonic() + TIME_TO_LIVE + Duration::from_secs(1);
        loop {
            // Asked before the journal is read: what a process that let go in between had written is seen then.
            let driven = self.driven(&key).await?;
            match self.answer(id, run.seq, number).await? {
                Some(None) => return Ok(Told::Taken),
                Some(Some(why)) => return Ok(Told::Refused { why }),
                None if !driven || self.clock.monotonic() >= deadline => return Ok(Told::Recorded),
                None => self.clock.sleep(LOOK).await,
            }
        }
    }

    fn command(&self, order: Order) -> Command {
        let Order { body, reason, expected_term } = order;
        Command { by: self.settings.actor.clone(), reason, at: self.clock.now(), expected_term, body }
    }

    /// Puts an order into a run's inbox, and says its number.
    pub(super) async fn order(&self, id: &RunId, order: Order) -> Result<u64, AppError> {
        self.store.tell(id, self.command(order)).await.map_err(AppError::store(format!("give an order to {id}")))
    }

    /// What became of order `number`, in the events above `after`: nothing yet, taken, or refused with a reason.
    async fn answer(&self, id: &RunId, after: u64, number: u64) -> Result<Option<Option<String>>, AppError> {
        let events = self.store.read(id, after).await.map_err(AppError::store(format!("read the journal of {id}")))?;
        Ok(events.into_iter().find_map(|event| match event.body {
            EventBody::Commanded { inbox, refused, .. } if inbox == number => Some(refused),
            _ => None,
        }))
    }

    /// Whether a process holds the lease under which the run is driven; it may be gone without having said so.
    pub async fn is_driven(&self, id: &RunId) -> Result<bool, AppError> {
        let run = engine::load(&self.store, id).await?;
        self.driven(&LeaseKey { group: id.group.clone(), rehearsal: run.opened.rehearsal }).await
    }

    async fn driven(&self, key: &LeaseKey) -> Result<bool, AppError> {
        let state = self.store.lease(key).await.map_err(AppError::store(format!("look at the lease on {key}")))?;
        Ok(state.holder.is_some())
    }
}
