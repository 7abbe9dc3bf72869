//! Two regions and three observers, each in a network namespace of its own, with cables that can be pulled. The store is one
//! file that all of them see.

use std::{
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use super::judged;
use crate::{
    cli::{EFFECTS, Running, Stage},
    servers::{
        Leash, await_until,
        namespaces::{self, join, run},
    },
};

const NAME: &str = "watch::cut::partitions_lies_and_a_lost_store_start_nothing_and_an_outage_is_acted_on";
const LIMIT: Duration = Duration::from_secs(30);
/// As long as the partition that a hold-down must outlast.
const PARTITION: Duration = Duration::from_secs(40);
/// Its address in the network that joins all of them.
pub(super) const PLACES: [(&str, &str); 5] =
    [("fra", "10.77.0.1"), ("dub", "10.77.0.2"), ("a", "10.77.0.11"), ("b", "10.77.0.12"), ("c", "10.77.0.13")];

pub(super) fn networks() {
    for words in ["ip link add bridge type bridge", "ip link set bridge up"] {
        run(words);
    }
    for (place, address) in PLACES {
        run(&format!("ip netns add {place}"));
        run(&format!("ip -n {place} link set lo up"));
        join(place, "bridge", &format!("to-{place}"), "net", &format!("{address}/24"));
    }
}

/// A region's web server, in its namespace.
fn region(stage: &Stage, place: &str) -> Leash {
    let address = PLACES.iter().find(|(name, _)| *name == place).expect("a place").1;
    let words = ["ip", "netns", "exec", place, "/usr/bin/python3", "-m", "http.server", "8080", "--bind", address];
    let log = stage.path(&format!("{place}.log"));
    let empty = stage.path("empty");
    std::fs::create_dir_all(&empty).expect("a folder");
    let words: Vec<String> = words
        .iter()
        .map(|word| (*word).to_owned())
        .chain(["--directory".into(), empty.display().to_string()])
        .collect();
    Leash::start(&log, words, &[]).expect("a web server")
}

fn stage() -> Stage {
    let probe = |address: &str| {
        format!(", probes: [{{name: edge, timeoutMs: 500, http: {{url: \"http://{address}:8080/\"}}}}]")
    };
    let group = "  automation: Automatic\n  detection:\n    periodSeconds: 0.5\n    failureThreshold: 3\n    \
                 observerQuorum: 2\n    holdDownSeconds: 45\n";
    Stage::with(json!({}), group, &probe("10.77.0.1"), &probe("10.77.0.2"))
}

/// The verdict on `fra`, with its reasons, by the first observer's process.
fn verdict(stage: &Stage) -> (String, String) {
    let judged = judged(stage);
    let of = |verdict: &&Value| verdict["region"] == "fra";
    let verdict = judged["verdicts"].as_array().and_then(|all| all.iter().find(of)).cloned().unwrap_or_default();
    (verdict["state"].as_str().unwrap_or("none").to_owned(), verdict["reasons"].to_string())
}

fn await_verdict(stage: &Stage, state: &str) {
    await_until(&format!("fra {state}"), LIMIT, || verdict(stage).0 == state);
}

fn holds(stage: &Stage, reason: &str) -> bool {
    judged(stage)["reasons"].to_string().contains(reason)
}

#[test]
fn partitions_lies_and_a_lost_store_start_nothing_and_an_outage_is_acted_on() {
    if !namespaces::entered(NAME) {
        return;
    }
    networks();
    let stage = stage();
    let (fra, _dub) = (region(&stage, "fra"), region(&stage, "dub"));
    let observers: Vec<Running> = ["a", "b", "c"]
        .iter()
        .map(|place| stage.start_within(place, &format!("serve --no-markers --observer {place}")))
        .collect();
    await_verdict(&stage, "up");

    // One observer that cannot see fra is one observer.
    run("ip -n a route add blackhole 10.77.0.1/32");
    await_verdict(&stage, "degraded");
    assert!(verdict(&stage).1.contains("1 of 3 observers see it down"), "{:?}", verdict(&stage));
    run("ip -n a route del blackhole 10.77.0.1/32");
    await_verdict(&stage, "up");

    // An observer whose own cable is pulled sees both regions fail, and condemns neither.
    run("ip link set to-b down");
    await_until("the silence of b", LIMIT, || stage_says(&stage, "b", "fra"));
    assert_ne!(verdict(&stage).0, "down");
    run("ip link set to-b up");
    await_verdict(&stage, "up");

    // A partition that heals within the hold-down, with the store lost in its middle.
    run("ip link set to-fra down");
    let cut = Instant::now();
    await_verdict(&stage, "down");
    assert!(holds(&stage, "held for another"), "{}", judged(&stage));
    let database = rusqlite::Connection::open(stage.path("data/lifeboat.db")).expect("the store");
    database.execute_batch("BEGIN EXCLUSIVE").expect("a lock");
    // Nobody can write any more, so every report grows old, and nobody can tell. The store cannot say so: the log does.
    await_until("old reports", LIMIT, || observers[0].output().contains("abstains: nothing new for"));
    database.execute_batch("ROLLBACK").expect("the end of a lock");
    thread::sleep(PARTITION.saturating_sub(cut.elapsed()));
    run("ip link set to-fra up");
    await_verdict(&stage, "up");
    assert_eq!(judged(&stage)["answer"], "nothing");
    let none: [&str; 0] = [];
    assert_eq!(stage.acts(), none);
    assert_eq!(stage.run("run list orders -o json").with(0).json(), json!([]));

    // An outage that lasts.
    fra.kill();
    let killed = Instant::now();
    await_until("the run's end", Duration::from_secs(80), || {
        observers.iter().any(|observer| observer.output().contains("orders-1 came to rest: succeeded"))
    });
    assert!(killed.elapsed() >= Duration::from_secs(45), "{:?}", killed.elapsed());
    assert_eq!(stage.acts(), EFFECTS);
    assert_eq!(stage.run("run list orders -o json").with(0).json().as_array().unwrap().len(), 1);
}

/// Whether the report of an observer says that every probe fails.
fn stage_says(stage: &Stage, observer: &str, region: &str) -> bool {
    let status = stage.run("status orders -o json").with(0).json();
    let observers = status[0]["observers"].as_array().cloned().unwrap_or_default();
    observers.iter().filter(|observed| observed["report"]["observer"] == observer).any(|observed| {
        let probes = observed["report"]["probes"].as_array().cloned().unwrap_or_default();
        probes.iter().any(|probe| probe["region"] == region && probe["state"] == "down")
    })
}
