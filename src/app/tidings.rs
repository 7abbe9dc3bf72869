//! What the standing controller sees, told to people and kept as figures. Nothing here waits: a notice goes into the outbox, a
//! figure is set.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use jiff::Timestamp;
use tokio::sync::watch;

use super::{
    App, AppError, Gravity, Listeners, News, Readiness, Unready, What,
    bulletin::{Spoken, of_target, set},
    documents::Papers,
    metering::Metered,
};
use crate::{
    engine::Progress,
    evidence,
    meter::{Condition, GroupFigures, Judged as Stands, Meter},
    model::{Event, EventBody, GroupName, Judged, RegionName, Run},
    notify::{Channel, Limits, Means, Outbox, word},
    port::{Clock, Notice},
};

/// How long notices that wait may take when the process ends.
const FAREWELL: Duration = Duration::from_secs(5);

/// People and figures.
pub(super) struct Tidings {
    outbox: Outbox,
    meter: Meter,
    clock: Arc<dyn Clock>,
    /// Why the documents on disk were refused, for reports and whoever asks.
    pub(super) refused: watch::Sender<Option<String>>,
    /// What was last said of each region and of each group's readiness, so that only changes are told.
    said: Mutex<Said>,
}

#[derive(Default)]
pub(super) struct Said {
    down: BTreeMap<(GroupName, RegionName), bool>,
    proposed: BTreeMap<GroupName, bool>,
    ready: BTreeMap<GroupName, bool>,
    /// By the rounds.
    pub(super) spoken: BTreeMap<GroupName, Spoken>,
    pub(super) store_lost: bool,
    /// Documents on disk that only a restart takes up.
    pub(super) differ: Vec<String>,
    figures: BTreeMap<GroupName, GroupFigures>,
}

impl Tidings {
    /// Opens the channels of the documents. Must be called inside the runtime.
    pub(super) fn open(app: &App, papers: &Papers) -> Result<Self, AppError> {
        let means = Means { secrets: Arc::clone(&app.tools.secrets), clock: Arc::clone(&app.clock) };
        let mut channels = Vec::new();
        for document in &papers.documents.channels {
            let opened = Channel::open(document.name.clone(), &document.spec, &means);
            channels.push(opened.map_err(|why| AppError::Driver {
                what: format!("channel {}", document.name),
                why: why.to_string(),
            })?);
        }
        let meter = Meter::new(env!("CARGO_PKG_VERSION"));
        let outbox = Outbox::open(channels, &app.clock, &meter, Limits::default());
        let refused = watch::Sender::new(None);
        Ok(Self { outbox, meter, clock: Arc::clone(&app.clock), refused, said: Mutex::default() })
    }

    /// The figures, as OpenMetrics text.
    pub(super) fn render(&self) -> String {
        self.meter.render()
    }

    /// Whether the store answered just now.
    pub(super) fn store(&self, reachable: bool) {
        self.meter.store(reachable);
    }

    /// The figures.
    pub(super) fn meter(&self) -> &Meter {
        &self.meter
    }

    /// Drops what was said of a group that is in no document any more.
    pub(super) fn forget(&self, group: &GroupName) {
        self.said(|said| {
            said.down.retain(|(known, _), _| known != group);
            said.proposed.remove(group);
            said.ready.remove(group);
            said.spoken.remove(group);
        });
        self.forget_figures(group);
    }

    /// Drops a group's figures: they are taken down anew.
    pub(super) fn forget_figures(&self, group: &GroupName) {
        self.said(|said| {
            said.figures.remove(group);
        });
        self.meter.forget(group);
    }

    /// Tells people.
    pub(super) fn tell(&self, notice: Notice) {
        self.outbox.tell(notice);
    }

    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Changes a group's figures, which come from several tasks, and takes them down.
    pub(super) fn figures(&self, group: &GroupName, change: impl FnOnce(&mut GroupFigures)) {
        self.said(|said| {
            let figures = said.figures.entry(group.clone()).or_default();
            change(figures);
            self.meter.group(group, figures);
        });
    }

    /// Lets what waits be told; says what could not be.
    pub(super) async fn flush(&self) {
        for left in self.outbox.flush(FAREWELL).await {
            tracing::warn!(channel = %left.channel, titles = ?left.titles, "not told before the end");
        }
    }

    /// Takes news in.
    pub(super) fn hear(&self, news: &News) {
        let group = &news.group;
        match &news.what {
            What::Judged(judged) => self.judged(group, judged),
            What::Readiness(found) => self.readiness(found),
            What::Observing { .. }
            | What::MarkersMoved(..)
            | What::MarkersRefused(..)
            | What::Unpublished(_)
            | What::StoodStill(_)
            | What::Starting(_)
            | What::Started(_)
            | What::TakenOver(_)
            | What::Rested(..)
            | What::NotTakenOver(..)
            | What::Watched { .. }
            | What::Drill(_) => {}
        }
    }

    fn judged(&self, group: &GroupName, judged: &Judged) {
        let now = self.clock.now();
        for verdict in &judged.verdicts {
            let (stands, down) = match verdict.state.as_str() {
                "up" | "degraded" => (Stands::Up, Some(false)),
                "down" => (Stands::Down, Some(true)),
                _ => (Stands::Unknown, None),
            };
            self.meter.verdict(group, &verdict.region, stands);
            // Who cannot tell says neither that it is down nor that it is over.
            let Some(down) = down else { continue };
            let before = self.said(|said| said.down.insert((group.clone(), verdict.region.clone()), down));
            match (before, down) {
                (None | Some(false), true) => {
                    self.outbox.tell(word::outage_detected(group, &verdict.region, None, &verdict.reasons, now));
                }
                (Some(true), false) => self.outbox.tell(word::outage_over(group, &verdict.region, now)),
                (None | Some(false), false) | (Some(true), true) => {}
            }
        }
        let held = matches!(judged.answer.as_str(), "hold" | "propose");
        self.figures(group, |figures| set(&mut figures.conditions, Condition::Held, held));
        let proposed = judged.command.is_some();
        let before = self.said(|said| said.proposed.insert(group.clone(), proposed)).unwrap_or(false);
        if let (Some(command), false) = (&judged.command, before) {
            let down = judged.verdicts.iter().find(|verdict| verdict.state == "down");
            let up = judged.verdicts.iter().find(|verdict| verdict.state != "down");
            if let (Some(source), Some(destination)) = (down, up) {
                let (source, to) = (&source.region, &destination.region);
                self.outbox.tell(word::proposal(group, source, to, &judged.reasons, command.clone(), now));
            }
        }
    }

    /// Takes down what a look at the readiness found, also when it is what it was.
    pub(super) fn readiness_figures(&self, found: &Readiness) {
        self.figures(&found.group, |figures| {
            let invalid = |finding: &Unready| finding.about == "documents" && finding.gravity == Gravity::Blocks;
            set(&mut figures.conditions, Condition::Ready, found.ready);
            set(&mut figures.conditions, Condition::Valid, !found.findings.iter().any(invalid));
            for (target, loss) in &found.estimates {
                of_target(figures, target, |figures| figures.lag_seconds = loss.seconds);
            }
        });
    }

    fn readiness(&self, found: &Readiness) {
        let before = self.said(|said| said.ready.insert(found.group.clone(), found.ready));
        if before != Some(found.ready) && !(before.is_none() && found.ready) {
            let lines: Vec<String> = found
                .findings
                .iter()
                .map(|finding| format!("{}: {}; {}", finding.about, finding.what, finding.remedy))
                .collect();
            self.outbox.tell(word::readiness_changed(&found.group, found.ready, &lines, found.at));
        }
    }

    pub(super) fn said<T>(&self, change: impl FnOnce(&mut Said) -> T) -> T {
        change(&mut self.said.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Listeners that also tell people and the meter of each run.
    pub(super) fn beside(self: &Arc<Self>, listeners: &Listeners) -> Listeners {
        let (tidings, listeners) = (Arc::clone(self), Arc::clone(listeners));
        Arc::new(move || Box::new(Beside { tidings: Arc::clone(&tidings), next: listeners() }))
    }
}

struct Beside {
    tidings: Arc<Tidings>,
    next: Box<dyn Progress + Send>,
}

impl Progress for Beside {
    fn event(&mut self, event: &Event, run: &Run) {
        if let Some(notice) = of_run(event, run) {
            self.tidings.outbox.tell(notice);
        }
        Metered::new(&self.tidings.meter, self.next.as_mut()).event(event, run);
    }
}

/// What people hear of a run: its beginning, what it waits for, its end.
fn of_run(event: &Event, run: &Run) -> Option<Notice> {
    let (plan, opened) = (run.plan(), &run.opened);
    match &event.body {
        EventBody::Opened(_) => {
            let way = (&plan.source, &plan.destination);
            Some(word::run_started(&run.id, opened.kind, opened.rehearsal, way, &opened.requested_by, event.at))
        }
        EventBody::Paused { reason } => {
            Some(word::run_needs_person(&run.id, &evidence::paused(plan, reason), None, event.at))
        }
        EventBody::ApprovalAsked { .. } => {
            let command = format!("lifeboat approve {}", run.id);
            Some(word::run_needs_person(&run.id, "another person must stand behind it", Some(command), event.at))
        }
        EventBody::Closed { outcome } => Some(word::run_closed(&run.id, *outcome, &[], event.at)),
        EventBody::TakenOver { .. }
        | EventBody::Commanded { .. }
        | EventBody::ApprovalWithdrawn { .. }
        | EventBody::Skipped { .. }
        | EventBody::Blocked { .. }
        | EventBody::Acting { .. }
        | EventBody::Done { .. }
        | EventBody::Failed { .. }
        | EventBody::Lost { .. }
        | EventBody::Unwinding { .. }
        | EventBody::Undoing { .. }
        | EventBody::Undone { .. }
        | EventBody::Stuck { .. } => None,
    }
}
