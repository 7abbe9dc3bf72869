//! Names of a zone, switched by dynamic updates (RFC 2136) that are signed (TSIG, RFC 8945).
//!
//! Promises (S7): a change is conditional on the values that were judged, so nobody else's change is overwritten; all records of the
//! target change in one message, whole sets at a time, so no name is ever empty and no reader sees half a switch; the change is
//! read back from every authoritative server before it counts. A record never gets a time to live above the declared one.
//!
//! Assumes: servers are named by address (DNS may be what is broken), and the key may update every declared record.
//!
//! A crash in the middle: the primary has applied the update as a whole or not at all. The next observation reads it: what is
//! already so is not sent again.

mod client;
mod descriptor;
mod observe;
mod operation;
mod params;
mod preflight;

use std::{fmt, sync::Arc};

use futures::future::BoxFuture;
use serde_json::Value;

pub use self::{
    descriptor::descriptor,
    params::{BadSettings, Settings},
};
use crate::{
    model::{Attempt, Endpoint, Facts, Observed, RegionName, TargetName, Verb},
    port::{Call, Clock, Concern, Descriptor, Driver, Heartbeat, Permit, Secrets, SystemClock},
};

/// The driver, opened for one target.
#[derive(Clone)]
pub struct Rfc2136 {
    name: TargetName,
    settings: Settings,
    secrets: Arc<dyn Secrets>,
    clock: Arc<dyn Clock>,
}

impl fmt::Debug for Rfc2136 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rfc2136").field("name", &self.name).field("settings", &self.settings).finish_non_exhaustive()
    }
}

impl Rfc2136 {
    /// Opens the driver on pinned settings ([`crate::spec::Rfc2136Target`]). Connects to nothing; the key's secret is read when an
    /// update is signed.
    pub fn open(name: &TargetName, settings: &Value, secrets: Arc<dyn Secrets>) -> Result<Self, BadSettings> {
        let settings = Settings::read(settings)?;
        Ok(Self { name: name.clone(), settings, secrets, clock: Arc::new(SystemClock::start()) })
    }

    /// The same, by another clock: it bounds the waits and dates the signatures.
    #[must_use]
    pub fn with_clock(self, clock: Arc<dyn Clock>) -> Self {
        Self { clock, ..self }
    }
}

impl Driver for Rfc2136 {
    fn descriptor(&self, verb: Verb) -> Option<&'static Descriptor> {
        descriptor(verb)
    }

    fn observe<'a>(&'a self, call: &'a Call) -> BoxFuture<'a, Observed> {
        Box::pin(self.look(call))
    }

    fn act<'a>(&'a self, permit: &'a Permit, call: &'a Call) -> BoxFuture<'a, Attempt> {
        Box::pin(async move {
            if let Some(refusal) = descriptor(call.verb).and_then(|facts| facts.refusal(&call.with)) {
                refusal
            } else if call.verb == Verb::DnsVerify {
                self.verify(permit, call).await
            } else {
                self.switch(permit, call, &call.destination).await
            }
        })
    }

    fn undo<'a>(&'a self, permit: &'a Permit, call: &'a Call) -> BoxFuture<'a, Attempt> {
        Box::pin(self.switch(permit, call, &call.source))
    }

    fn endpoints(&self, call: &Call) -> Vec<Endpoint> {
        self.touched(call.verb)
    }

    fn survey(&self) -> BoxFuture<'_, Facts> {
        Box::pin(self.sides())
    }

    fn preflight<'a>(&'a self, source: &'a RegionName, destination: &'a RegionName) -> BoxFuture<'a, Vec<Concern>> {
        Box::pin(self.concerns(source, destination))
    }

    fn heartbeat(&self) -> Option<&dyn Heartbeat> {
        None
    }
}
