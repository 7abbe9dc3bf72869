//! Looking at the real world before anything acts: every member's role, what each step would find, what would be lost.
//!
//! Nothing here changes anything, and nothing waits for longer than the limit: what did not answer by then is unknown.

use std::{collections::BTreeMap, time::Duration};

use futures::{
    FutureExt,
    future::{Either, join_all, select},
};
use jiff::Timestamp;

use super::Survey;
use crate::{
    engine,
    model::{
        Capability, Event, EventBody, Facts, Loss, Observed, Opened, Run, RunId, StepIndex, TargetName, Term, Verb,
    },
    port::{Call, Clock, Drivers, Known, ObserverReport},
};

/// How long looking may take in all: a region that went dark must not hold up the failover that it made necessary.
pub(super) const LIMIT: Duration = Duration::from_secs(3);

/// What one step's observation found.
#[derive(Debug, Clone)]
pub(super) struct Seen {
    /// The call.
    pub call: Call,
    /// What was found.
    pub observed: Observed,
}

/// `None` when the time is up first.
pub(super) async fn within<T>(clock: &dyn Clock, limit: Duration, work: impl Future<Output = T>) -> Option<T> {
    let work = std::pin::pin!(work);
    match select(work, clock.sleep(limit)).await {
        Either::Left((done, _)) => Some(done),
        Either::Right(((), _)) => None,
    }
}

/// The role of every member of every target.
pub(super) async fn survey(drivers: &Drivers, clock: &dyn Clock, limit: Duration) -> Survey {
    let asked = drivers.targets.iter().map(|(target, driver)| async move {
        let facts = within(clock, limit, driver.survey()).await;
        (target.clone(), facts.unwrap_or_else(|| unanswered(limit)))
    });
    join_all(asked).await.into_iter().collect()
}

fn unanswered(limit: Duration) -> Facts {
    let mut facts = Facts::default();
    facts.details.insert("unanswered".into(), format!("no answer within {limit:?}").into());
    facts
}

/// A run that does not exist, to ask what its steps would find. It is a rehearsal: no gate can mistake it for a real one.
pub(super) fn hypothetical(opened: &Opened, at: Timestamp) -> Option<Run> {
    let id = RunId { group: opened.plan.group.name.clone(), number: 1 };
    let opened = Opened { rehearsal: true, ..opened.clone() };
    let first = Event { seq: 1, term: Term(0), at, body: EventBody::Opened(Box::new(opened)) };
    Run::open(id, &first).ok()
}

/// Observes the steps that `wanted` names, side by side.
pub(super) async fn observe(
    run: &Run,
    drivers: &Drivers,
    reports: &[ObserverReport],
    clock: &dyn Clock,
    limit: Duration,
    wanted: impl Fn(Verb) -> bool,
) -> BTreeMap<StepIndex, Seen> {
    let known: BTreeMap<TargetName, Known> = engine::known(run, reports);
    let calls = run.plan().indices().filter_map(|index| {
        let step = run.plan().step(index)?;
        let driver = drivers.of(step.verb, step.target.as_ref())?;
        let call = engine::call(run, index, step, &known, clock.now()).ok()?;
        wanted(step.verb).then_some((index, driver, call))
    });
    let looks = calls.map(|(index, driver, mut call)| async move {
        call.timeout = call.timeout.min(limit);
        let observed = within(clock, limit, driver.observe(&call)).await;
        let observed = observed.unwrap_or_else(|| Observed::Unknown { why: format!("no answer within {limit:?}") });
        (index, Seen { call, observed })
    });
    join_all(looks).boxed().await.into_iter().collect()
}

/// What was seen, whatever it means.
pub(super) fn facts(observed: &Observed) -> Option<&Facts> {
    match observed {
        Observed::Already { facts, .. } | Observed::Ready { facts } | Observed::Refused { facts, .. } => Some(facts),
        Observed::Unknown { .. } => None,
    }
}

/// What a failover would lose now, by target, from what the promotions found.
pub(super) fn estimates(run: &Run, seen: &BTreeMap<StepIndex, Seen>) -> Vec<(TargetName, Loss)> {
    let mut estimates = Vec::new();
    for (index, step) in run.plan().indices().zip(&run.plan().steps) {
        let (true, Some(target), Some(seen)) = (step.verb.promotes(), &step.target, seen.get(&index)) else { continue };
        let why = match &seen.observed {
            Observed::Already { .. } => "it is promoted already".to_owned(),
            Observed::Ready { .. } | Observed::Refused { .. } => "the driver gave no estimate".to_owned(),
            Observed::Unknown { why } => why.clone(),
        };
        let loss = facts(&seen.observed).and_then(|facts| facts.loss.clone()).unwrap_or_else(|| {
            let unit = if step.verb.capability() == Capability::Storage { "objects" } else { "bytes" };
            Loss { seconds: None, amount: None, unit: unit.into(), basis: why }
        });
        estimates.push((target.clone(), loss));
    }
    estimates
}
