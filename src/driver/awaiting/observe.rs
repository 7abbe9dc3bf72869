//! Probes in a row. Pure.

use std::time::Duration;

use serde_json::json;

use super::params::Wish;
use crate::{
    model::{Facts, Output, RegionName},
    port::Health,
};

/// Healthy probes in a row, and the reason of the last one that was not.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Streak {
    rising: u32,
    probes: u32,
    why: String,
}

impl Streak {
    pub(super) fn count(&mut self, found: &Health) {
        self.probes += 1;
        match found {
            // Too slow, or with a warning: it serves.
            Health::Healthy { .. } | Health::Degraded { .. } => self.rising += 1,
            Health::Unhealthy { why } | Health::Silent { why } => {
                self.rising = 0;
                self.why.clone_from(why);
            }
        }
    }

    pub(super) fn rising(&self) -> u32 {
        self.rising
    }

    /// The last words when health did not come in time.
    pub(super) fn gave_up(&self, wish: &Wish, region: &RegionName, after: Duration) -> String {
        let last = if self.rising > 0 {
            format!("the last {} of {} needed were healthy", self.rising, wish.rise)
        } else {
            format!("the last one said: {}", self.why)
        };
        format!(
            "probe {} of region {region} was not healthy after {:.1} s and {} probes; {last}",
            wish.probe.name,
            after.as_secs_f64(),
            self.probes
        )
    }
}

pub(super) fn output(took: Duration) -> Output {
    let mut output = Output::new();
    output.insert("took_ms".into(), json!(u64::try_from(took.as_millis()).unwrap_or(u64::MAX)));
    output
}

pub(super) fn facts(wish: &Wish, found: &Health) -> Facts {
    let (health, why) = match found {
        Health::Healthy { .. } => ("healthy", None),
        Health::Degraded { why, .. } => ("degraded", Some(why)),
        Health::Unhealthy { why } => ("unhealthy", Some(why)),
        Health::Silent { why } => ("silent", Some(why)),
    };
    let mut facts = Facts::default();
    facts.details.insert("probe".into(), json!(wish.probe.name));
    facts.details.insert("health".into(), json!(health));
    if let Some(why) = why {
        facts.details.insert("why".into(), json!(why));
    }
    facts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_probe_that_is_not_healthy_starts_the_count_again() {
        let well = || Health::Healthy { took: Duration::ZERO };
        let slow = || Health::Degraded { took: Duration::from_secs(1), why: "slow".into() };
        let ill = || Health::Unhealthy { why: "503".into() };
        let silent = || Health::Silent { why: "no answer".into() };
        let cases = [
            (vec![well()], 1),
            (vec![well(), well()], 2),
            (vec![ill(), slow(), well()], 2),
            (vec![well(), ill()], 0),
            (vec![well(), silent(), well()], 1),
            (vec![ill(), ill()], 0),
        ];
        for (probes, rising) in cases {
            let mut streak = Streak::default();
            for found in &probes {
                streak.count(found);
            }
            assert_eq!(streak.rising(), rising, "{probes:?}");
        }
    }
}
