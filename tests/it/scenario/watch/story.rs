//! What a file may say. Anything else is refused.

use std::time::Duration;

use jiff::SignedDuration;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::super::moment::time;

/// The regions, by their place in the documents.
pub(super) const REGIONS: [&str; 2] = ["fra", "dub"];
/// What is probed of each region.
pub(super) const PROBES: [&str; 2] = ["edge", "db"];

/// One file.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Story {
    /// What happens and what must come of it, in one paragraph.
    #[serde(rename = "story")]
    pub(super) told: String,
    promise: Vec<String>,
    /// Fields of the `ProtectionGroup`, in place of those of the group of all stories.
    #[serde(default)]
    pub(super) group: Map<String, Value>,
    #[serde(default = "three")]
    pub(super) observers: Vec<String>,
    /// Those of them that judge, too.
    #[serde(default = "first")]
    pub(super) judges: Vec<String>,
    /// What the wall clocks show at the beginning.
    #[serde(default = "beginning")]
    pub(super) begins: jiff::Timestamp,
    script: Vec<Line>,
    /// The curtain falls then.
    #[serde(default)]
    lasts: Option<String>,
    #[serde(default)]
    pub(super) transcript: String,
    #[serde(default)]
    pub(super) end: Value,
    #[serde(skip)]
    pub(super) acts: Vec<(Duration, Act, String)>,
}

fn three() -> Vec<String> {
    ["ams", "lon", "par"].map(str::to_owned).into()
}
fn first() -> Vec<String> {
    vec!["ams".to_owned()]
}
fn beginning() -> jiff::Timestamp {
    "2026-01-01T00:00:00Z".parse().unwrap()
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    at: String,
    #[serde(rename = "do")]
    doing: String,
}

/// What a probe finds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    Well,
    Slow,
    Silent,
    Wrong,
}

/// Something that happens.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Act {
    /// These probes of a region find this.
    Region {
        region: String,
        probe: Option<String>,
        answer: Answer,
    },
    /// A region goes dark and comes up, in turn, so long each.
    Flaps {
        region: String,
        every: Option<Duration>,
    },
    /// An observer does not reach a region, or reaches it again; everything: its own network is cut.
    Cut {
        observer: String,
        region: Option<String>,
        cut: bool,
    },
    /// An observer says that a region is down, whatever it is.
    Lies {
        observer: String,
        region: String,
        lies: bool,
    },
    /// An observer's process is not there, or there again.
    Observer {
        observer: String,
        lives: bool,
    },
    /// The store does not answer an observer, or everybody.
    Store {
        observer: Option<String>,
        lost: bool,
    },
    Clock {
        observer: String,
        by: SignedDuration,
    },
    /// A person stops the group, or lets it go on.
    Stop {
        stops: bool,
    },
    /// Somebody's run is open, or is closed.
    Run {
        open: bool,
    },
}

impl Story {
    /// Reads a file; the error says what nobody knows.
    pub(super) fn read(text: &str) -> Result<Self, String> {
        let value: Value = yaml_serde::from_str(text).map_err(|error| error.to_string())?;
        let mut story: Self = serde_json::from_value(value).map_err(|error| error.to_string())?;
        if story.told.trim().is_empty() {
            return Err("a story tells what happens and what must come of it".into());
        }
        for promise in &story.promise {
            let number = promise.strip_prefix('S').and_then(|number| number.parse::<u32>().ok());
            if !number.is_some_and(|number| (1..=14).contains(&number)) {
                return Err(format!("there is no promise {promise}"));
            }
        }
        if let Some(stranger) = story.judges.iter().find(|judge| !story.observers.contains(judge)) {
            return Err(format!("{stranger} judges and is no observer"));
        }
        for line in &story.script {
            let (at, act) = (time(&line.at)?, story.act(&line.doing)?);
            story.acts.push((at, act, line.doing.clone()));
        }
        story.acts.sort_by_key(|(at, ..)| *at);
        story.lasts()?;
        Ok(story)
    }

    /// When the curtain falls: five minutes after the beginning, or what the file says.
    pub(super) fn lasts(&self) -> Result<Duration, String> {
        self.lasts.as_deref().map_or(Ok(Duration::from_mins(5)), time)
    }

    fn act(&self, text: &str) -> Result<Act, String> {
        let unknown = || format!("nobody knows what `{text}` means; tests/scenario/README.md has the words");
        let observer = |name: &str| {
            let known = self.observers.iter().find(|known| *known == name);
            known.cloned().ok_or_else(|| format!("`{name}` is no observer of this story"))
        };
        let region = |name: &str| {
            REGIONS.iter().find(|known| **known == name).map(|name| (*name).to_owned()).ok_or_else(unknown)
        };
        let probe = |name: &str| {
            let known = PROBES.iter().find(|known| **known == name);
            known.map(|name| Some((*name).to_owned())).ok_or_else(unknown)
        };
        let words: Vec<&str> = text.split_whitespace().collect();
        let of_region = |name, probe, answer| Ok(Act::Region { region: region(name)?, probe, answer });
        match words.as_slice() {
            [name, "goes", "dark"] => of_region(name, None, Answer::Silent),
            [name, "comes", "up"] => of_region(name, None, Answer::Well),
            [name, "is", "slow"] => of_region(name, None, Answer::Slow),
            [name, "answers", "wrongly"] => of_region(name, None, Answer::Wrong),
            [what, "of", name, "fails"] => of_region(name, probe(what)?, Answer::Wrong),
            [what, "of", name, "works"] => of_region(name, probe(what)?, Answer::Well),
            [name, "flaps", "every", every] => Ok(Act::Flaps { region: region(name)?, every: Some(time(every)?) }),
            [name, "is", "steady"] => Ok(Act::Flaps { region: region(name)?, every: None }),
            [word @ ("cut" | "mend"), name, "from", "everything"] => {
                Ok(Act::Cut { observer: observer(name)?, region: None, cut: *word == "cut" })
            }
            [word @ ("cut" | "mend"), name, "from", to] => {
                Ok(Act::Cut { observer: observer(name)?, region: Some(region(to)?), cut: *word == "cut" })
            }
            [name, "says", "that", of, "is", "down"] => {
                Ok(Act::Lies { observer: observer(name)?, region: region(of)?, lies: true })
            }
            [name, "says", "how", of, "is"] => {
                Ok(Act::Lies { observer: observer(name)?, region: region(of)?, lies: false })
            }
            [name, "dies"] => Ok(Act::Observer { observer: observer(name)?, lives: false }),
            [name, "starts"] => Ok(Act::Observer { observer: observer(name)?, lives: true }),
            ["the", "store", "is", "lost"] => Ok(Act::Store { observer: None, lost: true }),
            ["the", "store", "is", "back"] => Ok(Act::Store { observer: None, lost: false }),
            ["the", "store", "is", "lost", "to", name] => {
                Ok(Act::Store { observer: Some(observer(name)?), lost: true })
            }
            ["the", "store", "is", "back", "for", name] => {
                Ok(Act::Store { observer: Some(observer(name)?), lost: false })
            }
            ["the", "clock", "of", name, "jumps", by] => {
                let (sign, time) = match by.split_at_checked(1) {
                    Some(("+", rest)) => (1, time(rest)?),
                    Some(("-", rest)) => (-1, time(rest)?),
                    _ => return Err(unknown()),
                };
                let by = SignedDuration::try_from(time).map_err(|error| error.to_string())?;
                Ok(Act::Clock { observer: observer(name)?, by: by * sign })
            }
            ["anna", "stops", "the", "group"] => Ok(Act::Stop { stops: true }),
            ["anna", "lifts", "the", "stop"] => Ok(Act::Stop { stops: false }),
            ["bob", "begins", "a", "run"] => Ok(Act::Run { open: true }),
            ["the", "run", "ends"] => Ok(Act::Run { open: false }),
            _ => Err(unknown()),
        }
    }
}
