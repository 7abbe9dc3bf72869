//! Which probe, how long, how often healthy.

use std::time::Duration;

use serde_json::Value;

use super::With;
use crate::{
    model::{Endpoint, Facts, Observed, Region, RegionName},
    spec::{ProbeAwaitParams, ProbeSpec},
};

/// A call that names nothing to wait for.
#[derive(Debug, thiserror::Error)]
pub(super) enum BadCall {
    /// Parameters of another shape.
    #[error("the parameters of probe.await are wrong: {why}")]
    Params {
        /// Why.
        why: String,
    },
    /// No such probe.
    #[error("region {region} has no probe `{probe}`; it has {}", .has.join(", "))]
    NoProbe {
        /// The region.
        region: RegionName,
        /// What was asked for.
        probe: String,
        /// What there is.
        has: Vec<String>,
    },
}

impl BadCall {
    /// Waiting would never end.
    pub(super) fn observed(&self) -> Observed {
        Observed::Refused {
            facts: Facts::default(),
            expected: "a probe of the destination region to wait for".into(),
            found: self.to_string(),
        }
    }
}

/// What is waited for.
#[derive(Debug)]
pub(super) struct Wish {
    pub(super) probe: ProbeSpec,
    pub(super) within: Option<Duration>,
    /// Healthy probes in a row; at least 1.
    pub(super) rise: u32,
}

impl Wish {
    pub(super) fn read(regions: &[Region], destination: &RegionName, with: &With) -> Result<Self, BadCall> {
        let params: ProbeAwaitParams = serde_json::from_value(Value::Object(with.clone()))
            .map_err(|error| BadCall::Params { why: error.to_string() })?;
        let declared = regions.iter().filter(|region| region.name == *destination).flat_map(|region| &region.probes);
        let probes: Vec<ProbeSpec> = declared.filter_map(|probe| serde_json::from_value(probe.clone()).ok()).collect();
        let has = probes.iter().map(|probe| probe.name.to_string()).collect::<Vec<_>>();
        let has = if has.is_empty() { vec!["none".to_owned()] } else { has };
        let probe = probes.into_iter().find(|probe| probe.name == params.probe);
        let probe = probe.ok_or_else(|| BadCall::NoProbe {
            region: destination.clone(),
            probe: params.probe.to_string(),
            has,
        })?;
        Ok(Self { probe, within: params.within.map(Duration::from_secs), rise: params.rise.unwrap_or(1).max(1) })
    }

    pub(super) fn endpoint(&self, region: &RegionName) -> Endpoint {
        let address = self.probe.kind().map(|kind| kind.address().to_owned()).unwrap_or_default();
        Endpoint { address, region: Some(region.clone()), purpose: format!("probe {} of {region}", self.probe.name) }
    }
}

/// Checks parameters before they are interpolated: a text with `{{` stands for anything.
pub(super) fn check(with: &With) -> Result<(), String> {
    let open = |value: &Value| value.as_str().is_some_and(|text| text.contains("{{"));
    for (key, value) in with {
        let good = match key.as_str() {
            "probe" => value.is_string(),
            "within" | "rise" => open(value) || value.as_u64().is_some_and(|number| number > 0),
            _ => return Err(format!("`{key}` is unknown: probe.await takes `probe`, `within` (seconds) and `rise`")),
        };
        if !good {
            let wanted = if key == "probe" { "the name of a probe" } else { "a whole number above 0" };
            return Err(format!("`{key}` takes {wanted}, found {value}"));
        }
    }
    if with.contains_key("probe") {
        Ok(())
    } else {
        Err("`probe` is missing: the name of a probe of the destination".into())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn parameters_are_checked_before_the_run() {
        let cases = [
            (json!({"probe": "edge"}), true),
            (json!({"probe": "edge", "within": 60, "rise": 2}), true),
            (json!({"probe": "{{ steps.x.probe }}", "within": "{{ 1 + 1 }}"}), true),
            (json!({}), false),
            (json!({"probe": 1}), false),
            (json!({"probe": "edge", "within": 0}), false),
            (json!({"probe": "edge", "within": "sixty"}), false),
            (json!({"probe": "edge", "rise": -1}), false),
            (json!({"probe": "edge", "until": 3}), false),
        ];
        for (with, good) in cases {
            assert_eq!(check(with.as_object().unwrap()).is_ok(), good, "{with}");
        }
    }
}
