//! Journals and inboxes.
//!
//! What an append must know is one indexed query, and what it writes is the event's row alone: a run's own row changes
//! only when the run closes. JSON is made by the caller, before the writer's thread has to wait for it.

use futures::future::BoxFuture;
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, params};

use super::{
    Sqlite,
    row::{counter, json, key, parse, parse_word, said, signed, term, time, word},
    worker::Halt,
};
use crate::{
    model::{Command, Event, EventBody, GroupName, RunId},
    port::{InboxEntry, Journal, Permit, RunSummary, StoreError},
    store::rules::{self, Standing},
};

const INSERT_EVENT: &str = "INSERT INTO events (grp, number, seq, term, at, body) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";

/// An event ready to be written.
struct Ready {
    at: String,
    body: String,
    /// Time and word of the outcome, when it closes the run.
    closes: Option<(String, String)>,
}

fn ready(at: Timestamp, body: &EventBody) -> Result<Ready, StoreError> {
    let at = at.to_string();
    let closes = match body {
        EventBody::Closed { outcome } => Some((at.clone(), word("an outcome", outcome)?)),
        _ => None,
    };
    Ok(Ready { body: json("an event", body)?, at, closes })
}

impl Journal for Sqlite {
    fn open<'a>(
        &'a self,
        permit: &'a Permit,
        at: Timestamp,
        body: EventBody,
    ) -> BoxFuture<'a, Result<(RunId, Event), StoreError>> {
        Box::pin(async move {
            let opened = rules::opening(permit, &body)?;
            let row = Opening {
                permit: permit.clone(),
                kind: word("a kind of run", &opened.kind)?,
                source: opened.plan.source.to_string(),
                destination: opened.plan.destination.to_string(),
                drill: opened.drill.as_ref().map(|mode| word("a mode of a drill", mode)).transpose()?,
                scheduled: opened.scheduled.as_ref().map(|firing| json("a firing", firing)).transpose()?,
                event: ready(at, &body)?,
            };
            let intent = || format!("open a run of {}", permit.key());
            let opened = self.write(intent, move |db| row.open(db)).await;
            let run = rules::heed(permit, opened)?;
            Ok((run, Event { seq: 1, term: permit.term(), at, body }))
        })
    }

    fn append<'a>(
        &'a self,
        permit: &'a Permit,
        run: &'a RunId,
        after: u64,
        events: Vec<(Timestamp, EventBody)>,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async move {
            let rows = events.iter().map(|(at, body)| ready(*at, body)).collect::<Result<Vec<_>, _>>()?;
            let intent = || format!("append {} events to run {run}", events.len());
            let (of, by) = (run.clone(), permit.clone());
            let appended = self.write(intent, move |db| append(db, &by, &of, after, &rows)).await;
            rules::heed(permit, appended)
        })
    }

    fn read<'a>(&'a self, run: &'a RunId, after: u64) -> BoxFuture<'a, Result<Vec<Event>, StoreError>> {
        Box::pin(async move {
            let mut all: Vec<Event> = Vec::new();
            loop {
                let from = all.last().map_or(after, |event| event.seq);
                let (of, first) = (run.clone(), all.is_empty());
                let intent = || format!("read the journal of {run}");
                let rows = self.read(intent, move |db| events(db, &of, from, first)).await?;
                let last = rows.len() < PAGE;
                for row in rows {
                    all.push(row.read(run)?);
                }
                if last {
                    return Ok(all);
                }
            }
        })
    }

    fn runs<'a>(&'a self, group: Option<&'a GroupName>) -> BoxFuture<'a, Result<Vec<RunSummary>, StoreError>> {
        Box::pin(async move {
            let of = group.map(ToString::to_string);
            let mut runs = self.read(|| "list the runs".into(), move |db| runs(db, of.as_deref())).await?;
            rules::newest_first(&mut runs, group.is_some());
            Ok(runs)
        })
    }

    fn tell<'a>(&'a self, run: &'a RunId, command: Command) -> BoxFuture<'a, Result<u64, StoreError>> {
        Box::pin(async move {
            let text = json("an order", &command)?;
            let of = run.clone();
            let intent = || format!("put an order into the inbox of {run}");
            self.write(intent, move |db| tell(db, &of, &command, &text)).await
        })
    }

    fn inbox<'a>(&'a self, run: &'a RunId, after: u64) -> BoxFuture<'a, Result<Vec<InboxEntry>, StoreError>> {
        Box::pin(async move {
            let of = run.clone();
            let rows = self.read(|| format!("read the inbox of {run}"), move |db| inbox(db, &of, after)).await?;
            let entry = |(number, text): (i64, String)| {
                let command = parse(|| format!("order {number} of run {run}"), &text)?;
                Ok(InboxEntry { number: counter(number), command })
            };
            rows.into_iter().map(entry).collect()
        })
    }
}

/// A run about to be opened.
struct Opening {
    permit: Permit,
    kind: String,
    source: String,
    destination: String,
    drill: Option<String>,
    scheduled: Option<String>,
    event: Ready,
}

impl Opening {
    fn open(self, db: &Connection) -> Result<RunId, Halt<StoreError>> {
        let key = self.permit.key();
        let group = key.group.as_str();
        let lease = super::lease::state(db, key)?;
        if !rules::holds(&self.permit, lease.as_ref()) {
            return said(rules::stale(&self.permit));
        }
        let open: Option<i64> = db
            .prepare_cached("SELECT number FROM runs WHERE grp = ?1 AND rehearsal = ?2 AND closed_at IS NULL")?
            .query_row(params![group, key.rehearsal], |row| row.get(0))
            .optional()?;
        if let Some(number) = open {
            return said(StoreError::RunOpen { run: RunId { group: key.group.clone(), number: counter(number) } });
        }
        let last: Option<i64> =
            db.prepare_cached("SELECT max(number) FROM runs WHERE grp = ?1")?.query_row([group], |row| row.get(0))?;
        let number = last.unwrap_or(0) + 1;
        db.prepare_cached(
            "INSERT INTO runs (grp, number, rehearsal, kind, source, destination, opened_at, drill, scheduled) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
        )?
        .execute(params![
            group,
            number,
            key.rehearsal,
            self.kind,
            self.source,
            self.destination,
            self.event.at,
            self.drill,
            self.scheduled
        ])?;
        let term = signed(self.permit.term().0);
        db.prepare_cached(INSERT_EVENT)?.execute(params![group, number, 1, term, self.event.at, self.event.body])?;
        Ok(RunId { group: key.group.clone(), number: counter(number) })
    }
}

/// How the run and its lease stand, in one query.
fn standing(db: &Connection, run: &RunId) -> Result<Standing, Halt<StoreError>> {
    let (group, number) = key(run);
    let found = db
        .prepare_cached(
            "SELECT r.rehearsal, r.closed_at IS NOT NULL, \
                    (SELECT max(seq) FROM events e WHERE e.grp = r.grp AND e.number = r.number), \
                    (SELECT term FROM leases l \
                     WHERE l.grp = r.grp AND l.rehearsal = r.rehearsal AND l.holder IS NOT NULL) \
             FROM runs r WHERE r.grp = ?1 AND r.number = ?2",
        )?
        .query_row(params![group, number], |row| {
            Ok(Standing {
                rehearsal: row.get(0)?,
                closed: row.get(1)?,
                last: counter(row.get::<_, Option<i64>>(2)?.unwrap_or(0)),
                held: row.get::<_, Option<i64>>(3)?.map(term),
            })
        })
        .optional()?;
    found.ok_or_else(|| Halt::Said(StoreError::NoRun { run: run.clone() }))
}

fn append(db: &Connection, permit: &Permit, run: &RunId, after: u64, events: &[Ready]) -> Result<(), Halt<StoreError>> {
    rules::may_append(permit, run, after, standing(db, run)?).map_err(Halt::Said)?;
    let (group, number) = key(run);
    let mut insert = db.prepare_cached(INSERT_EVENT)?;
    let term = signed(permit.term().0);
    for (seq, event) in (after + 1..).zip(events) {
        insert.execute(params![group, number, signed(seq), term, event.at, event.body])?;
        if let Some((at, outcome)) = &event.closes {
            db.prepare_cached("UPDATE runs SET closed_at = ?3, outcome = ?4 WHERE grp = ?1 AND number = ?2")?
                .execute(params![group, number, at, outcome])?;
        }
    }
    Ok(())
}

/// Refuses when there is no such run. Asked only when nothing was found, or before a write.
pub(super) fn exists(db: &Connection, run: &RunId) -> Result<(), Halt<StoreError>> {
    let (group, number) = key(run);
    let there =
        db.prepare_cached("SELECT 1 FROM runs WHERE grp = ?1 AND number = ?2")?.exists(params![group, number])?;
    if there { Ok(()) } else { said(StoreError::NoRun { run: run.clone() }) }
}

/// Events that are read at once. The text of a long journal is larger than what it says, so it is never there as a
/// whole; a journal only grows, so what is read page by page is what it was at the last of them.
const PAGE: usize = 128;

/// An event as it is kept.
struct Row {
    seq: i64,
    term: i64,
    at: String,
    body: String,
}

impl Row {
    fn read(self, run: &RunId) -> Result<Event, StoreError> {
        let place = || format!("event {} of run {run}", self.seq);
        let (at, body) = (time(place, &self.at)?, parse(place, &self.body)?);
        Ok(Event { seq: counter(self.seq), term: term(self.term), at, body })
    }
}

/// A page of events. Where the first one is empty, there may be no such run.
fn events(db: &Connection, run: &RunId, after: u64, first: bool) -> Result<Vec<Row>, Halt<StoreError>> {
    let (group, number) = key(run);
    let mut query = db.prepare_cached(
        "SELECT seq, term, at, body FROM events WHERE grp = ?1 AND number = ?2 AND seq > ?3 ORDER BY seq LIMIT ?4",
    )?;
    let page = i64::try_from(PAGE).unwrap_or(i64::MAX);
    let rows = query.query_map(params![group, number, signed(after), page], |row| {
        Ok(Row { seq: row.get(0)?, term: row.get(1)?, at: row.get(2)?, body: row.get(3)? })
    })?;
    let rows = rows.collect::<Result<Vec<_>, _>>()?;
    if first && rows.is_empty() {
        exists(db, run)?;
    }
    Ok(rows)
}

fn runs(db: &Connection, group: Option<&str>) -> Result<Vec<RunSummary>, Halt<StoreError>> {
    let mut query = db.prepare_cached(
        "SELECT grp, number, rehearsal, kind, source, destination, opened_at, closed_at, outcome, drill, scheduled FROM runs \
         WHERE ?1 IS NULL OR grp = ?1",
    )?;
    let mut rows = query.query([group])?;
    let mut runs = Vec::new();
    while let Some(row) = rows.next()? {
        runs.push(summary(row)?);
    }
    Ok(runs)
}

fn summary(row: &rusqlite::Row<'_>) -> Result<RunSummary, Halt<StoreError>> {
    let (group, number): (String, i64) = (row.get(0)?, row.get(1)?);
    let (kind, source, destination): (String, String, String) = (row.get(3)?, row.get(4)?, row.get(5)?);
    let opened_at: String = row.get(6)?;
    let closed: (Option<String>, Option<String>) = (row.get(7)?, row.get(8)?);
    let (drill, scheduled): (Option<String>, Option<String>) = (row.get(9)?, row.get(10)?);
    let rehearsal = row.get(2)?;
    let place = || format!("run {group}-{number}");
    let read = || {
        Ok(RunSummary {
            run: RunId { group: parse_word(place, &group)?, number: counter(number) },
            kind: parse_word(place, &kind)?,
            rehearsal,
            source: parse_word(place, &source)?,
            destination: parse_word(place, &destination)?,
            opened_at: time(place, &opened_at)?,
            closed: match &closed {
                (Some(at), Some(outcome)) => Some((time(place, at)?, parse_word(place, outcome)?)),
                (None, _) | (_, None) => None,
            },
            drill: drill.as_deref().map(|mode| parse_word(place, mode)).transpose()?,
            scheduled: scheduled.as_deref().map(|firing| parse(place, firing)).transpose()?,
        })
    };
    read().map_err(Halt::Said)
}

fn tell(db: &Connection, run: &RunId, command: &Command, text: &str) -> Result<u64, Halt<StoreError>> {
    let (group, number) = key(run);
    let stands: Option<(bool, i64)> = db
        .prepare_cached(
            "SELECT r.closed_at IS NOT NULL, \
                    (SELECT term FROM events e WHERE e.grp = r.grp AND e.number = r.number ORDER BY seq DESC LIMIT 1) \
             FROM runs r WHERE r.grp = ?1 AND r.number = ?2",
        )?
        .query_row(params![group, number], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    match stands {
        None => return said(StoreError::NoRun { run: run.clone() }),
        Some((true, _)) => return said(StoreError::RunClosed { run: run.clone() }),
        Some((false, last)) => rules::may_tell(run, command, term(last)).map_err(Halt::Said)?,
    }
    let last: Option<i64> = db
        .prepare_cached("SELECT max(entry) FROM inbox WHERE grp = ?1 AND number = ?2")?
        .query_row(params![group, number], |row| row.get(0))?;
    let entry = last.unwrap_or(0) + 1;
    db.prepare_cached("INSERT INTO inbox (grp, number, entry, command) VALUES (?1, ?2, ?3, ?4)")?
        .execute(params![group, number, entry, text])?;
    Ok(counter(entry))
}

fn inbox(db: &Connection, run: &RunId, after: u64) -> Result<Vec<(i64, String)>, Halt<StoreError>> {
    let (group, number) = key(run);
    let mut query = db.prepare_cached(
        "SELECT entry, command FROM inbox WHERE grp = ?1 AND number = ?2 AND entry > ?3 ORDER BY entry",
    )?;
    let rows = query.query_map(params![group, number, signed(after)], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let rows = rows.collect::<Result<Vec<_>, _>>()?;
    if rows.is_empty() {
        exists(db, run)?;
    }
    Ok(rows)
}
