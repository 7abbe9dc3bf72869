//! What a run would do, step by step, asked of the real world and changing nothing.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;

use super::{
    App, AppError, Drawn, Misplaced, Outage, Request, Witnessed,
    looking::{self, LIMIT, Seen},
    stopping,
};
use crate::{
    decide::{self, Gate},
    manifest,
    model::{
        Blocker, Endpoint, Event, EventBody, Facts, Loss, Observed, Output, Plan, PlanStep, RegionName, Run, RunId,
        RunKind, StepIndex, StepName, TargetName, Verb,
    },
    port::{Concern, Touches},
};

/// What a step would do.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", tag = "would")]
pub enum Would {
    /// Nothing: it is so already.
    Nothing,
    /// Act.
    Act,
    /// Ask a person.
    Ask,
    /// Be left out: its `when` does not hold.
    Skip {
        /// Why.
        why: String,
    },
    /// Be blocked.
    Block {
        /// Everything that shuts the gate.
        reasons: Vec<Blocker>,
    },
    /// Nobody can say: it could not be seen, or it depends on what earlier steps bring about.
    Unknown {
        /// Why.
        why: String,
    },
}

/// One step.
#[derive(Debug, Clone, Serialize)]
pub struct StepPreview {
    /// Its name.
    pub step: StepName,
    /// What it does.
    pub verb: Verb,
    /// On what.
    pub target: Option<TargetName>,
    /// Steps it waits for.
    pub needs: Vec<StepName>,
    /// What it would do.
    #[serde(flatten)]
    pub would: Would,
    /// How long it should take, in seconds.
    pub expected_seconds: f64,
    /// Every address it may touch.
    pub endpoints: Vec<Endpoint>,
    /// Addresses in the source region without which it fails (promise S8).
    pub depends_on_source: Vec<String>,
}

/// The whole.
#[derive(Debug, Clone, Serialize)]
pub struct Preview {
    /// The group.
    pub group: crate::model::GroupName,
    /// What kind of run.
    pub kind: RunKind,
    /// Away from here.
    pub source: RegionName,
    /// To here.
    pub destination: RegionName,
    /// The runbook.
    pub runbook: crate::model::RunbookName,
    /// The plan's digest.
    pub digest: crate::model::Digest,
    /// The steps in the order of the plan.
    pub steps: Vec<StepPreview>,
    /// What a promotion would lose now.
    pub estimates: Vec<(TargetName, Loss)>,
    /// What would make it slow, lossy or impossible.
    pub concerns: Vec<(TargetName, Concern)>,
    /// What keeps the run from starting at all.
    pub objections: Vec<String>,
    /// What a person must add before the first act.
    pub gates: Vec<Blocker>,
    /// What is known of the source's health.
    pub outage: Outage,
    /// The longest way through the plan, in seconds.
    pub predicted_seconds: f64,
    /// The steps on it.
    pub critical_path: Vec<StepName>,
    /// Steps whose duration comes from earlier runs; the others' is declared by their drivers.
    pub learnt: usize,
    /// The recovery-time objective, in seconds.
    pub objective_seconds: u64,
}

impl Preview {
    /// Whether something would refuse the run, or one of its steps.
    pub fn refused(&self) -> bool {
        !self.objections.is_empty()
            || !self.gates.is_empty()
            || self.steps.iter().any(|step| matches!(step.would, Would::Block { .. }))
    }
}

impl App {
    /// Asks the world what the run would do.
    pub async fn preview(&self, request: Request) -> Result<Preview, AppError> {
        let drawn = self.draw(request).await?;
        let reports = self.reports_of(&drawn.request.group).await?;
        let clock = self.clock.as_ref();
        let opened = drawn.opened(Outage::default(), Vec::new());
        let run = looking::hypothetical(&opened, clock.now());
        let run = run.ok_or_else(|| super::prepare::bad_plan(&drawn.request.group))?;
        let (witnessed, seen, concerns) = futures::join!(
            self.witness(&drawn, &reports),
            looking::observe(&run, &drawn.drivers, &reports, clock, LIMIT, |verb| verb != Verb::Approve),
            self.concerns(&drawn.drivers, &drawn.plan.source, &drawn.plan.destination),
        );
        let witnessed = witnessed?;
        let steps = walk(run, &drawn, &seen, clock.now());
        Ok(drawn.preview(witnessed, steps, concerns, clock.now()))
    }

    /// What each target's driver would worry about.
    pub(super) async fn concerns(
        &self,
        drivers: &crate::port::Drivers,
        source: &RegionName,
        destination: &RegionName,
    ) -> Vec<(TargetName, Concern)> {
        let clock = self.clock.as_ref();
        let asked = drivers.targets.iter().map(|(target, driver)| async move {
            let found = looking::within(clock, LIMIT, driver.preflight(source, destination)).await;
            let silent = || Concern {
                what: format!("it did not answer within {} s, so nothing can be said of it", LIMIT.as_secs()),
                remedy: "see that its members can be reached from here".into(),
            };
            let found = found.unwrap_or_else(|| vec![silent()]);
            found.into_iter().map(|concern| (target.clone(), concern)).collect::<Vec<_>>()
        });
        futures::future::join_all(asked).await.into_iter().flatten().collect()
    }
}

impl Drawn {
    fn preview(
        self,
        seen: Witnessed,
        steps: Vec<StepPreview>,
        concerns: Vec<(TargetName, Concern)>,
        now: Timestamp,
    ) -> Preview {
        let predicted = decide::predict(&self.plan);
        let name = |index: &StepIndex| self.plan.step(*index).map(|step| step.name.clone());
        let route = self.route();
        let mut objections: Vec<String> = self.misplaced(&seen).iter().map(Misplaced::to_string).collect();
        objections.extend(self.stopped.as_ref().map(stopping::said));
        objections.extend(self.open.as_ref().map(|run: &RunId| format!("run {run} of this group is still open")));
        let cooling = self.cooldown_until.filter(|until| *until > now && !self.request.rehearsal);
        Preview {
            group: self.plan.group.name.clone(),
            kind: self.request.kind,
            source: route.source,
            destination: route.destination,
            runbook: self.plan.runbook.clone(),
            digest: self.plan.digest(),
            critical_path: predicted.path.iter().filter_map(name).collect(),
            steps,
            estimates: seen.estimates,
            concerns,
            objections,
            gates: cooling.map(|until| Blocker::Cooldown { until }).into_iter().collect(),
            outage: seen.outage,
            predicted_seconds: predicted.total.as_secs_f64(),
            learnt: self.learnt,
            objective_seconds: self.plan.group.objectives.recovery_time_seconds,
        }
    }
}

/// Goes through the plan as a rehearsal does: what earlier steps would bring about is taken as brought about.
fn walk(mut run: Run, drawn: &Drawn, seen: &BTreeMap<StepIndex, Seen>, now: Timestamp) -> Vec<StepPreview> {
    let plan = &drawn.plan;
    let mut previews = BTreeMap::new();
    for index in plan.order().unwrap_or_default() {
        let Some(step) = plan.step(index) else { continue };
        let would = would(&run, index, step, seen.get(&index), now);
        previews.insert(index, preview(drawn, plan, step, seen.get(&index), would.clone()));
        for body in afterwards(index, &would) {
            let event = Event { seq: run.seq + 1, term: run.term, at: now, body };
            if run.after(&event).is_err() {
                break;
            }
        }
    }
    previews.into_values().collect()
}

fn would(run: &Run, index: StepIndex, step: &PlanStep, seen: Option<&Seen>, now: Timestamp) -> Would {
    if step.verb == Verb::Approve {
        return Would::Ask;
    }
    if let Some(when) = &step.when {
        match decide::holds(when, &decide::context(run)) {
            Ok(true) => {}
            Ok(false) => return Would::Skip { why: format!("`when` does not hold: {when}") },
            Err(error) => return Would::Unknown { why: format!("its `when` needs what is not known yet: {error}") },
        }
    }
    let Some(seen) = seen else { return Would::Unknown { why: "no driver is open for it".into() } };
    let brought_about = step
        .needs
        .iter()
        .any(|need| matches!(run.steps.get(need.at()), Some(crate::model::StepState::Done { attempt: 1.., .. })));
    match &seen.observed {
        Observed::Already { .. } => Would::Nothing,
        Observed::Ready { facts } => match decide::gate(run, index, facts, now) {
            Gate::Open => Would::Act,
            Gate::Shut(reasons) => Would::Block { reasons },
        },
        Observed::Refused { .. } if brought_about => Would::Act,
        Observed::Refused { expected, found, .. } => {
            Would::Block { reasons: vec![Blocker::Refused { expected: expected.clone(), found: found.clone() }] }
        }
        Observed::Unknown { why } => Would::Unknown { why: why.clone() },
    }
}

/// What the rest of the plan may take as so.
fn afterwards(step: StepIndex, would: &Would) -> Vec<EventBody> {
    let done = |attempt| EventBody::Done { step, attempt, output: Output::new(), facts: Facts::default() };
    match would {
        Would::Nothing | Would::Ask => vec![done(0)],
        Would::Skip { why } => {
            vec![EventBody::Skipped { step, by: crate::model::SkippedBy::When, why: why.clone() }]
        }
        Would::Act | Would::Block { .. } | Would::Unknown { .. } => {
            vec![EventBody::Acting { step, attempt: 1, facts: Facts::default() }, done(1)]
        }
    }
}

fn preview(drawn: &Drawn, plan: &Plan, step: &PlanStep, seen: Option<&Seen>, would: Would) -> StepPreview {
    let driver = drawn.drivers.of(step.verb, step.target.as_ref());
    let mut endpoints = match (driver, seen) {
        (Some(driver), Some(seen)) => driver.endpoints(&seen.call),
        (_, None) | (None, _) => Vec::new(),
    };
    for endpoint in &mut endpoints {
        endpoint.region = endpoint.region.take().or_else(|| manifest::region_of(&endpoint.address, &plan.regions));
    }
    // A driver asks every member for its role; only these verbs need the source's answer. A general verb needs whatever
    // it names.
    let touches = driver.and_then(|driver| driver.descriptor(step.verb)).map(|descriptor| descriptor.touches);
    let needs = match touches {
        Some(Touches::SourceIfAlive | Touches::Destination) => false,
        Some(Touches::Source | Touches::Both | Touches::Neither) | None => true,
    };
    let survives = step.best_effort || !needs || drawn.request.kind.planned();
    let in_source = |endpoint: &&Endpoint| endpoint.region.as_ref() == Some(&plan.source);
    let depends_on_source = if survives {
        Vec::new()
    } else {
        endpoints.iter().filter(in_source).map(|endpoint| endpoint.address.clone()).collect()
    };
    StepPreview {
        step: step.name.clone(),
        verb: step.verb,
        target: step.target.clone(),
        needs: step.needs.iter().filter_map(|need| plan.step(*need)).map(|need| need.name.clone()).collect(),
        would,
        expected_seconds: std::time::Duration::from_millis(step.expected_ms).as_secs_f64(),
        endpoints,
        depends_on_source,
    }
}
