//! Schemas: the custom resource definitions for clusters, and one JSON schema of any document for editors. Both come
//! from the types that read the documents, so they cannot disagree with them.

use kube::CustomResourceExt as _;
use serde_json::{Value, json};

use super::{admission::guarded, document::Kind, yaml};
use crate::spec::{
    API_VERSION, AssuranceCalendar, AssuranceCalendarSpec, DrillPolicy, DrillPolicySpec, DrillSchedule,
    DrillScheduleSpec, EvidenceAnchor, EvidenceAnchorSpec, NotificationChannel, NotificationChannelSpec,
    ProtectionGroup, ProtectionGroupSpec, Region, RegionSpec, Runbook, RunbookSpec,
};

/// The custom resource definitions, as the YAML for `kubectl apply -f -`.
pub fn crds() -> String {
    let all = [
        Region::crd(),
        ProtectionGroup::crd(),
        Runbook::crd(),
        DrillSchedule::crd(),
        NotificationChannel::crd(),
        DrillPolicy::crd(),
        AssuranceCalendar::crd(),
        EvidenceAnchor::crd(),
    ];
    // The definitions are plain data: they always can be written.
    let texts: Vec<String> = all.into_iter().map(|crd| yaml::emit(&guarded(crd)).unwrap_or_default()).collect();
    texts.join("---\n")
}

/// The JSON schema (draft 2020-12) of a document of any kind.
pub fn schema() -> Value {
    let mut generator = schemars::SchemaGenerator::default();
    let kinds = [
        (RegionSpec::KIND, generator.subschema_for::<RegionSpec>()),
        (ProtectionGroupSpec::KIND, generator.subschema_for::<ProtectionGroupSpec>()),
        (RunbookSpec::KIND, generator.subschema_for::<RunbookSpec>()),
        (DrillScheduleSpec::KIND, generator.subschema_for::<DrillScheduleSpec>()),
        (NotificationChannelSpec::KIND, generator.subschema_for::<NotificationChannelSpec>()),
        (DrillPolicySpec::KIND, generator.subschema_for::<DrillPolicySpec>()),
        (AssuranceCalendarSpec::KIND, generator.subschema_for::<AssuranceCalendarSpec>()),
        (EvidenceAnchorSpec::KIND, generator.subschema_for::<EvidenceAnchorSpec>()),
    ];
    let kinds: Vec<Value> = kinds
        .into_iter()
        .map(|(kind, spec)| {
            json!({
                "type": "object",
                "title": kind,
                "properties": {
                    "apiVersion": { "const": API_VERSION },
                    "kind": { "const": kind },
                    "metadata": { "$ref": "#/$defs/Metadata" },
                    "spec": spec,
                    "status": { "type": "object" },
                },
                "required": ["apiVersion", "kind", "metadata", "spec"],
                "additionalProperties": false,
            })
        })
        .collect();
    let mut definitions = generator.take_definitions(true);
    definitions.insert("Metadata".to_owned(), metadata());
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Lifeboat document",
        "oneOf": kinds,
        "$defs": definitions,
    })
}

fn metadata() -> Value {
    json!({
        "type": "object",
        "properties": {
            "name": { "type": "string", "minLength": 1, "maxLength": 63, "pattern": "^[a-z]([a-z0-9-]*[a-z0-9])?$" },
            "namespace": { "type": "string" },
            "labels": { "type": "object", "additionalProperties": { "type": "string" } },
            "annotations": { "type": "object", "additionalProperties": { "type": "string" } },
        },
        "required": ["name"],
    })
}
