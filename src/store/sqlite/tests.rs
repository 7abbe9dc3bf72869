//! What can only be tested from inside: a full disk, a long lock, and how much a commit holds.

use std::{error::Error as _, path::PathBuf, sync::mpsc};

use futures::future::join_all;
use tempfile::TempDir;

use super::{Sqlite, worker::Halt};
use crate::{
    model::{GroupName, RunId},
    port::{LeaseError, LeaseKey, Leases as _, Records as _, StoreError},
};

fn store() -> (TempDir, PathBuf, Sqlite) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lifeboat.db");
    let store = Sqlite::open(&path).unwrap();
    (folder, path, store)
}

fn key(name: &str) -> LeaseKey {
    LeaseKey { group: GroupName::new(name).unwrap(), rehearsal: false }
}

fn source(error: &StoreError) -> String {
    error.source().map(ToString::to_string).unwrap_or_default()
}

async fn run_sql(store: &Sqlite, sql: &'static str) {
    store.write(String::new, move |db| Ok(db.execute_batch(sql)?)).await.unwrap();
}

#[tokio::test]
async fn a_full_disk_says_so_writes_nothing_and_is_left_again() {
    let (_folder, path, store) = store();
    let insert = "INSERT INTO runs (grp, number, rehearsal, kind, source, destination, opened_at) \
                  VALUES ('orders', 1, 0, 'failover', 'fra', 'dub', '')";
    run_sql(&store, insert).await;
    let run: RunId = "orders-1".parse().unwrap();
    store.keep(&run, "small".into()).await.unwrap();
    run_sql(&store, "PRAGMA max_page_count = 20").await;

    // Two that fit share their transaction with one that does not.
    let big = store.keep(&run, "x".repeat(1_000_000));
    let (first, second) = (key("first"), key("second"));
    let (one, big, two) = tokio::join!(store.acquire(&first, "a", None), big, store.acquire(&second, "b", None));
    let full = big.unwrap_err();
    assert_eq!(full.to_string(), "could not keep the record of orders-1");
    let told = source(&full);
    assert!(
        told.contains(&format!("the disk that holds {} is full, and nothing was written", path.display())),
        "{told}"
    );
    assert_eq!(store.record(&run).await.unwrap().as_deref(), Some("small"));

    // Whoever was told of success is there; whoever was not is not.
    for (answer, key) in [(one, first), (two, second)] {
        assert_eq!(answer.is_ok(), store.lease(&key).await.unwrap().holder.is_some());
    }
    run_sql(&store, "PRAGMA max_page_count = 100000").await;
    store.keep(&run, "y".repeat(1_000_000)).await.unwrap();
}

#[tokio::test]
async fn a_lock_held_by_another_process_is_named_with_a_way_out() {
    let (_folder, path, store) = store();
    run_sql(&store, "PRAGMA busy_timeout = 20").await;
    let other = rusqlite::Connection::open(&path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let LeaseError::Store { source: busy, .. } = store.acquire(&key("orders"), "a", None).await.unwrap_err() else {
        panic!("the lock was not seen")
    };
    assert_eq!(busy.to_string(), "could not take the lease on orders");
    assert!(source(&busy).contains("another process held the lock of"), "{}", source(&busy));
    // Reading goes on meanwhile, and writing afterwards.
    assert_eq!(store.lease(&key("orders")).await.unwrap().holder, None);
    other.execute_batch("ROLLBACK").unwrap();
    store.acquire(&key("orders"), "a", None).await.unwrap();
}

#[tokio::test]
async fn what_waits_behind_a_commit_shares_the_next_one() {
    let (_folder, _path, store) = store();
    let (open, gate) = mpsc::channel::<()>();
    let blocked = store.write(String::new, move |_| {
        let _ended = gate.recv();
        Ok(())
    });
    // The savepoint exists only where jobs share a transaction.
    let shared = (0..20).map(|_| store.write(String::new, |db| Ok(db.execute_batch("ROLLBACK TO job").is_ok())));
    // `join!` polls in order first, so everything is queued when the gate opens.
    let (_, shared, ()) = tokio::join!(blocked, join_all(shared), async { drop(open) });
    assert!(shared.into_iter().all(|shared| shared.unwrap()), "a queued job had a transaction of its own");
}

#[tokio::test]
async fn a_refused_job_takes_nothing_of_its_neighbours_back() {
    let (_folder, _path, store) = store();
    let (open, gate) = mpsc::channel::<()>();
    let blocked = store.write(String::new, move |_| {
        let _ended = gate.recv();
        Ok(())
    });
    let insert = |n: i64, refuse: bool| {
        store.write(String::new, move |db| {
            db.execute("INSERT INTO records VALUES ('orders', ?1, '')", [n])?;
            if refuse { Err(Halt::Said(StoreError::Corrupt { what: "refused".into() })) } else { Ok(()) }
        })
    };
    let jobs = join_all((1..=9).map(|n| insert(n, n % 3 == 0)));
    let (_, answers, ()) = tokio::join!(blocked, jobs, async { drop(open) });
    assert_eq!(answers.iter().filter(|answer| answer.is_err()).count(), 3);
    let kept: Vec<i64> = store
        .read(String::new, |db| {
            let mut query = db.prepare("SELECT number FROM records ORDER BY number")?;
            let rows = query.query_map([], |row| row.get(0))?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
        .await
        .unwrap();
    assert_eq!(kept, [1, 2, 4, 5, 7, 8]);
}
