//! Runs that must not go on.

use std::{process::Command, time::Duration};

use lifeboat::model::Risk;

use super::World;
use crate::servers::{await_until, bind::SECRET, postgres::Node};

/// Kills the source's service, so that its probe fails, and leaves its database alive: the half-dead primary.
fn half_kill(world: &World) {
    let servers = world.regions.servers(Node::Fra);
    let (_, pid) = servers.iter().find(|(what, _)| what == "service").expect("the service");
    let killed = Command::new("kill").args(["-9", &pid.to_string()]).status().expect("kill");
    assert!(killed.success());
    await_until("the service's end", Duration::from_secs(5), || {
        std::net::TcpStream::connect(world.regions.health(Node::Fra)).is_err()
    });
}

#[test]
fn a_fence_that_does_not_hold_is_found_out_and_nothing_is_promoted() {
    let world = World::start(|text| {
        let methods = text.find("      - readOnly: {}").expect("the first method");
        let reverse = text.find("      # Makes the source's server a standby").expect("what follows the methods");
        let lie = "      - command: {run: [/bin/true], verify: [/bin/true]}\n";
        format!("{}{lie}{}", &text[..methods], &text[reverse..])
    });
    half_kill(&world);
    let said = world.begin("failover", 3);
    assert!(said.contains("accepts writes"), "{said}");
    assert!(world.writable(Node::Fra) && !world.writable(Node::Dub), "{said}");
    assert_eq!(world.name(), "127.1.0.80");
    // Accepting an unverified fence does not help while the source is seen to accept writes.
    world.ends(0, &["run", "skip", "orders-1", "fence-db", "--reason", "it said it is fenced"]);
    world.ends(0, &["run", "accept", "orders-1", "UnverifiedFence", "--reason", "it said it is fenced"]);
    let said = world.ends(3, &["run", "resume", "orders-1"]);
    assert!(said.contains("still accepts writes"), "{said}");
    assert!(!world.writable(Node::Dub), "two primaries");
}

#[test]
fn lag_beyond_the_objective_waits_for_a_named_person_and_is_measured() {
    let mut world = World::start(|text| text.replace("recoveryPointSeconds: 5", "recoveryPointSeconds: 1"));
    world.protect("0.1");
    // The standby stops receiving, and the primary goes on for two seconds: two seconds of markers to lose.
    world.regions.databases.hold_back(Node::Dub);
    let clock = "SELECT extract(epoch FROM clock_timestamp())";
    let now = || world.regions.databases.psql(Node::Fra, clock).trim().parse::<f64>().expect("seconds");
    let began = now();
    await_until("two seconds of writes", Duration::from_secs(20), || now() > began + 2.5);
    world.regions.kill_region(Node::Fra);
    world.regions.databases.let_go(Node::Dub);

    let said = world.begin("failover", 3);
    assert!(said.contains("DataLoss"), "{said}");
    assert!(!world.writable(Node::Dub), "it was promoted beyond the objective");
    world.ends(0, &["run", "accept", "orders-1", "DataLoss", "--reason", "the shop must open", "--as", "bob"]);
    world.ends(6, &["run", "resume", "orders-1"]);
    let record = world.record("orders-1");
    assert!(record.accepted.iter().any(|accepted| accepted.risk == Risk::DataLoss && accepted.by.as_str() == "bob"));
    let lost =
        record.measures.recovery_point.targets.iter().find(|loss| loss.target.as_str() == "orders-db").expect("a loss");
    let seconds = lost.loss.as_ref().and_then(|loss| loss.seconds).expect("seconds");
    assert!((1.5..10.0).contains(&seconds), "{lost:?}");
}

#[test]
fn a_wrong_tsig_key_stops_the_names_and_the_right_one_lets_the_run_go_on() {
    let mut world = World::start(|text| text);
    world.protect("0.2");
    let secret = world.path("secrets/tsig");
    std::fs::write(&secret, "d3JvbmcgYnV0IHdlbGwgZm9ybWVkIHNlY3JldCE=\n").expect("a secret");
    world.regions.kill_region(Node::Fra);
    let said = world.begin("failover", 3);
    assert!(said.contains("switch-dns") && said.contains("key"), "{said}");
    assert_eq!(world.name(), "127.1.0.80");
    std::fs::write(&secret, format!("{SECRET}\n")).expect("a secret");
    world.ends(6, &["run", "resume", "orders-1"]);
    assert_eq!(world.name(), "127.2.0.80");
}

#[test]
fn a_record_that_somebody_else_changed_is_not_overwritten() {
    let mut world = World::start(|text| text);
    world.protect("0.2");
    world.regions.kill_region(Node::Fra);
    world.regions.names.0.change("orders", 1, "A", &["127.9.9.9"]);
    let said = world.begin("failover", 3);
    assert!(said.contains("127.9.9.9"), "{said}");
    assert_eq!(world.regions.names.0.values("orders", "A"), ["127.9.9.9"]);
}

#[test]
fn a_standby_that_is_none_is_found_before_the_source_is_fenced() {
    let world = World::start(|text| text);
    world.regions.databases.psql(Node::Dub, "SELECT pg_promote(true)");
    let output = world.lifeboat(&["switchover", "orders", "--reason", "a test", "--yes-i-mean", "orders"]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
    assert!(matches!(output.status.code(), Some(3 | 4)), "{said}");
    assert!(said.contains("ALARM"), "{said}");
    assert!(world.writable(Node::Fra), "the only source was fenced: {said}");
    assert_eq!(world.name(), "127.1.0.80");
}
