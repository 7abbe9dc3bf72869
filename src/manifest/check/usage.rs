//! A runbook in the hands of a group: its targets exist, the failover path is free of the source (promise S8), and
//! the objectives can be met by what is declared.

use super::{
    Notes, Use, address,
    limit::written_limit,
    runbook::{Book, capability_of},
};
use crate::{
    manifest::{code::Code, locate::Path, suggest},
    model::{Capability, MemberRole, RunKind, Verb},
    port::Touches,
    spec::{ProtectionGroupSpec, RegionSpec, RunbookSpec, StepSpec, TargetSpec},
};

pub(super) fn check(book: &Book<'_>, using: Use<'_>, notes: &mut Notes<'_, RunbookSpec>) {
    let group = &using.group.spec;
    for (place, step, verb, path) in book.each() {
        let Some(verb) = verb else { continue };
        check_target(book, using, step, verb, &path, notes);
        if verb == Verb::ProbeAwait {
            check_probe(book, group, step, &path, notes);
        }
        if using.kind == RunKind::Failover && !step.best_effort {
            check_source(book, group, step, verb, &path, notes);
        }
        if using.kind.planned() {
            check_catch_up(book, place, step, verb, using, &path, notes);
        }
    }
    check_moved(book, using, notes);
    if using.kind == RunKind::Failover {
        check_objective(book, using, notes);
    }
}

fn target_of<'g>(group: &'g ProtectionGroupSpec, step: &StepSpec) -> Option<&'g TargetSpec> {
    group.targets.iter().find(|target| Some(&target.name) == step.target.as_ref())
}

fn check_target(
    book: &Book<'_>,
    using: Use<'_>,
    step: &StepSpec,
    verb: Verb,
    path: &Path,
    notes: &mut Notes<'_, RunbookSpec>,
) {
    let (Some(name), false) = (&step.target, verb.capability() == Capability::General) else { return };
    let group = &using.group.spec;
    let Some(target) = target_of(group, step) else {
        let known = group.targets.iter().map(|target| target.name.as_str());
        let help = suggest::help(name.as_str(), known, "add the target to the group");
        let message = format!("group `{}` has no target `{name}`", using.group.name);
        notes.add(Code::UnknownTarget, &path.key("target"), message, help);
        return;
    };
    let Ok(kind) = target.kind() else { return };
    let catalog = book.world.catalog;
    if catalog.descriptor(Some(kind.driver()), kind.capability(), verb).is_none() {
        let offered: Vec<&str> = Verb::ALL
            .iter()
            .filter(|verb| verb.capability() == kind.capability())
            .filter(|verb| catalog.descriptor(Some(kind.driver()), kind.capability(), **verb).is_some())
            .map(|verb| verb.as_str())
            .collect();
        let message = format!("`{name}` is driven by {}, which has no `{verb}`", kind.driver());
        let help = suggest::help(verb.as_str(), offered, "use another target");
        notes.add(Code::VerbNotOffered, &path.key("uses"), message, help);
    }
}

/// Every serving region can be the destination, so each needs the probe.
fn check_probe(
    book: &Book<'_>,
    group: &ProtectionGroupSpec,
    step: &StepSpec,
    path: &Path,
    notes: &mut Notes<'_, RunbookSpec>,
) {
    let Some(probe) = step.with.get("probe").and_then(serde_json::Value::as_str) else { return };
    if crate::decide::is_template(probe) {
        return;
    }
    let serving = group.regions.iter().filter(|region| region.role != MemberRole::Witness);
    let regions: Vec<&RegionSpec> =
        serving.filter_map(|region| book.world.regions.get(&region.name)).map(|region| region.spec.as_ref()).collect();
    let names =
        |region: &&RegionSpec| region.probes.iter().map(|probe| probe.name.as_str().to_owned()).collect::<Vec<_>>();
    let lacking: Vec<&str> = group
        .regions
        .iter()
        .filter(|region| region.role != MemberRole::Witness)
        .filter_map(|region| book.world.regions.get(&region.name))
        .filter(|region| region.spec.probes.iter().all(|known| known.name.as_str() != probe))
        .map(|region| region.name.as_str())
        .collect();
    if !lacking.is_empty() {
        let known: Vec<String> = regions.iter().flat_map(names).collect();
        let message = format!("probe `{probe}` is not declared in {}", suggest::listed(&lacking));
        let help = match suggest::closest(probe, known.iter().map(String::as_str)).filter(|close| *close != probe) {
            Some(close) => format!("did you mean `{close}`?"),
            None => format!("declare a probe named `{probe}` in each serving region"),
        };
        notes.add(Code::ProbeMissing, &path.key("with").key("probe"), message, help);
    }
}

/// Promise S8: no step on the failover path depends on the source.
fn check_source(
    book: &Book<'_>,
    group: &ProtectionGroupSpec,
    step: &StepSpec,
    verb: Verb,
    path: &Path,
    notes: &mut Notes<'_, RunbookSpec>,
) {
    let needs_source =
        |facts: &&'static crate::port::Descriptor| matches!(facts.touches, Touches::Source | Touches::Both);
    if book.facts_of(step, verb).iter().any(needs_source) {
        let message = format!("`{verb}` fails when the source region does not answer");
        let help = "say `bestEffort: true`, or move the step to the runbook of planned runs";
        notes.add(Code::NeedsSource, &path.key("uses"), message, help);
    }
    // A step with a condition may be meant for one direction only.
    if !matches!(verb, Verb::Http | Verb::Command) || step.when.is_some() {
        return;
    }
    for (text, at) in texts(&step.with, &path.key("with")) {
        let Some(address) = address::literal_ip(text) else { continue };
        let home = group.regions.iter().filter(|region| region.role != MemberRole::Witness).find(|region| {
            let networks = book.world.regions.get(&region.name).map(|region| region.spec.addresses.as_slice());
            let mut networks = networks.into_iter().flatten().filter_map(|text| address::Network::parse(text).ok());
            networks.any(|network| network.contains(address))
        });
        if let Some(home) = home {
            let message = format!("{address} lies in region `{}`, which may be the source", home.name);
            let help = "use an address outside of the regions, say `bestEffort: true`, or give the step a `when`";
            notes.add(Code::AddressInRegion, &at, message, help);
        }
    }
}

/// Every text of the parameters with its path.
fn texts<'v>(with: &'v serde_json::Map<String, serde_json::Value>, path: &Path) -> Vec<(&'v str, Path)> {
    let mut found = Vec::new();
    let mut open: Vec<(&serde_json::Value, Path)> = with.iter().map(|(key, value)| (value, path.key(key))).collect();
    while let Some((value, path)) = open.pop() {
        match value {
            serde_json::Value::String(text) => found.push((text.as_str(), path)),
            serde_json::Value::Array(items) => {
                open.extend(items.iter().enumerate().map(|(index, item)| (item, path.at(index))));
            }
            serde_json::Value::Object(map) => open.extend(map.iter().map(|(key, item)| (item, path.key(key)))),
            serde_json::Value::Null | serde_json::Value::Bool(_) | serde_json::Value::Number(_) => {}
        }
    }
    found
}

/// A planned promotion waits until the destination has everything.
fn check_catch_up(
    book: &Book<'_>,
    place: usize,
    step: &StepSpec,
    verb: Verb,
    using: Use<'_>,
    path: &Path,
    notes: &mut Notes<'_, RunbookSpec>,
) {
    let (catch_up, fence) = match verb {
        Verb::DatabasePromote => (Verb::DatabaseCatchUp, Verb::DatabaseFence),
        Verb::StoragePromote => (Verb::StorageCatchUp, Verb::StorageFence),
        _ => return,
    };
    if book.facts_of(step, catch_up).is_empty() {
        return;
    }
    let Some(target) = &step.target else { return };
    // What was copied before the fence may be old by now: only a catch-up after it counts.
    let fences = book.places(fence, Some(target));
    let mut places = book.places(catch_up, Some(target));
    places.retain(|catch_up| fences.is_empty() || book.graph.any_before(&fences, *catch_up));
    if places.is_empty() || !book.graph.any_before(&places, place) {
        let message = format!("a {} promotes `{target}` without waiting for its last writes", using.kind);
        let help = match places.first().and_then(|place| book.steps.get(*place)) {
            Some(step) => format!("add `{}` to its `needs`", step.name),
            None => format!("add a step with `uses: {catch_up}` and `target: {target}` after the fence, and need it"),
        };
        notes.add(Code::PlannedWithoutCatchUp, &path.key("uses"), message, help);
    }
}

/// Targets that stay where they are.
fn check_moved(book: &Book<'_>, using: Use<'_>, notes: &mut Notes<'_, RunbookSpec>) {
    for target in &using.group.spec.targets {
        let moves = match capability_of(target) {
            Some(Capability::Database) => Verb::DatabasePromote,
            Some(Capability::Storage) => Verb::StoragePromote,
            Some(Capability::Dns) => Verb::DnsSwitch,
            Some(Capability::General) | None => continue,
        };
        if book.places(moves, Some(&target.name)).is_empty() {
            let message =
                format!("the {} of group `{}` never moves target `{}`", using.kind, using.group.name, target.name);
            let help = format!("add a step with `uses: {moves}` and `target: {}`", target.name);
            notes.add_at_key(Code::TargetNotMoved, &Path::spec().key("steps"), message, help);
        }
    }
}

/// Time until service is restored, by what is declared. Steps after it do not count.
fn check_objective(book: &Book<'_>, using: Use<'_>, notes: &mut Notes<'_, RunbookSpec>) {
    #[expect(clippy::cast_precision_loss, reason = "objectives are far below 2^52 seconds")]
    let objective = using.group.spec.objectives.recovery_time_seconds as f64;
    if objective <= 0.0 {
        return;
    }
    let list = Path::spec().key("steps");
    let names = |way: &[usize]| {
        let names: Vec<&str> = way.iter().filter_map(|place| Some(book.steps.get(*place)?.name.as_str())).collect();
        if names.len() > 12 { format!("{} steps", names.len()) } else { names.join(", ") }
    };
    let waits: Vec<f64> = book
        .steps
        .iter()
        .map(
            |step| {
                if step.uses == Verb::Wait.as_str() { written_limit(step).map_or(0.0, |limit| limit.1) } else { 0.0 }
            },
        )
        .collect();
    let (seconds, way) = book.graph.longest(&waits);
    let way: Vec<usize> = way.into_iter().filter(|place| waits.get(*place).is_some_and(|wait| *wait > 0.0)).collect();
    if let Some(last) = way.last().filter(|_| seconds > objective) {
        let message = format!("waiting alone takes {seconds} s ({}), and the objective is {objective} s", names(&way));
        notes.add(Code::WaitsExceedObjective, &list.at(*last).key("with").key("seconds"), message, "wait for less");
        return;
    }
    let limits: Vec<f64> = book.each().map(|(place, step, verb, _)| may_take(book, place, step, verb)).collect();
    let (seconds, way) = book.graph.longest(&limits);
    if let Some(last) = way.last().filter(|_| seconds > objective) {
        let message = format!(
            "by its time limits the run may take {seconds:.0} s ({}), and the objective is {objective} s",
            names(&way)
        );
        let help = "shorten `timeoutSeconds` to what is realistic, or let steps run in parallel";
        notes.add(Code::TimeoutsExceedObjective, &list.at(*last).key("name"), message, help);
    }
}

/// How long a step may take until service is back: its declared limit, or what its driver expects.
fn may_take(book: &Book<'_>, place: usize, step: &StepSpec, verb: Option<Verb>) -> f64 {
    let after_service = [Verb::DatabaseReverse, Verb::StorageReverse, Verb::DatabaseUnfence, Verb::StorageUnfence];
    if verb.is_some_and(|verb| after_service.contains(&verb)) {
        return 0.0;
    }
    #[expect(clippy::cast_precision_loss, reason = "at most 86,400")]
    let declared = step.timeout_seconds.map(|seconds| seconds as f64);
    let expected =
        book.facts.get(place).into_iter().flatten().map(|facts| facts.expected.as_secs_f64()).fold(0.0, f64::max);
    match (verb, declared) {
        (Some(Verb::Wait), _) => written_limit(step).map_or(0.0, |limit| limit.1),
        (_, Some(declared)) => declared,
        (_, None) => written_limit(step).map_or(expected, |limit| limit.1),
    }
}
