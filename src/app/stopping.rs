//! The stop, for a person who wants everything to stand still now.
//!
//! It asks the store and nothing else: no region, no documents, no lease. A process that drives a run looks for stops
//! as often as for orders (every 100 ms) and pauses the run at once: nothing new starts, and what is under way ends. Lifting a
//! stop starts nothing either; a paused run waits for its own `resume`.

use std::time::Duration;

use serde::Serialize;

use super::{App, AppError};
use crate::{
    engine::{self, TIME_TO_LIVE},
    model::{GroupName, RunId, RunState, StopOrder, stopped},
    port::RunSummary,
};

/// Between two looks at a run that should stand still.
const LOOK: Duration = Duration::from_millis(20);

/// How an open run stands after a stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Stands {
    /// Its process paused it, or it was paused before.
    Paused,
    /// Nobody drives it, and nobody can while the stop lasts.
    Undriven,
    /// Its process has not answered for longer than a lease lives: it acts no more, or its clock stands still.
    Silent,
}

/// What came of a stop.
#[derive(Debug, Clone, Serialize)]
pub struct Stopped {
    /// The order.
    pub order: StopOrder,
    /// The runs that are open.
    pub runs: Vec<(RunId, Stands)>,
}

impl App {
    /// Stops `group`, or everything, and waits until no run that it is about is driven on. Lifts the stop when `stops` is
    /// false.
    pub async fn stop(&self, group: Option<GroupName>, stops: bool, reason: &str) -> Result<Stopped, AppError> {
        let by = self.settings.actor.clone();
        let order = StopOrder { group, stops, by, reason: reason.to_owned(), at: self.clock.now() };
        self.store.order_stop(&order).await.map_err(AppError::store("order the stop"))?;
        let runs = self.store.runs(order.group.as_ref()).await.map_err(AppError::store("list the open runs"))?;
        let open = runs.into_iter().filter(|run| run.closed.is_none());
        let stands = open.map(|run| async move {
            let stands = if stops { self.stands(&run).await? } else { Stands::Paused };
            Ok::<_, AppError>((run.run, stands))
        });
        Ok(Stopped { runs: futures::future::try_join_all(stands).await?, order })
    }

    async fn stands(&self, run: &RunSummary) -> Result<Stands, AppError> {
        let deadline = self.clock.monotonic() + TIME_TO_LIVE + Duration::from_secs(1);
        loop {
            // Asked before the journal: what a process wrote before it let go is seen then.
            let lease = self.store.lease(&run.key()).await.map_err(AppError::store("look at the lease"))?;
            match engine::load(&self.store, &run.run).await?.state {
                RunState::Paused { .. } | RunState::Closed { .. } => return Ok(Stands::Paused),
                RunState::Running | RunState::Cancelling | RunState::Unwinding { .. } => {}
            }
            if lease.holder.is_none() {
                return Ok(Stands::Undriven);
            }
            if self.clock.monotonic() >= deadline {
                return Ok(Stands::Silent);
            }
            self.clock.sleep(LOOK).await;
        }
    }

    /// The order that stops the group now.
    pub(super) async fn stopped(&self, group: &GroupName) -> Result<Option<StopOrder>, AppError> {
        let orders = self.store.stop_orders().await.map_err(AppError::store("see whether anything is stopped"))?;
        Ok(stopped(&orders, group).cloned())
    }

    /// Nothing starts and nothing goes on while its group is stopped.
    pub(super) async fn unless_stopped(&self, group: &GroupName) -> Result<(), AppError> {
        self.stopped(group).await?.map_or(Ok(()), |order| Err(refusal(&order)))
    }
}

/// Who stopped what, when and why.
pub(super) fn said(order: &StopOrder) -> String {
    let why = if order.reason.trim().is_empty() { String::new() } else { format!(": {}", order.reason) };
    format!("{} stopped {} at {:.0}{why}", order.by, order.scope(), order.at)
}

/// The refusal, with the way out.
pub(super) fn refusal(order: &StopOrder) -> AppError {
    let lift = order.group.as_ref().map_or("--all", GroupName::as_str);
    let remedy = format!("when it may go on: lifeboat stop {lift} --resume --reason \"…\"");
    AppError::Refused { what: said(order), remedy }
}
