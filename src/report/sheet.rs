//! What a report says, in no format yet: a cover, and sections of facts, tables, pictures and sentences.
//!
//! The sections are those of an after-action report (NIST SP 800-84 section 4.3, ISO 22301 section 8.5), in that order, and all of them are
//! there: one that today's record cannot fill says so.

use serde::Serialize;

use super::{Terms, picture::Picture, section};
use crate::{
    evidence::{Conclusion, Judgement, Record, Redacted, Row},
    model::Run,
};

/// Nobody measured it.
pub(super) const NOT_MEASURED: &str = "not measured";
/// Nobody wrote it down.
pub(super) const NOT_RECORDED: &str = "not recorded";

/// In large type on every report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Banner {
    /// Somebody wanted to learn.
    #[serde(rename = "DRILL")]
    Drill,
    /// Somebody wanted the service elsewhere.
    #[serde(rename = "REAL")]
    Real,
}

impl Banner {
    /// Which a record gets.
    pub fn of(record: &Record) -> Self {
        if record.rehearsal || record.drill.is_some() { Self::Drill } else { Self::Real }
    }

    /// As shown.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Drill => "DRILL",
            Self::Real => "REAL",
        }
    }
}

/// A name and what it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Fact {
    /// The name.
    pub name: String,
    /// What it is.
    pub value: String,
}

/// Rows under headings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Table {
    /// What it shows.
    pub caption: String,
    /// The columns' headings; the first column names the row.
    pub columns: Vec<String>,
    /// As many cells as columns.
    pub rows: Vec<Vec<String>>,
}

/// A part of a section.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", tag = "is", content = "of")]
pub enum Block {
    /// A paragraph.
    Text(String),
    /// A list of facts.
    Facts(Vec<Fact>),
    /// A table.
    Table(Table),
    /// A picture; whoever cannot draw it writes its table.
    Picture(Picture),
}

/// A section.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Section {
    /// A name for links: `timeline`.
    pub id: String,
    /// Its heading, without its number.
    pub title: String,
    /// What it holds.
    pub blocks: Vec<Block>,
}

impl Section {
    pub(super) fn new(id: &str, title: &str, blocks: Vec<Block>) -> Self {
        Self { id: id.into(), title: title.into(), blocks }
    }
}

/// All that a report says.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Sheet {
    /// `failover of orders from fra to dub`.
    pub title: String,
    /// In large type.
    pub banner: Banner,
    /// Nobody accepted it yet.
    pub draft: bool,
    /// The verdict.
    pub verdict: Conclusion,
    /// The verdict in a sentence.
    pub sentence: String,
    /// The cover.
    pub cover: Vec<Fact>,
    /// The sections, in order.
    pub sections: Vec<Section>,
}

/// Everything that sections are made of, found once.
pub(super) struct Material<'a> {
    pub(super) record: &'a Record,
    pub(super) redacted: &'a Redacted,
    pub(super) terms: &'a Terms<'a>,
    pub(super) judgement: Judgement,
    /// The run folded again; `None` when the journal makes none.
    pub(super) run: Option<Run>,
    pub(super) rows: Vec<Row>,
}

impl Sheet {
    /// Says what there is to say of a run.
    pub fn of(redacted: &Redacted, terms: &Terms<'_>) -> Self {
        let record = redacted.record();
        let material = Material {
            record,
            redacted,
            terms,
            judgement: Judgement::of(record),
            run: record.replay().ok(),
            rows: record.timeline().unwrap_or_default(),
        };
        Self {
            title: title(record),
            banner: Banner::of(record),
            draft: terms.draft(record).is_some(),
            verdict: material.judgement.verdict,
            sentence: section::sentence(&material),
            cover: section::cover(&material),
            sections: section::all(&material),
        }
    }
}

/// What the run was, in a few words.
pub(super) fn title(record: &Record) -> String {
    let rehearsal = record.drill_mode().map_or_else(String::new, |mode| format!("{} of a ", mode.noun()));
    format!("{rehearsal}{} of {} from {} to {}", record.run_kind, record.group, record.source, record.destination)
}

/// A list of facts.
pub(super) fn facts(rows: Vec<(&str, String)>) -> Block {
    Block::Facts(rows.into_iter().map(|(name, value)| Fact { name: name.into(), value }).collect())
}

/// A table; without rows it is the sentence that says so.
pub(super) fn table(caption: &str, columns: &[&str], rows: Vec<Vec<String>>, empty: &str) -> Block {
    if rows.is_empty() {
        return text(empty);
    }
    let columns = columns.iter().map(|column| (*column).to_owned()).collect();
    Block::Table(Table { caption: caption.into(), columns, rows })
}

/// A paragraph.
pub(super) fn text(words: impl Into<String>) -> Block {
    Block::Text(words.into())
}

/// The words, or that nobody wrote any.
pub(super) fn or_not_recorded(words: &str) -> String {
    if words.trim().is_empty() { NOT_RECORDED.into() } else { words.into() }
}
