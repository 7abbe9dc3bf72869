//! Whether a verdict is acted on. Pure: `(memory, sight) -> (memory, answer with reasons)`.
//!
//! Automation is hard to fool and off by default (promise S9). One judgement:
//!
//! 1. The memory is brought up to date: since when the region that serves is down, whether it was ever seen to serve, how
//!    often it changed, until when a jump of the clock freezes everything. Only monotonic time counts.
//! 2. Unless the verdict on the region that serves is *down*, there is nothing to do, or nothing to know.
//! 3. Every reason to wait is collected, not the first one alone: a person at 3 a.m. wants all of them.
//! 4. Without a reason to wait the policy of the group speaks: a proposal, or a start.
//!
//! The memory is lost with the process, and that only makes it wait longer.

use std::{
    collections::{BTreeMap, VecDeque},
    fmt,
    time::Duration,
};

use jiff::Timestamp;

use super::verdict::{State, Verdict};
use crate::model::{Automation, Group, GroupName, RegionName, RunId, StopOrder};

/// Changes between up and down within `FLAP_WINDOW` from which the region counts as flapping. Two outages that end by
/// themselves are four changes: the third one in ten minutes is for a person.
const FLAPS: usize = 4;
/// See `FLAPS`. Also how long it must be calm afterwards.
const FLAP_WINDOW: Duration = Duration::from_mins(10);
/// A machine whose clock jumped by more than this was suspended, or set: what its timers said before means nothing.
/// Clock discipline slews by 0.5 ms/s at most (ntpd, chrony), so this is far above what a healthy clock does in a judgement.
pub const CLOCK_JUMP: Duration = Duration::from_secs(2);
/// For how long a jump freezes automation at least: observers must have probed anew.
const THAW: Duration = Duration::from_secs(30);

/// Everything that a judgement stands on.
#[derive(Debug)]
pub struct Sight<'a> {
    /// The group.
    pub group: &'a Group,
    /// The region that serves, by the history of runs.
    pub serves: Option<RegionName>,
    /// Where a failover would go.
    pub destination: Option<RegionName>,
    /// Of every region that can serve.
    pub verdicts: &'a BTreeMap<RegionName, Verdict>,
    /// Monotonic time of the judge's process.
    pub now: Duration,
    /// By how much the wall clock went another way than the monotonic one since the last judgement.
    pub clock_jump: Duration,
    /// Why our own store could not be read.
    pub store_lost: Option<String>,
    /// The run of this group that is open.
    pub open: Option<RunId>,
    /// The order that stops the group.
    pub stopped: Option<StopOrder>,
    /// Until when the group cools down.
    pub cooldown_until: Option<Timestamp>,
    /// The deploy freeze that is on now, and when it ends.
    pub frozen: Option<String>,
    /// Groups that this one stands on and that still serve from the region that is down.
    pub waits_for: Vec<GroupName>,
    /// Why a start was refused a moment ago.
    pub refused: Option<String>,
}

/// What a judge remembers from one judgement to the next.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Memory {
    /// The region that the memory is about.
    about: Option<RegionName>,
    /// It was seen to serve since this process began to look.
    seen_up: bool,
    /// Since when it is down, without an interruption.
    down_since: Option<Duration>,
    /// The last verdict that was up or down, and when such verdicts changed.
    last: Option<bool>,
    changes: VecDeque<Duration>,
    /// Until when a jump of the clock freezes everything.
    thaws_at: Option<Duration>,
}

impl Memory {
    /// The region that it is about.
    pub fn about(&self) -> Option<&RegionName> {
        self.about.as_ref()
    }

    /// The verdict on that region is *down*, and has been without an interruption.
    pub fn is_down(&self) -> bool {
        self.down_since.is_some()
    }
}

/// A reason to wait.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// Nobody knows where the group serves.
    NoPrimary,
    /// There is no region to go to, or more than one.
    NoDestination,
    /// Our own store could not be read: what is known is old.
    StoreLost(String),
    /// The clock jumped; so long until it counts again.
    ClockJumped(Duration),
    /// The verdict is down, and has not been for long enough; so long is left.
    HoldDown(Duration),
    /// It has been down since this process began to look: nobody here saw it serve.
    NeverSeenUp,
    /// It goes up and down.
    Flapping(usize),
    /// The destination is judged as strictly as the source.
    DestinationNotFine(RegionName, State),
    /// A run of the group is open.
    RunOpen(RunId),
    /// A person stopped it.
    Stopped(StopOrder),
    /// The group cools down (promise S10).
    CoolingDown(Timestamp),
    /// A deploy freeze is on.
    Frozen(String),
    /// A group that this one stands on has not left the source.
    WaitsFor(GroupName),
    /// A start was tried a moment ago, and refused.
    Refused(String),
    /// Nobody can tell how the region stands.
    Unknown(RegionName),
    /// It serves, with defects: a person looks.
    Degraded(RegionName),
    /// The group is watched by people.
    Manual,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoPrimary => f.write_str("nobody knows which region serves"),
            Self::NoDestination => f.write_str("there is not exactly one region to go to"),
            Self::StoreLost(why) => write!(f, "our own store could not be read ({why}), so what is known is old"),
            Self::ClockJumped(left) => write!(f, "the clock jumped; frozen for another {} s", ceil(*left)),
            Self::HoldDown(left) => write!(f, "down, and held for another {} s in case it comes back", ceil(*left)),
            Self::NeverSeenUp => f.write_str("it was down when this process began to look: a person decides"),
            Self::Flapping(changes) => write!(f, "it went up and down {changes} times within ten minutes"),
            Self::DestinationNotFine(region, state) => write!(f, "the destination {region} is {state}"),
            Self::RunOpen(run) => write!(f, "run {run} is open"),
            Self::Stopped(order) => write!(f, "stopped by {}: {}", order.by, order.reason),
            Self::CoolingDown(until) => write!(f, "the group cools down until {until:.0}"),
            Self::Frozen(what) => write!(f, "a deploy freeze is on: {what}"),
            Self::WaitsFor(group) => write!(f, "group {group} stands below it and still serves from there"),
            Self::Refused(why) => write!(f, "a start was refused: {why}"),
            Self::Unknown(region) => write!(f, "nobody can tell how {region} stands"),
            Self::Degraded(region) => write!(f, "{region} serves with defects: a person should look"),
            Self::Manual => f.write_str("automation is Manual: a person starts every run"),
        }
    }
}

fn ceil(time: Duration) -> u64 {
    time.as_secs() + u64::from(time.subsec_nanos() > 0)
}

/// The answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Judgement {
    /// All is well.
    Nothing,
    /// Something is not well, and nothing is done about it now.
    Hold(Vec<Reason>),
    /// A person is asked. Reasons that kept a start from happening, where the policy alone did not.
    Propose(Vec<Reason>),
    /// A failover starts.
    Start,
}

impl Judgement {
    /// `nothing`, `hold`, `propose`, `start`.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::Hold(_) => "hold",
            Self::Propose(_) => "propose",
            Self::Start => "start",
        }
    }

    /// Why.
    pub fn reasons(&self) -> &[Reason] {
        match self {
            Self::Nothing | Self::Start => &[],
            Self::Hold(reasons) | Self::Propose(reasons) => reasons,
        }
    }
}

/// Judges once.
pub fn judge(memory: Memory, sight: &Sight<'_>) -> (Memory, Judgement) {
    let memory = remember(memory, sight);
    let judgement = answer(&memory, sight);
    (memory, judgement)
}

fn remember(mut memory: Memory, sight: &Sight<'_>) -> Memory {
    if memory.about != sight.serves {
        // Another region serves now: what was remembered was about another one. A frozen clock stays frozen.
        memory = Memory { about: sight.serves.clone(), thaws_at: memory.thaws_at, ..Memory::default() };
    }
    let hold = Duration::from_millis(sight.group.watch.hold_down_ms);
    if sight.clock_jump > CLOCK_JUMP {
        memory.thaws_at = Some(sight.now + hold.max(THAW));
        memory.down_since = None;
    }
    if memory.thaws_at.is_some_and(|thaws| thaws <= sight.now) {
        memory.thaws_at = None;
    }
    let state = sight.serves.as_ref().and_then(|region| sight.verdicts.get(region)).map_or(State::Unknown, |v| v.state);
    let state = if sight.store_lost.is_some() { State::Unknown } else { state };
    let down = match state {
        State::Up => Some(false),
        State::Down => Some(true),
        // It neither served nor failed to: the hold-down begins anew, and nothing counts as a change.
        State::Degraded | State::Unknown => None,
    };
    memory.seen_up |= state == State::Up;
    memory.down_since = if down == Some(true) { memory.down_since.or(Some(sight.now)) } else { None };
    if down.is_some() && memory.last.is_some() && memory.last != down {
        memory.changes.push_back(sight.now);
    }
    memory.last = down.or(memory.last);
    while memory.changes.front().is_some_and(|change| *change + FLAP_WINDOW < sight.now) {
        memory.changes.pop_front();
    }
    memory
}

fn answer(memory: &Memory, sight: &Sight<'_>) -> Judgement {
    let Some(source) = &sight.serves else { return Judgement::Hold(vec![Reason::NoPrimary]) };
    if let Some(why) = &sight.store_lost {
        return Judgement::Hold(vec![Reason::StoreLost(why.clone())]);
    }
    match sight.verdicts.get(source).map_or(State::Unknown, |verdict| verdict.state) {
        State::Up => return Judgement::Nothing,
        State::Degraded => return Judgement::Hold(vec![Reason::Degraded(source.clone())]),
        State::Unknown => return Judgement::Hold(vec![Reason::Unknown(source.clone())]),
        State::Down => {}
    }
    let waits = reasons_to_wait(memory, sight);
    match sight.group.automation {
        Automation::Manual => Judgement::Hold([waits, vec![Reason::Manual]].concat()),
        Automation::ProposeOnly if waits.is_empty() => Judgement::Propose(Vec::new()),
        Automation::Automatic if waits.is_empty() && memory.seen_up => Judgement::Start,
        // A person may know what this process does not.
        Automation::Automatic if waits.is_empty() => Judgement::Propose(vec![Reason::NeverSeenUp]),
        Automation::ProposeOnly | Automation::Automatic => Judgement::Hold(waits),
    }
}

fn reasons_to_wait(memory: &Memory, sight: &Sight<'_>) -> Vec<Reason> {
    let mut waits = Vec::new();
    if let Some(thaws) = memory.thaws_at {
        waits.push(Reason::ClockJumped(thaws.saturating_sub(sight.now)));
    }
    let hold = Duration::from_millis(sight.group.watch.hold_down_ms);
    let left = memory.down_since.map_or(hold, |since| (since + hold).saturating_sub(sight.now));
    if !left.is_zero() {
        waits.push(Reason::HoldDown(left));
    }
    if memory.changes.len() > FLAPS {
        waits.push(Reason::Flapping(memory.changes.len()));
    }
    match &sight.destination {
        None => waits.push(Reason::NoDestination),
        Some(region) => match sight.verdicts.get(region).map_or(State::Unknown, |verdict| verdict.state) {
            // Some probes answer only where the service runs, so a standby that is well may look degraded.
            State::Up | State::Degraded => {}
            state @ (State::Down | State::Unknown) => waits.push(Reason::DestinationNotFine(region.clone(), state)),
        },
    }
    waits.extend(sight.open.clone().map(Reason::RunOpen));
    waits.extend(sight.stopped.clone().map(Reason::Stopped));
    waits.extend(sight.cooldown_until.map(Reason::CoolingDown));
    waits.extend(sight.frozen.clone().map(Reason::Frozen));
    waits.extend(sight.waits_for.iter().cloned().map(Reason::WaitsFor));
    waits.extend(sight.refused.clone().map(Reason::Refused));
    waits
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::sample;

    fn verdict(state: State) -> Verdict {
        Verdict { state, onset: None, voices: BTreeMap::new(), reasons: Vec::new() }
    }

    fn region(name: &str) -> RegionName {
        name.parse().unwrap()
    }

    /// One judge, told how `fra` and `dub` stand, second by second.
    struct Judging {
        group: Group,
        memory: Memory,
        now: Duration,
    }

    impl Judging {
        fn new(automation: Automation) -> Self {
            let mut group = sample::group();
            (group.automation, group.watch.hold_down_ms) = (automation, 60_000);
            Self { group, memory: Memory::default(), now: Duration::from_secs(1_000) }
        }

        fn look(&mut self, states: (State, State), change: impl FnOnce(&mut Sight<'_>)) -> Judgement {
            self.now += Duration::from_secs(1);
            let (fra, dub) = (region("fra"), region("dub"));
            let verdicts = [(fra.clone(), verdict(states.0)), (dub.clone(), verdict(states.1))].into();
            let mut sight = Sight {
                group: &self.group,
                serves: Some(fra),
                destination: Some(dub),
                verdicts: &verdicts,
                now: self.now,
                clock_jump: Duration::ZERO,
                store_lost: None,
                open: None,
                stopped: None,
                cooldown_until: None,
                frozen: None,
                waits_for: Vec::new(),
                refused: None,
            };
            change(&mut sight);
            let (memory, judgement) = judge(std::mem::take(&mut self.memory), &sight);
            self.memory = memory;
            judgement
        }

        /// So many seconds of the same, and the last answer.
        fn seconds(&mut self, seconds: u32, states: (State, State)) -> Judgement {
            let mut last = Judgement::Nothing;
            for second in 0..seconds {
                last = self.look(states, |_| {});
                assert!(second + 1 == seconds || last != Judgement::Start, "it started after {second} s");
            }
            last
        }
    }

    const UP: (State, State) = (State::Up, State::Up);
    const DOWN: (State, State) = (State::Down, State::Up);

    #[test]
    fn a_partition_of_forty_seconds_starts_nothing_and_an_outage_that_lasts_is_acted_on() {
        let mut judging = Judging::new(Automation::Automatic);
        assert_eq!(judging.seconds(5, UP), Judgement::Nothing);
        assert!(matches!(judging.seconds(40, DOWN), Judgement::Hold(_)));
        assert_eq!(judging.seconds(5, UP), Judgement::Nothing);
        assert!(matches!(judging.seconds(60, DOWN), Judgement::Hold(_)), "the hold-down began anew");
        assert_eq!(judging.seconds(1, DOWN), Judgement::Start);
    }

    #[test]
    fn the_policy_of_the_group_says_what_comes_of_it() {
        for (automation, expected) in [
            (Automation::Automatic, Judgement::Start),
            (Automation::ProposeOnly, Judgement::Propose(vec![])),
            (Automation::Manual, Judgement::Hold(vec![Reason::Manual])),
        ] {
            let mut judging = Judging::new(automation);
            judging.seconds(5, UP);
            assert_eq!(judging.seconds(61, DOWN), expected);
        }
    }

    #[test]
    fn who_never_saw_it_serve_proposes_and_does_not_start() {
        let mut judging = Judging::new(Automation::Automatic);
        assert_eq!(judging.seconds(90, DOWN), Judgement::Propose(vec![Reason::NeverSeenUp]));
    }

    #[test]
    fn unknown_and_degraded_start_nothing_and_the_hold_down_begins_anew_after_them() {
        for state in [State::Unknown, State::Degraded] {
            let mut judging = Judging::new(Automation::Automatic);
            judging.seconds(5, UP);
            judging.seconds(59, DOWN);
            assert!(matches!(judging.seconds(1, (state, State::Up)), Judgement::Hold(_)));
            assert!(matches!(judging.seconds(60, DOWN), Judgement::Hold(_)));
            assert_eq!(judging.seconds(1, DOWN), Judgement::Start);
        }
    }

    #[test]
    fn a_lost_store_starts_nothing_however_long_and_nothing_that_was_seen_before_counts_after_it() {
        let mut judging = Judging::new(Automation::Automatic);
        judging.seconds(5, UP);
        judging.seconds(59, DOWN);
        for _ in 0..200 {
            let held = judging.look(DOWN, |sight| sight.store_lost = Some("disk I/O error".into()));
            assert_eq!(held, Judgement::Hold(vec![Reason::StoreLost("disk I/O error".into())]));
        }
        assert!(matches!(judging.seconds(60, DOWN), Judgement::Hold(_)));
        assert_eq!(judging.seconds(1, DOWN), Judgement::Start);
    }

    #[test]
    fn a_jump_of_the_clock_freezes_automation() {
        let mut judging = Judging::new(Automation::Automatic);
        judging.seconds(5, UP);
        judging.seconds(59, DOWN);
        judging.look(DOWN, |sight| sight.clock_jump = Duration::from_secs(3));
        let held = judging.seconds(50, DOWN);
        assert!(held.reasons().iter().any(|reason| matches!(reason, Reason::ClockJumped(_))), "{held:?}");
        assert_eq!(judging.seconds(10, DOWN), Judgement::Start);
        let mut judging = Judging::new(Automation::Automatic);
        judging.seconds(5, UP);
        judging.look(UP, |sight| sight.clock_jump = Duration::from_millis(1_900));
        assert_eq!(judging.seconds(61, DOWN), Judgement::Start, "a slew is no jump");
    }

    #[test]
    fn a_region_that_goes_up_and_down_is_left_to_a_person() {
        let mut judging = Judging::new(Automation::Automatic);
        for _ in 0..3 {
            judging.seconds(20, UP);
            judging.seconds(40, DOWN);
        }
        let held = judging.seconds(30, DOWN);
        assert!(held.reasons().contains(&Reason::Flapping(5)), "{held:?}");
        assert_eq!(judging.seconds(600, UP), Judgement::Nothing);
        assert_eq!(judging.seconds(61, DOWN), Judgement::Start, "it was calm for ten minutes");
    }

    #[test]
    fn every_reason_to_wait_is_given_and_each_of_them_is_enough() {
        let run: RunId = "orders-7".parse().unwrap();
        let until = Timestamp::from_second(99).unwrap();
        let below: GroupName = "sso".parse().unwrap();
        let order = StopOrder {
            group: None,
            stops: true,
            by: "anna".parse().unwrap(),
            reason: "maintenance".into(),
            at: until,
        };
        let mut judging = Judging::new(Automation::Automatic);
        judging.seconds(5, UP);
        judging.seconds(60, DOWN);
        let held = judging.look((State::Down, State::Unknown), |sight| {
            sight.open = Some(run.clone());
            sight.stopped = Some(order.clone());
            sight.cooldown_until = Some(until);
            sight.frozen = Some("release week".into());
            sight.waits_for = vec![below.clone()];
            sight.refused = Some("two primaries".into());
        });
        let expected = vec![
            Reason::DestinationNotFine(region("dub"), State::Unknown),
            Reason::RunOpen(run),
            Reason::Stopped(order),
            Reason::CoolingDown(until),
            Reason::Frozen("release week".into()),
            Reason::WaitsFor(below),
            Reason::Refused("two primaries".into()),
        ];
        assert_eq!(held, Judgement::Hold(expected.clone()));
        for reason in expected {
            let held = judging.look(DOWN, |sight| match &reason {
                Reason::DestinationNotFine(..) => sight.destination = None,
                Reason::RunOpen(run) => sight.open = Some(run.clone()),
                Reason::Stopped(order) => sight.stopped = Some(order.clone()),
                Reason::CoolingDown(until) => sight.cooldown_until = Some(*until),
                Reason::Frozen(what) => sight.frozen = Some(what.clone()),
                Reason::WaitsFor(group) => sight.waits_for = vec![group.clone()],
                Reason::Refused(why) => sight.refused = Some(why.clone()),
                other => panic!("{other} is not set by hand"),
            });
            assert_eq!(held.reasons().len(), 1, "{reason} alone: {held:?}");
        }
        assert_eq!(judging.look(DOWN, |_| {}), Judgement::Start);
    }

    #[test]
    fn what_was_remembered_of_one_region_says_nothing_of_another() {
        let mut judging = Judging::new(Automation::Automatic);
        judging.seconds(5, UP);
        judging.seconds(60, DOWN);
        let held = judging.look((State::Up, State::Down), |sight| {
            (sight.serves, sight.destination) = (Some(region("dub")), Some(region("fra")));
        });
        assert!(matches!(held, Judgement::Hold(_)), "{held:?}");
        assert!(held.reasons().iter().any(|reason| matches!(reason, Reason::HoldDown(_))), "{held:?}");
    }
}
