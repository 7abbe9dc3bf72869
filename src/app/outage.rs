//! When an outage began, and whether there is one: from the observers' reports, and from the source's own probes.
//!
//! `look` is pure; `probe_all` asks. Probes that are silent count as failed here, because a dead region is silent; that
//! only ever keeps a person from being *refused*, it starts nothing.

use futures::future::join_all;
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use crate::{
    model::{Detection, ProbeName, Region, RegionName},
    port::{Clock, Health, ObserverReport, Prober},
    spec::ProbeSpec,
};

/// What one probe said now.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Probed {
    /// The region.
    pub region: RegionName,
    /// The probe.
    pub probe: ProbeName,
    /// It serves.
    pub healthy: bool,
    /// In words.
    pub detail: String,
    /// When the probe began.
    pub at: Timestamp,
}

/// What is known of an outage.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Outage {
    /// The first failed probe of the streak.
    pub onset: Option<Timestamp>,
    /// `observer report`, `own probe`, or empty.
    pub basis: String,
    /// When somebody, or something, knew.
    pub noticed: Option<Timestamp>,
    /// What the source's own probes say now.
    pub probes: Vec<Probed>,
}

impl Outage {
    /// Every probe of the source says that it serves. Without a probe nobody knows.
    pub fn source_is_healthy(&self) -> bool {
        !self.probes.is_empty() && self.probes.iter().all(|probe| probe.healthy)
    }
}

/// The probes that are pinned with a region. One that cannot be read was checked when the plan was compiled.
pub(super) fn probes_of(region: &Region) -> Vec<ProbeSpec> {
    region.probes.iter().filter_map(|value| serde_json::from_value(value.clone()).ok()).collect()
}

/// Asks every probe of a region once, side by side.
pub(super) async fn probe_all(
    prober: &dyn Prober,
    clock: &dyn Clock,
    region: &RegionName,
    specs: &[ProbeSpec],
) -> Vec<Probed> {
    join_all(specs.iter().map(|spec| async move {
        let at = clock.now();
        let (healthy, detail) = match prober.probe(spec).await {
            Health::Healthy { took } => (true, format!("healthy in {:.3} s", took.as_secs_f64())),
            // It serves: nothing to fail over from, and a reason that a person should see.
            Health::Degraded { took, why } => (true, format!("degraded in {:.3} s: {why}", took.as_secs_f64())),
            Health::Unhealthy { why } => (false, why),
            Health::Silent { why } => (false, format!("silent: {why}")),
        };
        Probed { region: region.clone(), probe: spec.name.clone(), healthy, detail, at }
    }))
    .await
}

/// The start of the streak that an observer of `source` saw, when it is at most `before` older than the first failed probe that we saw
/// ourselves: an observer that probes at other moments, or more often, comes closer to the true onset. An older streak is of another
/// trouble.
pub(super) fn earlier(
    source: &RegionName,
    reports: &[ObserverReport],
    own: Timestamp,
    before: SignedDuration,
) -> Option<Timestamp> {
    let streaks = reports.iter().flat_map(|report| &report.probes).filter(|probe| probe.region == *source);
    let near = |since: &Timestamp| *since < own && own.duration_since(*since) <= before;
    streaks.filter_map(|probe| probe.failing_since).filter(near).min()
}

/// Judges when the outage of `source` began. A report that was published last, however long ago, is better than a look
/// now: the observer saw the moment. It counts only while the source's own probes do not contradict it.
pub(super) fn look(
    source: &RegionName,
    detection: Detection,
    reports: &[ObserverReport],
    probes: Vec<Probed>,
    now: Timestamp,
) -> Outage {
    let healthy_now = !probes.is_empty() && probes.iter().all(|probe| probe.healthy);
    if healthy_now {
        return Outage { probes, ..Outage::default() };
    }
    let streaks = reports.iter().flat_map(|report| &report.probes).filter(|probe| probe.region == *source);
    if let Some(onset) = streaks.filter_map(|probe| probe.failing_since).min() {
        let period = i64::try_from(detection.period_ms).unwrap_or(i64::MAX);
        let needed = i64::from(detection.failure_threshold.saturating_sub(1));
        let lag = SignedDuration::from_millis(period.saturating_mul(needed));
        let noticed = onset.saturating_add(lag).unwrap_or(now).min(now);
        return Outage { onset: Some(onset), basis: "observer report".into(), noticed: Some(noticed), probes };
    }
    let failed = probes.iter().filter(|probe| !probe.healthy).map(|probe| probe.at).min();
    match failed {
        Some(onset) => Outage { onset: Some(onset), basis: "own probe".into(), noticed: Some(now), probes },
        None => Outage { probes, ..Outage::default() },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::port::ProbeSeen;

    const DETECTION: Detection = Detection { period_ms: 2_000, failure_threshold: 3, observer_quorum: 1 };

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }
    fn fra() -> RegionName {
        RegionName::new("fra").unwrap()
    }
    fn probed(healthy: bool) -> Probed {
        let probe = ProbeName::new("edge").unwrap();
        Probed { region: fra(), probe, healthy, detail: String::new(), at: at(90) }
    }
    fn report(failing_since: Option<Timestamp>) -> ObserverReport {
        let seen = ProbeSeen {
            region: fra(),
            probe: ProbeName::new("edge").unwrap(),
            state: crate::model::ProbeState::Unknown,
            only_serving: false,
            degraded: None,
            rising: 0,
            falling: 0,
            failing_since,
            last_healthy: None,
            detail: String::new(),
        };
        ObserverReport {
            observer: "o".into(),
            group: "orders".parse().unwrap(),
            at: at(1),
            valid_ms: 1,
            abstains: None,
            remark: None,
            judged: None,
            probes: vec![seen],
            markers: Vec::new(),
        }
    }

    #[test]
    fn the_earliest_failing_report_gives_the_onset_and_the_threshold_gives_the_notice() {
        let reports = [report(Some(at(20))), report(Some(at(10))), report(None)];
        let outage = look(&fra(), DETECTION, &reports, vec![probed(false)], at(100));
        assert_eq!((outage.onset, outage.noticed), (Some(at(10)), Some(at(14))));
        assert_eq!(outage.basis, "observer report");
        let outage = look(&fra(), DETECTION, &[report(Some(at(99)))], vec![], at(100));
        assert_eq!(outage.noticed, Some(at(100)), "nothing is noticed in the future");
    }

    #[test]
    fn without_reports_the_source_is_asked_and_healthy_probes_contradict_old_reports() {
        let outage = look(&fra(), DETECTION, &[report(None)], vec![probed(false), probed(true)], at(100));
        assert_eq!((outage.onset, outage.basis.as_str()), (Some(at(90)), "own probe"));
        assert!(!outage.source_is_healthy());
        let outage = look(&fra(), DETECTION, &[report(Some(at(10)))], vec![probed(true)], at(100));
        assert_eq!((outage.onset, outage.source_is_healthy()), (None, true));
    }

    #[test]
    fn an_observer_that_saw_the_first_failure_a_little_sooner_comes_closer_and_an_old_streak_does_not() {
        let reports = [report(Some(at(95))), report(Some(at(99))), report(Some(at(101))), report(None)];
        let near = |before| earlier(&fra(), &reports, at(100), SignedDuration::from_secs(before));
        assert_eq!((near(1), near(10), near(0)), (Some(at(99)), Some(at(95)), None));
    }

    #[test]
    fn without_any_probe_nothing_is_known() {
        let outage = look(&fra(), DETECTION, &[], vec![], at(100));
        assert_eq!((outage.onset, outage.noticed, outage.source_is_healthy()), (None, None, false));
    }
}
