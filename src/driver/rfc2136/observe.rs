//! Answers become judgements. Pure: no server is asked here.

use std::net::SocketAddr;

use serde_json::{Value, json};

use super::params::{Record, Settings};
use crate::{
    model::{Facts, Observed, Output, RegionName},
    net::dns::{Answer, Expect, Replacement, Soa},
};

/// What one server said.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Reading {
    pub(super) server: SocketAddr,
    /// One for each record, in their order.
    pub(super) answers: Vec<Answer>,
    /// `None`: it did not say.
    pub(super) soa: Option<Soa>,
}

/// What all of them said.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct World {
    pub(super) primary: Reading,
    pub(super) others: Vec<Reading>,
}

/// What it means for a switch.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Judgement {
    /// Every server answers the wanted values.
    Already,
    /// Acting makes sense.
    Ready {
        /// What to send; empty when the primary has the wanted values and another server does not.
        update: Vec<Replacement>,
        /// Servers that do not answer the wanted values, in words.
        behind: Vec<String>,
    },
    /// Acting would overwrite what somebody else decided.
    Refused {
        /// What would have made sense.
        expected: String,
        /// What was found instead.
        found: String,
    },
    /// The primary does not say.
    Unknown {
        /// Why.
        why: String,
    },
}

/// Judges a switch of all records to `toward`. One record decides for all, because all change together: a silent primary before a
/// foreign value, and that before what is only not done yet.
pub(super) fn judge(settings: &Settings, toward: &RegionName, world: &World) -> Judgement {
    let (mut silent, mut expected, mut found, mut update) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let mut moves = false;
    for (record, answer) in settings.records.iter().zip(&world.primary.answers) {
        let Some(new) = record.set(toward) else {
            expected.push(format!("values of {} for region {toward}", record.title()));
            found.push("none: add an entry to its byRegion".to_owned());
            continue;
        };
        let expect = match answer {
            Answer::Records(live) if record.region_of(&live.values).is_some() => Expect::Exactly(live.clone()),
            Answer::NoData => Expect::NoRecords,
            Answer::NoSuchName => Expect::NoName,
            Answer::Records(_) | Answer::Alias { .. } => {
                expected.push(format!("{} to be {}", record.title(), choices(record)));
                found.push(format!(
                    "{answer} on {}: somebody else changed it; it will not be overwritten",
                    world.primary.server
                ));
                continue;
            }
            Answer::NotAuthoritative | Answer::Code { .. } | Answer::Closed | Answer::Silent { .. } => {
                silent.push(format!("{} on the primary {}: {answer}", record.title(), world.primary.server));
                continue;
            }
        };
        moves |= !serves(answer, &new.values);
        update.push(Replacement { name: record.name.clone(), kind: record.kind, expect, new: new.clone() });
    }
    if !silent.is_empty() {
        return Judgement::Unknown { why: silent.join("; ") };
    }
    if !found.is_empty() {
        return Judgement::Refused { expected: expected.join("; "), found: found.join("; ") };
    }
    let behind = behind(settings, toward, world);
    if behind.is_empty() {
        return Judgement::Already;
    }
    Judgement::Ready { update: if moves { update } else { Vec::new() }, behind }
}

/// The servers that do not answer `toward`'s values, in words; empty: all do.
pub(super) fn behind(settings: &Settings, toward: &RegionName, world: &World) -> Vec<String> {
    let mut lines = Vec::new();
    for reading in std::iter::once(&world.primary).chain(&world.others) {
        for (record, answer) in settings.records.iter().zip(&reading.answers) {
            if !record.set(toward).is_some_and(|wanted| serves(answer, &wanted.values)) {
                lines.push(format!("{} answers {answer} for {}", reading.server, record.title()));
            }
        }
    }
    lines
}

/// Some server cannot be read: what it serves is not known, so nothing may be concluded from it.
pub(super) fn unread(world: &World) -> Vec<String> {
    let all = std::iter::once(&world.primary).chain(&world.others);
    all.filter_map(|reading| {
        let bad = reading.answers.iter().find(|answer| match answer {
            Answer::NotAuthoritative | Answer::Code { .. } | Answer::Closed | Answer::Silent { .. } => true,
            Answer::Records(_) | Answer::Alias { .. } | Answer::NoData | Answer::NoSuchName => false,
        })?;
        Some(format!("{} gives {bad}", reading.server))
    })
    .collect()
}

fn serves(answer: &Answer, values: &[String]) -> bool {
    matches!(answer, Answer::Records(live) if live.values == values)
}

/// `10.1.0.80 (fra) or 10.2.0.80 (dub)`.
fn choices(record: &Record) -> String {
    let each = record.by_region.iter().map(|(region, set)| format!("{} ({region})", set.values.join(", ")));
    each.collect::<Vec<_>>().join(" or ")
}

/// What `dns.switch` observes.
pub(super) fn observed(settings: &Settings, toward: &RegionName, world: &World) -> Observed {
    let facts = facts(settings, world);
    match judge(settings, toward, world) {
        Judgement::Already => Observed::Already { facts, output: output(settings, world, stale(settings, world)) },
        Judgement::Ready { behind, .. } => {
            let mut facts = facts;
            facts.details.insert("behind".into(), json!(behind));
            Observed::Ready { facts }
        }
        Judgement::Refused { expected, found } => Observed::Refused { facts, expected, found },
        Judgement::Unknown { why } => Observed::Unknown { why },
    }
}

/// What `dns.verify` observes: nothing is refused, for nothing would be changed.
pub(super) fn verified(settings: &Settings, toward: &RegionName, world: &World) -> Observed {
    let facts = facts(settings, world);
    let unread = unread(world);
    if !unread.is_empty() {
        return Observed::Unknown { why: unread.join("; ") };
    }
    if behind(settings, toward, world).is_empty() {
        let mut output = output(settings, world, 0);
        output.shift_remove("stale_until_seconds");
        Observed::Already { facts, output }
    } else {
        Observed::Ready { facts }
    }
}

/// Seconds for which a resolver that asked just now may keep the present answers: the largest time to live, or the time
/// for which it remembers that there is none (RFC 2308). The declared one where the primary did not say.
pub(super) fn stale(settings: &Settings, world: &World) -> u32 {
    let each = settings.records.iter().zip(&world.primary.answers).map(|(record, answer)| match answer {
        Answer::Records(live) => live.ttl,
        Answer::NoData | Answer::NoSuchName => world.primary.soa.map_or(record.ttl, |soa| soa.negative_ttl),
        Answer::Alias { .. }
        | Answer::NotAuthoritative
        | Answer::Code { .. }
        | Answer::Closed
        | Answer::Silent { .. } => record.ttl,
    });
    each.max().unwrap_or_default()
}

/// A step's output. `ttl_seconds` is the largest that a resolver gets from now on; `stale_until_seconds` counts from the switch.
pub(super) fn output(settings: &Settings, world: &World, stale_until_seconds: u32) -> Output {
    let ttl = settings.records.iter().map(|record| record.ttl).max();
    let servers: Vec<_> = settings.servers().map(|server| server.to_string()).collect();
    let mut output = Output::new();
    output.insert("ttl_seconds".into(), json!(ttl));
    output.insert("serial".into(), json!(world.primary.soa.map(|soa| soa.serial)));
    output.insert("servers".into(), json!(servers));
    output.insert("stale_until_seconds".into(), json!(stale_until_seconds));
    output
}

/// Values, times to live and serials, for the record and for expressions.
pub(super) fn facts(settings: &Settings, world: &World) -> Facts {
    let records =
        settings.records.iter().zip(&world.primary.answers).map(|(record, answer)| record_fact(record, answer));
    let all = std::iter::once(&world.primary).chain(&world.others);
    let serials = all.map(|r| json!({"server": r.server.to_string(), "serial": r.soa.map(|soa| soa.serial)}));
    let mut facts = Facts::default();
    facts.details.insert("records".into(), records.collect());
    facts.details.insert("serial".into(), json!(world.primary.soa.map(|soa| soa.serial)));
    facts.details.insert("servers".into(), serials.collect());
    facts
}

fn record_fact(record: &Record, answer: &Answer) -> Value {
    let title = record.title();
    match answer {
        Answer::Records(live) => json!({
            "record": title, "values": live.values, "ttl_seconds": live.ttl, "region": record.region_of(&live.values),
        }),
        other => json!({"record": title, "values": [], "answer": other.to_string()}),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{net::dns::RrSet, spec::RecordType};

    const FRA: &str = "10.1.0.80";
    const DUB: &str = "10.2.0.80";
    const AMS: &str = "10.3.0.80";

    /// Two records (www, api) with the same values by region; two servers.
    fn settings() -> Settings {
        let by_region = json!([
            {"region": "fra", "values": [FRA]}, {"region": "dub", "values": [DUB]}, {"region": "ams", "values": [AMS]},
        ]);
        let record = |name: &str| json!({"name": name, "type": "A", "ttlSeconds": 30, "byRegion": by_region});
        Settings::read(&json!({
            "zone": "dr.test", "server": "127.0.0.1:53", "authoritative": ["127.0.0.2:53"],
            "key": {"name": "k", "algorithm": "hmac-sha256", "secret": {"env": "T"}},
            "records": [record("www.dr.test"), record("api.dr.test")],
        }))
        .unwrap()
    }

    fn dub() -> RegionName {
        RegionName::new("dub").unwrap()
    }

    fn a(value: &str) -> Answer {
        Answer::Records(RrSet::declared(RecordType::A, 60, &[value.to_owned()]).unwrap())
    }

    fn silent() -> Answer {
        Answer::Silent { why: "no answer".into() }
    }

    fn world(primary: [Answer; 2], other: [Answer; 2]) -> World {
        let reading = |server: &str, answers: [Answer; 2]| Reading {
            server: server.parse().unwrap(),
            answers: answers.into(),
            soa: Some(Soa { serial: 7, negative_ttl: 5 }),
        };
        World { primary: reading("127.0.0.1:53", primary), others: vec![reading("127.0.0.2:53", other)] }
    }

    fn word(found: &Observed) -> &'static str {
        match found {
            Observed::Already { .. } => "already",
            Observed::Ready { .. } => "ready",
            Observed::Refused { .. } => "refused",
            Observed::Unknown { .. } => "unknown",
        }
    }

    #[test]
    fn a_switch_is_judged_by_the_primary_and_done_when_every_server_answers() {
        let at = |value: &str| [a(value), a(value)];
        // (primary, other server, dns.switch, dns.verify)
        let cases = [
            (at(DUB), at(DUB), "already", "already"),
            (at(FRA), at(FRA), "ready", "ready"),
            (at(AMS), at(AMS), "ready", "ready"),
            ([a(DUB), a(FRA)], at(FRA), "ready", "ready"),
            (at(DUB), at(FRA), "ready", "ready"),
            (at(DUB), at("10.9.9.9"), "ready", "ready"),
            (at(FRA), [silent(), silent()], "ready", "unknown"),
            (at(DUB), [silent(), a(DUB)], "ready", "unknown"),
            (at(DUB), [a(DUB), Answer::Closed], "ready", "unknown"),
            ([a(FRA), a("10.9.9.9")], at(FRA), "refused", "ready"),
            ([a(FRA), Answer::Alias { target: "x.test".into() }], at(FRA), "refused", "ready"),
            ([a(FRA), Answer::NoData], at(FRA), "ready", "ready"),
            ([Answer::NoSuchName, Answer::NoSuchName], at(FRA), "ready", "ready"),
            ([a(FRA), silent()], at(FRA), "unknown", "unknown"),
            ([a("10.9.9.9"), silent()], at(FRA), "unknown", "unknown"),
            ([a(DUB), Answer::NotAuthoritative], at(DUB), "unknown", "unknown"),
            ([a(DUB), Answer::Code { code: "SERVFAIL".into() }], at(DUB), "unknown", "unknown"),
            ([Answer::Closed, Answer::Closed], at(DUB), "unknown", "unknown"),
        ];
        for (primary, other, switch, verify) in cases {
            let world = world(primary, other);
            assert_eq!(word(&observed(&settings(), &dub(), &world)), switch, "switch {world:?}");
            assert_eq!(word(&verified(&settings(), &dub(), &world)), verify, "verify {world:?}");
        }
    }

    #[test]
    fn every_record_of_the_update_carries_the_condition_that_was_judged() {
        let world = world([a(FRA), Answer::NoSuchName], [a(FRA), Answer::NoSuchName]);
        let Judgement::Ready { update, .. } = judge(&settings(), &dub(), &world) else { panic!("not ready") };
        let Answer::Records(live) = a(FRA) else { panic!("no records") };
        let expects: Vec<_> = update.iter().map(|set| set.expect.clone()).collect();
        assert_eq!(expects, [Expect::Exactly(live), Expect::NoName]);
        assert!(update.iter().all(|set| set.new.values == [DUB] && set.new.ttl == 30), "{update:?}");
    }

    #[test]
    fn nothing_is_sent_to_a_primary_that_has_the_values_while_another_server_lags() {
        let lagging = world([a(DUB), a(DUB)], [a(FRA), a(DUB)]);
        let Judgement::Ready { update, behind } = judge(&settings(), &dub(), &lagging) else { panic!("not ready") };
        assert_eq!(update, []);
        assert_eq!(behind, ["127.0.0.2:53 answers 10.1.0.80 (TTL 60 s) for www.dr.test A"]);
    }

    #[test]
    fn a_refusal_says_what_was_expected_and_found() {
        let world = world([a("10.9.9.9"), a(FRA)], [a(FRA), a(FRA)]);
        let Observed::Refused { expected, found, .. } = observed(&settings(), &dub(), &world) else { panic!() };
        assert_eq!(expected, "www.dr.test A to be 10.1.0.80 (fra) or 10.2.0.80 (dub) or 10.3.0.80 (ams)");
        assert_eq!(found, "10.9.9.9 (TTL 60 s) on 127.0.0.1:53: somebody else changed it; it will not be overwritten");
    }

    #[test]
    fn a_region_without_values_is_refused() {
        let world = world([a(FRA), a(FRA)], [a(FRA), a(FRA)]);
        let rom = RegionName::new("rom").unwrap();
        assert_eq!(word(&observed(&settings(), &rom, &world)), "refused");
    }

    #[test]
    fn old_answers_live_as_long_as_the_observed_time_to_live_says() {
        let at = |answers: [Answer; 2]| stale(&settings(), &world(answers.clone(), answers));
        assert_eq!(at([a(FRA), a(FRA)]), 60);
        assert_eq!(at([Answer::NoSuchName, Answer::NoData]), 5);
        assert_eq!(at([silent(), silent()]), 30);
    }
}
