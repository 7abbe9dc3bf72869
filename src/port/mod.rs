//! Floor 1: the traits to the outside. No logic: what a driver, a store, a clock promise to the engine.

mod catalog;
mod clock;
mod control;
mod driver;
mod lease;
mod ledger;
mod notice;
mod persons;
mod probe;
mod secrets;
mod store;
mod task;

pub use catalog::{Catalog, Descriptor, Drivers, Touches};
pub use clock::{Clock, SystemClock};
pub use control::{Controls, Held, Reading};
pub use driver::{Beat, Call, Concern, Driver, Heartbeat, Known};
pub use lease::{LeaseError, LeaseKey, LeaseState, Leases, Permit};
pub use ledger::{Batch, Compose, Frames, Ledger, LedgerError, Leftover, Sealed, Standing};
pub use notice::{Notice, NoticeKind, Notifier, NotifyError};
pub use persons::{Claim, Nobody, PersonError, Persons};
pub use probe::{Health, Prober, Ready};
pub use secrets::{SecretError, Secrets};
pub use store::{Disposition, InboxEntry, Journal, Records, Reports, RunSummary, Stops, Store, StoreError};
pub use task::Tied;

/// Words of the store that drivers and faces read, too.
pub use crate::model::{MarkerSeen, ObserverReport, ProbeSeen};
