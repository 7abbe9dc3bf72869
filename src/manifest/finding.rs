//! A finding: what is wrong, where, and what to write instead. Drawn for people, or as JSON for machines.

use std::{collections::BTreeSet, fmt::Write as _, sync::Arc};

use miette::{GraphicalReportHandler, GraphicalTheme, LabeledSpan, MietteDiagnostic, NamedSource, SourceSpan};
use serde::{Serialize, Serializer, ser::SerializeStruct};

use super::{
    code::{Code, Severity},
    locate::Span,
};

/// A text that was read, and what it is called.
#[derive(Debug, PartialEq, Eq)]
pub struct Source {
    /// The file's name as given.
    pub name: String,
    /// Its text.
    pub text: String,
}

/// A place in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The file.
    pub source: Arc<Source>,
    /// Where in it.
    pub span: Span,
}

/// One defect.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    /// Its kind.
    pub code: Code,
    /// `Runbook/region-failover`; empty where no document could be told.
    pub document: String,
    /// `spec.steps[3].needs[0]`; empty for the whole document.
    pub path: String,
    /// What is wrong, with what was found.
    pub message: String,
    /// What to do about it.
    pub help: String,
    /// Where it was written; `None` for documents that came from a cluster.
    pub place: Option<Place>,
}

impl Finding {
    /// How grave it is.
    pub fn severity(&self) -> Severity {
        self.code.severity()
    }
    /// The file's name.
    pub fn file(&self) -> Option<&str> {
        self.place.as_ref().map(|place| place.source.name.as_str())
    }
    /// Order of a report: by file and place, then by document and path.
    fn order(&self) -> (&str, usize, &str, Code, &str, &str) {
        let offset = self.place.as_ref().map_or(0, |place| place.span.offset);
        (self.file().unwrap_or_default(), offset, &self.document, self.code, &self.path, &self.message)
    }
}

/// Sorts findings for a report, and drops what was found twice (a runbook that two groups use).
pub fn tidy(findings: &mut Vec<Finding>) {
    findings.sort_by(|a, b| a.order().cmp(&b.order()));
    findings.dedup_by(|a, b| a.order() == b.order());
}

/// Whether any finding forbids a run.
pub fn has_errors(findings: &[Finding]) -> bool {
    findings.iter().any(|finding| finding.severity() == Severity::Error)
}

/// How findings are drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Look {
    /// With terminal colours.
    pub colour: bool,
    /// Columns to wrap at.
    pub width: usize,
}

impl Default for Look {
    /// Plain, 100 columns: the same on every machine.
    fn default() -> Self {
        Self { colour: false, width: 100 }
    }
}

/// Draws findings, each with the lines it is about, and a last line with the sum.
pub fn render(findings: &[Finding], look: Look) -> String {
    let theme = if look.colour { GraphicalTheme::unicode() } else { GraphicalTheme::unicode_nocolor() };
    let handler = GraphicalReportHandler::new_themed(theme).with_width(look.width).with_links(false).with_urls(false);
    let mut text = String::new();
    for finding in findings {
        draw(&handler, finding, &mut text);
    }
    let _ok = writeln!(text, "{}", summary(findings));
    text
}

fn draw(handler: &GraphicalReportHandler, finding: &Finding, text: &mut String) {
    let severity = match finding.severity() {
        Severity::Error => miette::Severity::Error,
        Severity::Warning => miette::Severity::Warning,
    };
    let mut message = finding.message.clone();
    if finding.place.is_none() {
        let colon = if finding.path.is_empty() { "" } else { ": " };
        message = format!("{}{colon}{}: {message}", finding.document, finding.path);
    }
    let mut diagnostic = MietteDiagnostic::new(message)
        .with_code(finding.code.as_str())
        .with_severity(severity)
        .with_help(&finding.help);
    let drawn = finding.place.as_ref().filter(|place| !place.source.text.is_empty());
    let report = if let Some(place) = drawn {
        // A point at the very end of a file is drawn on its last character.
        let end = place.source.text.len();
        let offset = place.span.offset.min(end);
        let span = SourceSpan::from((offset, place.span.len.min(end - offset)));
        diagnostic =
            diagnostic.with_label(LabeledSpan::new_primary_with_span(Some(finding.code.title().to_owned()), span));
        miette::Report::new(diagnostic)
            .with_source_code(NamedSource::new(&place.source.name, Shared(Arc::clone(&place.source))))
    } else {
        miette::Report::new(diagnostic)
    };
    if handler.render_report(text, report.as_ref()).is_err() {
        // The snippet could not be cut out; the words still can be said.
        let _ok = writeln!(text, "{} {}\n  help: {}", finding.code, finding.message, finding.help);
    }
    text.push('\n');
}

/// One copy of a text for all findings in it.
struct Shared(Arc<Source>);

impl miette::SourceCode for Shared {
    fn read_span<'a>(
        &'a self,
        span: &SourceSpan,
        before: usize,
        after: usize,
    ) -> Result<Box<dyn miette::SpanContents<'a> + 'a>, miette::MietteError> {
        self.0.text.read_span(span, before, after)
    }
}

fn summary(findings: &[Finding]) -> String {
    let errors = findings.iter().filter(|finding| finding.severity() == Severity::Error).count();
    let warnings = findings.len() - errors;
    let files: BTreeSet<_> = findings.iter().filter_map(Finding::file).collect();
    let plural = |count: usize, word: &str| format!("{count} {word}{}", if count == 1 { "" } else { "s" });
    match (findings.is_empty(), files.len()) {
        (true, _) => "no findings".to_owned(),
        (false, 0) => format!("{}, {}", plural(errors, "error"), plural(warnings, "warning")),
        (false, count) => {
            format!("{}, {} in {}", plural(errors, "error"), plural(warnings, "warning"), plural(count, "file"))
        }
    }
}

/// Bytes of a finding's place.
#[derive(Serialize)]
struct Bytes {
    offset: usize,
    length: usize,
}

impl Serialize for Finding {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let span = self.place.as_ref().map(|place| place.span);
        let mut map = serializer.serialize_struct("Finding", 11)?;
        map.serialize_field("code", &self.code)?;
        map.serialize_field("severity", &self.severity())?;
        map.serialize_field("title", self.code.title())?;
        map.serialize_field("document", &self.document)?;
        map.serialize_field("path", &self.path)?;
        map.serialize_field("file", &self.file())?;
        map.serialize_field("line", &span.map(|span| span.line))?;
        map.serialize_field("column", &span.map(|span| span.column))?;
        map.serialize_field("span", &span.map(|span| Bytes { offset: span.offset, length: span.len }))?;
        map.serialize_field("message", &self.message)?;
        map.serialize_field("help", &self.help)?;
        map.end()
    }
}
