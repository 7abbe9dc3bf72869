//! Floor 6: the composition root. Settings, wiring, supervision, and the flows that every face offers: prepare and start a
//! run, resume it, give it orders, look at what would happen, keep markers fresh, stand ready.
//!
//! Flows return values and take a [`Progress`](crate::engine::Progress); they print nothing, so that a server or an
//! operator uses the same ones. What a crash in the middle means is the engine's affair: the journal says where it
//! stopped, and [`App::resume`] goes on from there.

mod error;
mod history;
pub mod identity;
mod looking;
mod outage;
mod route;
mod settings;
mod supervise;
mod telemetry;

pub use error::{AppError, Fault, go_on};
pub use outage::{Outage, Probed};
pub use route::{Misplaced, NoRoute, Route, Survey};
pub use settings::{Environment, FilesAndEnvironment, Settings, SettingsError, Typed, environment, log_filter, settle};
pub use supervise::Supervision;
pub use telemetry::{BadFilter, LogFormat, start as start_log};
