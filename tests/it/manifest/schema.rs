//! The schema that `lifeboat schema` prints, as other people's program reads it.

use std::{fs, path::PathBuf};

use tempfile::TempDir;

use super::{files, root};
use crate::{cli::Stage, servers::reader};

/// The schema as the program prints it, and a folder for more.
fn printed() -> (TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lifeboat.schema.json");
    fs::write(&path, Stage::new(serde_json::json!({})).run("schema").with(0).out).unwrap();
    let path = path.display().to_string();
    (folder, path)
}

/// Each document of these files in a file of its own: check-jsonschema wants one in each.
fn apart(folder: &TempDir, from: &[PathBuf]) -> Vec<PathBuf> {
    let mut written = Vec::new();
    for file in from {
        let text = fs::read_to_string(file).unwrap();
        for document in format!("\n{text}").split("\n---\n").filter(|document| document.contains("apiVersion:")) {
            let path = folder.path().join(format!("{}.yaml", written.len()));
            fs::write(&path, document).unwrap();
            written.push(path);
        }
    }
    written
}

#[test]
fn check_jsonschema_takes_our_schema_and_by_it_every_document_that_we_ship() {
    let (folder, schema) = printed();
    let said = reader::schema(&["--check-metaschema"], &[PathBuf::from(&schema)]);
    assert!(said.took, "{}", said.words);
    let from: Vec<_> =
        ["runbooks", "examples/two-regions", "tests/manifest/good"].into_iter().flat_map(files).collect();
    assert!(from.iter().any(|file| *file == root().join("examples/two-regions/lifeboat.yaml")), "{from:?}");
    let documents = apart(&folder, &from);
    assert!(documents.len() >= 20, "{}", documents.len());
    let said = reader::schema(&["--schemafile", &schema], &documents);
    assert!(said.took, "{}", said.words);
}

#[test]
fn check_jsonschema_refuses_a_schema_and_documents_with_a_planted_defect() {
    let (folder, schema) = printed();
    let text = fs::read_to_string(&schema).unwrap();
    let broken = folder.path().join("broken.json");
    fs::write(&broken, text.replacen("\"object\"", "\"objekt\"", 1)).unwrap();
    let said = reader::schema(&["--check-metaschema"], &[broken]);
    assert!(!said.took && said.words.contains("objekt"), "{}", said.words);
    for (spec, because) in [
        ("kind: Region\nmetadata: {name: fra}\nspec: {provider: other, colour: red}", "colour"),
        ("kind: DrillPolicy\nmetadata: {name: tier1}\nspec: {require: [{kind: Rehearse, everyDays: often}]}", "often"),
        ("kind: Region\nmetadata: {name: Fra}\nspec: {provider: other}", "Fra"),
    ] {
        let path = folder.path().join("bad.yaml");
        fs::write(&path, format!("apiVersion: lifeboat.dev/v1alpha1\n{spec}\n")).unwrap();
        let said = reader::schema(&["--verbose", "--schemafile", &schema], &[path]);
        assert!(!said.took && said.words.contains(because), "no {because:?} in {}", said.words);
    }
}
