//! `kill -9` of the program at every place of the real runbooks, and `run resume`.

use std::{path::Path, time::Duration};

use lifeboat::model::Outcome;
use rusqlite::{Connection, OpenFlags};

use super::World;
use crate::servers::{await_until, postgres::Node};

/// How many events the run has, seen from outside.
fn events(store: &Path, number: i64) -> i64 {
    let Ok(db) = Connection::open_with_flags(store, OpenFlags::SQLITE_OPEN_READ_ONLY) else { return 0 };
    let query = "SELECT coalesce(max(seq), 0) FROM events WHERE grp = 'orders' AND number = ?1";
    db.query_row(query, [number], |row| row.get(0)).unwrap_or(0)
}

/// Begins a run and kills it with its event `at`; resumes it, to this exit code. Whether there was anything to kill.
fn die_at(world: &World, kind: &str, number: i64, at: i64, code: i32) -> bool {
    let store = world.path("data").join("lifeboat.db");
    let mut run = world.spawn(kind);
    let mut ended = None;
    await_until(&format!("event {at} of {kind} {number}"), Duration::from_mins(1), || {
        ended = run.try_wait().expect("the program");
        ended.is_some() || events(&store, number) >= at
    });
    if let Some(status) = ended {
        assert_eq!(status.code(), Some(code), "{kind} {number}");
        return false;
    }
    run.kill().expect("kill -9");
    run.wait().expect("its end");
    world.ends(code, &["run", "resume", &format!("orders-{number}")]);
    true
}

#[test]
fn a_failover_that_is_killed_at_any_event_resumes_to_the_same_end() {
    let mut deaths = 0;
    for at in 1.. {
        let mut world = World::start(|text| text);
        world.protect("0.2");
        world.regions.kill_region(Node::Fra);
        let died = die_at(&world, "failover", 1, at, 6);
        let record = world.record("orders-1");
        assert_eq!(record.outcome, Some(Outcome::CompletedWithExceptions), "killed at {at}: {:?}", record.exceptions);
        assert_eq!(record.exceptions.iter().map(|e| e.step.as_str()).collect::<Vec<_>>(), ["fence-uploads"]);
        assert!(world.writable(Node::Dub), "killed at {at}");
        assert_eq!(world.name(), "127.2.0.80", "killed at {at}");
        if !died {
            break;
        }
        deaths += 1;
    }
    assert!(deaths >= 10, "only {deaths} places to die were found");
}

#[test]
fn killed_at_an_odd_event_of_the_real_runbooks_the_run_resumes_to_the_same_end() {
    there_and_back(1);
}

#[test]
fn killed_at_an_even_event_of_the_real_runbooks_the_run_resumes_to_the_same_end() {
    there_and_back(2);
}

/// A switchover and a failback, killed at every second event from `first` on. Each resume waits for the lease of the dead, so
/// the two halves take half the time side by side.
fn there_and_back(first: i64) {
    let mut world = World::start(|text| text);
    world.protect("0.2");
    let (mut number, mut deaths) = (0, 0);
    // There and back at the same event, so that each run moves what the one before moved.
    for at in (first..).step_by(2) {
        let mut died = false;
        for (kind, to) in [("switchover", Node::Dub), ("failback", Node::Fra)] {
            number += 1;
            let killed = die_at(&world, kind, number, at, 0);
            (died, deaths) = (died || killed, deaths + i32::from(killed));
            let record = world.record(&format!("orders-{number}"));
            assert!(record.success, "{kind} {number} killed at {at}: {:?}", record.exceptions);
            assert!(world.writable(to) && !world.writable(to.peer()), "{kind} {number} killed at {at}");
            assert_eq!(world.name(), if to == Node::Dub { "127.2.0.80" } else { "127.1.0.80" });
        }
        if !died {
            break;
        }
    }
    assert!(deaths >= 10, "only {deaths} places to die were found");
}
