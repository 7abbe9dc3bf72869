//! How long the lists of a document may be: longer than anybody needs, and short enough that an API server can say beforehand what the rules
//! on their entries cost (`admission`).

use super::locate::{Content, Node, Path};

/// A list and its greatest length.
pub(super) struct Bound {
    pub(super) kind: &'static str,
    /// Keys from the document's root; `[]` goes to the entries of a list.
    pub(super) list: &'static str,
    pub(super) most: usize,
}

const fn bound(kind: &'static str, list: &'static str, most: usize) -> Bound {
    Bound { kind, list, most }
}

pub(super) const BOUNDS: &[Bound] = &[
    bound("Region", "spec.probes", 1_000),
    bound("ProtectionGroup", "spec.regions", 100),
    bound("ProtectionGroup", "spec.targets", 1_000),
    bound("ProtectionGroup", "spec.targets.[].postgres.fence", 20),
    bound("ProtectionGroup", "spec.freezes", 1_000),
    bound("ProtectionGroup", "spec.detection.references", 100),
    bound("ProtectionGroup", "spec.controls.tenants", 100),
    bound("ProtectionGroup", "spec.controls.tenants.[].byRegion", 100),
    bound("ProtectionGroup", "spec.drills.live.abortWhen", 100),
    bound("ProtectionGroup", "spec.drills.isolated.targets", 1_000),
    bound("ProtectionGroup", "spec.drills.isolated.targets.[].postgres.fence", 20),
    bound("Runbook", "spec.steps", 10_000),
    bound("DrillSchedule", "spec.blackouts", 1_000),
    bound("AssuranceCalendar", "spec.items", 1_000),
];

/// The lists of a document that are longer than they may be: where, how long, and how long they may be.
pub(super) fn exceeded(kind: &str, document: &Node) -> Vec<(Path, usize, usize)> {
    let mut found = Vec::new();
    for bound in BOUNDS.iter().filter(|bound| bound.kind == kind) {
        let keys: Vec<_> = bound.list.split('.').collect();
        look(document, &keys, &Path::root(), bound.most, &mut found);
    }
    found
}

fn look(node: &Node, keys: &[&str], path: &Path, most: usize, found: &mut Vec<(Path, usize, usize)>) {
    match (keys, &node.content) {
        ([], Content::List(entries)) if entries.len() > most => found.push((path.clone(), entries.len(), most)),
        (["[]", rest @ ..], Content::List(entries)) => {
            for (index, entry) in entries.iter().enumerate() {
                look(entry, rest, &path.at(index), most, found);
            }
        }
        ([key, rest @ ..], Content::Map(_)) => {
            if let Some(value) = node.get(key) {
                look(value, rest, &path.key(key), most, found);
            }
        }
        _ => {}
    }
}
