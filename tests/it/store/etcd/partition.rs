//! A partition between regions: three members in network namespaces of their own, with one network for members among
//! themselves and one for clients, so that the minority's clients still reach the minority.
//!
//! The test starts itself again inside a network and a mount namespace of its own (`unshare`). Every name it makes there
//! is seen by nobody else and ends with its last process, however that ends.

use std::{
    net::IpAddr,
    process::Command,
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
};

/// Set in the test that runs inside.
const INSIDE: &str = "LIFEBOAT_TEST_INSIDE_NAMESPACES";
const NAME: &str =
    "store::etcd::partition::a_member_that_is_cut_off_appends_nothing_and_its_holder_is_stale_afterwards";

#[expect(clippy::disallowed_methods, reason = "how a test that starts itself again knows that it is the child")]
fn inside() -> bool {
    std::env::var_os(INSIDE).is_some()
}

fn run(words: &str) {
    let mut words = words.split_whitespace();
    let output = Command::new(words.next().expect("a program")).args(words.clone()).output().expect("it starts");
    assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// Three namespaces, each with a link to the clients' bridge and one to the members'.
fn networks() {
    // `ip netns` keeps names under /run; this one is ours alone.
    for words in ["mount -t tmpfs tmpfs /run", "mkdir /run/netns", "ip link set lo up"] {
        run(words);
    }
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
            run(&format!("ip link add {end}{n} type veth peer name {bridge} netns n{n}"));
            run(&format!("ip link set {end}{n} master {bridge} up"));
            run(&format!("ip -n n{n} addr add {net}.{}/24 dev {bridge}", n + 1));
            run(&format!("ip -n n{n} link set {bridge} up"));
        }
    }
}

fn addresses(net: &str) -> Vec<IpAddr> {
    (1..=3).map(|n| format!("{net}.{n}").parse().expect("an address")).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_that_is_cut_off_appends_nothing_and_its_holder_is_stale_afterwards() {
    if !inside() {
        let root = lifeboat::app::identity::user().id == Some(0);
        let output = Command::new("unshare")
            .args(if root { &[][..] } else { &["--user", "--map-root-user"] })
            .args(["--net", "--mount", "--"])
            .arg(std::env::current_exe().expect("the test's program"))
            .args(["--exact", "--nocapture", NAME])
            .env(INSIDE, "1")
            .output()
            .expect("unshare");
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said);
        assert!(output.status.success() && said.contains("1 passed"), "{said}");
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
