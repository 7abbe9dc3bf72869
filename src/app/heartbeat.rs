//! The heartbeat: markers through every target's primary, probes of every region, and an observer's report of both.
//!
//! Each period one marker and one probe of each kind is started beside the others; one that has not come back yet is
//! not started again, so nothing piles up on a server in trouble. Markers follow the primary: a region that
//! refuses one is left for the next. The heartbeat never starts a run and never fences anything (promise S9); when it is
//! killed, its last report simply grows old.

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

use super::{App, AppError, Probed, documents, looking, outage, route};
use crate::{
    model::{Group, GroupName, ProbeName, Region, RegionName, TargetName},
    port::{Beat, Driver, Drivers, MarkerSeen, ObserverReport, ProbeSeen, StoreError},
    spec::ProbeSpec,
};

/// A report is worth something for this many periods, and for two seconds at least.
const VALID_PERIODS: u32 = 5;

/// Who observes what, how often.
#[derive(Debug, Clone)]
pub struct Heart {
    /// The group.
    pub group: GroupName,
    /// The observer's name, unique among those of the group.
    pub observer: String,
    /// Time between two markers.
    pub period: Duration,
}

/// What a face is told.
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
}

/// Told of what changes.
pub type Told<'a> = &'a mut (dyn FnMut(Pulse<'_>) + Send);

/// Something that came back.
enum Landed {
    Beat(TargetName, RegionName, Timestamp, Beat),
    Probed(Probed),
    Published(Result<(), StoreError>),
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    Beat(TargetName),
    Probe(RegionName, ProbeName),
    Publish,
}

/// Where a target's markers go, and what became of the last one.
struct Aim {
    regions: Vec<RegionName>,
    at: usize,
    acknowledged: Option<RegionName>,
    refused: usize,
}

struct Beating<'a> {
    app: &'a App,
    heart: Heart,
    drivers: Drivers,
    probes: Vec<(RegionName, ProbeSpec)>,
    aims: BTreeMap<TargetName, Aim>,
    seen: BTreeMap<(RegionName, ProbeName), ProbeSeen>,
    markers: BTreeMap<(TargetName, RegionName), MarkerSeen>,
    busy: BTreeSet<Key>,
    flight: FuturesUnordered<BoxFuture<'a, Landed>>,
    dirty: bool,
    published: bool,
}

impl App {
    /// Beats until the future is dropped.
    pub async fn heartbeat(&self, heart: Heart, told: Told<'_>) -> Result<(), AppError> {
        let papers = documents::read(&self.settings)?;
        let group = papers.group(&heart.group)?;
        let regions = papers.regions(&group);
        let drivers = self.tools.open_targets(&group)?;
        let runs = self.runs_of(&heart.group).await?;
        let serves = route::serves(&group, &runs).cloned();
        let beating = Beating::new(self, heart, drivers, &group, &regions, serves.as_ref());
        beating.run(told).await
    }
}

impl<'a> Beating<'a> {
    fn new(
        app: &'a App,
        heart: Heart,
        drivers: Drivers,
        group: &Group,
        regions: &[Region],
        serves: Option<&RegionName>,
    ) -> Self {
        let serving: Vec<RegionName> = group.serving().cloned().collect();
        let at = serving.iter().position(|region| Some(region) == serves).unwrap_or(0);
        let beats = drivers.targets.iter().filter(|(_, driver)| driver.heartbeat().is_some());
        let aim = || Aim { regions: serving.clone(), at, acknowledged: None, refused: 0 };
        let aims = beats.map(|(target, _)| (target.clone(), aim())).collect();
        let probes = regions
            .iter()
            .flat_map(|region| outage::probes_of(region).into_iter().map(|probe| (region.name.clone(), probe)))
            .collect();
        Self {
            app,
            heart,
            drivers,
            probes,
            aims,
            seen: BTreeMap::new(),
            markers: BTreeMap::new(),
            busy: BTreeSet::new(),
            flight: FuturesUnordered::new(),
            dirty: false,
            published: false,
        }
    }

    async fn run(mut self, told: Told<'_>) -> Result<(), AppError> {
        let clock = Arc::clone(&self.app.clock);
        let mut due = clock.monotonic();
        loop {
            if clock.monotonic() >= due {
                due = (due + self.heart.period).max(clock.monotonic());
                self.start();
            }
            if self.dirty && self.busy.iter().all(|key| *key != Key::Publish) && (self.busy.is_empty() || self.late()) {
                self.publish();
            }
            let rest = clock.sleep(due.saturating_sub(clock.monotonic()));
            let landed = match select(self.flight.next(), rest).await {
                Either::Left((Some(landed), _)) => Some(landed),
                Either::Left((None, rest)) => {
                    rest.await;
                    None
                }
                Either::Right(((), _)) => None,
            };
            if let Some(landed) = landed {
                self.land(landed, told);
            }
            while let Some(landed) = self.flight.next().now_or_never().flatten() {
                self.land(landed, told);
            }
        }
    }

    /// Something has not come back for a period: what is known is published without it.
    fn late(&self) -> bool {
        !self.published || self.busy.len() < self.probes.len() + self.aims.len()
    }

    fn start(&mut self) {
        let limit = self.heart.period.max(Duration::from_secs(1)) * 4;
        for (target, aim) in &self.aims {
            let (Some(driver), Some(region)) = (self.drivers.targets.get(target), aim.regions.get(aim.at)) else {
                continue;
            };
            if self.busy.insert(Key::Beat(target.clone())) {
                self.flight.push(beat(self.app, target.clone(), region.clone(), Arc::clone(driver), limit).boxed());
            }
        }
        for (region, probe) in &self.probes {
            if self.busy.insert(Key::Probe(region.clone(), probe.name.clone())) {
                self.flight.push(once(self.app, region.clone(), probe.clone()).boxed());
            }
        }
        self.dirty = true;
    }

    fn publish(&mut self) {
        self.dirty = false;
        self.busy.insert(Key::Publish);
        let (app, report) = (self.app, self.report());
        self.flight.push(async move { Landed::Published(app.store.publish(&report).await) }.boxed());
    }

    fn report(&self) -> ObserverReport {
        let valid = (self.heart.period * VALID_PERIODS).max(Duration::from_secs(2));
        ObserverReport {
            observer: self.heart.observer.clone(),
            group: self.heart.group.clone(),
            at: self.app.clock.now(),
            valid_ms: u64::try_from(valid.as_millis()).unwrap_or(u64::MAX),
            probes: self.seen.values().cloned().collect(),
            markers: self.markers.values().cloned().collect(),
        }
    }

    fn land(&mut self, landed: Landed, told: Told<'_>) {
        match landed {
            Landed::Beat(target, region, at, beat) => {
                self.busy.remove(&Key::Beat(target.clone()));
                self.dirty = true;
                self.beaten(target, region, at, beat, told);
            }
            Landed::Probed(probed) => {
                self.busy.remove(&Key::Probe(probed.region.clone(), probed.probe.clone()));
                self.dirty = true;
                let key = (probed.region.clone(), probed.probe.clone());
                let before = self.seen.remove(&key);
                self.seen.insert(key, streak(before, probed));
            }
            Landed::Published(result) => {
                self.busy.remove(&Key::Publish);
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

    fn beaten(&mut self, target: TargetName, region: RegionName, at: Timestamp, beat: Beat, told: Told<'_>) {
        let Some(aim) = self.aims.get_mut(&target) else { return };
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

async fn beat(app: &App, target: TargetName, region: RegionName, driver: Arc<dyn Driver>, limit: Duration) -> Landed {
    let at = app.clock.now();
    let beat = match driver.heartbeat() {
        Some(heart) => looking::within(app.clock.as_ref(), limit, heart.beat(&region, at)).await,
        None => None,
    };
    let beat = beat.unwrap_or_else(|| Beat::Refused { why: format!("no answer within {limit:?}") });
    Landed::Beat(target, region, at, beat)
}

async fn once(app: &App, region: RegionName, probe: ProbeSpec) -> Landed {
    let probes = [probe];
    let mut answers = outage::probe_all(app.tools.prober.as_ref(), app.clock.as_ref(), &region, &probes).await;
    let [probe] = probes;
    Landed::Probed(answers.pop().unwrap_or_else(|| Probed {
        region,
        probe: probe.name,
        healthy: false,
        detail: "it said nothing".into(),
        at: app.clock.now(),
    }))
}

/// A probe's streak after one more answer.
fn streak(before: Option<ProbeSeen>, probed: Probed) -> ProbeSeen {
    let Probed { region, probe, healthy, detail, at } = probed;
    let (rising, falling, since, last) = match before {
        Some(before) => (before.rising, before.falling, before.failing_since, before.last_healthy),
        None => (0, 0, None, None),
    };
    if healthy {
        let rising = rising.saturating_add(1);
        ProbeSeen { region, probe, rising, falling: 0, failing_since: None, last_healthy: Some(at), detail }
    } else {
        let falling = falling.saturating_add(1);
        ProbeSeen { region, probe, rising: 0, falling, failing_since: since.or(Some(at)), last_healthy: last, detail }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn probed(healthy: bool, second: i64) -> Probed {
        Probed {
            region: "fra".parse().unwrap(),
            probe: "edge".parse().unwrap(),
            healthy,
            detail: String::new(),
            at: Timestamp::from_second(second).unwrap(),
        }
    }

    #[test]
    fn a_streak_of_failures_remembers_its_first_and_health_ends_it() {
        let at = |second| Some(Timestamp::from_second(second).unwrap());
        let mut seen = None;
        for (healthy, second, rising, falling, since, last) in [
            (true, 1, 1, 0, None, at(1)),
            (true, 2, 2, 0, None, at(2)),
            (false, 3, 0, 1, at(3), at(2)),
            (false, 4, 0, 2, at(3), at(2)),
            (true, 5, 1, 0, None, at(5)),
            (false, 6, 0, 1, at(6), at(5)),
        ] {
            let next = streak(seen.take(), probed(healthy, second));
            let found = (next.rising, next.falling, next.failing_since, next.last_healthy);
            assert_eq!(found, (rising, falling, since, last), "at {second} s");
            seen = Some(next);
        }
    }
}
