//! A store in memory, for tests and rehearsals.
//!
//! It promises what every store promises except survival: when the value is gone, so is what it held. A test that
//! "kills" a process drops everything but the store, and replays from it.

use std::{
    collections::BTreeMap,
    future::ready,
    sync::{Mutex, MutexGuard, PoisonError},
};

use futures::future::BoxFuture;
use jiff::Timestamp;

use super::rules::{self, Standing};
use crate::{
    model::{Command, Event, EventBody, GroupName, RunId, StopOrder, Term},
    port::{
        InboxEntry, Journal, LeaseError, LeaseKey, LeaseState, Leases, ObserverReport, Permit, Records, Reports,
        RunSummary, Stops, StoreError,
    },
};

/// A run with its events and its inbox.
#[derive(Debug)]
struct Held {
    summary: RunSummary,
    events: Vec<Event>,
    inbox: Vec<InboxEntry>,
    record: Option<String>,
}

#[derive(Debug, Default)]
struct Inside {
    runs: BTreeMap<RunId, Held>,
    leases: BTreeMap<LeaseKey, LeaseState>,
    reports: BTreeMap<(GroupName, String), ObserverReport>,
    stops: Vec<StopOrder>,
}

/// A store in memory.
#[derive(Debug, Default)]
pub struct Memory {
    inside: Mutex<Inside>,
}

impl Memory {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }

    /// Every change below is made after its last check, so a panic elsewhere leaves nothing half done.
    fn inside(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A future that has its answer already.
fn now<'a, T: Send + 'a>(answer: T) -> BoxFuture<'a, T> {
    Box::pin(ready(answer))
}

impl Inside {
    fn run(&self, run: &RunId) -> Result<&Held, StoreError> {
        self.runs.get(run).ok_or_else(|| StoreError::NoRun { run: run.clone() })
    }

    fn run_mut(&mut self, run: &RunId) -> Result<&mut Held, StoreError> {
        self.runs.get_mut(run).ok_or_else(|| StoreError::NoRun { run: run.clone() })
    }

    fn held(&self, key: &LeaseKey) -> Option<Term> {
        self.leases.get(key).filter(|state| state.holder.is_some()).map(|state| state.term)
    }

    fn open(&mut self, permit: &Permit, at: Timestamp, body: EventBody) -> Result<(RunId, Event), StoreError> {
        let opened = rules::opening(permit, &body)?;
        if !rules::holds(permit, self.leases.get(permit.key())) {
            return Err(rules::stale(permit));
        }
        let of_group = || self.runs.values().map(|held| &held.summary).filter(|s| s.run.group == permit.key().group);
        if let Some(open) = of_group().find(|s| s.rehearsal == opened.rehearsal && s.closed.is_none()) {
            return Err(StoreError::RunOpen { run: open.run.clone() });
        }
        let number = of_group().map(|s| s.run.number).max().unwrap_or(0) + 1;
        let run = RunId { group: permit.key().group.clone(), number };
        let summary = RunSummary {
            run: run.clone(),
            kind: opened.kind,
            rehearsal: opened.rehearsal,
            source: opened.plan.source.clone(),
            destination: opened.plan.destination.clone(),
            opened_at: at,
            closed: None,
            drill: opened.drill,
            scheduled: opened.scheduled.clone(),
        };
        let event = Event { seq: 1, term: permit.term(), at, body };
        let held = Held { summary, events: vec![event.clone()], inbox: Vec::new(), record: None };
        self.runs.insert(run.clone(), held);
        Ok((run, event))
    }

    fn append(
        &mut self,
        permit: &Permit,
        run: &RunId,
        after: u64,
        events: Vec<(Timestamp, EventBody)>,
    ) -> Result<(), StoreError> {
        let there = self.run(run)?;
        let now = Standing {
            rehearsal: there.summary.rehearsal,
            closed: there.summary.closed.is_some(),
            last: there.events.last().map_or(0, |event| event.seq),
            held: self.held(&there.summary.key()),
        };
        rules::may_append(permit, run, after, now)?;
        let there = self.run_mut(run)?;
        for (seq, (at, body)) in (after + 1..).zip(events) {
            if let EventBody::Closed { outcome } = &body {
                there.summary.closed = Some((at, *outcome));
            }
            there.events.push(Event { seq, term: permit.term(), at, body });
        }
        Ok(())
    }

    fn tell(&mut self, run: &RunId, command: Command) -> Result<u64, StoreError> {
        let there = self.run_mut(run)?;
        if there.summary.closed.is_some() {
            return Err(StoreError::RunClosed { run: run.clone() });
        }
        rules::may_tell(run, &command, there.events.last().map_or(Term(0), |event| event.term))?;
        let number = there.inbox.last().map_or(0, |entry| entry.number) + 1;
        there.inbox.push(InboxEntry { number, command });
        Ok(number)
    }
}

impl Journal for Memory {
    fn open<'a>(
        &'a self,
        permit: &'a Permit,
        at: Timestamp,
        opened: EventBody,
    ) -> BoxFuture<'a, Result<(RunId, Event), StoreError>> {
        now(rules::heed(permit, self.inside().open(permit, at, opened)))
    }

    fn append<'a>(
        &'a self,
        permit: &'a Permit,
        run: &'a RunId,
        after: u64,
        events: Vec<(Timestamp, EventBody)>,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        now(rules::heed(permit, self.inside().append(permit, run, after, events)))
    }

    fn read<'a>(&'a self, run: &'a RunId, after: u64) -> BoxFuture<'a, Result<Vec<Event>, StoreError>> {
        let above = |held: &Held| held.events.iter().filter(|event| event.seq > after).cloned().collect();
        now(self.inside().run(run).map(above))
    }

    fn runs<'a>(&'a self, group: Option<&'a GroupName>) -> BoxFuture<'a, Result<Vec<RunSummary>, StoreError>> {
        let mut runs: Vec<_> = self
            .inside()
            .runs
            .values()
            .map(|held| held.summary.clone())
            .filter(|summary| group.is_none_or(|group| summary.run.group == *group))
            .collect();
        rules::newest_first(&mut runs, group.is_some());
        now(Ok(runs))
    }

    fn tell<'a>(&'a self, run: &'a RunId, command: Command) -> BoxFuture<'a, Result<u64, StoreError>> {
        now(self.inside().tell(run, command))
    }

    fn inbox<'a>(&'a self, run: &'a RunId, after: u64) -> BoxFuture<'a, Result<Vec<InboxEntry>, StoreError>> {
        let above = |held: &Held| held.inbox.iter().filter(|entry| entry.number > after).cloned().collect();
        now(self.inside().run(run).map(above))
    }
}

impl Leases for Memory {
    fn acquire<'a>(
        &'a self,
        key: &'a LeaseKey,
        holder: &'a str,
        unchanged_since: Option<u64>,
    ) -> BoxFuture<'a, Result<Permit, LeaseError>> {
        let mut inside = self.inside();
        let granted = rules::grant(key, inside.leases.get(key).cloned(), holder, unchanged_since).map(|state| {
            let permit = Permit::granted(key.clone(), state.term);
            inside.leases.insert(key.clone(), state);
            permit
        });
        now(granted)
    }

    fn renew<'a>(&'a self, permit: &'a Permit) -> BoxFuture<'a, Result<(), LeaseError>> {
        let mut inside = self.inside();
        let renewed = match inside.leases.get_mut(permit.key()) {
            Some(state) if rules::holds(permit, Some(state)) => {
                state.revision += 1;
                Ok(())
            }
            Some(_) | None => {
                permit.revoke();
                Err(rules::lost(permit))
            }
        };
        now(renewed)
    }

    fn release<'a>(&'a self, permit: &'a Permit) -> BoxFuture<'a, Result<(), LeaseError>> {
        permit.revoke();
        let mut inside = self.inside();
        let released = match inside.leases.get_mut(permit.key()) {
            Some(state) if rules::holds(permit, Some(state)) => {
                state.holder = None;
                state.revision += 1;
                Ok(())
            }
            Some(_) | None => Err(rules::lost(permit)),
        };
        now(released)
    }

    fn lease<'a>(&'a self, key: &'a LeaseKey) -> BoxFuture<'a, Result<LeaseState, StoreError>> {
        let free = LeaseState { holder: None, revision: 0, term: Term(0) };
        now(Ok(self.inside().leases.get(key).cloned().unwrap_or(free)))
    }
}

impl Reports for Memory {
    fn publish<'a>(&'a self, report: &'a ObserverReport) -> BoxFuture<'a, Result<(), StoreError>> {
        self.inside().reports.insert((report.group.clone(), report.observer.clone()), report.clone());
        now(Ok(()))
    }

    fn reports<'a>(&'a self, group: &'a GroupName) -> BoxFuture<'a, Result<Vec<ObserverReport>, StoreError>> {
        now(Ok(self.inside().reports.values().filter(|report| report.group == *group).cloned().collect()))
    }
}

impl Records for Memory {
    fn keep<'a>(&'a self, run: &'a RunId, record: String) -> BoxFuture<'a, Result<(), StoreError>> {
        now(self.inside().run_mut(run).map(|held| held.record = Some(record)))
    }

    fn record<'a>(&'a self, run: &'a RunId) -> BoxFuture<'a, Result<Option<String>, StoreError>> {
        now(self.inside().run(run).map(|held| held.record.clone()))
    }
}

impl Stops for Memory {
    fn order_stop<'a>(&'a self, order: &'a StopOrder) -> BoxFuture<'a, Result<(), StoreError>> {
        self.inside().stops.push(order.clone());
        now(Ok(()))
    }

    fn stop_orders(&self) -> BoxFuture<'_, Result<Vec<StopOrder>, StoreError>> {
        now(Ok(self.inside().stops.clone()))
    }
}
