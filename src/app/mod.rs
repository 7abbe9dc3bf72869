//! Floor 6: the composition root. Settings, wiring, supervision, and the flows that every face offers: prepare and start a
//! run, resume it, give it orders, look at what would happen, keep markers fresh, stand ready.
//!
//! Flows return values and take a [`Progress`](crate::engine::Progress); they print nothing, so that a server or an
//! operator uses the same ones. What a crash in the middle means is the engine's affair: the journal says where it
//! stopped, and [`App::resume`] goes on from there.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use crate::{
    model::StepName,
    port::{Clock, Store, SystemClock},
    store::{Etcd, Sqlite},
};

mod anchors;
mod arm;
mod assurance;
mod bookkeeping;
mod bulletin;
mod coverage;
pub mod documents;
mod drills;
mod error;
mod followup;
mod helm;
mod history;
pub mod identity;
mod incident;
mod isolated;
mod keys;
mod live;
mod looking;
mod metering;
mod orders;
mod outage;
mod pack;
mod past;
mod persons;
mod place;
mod policy;
mod posts;
mod prepare;
mod preview;
mod readiness;
mod reading;
mod recordings;
mod records;
mod reports;
mod review;
mod rotation;
mod rounds;
mod route;
mod runs;
mod serve;
mod settings;
mod standby;
mod status;
mod stopping;
mod supervise;
mod telemetry;
mod tidings;
mod timed;
mod traces;
mod verifying;
mod vitals;
mod wire;
mod witness;

pub use anchors::{AnchorState, Asked};
pub use arm::{Watch, Watching};
pub use assurance::{Assured, Examined};
pub use coverage::{Coverage, Covered, LedgerSeen};
pub use drills::Scheduled;
pub use error::{AppError, Fault, go_on};
pub use followup::ToDo;
pub use helm::Listeners;
pub use incident::Drafted;
pub use keys::{KeyKind, KeyPlace, LedgerSettings};
pub use live::{Lived, Turn, Turning};
pub use metering::Metered;
pub use orders::{Order, Told};
pub use outage::{Outage, Probed};
pub use pack::SealedPack;
pub use persons::PersonSettings;
pub use place::StorePlace;
pub use policy::PolicyEntered;
pub use prepare::{Drawn, Prepared, Request, Witnessed};
pub use preview::{Preview, StepPreview, Would};
pub use readiness::{Gravity, Readiness, Unready};
pub use reading::{Entered, Reading, Shelf};
pub use records::Kept;
pub use reports::controls;
pub use review::{Review, Reviewed};
pub use route::{Misplaced, NoRoute, Route, Survey};
pub use runs::{Manner, Rested, Waiting};
pub use serve::{Answering, News, Serving, Teller, What, Witnessing};
pub use settings::{Environment, FilesAndEnvironment, Settings, SettingsError, Typed, environment, log_filter, settle};
pub use standby::Standing;
pub use status::{Gone, Last, Member, Observed, Open, Status};
pub use stopping::{Stands, Stopped};
pub use supervise::Supervision;
pub use telemetry::{BadFilter, LogFormat, start as start_log};
pub use traces::Collector;
pub use vitals::{Check, Vitals};
pub use wire::{Tools, Wired, install_crypto};
pub use witness::{Said, Witness};

/// What came of verifying the ledger.
pub use crate::store::ledger::Checked;

/// How long each step took in one earlier run.
type Durations = BTreeMap<StepName, Duration>;

/// Everything that the flows need: settings, a store, a clock, and what drivers are opened with.
pub struct App {
    /// Settings.
    pub settings: Settings,
    /// Journals, leases, reports, records.
    pub store: Arc<dyn Store>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// What drivers are opened with.
    pub tools: Tools,
    /// The ledger, as far as this process has read it.
    pub shelf: Arc<Shelf>,
}

impl App {
    /// Opens the store. A file is made where it is missing, and this blocks while another process migrates it; a cluster
    /// is not asked yet.
    pub fn open(settings: Settings) -> Result<Self, AppError> {
        let store: Arc<dyn Store> =
            match &settings.store {
                StorePlace::File(path) => Arc::new(Sqlite::open(path).map_err(|source| AppError::Store {
                    intent: format!("open the store {}", path.display()),
                    source,
                })?),
                StorePlace::Etcd(place) => Arc::new(
                    Etcd::open(place).map_err(|source| AppError::Store { intent: "open the store".into(), source })?,
                ),
            };
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::start());
        let tools = Tools::new(Arc::new(FilesAndEnvironment), Arc::clone(&clock));
        Ok(Self { settings, store, clock, tools, shelf: Arc::default() })
    }
}
