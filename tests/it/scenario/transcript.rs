//! From what happened to lines that a person reads, to the names of moments, and to the end.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use lifeboat::{
    decide::Rest,
    model::{Command, CommandBody, Event, EventBody, PauseReason, Plan, RunId, SkippedBy, StepIndex},
    store::memory::Memory,
};
use tokio::sync::Notify;

use crate::theatre::{
    hall::{Audience, Happening},
    process::Ended,
    world::{Ask, Reply, World},
};

/// What was seen so far.
#[derive(Debug, Default)]
pub(super) struct Seen {
    pub(super) lines: Vec<String>,
    /// Names of moments with their times.
    pub(super) names: Vec<(Duration, String)>,
    /// Writes that a promotion left behind.
    pub(super) lost_writes: u64,
    /// When two servers took writes at once for the first time.
    pub(super) two_primaries: Option<Duration>,
    /// Reasons that nobody may accept.
    pub(super) alarms: BTreeSet<String>,
    plans: BTreeMap<RunId, Arc<Plan>>,
    noted: BTreeSet<String>,
}

/// Who watches, and wakes the player.
#[derive(Debug, Clone, Default)]
pub(super) struct Watcher {
    pub(super) seen: Arc<Mutex<Seen>>,
    pub(super) news: Arc<Notify>,
}

impl Watcher {
    pub(super) fn with<T>(&self, look: impl FnOnce(&mut Seen) -> T) -> T {
        look(&mut self.seen.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// A line that is not of the journal.
    pub(super) fn line(&self, at: Duration, who: &str, what: &str) {
        self.with(|seen| seen.line(at, who, what));
    }
}

impl Audience for Watcher {
    fn sees(&mut self, at: Duration, what: &Happening<'_>, world: &World, _: &Memory) {
        self.with(|seen| seen.takes(at, what, world));
        self.news.notify_one();
    }
}

impl Seen {
    fn line(&mut self, at: Duration, who: &str, what: &str) {
        let (at, what) = (format!("{}s", at.as_secs()), whole_seconds(what));
        self.lines.push(format!("{at:>5} {who:<7} {what}"));
    }

    fn name(&mut self, at: Duration, name: impl Into<String>) {
        self.names.push((at, name.into()));
    }

    fn takes(&mut self, at: Duration, what: &Happening<'_>, world: &World) {
        if self.two_primaries.is_none() && world.writable().len() > 1 {
            self.two_primaries = Some(at);
        }
        match what {
            Happening::Granted { process, .. } => self.name(at, format!("{process} holds the lease")),
            Happening::Wrote { process, run, events, .. } => {
                for event in *events {
                    self.event(at, process, run, event);
                }
            }
            Happening::Sent(tag, ask) => {
                self.name(at, format!("{} sent", ask.word()));
                self.name(at, format!("{} sent by {}", ask.word(), tag.process));
            }
            Happening::Arrived(tag, ask, reply, again) => self.arrived(at, &tag.process, ask, reply, *again, world),
            Happening::Ended { process, end } => {
                self.name(at, format!("{process} ends"));
                match end {
                    Ended::Rested(rest) => self.line(at, process, rested(rest)),
                    Ended::Stopped(words) => self.line(at, process, &format!("stops: {}", one_line(words))),
                    Ended::Broken(words) => self.line(at, process, &format!("BROKEN: {}", one_line(words))),
                    Ended::Died => self.line(at, process, "dies"),
                }
            }
            // Faults as they strike, each kind once.
            Happening::Note { who, what }
                if what.starts_with("is struck")
                    || what.contains(": lost")
                    || what.contains(": late")
                    || what.contains("arrive twice") =>
            {
                let note = format!("{who} {what}");
                if self.noted.insert(note) {
                    self.line(at, who, &format!("({what})"));
                }
            }
            Happening::Acts(_) | Happening::Acted(..) | Happening::Saw(..) | Happening::Note { .. } => {}
        }
    }

    fn arrived(&mut self, at: Duration, process: &str, ask: &Ask, reply: &Reply, again: bool, world: &World) {
        self.name(at, format!("{} arrives", ask.word()));
        let what = match ask {
            Ask::SetReadOnly { region } => format!("{region} is told to refuse writes"),
            Ask::ResetReadOnly { region } => format!("{region} is told to take writes again"),
            Ask::Promote { region } => {
                if *reply == Reply::Ok {
                    let has = world.places[region].position;
                    let most = world.places.values().map(|place| place.position).max().unwrap_or(has);
                    self.lost_writes = self.lost_writes.max(most - has);
                }
                format!("{region} is told to promote itself")
            }
            Ask::Follow { region, primary } => format!("{region} is told to follow {primary}"),
            Ask::Lock { region } => format!("the agent is told to lock {region} out"),
            Ask::DnsUpdate { expect, to } => format!("the name goes from {expect} to {to}"),
            Ask::Announce { key } => format!("it is announced ({key})"),
            Ask::Look { .. }
            | Ask::Reload { .. }
            | Ask::EndSessions { .. }
            | Ask::Write { .. }
            | Ask::LockVerify { .. }
            | Ask::DnsRead
            | Ask::Announced { .. } => return,
        };
        let mut text = format!("{what} by {process}");
        if again {
            text.push_str(", AGAIN");
        }
        match reply {
            Reply::No(why) => {
                let _ok = write!(text, ": no, {why}");
            }
            Reply::Refused | Reply::Silent => text.push_str(": no answer"),
            Reply::Ok | Reply::Server(_) | Reply::Value(_) | Reply::Yes(_) => {}
        }
        self.line(at, "world", &text);
    }

    fn event(&mut self, at: Duration, process: &str, run: &RunId, event: &Event) {
        if let EventBody::Opened(opened) = &event.body {
            self.plans.insert(run.clone(), Arc::clone(&opened.plan));
        }
        if let EventBody::Blocked { reasons, .. } = &event.body {
            for reason in reasons.iter().filter(|reason| reason.accepted_by().is_none()) {
                let json = serde_json::to_value(reason).unwrap_or_default();
                self.alarms.extend(json["is"].as_str().map(str::to_owned));
            }
        }
        let plan = Arc::clone(&self.plans[run]);
        let step = |index: StepIndex| plan.step(index).map_or_else(|| "?".to_owned(), |step| step.name.to_string());
        let (name, text) = sentence(&event.body, &step);
        let prefix = if run.number == 1 { String::new() } else { format!("{run} ") };
        let named = event.body.step().map_or_else(|| name.to_owned(), |index| format!("{name} {}", step(index)));
        self.name(at, format!("{prefix}event {}", event.seq));
        self.name(at, format!("{prefix}{named}"));
        self.line(at, process, &format!("{prefix}{text}"));
    }

    /// When the moment of this name came for the `which`th time.
    pub(super) fn when(&self, name: &str, which: usize) -> Option<Duration> {
        self.names.iter().filter(|(_, other)| other == name).nth(which - 1).map(|(at, _)| *at)
    }
}

/// `108.220 s` is `108 s`: a story does not change with each round trip that the engine makes more or less.
fn whole_seconds(text: &str) -> String {
    let words = text.split(' ').collect::<Vec<_>>();
    let word = |place: usize| {
        let (word, next) = (words[place], words.get(place + 1).copied().unwrap_or_default());
        let seconds = next == "s" || next.starts_with("s,") || next.starts_with("s;");
        match word.split_once('.') {
            Some((whole, part)) if seconds && part.len() == 3 && whole.bytes().all(|b| b.is_ascii_digit()) => whole,
            Some((whole, part)) if whole.contains('T') && part.ends_with('Z') => whole,
            _ => word,
        }
    };
    (0..words.len()).map(word).collect::<Vec<_>>().join(" ")
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn rested(rest: &Rest) -> &'static str {
    match rest {
        Rest::Closed(_) => "ends; the run is closed",
        Rest::Paused(_) => "ends; the run is paused",
        Rest::AwaitingApproval(_) => "ends; the run waits for an approval",
        Rest::Interrupted => "ends; the run is left as it is",
    }
}

/// Why a run is paused.
pub(super) fn pause(reason: &PauseReason, step: &impl Fn(StepIndex) -> String) -> String {
    match reason {
        PauseReason::Ordered { by, .. } => format!("{by} ordered it"),
        PauseReason::Stopped { by, .. } => format!("{by} stopped it"),
        PauseReason::StepFailed { step: index } => format!("{} failed", step(*index)),
        PauseReason::StepBlocked { step: index } => format!("{} is blocked", step(*index)),
        PauseReason::OutcomeUnknown { step: index } => format!("nobody knows what became of {}", step(*index)),
        PauseReason::UndoStuck { step: index } => format!("the undo of {} is stuck", step(*index)),
        PauseReason::Interrupted => "the process was asked to end".into(),
    }
}

fn ordered(command: &Command) -> String {
    let what = match &command.body {
        CommandBody::Pause => "pause".into(),
        CommandBody::Resume => "resume".into(),
        CommandBody::Retry { step } => format!("retry {step}"),
        CommandBody::Skip { step } => format!("skip {step}"),
        CommandBody::Cancel { unwind: false } => "cancel".into(),
        CommandBody::Cancel { unwind: true } => "cancel and unwind".into(),
        CommandBody::Accept { risk } => format!("accept {risk}"),
        CommandBody::Approve { step: None } => "approve the run".into(),
        CommandBody::Approve { step: Some(step) } => format!("approve {step}"),
        CommandBody::Deny { step: None } => "deny the run".into(),
        CommandBody::Deny { step: Some(step) } => format!("deny {step}"),
    };
    if command.reason.is_empty() { what } else { format!("{what} ({})", command.reason) }
}

/// The name of the moment, without its step, and the line.
fn sentence(body: &EventBody, step: &impl Fn(StepIndex) -> String) -> (&'static str, String) {
    match body {
        EventBody::Opened(opened) => {
            let mut text = format!(
                "opened: {} from {} to {} for {}",
                opened.kind, opened.plan.source, opened.plan.destination, opened.requested_by
            );
            if opened.rehearsal {
                text.push_str(", a rehearsal");
            }
            if opened.cooldown_until.is_some() {
                text.push_str(", in the cool-down of the last run");
            }
            for (target, loss) in &opened.estimates {
                if loss.amount != Some(0) {
                    let _ok = write!(text, "; would lose of {target}: {loss}");
                }
            }
            ("opened", text)
        }
        EventBody::TakenOver { .. } => ("taken over", "taken over".into()),
        EventBody::Commanded { command, refused: None, .. } => {
            ("ordered", format!("{} orders: {}", command.by, ordered(command)))
        }
        EventBody::Commanded { command, refused: Some(why), .. } => {
            ("refused", format!("{} orders: {}; refused: {why}", command.by, ordered(command)))
        }
        EventBody::ApprovalWithdrawn { by, why } => ("withdrawn", format!("the approval of {by} is withdrawn: {why}")),
        EventBody::Skipped { step: index, by, why } => {
            let by = match by {
                SkippedBy::When => "by its `when`".to_owned(),
                SkippedBy::Drill => "by the drill".into(),
                SkippedBy::Person(who) => format!("by {who}"),
                SkippedBy::Need(need) => format!("with {need}"),
                SkippedBy::End => "by the end".into(),
            };
            ("skipped", format!("skipped {} {by}: {why}", step(*index)))
        }
        EventBody::Blocked { step: index, reasons, .. } => {
            let reasons: Vec<_> = reasons.iter().map(ToString::to_string).collect();
            ("blocked", format!("blocked {}: {}", step(*index), reasons.join("; ")))
        }
        EventBody::ApprovalAsked { step: index, needed } => {
            ("asked", format!("asked {}: {needed} must approve", step(*index)))
        }
        EventBody::Acting { step: index, attempt: 1, .. } => ("acting", format!("acting {}", step(*index))),
        EventBody::Acting { step: index, attempt, .. } => ("acting", format!("acting {}, try {attempt}", step(*index))),
        EventBody::Done { step: index, attempt: 0, output, .. } if output.contains_key("approved_by") => {
            ("done", format!("done {}: approved", step(*index)))
        }
        EventBody::Done { step: index, attempt: 0, .. } => ("done", format!("done {}: already so", step(*index))),
        EventBody::Done { step: index, .. } => ("done", format!("done {}", step(*index))),
        EventBody::Failed { step: index, why, retry_at, passed_over, .. } => {
            let then = match (retry_at, passed_over) {
                (Some(_), _) => "to be tried again",
                (None, true) => "passed over",
                (None, false) => "for good",
            };
            ("failed", format!("failed {}, {then}: {why}", step(*index)))
        }
        EventBody::Lost { step: index, why, .. } => ("lost", format!("lost {}: {why}", step(*index))),
        EventBody::Paused { reason } => ("paused", format!("paused: {}", pause(reason, step))),
        EventBody::Unwinding { why } => ("unwinding", format!("unwinding: {why}")),
        EventBody::Undoing { step: index } => ("undoing", format!("undoing {}", step(*index))),
        EventBody::Undone { step: index, .. } => ("undone", format!("undone {}", step(*index))),
        EventBody::Stuck { step: index, why } => ("stuck", format!("stuck {}: {why}", step(*index))),
        EventBody::Closed { outcome } => ("closed", format!("closed: {}", outcome.as_str())),
    }
}
