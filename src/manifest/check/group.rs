//! Groups: regions, objectives, detection, policy and the runbooks they name.

use std::collections::BTreeMap;

use super::{Notes, World, named_runbooks, repeated_names};
use crate::{
    manifest::{code::Code, locate::Path, suggest},
    model::{Automation, MemberRole, ServiceName},
    spec::{ProtectionGroupSpec, RegionSpec, RunbookSpec, Signatures, TargetKind},
};

/// A day, for limits that nobody should need.
const DAY: u64 = 86_400;

pub(super) fn check(world: &World<'_>, notes: &mut Notes<'_, ProtectionGroupSpec>) {
    let spec = &notes.document.spec;
    regions(world, spec, notes);
    objectives(spec, notes);
    detection(spec, notes);
    time_to_live(spec, notes);
    let targets = Path::spec().key("targets");
    if spec.targets.is_empty() {
        notes.add_at_key(
            Code::NoTargets,
            &targets,
            "the group has no targets",
            "declare what moves: databases, storages, names",
        );
    }
    services(world, spec, notes);
    repeated_names(notes, &targets, "target", spec.targets.iter().map(|target| target.name.as_str()));
    for (_, name, key) in named_runbooks(spec) {
        if world.documents.runbook(name).is_none() && !world.documents.is_broken::<RunbookSpec>(name) {
            let known = world.documents.runbooks.iter().map(|runbook| runbook.name.as_str());
            let help =
                suggest::help(name.as_str(), known, "load its file, or leave the entry out to use the built-in one");
            let path = Path::spec().key("runbooks").key(key);
            notes.add(Code::UnknownRunbook, &path, format!("there is no runbook `{name}`"), help);
        }
    }
    automation(spec, notes);
    if let Some(tier) = spec.tier.filter(|tier| !(1..=5).contains(tier)) {
        let message = format!("a tier is 1 to 5, found {tier}");
        notes.add(Code::OutOfRange, &Path::spec().key("tier"), message, "1 matters most");
    }
    if !(1..=10).contains(&spec.approvals.required) {
        let message = format!("a run needs 1 to 10 persons, found {}", spec.approvals.required);
        notes.add(
            Code::OutOfRange,
            &Path::spec().key("approvals").key("required"),
            message,
            "the requester counts as one",
        );
    }
}

fn automation(spec: &ProtectionGroupSpec, notes: &mut Notes<'_, ProtectionGroupSpec>) {
    let persons = spec.approvals.required > 1 || spec.approvals.signatures == Signatures::Required;
    if spec.automation == Automation::Automatic && persons {
        let message = "a run that starts by itself waits for persons who approve it";
        let help = "write `automation: ProposeOnly`, or ask for one unsigned approval";
        notes.add(Code::AutomaticNeedsPersons, &Path::spec().key("automation"), message, help);
    }
}

fn regions(world: &World<'_>, spec: &ProtectionGroupSpec, notes: &mut Notes<'_, ProtectionGroupSpec>) {
    let list = Path::spec().key("regions");
    let mut seen: BTreeMap<_, usize> = BTreeMap::new();
    for (index, region) in spec.regions.iter().enumerate() {
        let path = list.at(index).key("name");
        if let Some(first) = seen.get(&region.name) {
            let message = format!("region `{}` is number {} of the list already", region.name, first + 1);
            notes.add(Code::RegionTwice, &path, message, "keep one of the two");
            continue;
        }
        seen.insert(&region.name, index);
        match world.regions.get(&region.name) {
            None if world.documents.is_broken::<RegionSpec>(&region.name) => {}
            None => {
                let known = world.regions.keys().map(|name| name.as_str());
                let help = suggest::help(region.name.as_str(), known, "load the file that declares it");
                notes.add(Code::UnknownRegion, &path, format!("there is no region `{}`", region.name), help);
            }
            Some(document) if document.spec.probes.is_empty() && region.role != MemberRole::Witness => {
                let message = format!("region `{}` serves and has no probe", region.name);
                notes.add(Code::RegionWithoutProbe, &path, message, "declare `probes:` in the Region");
            }
            Some(_) => {}
        }
    }
    let serving = spec.regions.iter().filter(|region| region.role != MemberRole::Witness).count();
    if serving < 2 {
        let message = format!("the group has {serving} serving region{}", if serving == 1 { "" } else { "s" });
        notes.add_at_key(Code::TooFewRegions, &list, message, "add a region with `role: Standby`");
    }
    let mut preferred = spec.regions.iter().enumerate().filter(|(_, region)| region.role == MemberRole::Preferred);
    match (preferred.next(), preferred.next()) {
        (None, _) if serving > 0 => {
            notes.add_at_key(
                Code::PreferredCount,
                &list,
                "no region is preferred",
                "give one of them `role: Preferred`",
            );
        }
        (Some((_, first)), Some((index, second))) => {
            let message = format!("both `{}` and `{}` are preferred", first.name, second.name);
            notes.add(Code::PreferredCount, &list.at(index).key("role"), message, "make all but one `role: Standby`");
        }
        _ => {}
    }
}

/// Services that no region of the group runs: a slip of the pen, which would leave the one that was meant uncovered.
fn services(world: &World<'_>, spec: &ProtectionGroupSpec, notes: &mut Notes<'_, ProtectionGroupSpec>) {
    let regions = || spec.regions.iter().filter_map(|region| world.regions.get(&region.name));
    let known = || regions().flat_map(|region| &region.spec.services);
    for (index, service) in spec.services.iter().enumerate() {
        // Regions that say nothing of their services leave it open.
        if known().next().is_some() && !known().any(|known| known == service) {
            let names = known().map(ServiceName::as_str);
            let help = suggest::help(service.as_str(), names, "list it in `services` of the regions where it runs");
            let message = format!("no region of the group runs a service `{service}`");
            notes.add(Code::UnknownService, &Path::spec().key("services").at(index), message, help);
        }
    }
}

fn objectives(spec: &ProtectionGroupSpec, notes: &mut Notes<'_, ProtectionGroupSpec>) {
    let path = Path::spec().key("objectives");
    for (key, seconds, least) in [
        ("recoveryTimeSeconds", spec.objectives.recovery_time_seconds, 1),
        ("recoveryPointSeconds", spec.objectives.recovery_point_seconds, 0),
        ("drillMaxAgeSeconds", spec.objectives.drill_max_age_seconds, 1),
    ] {
        // Ten years: larger numbers are milliseconds by mistake.
        let most = 3_650 * DAY;
        if !(least..=most).contains(&seconds) {
            let message = format!("`{key}` is {least} to {most} seconds, found {seconds}");
            notes.add(Code::OutOfRange, &path.key(key), message, "write it in whole seconds");
        }
    }
}

fn detection(spec: &ProtectionGroupSpec, notes: &mut Notes<'_, ProtectionGroupSpec>) {
    let detection = &spec.detection;
    let path = Path::spec().key("detection");
    let mut sound = true;
    if !(0.05..=3_600.0).contains(&detection.period_seconds) {
        let message = format!("the period is 0.05 to 3600 seconds, found {}", detection.period_seconds);
        notes.add(Code::OutOfRange, &path.key("periodSeconds"), message, "two seconds are usual");
        sound = false;
    }
    if !(1..=100).contains(&detection.failure_threshold) {
        let message = format!("the threshold is 1 to 100 failed probes, found {}", detection.failure_threshold);
        notes.add(Code::OutOfRange, &path.key("failureThreshold"), message, "three are usual");
        sound = false;
    }
    let quorum = path.key("observerQuorum");
    let regions = u32::try_from(spec.regions.len()).unwrap_or(u32::MAX);
    if detection.observer_quorum == 0 {
        notes.add(Code::OutOfRange, &quorum, "the quorum is at least 1 observer, found 0", "ask for 2 or more");
    } else if detection.observer_quorum > regions {
        let message = format!("the quorum is {}, and the group has {regions} regions", detection.observer_quorum);
        let help = "lower the quorum, or add a region with `role: Witness`";
        notes.add(Code::QuorumTooLarge, &quorum, message, help);
    } else if detection.observer_quorum == 1 && spec.automation == Automation::Automatic {
        let message = "failovers start by themselves on the word of one observer";
        notes.add(
            Code::OneObserverDecides,
            &Path::spec().key("automation"),
            message,
            "set `observerQuorum: 2` or more",
        );
    }
    let held = if spec.automation == Automation::Automatic { detection.hold_down_seconds } else { 0.0 };
    let notices = detection.period_seconds * f64::from(detection.failure_threshold) + held;
    #[expect(clippy::cast_precision_loss, reason = "objectives are far below 2^52 seconds")]
    let objective = spec.objectives.recovery_time_seconds as f64;
    if sound && objective > 0.0 && notices * 2.0 >= objective {
        let message = format!("noticing an outage takes {notices} s of the {objective} s that recovery may take");
        notes.add(
            Code::DetectionTooSlow,
            &path.key("periodSeconds"),
            message,
            "probe more often, lower the threshold, or hold a verdict for less time",
        );
    }
}

/// Records whose old answers live for too much of the objective.
fn time_to_live(spec: &ProtectionGroupSpec, notes: &mut Notes<'_, ProtectionGroupSpec>) {
    let objective = spec.objectives.recovery_time_seconds;
    for (index, target) in spec.targets.iter().enumerate() {
        let Ok(TargetKind::Rfc2136(dns)) = target.kind() else { continue };
        let records = Path::spec().key("targets").at(index).key("rfc2136").key("records");
        for (at, record) in dns.records.iter().enumerate() {
            let path = records.at(at).key("ttlSeconds");
            let ttl = u64::from(record.ttl_seconds);
            if !(1..=DAY).contains(&ttl) {
                let message = format!("a time to live is 1 to {DAY} seconds, found {ttl}");
                notes.add(Code::OutOfRange, &path, message, "30 seconds are usual for names that fail over");
            } else if objective > 0 && ttl * 3 > objective {
                let message =
                    format!("resolvers keep the old answer for {ttl} s of the {objective} s that recovery may take");
                notes.add(Code::TtlTooLong, &path, message, format!("write {} or less", (objective / 3).max(1)));
            }
        }
    }
}
