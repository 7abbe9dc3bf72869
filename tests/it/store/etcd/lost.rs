//! Replies that are lost: the member did what it was asked, and nobody hears of it.

use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    thread,
    time::Duration,
};

use lifeboat::{
    model::{Outcome, Term},
    port::{Journal as _, LeaseError, Leases as _, Records as _, StoreError},
    store::{Etcd, etcd::Place},
};

use super::super::story::{at, closed, key, lease, note, opened, order};
use crate::servers::etcd::{Cluster, Shape};

/// In front of a member: passes requests on, and swallows as many of the replies to writes as it is told to.
struct Swallower {
    address: SocketAddr,
    swallow: Arc<AtomicU32>,
}

impl Swallower {
    fn start(member: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.5.0.9:0").unwrap();
        let address = listener.local_addr().unwrap();
        let swallow = Arc::new(AtomicU32::new(0));
        let told = Arc::clone(&swallow);
        // Ends with the test's process.
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let (member, told) = (TcpStream::connect(member).unwrap(), Arc::clone(&told));
                thread::spawn(move || pass(client, member, &told));
            }
        });
        Self { address, swallow }
    }

    fn swallow(&self, replies: u32) {
        self.swallow.store(replies, Ordering::SeqCst);
    }

    fn left(&self) -> u32 {
        self.swallow.load(Ordering::SeqCst)
    }
}

/// One connection: a request, its reply, the next request. Each is a header and a body.
fn pass(mut client: TcpStream, mut member: TcpStream, swallow: &AtomicU32) -> Option<()> {
    loop {
        let request = message(&mut client)?;
        member.write_all(&request).ok()?;
        let reply = message(&mut member)?;
        let writes = String::from_utf8_lossy(&request).contains("request_put")
            || String::from_utf8_lossy(&request).contains("request_delete_range");
        let one_less = |left: u32| left.checked_sub(1);
        if writes && swallow.fetch_update(Ordering::SeqCst, Ordering::SeqCst, one_less).is_ok() {
            return None;
        }
        client.write_all(&reply).ok()?;
    }
}

fn message(from: &mut TcpStream) -> Option<Vec<u8>> {
    let mut all = Vec::new();
    let mut byte = [0];
    while !all.ends_with(b"\r\n\r\n") {
        from.read_exact(&mut byte).ok()?;
        all.extend(byte);
    }
    let head = String::from_utf8_lossy(&all).to_lowercase();
    if let Some(length) = head.lines().find_map(|line| line.strip_prefix("content-length:")) {
        let mut body = vec![0; length.trim().parse().expect("a length")];
        from.read_exact(&mut body).ok()?;
        all.extend(body);
    } else {
        // In chunks, of which the last is empty; the JSON in between holds no line breaks.
        while !all.ends_with(b"\r\n0\r\n\r\n") {
            from.read_exact(&mut byte).ok()?;
            all.extend(byte);
        }
    }
    Some(all)
}

fn stage() -> (Cluster, Swallower, Etcd, Etcd) {
    let cluster = Cluster::start(&Shape::one());
    let place = cluster.place(&[0]);
    let swallower = Swallower::start(place.members[0].parse().unwrap());
    let through = Place { members: vec![swallower.address.to_string()], ..place.clone() };
    let (through, direct) = (Etcd::open(&through).unwrap(), Etcd::open(&place).unwrap());
    (cluster, swallower, through, direct)
}

#[tokio::test]
async fn a_write_whose_reply_was_lost_is_found_and_not_written_twice() {
    let (_cluster, swallower, store, direct) = stage();
    for lost in 1..=2 {
        let group = format!("orders{lost}");
        swallower.swallow(lost);
        let permit = lease(&store, &group).await;
        assert_eq!((swallower.left(), permit.term()), (0, Term(1)));

        swallower.swallow(lost);
        let (run, _) = store.open(&permit, at(0), opened(&group, false)).await.unwrap();
        assert_eq!((swallower.left(), run.number), (0, 1));

        swallower.swallow(lost);
        store.append(&permit, &run, 1, vec![(at(1), note(2)), (at(1), note(3))]).await.unwrap();
        swallower.swallow(lost);
        assert_eq!(store.tell(&run, order("x")).await.unwrap(), 1);
        swallower.swallow(lost);
        store.keep(&run, "{}".into()).await.unwrap();
        swallower.swallow(lost);
        store.append(&permit, &run, 3, vec![(at(2), closed(Outcome::Failed))]).await.unwrap();
        swallower.swallow(lost);
        store.renew(&permit).await.unwrap();
        swallower.swallow(lost);
        store.release(&permit).await.unwrap();
        assert_eq!(swallower.left(), 0, "every reply was lost");

        let events = direct.read(&run, 0).await.unwrap();
        assert_eq!(events.iter().map(|event| event.seq).collect::<Vec<_>>(), [1, 2, 3, 4]);
        assert_eq!(direct.inbox(&run, 0).await.unwrap().len(), 1);
        assert_eq!(direct.record(&run).await.unwrap().as_deref(), Some("{}"));
        assert_eq!(direct.lease(permit.key()).await.unwrap().holder, None);
        assert_eq!(direct.runs(None).await.unwrap().len(), usize::try_from(lost).unwrap());
    }
}

#[tokio::test]
async fn somebody_elses_write_is_not_taken_for_the_one_whose_reply_was_lost() {
    let (_cluster, swallower, store, direct) = stage();
    let permit = lease(&store, "orders").await;
    let (run, _) = store.open(&permit, at(0), opened("orders", false)).await.unwrap();
    // The very same events at the very same place, by another call: one of them wrote, and the other must say so.
    direct.append(&permit, &run, 1, vec![(at(1), note(2))]).await.unwrap();
    swallower.swallow(1);
    let second = store.append(&permit, &run, 1, vec![(at(1), note(2))]).await.unwrap_err();
    assert!(matches!(second, StoreError::Conflict { seq: 2, .. }), "{second}");
    // The same order twice is two orders.
    direct.tell(&run, order("x")).await.unwrap();
    swallower.swallow(1);
    assert_eq!(store.tell(&run, order("x")).await.unwrap(), 2);
    assert_eq!(direct.inbox(&run, 0).await.unwrap().len(), 2);
    // Another process with the same name took the lease.
    let other = key("billing", false);
    direct.acquire(&other, "host/1", None).await.unwrap();
    let held = store.acquire(&other, "host/1", None).await.unwrap_err();
    assert!(matches!(held, LeaseError::Held { .. }), "{held}");
    // A lease that is free already is not given back again.
    store.release(&permit).await.unwrap();
    let again = store.release(&permit).await.unwrap_err();
    assert!(matches!(again, LeaseError::Lost { .. }), "{again}");
}

#[tokio::test]
async fn an_append_that_was_written_before_the_lease_passed_on_is_no_failure_and_the_last_one() {
    let (_cluster, swallower, store, direct) = stage();
    let permit = lease(&store, "orders").await;
    let (run, _) = store.open(&permit, at(0), opened("orders", false)).await.unwrap();
    swallower.swallow(u32::MAX);
    let mut append = store.append(&permit, &run, 1, vec![(at(1), note(2))]);
    // Written, and not heard of; meanwhile another process takes the lease.
    while direct.read(&run, 1).await.unwrap().is_empty() {
        let _pending = tokio::time::timeout(Duration::from_millis(10), &mut append).await;
    }
    let seen = direct.lease(permit.key()).await.unwrap().revision;
    let next = direct.acquire(permit.key(), "host/2", Some(seen)).await.unwrap();
    swallower.swallow(0);
    append.await.unwrap();
    assert!(!permit.live(), "nothing may be done on the strength of it");
    let late = store.append(&permit, &run, 2, vec![(at(1), note(3))]).await.unwrap_err();
    assert!(matches!(late, StoreError::StaleTerm { .. }), "{late}");
    direct.append(&next, &run, 2, vec![(at(1), note(3))]).await.unwrap();
}
