//! The drivers there are, and the drivers of a plan.

use std::{collections::BTreeMap, fmt, sync::Arc, time::Duration};

use serde_json::{Map, Value};

use super::Driver;
use crate::model::{Attempt, Capability, Effect, TargetName, Verb};

/// Which side of a run a verb depends on: promise S8 forbids the source on the failover path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Touches {
    /// Neither region's members.
    Neither,
    /// The source must answer, or the verb fails.
    Source,
    /// The source is asked, and its silence is no failure.
    SourceIfAlive,
    /// The destination.
    Destination,
    /// Both must answer.
    Both,
}

/// The facts about one verb of one driver: differences are data.
#[derive(Debug, Clone)]
pub struct Descriptor {
    /// The verb.
    pub verb: Verb,
    /// What it does to the world, at worst.
    pub effect: Effect,
    /// The driver can take it back.
    pub reversible: bool,
    /// Its effect can be observed. Where it cannot, an unknown outcome needs a person or a declared idempotency.
    pub observable: bool,
    /// Which side it depends on.
    pub touches: Touches,
    /// How long it usually takes, for predictions without history.
    pub expected: Duration,
    /// How long one try may take where the runbook does not say.
    pub timeout: Duration,
    /// Tries where the runbook does not say.
    pub attempts: u32,
    /// Fields of its output.
    pub outputs: &'static [&'static str],
    /// Checks parameters (strings may hold expressions); the error names the field and what it takes.
    pub check: fn(&Map<String, Value>) -> Result<(), String>,
}

impl Descriptor {
    /// What an act answers to parameters that it does not take; `None`: it takes them. The checker saw them as they were
    /// written; a driver asks again before it acts, when the expressions in them have become values.
    pub fn refusal(&self, with: &Map<String, Value>) -> Option<Attempt> {
        (self.check)(with).err().map(|why| Attempt::NotApplied { why, retry: false })
    }
}

/// What the drivers can do, without connecting to anything.
pub trait Catalog: Send + Sync {
    /// The names of all drivers of targets.
    fn drivers(&self) -> Vec<&'static str>;
    /// The facts about a verb of a target's driver, or of a general verb (`driver` is `None`).
    fn descriptor(&self, driver: Option<&str>, capability: Capability, verb: Verb) -> Option<&'static Descriptor>;
}

/// The opened drivers of a plan: one for each target, one for each general verb.
#[derive(Clone, Default)]
pub struct Drivers {
    /// By target.
    pub targets: BTreeMap<TargetName, Arc<dyn Driver>>,
    /// General verbs.
    pub general: BTreeMap<Verb, Arc<dyn Driver>>,
}

impl Drivers {
    /// The driver of a step.
    pub fn of(&self, verb: Verb, target: Option<&TargetName>) -> Option<&Arc<dyn Driver>> {
        match target {
            Some(target) => self.targets.get(target),
            None => self.general.get(&verb),
        }
    }
}

impl fmt::Debug for Drivers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Drivers")
            .field("targets", &self.targets.keys().collect::<Vec<_>>())
            .field("general", &self.general.keys().collect::<Vec<_>>())
            .finish()
    }
}
