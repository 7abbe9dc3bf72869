//! Drafts of an incident notice: what the record of a run proposes, and what persons made of it. Pure.
//!
//! It promises three things. Whether an outage was a breach (unauthorized access to, or disclosure of, customer data) is never inferred:
//! it reads *not assessed* until a person says something else. What the record proposes counts for nothing until a person confirms it,
//! writes something else or marks the field unknown. And nothing is sent: a draft is a blob of the ledger, each version a new entry,
//! and people send what they made of it.
//!
//! Every text passes [`words`](super::words) on its way in. A crash in the middle means nothing.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::Redacted;
use crate::model::{Actor, RunId};

mod propose;

/// The version of a draft's words. They are only added to.
pub const API_VERSION: &str = "lifeboat.dev/v1";
/// What a draft is.
pub const KIND: &str = "IncidentDraft";

/// GDPR Article 33(1): 72 hours after having become aware of it. It is the regulation's, and no term of anybody's policy.
pub const GDPR: SignedDuration = SignedDuration::from_hours(72);

/// A field of a notice. The first six must be filled or marked unknown; the others are there for whoever needs them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Field {
    /// To what extent data was used, accessed, acquired or disclosed.
    Extent,
    /// What happened.
    Happened,
    /// The date of the event.
    Occurred,
    /// The date of its discovery.
    Discovered,
    /// The scope, so far as known.
    Scope,
    /// What was done, and what is done to limit the harm.
    Response,
    /// Was it a breach, and who decided so.
    Breach,
    /// Why notice is late: a law, a request of the police, an investigation; on whose authority, and until when.
    Delay,
    /// When notice was given, and to whom.
    Notified,
    /// GDPR 33(3)(a): categories and approximate numbers of persons and of records.
    Categories,
    /// GDPR 33(3)(b): who can be asked.
    Contact,
    /// GDPR 33(3)(c): likely consequences.
    Consequences,
    /// GDPR 33(3)(d): measures taken or proposed.
    Measures,
}

impl Field {
    /// All of them, in the order of a notice.
    pub const ALL: [Self; 13] = [
        Self::Extent,
        Self::Happened,
        Self::Occurred,
        Self::Discovered,
        Self::Scope,
        Self::Response,
        Self::Breach,
        Self::Delay,
        Self::Notified,
        Self::Categories,
        Self::Contact,
        Self::Consequences,
        Self::Measures,
    ];

    /// As typed.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Extent => "extent",
            Self::Happened => "happened",
            Self::Occurred => "occurred",
            Self::Discovered => "discovered",
            Self::Scope => "scope",
            Self::Response => "response",
            Self::Breach => "breach",
            Self::Delay => "delay",
            Self::Notified => "notified",
            Self::Categories => "categories",
            Self::Contact => "contact",
            Self::Consequences => "consequences",
            Self::Measures => "measures",
        }
    }

    /// As a notice says it.
    pub fn title(self) -> &'static str {
        match self {
            Self::Extent => "Extent to which data was used, accessed, acquired or disclosed",
            Self::Happened => "What happened",
            Self::Occurred => "Date of the event",
            Self::Discovered => "Date of discovery",
            Self::Scope => "Scope, so far as known",
            Self::Response => "Response and mitigation",
            Self::Breach => "Breach",
            Self::Delay => "Reason for delay",
            Self::Notified => "Notice given",
            Self::Categories => "Categories and approximate numbers of persons and records (GDPR 33(3)(a))",
            Self::Contact => "Contact (GDPR 33(3)(b))",
            Self::Consequences => "Likely consequences (GDPR 33(3)(c))",
            Self::Measures => "Measures taken or proposed (GDPR 33(3)(d))",
        }
    }

    /// A notice is not ready while it is neither filled nor marked unknown.
    pub fn is_required(self) -> bool {
        self <= Self::Response
    }
}

impl std::str::FromStr for Field {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let all = || Self::ALL.map(Self::as_str).join(", ");
        Self::ALL
            .into_iter()
            .find(|field| field.as_str() == text)
            .ok_or_else(|| format!("no such field; there are {}", all()))
    }
}

/// What a person said of a field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase", tag = "is")]
pub enum Stand {
    /// Nobody said anything: what the record proposes counts for nothing.
    Open,
    /// It is so.
    Filled {
        /// In the person's words, or as the record had proposed it.
        text: String,
        /// Who.
        by: Actor,
        /// When.
        at: Timestamp,
    },
    /// Nobody knows yet.
    Unknown {
        /// Who says so.
        by: Actor,
        /// When.
        at: Timestamp,
    },
}

/// A field with what the record proposes for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Held {
    /// Which.
    pub field: Field,
    /// What the record proposes; absent: it says nothing of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proposal: Option<String>,
    /// What a person said of it.
    pub stand: Stand,
}

/// A clock that somebody may have to keep. It judges nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Clock {
    /// Counted from here.
    pub from: Timestamp,
    /// A person gave that moment as the discovery; otherwise it is a candidate from the journal.
    pub confirmed: bool,
    /// 72 hours later: GDPR Article 33(1).
    pub gdpr_ends: Timestamp,
}

/// A draft.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct IncidentDraft {
    /// Always [`API_VERSION`].
    pub api_version: String,
    /// Always [`KIND`].
    pub kind: String,
    /// The run whose outage it is about.
    pub run: RunId,
    /// From 1, for each run.
    pub version: u32,
    /// When it was made.
    pub made_at: Timestamp,
    /// Who made it.
    pub by: Actor,
    /// SHA-256 of the record that it proposes from, with nothing taken out of that: as the store keeps it.
    pub record: String,
    /// Every required field is filled or marked unknown.
    pub ready: bool,
    /// The clock; absent: neither a person nor the journal names a discovery.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clock: Option<Clock>,
    /// The fields, in the order of a notice.
    pub fields: Vec<Held>,
}

/// What a person says of a field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// It is so.
    Set(Field, String),
    /// The record's proposal is right.
    Confirm(Field),
    /// Nobody knows yet.
    Unknown(Field),
}

impl Change {
    fn field(&self) -> Field {
        match self {
            Self::Set(field, _) | Self::Confirm(field) | Self::Unknown(field) => *field,
        }
    }
}

/// A change that makes no sense.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadChange {
    /// Nothing to confirm.
    #[error("the record proposes nothing for `{}`: say it with --set {}=TEXT, or --unknown {}", .0.as_str(), .0.as_str(), .0.as_str())]
    NothingProposed(Field),
    /// Two words about one field.
    #[error("`{}` is given twice", .0.as_str())]
    Twice(Field),
    /// No words.
    #[error("`{}` is given without a text: --unknown {} says that nobody knows", .0.as_str(), .0.as_str())]
    Empty(Field),
}

impl IncidentDraft {
    /// The next version: what the record proposes now, what the last version's persons said, and what this one says.
    pub fn next(
        redacted: &Redacted,
        last: Option<&Self>,
        changes: &[Change],
        by: &Actor,
        at: Timestamp,
    ) -> Result<Self, BadChange> {
        let mut fields: Vec<Held> = Field::ALL
            .into_iter()
            .map(|field| {
                let said = last.and_then(|last| last.held(field)).map_or(Stand::Open, |held| held.stand.clone());
                Held { field, proposal: propose::proposal(redacted, field), stand: said }
            })
            .collect();
        for (nth, change) in changes.iter().enumerate() {
            let field = change.field();
            if changes.iter().take(nth).any(|other| other.field() == field) {
                return Err(BadChange::Twice(field));
            }
            let Some(held) = fields.iter_mut().find(|held| held.field == field) else { continue };
            held.stand = stand(change, held.proposal.as_deref(), by, at)?;
        }
        let clock = clock(&fields, redacted);
        Ok(Self {
            api_version: API_VERSION.into(),
            kind: KIND.into(),
            run: redacted.record().run.clone(),
            version: last.map_or(1, |last| last.version + 1),
            made_at: at,
            by: by.clone(),
            record: redacted.digest().to_string(),
            ready: fields.iter().all(|held| !held.field.is_required() || held.stand != Stand::Open),
            clock,
            fields,
        })
    }

    /// A field.
    pub fn held(&self, field: Field) -> Option<&Held> {
        self.fields.iter().find(|held| held.field == field)
    }

    /// What keeps it from being ready.
    pub fn open(&self) -> Vec<Field> {
        let open = |held: &&Held| held.field.is_required() && held.stand == Stand::Open;
        self.fields.iter().filter(open).map(|held| held.field).collect()
    }
}

fn stand(change: &Change, proposal: Option<&str>, by: &Actor, at: Timestamp) -> Result<Stand, BadChange> {
    let filled = |text: String| Stand::Filled { text, by: by.clone(), at };
    match change {
        Change::Set(field, text) if text.trim().is_empty() => Err(BadChange::Empty(*field)),
        Change::Set(_, text) => Ok(filled(super::words(text.trim()))),
        Change::Confirm(field) => proposal.map(|text| filled(text.into())).ok_or(BadChange::NothingProposed(*field)),
        Change::Unknown(_) => Ok(Stand::Unknown { by: by.clone(), at }),
    }
}

/// The clock runs from the discovery: the moment that a person gave, if it is one, otherwise the journal's candidate.
fn clock(fields: &[Held], redacted: &Redacted) -> Option<Clock> {
    let held = fields.iter().find(|held| held.field == Field::Discovered)?;
    let (from, confirmed) = match &held.stand {
        Stand::Filled { text, .. } => (moment(text)?, true),
        Stand::Unknown { .. } => return None,
        Stand::Open => (propose::discovery(redacted.record())?, false),
    };
    Some(Clock { from, confirmed, gdpr_ends: from.checked_add(GDPR).ok()? })
}

/// The moment that a text begins with (RFC 3339), or the first moment of the day that it is (UTC).
fn moment(text: &str) -> Option<Timestamp> {
    let word = text.split_whitespace().next()?;
    let day = || word.parse::<jiff::civil::Date>().ok()?.to_zoned(jiff::tz::TimeZone::UTC).ok();
    word.parse().ok().or_else(|| day().map(|day| day.timestamp()))
}
