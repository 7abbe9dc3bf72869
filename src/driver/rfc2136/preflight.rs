//! Looking ahead: addresses, roles, and what would make a switch slow or impossible.

use std::collections::BTreeSet;

use super::{
    Rfc2136,
    client::ASK,
    observe::{self, Judgement, World},
};
use crate::{
    model::{Endpoint, Facts, RegionName, Role, Side, Verb},
    net::dns::{self, Answer, Expect, Replacement, Reply},
    port::Concern,
};

impl Rfc2136 {
    pub(super) fn touched(&self, verb: Verb) -> Vec<Endpoint> {
        let zone = dns::bare(&self.settings.zone);
        self.settings
            .servers()
            .map(|server| {
                let primary = server == self.settings.primary;
                let purpose = match (primary, verb) {
                    (true, Verb::DnsSwitch) => format!("DNS primary of {zone}, takes the update for {}", self.name),
                    _ => format!("authoritative DNS server of {zone}, read back for {}", self.name),
                };
                Endpoint { address: server.to_string(), region: None, purpose }
            })
            .collect()
    }

    /// A region is primary when every record has its values on the primary server.
    pub(super) async fn sides(&self) -> Facts {
        let world = self.read(ASK).await;
        sides(&self.settings, &world)
    }

    pub(super) async fn concerns(&self, source: &RegionName, destination: &RegionName) -> Vec<Concern> {
        let world = self.read(ASK).await;
        let mut concerns = Vec::new();
        for line in observe::unread(&world) {
            concerns.push(Concern {
                what: format!("an authoritative server cannot be read: {line}"),
                remedy: "repair it, or remove it from `authoritative` and from the zone's NS records: a switch is read back from every server and waits for it".into(),
            });
        }
        for region in [source, destination] {
            for record in self.settings.records.iter().filter(|record| record.set(region).is_none()) {
                concerns.push(Concern {
                    what: format!("{} has no values for region {region}", record.title()),
                    remedy: "add an entry to its byRegion".into(),
                });
            }
        }
        for (record, answer) in self.settings.records.iter().zip(&world.primary.answers) {
            match answer {
                Answer::Records(live) if live.ttl > record.ttl => concerns.push(Concern {
                    what: format!(
                        "{} is served with a TTL of {} s, declared are {} s: resolvers keep the old answer that long",
                        record.title(),
                        live.ttl,
                        record.ttl
                    ),
                    remedy: format!("lower the TTL on {} now, or declare the real one", self.settings.primary),
                }),
                Answer::NoData | Answer::NoSuchName => concerns.push(Concern {
                    what: format!("{}: {answer} on {}", record.title(), self.settings.primary),
                    remedy: "create the record, or check its name".into(),
                }),
                Answer::Records(_)
                | Answer::Alias { .. }
                | Answer::NotAuthoritative
                | Answer::Code { .. }
                | Answer::Closed
                | Answer::Silent { .. } => {}
            }
        }
        if let Judgement::Refused { expected, found } = observe::judge(&self.settings, destination, &world) {
            concerns.push(Concern {
                what: format!("a switch would be refused: expected {expected}, found {found}"),
                remedy: "declare the values that are served, or put the declared ones back".into(),
            });
        }
        concerns.extend(self.key_concern(&world).await);
        concerns
    }

    /// Sends a signed update that changes nothing: it asks to delete, from each record set, a value that is not there, on the condition
    /// that the set is what was just read. This tests the key's name, algorithm and secret, the clocks, and the permission to update
    /// each name and type.
    async fn key_concern(&self, world: &World) -> Option<Concern> {
        let sets = self.settings.records.iter().zip(&world.primary.answers).filter_map(|(record, answer)| {
            let expect = match answer {
                Answer::Records(live) => Expect::Exactly(live.clone()),
                Answer::NoData => Expect::NoRecords,
                Answer::NoSuchName => Expect::NoName,
                Answer::Alias { .. }
                | Answer::NotAuthoritative
                | Answer::Code { .. }
                | Answer::Closed
                | Answer::Silent { .. } => return None,
            };
            let new = record.by_region.first().map(|(_, set)| set.clone())?;
            Some(Replacement { name: record.name.clone(), kind: record.kind, expect, new })
        });
        let sets: Vec<_> = sets.collect();
        let primary = self.settings.primary;
        let (what, remedy) = match self.send(&sets, true, ASK).await {
            // A condition that failed was answered with a signature: the key works, and the record changed while we looked.
            Ok(Reply::Done | Reply::ConditionFailed { .. }) => return None,
            Ok(Reply::Key { why, .. }) | Err(why) => (
                format!("a signed test update was not accepted: {why}"),
                format!("repair the key `{}`, here or on {primary}", self.settings.key.name),
            ),
            Ok(Reply::Refused { code }) => (
                format!("{primary} does not let the key `{}` update the records ({code})", self.settings.key.name),
                "grant the key the records' names and types in the server's update policy".into(),
            ),
            Ok(Reply::NotSent { why } | Reply::Lost { why }) => (
                format!("a signed test update got no answer: {why}"),
                format!("let this machine reach {primary} over TCP"),
            ),
        };
        Some(Concern { what, remedy })
    }
}

fn sides(settings: &super::Settings, world: &World) -> Facts {
    let mut facts = observe::facts(settings, world);
    let mut seen = BTreeSet::new();
    let regions = settings.records.iter().flat_map(|record| &record.by_region).map(|(region, _)| region);
    let regions: Vec<_> = regions.filter(|region| seen.insert((*region).clone())).collect();
    let silent = world.primary.answers.iter().find_map(|answer| match answer {
        Answer::NotAuthoritative | Answer::Code { .. } | Answer::Closed | Answer::Silent { .. } => {
            Some(answer.to_string())
        }
        Answer::Records(_) | Answer::Alias { .. } | Answer::NoData | Answer::NoSuchName => None,
    });
    let points_to = |region: &RegionName| {
        settings.records.iter().zip(&world.primary.answers).all(|(record, answer)| {
            matches!(answer, Answer::Records(live) if record.region_of(&live.values) == Some(region))
        })
    };
    facts.sides = regions
        .into_iter()
        .map(|region| {
            let role = match &silent {
                Some(why) => Role::Unknown(format!("{} gives {why}", world.primary.server)),
                None if points_to(region) => Role::Primary,
                None => Role::Standby,
            };
            Side { region: region.clone(), role, position: None }
        })
        .collect();
    facts
}
