//! The times of a run, and the paths through its plan.
//!
//! A wall clock may jump back in the middle of a run. Here no event is earlier than the one before it: a jump makes a
//! span zero, never negative, and the sum stays what it was.

use std::{collections::BTreeSet, time::Duration};

use jiff::Timestamp;

use crate::model::{Event, EventBody, Run, StepIndex};

/// What the journal says of one step's time.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct StepTime {
    /// Its first intent; for a step that was already so, the moment it was seen.
    pub(super) started: Option<Timestamp>,
    /// When it ended last: done, failed for good, left out, taken back, stuck.
    pub(super) ended: Option<Timestamp>,
    /// From each intent to what became of it, added up: the driver's own time, as far as a journal can tell.
    pub(super) driver: Duration,
    /// Intents.
    pub(super) attempts: u32,
}

/// The times of a run, none earlier than the one before.
#[derive(Debug)]
pub(super) struct Times {
    /// By place in the plan.
    pub(super) steps: Vec<StepTime>,
    /// The first event.
    pub(super) opened: Timestamp,
    /// The last event.
    pub(super) last: Timestamp,
}

/// Time between two moments; zero when they are the wrong way round.
pub(super) fn between(from: Timestamp, to: Timestamp) -> Duration {
    Duration::try_from(to.duration_since(from)).unwrap_or_default()
}

impl Times {
    /// Reads them off the journal of a plan with so many steps.
    pub(super) fn of(steps: usize, events: &[Event]) -> Self {
        let opened = events.first().map_or(Timestamp::UNIX_EPOCH, |event| event.at);
        let mut times = Self { steps: vec![StepTime::default(); steps], opened, last: opened };
        let mut acting: Vec<Option<Timestamp>> = vec![None; steps];
        for event in events {
            let at = event.at.max(times.last);
            times.last = at;
            let Some(place) = event.body.step().map(StepIndex::at) else { continue };
            let (Some(step), Some(intent)) = (times.steps.get_mut(place), acting.get_mut(place)) else { continue };
            match &event.body {
                EventBody::Acting { .. } => {
                    *intent = Some(at);
                    step.attempts += 1;
                    step.ended = None;
                    step.started.get_or_insert(at);
                }
                EventBody::Done { .. }
                | EventBody::Failed { .. }
                | EventBody::Lost { .. }
                | EventBody::Skipped { .. }
                | EventBody::Undone { .. }
                | EventBody::Stuck { .. } => {
                    if let Some(since) = intent.take() {
                        step.driver += between(since, at);
                    }
                    if ends(&event.body) {
                        step.ended = Some(at);
                        if matches!(event.body, EventBody::Done { .. }) {
                            step.started.get_or_insert(at);
                        }
                    }
                }
                _ => {}
            }
        }
        times
    }
}

fn ends(body: &EventBody) -> bool {
    match body {
        EventBody::Failed { retry_at, .. } => retry_at.is_none(),
        EventBody::Lost { .. } => false,
        _ => true,
    }
}

/// These steps and all that they need, directly or not.
pub(super) fn needed(run: &Run, of: &[StepIndex]) -> BTreeSet<StepIndex> {
    let mut found = BTreeSet::new();
    let mut open = of.to_vec();
    while let Some(index) = open.pop() {
        if found.insert(index)
            && let Some(step) = run.plan().step(index)
        {
            open.extend(&step.needs);
        }
    }
    found
}

/// The path through the plan whose steps' drivers took longest, with how long they took.
pub(super) fn critical(run: &Run, times: &Times) -> (Vec<StepIndex>, Duration) {
    let weight = |index: StepIndex| times.steps.get(index.at()).map_or(Duration::ZERO, |time| time.driver);
    let mut longest: Vec<(Duration, Option<StepIndex>)> = vec![(Duration::ZERO, None); run.plan().steps.len()];
    let length = |longest: &[(Duration, Option<StepIndex>)], index: StepIndex| {
        longest.get(index.at()).map_or(Duration::ZERO, |(length, _)| *length)
    };
    // A plan with a cycle cannot be opened; it would have no critical path.
    for index in run.plan().order().unwrap_or_default() {
        let needs = run.plan().step(index).map(|step| step.needs.as_slice()).unwrap_or_default();
        let before = needs.iter().copied().max_by_key(|need| length(&longest, *need));
        let sum = before.map_or(Duration::ZERO, |need| length(&longest, need)) + weight(index);
        if let Some(place) = longest.get_mut(index.at()) {
            *place = (sum, before);
        }
    }
    let end = run.plan().indices().max_by_key(|index| length(&longest, *index));
    let total = end.map_or(Duration::ZERO, |index| length(&longest, index));
    let mut path = Vec::new();
    let mut at = end;
    while let Some(index) = at {
        // A step that was left out, or did nothing itself, is no place where time could be lost.
        if times.steps.get(index.at()).is_some_and(|time| time.attempts > 0) {
            path.push(index);
        }
        at = longest.get(index.at()).and_then(|(_, before)| *before);
    }
    path.reverse();
    (path, total)
}
