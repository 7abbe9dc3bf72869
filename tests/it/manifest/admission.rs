//! The rules of our custom resource definitions, evaluated as an API server evaluates them.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use kube_cel::{ErrorKind, ValidationErrors, Validator, compile_schema};
use lifeboat::manifest;
use serde::Deserialize as _;
use serde_json::Value;

use super::files;

/// Every document of a text; none where it is no YAML at all.
fn documents(text: &str) -> Vec<Value> {
    yaml_serde::Deserializer::from_str(text).map_while(|document| Value::deserialize(document).ok()).collect()
}

/// The schema of each kind, as `lifeboat crds` prints it.
fn schemas() -> BTreeMap<String, Value> {
    documents(&manifest::crds())
        .into_iter()
        .map(|crd| {
            let kind = crd["spec"]["names"]["kind"].as_str().unwrap().to_owned();
            (kind, crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"].clone())
        })
        .collect()
}

/// The codes that rules refuse a file's documents with. What the structural schema refuses (the codes of LB00) comes to no rule.
fn refused(schemas: &BTreeMap<String, Value>, path: &Path) -> BTreeSet<String> {
    let structural = path.file_stem().is_some_and(|name| name.to_string_lossy().starts_with("lb00"));
    let mut codes = BTreeSet::new();
    for document in documents(&String::from_utf8_lossy(&fs::read(path).unwrap())) {
        let Some(schema) = document["kind"].as_str().and_then(|kind| schemas.get(kind)) else { continue };
        let errors = Validator::new().validate_with_defaults(schema, &document, None).err();
        for error in errors.into_iter().flat_map(ValidationErrors::into_vec) {
            if error.kind == ErrorKind::ValidationFailure {
                codes.insert(error.message.split(':').next().unwrap().to_owned());
            } else {
                assert!(structural, "{}: {error}", path.display());
            }
        }
    }
    codes
}

/// Every rule's code.
fn said(schema: &Value, codes: &mut BTreeSet<String>) {
    for rule in schema["x-kubernetes-validations"].as_array().into_iter().flatten() {
        codes.insert(rule["message"].as_str().unwrap().split(':').next().unwrap().to_owned());
    }
    let inside = schema["properties"].as_object().into_iter().flat_map(|all| all.values());
    for inside in inside.chain(schema.get("items")) {
        said(inside, codes);
    }
}

#[test]
fn a_cluster_refuses_by_rule_what_the_checker_refuses_and_nothing_else() {
    let schemas = schemas();
    let mut codes = BTreeSet::new();
    for (kind, schema) in &schemas {
        assert!(!compile_schema(schema).has_errors(), "{kind}: {:?}", compile_schema(schema).compilation_errors());
        said(schema, &mut codes);
    }
    assert!(codes.len() >= 9, "{codes:?}");
    let mut shown = BTreeSet::new();
    for path in files("tests/manifest/bad") {
        let code = path.file_stem().unwrap().to_str().unwrap()[..6].to_uppercase();
        let expected: BTreeSet<_> = codes.iter().filter(|known| **known == code).cloned().collect();
        let refused = refused(&schemas, &path);
        assert!(refused.is_subset(&expected), "{}: {refused:?}", path.display());
        shown.extend(refused);
    }
    assert_eq!(shown, codes, "codes whose rule refuses no file of tests/manifest/bad");
    let good: Vec<_> =
        ["tests/manifest/good", "runbooks", "examples/two-regions"].into_iter().flat_map(files).collect();
    for path in good {
        assert_eq!(refused(&schemas, &path), BTreeSet::new(), "{}", path.display());
    }
}
