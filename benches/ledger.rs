//! Durable appends to a ledger of 10 entries and to one of 20,000, one entry after the other, beside the raw floor of the same minute: write and
//! fdatasync of the same bytes on the same disk. And how long it takes to verify a ledger of 100,000 entries.

#![allow(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a bench measures time and prints it"
)]

use std::{
    fs::File,
    io::Write as _,
    path::Path,
    time::{Duration, Instant},
};

use jiff::Timestamp;
use lifeboat::{
    evidence::{
        key::{SigningKey, private_pem},
        statement::{Entry, What},
    },
    port::{Batch, Ledger as _, Standing},
    store::ledger::{Files, Folder, Means, Trusted, verify},
};

const ROUNDS: usize = 7;
const APPENDS: usize = 300;
/// Of the ledgers that are appended to.
const SIZES: [usize; 2] = [10, 20_000];
/// Of the ledger that is verified.
const ENTRIES: usize = 100_000;

fn main() {
    // `cargo test --benches` compiles and starts benches; it is not the moment to measure.
    if !std::env::args().any(|word| word == "--bench") {
        return;
    }
    let place = std::env::var_os("LIFEBOAT_BENCH_DIR").unwrap_or_else(|| ".".into());
    let folder = tempfile::tempdir_in(place).expect("a folder");
    let mut rows = Vec::new();
    for round in 0..ROUNDS {
        let floor = floor(&folder.path().join(format!("floor-{round}")));
        let to = |size| per_second(APPENDS, appends(&folder.path().join(format!("{round}-{size}")), size));
        rows.push((per_second(APPENDS, floor), SIZES.map(to)));
    }
    println!("\ndurable appends of one entry, one after the other, per second; {ROUNDS} rounds of {APPENDS}");
    println!("{:>7} {:>22} {:>12} {:>15}", "", "raw write+fdatasync", "to 10 entries", "to 20,000");
    for (floor, [few, many]) in &rows {
        println!("{:>7} {floor:>22.0} {few:>12.0} {many:>15.0}", "");
    }
    let median = |mut values: Vec<f64>| {
        values.sort_by(f64::total_cmp);
        values[ROUNDS / 2]
    };
    let floor = median(rows.iter().map(|(floor, _)| *floor).collect());
    let [few, many] = [0, 1].map(|at: usize| median(rows.iter().map(|(_, to)| to[at]).collect()));
    println!("{:>7} {floor:>22.0} {few:>12.0} {many:>15.0}", "median");
    println!("{:>7} {:>22} {:>12.2} {:>15.2}", "", "of the floor", few / floor, many / floor);
    large(&folder.path().join("large"));
}

#[expect(clippy::cast_precision_loss, reason = "a few thousand")]
fn per_second(count: usize, took: Duration) -> f64 {
    count as f64 / took.as_secs_f64()
}

fn key(n: u8) -> SigningKey {
    SigningKey::from_pem(&private_pem(&[n; 32])).expect("a key")
}

fn draw() -> Result<[u8; 16], std::io::Error> {
    let mut bytes = [0; 16];
    aws_lc_rs::rand::fill(&mut bytes).map_err(|_| std::io::Error::other("no randomness"))?;
    Ok(bytes)
}

fn open(path: &Path) -> Files {
    let (disk, beside) = (Box::new(Folder::at(&path.join("ledger"))), Box::new(Folder::at(path)));
    let origin = "example.com/fra/ledger".into();
    Files::new(Means { disk, beside, key: key(1), data: [9; 32], origin, insists: false, draw })
}

fn entry(standing: &Standing, n: usize) -> Vec<u8> {
    let what = if standing.size == 0 && n == 0 {
        let (ledger_key, record_key) = (key(1).public().into(), key(2).public().into());
        What::LedgerOpened { origin: standing.origin.clone(), ledger_key, record_key, version: "0".into() }
    } else {
        What::Heartbeat { version: n.to_string() }
    };
    Entry::new(Timestamp::UNIX_EPOCH, draw().unwrap(), what).seal(&standing.root, &key(2)).expect("an entry")
}

fn add(ledger: &Files, count: usize) {
    let mut compose = |standing: &Standing, _: &Vec<Vec<u8>>| {
        Ok(Batch { entries: (0..count).map(|n| entry(standing, n)).collect(), ..Batch::default() })
    };
    ledger.append(&mut compose).expect("an append");
}

/// To a ledger of so many entries that its process has read.
fn appends(path: &Path, size: usize) -> Duration {
    let ledger = open(path);
    add(&ledger, size);
    let began = Instant::now();
    for _ in 0..APPENDS {
        add(&ledger, 1);
    }
    began.elapsed()
}

/// As many bytes as a heartbeat's frame.
fn floor(path: &Path) -> Duration {
    let mut file = File::create(path).expect("a file");
    let bytes = [7; 700];
    let began = Instant::now();
    for _ in 0..APPENDS {
        file.write_all(&bytes).expect("a write");
        file.sync_data().expect("a sync");
    }
    began.elapsed()
}

fn large(path: &Path) {
    add(&open(path), ENTRIES);
    let trusted = Trusted {
        ledger: key(1).public().clone(),
        record: key(2).public().clone(),
        data: [9; 32],
        witnesses: Vec::new(),
    };
    let mut took = Vec::new();
    for _ in 0..3 {
        let began = Instant::now();
        let checked = verify(&Folder::at(&path.join("ledger")), Some(&Folder::at(path)), &trusted).expect("a ledger");
        took.push(began.elapsed().as_secs_f64());
        assert!(checked.flaws.is_empty() && checked.audited.entries == ENTRIES as u64, "{:?}", checked.flaws);
    }
    took.sort_by(f64::total_cmp);
    println!("\nverify of {ENTRIES} entries: {:.2} s (median of {took:.2?}), all processors", took[1]);
    let began = Instant::now();
    add(&open(path), 1);
    println!("the first append of a process to it: {:.2} s", began.elapsed().as_secs_f64());
}
