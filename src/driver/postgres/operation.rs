//! The acts, but for fencing and reversing.
//!
//! Promises: each asks for the permit right before its effect; a server's own error is certain, a lost reply is unknown.
//! A crash after an effect is seen by the next observation: roles and positions are in the servers, not here.

use std::{pin::pin, time::Duration};

use futures::future::{Either, select};
use tokio_postgres::{SimpleQueryMessage, error::SqlState, types::PgLsn};

use super::{
    client::{LOOK, Members, TIMELINE, ask, newest_of},
    effect,
    heartbeat::{make_table, upsert},
    observe::{Answer, Reply, View, loss},
    params::{Member, within},
};
use crate::{
    model::{Attempt, Observed, Output, RegionName, Role},
    net::postgres::{ConnectError, Limits, Session, told},
    port::{Call, Clock, Permit, SystemClock},
};

/// `pg_promote(true)` looks every 100 ms; a promotion takes 60 to 90 ms, so looking every millisecond saves most of that.
const PROMOTED: Duration = Duration::from_millis(1);
/// Between two looks at a standby that catches up.
const CATCH_UP: Duration = Duration::from_millis(20);
/// How long a promotion that is done waits for the source to say what was lost. The source was asked when the promotion
/// began, and the observation before has the figure, too.
const SOURCE: Duration = Duration::from_millis(300);

pub(super) fn not(why: impl Into<String>, retry: bool) -> Attempt {
    Attempt::NotApplied { why: why.into(), retry }
}

pub(super) fn lease_lost() -> Attempt {
    not("the lease was lost; nothing was done", false)
}

/// The lease went between two effects: `done` is so, the rest is not.
fn lost_midway(done: &str) -> Attempt {
    Attempt::Unknown { why: format!("the lease was lost; {done}, and nothing after that") }
}

/// A statement that failed: the server's own error is certain, anything else is a lost reply.
fn failed(intent: &str, error: &tokio_postgres::Error) -> Attempt {
    match error.as_db_error() {
        Some(db) => {
            let retry = *db.code() != SqlState::INSUFFICIENT_PRIVILEGE;
            not(format!("could not {intent}: {} (SQLSTATE {})", db.message(), db.code().code()), retry)
        }
        None => Attempt::Unknown { why: format!("the reply was lost while trying to {intent}: {}", told(error)) },
    }
}

/// Nothing was sent to the server yet.
fn not_in(intent: &str, error: &ConnectError) -> Attempt {
    not(format!("could not {intent}: {}", told(error)), true)
}

fn no_member(region: &RegionName) -> Attempt {
    not(format!("the target has no member in {region}"), false)
}

/// `database.promote`.
pub(super) async fn promote(members: &Members, permit: &Permit, call: &Call) -> Attempt {
    let Some(member) = members.of(&call.destination) else { return no_member(&call.destination) };
    let source = async {
        match members.of(&call.source) {
            Some(source) => members.look(source).await,
            None => Reply::Silent("no member".into()),
        }
    };
    let begin = async {
        let session = members.open(member, Limits::within(LOOK)).await.map_err(|e| not_in("promote", &e))?;
        let reply = ask(&session, &members.params.table).await.map_err(|e| not(told(&e), true))?;
        Ok::<_, Attempt>((session, reply))
    };
    let mut source = pin!(source);
    // The source is asked meanwhile, and never waited for before the promotion.
    let act = pin!(async { start_promotion(permit, call, begin.await?).await });
    let (promoted, source) = match select(act, source.as_mut()).await {
        Either::Left((Err(attempt), _)) => return attempt,
        Either::Left((Ok(session), source)) => {
            let late = |_| Reply::Silent(format!("{} did not answer while the other was promoted", call.source));
            (session, tokio::time::timeout(SOURCE, source).await.unwrap_or_else(late))
        }
        Either::Right((reply, act)) => match act.await {
            Ok(session) => (session, reply),
            Err(attempt) => return attempt,
        },
    };
    measured(members, permit, &promoted, call, &source).await
}

/// Checks the role once more, tells the server to promote and waits for the end of recovery. The caller's deadline ends
/// the wait as *unknown*.
async fn start_promotion(
    permit: &Permit,
    call: &Call,
    (session, before): (Session, Reply),
) -> Result<Session, Attempt> {
    match before.role() {
        Role::Standby => {}
        Role::Primary => {
            return Err(Attempt::Unknown { why: format!("{} was promoted since it was observed", call.destination) });
        }
        role => return Err(not(format!("expected a standby, {} is {role}", call.destination), false)),
    }
    let read_only = before.answer().is_some_and(|answer| answer.read_only);
    if read_only {
        make_writable(&session, permit).await?;
    }
    if !permit.live() {
        return Err(if read_only { lost_midway("the read-only flag was taken away") } else { lease_lost() });
    }
    // One round trip: a prepared statement would take another one between the permit and its effect.
    match session.simple_query("SELECT pg_promote(false)").await.map(|replies| says_true(&replies)) {
        Ok(true) => {}
        Ok(false) => return Err(not("the server could not signal its own promotion; see its log", true)),
        Err(error) if error.code() == Some(&SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE) => {
            // "recovery is not in progress": somebody was faster, which the next look confirms or not.
            if !matches!(in_recovery(&session).await, Ok(false)) {
                return Err(failed("promote", &error));
            }
        }
        Err(error) => return Err(failed("promote", &error)),
    }
    loop {
        match in_recovery(&session).await {
            Ok(false) => return Ok(session),
            Ok(true) => tokio::time::sleep(PROMOTED).await,
            Err(error) => return Err(told_to_promote(call, &error)),
        }
    }
}

/// Whether the one value of the one row is true.
fn says_true(replies: &[SimpleQueryMessage]) -> bool {
    replies.iter().any(|reply| matches!(reply, SimpleQueryMessage::Row(row) if row.get(0) == Some("t")))
}

async fn in_recovery(session: &Session) -> Result<bool, tokio_postgres::Error> {
    session.query_one("SELECT pg_is_in_recovery()", &[]).await?.try_get(0)
}

fn told_to_promote(call: &Call, error: &tokio_postgres::Error) -> Attempt {
    Attempt::Unknown {
        why: format!("{} was told to promote, and the reply was lost: {}", call.destination, told(error)),
    }
}

/// What a promotion that is done has lost.
async fn measured(members: &Members, permit: &Permit, session: &Session, call: &Call, source: &Reply) -> Attempt {
    let at = "SELECT ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::int, pg_current_wal_lsn(), \
              pg_snapshot_xmax(pg_current_snapshot())::text::int8";
    let after = async {
        let row = session.query_one(at, &[]).await?;
        let (timeline, position): (i32, PgLsn) = (row.try_get(0)?, row.try_get(1)?);
        let first: i64 = row.try_get(2)?;
        let mut reply = ask(session, &members.params.table).await?;
        // The heartbeat follows the promotion within a period: only the source's own markers tell what was lost.
        if let Reply::Answered(answer) = &mut reply
            && answer.marker.is_some()
        {
            answer.marker = newest_of(session, &members.params.table, &call.source).await?;
        }
        Ok::<_, tokio_postgres::Error>((timeline, first, position, reply))
    };
    let (timeline, first, position, reply) = match after.await {
        Ok(after) => after,
        Err(error) => return told_to_promote(call, &error),
    };
    match write_down(session, permit, &members.params.table, (timeline, first), call).await {
        Ok(true) => {}
        Ok(false) => {
            tracing::warn!(timeline, "the promotion is done; the lease was lost before its timeline was noted");
        }
        Err(error) => {
            let error = told(&error);
            tracing::warn!(error, timeline, "the promotion is done; where its timeline began is not written down");
        }
    }
    let replies = vec![(call.source.clone(), source.clone()), (call.destination.clone(), reply.clone())];
    let mut facts = View { replies }.facts();
    let loss = reply.answer().map(|answer| loss(Some(source), answer, &call.known));
    facts.marker = reply.answer().and_then(|answer| answer.marker);
    let output = match &loss {
        Some(loss) => effect::promoted(Some(position.into()), Some(timeline), loss),
        None => Output::new(),
    };
    facts.loss = loss;
    Attempt::Applied { output, facts }
}

/// Writes down a timeline that just began and the number of its first transaction: whoever else goes on from there is told
/// by it ([`super::observe::divergence`]). `false`: the lease went before, and nothing more was done.
async fn write_down(
    session: &Session,
    permit: &Permit,
    table: &str,
    (timeline, first): (i32, i64),
    call: &Call,
) -> Result<bool, tokio_postgres::Error> {
    let insert = format!("INSERT INTO {table} (region, at, seq) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING");
    let key = format!("{TIMELINE}{timeline}");
    let statement = match session.prepare(&insert).await {
        Err(error) if error.code() == Some(&SqlState::UNDEFINED_TABLE) => {
            if !permit.live() {
                return Ok(false);
            }
            make_table(session, table).await?;
            session.prepare(&insert).await?
        }
        other => other?,
    };
    if !permit.live() {
        return Ok(false);
    }
    session.execute(&statement, &[&key, &call.now, &first]).await.map(|_rows| true)
}

/// Takes the read-only flag away and waits until this session sees it. A copy of a fenced primary brings its flag
/// along in `postgresql.auto.conf`, and would refuse writes after its promotion.
async fn make_writable(session: &Session, permit: &Permit) -> Result<(), Attempt> {
    if !permit.live() {
        return Err(lease_lost());
    }
    let (reset, reload) = ("ALTER SYSTEM RESET default_transaction_read_only", "SELECT pg_reload_conf()");
    session.batch_execute(reset).await.map_err(|e| failed("take the read-only flag away", &e))?;
    let midway = "the read-only flag was taken out of the configuration, which was not loaded again";
    if !permit.live() {
        return Err(lost_midway(midway));
    }
    session.batch_execute(reload).await.map_err(|e| Attempt::Unknown { why: format!("{midway}: {}", told(&e)) })?;
    let flag = "SELECT current_setting('default_transaction_read_only')::bool";
    for _ in 0..200 {
        match session.query_one(flag, &[]).await.and_then(|row| row.try_get::<_, bool>(0)) {
            Ok(false) => return Ok(()),
            Ok(true) => tokio::time::sleep(Duration::from_millis(5)).await,
            Err(error) => return Err(failed("see whether the read-only flag is gone", &error)),
        }
    }
    let why = "default_transaction_read_only is still on after its reset: it is set somewhere else \
               (postgresql.conf, ALTER ROLE, ALTER DATABASE); unset it there";
    Err(not(why, true))
}

/// `database.unfence`, and the undo of a fence: never while another member is, or may be, a primary.
pub(super) async fn unfence(members: &Members, permit: &Permit, call: &Call) -> Attempt {
    let Some(member) = members.of(&call.source) else { return no_member(&call.source) };
    let view = members.view(Some(&call.source)).await;
    match effect::unfence(&view, call) {
        Observed::Ready { .. } => {}
        Observed::Already { facts, output } => return Attempt::Applied { output, facts },
        Observed::Refused { expected, found, .. } => {
            // A server that is down may be back at the next try; a standby or a second primary stays what it is.
            let down = matches!(view.role(&call.source), Role::Down(_));
            return not(format!("expected {expected}, found {found}"), down);
        }
        Observed::Unknown { why } => return not(format!("nothing is un-fenced on unknown: {why}"), true),
    }
    let session = match members.open(member, Limits::within(LOOK)).await {
        Ok(session) => session,
        Err(error) => return not_in("let it accept writes", &error),
    };
    match make_writable(&session, permit).await {
        Ok(()) => Attempt::Applied { output: Output::new(), facts: members.view(Some(&call.source)).await.facts() },
        Err(attempt) => attempt,
    }
}

/// `database.catchUp`: changes nothing, so a wait that ends without success is certainly not applied.
pub(super) async fn catch_up(members: &Members, call: &Call) -> Attempt {
    let clock = SystemClock::start();
    let (Some(from), Some(to)) = (members.of(&call.source), members.of(&call.destination)) else {
        return not(format!("the target has no member in {} or {}", call.source, call.destination), false);
    };
    let limits = Limits::within(LOOK);
    let (source, destination) = futures::future::join(members.open(from, limits), members.open(to, limits)).await;
    let (source, destination) = match (source, destination) {
        (Ok(source), Ok(destination)) => (source, destination),
        (Err(error), _) | (_, Err(error)) => return not_in("wait for the copy", &error),
    };
    let limit = within(&call.with).unwrap_or(call.timeout).min(call.timeout.mul_f64(0.95));
    let table = &members.params.table;
    loop {
        // The source first: what it says cannot run ahead of what the destination is measured against.
        let asked =
            async { Ok::<_, tokio_postgres::Error>((ask(&source, table).await?, ask(&destination, table).await?)) };
        let (from, to) = match asked.await {
            Ok(replies) => replies,
            Err(error) => return failed("wait for the copy", &error),
        };
        let (Some(ahead), Some(behind)) = (from.answer(), to.answer()) else { return not("no answer", true) };
        let lag = effect::lag(ahead, behind);
        if lag == Some(0) {
            let output = effect::caught_up(ahead, behind);
            let replies = vec![(call.source.clone(), from.clone()), (call.destination.clone(), to.clone())];
            return Attempt::Applied { output, facts: View { replies }.facts() };
        }
        if clock.monotonic() + CATCH_UP >= limit {
            return not(still_behind(call, behind, lag, limit), true);
        }
        tokio::time::sleep(CATCH_UP).await;
    }
}

fn still_behind(call: &Call, standby: &Answer, lag: Option<u64>, limit: Duration) -> String {
    let lag = lag.map_or_else(|| "an unknown number of".to_owned(), |bytes| bytes.to_string());
    let how = match &standby.receiver {
        Some(receiver) => format!("its WAL receiver is {}", receiver.status),
        None => "it has no WAL receiver: look at primary_conninfo and at its log".to_owned(),
    };
    format!("{} still lacks {lag} bytes of {} after {:.1} s; {how}", call.destination, call.source, limit.as_secs_f64())
}

/// `database.verify`: a committed row, read back.
pub(super) async fn verify(members: &Members, permit: &Permit, call: &Call) -> Attempt {
    let Some(member) = members.of(&call.destination) else { return no_member(&call.destination) };
    let session = match members.open(member, Limits::within(LOOK)).await {
        Ok(session) => session,
        Err(error) => return not_in("write a row", &error),
    };
    if !permit.live() {
        return lease_lost();
    }
    let table = &members.params.table;
    // A region's name holds no `/`, so this row is nobody's heartbeat.
    let key = format!("verify/{}", call.destination);
    if let Err(error) = make_table(&session, table).await {
        return failed("make the heartbeat table", &error);
    }
    // Prepared before the permit is asked for, so that nothing stands between it and the row.
    let upsert = match session.prepare(&upsert(table)).await {
        Ok(statement) => statement,
        Err(error) => return failed("write a row", &error),
    };
    if !permit.live() {
        return lost_midway("the heartbeat table is there");
    }
    let wrote = async {
        session.execute(&upsert, &[&key, &call.now]).await?;
        let row =
            session.query_one(&format!("SELECT at >= $2 FROM {table} WHERE region = $1"), &[&key, &call.now]).await?;
        row.try_get::<_, bool>(0)
    };
    match wrote.await {
        Ok(true) => Attempt::Applied { output: Output::new(), facts: members.view(Some(&call.source)).await.facts() },
        Ok(false) => not("a committed row was read back with an older time", false),
        Err(error) => failed("write a row", &error),
    }
}

/// Every address that a verb touches, with its region and purpose.
pub(super) fn purpose(member: &Member, target: &str, call: &Call) -> String {
    if member.region == call.destination {
        format!("database of {target}")
    } else if member.region == call.source {
        format!("database of {target}, asked where it answers")
    } else {
        format!("database of {target}, asked for its role")
    }
}
