//! Floor 3: figures for Prometheus, and the traces of runs.
//!
//! Promises: every series is named `lifeboat_…` and has labels that documents bound (group, region, target, probe, observer,
//! channel, anchor, requirement) or that this program does (verb, result, state). What a document no longer names can be forgotten
//! ([`Meter::forget`]), so that no alert rests on a figure that nobody renews. Observing never blocks on anything but a
//! short lock, and never fails.
//!
//! Assumes that whoever observes knows the truth: nothing is read from anywhere here. A crash loses the figures and nothing
//! else; counters begin at zero again, which Prometheus takes for what it is.

mod anchor;
mod family;
mod group;
mod label;
mod programme;
mod run;
mod trace;
mod watch;

use std::sync::{Arc, Mutex, PoisonError};

use prometheus_client::{
    encoding::text::encode,
    metrics::{family::Family, gauge::Gauge},
    registry::Registry,
};

use self::{anchor::AnchorSeries, group::GroupSeries, programme::ProgrammeSeries, run::RunSeries, watch::WatchSeries};
pub use self::{
    group::{Condition, GroupFigures, TargetFigures},
    label::{Fate, Judged, RunResult},
    programme::{LastTrial, ProgrammeFigures, RequirementFigures},
    run::RunFigures,
    trace::trace,
};
use crate::model::GroupName;

/// The content type of [`Meter::render`]: OpenMetrics 1.0 text.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The figures of this process. Cheap to clone; clones share them.
#[derive(Clone)]
pub struct Meter {
    registry: Arc<Registry>,
    group: GroupSeries,
    programme: ProgrammeSeries,
    run: RunSeries,
    watch: WatchSeries,
    anchor: AnchorSeries,
    /// Attempts that began, by run and step: what is under way when an outcome comes.
    underway: Arc<Mutex<run::Underway>>,
}

impl Meter {
    /// A meter that says which program this is.
    pub fn new(version: &str) -> Self {
        let mut registry = Registry::with_prefix("lifeboat");
        // A gauge and not an `Info`: readers of the older text format do not know that type.
        let build = Family::<Vec<(String, String)>, Gauge>::default();
        build.get_or_create_owned(&vec![("version".to_owned(), version.to_owned())]).set(1);
        registry.register("build_info", "1: this program runs", build);
        let group = GroupSeries::register(&mut registry);
        let programme = ProgrammeSeries::register(&mut registry);
        let run = RunSeries::register(&mut registry);
        let watch = WatchSeries::register(&mut registry);
        let anchor = AnchorSeries::register(&mut registry);
        Self { registry: Arc::new(registry), group, programme, run, watch, anchor, underway: Arc::default() }
    }

    /// Everything, as OpenMetrics text (`CONTENT_TYPE`).
    pub fn render(&self) -> String {
        let mut text = String::new();
        // Writing to a String cannot fail.
        let _always = encode(&mut text, &self.registry);
        text
    }

    /// Drops all series of a group that is in no document any more.
    pub fn forget(&self, group: &GroupName) {
        self.group.forget(group.as_str());
        self.programme.forget(group.as_str());
        self.run.forget(group.as_str());
        self.watch.forget(group.as_str());
        let mut underway = self.underway.lock().unwrap_or_else(PoisonError::into_inner);
        underway.retain(|(run, _), _| run.group != *group);
    }
}

impl std::fmt::Debug for Meter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Meter").finish_non_exhaustive()
    }
}
