//! Lives of one run: it starts, it dies where it is told to, and another process takes it over.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
    time::Duration,
};

use lifeboat::{
    decide::Rest,
    driver::fake::{Act, Fake, Script, Trouble},
    engine::{self, EngineError},
    port::{Driver, Drivers, Store},
    store::memory::Memory,
};

use super::book::Book;
use crate::stage::{Dies, Doom, Mortal, Stage, sample::opened, *};

/// Puts something between the engine and each driver.
pub(super) type Between = dyn Fn(Arc<dyn Driver>) -> Arc<dyn Driver> + Send + Sync;

/// A run that does not come to rest within this (simulated) time never does.
const LONGEST: Duration = Duration::from_mins(20);

/// A run that came to rest, and how.
pub(super) struct Lived {
    pub(super) run: Run,
    pub(super) rest: Rest,
    pub(super) stage: Stage,
    /// Appends of the last life.
    pub(super) appends: i64,
    /// Processes that died on the way.
    pub(super) deaths: usize,
}

/// How long the steps of a plan take: each its own time, so that branches end in an order of their own.
pub(super) fn timed(book: &Book) -> Script {
    let steps = book.plan.indices().map(|index| {
        let takes_ms = 20 + u64::from(index.0) * 37 % 90;
        (book.plan.steps[index.at()].name.to_string(), Trouble { takes_ms, ..Trouble::default() })
    });
    Script { steps: steps.collect(), ..Script::default() }
}

/// The same, with trouble for one step.
pub(super) fn troubled(book: &Book, step: &str, change: impl FnOnce(&mut Trouble)) -> Script {
    let mut script = timed(book);
    change(script.steps.get_mut(step).unwrap());
    script
}

/// A death at append number `at`, from 0.
pub(super) fn at_append(at: i64, dies: Dies) -> Doom {
    Box::new(move |number, _| (number == at).then_some(dies))
}

/// A death at the first append with an event that `is` names.
pub(super) fn at_event(dies: Dies, is: impl Fn(&EventBody) -> bool + Send + Sync + 'static) -> Doom {
    Box::new(move |_, events| events.iter().any(|(_, body)| is(body)).then_some(dies))
}

/// A run that can be begun and gone on with.
pub(super) struct Lives<'a> {
    book: &'a Book,
    pub(super) stage: Stage,
    living: Arc<dyn Store>,
    pub(super) id: RunId,
    /// Nothing is to be changed.
    pub(super) rehearsal: bool,
    /// Orders given between the first death and the second life.
    pub(super) before_second: Vec<CommandBody>,
}

impl<'a> Lives<'a> {
    pub(super) fn new(book: &'a Book, script: &Script, between: Option<&Between>) -> Self {
        let living: Arc<dyn Store> = Arc::new(Memory::new());
        let mut stage = Stage::new(Arc::clone(&living), script);
        let fake: Arc<dyn Driver> =
            Arc::new(Fake::scripted(script.clone(), stage.world.clone(), Arc::clone(&stage.clock)));
        let driver = match between {
            Some(between) => between(fake),
            None => fake,
        };
        stage.drivers = Drivers {
            targets: book.plan.group.targets.iter().map(|target| (target.name.clone(), Arc::clone(&driver))).collect(),
            general: Verb::ALL.iter().map(|verb| (*verb, Arc::clone(&driver))).collect(),
        };
        Self { book, stage, living, id: "orders-1".parse().unwrap(), rehearsal: false, before_second: Vec::new() }
    }

    /// Lives until the run rests: each life is ended by the next doom, the last by nothing.
    pub(super) async fn until_rest(mut self, dooms: Vec<Doom>) -> Lived {
        let mut deaths = 0;
        let asks = self.book.plan.steps.iter().any(|step| step.verb == Verb::Approve);
        let endless: Doom = Box::new(|_, _| None);
        for doom in dooms.into_iter().chain([endless]) {
            let mortal = Arc::new(Mortal::doomed(Arc::clone(&self.living), doom));
            self.stage.store = Arc::clone(&mortal) as Arc<dyn Store>;
            let begun = !self.living.runs(None).await.unwrap().is_empty();
            if begun {
                for body in std::mem::take(&mut self.before_second) {
                    self.living.tell(&self.id, sample::order("bob", body)).await.unwrap();
                }
            }
            let (living, id, person) = (Arc::clone(&self.living), self.id.clone(), self.id.clone());
            let (opened, stage) = (self.opened(), &mut self.stage);
            let life = async move { if begun { stage.resume(&id).await } else { stage.start(opened).await } };
            let lived = tokio::select! {
                lived = tokio::time::timeout(LONGEST, life) => lived.expect("a life that comes to rest"),
                () = approves(&living, &person), if asks => unreachable!(),
            };
            match lived {
                Ok((run, rest)) => {
                    return Lived { run, rest, stage: self.stage, appends: mortal.appends(), deaths };
                }
                Err(EngineError::Journal { .. }) => deaths += 1,
                Err(other) => panic!("{}: {other:?}", self.book.title),
            }
        }
        unreachable!("the last life is not ended")
    }

    fn opened(&self) -> Opened {
        Opened { kind: self.book.kind, rehearsal: self.rehearsal, ..opened(self.book.plan.clone()) }
    }
}

impl Lived {
    /// Goes on with the run after an order.
    pub(super) async fn after_order(mut self, body: CommandBody) -> Self {
        self.stage.tell(&self.run.id, "bob", body).await;
        let (run, rest) = self.stage.resume(&self.run.id).await.unwrap();
        Self { run, rest, ..self }
    }

    /// The acts that were undone, in order.
    pub(super) fn undone(&self) -> Vec<String> {
        self.stage.world.acts().iter().filter(|act| act.undo).map(|act| act.step.to_string()).collect()
    }

    pub(super) fn acted(&self, is: impl Fn(&Act) -> bool) -> bool {
        self.stage.world.acts().iter().any(|act| !act.undo && is(act))
    }

    /// The end of a run without trouble: every step done, each effect in the world exactly once and still there, in an
    /// order that the needs allow, and each with an intent in the journal under the term that acted (S1, S2, S12).
    pub(super) async fn ended_well(&self, book: &Book, when: &str) {
        let title = &book.title;
        assert_eq!(self.rest, Rest::Closed(Outcome::Succeeded), "{title}, {when}: {:?}", self.run.steps);
        assert!(self.run.steps.iter().all(|state| matches!(state, StepState::Done { .. })), "{title}, {when}");
        let once: BTreeMap<String, usize> = book.steps().into_iter().map(|(_, name)| (name, 1)).collect();
        assert_eq!(self.stage.effects(), once, "{title}, {when}");
        assert_eq!(self.stage.world.applied().len(), once.len(), "{title}, {when}");
        self.in_order(book, when);
        self.intended(when).await;
    }

    /// Some of these steps were passed over, and may have been: they are best effort and may be tried once alone. All
    /// others are done.
    pub(super) fn passed_over(&self, book: &Book, among: &[StepIndex]) {
        for index in book.plan.indices() {
            let (step, state) = (&book.plan.steps[index.at()], &self.run.steps[index.at()]);
            let passed = matches!(state, StepState::Failed { passed_over: true, .. });
            let may = among.contains(&index) && step.best_effort && step.retry.attempts == 1;
            assert!(
                matches!(state, StepState::Done { .. }) || (passed && may),
                "{}, {}: {state:?}",
                book.title,
                step.name
            );
        }
    }

    /// No effect came before one that it needs.
    pub(super) fn in_order(&self, book: &Book, when: &str) {
        let acts = self.stage.world.acts();
        let first = |name: &str| acts.iter().position(|act| !act.undo && act.step.as_str() == name);
        for (index, name) in book.steps() {
            let Some(place) = first(&name) else { continue };
            for need in book.before(index) {
                let need = &book.plan.steps[need.at()];
                if need.best_effort {
                    continue;
                }
                assert!(
                    first(need.name.as_str()).is_some_and(|at| at < place),
                    "{}, {when}: {name} before {}",
                    book.title,
                    need.name
                );
            }
        }
    }

    /// S1 and S2: each effect has an intent in the journal, with its try and its term.
    pub(super) async fn intended(&self, when: &str) {
        let journal = self.stage.store.read(&self.run.id, 0).await.unwrap();
        let intents: BTreeSet<(String, u32, u64, bool)> = journal
            .iter()
            .filter_map(|event| match &event.body {
                EventBody::Acting { step, attempt, .. } => Some((*step, *attempt, event.term.0, false)),
                EventBody::Undoing { step } => Some((*step, 0, event.term.0, true)),
                _ => None,
            })
            .map(|(step, attempt, term, undo)| {
                (self.run.plan().step(step).unwrap().name.to_string(), attempt, term, undo)
            })
            .collect();
        for act in self.stage.world.acts() {
            let attempt = if act.undo { 0 } else { act.attempt };
            let intent = (act.step.to_string(), attempt, act.term, act.undo);
            assert!(intents.contains(&intent), "{when}: {act:?} has no durable intent");
        }
    }
}

/// A person who approves whatever waits for it, so that a runbook with an `approve` step gets through.
async fn approves(store: &Arc<dyn Store>, id: &RunId) {
    let asked: Mutex<BTreeSet<usize>> = Mutex::default();
    loop {
        tokio::time::sleep(Duration::from_millis(50)).await;
        let Ok(run) = engine::load(store, id).await else { continue };
        for (place, state) in run.steps.iter().enumerate() {
            if matches!(state, StepState::AwaitingApproval { .. }) && asked.lock().unwrap().insert(place) {
                let step = Some(run.plan().steps[place].name.clone());
                store.tell(id, sample::order("bob", CommandBody::Approve { step })).await.unwrap();
            }
        }
    }
}
