//! What the page says, as JSON.

use serde::Serialize;

use super::{ReportError, Sheet};
use crate::{
    evidence::{Finding, Judgement, Redacted, Redaction},
    model::{Digest, RunId},
};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Page<'a> {
    api_version: &'static str,
    kind: &'static str,
    run: &'a RunId,
    record_digest: &'a Digest,
    findings: Vec<Finding>,
    redactions: &'a [Redaction],
    #[serde(flatten)]
    sheet: &'a Sheet,
}

/// Writes a sheet.
pub(super) fn write(sheet: &Sheet, redacted: &Redacted) -> Result<String, ReportError> {
    let record = redacted.record();
    let page = Page {
        api_version: crate::evidence::API_VERSION,
        kind: "EvidenceReport",
        run: &record.run,
        record_digest: redacted.digest(),
        findings: Judgement::of(record).findings,
        redactions: redacted.redactions(),
        sheet,
    };
    pretty(&page, record)
}

/// A document with line breaks, for whoever opens it.
pub(super) fn pretty(document: &impl Serialize, record: &crate::evidence::Record) -> Result<String, ReportError> {
    let text = serde_json::to_string_pretty(document)
        .map_err(|error| ReportError::Unwritten { run: record.run.clone(), why: error.to_string() })?;
    Ok(text + "\n")
}
