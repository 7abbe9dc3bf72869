//! Several processes of the real program around one run: one drives it, others stand by, on a file and on a cluster.

use std::time::{Duration, Instant};

use lifeboat::engine::TIME_TO_LIVE;
use serde_json::{Value, json};

use crate::{
    cli::{EFFECTS, FAILOVER, Running, Stage, lossy},
    servers::{
        await_until,
        etcd::{Cluster, Shape},
    },
};

const WAIT: &str = "run resume orders-1 --wait";
const LIMIT: Duration = Duration::from_mins(1);

/// Every step takes its time.
fn slow() -> Value {
    json!({ "steps": {
        "fence-db": { "takesMs": 1_000 }, "promote-db": { "takesMs": 1_500 }, "verify-db": { "takesMs": 300 },
    } })
}

/// A run that is killed in the middle of its promotion while two others stand by. How long it took until one of them had
/// taken it over.
fn killed_with_two_standing_by(stage: &Stage, machines: [&str; 3]) -> Duration {
    let mut driver = stage.start_on(machines[0], FAILOVER);
    driver.until("fence-db    begins");
    let standing: Vec<Running> =
        machines[1..].iter().enumerate().map(|(n, on)| stage.start_on(on, &format!("{WAIT} --as bob{n}"))).collect();
    for process in &standing {
        process.until("standing by:");
    }
    driver.until("promote-db  begins");
    driver.child.kill().unwrap();
    let killed = Instant::now();
    await_until("a take-over", LIMIT, || standing.iter().any(|process| process.output().contains("taken over by")));
    let took = killed.elapsed();
    for process in standing {
        // Whoever did not get it hears how it ended, too.
        process.ends().with(0).says("orders-1 succeeded");
    }
    assert_eq!(stage.acts(), EFFECTS, "no effect was repeated");
    let shown = stage.run("run show orders-1 -o json").with(0).json();
    assert_eq!(shown["record"]["success"], json!(true), "{shown}");
    took
}

#[test]
fn one_of_two_that_stand_by_takes_over_within_the_lease_and_a_second_on_a_cluster() {
    let cluster = Cluster::start(&Shape::three());
    let mut stage = Stage::new(slow());
    stage.settings = cluster.environment();
    let took = killed_with_two_standing_by(&stage, ["fra", "dub", "ams"]);
    println!("taken over after {took:?}");
    assert!(took < TIME_TO_LIVE + Duration::from_secs(1), "{took:?}");
}

#[test]
fn one_of_two_that_stand_by_takes_over_within_the_lease_and_a_second_on_a_file() {
    let stage = Stage::new(slow());
    let took = killed_with_two_standing_by(&stage, ["data", "data", "data"]);
    println!("taken over after {took:?}");
    assert!(took < TIME_TO_LIVE + Duration::from_secs(1), "{took:?}");
}

#[test]
fn who_stands_by_hears_how_the_run_ended_and_changes_nothing() {
    let stage = Stage::new(slow());
    let driver = stage.start(FAILOVER);
    driver.until("fence-db    begins");
    let standing = stage.start(WAIT);
    standing.until("standing by:");
    driver.ends().with(0);
    let heard = standing.ends().with(0).says("orders-1 succeeded");
    assert!(!heard.out.contains("taken over by"), "{}", heard.out);
    assert_eq!(stage.acts(), EFFECTS);
}

#[test]
fn a_run_that_a_person_paused_is_not_resumed_by_who_stands_by() {
    let stage = Stage::new(slow());
    let driver = stage.start(FAILOVER);
    driver.until("promote-db  begins");
    let standing = stage.start(WAIT);
    standing.until("standing by:");
    stage.run_because("run pause orders-1 --as bob", "the network team is looking").with(0).says("taken");
    driver.ends().with(3);
    standing.ends().with(3).says("paused");
    assert_eq!(stage.acts(), EFFECTS[..2], "nothing new was started");
    // Nobody drives it now: whoever asks for it resumes it, with and without waiting.
    stage.run(WAIT).with(0);
    assert_eq!(stage.acts(), EFFECTS);
}

#[test]
fn who_stands_by_can_be_asked_to_end() {
    let stage = Stage::new(slow());
    let driver = stage.start(FAILOVER);
    driver.until("fence-db    begins");
    let standing = stage.start(WAIT);
    standing.until("standing by:");
    standing.signal("INT");
    standing.ends().with(130);
    driver.ends().with(0);
}

#[test]
fn all_verbs_that_ask_the_store_work_on_a_cluster() {
    let cluster = Cluster::start(&Shape::three());
    let mut stage = Stage::new(lossy());
    stage.settings = cluster.environment();
    stage.run("run list").with(0).says("no runs yet");
    stage.run("plan orders").with(4).says("would be blocked");
    stage.run("drill orders --mode rehearse").with(3);
    stage.run("run cancel orders-1 --yes-i-mean orders").with(0).says("recorded");
    stage.run("run resume orders-1").with(1).says("cancelled");
    let driver = stage.start_on("fra", &format!("{FAILOVER} --stay"));
    driver.until("paused: promote-db is blocked");
    let watcher = stage.start_on("ams", "run watch orders-2");
    watcher.until("paused: promote-db is blocked");
    stage.run(FAILOVER).with(4).says("orders-2");
    stage.run("run show orders-2").with(0).says("now paused");
    stage.run_because("run accept orders-2 DataLoss --as bob", "agreed with the shop").with(0).says("taken");
    driver.ends().with(0);
    watcher.ends().with(0).says("orders-2 succeeded");
    assert_eq!(stage.acts(), EFFECTS);
    stage.run("run list orders").with(0).says("succeeded");
    stage.run("status").with(0).says("last run orders-2 failover: succeeded");
    stage.run("run show orders-7").with(2).says("lifeboat run list");
}

#[test]
fn a_cluster_that_is_gone_is_code_5_and_says_who_was_asked_and_what_to_do() {
    let mut stage = Stage::new(json!({}));
    stage.settings = vec![("LIFEBOAT_STORE", "etcd+http://127.5.1.1:9,127.5.1.2:9/x".into())];
    let ended = stage.run("run list").with(5);
    for text in ["could not list the runs", "http://127.5.1.1:9 could not be connected to", "127.5.1.2:9", "etcdctl"] {
        assert!(ended.err.contains(text), "no {text:?} in\n{}", ended.err);
    }
    assert!(stage.acts().is_empty());
    stage.run(FAILOVER).with(5);
    assert!(stage.acts().is_empty());
    stage.settings = vec![("LIFEBOAT_STORE", "etcd://a".into())];
    stage.run("run list").with(2).says("LIFEBOAT_STORE").says("etcd+https://");
}
