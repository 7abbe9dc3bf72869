//! What earlier runs teach: how long steps took, and until when the group cools down. Pure, over journals.

use std::{collections::BTreeMap, time::Duration};

use jiff::{SignedDuration, Timestamp};

use crate::model::{Event, EventBody, Plan, Run, StepName};

/// Whether the run acted on the world: only then there is something to cool down from.
pub(super) fn acted(events: &[Event]) -> bool {
    events.iter().any(|event| match &event.body {
        EventBody::Acting { .. } | EventBody::Undoing { .. } => true,
        EventBody::Opened(_)
        | EventBody::TakenOver { .. }
        | EventBody::Commanded { .. }
        | EventBody::ApprovalWithdrawn { .. }
        | EventBody::Skipped { .. }
        | EventBody::Blocked { .. }
        | EventBody::ApprovalAsked { .. }
        | EventBody::Done { .. }
        | EventBody::Failed { .. }
        | EventBody::Lost { .. }
        | EventBody::Paused { .. }
        | EventBody::Unwinding { .. }
        | EventBody::Undone { .. }
        | EventBody::Stuck { .. }
        | EventBody::Closed { .. } => false,
    })
}

/// When the cool-down after a run that ended at `ended` is over.
pub(super) fn cools_until(ended: Timestamp, cooldown_seconds: u64) -> Option<Timestamp> {
    let rest = SignedDuration::from_secs(i64::try_from(cooldown_seconds).unwrap_or(i64::MAX));
    ended.checked_add(rest).ok()
}

/// How long each step's successful try took, by the step's name, in a run that was real.
pub(super) fn durations(run: &Run, events: &[Event]) -> BTreeMap<StepName, Duration> {
    let mut began = BTreeMap::new();
    let mut took = BTreeMap::new();
    for event in events {
        match &event.body {
            EventBody::Acting { step, .. } => {
                began.insert(*step, event.at);
            }
            EventBody::Done { step, attempt: 1.., .. } => {
                if let (Some(start), Some(plan_step)) = (began.get(step), run.plan().step(*step)) {
                    let time = Duration::try_from(event.at.duration_since(*start)).unwrap_or_default();
                    took.insert(plan_step.name.clone(), time);
                }
            }
            EventBody::Opened(_)
            | EventBody::TakenOver { .. }
            | EventBody::Commanded { .. }
            | EventBody::ApprovalWithdrawn { .. }
            | EventBody::Skipped { .. }
            | EventBody::Blocked { .. }
            | EventBody::ApprovalAsked { .. }
            | EventBody::Done { .. }
            | EventBody::Failed { .. }
            | EventBody::Lost { .. }
            | EventBody::Paused { .. }
            | EventBody::Unwinding { .. }
            | EventBody::Undoing { .. }
            | EventBody::Undone { .. }
            | EventBody::Stuck { .. }
            | EventBody::Closed { .. } => {}
        }
    }
    took
}

/// Puts the median of what was measured in place of what the drivers declare; says how many steps it knew.
pub(super) fn teach(plan: &mut Plan, earlier: &[BTreeMap<StepName, Duration>]) -> usize {
    let mut known = 0;
    for step in &mut plan.steps {
        let mut times: Vec<_> = earlier.iter().filter_map(|run| run.get(&step.name).copied()).collect();
        times.sort();
        if let Some(median) = times.get(times.len() / 2) {
            step.expected_ms = u64::try_from(median.as_millis()).unwrap_or(u64::MAX).max(1);
            known += 1;
        }
    }
    known
}
