//! An observer: probes of every region, markers through every target's primary, and a report of both.
//!
//! A probe that has not come back is not started again, so nothing piles up on a server in trouble. Markers follow the
//! primary: a region that refuses one is left for the next. An observer never starts a run and never fences anything (promise
//! S9); when it is killed, its last report grows old.
//!
//! It is as strict with itself as with others. One that reaches none of its reference points says so and abstains. One whose process stood still
//! throws away what came back then: an answer that nobody was there to take looks like silence.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use futures::{
    FutureExt,
    future::{BoxFuture, Either, select},
    stream::{FuturesUnordered, StreamExt},
};
use jiff::Timestamp;
use tokio::sync::watch;

use super::rota::Rota;
use crate::{
    decide::streak::{Answer, Thresholds, streak},
    model::{Group, Judged, MarkerSeen, ObserverReport, ProbeName, ProbeSeen, Region, RegionName, TargetName},
    port::{Beat, Clock, Driver, Drivers, Health, Prober, Ready, Store, StoreError},
    spec::ProbeSpec,
};

/// A report is worth something for this many of the longest intervals, and for `SHORTEST_WORTH` at least.
const WORTH: u32 = 3;
/// A store that answers slowly for a moment must not silence an observer.
const SHORTEST_WORTH: Duration = Duration::from_secs(2);
/// Reports without news are published no more often than this: each is a write that everybody who shares the store waits for.
const SHORTEST_PAUSE: Duration = Duration::from_millis(200);
/// A loop that comes back this much later than it wanted to has stood still: the machine was suspended or starved.
const STOOD_STILL: Duration = Duration::from_secs(1);

/// Who observes what, how often.
#[derive(Debug, Clone)]
pub struct Heart {
    /// The group.
    pub group: Group,
    /// Its regions with their probes.
    pub regions: Vec<Region>,
    /// The observer's name, unique among those of the group.
    pub observer: String,
    /// Time between two markers; `None`: this observer writes none.
    pub markers: Option<Duration>,
    /// The region that serves, where the first markers go.
    pub serves: Option<RegionName>,
}

/// What an observer works with.
#[derive(Clone)]
pub struct Means {
    /// Where reports go.
    pub store: Arc<dyn Store>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// All kinds of probes.
    pub prober: Arc<dyn Prober>,
    /// The targets' drivers, for markers.
    pub drivers: Drivers,
    /// What the same process judges; published with the reports.
    pub judged: watch::Receiver<Option<Judged>>,
    /// What the process says of itself; published with the reports.
    pub remark: watch::Receiver<Option<String>>,
}

/// What is told.
#[derive(Debug)]
pub enum Pulse<'a> {
    /// The first report was published.
    Beating {
        /// The report.
        report: &'a ObserverReport,
    },
    /// A target's markers go to another region now.
    Moved {
        /// The target.
        target: &'a TargetName,
        /// The region that acknowledged.
        region: &'a RegionName,
    },
    /// No region acknowledges a target's markers.
    Refused {
        /// The target.
        target: &'a TargetName,
        /// What the last region said.
        why: &'a str,
    },
    /// The store did not take a report.
    Unpublished {
        /// Why.
        error: &'a StoreError,
    },
    /// A probe of a region came back.
    Probed {
        /// The region.
        region: &'a RegionName,
        /// The probe.
        probe: &'a ProbeName,
        /// It was healthy.
        healthy: bool,
        /// How long it took.
        took: Duration,
    },
    /// This process stood still for so long; what came back then is thrown away.
    StoodStill {
        /// How long.
        time: Duration,
    },
}

/// Told of what changes.
pub type Told<'a> = &'a mut (dyn FnMut(Pulse<'_>) + Send);

/// Something that came back.
enum Landed {
    Beat(TargetName, RegionName, Timestamp, Beat),
    Probed { index: usize, begun: Duration, turn: u64, at: Timestamp, health: Health },
    Published(Result<(), StoreError>),
}

/// One probe, of a region or of a reference point.
struct Duty {
    /// `None`: a reference point.
    region: Option<RegionName>,
    spec: ProbeSpec,
    ready: Arc<dyn Ready>,
    /// Between two tries, when the last one was good.
    period: Duration,
    thresholds: Thresholds,
    seen: Option<ProbeSeen>,
}

impl Duty {
    /// What the probe itself says of its pace wins over what the group says.
    fn of(group: &Group, region: Option<RegionName>, spec: ProbeSpec, prober: &Arc<dyn Prober>) -> Self {
        let (detection, watch) = (group.detection, &group.watch);
        let declared = spec.period_seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
        let thresholds = Thresholds {
            fall: spec.failure_threshold.unwrap_or(detection.failure_threshold),
            rise: spec.success_threshold.unwrap_or(watch.success_threshold),
        };
        Self {
            region,
            ready: Arc::clone(prober).prepare(&spec),
            period: declared.unwrap_or(Duration::from_millis(detection.period_ms)),
            thresholds,
            spec,
            seen: None,
        }
    }
}

/// Where a target's markers go, and what became of the last one.
struct Aim {
    regions: Vec<RegionName>,
    at: usize,
    acknowledged: Option<RegionName>,
    refused: usize,
    under_way: bool,
}

struct Observing {
    heart: Heart,
    means: Means,
    duties: Vec<Duty>,
    rota: Rota,
    aims: BTreeMap<TargetName, Aim>,
    markers: BTreeMap<(TargetName, RegionName), MarkerSeen>,
    flight: FuturesUnordered<BoxFuture<'static, Landed>>,
    /// Counts the times that this process stood still: an answer of an earlier turn is thrown away.
    turn: u64,
    /// What must be probed anew before this observer's word counts again.
    owed: BTreeSet<usize>,
    changed: bool,
    publishing: bool,
    published: bool,
}

/// Observes until the future is dropped.
pub async fn observe(heart: Heart, means: Means, told: Told<'_>) {
    Observing::new(heart, means).run(told).await;
}

impl Observing {
    fn new(heart: Heart, means: Means) -> Self {
        let serving: Vec<RegionName> = heart.group.serving().cloned().collect();
        let at = serving.iter().position(|region| Some(region) == heart.serves.as_ref()).unwrap_or(0);
        let beats = means.drivers.targets.iter().filter(|(_, driver)| driver.heartbeat().is_some());
        let aim = || Aim { regions: serving.clone(), at, acknowledged: None, refused: 0, under_way: false };
        let aims = beats.map(|(target, _)| (target.clone(), aim())).collect();
        let of_regions = heart.regions.iter().flat_map(|region| {
            let name = region.name.clone();
            region.probes.iter().map(move |probe| (Some(name.clone()), probe))
        });
        let references = heart.group.watch.references.iter().map(|probe| (None, probe));
        let duties: Vec<Duty> = of_regions
            .chain(references)
            // One that cannot be read was checked when the documents were.
            .filter_map(|(region, probe)| Some((region, serde_json::from_value(probe.clone()).ok()?)))
            .map(|(region, spec)| Duty::of(&heart.group, region, spec, &means.prober))
            .collect();
        let periods: Vec<Duration> = duties.iter().map(|duty| duty.period).collect();
        let rota = Rota::new(&heart.observer, &periods, means.clock.monotonic());
        Self {
            heart,
            means,
            duties,
            rota,
            aims,
            markers: BTreeMap::new(),
            flight: FuturesUnordered::new(),
            turn: 0,
            owed: BTreeSet::new(),
            changed: true,
            publishing: false,
            published: false,
        }
    }

    async fn run(mut self, told: Told<'_>) {
        let clock = Arc::clone(&self.means.clock);
        // Markers without other news wait for the next report: its pace is theirs, and the loss of a failover is measured by them.
        let period = Duration::from_millis(self.heart.group.detection.period_ms);
        let pace = self.heart.markers.map_or(period, |every| every.min(period)).max(SHORTEST_PAUSE);
        let mut beat_due = clock.monotonic();
        let mut publish_due = clock.monotonic();
        let mut expected = clock.monotonic();
        loop {
            let now = clock.monotonic();
            self.stood_still(now.saturating_sub(expected), told);
            while let Some((index, _late)) = self.rota.take(now) {
                self.probe(index);
            }
            if let Some(every) = self.heart.markers.filter(|_| now >= beat_due) {
                beat_due = (beat_due + every).max(now);
                self.beat(every);
            }
            if !self.publishing && (self.changed || now >= publish_due) {
                publish_due = now + pace;
                self.publish();
            }
            let markers = self.heart.markers.map(|_| beat_due);
            let next =
                [self.rota.next(), markers, Some(publish_due)].into_iter().flatten().min().unwrap_or(publish_due);
            let rest = next.saturating_sub(clock.monotonic());
            let rest = if self.publishing { rest.max(Duration::from_millis(1)) } else { rest };
            expected = clock.monotonic() + rest;
            let resting = clock.sleep(rest);
            let landed = match select(self.flight.next(), resting).await {
                Either::Left((Some(landed), _)) => Some(landed),
                Either::Left((None, resting)) => {
                    resting.await;
                    None
                }
                Either::Right(((), _)) => None,
            };
            // Asked before anything is taken in: what came back while the process stood still is not to be believed.
            self.stood_still(clock.monotonic().saturating_sub(expected), told);
            expected = expected.max(clock.monotonic());
            if let Some(landed) = landed {
                self.land(landed, told);
            }
            while let Some(landed) = self.flight.next().now_or_never().flatten() {
                self.land(landed, told);
            }
        }
    }

    fn stood_still(&mut self, time: Duration, told: Told<'_>) {
        if time > STOOD_STILL {
            self.turn += 1;
            self.owed = (0..self.duties.len()).collect();
            self.changed = true;
            told(Pulse::StoodStill { time });
        }
    }

    fn probe(&mut self, index: usize) {
        let Some(duty) = self.duties.get(index) else { return };
        let (ready, clock) = (Arc::clone(&duty.ready), Arc::clone(&self.means.clock));
        let turn = self.turn;
        let probing = async move {
            let (begun, at) = (clock.monotonic(), clock.now());
            let health = ready.probe().await;
            Landed::Probed { index, begun, turn, at, health }
        };
        self.flight.push(probing.boxed());
    }

    fn beat(&mut self, every: Duration) {
        let limit = every.max(Duration::from_secs(1)) * 4;
        for (target, aim) in self.aims.iter_mut().filter(|(_, aim)| !aim.under_way) {
            let (Some(driver), Some(region)) = (self.means.drivers.targets.get(target), aim.regions.get(aim.at)) else {
                continue;
            };
            aim.under_way = true;
            let clock = Arc::clone(&self.means.clock);
            self.flight.push(beat(clock, target.clone(), region.clone(), Arc::clone(driver), limit).boxed());
        }
    }

    fn publish(&mut self) {
        (self.changed, self.publishing) = (false, true);
        let (store, report) = (Arc::clone(&self.means.store), self.report());
        self.flight.push(async move { Landed::Published(store.publish(&report).await) }.boxed());
    }

    fn report(&self) -> ObserverReport {
        let lasts = self.duties.iter().map(|duty| duty.period * WORTH + Duration::from_millis(duty.spec.timeout_ms));
        let worth = lasts.max().unwrap_or_default().max(SHORTEST_WORTH);
        ObserverReport {
            observer: self.heart.observer.clone(),
            group: self.heart.group.name.clone(),
            at: self.means.clock.now(),
            valid_ms: u64::try_from(worth.as_millis()).unwrap_or(u64::MAX),
            abstains: self.abstains(),
            probes: self
                .duties
                .iter()
                .filter(|duty| duty.region.is_some())
                .filter_map(|duty| duty.seen.clone())
                .collect(),
            markers: self.markers.values().cloned().collect(),
            remark: self.means.remark.borrow().clone(),
            judged: self.means.judged.borrow().clone(),
        }
    }

    /// Why this observer's word counts for nothing now.
    fn abstains(&self) -> Option<String> {
        if !self.owed.is_empty() {
            return Some("its process stood still, and it is looking anew".into());
        }
        let mut references = self.duties.iter().filter(|duty| duty.region.is_none()).peekable();
        references.peek()?;
        let answers = |duty: &Duty| duty.seen.as_ref().is_some_and(|seen| seen.falling == 0);
        let all: Vec<&Duty> = references.collect();
        if all.iter().any(|duty| answers(duty)) {
            return None;
        }
        let names = all.iter().map(|duty| duty.spec.name.to_string()).collect::<Vec<_>>().join(", ");
        Some(format!("it reaches none of its reference points ({names}): its own network is cut"))
    }

    fn land(&mut self, landed: Landed, told: Told<'_>) {
        match landed {
            Landed::Beat(target, region, at, beat) => self.beaten(target, region, at, beat, told),
            Landed::Probed { index, begun, turn, at, health } => self.probed(index, (begun, turn, at), health, told),
            Landed::Published(result) => {
                self.publishing = false;
                match result {
                    Ok(()) if !self.published => {
                        self.published = true;
                        told(Pulse::Beating { report: &self.report() });
                    }
                    Ok(()) => {}
                    Err(error) => told(Pulse::Unpublished { error: &error }),
                }
            }
        }
    }

    fn probed(&mut self, index: usize, (begun, turn, at): (Duration, u64, Timestamp), health: Health, told: Told<'_>) {
        let now = self.means.clock.monotonic();
        let reprobe = Duration::from_millis(self.heart.group.watch.reprobe_ms);
        let Some(duty) = self.duties.get_mut(index) else { return };
        let (thresholds, mut interval) = (duty.thresholds, duty.period);
        if turn == self.turn {
            let region = duty.region.clone().or_else(|| self.heart.group.preferred().cloned());
            let Some(region) = region else { return };
            let before = duty.seen.take();
            let was = before.as_ref().map(|seen| (seen.state, seen.degraded.is_some(), seen.falling > 0));
            let seen = streak(
                before,
                Answer { region, probe: duty.spec.name.clone(), only_serving: duty.spec.only_serving, health, at },
                thresholds,
            );
            self.changed |= was != Some((seen.state, seen.degraded.is_some(), seen.falling > 0));
            if let Some(region) = &duty.region {
                let (probe, healthy, took) = (&duty.spec.name, seen.falling == 0, now.saturating_sub(begun));
                told(Pulse::Probed { region, probe, healthy, took });
            }
            if seen.falling > 0 && seen.falling < thresholds.fall {
                interval = interval.min(reprobe);
            }
            duty.seen = Some(seen);
            self.changed |= self.owed.remove(&index) && self.owed.is_empty();
        }
        self.rota.back(index, begun, interval, now);
    }

    fn beaten(&mut self, target: TargetName, region: RegionName, at: Timestamp, beat: Beat, told: Told<'_>) {
        let Some(aim) = self.aims.get_mut(&target) else { return };
        aim.under_way = false;
        match beat {
            Beat::Acknowledged { position } => {
                if aim.acknowledged.as_ref() != Some(&region) {
                    told(Pulse::Moved { target: &target, region: &region });
                    aim.acknowledged = Some(region.clone());
                }
                aim.refused = 0;
                let marker = MarkerSeen { target: target.clone(), region: region.clone(), at, position };
                self.markers.insert((target, region), marker);
            }
            Beat::Refused { why } => {
                aim.refused += 1;
                aim.at = (aim.at + 1) % aim.regions.len().max(1);
                if aim.refused == aim.regions.len() {
                    aim.acknowledged = None;
                    told(Pulse::Refused { target: &target, why: &why });
                }
            }
        }
    }
}

async fn beat(
    clock: Arc<dyn Clock>,
    target: TargetName,
    region: RegionName,
    driver: Arc<dyn Driver>,
    limit: Duration,
) -> Landed {
    let at = clock.now();
    let beat = match driver.heartbeat() {
        Some(heart) => match select(heart.beat(&region, at), clock.sleep(limit)).await {
            Either::Left((beat, _)) => Some(beat),
            Either::Right(((), _)) => None,
        },
        None => None,
    };
    let beat = beat.unwrap_or_else(|| Beat::Refused { why: format!("no answer within {limit:?}") });
    Landed::Beat(target, region, at, beat)
}
