//! Journals. `inbox.rs` has the orders.
//!
//! All that an append rests on is in three keys: the lease's term and holder, and the run's head, which says the last
//! sequence, which kind of lease the run is under, and whether it is open. An append is one round trip; when it is
//! refused, the same answer holds what the refusal is made from.

use futures::future::BoxFuture;
use jiff::Timestamp;
use serde::{Serialize, de::DeserializeOwned};

use super::{
    Etcd, Written,
    layout::{number_of, run_of},
    lease,
    parcel::Parcel,
    txn::{self, Found, Txn},
};
use crate::{
    model::{Command, Event, EventBody, GroupName, Outcome, RunId},
    port::{InboxEntry, Journal, LeaseKey, Permit, RunSummary, StoreError},
    store::rules::{self, Standing},
};

/// How a run ended.
type End = (Timestamp, Outcome);

/// A run's head, as its key says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Head {
    last: u64,
    rehearsal: bool,
    pub(super) closed: bool,
}

impl Head {
    fn text(self) -> String {
        let kind = if self.rehearsal { "rehearsal" } else { "real" };
        format!("{} {kind} {}", self.last, if self.closed { "closed" } else { "open" })
    }

    /// What the head's key holds; `NoRun` when there is none.
    pub(super) fn of(run: &RunId, found: Option<&Found>) -> Result<Self, StoreError> {
        let found = found.ok_or_else(|| StoreError::NoRun { run: run.clone() })?;
        let parse = || {
            let mut words = std::str::from_utf8(&found.value).ok()?.split(' ');
            let last = words.next()?.parse().ok()?;
            let rehearsal = match words.next()? {
                "real" => false,
                "rehearsal" => true,
                _ => return None,
            };
            let closed = match words.next()? {
                "open" => false,
                "closed" => true,
                _ => return None,
            };
            Some(Self { last, rehearsal, closed })
        };
        parse().ok_or_else(|| StoreError::Corrupt { what: format!("the head of run {run}") })
    }
}

/// A value as JSON. Our own types have string keys and finite numbers, so this does not fail in practice.
pub(super) fn json<T: Serialize>(what: &str, value: &T) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|error| StoreError::Corrupt { what: format!("{what} to be written: {error}") })
}

/// A value from JSON.
pub(super) fn parse<T: DeserializeOwned>(place: impl Fn() -> String, text: &[u8]) -> Result<T, StoreError> {
    serde_json::from_slice(text).map_err(|error| StoreError::Corrupt { what: format!("{}: {error}", place()) })
}

impl Etcd {
    /// A page of keys from `from` on, and the next until there are no more.
    pub(super) async fn list(
        &self,
        intent: impl Fn() -> String,
        prefix: &str,
        from: String,
    ) -> Result<Vec<Found>, StoreError> {
        let (mut all, mut from) = (Vec::new(), from);
        loop {
            let answer = self.ask(&intent, &Txn::read([txn::page(prefix, &from)])).await?;
            let page = answer.all(0);
            all.extend_from_slice(page);
            match page.last() {
                // The first key after another is that key with a zero byte.
                Some(last) if page.len() >= txn::PAGE => from = format!("{}\0", last.key),
                Some(_) | None => return Ok(all),
            }
        }
    }

    async fn begin(&self, permit: &Permit, at: Timestamp, body: EventBody) -> Result<(RunId, Event), StoreError> {
        let opened = rules::opening(permit, &body)?;
        let key = permit.key();
        let (kind, source, destination) = (opened.kind, opened.plan.source.clone(), opened.plan.destination.clone());
        let (drill, scheduled) = (opened.drill, opened.scheduled.clone());
        let intent = || format!("open a run of {key}");
        let event = Event { seq: 1, term: permit.term(), at, body };
        let parcel = self.pack(intent, &json("an event", &[&event])?).await?;
        // Each turn that is refused found that somebody else opened a run, or that the lease is lost.
        loop {
            let run = match self.next_number(permit).await {
                Ok(number) => RunId { group: key.group.clone(), number },
                Err(no) => {
                    self.discard(&parcel).await;
                    return Err(no);
                }
            };
            let summary = RunSummary {
                run: run.clone(),
                kind,
                rehearsal: key.rehearsal,
                source: source.clone(),
                destination: destination.clone(),
                opened_at: at,
                closed: None,
                drill,
                scheduled: scheduled.clone(),
            };
            let head = Head { last: 1, rehearsal: key.rehearsal, closed: false };
            let (number, open) = (self.layout.number(&key.group), self.layout.open(key));
            let before = run.number - 1;
            let same = if before == 0 { txn::absent(&number) } else { txn::is(&number, &before.to_string()) };
            let proof = self.layout.events(&run, 1);
            let begin = Txn::when(lease::held(&self.layout, permit))
                .and(same)
                .and(txn::absent(&open))
                .and(txn::absent(&proof))
                .then([
                    txn::put(&number, run.number.to_string()),
                    txn::put(&open, run.number.to_string()),
                    txn::put(&self.layout.run(&run), json("a run", &summary)?),
                    txn::put(&self.layout.head(&run), head.text()),
                    txn::put(&self.layout.spoke(&run), permit.term().0.to_string()),
                    txn::put(&proof, &parcel.value),
                ]);
            match self.write(intent, &proof, &parcel.mark, begin).await? {
                Written::Done(_) => return Ok((run, event)),
                Written::Refused(_) => {}
            }
        }
    }

    /// The number that the group's next run has, if one may be opened now.
    async fn next_number(&self, permit: &Permit) -> Result<u64, StoreError> {
        let key = permit.key();
        let (number, open) = (self.layout.number(&key.group), self.layout.open(key));
        let read = Txn::read([lease::look(&self.layout, key), txn::get(&number), txn::get(&open)]);
        let answer = self.ask(|| format!("open a run of {key}"), &read).await?;
        if !rules::holds(permit, Some(&lease::state(key, answer.all(0))?)) {
            return Err(rules::stale(permit));
        }
        let counted = |found: &Found| parse(|| format!("the number in {}", found.key), &found.value);
        if let Some(open) = answer.one(2) {
            return Err(StoreError::RunOpen { run: RunId { group: key.group.clone(), number: counted(open)? } });
        }
        Ok(answer.one(1).map(counted).transpose()?.unwrap_or(0) + 1)
    }

    async fn add(
        &self,
        permit: &Permit,
        run: &RunId,
        after: u64,
        events: Vec<(Timestamp, EventBody)>,
    ) -> Result<(), StoreError> {
        let key = permit.key();
        let intent = || format!("append {} events to run {run}", events.len());
        let looks = [lease::look(&self.layout, key), txn::get(&self.layout.head(run))];
        if events.is_empty() || key.group != run.group {
            let answer = self.ask(intent, &Txn::read(looks)).await?;
            return refusal(permit, run, after, (answer.all(0), answer.one(1)));
        }
        let closes = events.iter().find_map(|(at, body)| match body {
            EventBody::Closed { outcome } => Some((*at, *outcome)),
            _ => None,
        });
        let numbered = (after + 1..).zip(&events);
        let whole: Vec<_> =
            numbered.map(|(seq, (at, body))| Event { seq, term: permit.term(), at: *at, body: body.clone() }).collect();
        let last = after + events.len() as u64;
        let parcel = self.pack(intent, &json("events", &whole)?).await?;
        let add = self.adding(permit, run, (after, last), &parcel, closes.as_ref())?.otherwise(looks);
        let proof = self.layout.events(run, after + 1);
        match self.write(intent, &proof, &parcel.mark, add).await? {
            Written::Done(answer) => {
                // Written by a try whose reply was lost: the lease may have passed on meanwhile.
                if !answer.succeeded && !rules::holds(permit, Some(&lease::state(key, answer.all(1))?)) {
                    permit.revoke();
                }
                Ok(())
            }
            Written::Refused(answer) => {
                self.discard(&parcel).await;
                let refused = refusal(permit, run, after, (answer.all(1), answer.one(2)));
                let what = || format!("run {run} refused an append after event {after} that its head allows");
                refused.and_then(|()| Err(StoreError::Corrupt { what: what() }))
            }
        }
    }

    /// The transaction of an append: it creates these events or fails, under the permit's term.
    fn adding(
        &self,
        permit: &Permit,
        run: &RunId,
        (after, last): (u64, u64),
        parcel: &Parcel,
        closes: Option<&End>,
    ) -> Result<Txn, StoreError> {
        let key = permit.key();
        let before = Head { last: after, rehearsal: key.rehearsal, closed: false };
        let (head, events) = (self.layout.head(run), self.layout.events(run, after + 1));
        let add = Txn::when(lease::held(&self.layout, permit))
            .and(txn::is(&head, &before.text()))
            .and(txn::absent(&events))
            .then([
                txn::put(&events, &parcel.value),
                txn::put(&head, Head { last, closed: closes.is_some(), ..before }.text()),
                txn::put(&self.layout.spoke(run), permit.term().0.to_string()),
            ]);
        let Some(end) = closes else { return Ok(add) };
        Ok(add.then([
            txn::put(&self.layout.closed(run), json("the end of a run", end)?),
            txn::delete(&self.layout.open(key)),
        ]))
    }

    async fn events(&self, run: &RunId, after: u64) -> Result<Vec<Event>, StoreError> {
        let intent = || format!("read the journal of {run}");
        let prefix = self.layout.journal(run);
        // The next event may be in the middle of an append: reading begins with the last one that begins before it.
        let start = self.layout.events(run, after + 1);
        let read = Txn::read([txn::get(&self.layout.head(run)), txn::last(&prefix, Some(&start))]);
        let answer = self.ask(intent, &read).await?;
        Head::of(run, answer.one(0))?;
        let from = answer.one(1).map_or(start, |found| found.key.clone());
        let mut events = Vec::new();
        for found in self.list(intent, &prefix, from).await? {
            let place = || format!("the events from {} of run {run}", number_of(&found.key).unwrap_or(0));
            let text = self.unpack(place, &found.value).await?;
            events.extend(parse::<Vec<Event>>(place, text.as_bytes())?);
        }
        events.retain(|event| event.seq > after);
        Ok(events)
    }

    async fn summaries(&self, group: Option<&GroupName>) -> Result<Vec<RunSummary>, StoreError> {
        let intent = || "list the runs".to_owned();
        let (runs, ends) = (self.layout.runs(group), self.layout.ends(group));
        let found = self.list(intent, &runs, runs.clone()).await?;
        // Read second: a run that is closed in between is listed as closed, and never the other way round.
        let ends = self.list(intent, &ends, ends.clone()).await?;
        let place = |found: &Found| run_of(&found.key).map_or_else(|| found.key.clone(), |run| format!("run {run}"));
        let mut closed = std::collections::BTreeMap::new();
        for end in &ends {
            closed.insert(run_of(&end.key), parse::<End>(|| place(end), &end.value)?);
        }
        let mut runs = Vec::new();
        for run in &found {
            let mut summary: RunSummary = parse(|| place(run), &run.value)?;
            summary.closed = closed.get(&Some(summary.run.clone())).copied();
            runs.push(summary);
        }
        rules::newest_first(&mut runs, group.is_some());
        Ok(runs)
    }
}

/// Why an append is refused, from what is there; `Ok`: nothing stands against it.
fn refusal(
    permit: &Permit,
    run: &RunId,
    after: u64,
    (lease, head): (&[Found], Option<&Found>),
) -> Result<(), StoreError> {
    let key: &LeaseKey = permit.key();
    let Head { last, rehearsal, closed } = Head::of(run, head)?;
    let lease = lease::state(key, lease)?;
    // The lease is the permit's own, which is the run's or the append is refused for that.
    let standing = Standing { rehearsal, closed, last, held: lease.holder.is_some().then_some(lease.term) };
    rules::may_append(permit, run, after, standing)
}

impl Journal for Etcd {
    fn open<'a>(
        &'a self,
        permit: &'a Permit,
        at: Timestamp,
        opened: EventBody,
    ) -> BoxFuture<'a, Result<(RunId, Event), StoreError>> {
        Box::pin(async move { rules::heed(permit, self.begin(permit, at, opened).await) })
    }

    fn append<'a>(
        &'a self,
        permit: &'a Permit,
        run: &'a RunId,
        after: u64,
        events: Vec<(Timestamp, EventBody)>,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async move { rules::heed(permit, self.add(permit, run, after, events).await) })
    }

    fn read<'a>(&'a self, run: &'a RunId, after: u64) -> BoxFuture<'a, Result<Vec<Event>, StoreError>> {
        Box::pin(self.events(run, after))
    }

    fn runs<'a>(&'a self, group: Option<&'a GroupName>) -> BoxFuture<'a, Result<Vec<RunSummary>, StoreError>> {
        Box::pin(self.summaries(group))
    }

    fn tell<'a>(&'a self, run: &'a RunId, command: Command) -> BoxFuture<'a, Result<u64, StoreError>> {
        Box::pin(self.order(run, command))
    }

    fn inbox<'a>(&'a self, run: &'a RunId, after: u64) -> BoxFuture<'a, Result<Vec<InboxEntry>, StoreError>> {
        Box::pin(self.orders(run, after))
    }

    fn changed<'a>(&'a self, run: &'a RunId, after: u64) -> BoxFuture<'a, ()> {
        Box::pin(self.news(run, after))
    }

    fn pace(&self) -> std::time::Duration {
        super::news::PACE
    }
}
