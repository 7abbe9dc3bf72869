//! Promise 1: looking changes nothing, and answers the same for the same state.

use super::{
    report::{Verdict, broken},
    stage::{Stage, difference},
    subject::Trial,
};
use crate::{
    model::{Facts, Observed},
    port::Driver,
};

/// Two looks, and the world around them.
pub(super) async fn harmless(stage: &Stage<'_>, trial: &Trial) -> Verdict {
    let start = stage.begin(trial).await?;
    let driver = stage.subject.open();
    for call in [trial.look(), trial.doubt()] {
        stage.observe(driver.as_ref(), &call).await;
        let now = stage.at_rest().await;
        if now != start {
            return Err(broken("the same world after an observation", difference(&start, &now)));
        }
    }
    Ok(())
}

/// `survey`, `preflight` and `newest`.
pub(super) async fn survey_harmless(stage: &Stage<'_>, trial: &Trial) -> Verdict {
    let start = stage.begin(trial).await?;
    let driver = stage.subject.open();
    look_around(stage, driver.as_ref(), trial).await;
    let now = stage.at_rest().await;
    if now != start {
        return Err(broken("the same world after survey, preflight and newest", difference(&start, &now)));
    }
    Ok(())
}

/// Everything that looks without a verb.
pub(super) async fn look_around(stage: &Stage<'_>, driver: &dyn Driver, trial: &Trial) {
    let (source, destination) = (&trial.call.source, &trial.call.destination);
    stage.hear("survey", format!("{:?}", driver.survey().await));
    stage.hear("preflight", format!("{:?}", driver.preflight(source, destination).await));
    if let Some(heartbeat) = driver.heartbeat() {
        for region in [source, destination] {
            stage.hear("newest", format!("{:?}", heartbeat.newest(region).await));
        }
    }
}

/// Two looks at one state.
pub(super) async fn steady(stage: &Stage<'_>, trial: &Trial) -> Verdict {
    stage.begin(trial).await?;
    let driver = stage.subject.open();
    let first = stage.observe(driver.as_ref(), &trial.look()).await;
    let second = stage.observe(driver.as_ref(), &trial.look()).await;
    let fresh = stage.observe(stage.subject.open().as_ref(), &trial.look()).await;
    for other in [second, fresh] {
        if essence(&first) != essence(&other) {
            return Err(broken(format!("the same answer again: {}", essence(&first)), essence(&other)));
        }
    }
    Ok(())
}

/// What an observation says, without the figures that move by themselves.
pub(super) fn essence(seen: &Observed) -> String {
    match seen {
        Observed::Already { facts, .. } => format!("Already ({})", sides(facts)),
        Observed::Ready { facts } => format!("Ready ({})", sides(facts)),
        Observed::Refused { facts, expected, .. } => format!("Refused ({}; expected {expected})", sides(facts)),
        // The reason of a silence may hold a duration.
        Observed::Unknown { .. } => "Unknown".into(),
    }
}

fn sides(facts: &Facts) -> String {
    let mut parts: Vec<String> = facts.sides.iter().map(|side| format!("{} {}", side.region, side.role)).collect();
    parts.extend(facts.fence.as_ref().map(|fence| format!("fenced by {}", fence.method)));
    if parts.is_empty() { "no members".into() } else { parts.join(", ") }
}
