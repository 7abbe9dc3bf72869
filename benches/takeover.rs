//! Take-over: from `kill -9` of the process that drives a run to the next event in its journal, written by a process that
//! stood by (`run resume --wait`). On one SQLite file and on three etcd members with TLS, in turns.
//!
//! It cannot be quicker than the lease's time-to-live less the age of the last renewal: 2 to 3 s.

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
    fs::{self, File},
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use lifeboat::{
    model::RunId,
    port::Store,
    store::{Etcd, Sqlite, etcd::Place},
};
use servers::{
    await_until,
    etcd::{Cluster, Shape},
};

const TRIALS: u32 = 20;
const LIMIT: Duration = Duration::from_secs(30);

fn main() {
    // `cargo test --benches` compiles and starts benches; it is not the moment to measure.
    if !std::env::args().any(|word| word == "--bench") {
        return;
    }
    lifeboat::app::install_crypto();
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
    let cluster = Cluster::start(&Shape::three());
    let (mut on_file, mut on_cluster) = (Vec::new(), Vec::new());
    for trial in 0..TRIALS {
        let folder = tempfile::tempdir().expect("a folder");
        let place = format!("sqlite:{}", folder.path().join("lifeboat.db").display());
        let open =
            || -> Box<dyn Store> { Box::new(Sqlite::open(&folder.path().join("lifeboat.db")).expect("a store")) };
        on_file.push(measure(&runtime, folder.path(), trial, &[("LIFEBOAT_STORE", place)], open));

        let folder = tempfile::tempdir().expect("a folder");
        let prefix = format!("trial-{trial}");
        let mut settings = cluster.environment();
        settings[0].1 = settings[0].1.replace("/test", &format!("/{prefix}"));
        let place = Place { prefix, ..cluster.place(&[0, 1, 2]) };
        let open = || -> Box<dyn Store> { Box::new(Etcd::open(&place).expect("a store")) };
        on_cluster.push(measure(&runtime, folder.path(), trial, &settings, open));
    }
    println!("\nkill -9 of the driving process to the next event of the run, s, {TRIALS} trials each, alternating");
    line("one SQLite file", &mut on_file);
    line("three etcd members on this machine, TLS", &mut on_cluster);
}

fn line(what: &str, times: &mut [f64]) {
    times.sort_by(f64::total_cmp);
    let (first, last) = (times[0], times[times.len() - 1]);
    println!("{what:<44} min {first:>6.3}   median {:>6.3}   max {last:>6.3}", times[times.len() / 2]);
}

/// Kills a driver in the middle of an act, each time at another moment of its renewals.
fn measure(
    runtime: &tokio::runtime::Runtime,
    folder: &Path,
    trial: u32,
    settings: &[(&'static str, String)],
    open: impl Fn() -> Box<dyn Store>,
) -> f64 {
    fs::write(folder.join("orders.yaml"), documents(folder)).expect("the documents");
    let mut driver = start(folder, "driver", settings, "failover orders --yes-i-mean orders");
    said(folder, "driver", "promote-db  begins");
    let mut standing = start(folder, "standing", settings, "run resume orders-1 --wait");
    said(folder, "standing", "standing by:");
    let store = open();
    let run: RunId = "orders-1".parse().expect("a run");
    let events = || runtime.block_on(store.read(&run, 0)).expect("the journal").len();
    thread::sleep(Duration::from_millis(1_000 + u64::from(trial) * 1_000 / u64::from(TRIALS)));
    let before = events();
    driver.kill().expect("kill -9");
    let killed = Instant::now();
    while events() == before {
        assert!(killed.elapsed() < LIMIT, "nobody took over");
        thread::sleep(Duration::from_millis(2));
    }
    let took = killed.elapsed();
    for child in [&mut driver, &mut standing] {
        let _gone = child.kill();
        child.wait().expect("its end");
    }
    took.as_secs_f64()
}

fn start(folder: &Path, name: &str, settings: &[(&'static str, String)], words: &str) -> Child {
    let out = File::create(folder.join(name)).expect("a file");
    Command::new(env!("CARGO_BIN_EXE_lifeboat"))
        .args(words.split_whitespace())
        .env("LIFEBOAT_DATA", folder.join(format!("data-{name}")))
        .env("LIFEBOAT_FILES", folder.join("orders.yaml"))
        .env("LIFEBOAT_AS", name)
        .envs(settings.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::null())
        .stdout(out.try_clone().expect("a file"))
        .stderr(out)
        .spawn()
        .expect("lifeboat")
}

fn said(folder: &Path, name: &str, text: &str) {
    let file = folder.join(name);
    await_until(text, LIMIT, || fs::read_to_string(&file).is_ok_and(|said| said.contains(text)));
}

/// A group whose promotion takes longer than any trial.
fn documents(folder: &Path) -> String {
    let world = folder.join("db.json");
    format!(
        "apiVersion: lifeboat.dev/v1alpha1\nkind: Region\nmetadata: {{name: fra}}\nspec: {{provider: other}}\n---\n\
         apiVersion: lifeboat.dev/v1alpha1\nkind: Region\nmetadata: {{name: dub}}\nspec: {{provider: other}}\n---\n\
         apiVersion: lifeboat.dev/v1alpha1\nkind: ProtectionGroup\nmetadata: {{name: orders}}\nspec:\n  \
         regions: [{{name: fra, role: Preferred}}, {{name: dub, role: Standby}}]\n  \
         objectives: {{recoveryTimeSeconds: 300, recoveryPointSeconds: 10}}\n  targets:\n  \
         - {{name: db, fake: {{capability: database, world: {{file: {}, steps: {{promote-db: {{takesMs: 25000}}}}}}}}}}\n",
        world.display()
    )
}
