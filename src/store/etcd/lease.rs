//! Leases: three keys each. `term` and `holder` change hands in one transaction; a renewal writes `beat` alone, so that
//! appends, which compare the other two, never collide with it. Terms and revisions only grow.

use futures::future::BoxFuture;

use super::{
    Etcd, Written,
    layout::{self, Layout},
    txn::{self, Compare, Found, Op, Txn},
};
use crate::{
    model::Term,
    port::{LeaseError, LeaseKey, LeaseState, Leases, Permit, StoreError},
    store::rules,
};

/// Reads a lease.
pub(super) fn look(layout: &Layout, key: &LeaseKey) -> Op {
    let prefix = layout.lease(key);
    txn::page(&prefix, &prefix)
}

/// The permit's term holds its lease now: what every append rests on.
pub(super) fn held(layout: &Layout, permit: &Permit) -> [Compare; 2] {
    let key = permit.key();
    [txn::is(&layout.term(key), &permit.term().0.to_string()), txn::present(&layout.holder(key))]
}

/// A lease from what [`look`] found.
pub(super) fn state(key: &LeaseKey, found: &[Found]) -> Result<LeaseState, StoreError> {
    let mut state = LeaseState { holder: None, revision: 0, term: Term(0) };
    let corrupt = || StoreError::Corrupt { what: format!("the lease on {key}") };
    for pair in found {
        let text = || std::str::from_utf8(&pair.value).map_err(|_| corrupt());
        match pair.key.rsplit('/').next() {
            Some("term") => state.term = Term(text()?.parse().map_err(|_| corrupt())?),
            Some("holder") => state.holder = Some(text()?.split_once('\n').ok_or_else(corrupt)?.1.to_owned()),
            Some("beat") => state.revision = pair.revision,
            Some(_) | None => {}
        }
    }
    Ok(state)
}

impl Etcd {
    fn told(key: &LeaseKey) -> impl FnOnce(StoreError) -> LeaseError {
        move |source| LeaseError::Store { key: key.clone(), source }
    }

    /// What taking the lease rests on, besides that it was not touched since it was seen: the layout is ours. An empty
    /// cluster becomes ours.
    fn ours(&self, found: Option<&Found>) -> Result<(Compare, Option<Op>), StoreError> {
        let key = self.layout.layout();
        match found {
            None => Ok((txn::absent(&key), Some(txn::put(&key, layout::NUMBER)))),
            Some(found) if found.value == layout::NUMBER.as_bytes() => Ok((txn::is(&key, layout::NUMBER), None)),
            Some(found) => {
                let what = format!(
                    "{key} says layout {}, and this lifeboat knows layout {}; use the newer program, or another prefix",
                    String::from_utf8_lossy(&found.value),
                    layout::NUMBER
                );
                Err(StoreError::Corrupt { what })
            }
        }
    }

    async fn take(&self, key: &LeaseKey, holder: &str, unchanged_since: Option<u64>) -> Result<Permit, LeaseError> {
        let intent = || format!("take the lease on {key}");
        // Each turn that finds the lease touched found that somebody else got on.
        loop {
            let read = Txn::read([look(&self.layout, key), txn::get(&self.layout.layout())]);
            let answer = self.ask(intent, &read).await.map_err(Self::told(key))?;
            let seen = state(key, answer.all(0)).map_err(Self::told(key))?;
            let (ours, found_it) = self.ours(answer.one(1)).map_err(Self::told(key))?;
            let beat = self.layout.beat(key);
            let untouched = txn::unmoved(&beat, seen.revision);
            let next = rules::grant(key, Some(seen), holder, unchanged_since)?;
            let (proof, mark) = (self.layout.holder(key), self.mark());
            let take = Txn::when([untouched, ours]).then(found_it).then([
                txn::put(&self.layout.term(key), next.term.0.to_string()),
                txn::put(&proof, format!("{mark} 0\n{holder}")),
                txn::put(&beat, ""),
            ]);
            match self.write(intent, &proof, &mark, take).await.map_err(Self::told(key))? {
                Written::Done(_) => return Ok(Permit::granted(key.clone(), next.term)),
                Written::Refused(_) => {}
            }
        }
    }

    /// Changes the lease that the permit's term holds; the answer has the lease as it is otherwise.
    async fn change(&self, permit: &Permit, verb: &str, change: Vec<Op>) -> Result<bool, LeaseError> {
        let key = permit.key();
        let txn = Txn::when(held(&self.layout, permit))
            .then(change)
            .then([txn::put(&self.layout.beat(key), "")])
            .otherwise([look(&self.layout, key)]);
        let answer = self.ask(|| format!("{verb} the lease on {key}"), &txn).await.map_err(Self::told(key))?;
        if answer.succeeded {
            return Ok(true);
        }
        let now = state(key, answer.all(0)).map_err(Self::told(key))?;
        // An earlier try, whose reply was lost, gave it back.
        Ok(answer.repeated && now.holder.is_none() && now.term == permit.term())
    }
}

impl Leases for Etcd {
    fn acquire<'a>(
        &'a self,
        key: &'a LeaseKey,
        holder: &'a str,
        unchanged_since: Option<u64>,
    ) -> BoxFuture<'a, Result<Permit, LeaseError>> {
        Box::pin(self.take(key, holder, unchanged_since))
    }

    fn renew<'a>(&'a self, permit: &'a Permit) -> BoxFuture<'a, Result<(), LeaseError>> {
        Box::pin(async move {
            if self.change(permit, "renew", Vec::new()).await? {
                return Ok(());
            }
            permit.revoke();
            Err(rules::lost(permit))
        })
    }

    fn release<'a>(&'a self, permit: &'a Permit) -> BoxFuture<'a, Result<(), LeaseError>> {
        Box::pin(async move {
            // First: nothing acts any more, whatever the store says.
            permit.revoke();
            let given_back = vec![txn::delete(&self.layout.holder(permit.key()))];
            if self.change(permit, "give back", given_back).await? { Ok(()) } else { Err(rules::lost(permit)) }
        })
    }

    fn lease<'a>(&'a self, key: &'a LeaseKey) -> BoxFuture<'a, Result<LeaseState, StoreError>> {
        Box::pin(async move {
            let read = Txn::read([look(&self.layout, key)]);
            let answer = self.ask(|| format!("look at the lease on {key}"), &read).await?;
            state(key, answer.all(0))
        })
    }
}
