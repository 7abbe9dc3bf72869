//! `JUnit`'s XML, as CI servers read it: one suite a run, one case a step and one a control that was compared, the measures as properties.
//!
//! One more case is the verdict, so that a suite whose steps all went well and whose objective was missed is not green.

use std::fmt::Write as _;

use super::{amount, sheet::title};
use crate::{
    evidence::{Conclusion, Judgement, Record, Redacted, StepRecord},
    model::{ControlCheck, ControlState},
};

enum Ended {
    Well,
    Failed(String),
    /// Nobody can tell.
    Error(String),
    Skipped(String),
}

struct Case {
    class: String,
    name: String,
    /// Exactly, in milliseconds; absent: not measured.
    ms: Option<u64>,
    ended: Ended,
}

/// Writes the suite of a run.
pub(super) fn write(redacted: &Redacted) -> String {
    let record = redacted.record();
    let judgement = Judgement::of(record);
    let mut cases: Vec<Case> = record.steps.iter().map(|step| case(record, step)).collect();
    cases.extend(record.parity.iter().map(|check| compared(record, check)));
    cases.push(verdict(record, &judgement));
    let count = |wanted: fn(&Ended) -> bool| cases.iter().filter(|case| wanted(&case.ended)).count();
    let (failures, errors, skipped) = (
        count(|ended| matches!(ended, Ended::Failed(_))),
        count(|ended| matches!(ended, Ended::Error(_))),
        count(|ended| matches!(ended, Ended::Skipped(_))),
    );
    let counts = format!("tests=\"{}\" failures=\"{failures}\" errors=\"{errors}\"", cases.len());
    let whole = record.measures.overhead.run_us.div_ceil(1000);
    let mut out = format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites {counts}>\n");
    // Writing to a String cannot fail.
    let _ok = write!(
        out,
        "  <testsuite name=\"{}\" {counts} skipped=\"{skipped}\" time=\"{}\" timestamp=\"{}\">\n    <properties>\n",
        escape(&record.run.to_string()),
        number(whole),
        // ISO 8601 without a zone, in UTC, is what the format's readers take.
        format!("{:.0}", record.opened_at).trim_end_matches('Z')
    );
    for (name, value) in properties(redacted, &judgement) {
        let _ok = writeln!(out, "      <property name=\"{name}\" value=\"{}\"/>", escape(&value));
    }
    out.push_str("    </properties>\n");
    for case in &cases {
        let time = case.ms.map(|ms| format!(" time=\"{}\"", number(ms))).unwrap_or_default();
        let _ok =
            write!(out, "    <testcase classname=\"{}\" name=\"{}\"{time}", escape(&case.class), escape(&case.name));
        let (tag, why) = match &case.ended {
            Ended::Well => {
                out.push_str("/>\n");
                continue;
            }
            Ended::Failed(why) => ("failure", why),
            Ended::Error(why) => ("error", why),
            Ended::Skipped(why) => ("skipped", why),
        };
        let _ok = writeln!(out, ">\n      <{tag} message=\"{}\"/>\n    </testcase>", escape(why));
    }
    out.push_str("  </testsuite>\n</testsuites>\n");
    out
}

fn case(record: &Record, step: &StepRecord) -> Case {
    let exception = record.exceptions.iter().find(|exception| exception.step == step.name);
    let why = exception.map(|exception| exception.what.clone()).or_else(|| step.why.clone()).unwrap_or_default();
    let ended = match step.state.as_str() {
        "done" => Ended::Well,
        "skipped" | "waiting" => Ended::Skipped(why),
        "acting" | "unsure" | "undoing" | "resting" | "awaiting approval" => Ended::Error(why),
        _ => Ended::Failed(why),
    };
    Case {
        class: format!("{}.{}", record.group, record.runbook.name),
        name: step.name.to_string(),
        ms: step.seconds.map(amount::up),
        ended,
    }
}

fn compared(record: &Record, check: &ControlCheck) -> Case {
    let why = check.why.clone().unwrap_or_default();
    let ended = match check.state {
        ControlState::Pass => Ended::Well,
        ControlState::Fail => Ended::Failed(why),
        ControlState::NotChecked => Ended::Skipped(why),
    };
    Case {
        class: format!("{}.controls", record.group),
        name: format!("{} of {}", check.control, check.what()),
        ms: None,
        ended,
    }
}

fn verdict(record: &Record, judgement: &Judgement) -> Case {
    let why = judgement.findings.iter().map(|found| found.what.as_str()).collect::<Vec<_>>().join("; ");
    let ended = match judgement.verdict {
        Conclusion::Passed | Conclusion::PassedWithFindings => Ended::Well,
        Conclusion::Failed => Ended::Failed(why),
        Conclusion::Inconclusive => Ended::Error(why),
    };
    Case { class: format!("{}.{}", record.group, record.runbook.name), name: "verdict".into(), ms: None, ended }
}

fn properties(redacted: &Redacted, judgement: &Judgement) -> Vec<(&'static str, String)> {
    let record = redacted.record();
    let (time, point) = (&record.measures.recovery_time, &record.measures.recovery_point);
    vec![
        ("title", title(record)),
        ("environment", super::Banner::of(record).as_str().into()),
        ("verdict", judgement.verdict.as_str().into()),
        ("findings", judgement.findings.len().to_string()),
        ("recoveryTime", super::section::time(record).words),
        ("recoveryTimeObjective", format!("{} s", time.objective_seconds)),
        ("recoveryTimeVerdict", time.verdict.as_str().into()),
        ("dataLoss", super::section::loss(record).words),
        ("dataLossObjective", format!("{} s", point.objective_seconds)),
        ("dataLossVerdict", point.verdict.as_str().into()),
        ("planDigest", record.runbook.digest.to_string()),
        ("recordDigest", redacted.digest().to_string()),
        ("redactions", redacted.redactions().len().to_string()),
    ]
}

/// Seconds as a number.
fn number(ms: u64) -> String {
    format!("{}.{:03}", ms / 1000, ms % 1000)
}

/// Text in an attribute or between tags (XML 1.0, sections 2.2 and 2.4): a character that XML cannot hold becomes U+FFFD.
pub(super) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\n' => out.push_str("&#10;"),
            '\t' => out.push_str("&#9;"),
            '\r' => out.push_str("&#13;"),
            c if c < ' ' || matches!(c, '\u{fffe}' | '\u{ffff}') => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_step_said_is_no_markup_and_stays_well_formed() {
        assert_eq!(
            escape("<a b=\"c\"> & 'd'\n\u{1b}[31m"),
            "&lt;a b=&quot;c&quot;&gt; &amp; &#39;d&#39;&#10;\u{fffd}[31m"
        );
    }
}
