//! Taking a run over: fold its journal, record what is unknown now.

use std::sync::Arc;

use super::{EngineError, Hold, Progress, ledger::Ledger};
use crate::{
    decide,
    model::{Run, RunId},
    port::{Clock, Store},
};

/// Reads a run without touching it.
pub async fn load(store: &Arc<dyn Store>, id: &RunId) -> Result<Run, EngineError> {
    let journal = |source| EngineError::Journal { run: id.clone(), source };
    let events = store.read(id, 0).await.map_err(journal)?;
    Run::replay(id.clone(), &events)
        .map_err(|source| EngineError::Illegal { run: id.clone(), source })?
        .ok_or_else(|| journal(crate::port::StoreError::NoRun { run: id.clone() }))
}

/// Takes the run over with a lease that was just taken: whatever was acting is unknown from now on. Recovering twice
/// changes nothing more.
pub async fn recover(
    store: &Arc<dyn Store>,
    clock: &Arc<dyn Clock>,
    hold: &Hold,
    id: &RunId,
    holder: &str,
    progress: &mut dyn Progress,
) -> Result<Run, EngineError> {
    let run = load(store, id).await?;
    if run.closed().is_some() {
        return Ok(run);
    }
    // Another process has written since: the lease that was just taken is over already.
    if run.term > hold.permit().term() {
        hold.permit().revoke();
    }
    hold.check().map_err(|source| EngineError::LeaseLost { run: id.clone(), source })?;
    let mut ledger = Ledger::new(run, store, clock);
    for body in decide::takeover(&ledger.run, holder) {
        ledger.note(hold.permit().term(), body)?;
    }
    ledger.save(hold.permit(), progress).await?;
    Ok(ledger.run)
}
