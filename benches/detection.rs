//! With `lifeboat serve` in automatic mode and three observers, nobody types anything: from `kill -9` of a real PostgreSQL primary to
//! the verdict, against its bound (threshold x period + timeout), and to the first committed write on the standby.
//!
//! `TRIALS=20 HOLD=10` sets how many, and the hold-down in seconds. Beside it Patroni at its defaults and at its documented
//! minimum, when `benches/peers.sh` has installed it (`benches/patroni.sh TTL LOOP_WAIT RETRY_TIMEOUT`).

#![allow(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a bench measures time and prints it"
)]

#[path = "../tests/servers/mod.rs"]
mod servers;

use std::{
    path::Path,
    process::Command,
    thread,
    time::{Duration, Instant},
};

use jiff::Timestamp;
use lifeboat::model::EventBody;
use servers::{
    postgres::{Node, Pair},
    watched::{Probe, Watchers, documents},
};

const PERIOD: f64 = 1.0;
const THRESHOLD: u32 = 3;
/// As in the documents.
const TIMEOUT: f64 = 0.5;

fn setting(name: &str, otherwise: f64) -> f64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(otherwise)
}

fn main() {
    // `cargo test --benches` compiles and starts benches; it is not the moment to measure.
    if !std::env::args().any(|word| word == "--bench") {
        return;
    }
    let (trials, hold) = (setting("TRIALS", 20.0), setting("HOLD", 0.0));
    let (mut verdicts, mut writes) = (Vec::new(), Vec::new());
    let mut trial = 0.0;
    while trial < trials {
        // The kill falls into another moment of the period each time.
        let (verdict, write) = once(hold, trial / trials);
        verdicts.push(verdict);
        writes.push(write);
        trial += 1.0;
    }
    println!(
        "\nkill -9 of the primary with three observers, a quorum of two, nobody at the keyboard; s, {trials} trials"
    );
    let bound = f64::from(THRESHOLD) * PERIOD + TIMEOUT;
    line(&format!("to the verdict (bound {THRESHOLD} x {PERIOD} s + {TIMEOUT} s = {bound} s)"), &mut verdicts);
    line(&format!("to the first committed write, held for {hold} s"), &mut writes);
    for (settings, what) in [("30 10 10", "Patroni, its defaults: ttl 30"), ("20 1 3", "Patroni, its minimum: ttl 20")]
    {
        let mut times: Vec<f64> = (0..3).map_while(|_| patroni(settings)).collect();
        if times.is_empty() {
            println!("{what:<56} not installed (benches/peers.sh): left out");
        } else {
            line(&format!("{what}, to the first committed write"), &mut times);
        }
    }
}

fn line(what: &str, times: &mut [f64]) {
    times.sort_by(f64::total_cmp);
    println!(
        "{what:<64} min {:>6.2}   median {:>6.2}   max {:>6.2}",
        times[0],
        times[times.len() / 2],
        times[times.len() - 1]
    );
}

/// Seconds from the kill to the verdict, and to the first write.
fn once(hold: f64, phase: f64) -> (f64, f64) {
    let pair = Pair::start();
    pair.psql(Node::Fra, "CREATE TABLE bench (at timestamptz DEFAULT now())");
    pair.await_streaming(Node::Dub);
    let detection = format!(
        "{{periodSeconds: {PERIOD}, failureThreshold: {THRESHOLD}, successThreshold: 1, observerQuorum: 2, \
         holdDownSeconds: {hold}, reprobeSeconds: {PERIOD}}}"
    );
    let documents = documents(&pair, Probe::Tcp, "Automatic", &detection);
    let watchers = Watchers::start(Path::new(env!("CARGO_BIN_EXE_lifeboat")), &documents);
    thread::sleep(Duration::from_secs_f64(1.0 + phase * PERIOD));
    let (began, killed) = (Instant::now(), Timestamp::now());
    let pid = pair.pid(Node::Fra).expect("a primary").to_string();
    assert!(Command::new("kill").args(["-9", &pid]).status().expect("kill").success());
    while pair.try_psql(Node::Dub, "INSERT INTO bench DEFAULT VALUES").is_err() {
        assert!(began.elapsed() < Duration::from_mins(1), "no write within a minute:\n{}", watchers.log("a"));
    }
    let write = began.elapsed().as_secs_f64();
    let deadline = Instant::now() + Duration::from_secs(30);
    let record = loop {
        match watchers.record("orders-1") {
            Some(record) if record.closed_at.is_some() => break record,
            _ => assert!(Instant::now() < deadline, "no record"),
        }
        thread::sleep(Duration::from_millis(20));
    };
    let noticed = record.events.iter().find_map(|event| match &event.body {
        EventBody::Opened(opened) => opened.noticed,
        _ => None,
    });
    (noticed.expect("a verdict").duration_since(killed).as_secs_f64(), write)
}

/// One failover by Patroni; `None`: it is not installed.
fn patroni(settings: &str) -> Option<f64> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/patroni.sh");
    let output = Command::new("bash").arg(script).args(settings.split(' ')).output().ok()?;
    String::from_utf8_lossy(&output.stdout).trim().parse().ok()
}
