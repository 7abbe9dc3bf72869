//! One seed's tale: three processes, two persons, two regions, and whatever goes wrong between them.
//!
//! A tale has one to three acts. In each a run is started; for half a minute or so of simulated time faults, persons and
//! outside events fall at random. Then the faults stop, and persons who look at the run bring it to its end: every run must
//! close within bounded time. Before the next act the machines rest for longer than the network can delay anything, which is
//! what a cool-down is for (S10), and somebody rebuilds the side that does not serve.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use futures::FutureExt;
use lifeboat::{
    engine::Stop,
    model::{
        Actor, Command, CommandBody, PauseReason, Plan, Risk, Run, RunKind, RunState, StepIndex, StepName, StepState,
        StopOrder,
    },
    port::{Journal, Stops, Store},
};

use super::promises::{Promises, Shared};
use crate::theatre::{
    dice::Dice,
    hall::Hall,
    links::{Blow, Cut, Fate, Net, Planned, Rates},
    plans, play,
    process::{Ended, Process, Task},
    world::{Fencing, Health, World},
};

/// The network delays nothing for longer.
const LATEST: u64 = 8_000;

/// What came of a seed.
#[derive(Debug, Default)]
pub(crate) struct Tale {
    pub(crate) seed: u64,
    pub(crate) broken: Option<(Duration, String)>,
    pub(crate) story: Vec<String>,
    pub(crate) totals: BTreeMap<&'static str, u64>,
    /// How long it took on the simulated clock.
    pub(crate) simulated: Duration,
}

/// Plays a seed. `told`: with the story.
pub(crate) fn tell(seed: u64, told: bool) -> Tale {
    play(async move {
        let verdict = Shared::default();
        let dice = Dice::new(seed);
        let audience = Box::new(Promises::new(&verdict));
        let hall = Hall::new(World::new("fra", "dub"), Net::new(dice.fork(1)), audience, told);
        let processes = ["p1", "p2", "p3"].map(|name| Process::new(&hall, name)).into();
        let persons = ["anna", "bob"].map(|name| Process::new(&hall, name)).into();
        let (stage, judge) = (Arc::clone(&hall), verdict.clone());
        let mut director =
            Director { hall: stage, verdict: judge, dice: dice.fork(2), processes, persons, source: String::new() };
        director.direct().await;
        let mut totals = hall.counts();
        totals.extend(std::mem::take(&mut verdict.get().totals));
        let broken = verdict.get().broken.take();
        Tale { seed, broken, story: hall.story(), totals, simulated: hall.now() }
    })
}

struct Director {
    hall: Arc<Hall>,
    verdict: Shared,
    dice: Dice,
    processes: Vec<Process>,
    /// Persons have links to the store of their own; nothing lives there.
    persons: Vec<Process>,
    /// The region that this act's runs move away from.
    source: String,
}

/// Words of requests that a blow is tied to.
const MOMENTS: [&str; 16] = [
    "store.open",
    "store.append",
    "store.append",
    "store.append",
    "store.acquire",
    "store.renew",
    "store.release",
    "store.read",
    "db.look",
    "db.fence",
    "db.reload",
    "db.unfence",
    "db.promote",
    "agent.lock",
    "dns.update",
    "pager.announce",
];

fn other(region: &str) -> &'static str {
    if region == "fra" { "dub" } else { "fra" }
}

impl Director {
    fn over(&self) -> bool {
        self.verdict.get().broken.is_some()
    }

    async fn direct(&mut self) {
        let acts = self.dice.between(1, 3);
        for act in 0..acts {
            if act > 0 && !self.intermission().await {
                return;
            }
            self.act().await;
            if self.over() {
                return;
            }
            self.hall.net.heal();
            self.curtain().await;
            if self.over() {
                return;
            }
        }
    }

    /// The run that is open, as the journal really stands.
    fn open_run(&self) -> Option<Run> {
        let runs = self.hall.memory.runs(None).now_or_never()?.ok()?;
        let open = runs.into_iter().find(|run| run.closed.is_none())?;
        let events = self.hall.memory.read(&open.run, 0).now_or_never()?.ok()?;
        Run::replay(open.run, &events).ok().flatten()
    }

    fn plan(&mut self) -> (RunKind, Plan) {
        let source = self.hall.world().name.clone();
        let destination = other(&source);
        match self.dice.below(4) {
            0 => (RunKind::Switchover, plans::switchover(&source, destination)),
            1 => (RunKind::Failover, plans::cautious(&source, destination)),
            _ => (RunKind::Failover, plans::failover(&source, destination)),
        }
    }

    fn begins(&mut self, at: usize) {
        let (kind, plan) = self.plan();
        let mut opened = plans::opened(plan);
        opened.kind = kind;
        if self.dice.in_thousand(30) {
            opened.accepted = vec![*self.dice.pick(&[Risk::DataLoss, Risk::UnverifiedFence])];
            if opened.accepted.contains(&Risk::UnverifiedFence) {
                self.verdict.get().exempt.get_or_insert("anna accepted UnverifiedFence with her request".into());
            }
        }
        let stays = self.dice.in_thousand(300);
        self.processes[at].stays.store(stays, std::sync::atomic::Ordering::SeqCst);
        self.processes[at].begin(Task::Start(Box::new(opened)));
    }

    /// Faults by chance: each kind is likelier in one seed than in another, and absent from many.
    fn rates(&mut self) -> Rates {
        let mut rate = |most: u64| if self.dice.in_thousand(500) { self.dice.below(most) } else { 0 };
        let (lose_request, lose_reply, late, twice, slow) = (rate(60), rate(60), rate(60), rate(60), rate(100));
        Rates { lose_request, lose_reply, late, twice, slow, jitter_ms: self.dice.between(1, 20), latest_ms: LATEST }
    }

    async fn act(&mut self) {
        let (store, world) = (self.rates(), self.rates());
        self.hall.net.rates(store, world);
        let fencing = match self.dice.below(20) {
            0..=13 => Fencing::Honest,
            14..=16 => Fencing::Lying,
            _ => Fencing::Half,
        };
        let source = self.hall.world().name.clone();
        self.source.clone_from(&source);
        self.hall.world().fencing = fencing;
        self.hall.note("outside", || format!("the fence of {source} is {fencing:?}"));
        // A failover has a reason, as a rule.
        match self.dice.below(5) {
            0 => self.turn(&source, Health::Dark),
            1 => self.turn(&source, Health::Stopped),
            2 => self.cut(None, "db.", Some(source)),
            _ => {}
        }
        self.sleep(0, 2_000).await;
        let first = usize::try_from(self.dice.below(3)).unwrap();
        self.begins(first);
        let ends = self.hall.now() + self.dice.time(8_000, 45_000);
        while self.hall.now() < ends && !self.over() {
            self.sleep(20, 2_500).await;
            self.something_happens();
            self.somebody_goes_on();
        }
    }

    async fn sleep(&mut self, low: u64, high: u64) {
        tokio::time::sleep(self.dice.time(low, high)).await;
        for process in &self.processes {
            if let Some(Ended::Broken(why)) = process.ended() {
                self.verdict
                    .breaks(self.hall.now(), format!("S12: {} met what it cannot go on with: {why}", process.name));
            }
        }
    }

    fn turn(&self, region: &str, health: Health) {
        self.hall.outside(&format!("{region} is {health:?}"), |world| world.turns(region, health));
        self.hall.count("regions that went down or came back");
    }

    fn cut(&mut self, process: Option<String>, word: &str, region: Option<String>) {
        let replies_only = self.dice.in_thousand(300);
        let cut = Cut { process, word: word.to_owned(), region, replies_only };
        self.hall.note("outside", || format!("a link is down: {cut:?}"));
        self.hall.count("partitions");
        self.hall.net.cut(cut);
    }

    fn something_happens(&mut self) {
        let at = usize::try_from(self.dice.below(3)).unwrap();
        let name = self.processes[at].name.clone();
        let region = (*self.dice.pick(&["fra", "dub"])).to_owned();
        match self.dice.below(28) {
            0 => self.processes[at].crash(),
            1 | 2 if self.processes[at].lives() => {
                let polls = self.dice.between(1, 60);
                self.processes[at].crash_at_poll(polls);
            }
            3 | 4 => {
                let time = self.dice.time(200, 9_000);
                self.processes[at].freeze(time);
            }
            5 => {
                let by = i64::try_from(self.dice.below(20_000_000)).unwrap() - 10_000_000;
                self.processes[at].wall_jumps(by);
            }
            6 | 7 => self.cut(Some(name), "store.", None),
            8 => {
                let process = self.dice.in_thousand(500).then_some(name);
                self.cut(process, "db.", Some(region));
            }
            9 => {
                let word = *self.dice.pick(&["agent.", "dns.", "pager."]);
                self.cut(None, word, None);
            }
            10..=12 => {
                self.hall.note("outside", || "the links are mended".into());
                self.hall.net.mend(|_| true);
            }
            13 => {
                let read_only = self.dice.in_thousand(300);
                self.hall.note("outside", || format!("the store is read-only: {read_only}"));
                self.hall.net.store_read_only(read_only);
            }
            14 | 15 => {
                let health = *self.dice.pick(&[Health::Up, Health::Up, Health::Dark, Health::Stopped]);
                self.turn(&region, health);
            }
            16 => {
                let replicating = self.dice.in_thousand(700);
                self.hall
                    .outside(&format!("replication goes on: {replicating}"), |world| world.replicating = replicating);
            }
            17..=20 => self.somebody_orders(),
            21 => {
                let how = *self.dice.pick(&[Stop::Gently, Stop::Now]);
                self.processes[at].stop(how);
            }
            23 => {
                let stops = self.dice.in_thousand(300);
                self.somebody_stops(stops);
            }
            22 if self.dice.in_thousand(150) => self.somebody_meddles(&region),
            _ => self.blow(),
        }
    }

    /// A process dies or freezes exactly as it sends a certain request.
    fn blow(&mut self) {
        let time = self.dice.time(500, 9_000);
        let blow = *self.dice.pick(&[Blow::Dies, Blow::Freezes(time)]);
        let word = (*self.dice.pick(&MOMENTS)).to_owned();
        let (there, back) = (self.dice.time(0, 20), self.dice.time(0, 20));
        let late = Fate::Late { after: self.dice.time(100, LATEST) };
        let fate = *self.dice.pick(&[Fate::Pass { there, back }, Fate::Pass { there, back }, Fate::LoseRequest, late]);
        let fate = if word == "db.unfence" { Fate::Pass { there, back } } else { fate };
        let skip = u32::try_from(self.dice.below(3)).unwrap();
        self.hall.net.plan(Planned { process: None, word, region: None, skip, times: 1, fate, blow: Some(blow) });
    }

    /// Somebody from outside lets a fenced server accept writes again: nobody's promise, and an alarm.
    fn somebody_meddles(&self, region: &str) {
        self.verdict.get().exempt.get_or_insert(format!("somebody let {region} accept writes by hand"));
        self.hall.count("fences undone by an outsider");
        self.hall.outside(&format!("somebody lets {region} accept writes by hand"), |world| {
            let place = world.place(region);
            (place.locked, place.read_only, place.file_read_only) = (false, false, false);
        });
    }

    /// A person stops the group, or lets it go on.
    fn somebody_stops(&self, stops: bool) {
        let person = &self.persons[0];
        let (by, at) = (Actor::new(person.name.as_str()).unwrap(), person.clock.now());
        let order = StopOrder { group: Some(plans::group().name), stops, by, reason: "because".into(), at };
        self.hall.note(&person.name, || format!("stops the group: {stops}"));
        self.hall.count("stops ordered or lifted");
        let _durable = self.hall.memory.order_stop(&order).now_or_never();
    }

    fn somebody_orders(&mut self) {
        let Some(run) = self.open_run() else { return };
        let step = self.dice.pick(&run.plan().steps).name.clone();
        let body = match self.dice.below(14) {
            0 | 1 => CommandBody::Pause,
            2..=4 => CommandBody::Resume,
            5 | 6 => CommandBody::Retry { step },
            7 => CommandBody::Skip { step },
            8 => CommandBody::Cancel { unwind: true },
            9 => CommandBody::Cancel { unwind: false },
            10 => CommandBody::Accept { risk: *self.dice.pick(&[Risk::DataLoss, Risk::UnverifiedFence]) },
            11 => CommandBody::Deny { step: Some(step) },
            _ => CommandBody::Approve { step: Some(step) },
        };
        let at = usize::try_from(self.dice.below(2)).unwrap();
        let person = &self.persons[at];
        self.hall.note(&person.name, || format!("orders {body:?} of {}", run.id));
        self.hall.count("orders given");
        let command = order(person, body);
        let store: Arc<dyn Store> = Arc::clone(&person.store);
        // A person does not wait for a store that does not answer before the world goes on.
        tokio::spawn(async move {
            let _told = store.tell(&run.id, command).await;
        });
    }

    /// Somebody resumes a run, also where another process drives it; or starts another one, also where one is open.
    fn somebody_goes_on(&mut self) {
        let idle: Vec<usize> = (0..3).filter(|at| !self.processes[*at].lives()).collect();
        if idle.is_empty() || !self.dice.in_thousand(450) {
            return;
        }
        let at = *self.dice.pick(&idle);
        let driven = idle.len() < 3;
        match self.open_run() {
            Some(_) if self.dice.in_thousand(60) => self.begins(at),
            Some(run) if !driven || self.dice.in_thousand(300) => {
                let stays = self.dice.in_thousand(300);
                self.processes[at].stays.store(stays, std::sync::atomic::Ordering::SeqCst);
                self.processes[at].begin(Task::Resume(run.id, self.dice.in_thousand(700)));
            }
            // Another run in the same direction may follow at once; one that moves back waits for the cool-down.
            None if self.hall.world().name == self.source && self.dice.in_thousand(300) => self.begins(at),
            Some(_) | None => {}
        }
    }

    /// The faults have stopped. Persons who look at the run bring it to its end, in bounded time.
    async fn curtain(&mut self) {
        self.hall.note("outside", || "from here on nothing fails any more".into());
        for region in ["fra", "dub"] {
            self.turn(region, Health::Up);
        }
        self.hall.world().fencing = Fencing::Honest;
        self.somebody_stops(false);
        let deadline = self.hall.now() + Duration::from_mins(15);
        let mut given: BTreeMap<String, u32> = BTreeMap::new();
        loop {
            self.sleep(3_000, 3_000).await;
            if self.over() {
                return;
            }
            let lives = self.processes.iter().filter(|process| process.lives()).count();
            let Some(run) = self.open_run() else {
                if lives == 0 {
                    return;
                }
                if self.hall.now() > deadline {
                    let promise = "liveness: nothing is open and a process does not end".to_owned();
                    return self.verdict.breaks(self.hall.now(), promise);
                }
                continue;
            };
            if self.hall.now() > deadline {
                let promise = format!("liveness: {} does not end: {:?}, {:?}", run.id, run.state, run.steps);
                return self.verdict.breaks(self.hall.now(), promise);
            }
            if let Some(body) = self.next_order(&run, &mut given) {
                let person = &self.persons[0];
                self.hall.note(&person.name, || format!("orders {body:?} of {}", run.id));
                let _told = self.hall.memory.tell(&run.id, order(person, body)).now_or_never();
            }
            if lives == 0 {
                self.processes[0].stays.store(false, std::sync::atomic::Ordering::SeqCst);
                self.processes[0].begin(Task::Resume(run.id, false));
            }
        }
    }

    /// What a person orders who sees the run like this.
    fn next_order(&mut self, run: &Run, given: &mut BTreeMap<String, u32>) -> Option<CommandBody> {
        let inbox = self.hall.memory.inbox(&run.id, run.inbox).now_or_never()?.ok()?;
        if !inbox.is_empty() {
            return None;
        }
        let name = |index: StepIndex| run.plan().step(index).map(|step| step.name.clone());
        let waiting = run.plan().indices().find(|at| matches!(run.steps[at.at()], StepState::AwaitingApproval { .. }));
        if let (Some(step), RunState::Running) = (waiting, &run.state) {
            return Some(CommandBody::Approve { step: name(step) });
        }
        let RunState::Paused { reason } = &run.state else { return None };
        let mut times = |step: &StepName| {
            let times = given.entry(format!("{step}/{}", reason_word(reason))).or_default();
            *times += 1;
            *times
        };
        Some(match reason {
            PauseReason::Ordered { .. } | PauseReason::Stopped { .. } | PauseReason::Interrupted => CommandBody::Resume,
            PauseReason::StepFailed { step } | PauseReason::OutcomeUnknown { step } => {
                let step = name(*step)?;
                if times(&step) < 3 { CommandBody::Retry { step } } else { CommandBody::Skip { step } }
            }
            PauseReason::StepBlocked { step } => self.about_blocked(run, *step, times(&name(*step)?))?,
            PauseReason::UndoStuck { step } => {
                let step = name(*step)?;
                if times(&step) < 3 { CommandBody::Retry { step } } else { CommandBody::Cancel { unwind: false } }
            }
        })
    }

    fn about_blocked(&mut self, run: &Run, index: StepIndex, times: u32) -> Option<CommandBody> {
        let step = run.plan().step(index)?.name.clone();
        let StepState::Blocked { reasons } = &run.steps[index.at()] else { return Some(CommandBody::Resume) };
        if reasons.is_empty() {
            let promise = format!("liveness: {step} of {} is blocked without a reason", run.id);
            self.verdict.breaks(self.hall.now(), promise);
        }
        let risks = reasons.iter().filter_map(lifeboat::model::Blocker::accepted_by);
        let risk = risks.filter(|risk| !run.accepted.contains_key(risk)).min();
        Some(match (times, risk) {
            (1, _) => CommandBody::Resume,
            (2..=4, Some(risk)) => CommandBody::Accept { risk },
            (2, None) => CommandBody::Retry { step },
            _ => CommandBody::Skip { step },
        })
    }

    /// Time passes, and somebody puts the side that does not serve right. `false`: there is nothing to go on with.
    async fn intermission(&mut self) -> bool {
        tokio::time::sleep(Duration::from_millis(LATEST + 5_000)).await;
        let serves = self.hall.world().name.clone();
        let spare = other(&serves);
        let fine = !self.hall.world().places[&serves].standby;
        if fine {
            self.hall.outside(&format!("{serves} serves; {spare} is rebuilt as its standby"), |world| {
                world.rebuilt(spare, &serves);
                let place = world.place(&serves);
                (place.locked, place.read_only, place.file_read_only) = (false, false, false);
                world.replicating = true;
            });
        }
        fine
    }
}

fn order(person: &Process, body: CommandBody) -> Command {
    Command {
        by: Actor::new(person.name.as_str()).unwrap(),
        reason: "because".into(),
        at: person.clock.now(),
        expected_term: None,
        signed: None,
        body,
    }
}

fn reason_word(reason: &PauseReason) -> &'static str {
    match reason {
        PauseReason::Ordered { .. } => "ordered",
        PauseReason::StepFailed { .. } => "failed",
        PauseReason::StepBlocked { .. } => "blocked",
        PauseReason::OutcomeUnknown { .. } => "unknown",
        PauseReason::UndoStuck { .. } => "stuck",
        PauseReason::Interrupted => "interrupted",
        PauseReason::Stopped { .. } => "stopped",
    }
}
