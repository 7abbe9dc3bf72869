//! Verdicts and automation, graded on generated traces: what the observers' probes answered, second by second, in stories whose truth is
//! known. Precision: starts that an outage deserved. Recall: outages that were acted on.
//!
//! `make grade TRACES=5200` grades more of them.

use std::{collections::BTreeMap, time::Duration};

use jiff::{SignedDuration, Timestamp};

use super::{
    automation::{Judgement, Memory, Sight, judge},
    streak::{Answer, Thresholds, streak},
    verdict::{Heard, verdicts},
};
use crate::{
    model::{Automation, Group, ObserverReport, ProbeSeen, RegionName, sample},
    port::Health,
};

const OBSERVERS: usize = 3;
/// Half a second each.
const TICKS: u64 = 900;
/// What the group declares: a probe every two seconds, three failures, two healthy ones, held for a minute.
const HOLD: u64 = 120;

/// What happens to the world in one story.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Story {
    /// Only noise: one probe in fifty is lost.
    Noise,
    /// `fra` is gone for good: to be acted on.
    Outage,
    /// `fra` is gone for good, and one observer with it: to be acted on.
    OutageAndObserverGone,
    /// `fra` is cut off for up to 43 seconds.
    Partition,
    /// One observer sees `fra` down for as long as it lasts.
    OneLies,
    /// One observer's own network is cut.
    Isolated,
    /// Two observers stand still for ten seconds, again and again, and then hear nothing but silence of what they had asked.
    Stalled,
    /// Both regions fail at once.
    Both,
    /// One of the two probes of `fra` fails.
    Gray,
    /// `fra` goes up and down every twenty seconds.
    Flapping,
    /// `fra` is gone, and so is the destination: nothing to go to.
    DestinationGone,
    /// `fra` is cut off, and our store is lost for a minute and a half of it.
    StoreLost,
    /// `fra` is cut off for half a minute, and the clock jumps forwards by an hour.
    ClockJump,
}

impl Story {
    const ALL: [Self; 13] = [
        Self::Noise,
        Self::Outage,
        Self::OutageAndObserverGone,
        Self::Partition,
        Self::OneLies,
        Self::Isolated,
        Self::Stalled,
        Self::Both,
        Self::Gray,
        Self::Flapping,
        Self::DestinationGone,
        Self::StoreLost,
        Self::ClockJump,
    ];

    fn deserves_a_start(self) -> bool {
        matches!(self, Self::Outage | Self::OutageAndObserverGone)
    }
}

/// `splitmix64` (Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014).
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
    fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }
}

struct Trace {
    story: Story,
    dice: Dice,
    begins: u64,
    lasts: u64,
    whom: usize,
}

impl Trace {
    fn new(story: Story, seed: u64) -> Self {
        let mut dice = Dice(seed);
        let (begins, whom) = (60 + dice.below(60), usize::try_from(dice.below(3)).unwrap());
        let lasts = match story {
            Story::Partition => 10 + dice.below(77),
            Story::ClockJump => 60,
            Story::Noise
            | Story::Outage
            | Story::OutageAndObserverGone
            | Story::OneLies
            | Story::Isolated
            | Story::Stalled
            | Story::Both
            | Story::Gray
            | Story::Flapping
            | Story::DestinationGone
            | Story::StoreLost => TICKS,
        };
        Self { story, dice, begins, lasts, whom }
    }

    fn is_on(&self, tick: u64) -> bool {
        (self.begins..self.begins + self.lasts).contains(&tick)
    }

    /// Whether a probe is answered; `None`: the observer does not even ask.
    fn answers(&mut self, observer: usize, region: &str, probe: &str, tick: u64) -> Option<bool> {
        let (fra, on) = (region == "fra", self.is_on(tick));
        let lost = self.dice.below(50) == 0;
        let hit = observer == self.whom;
        let truth = match self.story {
            _ if !on => true,
            Story::Noise => true,
            Story::OutageAndObserverGone if hit => return None,
            Story::Outage | Story::OutageAndObserverGone | Story::Partition | Story::StoreLost | Story::ClockJump => {
                !fra
            }
            Story::OneLies => !(fra && hit),
            Story::Isolated => !hit,
            // Asks for ten seconds in every thirty, and what it had asked before looks like silence.
            Story::Stalled if hit => true,
            Story::Stalled => match (tick - self.begins) % 60 {
                0..20 => return None,
                phase => phase > 22,
            },
            Story::Both | Story::DestinationGone => false,
            Story::Gray => !(fra && probe == "edge"),
            Story::Flapping => !(fra && (tick / 40).is_multiple_of(2)),
        };
        Some(truth && !lost)
    }
}

fn group() -> Group {
    let mut group = sample::group();
    group.automation = Automation::Automatic;
    (group.detection.period_ms, group.detection.failure_threshold, group.detection.observer_quorum) = (2_000, 3, 2);
    group.watch.hold_down_ms = HOLD * 500;
    group
}

/// The first tick at which the judge started.
fn play(group: &Group, trace: &mut Trace) -> Option<u64> {
    let thresholds = Thresholds { fall: group.detection.failure_threshold, rise: group.watch.success_threshold };
    let at = |tick: u64| Timestamp::UNIX_EPOCH + SignedDuration::from_millis(i64::try_from(tick * 500).unwrap());
    let mut seen: Vec<BTreeMap<(RegionName, String), ProbeSeen>> = vec![BTreeMap::new(); OBSERVERS];
    let mut reports: Vec<Option<(ObserverReport, u64)>> = vec![None; OBSERVERS];
    let mut memory = Memory::default();
    let [fra, dub]: [RegionName; 2] = ["fra", "dub"].map(|name| name.parse().unwrap());
    for tick in 0..TICKS {
        for observer in 0..OBSERVERS {
            // Each at its own phase, every two seconds.
            if tick % 4 != u64::try_from(observer).unwrap() {
                continue;
            }
            let mut asked = false;
            for (region, probe) in [(&fra, "edge"), (&fra, "db"), (&dub, "edge"), (&dub, "db")] {
                let Some(healthy) = trace.answers(observer, region.as_str(), probe, tick) else { continue };
                asked = true;
                let health = if healthy {
                    Health::Healthy { took: Duration::from_millis(5) }
                } else {
                    Health::Silent { why: "no answer".into() }
                };
                let answer = Answer {
                    region: region.clone(),
                    probe: probe.parse().unwrap(),
                    only_serving: false,
                    health,
                    at: at(tick),
                };
                let known = &mut seen[observer];
                let key = (region.clone(), probe.to_owned());
                let next = streak(known.remove(&key), answer, thresholds);
                known.insert(key, next);
            }
            if asked {
                let report = ObserverReport {
                    observer: format!("o{observer}"),
                    group: group.name.clone(),
                    at: at(tick),
                    valid_ms: 6_500,
                    abstains: None,
                    probes: seen[observer].values().cloned().collect(),
                    markers: Vec::new(),
                    remark: None,
                    judged: None,
                };
                reports[observer] = Some((report, tick));
            }
        }
        let age = |heard: u64| Duration::from_millis((tick - heard) * 500);
        let heard: Vec<_> = reports.iter().flatten().map(|(report, when)| Heard { report, age: age(*when) }).collect();
        let verdicts = verdicts(group, Some(&fra), &heard);
        let since = tick.saturating_sub(trace.begins);
        let lost = trace.story == Story::StoreLost && trace.is_on(tick) && since < 180;
        let jumped = trace.story == Story::ClockJump && trace.is_on(tick) && since == 20;
        let sight = Sight {
            group,
            serves: Some(fra.clone()),
            destination: Some(dub.clone()),
            verdicts: &verdicts,
            now: Duration::from_millis(tick * 500),
            clock_jump: if jumped { Duration::from_hours(1) } else { Duration::ZERO },
            store_lost: lost.then(|| "disk I/O error".to_owned()),
            open: None,
            stopped: None,
            cooldown_until: None,
            frozen: None,
            waits_for: Vec::new(),
            refused: None,
        };
        // What the store's loss is about is over before the region comes back.
        if trace.story == Story::StoreLost && since > 200 {
            trace.lasts = trace.lasts.min(since);
        }
        let (next, judgement) = judge(memory, &sight);
        memory = next;
        if judgement == Judgement::Start {
            return Some(tick);
        }
    }
    None
}

/// How many are graded: `TRACES`, or a slice that takes seconds.
#[expect(clippy::disallowed_methods, reason = "how a longer grading is asked for")]
fn wanted() -> u64 {
    std::env::var("TRACES").ok().and_then(|text| text.parse().ok()).unwrap_or(260)
}

#[test]
fn no_story_but_an_outage_starts_a_failover_and_every_outage_does() {
    let traces = wanted();
    let group = group();
    let mut grades: BTreeMap<Story, (u64, u64)> = BTreeMap::new();
    let mut longest = 0;
    for seed in 0..traces {
        let story = Story::ALL[usize::try_from(seed % 13).unwrap()];
        let mut trace = Trace::new(story, seed);
        let started = play(&group, &mut trace);
        let (told, started_in) = grades.entry(story).or_default();
        *told += 1;
        *started_in += u64::from(started.is_some());
        if let (Some(tick), true) = (started, story.deserves_a_start()) {
            longest = longest.max(tick - trace.begins);
        }
    }
    let sum = |deserved: bool, pick: fn(&(u64, u64)) -> u64| -> u64 {
        grades.iter().filter(|(story, _)| story.deserves_a_start() == deserved).map(|(_, grade)| pick(grade)).sum()
    };
    let (hits, outages, false_starts) = (sum(true, |g| g.1), sum(true, |g| g.0), sum(false, |g| g.1));
    println!("{traces} traces, (told, started) of each story: {grades:?}");
    println!(
        "precision {hits} of {}, recall {hits} of {outages}; longest from onset to start {} s, held for {} s of them",
        hits + false_starts,
        longest / 2,
        HOLD / 2
    );
    assert_eq!((false_starts, hits), (0, outages), "{grades:?}");
    // Threshold x period, one period of phase, two probes lost on the way, and the hold-down.
    assert!(longest <= HOLD + 2 * 4 * 3 + 8, "{longest}");
}
