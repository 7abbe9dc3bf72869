//! A store whose appends are taken down: how long each took, and whether it was taken.
//!
//! Everything else is handed on as it is. Nothing is kept here, so a crash loses figures and nothing else.

use std::{sync::Arc, time::Duration};

use futures::future::BoxFuture;
use jiff::Timestamp;

use super::App;
use crate::{
    meter::Meter,
    model::{Command, Event, EventBody, GroupName, ObserverReport, RunId, StopOrder},
    port::{
        Clock, InboxEntry, Journal, LeaseError, LeaseKey, LeaseState, Leases, Permit, Records, Reports, RunSummary,
        Stops, Store, StoreError,
    },
};

struct Timed {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    meter: Meter,
}

impl App {
    /// The same, with a store whose appends the meter hears of.
    pub(super) fn timed(&self, meter: &Meter) -> Self {
        let (store, clock, meter) = (Arc::clone(&self.store), Arc::clone(&self.clock), meter.clone());
        Self {
            settings: self.settings.clone(),
            store: Arc::new(Timed { store, clock, meter }),
            clock: Arc::clone(&self.clock),
            tools: self.tools.clone(),
            shelf: Arc::clone(&self.shelf),
        }
    }
}

impl Timed {
    async fn append_timed<T>(&self, appending: BoxFuture<'_, Result<T, StoreError>>) -> Result<T, StoreError> {
        let begun = self.clock.monotonic();
        let result = appending.await;
        self.meter.appended(self.clock.monotonic().saturating_sub(begun), result.is_ok());
        result
    }
}

impl Journal for Timed {
    fn open<'a>(
        &'a self,
        permit: &'a Permit,
        at: Timestamp,
        opened: EventBody,
    ) -> BoxFuture<'a, Result<(RunId, Event), StoreError>> {
        Box::pin(self.append_timed(self.store.open(permit, at, opened)))
    }
    fn append<'a>(
        &'a self,
        permit: &'a Permit,
        run: &'a RunId,
        after: u64,
        events: Vec<(Timestamp, EventBody)>,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(self.append_timed(self.store.append(permit, run, after, events)))
    }
    fn read<'a>(&'a self, run: &'a RunId, after: u64) -> BoxFuture<'a, Result<Vec<Event>, StoreError>> {
        self.store.read(run, after)
    }
    fn runs<'a>(&'a self, group: Option<&'a GroupName>) -> BoxFuture<'a, Result<Vec<RunSummary>, StoreError>> {
        self.store.runs(group)
    }
    fn tell<'a>(&'a self, run: &'a RunId, command: Command) -> BoxFuture<'a, Result<u64, StoreError>> {
        self.store.tell(run, command)
    }
    fn inbox<'a>(&'a self, run: &'a RunId, after: u64) -> BoxFuture<'a, Result<Vec<InboxEntry>, StoreError>> {
        self.store.inbox(run, after)
    }
    fn changed<'a>(&'a self, run: &'a RunId, after: u64) -> BoxFuture<'a, ()> {
        self.store.changed(run, after)
    }
    fn pace(&self) -> Duration {
        self.store.pace()
    }
}

impl Leases for Timed {
    fn acquire<'a>(
        &'a self,
        key: &'a LeaseKey,
        holder: &'a str,
        unchanged_since: Option<u64>,
    ) -> BoxFuture<'a, Result<Permit, LeaseError>> {
        self.store.acquire(key, holder, unchanged_since)
    }
    fn renew<'a>(&'a self, permit: &'a Permit) -> BoxFuture<'a, Result<(), LeaseError>> {
        self.store.renew(permit)
    }
    fn release<'a>(&'a self, permit: &'a Permit) -> BoxFuture<'a, Result<(), LeaseError>> {
        self.store.release(permit)
    }
    fn lease<'a>(&'a self, key: &'a LeaseKey) -> BoxFuture<'a, Result<LeaseState, StoreError>> {
        self.store.lease(key)
    }
}

impl Reports for Timed {
    fn publish<'a>(&'a self, report: &'a ObserverReport) -> BoxFuture<'a, Result<(), StoreError>> {
        self.store.publish(report)
    }
    fn reports<'a>(&'a self, group: &'a GroupName) -> BoxFuture<'a, Result<Vec<ObserverReport>, StoreError>> {
        self.store.reports(group)
    }
}

impl Records for Timed {
    fn keep<'a>(&'a self, run: &'a RunId, record: String) -> BoxFuture<'a, Result<(), StoreError>> {
        self.store.keep(run, record)
    }
    fn record<'a>(&'a self, run: &'a RunId) -> BoxFuture<'a, Result<Option<String>, StoreError>> {
        self.store.record(run)
    }
}

impl Stops for Timed {
    fn order_stop<'a>(&'a self, order: &'a StopOrder) -> BoxFuture<'a, Result<(), StoreError>> {
        self.store.order_stop(order)
    }
    fn stop_orders(&self) -> BoxFuture<'_, Result<Vec<StopOrder>, StoreError>> {
        self.store.stop_orders()
    }
}
