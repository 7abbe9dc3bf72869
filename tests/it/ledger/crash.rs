//! A kill, a power cut, a full disk or a denied sync at each write: no entry that was acknowledged is lost, and none that was not is dropped
//! in silence.

use std::collections::BTreeSet;

use lifeboat::{
    evidence::{
        checkpoint::Checkpoint,
        note::Note,
        statement::{self, What},
    },
    port::{Ledger as _, LedgerError},
};

use super::{
    enter, files, flaws,
    memory::{Fault, Memory},
};
use crate::theatre::dice::Dice;

/// Names of the heartbeats that are in the ledger, and how many bytes it says crashes left.
fn told(disk: &Memory, beside: &Memory) -> (Vec<String>, u64) {
    let entries = match files(disk.clone(), beside.clone()).entries() {
        Ok(entries) => entries,
        Err(LedgerError::None { .. }) => Vec::new(),
        Err(error) => panic!("{error}"),
    };
    let (mut names, mut recovered) = (Vec::new(), 0);
    for entry in entries {
        match statement::read(&entry).unwrap().1.predicate.what {
            What::Heartbeat { version } => names.push(version),
            What::LedgerRecovered { bytes, .. } => recovered += bytes,
            _ => {}
        }
    }
    (names, recovered)
}

/// Bytes after the frames of the checkpointed entries, by the files alone.
fn torn(disk: &Memory) -> u64 {
    let all = disk.all();
    let size = all.get("checkpoint").map_or(0, |bytes| Checkpoint::read(&Note::parse(bytes).unwrap()).unwrap().size);
    let (mut entries, mut torn) = (0, 0);
    for (_, bytes) in all.iter().filter(|(path, _)| path.starts_with("tile/entries/")) {
        let (mut rest, mut inside) = (bytes.as_slice(), 0);
        while entries < size && inside < 256 {
            let length = u32::from_be_bytes(rest[32..36].try_into().unwrap()) as usize;
            rest = &rest[36 + length + 16..];
            (entries, inside) = (entries + 1, inside + 1);
        }
        torn += rest.len() as u64;
    }
    torn
}

/// What is in `recovered/`, entered or not.
fn put_aside(disk: &Memory) -> u64 {
    let all = disk.all();
    let files = all.iter().filter(|(path, _)| path.starts_with("recovered/"));
    files.map(|(_, bytes)| bytes.len() as u64).sum()
}

fn beat(name: String) -> What {
    What::Heartbeat { version: name }
}

/// Appends of one to three entries until the disk stops it; `before` of them happened before. Gives what was acknowledged, and what was tried last.
fn appends(disk: &Memory, beside: &Memory, dice: &mut Dice, acknowledged: &mut Vec<String>) -> Vec<String> {
    let ledger = files(disk.clone(), beside.clone());
    for _ in 0..6 {
        let count = 1 + dice.below(3);
        let names: Vec<_> = (0..count).map(|n| format!("{}.{n}", acknowledged.len())).collect();
        let whats: Vec<_> = names.iter().cloned().map(beat).collect();
        match enter(&ledger, &whats, &[]) {
            Ok(_) => acknowledged.extend(names),
            Err(_) => return names,
        }
    }
    Vec::new()
}

/// One story: a ledger of some size, a fault at a write, a start after it.
fn story(seed: u64) {
    let mut dice = Dice::new(seed);
    let (disk, beside) = (Memory::default(), Memory::default());
    let mut acknowledged = Vec::new();
    if dice.below(4) > 0 {
        let many = if dice.in_thousand(20) { 250 + dice.below(8) } else { dice.below(5) };
        let whats: Vec<_> = (0..many).map(|n| beat(format!("first.{n}"))).collect();
        enter(&files(disk.clone(), beside.clone()), &whats, &[]).unwrap();
        acknowledged.extend((0..many).map(|n| format!("first.{n}")));
    }
    let tenths = usize::try_from(dice.below(11)).unwrap();
    let fault = match dice.below(2) {
        0 => Fault::Kill { tenths },
        _ => Fault::Power { tenths, coin: dice.below(u64::MAX) },
    };
    // The mark is on the disk beside, which dies with the other.
    let (n, on_mark) = (1 + dice.below(40), dice.below(8) == 0);
    if on_mark {
        beside.meets(1 + n % 3, fault);
    } else {
        disk.meets(n, fault);
    }
    let tried = appends(&disk, &beside, &mut dice, &mut acknowledged);
    let (disk, beside) = (disk.again(), beside.again());
    let left = torn(&disk);
    // The new process writes once more, and then everything is told.
    enter(&files(disk.clone(), beside.clone()), &[beat("after".into())], &[])
        .unwrap_or_else(|error| panic!("seed {seed}: {error}"));
    let (names, recovered) = told(&disk, &beside);
    let mut expected = acknowledged.clone();
    if names.len() > acknowledged.len() + 1 {
        // What was refused is in as a whole, or not at all.
        expected.extend(tried);
    }
    expected.push("after".into());
    assert_eq!(names, expected, "seed {seed}");
    assert_eq!((recovered, put_aside(&disk)), (left, left), "seed {seed}: bytes were dropped in silence");
    assert_eq!(flaws(&disk, Some(&beside)), Vec::<String>::new(), "seed {seed}");
}

#[test]
fn a_thousand_kills_and_power_cuts_lose_nothing_that_was_acknowledged() {
    for seed in 0..1_000 {
        story(seed);
    }
}

#[test]
fn at_each_write_of_an_append_a_kill_leaves_the_entry_in_or_out_and_nothing_between() {
    let (disk, beside) = super::small();
    let whole = disk.again();
    enter(&files(whole.clone(), beside.again()), &[beat("x".into())], &[]).unwrap();
    let mut ends = BTreeSet::new();
    for n in 1..=whole.calls() {
        for tenths in [0, 5, 10] {
            let (disk, beside) = (disk.again(), beside.again());
            disk.meets(n, Fault::Kill { tenths });
            // The last calls only clear away what newer tiles stand for: whoever is killed there has written everything.
            let _done = enter(&files(disk.clone(), beside.clone()), &[beat("x".into())], &[]);
            let (disk, beside) = (disk.again(), beside.again());
            let (names, _) = told(&disk, &beside);
            ends.insert(names.len());
            let left = torn(&disk);
            enter(&files(disk.clone(), beside.clone()), &[beat("y".into())], &[]).unwrap();
            assert_eq!(flaws(&disk, Some(&beside)), Vec::<String>::new(), "write {n}, {tenths} tenths");
            let (names, recovered) = told(&disk, &beside);
            assert_eq!(names.last().map(String::as_str), Some("y"));
            assert_eq!((recovered, put_aside(&disk)), (left, left), "write {n}");
        }
    }
    assert_eq!(ends.into_iter().collect::<Vec<_>>(), [0, 1]);
}

#[test]
fn a_full_disk_and_a_denied_sync_refuse_and_the_same_process_goes_on_afterwards() {
    let (disk, beside) = super::small();
    for fault in [Fault::Full, Fault::Sync] {
        for n in 1..=7 {
            let (disk, beside) = (disk.again(), beside.again());
            let ledger = files(disk.clone(), beside.clone());
            enter(&ledger, &[beat("before".into())], &[]).unwrap();
            disk.meets(n, fault);
            let refused = enter(&ledger, &[beat("refused".into())], &[]);
            assert!(matches!(refused, Err(LedgerError::Disk { .. })), "{fault:?} at {n}: {refused:?}");
            enter(&ledger, &[beat("after".into())], &[]).unwrap();
            let (names, _) = told(&disk, &beside);
            let names: Vec<_> = names.iter().map(String::as_str).filter(|name| *name != "refused").collect();
            assert_eq!(names, ["before", "after"], "{fault:?} at {n}");
            assert_eq!(flaws(&disk, Some(&beside)), Vec::<String>::new(), "{fault:?} at {n}");
        }
    }
}
