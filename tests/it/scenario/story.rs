//! What a file may say. Anything else is refused.

use std::{collections::BTreeMap, time::Duration};

use lifeboat::model::{FencingPolicy, RegionName, Risk, RunId, RunKind};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    deed::{Deed, Doing},
    moment::{Moment, time},
};

/// One file.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Story {
    /// What happens and what must come of it, in one paragraph.
    #[serde(rename = "story")]
    pub(super) told: String,
    /// The promises that it attacks.
    pub(super) promise: Vec<String>,
    #[serde(default)]
    pub(super) world: Setting,
    #[serde(default)]
    pub(super) group: Policy,
    /// Runbooks by kind of run: a name, or steps as in a runbook. Otherwise `short` and the shipped ones.
    #[serde(default)]
    pub(super) runbooks: BTreeMap<RunKind, Book>,
    /// What happens, and when.
    script: Vec<Line>,
    /// The curtain falls then, whatever goes on.
    #[serde(default)]
    lasts: Option<String>,
    /// One line for each thing that happened.
    #[serde(default)]
    pub(super) transcript: String,
    /// How everything stands at the end.
    #[serde(default)]
    pub(super) end: Value,
    #[serde(skip)]
    pub(super) acts: Vec<(Moment, Deed)>,
}

/// The world as it is at the beginning: `fra` serves and `dub` follows.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(super) struct Setting {
    /// Regions whose server does not answer.
    pub(super) dark: Vec<String>,
    /// Regions whose host refuses connections.
    pub(super) stopped: Vec<String>,
    pub(super) fence: FenceWord,
}

#[derive(Debug, Default, Clone, Copy, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum FenceWord {
    #[default]
    Honest,
    Lying,
    Half,
}

/// What the group declares.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(super) struct Policy {
    pub(super) recovery_point_seconds: u64,
    pub(super) cooldown_seconds: u64,
    pub(super) approvals: u32,
    pub(super) fencing: FencingPolicy,
}

impl Default for Policy {
    fn default() -> Self {
        Self { recovery_point_seconds: 60, cooldown_seconds: 0, approvals: 1, fencing: FencingPolicy::Required }
    }
}

/// A runbook.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(untagged)]
pub(super) enum Book {
    /// Of `runbooks/`, or of `tests/scenario/runbooks/`.
    Named(String),
    /// Steps as in a runbook's document.
    Steps(Vec<Value>),
}

/// Something that happens. Exactly one of `process`, `person`, `world`, `fault`, `cut`, `mend`, `store`, `documents`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(super) struct Line {
    pub(super) at: String,
    pub(super) process: Option<String>,
    pub(super) person: Option<String>,
    #[serde(rename = "do")]
    pub(super) doing: Option<String>,
    pub(super) because: Option<String>,
    pub(super) run: Option<RunId>,
    pub(super) expected_term: Option<u64>,
    #[serde(rename = "as")]
    pub(super) by: Option<String>,
    pub(super) from: Option<RegionName>,
    pub(super) to: Option<RegionName>,
    pub(super) accept: Vec<Risk>,
    pub(super) rehearsal: bool,
    pub(super) healthy_anyway: bool,
    pub(super) world: Option<String>,
    pub(super) fault: Option<Doing>,
    pub(super) cut: Option<super::deed::Link>,
    pub(super) mend: Option<super::deed::Link>,
    pub(super) store: Option<String>,
    pub(super) documents: Option<String>,
}

impl Story {
    /// Reads a file; the error says what nobody knows.
    pub(super) fn read(text: &str) -> Result<Self, String> {
        let value: Value = yaml_serde::from_str(text).map_err(|error| error.to_string())?;
        let mut story: Self = serde_json::from_value(value).map_err(|error| error.to_string())?;
        if story.told.trim().is_empty() {
            return Err("a story tells what happens and what must come of it".into());
        }
        for promise in &story.promise {
            let number = promise.strip_prefix('S').and_then(|number| number.parse::<u32>().ok());
            if !number.is_some_and(|number| (1..=14).contains(&number)) {
                return Err(format!("there is no promise {promise}"));
            }
        }
        for line in &story.script {
            let moment = line.at.parse().map_err(|why| format!("{line:?}: {why}"))?;
            let deed = Deed::of(line).map_err(|why| format!("{line:?}: {why}"))?;
            story.acts.push((moment, deed));
        }
        story.lasts()?;
        Ok(story)
    }

    /// When the curtain falls: ten minutes after the beginning, or what the file says.
    pub(super) fn lasts(&self) -> Result<Duration, String> {
        self.lasts.as_deref().map_or(Ok(Duration::from_mins(10)), time)
    }
}
