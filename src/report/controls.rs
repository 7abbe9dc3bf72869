//! Which requirement each kind of activity provides evidence towards: a table that its user may replace.
//!
//! The default is `controls.yaml` beside this file. The words *provides evidence towards* are meant: only an assessor says that a
//! requirement is satisfied.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    evidence::Record,
    model::{Control, ControlCheck, ControlState, RunKind, Verb},
};

/// The default table, as YAML.
pub const DEFAULT: &str = include_str!("controls.yaml");

/// One requirement that an activity supports.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Support {
    /// Whose: `ISO/IEC 27001:2022`.
    pub framework: String,
    /// Which: `A.5.30`.
    pub id: String,
    /// What it asks for, in a few words.
    pub title: String,
    /// The control's id in the OSCAL catalog of NIST SP 800-53 Rev. 5, where it has one: `cp-4.2`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oscal: Option<String>,
    /// The statement of that control that a measured run answers, where there is one: `cp-10_smt`. OSCAL findings are about
    /// statements; without one there are observations alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub statement: Option<String>,
}

impl Support {
    /// The same requirement.
    fn is(&self, other: &Self) -> bool {
        (&self.framework, &self.id) == (&other.framework, &other.id)
    }
}

/// The cross-walk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Controls {
    /// By activity: `failover`, `failback`, `switchover`, `rehearsal`, `ledger`, `restore`, `parity`, `readiness`, `signoff`, and the
    /// controls that drills compare (`encryptionAtRest`, `revocation`, …). Others may be named; no run supports them.
    pub activities: BTreeMap<String, Vec<Support>>,
}

/// A requirement, with the activities that support it.
pub(super) type Supported<'a> = (&'a Support, Vec<&'a str>);

impl Controls {
    /// What a run supports, and what it leaves open: each requirement once.
    pub(super) fn split(
        &self,
        record: &Record,
        signed: bool,
        accepted: bool,
    ) -> (Vec<Supported<'_>>, Vec<Supported<'_>>) {
        let carried = activities(record, signed, accepted);
        let (mut supported, mut open): (Vec<Supported<'_>>, Vec<Supported<'_>>) = (Vec::new(), Vec::new());
        for (activity, supports) in &self.activities {
            let list = if carried.contains(&activity.as_str()) { &mut supported } else { &mut open };
            for support in supports {
                match list.iter_mut().find(|(known, _)| known.is(support)) {
                    Some((_, by)) => by.push(activity),
                    None => list.push((support, vec![activity])),
                }
            }
        }
        open.retain(|(support, _)| !supported.iter().any(|(known, _)| known.is(support)));
        (supported, open)
    }

    /// The requirements that a run of this kind is about, however it ended.
    pub(super) fn about(&self, record: &Record) -> &[Support] {
        self.activities.get(activity(record)).map_or(&[], Vec::as_slice)
    }
}

/// What a run was to be, however it ended.
fn activity(record: &Record) -> &'static str {
    match record.run_kind {
        _ if record.rehearsal => "rehearsal",
        RunKind::Failover => "failover",
        RunKind::Switchover => "switchover",
        RunKind::Failback => "failback",
    }
}

/// What a run is evidence of. One that moved nothing shows no failover.
/// What does not hold shows no control.
fn activities(record: &Record, signed: bool, accepted: bool) -> Vec<&'static str> {
    let mut carried = Vec::new();
    let moved = |verb: Verb| verb.promotes() || verb == Verb::DnsSwitch;
    if record.rehearsal || record.steps.iter().any(|step| moved(step.verb) && step.state == "done") {
        carried.push(activity(record));
    }
    if signed {
        carried.push("ledger");
    }
    if accepted {
        carried.push("signoff");
    }
    let is = |check: &ControlCheck, state| check.state == state;
    let holds = |checks: &[&ControlCheck]| {
        checks.iter().any(|check| is(check, ControlState::Pass))
            && !checks.iter().any(|check| is(check, ControlState::Fail))
    };
    if holds(&record.parity.iter().collect::<Vec<_>>()) {
        carried.push("parity");
    }
    for control in Control::ALL {
        if holds(&record.parity.iter().filter(|check| check.control == control).collect::<Vec<_>>()) {
            carried.push(control.activity());
        }
    }
    carried
}
