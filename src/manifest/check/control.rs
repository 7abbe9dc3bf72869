//! What a group's drills compare: checks that can tell something, and exceptions that say why and until when.

use jiff::civil::Date;

use super::{Notes, address, probe, repeated_names};
use crate::{
    manifest::{code::Code, locate::Path, suggest},
    model::RegionName,
    spec::{ControlsSpec, IngressSpec, ProtectionGroupSpec, TenantSpec},
};

pub(super) fn check(notes: &mut Notes<'_, ProtectionGroupSpec>) {
    let spec = &notes.document.spec;
    let Some(controls) = &spec.controls else { return };
    let path = Path::spec().key("controls");
    for (key, word, names) in lists(controls) {
        repeated_names(notes, &path.key(key), word, names.into_iter());
    }
    for (at, ingress) in controls.ingress.iter().enumerate() {
        check_ingress(ingress, &path.key("ingress").at(at), notes);
    }
    for (at, tenant) in controls.tenants.iter().enumerate() {
        check_tenant(tenant, &path.key("tenants").at(at), notes);
    }
    for (at, program) in controls.checks.iter().enumerate() {
        if !runs(&program.run) {
            let message = format!("`{}` names no program", program.name);
            let help = "write `run: [PROGRAM, ARGUMENT, …]`, with `{{ region }}` where the region belongs";
            notes.add(Code::BadControlCheck, &path.key("checks").at(at).key("run"), message, help);
        }
    }
    exceptions(controls, &path.key("exceptions"), notes);
}

fn lists(controls: &ControlsSpec) -> [(&'static str, &'static str, Vec<&str>); 3] {
    [
        ("ingress", "ingress", controls.ingress.iter().map(|one| one.name.as_str()).collect()),
        ("tenants", "tenant", controls.tenants.iter().map(|one| one.name.as_str()).collect()),
        ("checks", "check", controls.checks.iter().map(|one| one.name.as_str()).collect()),
    ]
}

fn runs(words: &[String]) -> bool {
    words.first().is_some_and(|program| !program.trim().is_empty())
}

fn check_ingress(ingress: &IngressSpec, path: &Path, notes: &mut Notes<'_, ProtectionGroupSpec>) {
    if ingress.observed.is_empty() && ingress.reach.is_empty() {
        let message = format!("`{}` looks at nothing", ingress.name);
        let help =
            "add `observed:`, a program that prints the rules in force, or `reach:` with what must be open and closed";
        notes.add(Code::BadControlCheck, path, message, help);
    }
    if !ingress.observed.is_empty() && !runs(&ingress.observed) {
        let message = format!("`{}` names no program", ingress.name);
        notes.add(Code::BadControlCheck, &path.key("observed"), message, "write `observed: [PROGRAM, ARGUMENT, …]`");
    }
    if !ingress.rules.is_empty() && ingress.observed.is_empty() {
        let message = "nobody says which rules are in force";
        let help = "add `observed:`, a program that prints them, one a line";
        notes.add(Code::BadControlCheck, &path.key("rules"), message, help);
    }
    let list = path.key("reach");
    regions(ingress.reach.iter().map(|reach| &reach.region), &list, notes);
    for (at, reach) in ingress.reach.iter().enumerate() {
        for (key, addresses) in [("open", &reach.open), ("closed", &reach.closed)] {
            for (n, text) in addresses.iter().enumerate() {
                if let Err(why) = address::name_and_port(text) {
                    let message = format!("`{text}` is no address: {why}");
                    notes.add(Code::BadAddress, &list.at(at).key(key).at(n), message, "write `host:port`");
                }
            }
        }
    }
}

fn check_tenant(tenant: &TenantSpec, path: &Path, notes: &mut Notes<'_, ProtectionGroupSpec>) {
    let list = path.key("byRegion");
    regions(tenant.by_region.iter().map(|probes| &probes.region), &list, notes);
    for (at, probes) in tenant.by_region.iter().enumerate() {
        probe::check(&probes.own, &list.at(at).key("own"), notes);
        probe::check(&probes.other, &list.at(at).key("other"), notes);
    }
}

/// Each region is one of the group's, and those that serve are all there: a check of one side compares nothing.
fn regions<'a>(named: impl Iterator<Item = &'a RegionName>, list: &Path, notes: &mut Notes<'_, ProtectionGroupSpec>) {
    let spec = &notes.document.spec;
    let named: Vec<&RegionName> = named.collect();
    if named.is_empty() {
        return;
    }
    for (at, region) in named.iter().enumerate() {
        if !spec.regions.iter().any(|known| known.name == **region) {
            let known = spec.regions.iter().map(|known| known.name.as_str());
            let help = suggest::help(region.as_str(), known, "name a region of the group");
            let message = format!("the group has no region `{region}`");
            notes.add(Code::UnknownRegion, &list.at(at).key("region"), message, help);
        }
    }
    let serving = spec.regions.iter().filter(|region| region.role != crate::model::MemberRole::Witness);
    for missing in serving.filter(|region| !named.contains(&&region.name)) {
        let message = format!("nothing is declared for `{}`, so nothing is compared", missing.name);
        notes.add_at_key(Code::BadControlCheck, list, message, "add an entry for each region that serves");
    }
}

fn exceptions(controls: &ControlsSpec, list: &Path, notes: &mut Notes<'_, ProtectionGroupSpec>) {
    for (at, exception) in controls.exceptions.iter().enumerate() {
        let path = list.at(at);
        if exception.containing.trim().is_empty() {
            let message = "an exception that every difference holds";
            let help = "write a text that only the difference that is meant holds, such as a network";
            notes.add(Code::BadControlException, &path.key("containing"), message, help);
        }
        if exception.reason.trim().is_empty() {
            let message = "nobody says why the difference is meant";
            notes.add(Code::BadControlException, &path.key("reason"), message, "write it for whoever audits it");
        }
        if let Some(day) = exception.until.as_ref().filter(|day| day.parse::<Date>().is_err()) {
            let message = format!("`{day}` is no day");
            notes.add(Code::BadControlException, &path.key("until"), message, "write `YYYY-MM-DD`");
        }
    }
}
