//! What other people's programs say of our reports: they take them, and they notice a defect that was planted.

use std::{fs, path::PathBuf};

use lifeboat::{evidence::Record, report::Format};
use tempfile::TempDir;

use super::{programme, story, written, written_with};
use crate::servers::reader::{self, Said};

/// The identifier of a party that is no kind of party.
const NOBODY: &str = "a37cd3e8-3c42-5344-b9e7-60f885f7fc8a";

/// A text in a file of its own; trestle goes by the ending, and no other reader does.
fn file(text: &str) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("report.json");
    fs::write(&path, text).unwrap();
    (folder, path)
}

fn stories() -> [Record; 5] {
    [story::failover(), story::rehearsal(), story::interrupted(), story::switchover(), story::talkative("hunter2")]
}

#[track_caller]
fn takes(said: &Said) {
    assert!(said.took, "{}", said.words);
}

#[track_caller]
fn refuses(said: &Said, because: &str) {
    assert!(!said.took && said.words.contains(because), "no {because:?} in {}", said.words);
}

#[test]
fn junitparser_counts_what_we_count_and_reads_the_measures() {
    for record in stories() {
        let (_folder, path) = file(&written(Format::Junit, &record));
        takes(&reader::junit(&path));
    }
    let text = written(Format::Junit, &story::failover());
    let (_folder, path) = file(&text);
    let said = reader::junit(&path);
    assert!(
        said.words.contains("orders-17 6 0 0 1\n") && said.words.contains("recoveryTime = 12.045 s"),
        "{}",
        said.words
    );
    let (_folder, path) = file(&text.replacen(
        "tests=\"6\" failures=\"0\" errors=\"0\" skipped",
        "tests=\"6\" failures=\"1\" errors=\"0\" skipped",
        1,
    ));
    refuses(&reader::junit(&path), "the suite says");
}

#[test]
fn cloudevents_takes_the_event_and_misses_a_source() {
    for record in stories() {
        let (_folder, path) = file(&written(Format::CloudEvents, &record));
        takes(&reader::cloudevent(&path));
    }
    let text = written(Format::CloudEvents, &story::failover());
    let (_folder, path) = file(&text.replacen("\"source\"", "\"sauce\"", 1));
    refuses(&reader::cloudevent(&path), "source");
}

#[test]
fn html5lib_finds_no_error_in_a_page_and_finds_one_that_was_planted() {
    for record in stories() {
        let (_folder, path) = file(&written(Format::Html, &record));
        takes(&reader::html(&path));
    }
    let text = written(Format::Html, &story::failover());
    let (_folder, path) = file(&text.replacen("</svg>", "", 1));
    refuses(&reader::html(&path), "unexpected");
}

#[test]
fn trestle_takes_every_oscal_document_and_refuses_a_planted_defect() {
    let kinds = [("ap", Format::OscalPlan), ("ar", Format::OscalResults), ("poam", Format::OscalActions)];
    for record in [story::failover(), story::interrupted()] {
        for (kind, format) in kinds {
            let (_folder, path) = file(&written(format, &record));
            takes(&reader::oscal(kind, &path));
        }
    }
    for (kind, format) in kinds {
        let (_folder, path) = file(&written_with(format, &story::failover(), Some(&programme())));
        takes(&reader::oscal(kind, &path));
    }
    for (kind, format) in kinds {
        let text = written(format, &story::failover());
        // A time without a zone.
        let at = text.find("\"last-modified\": \"").unwrap();
        let (head, tail) = text.split_at(at);
        let (_folder, path) = file(&(head.to_owned() + &tail.replacen("Z\"", "\"", 1)));
        refuses(&reader::oscal(kind, &path), "last-modified");
    }
    let text = written(Format::OscalResults, &story::failover());
    let (_folder, path) = file(&text.replacen("\"TEST\"", "", 1));
    refuses(&reader::oscal("ar", &path), "methods");
}

#[test]
fn nists_own_models_take_every_oscal_document_and_refuse_what_was_planted() {
    let kinds = [Format::OscalPlan, Format::OscalResults, Format::OscalActions];
    let alone = [story::failover(), story::interrupted()];
    let mut kept: Vec<_> = alone.iter().flat_map(|record| kinds.map(|format| file(&written(format, record)))).collect();
    kept.extend(kinds.map(|format| file(&written_with(format, &story::failover(), Some(&programme())))));
    let said = reader::nist(&kept.iter().map(|(_, path)| path.as_path()).collect::<Vec<_>>());
    takes(&said);
    assert_eq!(said.words.matches("v1.2.1").count(), kept.len(), "{}", said.words);
    let results = written(Format::OscalResults, &story::failover());
    let actions = written(Format::OscalActions, &story::failover());
    let party = format!("\"metadata\": {{\n\"parties\": [{{\"uuid\": \"{NOBODY}\", \"type\": \"robot\"}}],");
    for (text, from, to, because) in [
        (&results, "\"title\"", "\"titel\"", "missing-required /assessment-results/metadata title"),
        (
            &results,
            "\"last-modified\": \"20",
            "\"last-modified\": \"",
            "invalid-type /assessment-results/metadata last-modified",
        ),
        (
            &actions,
            "\"metadata\": {",
            &party,
            "allowed-values /plan-of-action-and-milestones/metadata/parties[0] @type",
        ),
    ] {
        assert!(text.contains(from), "no {from} in {text}");
        let (_folder, path) = file(&text.replacen(from, to, 1));
        refuses(&reader::nist(&[&path]), because);
    }
    let mut empty: serde_json::Value = serde_json::from_str(&results).unwrap();
    empty["assessment-results"]["results"] = serde_json::json!([]);
    let (_folder, path) = file(&empty.to_string());
    refuses(&reader::nist(&[&path]), "cardinality /assessment-results result");
}
