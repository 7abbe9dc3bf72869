//! One CloudEvents 1.0 event in structured JSON (`application/cloudevents+json`): that a run was reported.

use serde_json::json;

use super::{Banner, ReportError, Terms, json, section, sheet::title, uuid};
use crate::evidence::{Judgement, Redacted};

/// Its type, one for ever.
const TYPE: &str = "dev.lifeboat.evidence.report";

/// Writes the event. Its attributes are those of section 3.1; the same record gives the same `id`, so a receiver drops what it
/// has seen.
pub(super) fn write(redacted: &Redacted, terms: &Terms<'_>) -> Result<String, ReportError> {
    let record = redacted.record();
    let judgement = Judgement::of(record);
    let (time, point) = (&record.measures.recovery_time, &record.measures.recovery_point);
    let at = record.events.last().map_or(record.opened_at, |event| event.at);
    let event = json!({
        "specversion": "1.0",
        "id": uuid::of(redacted, &format!("cloudevent {}", redacted.digest())),
        "source": format!("/lifeboat/groups/{}", record.group),
        "type": TYPE,
        "subject": record.run,
        "time": at.to_string(),
        "datacontenttype": "application/json",
        "data": {
            "run": record.run,
            "title": title(record),
            "environment": Banner::of(record),
            "rehearsal": record.rehearsal,
            "draft": terms.draft(record).is_some(),
            "kind": record.run_kind,
            "outcome": record.outcome,
            "verdict": judgement.verdict,
            "findings": judgement.findings,
            "recoveryTime": {
                "measuredMs": section::time(record).ms,
                "objectiveSeconds": time.objective_seconds,
                "verdict": time.verdict,
            },
            "dataLoss": {
                "measuredMs": section::loss(record).ms,
                "objectiveSeconds": point.objective_seconds,
                "verdict": point.verdict,
            },
            "planDigest": record.runbook.digest,
            "recordDigest": redacted.digest(),
            "redactions": redacted.redactions(),
        },
    });
    json::pretty(&event, record)
}
