//! The assurance calendar: what is due, what took place, and that both are told apart.

use std::fs;

use serde_json::{Value, json};

use crate::cli::Stage;

const CALENDAR: &str = "\
---
apiVersion: lifeboat.dev/v1alpha1
kind: AssuranceCalendar
metadata: {name: company}
spec:
  items:
  - {name: pentest, kind: PenetrationTest, owner: platform}
  - {name: scan, kind: VulnerabilityScan, everyDays: 30, warnDays: 5, owner: platform}
";

fn stage() -> Stage {
    let stage = Stage::new(json!({}));
    let documents = fs::read_to_string(stage.path("orders.yaml")).unwrap();
    fs::write(stage.path("orders.yaml"), documents + CALENDAR).unwrap();
    stage
}

fn stands(stage: &Stage, as_of: &str, code: i32) -> Vec<Value> {
    let list = stage.run(&format!("assurance list --as-of {as_of} -o json")).with(code).json();
    list["items"].as_array().unwrap().iter().map(|item| item["due"].clone()).collect()
}

#[test]
fn what_was_never_recorded_is_overdue_and_what_was_is_due_again_by_the_calendar() {
    let stage = stage();
    assert_eq!(stands(&stage, "2026-03-01", 4), [json!({"is": "never"}), json!({"is": "never"})]);
    let report = stage.path("report.pdf");
    fs::write(&report, "abc").unwrap();
    // FIPS 180-4, example of one block.
    let sha256 = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    let said = format!("assurance record pentest --on 2025-08-31 --assessor Testers --report {}", report.display());
    stage.run(&said).with(0).says(sha256);
    assert_eq!(stands(&stage, "2025-12-31", 4)[1], json!({"is": "never"}), "the scan still is");
    stage.run("assurance record scan --on 2026-01-31 --assessor nightly").with(0);
    for (as_of, code, pentest, scan) in [
        (
            "2026-02-01",
            0,
            json!({"is": "soon", "due": "2026-02-28", "days": 27}),
            json!({"is": "current", "due": "2026-03-02", "days": 29}),
        ),
        (
            "2026-02-28",
            0,
            json!({"is": "soon", "due": "2026-02-28", "days": 0}),
            json!({"is": "soon", "due": "2026-03-02", "days": 2}),
        ),
        (
            "2026-03-01",
            4,
            json!({"is": "overdue", "due": "2026-02-28", "days": 1}),
            json!({"is": "soon", "due": "2026-03-02", "days": 1}),
        ),
        // What took place later was not known then.
        ("2026-01-30", 4, json!({"is": "soon", "due": "2026-02-28", "days": 29}), json!({"is": "never"})),
    ] {
        assert_eq!(stands(&stage, as_of, code), [pentest, scan], "{as_of}");
    }
    stage.run("assurance list --as-of 2026-03-01").with(4).says("overdue since 2026-02-28, 1 day");
    let entries = stage.run("evidence list -o json").with(0).json();
    let entry = entries.as_array().unwrap().iter().find(|entry| entry["kind"] == "assurance.recorded").unwrap();
    assert_eq!((&entry["item"], &entry["report"], &entry["by"]), (&json!("pentest"), &json!(sha256), &json!("anna")));
    stage.run("evidence verify").with(0);
}

#[test]
fn what_makes_no_sense_is_not_recorded() {
    let stage = stage();
    stage.run("assurance record audit --on 2026-01-01 --assessor x").with(2).says("there are pentest, scan");
    stage.run("assurance record scan --on 2999-01-01 --assessor x").with(2).says("is still to come");
    stage.run("assurance record scan --on 2026-02-30 --assessor x").with(2);
    stage
        .run("assurance record scan --on 2026-01-01 --assessor x --report /no/such/file")
        .with(1)
        .says("read the report");
    stage.run("evidence list").with(2).says("there is no ledger");
    let none = Stage::new(json!({}));
    none.run("assurance list").with(0).says("the documents hold no AssuranceCalendar");
    none.run("assurance record scan --on 2026-01-01 --assessor x").with(2).says("hold no AssuranceCalendar");
}

#[test]
fn a_calendar_with_an_error_is_refused_with_its_place() {
    let stage = stage();
    let documents = fs::read_to_string(stage.path("orders.yaml")).unwrap();
    let twice = CALENDAR.replace("name: company", "name: other");
    fs::write(stage.path("orders.yaml"), documents + &twice).unwrap();
    stage.run("assurance list").with(2).says("has an item named `scan` too");
}
