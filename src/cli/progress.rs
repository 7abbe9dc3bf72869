//! A run as it goes: a line for each event, and on a terminal what is under way, with its time.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use jiff::Timestamp;

use super::{
    advice,
    screen::{Screen, Tone, tint},
};
use crate::{
    engine::Progress,
    evidence,
    model::{Event, EventBody, Run, StepIndex},
};

/// The steps under way, for whoever is asked to end.
#[derive(Debug, Clone, Default)]
pub(super) struct Underway(Arc<Mutex<BTreeMap<StepIndex, String>>>);

impl Underway {
    fn follow(&self, event: &Event, run: &Run) {
        let Some((step, declared)) = event.body.step().and_then(|step| Some((step, run.plan().step(step)?))) else {
            return;
        };
        let mut steps = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match &event.body {
            EventBody::Acting { .. } | EventBody::Undoing { .. } => steps.insert(step, declared.name.to_string()),
            _ => steps.remove(&step),
        };
    }

    /// Their names.
    pub(super) fn names(&self) -> Vec<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }
}

/// Prints what happens.
pub(super) struct Told<'a> {
    screen: &'a Screen,
    begun: BTreeMap<StepIndex, Timestamp>,
    underway: Underway,
    live: Option<Live>,
}

/// What moves on a terminal: one line for each step under way.
struct Live {
    all: MultiProgress,
    bars: BTreeMap<StepIndex, ProgressBar>,
}

impl<'a> Told<'a> {
    pub(super) fn new(screen: &'a Screen, underway: Underway) -> Self {
        let live = screen.is_live().then(|| Live { all: MultiProgress::new(), bars: BTreeMap::new() });
        Self { screen, begun: BTreeMap::new(), underway, live }
    }

    fn print(&self, text: &str) {
        match &self.live {
            Some(live) => live.all.suspend(|| self.screen.progress(text)),
            None => self.screen.progress(text),
        }
    }
}

impl Progress for Told<'_> {
    fn event(&mut self, event: &Event, run: &Run) {
        self.underway.follow(event, run);
        if let EventBody::Acting { step, .. } | EventBody::Undoing { step } = &event.body {
            self.begun.insert(*step, event.at);
        }
        let took = event.body.step().and_then(|step| self.begun.get(&step)).map(|at| seconds(event.at, *at));
        self.print(&line(event, run, took));
        for advice in advise(event, run) {
            self.print(&format!("            {} {advice}", tint(Tone::Dim, "->")));
        }
        if let Some(live) = &mut self.live {
            live.follow(event, run);
        }
    }
}

impl Live {
    fn follow(&mut self, event: &Event, run: &Run) {
        let Some(step) = event.body.step() else { return };
        if let Some(bar) = self.bars.remove(&step) {
            bar.finish_and_clear();
        }
        let moving = match &event.body {
            EventBody::Acting { .. } => "acting",
            EventBody::Lost { .. } => "looking what became of it",
            EventBody::Undoing { .. } => "taking it back",
            EventBody::ApprovalAsked { .. } => "waiting for approval",
            _ => return,
        };
        let Some(name) = run.plan().step(step).map(|step| step.name.to_string()) else { return };
        let style = ProgressStyle::with_template("  {spinner} {prefix} {msg} {elapsed}");
        let bar = ProgressBar::new_spinner().with_prefix(name).with_message(moving);
        let bar = self.all.add(match style {
            Ok(style) => bar.with_style(style),
            Err(_) => bar,
        });
        bar.enable_steady_tick(Duration::from_millis(100));
        self.bars.insert(step, bar);
    }
}

fn seconds(later: Timestamp, earlier: Timestamp) -> f64 {
    later.duration_since(earlier).as_secs_f64().max(0.0)
}

/// `+0.412s promote-db  done in 0.073 s; lost 0.000 s, 0 bytes (by last marker)`.
pub(super) fn line(event: &Event, run: &Run, took: Option<f64>) -> String {
    let rows = evidence::timeline(run, std::slice::from_ref(event));
    let Some(row) = rows.last() else { return String::new() };
    let widest = run.plan().steps.iter().map(|step| step.name.as_str().len()).max().unwrap_or(0).max(3);
    let name = row.step.as_ref().map_or("run", |step| step.as_str());
    let what = match (&event.body, took) {
        (EventBody::Done { attempt: 1.., .. }, Some(took)) => {
            row.what.replacen("done", &format!("done in {took:.3} s"), 1)
        }
        (EventBody::Undone { .. }, Some(took)) => format!("{} in {took:.3} s", row.what),
        (EventBody::Opened(_), _) => format!("{}: {}", run.id, row.what),
        _ => row.what.clone(),
    };
    let what = what.trim_end_matches(": ").to_owned();
    let what = match tone(&event.body) {
        Some(tone) => tint(tone, what),
        None => what,
    };
    let offset = seconds(event.at, run.opened_at);
    format!("{:>9} {name:<widest$}  {what}", format!("+{offset:.3}s"))
}

fn tone(body: &EventBody) -> Option<Tone> {
    match body {
        EventBody::Done { .. } | EventBody::Closed { outcome: crate::model::Outcome::Succeeded } => Some(Tone::Good),
        EventBody::Closed { .. }
        | EventBody::Paused { .. }
        | EventBody::ApprovalAsked { .. }
        | EventBody::ApprovalWithdrawn { .. }
        | EventBody::Lost { .. } => Some(Tone::Warn),
        EventBody::Blocked { .. } | EventBody::Failed { .. } | EventBody::Stuck { .. } => Some(Tone::Bad),
        EventBody::Skipped { .. } => Some(Tone::Dim),
        EventBody::Opened(_)
        | EventBody::TakenOver { .. }
        | EventBody::Commanded { .. }
        | EventBody::Acting { .. }
        | EventBody::Unwinding { .. }
        | EventBody::Undoing { .. }
        | EventBody::Undone { .. } => None,
    }
}

/// What a person can do, where the event asks for one.
fn advise(event: &Event, run: &Run) -> Vec<String> {
    let name = |step: &StepIndex| run.plan().step(*step).map_or_else(String::new, |step| step.name.to_string());
    match &event.body {
        EventBody::Blocked { step, reasons, .. } => advice::of_blockers(run, &name(step), reasons),
        EventBody::ApprovalAsked { step, .. } => advice::of_approval(run, &name(step)),
        EventBody::Paused { reason: crate::model::PauseReason::StepBlocked { .. } } => Vec::new(),
        EventBody::Paused { reason } => advice::of_pause(run, reason),
        _ => Vec::new(),
    }
}
