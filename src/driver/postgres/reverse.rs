//! Making the old primary a standby of the new one, by the program that the target names.
//!
//! Promises: the program is not taken at its word: the act is done when the standby is seen streaming. A server that it said it had
//! started, and that does not come up, ends the try and not the step's time.

use std::time::Duration;

use serde_json::json;

use super::{
    client::Members,
    effect::{self, fields},
    observe::View,
    operation::{lease_lost, not},
    params::Member,
    program::{self, Done},
};
use crate::{
    model::{Attempt, Observed, Role},
    port::{Call, Clock, Permit, SystemClock},
};

/// A server listens as soon as it runs, also while it recovers. One that was said to run and does not listen for this long, or for a
/// quarter of the time that the step has, was not started, or ended at once: waiting on would not bring it back.
const COMES_UP_WITHIN: Duration = Duration::from_mins(1);
/// Between two looks at a server that is to come up.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// `database.reverse`.
pub(super) async fn reverse(members: &Members, permit: &Permit, call: &Call) -> Attempt {
    let clock = SystemClock::start();
    let (Some(_), Some(to)) = (members.of(&call.source), members.of(&call.destination)) else {
        return not(format!("the target has no member in {} or {}", call.source, call.destination), false);
    };
    let Some(program) = &members.params.reverse else {
        let why = "no reverse program is declared; write `reverse: {run: [PROGRAM, …]}` in the target, which makes the \
                   source a standby of the destination (pg_rewind, pg_basebackup), or do it by hand";
        return not(why, false);
    };
    let view = members.view(Some(&call.source)).await;
    if let Some(attempt) = unless_ready(&view, call, to) {
        return attempt;
    }
    if !permit.live() {
        return lease_lost();
    }
    let budget = call.timeout.mul_f64(0.9);
    let lost = match program::run(&program.run, call, budget).await {
        Done::Yes => None,
        Done::No(why) => return not(why, true),
        Done::Lost(why) => Some(why),
    };
    streams(members, call, to, &clock, budget, lost).await
}

/// What is said instead of an act.
fn unless_ready(view: &View, call: &Call, to: &Member) -> Option<Attempt> {
    let found = view.role(&call.destination);
    if found != Role::Primary {
        let silent = matches!(found, Role::Down(_) | Role::Unknown(_));
        let why = format!("expected {} to be the primary before reversing, found {found}", call.destination);
        return Some(not(why, silent));
    }
    match effect::reverse(view, call, &to.server.address) {
        Observed::Ready { .. } => None,
        Observed::Already { facts, output } => Some(Attempt::Applied { output, facts }),
        Observed::Refused { expected, found, .. } => Some(not(format!("expected {expected}, found {found}"), false)),
        Observed::Unknown { why } => Some(not(why, true)),
    }
}

/// Waits until the old primary streams from the new one. `lost`: why the program's word is missing.
async fn streams(
    members: &Members,
    call: &Call,
    to: &Member,
    clock: &dyn Clock,
    budget: Duration,
    lost: Option<String>,
) -> Attempt {
    let source = &call.source;
    // When the server listened last; the program's word counts once.
    let mut listened = clock.monotonic();
    loop {
        let view = members.view(Some(source)).await;
        if let Observed::Already { mut facts, output } = effect::reverse(&view, call, &to.server.address) {
            facts.details = fields(json!({"streams_from": to.server.address.to_string()}));
            return Attempt::Applied { output, facts };
        }
        let (now, role) = (clock.monotonic(), view.role(source));
        if !matches!(role, Role::Down(_)) {
            listened = now;
        }
        if lost.is_none() && now.saturating_sub(listened) >= COMES_UP_WITHIN.min(budget / 4) {
            let why =
                format!("the program said done, and {source} is {role} ever since; see what the program wrote down");
            return not(why, true);
        }
        if now >= budget {
            let seen = format!("{source} is {role} and does not stream");
            let said = lost.unwrap_or_else(|| "the program said done".to_owned());
            return Attempt::Unknown { why: format!("{said}; {seen}") };
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}
