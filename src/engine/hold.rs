//! Taking a lease and keeping it.
//!
//! The holder renews every third of the time-to-live. When its own monotonic clock says that a whole time-to-live went by
//! since the last renewal that it *began* successfully, it stops acting at once, whatever the store says later: by
//! then a contender may have taken over. A grant counts from when it was asked for, too: the store may have written it
//! long before its answer came back. A store that does not answer holds nobody up beyond that time. What is under way is told
//! through a [`Watch`] before it takes its next step: a process that was stopped for a while must not finish what it began.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use futures::{
    FutureExt as _,
    future::{Either, select},
};

use crate::port::{Clock, LeaseError, LeaseKey, LeaseState, Permit, Store};

/// Three seconds: bounds how long a killed process stands in the way of the next. Renewals cost one commit a
/// second; a store that stalls for two seconds does not yet end a failover.
pub const TIME_TO_LIVE: Duration = Duration::from_secs(3);

/// A held lease.
pub struct Hold {
    permit: Permit,
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    renewed: Duration,
    over: Arc<AtomicU64>,
}

/// Puts a permit out when its time is over, for those who hold no [`Hold`].
pub(super) struct Watch {
    permit: Permit,
    clock: Arc<dyn Clock>,
    over: Arc<AtomicU64>,
}

impl Watch {
    /// Looks at the clock.
    pub(super) fn look(&self) {
        if nanoseconds(self.clock.monotonic()) >= self.over.load(Ordering::Acquire) {
            self.permit.revoke();
        }
    }
}

/// Enough for 584 years of a process' life.
fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

/// Told while waiting for a lease that another process holds.
pub type Waiting<'a> = &'a mut (dyn FnMut(&LeaseState) + Send);

/// Takes the lease on `key`. When another process holds it, watches for a full time-to-live: a holder that renews
/// in between is alive, and the answer is `Held`; one that does not is gone, and the lease is taken over.
pub async fn take(
    store: &Arc<dyn Store>,
    clock: &Arc<dyn Clock>,
    key: &LeaseKey,
    holder: &str,
    waiting: Waiting<'_>,
) -> Result<Hold, LeaseError> {
    let asked = clock.monotonic();
    let held = match store.acquire(key, holder, None).await {
        Ok(permit) => return Ok(Hold::new(permit, store, clock, asked)),
        Err(LeaseError::Held { state, .. }) => state,
        Err(other) => return Err(other),
    };
    waiting(&held);
    let deadline = clock.monotonic() + TIME_TO_LIVE;
    while clock.monotonic() < deadline {
        clock.sleep(Duration::from_millis(50)).await;
        let state = store.lease(key).await.map_err(|source| LeaseError::Store { key: key.clone(), source })?;
        if state.holder.is_none() {
            break;
        }
        if state.revision != held.revision {
            return Err(LeaseError::Held { key: key.clone(), state });
        }
    }
    let asked = clock.monotonic();
    let permit = store.acquire(key, holder, Some(held.revision)).await?;
    Ok(Hold::new(permit, store, clock, asked))
}

impl Hold {
    fn new(permit: Permit, store: &Arc<dyn Store>, clock: &Arc<dyn Clock>, asked: Duration) -> Self {
        let over = Arc::new(AtomicU64::new(nanoseconds(asked + TIME_TO_LIVE)));
        Self { permit, store: Arc::clone(store), clock: Arc::clone(clock), renewed: asked, over }
    }

    /// A watch over this permit.
    pub(super) fn watch(&self) -> Watch {
        Watch { permit: self.permit.clone(), clock: Arc::clone(&self.clock), over: Arc::clone(&self.over) }
    }

    /// The proof.
    pub fn permit(&self) -> &Permit {
        &self.permit
    }

    /// How long until the next renewal is due.
    pub(super) fn due_in(&self) -> Duration {
        (self.renewed + TIME_TO_LIVE / 3).saturating_sub(self.clock.monotonic())
    }

    /// Puts the permit out when it was not renewed in time, and says whether it still holds.
    pub(super) fn check(&self) -> Result<(), LeaseError> {
        if self.clock.monotonic() >= self.renewed + TIME_TO_LIVE {
            self.permit.revoke();
        }
        if self.permit.live() {
            Ok(())
        } else {
            Err(LeaseError::Lost { key: self.permit.key().clone(), term: self.permit.term() })
        }
    }

    /// Renews when it is due. A store that cannot be reached is asked again at the next turn, until the time is up.
    pub(super) async fn renew(&mut self) -> Result<(), LeaseError> {
        self.check()?;
        if !self.due_in().is_zero() {
            return Ok(());
        }
        let began = self.clock.monotonic();
        let mut renewing = self.store.renew(&self.permit);
        let renewed = if let Some(renewed) = (&mut renewing).now_or_never() {
            renewed
        } else {
            let left = (self.renewed + TIME_TO_LIVE).saturating_sub(began);
            match select(renewing, self.clock.sleep(left)).await {
                Either::Left((renewed, _)) => renewed,
                Either::Right(((), _)) => return self.check(),
            }
        };
        match renewed {
            Ok(()) => {
                self.renewed = began;
                self.over.store(nanoseconds(began + TIME_TO_LIVE), Ordering::Release);
                self.check()
            }
            Err(LeaseError::Store { .. }) => self.check(),
            Err(lost @ (LeaseError::Lost { .. } | LeaseError::Held { .. })) => {
                self.permit.revoke();
                Err(lost)
            }
        }
    }

    /// Gives the lease back. Failing to is harmless: it ends by itself.
    pub async fn release(self) {
        let _ended_by_itself = self.store.release(&self.permit).await;
        self.permit.revoke();
    }
}
