//! What a probe costs, beside the health checks of `HAProxy` and prometheus-blackbox-exporter, in turns, each on one core against the same
//! target on the other. `cargo bench --bench probing`; `benches/peers.sh` installs the peers, and one that is missing is left out.
//!
//! 1. A thousand targets once a second by HTTP, a new connection each time: CPU time for a probe, part of a core, memory, missed
//!    deadlines. Ours begin when the observer's own rota says so, which takes up to a fifth off each interval: some 1,100 a second.
//!    The exporter has no schedule of its own: it is asked five hundred times a second.
//! 2. Five thousand targets once a second: what one core can do.
//! 3. The same thousand with kept connections, and by TCP alone.
//! 4. Detection: the target is killed, or stands still. From there to the third bad probe in a row, for each of two hundred
//!    targets, against the bound: threshold x period + timeout.
//!
//! A deadline is missed when a probe begins a tenth of its period late or more.

#![allow(
    dead_code,
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a bench measures time and prints it"
)]

#[path = "probing/peer.rs"]
mod peer;
#[path = "probing/prober.rs"]
mod prober;
#[path = "../tests/servers/mod.rs"]
mod servers;
#[path = "probing/target.rs"]
mod target;

use std::{net::SocketAddr, path::Path, thread, time::Duration};

use peer::{Blackbox, Haproxy};
use prober::{Kind, Plan, Run};
use servers::{Leash, await_port, free_port};

/// Rounds of each figure; peers take turns within one.
const ROUNDS: usize = 3;
/// How long one measurement lasts.
const SPAN: Duration = Duration::from_secs(8);

/// What one measurement gave.
#[derive(Debug, Clone, Default)]
struct Figure {
    /// Probes that ended.
    probes: u64,
    /// Those that did not serve.
    failed: u64,
    missed: u64,
    seconds: f64,
    cpu_seconds: f64,
    memory_bytes: u64,
}

impl Figure {
    fn micros(&self) -> f64 {
        1e6 * self.cpu_seconds / self.probes.max(1) as f64
    }
}

fn main() {
    let words: Vec<String> = std::env::args().collect();
    match words.get(1).map(String::as_str) {
        Some("target") => return target::serve(&words[2]),
        Some("prober") => return prober::run(&words[2..]),
        _ => {}
    }
    // `cargo test --benches` compiles and starts benches; it is not the moment to measure.
    if !words.iter().any(|word| word == "--bench") {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    cost(folder.path(), "1,000 targets once a second, HTTP, a new connection each time", 1_000, Kind::Http, true);
    cost(folder.path(), "5,000 targets once a second, HTTP, a new connection each time", 5_000, Kind::Http, false);
    cost(folder.path(), "1,000 targets once a second, HTTP, kept connections", 1_000, Kind::Kept, false);
    cost(folder.path(), "1,000 targets once a second, TCP", 1_000, Kind::Tcp, false);
    detection(folder.path());
}

/// A target on the second core.
fn serve(folder: &Path) -> (Leash, SocketAddr) {
    let ip = [127, 0, 55, 1].into();
    let address = SocketAddr::new(ip, free_port(&[ip]));
    let own = std::env::current_exe().expect("our own path").display().to_string();
    let words = ["taskset", "-c", "1", &own, "target", &address.to_string()].map(str::to_owned);
    let leash = Leash::start(&folder.join("target.log"), words, &[]).expect("a target");
    await_port(address, Duration::from_secs(10));
    (leash, address)
}

fn cost(folder: &Path, title: &str, targets: usize, kind: Kind, with_blackbox: bool) {
    let mut ours = Vec::new();
    let mut haproxy = Vec::new();
    let mut blackbox = Vec::new();
    for _ in 0..ROUNDS {
        let (_target, address) = serve(folder);
        let plan = Plan { address, kind, targets, period: Duration::from_secs(1), timeout: Duration::from_secs(1) };
        ours.push(Run::start(&plan, SPAN, None).figure());
        if kind != Kind::Kept {
            haproxy.extend(Haproxy::start(folder, &plan).map(|peer| peer.cost(address, SPAN)));
        }
        if with_blackbox {
            blackbox.extend(Blackbox::start(folder).map(|peer| peer.cost(address, 500, SPAN)));
        }
    }
    println!("\n{title}; {ROUNDS} rounds of {} s, in turns", SPAN.as_secs());
    println!(
        "{:<22} {:>9} {:>26} {:>7} {:>8} {:>8} {:>7} {:>7}",
        "", "probes/s", "CPU us a probe: med (range)", "core %", "RSS MB", "failed", "missed", "ratio"
    );
    let base = line("lifeboat", &ours, None);
    line("HAProxy", &haproxy, base);
    line("blackbox_exporter", &blackbox, base);
}

/// Prints the median round, and answers its CPU time for one probe.
fn line(what: &str, figures: &[Figure], base: Option<f64>) -> Option<f64> {
    let mut sorted = figures.to_vec();
    sorted.sort_by(|one, other| one.micros().total_cmp(&other.micros()));
    let (Some(first), Some(last), Some(middle)) = (sorted.first(), sorted.last(), sorted.get(sorted.len() / 2)) else {
        println!("{what:<22} not installed or not measured");
        return None;
    };
    let ratio = base.map_or_else(|| "1.00".to_owned(), |base| format!("{:.2}", middle.micros() / base));
    let sum = |of: fn(&Figure) -> u64| sorted.iter().map(of).sum::<u64>();
    let known = if what == "lifeboat" { sum(|figure| figure.missed).to_string() } else { "-".into() };
    println!(
        "{what:<22} {:>9.0} {:>27} {:>7.1} {:>8.1} {:>8} {known:>7} {ratio:>7}",
        middle.probes as f64 / middle.seconds,
        format!("{:.1} ({:.1}-{:.1})", middle.micros(), first.micros(), last.micros()),
        100.0 * middle.cpu_seconds / middle.seconds,
        sorted.iter().map(|figure| figure.memory_bytes).max().unwrap_or(0) as f64 / 1e6,
        sum(|figure| figure.failed),
    );
    Some(middle.micros())
}

const THRESHOLD: u32 = 3;

fn detection(folder: &Path) {
    let (period, timeout) = (Duration::from_secs(1), Duration::from_millis(500));
    let bound = period * THRESHOLD + timeout;
    println!(
        "\nDetection of 200 targets: {THRESHOLD} bad probes in a row, every {} s, timeout {} ms; the bound is {:.1} s\n\
         {:<34} {:>7} {:>7} {:>7} {:>12}",
        period.as_secs(),
        timeout.as_millis(),
        bound.as_secs_f64(),
        "",
        "p50 s",
        "p99 s",
        "max s",
        "in the bound"
    );
    for (how, signal) in [("killed", "KILL"), ("stands still", "STOP")] {
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            let (target, address) = serve(folder);
            let plan = Plan { address, kind: Kind::Http, targets: 200, period, timeout };
            ours.extend(Run::start(&plan, Duration::from_secs(2), Some(bound * 2)).detected(|| target.signal(signal)));
            drop(target);
            let (target, address) = serve(folder);
            let plan = Plan { address, ..plan };
            if let Some(peer) = Haproxy::start(folder, &plan) {
                thread::sleep(Duration::from_secs(3));
                theirs.extend(peer.detected(bound * 2, plan.targets, || target.signal(signal)));
            }
        }
        times(&format!("lifeboat, target {how}"), &mut ours, bound);
        times(&format!("HAProxy, target {how}"), &mut theirs, bound);
    }
}

fn times(what: &str, seconds: &mut [f64], bound: Duration) {
    seconds.sort_by(f64::total_cmp);
    let Some(most) = seconds.last() else { return };
    let at = |part: f64| seconds[((seconds.len() - 1) as f64 * part).round() as usize];
    let within = seconds.iter().filter(|time| **time <= bound.as_secs_f64()).count();
    println!("{what:<34} {:>7.2} {:>7.2} {most:>7.2} {:>12}", at(0.5), at(0.99), format!("{within}/{}", seconds.len()));
}
