//! What the buckets' answers mean. Pure.
//!
//! A bucket has no role of its own, so Lifeboat writes one down: the object `.lifeboat/primary.json` names the region
//! that serves, in each bucket's own words. How a bucket that answers is seen:
//!
//! | its own marker names | writes | role |
//! |---|---|---|
//! | its own region | accepted | primary |
//! | its own region | refused | read-only: a fenced primary |
//! | another region | either | standby (a reversed one stays fenced for applications) |
//! | nothing, another bucket's marker says that it took over from this one | accepted | primary: nobody told it |
//! | nothing, another bucket's marker does not mention it | either | standby |
//! | nothing, every other bucket answers, none has a marker | accepted | the one listed first: primary; the rest: standby |
//! | nothing, and another bucket, which may have one, does not answer | accepted | unknown |
//!
//! So before the first promotion the document's order decides, and two buckets that both believe in themselves show as
//! two primaries.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{client::Trouble, compare::Gap};
use crate::{
    model::{Facts, FenceProof, Loss, Observed, Output, RegionName, Role, Side},
    port::Known,
};

/// What `.lifeboat/primary.json` says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Marker {
    /// The region that serves.
    pub region: RegionName,
    /// The region that it took over from.
    pub from: RegionName,
    /// The run that said so.
    pub run: String,
    /// When, by the clock of the machine that ran it.
    pub at: Timestamp,
    /// This bucket is a standby that could not be fenced, and that is known.
    #[serde(default)]
    pub unfenced: bool,
}

impl Marker {
    /// Reads the object's body.
    pub fn read(body: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(body)
    }
}

/// What one bucket showed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Look {
    /// It answered.
    Seen(Seen),
    /// Its host answers that nothing listens there.
    Down(String),
    /// Nothing is known.
    Unknown(String),
}

/// What a bucket that answered showed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Seen {
    /// Its own marker, and the marker's entity tag.
    pub(super) marker: Option<(Marker, String)>,
    /// Its policy holds our statement; or why that cannot be known.
    pub(super) fence: Result<bool, String>,
    /// A write would be accepted, seen by its effect.
    pub(super) writable: bool,
}

impl Seen {
    /// Our statement is there, and it works.
    pub(super) fn fenced(&self) -> bool {
        self.fence == Ok(true) && !self.writable
    }
    /// The marker names this region.
    pub(super) fn names(&self, region: &RegionName) -> bool {
        self.marker.as_ref().is_some_and(|(marker, _)| marker.region == *region)
    }
}

impl Look {
    /// From the trouble with the first question.
    pub(super) fn from_trouble(trouble: &Trouble) -> Self {
        match trouble {
            Trouble::Refused(why) => Self::Down(why.clone()),
            Trouble::Silent(_) | Trouble::Denied(_) | Trouble::NotAsked(_) | Trouble::Answered { .. } => {
                Self::Unknown(trouble.to_string())
            }
        }
    }
    pub(super) fn seen(&self) -> Option<&Seen> {
        match self {
            Self::Seen(seen) => Some(seen),
            Self::Down(_) | Self::Unknown(_) => None,
        }
    }
    fn why(&self) -> String {
        match self {
            Self::Seen(_) => "it answers".into(),
            Self::Down(why) | Self::Unknown(why) => why.clone(),
        }
    }
}

/// The roles of all members, which stand in document order.
pub(super) fn roles(looks: &[(RegionName, Look)]) -> Vec<Side> {
    let side = |(index, (region, look)): (usize, &(RegionName, Look))| {
        let role = match look {
            Look::Down(why) => Role::Down(why.clone()),
            Look::Unknown(why) => Role::Unknown(why.clone()),
            Look::Seen(seen) => role(index, region, seen, looks),
        };
        Side { region: region.clone(), role, position: None }
    };
    looks.iter().enumerate().map(side).collect()
}

fn role(index: usize, region: &RegionName, seen: &Seen, looks: &[(RegionName, Look)]) -> Role {
    if let Some((marker, _)) = &seen.marker
        && marker.region != *region
    {
        return Role::Standby;
    }
    let newest = looks
        .iter()
        .filter_map(|(_, look)| look.seen()?.marker.as_ref())
        .map(|(marker, _)| marker)
        .max_by_key(|marker| marker.at);
    let all_answer = looks.iter().all(|(_, look)| look.seen().is_some());
    let believed = match (seen.marker.is_some(), newest) {
        (true, _) => Role::Primary,
        (false, Some(marker)) if marker.from == *region => Role::Primary,
        (false, Some(_)) => Role::Standby,
        (false, None) if all_answer && index == 0 => Role::Primary,
        (false, None) if all_answer => Role::Standby,
        (false, None) => {
            Role::Unknown("no marker here, and another bucket, which may hold one, does not answer".into())
        }
    };
    match (&believed, seen.writable, &seen.fence) {
        (Role::Standby, _, _) | (_, true, _) => believed,
        (_, false, Ok(true)) => Role::ReadOnly,
        (_, false, Ok(false)) => {
            Role::Unknown("writes are refused, and not by Lifeboat's fence: these credentials may not write".into())
        }
        (_, false, Err(why)) => Role::Unknown(format!("writes are refused, and the policy cannot be read: {why}")),
    }
}

/// The proof that a fence holds, seen without changing anything.
pub(super) fn proof(seen: &Seen) -> Option<FenceProof> {
    seen.fenced().then(|| FenceProof {
        method: "denyPolicy".into(),
        effect: "the policy denies writes to everybody, and a write was refused with 403".into(),
    })
}

/// Is the source fenced?
pub(super) fn fence(source: &RegionName, look: &Look, facts: Facts) -> Observed {
    match look {
        Look::Seen(seen) if seen.fenced() => Observed::Already { facts, output: fenced(true) },
        // A bucket that is down refuses to act too, certainly and without a trace: the act says so.
        Look::Seen(_) | Look::Down(_) => Observed::Ready { facts },
        Look::Unknown(why) => Observed::Unknown { why: format!("the bucket in {source} does not tell: {why}") },
    }
}

/// Does the source accept writes again?
pub(super) fn unfence(source: &Look, destination: &Look, to: &RegionName, facts: Facts) -> Observed {
    let seen = match source {
        Look::Seen(seen) => seen,
        Look::Down(why) | Look::Unknown(why) => {
            return Observed::Unknown { why: format!("the source's bucket does not tell: {why}") };
        }
    };
    match &seen.fence {
        Ok(false) => return Observed::Already { facts, output: fenced(false) },
        Ok(true) => {}
        Err(why) => return Observed::Unknown { why: format!("the source's policy cannot be read: {why}") },
    }
    if promoted(destination, to) {
        return Observed::Refused {
            facts,
            expected: format!("a destination that was not promoted: {to} is only a standby"),
            found: format!("{to} is the primary; two buckets would accept writes"),
        };
    }
    Observed::Ready { facts }
}

/// The destination's bucket says that it serves.
pub(super) fn promoted(destination: &Look, to: &RegionName) -> bool {
    destination.seen().is_some_and(|seen| seen.names(to))
}

/// Has the destination everything? `gap` is `None` when it could not be measured, with the reason.
pub(super) fn catch_up(source: &Look, gap: Result<&Gap, &Trouble>, facts: Facts) -> Observed {
    match (source, gap) {
        (Look::Down(why), _) => Observed::Refused {
            facts,
            expected: "a source that can be read".into(),
            found: format!("the source's bucket is down: {why}"),
        },
        (Look::Unknown(why), _) => Observed::Unknown { why: format!("the source's bucket does not tell: {why}") },
        (Look::Seen(_), Err(trouble)) => {
            Observed::Unknown { why: format!("the buckets cannot be compared: {trouble}") }
        }
        (Look::Seen(seen), Ok(gap)) if gap.lacking.is_empty() && seen.fenced() => {
            Observed::Already { facts, output: copied(0, 0, 0) }
        }
        (Look::Seen(_), Ok(_)) => Observed::Ready { facts },
    }
}

/// Is the destination the primary?
pub(super) fn promote(destination: &Look, to: &RegionName, facts: Facts, output: Output) -> Observed {
    match destination {
        Look::Seen(seen) if seen.names(to) && seen.writable => Observed::Already { facts, output },
        Look::Seen(_) => Observed::Ready { facts },
        Look::Down(why) => Observed::Refused {
            facts,
            expected: format!("a bucket in {to} that answers"),
            found: format!("it is down: {why}"),
        },
        Look::Unknown(why) => Observed::Unknown { why: format!("the bucket in {to} does not tell: {why}") },
    }
}

/// Is the source a fenced copy of the destination?
pub(super) fn reverse(
    source: &Look,
    destination: &Look,
    to: &RegionName,
    gap: Result<&Gap, &Trouble>,
    facts: Facts,
) -> Observed {
    match destination {
        Look::Seen(seen) if seen.names(to) => {}
        Look::Seen(_) => {
            return Observed::Refused {
                facts,
                expected: format!("{to} to be the primary"),
                found: format!("its bucket's marker does not name {to}; promote first"),
            };
        }
        Look::Down(why) | Look::Unknown(why) => {
            return Observed::Unknown { why: format!("the bucket in {to} does not tell: {why}") };
        }
    }
    match (source, gap) {
        (Look::Down(why), _) => Observed::Refused {
            facts,
            expected: "a source that answers, to become the standby".into(),
            found: format!("its bucket is down: {why}"),
        },
        (Look::Unknown(why), _) => Observed::Unknown { why: format!("the source's bucket does not tell: {why}") },
        (Look::Seen(_), Err(trouble)) => {
            Observed::Unknown { why: format!("the buckets cannot be compared: {trouble}") }
        }
        (Look::Seen(seen), Ok(gap)) => {
            let known_unfenced = seen.marker.as_ref().is_some_and(|(marker, _)| marker.unfenced);
            if gap.lacking.is_empty() && seen.names(to) && (seen.fenced() || known_unfenced) {
                Observed::Already { facts, output: reversed(copied(0, 0, 0), 0, seen.fenced()) }
            } else {
                Observed::Ready { facts }
            }
        }
    }
}

/// The loss of promoting now, when the source cannot be read: by the markers and by what the observers knew.
pub(super) fn loss_without_source(source: &RegionName, newest: Option<Timestamp>, known: &Known) -> Loss {
    let acknowledged = known.marker.as_ref().filter(|marker| marker.region == *source).map(|marker| marker.at);
    let (until, basis) = match (acknowledged, known.onset) {
        (Some(at), _) => (Some(at), "last marker"),
        (None, Some(onset)) => (Some(onset), "onset"),
        (None, None) => (None, "nothing: no marker and no onset is known"),
    };
    let seconds = match (until, newest) {
        (Some(until), Some(newest)) => Some(until.duration_since(newest).as_secs_f64().max(0.0)),
        (None, _) | (_, None) => None,
    };
    let basis = if newest.is_none() {
        format!("{basis}, and no marker of {source} is on the destination")
    } else {
        basis.into()
    };
    Loss { seconds, amount: None, unit: "objects".into(), basis }
}

pub(super) fn fenced(is: bool) -> Output {
    Output::from_iter([("fenced".into(), json!(is))])
}

pub(super) fn copied(objects: u64, bytes: u64, missing: usize) -> Output {
    Output::from_iter([
        ("copied".into(), json!(objects)),
        ("bytes".into(), json!(bytes)),
        ("missing".into(), json!(missing)),
    ])
}

pub(super) fn reversed(mut output: Output, set_aside: usize, fenced: bool) -> Output {
    output.insert("set_aside".into(), json!(set_aside));
    output.insert("fenced".into(), json!(fenced));
    output
}

/// Output of a promotion; what could not be counted is null.
pub(super) fn promotion(objects: Option<usize>, missing: Option<u64>) -> Output {
    Output::from_iter([("objects".into(), json!(objects)), ("missing".into(), json!(missing))])
}

/// Why a member did not answer, for messages.
pub(super) fn why_not(look: &Look) -> String {
    look.why()
}

#[cfg(test)]
#[path = "observe_table.rs"]
mod table;
