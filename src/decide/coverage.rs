//! Which services no protection group covers. Pure.
//!
//! A region says what runs there, a group what it moves. A service that a region has and no group names stays behind when the region is
//! lost, and nobody notices before.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::model::{RegionName, ServiceName};

/// A service in no group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Uncovered {
    /// Its name.
    pub service: ServiceName,
    /// Where it runs.
    pub regions: Vec<RegionName>,
}

/// The services that run somewhere and that no group covers, by name.
pub fn uncovered<'a>(
    run: impl IntoIterator<Item = (&'a RegionName, &'a [ServiceName])>,
    covered: &BTreeSet<ServiceName>,
) -> Vec<Uncovered> {
    let mut found: BTreeMap<&ServiceName, BTreeSet<&RegionName>> = BTreeMap::new();
    for (region, services) in run {
        for service in services.iter().filter(|service| !covered.contains(service)) {
            found.entry(service).or_default().insert(region);
        }
    }
    let named = |regions: BTreeSet<&RegionName>| regions.into_iter().cloned().collect();
    found
        .into_iter()
        .map(|(service, regions)| Uncovered { service: service.clone(), regions: named(regions) })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn services(names: &[&str]) -> Vec<ServiceName> {
        names.iter().map(|name| name.parse().unwrap()).collect()
    }

    #[test]
    fn a_service_that_runs_somewhere_and_is_in_no_group_is_named_once_with_its_regions() {
        let (fra, dub): (RegionName, RegionName) = ("fra".parse().unwrap(), "dub".parse().unwrap());
        let (in_fra, in_dub) = (services(&["orders", "carts", "mail"]), services(&["carts", "orders"]));
        let run = || [(&fra, in_fra.as_slice()), (&dub, in_dub.as_slice())];
        let covered = |names| services(names).into_iter().collect();
        let found = uncovered(run(), &covered(&["orders"]));
        let found: Vec<String> = found.iter().map(|one| format!("{} {:?}", one.service, one.regions)).collect();
        assert_eq!(
            found,
            [r#"carts [RegionName("dub"), RegionName("fra")]"#, r#"mail [RegionName("fra")]"#],
            "in order, each once"
        );
        assert_eq!(uncovered(run(), &covered(&["orders", "carts", "mail", "elsewhere"])), []);
        assert_eq!(uncovered([], &covered(&[])), []);
    }
}
