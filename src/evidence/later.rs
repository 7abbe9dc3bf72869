//! Later facts: what is said of runs after they ended, and of the programme around them. Each is a new entry of the ledger that
//! points at what it is about; nothing is ever edited.
//!
//! A fact is named by the number of its entry, so two processes never give one name to two facts.

use jiff::{Timestamp, civil::Date};
use serde::{Deserialize, Serialize};

use super::{Severity, statement::Blob};
use crate::model::{Actor, Asked, GroupName, PersonSignature, RunId};

/// What a person says of the record of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Opinion {
    /// The person stands behind it.
    Accepted,
    /// The person does not, and the comment says why.
    Dissented,
}

impl Opinion {
    /// As written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Dissented => "dissented",
        }
    }
}

/// A person reviewed the record of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SignOff {
    /// The run.
    pub run: RunId,
    /// SHA-256 of the record that was reviewed, in hexadecimal.
    pub record: String,
    /// What the person says.
    pub opinion: Opinion,
    /// In the person's words; may be empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub comment: String,
    /// Who.
    pub by: Actor,
    /// When, by that person's machine.
    pub signed_at: Timestamp,
    /// Signed with the person's own key.
    pub signed: PersonSignature,
}

/// Something that was found by a person, beside what a record's verdict rests on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FindingRaised {
    /// The run that showed it.
    pub run: RunId,
    /// How much it matters.
    pub severity: Severity,
    /// What it is.
    pub text: String,
    /// Who found it.
    pub by: Actor,
}

/// Something that is to be done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ActionOpened {
    /// The run that showed it.
    pub run: RunId,
    /// The finding: `F-1` of the record's verdict, or the number of the entry that raised it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finding: Option<String>,
    /// How much it matters.
    pub severity: Severity,
    /// What is to be done.
    pub text: String,
    /// Who does it.
    pub owner: Actor,
    /// By the end of this day, UTC.
    pub due: Date,
    /// Who said so.
    pub by: Actor,
}

/// It was done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ActionClosed {
    /// The number of the entry that opened it.
    pub action: u64,
    /// What was done.
    pub note: String,
    /// The run that showed that it helps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retest: Option<RunId>,
    /// Who says so.
    pub by: Actor,
}

/// A requirement is not asked of a group for a while.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Waiver {
    /// The group.
    pub group: GroupName,
    /// The requirement, as the policy names it.
    pub requirement: String,
    /// To the end of this day, UTC.
    pub until: Date,
    /// Why.
    pub reason: String,
    /// Who answers for it.
    pub by: Actor,
}

/// A draft of an incident notice was made. It is a blob, and never sent by this program.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct IncidentDrafted {
    /// The run whose outage it is about.
    pub run: RunId,
    /// From 1, for each run.
    pub version: u32,
    /// Every field is filled or marked unknown.
    pub complete: bool,
    /// The draft.
    pub draft: Blob,
    /// Who made it.
    pub by: Actor,
}

/// An assessment, an audit, a test or a scan took place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AssuranceRecorded {
    /// The calendar's item.
    pub item: String,
    /// When it took place.
    pub on: Date,
    /// Who did it.
    pub assessor: String,
    /// SHA-256 of its report, in hexadecimal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub report: Option<String>,
    /// Who recorded it.
    pub by: Actor,
}

/// From now on the drill policies ask this.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PolicyChanged {
    /// What they ask of each group: a list of [`Asked`] as JSON. The SHA-256 of the text is the policy's digest.
    pub policy: Blob,
    /// Requirements on all groups together.
    pub requirements: u64,
    /// Whose process found that it is another one.
    pub by: Actor,
}

impl PolicyChanged {
    /// What these requirements are entered as, with the text.
    pub fn of(asked: &[Asked], by: Actor) -> Result<(Self, Vec<u8>), serde_json::Error> {
        let text = serde_json::to_vec(asked)?;
        let requirements = asked.iter().map(|one| one.requirements.len() as u64).sum();
        Ok((Self { policy: Blob::of(&text), requirements, by }, text))
    }

    /// Reads the text; the error says why it is none.
    pub fn read(text: &[u8]) -> Result<Vec<Asked>, serde_json::Error> {
        serde_json::from_slice(text)
    }
}

/// A checkpoint is known elsewhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Anchored {
    /// The anchor's name, as it is set.
    pub anchor: String,
    /// How: `witness`, `worm` or `timestamp`.
    pub how: String,
    /// The checkpoint's size.
    pub size: u64,
    /// Its root, in hexadecimal.
    pub root: String,
    /// When the anchor had it, by this machine's clock.
    pub anchored_at: Timestamp,
    /// What the anchor gave in return: a cosigned checkpoint, a timestamp token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receipt: Option<Blob>,
    /// The key of the witness that gave it, `NAME+ID+KEY`, as it was set then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
}
