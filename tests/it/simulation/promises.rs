//! The promises of `lifeboat`, checked at every event of the journal and of the world, against what is really so.
//!
//! Nothing here asks the engine or the gate what they think: a rule that is judged by its own author is not judged. The first
//! promise that is broken is kept, with its number; what follows from it is not looked at.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures::FutureExt;
use lifeboat::{
    model::{
        Attempt, Effect, Event, EventBody, Observed, Outcome, Risk, Role, Run, RunId, SkippedBy, StepName, StepState,
        Term,
    },
    port::{LeaseKey, Leases},
    store::memory::Memory,
};

use crate::theatre::{
    hall::{Audience, Happening, Tag},
    plans,
    world::{Ask, Reply, World},
};

/// What came of a simulation so far.
#[derive(Debug, Default)]
pub(crate) struct Verdict {
    /// The first broken promise: when, and which.
    pub(crate) broken: Option<(Duration, String)>,
    pub(crate) totals: BTreeMap<&'static str, u64>,
    /// Why two writable primaries are nobody's broken promise: a named person, or somebody from outside.
    pub(crate) exempt: Option<String>,
}

/// The verdict, shared with whoever directs.
#[derive(Debug, Clone, Default)]
pub(crate) struct Shared(Arc<Mutex<Verdict>>);

impl Shared {
    pub(crate) fn get(&self) -> MutexGuard<'_, Verdict> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn breaks(&self, at: Duration, promise: String) {
        self.get().broken.get_or_insert((at, promise));
    }

    pub(crate) fn count(&self, what: &'static str) {
        *self.get().totals.entry(what).or_default() += 1;
    }
}

/// What a driver said of one try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Said {
    Applied,
    NotApplied,
    Unknown,
}

/// What was seen of a step since its last act began.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Sight {
    #[default]
    Nothing,
    Already,
    NotSo,
}

/// The audience that judges.
#[derive(Default)]
pub(crate) struct Promises {
    verdict: Shared,
    runs: BTreeMap<RunId, Run>,
    granted: Term,
    seen: BTreeMap<(RunId, StepName), Sight>,
    said: BTreeMap<(RunId, StepName, u32), Said>,
    promoted: BTreeSet<RunId>,
}

type Broken = Result<(), String>;

/// No run of a tale needs a tenth of these: a journal that grows without end is a loop that nobody leaves.
const LONGEST_JOURNAL: u64 = 3_000;

fn ensure(holds: bool, promise: impl FnOnce() -> String) -> Broken {
    if holds { Ok(()) } else { Err(promise()) }
}

impl Promises {
    pub(crate) fn new(verdict: &Shared) -> Self {
        Self { verdict: verdict.clone(), ..Self::default() }
    }

    fn judge(&mut self, what: &Happening<'_>, world: &World, store: &Memory) -> Broken {
        match what {
            Happening::Granted { process, term } => {
                let last = std::mem::replace(&mut self.granted, *term);
                self.verdict.count("leases granted");
                ensure(*term > last, || format!("S2: {process} was granted term {term} after term {last}"))?;
            }
            Happening::Wrote { process, run, term, events } => {
                ensure(holder(store) == Some(*term), || {
                    format!("S2: {process} appended to {run} under term {term}, and the lease is {:?}", holder(store))
                })?;
                for event in *events {
                    self.event(run, event)?;
                }
            }
            Happening::Acts(tag) => self.acts(tag, store)?,
            Happening::Acted(tag, attempt) => {
                let said = match attempt {
                    Attempt::Applied { .. } => Said::Applied,
                    Attempt::NotApplied { .. } => Said::NotApplied,
                    Attempt::Unknown { .. } => Said::Unknown,
                };
                if !tag.undo {
                    self.said.insert((tag.run.clone(), tag.step.clone(), tag.attempt), said);
                }
            }
            Happening::Saw(tag, seen) => {
                let sight = match seen {
                    Observed::Already { .. } => Sight::Already,
                    Observed::Ready { .. } | Observed::Refused { .. } => Sight::NotSo,
                    Observed::Unknown { .. } => return self.world(world),
                };
                self.seen.insert((tag.run.clone(), tag.step.clone()), sight);
            }
            Happening::Sent(tag, ask) => self.sent(tag, ask, store)?,
            Happening::Arrived(tag, ask, reply, _) => self.arrived(tag, ask, reply, world)?,
            Happening::Ended { .. } | Happening::Note { .. } => {}
        }
        self.world(world)
    }

    /// At most one side takes writes.
    fn world(&self, world: &World) -> Broken {
        let writable = world.writable();
        if writable.len() < 2 {
            return Ok(());
        }
        if self.verdict.get().exempt.is_some() {
            self.verdict.count("moments with two primaries, a person's or an outsider's doing");
            return Ok(());
        }
        Err(format!("S3, S6: {} take writes, and nobody accepted UnverifiedFence", writable.join(" and ")))
    }

    fn acts(&mut self, tag: &Tag, store: &Memory) -> Broken {
        self.in_charge(tag, "acts", store)?;
        self.verdict.count(if tag.undo { "undos" } else { "acts" });
        let last = self.seen.insert((tag.run.clone(), tag.step.clone()), Sight::Nothing);
        ensure(tag.undo || last.is_some_and(|sight| sight != Sight::Nothing), || {
            format!("S12: {} acts for {tag} without having looked since the last try", tag.process)
        })
    }

    fn sent(&mut self, tag: &Tag, ask: &Ask, store: &Memory) -> Broken {
        self.in_charge(tag, ask.word(), store)?;
        if matches!(ask, Ask::Promote { .. }) {
            self.promoted.insert(tag.run.clone());
        }
        ensure(!matches!(ask, Ask::ResetReadOnly { .. }) || !self.promoted.contains(&tag.run), || {
            format!("S4: {} un-fences for {tag}, and a promotion of that run was sent", tag.process)
        })
    }

    /// The process holds the lease, and the journal holds its intent.
    fn in_charge(&self, tag: &Tag, what: &str, store: &Memory) -> Broken {
        ensure(holder(store) == tag.term, || {
            format!("S2: {} {what} for {tag}, and the lease is at {:?}", tag.process, holder(store))
        })?;
        let state = self.runs.get(&tag.run).and_then(|run| Some(&run.steps[run.plan().find(&tag.step)?.at()]));
        let intended = match state {
            Some(StepState::Acting { attempt, .. }) => !tag.undo && *attempt == tag.attempt,
            Some(StepState::Undoing { .. }) => tag.undo,
            _ => false,
        };
        ensure(intended, || {
            let state = state.map_or("nowhere", StepState::word);
            format!("S1: {} {what} for {tag}, and in the journal the step is {state}", tag.process)
        })
    }

    fn arrived(&self, tag: &Tag, ask: &Ask, reply: &Reply, world: &World) -> Broken {
        if let (Ask::DnsUpdate { to, .. }, Reply::Ok) = (ask, reply) {
            let skipped = self.runs.get(&tag.run).is_some_and(promotion_skipped);
            ensure(!world.places[to].standby || skipped, || {
                format!("traffic points at {to}, which was not promoted ({tag} of {})", tag.process)
            })?;
        }
        Ok(())
    }

    fn event(&mut self, id: &RunId, event: &Event) -> Broken {
        if let EventBody::Opened(_) = &event.body {
            let open = self.runs.values().find(|run| run.closed().is_none());
            ensure(open.is_none(), || format!("S6: {id} was opened while {} is open", open.unwrap().id))?;
            let last = self.runs.keys().map(|id| id.number).max().unwrap_or(0);
            ensure(id.number == last + 1, || format!("S13: run {id} was opened after number {last}"))?;
            let run = Run::open(id.clone(), event).map_err(|error| format!("S12: {error}"))?;
            self.runs.insert(id.clone(), run);
            self.verdict.count("runs opened");
            return Ok(());
        }
        let run = self.runs.get(id).ok_or_else(|| format!("S1: {id} was written before it was opened"))?;
        ensure(event.seq < LONGEST_JOURNAL, || format!("liveness: the journal of {id} grows without end"))?;
        self.step_event(run, event)?;
        let run = self.runs.get_mut(id).expect("it was just found");
        run.after(event).map_err(|error| format!("S12: the journal makes no sense: {error}"))?;
        let verdict = &self.verdict;
        match &event.body {
            EventBody::TakenOver { .. } => verdict.count("takeovers"),
            EventBody::Lost { .. } => verdict.count("acts with an unknown outcome"),
            EventBody::Commanded { refused, .. } => {
                verdict.count(if refused.is_none() { "orders carried out" } else { "orders refused" });
                if let Some((by, why)) = run.accepted.get(&Risk::UnverifiedFence) {
                    verdict.get().exempt.get_or_insert(format!("{by} accepted UnverifiedFence: {why}"));
                }
            }
            EventBody::Closed { outcome } => verdict.count(match outcome {
                Outcome::Succeeded => "runs that succeeded",
                Outcome::CompletedWithExceptions => "runs completed with exceptions",
                Outcome::Failed => "runs that failed",
                Outcome::Cancelled => "runs cancelled",
                Outcome::Unwound => "runs unwound",
            }),
            EventBody::Paused { .. } => verdict.count("pauses"),
            _ => {}
        }
        Ok(())
    }

    /// What the journal says of a step is what somebody was told, or saw.
    fn step_event(&self, run: &Run, event: &Event) -> Broken {
        let Some(index) = event.body.step() else { return Ok(()) };
        let Some((step, state)) = run.step(index) else { return Err(format!("S12: there is no step {}", index.0)) };
        let seen = self.seen.get(&(run.id.clone(), step.name.clone())).copied().unwrap_or_default();
        let said = |attempt: u32| self.said.get(&(run.id.clone(), step.name.clone(), attempt)).copied();
        let who = || format!("{} of {}", step.name, run.id);
        match (&event.body, state) {
            (EventBody::Acting { facts, .. }, _) if step.verb.promotes() => {
                ensure(proven(run) || run.accepted.contains_key(&Risk::UnverifiedFence), || {
                    format!("S3: {} is to be done, the fence is not proven, and nobody accepted that", who())
                })?;
                ensure(facts.sides.iter().filter(|side| side.role == Role::Primary).count() == 0, || {
                    format!("S6: {} is to be done although a primary was seen", who())
                })?;
                let lost = facts.loss.as_ref();
                let fine = lost.is_some_and(|loss| loss.amount == Some(0) || loss.seconds.is_some_and(|s| s <= 10.0));
                ensure(fine || run.accepted.contains_key(&Risk::DataLoss), || {
                    format!("S5: {} is to be done with a loss of {lost:?}, and nobody accepted that", who())
                })
            }
            (EventBody::Failed { attempt, .. }, StepState::Acting { .. }) => {
                let certain = said(*attempt) == Some(Said::NotApplied) || step.effect == Effect::Reads;
                ensure(certain, || format!("S4: {} is called failed, and the driver said {:?}", who(), said(*attempt)))
            }
            (EventBody::Failed { .. }, StepState::Unsure { .. }) => ensure(seen == Sight::NotSo, || {
                format!("S4: {} was unknown and is called failed, and what was seen since is {seen:?}", who())
            }),
            (EventBody::Done { attempt, .. }, StepState::Acting { .. }) => {
                ensure(said(*attempt) == Some(Said::Applied), || {
                    format!("S4: {} is called done, and the driver said {:?}", who(), said(*attempt))
                })
            }
            (EventBody::Done { .. }, StepState::AwaitingApproval { .. }) => Ok(()),
            (EventBody::Done { .. }, _) => ensure(seen == Sight::Already, || {
                format!("S4: {} is called done, and what was seen is {seen:?}", who())
            }),
            _ => Ok(()),
        }
    }
}

impl Audience for Promises {
    fn sees(&mut self, at: Duration, what: &Happening<'_>, world: &World, store: &Memory) {
        if self.verdict.get().broken.is_none()
            && let Err(promise) = self.judge(what, world, store)
        {
            self.verdict.breaks(at, promise);
        }
    }
}

/// The term that really holds the lease.
fn holder(store: &Memory) -> Option<Term> {
    let key = LeaseKey { group: plans::group().name, rehearsal: false };
    let state = store.lease(&key).now_or_never()?.ok()?;
    state.holder.map(|_| state.term)
}

/// A fence of this run is done with a proof.
fn proven(run: &Run) -> bool {
    run.plan().steps.iter().zip(&run.steps).any(|(step, state)| {
        step.verb.fences() && matches!(state, StepState::Done { facts, .. } if facts.fence.is_some())
    })
}

/// A named person left the promotion out.
fn promotion_skipped(run: &Run) -> bool {
    run.plan().steps.iter().zip(&run.steps).any(|(step, state)| {
        step.verb.promotes() && matches!(state, StepState::Skipped { by: SkippedBy::Person(_), .. })
    })
}
