//! Standing ready: everything that can be prepared is prepared, then the source is probed until it is down.
//!
//! Down means: every probe of the source failed `failureThreshold` times in a row, and the destination is fine. After a
//! failure the next try comes sooner (`reprobeSeconds`). Where only some probes fail nobody can tell, and nothing starts.
//! A destination that fails as well has the same cause as the source, or we have lost our own network: nothing starts
//! then either (promise S9).
//!
//! Standing ready holds no lease and changes nothing. When another run moves the group meanwhile, the plan is made anew.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::{App, AppError, Drawn, Outage, Prepared, Probed, Request, Witnessed, looking, outage};
use crate::{
    model::{Event, EventBody, Facts, RegionName, Role, Run, RunId, Term, Verb},
    spec::ProbeSpec,
};

/// How long the destination and what would be lost may take to be seen once the source is down: a destination that
/// takes longer is not fine, and a source that was cut off is not waited for.
const GLANCE: Duration = Duration::from_millis(500);

/// What a face is told.
#[derive(Debug, Clone, PartialEq)]
pub enum Watch {
    /// Ready: from now on the source is probed.
    Armed {
        /// Away from here.
        source: RegionName,
        /// To here.
        destination: RegionName,
        /// Probes of the source.
        probes: usize,
        /// Time between two.
        period: Duration,
        /// Failures in a row that are needed.
        threshold: u32,
    },
    /// Every probe failed.
    Failing {
        /// How often in a row.
        times: u32,
        /// The first failed probe.
        since: Timestamp,
    },
    /// Some probes fail and some do not.
    CannotTell {
        /// Those that fail.
        failing: Vec<String>,
    },
    /// Everything answers again.
    Healthy,
    /// The source is down and the destination is not fine.
    DestinationNotFine {
        /// Why.
        why: String,
    },
    /// Another run came in between.
    Moved {
        /// Which.
        run: RunId,
    },
}

/// Told of what changes.
pub type Watching<'a> = &'a mut (dyn FnMut(Watch) + Send);

/// How a watch ended.
enum Ended {
    Down(Box<Outage>, Box<Witnessed>),
    Moved(RunId),
}

impl App {
    /// Waits until the source is down, and gives back the run that is to be opened at once.
    pub async fn arm(&self, request: Request, told: Watching<'_>) -> Result<Prepared, AppError> {
        let request = Request { healthy_anyway: true, ..request };
        loop {
            let drawn = self.draw(request.clone()).await?;
            let reports = self.reports_of(&request.group).await?;
            let seen = self.witness(&drawn, &reports).await?;
            drawn.objections(&seen)?;
            match self.watch(&drawn, told).await? {
                Ended::Down(outage, seen) => return Ok(drawn.prepared(*outage, seen.estimates)),
                Ended::Moved(run) => told(Watch::Moved { run }),
            }
        }
    }

    async fn watch(&self, drawn: &Drawn, told: Watching<'_>) -> Result<Ended, AppError> {
        let plan = &drawn.plan;
        let probes = declared(drawn, &plan.source)?;
        let destination = declared(drawn, &plan.destination).unwrap_or_default();
        let period = Duration::from_millis(plan.group.detection.period_ms);
        let again = Duration::from_millis(plan.group.watch.reprobe_ms).min(period);
        let threshold = plan.group.detection.failure_threshold;
        let newest = self.newest_run(drawn).await?;
        let (source, to) = (plan.source.clone(), plan.destination.clone());
        told(Watch::Armed { source, destination: to, probes: probes.len(), period, threshold });
        let (mut streak, mut since, mut state) = (0_u32, None, Watch::Healthy);
        let mut due = self.clock.monotonic();
        loop {
            // While one more failure would decide, what must be known then is looked at beside the probes, and a moment before them.
            let decides = streak > 0 && streak + 1 >= threshold;
            let glance = async {
                if !decides {
                    return None;
                }
                self.sleep_until(due.saturating_sub(GLANCE)).await;
                Some(self.glance(drawn, &destination).await)
            };
            let round = async {
                self.sleep_until(due).await;
                (self.clock.monotonic(), self.round(&plan.source, &probes).await)
            };
            let ((begun, (round, noticed)), glance) = futures::join!(round, glance);
            let next = judge(&round, &mut streak, &mut since);
            due = begun + if (1..threshold).contains(&streak) { again } else { period };
            let down = matches!(next, Watch::Failing { .. }) && streak >= threshold;
            tell(next, &mut state, told);
            if let Some(run) = self.newest_run(drawn).await?.filter(|run| Some(run) != newest.as_ref()) {
                return Ok(Ended::Moved(run));
            }
            if down {
                let seen = match glance {
                    Some(seen) => seen?,
                    None => self.glance(drawn, &destination).await?,
                };
                let Some(why) = not_fine(&plan.destination, &seen) else {
                    let outage = self.outage(drawn, since, noticed, round).await;
                    return Ok(Ended::Down(Box::new(outage), Box::new(seen)));
                };
                tell(Watch::DestinationNotFine { why }, &mut state, told);
            }
        }
    }

    async fn sleep_until(&self, due: Duration) {
        self.clock.sleep(due.saturating_sub(self.clock.monotonic())).await;
    }

    /// When it began: by our own probes, or by an observer's when it saw the same outage sooner. A store that does not answer is
    /// not waited for.
    async fn outage(&self, drawn: &Drawn, since: Option<Timestamp>, noticed: Timestamp, probes: Vec<Probed>) -> Outage {
        let (source, period) = (&drawn.plan.source, drawn.plan.group.detection.period_ms);
        let reports = looking::within(self.clock.as_ref(), GLANCE, self.reports_of(&drawn.request.group)).await;
        let reports = reports.and_then(Result::ok).unwrap_or_default();
        let window = SignedDuration::from_millis(i64::try_from(period).unwrap_or(i64::MAX));
        let sooner = since.and_then(|since| outage::earlier(source, &reports, since, window));
        let basis = if sooner.is_some() { "observer report" } else { "own probe" };
        Outage { onset: sooner.or(since), basis: basis.into(), noticed: Some(noticed), probes }
    }

    /// One round of probes, and when it was over.
    async fn round(&self, region: &RegionName, probes: &[ProbeSpec]) -> (Vec<Probed>, Timestamp) {
        let clock = self.clock.as_ref();
        let round = outage::probe_all(self.tools.prober.as_ref(), clock, region, probes).await;
        (round, clock.now())
    }

    async fn newest_run(&self, drawn: &Drawn) -> Result<Option<RunId>, AppError> {
        let runs = self.runs_of(&drawn.request.group).await?;
        Ok(super::prepare::newest(&runs))
    }

    /// One quick look: what would be lost, and whether the destination is fine.
    async fn glance(&self, drawn: &Drawn, probes: &[ProbeSpec]) -> Result<Witnessed, AppError> {
        let clock = self.clock.as_ref();
        let reports = self.reports_of(&drawn.request.group).await?;
        let opened = drawn.opened(Outage::default(), Vec::new());
        let first = Event { seq: 1, term: Term(0), at: clock.now(), body: EventBody::Opened(Box::new(opened)) };
        let id = RunId { group: drawn.request.group.clone(), number: 1 };
        let run = Run::open(id, &first).map_err(|_| super::prepare::bad_plan(&drawn.request.group))?;
        let destination = &drawn.plan.destination;
        let (promotions, answers) = futures::join!(
            looking::observe(&run, &drawn.drivers, &reports, clock, GLANCE, Verb::promotes),
            looking::within(clock, GLANCE, outage::probe_all(self.tools.prober.as_ref(), clock, destination, probes)),
        );
        let estimates = looking::estimates(&run, &promotions);
        // Databases alone say what they are. A bucket has no role of its own before the first promotion.
        let is_database = |index| drawn.plan.step(index).is_some_and(|step| step.verb == Verb::DatabasePromote);
        let databases = promotions.iter().filter(|(index, _)| is_database(**index));
        let promotions: Vec<Facts> =
            databases.filter_map(|(_, seen)| looking::facts(&seen.observed).cloned()).collect();
        let outage = Outage { probes: answers.unwrap_or_default(), ..Outage::default() };
        Ok(Witnessed { survey: super::Survey::new(), outage, estimates, promotions })
    }
}

/// The probes of a region; without one nobody can see that it is down.
fn declared(drawn: &Drawn, name: &RegionName) -> Result<Vec<ProbeSpec>, AppError> {
    let region = drawn.plan.regions.iter().find(|region| region.name == *name);
    let probes = region.map(outage::probes_of).unwrap_or_default();
    if probes.is_empty() {
        return Err(AppError::Missing {
            what: format!("region {name} declares no probe, so nobody can see that it is down"),
            remedy: format!("add `probes:` to Region {name}"),
        });
    }
    Ok(probes)
}

/// What one round of probes means.
fn judge(probed: &[Probed], streak: &mut u32, since: &mut Option<Timestamp>) -> Watch {
    let failing: Vec<&Probed> = probed.iter().filter(|probe| !probe.healthy).collect();
    if failing.is_empty() {
        (*streak, *since) = (0, None);
        return Watch::Healthy;
    }
    if failing.len() < probed.len() {
        (*streak, *since) = (0, None);
        return Watch::CannotTell { failing: failing.iter().map(|probe| probe.probe.to_string()).collect() };
    }
    *streak = streak.saturating_add(1);
    let first = failing.iter().map(|probe| probe.at).min();
    *since = since.or(first);
    Watch::Failing { times: *streak, since: since.unwrap_or_default() }
}

/// Tells what is new: the same state is told once, failures each time.
fn tell(next: Watch, state: &mut Watch, told: Watching<'_>) {
    if next != *state {
        *state = next.clone();
        told(next);
    }
}

/// The destination is judged as strictly as the source. Where its databases say what they are, that counts;
/// otherwise its probes do. A probe that only a serving region answers cannot be asked of a standby, so one that
/// answers is enough.
fn not_fine(destination: &RegionName, seen: &Witnessed) -> Option<String> {
    let roles: Vec<&Role> = seen.promotions.iter().filter_map(|facts| facts.role(destination)).collect();
    if let Some(bad) = roles.iter().find(|role| !matches!(role, Role::Standby | Role::Primary)) {
        return Some(format!("a database in {destination} is {bad}"));
    }
    let probes = &seen.outage.probes;
    if roles.is_empty() && !probes.is_empty() && probes.iter().all(|probe| !probe.healthy) {
        return Some(format!("no probe of {destination} answers either: the cause may be on our side"));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Side;

    fn probed(probe: &str, healthy: bool, second: i64) -> Probed {
        Probed {
            region: "fra".parse().unwrap(),
            probe: probe.parse().unwrap(),
            healthy,
            detail: String::new(),
            at: Timestamp::from_second(second).unwrap(),
        }
    }

    #[test]
    fn only_failures_of_every_probe_in_a_row_count() {
        let (mut streak, mut since) = (0, None);
        let first = Timestamp::from_second(3).unwrap();
        for (edge, db, second, expected) in [
            (true, true, 1, Watch::Healthy),
            (false, true, 2, Watch::CannotTell { failing: vec!["edge".into()] }),
            (false, false, 3, Watch::Failing { times: 1, since: first }),
            (false, false, 4, Watch::Failing { times: 2, since: first }),
            (false, true, 5, Watch::CannotTell { failing: vec!["edge".into()] }),
            (false, false, 6, Watch::Failing { times: 1, since: Timestamp::from_second(6).unwrap() }),
        ] {
            let probes = [probed("edge", edge, second), probed("db", db, second)];
            assert_eq!(judge(&probes, &mut streak, &mut since), expected, "at {second} s");
        }
    }

    fn seen(role: Option<Role>, probes: &[bool]) -> Witnessed {
        let sides = role.map(|role| Side { region: "dub".parse().unwrap(), role, position: None });
        let facts = Facts { sides: sides.into_iter().collect(), ..Facts::default() };
        let probes = probes.iter().map(|healthy| probed("edge", *healthy, 1)).collect();
        Witnessed {
            survey: crate::app::Survey::new(),
            outage: Outage { probes, ..Outage::default() },
            estimates: Vec::new(),
            promotions: vec![facts],
        }
    }

    #[test]
    fn nothing_starts_towards_a_destination_that_is_not_fine() {
        let dub = "dub".parse().unwrap();
        assert_eq!(not_fine(&dub, &seen(Some(Role::Standby), &[false])), None, "its database stands by");
        assert!(not_fine(&dub, &seen(Some(Role::Unknown("no answer".into())), &[true])).is_some());
        assert!(not_fine(&dub, &seen(Some(Role::ReadOnly), &[true])).is_some());
        assert_eq!(not_fine(&dub, &seen(None, &[true, false])), None);
        assert!(not_fine(&dub, &seen(None, &[false, false])).is_some(), "everything fails everywhere");
        assert_eq!(not_fine(&dub, &seen(None, &[])), None);
    }
}
