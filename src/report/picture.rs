//! Pictures, as what they show: bars on a scale. HTML draws them, others write their table.

use jiff::Timestamp;
use serde::Serialize;

use super::{
    amount,
    sheet::{NOT_MEASURED, Table},
};
use crate::evidence::{Span, StepRecord};

/// A bar.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Bar {
    /// What it stands for.
    pub name: String,
    /// A word that decides its colour: a phase, or a step's state.
    pub kind: String,
    /// Where it begins, in milliseconds from the left.
    pub from_ms: u64,
    /// How long it is, in milliseconds; absent: not measured, and there is no bar.
    pub ms: Option<u64>,
}

/// A picture.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Picture {
    /// For links: `phases`.
    pub id: String,
    /// What it shows.
    pub title: String,
    /// What it shows, for whoever does not see it.
    pub description: String,
    /// Its width in milliseconds.
    pub width_ms: u64,
    /// All bars lie in one row, end to end.
    pub one_row: bool,
    /// The bars.
    pub bars: Vec<Bar>,
}

impl Picture {
    /// Where the recovery time went.
    pub(super) fn phases(spans: &[Span]) -> Self {
        let mut from_ms = 0;
        let mut bars = Vec::with_capacity(spans.len());
        for span in spans {
            let name = span.phase.as_str().to_owned();
            bars.push(Bar { kind: name.clone(), name, from_ms, ms: Some(span.ms) });
            from_ms += span.ms;
        }
        let told = spans.iter().map(|span| format!("{} {}", span.phase.as_str(), amount::ms(span.ms)));
        let description = format!(
            "One bar of {} in {} parts: {}.",
            amount::ms(from_ms),
            spans.len(),
            told.collect::<Vec<_>>().join(", ")
        );
        let title = "Phases of the recovery time".into();
        Self { id: "phases".into(), title, description, width_ms: from_ms, one_row: true, bars }
    }

    /// The steps on the run's time; `None`: none of them ever began.
    pub(super) fn steps(steps: &[StepRecord], opened: Timestamp) -> Option<Self> {
        let after = |at: Timestamp| u64::try_from(at.duration_since(opened).as_millis()).unwrap_or(0);
        let bars: Vec<Bar> = steps
            .iter()
            .map(|step| {
                let from_ms = step.started.map_or(0, after);
                let ms = step.started.and(step.ended).map(|at| after(at).saturating_sub(from_ms));
                Bar { name: step.name.to_string(), kind: step.state.clone(), from_ms, ms }
            })
            .collect();
        let width_ms = bars.iter().filter_map(|bar| Some(bar.from_ms + bar.ms?)).max()?;
        let description = format!(
            "One row for each of {} steps, from the moment the run was opened to {} after it. The table below holds the same figures.",
            bars.len(),
            amount::ms(width_ms)
        );
        Some(Self {
            id: "steps".into(),
            title: "Steps on the run's time".into(),
            description,
            width_ms,
            one_row: false,
            bars,
        })
    }

    /// The same as a table.
    pub(super) fn table(&self) -> Table {
        let columns = ["What", "Kind", "Begins after", "Time"].map(String::from).to_vec();
        let row = |bar: &Bar| {
            let begins = if bar.ms.is_some() { amount::ms(bar.from_ms) } else { NOT_MEASURED.into() };
            vec![bar.name.clone(), bar.kind.clone(), begins, bar.ms.map_or_else(|| NOT_MEASURED.into(), amount::ms)]
        };
        Table { caption: self.title.clone(), columns, rows: self.bars.iter().map(row).collect() }
    }
}
