//! From `kill -9` of a real PostgreSQL primary to the first committed write on its standby: `lifeboat failover
//! --when-down` with a probe every 100 ms and threshold 3, its fence proven by effect, beside the same done by hand
//! without any fence. The two alternate, each on a fresh pair; and a third time `lifeboat failover` is asked when the
//! primary is dead, and its time to the first act measured.

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
use lifeboat::{
    evidence::Record,
    model::{Event, EventBody},
};
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
    let (mut by_hand, mut ours, mut runs, mut commanded) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for trial in 0..TRIALS {
        // The primary dies at another moment between two probes each time.
        let phase = PERIOD * u32::try_from(trial).unwrap() / u32::try_from(TRIALS).unwrap();
        let fresh = pair();
        runtime.spawn(detect_and_promote(fresh.port));
        by_hand.push(first_write_after_kill(&runtime, &fresh, phase).1);
        drop(fresh);
        let fresh = pair();
        let ready = armed(&fresh);
        let (killed, took) = first_write_after_kill(&runtime, &fresh, phase);
        ours.push(took);
        runs.push((killed, ready.record()));
        drop(fresh);
        commanded.push(from_the_command());
    }
    println!(
        "\nkill -9 of the primary to the first committed write on the standby, ms, {TRIALS} trials each, alternating"
    );
    line("by hand: 3 probes x 100 ms, pg_promote(false), no fence", &mut by_hand);
    line("lifeboat --when-down, again after 50 ms, fence proven", &mut ours);
    timeline(&runs);
    println!("\nthe same runs by their own records, ms");
    let each = |(_, record): &(Timestamp, Record)| record.measures.overhead.per_step_us.expect("steps that acted");
    line(
        "run time beside the drivers' acts, for each step of the path",
        &mut runs.iter().map(|run| Duration::from_micros(each(run)).as_secs_f64() * 1_000.0).collect::<Vec<_>>(),
    );
    println!("\na primary that is dead already, ms");
    line("from the command `lifeboat failover` to its first act", &mut commanded);
}

fn between(earlier: Timestamp, later: Timestamp) -> f64 {
    later.duration_since(earlier).as_secs_f64() * 1_000.0
}

/// When what was on record, ms after the kill: the median of the runs that went the same way.
fn timeline(runs: &[(Timestamp, Record)]) {
    let named = |(killed, record): &(Timestamp, Record)| -> Vec<(String, f64)> {
        let step = |event: &Event| event.body.step().and_then(|step| record.steps.get(step.at()));
        let name =
            |event: &Event| format!("{} {}", event.body.word(), step(event).map_or("", |step| step.name.as_str()));
        record.events.iter().map(|event| (name(event), between(*killed, event.at))).collect()
    };
    let runs: Vec<_> = runs.iter().map(named).collect();
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

fn pair() -> Pair {
    let pair = Pair::start();
    pair.psql(Node::Fra, "CREATE TABLE bench (at timestamptz DEFAULT now())");
    pair.await_streaming(Node::Dub);
    pair
}

fn kill(pair: &Pair) {
    let pid = pair.pid(Node::Fra).expect("a primary").to_string();
    assert!(Command::new("kill").args(["-9", &pid]).status().expect("kill").success());
}

/// Kills the primary, and writes to the standby every millisecond until a write commits: when it was killed, and ms from there.
fn first_write_after_kill(runtime: &tokio::runtime::Runtime, pair: &Pair, phase: Duration) -> (Timestamp, f64) {
    thread::sleep(Duration::from_millis(700) + phase);
    let (killed, began) = (Timestamp::now(), Instant::now());
    kill(pair);
    runtime.block_on(first_write(pair.port));
    (killed, began.elapsed().as_secs_f64() * 1_000.0)
}

/// From the start of the program, with the primary dead, to the first intent on record.
fn from_the_command() -> f64 {
    let pair = pair();
    kill(&pair);
    thread::sleep(Duration::from_millis(700));
    let asked = Timestamp::now();
    let record = Commanded::failover(&pair, &[]).record();
    let acting = |event: &&Event| matches!(event.body, EventBody::Acting { .. });
    between(asked, record.events.iter().find(acting).expect("an intent").at)
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

/// The program, at a failover.
struct Commanded {
    child: std::process::Child,
    folder: tempfile::TempDir,
}

impl Commanded {
    fn failover(pair: &Pair, more: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(
            folder.path().join("orders.yaml"),
            watched::documents(pair, watched::Probe::Tcp, "Manual", "{periodSeconds: 0.1, failureThreshold: 3}"),
        )
        .expect("the documents");
        let child = Command::new(env!("CARGO_BIN_EXE_lifeboat"))
            .args(["failover", "orders", "--yes-i-mean", "orders", "--reason", "bench", "--as", "bench"])
            .args(more)
            .env("LIFEBOAT_DATA", folder.path().join("data"))
            .env("LIFEBOAT_FILES", folder.path().join("orders.yaml"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("lifeboat");
        Self { child, folder }
    }

    /// Lets the run end, and reads its record.
    fn record(mut self) -> Record {
        // Few lines: the pipes hold them.
        let status = self.child.wait().expect("its end");
        let record = self.folder.path().join("data/evidence/orders-1.json");
        let text = fs::read_to_string(record).unwrap_or_else(|error| panic!("no record ({error}), {status}"));
        serde_json::from_str(&text).expect("a record")
    }
}

/// `--when-down`, from the moment it stands ready.
fn armed(pair: &Pair) -> Commanded {
    let mut armed = Commanded::failover(pair, &["--when-down"]);
    let child = &mut armed.child;
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
    armed
}

fn unready(said: &[String]) -> String {
    panic!("lifeboat does not stand ready:\n{}", said.join("\n"))
}
