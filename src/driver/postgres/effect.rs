//! Whether a verb's effect is so, as pure functions of what the servers said.

use serde_json::{Map, Value, json};

use super::observe::{Answer, Reply, View, divergence, follows, loss};
use crate::{
    model::{Facts, Loss, Observed, Output, Role},
    net::postgres::Address,
    port::{Call, Known},
};

fn refused(facts: Facts, expected: &str, found: String) -> Observed {
    Observed::Refused { facts, expected: expected.into(), found }
}

/// An object as an output.
pub(super) fn fields(value: Value) -> Output {
    match value {
        Value::Object(map) => map,
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => Map::new(),
    }
}

/// A promotion's output.
pub(super) fn promoted(position: Option<u64>, timeline: Option<i32>, lost: &Loss) -> Output {
    fields(json!({"position": position, "timeline": timeline, "lost_seconds": lost.seconds, "lost_bytes": lost.amount}))
}

/// `database.unfence`.
pub(super) fn unfence(view: &View, call: &Call) -> Observed {
    let facts = view.facts();
    let (primaries, unseen) = view.primaries_beside(&call.source);
    if let Some(region) = primaries.first() {
        return refused(facts, "no other primary", format!("{region} is the primary; two would take writes"));
    }
    match view.role(&call.source) {
        Role::Unknown(why) => Observed::Unknown { why },
        Role::Primary => Observed::Already { facts, output: Output::new() },
        Role::ReadOnly if !unseen.is_empty() => Observed::Unknown {
            why: format!("{} does not say whether it is the primary", unseen.first().map_or("", |r| r.as_str())),
        },
        Role::ReadOnly => Observed::Ready { facts },
        role @ (Role::Standby | Role::Down(_)) => {
            refused(facts, "a read-only server", format!("{} is {role}", call.source))
        }
    }
}

/// `database.catchUp`.
pub(super) fn catch_up(view: &View, call: &Call) -> Observed {
    let facts = view.facts();
    let (Some(Reply::Answered(source)), Some(Reply::Answered(destination))) =
        (view.of(&call.source), view.of(&call.destination))
    else {
        let (from, to) = (view.role(&call.source), view.role(&call.destination));
        let why = format!("both must answer: {} is {from}, {} is {to}", call.source, call.destination);
        return Observed::Unknown { why };
    };
    let lag = lag(source, destination);
    match (view.role(&call.source), lag) {
        (Role::ReadOnly | Role::Standby, Some(0)) => {
            Observed::Already { facts, output: caught_up(source, destination) }
        }
        _ => Observed::Ready { facts },
    }
}

/// Bytes that the destination has not replayed of what the source wrote; `None` where one of them does not say.
pub(super) fn lag(source: &Answer, destination: &Answer) -> Option<u64> {
    let replayed = destination.replayed.max(destination.written);
    source.position().zip(replayed).map(|(end, has)| end.saturating_sub(has))
}

/// The output of a wait that ended.
pub(super) fn caught_up(source: &Answer, destination: &Answer) -> Output {
    let lag = lag(source, destination);
    let loss = loss(Some(&Reply::Answered(Box::new(source.clone()))), destination, &Known::default());
    let seconds = if lag == Some(0) { Some(0.0) } else { loss.seconds };
    fields(json!({"lag_bytes": lag, "lag_seconds": seconds}))
}

/// `database.promote`.
pub(super) fn promote(view: &View, call: &Call) -> Observed {
    let mut facts = view.facts();
    match (view.of(&call.destination), view.role(&call.destination), view.role(&call.source)) {
        (_, Role::Unknown(why), _) => Observed::Unknown { why },
        (_, Role::Primary, Role::Primary) => {
            refused(facts, "one primary", format!("{} and {} both accept writes", call.source, call.destination))
        }
        (Some(Reply::Answered(answer)), Role::Primary, _) => {
            // Markers go on after a promotion, so they no longer tell what was lost by it.
            let then = Answer { marker: None, ..answer.as_ref().clone() };
            let lost = loss(view.of(&call.source), &then, &call.known);
            let output = promoted(answer.written, None, &lost);
            facts.loss = Some(lost);
            Observed::Already { facts, output }
        }
        (Some(Reply::Answered(answer)), Role::Standby, _) => {
            facts.loss = Some(loss(view.of(&call.source), answer, &call.known));
            facts.marker = answer.marker;
            facts.divergence = view
                .of(&call.source)
                .and_then(Reply::answer)
                .and_then(|source| divergence(&call.destination, source, answer));
            Observed::Ready { facts }
        }
        (_, role, _) => refused(facts, "a standby", format!("{} is {role}", call.destination)),
    }
}

/// `database.verify`: only its write proves anything.
pub(super) fn verify(view: &View, call: &Call) -> Observed {
    match view.role(&call.destination) {
        Role::Unknown(why) => Observed::Unknown { why },
        Role::Primary | Role::Standby | Role::ReadOnly | Role::Down(_) => Observed::Ready { facts: view.facts() },
    }
}

/// `database.reverse`. The roles are looked at right before: reversing throws away what the source has alone.
pub(super) fn reverse(view: &View, call: &Call, destination: &Address) -> Observed {
    let mut facts = view.facts();
    let (Some(from), Some(to)) = (view.of(&call.source), view.of(&call.destination)) else {
        return Observed::Unknown { why: format!("no member in {} or {}", call.source, call.destination) };
    };
    if follows(from, to, &destination.host, destination.port) {
        return Observed::Already { facts, output: Output::new() };
    }
    match (from.role(), to.role()) {
        (_, Role::Unknown(why)) => Observed::Unknown { why },
        (Role::Primary, Role::Primary) => refused(
            facts,
            "a source that accepts no writes",
            format!("{} and {} both accept writes; fence {} first", call.source, call.destination, call.source),
        ),
        // With a standby at the destination: before the promotion, as in a rehearsal; nothing stands against it yet.
        (_, Role::Primary) => {
            // A source that is down cannot be asked; what it held then is in the loss that its promotion stated.
            let both = to.answer().zip(from.answer());
            facts.divergence = both.and_then(|(to, from)| divergence(&call.source, to, from));
            Observed::Ready { facts }
        }
        (Role::Primary | Role::ReadOnly, Role::Standby) => Observed::Ready { facts },
        (_, role) => refused(facts, "a primary at the destination", format!("{} is {role}", call.destination)),
    }
}
