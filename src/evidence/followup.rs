//! What persons said of runs after they ended, gathered from the entries of a ledger: findings, actions, waivers, sign-offs. Pure.
//!
//! Each is known by the number of its entry. What closes an action that nobody opened closes nothing (`audit` says so).

use jiff::{Timestamp, civil::Date};
use serde::Serialize;

use super::{
    later::{ActionClosed, ActionOpened, FindingRaised, SignOff, Waiver},
    statement::{Entry, What},
};
use crate::model::RunId;

/// Something that is, or was, to be done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Action {
    /// The number of the entry that opened it.
    pub number: u64,
    /// When that was entered.
    pub at: Timestamp,
    /// What it is.
    pub opened: ActionOpened,
    /// How it was closed; absent: it is open.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub closed: Option<Closed>,
}

/// How an action was closed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Closed {
    /// The number of the entry that closed it.
    pub number: u64,
    /// When that was entered.
    pub at: Timestamp,
    /// What was done.
    #[serde(flatten)]
    pub what: ActionClosed,
}

impl Action {
    /// It is open, and its last day is over on this one.
    pub fn is_overdue(&self, on: Date) -> bool {
        self.closed.is_none() && on > self.opened.due
    }
}

/// A finding that a person raised.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Raised {
    /// The number of its entry.
    pub number: u64,
    /// When it was entered.
    pub at: Timestamp,
    /// What it is.
    #[serde(flatten)]
    pub what: FindingRaised,
}

/// All of it, in the order of the ledger.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FollowUp {
    /// Findings that persons raised.
    pub findings: Vec<Raised>,
    /// Actions, the closed ones too.
    pub actions: Vec<Action>,
    /// Waivers, with when each was entered.
    pub waivers: Vec<(Timestamp, Waiver)>,
    /// Sign-offs, with when each was entered.
    pub sign_offs: Vec<(Timestamp, SignOff)>,
}

impl FollowUp {
    /// From entries in order, each with its number.
    pub fn of<'a>(entries: impl IntoIterator<Item = (u64, &'a Entry)>) -> Self {
        let mut all = Self::default();
        for (number, entry) in entries {
            let at = entry.at;
            match &entry.what {
                What::FindingRaised(what) => all.findings.push(Raised { number, at, what: what.clone() }),
                What::ActionOpened(opened) => {
                    all.actions.push(Action { number, at, opened: opened.clone(), closed: None });
                }
                What::ActionClosed(what) => {
                    let open = |action: &&mut Action| action.number == what.action && action.closed.is_none();
                    if let Some(action) = all.actions.iter_mut().find(open) {
                        action.closed = Some(Closed { number, at, what: what.clone() });
                    }
                }
                What::Waived(waiver) => all.waivers.push((at, waiver.clone())),
                What::SignedOff(signed) => all.sign_offs.push((at, signed.clone())),
                What::LedgerOpened { .. }
                | What::LedgerRecovered { .. }
                | What::KeyAdded { .. }
                | What::KeyRetired { .. }
                | What::RunOpened { .. }
                | What::RunClosed { .. }
                | What::IncidentDrafted(_)
                | What::AssuranceRecorded(_)
                | What::PolicyChanged(_)
                | What::Anchored(_)
                | What::Heartbeat { .. }
                | What::Other => {}
            }
        }
        all
    }

    /// The action of that number.
    pub fn action(&self, number: u64) -> Option<&Action> {
        self.actions.iter().find(|action| action.number == number)
    }

    /// What was found in a run by persons.
    pub fn findings_of<'a>(&'a self, run: &'a RunId) -> impl Iterator<Item = &'a Raised> {
        self.findings.iter().filter(move |raised| raised.what.run == *run)
    }

    /// What is, or was, to be done because of a run.
    pub fn actions_of<'a>(&'a self, run: &'a RunId) -> impl Iterator<Item = &'a Action> {
        self.actions.iter().filter(move |action| action.opened.run == *run)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::Severity;

    fn opened(due: &str) -> What {
        What::ActionOpened(ActionOpened {
            run: "orders-7".parse().unwrap(),
            finding: Some("F-1".into()),
            severity: Severity::High,
            text: "raise the quota".into(),
            owner: "ben".parse().unwrap(),
            due: due.parse().unwrap(),
            by: "anna".parse().unwrap(),
        })
    }

    fn closed(action: u64, note: &str) -> What {
        What::ActionClosed(ActionClosed { action, note: note.into(), retest: None, by: "ben".parse().unwrap() })
    }

    fn of(whats: Vec<What>) -> FollowUp {
        let entries: Vec<Entry> =
            whats.into_iter().map(|what| Entry::new(Timestamp::UNIX_EPOCH, [0; 16], what)).collect();
        FollowUp::of((0..).zip(&entries))
    }

    #[test]
    fn an_action_is_overdue_from_the_day_after_its_last_until_it_is_closed() {
        let open = of(vec![opened("2026-12-15")]);
        for (on, overdue) in [("2026-12-14", false), ("2026-12-15", false), ("2026-12-16", true)] {
            assert_eq!(open.actions[0].is_overdue(on.parse().unwrap()), overdue, "{on}");
        }
        let done = of(vec![opened("2026-12-15"), closed(0, "it is raised")]);
        assert!(!done.actions[0].is_overdue("2027-01-01".parse().unwrap()));
        assert_eq!(done.actions[0].closed.as_ref().unwrap().what.note, "it is raised");
    }

    #[test]
    fn what_closes_nothing_changes_nothing() {
        let all = of(vec![opened("2026-12-15"), closed(7, "another"), closed(0, "first"), closed(0, "second")]);
        assert_eq!(all.actions[0].closed.as_ref().unwrap().what.note, "first");
    }
}
