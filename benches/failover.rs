//! From `kill -9` of a real PostgreSQL primary to the first committed write on its standby: `lifeboat failover
//! --when-down` with a probe every 100 ms and threshold 3, its fence proven by effect, beside the same done by hand
//! without any fence. The two alternate, each on a fresh pair.

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
    fs,
    io::{BufRead, BufReader},
    process::{Command, Stdio},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use jiff::Timestamp;
use lifeboat::{evidence::Record, model::EventBody};
use servers::{
    postgres::{Node, PASSWORD, Pair},
    watched,
};
use tokio_postgres::{Client, Config, NoTls};

const TRIALS: usize = 10;
/// Between two probes.
const PERIOD: Duration = Duration::from_millis(100);

fn main() {
    // `cargo test --benches` compiles and starts benches; it is not the moment to measure.
    if !std::env::args().any(|word| word == "--bench") {
        return;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let (mut by_hand, mut ours) = (Vec::new(), Vec::new());
    for trial in 0..TRIALS {
        // The primary dies at another moment between two probes each time.
        let phase = PERIOD * u32::try_from(trial).unwrap() / u32::try_from(TRIALS).unwrap();
        by_hand.push(measure(&runtime, phase, |pair, runtime| {
            let pair_port = pair.port;
            runtime.spawn(async move { detect_and_promote(pair_port).await });
            Box::new(())
        }));
        ours.push(measure(&runtime, phase, |pair, _| Box::new(armed(pair))));
    }
    println!(
        "\nkill -9 of the primary to the first committed write on the standby, ms, {TRIALS} trials each, alternating"
    );
    line("by hand: 3 probes x 100 ms, pg_promote(false), no fence", &mut by_hand);
    line("lifeboat --when-down, again after 50 ms, fence proven", &mut ours);
    timeline();
    let (mut first, mut each) = OVERHEAD.with_borrow_mut(std::mem::take);
    println!("\nthe same runs by their own records, ms");
    line("from the run's first event to the first intent", &mut first);
    line("run time beside the drivers' acts, for each step of the path", &mut each);
}

thread_local! {
    /// From the records: time to the first intent, and overhead a step.
    static OVERHEAD: std::cell::RefCell<(Vec<f64>, Vec<f64>)> = const { std::cell::RefCell::new((Vec::new(), Vec::new())) };
}

thread_local! {
    static KILLED: std::cell::Cell<Timestamp> = const { std::cell::Cell::new(Timestamp::UNIX_EPOCH) };
    /// Of each run: its events, in ms after the kill.
    static TIMELINES: std::cell::RefCell<Vec<Vec<(String, f64)>>> = const { std::cell::RefCell::new(Vec::new()) };
}

/// When what was on record, ms after the kill: the median of the runs that went the same way.
fn timeline() {
    let runs = TIMELINES.with_borrow_mut(std::mem::take);
    let Some(first) = runs.first() else { return };
    let same: Vec<_> =
        runs.iter().filter(|run| run.iter().map(|(name, _)| name).eq(first.iter().map(|(name, _)| name))).collect();
    println!("\nwhen it was on record, ms after the kill, median of {} runs", same.len());
    for (place, (name, _)) in first.iter().enumerate() {
        let mut times: Vec<f64> = same.iter().map(|run| run[place].1).collect();
        times.sort_by(f64::total_cmp);
        println!("{name:<40} {:>7.1}", times[times.len() / 2]);
    }
}

fn line(what: &str, times: &mut [f64]) {
    times.sort_by(f64::total_cmp);
    println!(
        "{what:<56} min {:>6.1}   median {:>6.1}   max {:>6.1}",
        times[0],
        times[times.len() / 2],
        times[times.len() - 1]
    );
}

/// Lets `ready` make itself ready, kills the primary, and writes to the standby every millisecond until a write commits.
fn measure(
    runtime: &tokio::runtime::Runtime,
    phase: Duration,
    ready: impl FnOnce(&Pair, &tokio::runtime::Runtime) -> Box<dyn std::any::Any>,
) -> f64 {
    let pair = Pair::start();
    pair.psql(Node::Fra, "CREATE TABLE bench (at timestamptz DEFAULT now())");
    pair.await_streaming(Node::Dub);
    let kept = ready(&pair, runtime);
    thread::sleep(Duration::from_millis(700) + phase);
    KILLED.set(Timestamp::now());
    let began = Instant::now();
    let pid = pair.pid(Node::Fra).expect("a primary").to_string();
    assert!(Command::new("kill").args(["-9", &pid]).status().expect("kill").success());
    runtime.block_on(first_write(pair.port));
    let took = began.elapsed();
    drop(kept);
    took.as_secs_f64() * 1_000.0
}

async fn connect(ip: &str, port: u16) -> Option<Client> {
    let mut config = Config::new();
    config.host(ip).port(port).user("lifeboat").password(PASSWORD).dbname("orders");
    let connecting = config.connect_timeout(Duration::from_millis(100)).connect(NoTls);
    let (client, connection) = connecting.await.ok()?;
    tokio::spawn(connection);
    Some(client)
}

async fn first_write(port: u16) {
    let client = connect("127.2.0.10", port).await.expect("the standby");
    while client.execute("INSERT INTO bench DEFAULT VALUES", &[]).await.is_err() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// What a script by somebody who knows PostgreSQL does: no fence, no lease, no journal, no loss estimate.
async fn detect_and_promote(port: u16) {
    let standby = connect("127.2.0.10", port).await.expect("the standby");
    let mut failed = 0;
    loop {
        failed = if connect("127.1.0.10", port).await.is_some() { 0 } else { failed + 1 };
        if failed == 3 {
            break;
        }
        tokio::time::sleep(PERIOD).await;
    }
    standby.query_one("SELECT pg_promote(false)", &[]).await.expect("a promotion");
}

/// The program, armed. Ends with the value.
struct Armed {
    child: std::process::Child,
    folder: tempfile::TempDir,
}

impl Drop for Armed {
    /// Lets the run end, and reads its record.
    fn drop(&mut self) {
        let _status = self.child.wait();
        let record = self.folder.path().join("data/evidence/orders-1.json");
        let record: Record = serde_json::from_str(&fs::read_to_string(record).expect("a record")).expect("a record");
        let opened = record.events.first().map(|event| event.at).expect("an event");
        let acting = |event: &&lifeboat::model::Event| matches!(event.body, EventBody::Acting { .. });
        let first = record.events.iter().find(acting).expect("an intent").at;
        let step = |event: &lifeboat::model::Event| {
            event.body.step().and_then(|step| record.steps.get(step.at())).map(|step| step.name.to_string())
        };
        let killed = KILLED.get();
        TIMELINES.with_borrow_mut(|all| {
            let of = |event: &lifeboat::model::Event| {
                let body = format!("{:?}", event.body);
                let name = body.split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default();
                (
                    format!("{name} {}", step(event).unwrap_or_default()),
                    event.at.duration_since(killed).as_secs_f64() * 1_000.0,
                )
            };
            all.push(record.events.iter().map(of).collect());
        });
        let each = record.measures.overhead.per_step_us.expect("steps that acted");
        OVERHEAD.with_borrow_mut(|(firsts, all)| {
            firsts.push(first.duration_since(opened).as_secs_f64() * 1_000.0);
            all.push(Duration::from_micros(each).as_secs_f64() * 1_000.0);
        });
    }
}

fn armed(pair: &Pair) -> Armed {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(
        folder.path().join("orders.yaml"),
        watched::documents(pair, watched::Probe::Tcp, "Manual", "{periodSeconds: 0.1, failureThreshold: 3}"),
    )
    .expect("the documents");
    let mut child = Command::new(env!("CARGO_BIN_EXE_lifeboat"))
        .args(["failover", "orders", "--when-down", "--yes-i-mean", "orders", "--reason", "bench", "--as", "bench"])
        .env("LIFEBOAT_DATA", folder.path().join("data"))
        .env("LIFEBOAT_FILES", folder.path().join("orders.yaml"))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("lifeboat");
    // It says that it stands ready on one of the two streams; both are drained to the end.
    let (said, ready) = mpsc::channel();
    let streams: [Box<dyn std::io::Read + Send>; 2] =
        [Box::new(child.stdout.take().expect("output")), Box::new(child.stderr.take().expect("errors"))];
    for stream in streams {
        let said = said.clone();
        thread::spawn(move || {
            for line in BufReader::new(stream).lines().map_while(Result::ok) {
                let _nobody_waits = said.send(line);
            }
        });
    }
    let mut all = Vec::new();
    while !all.last().is_some_and(|line: &String| line.contains("ready:")) {
        all.push(ready.recv_timeout(Duration::from_secs(20)).unwrap_or_else(|_| unready(&all)));
    }
    Armed { child, folder }
}

fn unready(said: &[String]) -> String {
    panic!("lifeboat does not stand ready:\n{}", said.join("\n"))
}
