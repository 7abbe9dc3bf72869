//! The fake world of one target.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};

use serde::{Deserialize, Serialize};

use super::params::{Script, Trouble};
use crate::model::{StepName, Verb};

/// One effect that reached the world.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Act {
    /// The step.
    pub step: StepName,
    /// The verb.
    pub verb: Verb,
    /// The try.
    pub attempt: u32,
    /// The term of the permit.
    pub term: u64,
    /// It was an undo.
    pub undo: bool,
}

/// What has happened so far.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct State {
    /// Steps whose effect is so now.
    pub(super) applied: BTreeMap<StepName, Verb>,
    /// Every effect, in order.
    pub(super) acts: Vec<Act>,
    /// Trouble used up so far, by step and kind.
    pub(super) used: BTreeMap<String, u32>,
}

impl State {
    pub(super) fn has(&self, verb: Verb) -> bool {
        self.applied.values().any(|applied| *applied == verb)
    }
}

/// Shared by all drivers that are opened on it.
#[derive(Debug, Clone, Default)]
pub struct World {
    state: Arc<Mutex<State>>,
    file: Option<PathBuf>,
}

impl World {
    /// A fresh world in memory.
    pub fn new() -> Self {
        Self::default()
    }

    /// A world in a file; a missing file is a fresh world.
    pub fn in_file(path: impl Into<PathBuf>) -> Self {
        Self { state: Arc::default(), file: Some(path.into()) }
    }

    /// Every effect so far, in order.
    pub fn acts(&self) -> Vec<Act> {
        self.with(|state| state.acts.clone())
    }

    /// Steps whose effect is so now.
    pub fn applied(&self) -> BTreeSet<StepName> {
        self.with(|state| state.applied.keys().cloned().collect())
    }

    /// Reads or changes the world; a world in a file is read before and written after, as one write of a new file.
    pub(super) fn with<T>(&self, work: impl FnOnce(&mut State) -> T) -> T {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(path) = &self.file else { return work(&mut state) };
        if let Some(kept) = std::fs::read(path).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok()) {
            *state = kept;
        }
        let result = work(&mut state);
        let next = path.with_extension("next");
        let written = serde_json::to_vec(&*state).map_err(std::io::Error::other).and_then(|bytes| {
            std::fs::write(&next, bytes)?;
            std::fs::rename(&next, path)
        });
        if let Err(error) = written {
            tracing::warn!(%error, path = %path.display(), "the fake world was not kept");
        }
        result
    }

    /// Whether this kind of trouble strikes now: counts it down.
    pub(super) fn strikes(&self, script: &Script, step: &StepName, kind: &str, count: fn(&Trouble) -> u32) -> bool {
        let Some(allowed) = trouble(script, step).map(count).filter(|count| *count > 0) else { return false };
        self.with(|state| {
            let used = state.used.entry(format!("{step}/{kind}")).or_default();
            let strikes = *used < allowed;
            *used += u32::from(strikes);
            strikes
        })
    }
}

/// The trouble of a step.
pub(super) fn trouble<'a>(script: &'a Script, step: &StepName) -> Option<&'a Trouble> {
    script.steps.get(step.as_str()).or_else(|| script.steps.get("*"))
}
