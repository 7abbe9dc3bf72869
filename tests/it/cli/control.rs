//! Who may say what, and when: stops, and orders for a state that has passed.

use super::*;

#[test]
fn a_stop_pauses_what_runs_refuses_what_would_and_starts_nothing_when_it_is_lifted() {
    let stage = Stage::new(slow(1_000));
    let running = stage.start(FAILOVER);
    running.until("promote-db  begins");
    stage.run_because("stop --all --as ana", "the network team cuts over").with(0).says("orders-1 is paused");
    let ended = running.ends().with(3);
    assert!(ended.out.contains("ana ordered a stop: the network team cuts over"), "{}", ended.out);
    assert_eq!(stage.acts(), EFFECTS[..2], "what was under way has ended, and nothing new was started");
    let refused = stage.run("run resume orders-1").with(4);
    refused.says("ana stopped everything at").says("lifeboat stop --all --resume --reason");
    stage.run("status").with(0).says("ana stopped everything");
    stage.run("stop --all --resume").with(0).says("go on with lifeboat run resume orders-1");
    assert_eq!(stage.acts(), EFFECTS[..2], "lifting a stop starts nothing");
    stage.run("run resume orders-1").with(0);
    assert_eq!(stage.acts(), EFFECTS);
}

#[test]
fn a_stop_needs_the_store_and_nothing_else() {
    let stage = Stage::new(json!({}));
    fs::remove_file(stage.path("orders.yaml")).unwrap();
    stage.run("stop orders").with(0).says("stopped orders: nothing starts or goes on");
    stage.run("stop").with(2).says("--all");
    stage.run("stop orders --all").with(2);
}

#[test]
fn a_group_that_is_stopped_starts_nothing_while_another_may() {
    let stage = Stage::new(json!({}));
    stage.run("stop carts").with(0);
    stage.run("drill orders --mode rehearse").with(0);
    stage.run("stop orders --as ana").with(0);
    stage.run(FAILOVER).with(4).says("ana stopped orders at").says("lifeboat stop orders --resume");
    stage.run("plan orders").with(4).says("ana stopped orders");
    assert_eq!(stage.acts(), [""; 0]);
    stage.run("stop orders --resume -o json").with(0).json();
    stage.run(FAILOVER).with(0);
}

#[test]
fn an_order_given_for_a_term_that_has_passed_is_refused() {
    let stage = Stage::new(lossy());
    stage.run(FAILOVER).with(3);
    let shown = stage.run("run show orders-1 -o json").with(0).json();
    assert_eq!(shown["term"], json!(1));
    stage.run("run resume orders-1").with(3);
    let stale = "run accept orders-1 DataLoss --expected-term 1";
    stage.run_because(stale, "as I saw it").with(4).says("is at term 2 now").says("run show orders-1");
    stage.run("run resume orders-1 --expected-term 1").with(4).says("group orders is at term 2 now, and not at 1");
    assert_eq!(stage.acts(), ["fence-db"]);
    stage.run_because("run accept orders-1 DataLoss --expected-term 2", "agreed").with(0);
    stage.run("run resume orders-1 --expected-term 2").with(0);
}

#[test]
fn a_failover_for_a_term_that_has_passed_is_refused_before_a_run_is_opened() {
    let stage = Stage::new(json!({}));
    stage.run(&format!("{FAILOVER} --expected-term 3")).with(4).says("is at term 0 now, and not at 3");
    stage.run("run list -o json").with(0).says("[]");
    let status = stage.run("status orders -o json").with(0).json();
    assert_eq!(status[0]["term"], json!(0));
    stage.run(&format!("{FAILOVER} --expected-term 0")).with(0);
}
