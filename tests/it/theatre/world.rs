//! The two regions as they really are, whatever anybody sees of them.
//!
//! Each region has a database server that behaves like PostgreSQL: it is up, stopped (its host refuses connections) or dark
//! (nothing answers); a standby or not; read-only for fresh sessions by a setting in a file that takes effect at a reload; with
//! or without older sessions that still write. An agent outside the region (a cloud's stop call) can lock the server out for
//! good. One name points at one region, and clients write where it points.
//!
//! An [`Ask`] is one round trip. What guards it is what guards the real thing:
//!
//! - `Promote` is idempotent: on a server that is not in recovery it does nothing. It has no condition.
//! - `SetReadOnly` and `ResetReadOnly` only write the file; `Reload` makes the file so. A restart reads the file, too.
//! - `DnsUpdate` happens only while the name has the value that was read (RFC 2136 prerequisite).
//! - `Lock` stays until a person unlocks.
//! - `Announce` has an idempotency key, as a ticket system or a pager has.
//!
//! Nothing here knows of processes, links or terms.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

/// Whether a region's server answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Health {
    Up,
    /// The host answers that nothing listens.
    Stopped,
    /// Nothing answers and nothing is served.
    Dark,
}

/// One region's database server.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a switch of the server of its own, and any mixture is possible"
)]
#[derive(Debug, Clone)]
pub(crate) struct Place {
    pub(crate) health: Health,
    /// Powered off by the agent, for good.
    pub(crate) locked: bool,
    /// In recovery: follows a primary, takes no writes.
    pub(crate) standby: bool,
    /// Fresh sessions may not write, as it is now.
    pub(crate) read_only: bool,
    /// What the file says; so at the next reload or start.
    pub(crate) file_read_only: bool,
    /// Sessions from before the last change, which may still write.
    pub(crate) old_sessions: bool,
    pub(crate) timeline: u32,
    pub(crate) position: u64,
    /// When its newest write was made.
    pub(crate) newest: Duration,
}

impl Place {
    fn new(standby: bool) -> Self {
        Self {
            health: Health::Up,
            locked: false,
            standby,
            read_only: false,
            file_read_only: false,
            old_sessions: !standby,
            timeline: 1,
            position: 0,
            newest: Duration::ZERO,
        }
    }

    /// Whether some client's write would succeed here.
    pub(crate) fn writable(&self) -> bool {
        self.health == Health::Up && !self.locked && !self.standby && (!self.read_only || self.old_sessions)
    }

    fn restarts(&mut self) {
        self.read_only = self.file_read_only;
        self.old_sessions = false;
    }
}

/// How the fence of a server behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fencing {
    Honest,
    /// It says that it is done, and does nothing.
    Lying,
    /// Fresh sessions are refused, and old ones go on writing.
    Half,
}

/// One round trip to the world.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Ask {
    Look { region: String },
    SetReadOnly { region: String },
    ResetReadOnly { region: String },
    Reload { region: String },
    EndSessions { region: String },
    Promote { region: String },
    Follow { region: String, primary: String },
    Write { region: String },
    Lock { region: String },
    LockVerify { region: String },
    DnsRead,
    DnsUpdate { expect: String, to: String },
    Announce { key: String },
    Announced { key: String },
}

impl Ask {
    /// The name by which a fault is planned for it.
    pub(crate) fn word(&self) -> &'static str {
        match self {
            Self::Look { .. } => "db.look",
            Self::SetReadOnly { .. } => "db.fence",
            Self::ResetReadOnly { .. } => "db.unfence",
            Self::Reload { .. } => "db.reload",
            Self::EndSessions { .. } => "db.endSessions",
            Self::Promote { .. } => "db.promote",
            Self::Follow { .. } => "db.follow",
            Self::Write { .. } => "db.write",
            Self::Lock { .. } => "agent.lock",
            Self::LockVerify { .. } => "agent.verify",
            Self::DnsRead => "dns.read",
            Self::DnsUpdate { .. } => "dns.update",
            Self::Announce { .. } => "pager.announce",
            Self::Announced { .. } => "pager.look",
        }
    }

    /// The region whose network it has to cross; the agent, the name server and the pager are outside both.
    pub(crate) fn region(&self) -> Option<&str> {
        match self {
            Self::Look { region }
            | Self::SetReadOnly { region }
            | Self::ResetReadOnly { region }
            | Self::Reload { region }
            | Self::EndSessions { region }
            | Self::Promote { region }
            | Self::Follow { region, .. }
            | Self::Write { region } => Some(region),
            Self::Lock { .. }
            | Self::LockVerify { .. }
            | Self::DnsRead
            | Self::DnsUpdate { .. }
            | Self::Announce { .. }
            | Self::Announced { .. } => None,
        }
    }

    /// It changes something.
    pub(crate) fn changes(&self) -> bool {
        match self {
            Self::Look { .. } | Self::LockVerify { .. } | Self::DnsRead | Self::Announced { .. } => false,
            Self::SetReadOnly { .. }
            | Self::ResetReadOnly { .. }
            | Self::Reload { .. }
            | Self::EndSessions { .. }
            | Self::Promote { .. }
            | Self::Follow { .. }
            | Self::Write { .. }
            | Self::Lock { .. }
            | Self::DnsUpdate { .. }
            | Self::Announce { .. } => true,
        }
    }
}

/// What a server says of itself.
#[expect(clippy::struct_excessive_bools, reason = "four answers to four questions")]
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) standby: bool,
    pub(crate) read_only: bool,
    pub(crate) old_sessions: bool,
    pub(crate) timeline: u32,
    pub(crate) position: u64,
    pub(crate) newest: Duration,
    /// A standby that takes in what the other region's primary writes.
    pub(crate) follows: bool,
}

/// The answer to an [`Ask`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Reply {
    Server(Answer),
    /// Nothing listens there.
    Refused,
    /// No answer ever comes.
    Silent,
    Ok,
    /// The server says no, certainly.
    No(&'static str),
    Value(String),
    Yes(bool),
}

/// Both regions, the name, and what was announced.
#[derive(Debug, Clone)]
pub(crate) struct World {
    pub(crate) places: BTreeMap<String, Place>,
    /// The region that the name points at.
    pub(crate) name: String,
    pub(crate) fencing: Fencing,
    /// The standby follows the primary; otherwise it falls behind.
    pub(crate) replicating: bool,
    /// What was announced, by idempotency key.
    pub(crate) announced: BTreeSet<String>,
    wrote: Duration,
}

/// Clients write this often.
const WRITES: u64 = 500;

impl World {
    /// `primary` serves, `standby` follows.
    pub(crate) fn new(primary: &str, standby: &str) -> Self {
        Self {
            places: BTreeMap::from([(primary.to_owned(), Place::new(false)), (standby.to_owned(), Place::new(true))]),
            name: primary.to_owned(),
            fencing: Fencing::Honest,
            replicating: true,
            announced: BTreeSet::new(),
            wrote: Duration::ZERO,
        }
    }

    /// The regions whose server takes writes.
    pub(crate) fn writable(&self) -> Vec<&str> {
        self.places.iter().filter(|(_, place)| place.writable()).map(|(region, _)| region.as_str()).collect()
    }

    pub(crate) fn place(&mut self, region: &str) -> &mut Place {
        self.places.get_mut(region).expect("a region of this world")
    }

    /// Clients wrote until now, where the name points and where old connections are; a standby that follows has it.
    pub(crate) fn goes_on(&mut self, now: Duration) {
        let by = |time: Duration| u64::try_from(time.as_millis()).expect("a few hours") / WRITES;
        let writes = by(now) - by(self.wrote);
        self.wrote = now;
        if writes == 0 {
            return;
        }
        let mut newest = None;
        for place in self.places.values_mut().filter(|place| place.writable()) {
            place.position += writes;
            place.newest = now;
            newest = Some((place.timeline, place.position));
        }
        if let (true, Some((timeline, position))) = (self.replicating, newest) {
            for place in self.places.values_mut() {
                if place.standby && place.health == Health::Up && place.timeline == timeline {
                    place.position = position;
                    place.newest = now;
                }
            }
        }
    }

    /// The server stops, goes dark or comes up again.
    pub(crate) fn turns(&mut self, region: &str, health: Health) {
        let place = self.place(region);
        if place.health != Health::Up && health == Health::Up {
            place.restarts();
            place.old_sessions = false;
        }
        place.health = health;
    }

    /// One round trip arrives.
    pub(crate) fn answer(&mut self, ask: &Ask, now: Duration) -> Reply {
        self.goes_on(now);
        if let Some(region) = ask.region() {
            let place = self.place(region);
            if place.locked || place.health == Health::Dark {
                return Reply::Silent;
            }
            if place.health == Health::Stopped {
                return Reply::Refused;
            }
        }
        match ask {
            Ask::Look { region } => {
                let follows = self.follows_now(region);
                let place = self.place(region);
                Reply::Server(Answer {
                    follows,
                    standby: place.standby,
                    read_only: place.read_only,
                    old_sessions: place.old_sessions && !place.standby,
                    timeline: place.timeline,
                    position: place.position,
                    newest: place.newest,
                })
            }
            Ask::SetReadOnly { region } => {
                if self.fencing != Fencing::Lying {
                    self.place(region).file_read_only = true;
                }
                Reply::Ok
            }
            Ask::ResetReadOnly { region } => {
                self.place(region).file_read_only = false;
                Reply::Ok
            }
            Ask::Reload { region } => {
                let place = self.place(region);
                place.old_sessions |= !place.standby && !place.read_only && place.file_read_only;
                place.read_only = place.file_read_only;
                Reply::Ok
            }
            Ask::EndSessions { region } => {
                if self.fencing == Fencing::Honest {
                    self.place(region).old_sessions = false;
                }
                Reply::Ok
            }
            Ask::Promote { region } => {
                let place = self.place(region);
                if place.standby {
                    place.standby = false;
                    place.timeline += 1;
                    place.read_only = false;
                    place.file_read_only = false;
                }
                Reply::Ok
            }
            Ask::Follow { region, primary } => self.follows(region, primary),
            Ask::Write { region } => {
                if self.place(region).writable() && !self.place(region).read_only {
                    Reply::Ok
                } else {
                    Reply::No("the server refuses writes")
                }
            }
            Ask::Lock { region } => {
                if self.fencing != Fencing::Lying {
                    self.place(region).locked = true;
                }
                Reply::Ok
            }
            Ask::LockVerify { region } => Reply::Yes(self.place(region).locked),
            Ask::DnsRead => Reply::Value(self.name.clone()),
            Ask::DnsUpdate { expect, to } if self.name == *expect => {
                self.name.clone_from(to);
                Reply::Ok
            }
            Ask::DnsUpdate { .. } => Reply::No("the name has another value"),
            Ask::Announce { key } => {
                self.announced.insert(key.clone());
                Reply::Ok
            }
            Ask::Announced { key } => Reply::Yes(self.announced.contains(key)),
        }
    }

    /// The region's server is a standby that takes in what another's primary writes.
    fn follows_now(&self, region: &str) -> bool {
        let Some(place) = self.places.get(region) else { return false };
        let led = |(other, leads): (&String, &Place)| {
            other != region
                && leads.health == Health::Up
                && !leads.locked
                && !leads.standby
                && leads.timeline == place.timeline
        };
        self.replicating && place.standby && self.places.iter().any(led)
    }

    /// Makes a server a standby of the other, as a rewind does: never one that clients write to.
    fn follows(&mut self, region: &str, primary: &str) -> Reply {
        let leads = self.places[primary].clone();
        let place = self.place(region);
        if !leads.writable() {
            return Reply::No("there is no primary to follow");
        }
        if place.writable() {
            return Reply::No("it takes writes; a rewind would throw them away");
        }
        *place = Place { timeline: leads.timeline, position: leads.position, newest: leads.newest, ..Place::new(true) };
        Reply::Ok
    }

    /// A person rebuilds a region's server from nothing as a standby of the other.
    pub(crate) fn rebuilt(&mut self, region: &str, primary: &str) {
        let leads = self.places[primary].clone();
        *self.place(region) =
            Place { timeline: leads.timeline, position: leads.position, newest: leads.newest, ..Place::new(true) };
    }
}
