//! A thousand no-op steps: in process and not synced, and durable beside the floor of the same minute.
//!
//! The durable part prints a table of its own: each round measures 2,000 raw SQLite commits of the same size and then
//! each shape, so that a ratio compares the same minute of the same disk.

#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::expect_used,
    reason = "a bench measures time and prints it"
)]

mod stage;

use std::{
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use lifeboat::{
    model::Verb,
    store::{memory::Memory, sqlite::Sqlite},
};
use stage::{Noop, Shape, ms, run, runtime};

const STEPS: u32 = 1_000;
const ROUNDS: usize = 7;

fn in_process(c: &mut Criterion) {
    let runtime = runtime();
    let mut group = c.benchmark_group("1000 no-op steps, in process, not synced");
    group.sample_size(10);
    for shape in Shape::ALL {
        group.bench_function(shape.word(), |b| {
            b.to_async(&Blocking(&runtime)).iter_batched(
                || shape.plan(STEPS, Verb::Command, &serde_json::json!({})),
                |plan| run(Arc::new(Memory::new()), plan, Arc::new(Noop), STEPS as usize),
                BatchSize::PerIteration,
            );
        });
    }
    group.finish();
}

/// Criterion's executor over our runtime.
struct Blocking<'a>(&'a tokio::runtime::Runtime);

impl criterion::async_executor::AsyncExecutor for &Blocking<'_> {
    fn block_on<T>(&self, future: impl Future<Output = T>) -> T {
        self.0.block_on(future)
    }
}

/// `count` commits of one 200-byte row each, WAL and `synchronous=FULL`: what a chain cannot beat.
fn floor(folder: &Path, count: usize) -> Duration {
    let db = rusqlite::Connection::open(folder.join("floor.db")).expect("a database");
    db.pragma_update(None, "journal_mode", "WAL").expect("WAL");
    db.pragma_update(None, "synchronous", "FULL").expect("FULL");
    db.execute("CREATE TABLE j (seq INTEGER PRIMARY KEY, body TEXT) STRICT", []).expect("a table");
    let body = "x".repeat(200);
    let mut insert = db.prepare("INSERT INTO j (body) VALUES (?1)").expect("a statement");
    let began = Instant::now();
    for _ in 0..count {
        insert.execute([&body]).expect("a commit");
    }
    began.elapsed()
}

fn durable(_: &mut Criterion) {
    let runtime = runtime();
    let mut rows: Vec<[f64; 4]> = Vec::new();
    for _ in 0..ROUNDS {
        let folder = tempfile::tempdir_in(std::env::var_os("LIFEBOAT_BENCH_DIR").unwrap_or_else(|| ".".into()))
            .expect("a folder");
        let mut row = [ms(floor(folder.path(), 2 * STEPS as usize)), 0.0, 0.0, 0.0];
        for (place, shape) in Shape::ALL.into_iter().enumerate() {
            let store = Arc::new(Sqlite::open(&folder.path().join(shape.word()).join("lifeboat.db")).expect("a store"));
            let plan = shape.plan(STEPS, Verb::Command, &serde_json::json!({}));
            let began = Instant::now();
            runtime.block_on(run(store, plan, Arc::new(Noop), STEPS as usize));
            row[place + 1] = ms(began.elapsed());
        }
        rows.push(row);
    }
    println!("\n1000 no-op steps, durable (SQLite WAL FULL), intent and outcome of each step, {ROUNDS} rounds, ms");
    println!("{:>28} {:>10} {:>10} {:>10} {:>12}", "2000 raw commits", "chain", "fan-out", "layered", "chain/floor");
    for row in &rows {
        println!("{:>28.1} {:>10.1} {:>10.1} {:>10.1} {:>12.2}", row[0], row[1], row[2], row[3], row[1] / row[0]);
    }
    let median = |place: usize| {
        let mut values: Vec<f64> = rows.iter().map(|row| row[place]).collect();
        values.sort_by(f64::total_cmp);
        values[values.len() / 2]
    };
    let mut ratios: Vec<f64> = rows.iter().map(|row| row[1] / row[0]).collect();
    ratios.sort_by(f64::total_cmp);
    println!(
        "median {:>21.1} {:>10.1} {:>10.1} {:>10.1} {:>12.2}",
        median(0),
        median(1),
        median(2),
        median(3),
        ratios[ratios.len() / 2]
    );
    println!("peak memory of this process: {} KiB\n", peak_kib());
}

/// `VmHWM` of proc(5).
fn peak_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|n| n.parse().ok()).unwrap_or(0)
}

criterion_group!(benches, durable, in_process);
criterion_main!(benches);
