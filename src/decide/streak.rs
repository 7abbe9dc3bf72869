//! From single answers of a probe to what one observer says of it: thresholds to fall and to rise, kept apart.
//!
//! The first state is unknown. One lost probe moves nothing, and neither does one lucky answer of a server in trouble.

use jiff::Timestamp;

use crate::{
    model::{ProbeName, ProbeSeen, ProbeState, RegionName},
    port::Health,
};

/// Answers in a row that change what is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Thresholds {
    /// Failures that make it *down*, 1 or more.
    pub fall: u32,
    /// Successes that make it *up*, 1 or more.
    pub rise: u32,
}

/// One answer of one probe.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// The region.
    pub region: RegionName,
    /// The probe.
    pub probe: ProbeName,
    /// Only the region that serves answers it.
    pub only_serving: bool,
    /// What it found.
    pub health: Health,
    /// When the probe began.
    pub at: Timestamp,
}

/// A probe's streak after one more answer. A silent probe counts as failed here: a dead region is silent. Whether silence means
/// the region or the observer's own network is the verdict's question.
pub fn streak(before: Option<ProbeSeen>, answer: Answer, thresholds: Thresholds) -> ProbeSeen {
    let Answer { region, probe, only_serving, health, at } = answer;
    let before = before.unwrap_or_else(|| ProbeSeen {
        region: region.clone(),
        probe: probe.clone(),
        state: ProbeState::Unknown,
        only_serving: false,
        degraded: None,
        rising: 0,
        falling: 0,
        failing_since: None,
        last_healthy: None,
        detail: String::new(),
    });
    let (healthy, degraded, detail) = match health {
        Health::Healthy { took } => (true, None, format!("healthy in {:.3} s", took.as_secs_f64())),
        Health::Degraded { took, why } => {
            (true, Some(why.clone()), format!("serves, in {:.3} s: {why}", took.as_secs_f64()))
        }
        Health::Unhealthy { why } => (false, None, why),
        Health::Silent { why } => (false, None, format!("silent: {why}")),
    };
    if healthy {
        let rising = before.rising.saturating_add(1);
        let state = if rising >= thresholds.rise { ProbeState::Up } else { before.state };
        let last_healthy = Some(at);
        ProbeSeen {
            region,
            probe,
            state,
            only_serving,
            degraded,
            rising,
            falling: 0,
            failing_since: None,
            last_healthy,
            detail,
        }
    } else {
        let falling = before.falling.saturating_add(1);
        let state = if falling >= thresholds.fall { ProbeState::Down } else { before.state };
        let (failing_since, last_healthy) = (before.failing_since.or(Some(at)), before.last_healthy);
        ProbeSeen {
            region,
            probe,
            state,
            only_serving,
            degraded,
            rising: 0,
            falling,
            failing_since,
            last_healthy,
            detail,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn thresholds_to_fall_and_to_rise_are_apart_and_the_onset_is_the_first_failure() {
        let thresholds = Thresholds { fall: 3, rise: 2 };
        let mut seen = None;
        for (second, healthy, state, rising, falling, since) in [
            (1, true, ProbeState::Unknown, 1, 0, None),
            (2, true, ProbeState::Up, 2, 0, None),
            (3, false, ProbeState::Up, 0, 1, Some(3)),
            (4, true, ProbeState::Up, 1, 0, None),
            (5, false, ProbeState::Up, 0, 1, Some(5)),
            (6, false, ProbeState::Up, 0, 2, Some(5)),
            (7, false, ProbeState::Down, 0, 3, Some(5)),
            (8, true, ProbeState::Down, 1, 0, None),
            (9, false, ProbeState::Down, 0, 1, Some(9)),
            (10, true, ProbeState::Down, 1, 0, None),
            (11, true, ProbeState::Up, 2, 0, None),
        ] {
            let health = if healthy {
                Health::Healthy { took: Duration::from_millis(3) }
            } else {
                Health::Silent { why: "no answer".into() }
            };
            let (region, probe) = ("fra".parse().unwrap(), "edge".parse().unwrap());
            let next =
                streak(seen.take(), Answer { region, probe, only_serving: false, health, at: at(second) }, thresholds);
            let found = (next.state, next.rising, next.falling, next.failing_since);
            assert_eq!(found, (state, rising, falling, since.map(at)), "at {second} s");
            seen = Some(next);
        }
    }
}
