//! What an API server refuses by itself: those checks that CEL can say, as `x-kubernetes-validations` of the custom resource definitions
//! (Kubernetes documentation, "Validation rules"; Common Expression Language), each under the code of the finding that `lifeboat check`
//! gives for the same. Names that stand once in a list are said by the list's type (`x-kubernetes-list-type: map`).
//!
//! CEL sees one object at a time, and an API server takes no definition whose rules could cost too much on the longest document there can
//! be (`bounds`): what needs other documents, or looks from each entry of a list at all the others (`needs` that lead in a circle), is left to
//! the checker. A rule never refuses what is a warning.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, JSON, JSONSchemaProps, JSONSchemaPropsOrArray, ValidationRule,
};

use serde_json::{Value, json};

use super::{bounds::BOUNDS, code::Code};
use crate::{
    model::{Capability, Verb},
    spec::{BlackoutSpec, EvidenceAnchorSpec, FenceMethod, NotificationChannelSpec, ProbeSpec, TargetSpec},
};

/// What must hold at one place of a kind's documents.
struct Rule {
    code: Code,
    kind: &'static str,
    /// Keys from the document's root; `[]` goes to the entries of a list.
    at: &'static str,
    /// In CEL; `self` is what stands at the place.
    holds: &'static str,
    message: &'static str,
}

const RULES: &[Rule] = &[
    Rule {
        code: Code::TooFewRegions,
        kind: "ProtectionGroup",
        at: "spec.regions",
        holds: "self.filter(region, region.role != 'Witness').size() >= 2",
        message: "a group has at least two regions that serve",
    },
    Rule {
        code: Code::PreferredCount,
        kind: "ProtectionGroup",
        at: "spec.regions",
        holds: "self.exists_one(region, region.role == 'Preferred')",
        message: "exactly one region of a group is Preferred",
    },
    Rule {
        code: Code::NoTargets,
        kind: "ProtectionGroup",
        at: "spec.targets",
        holds: "self.size() > 0",
        message: "declare what moves: databases, storages, names",
    },
    Rule {
        code: Code::QuorumTooLarge,
        kind: "ProtectionGroup",
        at: "spec",
        holds: "!has(self.detection) || !has(self.detection.observerQuorum) || \
                self.detection.observerQuorum <= self.regions.size()",
        message: "the quorum asks for more observers than the group has regions",
    },
    Rule {
        code: Code::EmptyRunbook,
        kind: "Runbook",
        at: "spec.steps",
        holds: "self.size() > 0",
        message: "a runbook without steps would end at once and report success",
    },
    Rule {
        code: Code::LiveOnSchedule,
        kind: "DrillSchedule",
        at: "spec",
        holds: "!has(self.mode) || self.mode != 'Live'",
        message: "a live drill moves the service, and a schedule has nobody beside it: Rehearse or Isolated",
    },
    Rule {
        code: Code::BadAssuranceItem,
        kind: "AssuranceCalendar",
        at: "spec.items.[]",
        holds: "!has(self.everyDays) || !has(self.everyMonths)",
        message: "one of everyDays and everyMonths, not both",
    },
];

/// Lists in which a name, or a region, stands once.
const ONCE: &[(&str, &str, &str)] = &[
    ("Region", "spec.probes", "name"),
    ("ProtectionGroup", "spec.regions", "name"),
    ("ProtectionGroup", "spec.targets", "name"),
    ("ProtectionGroup", "spec.targets.[].postgres.members", "region"),
    ("ProtectionGroup", "spec.targets.[].s3.members", "region"),
    ("ProtectionGroup", "spec.targets.[].rfc2136.records.[].byRegion", "region"),
    ("Runbook", "spec.steps", "name"),
    ("AssuranceCalendar", "spec.items", "name"),
];

/// Wherever something has these keys, exactly one of them is set.
const CHOICES: &[&[&str]] = &[
    TargetSpec::KINDS,
    FenceMethod::KINDS,
    ProbeSpec::KINDS,
    NotificationChannelSpec::KINDS,
    EvidenceAnchorSpec::KINDS,
    BlackoutSpec::KINDS,
];

/// The definition with all that the API server shall refuse.
pub(super) fn guarded(mut definition: CustomResourceDefinition) -> CustomResourceDefinition {
    let kind = definition.spec.names.kind.clone();
    let schemas = definition.spec.versions.iter_mut().filter_map(|version| version.schema.as_mut());
    for root in schemas.filter_map(|schema| schema.open_api_v3_schema.as_mut()) {
        for rule in RULES.iter().filter(|rule| rule.kind == kind) {
            at(root, rule.at, &mut |place| refuse(place, rule.code, rule.holds, rule.message));
        }
        for bound in BOUNDS.iter().filter(|bound| bound.kind == kind) {
            at(root, bound.list, &mut |place| place.max_items = i64::try_from(bound.most).ok());
        }
        if kind == "Runbook" {
            at(root, "spec.steps.[]", &mut verbs_and_targets);
        }
        for (_, list, key) in ONCE.iter().filter(|(of, _, _)| *of == kind) {
            at(root, list, &mut |place| {
                place.x_kubernetes_list_type = Some("map".to_owned());
                place.x_kubernetes_list_map_keys = Some(vec![(*key).to_owned()]);
            });
        }
        everywhere(root, &mut |place| {
            for keys in CHOICES {
                if has_all(place, keys) {
                    exactly_one(place, keys);
                }
            }
        });
    }
    definition
}

fn exactly_one(place: &mut JSONSchemaProps, keys: &[&str]) {
    let given: Vec<_> = keys.iter().map(|key| format!("(has(self.{key}) ? 1 : 0)")).collect();
    let holds = format!("{} == 1", given.join(" + "));
    refuse(place, Code::NotOneChoice, &holds, &format!("exactly one of {}", keys.join(", ")));
}

/// What a runbook's step may name in `uses` (the verbs that Lifeboat adds to drills are named by none), and which of that works on a
/// target of the group.
fn verbs_and_targets(step: &mut JSONSchemaProps) {
    let named = || Verb::ALL.iter().filter(|verb| !verb.added());
    at(step, "uses", &mut |uses| {
        uses.enum_ = Some(named().map(|verb| JSON(Value::from(verb.as_str()))).collect());
    });
    let one_of = |general: bool| {
        let verbs = named().filter(|verb| (verb.capability() == Capability::General) == general);
        format!("self.uses in {}", json!(verbs.map(|verb| verb.as_str()).collect::<Vec<_>>()))
    };
    let needs = format!("has(self.target) || !({})", one_of(false));
    refuse(step, Code::VerbNeedsTarget, &needs, "the verb works on a target of the group: add `target`");
    let takes_none = format!("!has(self.target) || !({})", one_of(true));
    refuse(step, Code::VerbTakesNoTarget, &takes_none, "the general verbs work on no target: remove `target`");
}

fn refuse(place: &mut JSONSchemaProps, code: Code, holds: &str, message: &str) {
    place.x_kubernetes_validations.get_or_insert_default().push(ValidationRule {
        rule: holds.to_owned(),
        message: Some(format!("{}: {message}", code.as_str())),
        ..ValidationRule::default()
    });
}

fn has_all(place: &JSONSchemaProps, keys: &[&str]) -> bool {
    place.properties.as_ref().is_some_and(|properties| keys.iter().all(|key| properties.contains_key(*key)))
}

/// Does it at the place that `path` leads to.
fn at(place: &mut JSONSchemaProps, path: &str, then: &mut dyn FnMut(&mut JSONSchemaProps)) {
    let (key, rest) = path.split_once('.').map_or((path, None), |(key, rest)| (key, Some(rest)));
    let inside = if key == "[]" { entries(place) } else { place.properties.as_mut().and_then(|all| all.get_mut(key)) };
    match (inside, rest) {
        (Some(inside), Some(rest)) => at(inside, rest, then),
        (Some(inside), None) => then(inside),
        (None, _) => {}
    }
}

fn everywhere(place: &mut JSONSchemaProps, then: &mut dyn FnMut(&mut JSONSchemaProps)) {
    then(place);
    for inside in place.properties.iter_mut().flat_map(|all| all.values_mut()) {
        everywhere(inside, then);
    }
    if let Some(inside) = entries(place) {
        everywhere(inside, then);
    }
}

fn entries(list: &mut JSONSchemaProps) -> Option<&mut JSONSchemaProps> {
    match list.items.as_mut()? {
        JSONSchemaPropsOrArray::Schema(entry) => Some(entry),
        JSONSchemaPropsOrArray::Schemas(_) => None,
    }
}
