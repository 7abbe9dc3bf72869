//! Several processes on one file, and processes that are killed.

use std::{
    io::{BufRead, BufReader},
    process::{Command, Stdio},
    sync::Arc,
};

use futures::future::join_all;
use lifeboat::{
    model::{EventBody, RunId},
    port::{Journal as _, Leases as _, StoreError},
    store::Sqlite,
};

use super::story::{at, closed, key, lease, note, opened, order};

/// Names the file to a child of this test; not set in the test itself.
const CHILD: &str = "LIFEBOAT_TEST_APPEND_TO";

#[expect(clippy::disallowed_methods, reason = "how a test that starts itself again knows that it is the child")]
fn told_to_append() -> Option<String> {
    std::env::var(CHILD).ok()
}

/// The child: appends events of uneven size until it is killed, and says each one that was acknowledged.
async fn append_for_ever(path: &str) {
    let store = Sqlite::open(path.as_ref()).unwrap();
    let key = key("orders", false);
    let seen = store.lease(&key).await.unwrap();
    let permit = store.acquire(&key, "child", Some(seen.revision)).await.unwrap();
    let run: RunId = "orders-1".parse().unwrap();
    let mut last = store.read(&run, 0).await.unwrap().len() as u64;
    loop {
        let events: Vec<_> = (1..=1 + last % 4).map(|n| (at(1), note(last + n))).collect();
        let count = events.len() as u64;
        store.append(&permit, &run, last, events).await.unwrap();
        last += count;
        println!("\nacknowledged {last}");
    }
}

#[tokio::test]
async fn a_process_killed_while_appending_loses_nothing_that_was_acknowledged() {
    if let Some(path) = told_to_append() {
        return append_for_ever(&path).await;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lifeboat.db");
    let store = Sqlite::open(&path).unwrap();
    let permit = lease(&store, "orders").await;
    let (run, _) = store.open(&permit, at(0), opened("orders", false)).await.unwrap();

    for round in 1..=5_u64 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "--nocapture"])
            .arg("store::processes::a_process_killed_while_appending_loses_nothing_that_was_acknowledged")
            .env(CHILD, &path)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        let mut heard = lines.filter_map(|line| line.strip_prefix("acknowledged ")?.parse::<u64>().ok());
        let enough = usize::try_from(20 + 7 * round).unwrap();
        let mut acknowledged = heard.by_ref().take(enough).last().expect("the child said nothing");
        child.kill().unwrap();
        // What it said before the kill arrived counts too.
        acknowledged = heard.last().unwrap_or(acknowledged);
        child.wait().unwrap();

        let events = store.read(&run, 0).await.unwrap();
        assert!(events.len() as u64 >= acknowledged, "{} of {acknowledged} events are left", events.len());
        for (seq, event) in (1..).zip(&events) {
            assert_eq!(event.seq, seq);
            if seq > 1 {
                assert_eq!(event.body, note(seq), "event {seq} is torn");
            }
        }
        // An append is there as a whole or not at all: the child always writes 1 + last % 4 at once.
        let mut last = 1;
        while last < events.len() as u64 {
            last += 1 + last % 4;
        }
        assert_eq!(last, events.len() as u64, "the last append is there in part");
    }
    let late = store.append(&permit, &run, 1, vec![(at(1), note(2))]).await.unwrap_err();
    assert!(matches!(late, StoreError::StaleTerm { .. }), "{late}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_stores_on_one_file_see_and_respect_each_other() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lifeboat.db");
    let stores = [Arc::new(Sqlite::open(&path).unwrap()), Arc::new(Sqlite::open(&path).unwrap())];
    let permit = lease(&*stores[0], "orders").await;
    let (run, _) = stores[0].open(&permit, at(0), opened("orders", false)).await.unwrap();

    // Both append at every place: one wins, and the orders of the other come through meanwhile.
    for after in 1..=50 {
        let tries = stores.iter().map(|store| store.append(&permit, &run, after, vec![(at(1), note(after + 1))]));
        let results = join_all(tries).await;
        assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1, "{results:?}");
        stores[1].tell(&run, order("x")).await.unwrap();
    }
    assert_eq!(stores[1].read(&run, 0).await.unwrap(), stores[0].read(&run, 0).await.unwrap());
    assert_eq!(stores[0].inbox(&run, 0).await.unwrap().len(), 50);

    // The lease is the same for both.
    let refused = stores[1].acquire(permit.key(), "host/2", None).await.unwrap_err();
    assert_eq!(refused.to_string(), "the lease on orders is held by host/1");
}

#[tokio::test]
async fn many_processes_may_make_the_file_at_once() {
    let folder = tempfile::tempdir().unwrap();
    // One must look while another's first tables arrive: each round they begin a little further apart.
    for round in 0..150 {
        let path = folder.path().join(format!("{round}/lifeboat.db"));
        let begin = |late: u32| {
            let begins = std::time::Instant::now() + std::time::Duration::from_micros(50) * late;
            while std::time::Instant::now() < begins {}
            Sqlite::open(&path)
        };
        let opened: Vec<_> = std::thread::scope(|scope| {
            let threads = [scope.spawn(|| begin(0)), scope.spawn(move || begin(round))];
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        for store in opened {
            let store = store.expect("every process opens the store");
            assert_eq!(store.runs(None).await.unwrap(), []);
        }
    }
}

#[tokio::test]
async fn what_was_written_is_there_after_the_store_was_closed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lifeboat.db");
    let run = {
        let store = Sqlite::open(&path).unwrap();
        let permit = lease(&store, "orders").await;
        let (run, _) = store.open(&permit, at(0), opened("orders", false)).await.unwrap();
        store.append(&permit, &run, 1, vec![(at(1), closed(lifeboat::model::Outcome::Failed))]).await.unwrap();
        run
    };
    let events = Sqlite::open(&path).unwrap().read(&run, 0).await.unwrap();
    assert!(matches!(events[1].body, EventBody::Closed { .. }));
}

#[tokio::test]
async fn an_append_whose_caller_gave_up_is_written_whole_or_not_at_all() {
    let folder = tempfile::tempdir().unwrap();
    let store = Sqlite::open(&folder.path().join("lifeboat.db")).unwrap();
    let permit = lease(&store, "orders").await;
    let (run, _) = store.open(&permit, at(0), opened("orders", false)).await.unwrap();
    let mut append = store.append(&permit, &run, 1, (2..=9).map(|n| (at(1), note(n))).collect());
    assert!(futures::poll!(&mut append).is_pending());
    drop(append);
    // The next write waits behind it.
    store.tell(&run, order("x")).await.unwrap();
    assert_eq!(store.read(&run, 1).await.unwrap().len(), 8);
}
