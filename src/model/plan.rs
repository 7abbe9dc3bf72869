//! A compiled plan: the runbook resolved for one source and one destination. A run pins it, text and digest, so
//! that resuming folds events over the plan that was started and never over a file that was edited since.

use std::{collections::BTreeSet, fmt, time::Duration};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{Effect, Group, Isolation, Region, RegionName, RunbookName, StepName, TargetName, Verb};

/// Place of a step in its plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct StepIndex(pub u32);

impl StepIndex {
    /// As an index into `Plan::steps`.
    pub fn at(self) -> usize {
        self.0 as usize
    }
}

/// SHA-256 of a text, in lower-case hexadecimal with its algorithm: `sha256:9f86…`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Digest(String);

impl Digest {
    /// The digest of these bytes (FIPS 180-4).
    pub fn of(bytes: &[u8]) -> Self {
        use fmt::Write as _;
        let hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, bytes);
        let mut text = String::with_capacity(71);
        text.push_str("sha256:");
        for byte in hash.as_ref() {
            // Writing to a String cannot fail.
            let _ok = write!(text, "{byte:02x}");
        }
        Self(text)
    }
    /// The digest as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// How often a step may be tried, and how long it rests in between.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retry {
    /// Tries in all, at least 1.
    pub attempts: u32,
    /// Rest after the first failed try in milliseconds; it doubles each time, with jitter, up to 60 s.
    pub backoff_ms: u64,
}

/// What a failed step does to its run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, schemars::JsonSchema)]
pub enum OnFailure {
    /// The run pauses and a person decides.
    #[default]
    Pause,
    /// The run goes on; the outcome says so.
    Continue,
    /// Everything reversible is undone in reverse order.
    Unwind,
}

/// What a step does in a drill.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, schemars::JsonSchema)]
pub enum DrillPolicy {
    /// As in earnest.
    #[default]
    Run,
    /// Observe, and act as if it had worked.
    Simulate,
    /// Leave it out.
    Skip,
}

/// How to take a step back.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Undo {
    /// The verb that undoes it.
    pub uses: Verb,
    /// That verb's parameters.
    pub with: Map<String, Value>,
}

/// One step of a plan.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PlanStep {
    /// Its name, unique in the plan.
    pub name: StepName,
    /// What it does.
    pub verb: Verb,
    /// On what.
    pub target: Option<TargetName>,
    /// Parameters, not yet interpolated.
    pub with: Map<String, Value>,
    /// Steps that must have ended well before it.
    pub needs: Vec<StepIndex>,
    /// Expression that must hold, or the step is skipped.
    pub when: Option<String>,
    /// Expression that must hold after the act.
    pub verify: Option<String>,
    /// How long one try may take, in milliseconds.
    pub timeout_ms: u64,
    /// Tries.
    pub retry: Retry,
    /// What its failure means.
    pub on_failure: OnFailure,
    /// Another verb that takes it back, where the runbook declares one.
    pub undo: Option<Undo>,
    /// The driver itself can take it back (from its descriptor).
    pub reversible: bool,
    /// What it does in a drill.
    pub drill: DrillPolicy,
    /// A failure is recorded and passed over; the step may depend on the source region.
    pub best_effort: bool,
    /// What a person does when the step cannot be done by machine.
    pub manual: Option<String>,
    /// What it does to the world, at worst (from the driver's descriptor).
    pub effect: Effect,
    /// How long it usually takes, in milliseconds: from history, or the driver's own expectation.
    pub expected_ms: u64,
    /// It comes when all others are over, however they ended: it takes down what a drill set up, or looks at what is left.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub last: bool,
}

impl PlanStep {
    /// How long one try may take.
    pub fn timeout(&self) -> Duration {
        Duration::from_millis(self.timeout_ms)
    }
}

/// A runbook compiled for a source and a destination.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// The runbook's name.
    pub runbook: RunbookName,
    /// The group as it was when the run was opened.
    pub group: Group,
    /// The regions as they were.
    pub regions: Vec<Region>,
    /// Moves away from here.
    pub source: RegionName,
    /// Moves to here.
    pub destination: RegionName,
    /// The steps, in document order.
    pub steps: Vec<PlanStep>,
    /// Of an isolated drill: the group's targets are stand-ins. `None`: they are the real ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub isolation: Option<Isolation>,
}

/// A plan whose steps do not fit together.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadPlan {
    /// No steps.
    #[error("a plan needs at least one step")]
    Empty,
    /// Two steps with one name.
    #[error("two steps are named `{step}`")]
    Twice {
        /// The name.
        step: StepName,
    },
    /// A `needs` that points nowhere.
    #[error("step `{step}` needs step number {index}, which does not exist")]
    Dangling {
        /// The step.
        step: StepName,
        /// The place it points to.
        index: u32,
    },
    /// Steps that wait for each other.
    #[error("steps wait for each other: {}", .steps.iter().map(StepName::as_str).collect::<Vec<_>>().join(" -> "))]
    Cycle {
        /// The steps of the cycle; the first is repeated at the end.
        steps: Vec<StepName>,
    },
}

impl Plan {
    /// The digest of the plan's canonical JSON.
    pub fn digest(&self) -> Digest {
        Digest::of(serde_json::to_string(self).unwrap_or_default().as_bytes())
    }

    /// The digest of what the runbook does: its steps, without how long they are expected to take (which is learnt from each run),
    /// without what an isolated drill saw of the real targets before it began, and without the comparison of controls that drills
    /// alone have. It names no region, so it is one for both ways.
    pub fn runbook_digest(&self) -> Digest {
        let mut steps = self.steps.clone();
        steps.retain(|step| step.verb != Verb::DrillParity);
        for step in &mut steps {
            step.expected_ms = 0;
            if matches!(step.verb, Verb::DrillUntouched | Verb::DrillLeftovers) {
                step.with.clear();
            }
        }
        Digest::of(serde_json::to_string(&(&self.runbook, steps)).unwrap_or_default().as_bytes())
    }

    /// The digest of what the runbook works on: the group's regions and targets with their settings (secrets are references), and the
    /// regions' own. It is one for both ways.
    pub fn topology_digest(&self) -> Digest {
        let topology = (&self.group.name, &self.group.regions, &self.group.targets, &self.regions);
        Digest::of(serde_json::to_string(&topology).unwrap_or_default().as_bytes())
    }

    /// The step at `index`. Indices come from this plan, so there is one.
    pub fn step(&self, index: StepIndex) -> Option<&PlanStep> {
        self.steps.get(index.at())
    }

    /// The place of the step named `name`.
    pub fn find(&self, name: &StepName) -> Option<StepIndex> {
        self.indices().find(|index| self.steps[index.at()].name == *name)
    }

    /// All places in order.
    pub fn indices(&self) -> impl Iterator<Item = StepIndex> + use<> {
        (0..u32::try_from(self.steps.len()).unwrap_or(u32::MAX)).map(StepIndex)
    }

    /// Refuses duplicates, dangling needs and cycles.
    pub fn check(&self) -> Result<(), BadPlan> {
        if self.steps.is_empty() {
            return Err(BadPlan::Empty);
        }
        let mut seen = BTreeSet::new();
        for step in &self.steps {
            if !seen.insert(&step.name) {
                return Err(BadPlan::Twice { step: step.name.clone() });
            }
            if let Some(bad) = step.needs.iter().find(|need| need.at() >= self.steps.len()) {
                return Err(BadPlan::Dangling { step: step.name.clone(), index: bad.0 });
            }
        }
        self.order().map(|_| ())
    }

    /// The steps in an order in which every step comes after what it needs (Kahn's algorithm, document order
    /// among equals), or the cycle that makes one impossible.
    pub fn order(&self) -> Result<Vec<StepIndex>, BadPlan> {
        let mut missing: Vec<usize> = self.steps.iter().map(|step| step.needs.len()).collect();
        let mut dependents: Vec<Vec<StepIndex>> = vec![Vec::new(); self.steps.len()];
        for index in self.indices() {
            for need in &self.steps[index.at()].needs {
                dependents[need.at()].push(index);
            }
        }
        let mut ready: std::collections::VecDeque<_> =
            self.indices().filter(|index| missing[index.at()] == 0).collect();
        let mut order = Vec::with_capacity(self.steps.len());
        while let Some(index) = ready.pop_front() {
            order.push(index);
            for dependent in &dependents[index.at()] {
                missing[dependent.at()] -= 1;
                if missing[dependent.at()] == 0 {
                    ready.push_back(*dependent);
                }
            }
        }
        if order.len() == self.steps.len() { Ok(order) } else { Err(self.cycle(&missing)) }
    }

    /// Walks needs among the steps that never became ready until one repeats.
    fn cycle(&self, missing: &[usize]) -> BadPlan {
        let mut path: Vec<StepIndex> = Vec::new();
        let mut at = self.indices().find(|index| missing[index.at()] > 0);
        while let Some(index) = at {
            if let Some(start) = path.iter().position(|seen| *seen == index) {
                let mut steps: Vec<_> = path[start..].iter().map(|i| self.steps[i.at()].name.clone()).collect();
                steps.push(self.steps[index.at()].name.clone());
                return BadPlan::Cycle { steps };
            }
            path.push(index);
            at = self.steps[index.at()].needs.iter().copied().find(|need| missing[need.at()] > 0);
        }
        BadPlan::Cycle { steps: Vec::new() }
    }
}
