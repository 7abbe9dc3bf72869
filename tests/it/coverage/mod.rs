//! The programme of drills, with the real program: runs, a ledger, what the policy asks, and what persons state afterwards.

use std::{fs, net::SocketAddr, time::Duration};

use jiff::{Span, civil::Date};
use serde_json::{Value, json};

use crate::{
    cli::{FAILOVER, Stage},
    servers::{await_until, free_port},
    watch::told::get,
};

mod policy;

const DRILL: &str = "drill orders --mode rehearse";
const POLICY: &str = "---\napiVersion: lifeboat.dev/v1alpha1\nkind: DrillPolicy\nmetadata: {name: tier1}\nspec:\n";
const REHEARSE: &str = "  require: [{kind: Rehearse, everyDays: 30, warnDays: 7}]\n";

/// A stage with a drill policy.
fn stage(database: Value, policy: &str) -> Stage {
    let stage = Stage::new(database);
    add(&stage, &format!("{POLICY}{policy}"));
    stage
}

fn add(stage: &Stage, more: &str) {
    let file = stage.path("orders.yaml");
    fs::write(&file, fs::read_to_string(&file).unwrap() + more).unwrap();
}

fn replace(stage: &Stage, from: &str, to: &str) {
    let file = stage.path("orders.yaml");
    let text = fs::read_to_string(&file).unwrap();
    assert!(text.contains(from), "{text}");
    fs::write(&file, text.replace(from, to)).unwrap();
}

fn coverage(stage: &Stage, more: &str, code: i32) -> Value {
    stage.run(&format!("evidence coverage {more} -o json")).with(code).json()
}

/// The statuses of the first group's requirements.
fn statuses(coverage: &Value) -> Vec<String> {
    let all = coverage["groups"][0]["requirements"].as_array().unwrap();
    all.iter().map(|one| one["status"].as_str().unwrap().to_owned()).collect()
}

/// The day (UTC) on which a run was closed, by the ledger.
fn closed_on(stage: &Stage, run: &str) -> Date {
    let entries = stage.run("evidence list -o json").with(0).json();
    let closes = |entry: &&Value| entry["kind"] == "run.closed" && entry["run"] == run;
    let entry = entries.as_array().unwrap().iter().find(closes).unwrap().clone();
    entry["closedAt"].as_str().unwrap()[..10].parse().unwrap()
}

fn days(day: Date, more: i32) -> Date {
    day.checked_add(Span::new().days(more)).unwrap()
}

#[test]
fn coverage_goes_from_never_to_current_to_overdue_and_says_the_same_of_each_day() {
    let stage = stage(json!({}), REHEARSE);
    let before = coverage(&stage, "", 1);
    assert_eq!(statuses(&before), ["NEVER"]);
    assert_eq!((&before["ledger"], &before["score"]), (&Value::Null, &Value::Null), "there is no ledger yet");
    stage.run(DRILL).with(0);
    let now = coverage(&stage, "", 0);
    assert_eq!(statuses(&now), ["CURRENT"]);
    let one = &now["groups"][0]["requirements"][0];
    let day = closed_on(&stage, "orders-1");
    assert_eq!(
        (&one["requirement"], &one["valid"], &one["due"]),
        (&json!("tier1/rehearse"), &json!("orders-1"), &json!(days(day, 30).to_string()))
    );
    for (more, status, code) in [
        (-1, "NEVER", 1),
        (0, "CURRENT", 0),
        (22, "CURRENT", 0),
        (23, "DUE_SOON", 0),
        (30, "DUE_SOON", 0),
        (31, "OVERDUE", 1),
    ] {
        let as_of = format!("--as-of {}", days(day, more));
        let then = coverage(&stage, &as_of, code);
        assert_eq!(statuses(&then), [status], "{as_of}");
        assert_eq!(then["now"], json!(false));
    }
    // For people: the table, the rule, and what cannot be known of a past day.
    let past = stage.run(&format!("evidence coverage orders --as-of {}", days(day, -1))).with(1);
    for text in [
        "tier1/rehearse",
        "NEVER",
        "no rehearse is in the ledger",
        "calendar days",
        "readiness of that day is not known",
    ] {
        assert!(past.out.contains(text), "no {text:?} in\n{}", past.out);
    }
    stage.run("evidence coverage nobody").with(2).says("they hold orders");
    stage.run("evidence coverage --as-of yesterday").with(2);
}

#[test]
fn a_past_day_has_the_same_answer_whatever_happens_later() {
    let stage = stage(json!({}), REHEARSE);
    stage.run(DRILL).with(0);
    let yesterday = format!("--as-of {}", days(closed_on(&stage, "orders-1"), -1));
    // What is asked is in the answer, as is how much the ledger had; the ledger's own state is that of now.
    let answer = || {
        let said = coverage(&stage, &yesterday, 1);
        (said["groups"].clone(), said["score"].clone(), said["policy"].clone(), said["actions"].clone())
    };
    let then = answer();
    stage.run(FAILOVER).with(0);
    stage.run(DRILL).with(0);
    stage.run_because("evidence waive orders rehearse --until 2999-01-01", "no").with(4);
    assert_eq!(answer(), then);
    // A machine that has only the ledger and its keys says the same: the store is not asked.
    fs::remove_file(stage.path("data/lifeboat.db")).unwrap();
    assert_eq!(answer(), then);
}

#[test]
fn a_drill_that_failed_is_failed_although_an_older_one_passed() {
    let stage = stage(json!({}), REHEARSE);
    stage.run(DRILL).with(0);
    let lossy = r#""loss":{"seconds":60.0,"amount":9000,"unit":"bytes","basis":"last marker"},"file":"#;
    replace(&stage, r#""file":"#, lossy);
    stage.run(DRILL).with(3).says("would lose 60.000 s");
    stage.run_because("run cancel orders-2 --yes-i-mean orders", "enough").with(0);
    stage.run_because("run resume orders-2", "to its end").with(1);
    stage.run("status orders").says("drills tier1/rehearse FAILED: orders-2 of ");
    let now = coverage(&stage, "", 1);
    assert_eq!(statuses(&now), ["FAILED"], "{now}");
    let one = &now["groups"][0]["requirements"][0];
    assert_eq!((&one["valid"], &one["last"]), (&json!("orders-1"), &json!("orders-2")));
    assert_eq!(one["due"], json!(days(closed_on(&stage, "orders-2"), 30).to_string()), "a new try within 30 days");
    assert_eq!(now["score"]["ready"], json!(false));
    assert!(now["score"]["points"].as_u64().unwrap() <= 49, "{now}");
    stage
        .run("evidence coverage")
        .with(1)
        .says("NOT READY")
        .says("orders tier1/rehearse is FAILED")
        .says("not checked");
}

#[test]
fn a_drill_goes_stale_with_its_cause_when_the_documents_change() {
    let stage = stage(json!({}), REHEARSE);
    stage.run(DRILL).with(0);
    let day = closed_on(&stage, "orders-1");
    replace(&stage, "recoveryTimeSeconds: 300", "recoveryTimeSeconds: 200");
    let now = coverage(&stage, "", 1);
    assert_eq!(statuses(&now), ["STALE"]);
    assert_eq!(now["groups"][0]["requirements"][0]["why"], json!(["the objectives changed since orders-1"]));
    // The documents are of today; of that day the ledger speaks, and it has nothing newer.
    assert_eq!(statuses(&coverage(&stage, &format!("--as-of {day}"), 0)), ["CURRENT"]);
    replace(&stage, "recoveryTimeSeconds: 200", "recoveryTimeSeconds: 300");
    assert_eq!(statuses(&coverage(&stage, "", 0)), ["CURRENT"], "an expected duration that is learnt is no change");
    replace(&stage, "{name: fra}\nspec: {provider: other", "{name: fra}\nspec: {provider: aws");
    let why = coverage(&stage, "", 1)["groups"][0]["requirements"][0]["why"].clone();
    assert_eq!(why, json!(["the topology changed since orders-1"]));
    stage.run(DRILL).with(0);
    assert_eq!(statuses(&coverage(&stage, "", 0)), ["CURRENT"], "drilled anew");
}

#[test]
fn both_ways_of_a_live_drill_and_a_real_failover_count_where_they_are_asked_for() {
    let live = "  drills: {live: {holdSeconds: 0.1, abortWhen: [{name: calm, command: {run: [/usr/bin/true]}}]}}\n";
    let stage = Stage::with(json!({}), &format!("  detection: {{periodSeconds: 0.1}}\n{live}"), "", "");
    let asks = "  require:\n  - {kind: Live, everyDays: 90, directions: Both}\n  - {kind: Failover, everyDays: 365}\n  countsRealEvents: true\n";
    add(&stage, &format!("{POLICY}{asks}"));
    stage.run("drill orders --mode live --yes-i-mean orders").with(0);
    let now = coverage(&stage, "", 1);
    assert_eq!(statuses(&now), ["CURRENT", "NEVER"], "{now}");
    assert_eq!(now["score"]["parts"][1]["points"], json!(20), "both runs met both objectives: {now}");
    stage.run_because("failover orders --yes-i-mean orders --accept SkipCooldown", "fra is dark").with(0);
    // It counts, and not in our favour: nobody saw when the outage began, so its recovery time is not known.
    let now = coverage(&stage, "", 1);
    assert_eq!(statuses(&now), ["FAILED", "FAILED"], "{now}");
    let why = now["groups"][0]["requirements"][1]["why"].to_string();
    assert!(why.contains("orders-3") && why.contains("the recovery time was not measured"), "{why}");
    assert_eq!(now["score"]["parts"][1]["points"], json!(13), "two of three: {now}");
    replace(&stage, "countsRealEvents: true", "countsRealEvents: false");
    assert_eq!(statuses(&coverage(&stage, "", 1)), ["CURRENT", "NEVER"], "drills alone");
}

#[test]
fn findings_actions_and_waivers_are_entries_that_reports_and_coverage_show() {
    let stage = stage(json!({}), REHEARSE);
    stage.run(DRILL).with(0);
    let day = closed_on(&stage, "orders-1");
    let due = days(day, 20);
    let found = stage
        .run_with("evidence finding add orders-1 --severity medium -o json", &["the dashboard showed the wrong region"])
        .with(0)
        .json();
    let finding = found["finding"].as_u64().unwrap();
    let open = format!("evidence action open orders-1 --finding {finding} --owner ben --due {due} -o json");
    let action = stage.run_with(&open, &["mend the dashboard"]).with(0).json()["action"].as_u64().unwrap();
    let listed = stage.run("evidence action list --open").with(0);
    assert!(listed.out.contains("mend the dashboard") && listed.out.contains("medium"), "{}", listed.out);
    // After its day it costs points, whoever asks.
    let later = coverage(&stage, &format!("--as-of {}", days(due, 1)), 0);
    assert_eq!(later["score"]["parts"][4]["points"], json!(8), "{later}");
    assert_eq!(coverage(&stage, "", 0)["score"]["parts"][4]["points"], json!(10));

    let report = stage.run("evidence report orders-1 --format markdown").with(0).out;
    for text in [
        "the dashboard showed the wrong region",
        "mend the dashboard (ben, ",
        "tier1/rehearse",
        "CURRENT",
        &days(day, 30).to_string(),
    ] {
        assert!(report.contains(text), "no {text:?} in\n{report}");
    }
    let plan = stage.run("evidence report orders-1 --format oscal-poam").with(0).json();
    let plan = &plan["plan-of-action-and-milestones"];
    let [from_finding, from_action] = plan["poam-items"].as_array().unwrap().as_slice() else { panic!("{plan}") };
    assert!(from_action["description"].as_str().unwrap().contains(&format!("Owner: ben; due: {due}; open")), "{plan}");
    assert_eq!(from_finding["related-risks"], from_action["related-risks"]);
    assert_eq!(plan["risks"][0]["deadline"], json!(format!("{due}T23:59:59Z")));
    let tasks = stage.run("evidence report orders-1 --format oscal-ap").with(0).json();
    let tasks = tasks["assessment-plan"]["tasks"].as_array().unwrap().clone();
    let asked =
        tasks.iter().find(|task| task["title"] == "tier1/rehearse of orders").expect("a task for the requirement");
    assert_eq!(asked["timing"]["at-frequency"], json!({"period": 30, "unit": "days"}));

    // Done, and shown by a later run.
    let close = |more: &str| stage.run_with(&format!("evidence action close {action} {more}"), &["--note", "mended"]);
    close("--retest orders-1").with(4).says("began before it");
    close("--retest orders-9").with(2).says("no run orders-9");
    stage.run(DRILL).with(0);
    close("--retest orders-2").with(0);
    close("").with(4).says("was closed by anna");
    stage.run("evidence action list --open").with(0).says("no action is open");
    let report = stage.run("evidence report orders-1 --format markdown").with(0).out;
    assert!(report.contains("closed by anna: mended") && report.contains("orders-2"), "{report}");

    let until = days(day, 60);
    stage
        .run_because(&format!("evidence waive orders tier1/rehearse --until {until}"), "the data centre moves")
        .with(0);
    let waived = coverage(&stage, &format!("--as-of {}", days(day, 45)), 0);
    assert_eq!(statuses(&waived), ["WAIVED"]);
    let one = &waived["groups"][0]["requirements"][0];
    assert_eq!((&one["hidden"], &one["waived"]["by"]), (&json!("OVERDUE"), &json!("anna")));
    assert_eq!(statuses(&coverage(&stage, &format!("--as-of {}", days(day, 61)), 1)), ["OVERDUE"]);
    assert_eq!(statuses(&coverage(&stage, "", 0)), ["CURRENT"], "it hides nothing that is kept");
    let verified = stage.run("evidence verify -o json").with(0).json();
    assert_eq!(verified["flaws"], json!([]));
}

#[test]
fn what_makes_no_sense_is_refused_before_anything_is_written() {
    let stage = stage(
        json!({}),
        "  require: [{kind: Rehearse, everyDays: 30}, {name: twice, kind: Rehearse, everyDays: 60}]\n",
    );
    stage.run(DRILL).with(0);
    let entries = || stage.run("evidence list -o json").with(0).json().as_array().unwrap().len();
    let before = entries();
    let future = days(closed_on(&stage, "orders-1"), 20);
    for (words, more, code, says) in [
        (
            "evidence finding add orders-9 --severity high".to_owned(),
            "it was dark",
            2,
            "the ledger has no run orders-9",
        ),
        ("evidence finding add orders-1 --severity high".to_owned(), "  ", 4, "the finding says nothing"),
        (
            format!("evidence action open orders-9 --severity low --owner ben --due {future}"),
            "mend it",
            2,
            "no run orders-9",
        ),
        (format!("evidence action open orders-1 --owner ben --due {future}"), "mend it", 4, "give --severity"),
        (
            format!("evidence action open orders-1 --finding F-1 --owner ben --due {future}"),
            "mend it",
            2,
            "no finding F-1",
        ),
        (format!("evidence action open orders-1 --severity low --owner ben --due {future}"), "", 4, "says nothing"),
        ("evidence action open orders-1 --severity low --owner ben --due 2020-02-29".into(), "mend it", 4, "is over"),
        ("evidence action open orders-1 --severity low --owner ben --due soon".into(), "mend it", 2, "--due"),
        ("evidence action close 1 --note".into(), "done", 2, "no action 1"),
        (
            format!("evidence waive orders live --until {future} --reason"),
            "why not",
            2,
            "it has tier1/rehearse, tier1/twice",
        ),
        (format!("evidence waive wiki live --until {future} --reason"), "why not", 2, "they hold orders"),
        (format!("evidence waive orders rehearse --until {future} --reason"), " ", 4, "--reason"),
        ("evidence waive orders rehearse --until 2020-02-29 --reason".into(), "why not", 4, "is over"),
        ("evidence waive orders rehearse --until 2999-01-01 --reason".into(), "why not", 4, "longer than a year"),
    ] {
        let refused = stage.run_with(&words, &[more]).with(code);
        assert!(refused.err.contains(says), "{words}: no {says:?} in\n{}", refused.err);
        assert!(refused.err.contains("help:") || code == 2, "{words}: no remedy in\n{}", refused.err);
    }
    assert_eq!(entries(), before, "nothing was written");
}

#[test]
fn a_group_without_a_policy_is_unprotected_and_a_ledger_that_does_not_verify_has_no_score() {
    let stage = Stage::new(json!({}));
    stage.run(DRILL).with(0);
    let bare = coverage(&stage, "", 1);
    assert_eq!(bare["groups"][0]["unprotected"], json!(true));
    stage.run("evidence coverage").with(1).says("UNPROTECTED").says("NOT READY");
    add(&stage, &format!("{POLICY}{REHEARSE}"));
    assert!(coverage(&stage, "", 0)["score"]["points"].as_u64().unwrap() > 49);
    // The record is changed; what the entries say of runs is still readable.
    let blobs = stage.path("data/ledger/blobs");
    let blob = walk(&blobs).pop().unwrap_or_else(|| panic!("no blob in {}", blobs.display()));
    let mut bytes = fs::read(&blob).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&blob, bytes).unwrap();
    let broken = coverage(&stage, "", 1);
    assert_eq!((&broken["score"], &broken["ledger"]["verified"]), (&Value::Null, &json!(false)));
    let broken = stage.run("evidence coverage").with(1).says("the ledger does not verify").says("!!");
    assert!(!broken.out.contains("of 100"), "{}", broken.out);
}

#[test]
fn serve_shows_the_programme_as_figures() {
    let probe = ", probes: [{name: edge, tcp: {address: \"127.0.0.1:1\"}}]";
    let stage = Stage::with(json!({}), "", probe, probe);
    let two = "  require: [{kind: Rehearse, everyDays: 30}, {kind: Switchover, everyDays: 90}]\n";
    add(&stage, &format!("{POLICY}{two}"));
    stage.run("drill orders --mode rehearse").with(0);
    let at = SocketAddr::new("127.0.0.1".parse().unwrap(), free_port(&["127.0.0.1".parse().unwrap()]));
    let _served = stage.start(&format!("serve --listen {at}"));
    await_until("the figures of the programme", Duration::from_mins(1), || {
        get(at, "/metrics").contains("lifeboat_drill_overdue{")
    });
    let figures = get(at, "/metrics");
    for line in [
        r#"lifeboat_drill_overdue{group="orders",requirement="tier1/rehearse"} 0"#,
        r#"lifeboat_drill_overdue{group="orders",requirement="tier1/switchover"} 1"#,
        r#"lifeboat_drill_last_verdict{group="orders",requirement="tier1/rehearse",verdict="valid"} 1"#,
        r#"lifeboat_drill_age_seconds{group="orders",requirement="tier1/rehearse"} "#,
        r#"lifeboat_actions_overdue{group="orders",action_severity="high"} 0"#,
    ] {
        assert!(figures.contains(line), "no `{line}` in\n{figures}");
    }
    assert!(
        !figures.contains(r#"lifeboat_drill_age_seconds{group="orders",requirement="tier1/switchover"}"#),
        "{figures}"
    );
}

fn walk(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let Ok(inside) = fs::read_dir(folder) else { return Vec::new() };
    let paths = inside.map(|entry| entry.unwrap().path());
    paths.flat_map(|path| if path.is_dir() { walk(&path) } else { vec![path] }).collect()
}
