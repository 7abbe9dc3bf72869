//! The store on a disk that fails: a sync that the disk denies, a write that ends half way, a power cut after either.
//!
//! What is asked each time: every event that was acknowledged is read back afterwards, no append is there in part, and the
//! file is sound. What was refused may be there as a whole or not at all: its outcome is unknown until somebody reads.

use std::{error::Error, fs, path::Path, process::Command};

use lifeboat::{
    model::RunId,
    port::{Journal as _, Leases as _},
    store::Sqlite,
};

use super::story::{at, key, lease, note, opened};
use crate::disk::{Call, Disk, Fault, How, Keep, LOG, MAIN, in_memory};

/// Names the file to a child of these tests, and says whether it closes it.
const CHILD: &str = "LIFEBOAT_TEST_APPEND_THROUGH_FAULTS";

/// The test that is started again as the child.
const CHILD_TEST: &str = "store::faults::after_a_failed_sync_no_later_success_covers_what_the_disk_dropped";

/// Appends of the child: each has one to four events.
const TRIES: usize = 8;

/// The child: appends whatever the disk says, and says what was acknowledged and what was refused. It ends with closing the
/// store, which puts the log into the main file, or without, as a killed process does.
async fn append_through_faults(path: &str, closes: bool) {
    let store = match Sqlite::open(path.as_ref()) {
        Ok(store) => store,
        Err(error) => end(&error),
    };
    let key = key("orders", false);
    let seen = store.lease(&key).await.unwrap();
    let permit = match store.acquire(&key, "child", Some(seen.revision)).await {
        Ok(permit) => permit,
        Err(error) => end(&error),
    };
    let run = run();
    let mut last = store.read(&run, 0).await.unwrap().len() as u64;
    for _ in 0..TRIES {
        let count = 1 + last % 4;
        let events: Vec<_> = (1..=count).map(|n| (at(1), note(last + n))).collect();
        match store.append(&permit, &run, last, events).await {
            Ok(()) => {
                last += count;
                println!("\nacknowledged {last}");
            }
            Err(error) => println!("\nrefused {}", chain(&error)),
        }
        // What the process itself reads agrees with what it was told.
        assert_eq!(store.read(&run, 0).await.unwrap().len() as u64, last, "a refused append is read back");
    }
    if closes {
        drop(store);
    }
    leave()
}

/// Nothing of the test follows: the child has said what it came to say.
#[expect(clippy::exit, reason = "the child is the same test, started again")]
fn leave() -> ! {
    std::process::exit(0)
}

#[expect(clippy::disallowed_methods, reason = "how a test that starts itself again knows that it is the child")]
fn told() -> Option<(String, bool)> {
    let told = std::env::var(CHILD).ok()?;
    let (closes, path) = told.split_once(' ').unwrap();
    Some((path.to_owned(), closes.parse().unwrap()))
}

fn end(error: &dyn Error) -> ! {
    println!("\nrefused {}", chain(error));
    leave()
}

fn run() -> RunId {
    "orders-1".parse().unwrap()
}

/// The whole chain of an error, as a face prints it.
fn chain(error: &dyn Error) -> String {
    match error.source() {
        Some(source) => format!("{error}: {}", chain(source)),
        None => error.to_string(),
    }
}

/// What the child said.
struct Told {
    acknowledged: u64,
    refused: Vec<String>,
}

/// Makes a store with one run, and has a child append to it on this disk.
async fn appended(disk: &Disk, path: &Path, fault: Fault) -> Told {
    {
        let store = Sqlite::open(path).unwrap();
        let permit = lease(&store, "orders").await;
        store.open(&permit, at(0), opened("orders", false)).await.unwrap();
    }
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "--nocapture", CHILD_TEST]);
    command.env(CHILD, format!("{} {}", fault.file == MAIN, path.display()));
    disk.meets(&mut command, fault);
    let output = command.output().unwrap();
    let out = String::from_utf8(output.stdout).unwrap();
    let err = String::from_utf8_lossy(&output.stderr);
    assert!(fault.how == How::Kill || output.status.success(), "{out}\n{err}");
    Told {
        acknowledged: out
            .lines()
            .filter_map(|line| line.strip_prefix("acknowledged ")?.parse().ok())
            .next_back()
            .unwrap_or(1),
        refused: out.lines().filter_map(|line| line.strip_prefix("refused ")).map(Into::into).collect(),
    }
}

/// What a process that comes later finds.
async fn found(path: &Path, told: &Told) {
    let sound: String = {
        let db = rusqlite::Connection::open(path).unwrap();
        db.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap()
    };
    assert_eq!(sound, "ok");
    let store = Sqlite::open(path).unwrap();
    let events = store.read(&run(), 0).await.unwrap();
    let count = events.len() as u64;
    assert!(count >= told.acknowledged, "{count} of {} acknowledged events are left", told.acknowledged);
    for (seq, event) in (1..).zip(&events) {
        assert_eq!(event.seq, seq);
        assert!(seq == 1 || event.body == note(seq), "event {seq} is torn");
    }
    // An append is there as a whole or not at all.
    let mut last = 1;
    while last < count {
        last += 1 + last % 4;
    }
    assert_eq!(last, count, "the last append is there in part");
    // And the next process goes on from there.
    let key = key("orders", false);
    let seen = store.lease(&key).await.unwrap();
    let permit = store.acquire(&key, "next", Some(seen.revision)).await.unwrap();
    store.append(&permit, &run(), count, vec![(at(2), note(count + 1))]).await.unwrap();
}

/// Each call in turn goes wrong, and then the power is cut. Says how many calls there were, and what was refused.
async fn each_in_turn(fault: impl Fn(usize) -> Fault, step: usize) -> (usize, Vec<String>) {
    let disk = Disk::new();
    let mut refused = Vec::new();
    for n in (1..).step_by(step) {
        let folder = in_memory();
        let path = folder.path().join("lifeboat.db");
        let told = appended(&disk, &path, fault(n)).await;
        if !disk.fired() {
            assert_eq!(told.refused, [""; 0]);
            return (n - 1, refused);
        }
        for keep in [Keep::Nothing, Keep::Half, Keep::All] {
            let copy = in_memory();
            for file in fs::read_dir(folder.path()).unwrap().map(Result::unwrap) {
                fs::copy(file.path(), copy.path().join(file.file_name())).unwrap();
            }
            let path = copy.path().join("lifeboat.db");
            disk.power_cut(&path, keep);
            found(&path, &told).await;
        }
        for why in &told.refused {
            assert!(why.contains(path.to_str().unwrap()), "the file is not named: {why}");
        }
        refused.extend(told.refused);
    }
    unreachable!()
}

#[tokio::test]
async fn after_a_failed_sync_no_later_success_covers_what_the_disk_dropped() {
    if let Some((path, closes)) = told() {
        return append_through_faults(&path, closes).await;
    }
    let (calls, refused) = each_in_turn(|n| Fault::once(Call::Sync, LOG, n, How::Eio), 1).await;
    assert!(calls > TRIES, "each append syncs: {calls}");
    // The disk denied one sync in each round, and whoever waited for it was told.
    assert!(refused.len() >= TRIES, "{} of {calls} failed syncs were told", refused.len());
    for why in refused {
        assert!(why.contains("failed; look at the kernel's log"), "{why}");
    }
}

#[tokio::test]
async fn a_full_disk_refuses_and_loses_nothing_that_was_acknowledged() {
    for how in [How::Enospc, How::Short] {
        let (_, refused) = each_in_turn(|n| Fault { times: 2, ..Fault::once(Call::Write, LOG, n, how) }, 3).await;
        assert!(!refused.is_empty());
        for why in refused {
            assert!(why.contains("is full, and nothing was written; make room there"), "{why}");
        }
    }
}

#[tokio::test]
async fn a_file_system_that_became_read_only_is_named_with_a_way_out() {
    let (_, refused) = each_in_turn(|n| Fault::from(Call::Write, LOG, n, How::Erofs), 7).await;
    assert!(!refused.is_empty());
    for why in refused {
        assert!(why.contains("still there and mounted for writing"), "{why}");
    }
}

#[tokio::test]
async fn a_power_cut_in_the_middle_of_a_page_of_the_log_loses_nothing_that_was_acknowledged() {
    each_in_turn(|n| Fault::once(Call::Write, LOG, n, How::Kill), 2).await;
    each_in_turn(|n| Fault::once(Call::Sync, LOG, n, How::Kill), 2).await;
}

/// The log goes into the main file when the last process closes the store, as it does after a thousand pages.
#[tokio::test]
async fn a_power_cut_in_the_middle_of_a_checkpoint_loses_nothing_that_was_acknowledged() {
    for call in [Call::Write, Call::Sync] {
        let (calls, _) = each_in_turn(|n| Fault::once(call, MAIN, n, How::Kill), 1).await;
        assert!(calls > 0, "the log went into the main file: {call:?}");
    }
}
