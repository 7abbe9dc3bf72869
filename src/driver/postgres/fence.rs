//! Making the source accept nothing, provably.
//!
//! The declared methods are tried in order; the first whose *effect is observed* counts, whatever a method said of
//! itself. A server that merely refuses connections is not fenced: it may come back and accept writes.
//!
//! 1. `readOnly`: `ALTER SYSTEM SET default_transaction_read_only = on`, reload, end every other client session, until a
//!    fresh session's write is refused with SQLSTATE 25006 and no session is older than the reload. Held against
//!    clients that do not override the setting on purpose.
//! 2. `command`, `http`: done, then seen: its `verify` says so where one is declared (it decides then); else the server
//!    refuses connections, is read-only or a standby. Silence is no proof. A server seen to accept writes is never fenced.
//!
//! A crash in the middle leaves a server that is more closed than before; acting again does no harm.

use std::time::Duration;

use serde_json::{Map, Value};

use super::{
    client::{LOOK, Members},
    observe::{Reply, loss, replicates},
    params::{Member, Method},
    program::{self, Done},
};
use crate::{
    model::{Attempt, Facts, FenceProof, Observed, Output, Role},
    net::postgres::{Limits, Session, told},
    port::{Call, Clock, Permit, SystemClock},
};

/// How long an effect may take to show after a program or an agent said that it is done.
const EFFECT: Duration = Duration::from_secs(10);
/// A last look for the record, once the fence is proven: a silent host must not add to the outage.
const GLANCE: Duration = Duration::from_millis(500);
/// Between two looks.
const PAUSE: Duration = Duration::from_millis(50);

/// What came of one method.
enum Tried {
    Held(FenceProof),
    Not(String),
    Lost(String),
}

/// `FenceProof` as the step's output.
fn output(proof: &FenceProof) -> Output {
    let mut output = Map::new();
    output.insert("method".into(), Value::from(proof.method.clone()));
    output.insert("effect".into(), Value::from(proof.effect.clone()));
    output
}

/// Whether the source is fenced, by what can be seen now.
pub(super) async fn observe(members: &Members, call: &Call) -> Observed {
    let view = members.view(Some(&call.source)).await;
    let mut facts = view.facts();
    let Some(member) = members.of(&call.source) else {
        return Observed::Unknown { why: format!("the target has no member in {}", call.source) };
    };
    let proof = match view.role(&call.source) {
        Role::Primary => None,
        Role::ReadOnly | Role::Standby => {
            refuses_writes(members, member).await.ok().map(|effect| FenceProof { method: "readOnly".into(), effect })
        }
        Role::Down(_) | Role::Unknown(_) => verified(members, call).await,
    };
    if let Some(proof) = proof {
        let output = output(&proof);
        facts.fence = Some(proof);
        return Observed::Already { facts, output };
    }
    let (source, destination) = (view.of(&call.source), view.of(&call.destination));
    facts.replicates = source.zip(destination).and_then(|(from, to)| replicates(from, to));
    if facts.replicates == Some(false)
        && let Some(destination) = destination.and_then(Reply::answer)
    {
        facts.loss = Some(loss(source, destination, &call.known));
    }
    Observed::Ready { facts }
}

/// The first method whose own verification says that it holds.
async fn verified(members: &Members, call: &Call) -> Option<FenceProof> {
    for method in &members.params.fence {
        if let Some((Done::Yes, effect)) = verify(members, method, call, LOOK).await {
            return Some(FenceProof { method: method.name().into(), effect });
        }
    }
    None
}

/// Asks the method's declared verification; `None`: it has none.
async fn verify(members: &Members, method: &Method, call: &Call, within: Duration) -> Option<(Done, String)> {
    match method {
        Method::Command(program) if !program.verify.is_empty() => {
            let done = program::run(&program.verify, call, within).await;
            Some((done, "its verify program exits 0".into()))
        }
        Method::Http(agent) => {
            let url = agent.verify_url.as_ref()?;
            let done = program::get(url, agent.bearer.as_ref(), &members.asking(), within).await;
            Some((done, "its verify URL answers 2xx".into()))
        }
        Method::ReadOnly | Method::Command(_) => None,
    }
}

/// Fences.
pub(super) async fn act(members: &Members, permit: &Permit, call: &Call) -> Attempt {
    let clock = SystemClock::start();
    let budget = call.timeout.mul_f64(0.9);
    let Some(member) = members.of(&call.source) else {
        return Attempt::NotApplied { why: format!("the target has no member in {}", call.source), retry: false };
    };
    let methods = &members.params.fence;
    let (mut tried, mut lost) = (Vec::new(), false);
    for (method, left) in methods.iter().zip((1..=methods.len()).rev()) {
        if !permit.live() {
            tried.push("the lease was lost".to_owned());
            return ended(&tried, lost, false);
        }
        let within = budget.saturating_sub(clock.monotonic()) / u32::try_from(left).unwrap_or(u32::MAX);
        let result = match method {
            Method::ReadOnly => read_only(members, member, permit, within).await,
            Method::Command(_) | Method::Http(_) => from_outside(members, member, method, call, within).await,
        };
        match result {
            Tried::Held(proof) => {
                let seen = members.view_within(Some(&call.source), GLANCE).await;
                let output = output(&proof);
                return Attempt::Applied { output, facts: Facts { fence: Some(proof), ..seen.facts() } };
            }
            Tried::Not(why) => tried.push(format!("{}: {why}", method.name())),
            Tried::Lost(why) => {
                lost = true;
                tried.push(format!("{}: {why}", method.name()));
            }
        }
    }
    ended(&tried, lost, true)
}

fn ended(tried: &[String], lost: bool, retry: bool) -> Attempt {
    let why = format!("no fence method was seen to hold. {}", tried.join("; "));
    if lost { Attempt::Unknown { why } } else { Attempt::NotApplied { why, retry } }
}

async fn read_only(members: &Members, member: &Member, permit: &Permit, within: Duration) -> Tried {
    let clock = SystemClock::start();
    let session = match members.open(member, Limits::within(within.min(LOOK))).await {
        Ok(session) => session,
        Err(error) => {
            return Tried::Not(format!(
                "the server itself must answer to be made read-only ({}); declare a command or http method to fence \
                 a dead or unreachable server",
                told(&error)
            ));
        }
    };
    for (order, first) in
        [("ALTER SYSTEM SET default_transaction_read_only = on", true), ("SELECT pg_reload_conf()", false)]
    {
        if !permit.live() {
            return tried("the lease was lost".into(), first);
        }
        if let Err(error) = session.batch_execute(order).await {
            return match error.as_db_error() {
                Some(db) => {
                    tried(format!("the server answered {} (SQLSTATE {})", db.message(), db.code().code()), first)
                }
                None => Tried::Lost(told(&error)),
            };
        }
    }
    drop(session);
    let mut everybody = true;
    loop {
        let why = match refuses_writes(members, member).await {
            Ok(effect) if !everybody => return Tried::Held(FenceProof { method: "readOnly".into(), effect }),
            Ok(_) => String::new(),
            Err(why) => why,
        };
        if clock.monotonic() >= within {
            return Tried::Lost(format!("it was made read-only, and that did not show: {why}"));
        }
        if !permit.live() {
            return Tried::Lost("the lease was lost while sessions were being ended".into());
        }
        match end_sessions(members, member, permit, everybody).await {
            Ok(()) => everybody = false,
            Err(why) => tracing::debug!(why, "ending sessions"),
        }
    }
}

/// An order that was certainly not carried out. After the first one the setting is written already.
fn tried(why: String, first: bool) -> Tried {
    if first { Tried::Not(why) } else { Tried::Lost(format!("the setting was written and not loaded again: {why}")) }
}

/// Ends client sessions: `everybody`'s, or those older than the last reload. Standbys keep streaming.
async fn end_sessions(members: &Members, member: &Member, permit: &Permit, everybody: bool) -> Result<(), String> {
    let session = members.open(member, Limits::within(LOOK)).await.map_err(|error| told(&error))?;
    if !permit.live() {
        return Err("the lease was lost".into());
    }
    let all = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'client backend' \
               AND pid <> pg_backend_pid()";
    let older = format!("{all} AND (backend_start IS NULL OR backend_start < pg_conf_load_time())");
    // One round trip from the permit to its effect.
    session.batch_execute(if everybody { all } else { &older }).await.map_err(|error| told(&error))
}

/// What shows that the member refuses writes now, or why nothing does.
///
/// The write is one that could touch no row, so trying changes nothing whichever way it goes; the server checks for a
/// read-only transaction before anything else (`standard_ExecutorStart`).
async fn refuses_writes(members: &Members, member: &Member) -> Result<String, String> {
    let session = members.open(member, Limits::within(LOOK)).await.map_err(|error| told(&error))?;
    tokio::time::timeout(LOOK, try_write(&session)).await.unwrap_or_else(|_elapsed| Err("it stopped answering".into()))
}

async fn try_write(session: &Session) -> Result<String, String> {
    const WRITE: &str = "DELETE FROM pg_catalog.pg_description WHERE false \
                         /* lifeboat looks whether a write is refused; this one can touch no row */";
    const OLDER: &str = "SELECT pg_is_in_recovery(), count(a.pid) FROM (SELECT 1) AS one \
        LEFT JOIN pg_stat_activity a ON a.backend_type = 'client backend' AND a.pid <> pg_backend_pid() \
        AND (a.backend_start IS NULL OR a.backend_start < pg_conf_load_time())";
    let refused = match session.batch_execute(WRITE).await {
        Ok(()) => return Err("a fresh session may write".into()),
        Err(error) => error.as_db_error().map(|db| db.code().code().to_owned()).ok_or_else(|| told(&error))?,
    };
    if refused != "25006" {
        return Err(format!("a fresh session's write failed with SQLSTATE {refused}, not 25006"));
    }
    let row = session.query_one(OLDER, &[]).await.map_err(|error| told(&error))?;
    let standby: bool = row.try_get(0).map_err(|error| told(&error))?;
    let older: i64 = row.try_get(1).map_err(|error| told(&error))?;
    match (standby, older) {
        (true, _) => Ok("it is a standby: a fresh session's write is refused with SQLSTATE 25006".into()),
        (false, 0) => {
            Ok("a fresh session's write is refused with SQLSTATE 25006, and every older session is ended".into())
        }
        (false, older) => Err(format!("{older} sessions are older than the change and may still write")),
    }
}

/// A program or an agent, and its effect.
async fn from_outside(members: &Members, member: &Member, method: &Method, call: &Call, within: Duration) -> Tried {
    let clock = SystemClock::start();
    let done = match method {
        Method::Command(program) => program::run(&program.run, call, within.mul_f64(0.7)).await,
        Method::Http(agent) => program::post(agent, call, &members.asking(), within.mul_f64(0.7)).await,
        Method::ReadOnly => Done::No("is not done from outside".into()),
    };
    let lost = match done {
        Done::Yes => None,
        Done::Lost(why) => Some(why),
        Done::No(why) => return Tried::Not(why),
    };
    let until = (clock.monotonic() + EFFECT).min(within);
    let mut wrote = false;
    loop {
        // A full look each time: a hurried one takes a slow server that accepts writes for a silent one.
        let why = match effect(members, member, method, call, lost.is_some(), &mut wrote).await {
            Ok(effect) => return Tried::Held(FenceProof { method: method.name().into(), effect }),
            Err(why) => why,
        };
        if clock.monotonic() + LOOK >= until {
            return match lost {
                Some(lost) => Tried::Lost(format!("{lost}, and no effect was seen: {why}")),
                None => Tried::Not(format!("it said that it is done, and no effect was seen: {why}")),
            };
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// What shows that the method holds, or why nothing does. A method that did not say that it is done (`lost`) is
/// believed by its verification alone: the server may have been refusing connections before. `wrote`: the server was seen
/// to accept writes after the method; from then on its silence, whatever a verification says, is no effect.
async fn effect(
    members: &Members,
    member: &Member,
    method: &Method,
    call: &Call,
    lost: bool,
    wrote: &mut bool,
) -> Result<String, String> {
    let (verified, reply) = futures::future::join(verify(members, method, call, LOOK), members.look(member)).await;
    *wrote |= reply.role() == Role::Primary;
    if let Some((done, effect)) = verified {
        return match (done, reply.role()) {
            (_, Role::Primary) => Err("the server accepts writes".into()),
            (Done::Yes, Role::Unknown(why)) if *wrote => {
                Err(format!("the server accepted writes after it, and now: {why}"))
            }
            (Done::Yes, Role::Unknown(_)) => Ok(effect),
            (Done::Yes, role @ (Role::Standby | Role::ReadOnly | Role::Down(_))) => {
                Ok(format!("{effect}, and the server is {role}"))
            }
            (Done::No(why) | Done::Lost(why), _) => Err(why),
        };
    }
    match reply {
        Reply::Refused(why) if !lost => Ok(format!("after it the server is down: {why}")),
        Reply::Refused(why) => Err(format!("{why}, and nothing says that the method did it; declare a verify")),
        Reply::Silent(why) => Err(format!("{why}; a silent server may serve others: declare a verify")),
        Reply::Answered(_) => refuses_writes(members, member).await,
    }
}
