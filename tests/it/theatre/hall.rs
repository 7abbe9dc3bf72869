//! The place where everything happens, and where everything that happens is told: to the story that a person reads, and to
//! an audience that judges it.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use lifeboat::{
    model::{Attempt, Event, Observed, RunId, StepName, Term},
    store::memory::Memory,
};

use super::{
    links::Net,
    process::Ended,
    world::{Ask, Reply, World},
};

/// Whose doing something is: the process, and the call of the engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Tag {
    pub(crate) process: String,
    pub(crate) run: RunId,
    pub(crate) step: StepName,
    pub(crate) attempt: u32,
    pub(crate) undo: bool,
    /// The permit's term; `None` for a look.
    pub(crate) term: Option<Term>,
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let undo = if self.undo { "undo of " } else { "" };
        write!(f, "{undo}{}/{} try {}", self.run, self.step, self.attempt)?;
        self.term.map_or(Ok(()), |term| write!(f, " under term {term}"))
    }
}

/// Something that happened.
#[derive(Debug)]
pub(crate) enum Happening<'a> {
    /// The store granted the lease.
    Granted { process: &'a str, term: Term },
    /// The store wrote events. `term` is the writer's.
    Wrote { process: &'a str, run: &'a RunId, term: Term, events: &'a [Event] },
    /// A driver was told to act or to undo.
    Acts(&'a Tag),
    /// What it said.
    Acted(&'a Tag, &'a Attempt),
    /// A driver was asked to look, and what it saw.
    Saw(&'a Tag, &'a Observed),
    /// A driver sent a request that changes something.
    Sent(&'a Tag, &'a Ask),
    /// A request that changes something arrived; `again`: for the second time.
    Arrived(&'a Tag, &'a Ask, &'a Reply, bool),
    /// A life ended.
    Ended { process: &'a str, end: &'a Ended },
    /// A fault, a person's deed, an outside event: words for the story.
    Note { who: &'a str, what: String },
}

impl fmt::Display for Happening<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Granted { process, term } => write!(f, "{process:8} holds the lease with term {term}"),
            Self::Wrote { process, run, events, .. } => {
                write!(f, "{process:8} wrote in {run}:")?;
                for event in *events {
                    write!(f, " [{} {}]", event.seq, sentence(event))?;
                }
                Ok(())
            }
            Self::Acts(tag) => write!(f, "{:8} acts: {tag}", tag.process),
            Self::Acted(tag, attempt) => write!(f, "{:8} acted: {tag}: {}", tag.process, outcome(attempt)),
            Self::Saw(tag, seen) => write!(f, "{:8} saw {tag}: {}", tag.process, sight(seen)),
            Self::Sent(tag, ask) => write!(f, "{:8} sent {ask:?} for {tag}", tag.process),
            Self::Arrived(tag, ask, reply, again) => {
                let again = if *again { " AGAIN" } else { "" };
                write!(f, "world    {ask:?} of {} arrived{again}: {reply:?}", tag.process)
            }
            Self::Ended { process, end } => write!(f, "{process:8} ends: {end}"),
            Self::Note { who, what } => write!(f, "{who:8} {what}"),
        }
    }
}

/// An event as a person reads it.
pub(crate) fn sentence(event: &Event) -> String {
    let json = serde_json::to_value(&event.body).unwrap_or_default();
    let word = json["event"].as_str().unwrap_or("?").to_owned();
    let more: Vec<String> =
        ["step", "attempt", "why", "reason", "reasons", "outcome", "command", "refused", "retry_at"]
            .iter()
            .filter_map(|field| {
                json.get(*field).filter(|value| !value.is_null()).map(|value| format!("{field}={value}"))
            })
            .collect();
    format!("{word} {}", more.join(" "))
}

fn outcome(attempt: &Attempt) -> String {
    match attempt {
        Attempt::Applied { facts, .. } => {
            format!("applied{}", if facts.fence.is_some() { ", with proof of a fence" } else { "" })
        }
        Attempt::NotApplied { why, retry } => format!("not applied ({why}; retry: {retry})"),
        Attempt::Unknown { why } => format!("unknown ({why})"),
    }
}

fn sight(seen: &Observed) -> String {
    let roles = |facts: &lifeboat::model::Facts| {
        facts.sides.iter().map(|side| format!("{} is {}", side.region, side.role)).collect::<Vec<_>>().join(", ")
    };
    match seen {
        Observed::Already { facts, .. } => format!("already so; {}", roles(facts)),
        Observed::Ready { facts } => format!("ready; {}", roles(facts)),
        Observed::Refused { expected, found, .. } => format!("refused: expected {expected}, found {found}"),
        Observed::Unknown { why } => format!("unknown: {why}"),
    }
}

/// Who watches. It is told of everything in the order in which it happens, and must not call back into the hall.
pub(crate) trait Audience: Send {
    fn sees(&mut self, at: Duration, what: &Happening<'_>, world: &World, store: &Memory);
}

impl Audience for () {
    fn sees(&mut self, _: Duration, _: &Happening<'_>, _: &World, _: &Memory) {}
}

/// The hall.
pub(crate) struct Hall {
    began: tokio::time::Instant,
    /// The store as it really is.
    pub(crate) memory: Memory,
    world: Mutex<World>,
    audience: Mutex<Box<dyn Audience>>,
    story: Option<Mutex<Vec<String>>>,
    counts: Mutex<BTreeMap<&'static str, u64>>,
    pub(crate) net: Net,
}

impl Hall {
    /// `told`: keep the story.
    pub(crate) fn new(world: World, net: Net, audience: Box<dyn Audience>, told: bool) -> Arc<Self> {
        Arc::new(Self {
            began: tokio::time::Instant::now(),
            memory: Memory::new(),
            world: Mutex::new(world),
            audience: Mutex::new(audience),
            story: told.then(Mutex::default),
            counts: Mutex::default(),
            net,
        })
    }

    /// Simulated time since the beginning.
    pub(crate) fn now(&self) -> Duration {
        self.began.elapsed()
    }

    /// The world as it really is.
    pub(crate) fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells the story and the audience.
    pub(crate) fn tell(&self, what: &Happening<'_>) {
        let at = self.now();
        if let Some(story) = &self.story {
            let line = format!("{:9.3} {what}", at.as_secs_f64());
            story.lock().unwrap_or_else(PoisonError::into_inner).push(line);
        }
        let world = self.world();
        self.audience.lock().unwrap_or_else(PoisonError::into_inner).sees(at, what, &world, &self.memory);
    }

    /// A line of the story; the words are made only when somebody reads them.
    pub(crate) fn note(&self, who: &str, what: impl FnOnce() -> String) {
        if self.story.is_some() {
            self.tell(&Happening::Note { who, what: what() });
        }
    }

    /// Something from outside changes the world.
    pub(crate) fn outside(&self, what: &str, change: impl FnOnce(&mut World)) {
        {
            let mut world = self.world();
            world.goes_on(self.now());
            change(&mut world);
        }
        self.tell(&Happening::Note { who: "outside", what: what.to_owned() });
    }

    /// Counts one more of these, for the totals.
    pub(crate) fn count(&self, what: &'static str) {
        *self.counts.lock().unwrap_or_else(PoisonError::into_inner).entry(what).or_default() += 1;
    }

    pub(crate) fn counts(&self) -> BTreeMap<&'static str, u64> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The story so far.
    pub(crate) fn story(&self) -> Vec<String> {
        self.story.as_ref().map_or_else(Vec::new, |s| s.lock().unwrap_or_else(PoisonError::into_inner).clone())
    }
}
