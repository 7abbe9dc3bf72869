//! Targets: one driver each, one member in each serving region, and settings that can work.

use std::collections::BTreeMap;

use super::{Notes, address, record, region};
use crate::{
    decide,
    manifest::{code::Code, locate::Path, suggest},
    model::{MemberRole, RegionName},
    spec::{FenceMethodKind, PostgresTarget, ProtectionGroupSpec, S3Target, TargetKind, TargetSpec},
};

/// Names that the words of a fencing program may use.
const FENCE_NAMES: &[&str] = &["source", "destination", "target"];

pub(super) fn check(spec: &ProtectionGroupSpec, notes: &mut Notes<'_, ProtectionGroupSpec>) {
    check_list(spec, &spec.targets, &Path::spec().key("targets"), notes);
}

/// Targets of the group, or what stands in for them.
pub(super) fn check_list(
    spec: &ProtectionGroupSpec,
    targets: &[TargetSpec],
    list: &Path,
    notes: &mut Notes<'_, ProtectionGroupSpec>,
) {
    for (index, target) in targets.iter().enumerate() {
        let path = list.at(index);
        match target.kind() {
            Err(bad) => region::choice(&bad, &path, notes, "target"),
            Ok(TargetKind::Postgres(postgres)) => check_postgres(spec, postgres, &path.key("postgres"), notes),
            Ok(TargetKind::S3(s3)) => check_s3(spec, s3, &path.key("s3"), notes),
            Ok(TargetKind::Rfc2136(dns)) => record::check(spec, dns, &path.key("rfc2136"), notes),
            Ok(TargetKind::Fake(_)) => {}
        }
    }
}

/// Members, or values, of regions: one for each that serves, none for any other.
pub(super) fn check_regions<'r>(
    group: &ProtectionGroupSpec,
    list: &Path,
    regions: impl Iterator<Item = &'r RegionName>,
    missing: Code,
    what: &str,
    notes: &mut Notes<'_, ProtectionGroupSpec>,
) {
    let mut seen: BTreeMap<_, usize> = BTreeMap::new();
    for (index, name) in regions.enumerate() {
        let path = list.at(index).key("region");
        if let Some(first) = seen.insert(name, index) {
            let message = format!("region `{name}` has its {what} already, number {} of the list", first + 1);
            notes.add(Code::MemberTwice, &path, message, "keep one of the two");
        }
        match group.regions.iter().find(|region| region.name == *name).map(|region| region.role) {
            Some(MemberRole::Preferred | MemberRole::Standby) => {}
            Some(MemberRole::Witness) => {
                let message = format!("region `{name}` is a witness, and has a {what}");
                notes.add(Code::WitnessServes, &path, message, "remove it, or give the region `role: Standby`");
            }
            None => {
                let known = group.regions.iter().map(|region| region.name.as_str());
                let help = suggest::help(name.as_str(), known, "add the region to the group");
                notes.add(Code::MemberOutside, &path, format!("region `{name}` is not in the group"), help);
            }
        }
    }
    for region in group.regions.iter().filter(|region| region.role != MemberRole::Witness) {
        if !seen.contains_key(&region.name) {
            let message = format!("region `{}` serves and has no {what}", region.name);
            notes.add_at_key(missing, list, message, format!("add an entry with `region: {}`", region.name));
        }
    }
}

/// Two regions that name one and the same thing.
fn check_shared(list: &Path, key: &str, things: &[(&RegionName, String)], notes: &mut Notes<'_, ProtectionGroupSpec>) {
    for (index, (region, thing)) in things.iter().enumerate() {
        let earlier = things.iter().take(index).find(|(other, same)| same == thing && other != region);
        if let Some((other, _)) = earlier {
            let message = format!("region `{region}` has the same {key} as region `{other}`");
            notes.add(Code::SharedMember, &list.at(index).key(key), message, format!("write the {key} of `{region}`"));
        }
    }
}

fn check_postgres(
    group: &ProtectionGroupSpec,
    target: &PostgresTarget,
    path: &Path,
    notes: &mut Notes<'_, ProtectionGroupSpec>,
) {
    let list = path.key("members");
    let regions = target.members.iter().map(|member| &member.region);
    check_regions(group, &list, regions, Code::RegionWithoutMember, "member", notes);
    let mut servers = Vec::new();
    for (index, member) in target.members.iter().enumerate() {
        let at = list.at(index).key("url");
        region::check_url(&member.url, &["postgres", "postgresql"], &at, notes);
        match address::Url::parse(&member.url) {
            Ok(url) => {
                if url.path.len() < 2 && !url.password {
                    notes.add(Code::BadUrl, &at, "the URL names no database", "write postgres://host:port/database");
                }
                servers
                    .push((&member.region, format!("{}:{}", url.host.to_ascii_lowercase(), url.port.unwrap_or(5432))));
            }
            Err(_) => servers.push((&member.region, format!("bad/{index}"))),
        }
    }
    check_shared(&list, "url", &servers, notes);
    for (index, method) in target.fence.iter().enumerate() {
        let at = path.key("fence").at(index);
        match method.kind() {
            Err(bad) => region::choice(&bad, &at, notes, "way to fence"),
            Ok(FenceMethodKind::ReadOnly(_)) => {}
            Ok(FenceMethodKind::Command(call)) => {
                check_words(&call.run, &at.key("command").key("run"), notes);
                check_words(&call.verify, &at.key("command").key("verify"), notes);
            }
            Ok(FenceMethodKind::Http(call)) => {
                let urls = [("url", Some(&call.url)), ("verifyUrl", call.verify_url.as_ref())];
                for (key, url) in urls.into_iter().filter_map(|(key, url)| url.map(|url| (key, url))) {
                    let at = at.key("http").key(key);
                    check_text(url, &at, notes);
                    if !decide::is_template(url) {
                        region::check_url(url, &["https", "http"], &at, notes);
                    }
                }
            }
        }
    }
    if let Some(call) = &target.reverse {
        check_words(&call.run, &path.key("reverse").key("run"), notes);
        check_words(&call.verify, &path.key("reverse").key("verify"), notes);
    }
}

fn check_words(words: &[String], path: &Path, notes: &mut Notes<'_, ProtectionGroupSpec>) {
    words.iter().enumerate().for_each(|(index, word)| check_text(word, &path.at(index), notes));
}

/// A text of a target that may hold `{{ source }}` and its like.
fn check_text(text: &str, path: &Path, notes: &mut Notes<'_, ProtectionGroupSpec>) {
    match decide::compile_check_text(text) {
        Err(error) => notes.add(Code::BadExpression, path, error.to_string(), "see `lifeboat explain LB0201`"),
        Ok(names) => {
            for name in names.iter().filter(|name| !name.path.iter().all(|part| FENCE_NAMES.contains(&part.as_str()))) {
                let help = suggest::help(&name.dotted(), FENCE_NAMES.iter().copied(), "");
                notes.add(Code::UnknownName, path, format!("there is nothing named `{}` here", name.dotted()), help);
            }
        }
    }
}

fn check_s3(group: &ProtectionGroupSpec, target: &S3Target, path: &Path, notes: &mut Notes<'_, ProtectionGroupSpec>) {
    let list = path.key("members");
    let regions = target.members.iter().map(|member| &member.region);
    check_regions(group, &list, regions, Code::RegionWithoutMember, "member", notes);
    let mut buckets = Vec::new();
    for (index, member) in target.members.iter().enumerate() {
        if let Some(endpoint) = &member.endpoint {
            region::check_url(endpoint, &["https", "http"], &list.at(index).key("endpoint"), notes);
        }
        buckets.push((&member.region, format!("{}/{}", member.endpoint.as_deref().unwrap_or("aws"), member.bucket)));
    }
    check_shared(&list, "bucket", &buckets, notes);
}
