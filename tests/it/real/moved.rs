//! Runs that move everything.

use lifeboat::model::Outcome;

use super::World;
use crate::servers::postgres::Node;

#[test]
fn a_failover_with_the_source_dead_promotes_behind_a_proven_fence_and_moves_the_names() {
    let mut world = World::start(|text| text);
    world.protect("0.2");
    world.regions.kill_region(Node::Fra);
    // The dead region's bucket could not be fenced; that step is declared `bestEffort`, and is said all the same.
    let said = world.begin("failover", 6);
    let record = world.record("orders-1");
    assert_eq!(record.outcome, Some(Outcome::CompletedWithExceptions), "{said}");
    assert_eq!(record.exceptions.iter().map(|e| e.step.as_str()).collect::<Vec<_>>(), ["fence-uploads"]);
    assert!(world.writable(Node::Dub), "{said}");
    assert_eq!(world.name(), "127.2.0.80");
    let fence = record.steps.iter().find(|step| step.name.as_str() == "fence-db").expect("the fence");
    assert_eq!(fence.fence.as_ref().map(|proof| proof.method.as_str()), Some("command"), "{fence:?}");
    assert_eq!(record.requested_by.as_str(), "anna");
    assert!(record.measures.recovery_time.total_ms.is_some(), "{:?}", record.measures);

    // The old primary cannot come back as one: its data folder says standby.
    world.regions.databases.start_again(Node::Fra);
    assert!(!world.writable(Node::Fra), "two primaries");
}

#[test]
fn a_switchover_and_the_way_back_lose_nothing_while_the_shop_takes_orders() {
    let mut world = World::start(|text| text);
    world.protect("0.2");
    world.open_shop();
    world.begin("switchover", 0);
    assert_eq!(world.name(), "127.2.0.80");
    assert!(world.writable(Node::Dub) && !world.writable(Node::Fra));
    world.await_orders(50);
    world.begin("failback", 0);
    assert_eq!(world.name(), "127.1.0.80");
    world.await_orders(50);
    world.close_shop();

    let (orders, kept) = (world.acknowledged("orders"), world.regions.orders(Node::Fra));
    let lost: Vec<_> = orders.difference(&kept).collect();
    assert!(orders.len() > 100 && lost.is_empty(), "{} of {} orders lost: {lost:?}", lost.len(), orders.len());
    for id in world.acknowledged("uploads") {
        let key = format!("uploads/{id:08}.txt");
        assert!(world.regions.store(Node::Fra).get("uploads-fra", &key).is_some(), "upload {key} is lost");
    }
    for run in ["orders-1", "orders-2"] {
        let record = world.record(run);
        assert!(record.success, "{run}: {:?}", record.exceptions);
    }
}
