//! Leases: one row for each group and kind. Terms and revisions only grow, a freed lease keeps both.

use futures::future::BoxFuture;
use rusqlite::{Connection, OptionalExtension as _, params};

use super::{
    Sqlite,
    row::{counter, signed, term},
    unavailable,
    worker::{Fault, Halt},
};
use crate::{
    model::Term,
    port::{LeaseError, LeaseKey, LeaseState, Leases, Permit, StoreError},
    store::rules,
};

impl Leases for Sqlite {
    fn acquire<'a>(
        &'a self,
        key: &'a LeaseKey,
        holder: &'a str,
        unchanged_since: Option<u64>,
    ) -> BoxFuture<'a, Result<Permit, LeaseError>> {
        Box::pin(async move {
            let (of, by) = (key.clone(), holder.to_owned());
            let granted = self.writer.ask(move |db| {
                let state = rules::grant(&of, state(db, &of)?, &by, unchanged_since).map_err(Halt::Said)?;
                set(db, &of, &state)?;
                Ok(state.term)
            });
            let term = granted.await.map_err(|fault| told(fault, key, "take"))?;
            Ok(Permit::granted(key.clone(), term))
        })
    }

    fn renew<'a>(&'a self, permit: &'a Permit) -> BoxFuture<'a, Result<(), LeaseError>> {
        Box::pin(async move {
            let by = permit.clone();
            let renewed = self.writer.ask(move |db| change(db, &by, |_| {})).await;
            let renewed = renewed.map_err(|fault| told(fault, permit.key(), "renew"));
            if matches!(renewed, Err(LeaseError::Lost { .. })) {
                permit.revoke();
            }
            renewed
        })
    }

    fn release<'a>(&'a self, permit: &'a Permit) -> BoxFuture<'a, Result<(), LeaseError>> {
        Box::pin(async move {
            // First: nothing acts any more, whatever the store says.
            permit.revoke();
            let by = permit.clone();
            let released = self.writer.ask(move |db| change(db, &by, |state| state.holder = None)).await;
            released.map_err(|fault| told(fault, permit.key(), "give back"))
        })
    }

    fn lease<'a>(&'a self, key: &'a LeaseKey) -> BoxFuture<'a, Result<LeaseState, StoreError>> {
        Box::pin(async move {
            let of = key.clone();
            let seen = self.read(|| format!("look at the lease on {key}"), move |db| Ok(state(db, &of)?)).await?;
            Ok(seen.unwrap_or(LeaseState { holder: None, revision: 0, term: Term(0) }))
        })
    }
}

fn told(fault: Fault<LeaseError>, key: &LeaseKey, verb: &str) -> LeaseError {
    match fault {
        Fault::Said(error) => error,
        Fault::Broken(problem) => {
            LeaseError::Store { key: key.clone(), source: unavailable(format!("{verb} the lease on {key}"), problem) }
        }
    }
}

/// How a lease stands; `None`: nobody ever took it.
pub(super) fn state(db: &Connection, key: &LeaseKey) -> rusqlite::Result<Option<LeaseState>> {
    db.prepare_cached("SELECT holder, revision, term FROM leases WHERE grp = ?1 AND rehearsal = ?2")?
        .query_row(params![key.group.as_str(), key.rehearsal], |row| {
            Ok(LeaseState { holder: row.get(0)?, revision: counter(row.get(1)?), term: term(row.get(2)?) })
        })
        .optional()
}

fn set(db: &Connection, key: &LeaseKey, state: &LeaseState) -> rusqlite::Result<()> {
    db.prepare_cached(
        "INSERT INTO leases (grp, rehearsal, holder, revision, term) VALUES (?1, ?2, ?3, ?4, ?5) \
         ON CONFLICT (grp, rehearsal) DO UPDATE SET holder = ?3, revision = ?4, term = ?5",
    )?
    .execute(params![key.group.as_str(), key.rehearsal, state.holder, signed(state.revision), signed(state.term.0)])
    .map(|_| ())
}

/// Moves the revision of a lease on, if this permit's term still holds it.
fn change(db: &Connection, permit: &Permit, how: impl FnOnce(&mut LeaseState)) -> Result<(), Halt<LeaseError>> {
    let Some(mut now) = state(db, permit.key())?.filter(|now| rules::holds(permit, Some(now))) else {
        return Err(Halt::Said(rules::lost(permit)));
    };
    now.revision += 1;
    how(&mut now);
    set(db, permit.key(), &now)?;
    Ok(())
}
