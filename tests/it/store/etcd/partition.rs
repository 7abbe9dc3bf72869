//! A partition between regions: three members in network namespaces of their own, with one network for members among
//! themselves and one for clients, so that the minority's clients still reach the minority.

use std::{
    net::IpAddr,
    time::{Duration, Instant},
};

use lifeboat::{
    port::{Journal as _, LeaseError, Leases as _, StoreError},
    store::Etcd,
};

use super::super::story::{at, lease, note, opened, order};
use crate::servers::{
    await_until,
    etcd::{Cluster, Shape},
    namespaces::{self, join, run},
};

const NAME: &str =
    "store::etcd::partition::a_member_that_is_cut_off_appends_nothing_and_its_holder_is_stale_afterwards";

/// Three namespaces, each with a link to the clients' bridge and one to the members'.
fn networks() {
    for bridge in ["clients", "members"] {
        run(&format!("ip link add {bridge} type bridge"));
        run(&format!("ip link set {bridge} up"));
    }
    run("ip addr add 10.77.0.254/24 dev clients");
    for n in 0..3 {
        run(&format!("ip netns add n{n}"));
        run(&format!("ip -n n{n} link set lo up"));
        for (bridge, net) in [("clients", "10.77.0"), ("members", "10.78.0")] {
            let end = &bridge[..1];
            join(&format!("n{n}"), bridge, &format!("{end}{n}"), bridge, &format!("{net}.{}/24", n + 1));
        }
    }
}

fn addresses(net: &str) -> Vec<IpAddr> {
    (1..=3).map(|n| format!("{net}.{n}").parse().expect("an address")).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_that_is_cut_off_appends_nothing_and_its_holder_is_stale_afterwards() {
    if !namespaces::entered(NAME) {
        return;
    }
    networks();
    let inside = (0..3).map(|n| ["ip", "netns", "exec", &format!("n{n}")].map(str::to_owned).to_vec()).collect();
    let (clients, peers) = (addresses("10.77.0"), addresses("10.78.0"));
    let cluster = Cluster::start(&Shape { clients, peers, inside, tls: true, pace: (100, 500) });
    let cut = cluster.leader().unwrap();
    let others: Vec<_> = (0..3).filter(|n| *n != cut).collect();
    let minority = Etcd::open(&cluster.place(&[cut])).unwrap();
    let majority = Etcd::open(&cluster.place(&others)).unwrap();
    let old = lease(&minority, "orders").await;
    let (run_id, _) = minority.open(&old, at(0), opened("orders", false)).await.unwrap();
    for after in 1..5 {
        minority.append(&old, &run_id, after, vec![(at(1), note(after + 1))]).await.unwrap();
    }

    run(&format!("ip link set m{cut} down"));
    // The minority can neither write nor be read from: what it says would be old.
    let (appended, told, read) = tokio::join!(
        minority.append(&old, &run_id, 5, vec![(at(2), note(66))]),
        minority.tell(&run_id, order("lost")),
        minority.read(&run_id, 0),
    );
    for refused in [appended.map(drop), told.map(drop), read.map(drop)] {
        assert!(matches!(refused, Err(StoreError::Unavailable { .. })), "{refused:?}");
    }

    // The majority goes on: another process waits for the lease to end, takes it, and writes.
    let began = Instant::now();
    let seen = majority.lease(old.key()).await.unwrap();
    let new = majority.acquire(old.key(), "host/2", Some(seen.revision)).await.unwrap();
    for after in 5..10 {
        majority.append(&new, &run_id, after, vec![(at(3), note(after + 1))]).await.unwrap();
    }
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());

    run(&format!("ip link set m{cut} up"));
    await_until("one leader of all three", Duration::from_secs(30), || cluster.leader().is_some());
    // Where it stood when it was cut off, and where it would have to go on.
    for after in [5, 10] {
        let late = minority.append(&old, &run_id, after, vec![(at(4), note(66))]).await.unwrap_err();
        assert!(matches!(late, StoreError::StaleTerm { .. }), "{late}");
    }
    assert!(!old.live());
    assert!(matches!(minority.renew(&old).await, Err(LeaseError::Lost { .. })));
    let events = minority.read(&run_id, 1).await.unwrap();
    assert_eq!(events.len(), 9);
    for (seq, event) in (2..).zip(&events) {
        assert_eq!((event.seq, &event.body), (seq, &note(seq)));
    }
}
