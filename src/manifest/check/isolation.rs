//! Drills of a group: each stand-in for a target of it, of the same kind, and somewhere else; and what ends a live one.

use std::collections::BTreeSet;

use super::{Notes, probe, repeated_names, target};
use crate::{
    manifest::{code::Code, document::Document, finding::Finding, isolate::sets_up, locate::Path, suggest},
    model::Verb,
    spec::{IsolatedSpec, LiveSpec, ProtectionGroupSpec, StepSpec, TargetKind, TargetSpec},
};

/// What is wrong with a group's stand-ins.
pub(in crate::manifest) fn findings(group: &Document<ProtectionGroupSpec>) -> Vec<Finding> {
    let mut findings = Vec::new();
    check(&mut Notes { document: group, findings: &mut findings });
    findings
}

pub(super) fn check(notes: &mut Notes<'_, ProtectionGroupSpec>) {
    let spec = &notes.document.spec;
    if let Some(live) = &spec.drills.live {
        check_live(live, notes);
    }
    let Some(isolated) = &spec.drills.isolated else { return };
    let path = Path::spec().key("drills").key("isolated");
    let list = path.key("targets");
    repeated_names(notes, &list, "stand-in", isolated.targets.iter().map(|target| target.name.as_str()));
    target::check_list(spec, &isolated.targets, &list, notes);
    for (index, stand_in) in isolated.targets.iter().enumerate() {
        let at = list.at(index);
        match spec.targets.iter().find(|target| target.name == stand_in.name) {
            None => {
                let known = spec.targets.iter().map(|target| target.name.as_str());
                let help = suggest::help(stand_in.name.as_str(), known, "name the target that it stands in for");
                let message = format!("the group has no target `{}` to stand in for", stand_in.name);
                notes.add(Code::UnknownTarget, &at.key("name"), message, help);
            }
            Some(real) => check_one(real, stand_in, spec, &at, notes),
        }
    }
    steps(isolated, &path, notes);
}

fn check_live(live: &LiveSpec, notes: &mut Notes<'_, ProtectionGroupSpec>) {
    let path = Path::spec().key("drills").key("live");
    if !(0.0..=86_400.0).contains(&live.hold_seconds) {
        let message = format!("a live drill stays for 0 to 86400 seconds, found {}", live.hold_seconds);
        notes.add(Code::OutOfRange, &path.key("holdSeconds"), message, "a minute is usual");
    }
    let list = path.key("abortWhen");
    if live.abort_when.is_empty() {
        notes.add_at_key(
            Code::NothingStopsIt,
            &list,
            "nothing would stop a live drill",
            "name a probe of what users feel",
        );
    }
    repeated_names(notes, &list, "probe", live.abort_when.iter().map(|probe| probe.name.as_str()));
    for (index, each) in live.abort_when.iter().enumerate() {
        probe::check(each, &list.at(index), notes);
    }
}

fn check_one(
    real: &TargetSpec,
    stand_in: &TargetSpec,
    spec: &ProtectionGroupSpec,
    at: &Path,
    notes: &mut Notes<'_, ProtectionGroupSpec>,
) {
    let (Ok(real), Ok(stands)) = (real.kind(), stand_in.kind()) else { return };
    if (real.driver(), real.capability()) != (stands.driver(), stands.capability()) {
        let message =
            format!("`{}` is {}, and a {} cannot stand in for it", stand_in.name, real.driver(), stands.driver());
        notes.add(Code::BadStandIn, at, message, format!("write `{}:` with the stand-in's own members", real.driver()));
    }
    let theirs: BTreeSet<String> =
        spec.targets.iter().filter_map(|target| target.kind().ok()).flat_map(|kind| places(&kind)).collect();
    if let Some(place) = places(&stands).into_iter().find(|place| theirs.contains(place)) {
        let message = format!("{place} is a real target of the group: the drill would fence and promote it");
        notes.add(Code::BadStandIn, at, message, "name a clone, or a test target, that is somewhere else");
    }
}

/// What a target acts on, in words that two targets share when they act on the same.
fn places(kind: &TargetKind<'_>) -> Vec<String> {
    match kind {
        TargetKind::Postgres(target) => {
            let server = |url: &str| {
                url.split_once("://").map_or(url, |(_, rest)| rest).split('/').next().map(str::to_lowercase)
            };
            target
                .members
                .iter()
                .filter_map(|member| server(&member.url))
                .map(|at| format!("the server {at}"))
                .collect()
        }
        TargetKind::S3(target) => target
            .members
            .iter()
            .map(|member| format!("the bucket {} at {}", member.bucket, member.endpoint.as_deref().unwrap_or("AWS")))
            .collect(),
        TargetKind::Rfc2136(target) => {
            let name = |name: &str| name.trim_end_matches('.').to_lowercase();
            target.records.iter().map(|record| format!("the name {}", name(&record.name))).collect()
        }
        TargetKind::Fake(_) => Vec::new(),
    }
}

fn steps(isolated: &IsolatedSpec, path: &Path, notes: &mut Notes<'_, ProtectionGroupSpec>) {
    let both: [(&str, &[StepSpec]); 2] = [("setUp", &isolated.set_up), ("tearDown", &isolated.tear_down)];
    for (key, steps) in both {
        let list = path.key(key);
        repeated_names(notes, &list, "step", steps.iter().map(|step| step.name.as_str()));
        for (index, step) in steps.iter().enumerate() {
            if !step.uses.parse::<Verb>().is_ok_and(sets_up) || step.target.is_some() {
                let message = format!("`{}` sets nothing up and takes nothing down", step.uses);
                let help = "use command, http or wait, and no target: the stand-ins are for the runbook";
                notes.add(Code::BadDrillStep, &list.at(index).key("uses"), message, help);
            }
        }
    }
}
