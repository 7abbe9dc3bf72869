//! The etcd store on real clusters: replies that are lost, members that die, values that are large.

mod lost;
mod partition;

use std::time::{Duration, Instant};

use lifeboat::{
    model::RunId,
    port::{Journal as _, Leases as _, Permit, Records as _, StoreError},
    store::{Etcd, etcd::Place},
};

use super::story::{at, lease, note, opened};
use crate::servers::{
    await_until,
    etcd::{Cluster, Shape},
    free_port,
};

const LIMIT: Duration = Duration::from_secs(30);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_story_is_kept_by_three_members_with_client_certificates() {
    let cluster = Cluster::start(&Shape::three());
    let store = |story: &str| {
        let place = Place { prefix: format!("stories/{story}"), ..cluster.place(&[0, 1, 2]) };
        Etcd::open(&place).unwrap()
    };
    super::every_story(store).await;
}

/// Appends `count` events one by one, and says how long the slowest took. An append whose answer is "unavailable" is looked
/// up before it is repeated.
async fn append(store: &Etcd, permit: &Permit, run: &RunId, last: &mut u64, count: u64) -> Duration {
    let mut slowest = Duration::ZERO;
    for _ in 0..count {
        let began = Instant::now();
        loop {
            match store.append(permit, run, *last, vec![(at(1), note(*last + 1))]).await {
                Ok(()) => break,
                Err(StoreError::Unavailable { .. }) => {
                    if store.read(run, *last).await.is_ok_and(|events| events.len() == 1) {
                        break;
                    }
                }
                Err(other) => panic!("{other}"),
            }
        }
        *last += 1;
        slowest = slowest.max(began.elapsed());
    }
    slowest
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn members_die_and_stop_while_appending_and_nothing_acknowledged_is_lost_or_doubled() {
    let mut cluster = Cluster::start(&Shape::three());
    let store = Etcd::open(&cluster.place(&[0, 1, 2])).unwrap();
    let permit = lease(&store, "orders").await;
    let (run, _) = store.open(&permit, at(0), opened("orders", false)).await.unwrap();
    let mut last = 1;
    append(&store, &permit, &run, &mut last, 10).await;

    let leader = cluster.leader().unwrap();
    let follower = (leader + 1) % 3;
    cluster.members[follower].kill();
    let slowest = append(&store, &permit, &run, &mut last, 20).await;
    assert!(slowest < Duration::from_secs(4), "a dead follower held an append up for {slowest:?}");
    cluster.members[follower].start();
    await_until("the follower's return", LIMIT, || cluster.leader().is_some());

    let leader = cluster.leader().unwrap();
    cluster.members[leader].signal("STOP");
    let slowest = append(&store, &permit, &run, &mut last, 20).await;
    cluster.members[leader].signal("CONT");
    assert!(slowest < Duration::from_secs(8), "a stopped leader held an append up for {slowest:?}");
    println!("stopped leader: the slowest append took {slowest:?}");
    await_until("one leader again", LIMIT, || cluster.leader().is_some());

    let leader = cluster.leader().unwrap();
    cluster.members[leader].kill();
    let slowest = append(&store, &permit, &run, &mut last, 20).await;
    assert!(slowest < Duration::from_secs(8), "a dead leader held an append up for {slowest:?}");
    println!("killed leader: the slowest append took {slowest:?}");
    cluster.members[leader].start();
    await_until("the old leader's return", LIMIT, || cluster.leader().is_some());

    for member in 0..3 {
        let alone = Etcd::open(&cluster.place(&[member])).unwrap();
        let events = alone.read(&run, 1).await.unwrap();
        assert_eq!(events.len() as u64, last - 1, "as member {member} has it");
        for (seq, event) in (2..).zip(&events) {
            assert_eq!((event.seq, &event.body), (seq, &note(seq)));
        }
    }
}

#[tokio::test]
async fn an_append_of_any_size_is_there_as_a_whole() {
    let cluster = Cluster::start(&Shape::one());
    let store = Etcd::open(&cluster.place(&[0])).unwrap();
    let permit = lease(&store, "orders").await;
    let (run, _) = store.open(&permit, at(0), opened("orders", false)).await.unwrap();
    // Some 3 MB in one append, and far more events than a transaction has operations.
    let many: Vec<_> = (2..=30_001).map(|n| (at(1), note(n))).collect();
    store.append(&permit, &run, 1, many.clone()).await.unwrap();
    let refused = store.append(&permit, &run, 1, many.clone()).await.unwrap_err();
    assert!(matches!(refused, StoreError::Conflict { seq: 2, .. }), "{refused}");
    let read = store.read(&run, 1).await.unwrap();
    assert_eq!(read.len(), many.len());
    assert_eq!(read.last().map(|event| (event.seq, &event.body)), Some((30_001, &note(30_001))));
    assert_eq!(store.read(&run, 29_999).await.unwrap().len(), 2);

    for text in ["a".repeat(3_000_000), "b".repeat(2_000_000), "c".into()] {
        store.keep(&run, text.clone()).await.unwrap();
        assert!(store.record(&run).await.unwrap() == Some(text));
    }
    // What was replaced or refused is gone: 12 pieces of the append are all that is left.
    let pieces = cluster.ctl(&[0], &["get", "--prefix", "--keys-only", "test/piece/"]).unwrap();
    let pieces = pieces.lines().filter(|line| !line.is_empty()).count();
    let whole: usize = read.iter().map(|event| serde_json::to_string(event).unwrap().len() + 1).sum();
    assert_eq!(pieces, (whole + 1).div_ceil(256 * 1024));
}

#[tokio::test]
async fn many_appends_orders_and_runs_are_read_page_by_page() {
    let cluster = Cluster::start(&Shape::one());
    let store = Etcd::open(&cluster.place(&[0])).unwrap();
    let permit = lease(&store, "orders").await;
    let (run, _) = store.open(&permit, at(0), opened("orders", false)).await.unwrap();
    for after in 1..=1_100 {
        store.append(&permit, &run, after, vec![(at(1), note(after + 1))]).await.unwrap();
    }
    let seqs: Vec<_> = store.read(&run, 0).await.unwrap().into_iter().map(|event| event.seq).collect();
    assert_eq!(seqs, (1..=1_101).collect::<Vec<_>>());
    for number in 1..=600 {
        assert_eq!(store.tell(&run, super::story::order("x")).await.unwrap(), number);
    }
    let numbers: Vec<_> = store.inbox(&run, 3).await.unwrap().into_iter().map(|entry| entry.number).collect();
    assert_eq!(numbers, (4..=600).collect::<Vec<_>>());
}

#[tokio::test]
async fn dead_members_are_passed_over_quickly_and_named_when_none_is_left() {
    let cluster = Cluster::start(&Shape::one());
    let nobody = |n: u8| {
        let ip: std::net::IpAddr = format!("127.5.1.{n}").parse().unwrap();
        format!("{ip}:{}", free_port(&[ip]))
    };
    let place = cluster.place(&[0]);
    let members = vec![nobody(1), nobody(2), place.members[0].clone()];
    let store = Etcd::open(&Place { members, ..place.clone() }).unwrap();
    let began = Instant::now();
    let permit = lease(&store, "orders").await;
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    store.renew(&permit).await.unwrap();

    let members = vec![nobody(1), nobody(2)];
    let store = Etcd::open(&Place { members: members.clone(), ..place }).unwrap();
    let began = Instant::now();
    let StoreError::Unavailable { intent, source } = store.runs(None).await.unwrap_err() else { panic!() };
    assert!(began.elapsed() < Duration::from_secs(8), "{:?}", began.elapsed());
    assert_eq!(intent, "list the runs");
    for member in members {
        assert!(source.to_string().contains(&member), "{source}");
    }
    assert!(!source.to_string().contains("may be there"), "a read leaves nothing: {source}");
}

#[tokio::test]
async fn without_a_certificate_or_with_an_unknown_authority_nothing_is_written() {
    let cluster = Cluster::start(&Shape {
        clients: vec!["127.5.0.1".parse().unwrap()],
        peers: vec!["127.5.0.1".parse().unwrap()],
        ..Shape::three()
    });
    let place = cluster.place(&[0]);
    for wrong in [Place { identity: None, ..place.clone() }, Place { ca: None, ..place.clone() }] {
        let said = Etcd::open(&wrong).unwrap().runs(None).await.unwrap_err();
        let StoreError::Unavailable { source, .. } = said else { panic!() };
        let text = source.to_string().to_lowercase();
        assert!(text.contains("certificate") || text.contains("unknownissuer"), "{text}");
    }
    let missing = Place { identity: Some(("/nowhere/c.pem".into(), "/nowhere/k.pem".into())), ..place };
    let said = Etcd::open(&missing).unwrap_err();
    let StoreError::Unavailable { source, .. } = &said else { panic!() };
    let cause = std::error::Error::source(source.as_ref()).unwrap().to_string();
    assert!(cause.contains("/nowhere/c.pem") && cause.contains("LIFEBOAT_STORE_CERT"), "{cause}");
}

#[tokio::test]
async fn a_layout_of_a_newer_program_is_left_alone() {
    let cluster = Cluster::start(&Shape::one());
    cluster.ctl(&[0], &["put", "test/layout", "2"]).unwrap();
    let store = Etcd::open(&cluster.place(&[0])).unwrap();
    let refused = store.acquire(&super::story::key("orders", false), "host/1", None).await.unwrap_err();
    let cause = std::error::Error::source(&refused).unwrap().to_string();
    assert!(cause.contains("layout 2") && cause.contains("newer program"), "{cause}");
}

#[tokio::test]
async fn news_of_a_journal_comes_with_the_append_and_not_before() {
    let cluster = Cluster::start(&Shape::one());
    let store = Etcd::open(&cluster.place(&[0])).unwrap();
    let permit = lease(&store, "orders").await;
    let (run, _) = store.open(&permit, at(0), opened("orders", false)).await.unwrap();
    // What is there already is news at once.
    store.changed(&run, 0).await;
    let mut news = store.changed(&run, 1);
    let early = tokio::time::timeout(Duration::from_millis(300), &mut news).await;
    assert!(early.is_err(), "there is no news yet");
    let ((), appended) = tokio::join!(news, store.append(&permit, &run, 1, vec![(at(1), note(2))]));
    appended.unwrap();
}
