//! Which code speaks for which word: the catalog of all drivers, and the opening of those that a plan names.
//!
//! A run is opened from what it pinned, never from documents: the one that resumes it may not have them.

use std::sync::Arc;

use serde_json::Value;

use super::{AppError, error::whole};
use crate::{
    driver::{aftermath, awaiting, command, fake, http, parity, postgres, rfc2136, s3, wait},
    model::{Capability, Group, Plan, TargetRef, Verb},
    port::{Catalog, Clock, Descriptor, Driver, Drivers, Prober, Secrets, Touches},
    probe::Probes,
};

/// The names of the drivers of targets, as written in documents.
const TARGETS: [&str; 4] = ["postgres", "s3", "rfc2136", "fake"];

/// Everything that this program can do.
#[derive(Debug, Clone, Copy, Default)]
pub struct Wired;

impl Catalog for Wired {
    fn drivers(&self) -> Vec<&'static str> {
        TARGETS.to_vec()
    }

    fn descriptor(&self, driver: Option<&str>, capability: Capability, verb: Verb) -> Option<&'static Descriptor> {
        if verb.capability() != capability {
            return None;
        }
        match driver {
            Some("postgres") => postgres::descriptor(verb),
            Some("s3") => s3::descriptor(verb),
            Some("rfc2136") => rfc2136::descriptor(verb),
            Some("fake") => fake::descriptor(verb),
            Some(_) => None,
            None => general(verb),
        }
    }
}

fn general(verb: Verb) -> Option<&'static Descriptor> {
    match verb {
        Verb::Approve => Some(&APPROVE),
        Verb::ProbeAwait => awaiting::descriptor(verb),
        Verb::Command => command::descriptor(verb),
        Verb::Http => http::descriptor(verb),
        Verb::Wait => wait::descriptor(verb),
        _ => None,
    }
}

/// `approve` is the engine's own: no driver is asked.
static APPROVE: Descriptor = Descriptor {
    verb: Verb::Approve,
    effect: crate::model::Effect::Reads,
    reversible: false,
    observable: true,
    touches: Touches::Neither,
    // Two minutes for a person who was called: a guess that predictions say is one.
    expected: std::time::Duration::from_mins(2),
    timeout: std::time::Duration::from_hours(24),
    attempts: 1,
    outputs: &["approved_by"],
    check: check_approve,
};

fn check_approve(with: &serde_json::Map<String, Value>) -> Result<(), String> {
    serde_json::from_value::<crate::spec::ApproveParams>(Value::Object(with.clone()))
        .map(|_| ())
        .map_err(|error| error.to_string())
}

/// What drivers are opened with.
#[derive(Clone)]
pub struct Tools {
    /// Where secrets come from.
    pub secrets: Arc<dyn Secrets>,
    /// Where time comes from.
    pub clock: Arc<dyn Clock>,
    /// All kinds of probes.
    pub prober: Arc<dyn Prober>,
}

impl Tools {
    /// The real ones.
    pub fn new(secrets: Arc<dyn Secrets>, clock: Arc<dyn Clock>) -> Self {
        let prober = Arc::new(Probes::new(Arc::clone(&secrets)));
        Self { secrets, clock, prober }
    }

    /// Opens the drivers of a plan: all targets of its group, and the general verbs that its steps name.
    pub fn open(&self, plan: &Plan) -> Result<Drivers, AppError> {
        let mut drivers = self.open_targets(&plan.group)?;
        self.open_looks(plan, &mut drivers)?;
        let undos = plan.steps.iter().filter_map(|step| step.undo.as_ref().map(|undo| undo.uses));
        for verb in plan.steps.iter().map(|step| step.verb).chain(undos) {
            if let Some(driver) = self.general(verb, plan) {
                drivers.general.entry(verb).or_insert(driver);
            }
        }
        Ok(drivers)
    }

    /// Opens what looks at the real targets in a drill.
    fn open_looks(&self, plan: &Plan, drivers: &mut Drivers) -> Result<(), AppError> {
        let mut real = None;
        if let Some(isolation) = &plan.isolation {
            let opened = self.open_all(&isolation.real)?;
            let watched = |targets: &[TargetRef], drivers: &Drivers| -> Vec<aftermath::Watched> {
                let of = |target: &TargetRef| {
                    let driver = drivers.targets.get(&target.name)?;
                    Some((target.name.clone(), target.capability, Arc::clone(driver)))
                };
                targets.iter().filter_map(of).collect()
            };
            let (stand_ins, real_ones) = (watched(&plan.group.targets, drivers), watched(&isolation.real, &opened));
            let looks: Arc<dyn Driver> = Arc::new(aftermath::Aftermath::new(stand_ins, real_ones));
            for verb in [Verb::DrillLeftovers, Verb::DrillUntouched] {
                let _first = drivers.general.insert(verb, Arc::clone(&looks));
            }
            real = Some(opened.targets);
        }
        if plan.steps.iter().any(|step| step.verb == Verb::DrillParity) {
            let targets = real.unwrap_or_else(|| drivers.targets.clone());
            let parity = parity::Parity::new(targets.into_iter().collect(), Arc::clone(&self.prober));
            let _first = drivers.general.insert(Verb::DrillParity, Arc::new(parity));
        }
        Ok(())
    }

    /// Opens the drivers of a group's targets.
    pub fn open_targets(&self, group: &Group) -> Result<Drivers, AppError> {
        self.open_all(&group.targets)
    }

    /// Opens the drivers of these targets.
    pub(super) fn open_all(&self, targets: &[TargetRef]) -> Result<Drivers, AppError> {
        let mut drivers = Drivers::default();
        for target in targets {
            let driver =
                self.target(target).map_err(|why| AppError::Driver { what: format!("target {}", target.name), why })?;
            drivers.targets.insert(target.name.clone(), driver);
        }
        Ok(drivers)
    }

    fn target(&self, target: &TargetRef) -> Result<Arc<dyn Driver>, String> {
        let (name, settings, secrets) = (target.name.as_str(), &target.settings, Arc::clone(&self.secrets));
        match target.driver.as_str() {
            "postgres" => {
                Ok(Arc::new(postgres::Postgres::open(name, settings, secrets).map_err(|error| whole(&error))?))
            }
            "s3" => Ok(Arc::new(s3::S3::open(name, settings, secrets).map_err(|error| whole(&error))?)),
            "rfc2136" => {
                let driver = rfc2136::Rfc2136::open(&target.name, settings, secrets).map_err(|error| whole(&error))?;
                Ok(Arc::new(driver.with_clock(Arc::clone(&self.clock))))
            }
            "fake" => Ok(Arc::new(fake::Fake::open(settings, None, Arc::clone(&self.clock))?)),
            other => Err(format!("there is no driver `{other}`; this program has {}", TARGETS.join(", "))),
        }
    }

    fn general(&self, verb: Verb, plan: &Plan) -> Option<Arc<dyn Driver>> {
        let (secrets, clock) = (Arc::clone(&self.secrets), Arc::clone(&self.clock));
        match verb {
            Verb::ProbeAwait => {
                Some(Arc::new(awaiting::Awaiting::new(Arc::clone(&self.prober), plan.regions.clone(), clock)))
            }
            Verb::Command => Some(Arc::new(command::RunProgram::new(secrets))),
            Verb::Http => Some(Arc::new(http::HttpRequest::new(secrets))),
            Verb::Wait => Some(Arc::new(wait::Wait::new(clock))),
            _ => None,
        }
    }
}

/// Makes aws-lc-rs the process's crypto provider. First of all in `main`; doing it twice changes nothing.
pub fn install_crypto() {
    if rustls::crypto::aws_lc_rs::default_provider().install_default().is_err() {
        tracing::debug!("a crypto provider is installed already");
    }
}
