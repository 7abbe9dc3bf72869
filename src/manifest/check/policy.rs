//! Drill policies: groups that there are, numbers that make sense, and requirements that a group can meet.

use super::{Notes, World};
use crate::{
    manifest::{
        code::Code,
        document::Document,
        locate::Path,
        policy::{matches, repeated, requirements, tier},
        suggest,
    },
    model::Exercise,
    spec::{DrillPolicySpec, ProtectionGroupSpec},
};

pub(super) fn check(world: &World<'_>, notes: &mut Notes<'_, DrillPolicySpec>) {
    let spec = &notes.document.spec;
    let path = Path::spec().key("match");
    for (at, group) in spec.groups.groups.iter().enumerate() {
        if world.documents.group(group).is_none() && !world.documents.is_broken::<ProtectionGroupSpec>(group) {
            let known = world.documents.groups.iter().map(|group| group.name.as_str());
            let help = suggest::help(group.as_str(), known, "load the file that declares it");
            let path = path.key("groups").at(at);
            notes.add(Code::UnknownPolicyGroup, &path, format!("there is no group `{group}`"), help);
        }
    }
    for (at, asked) in spec.groups.tiers.iter().enumerate() {
        if !world.documents.groups.iter().any(|group| tier(&group.spec).0 == *asked) {
            let message = format!("no group has the tier {asked}");
            let help = "write `tier:` into the groups that are meant; without it a group has the tier 1";
            notes.add(Code::UnknownPolicyGroup, &path.key("tiers").at(at), message, help);
        }
    }
    if spec.require.is_empty() {
        let help = "add such as `- {kind: Rehearse, everyDays: 30}`";
        notes.add_at_key(Code::NothingRequired, &Path::spec().key("require"), "the policy asks for nothing", help);
    }
    if spec.valid_if.verdicts.is_empty() {
        let path = Path::spec().key("validIf").key("verdicts");
        notes.add(Code::NothingRequired, &path, "no verdict counts, so no drill ever would", "write Passed");
    }
    for (at, name) in repeated(spec) {
        let message = format!("there is a requirement named `{name}` already");
        let help = "give one of them a `name` of its own";
        notes.add(Code::DuplicateName, &Path::spec().key("require").at(at), message, help);
    }
    if let Err(findings) = requirements(notes.document) {
        notes.findings.extend(findings);
    }
    unmeetable(world, notes);
}

/// Requirements that a group has no means to meet.
fn unmeetable(world: &World<'_>, notes: &mut Notes<'_, DrillPolicySpec>) {
    let spec = &notes.document.spec;
    for (at, one) in spec.require.iter().enumerate() {
        let path = Path::spec().key("require").at(at).key("kind");
        if one.kind == Exercise::Failover && !spec.counts_real_events {
            let message = "a live drill is a switchover, so only a real failover could meet it, and none counts";
            notes.add(Code::Unmeetable, &path, message, "ask for Live or Isolated, or write `countsRealEvents: true`");
        }
        for group in world.documents.groups.iter().filter(|group| matches(spec, group)) {
            let lacks = match one.kind {
                Exercise::Isolated => group.spec.drills.isolated.is_none().then_some("isolated"),
                Exercise::Live => group.spec.drills.live.is_none().then_some("live"),
                Exercise::Rehearse | Exercise::Failover | Exercise::Switchover | Exercise::Failback => None,
            };
            if let Some(word) = lacks {
                let message = format!("group `{}` has no `drills.{word}`, so it cannot be drilled so", group.name);
                notes.add(Code::Unmeetable, &path, message, format!("add `drills: {{{word}: …}}` to the group"));
            }
        }
    }
}

/// Where there are policies, a group that none of them matches was forgotten.
pub(super) fn unprotected(world: &World<'_>, notes: &mut Notes<'_, ProtectionGroupSpec>) {
    let policies = &world.documents.policies;
    let asks = |policy: &Document<DrillPolicySpec>| matches(&policy.spec, notes.document);
    if policies.is_empty() || policies.iter().any(asks) {
        return;
    }
    let message = format!("no drill policy asks anything of group `{}`", notes.document.name);
    let path = Path::root().key("metadata").key("name");
    notes.add(Code::Unprotected, &path, message, "add it to the `match` of a DrillPolicy");
}
