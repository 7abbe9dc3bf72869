//! The alert rules: each is tested by promtool, has a procedure, and stands on a figure that the program has.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use lifeboat::{manifest::parse, meter::Meter};

use crate::meter::everything;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/prometheus")
}

fn promtool(words: &[&str]) {
    let done = Command::new("promtool").current_dir(folder()).args(words).output();
    let done = done.expect("promtool: `.ci/install` brings it");
    let said = format!("{}{}", String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
    assert!(done.status.success(), "promtool {words:?}:\n{said}");
}

/// Names of alerts and their expressions.
fn alerts() -> Vec<(String, String)> {
    let text = fs::read_to_string(folder().join("lifeboat.rules.yaml")).unwrap();
    let document = parse(&text).into_iter().next().unwrap().unwrap();
    let text = |node: &lifeboat::manifest::Node, key: &str| node.get(key).unwrap().text().unwrap().to_owned();
    let lifeboat::manifest::Content::List(groups) = &document.get("groups").unwrap().content else { panic!() };
    let lifeboat::manifest::Content::List(rules) = &groups[0].get("rules").unwrap().content else { panic!() };
    rules.iter().map(|rule| (text(rule, "alert"), text(rule, "expr"))).collect()
}

#[test]
fn promtool_accepts_the_rules_and_their_tests_pass() {
    promtool(&["check", "rules", "lifeboat.rules.yaml"]);
    promtool(&["test", "rules", "tests/alerts.yaml"]);
}

#[test]
fn each_alert_has_a_test_and_a_procedure() {
    let tests = fs::read_to_string(folder().join("tests/alerts.yaml")).unwrap();
    let procedures = fs::read_to_string(folder().join("README.md")).unwrap();
    let alerts = alerts();
    assert!(alerts.len() >= 20, "{}", alerts.len());
    for (alert, _) in &alerts {
        assert!(tests.contains(&format!("- name: {alert}\n")), "{alert} has no test");
        let section = procedures.split("\n## ").find(|section| section.starts_with(&format!("{alert}\n")));
        assert!(section.is_some_and(|section| section.contains("\n1. ")), "{alert} has no procedure");
    }
    let sections = procedures.matches("\n## ").count();
    assert_eq!(sections, alerts.len(), "a procedure without an alert");
}

#[test]
fn each_alert_stands_on_figures_that_the_program_has() {
    let meter = Meter::new("test");
    everything(&meter);
    let text = meter.render();
    let there: BTreeSet<&str> = text.lines().filter_map(|line| line.split(['{', ' ']).next()).collect();
    for (alert, expression) in alerts() {
        let used = expression.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        for name in used.filter(|word| word.starts_with("lifeboat_")) {
            assert!(there.contains(name), "{alert} asks for {name}, which is nowhere");
        }
    }
}
