//! Drills beside the real service: isolated ones do the runbook on a clone, which is taken down again, and touch nothing else; a live
//! one takes the service there and back.

use std::path::Path;

use lifeboat::model::{DrillMode, EventBody, Outcome};
use serde_json::json;

use super::World;
use crate::servers::postgres::Node;

const DRILL: [&str; 6] = ["drill", "orders", "--mode", "isolated", "--reason", "a test"];

/// The service as it was: fra alone takes writes, on its first timeline, and the name points at it.
fn untouched(world: &World, said: &str) {
    let databases = &world.regions.databases;
    assert!(world.writable(Node::Fra) && !world.writable(Node::Dub), "{said}");
    assert_eq!(databases.psql(Node::Fra, "SELECT timeline_id FROM pg_control_checkpoint()"), "1", "{said}");
    databases.await_streaming(Node::Dub);
    assert_eq!(world.name(), "127.1.0.80", "{said}");
}

/// Nothing is left of the clones.
fn gone(world: &World, said: &str) {
    for clone in ["clone-fra", "clone-dub"] {
        let left: &Path = &world.regions.databases.folder().join(clone);
        assert!(!left.exists(), "{} is left\n{said}\n{}", left.display(), world.regions.databases.clone_log());
    }
}

#[test]
fn an_isolated_drill_promotes_a_clone_and_leaves_the_service_alone() {
    let mut world = World::start(|text| text);
    world.protect("0.2");
    world.open_shop();
    // A drill resets what it used, so the second one finds what the first one found.
    for number in 1..=2 {
        let said = world.ends(0, &DRILL);
        assert!(said.contains("isolated drill"), "{said}");
        let record = world.record(&format!("orders-{number}"));
        assert_eq!((record.outcome, record.drill), (Some(Outcome::Succeeded), Some(DrillMode::Isolated)), "{said}");
        let acted: Vec<&str> = record
            .events
            .iter()
            .filter_map(|event| match &event.body {
                EventBody::Acting { step, .. } => record.steps.get(step.at()).map(|step| step.name.as_str()),
                _ => None,
            })
            .collect();
        for step in ["clone-db", "fence-db", "promote-db", "switch-dns", "drop-db"] {
            assert!(acted.contains(&step), "{step} did nothing: {acted:?}\n{said}");
        }
        let seen = record.steps.iter().find(|step| step.name.as_str() == "untouched").expect("the last look");
        assert_eq!(seen.output["seen"]["orders-db"], json!({"fra": "primary", "dub": "standby"}));
        untouched(&world, &said);
        gone(&world, &said);
    }
    // No run has moved the group.
    assert!(world.ends(0, &["run", "list", "orders"]).contains("isolated drill"));
    world.await_orders(20);
    world.close_shop();
    let lost = world.acknowledged("orders").difference(&world.regions.orders(Node::Fra)).count();
    assert_eq!(lost, 0, "the drill cost orders");
}

#[test]
fn a_drill_whose_clone_cannot_be_made_fails_and_is_taken_down() {
    let world = World::start(|text| text.replace("/clone.sh\"", "/clone-that-is-not-there.sh\""));
    let said = world.ends(1, &DRILL);
    let record = world.record("orders-1");
    assert_eq!(record.outcome, Some(Outcome::Failed), "{said}");
    assert!(said.contains("clone-db failed"), "{said}");
    untouched(&world, &said);
    gone(&world, &said);
}

#[test]
fn what_a_drill_leaves_behind_is_said_and_waits_for_a_person() {
    let world = World::start(|text| {
        let drops = |line: &&str| line.contains("name: drop-db");
        let line = text.lines().find(drops).expect("the step that takes down").to_owned();
        text.replace(&line, "      - {name: drop-db, uses: command, with: {run: [/bin/true]}}")
    });
    let said = world.ends(3, &DRILL);
    assert!(said.contains("the stand-in of orders-db for dub still answers"), "{said}");
    untouched(&world, &said);
    // A person takes it down, and the drill ends well.
    let databases = &world.regions.databases;
    let dropped = std::process::Command::new(databases.script("drop.sh")).status().expect("drop.sh");
    assert!(dropped.success());
    let said = world.ends(0, &["run", "resume", "orders-1"]);
    gone(&world, &said);
}

#[test]
fn a_drill_that_touches_the_real_database_is_caught() {
    let world = World::start(|text| text);
    let databases = &world.regions.databases;
    let clone = databases.script("clone.sh");
    let text = std::fs::read_to_string(&clone).expect("a script");
    std::fs::write(&clone, format!("{text}\nask 127.2.0.10 'SELECT pg_promote()'\n")).expect("a script");
    let said = world.ends(3, &DRILL);
    assert!(said.contains("fra primary, dub primary") || said.contains("dub primary, fra primary"), "{said}");
    assert!(said.contains("the real targets as they were"), "{said}");
    gone(&world, &said);
}

#[test]
fn a_live_drill_moves_the_service_and_brings_it_back_without_loss() {
    let mut world = World::start(|text| text);
    world.protect("0.2");
    world.open_shop();
    let live = ["drill", "orders", "--mode", "live", "--reason", "a test", "--yes-i-mean", "orders"];
    let said = world.ends(0, &live);
    for (run, to) in [("orders-1", "dub"), ("orders-2", "fra")] {
        let record = world.record(run);
        assert!(record.success && record.drill == Some(DrillMode::Live), "{run}: {said}");
        assert_eq!(record.destination.as_str(), to);
    }
    assert!(world.writable(Node::Fra) && !world.writable(Node::Dub), "{said}");
    assert_eq!(world.name(), "127.1.0.80");
    world.await_orders(20);
    world.close_shop();
    let lost = world.acknowledged("orders").difference(&world.regions.orders(Node::Fra)).count();
    assert_eq!(lost, 0, "the drill cost orders");
}
