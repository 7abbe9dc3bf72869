//! Time limits and tries of a step.

use super::Notes;
use crate::{
    manifest::{code::Code, locate::Path},
    spec::{RunbookSpec, StepSpec},
};

/// A step may take a day: longer waits belong between two runs.
const MOST_SECONDS: u64 = 86_400;

/// How long a step says that it takes, in seconds: `within`, or the `seconds` of a wait.
pub(in crate::manifest) fn written_limit(step: &StepSpec) -> Option<(&'static str, f64)> {
    let number =
        |key: &'static str| step.with.get(key).and_then(serde_json::Value::as_f64).map(|seconds| (key, seconds));
    match step.uses.as_str() {
        "wait" => number("seconds"),
        "probe.await" | "database.catchUp" | "storage.catchUp" => number("within"),
        _ => None,
    }
}

pub(super) fn check(step: &StepSpec, path: &Path, notes: &mut Notes<'_, RunbookSpec>) {
    let limit = written_limit(step);
    match step.timeout_seconds {
        Some(0) => {
            notes.add(
                Code::TimeoutNeverHolds,
                &path.key("timeoutSeconds"),
                "a try of 0 seconds ends before it begins",
                "write at least 1",
            );
        }
        Some(seconds) if seconds > MOST_SECONDS => {
            let message = format!("a try may take 1 to {MOST_SECONDS} seconds, found {seconds}");
            notes.add(Code::OutOfRange, &path.key("timeoutSeconds"), message, "wait for longer outside of a run");
        }
        #[expect(clippy::cast_precision_loss, reason = "at most 86,400")]
        Some(seconds) => {
            if let Some((key, limit)) = limit.filter(|(_, limit)| *limit > seconds as f64) {
                let message = format!(
                    "`{key}: {limit}` is longer than `timeoutSeconds: {seconds}`, so the step is always cut off"
                );
                let help = format!("raise `timeoutSeconds` above {limit}, or leave it out");
                notes.add(Code::TimeoutNeverHolds, &path.key("with").key(key), message, help);
            }
        }
        None => {}
    }
    if let Some((key @ "within", 0.0)) = limit {
        let message = "nothing happens within 0 seconds";
        notes.add(Code::TimeoutNeverHolds, &path.key("with").key(key), message, "write at least 1");
    }
    let Some(retry) = &step.retry else { return };
    let at = path.key("retry");
    if !(1..=100).contains(&retry.attempts) {
        let message = format!("a step has 1 to 100 tries in all, found {}", retry.attempts);
        notes.add(Code::RetryOutOfRange, &at.key("attempts"), message, "write 1 for a single try");
    }
    if !(0.0..=3_600.0).contains(&retry.backoff_seconds) {
        let message = format!("the rest after a failed try is 0 to 3600 seconds, found {}", retry.backoff_seconds);
        notes.add(Code::RetryOutOfRange, &at.key("backoffSeconds"), message, "one second is usual");
    }
}
