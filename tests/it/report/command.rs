//! The real program: a run, its reports, and the list of all runs.

use std::fs;

use serde_json::json;

use crate::cli::Stage;

#[test]
fn a_report_of_a_run_is_written_to_a_file_or_to_standard_output() {
    let stage = Stage::new(json!({}));
    stage.run("drill orders --mode rehearse").with(0);
    let page = stage.path("orders-1.html");
    stage.run(&format!("evidence report orders-1 --into {}", page.display())).with(0).says("is written");
    let page = fs::read_to_string(page).unwrap();
    assert!(page.starts_with("<!DOCTYPE html>") && page.contains("DRILL") && page.contains("DRAFT"), "{page}");
    assert!(page.contains("kept, and made again from its journal it is the same"), "{page}");
    stage
        .run("evidence report orders-1 --format markdown")
        .with(0)
        .says("# DRILL: rehearsal of a failover of orders from fra to dub");
    let report = stage.run("evidence report orders-1 -o json").with(0).json();
    assert_eq!((&report["kind"], &report["verdict"]), (&json!("EvidenceReport"), &json!("passed")));
    for format in ["junit", "oscal-ap", "oscal-ar", "cloudevents"] {
        stage.run(&format!("evidence report orders-1 --format {format}")).with(0).says("orders-1");
    }
    let paper = stage.path("orders-1.pdf");
    stage.run(&format!("evidence report orders-1 --format pdf --into {}", paper.display())).with(0).says("is written");
    let bytes = fs::read(&paper).unwrap();
    assert!(bytes.starts_with(b"%PDF-1.7") && bytes.windows(11).any(|part| part == b"record.json"));
    // A run without findings leaves nothing to plan.
    stage.run("evidence report orders-1 --format oscal-poam").with(2).says("no findings");
    stage.run("evidence report orders-2").with(2);
}

#[test]
fn the_cross_walk_can_be_replaced_by_a_file() {
    let stage = Stage::new(json!({}));
    stage.run("drill orders --mode rehearse").with(0);
    let built_in = stage.run("evidence controls").with(0).out;
    assert!(built_in.contains("A.5.30"), "{built_in}");
    let file = stage.path("controls.yaml");
    fs::write(&file, "activities:\n  rehearsal:\n  - {framework: House rules, id: H-7, title: Walk through it}\n")
        .unwrap();
    let with = format!("--controls {}", file.display());
    let text = stage.run(&format!("evidence report orders-1 --format markdown {with}")).with(0).out;
    assert!(text.contains("| House rules | H-7 | Walk through it | rehearsal |") && !text.contains("A.5.30"), "{text}");
    stage.run(&format!("evidence report orders-1 --format oscal-ar {with}")).with(2).says("names no OSCAL control");
    fs::write(&file, "activities: 7").unwrap();
    stage.run(&format!("evidence report orders-1 {with}")).with(2).says("controls.yaml is no cross-walk");
}

#[test]
fn the_population_lists_every_run_by_number_and_knows_its_period() {
    let stage = Stage::new(json!({}));
    for _ in 0..2 {
        stage.run("drill orders --mode rehearse").with(0);
    }
    let list = stage.run("evidence population").with(0).out;
    let lines: Vec<_> = list.split("\r\n").collect();
    assert_eq!(lines.len(), 4, "{list}");
    assert!(lines[0].starts_with("run,group,number,state,kind,environment"), "{list}");
    assert!(lines[1].starts_with("orders-1,orders,1,recorded,failover,DRILL,true"), "{list}");
    assert!(lines[2].starts_with("orders-2,orders,2,recorded"), "{list}");
    let list = stage.run("evidence population --group orders -o json").with(0).json();
    assert_eq!((list["complete"].clone(), list["runs"].as_array().unwrap().len()), (json!(true), 2));
    let none = stage.run("evidence population --to 2020-01-01 -o json").with(0).json();
    assert_eq!(none["runs"], json!([]));
    stage.run("evidence population --from yesterday").with(2);
}
