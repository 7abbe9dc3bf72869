//! The client's view beside Lifeboat's, row by row. The two must agree within one probe period: neither can see more finely
//! than Lifeboat looks. A loss may be stated larger than it was by two periods more, never smaller: a marker bears the time before its
//! write began, and on a store that is busy the write takes as long as it takes.

use std::{fs, path::Path};

use comfy_table::{CellAlignment, Table, presets};
use serde_json::Value;

use crate::{Failure, terminal::Terminal, view::Lost};

/// `spec.detection.periodSeconds` of `lifeboat.yaml`, in seconds.
pub(crate) const PERIOD: f64 = 0.5;
/// By how much a loss may be overstated, in seconds.
pub(crate) const OVERSTATED: f64 = 3.0 * PERIOD;

/// The figures of a run, out of its evidence record.
pub(crate) struct Measured {
    record: Value,
}

impl Measured {
    pub(crate) fn read(data: &Path, run: &str) -> Result<Self, Failure> {
        let path = data.join("evidence").join(format!("{run}.json"));
        let text = fs::read_to_string(&path).map_err(|error| format!("the evidence {}: {error}", path.display()))?;
        Ok(Self { record: serde_json::from_str(&text)? })
    }
    /// The run got to its end: the group has moved.
    pub(crate) fn completed(&self) -> bool {
        // In a failover the dead region's bucket cannot be fenced: that is on record as an exception.
        matches!(self.record.pointer("/outcome").and_then(Value::as_str), Some("succeeded" | "completedWithExceptions"))
    }
    fn ms(&self, name: &str) -> Option<f64> {
        let value = self.record.pointer(&format!("/measures/recoveryTime/{name}"))?;
        Some(value.as_f64()? / 1_000.0)
    }
    /// Recovery time in seconds.
    pub(crate) fn recovery(&self) -> Option<f64> {
        self.ms("totalMs")
    }
    /// How long a planned run interrupted the service, in seconds.
    pub(crate) fn interruption(&self) -> Option<f64> {
        self.ms("interruptionMs")
    }
    /// The seconds that a target lost.
    pub(crate) fn lost(&self, target: &str) -> Option<f64> {
        let targets = self.record.pointer("/measures/recoveryPoint/targets")?.as_array()?;
        let own = targets.iter().find(|found| found.get("target").and_then(Value::as_str) == Some(target))?;
        own.pointer("/loss/seconds")?.as_f64()
    }
}

/// The table, and whether all its rows agree.
pub(crate) struct Comparison {
    table: Table,
    agree: bool,
}

fn figure(seconds: f64) -> String {
    format!("{seconds:.3} s")
}

impl Comparison {
    pub(crate) fn new() -> Self {
        let mut table = Table::new();
        table.load_style(presets::UTF8_FULL_CONDENSED);
        table.set_header(["", "the client saw", "Lifeboat measured", "apart", ""]);
        for column in 1..=3 {
            if let Some(column) = table.column_mut(column) {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        Self { table, agree: true }
    }

    /// A row of the client's alone.
    pub(crate) fn client(&mut self, name: &str, seconds: f64) {
        self.table.add_row([name, &figure(seconds), "", "", ""]);
    }

    /// A row that is compared. What was not measured does not agree with anything.
    pub(crate) fn compare(&mut self, name: &str, client: f64, lifeboat: Option<f64>) {
        self.row(name, client, lifeboat, PERIOD);
    }

    /// `over`: by how much Lifeboat may state more than the client saw.
    fn row(&mut self, name: &str, client: f64, lifeboat: Option<f64>, over: f64) {
        let more = lifeboat.map(|lifeboat| lifeboat - client);
        let apart = more.map(f64::abs);
        let agrees = more.is_some_and(|more| (-PERIOD..=over).contains(&more));
        self.agree &= agrees;
        let shown = |value: Option<f64>| value.map_or_else(|| "not measured".to_owned(), figure);
        let verdict = if agrees { "agree" } else { "DISAGREE" };
        self.table.add_row([name.to_owned(), figure(client), shown(lifeboat), shown(apart), verdict.to_owned()]);
    }

    /// How many writes were lost, and the time that they span, which Lifeboat measures too.
    pub(crate) fn lost(&mut self, what: &str, lost: Lost, lifeboat: Option<f64>) {
        let name = format!("{what} lost: {} of {} acknowledged", lost.writes, lost.of);
        self.row(&name, lost.seconds, lifeboat, OVERSTATED);
    }

    /// Shows it; whether every row agrees.
    pub(crate) fn show(&self, terminal: &Terminal) -> bool {
        terminal.say(&self.table.to_string());
        self.agree
    }
}
