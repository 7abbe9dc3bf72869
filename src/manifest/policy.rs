//! Drill policies read into what they ask of each group, with every defect of their numbers reported.

use std::collections::BTreeSet;

use super::{
    code::Code,
    document::{Document, Documents},
    finding::Finding,
    locate::Path,
};
use crate::{
    model::{Asked, Requirement, RequirementName, Tier, Validity},
    spec::{DrillPolicySpec, ProtectionGroupSpec, RequirementSpec},
};

/// Calendar days that a period may have: ten years.
const DAYS: std::ops::RangeInclusive<u32> = 1..=3_660;
/// Calendar days that a sign-off may take.
const SIGN_OFF: std::ops::RangeInclusive<u32> = 1..=365;
/// A period's warning where the policy does not say: two weeks are enough to plan a drill.
const WARN: u32 = 14;

/// The tier of a group.
pub(super) fn tier(group: &ProtectionGroupSpec) -> Tier {
    Tier(group.tier.unwrap_or(1))
}

/// Whether the policy asks anything of the group.
pub(super) fn matches(policy: &DrillPolicySpec, group: &Document<ProtectionGroupSpec>) -> bool {
    let (groups, tiers) = (&policy.groups.groups, &policy.groups.tiers);
    (groups.is_empty() && tiers.is_empty()) || groups.contains(&group.name) || tiers.contains(&tier(&group.spec).0)
}

/// What a requirement is called.
pub(super) fn name(spec: &RequirementSpec) -> Option<RequirementName> {
    // The kind's word follows the rule of names.
    spec.name.clone().or_else(|| RequirementName::new(spec.kind.lower()).ok())
}

/// The requirements of a policy.
///
/// # Errors
/// Every number that is out of its range.
pub(super) fn requirements(document: &Document<DrillPolicySpec>) -> Result<Vec<Requirement>, Vec<Finding>> {
    let spec = &document.spec;
    let mut findings = Vec::new();
    let mut range = |path: Path, found: u32, allowed: &std::ops::RangeInclusive<u32>| {
        if !allowed.contains(&found) {
            let message = format!("{} to {} days are possible, found {found}", allowed.start(), allowed.end());
            findings.push(document.finding(Code::OutOfRange, &path, message, "90 is a quarter, 365 a year"));
        }
    };
    let path = Path::spec().key("require");
    for (at, one) in spec.require.iter().enumerate() {
        range(path.at(at).key("everyDays"), one.every_days, &DAYS);
    }
    let retest = spec.after_failure.retest_within_days;
    range(Path::spec().key("afterFailure").key("retestWithinDays"), retest, &DAYS);
    if let Some(days) = spec.valid_if.signed_off_within_days {
        range(Path::spec().key("validIf").key("signedOffWithinDays"), days, &SIGN_OFF);
    }
    for (at, one) in spec.require.iter().enumerate() {
        if let Some(warn) = one.warn_days.filter(|warn| *warn >= one.every_days) {
            let message = format!("it would be due soon {warn} days before, and the period has {}", one.every_days);
            let help = "write fewer days than `everyDays`";
            findings.push(document.finding(Code::OutOfRange, &path.at(at).key("warnDays"), message, help));
        }
    }
    if !findings.is_empty() {
        return Err(findings);
    }
    let requirement = |one: &RequirementSpec| {
        Some(Requirement {
            policy: document.name.clone(),
            name: name(one)?,
            kind: one.kind,
            every_days: one.every_days,
            warn_days: one.warn_days.unwrap_or_else(|| WARN.min(one.every_days / 4)),
            directions: one.directions,
            stale_on: spec.stale_on.iter().copied().collect(),
            valid: Validity {
                verdicts: spec.valid_if.verdicts.clone(),
                recovery_time_met: spec.valid_if.recovery_time_met,
                recovery_point_met: spec.valid_if.recovery_point_met,
                parity: spec.valid_if.parity,
                signed_off_within_days: spec.valid_if.signed_off_within_days,
            },
            retest_within_days: retest,
            counts_real_events: spec.counts_real_events,
        })
    };
    Ok(spec.require.iter().filter_map(requirement).collect())
}

/// What all policies ask of each group, in document order.
///
/// # Errors
/// Every number of a policy that is out of its range.
pub fn asked(documents: &Documents) -> Result<Vec<Asked>, Vec<Finding>> {
    let mut findings = Vec::new();
    let mut policies = Vec::new();
    for policy in &documents.policies {
        match requirements(policy) {
            Ok(requirements) => policies.push((policy, requirements)),
            Err(found) => findings.extend(found),
        }
    }
    if !findings.is_empty() {
        return Err(findings);
    }
    let of = |group: &Document<ProtectionGroupSpec>| {
        let mine = policies.iter().filter(|(policy, _)| matches(&policy.spec, group));
        Asked {
            group: group.name.clone(),
            tier: tier(&group.spec),
            requirements: mine.flat_map(|(_, requirements)| requirements.clone()).collect(),
        }
    };
    Ok(documents.groups.iter().map(of).collect())
}

/// Requirements whose name another one of the policy had before, with their places.
pub(super) fn repeated(spec: &DrillPolicySpec) -> Vec<(usize, RequirementName)> {
    let mut seen = BTreeSet::new();
    spec.require
        .iter()
        .enumerate()
        .filter_map(|(at, one)| Some((at, name(one)?)))
        .filter(|(_, name)| !seen.insert(name.clone()))
        .collect()
}
