//! What runs do, told event by event.

use std::{
    collections::{BTreeMap, HashMap},
    sync::PoisonError,
};

use jiff::Timestamp;
use prometheus_client::{
    metrics::{counter::Counter, histogram::Histogram},
    registry::{Registry, Unit},
};

use super::{
    Meter,
    family::{Fraction, Series},
    group::one,
    label::{OfGroup, OfKind, OfOperation, OfRisk, OfRuns, OfState, RunResult},
};
use crate::model::{Blocker, CommandBody, Event, EventBody, Outcome, PlanStep, Risk, Run, RunId, RunState, StepIndex};

/// A run takes seconds when all is well and an hour when persons are asked.
fn run_buckets() -> Histogram {
    Histogram::new([1.0, 2.5, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1_800.0, 3_600.0, 14_400.0])
}

/// An operation takes milliseconds (a name server) to minutes (a copy that catches up).
fn operation_buckets() -> Histogram {
    Histogram::new([0.005, 0.025, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0])
}

/// What a run measured, where it did.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct RunFigures {
    /// From the onset of the outage to health restored, in seconds.
    pub recovery_time_seconds: Option<f64>,
    /// Age of the newest write that was lost, in seconds.
    pub data_loss_seconds: Option<f64>,
}

/// When acts and undos that have no outcome yet began.
pub(super) type Underway = HashMap<(RunId, StepIndex), Timestamp>;

/// The words of a run's state.
const STATES: [&str; 4] = ["running", "paused", "cancelling", "unwinding"];

#[derive(Clone)]
pub(super) struct RunSeries {
    ended: Series<OfRuns, Counter>,
    took: Series<OfRuns, Histogram>,
    open: Series<OfState, Fraction>,
    steps: Series<OfState, Fraction>,
    recovery_time: Series<OfKind, Fraction>,
    data_loss: Series<OfKind, Fraction>,
    overrides: Series<OfRisk, Counter>,
    unfenced: Series<OfGroup, Counter>,
    operations: Series<OfOperation, Histogram>,
}

impl RunSeries {
    pub(super) fn register(registry: &mut Registry) -> Self {
        Self {
            ended: Series::register(registry, "runs", "Runs that ended", None),
            took: Series::histogram(registry, "run_duration", "From a run's first event to its last", run_buckets),
            open: Series::register(registry, "run_open", "1: a run of the group is open and in this state", None),
            steps: Series::register(registry, "run_steps", "Steps of the group's open or last run, by state", None),
            recovery_time: Series::register(
                registry,
                "run_recovery_time",
                "From the onset of the outage to health restored, in the last run",
                Some(Unit::Seconds),
            ),
            data_loss: Series::register(
                registry,
                "run_data_loss",
                "Age of the newest write that the last run lost",
                Some(Unit::Seconds),
            ),
            overrides: Series::register(registry, "unsafe_overrides", "Risks that persons accepted by name", None),
            unfenced: Series::register(
                registry,
                "fence_verify_failures",
                "Times that nothing proved the source fenced",
                None,
            ),
            operations: Series::histogram(
                registry,
                "provider_request_duration",
                "How long drivers' operations took",
                operation_buckets,
            ),
        }
    }

    /// Counters that alerts watch begin at zero: the first failure of a group is an increase, not a new series.
    pub(super) fn begin(&self, group: &str) {
        for r#type in ["failover", "switchover", "failback", "drill"] {
            let (group, r#type) = (group.to_owned(), r#type.to_owned());
            let result = RunResult(Outcome::Failed).as_str().to_owned();
            let _zero = self.ended.of(&OfRuns { group, r#type, result });
        }
        for risk in Risk::ALL {
            let _zero = self.overrides.of(&OfRisk { group: group.to_owned(), kind: risk.as_str().to_owned() });
        }
        let _zero = self.unfenced.of(&OfGroup { group: group.to_owned() });
    }

    pub(super) fn forget(&self, group: &str) {
        self.ended.forget(group);
        self.took.forget(group);
        self.open.forget(group);
        self.steps.forget(group);
        self.recovery_time.forget(group);
        self.data_loss.forget(group);
        self.overrides.forget(group);
        self.unfenced.forget(group);
    }
}

impl Meter {
    /// Takes down an event of a run, with the run after it. Each event once.
    pub fn event(&self, event: &Event, run: &Run) {
        match &event.body {
            EventBody::Opened(opened) => opened.accepted.iter().for_each(|risk| self.accepted(run, *risk)),
            EventBody::Commanded { command, refused: None, .. } => {
                if let CommandBody::Accept { risk } = &command.body {
                    self.accepted(run, *risk);
                }
            }
            EventBody::Blocked { reasons, .. } => {
                let unproven = |reason: &Blocker| {
                    matches!(reason, Blocker::NotFenced { .. } | Blocker::SourceStillWritable { .. })
                };
                if reasons.iter().any(unproven) {
                    self.run.unfenced.count(&OfGroup { group: run.id.group.to_string() });
                }
            }
            EventBody::Acting { step, .. } | EventBody::Undoing { step } => self.began(run, *step, event.at),
            EventBody::Done { step, .. } => self.ended(run, *step, event.at, "", "ok"),
            EventBody::Failed { step, .. } => self.ended(run, *step, event.at, "", "failed"),
            EventBody::Lost { step, .. } => self.ended(run, *step, event.at, "", "unknown"),
            EventBody::Undone { step, .. } => self.ended(run, *step, event.at, ".undo", "ok"),
            EventBody::Stuck { step, .. } => self.ended(run, *step, event.at, ".undo", "failed"),
            EventBody::Closed { outcome } => self.closed(run, *outcome, event.at),
            EventBody::Commanded { refused: Some(_), .. }
            | EventBody::TakenOver { .. }
            | EventBody::ApprovalWithdrawn { .. }
            | EventBody::Skipped { .. }
            | EventBody::ApprovalAsked { .. }
            | EventBody::Paused { .. }
            | EventBody::Unwinding { .. } => {}
        }
        self.stands(run);
    }

    /// Takes down what a run measured.
    pub fn measured(&self, run: &Run, figures: RunFigures) {
        let of = OfKind { group: run.id.group.to_string(), r#type: kind(run) };
        self.run.recovery_time.set(&of, figures.recovery_time_seconds);
        self.run.data_loss.set(&of, figures.data_loss_seconds);
    }

    fn accepted(&self, run: &Run, risk: Risk) {
        let labels = OfRisk { group: run.id.group.to_string(), kind: risk.as_str().to_owned() };
        self.run.overrides.count(&labels);
    }

    fn began(&self, run: &Run, step: StepIndex, at: Timestamp) {
        let mut underway = self.underway.lock().unwrap_or_else(PoisonError::into_inner);
        underway.insert((run.id.clone(), step), at);
    }

    /// An outcome without a beginning says nothing of a duration: the step was already so, or another process began it.
    fn ended(&self, run: &Run, step: StepIndex, at: Timestamp, undo: &str, result: &'static str) {
        let began = {
            let mut underway = self.underway.lock().unwrap_or_else(PoisonError::into_inner);
            underway.remove(&(run.id.clone(), step))
        };
        let (Some(began), Some((planned, _))) = (began, run.step(step)) else { return };
        let op = format!("{}{undo}", planned.verb.as_str());
        let labels = OfOperation { driver: driver(run, planned), op, result: result.to_owned() };
        let took = at.duration_since(began).as_secs_f64().max(0.0);
        self.run.operations.of(&labels).observe(took);
    }

    fn closed(&self, run: &Run, outcome: Outcome, at: Timestamp) {
        let result = RunResult(outcome).as_str().to_owned();
        let labels = OfRuns { group: run.id.group.to_string(), r#type: kind(run), result };
        self.run.ended.count(&labels);
        self.run.took.of(&labels).observe(at.duration_since(run.opened_at).as_secs_f64().max(0.0));
        let mut underway = self.underway.lock().unwrap_or_else(PoisonError::into_inner);
        underway.retain(|(other, _), _| *other != run.id);
    }

    fn stands(&self, run: &Run) {
        let (group, r#type) = (run.id.group.to_string(), kind(run));
        let of = |state: &str| OfState { group: group.clone(), r#type: r#type.clone(), state: state.to_owned() };
        let now = match run.state {
            RunState::Running => Some("running"),
            RunState::Paused { .. } => Some("paused"),
            RunState::Cancelling => Some("cancelling"),
            RunState::Unwinding { .. } => Some("unwinding"),
            RunState::Closed { .. } => None,
        };
        for state in STATES {
            self.run.open.set(&of(state), Some(one(now == Some(state))));
        }
        let mut steps: BTreeMap<&str, u32> = BTreeMap::new();
        for step in &run.steps {
            *steps.entry(step.word()).or_default() += 1;
        }
        self.run.steps.drop_where(|known| known.group == group && known.r#type == r#type);
        for (state, count) in steps {
            self.run.steps.set(&of(state), Some(f64::from(count)));
        }
    }
}

/// The run's kind, or `drill` for one that was made to learn.
fn kind(run: &Run) -> String {
    if run.opened.rehearsal { "drill".to_owned() } else { run.opened.kind.as_str().to_owned() }
}

fn driver(run: &Run, step: &PlanStep) -> String {
    let Some(name) = &step.target else { return "general".to_owned() };
    let target = run.plan().group.targets.iter().find(|target| target.name == *name);
    target.map_or_else(|| "general".to_owned(), |target| target.driver.clone())
}
