//! Good documents: without a finding, and with the same meaning to the reader that most other tools use.

use proptest::prelude::*;
use serde_json::Value;

use super::*;

/// Our reader's view of a document, as JSON. Where it is one of our kinds, after a round through the `spec` type.
fn ours(text: &str) -> Vec<Value> {
    manifest::parse(text).into_iter().map(|node| json_of(&node.unwrap())).collect()
}

fn json_of(node: &manifest::Node) -> Value {
    use manifest::Content;
    match &node.content {
        Content::Null => Value::Null,
        Content::Bool(value) => (*value).into(),
        Content::Signed(value) => (*value).into(),
        Content::Unsigned(value) => (*value).into(),
        Content::Float(value) => (*value).into(),
        Content::Text(text) => text.clone().into(),
        Content::List(items) => items.iter().map(json_of).collect(),
        Content::Map(entries) => {
            Value::Object(entries.iter().map(|entry| (entry.key.clone(), json_of(&entry.value))).collect())
        }
    }
}

/// The other reader's view.
fn theirs(text: &str) -> Vec<Value> {
    use serde::Deserialize as _;
    let documents = yaml_serde::Deserializer::from_str(text).map(|document| Value::deserialize(document).unwrap());
    documents.filter(|document| !document.is_null()).collect()
}

fn good() -> Vec<PathBuf> {
    [files("tests/manifest/good"), files("runbooks")].concat()
}

#[test]
fn every_good_document_means_the_same_to_another_reader() {
    for path in good() {
        let text = fs::read_to_string(&path).unwrap();
        let documents = ours(&text);
        assert!(!documents.is_empty());
        assert_eq!(documents, theirs(&text), "{}", path.display());
    }
}

#[test]
fn every_spec_means_the_same_to_another_reader() {
    for path in good() {
        let text = fs::read_to_string(&path).unwrap();
        let loaded = load_texts([("test.yaml", text.as_str())]);
        let documents = &loaded.documents;
        let mut ours = BTreeMap::new();
        for region in &documents.regions {
            ours.insert(region.title(), serde_json::to_value(region.spec.as_ref()).unwrap());
        }
        for group in &documents.groups {
            ours.insert(group.title(), serde_json::to_value(group.spec.as_ref()).unwrap());
        }
        for runbook in &documents.runbooks {
            ours.insert(runbook.title(), serde_json::to_value(runbook.spec.as_ref()).unwrap());
        }
        for schedule in &documents.schedules {
            ours.insert(schedule.title(), serde_json::to_value(schedule.spec.as_ref()).unwrap());
        }
        for channel in &documents.channels {
            ours.insert(channel.title(), serde_json::to_value(channel.spec.as_ref()).unwrap());
        }
        for policy in &documents.policies {
            ours.insert(policy.title(), serde_json::to_value(policy.spec.as_ref()).unwrap());
        }
        for calendar in &documents.calendars {
            ours.insert(calendar.title(), serde_json::to_value(calendar.spec.as_ref()).unwrap());
        }
        for anchor in &documents.anchors {
            ours.insert(anchor.title(), serde_json::to_value(anchor.spec.as_ref()).unwrap());
        }
        let theirs = theirs(&text).into_iter().map(|document| {
            let (kind, spec) = (document["kind"].as_str().unwrap().to_owned(), document["spec"].clone());
            let spec = match kind.as_str() {
                "Region" => serde_json::to_value(serde_json::from_value::<lifeboat::spec::RegionSpec>(spec).unwrap()),
                "Runbook" => serde_json::to_value(serde_json::from_value::<lifeboat::spec::RunbookSpec>(spec).unwrap()),
                "DrillSchedule" => {
                    serde_json::to_value(serde_json::from_value::<lifeboat::spec::DrillScheduleSpec>(spec).unwrap())
                }
                "DrillPolicy" => {
                    serde_json::to_value(serde_json::from_value::<lifeboat::spec::DrillPolicySpec>(spec).unwrap())
                }
                "EvidenceAnchor" => {
                    serde_json::to_value(serde_json::from_value::<lifeboat::spec::EvidenceAnchorSpec>(spec).unwrap())
                }
                "NotificationChannel" => serde_json::to_value(
                    serde_json::from_value::<lifeboat::spec::NotificationChannelSpec>(spec).unwrap(),
                ),
                "AssuranceCalendar" => {
                    serde_json::to_value(serde_json::from_value::<lifeboat::spec::AssuranceCalendarSpec>(spec).unwrap())
                }
                _ => serde_json::to_value(serde_json::from_value::<lifeboat::spec::ProtectionGroupSpec>(spec).unwrap()),
            };
            (format!("{kind}/{}", document["metadata"]["name"].as_str().unwrap()), spec.unwrap())
        });
        assert_eq!(ours, theirs.collect(), "{}", path.display());
    }
}

#[test]
fn good_documents_have_no_findings() {
    let findings = findings_of(manifest::load(&[root().join("tests/manifest/good"), root().join("runbooks")]));
    assert!(findings.is_empty(), "{}", render(&findings, Look::default()));
}

#[test]
fn the_shipped_runbooks_fit_the_group_they_are_written_for() {
    let group = fs::read_to_string(root().join("tests/manifest/good/orders.yaml")).unwrap()
        + "  runbooks: {failover: region-failover, switchover: region-switchover, failback: region-failback}\n";
    let mut texts = vec![("orders.yaml".to_owned(), group)];
    for path in files("runbooks") {
        texts.push((path.display().to_string(), fs::read_to_string(path).unwrap()));
    }
    let findings = findings_of(load_texts(texts.iter().map(|(name, text)| (name.as_str(), text.as_str()))));
    assert!(findings.is_empty(), "{}", render(&findings, Look::default()));
}

/// Data that both readers must agree on: no floats that print differently, no keys that are not texts.
fn data() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        (-1_000_000_i32..1_000_000).prop_map(|number| Value::from(f64::from(number) / 8.0)),
        "[a-zA-Z0-9 :#'\"{}\\[\\],&*!|>%@`~é\n\t=<?-]{0,24}".prop_map(Value::from),
        prop_oneof![
            Just("no"),
            Just("yes"),
            Just("on"),
            Just("null"),
            Just("~"),
            Just("0x1F"),
            Just("1e3"),
            Just("0o17"),
            Just("true"),
            Just("12:30"),
            Just("2026-01-02"),
            Just("<<"),
            Just("="),
            Just(".inf"),
            Just("1_000"),
        ]
        .prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 40, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::btree_map("[a-z][a-zA-Z0-9 .-]{0,8}", inner, 0..5)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// Written by the other library, read by both: the same. So `no` in quotes stays a text in both, and so on.
    #[test]
    fn any_data_means_the_same_to_both_readers(value in data()) {
        let text = yaml_serde::to_string(&serde_json::json!({ "data": value })).unwrap();
        prop_assert_eq!(ours(&text), theirs(&text), "{}", text);
        prop_assert_eq!(&ours(&text)[0]["data"], &value, "{}", text);
    }

    /// A runbook of any shape, written by the other library, is read as it was written.
    #[test]
    fn any_runbook_is_read_as_it_was_written(
        steps in prop::collection::vec(("[a-z][a-z0-9-]{0,8}[a-z]", prop::option::of(1_u64..86_400), any::<bool>()), 1..12),
        description in "[ -~]{0,40}",
    ) {
        let steps: Vec<Value> = steps.iter().map(|(name, timeout, best_effort)| {
            serde_json::json!({"name": name, "uses": "wait", "with": {"seconds": 1.5}, "timeoutSeconds": timeout, "bestEffort": best_effort})
        }).collect();
        let document = serde_json::json!({
            "apiVersion": "lifeboat.dev/v1alpha1", "kind": "Runbook", "metadata": {"name": "any"},
            "spec": {"description": description, "steps": steps},
        });
        let text = yaml_serde::to_string(&document).unwrap();
        let loaded = load_texts([("any.yaml", text.as_str())]);
        prop_assert!(loaded.findings.is_empty(), "{}", render(&loaded.findings, Look::default()));
        let expected: lifeboat::spec::RunbookSpec = serde_json::from_value(document["spec"].clone()).unwrap();
        prop_assert_eq!(loaded.documents.runbooks[0].spec.as_ref(), &expected);
    }
}
