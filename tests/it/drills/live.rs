//! Live drills: there and back, and what ends them.

use std::fs;

use serde_json::{Value, json};

use crate::cli::Stage;

const DRILL: &str = "drill orders --mode live --yes-i-mean orders";

/// A group that is drilled as long as the file `calm` is there.
fn stage(database: Value, stays: f64) -> Stage {
    // The path is known only when the stage is there.
    let group = format!(
        "  detection: {{periodSeconds: 0.1, failureThreshold: 2}}\n  cooldownSeconds: 3600\n  drills:\n    live:\n      \
         holdSeconds: {stays}\n      abortWhen: [{{name: calm, command: {{run: [/usr/bin/test, -e, \"@CALM@\"]}}}}]\n"
    );
    let stage = Stage::with(database, &group, "", "");
    let (path, calm) = (stage.path("orders.yaml"), stage.path("calm"));
    let text = fs::read_to_string(&path).unwrap().replace("@CALM@", &calm.display().to_string());
    fs::write(&path, text).unwrap();
    fs::write(calm, "").unwrap();
    stage
}

fn runs(stage: &Stage) -> Vec<(String, Value)> {
    let runs = stage.run("run list orders -o json").with(0).json();
    let each = |run: &Value| (run["kind"].as_str().unwrap().to_owned(), run["closed"][1].clone());
    runs.as_array().unwrap().iter().rev().map(each).collect()
}

#[test]
fn a_live_drill_goes_there_stays_and_comes_back_within_the_cool_down() {
    let stage = stage(json!({}), 0.2);
    let ended = stage.run(DRILL).with(0).says("it stays there for 0.2 s").says("the way back begins");
    assert!(ended.out.contains("orders-1 succeeded: fra -> dub"), "{}", ended.out);
    assert!(ended.out.contains("orders-2 succeeded: dub -> fra"), "{}", ended.out);
    stage.run("status orders").with(0).says("orders  serves from fra");
    stage.run("run list orders").with(0).says("switchover (live drill)").says("failback (live drill)");
    let record = stage.run("evidence show orders-2 -o json").with(0).json();
    assert_eq!((&record["drill"], &record["rehearsal"]), (&json!("Live"), &json!(false)));
    assert_eq!(record["reason"], json!("the way back of the live drill orders-1"));
    assert_eq!(record["accepted"][0]["risk"], json!("SkipCooldown"), "{}", record["accepted"]);
}

#[test]
fn an_abort_condition_before_the_promotion_has_the_drill_undone() {
    let stage = stage(json!({"steps": {"fence-db": {"takesMs": 1_500}}}), 600.0);
    let drill = stage.start(DRILL);
    drill.until("fence-db     begins");
    fs::remove_file(stage.path("calm")).unwrap();
    let ended = drill.ends().with(1).says("the drill is ended: calm").says("the way back was not begun");
    assert!(ended.out.contains("abort condition of the live drill: calm"), "{}", ended.out);
    assert_eq!(stage.acts(), ["fence-db", "~fence-db"]);
    stage.run("status orders").with(0).says("orders  serves from fra");
}

#[test]
fn an_abort_condition_after_the_promotion_brings_the_group_back_at_once() {
    let stage = stage(json!({"steps": {"verify-db": {"takesMs": 1_500}}}), 600.0);
    let drill = stage.start(DRILL);
    drill.until("verify-db    begins");
    fs::remove_file(stage.path("calm")).unwrap();
    let _said = drill.ends().with(1).says("the drill is ended: calm").says("orders-2 succeeded: dub -> fra");
    stage.run("status orders").with(0).says("orders  serves from fra");
}

#[test]
fn an_abort_condition_during_the_stay_brings_the_group_back_at_once() {
    let stage = stage(json!({}), 600.0);
    let drill = stage.start(DRILL);
    drill.until("it stays there");
    fs::remove_file(stage.path("calm")).unwrap();
    let _said = drill.ends().with(1).says("the drill is ended: calm").says("orders-2 succeeded: dub -> fra");
}

#[test]
fn nothing_begins_while_an_abort_condition_is_met_or_none_is_declared() {
    let met = stage(json!({}), 0.2);
    fs::remove_file(met.path("calm")).unwrap();
    let _said = met.run(DRILL).with(4).says("an abort condition of the drill is met before it began: calm");
    let none = Stage::new(json!({}));
    let _said = none.run(DRILL).with(2).says("group orders does not say what ends a live drill");
    let unsaid = stage(json!({}), 0.2);
    let _said = unsaid.run("drill orders --mode live").with(2).says("--yes-i-mean");
    for stage in [met, none, unsaid] {
        assert!(runs(&stage).is_empty() && stage.acts().is_empty());
    }
}

#[test]
fn whoever_ends_the_stay_leaves_the_group_where_it_is_and_is_told_the_way_back() {
    let stage = stage(json!({}), 600.0);
    let drill = stage.start(DRILL);
    drill.until("it stays there");
    drill.signal("INT");
    let _said = drill.ends().with(1).says("lifeboat failback orders");
    stage.run("status orders").with(0).says("orders  serves from dub");
    assert_eq!(runs(&stage), [("switchover".to_owned(), json!("succeeded"))]);
}
