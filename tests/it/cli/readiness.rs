//! `lifeboat readiness`: what a failover would stumble over, before it does.

use serde_json::{Value, json};

use super::{Stage, lossy};

/// Of each finding: how grave, what about.
fn findings(answer: &Value) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let findings = answer["groups"][0]["findings"].as_array().unwrap();
    findings.iter().map(|finding| (text(&finding["gravity"]), text(&finding["about"]))).collect()
}

fn pair(gravity: &str, about: &str) -> (String, String) {
    (gravity.to_owned(), about.to_owned())
}

#[test]
fn a_group_that_would_move_is_ready_and_what_only_worries_counts_when_it_is_asked_for() {
    let stage = Stage::new(json!({}));
    let answer = stage.run("readiness orders -o json").with(0).json();
    assert_eq!(answer["groups"][0]["ready"], json!(true), "{answer}");
    let found = findings(&answer);
    assert!(found.contains(&pair("worries", "drills")) && found.contains(&pair("worries", "observers")), "{answer}");
    stage
        .run("readiness --strict")
        .with(4)
        .says("no drill was ever passed")
        .says("lifeboat drill orders --mode rehearse");
    stage.run("drill orders --mode rehearse").with(0);
    assert!(!findings(&stage.run("readiness -o json").with(0).json()).contains(&pair("worries", "drills")));
}

#[test]
fn what_would_refuse_a_failover_is_said_before_anybody_needs_one() {
    let stage = Stage::new(lossy());
    let answer = stage.run("readiness orders -o json").with(4).json();
    assert_eq!(answer["groups"][0]["ready"], json!(false), "{answer}");
    assert_eq!(findings(&answer)[0], pair("blocks", "db"), "the gravest first: {answer}");
    stage.run("readiness").with(4).says("NOT ready").says("promote-db: ");
}

#[test]
fn errors_in_the_documents_and_a_stop_are_findings_and_not_the_end() {
    let stage = Stage::new(json!({}));
    stage.run_because("stop --all", "a change of hands").with(0);
    let answer = stage.run("readiness orders -o json").with(4).json();
    assert!(findings(&answer).contains(&pair("blocks", "group")), "{answer}");
    let stage = Stage::with(json!({}), "  nonsense: 1\n", "", "");
    let answer = stage.run("readiness orders -o json").with(4).json();
    assert_eq!(findings(&answer)[0], pair("blocks", "documents"), "{answer}");
}

#[test]
fn a_service_in_no_group_is_named_where_all_groups_are_looked_at() {
    let services = ", services: [orders, carts, mail]";
    let stage = Stage::with(json!({}), "  services: [carts]\n", services, ", services: [carts]");
    let answer = stage.run("readiness -o json").with(0).json();
    // The group's own name counts only where it lists nothing.
    let uncovered = json!([{"service": "mail", "regions": ["fra"]}, {"service": "orders", "regions": ["fra"]}]);
    assert_eq!(answer["uncovered"], uncovered, "{answer}");
    stage.run("readiness").with(0).says("service mail runs in fra, and no group covers it");
    assert_eq!(stage.run("readiness orders -o json").with(0).json()["uncovered"], json!([]));
    let stage = Stage::with(json!({}), "", ", services: [orders]", "");
    assert_eq!(stage.run("readiness -o json").with(0).json()["uncovered"], json!([]));
}
