//! How a group is watched: thresholds, the hold-down, correlated probes, freezes, and the groups it stands on.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::{Notes, World, probe};
use crate::{
    manifest::{blackout, code::Code, locate::Path, suggest},
    model::{Automation, GroupName, ProbeName, Window},
    spec::ProtectionGroupSpec,
};

pub(super) fn check(world: &World<'_>, notes: &mut Notes<'_, ProtectionGroupSpec>) {
    let detection = Path::spec().key("detection");
    ranges(&detection, notes);
    correlated(world, &detection, notes);
    let references = detection.key("references");
    for (index, reference) in notes.document.spec.detection.references.iter().enumerate() {
        probe::check(reference, &references.at(index), notes);
    }
    after(world, notes);
    freezes(notes);
}

fn ranges(path: &Path, notes: &mut Notes<'_, ProtectionGroupSpec>) {
    let detection = &notes.document.spec.detection;
    if !(1..=100).contains(&detection.success_threshold) {
        let message = format!("the threshold is 1 to 100 healthy probes, found {}", detection.success_threshold);
        notes.add(Code::OutOfRange, &path.key("successThreshold"), message, "two are usual");
    }
    if let Some(reprobe) = detection.reprobe_seconds.filter(|reprobe| !(0.05..=3_600.0).contains(reprobe)) {
        let message = format!("the next try after a failure comes 0.05 to 3600 seconds later, found {reprobe}");
        notes.add(
            Code::OutOfRange,
            &path.key("reprobeSeconds"),
            message,
            "leave it out: a quarter of the period is usual",
        );
    }
    if !(0.0..=3_600.0).contains(&detection.hold_down_seconds) {
        let message = format!("a verdict is held for 0 to 3600 seconds, found {}", detection.hold_down_seconds);
        let help = "a minute is usual: it outlasts the partitions that heal by themselves";
        notes.add(Code::OutOfRange, &path.key("holdDownSeconds"), message, help);
    }
    if detection.failing_probes == Some(0) {
        let help = "leave it out to ask for all of them";
        notes.add(Code::OutOfRange, &path.key("failingProbes"), "at least 1 probe must fail, found 0", help);
    }
}

/// Probes that no region of the group has.
fn correlated(world: &World<'_>, path: &Path, notes: &mut Notes<'_, ProtectionGroupSpec>) {
    let spec = &notes.document.spec;
    let regions = spec.regions.iter().filter_map(|region| world.documents.region(&region.name));
    let known: BTreeSet<&ProbeName> =
        regions.flat_map(|region| region.spec.probes.iter().map(|probe| &probe.name)).collect();
    for (index, set) in spec.detection.correlated.iter().enumerate() {
        let probes = path.key("correlated").at(index).key("probes");
        for (place, probe) in set.probes.iter().enumerate().filter(|(_, probe)| !known.contains(probe)) {
            let names = known.iter().map(|name| name.as_str());
            let help = suggest::help(probe.as_str(), names, "declare it in a Region, or leave it out");
            let message = format!("no region of the group has a probe `{probe}`");
            notes.add(Code::UnknownCorrelatedProbe, &probes.at(place), message, help);
        }
    }
}

/// Freezes that cannot be read, and freezes without an end: automation would be off, and nobody would see it.
fn freezes(notes: &mut Notes<'_, ProtectionGroupSpec>) {
    let mut freezes = match blackout::freezes(notes.document) {
        Ok(freezes) => freezes,
        Err(findings) => return notes.findings.extend(findings),
    };
    // Dates pass; what comes again every week, without a gap, never does. Then any moment lies in it.
    freezes.windows.retain(|freeze| matches!(freeze.window, Window::Weekly { .. }));
    let acts = notes.document.spec.automation != Automation::Manual;
    if acts && freezes.at(Timestamp::UNIX_EPOCH).is_some_and(|frozen| frozen.until.is_none()) {
        let message = "every minute of the week lies in a freeze, so nothing would ever start by itself";
        let help = "make it shorter, or say what is meant with `automation: Manual`";
        notes.add_at_key(Code::AlwaysFrozen, &Path::spec().key("freezes"), message, help);
    }
}

/// Groups that are not there, and groups that would wait for each other for ever.
fn after(world: &World<'_>, notes: &mut Notes<'_, ProtectionGroupSpec>) {
    let (name, spec) = (notes.document.name.clone(), &notes.document.spec);
    for (index, below) in spec.after.iter().enumerate() {
        let path = Path::spec().key("after").at(index);
        if world.documents.group(below).is_none() {
            if !world.documents.is_broken::<ProtectionGroupSpec>(below) {
                let known = world.documents.groups.iter().map(|group| group.name.as_str());
                let help = suggest::help(below.as_str(), known, "load its file, or leave the entry out");
                notes.add(Code::UnknownGroupBelow, &path, format!("there is no group `{below}`"), help);
            }
        } else if stands_on(world, below, &name) {
            let message = format!("`{name}` waits for `{below}`, which waits for `{name}`");
            notes.add(Code::GroupsWaitForEachOther, &path, message, "remove one of the two entries");
        }
    }
}

/// Whether `from` waits for `wanted`, over however many groups between.
fn stands_on(world: &World<'_>, from: &GroupName, wanted: &GroupName) -> bool {
    let (mut seen, mut next) = (BTreeSet::new(), vec![from.clone()]);
    while let Some(name) = next.pop() {
        if name == *wanted {
            return true;
        }
        if let Some(group) = world.documents.group(&name).filter(|_| seen.insert(name.clone())) {
            next.extend(group.spec.after.iter().cloned());
        }
    }
    false
}
