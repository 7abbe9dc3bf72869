//! The script of a fake target.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::model::{Loss, RegionName};

/// What a fake target does. The defaults do everything at once and never fail.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Script {
    /// Keep the world in this file, so that it survives the process like a real thing does.
    pub file: Option<String>,
    /// The regions whose member does not answer.
    pub dead: Vec<RegionName>,
    /// The fence reports success and does nothing.
    pub lying_fence: bool,
    /// What a promotion would lose; default nothing.
    pub loss: Option<Loss>,
    /// Trouble by step name; `*` is for all steps.
    pub steps: BTreeMap<String, Trouble>,
}

/// What goes wrong with one step. Counts go down as the trouble happens.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Trouble {
    /// Milliseconds that each act takes.
    pub takes_ms: u64,
    /// Tries that fail without effect.
    pub fail: u32,
    /// The failures are final: no other try may help.
    pub fatal: bool,
    /// Tries that are applied and whose reply is lost.
    pub lose_reply: u32,
    /// Tries that are not applied and whose reply is lost.
    pub lose_request: u32,
    /// Looks that see nothing.
    pub unseen: u32,
    /// Looks that see nothing while the outcome of a try is unknown.
    pub unseen_in_doubt: u32,
    /// Looks that refuse: expected something else.
    pub refuse: u32,
    /// Undos that fail.
    pub fail_undo: u32,
    /// Undos that are applied and whose reply is lost.
    pub lose_undo_reply: u32,
}
