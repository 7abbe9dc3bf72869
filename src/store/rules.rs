//! What a store refuses, as pure functions: every store asks these inside its own transaction, so that none of them
//! can be more lenient than another.

use crate::{
    model::{Command, EventBody, Opened, RunId, Term},
    port::{LeaseError, LeaseKey, LeaseState, Permit, RunSummary, StoreError},
};

/// What an append must know of the run and its lease, read in the transaction that appends.
#[derive(Debug, Clone, Copy)]
pub(super) struct Standing {
    /// The run is a rehearsal.
    pub(super) rehearsal: bool,
    /// The run is over.
    pub(super) closed: bool,
    /// Sequence of its last event.
    pub(super) last: u64,
    /// The term that holds the run's lease; `None`: nobody holds it.
    pub(super) held: Option<Term>,
}

/// The lease after a grant: free or unchanged, it goes to `holder` with the next term.
pub(super) fn grant(
    key: &LeaseKey,
    now: Option<LeaseState>,
    holder: &str,
    unchanged_since: Option<u64>,
) -> Result<LeaseState, LeaseError> {
    let now = now.unwrap_or(LeaseState { holder: None, revision: 0, term: Term(0) });
    if now.holder.is_some() && unchanged_since != Some(now.revision) {
        return Err(LeaseError::Held { key: key.clone(), state: now });
    }
    Ok(LeaseState { holder: Some(holder.to_owned()), revision: now.revision + 1, term: Term(now.term.0 + 1) })
}

/// Whether this permit is for the term that holds the lease now.
pub(super) fn holds(permit: &Permit, now: Option<&LeaseState>) -> bool {
    now.is_some_and(|state| state.holder.is_some() && state.term == permit.term())
}

/// Puts the permit out when the answer says that its term is over.
pub(super) fn heed<T>(permit: &Permit, answer: Result<T, StoreError>) -> Result<T, StoreError> {
    if matches!(answer, Err(StoreError::StaleTerm { .. })) {
        permit.revoke();
    }
    answer
}

/// The refusal of a term that is over.
pub(super) fn stale(permit: &Permit) -> StoreError {
    StoreError::StaleTerm { key: permit.key().to_string(), term: permit.term() }
}

/// The loss of a lease.
pub(super) fn lost(permit: &Permit) -> LeaseError {
    LeaseError::Lost { key: permit.key().clone(), term: permit.term() }
}

/// A run begins with `Opened`, for the group and the kind of lease that the permit is on.
pub(super) fn opening<'a>(permit: &Permit, body: &'a EventBody) -> Result<&'a Opened, StoreError> {
    let EventBody::Opened(opened) = body else {
        return Err(StoreError::Corrupt { what: "a journal that would not begin with the event `opened`".into() });
    };
    let key = permit.key();
    if opened.plan.group.name != key.group || opened.rehearsal != key.rehearsal {
        let what = format!("a run of {} under the lease on {key}", opened.plan.group.name);
        return Err(StoreError::Corrupt { what });
    }
    Ok(opened)
}

/// Events `after + 1 …` may be appended by this permit.
pub(super) fn may_append(permit: &Permit, run: &RunId, after: u64, now: Standing) -> Result<(), StoreError> {
    let key = permit.key();
    if key.group != run.group || key.rehearsal != now.rehearsal || now.held != Some(permit.term()) {
        return Err(stale(permit));
    }
    if now.last > after {
        return Err(StoreError::Conflict { run: run.clone(), seq: after + 1 });
    }
    if now.closed {
        return Err(StoreError::RunClosed { run: run.clone() });
    }
    if now.last < after {
        let what = format!("run {run} ends at event {}, and events were to follow event {after}", now.last);
        return Err(StoreError::Corrupt { what });
    }
    Ok(())
}

/// An order may go into the inbox of a run whose journal's last event has the term `last`.
pub(super) fn may_tell(run: &RunId, command: &Command, last: Term) -> Result<(), StoreError> {
    match command.expected_term {
        Some(expected) if expected != last => Err(StoreError::TermMoved { run: run.clone(), expected, found: last }),
        Some(_) | None => Ok(()),
    }
}

/// Newest first: one group's runs by number, whatever the wall clock did; runs of several groups by time.
pub(super) fn newest_first(runs: &mut [RunSummary], one_group: bool) {
    if one_group {
        runs.sort_by_key(|run| std::cmp::Reverse(run.run.number));
    } else {
        runs.sort_by(|a, b| (b.opened_at, &b.run).cmp(&(a.opened_at, &a.run)));
    }
}
