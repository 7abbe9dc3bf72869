//! What the group declares, looked at in one region: programs, probes, connections.

use std::{collections::BTreeMap, time::Duration};

use futures::future::join_all;

use super::observe;
use crate::{
    model::{Control, RegionName},
    net::program::{self, Program},
    port::{Held, Prober, Reading},
    spec::{ControlProgram, ControlsSpec, IngressSpec, ProbeSpec, TenantSpec},
};

/// How long a program may take.
const PROGRAM: Duration = Duration::from_secs(20);
/// How long a connection may take until the address counts as closed.
const REACH_MS: u64 = 2_000;

/// What the group declares.
pub(super) struct Declared<'a> {
    pub(super) spec: &'a ControlsSpec,
    pub(super) prober: &'a dyn Prober,
}

impl Declared<'_> {
    /// Everything, in this region.
    pub(super) async fn read(&self, region: &RegionName) -> Vec<Reading> {
        let ingress = join_all(self.spec.ingress.iter().map(|one| self.ingress(one, region)));
        let tenants = join_all(self.spec.tenants.iter().map(|one| self.tenant(one, region)));
        let checks = join_all(self.spec.checks.iter().map(|one| check(one, region)));
        let (ingress, tenants, checks) = tokio::join!(ingress, tenants, checks);
        ingress.into_iter().flatten().chain(tenants).chain(checks).collect()
    }

    async fn ingress(&self, spec: &IngressSpec, region: &RegionName) -> Vec<Reading> {
        let mut readings = Vec::new();
        if !spec.observed.is_empty() {
            let held = match run(&spec.observed, region).await {
                Ok(printed) => observe::rules(&spec.rules, &printed),
                Err(why) => Held::Untold(why),
            };
            readings.push(Reading::new(Control::Ingress, format!("{}, rules", spec.name), held));
        }
        if !spec.reach.is_empty() {
            let held = match spec.reach.iter().find(|reach| reach.region == *region) {
                Some(reach) => {
                    let (open, closed) = tokio::join!(self.reached(&reach.open), self.reached(&reach.closed));
                    observe::reached(&open, &closed)
                }
                None => Held::Untold("nothing is declared for it".into()),
            };
            readings.push(Reading::new(Control::Ingress, format!("{}, as seen from here", spec.name), held));
        }
        readings
    }

    async fn reached(&self, addresses: &[String]) -> Vec<(String, bool)> {
        join_all(addresses.iter().map(|at| self.reach(at))).await
    }

    /// Whether a connection is accepted there.
    async fn reach(&self, address: &str) -> (String, bool) {
        let probe: Result<ProbeSpec, _> = serde_json::from_value(
            serde_json::json!({"name": "reach", "timeoutMs": REACH_MS, "tcp": {"address": address}}),
        );
        let open = match probe {
            Ok(probe) => self.prober.probe(&probe).await.serves(),
            Err(_) => false,
        };
        (address.to_owned(), open)
    }

    async fn tenant(&self, spec: &TenantSpec, region: &RegionName) -> Reading {
        let held = match spec.by_region.iter().find(|probes| probes.region == *region) {
            Some(probes) => {
                let (own, other) = tokio::join!(self.prober.probe(&probes.own), self.prober.probe(&probes.other));
                observe::separated(&own, &other)
            }
            None => Held::Untold("nothing is declared for it".into()),
        };
        Reading::new(Control::TenantIsolation, &spec.name, held)
    }
}

async fn check(spec: &ControlProgram, region: &RegionName) -> Reading {
    let held = match run(&spec.run, region).await {
        Ok(printed) => observe::line(spec.control, &spec.expect, &printed),
        Err(why) => Held::Untold(why),
    };
    Reading::new(spec.control, &spec.name, held)
}

/// Runs a program for this region. What it printed, or why that says nothing.
async fn run(words: &[String], region: &RegionName) -> Result<String, String> {
    let filled: Vec<String> = words
        .iter()
        .map(|word| word.replace("{{ region }}", region.as_str()).replace("{{region}}", region.as_str()))
        .collect();
    let words: Vec<&str> = filled.iter().map(String::as_str).collect();
    let (env, secret_env) = (vec![("LIFEBOAT_REGION", region.as_str())], &BTreeMap::new());
    let program = Program { words: &words, directory: None, env, secret_env };
    observe::printed(words.first().copied().unwrap_or_default(), program::run(&program, PROGRAM).await)
}
