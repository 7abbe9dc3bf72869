//! Orders to a run: put into its inbox, and watched until whoever drives the run has taken them.

use std::{path::PathBuf, time::Duration};

use super::{App, AppError};
use crate::{
    decide,
    engine::{self, TIME_TO_LIVE},
    model::{Command, CommandBody, EventBody, Purpose, Run, RunId, Term},
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
    /// The person's key, where another one than the one that is set is meant.
    pub key: Option<PathBuf>,
}

/// How often the journal is read for the answer.
const LOOK: Duration = Duration::from_millis(20);

impl App {
    /// Gives an order. A driving process reads its inbox every 100 ms; one that does not answer for a lease's
    /// time-to-live and a second more is gone.
    pub async fn tell(&self, id: &RunId, order: Order) -> Result<Told, AppError> {
        let run = engine::load(&self.store, id).await?;
        let key = LeaseKey { group: id.group.clone(), rehearsal: run.opened.rehearsal };
        let command = self.signed(&run, order).await?;
        if !self.driven(&key).await? {
            let proof = engine::proof(&self.settings.persons, &run, &command, self.clock.now()).await;
            if let Some(why) = decide::obey(&self.after_orders(&run).await?, &command, &proof) {
                return Ok(Told::Refused { why });
            }
        }
        let number = self.put(id, command).await?;
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
        let Order { body, reason, expected_term, key: _ } = order;
        Command { by: self.settings.actor.clone(), reason, at: self.clock.now(), expected_term, body, signed: None }
    }

    /// The order, signed where the person has a key and it is a person's word. Without a key it is not signed, and whoever drives the
    /// run says whether that will do.
    async fn signed(&self, run: &Run, order: Order) -> Result<Command, AppError> {
        let key = order.key.clone();
        let mut command = self.command(order);
        if command.body.is_word() && (key.is_some() || self.settings.persons.key.is_some()) {
            let text = command.statement(&run.id, &run.opened.digest);
            command.signed = Some(Box::new(self.sign(key.as_deref(), Purpose::Order, text).await?));
        }
        Ok(command)
    }

    /// Where approvals are signed, who asks for a run with a key at hand approves it too. What keeps them from it is said, and the run
    /// waits for approvals.
    pub(super) async fn sign_own(&self, run: &Run) {
        if !run.plan().group.approvals_signed || self.settings.persons.key.is_none() || run.opened.rehearsal {
            return;
        }
        let body = CommandBody::Approve { step: None };
        let order = Order { body, reason: run.opened.reason.clone(), expected_term: None, key: None };
        let put = match self.signed(run, order).await {
            Ok(command) => self.put(&run.id, command).await,
            Err(error) => Err(error),
        };
        if let Err(error) = put {
            tracing::error!("your own approval of {} is missing: {}", run.id, super::bookkeeping::said(&error));
        }
    }

    /// Puts an order into a run's inbox, and says its number.
    pub(super) async fn order(&self, id: &RunId, order: Order) -> Result<u64, AppError> {
        self.put(id, self.command(order)).await
    }

    async fn put(&self, id: &RunId, command: Command) -> Result<u64, AppError> {
        self.store.tell(id, command).await.map_err(AppError::store(format!("give an order to {id}")))
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
