//! What happens at a moment.

use std::time::Duration;

use lifeboat::{
    app::Request,
    engine::Stop,
    model::{Actor, Command, CommandBody, GroupName, Risk, RunId, RunKind, StepName, StopOrder, Term},
};
use serde::Deserialize;

use super::{moment::time, story::Line};
use crate::theatre::{
    links::{Blow, Cut, Fate, Planned},
    world::{Fencing, Health, World},
};

/// Something that happens.
#[derive(Debug, Clone)]
pub(super) enum Deed {
    /// A process asks for a run and drives it.
    Start {
        process: String,
        by: String,
        request: Box<Request>,
    },
    /// A process takes a run over; with `order`, it gives the order to resume where the run is paused.
    Resume {
        process: String,
        run: RunId,
        order: bool,
    },
    Process {
        process: String,
        what: Blows,
    },
    Order {
        run: RunId,
        command: Box<Command>,
    },
    Stop(Box<StopOrder>),
    World(Change),
    Fault(Planned),
    Cut(Cut),
    Mend(Link),
    Store {
        read_only: bool,
    },
    /// The documents are deleted.
    DocumentsGone,
}

/// What is done to a process.
#[derive(Debug, Clone, Copy)]
pub(super) enum Blows {
    Crash,
    Freeze(Duration),
    Stop(Stop),
    Clock(i64),
    Stay,
}

/// What happens in the world, in the words of the file.
#[derive(Debug, Clone)]
pub(super) struct Change {
    pub(super) words: String,
    pub(super) what: Changes,
}

#[derive(Debug, Clone)]
pub(super) enum Changes {
    Turns(String, Health),
    /// A person powers it on again.
    Unlocked(String),
    /// A person rebuilds it as the other's standby.
    Rebuilt(String, String),
    /// A person, or a script that knows nothing of the run, lets it take writes.
    Writable(String),
    Name(String),
    Replicates(bool),
    Fence(Fencing),
}

/// A fault at the next request of this name.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Doing {
    /// `db.promote`, `store.append`, or a prefix: `dns.`.
    word: String,
    #[serde(default)]
    from: Option<String>,
    #[serde(default)]
    region: Option<String>,
    /// So many of them pass first.
    #[serde(default)]
    skip: u32,
    #[serde(default = "once")]
    times: u32,
    #[serde(default)]
    fate: Option<FateWord>,
    /// What becomes of the process that sent it.
    #[serde(default)]
    sender: Option<SenderWord>,
}

fn once() -> u32 {
    1
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
enum FateWord {
    LoseRequest,
    LoseReply,
    /// It arrives this much later, when its sender has given up.
    Late(String),
    /// It arrives, and this much later once more.
    Twice(String),
    /// It takes this long there, and as long back.
    Slow(String),
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
enum SenderWord {
    Dies,
    Freezes(String),
}

/// A link: what is left out stands for all.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(super) struct Link {
    word: String,
    from: Option<String>,
    region: Option<String>,
    replies_only: bool,
}

impl Link {
    pub(super) fn picks(&self, cut: &Cut) -> bool {
        cut.word.starts_with(&self.word)
            && self.from.as_ref().is_none_or(|from| cut.process.as_ref() == Some(from))
            && self.region.as_ref().is_none_or(|region| cut.region.as_ref() == Some(region))
    }

    fn cut(&self) -> Cut {
        let Self { word, from, region, replies_only } = self.clone();
        Cut { process: from, word, region, replies_only }
    }
}

impl Doing {
    fn planned(&self) -> Result<Planned, String> {
        let (there, back) = (super::play::PACE, super::play::PACE);
        let fate = match &self.fate {
            None => Fate::Pass { there, back },
            Some(FateWord::LoseRequest) => Fate::LoseRequest,
            Some(FateWord::LoseReply) => Fate::LoseReply,
            Some(FateWord::Late(after)) => Fate::Late { after: time(after)? },
            Some(FateWord::Twice(again)) => Fate::Twice { again: time(again)? },
            Some(FateWord::Slow(takes)) => Fate::Pass { there: time(takes)?, back: time(takes)? },
        };
        let blow = match &self.sender {
            None => None,
            Some(SenderWord::Dies) => Some(Blow::Dies),
            Some(SenderWord::Freezes(for_time)) => Some(Blow::Freezes(time(for_time)?)),
        };
        let Self { word, from, region, skip, times, .. } = self.clone();
        Ok(Planned { process: from, word, region, skip, times, fate, blow })
    }
}

impl Deed {
    pub(super) fn of(line: &Line) -> Result<Self, String> {
        let given = [
            line.process.is_some(),
            line.person.is_some(),
            line.world.is_some(),
            line.fault.is_some(),
            line.cut.is_some(),
            line.mend.is_some(),
            line.store.is_some(),
            line.documents.is_some(),
        ];
        if given.iter().filter(|given| **given).count() != 1 {
            return Err("exactly one of process, person, world, fault, cut, mend, store and documents is needed".into());
        }
        let run = || line.run.clone().unwrap_or_else(|| "orders-1".parse().expect("a run"));
        let doing = || line.doing.as_deref().ok_or_else(|| "`do` is missing".to_owned());
        if let Some(process) = &line.process {
            return of_process(process, doing()?, line, run());
        }
        if let Some(person) = &line.person {
            let because = line.because.clone().unwrap_or_default();
            let by = person.parse().map_err(|error| format!("{error}"))?;
            if let Some(order) = stop(by, doing()?, &because) {
                return Ok(Self::Stop(Box::new(order)));
            }
            let body = order(doing()?)?;
            let command = Command {
                by: person.parse().map_err(|error| format!("{error}"))?,
                reason: because,
                at: jiff::Timestamp::UNIX_EPOCH,
                body,
                expected_term: line.expected_term.map(Term),
                signed: None,
            };
            return Ok(Self::Order { run: run(), command: Box::new(command) });
        }
        if let Some(words) = &line.world {
            return Ok(Self::World(Change { words: words.clone(), what: change(words)? }));
        }
        if let Some(fault) = &line.fault {
            return Ok(Self::Fault(fault.planned()?));
        }
        if let Some(link) = &line.cut {
            return Ok(Self::Cut(link.cut()));
        }
        if let Some(link) = &line.mend {
            return Ok(Self::Mend(link.clone()));
        }
        if let Some(what) = &line.documents {
            return if what == "gone" { Ok(Self::DocumentsGone) } else { Err("documents can be `gone`".into()) };
        }
        match line.store.as_deref() {
            Some("readOnly") => Ok(Self::Store { read_only: true }),
            Some("writable") => Ok(Self::Store { read_only: false }),
            other => Err(format!("the store is readOnly or writable, not {other:?}")),
        }
    }
}

fn of_process(process: &str, doing: &str, line: &Line, run: RunId) -> Result<Deed, String> {
    let process = process.to_owned();
    let what = |what| Ok(Deed::Process { process: process.clone(), what });
    let kind = match doing {
        "failover" => RunKind::Failover,
        "switchover" => RunKind::Switchover,
        "failback" => RunKind::Failback,
        "resume" => return Ok(Deed::Resume { process, run, order: true }),
        "take over" => return Ok(Deed::Resume { process, run, order: false }),
        "crash" => return what(Blows::Crash),
        "stop" => return what(Blows::Stop(Stop::Gently)),
        "stop now" => return what(Blows::Stop(Stop::Now)),
        "stay" => return what(Blows::Stay),
        other => {
            if let Some(for_time) = other.strip_prefix("freeze ") {
                return what(Blows::Freeze(time(for_time)?));
            }
            let milliseconds = |by: &str| time(by).map(|by| i64::try_from(by.as_millis()).unwrap_or(i64::MAX));
            if let Some(by) = other.strip_prefix("clock +") {
                return what(Blows::Clock(milliseconds(by)?));
            }
            if let Some(by) = other.strip_prefix("clock -") {
                return what(Blows::Clock(-milliseconds(by)?));
            }
            return Err(format!("a process cannot `{other}`"));
        }
    };
    let mut request = Request::new(kind, GroupName::new("orders").expect("a group"));
    request.rehearsal = line.rehearsal;
    (request.from, request.to) = (line.from.clone(), line.to.clone());
    request.reason = line.because.clone().unwrap_or_else(|| "the story says so".into());
    request.accept.clone_from(&line.accept);
    request.healthy_anyway = line.healthy_anyway;
    Ok(Deed::Start { process, by: line.by.clone().unwrap_or_else(|| "anna".into()), request: Box::new(request) })
}

/// `resume`, `retry dns`, `accept DataLoss`, `cancel and unwind` …
fn order(text: &str) -> Result<CommandBody, String> {
    let (verb, rest) = text.split_once(' ').unwrap_or((text, ""));
    let step = || StepName::new(rest).map_err(|error| error.to_string());
    let maybe_step = || if rest.is_empty() { Ok(None) } else { step().map(Some) };
    match (verb, rest) {
        ("pause", "") => Ok(CommandBody::Pause),
        ("resume", "") => Ok(CommandBody::Resume),
        ("cancel", "") => Ok(CommandBody::Cancel { unwind: false }),
        ("cancel", "and unwind") => Ok(CommandBody::Cancel { unwind: true }),
        ("retry", _) => Ok(CommandBody::Retry { step: step()? }),
        ("skip", _) => Ok(CommandBody::Skip { step: step()? }),
        ("approve", _) => Ok(CommandBody::Approve { step: maybe_step()? }),
        ("deny", _) => Ok(CommandBody::Deny { step: maybe_step()? }),
        ("accept", _) => {
            let risk = Risk::ALL.into_iter().find(|risk| risk.as_str() == rest);
            Ok(CommandBody::Accept { risk: risk.ok_or_else(|| format!("there is no risk `{rest}`"))? })
        }
        _ => Err(format!("a person cannot `{text}`")),
    }
}

/// `stop everything`, `stop the group`, and the lifting of both.
fn stop(by: Actor, text: &str, because: &str) -> Option<StopOrder> {
    let (stops, group) = match text {
        "stop everything" => (true, None),
        "stop the group" => (true, GroupName::new("orders").ok()),
        "lift the stop of everything" => (false, None),
        "lift the stop of the group" => (false, GroupName::new("orders").ok()),
        _ => return None,
    };
    Some(StopOrder { group, stops, by, reason: because.to_owned(), at: jiff::Timestamp::UNIX_EPOCH })
}

fn change(text: &str) -> Result<Changes, String> {
    let words: Vec<&str> = text.split(' ').collect();
    let region = |name: &str| match name {
        "fra" | "dub" => Ok(name.to_owned()),
        other => Err(format!("there is no region {other}")),
    };
    match words.as_slice() {
        ["the", "name", "points", "at", name] => Ok(Changes::Name((*name).to_owned())),
        ["replication", "stops"] => Ok(Changes::Replicates(false)),
        ["replication", "goes", "on"] => Ok(Changes::Replicates(true)),
        ["fences", "are", "honest"] => Ok(Changes::Fence(Fencing::Honest)),
        ["fences", "lie"] => Ok(Changes::Fence(Fencing::Lying)),
        [name, "goes", "dark"] => Ok(Changes::Turns(region(name)?, Health::Dark)),
        [name, "stops"] => Ok(Changes::Turns(region(name)?, Health::Stopped)),
        [name, "comes", "up"] => Ok(Changes::Turns(region(name)?, Health::Up)),
        [name, "is", "powered", "on"] => Ok(Changes::Unlocked(region(name)?)),
        [name, "is", "rebuilt", "from", other] => Ok(Changes::Rebuilt(region(name)?, region(other)?)),
        [name, "is", "made", "writable"] => Ok(Changes::Writable(region(name)?)),
        _ => Err(format!("nobody knows what happens when `{text}`")),
    }
}

impl Changes {
    /// Makes it so.
    pub(super) fn apply(&self, world: &mut World) {
        match self {
            Self::Turns(region, health) => world.turns(region, *health),
            Self::Unlocked(region) => {
                world.place(region).locked = false;
                world.turns(region, Health::Stopped);
                world.turns(region, Health::Up);
            }
            Self::Rebuilt(region, primary) => world.rebuilt(region, primary),
            Self::Writable(region) => {
                let place = world.place(region);
                (place.read_only, place.file_read_only, place.standby) = (false, false, false);
            }
            Self::Name(region) => world.name.clone_from(region),
            Self::Replicates(on) => world.replicating = *on,
            Self::Fence(fencing) => world.fencing = *fencing,
        }
    }
}
