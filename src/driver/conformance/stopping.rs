//! Promises 4 and 6: permits that are out or go out, and acts that are dropped.

use std::{pin::pin, time::Duration};

use futures::future::{Either, select};

use super::{
    acting::Plain,
    faults::{at, recovered},
    report::{Outcome, Verdict, broken, not_applicable},
    stage::{Stage, difference},
    subject::{Fault, Trial},
};
use crate::{model::Attempt, port::Call};

/// How far an act that is slow by itself gets before it is dropped.
const BEGUN: Duration = Duration::from_millis(50);

/// Drops the act while a reply is held, at several points.
pub(super) async fn dropped(stage: &Stage<'_>, trial: &Trial, plain: &Plain) -> Verdict {
    if let Some(with) = &trial.endless {
        stage.begin(trial).await?;
        let call = Call { with: with.clone(), ..trial.attempt(1) };
        let permit = stage.subject.permit().await;
        let driver = stage.subject.open();
        let ended = stage.within(BEGUN, stage.act(driver.as_ref(), &permit, &call)).await;
        if let Some(attempt) = ended {
            return Err(broken("an act that is slow by itself (a fault of the subject)", format!("{attempt:?}")));
        }
        let now = stage.at_rest().await;
        recovered(stage, trial, plain, driver.as_ref(), &now).await?;
        drop(driver);
        return nothing_open(stage).await;
    }
    for point in plain.few() {
        drop_at(stage, trial, plain, point).await.map_err(|outcome| at(outcome, point))?;
    }
    Ok(())
}

async fn drop_at(stage: &Stage<'_>, trial: &Trial, plain: &Plain, point: u32) -> Verdict {
    stage.begin(trial).await?;
    let wire = stage.put(Fault::Hold { after: point })?;
    let driver = stage.subject.open();
    let call = trial.attempt(1);
    let permit = stage.subject.permit().await;
    let mut act = Box::pin(stage.act(driver.as_ref(), &permit, &call));
    let ended = stage.until_held(wire, &mut act).await;
    drop(act);
    stage.heal();
    let now = stage.at_rest().await;
    if ended.is_none() {
        recovered(stage, trial, plain, driver.as_ref(), &now).await?;
    }
    drop(driver);
    nothing_open(stage).await
}

async fn nothing_open(stage: &Stage<'_>) -> Verdict {
    match stage.left_open().await.as_slice() {
        [] => Ok(()),
        some => Err(broken("nothing left open", some.join(", "))),
    }
}

/// A permit that is out from the beginning.
pub(super) async fn no_permit(stage: &Stage<'_>, trial: &Trial, plain: &Plain) -> Verdict {
    let start = stage.begin(trial).await?;
    let driver = stage.subject.open();
    let out = stage.subject.permit().await;
    out.revoke();
    let attempt = stage.act(driver.as_ref(), &out, &trial.attempt(1)).await;
    nothing_done("act", &attempt, &start, &stage.at_rest().await)?;
    if plain.facts.reversible {
        stage.acted(driver.as_ref(), &trial.attempt(1)).await;
        let before = stage.at_rest().await;
        let attempt = stage.undo(driver.as_ref(), &out, &trial.attempt(1)).await;
        nothing_done("undo", &attempt, &before, &stage.at_rest().await)?;
    }
    Ok(())
}

fn nothing_done(what: &str, attempt: &Attempt, before: &str, now: &str) -> Verdict {
    if now != before {
        return Err(broken(format!("no effect of {what} without a permit"), difference(before, now)));
    }
    match attempt {
        Attempt::NotApplied { retry: false, .. } => Ok(()),
        other => {
            Err(broken(format!("`NotApplied {{ retry: false }}` from {what} without a permit"), format!("{other:?}")))
        }
    }
}

/// A permit that goes out while a reply is held.
pub(super) async fn permit_lost(stage: &Stage<'_>, trial: &Trial, plain: &Plain) -> Verdict {
    if plain.reads() {
        return Err(not_applicable("it has no effect that could be stopped"));
    }
    let mut stopped = false;
    for point in plain.points.iter().copied() {
        stopped |= lose_permit_at(stage, trial, plain, point).await.map_err(|outcome| at(outcome, point))?;
    }
    if stopped { Ok(()) } else { Err(not_applicable("no reply could be held while the act ran")) }
}

/// Whether a reply was held at this point.
async fn lose_permit_at(stage: &Stage<'_>, trial: &Trial, plain: &Plain, point: u32) -> Result<bool, Outcome> {
    stage.begin(trial).await?;
    let wire = stage.put(Fault::Hold { after: point })?;
    let driver = stage.subject.open();
    let call = trial.attempt(1);
    let permit = stage.subject.permit().await;
    let mut act = Box::pin(stage.act(driver.as_ref(), &permit, &call));
    if stage.until_held(wire, &mut act).await.is_some() {
        return Ok(false);
    }
    permit.revoke();
    // Requests that were on their way when the permit went out arrive now; from here on nothing may change.
    let (attempt, frozen) = match select(&mut act, pin!(stage.at_rest())).await {
        Either::Left((attempt, rest)) => (Some(attempt), rest.await),
        Either::Right((frozen, _)) => (None, frozen),
    };
    // The fault goes, and what is held is handed out.
    wire.put(Fault::Hold { after: u32::MAX }).map_err(not_applicable)?;
    wire.release();
    let attempt = match attempt {
        Some(attempt) => attempt,
        None => act.await,
    };
    stage.heal();
    let now = stage.at_rest().await;
    if now != frozen {
        return Err(broken(
            "no effect after the permit went out",
            format!("{attempt:?}; {}", difference(&frozen, &now)),
        ));
    }
    plain.truth(&attempt, &now).map(|()| true)
}
