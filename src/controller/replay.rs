//! A recording, judged again by the program that reads it. Pure.
//!
//! It judges at every line, which is where something was heard, where silence was, and where the answer changed. What is started in a
//! replay is an answer and nothing else.

use std::{collections::BTreeMap, time::Duration};

use jiff::Timestamp;

use super::{
    bench::{Bench, Look, same},
    recording::{Entry, Line, World, wall_at},
};
use crate::model::{Group, GroupName, Judged, ObserverReport};

/// What is judged now, where it changed.
#[derive(Debug, Clone, PartialEq)]
pub struct Replayed {
    /// The group.
    pub group: GroupName,
    /// Microseconds by the recording's clock.
    pub us: u64,
    /// By the wall clock of the judge who was recorded.
    pub at: Timestamp,
    /// Now.
    pub judged: Judged,
}

/// Judges again what `lines` hold, in their order. Lines of several groups may be mixed.
pub fn replay(lines: &[Line]) -> Vec<Replayed> {
    let mut players: BTreeMap<&GroupName, Player> = BTreeMap::new();
    let mut found = Vec::new();
    // The truth is not heard by a judge: it must not even give him an occasion to look.
    let lines: Vec<&Line> = lines.iter().filter(|line| !matches!(line.what, Entry::Truth(_))).collect();
    let mut rest = lines.as_slice();
    while let Some(first) = rest.first() {
        let together = rest.iter().take_while(|line| (line.us, &line.group) == (first.us, &first.group)).count();
        let (now, later) = rest.split_at(together);
        rest = later;
        for line in now {
            if let Entry::Begins(charge) = &line.what {
                players.insert(&line.group, Player::new(charge.group(), charge.wall, line.us));
            } else if let Some(player) = players.get_mut(&line.group) {
                player.take(&line.what, line.us);
            }
        }
        if let Some(player) = players.get_mut(&first.group) {
            player.judge(first.us, &mut found);
        }
    }
    found
}

/// One judge's life.
struct Player {
    group: Group,
    bench: Bench,
    clocks: (Timestamp, Duration),
    world: World,
    said: BTreeMap<String, ObserverReport>,
    last: Option<Judged>,
}

impl Player {
    fn new(group: Group, wall: Timestamp, us: u64) -> Self {
        let now = Duration::from_micros(us);
        Self {
            group,
            bench: Bench::new(wall, now),
            clocks: (wall, now),
            world: World::default(),
            said: BTreeMap::new(),
            last: None,
        }
    }

    fn take(&mut self, what: &Entry, us: u64) {
        match what {
            Entry::Heard(report) => {
                self.said.insert(report.observer.clone(), report.as_ref().clone());
            }
            Entry::Again { observer, at } => {
                if let Some(report) = self.said.get_mut(observer) {
                    report.at = *at;
                }
            }
            Entry::World(world) => self.world = world.as_ref().clone(),
            Entry::Clock(wall) => self.clocks = (*wall, Duration::from_micros(us)),
            Entry::Begins(_) | Entry::Silence {} | Entry::Judged(_) | Entry::Truth(_) => {}
        }
    }

    fn judge(&mut self, us: u64, found: &mut Vec<Replayed>) {
        let now = Duration::from_micros(us);
        let reports = match &self.world.store_lost {
            Some(why) => Err(why.clone()),
            None => Ok(self.said.values().cloned().collect()),
        };
        let (outlook, refused) = (self.world.outlook(), self.world.refused.clone());
        let at = wall_at(self.clocks, now);
        let look = Look { now, wall: at, reports, outlook, refused };
        let judged = self.bench.weigh(&self.group, look).judged(None);
        if self.last.as_ref().is_none_or(|before| !same(before, &judged)) {
            found.push(Replayed { group: self.group.name.clone(), us, at, judged: judged.clone() });
        }
        self.last = Some(judged);
    }
}
