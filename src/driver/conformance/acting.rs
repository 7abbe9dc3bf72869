//! Promise 2: acting, acting again, and taking back.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::{
    report::{Outcome, Verdict, broken, not_applicable},
    stage::{Stage, difference},
    subject::{Fault, Trial, Wire},
};
use crate::{
    model::{Attempt, Effect, Observed, Output},
    port::{Call, Descriptor, Driver},
};

/// The most fronts of exchanges that are looked at one by one in a plain act; a poll for minutes would never end.
const FRONTS: usize = 60;

/// The trial's act as it goes when nothing stands in its way: the ground of all other checks.
pub(super) struct Plain {
    pub(super) facts: &'static Descriptor,
    /// The world before.
    pub(super) start: String,
    /// The world after.
    pub(super) done: String,
    /// Exchanges at which to interfere, the most telling first: those with an effect, those just before, the last, the first.
    pub(super) points: Vec<u32>,
    pub(super) output: Output,
    pub(super) contacted: Vec<String>,
}

impl Plain {
    /// The act changes nothing.
    pub(super) fn reads(&self) -> bool {
        self.facts.effect == Effect::Reads
    }

    /// Whether what the act said is true of the world that it left.
    pub(super) fn truth(&self, attempt: &Attempt, now: &str) -> Verdict {
        match attempt {
            Attempt::Unknown { .. } => Ok(()),
            Attempt::Applied { .. } if now == self.done => Ok(()),
            Attempt::Applied { .. } => {
                Err(broken("`Applied` only where it is so", format!("Applied; {}", difference(&self.done, now))))
            }
            Attempt::NotApplied { .. } if now == self.start => Ok(()),
            Attempt::NotApplied { why, .. } => Err(broken(
                "`Unknown`, as something was done",
                format!("NotApplied ({why}); {}", difference(&self.start, now)),
            )),
        }
    }

    /// The two most telling points.
    pub(super) fn few(&self) -> impl Iterator<Item = u32> {
        self.points.iter().copied().take(2)
    }
}

/// Acts from the trial's start, and looks at the world after each front of exchanges.
pub(super) async fn plain(stage: &Stage<'_>, trial: &Trial, facts: &'static Descriptor) -> Result<Plain, Outcome> {
    let start = stage.begin(trial).await?;
    let driver = stage.subject.open();
    let seen = stage.observe(driver.as_ref(), &trial.look()).await;
    let sensible = match &seen {
        Observed::Ready { .. } => true,
        Observed::Already { .. } => facts.effect == Effect::Reads,
        Observed::Refused { .. } | Observed::Unknown { .. } => false,
    };
    if !sensible {
        return Err(broken("`Ready` at the trial's start", format!("{seen:?}")));
    }
    stage.heal();
    let call = trial.attempt(1);
    let (attempt, points) = match stage.put(Fault::Hold { after: 0 }) {
        Ok(wire) => traced(stage, wire, driver.as_ref(), &call, &start, trial.points).await,
        Err(_) => (stage.acted(driver.as_ref(), &call).await, vec![0]),
    };
    let contacted = stage.wire().map(Wire::contacted).unwrap_or_default();
    stage.heal();
    let done = stage.at_rest().await;
    let Attempt::Applied { output, .. } = attempt else {
        return Err(broken("`Applied`", format!("{attempt:?}")));
    };
    match facts.effect {
        Effect::Reads if done != start => Err(broken("no effect of a verb that only reads", difference(&start, &done))),
        Effect::Changes | Effect::Destroys if done == start && !trial.traceless => Err(broken(
            "a fingerprint that shows the act's effect (or `Effect::Reads` in the descriptor)",
            "the same world after the act",
        )),
        Effect::Reads | Effect::Changes | Effect::Destroys => {
            Ok(Plain { facts, start, done, points, output, contacted })
        }
    }
}

/// Acts, holding back each front of replies until the world was looked at: which exchanges have an effect.
async fn traced(
    stage: &Stage<'_>,
    wire: &dyn Wire,
    driver: &dyn Driver,
    call: &Call,
    start: &str,
    most: usize,
) -> (Attempt, Vec<u32>) {
    let permit = stage.subject.permit().await;
    let mut act = Box::pin(stage.act(driver, &permit, call));
    let (mut fronts, mut effects) = (vec![0], Vec::new());
    let mut last = start.to_owned();
    let attempt = loop {
        if let Some(attempt) = stage.until_held(wire, &mut act).await {
            break attempt;
        }
        stage.landed().await;
        let now = stage.world().await;
        if now != last {
            effects.push(fronts.len() - 1);
            last = now;
        }
        let next = if fronts.len() < FRONTS { wire.exchanges() } else { u32::MAX };
        fronts.push(next);
        // Put before the release: nothing slips through in between.
        let _the_same_fault_as_before = wire.put(Fault::Hold { after: next });
        wire.release();
    };
    // The last front never came, and one that is not held is none.
    fronts.pop();
    (attempt, points(&fronts, &effects, most))
}

/// The most telling exchanges, without repetition.
fn points(fronts: &[u32], effects: &[usize], most: usize) -> Vec<u32> {
    let before = effects.iter().map(|effect| effect.saturating_sub(1));
    let order = effects.iter().copied().chain(before).chain([fronts.len().saturating_sub(1), 0]);
    let mut points = Vec::new();
    for point in order.filter_map(|at| fronts.get(at).copied()) {
        if !points.contains(&point) {
            points.push(point);
        }
    }
    points.truncate(most.max(1));
    if points.is_empty() { vec![0] } else { points }
}

/// The declared outputs, of the act and of an observation after it.
pub(super) async fn outputs(stage: &Stage<'_>, trial: &Trial, plain: &Plain) -> Verdict {
    let declared: BTreeSet<&str> = plain.facts.outputs.iter().copied().collect();
    let told = |output: &Output, by: &str| {
        let found: BTreeSet<&str> = output.keys().map(String::as_str).collect();
        let list = |names: &BTreeSet<&str>| names.iter().copied().collect::<Vec<_>>().join(", ");
        if found == declared {
            return Ok(());
        }
        Err(broken(format!("[{}]", list(&declared)), format!("[{}] from {by}", list(&found))))
    };
    told(&plain.output, "the act")?;
    if let Observed::Already { output, .. } = stage.observe(stage.subject.open().as_ref(), &trial.look()).await {
        told(&output, "an observation after it")?;
    }
    Ok(())
}

/// What is done is seen. The world is as the plain act left it.
pub(super) async fn seen(stage: &Stage<'_>, trial: &Trial, plain: &Plain) -> Verdict {
    if !plain.facts.observable {
        return Err(not_applicable("the descriptor says that it cannot be observed"));
    }
    if let Some(why) = &trial.again {
        return Err(not_applicable(why));
    }
    match stage.observe(stage.subject.open().as_ref(), &trial.look()).await {
        Observed::Already { .. } => Ok(()),
        other => Err(broken("`Already` after the act", format!("{other:?}"))),
    }
}

/// A second act. The world is as the plain act left it.
pub(super) async fn twice(stage: &Stage<'_>, trial: &Trial, plain: &Plain) -> Verdict {
    if !plain.facts.observable && !trial.repeatable {
        return Err(not_applicable("it cannot be observed, so it is never repeated unless the step says so"));
    }
    let driver = stage.subject.open();
    let attempt = stage.acted(driver.as_ref(), &trial.attempt(2)).await;
    let now = stage.at_rest().await;
    if now == plain.done {
        return Ok(());
    }
    let found = format!("{attempt:?}; {}", difference(&plain.done, &now));
    Err(broken("the same world after the second act as after the first", found))
}

/// Parameters that `check` refuses.
pub(super) async fn bad_parameters(stage: &Stage<'_>, trial: &Trial, plain: &Plain) -> Verdict {
    let mut unknown = trial.call.with.clone();
    unknown.insert("no_verb_takes_this".into(), Value::Bool(true));
    let mut tried = false;
    for (with, named) in trial.refused.iter().map(|with| (with, true)).chain([(&unknown, false)]) {
        let text = Value::Object(with.clone());
        if (plain.facts.check)(with).is_err() {
            tried = true;
            refused(stage, trial, with).await?;
        } else if named {
            return Err(broken(format!("`check` refuses {text}"), "it takes them"));
        }
    }
    if tried { Ok(()) } else { Err(not_applicable("`check` takes anything, and the trial names nothing to refuse")) }
}

async fn refused(stage: &Stage<'_>, trial: &Trial, with: &Map<String, Value>) -> Verdict {
    let start = stage.begin(trial).await?;
    let driver = stage.subject.open();
    let call = Call { with: with.clone(), ..trial.attempt(1) };
    let attempt = stage.acted(driver.as_ref(), &call).await;
    let now = stage.at_rest().await;
    let text = Value::Object(with.clone());
    match attempt {
        Attempt::NotApplied { retry: false, .. } if now == start => Ok(()),
        Attempt::NotApplied { retry: false, .. } => {
            Err(broken(format!("no effect of {text}"), difference(&start, &now)))
        }
        other => Err(broken(format!("`NotApplied {{ retry: false }}` for {text}"), format!("{other:?}"))),
    }
}

/// Acts, takes it back, and takes it back again.
pub(super) async fn undone(stage: &Stage<'_>, trial: &Trial, plain: &Plain) -> Verdict {
    if !plain.facts.reversible {
        return Err(not_applicable("the descriptor says that it cannot be taken back"));
    }
    let start = stage.begin(trial).await?;
    let driver = stage.subject.open();
    stage.acted(driver.as_ref(), &trial.attempt(1)).await;
    let permit = stage.subject.permit().await;
    for time in ["first", "second"] {
        let attempt = stage.undo(driver.as_ref(), &permit, &trial.attempt(1)).await;
        let now = stage.at_rest().await;
        if now != start {
            let found = format!("{attempt:?}; {}", difference(&start, &now));
            return Err(broken(format!("the world of the start after the {time} undo"), found));
        }
        if time == "first" && !matches!(attempt, Attempt::Applied { .. }) {
            return Err(broken("`Applied` from the undo", format!("{attempt:?}")));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn effects_come_first_then_what_is_just_before_then_the_ends() {
        let table = [
            (vec![0, 2, 3, 7], vec![2], 6, vec![3, 2, 7, 0]),
            (vec![0, 2, 3, 7], vec![1, 2], 6, vec![2, 3, 0, 7]),
            (vec![0, 2, 3, 7], vec![1, 2], 2, vec![2, 3]),
            (vec![0, 2, 3], vec![], 6, vec![3, 0]),
            (vec![0], vec![0], 6, vec![0]),
            (vec![], vec![], 6, vec![0]),
        ];
        for (fronts, effects, most, expected) in table {
            assert_eq!(points(&fronts, &effects, most), expected, "{fronts:?} {effects:?}");
        }
    }
}
