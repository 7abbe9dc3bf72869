//! One file, from its beginning to its end.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use futures::FutureExt as _;
use lifeboat::{
    app::{LedgerSettings, PersonSettings, Settings, StorePlace},
    model::{Actor, Run, RunState},
    port::{Journal as _, Stops as _},
};
use serde_json::{Value, json};

use super::{
    deed::{Blows, Deed},
    documents,
    story::{FenceWord, Story},
    transcript::{Watcher, pause},
};
use crate::theatre::{
    self,
    dice::Dice,
    hall::Hall,
    links::Net,
    process::{Process, Task},
    world::{Fencing, Health, World},
};

/// What a request takes, and a reply: so there are moments between what is sent, arrives and is heard.
pub(super) const PACE: Duration = Duration::from_millis(5);

/// After the last process ended and the last deed was done: what was sent before may still arrive.
const SETTLES: Duration = Duration::from_mins(2);

/// What was seen.
#[derive(Debug)]
pub(super) struct Played {
    pub(super) lines: Vec<String>,
    pub(super) end: Value,
}

/// Plays a story.
pub(super) fn play(story: &Story) -> Result<Played, String> {
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    let file = documents::written(story, folder.path())?;
    let settings = Settings {
        data: folder.path().to_path_buf(),
        store: StorePlace::File(folder.path().join("lifeboat.db")),
        files: vec![file],
        files_by_default: false,
        actor: Actor::new("anna").map_err(|error| error.to_string())?,
        traces: None,
        ledger: LedgerSettings::default(),
        persons: PersonSettings {
            key: None,
            allowed: folder.path().join("allowed_signers"),
            revoked: folder.path().join("revoked_keys"),
            revoked_is_set: false,
        },
    };
    theatre::play(async { Player::new(story, settings).plays().await })
}

struct Player<'a> {
    story: &'a Story,
    settings: Settings,
    hall: Arc<Hall>,
    watcher: Watcher,
    processes: BTreeMap<String, Process>,
    /// When each deed is due, once its moment came; `None` for one that is done.
    waiting: Vec<Option<&'a (super::moment::Moment, Deed)>>,
}

impl<'a> Player<'a> {
    fn new(story: &'a Story, settings: Settings) -> Self {
        let watcher = Watcher::default();
        let net = Net::new(Dice::new(1));
        net.pace(PACE);
        let hall = Hall::new(beginning(story), net, Box::new(watcher.clone()), true);
        let waiting = story.acts.iter().map(Some).collect();
        Self { story, settings, hall, watcher, processes: BTreeMap::new(), waiting }
    }

    async fn plays(mut self) -> Result<Played, String> {
        let curtain = self.story.lasts()?;
        let mut quiet_since = None;
        loop {
            let now = self.hall.now();
            while let Some(deed) = self.due(now) {
                self.does(deed);
            }
            let lives = self.processes.values().any(Process::lives);
            let next = self.next_due();
            let quiet = !lives && next.is_none();
            quiet_since = if quiet { quiet_since.or(Some(now)) } else { None };
            let until = match quiet_since {
                Some(since) if now >= since + SETTLES => break,
                Some(since) => since + SETTLES,
                None => next.unwrap_or(curtain).min(curtain),
            };
            if now >= curtain {
                break;
            }
            let news = self.watcher.news.notified();
            let left = until.min(curtain).saturating_sub(now).max(Duration::from_millis(1));
            let _news_or_time = tokio::time::timeout(left, news).await.is_ok();
        }
        self.ends()
    }

    /// When a deed is due, if its moment came.
    fn time_of(&self, moment: &super::moment::Moment) -> Option<Duration> {
        match &moment.after {
            None => Some(moment.delay),
            Some(name) => self.watcher.with(|seen| seen.when(name, moment.which)).map(|at| at + moment.delay),
        }
    }

    fn next_due(&self) -> Option<Duration> {
        self.waiting.iter().flatten().filter_map(|(moment, _)| self.time_of(moment)).min()
    }

    /// The first deed that is due now, in the order of their times and of the file.
    fn due(&mut self, now: Duration) -> Option<&'a Deed> {
        let (_, place) = self
            .waiting
            .iter()
            .enumerate()
            .filter_map(|(place, waiting)| Some((self.time_of(&(*waiting)?.0)?, place)))
            .filter(|(at, _)| *at <= now)
            .min()?;
        self.waiting[place].take().map(|(_, deed)| deed)
    }

    fn process(&mut self, name: &str) -> &Process {
        let hall = &self.hall;
        self.processes.entry(name.to_owned()).or_insert_with(|| Process::new(hall, name))
    }

    fn says(&self, who: &str, what: &str) {
        self.watcher.line(self.hall.now(), who, what);
    }

    fn does(&mut self, deed: &Deed) {
        match deed {
            Deed::Start { process, by, request } => {
                let (hall, request) = (Arc::clone(&self.hall), (**request).clone());
                let settings = Settings { actor: by.parse().expect("a person"), ..self.settings.clone() };
                self.says(process, &format!("begins: {by} asks for a {}", request.kind));
                let ask = Box::new(move |store, clock, drivers| {
                    documents::ask(hall, settings, request, store, clock, drivers).boxed()
                });
                self.process(process).begin(Task::Ask(ask));
            }
            Deed::Resume { process, run, order } => {
                self.says(process, &format!("begins: to take {run} over"));
                self.process(process).begin(Task::Resume(run.clone(), *order));
            }
            Deed::Process { process, what } => self.befalls(process, *what),
            Deed::Order { run, command } => {
                let told = self.hall.memory.tell(run, (**command).clone()).now_or_never().expect("at once");
                if let Err(error) = told {
                    self.says(command.by.as_str(), &format!("cannot order anything: {error}"));
                }
            }
            Deed::Stop(order) => {
                let (word, scope) = (if order.stops { "stops" } else { "lifts the stop of" }, order.scope());
                self.says(order.by.as_str(), &format!("{word} {scope} ({})", order.reason));
                self.hall.memory.order_stop(order).now_or_never().expect("at once").expect("a stop");
            }
            Deed::World(change) => {
                self.says("world", &change.words);
                self.hall.outside(&change.words, |world| change.what.apply(world));
            }
            Deed::Fault(planned) => self.hall.net.plan(planned.clone()),
            Deed::Cut(cut) => {
                self.says(
                    "network",
                    &format!("{} is cut{}{}", of(&cut.word), from(cut.process.as_ref()), from(cut.region.as_ref())),
                );
                self.hall.net.cut(cut.clone());
            }
            Deed::Mend(link) => {
                self.says("network", "is mended");
                self.hall.net.mend(|cut| link.picks(cut));
            }
            Deed::DocumentsGone => {
                self.says("outside", "the documents are deleted");
                for file in &self.settings.files {
                    std::fs::remove_file(file).expect("the documents");
                }
            }
            Deed::Store { read_only } => {
                self.says("store", if *read_only { "is read-only" } else { "takes writes again" });
                self.hall.net.store_read_only(*read_only);
            }
        }
    }

    fn befalls(&mut self, process: &str, what: Blows) {
        match what {
            Blows::Crash => self.process(process).crash(),
            Blows::Freeze(time) => {
                self.says(process, &format!("freezes for {time:?}"));
                self.process(process).freeze(time);
            }
            Blows::Stop(how) => {
                self.says(process, "is asked to end");
                self.process(process).stop(how);
            }
            Blows::Clock(milliseconds) => {
                self.says(process, &format!("has its wall clock moved by {} s", milliseconds / 1_000));
                self.process(process).wall_jumps(milliseconds);
            }
            Blows::Stay => self.process(process).stays.store(true, std::sync::atomic::Ordering::SeqCst),
        }
    }

    fn ends(self) -> Result<Played, String> {
        let never: Vec<_> = self.waiting.iter().flatten().map(|(moment, _)| format!("{moment:?}")).collect();
        let lines = self.watcher.with(|seen| seen.lines.clone());
        if !never.is_empty() {
            return Err(format!("these moments never came: {}\n{}", never.join(", "), lines.join("\n")));
        }
        let alive: Vec<&str> =
            self.processes.values().filter(|process| process.lives()).map(|process| process.name.as_str()).collect();
        let memory = &self.hall.memory;
        let mut runs = memory.runs(None).now_or_never().expect("at once").map_err(|error| error.to_string())?;
        runs.sort_by_key(|summary| summary.run.number);
        let mut ended = Vec::new();
        for summary in runs {
            let events = memory.read(&summary.run, 0).now_or_never().expect("at once").map_err(|e| e.to_string())?;
            let run = Run::replay(summary.run, &events).map_err(|error| error.to_string())?.ok_or("an empty run")?;
            ended.push(stands(&run));
        }
        let world = self.hall.world();
        let seen = self.watcher.seen.lock().unwrap();
        let mut end = json!({
            "runs": ended,
            "writable": world.writable(),
            "name": world.name,
            "lostWrites": seen.lost_writes,
            "twoPrimaries": seen.two_primaries.map_or("never".to_owned(), |at| format!("from {} s on", at.as_secs())),
            "alarms": seen.alarms,
        });
        if !alive.is_empty() {
            end["stillLives"] = json!(alive);
        }
        Ok(Played { lines, end })
    }
}

fn of(word: &str) -> &str {
    if word.is_empty() { "everything" } else { word.trim_end_matches('.') }
}

fn from(whom: Option<&String>) -> String {
    whom.map_or_else(String::new, |whom| format!(" from {whom}"))
}

/// How a run stands.
fn stands(run: &Run) -> String {
    let step = |index: lifeboat::model::StepIndex| run.plan().steps[index.at()].name.to_string();
    let state = match &run.state {
        RunState::Running => "running".to_owned(),
        RunState::Paused { reason } => format!("paused, {}", pause(reason, &step)),
        RunState::Cancelling => "being cancelled".to_owned(),
        RunState::Unwinding { .. } => "being unwound".to_owned(),
        RunState::Closed { outcome } => outcome.as_str().to_owned(),
    };
    format!("{}: {state}", run.id)
}

fn beginning(story: &Story) -> World {
    let setting = &story.world;
    let mut world = World::new("fra", "dub");
    world.fencing = match setting.fence {
        FenceWord::Honest => Fencing::Honest,
        FenceWord::Lying => Fencing::Lying,
        FenceWord::Half => Fencing::Half,
    };
    for region in &setting.dark {
        world.turns(region, Health::Dark);
    }
    for region in &setting.stopped {
        world.turns(region, Health::Stopped);
    }
    world
}
