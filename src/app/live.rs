//! A live drill: the group really moves, and comes back.
//!
//! 1. Nothing begins while one of the group's abort conditions is met, or while nobody said what they are.
//! 2. A switchover, with the conditions watched beside it. One that is met before a promotion has the run undone; after one the
//!    run goes to its end, and the way back begins at once.
//! 3. The group stays for a while, watched in the same way.
//! 4. The way back, which is part of what was asked for: it does not wait for the cool-down.
//!
//! Both runs are real ones, with everything that gates a real run. A crash in the middle leaves a run that is resumed like any
//! other, or a group that serves from the other region: `status` and the record say so, and a person brings it back. Nothing
//! comes back by itself (promise S11).

use std::time::Duration;

use futures::future::join_all;
use tokio::sync::watch;

use super::{App, AppError, Manner, Order, Prepared, Request, Rested, documents, runs::Waiting};
use crate::{
    decide::Rest,
    engine::{Progress, Stop},
    model::{CommandBody, DrillMode, Event, Group, MemberRole, Outcome, RegionName, Risk, Run, RunId, RunKind},
    port::Health,
    spec::ProbeSpec,
};

/// What a face is told between the two runs.
#[derive(Debug, Clone, PartialEq)]
pub enum Turn {
    /// An abort condition is met.
    Aborting(String),
    /// The group serves from the other region for so long.
    Staying(Duration),
    /// The way back begins.
    Returning,
}

/// Told of each turn.
pub type Turning<'a> = &'a mut (dyn FnMut(Turn) + Send);

/// A live drill that is over.
#[derive(Debug)]
pub struct Lived {
    /// There.
    pub out: Rested,
    /// And back; `None`: it never began.
    pub back: Option<Rested>,
    /// The abort condition that was met.
    pub aborted: Option<String>,
}

/// What ends a live drill, and how long it stays.
struct Rules {
    probes: Vec<ProbeSpec>,
    threshold: u32,
    period: Duration,
    stays: Duration,
}

impl App {
    /// Prepares the way there, and refuses what nothing would stop or what is to be stopped already.
    pub async fn prepare_live(&self, request: Request) -> Result<Prepared, AppError> {
        let rules = self.rules(&request)?;
        if let Some(why) = self.met(&rules, &mut vec![0; rules.probes.len()], |_| 1).await {
            return Err(AppError::Refused {
                what: format!("an abort condition of the drill is met before it began: {why}"),
                remedy: "nothing was started; drill when it is over".into(),
            });
        }
        self.prepare(request).await
    }

    /// There and back.
    pub async fn drill_live(
        &self,
        prepared: Prepared,
        manner: Manner,
        waiting: Waiting<'_>,
        progress: &mut dyn Progress,
        mut stop: watch::Receiver<Stop>,
        turning: Turning<'_>,
    ) -> Result<Lived, AppError> {
        let rules = self.rules(&prepared.request)?;
        let plan = &prepared.opened.plan;
        let way = (plan.source.clone(), plan.destination.clone());
        let (out, mut aborted) =
            self.outward(prepared, manner, waiting, progress, stop.clone(), &rules, turning).await?;
        if !matches!(out.rest, Rest::Closed(Outcome::Succeeded | Outcome::CompletedWithExceptions)) {
            return Ok(Lived { out, back: None, aborted });
        }
        if aborted.is_none() {
            turning(Turn::Staying(rules.stays));
            aborted = tokio::select! {
                () = self.clock.sleep(rules.stays) => None,
                why = self.until_met(&rules) => Some(why),
                _asked = stop.wait_for(|stop| *stop != Stop::No) => return Ok(Lived { out, back: None, aborted }),
            };
            if let Some(why) = &aborted {
                turning(Turn::Aborting(why.clone()));
            }
        }
        turning(Turn::Returning);
        let back = self.back(&out.run, way).await?;
        let back = self.start(back, Manner { expected_term: None, ..manner }, waiting, progress, stop).await?;
        Ok(Lived { out, back: Some(back), aborted })
    }

    #[expect(clippy::too_many_arguments, reason = "the parts of one drive, as in `start`")]
    async fn outward(
        &self,
        prepared: Prepared,
        manner: Manner,
        waiting: Waiting<'_>,
        progress: &mut dyn Progress,
        stop: watch::Receiver<Stop>,
        rules: &Rules,
        turning: Turning<'_>,
    ) -> Result<(Rested, Option<String>), AppError> {
        let (opened, mut begun) = watch::channel(None);
        let mut noting = Noting { opened, next: progress };
        let drive = self.start(prepared, manner, waiting, &mut noting, stop);
        tokio::pin!(drive);
        // Until the run is there, there is nothing to end.
        let watching = async {
            let run = begun.wait_for(Option::is_some).await.ok().and_then(|run| run.clone());
            (run, self.until_met(rules).await)
        };
        let (run, why) = tokio::select! {
            rested = &mut drive => return Ok((rested?, None)),
            met = watching => met,
        };
        turning(Turn::Aborting(why.clone()));
        let reason = format!("abort condition of the live drill: {why}");
        let body = CommandBody::Cancel { unwind: true };
        let ordered = async {
            match &run {
                Some(run) => self.order(run, Order { body, reason, expected_term: None, key: None }).await.map(|_| ()),
                None => Ok(()),
            }
        };
        // The run is polled meanwhile: a store that is slow must not cost its lease.
        let (rested, ordered) = futures::join!(drive, ordered);
        if let Err(error) = ordered {
            tracing::error!(%error, "the live drill could not be ended at once");
        }
        Ok((rested?, Some(why)))
    }

    async fn back(&self, out: &Run, (source, destination): (RegionName, RegionName)) -> Result<Prepared, AppError> {
        let group = &out.plan().group;
        let preferred = group.regions.iter().any(|(name, role)| *name == source && *role == MemberRole::Preferred);
        let kind = if preferred { RunKind::Failback } else { RunKind::Switchover };
        self.prepare(Request {
            drill: Some(DrillMode::Live),
            from: Some(destination),
            to: Some(source),
            reason: format!("the way back of the live drill {}", out.id),
            // The drill moves twice in one breath: that is what was asked for.
            accept: vec![Risk::SkipCooldown],
            ..Request::new(kind, group.name.clone())
        })
        .await
    }

    fn rules(&self, request: &Request) -> Result<Rules, AppError> {
        let papers = documents::read(&self.settings)?;
        let group: Group = papers.group(&request.group)?;
        let Some(live) = papers.drills(&request.group)?.live.clone().filter(|live| !live.abort_when.is_empty()) else {
            return Err(AppError::Missing {
                what: format!("group {} does not say what ends a live drill", request.group),
                remedy: "add `drills: {live: {abortWhen: [a probe …]}}` to the group, or drill with --mode isolated"
                    .into(),
            });
        };
        Ok(Rules {
            probes: live.abort_when,
            threshold: group.detection.failure_threshold,
            period: Duration::from_millis(group.detection.period_ms),
            stays: Duration::try_from_secs_f64(live.hold_seconds).unwrap_or_default(),
        })
    }

    /// The first condition that is met.
    async fn until_met(&self, rules: &Rules) -> String {
        let mut failing = vec![0; rules.probes.len()];
        loop {
            if let Some(why) =
                self.met(rules, &mut failing, |probe| probe.failure_threshold.unwrap_or(rules.threshold)).await
            {
                return why;
            }
            self.clock.sleep(rules.period).await;
        }
    }

    /// One round of probes: a condition is met when its probe failed as often in a row as `needed` says.
    async fn met(&self, rules: &Rules, failing: &mut [u32], needed: impl Fn(&ProbeSpec) -> u32) -> Option<String> {
        let round = join_all(rules.probes.iter().map(|probe| self.tools.prober.probe(probe))).await;
        let counted = rules.probes.iter().zip(round).zip(failing);
        counted.fold(None, |met, ((probe, health), failed)| match health {
            Health::Healthy { .. } | Health::Degraded { .. } => {
                *failed = 0;
                met
            }
            Health::Unhealthy { why } | Health::Silent { why } => {
                *failed = failed.saturating_add(1);
                let enough = *failed >= needed(probe);
                met.or_else(|| enough.then(|| format!("{}: {why}", probe.name)))
            }
        })
    }
}

/// Notes which run was opened, on the way of its events to whoever watches.
struct Noting<'a> {
    opened: watch::Sender<Option<RunId>>,
    next: &'a mut dyn Progress,
}

impl Progress for Noting<'_> {
    fn event(&mut self, event: &Event, run: &Run) {
        if self.opened.borrow().is_none() {
            let _nobody_waits = self.opened.send(Some(run.id.clone()));
        }
        self.next.event(event, run);
    }
}
