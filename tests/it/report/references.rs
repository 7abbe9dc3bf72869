//! References inside OSCAL documents: stock validators take one that points nowhere, so they are followed here.

use std::collections::BTreeSet;

use lifeboat::report::Format;
use serde_json::Value;

use super::{programme, story, written, written_with};

const OSCAL: [Format; 3] = [Format::OscalPlan, Format::OscalResults, Format::OscalActions];

/// Everything that has a name, and every reference: `…-uuid`, and `href` that begins with `#`.
fn walk(value: &Value, names: &mut Vec<String>, references: &mut Vec<String>) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                match value {
                    Value::String(text) if key == "uuid" => names.push(text.clone()),
                    Value::String(text) if key.ends_with("-uuid") => references.push(text.clone()),
                    Value::String(text) if key == "href" => {
                        references.extend(text.strip_prefix('#').map(str::to_owned));
                    }
                    _ => walk(value, names, references),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| walk(item, names, references)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// References that point nowhere, and names that are given twice.
fn defects(document: &Value) -> Vec<String> {
    let (mut names, mut references) = (Vec::new(), Vec::new());
    walk(document, &mut names, &mut references);
    assert!(names.len() > 3 && !references.is_empty(), "{document:#}");
    let known: BTreeSet<&String> = names.iter().collect();
    let mut found: Vec<String> =
        references.iter().filter(|name| !known.contains(name)).map(|name| format!("{name} is nowhere")).collect();
    if known.len() < names.len() {
        found.push("a name is given twice".into());
    }
    found
}

#[test]
fn every_reference_of_an_oscal_document_points_into_it_and_every_name_is_given_once() {
    for record in [story::failover(), story::interrupted()] {
        for format in OSCAL {
            let document: Value = serde_json::from_str(&written(format, &record)).unwrap();
            assert_eq!(defects(&document), [""; 0], "{format:?}");
        }
    }
    for format in OSCAL {
        let text = written_with(format, &story::failover(), Some(&programme()));
        assert_eq!(defects(&serde_json::from_str(&text).unwrap()), [""; 0], "{format:?}");
    }
}

#[test]
fn a_reference_that_points_nowhere_and_a_name_given_twice_are_seen() {
    let mut document: Value = serde_json::from_str(&written(Format::OscalResults, &story::failover())).unwrap();
    let result = &mut document["assessment-results"]["results"][0];
    result["observations"][1]["uuid"] = result["observations"][0]["uuid"].clone();
    result["observations"][0]["subjects"][0]["subject-uuid"] = "4c5a3b1e-3a71-5d3e-8f0c-0123456789ab".into();
    assert_eq!(defects(&document).len(), 2);
}

#[test]
fn names_are_uuids_of_version_5_and_the_documents_of_a_run_are_not_mixed_up() {
    let mut roots = BTreeSet::new();
    for format in OSCAL {
        let document: Value = serde_json::from_str(&written(format, &story::failover())).unwrap();
        let (mut names, mut references) = (Vec::new(), Vec::new());
        walk(&document, &mut names, &mut references);
        for name in &names {
            assert_eq!((name.len(), &name[14..15]), (36, "5"), "{name}");
            assert!("89ab".contains(&name[19..20]), "{name}");
        }
        roots.insert(document.as_object().unwrap().values().next().unwrap()["uuid"].as_str().unwrap().to_owned());
    }
    assert_eq!(roots.len(), 3);
}
