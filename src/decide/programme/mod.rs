//! Whether the programme of drills is kept: a pure function of what is in the ledger, the policy, and a day.
//!
//! 1. The runs that a requirement asks for are its *trials*. Only those that ended on the day or before count.
//! 2. A trial is **valid**, or it is not and says why, or it waits for a sign-off that is not late yet.
//! 3. The last trial decides: an older pass hides no failure. The last valid one says when the next is due: on the day (UTC) on
//!    which it ended plus the period in calendar days. That day is still in time; the day after is not.
//! 4. A drill that showed something else than what there is now is stale, whatever its age.
//! 5. Where both ways are asked for, the worse one is the answer.
//!
//! With nothing new in the ledger, days only make it worse: nothing becomes current again by waiting (but for a waiver that hides
//! what is under it, and says so).

mod score;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use jiff::{Span, Timestamp, civil::Date, tz::TimeZone};
use serde::Serialize;

pub use score::{Compared, GroupFacts, Overdue, Part, Preparedness, Score, score};

use crate::model::{
    Acceptable, Actor, Change, Digest, Direction, Directions, DrillMode, Exercise, ParityAsked, Requirement, RunId,
    RunKind,
};

/// The rule by which days are counted, as it is printed.
pub const RULE: &str = "due on the day (UTC) on which the last valid run ended plus the period in calendar days; overdue from the day \
                        after; the last run decides, and an older pass hides no failure";

/// The verdict on a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Shown {
    /// Without any finding.
    Passed,
    /// It did what it should, and something deviated.
    PassedWithFindings,
    /// It did not.
    Failed(String),
    /// Nobody can tell.
    Inconclusive(String),
}

/// What a run pinned of what it showed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pins {
    /// Of the steps.
    pub runbook: Digest,
    /// Of regions and targets.
    pub topology: Digest,
    /// Objectives for recovery time and recovery point, in seconds.
    pub objectives: (u64, u64),
    /// The program's version.
    pub version: String,
}

/// What a person said of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// Who.
    pub by: Actor,
    /// The person stands behind it.
    pub accepted: bool,
    /// When it was entered.
    pub at: Timestamp,
    /// In the person's words.
    pub comment: String,
}

/// A run that ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trial {
    /// Which.
    pub run: RunId,
    /// What for.
    pub kind: RunKind,
    /// How far it went; `None`: it was no drill.
    pub drill: Option<DrillMode>,
    /// Which way.
    pub direction: Direction,
    /// When it ended.
    pub ended: Timestamp,
    /// The verdict.
    pub shown: Shown,
    /// Its recovery time met its objective; `None`: it was not measured.
    pub time_met: Option<bool>,
    /// Its loss met its objective; `None`: it was not measured.
    pub loss_met: Option<bool>,
    /// What its comparison of controls found; `None`: it made none.
    pub compared: Option<Compared>,
    /// What it showed; `None`: its record cannot be read.
    pub pins: Option<Pins>,
    /// What persons said of its record, in order.
    pub said: Vec<Said>,
}

impl Trial {
    /// It moved the group.
    pub fn moved(&self) -> bool {
        match self.drill {
            None | Some(DrillMode::Live) => true,
            Some(DrillMode::Rehearse | DrillMode::Isolated) => false,
        }
    }

    fn isolated(&self) -> bool {
        self.drill == Some(DrillMode::Isolated)
    }

    /// Both objectives were met by measurement.
    pub fn met(&self) -> bool {
        self.time_met == Some(true) && self.loss_met == Some(true)
    }
}

/// A waiver.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Grant {
    /// The requirement's title.
    pub requirement: String,
    /// To the end of this day.
    pub until: Date,
    /// Why.
    pub reason: String,
    /// Who answers for it.
    pub by: Actor,
    /// When it was entered.
    pub at: Timestamp,
}

/// What is in force: what a drill of today would show. What is not in it is not known.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Force {
    /// The runbook of each kind of run, on stand-ins (`true`) and on the real targets.
    pub runbooks: BTreeMap<(RunKind, bool), Digest>,
    /// The regions and targets, the stand-ins (`true`) and the real ones.
    pub topologies: BTreeMap<bool, Digest>,
    /// Objectives for recovery time and recovery point, in seconds.
    pub objectives: Option<(u64, u64)>,
    /// The program's version.
    pub version: Option<String>,
    /// Why something is not known, although it should be.
    pub unknown: Vec<String>,
    /// What would keep a failover from its end now; `None`: nobody looked.
    pub blocks: Option<Vec<String>>,
}

impl Force {
    /// By the newest runs: how a past day is judged, for which no documents are kept.
    pub fn of(trials: &[Trial]) -> Self {
        let mut force = Self::default();
        let mut sorted: Vec<&Trial> = trials.iter().collect();
        sorted.sort_by_key(|trial| (trial.ended, trial.run.number));
        for (trial, pins) in sorted.into_iter().filter_map(|trial| Some((trial, trial.pins.as_ref()?))) {
            force.runbooks.insert((trial.kind, trial.isolated()), pins.runbook.clone());
            force.topologies.insert(trial.isolated(), pins.topology.clone());
            force.objectives = Some(pins.objectives);
            force.version = Some(pins.version.clone());
        }
        force
    }
}

/// How a requirement stands. The worse, the later; a waiver is apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Status {
    /// In time.
    Current,
    /// In time, and not for long.
    DueSoon,
    /// Nobody signed the last run off, and there is still time to.
    AwaitingSignoff,
    /// The last run counts, and a failover would not work now, or nobody can tell whether it would be the same.
    Blocked,
    /// The last run showed something else than what there is now.
    Stale,
    /// Its time is over.
    Overdue,
    /// The last run does not count.
    Failed,
    /// There is no run.
    Never,
    /// It is not asked for, for a while.
    Waived,
}

impl Status {
    /// As shown.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Current => "CURRENT",
            Self::DueSoon => "DUE_SOON",
            Self::AwaitingSignoff => "AWAITING_SIGNOFF",
            Self::Blocked => "BLOCKED",
            Self::Stale => "STALE",
            Self::Overdue => "OVERDUE",
            Self::Failed => "FAILED",
            Self::Never => "NEVER",
            Self::Waived => "WAIVED",
        }
    }

    /// What is asked for is so.
    pub fn is_kept(self) -> bool {
        matches!(self, Self::Current | Self::DueSoon)
    }

    /// Somebody must act: the exit code of CI.
    pub fn is_broken(self) -> bool {
        match self {
            Self::Stale | Self::Overdue | Self::Failed | Self::Never => true,
            Self::Current | Self::DueSoon | Self::AwaitingSignoff | Self::Blocked | Self::Waived => false,
        }
    }
}

/// How one requirement stands, or one way of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Standing {
    /// The requirement's title.
    pub requirement: String,
    /// What it asks for.
    pub kind: Exercise,
    /// At least every so many calendar days.
    pub every_days: u32,
    /// How it stands.
    pub status: Status,
    /// What the waiver hides.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hidden: Option<Status>,
    /// The last run, whatever came of it.
    pub last: Option<RunId>,
    /// Whether that counts; absent: there is none, or it waits for a sign-off.
    pub last_counts: Option<bool>,
    /// The last run that counts, of the way that is worse.
    pub valid: Option<RunId>,
    /// When that ended.
    pub valid_ended: Option<Timestamp>,
    /// The last day that is in time: for the next run, or the next try after a failure.
    pub due: Option<Date>,
    /// Why.
    pub why: Vec<String>,
    /// The waiver.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub waived: Option<Grant>,
}

/// The day, UTC.
pub fn day(at: Timestamp) -> Date {
    at.to_zoned(TimeZone::UTC).date()
}

fn after(day: Date, days: u32) -> Date {
    day.checked_add(Span::new().days(days)).unwrap_or(Date::MAX)
}

/// How a requirement stood at the end of a day (UTC).
pub fn standing(asked: &Requirement, trials: &[Trial], grants: &[Grant], force: &Force, as_of: Date) -> Standing {
    let mut mine: Vec<&Trial> = trials
        .iter()
        .filter(|trial| day(trial.ended) <= as_of)
        .filter(|trial| asked.kind.is(trial.kind, trial.drill, asked.counts_real_events))
        .collect();
    mine.sort_by_key(|trial| (trial.ended, trial.run.number));
    let mut found = match asked.directions {
        Directions::Any => way(asked, &mine, force, as_of),
        Directions::Both => {
            let [away, home] = [Direction::Away, Direction::Home].map(|direction| {
                // A run whose record is missing may have gone either way.
                let of = |trial: &&Trial| trial.direction == direction || trial.pins.is_none();
                let only: Vec<&Trial> = mine.iter().copied().filter(of).collect();
                let mut one = way(asked, &only, force, as_of);
                one.why.iter_mut().for_each(|why| *why = format!("{}: {why}", direction.as_str()));
                one
            });
            let due = away.due.into_iter().chain(home.due).min();
            let home_is_worse = home.status > away.status || (home.status == away.status && home.due < away.due);
            let (mut worse, better) = if home_is_worse { (home, away) } else { (away, home) };
            worse.why.extend(better.why);
            worse.due = due;
            worse
        }
    };
    let grant = grants
        .iter()
        .filter(|grant| grant.requirement == asked.title() && day(grant.at) <= as_of && as_of <= grant.until)
        .max_by_key(|grant| grant.at);
    if let Some(grant) = grant.filter(|_| !found.status.is_kept()) {
        let why = format!("waived by {} until {}: {}", grant.by, grant.until, grant.reason);
        found.why.insert(0, why);
        found.hidden = Some(found.status);
        found.status = Status::Waived;
        found.waived = Some(grant.clone());
    }
    found
}

/// How one way of it stands. The trials are in order, and all of this way.
fn way(asked: &Requirement, trials: &[&Trial], force: &Force, as_of: Date) -> Standing {
    let valid = trials.iter().rev().find(|trial| counts(asked, trial, as_of) == Counts::Yes);
    let mut found = Standing {
        requirement: asked.title(),
        kind: asked.kind,
        every_days: asked.every_days,
        status: Status::Never,
        hidden: None,
        last: trials.last().map(|trial| trial.run.clone()),
        last_counts: None,
        valid: valid.map(|trial| trial.run.clone()),
        valid_ended: valid.map(|trial| trial.ended),
        due: valid.map(|trial| after(day(trial.ended), asked.every_days)),
        why: Vec::new(),
        waived: None,
    };
    let Some(last) = trials.last() else {
        found.why.push(format!("no {} is in the ledger", asked.kind.lower()));
        return found;
    };
    let ended = day(last.ended);
    let own_due = after(ended, asked.every_days);
    let judged = counts(asked, last, as_of);
    found.last_counts = match judged {
        Counts::Yes => Some(true),
        Counts::No(_) => Some(false),
        Counts::Awaits(_) => None,
    };
    match judged {
        Counts::No(why) => {
            let retest = after(ended, asked.retest_within_days);
            let again = if as_of > retest { "was due by" } else { "is due by" };
            found.why.push(format!("{} of {ended} does not count: {why}", last.run));
            found.why.push(format!("a new try {again} {retest}"));
            (found.status, found.due) = (Status::Failed, Some(retest));
        }
        Counts::Yes | Counts::Awaits(_) if as_of > own_due => {
            found.why.push(format!("{} of {ended} was the last that counts, and {own_due} is over", last.run));
            (found.status, found.due) = (Status::Overdue, Some(own_due));
        }
        Counts::Awaits(until) => {
            found.why.push(format!("{} of {ended} is to be signed off by {until}", last.run));
            found.status = Status::AwaitingSignoff;
        }
        Counts::Yes => {
            (found.status, found.why) = in_time(asked, last, force, as_of, own_due);
        }
    }
    found
}

/// How a valid run within its time stands.
fn in_time(asked: &Requirement, last: &Trial, force: &Force, as_of: Date, due: Date) -> (Status, Vec<String>) {
    let (stale, unknown) = changes(asked, last, force);
    if !stale.is_empty() {
        return (Status::Stale, stale);
    }
    if !unknown.is_empty() {
        return (Status::Blocked, unknown);
    }
    if let Some(blocks) = force.blocks.as_ref().filter(|blocks| !blocks.is_empty()) {
        let why = format!("a failover would not work now: {}", blocks.join("; "));
        return (Status::Blocked, vec![why]);
    }
    let left = as_of.until(due).map_or(0, |span| span.get_days());
    if i64::from(left) <= i64::from(asked.warn_days) {
        return (Status::DueSoon, vec![format!("{} counts for {left} more days", last.run)]);
    }
    (Status::Current, Vec::new())
}

/// Whether a run counts.
#[derive(Debug, PartialEq, Eq)]
enum Counts {
    Yes,
    /// It does when somebody signs it off, by this day.
    Awaits(Date),
    No(String),
}

fn counts(asked: &Requirement, trial: &Trial, as_of: Date) -> Counts {
    let rules = &asked.valid;
    let short = match &trial.shown {
        Shown::Passed if rules.verdicts.contains(&Acceptable::Passed) => None,
        Shown::PassedWithFindings if rules.verdicts.contains(&Acceptable::PassedWithFindings) => None,
        Shown::Passed => Some("it passed, which the policy does not accept".to_owned()),
        Shown::PassedWithFindings => Some("it passed with findings, which the policy does not accept".to_owned()),
        Shown::Failed(why) => Some(format!("it failed: {why}")),
        Shown::Inconclusive(why) => Some(format!("nobody can tell whether it passed: {why}")),
    };
    if let Some(why) = short {
        return Counts::No(why);
    }
    for (asked, met, name) in [
        (rules.recovery_time_met, trial.time_met, "recovery time"),
        (rules.recovery_point_met, trial.loss_met, "data loss"),
    ] {
        match met {
            Some(false) if asked && trial.moved() => return Counts::No(format!("its {name} missed the objective")),
            None if asked && trial.moved() => return Counts::No(format!("its {name} was not measured")),
            Some(_) | None => {}
        }
    }
    if let Some(why) = unlike(rules.parity, trial) {
        return Counts::No(why);
    }
    rules.signed_off_within_days.map_or(Counts::Yes, |days| signed(trial, after(day(trial.ended), days), as_of))
}

/// Why the controls that a trial compared are not enough. Real events compare none.
fn unlike(asked: ParityAsked, trial: &Trial) -> Option<String> {
    match (asked, &trial.compared) {
        (ParityAsked::Any, _) | (ParityAsked::NoFail, None) => None,
        (_, Some(compared)) if !compared.failed.is_empty() => {
            Some(format!("controls differ between the regions: {}", compared.failed.join("; ")))
        }
        (ParityAsked::AllChecked, Some(compared)) if compared.unchecked > 0 => {
            Some(format!("{} controls were not checked", compared.unchecked))
        }
        (ParityAsked::AllChecked, None) if trial.drill.is_some() => Some("it compared no controls".to_owned()),
        (ParityAsked::NoFail | ParityAsked::AllChecked, _) => None,
    }
}

/// The last word of each person counts. One who dissents is not outvoted.
fn signed(trial: &Trial, until: Date, as_of: Date) -> Counts {
    let mut last: BTreeMap<&Actor, &Said> = BTreeMap::new();
    for said in trial.said.iter().filter(|said| day(said.at) <= as_of) {
        last.insert(&said.by, said);
    }
    if let Some(said) = last.values().find(|said| !said.accepted) {
        let words = if said.comment.trim().is_empty() { "without a comment" } else { said.comment.trim() };
        return Counts::No(format!("{} does not stand behind its record: {words}", said.by));
    }
    if last.values().any(|said| day(said.at) <= until) {
        Counts::Yes
    } else if as_of <= until {
        Counts::Awaits(until)
    } else {
        Counts::No(format!("nobody signed it off by {until}"))
    }
}

/// What is no longer as the run showed it, and what nobody can tell.
fn changes(asked: &Requirement, last: &Trial, force: &Force) -> (Vec<String>, Vec<String>) {
    let (mut stale, mut unknown) = (Vec::new(), Vec::new());
    let Some(pins) = &last.pins else {
        return (stale, vec![format!("what {} showed cannot be read from its record", last.run)]);
    };
    let mut compare = |name: &str, same: Option<bool>| match same {
        Some(true) => {}
        Some(false) => stale.push(format!("the {name} changed since {}", last.run)),
        None => {
            let because = force.unknown.join("; ");
            unknown.push(format!("nobody can tell whether the {name} changed since {}: {because}", last.run));
        }
    };
    for change in &asked.stale_on {
        match change {
            Change::RunbookChange => {
                let now = force.runbooks.get(&(last.kind, last.isolated()));
                compare("runbook", now.map(|now| *now == pins.runbook));
            }
            Change::TopologyChange => {
                let now = force.topologies.get(&last.isolated());
                compare("topology", now.map(|now| *now == pins.topology));
            }
            Change::ObjectiveChange => {
                compare("objectives", force.objectives.map(|now| now == pins.objectives));
            }
            Change::EngineMajor => {
                let now = force.version.as_deref();
                compare("program's major version", now.map(|now| major(now) == major(&pins.version)));
            }
        }
    }
    (stale, unknown)
}

/// The part of a version whose change may break things (semver.org: the major one, and below 1.0 the minor one).
fn major(version: &str) -> &str {
    let upto = |dots: usize| version.match_indices('.').nth(dots).map_or(version, |(at, _)| &version[..at]);
    if version.starts_with("0.") { upto(1) } else { upto(0) }
}
