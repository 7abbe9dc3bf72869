//! Where the seconds of a recovery went.
//!
//! The rule, so that the phases follow one another without a gap and their sum is the recovery time exactly:
//!
//! 1. *detect* lasts from the onset to the moment it was noticed, *decide* from there to the first intent of a step
//!    that has a phase (a wait for an approval is deciding).
//! 2. From there to the restored health, every moment belongs to the **earliest phase that is still unfinished**: with a
//!    fence and a copy of files under way at once, the time is *fence* until the last fence has ended, and *promote*
//!    after that.
//! 3. Only steps that the restored health waited for count: the steps that saw it, and what they need. A notification
//!    sent afterwards is in no phase.
//! 4. Each boundary is rounded down to a whole millisecond after the onset, and a phase is the difference of two.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::path::{Times, between, needed};
use crate::model::{Phase, Run, SkippedBy, StepIndex, StepState, Verb};

/// One phase of a recovery.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Span {
    /// Which.
    pub phase: Phase,
    /// Its length in milliseconds.
    pub ms: u64,
}

/// Health, seen restored.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Restored {
    /// The steps that saw it.
    pub(super) by: Vec<StepIndex>,
    /// When the last of them had.
    pub(super) at: Timestamp,
}

/// When health was restored: the last `probe.await` that is done, where the plan has one; otherwise the last step that
/// verifies; otherwise the last that routes; otherwise the last that promotes. `None` while one of them is not done:
/// part of the service was not seen healthy. Steps left out by their `when` or the drill do not count, nor does what comes
/// after recovery: a step that waits for a reversed replication or a lifted fence.
pub(super) fn restored(run: &Run, times: &Times) -> Option<Restored> {
    let left_out =
        |state: &StepState| matches!(state, StepState::Skipped { by: SkippedBy::When | SkippedBy::Drill, .. });
    let steps = |wanted: &dyn Fn(Verb) -> bool| -> Vec<StepIndex> {
        run.plan()
            .indices()
            .filter(|index| run.step(*index).is_some_and(|(step, state)| wanted(step.verb) && !left_out(state)))
            .filter(|index| !after_recovery(run, *index))
            .collect()
    };
    let by = [
        steps(&|verb| verb == Verb::ProbeAwait),
        steps(&|verb| verb.phase() == Some(Phase::Verify)),
        steps(&|verb| verb.phase() == Some(Phase::Route)),
        steps(&|verb| verb.phase() == Some(Phase::Promote)),
    ]
    .into_iter()
    .find(|steps| !steps.is_empty())?;
    let mut last = None;
    for index in &by {
        if !matches!(run.steps.get(index.at()), Some(StepState::Done { .. })) {
            return None;
        }
        last = last.max(times.steps.get(index.at()).and_then(|time| time.ended));
    }
    Some(Restored { by, at: last? })
}

fn after_recovery(run: &Run, index: StepIndex) -> bool {
    needed(run, &[index]).into_iter().filter_map(|step| run.plan().step(step)).any(|step| match step.verb {
        // The destination that first becomes a replica again is ahead of the move, not behind it.
        Verb::DatabaseReverse | Verb::StorageReverse => {
            step.with.get("member").and_then(serde_json::Value::as_str) != Some("destination")
        }
        verb => matches!(verb, Verb::DatabaseUnfence | Verb::StorageUnfence),
    })
}

/// The moment from which recovery is counted, and how it is known.
pub(super) fn onset(run: &Run) -> (Timestamp, String) {
    let opened = &run.opened;
    let (at, basis) = match (opened.onset, opened.noticed) {
        (Some(onset), _) if opened.onset_basis.is_empty() => (onset, "first failed probe".to_owned()),
        (Some(onset), _) => (onset, opened.onset_basis.clone()),
        (None, Some(noticed)) => (noticed, "noticed; the onset is not known".into()),
        (None, None) => (run.opened_at, "run opened; the onset is not known".into()),
    };
    // An onset after the run began is a clock's mistake: nothing is counted from the future.
    (at.min(run.opened_at), basis)
}

/// The moment from which recovery time is counted. A planned run interrupts nothing before its first fence: what it
/// copies while users still work is no outage.
pub(super) fn counted_from(run: &Run, times: &Times) -> (Timestamp, String) {
    let fences = run.plan().steps.iter().zip(&times.steps).filter(|(step, _)| step.verb.fences());
    match fences.filter_map(|(_, time)| time.started).min() {
        Some(began) if run.opened.kind.planned() && run.opened.onset.is_none() => {
            (began, "first fence; a planned run interrupts nothing before it".into())
        }
        Some(_) | None => onset(run),
    }
}

/// Splits the time from `onset` to the restored health.
pub(super) fn split(run: &Run, times: &Times, onset: Timestamp, restored: &Restored) -> (u64, Vec<Span>) {
    let ms = |at: Timestamp| u64::try_from(between(onset, at).as_millis()).unwrap_or(u64::MAX);
    let end = ms(restored.at);
    let path = needed(run, &restored.by);
    let on_path = |phase: Option<Phase>| {
        let path = &path;
        run.plan().indices().filter_map(move |index| {
            let step = run.plan().step(index)?;
            let counts = path.contains(&index) && step.verb.phase().is_some_and(|own| phase.is_none_or(|p| p == own));
            counts.then(|| times.steps.get(index.at())).flatten()
        })
    };
    let first = on_path(None).filter_map(|time| time.started).min().unwrap_or(restored.at);
    let finished = |phase| {
        // A step on the path that has not ended was passed over: its phase lasts until health was restored.
        on_path(Some(phase)).filter(|time| time.started.is_some()).map(|time| time.ended.unwrap_or(restored.at)).max()
    };
    let mut at = 0;
    let mut spans = Vec::with_capacity(Phase::ALL.len());
    for phase in Phase::ALL {
        let until = match phase {
            Phase::Detect => Some(ms(run.opened.noticed.unwrap_or(onset).min(first))),
            Phase::Decide => Some(ms(first)),
            Phase::Fence | Phase::Promote | Phase::Route => finished(phase).map(ms),
            Phase::Verify => Some(end),
        };
        let until = until.unwrap_or(at).clamp(at, end);
        spans.push(Span { phase, ms: until - at });
        at = until;
    }
    (end, spans)
}
