//! The ledger: crashes, damage, and people's tools that check it.

use jiff::Timestamp;
use lifeboat::{
    evidence::{
        key::{SigningKey, private_pem},
        statement::{Blob, Entry, What},
        tree,
    },
    model::{Digest, Outcome, RunKind},
    port::{Batch, Ledger as _, LedgerError, Standing},
    store::ledger::{Disk, Files, Means, Trusted},
};

mod anchors;
mod crash;
mod damage;
mod go;
mod log;
mod memory;
mod once;
mod pack;
mod program;
mod race;
mod sealed;
mod worm;

use memory::Memory;

pub(crate) const ORIGIN: &str = "example.com/fra/ledger";
pub(crate) const DATA: [u8; 32] = [9; 32];

pub(crate) fn key(n: u8) -> SigningKey {
    SigningKey::from_pem(&private_pem(&[n; 32])).unwrap()
}

/// The ledger key is 1, the record key 2.
pub(crate) fn trusted() -> Trusted {
    Trusted { ledger: key(1).public().clone(), record: key(2).public().clone(), data: DATA, witnesses: Vec::new() }
}

pub(crate) fn draw() -> Result<[u8; 16], std::io::Error> {
    let mut bytes = [0; 16];
    aws_lc_rs::rand::fill(&mut bytes).map_err(|_| std::io::Error::other("no randomness"))?;
    Ok(bytes)
}

pub(crate) fn files(disk: impl Disk + 'static, beside: impl Disk + 'static) -> Files {
    files_with(disk, beside, key(1))
}

pub(crate) fn files_with(disk: impl Disk + 'static, beside: impl Disk + 'static, key: SigningKey) -> Files {
    Files::new(Means {
        disk: Box::new(disk),
        beside: Box::new(beside),
        key,
        data: DATA,
        origin: ORIGIN.into(),
        insists: false,
        draw,
    })
}

pub(crate) fn seal(standing: &Standing, what: What) -> Vec<u8> {
    Entry::new(Timestamp::UNIX_EPOCH, draw().unwrap(), what).seal(&standing.root, &key(2)).unwrap()
}

pub(crate) fn ledger_opened() -> What {
    What::LedgerOpened {
        origin: ORIGIN.into(),
        ledger_key: key(1).public().into(),
        record_key: key(2).public().into(),
        version: "0".into(),
    }
}

pub(crate) fn opened(number: u64) -> What {
    What::RunOpened {
        run: format!("orders-{number}").parse().unwrap(),
        run_kind: RunKind::Switchover,
        rehearsal: false,
        drill: None,
        source: "fra".parse().unwrap(),
        destination: "dub".parse().unwrap(),
        requested_by: "anna".parse().unwrap(),
        opened_at: Timestamp::UNIX_EPOCH,
        plan: Digest::of(b"plan"),
    }
}

/// A record's bytes: only its run is looked at.
pub(crate) fn record(number: u64) -> Vec<u8> {
    format!("{{\"run\":\"orders-{number}\"}}").into_bytes()
}

pub(crate) fn closed(number: u64) -> What {
    What::RunClosed {
        run: format!("orders-{number}").parse().unwrap(),
        outcome: Outcome::Succeeded,
        closed_at: Timestamp::UNIX_EPOCH,
        record: Some(Blob::of(&record(number))),
    }
}

/// Adds what a crash left, and then this. A new ledger is opened first.
pub(crate) fn enter(ledger: &Files, whats: &[What], blobs: &[Vec<u8>]) -> Result<u64, LedgerError> {
    ledger.append(&mut |standing, _| {
        let mut entries = Vec::new();
        if standing.size == 0 {
            entries.push(seal(standing, ledger_opened()));
        }
        for left in &standing.leftovers {
            let (file, bytes, sha256) = (left.file.clone(), left.bytes, left.sha256.clone());
            entries.push(seal(standing, What::LedgerRecovered { file, bytes, sha256 }));
        }
        entries.extend(whats.iter().map(|what| seal(standing, what.clone())));
        Ok(Batch { entries, blobs: blobs.to_vec(), next_key: None })
    })
}

/// A small ledger with one run: its folder, and the folder above it.
pub(crate) fn small() -> (Memory, Memory) {
    let (disk, beside) = (Memory::default(), Memory::default());
    let ledger = files(disk.clone(), beside.clone());
    enter(&ledger, &[opened(1)], &[]).unwrap();
    enter(&ledger, &[closed(1)], &[record(1)]).unwrap();
    (disk, beside)
}

pub(crate) fn flaws(disk: &dyn Disk, beside: Option<&dyn Disk>) -> Vec<String> {
    match lifeboat::store::ledger::verify(disk, beside, &trusted()) {
        Ok(checked) => checked.flaws.iter().map(|flaw| format!("{}: {}", flaw.place, flaw.what)).collect(),
        Err(error) => vec![error.to_string()],
    }
}

pub(crate) fn leaf_of(entry: &[u8]) -> tree::Hash {
    tree::leaf(entry)
}
