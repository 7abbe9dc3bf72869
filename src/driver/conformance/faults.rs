//! Promises 3 and 6: lost replies, refused connections, dead and stalled targets.

use std::time::Duration;

use super::{
    acting::Plain,
    report::{Outcome, Verdict, broken, not_applicable},
    stage::Stage,
    subject::{Fault, Trial},
};
use crate::{
    model::{Attempt, Facts, Observed, Role},
    port::{Call, Driver},
};

/// How much later than its timeout a call may end: what a busy machine adds, not what a driver may take.
pub(super) const SLACK: Duration = Duration::from_millis(750);

/// Cuts the connection at each point. Whether the act's answer was true, and whether the truth was found after it.
pub(super) async fn lost_replies(stage: &Stage<'_>, trial: &Trial, plain: &Plain) -> (Verdict, Verdict) {
    let (mut lost, mut recovery) = (Ok(()), Ok(()));
    for point in plain.points.iter().copied() {
        match lost_reply(stage, trial, plain, point).await {
            Ok((said, found)) => {
                lost = lost.and(said.map_err(|outcome| at(outcome, point)));
                recovery = recovery.and(found.map_err(|outcome| at(outcome, point)));
            }
            Err(outcome) => return (lost.and(Err(outcome.clone())), recovery.and(Err(outcome))),
        }
    }
    (lost, recovery)
}

async fn lost_reply(
    stage: &Stage<'_>,
    trial: &Trial,
    plain: &Plain,
    point: u32,
) -> Result<(Verdict, Verdict), Outcome> {
    stage.begin(trial).await?;
    stage.put(Fault::Cut { after: point })?;
    let driver = stage.subject.open();
    let attempt = stage.acted(driver.as_ref(), &trial.attempt(1)).await;
    stage.heal();
    let now = stage.at_rest().await;
    Ok((plain.truth(&attempt, &now), recovered(stage, trial, plain, driver.as_ref(), &now).await))
}

/// Names the exchange at which it was seen.
pub(super) fn at(outcome: Outcome, point: u32) -> Outcome {
    match outcome {
        Outcome::Broken { expected, found } => {
            Outcome::Broken { expected, found: format!("at exchange {point}: {found}") }
        }
        Outcome::Kept | Outcome::NotApplicable { .. } => outcome,
    }
}

/// After an act of unknown outcome: an observation finds what is so, and a new act completes.
pub(super) async fn recovered(
    stage: &Stage<'_>,
    trial: &Trial,
    plain: &Plain,
    driver: &dyn Driver,
    now: &str,
) -> Verdict {
    let seen = stage.observe(driver, &trial.doubt()).await;
    let found = || format!("{seen:?}");
    let (done, untouched) = (now == plain.done, now == plain.start);
    let ready = match &seen {
        Observed::Already { .. } if done => false,
        Observed::Already { .. } => return Err(broken("no `Already` while it is not so", found())),
        Observed::Ready { .. } if !plain.facts.observable => {
            if !trial.repeatable && !untouched {
                return Err(broken("`Unknown` of what cannot be observed and may have been done", found()));
            }
            true
        }
        Observed::Ready { .. } if done && !untouched && trial.again.is_none() => {
            return Err(broken("`Already`, as it was done", found()));
        }
        Observed::Ready { .. } => true,
        Observed::Unknown { .. } if !plain.facts.observable => false,
        Observed::Unknown { .. } | Observed::Refused { .. } => {
            return Err(broken("an observation that finds whether it was done", found()));
        }
    };
    if ready {
        let attempt = stage.acted(driver, &trial.attempt(2)).await;
        let now = stage.at_rest().await;
        if now != plain.done || !matches!(attempt, Attempt::Applied { .. }) {
            let what = super::stage::difference(&plain.done, &now);
            return Err(broken("a new act that completes", format!("{attempt:?}; {what}")));
        }
    }
    Ok(())
}

/// Every connection is refused.
pub(super) async fn refused(stage: &Stage<'_>, trial: &Trial, plain: &Plain) -> Verdict {
    stage.begin(trial).await?;
    stage.put(Fault::Refuse)?;
    let driver = stage.subject.open();
    let call = Call { timeout: trial.patience, ..trial.attempt(1) };
    let attempt = stage.acted(driver.as_ref(), &call).await;
    stage.heal();
    let now = stage.at_rest().await;
    match &attempt {
        Attempt::Applied { .. } if plain.reads() => {
            Err(broken("nothing read from a target that refuses connections", format!("{attempt:?}")))
        }
        Attempt::NotApplied { retry: false, .. } => {
            Err(broken("`retry: true`: it may succeed when the target is back", format!("{attempt:?}")))
        }
        Attempt::Applied { .. } | Attempt::NotApplied { .. } | Attempt::Unknown { .. } => plain.truth(&attempt, &now),
    }
}

/// A target that refuses, and one that is silent, under an observation.
pub(super) async fn dead(stage: &Stage<'_>, trial: &Trial, plain: &Plain) -> Verdict {
    if !plain.facts.observable {
        return Err(not_applicable("the descriptor says that it cannot be observed"));
    }
    for (fault, how) in [(Fault::Refuse, "refuses connections"), (Fault::Hold { after: 0 }, "is silent")] {
        stage.begin(trial).await?;
        stage.put(fault)?;
        let driver = stage.subject.open();
        let call = Call { timeout: trial.patience, ..trial.look() };
        let seen = stage.within(trial.patience + SLACK, stage.observe(driver.as_ref(), &call)).await;
        stage.heal();
        let guessed = match &seen {
            Some(Observed::Already { .. }) => true,
            // A verb that only reads may say that looking again makes sense.
            Some(Observed::Ready { facts }) => !plain.reads() && !admits(facts),
            Some(Observed::Refused { .. } | Observed::Unknown { .. }) | None => false,
        };
        if guessed {
            let expected = "`Unknown`, or a member that is down or unknown";
            return Err(broken(expected, format!("{seen:?} of a target that {how}")));
        }
    }
    Ok(())
}

/// Some member is said not to answer.
fn admits(facts: &Facts) -> bool {
    facts.sides.iter().any(|side| lifeless(&side.role))
}

fn lifeless(role: &Role) -> bool {
    match role {
        Role::Down(_) | Role::Unknown(_) => true,
        Role::Primary | Role::Standby | Role::ReadOnly => false,
    }
}

/// `survey` and the heartbeat of a target that refuses connections.
pub(super) async fn dead_survey(stage: &Stage<'_>, trial: &Trial) -> Verdict {
    stage.begin(trial).await?;
    stage.put(Fault::Refuse)?;
    let driver = stage.subject.open();
    let facts = driver.survey().await;
    let mut newest = Vec::new();
    if let Some(heartbeat) = driver.heartbeat() {
        for region in [&trial.call.source, &trial.call.destination] {
            newest.push(heartbeat.newest(region).await);
        }
    }
    stage.heal();
    stage.hear("survey", format!("{facts:?} {newest:?}"));
    if let Some(side) = facts.sides.iter().find(|side| !lifeless(&side.role)) {
        return Err(broken("every member down or unknown", format!("{} is {}", side.region, side.role)));
    }
    if newest.iter().any(Result::is_ok) {
        return Err(broken("an error from `newest`", format!("{newest:?}")));
    }
    if facts.sides.is_empty() && newest.is_empty() {
        return Err(not_applicable("it has no members and no heartbeat"));
    }
    Ok(())
}

/// A target that takes requests and never replies.
pub(super) async fn deadline(stage: &Stage<'_>, trial: &Trial, plain: &Plain) -> Verdict {
    if let Some(with) = &trial.endless {
        stage.begin(trial).await?;
        let driver = stage.subject.open();
        let call = Call { with: with.clone(), timeout: trial.patience, ..trial.attempt(1) };
        return match in_time(stage, trial, &call, driver.as_ref()).await? {
            Attempt::Applied { .. } => Err(broken("no `Applied` of what takes longer than the timeout", "Applied")),
            Attempt::NotApplied { .. } | Attempt::Unknown { .. } => Ok(()),
        };
    }
    stage.begin(trial).await?;
    stage.put(Fault::Hold { after: 0 })?;
    let driver = stage.subject.open();
    let call = Call { timeout: trial.patience, ..trial.look() };
    let seen = stage.within(trial.patience + SLACK, stage.observe(driver.as_ref(), &call)).await;
    stage.heal();
    if seen.is_none() {
        return Err(late("observe", trial));
    }
    for point in plain.few() {
        stage.begin(trial).await?;
        stage.put(Fault::Hold { after: point })?;
        let driver = stage.subject.open();
        let call = Call { timeout: trial.patience, ..trial.attempt(1) };
        let attempt = in_time(stage, trial, &call, driver.as_ref()).await.map_err(|outcome| at(outcome, point))?;
        stage.heal();
        plain.truth(&attempt, &stage.at_rest().await).map_err(|outcome| at(outcome, point))?;
    }
    Ok(())
}

async fn in_time(stage: &Stage<'_>, trial: &Trial, call: &Call, driver: &dyn Driver) -> Result<Attempt, Outcome> {
    let permit = stage.subject.permit().await;
    let attempt = stage.within(trial.patience + SLACK, stage.act(driver, &permit, call)).await;
    attempt.ok_or_else(|| late("act", trial))
}

fn late(what: &str, trial: &Trial) -> Outcome {
    let limit = trial.patience + SLACK;
    broken(format!("an end of `{what}` within its timeout of {:?}", trial.patience), format!("none after {limit:?}"))
}
