//! What the verbs that start a run share: their options, and the way from there to a run at rest.

use std::sync::Arc;

use clap::builder::{PossibleValuesParser, TypedValueParser as _};

use super::{
    Desk,
    complaint::Complaint,
    confirm::confirm,
    exit::Exit,
    finish,
    progress::{Told, Underway},
    run::order::Seen,
    screen::Screen,
};
use crate::{
    app::{App, Manner, Prepared, Request, Rested, Supervision},
    engine::Stop,
    model::{GroupName, Opened, RegionName, Risk, RunKind},
    port::LeaseState,
};

/// Options of a run.
#[derive(Debug, clap::Args)]
pub(super) struct Way {
    /// The protection group.
    #[arg(value_name = "GROUP")]
    pub(super) group: GroupName,
    /// Away from this region; default: the one that serves now.
    #[arg(long, value_name = "REGION")]
    from: Option<RegionName>,
    /// To this region; default: the only other one that can serve.
    #[arg(long, value_name = "REGION")]
    to: Option<RegionName>,
    /// Why; kept as evidence.
    #[arg(long, value_name = "TEXT", default_value = "")]
    reason: String,
    /// Accept a risk by name, for this run; needs --reason.
    #[arg(long, value_name = "RISK", value_parser = risk())]
    accept: Vec<Risk>,
    /// Stay and wait for orders while the run is paused, instead of ending with code 3.
    #[arg(long)]
    stay: bool,
    #[command(flatten)]
    seen: Seen,
}

/// The names of the risks.
pub(super) fn risk() -> impl clap::builder::TypedValueParser<Value = Risk> {
    PossibleValuesParser::new(Risk::ALL.map(Risk::as_str))
        .try_map(|name| Risk::ALL.into_iter().find(|risk| risk.as_str() == name).ok_or("no such risk"))
}

impl Way {
    /// The request that was typed.
    pub(super) fn request(self, kind: RunKind) -> Result<(Request, Manner), Complaint> {
        if !self.accept.is_empty() && self.reason.trim().is_empty() {
            let risks = self.accept.iter().map(|risk| risk.as_str()).collect::<Vec<_>>().join(", ");
            let what = format!("accepting {risks} needs a reason; it is kept as evidence");
            return Err(Complaint::typed(what, "add --reason \"…\""));
        }
        let (from, to, reason, accept) = (self.from, self.to, self.reason, self.accept);
        let request = Request { from, to, reason, accept, ..Request::new(kind, self.group) };
        Ok((request, Manner { stay: self.stay, expected_term: self.seen.expected_term }))
    }
}

/// Starts a run that a person asked for, and stays with it until it rests.
pub(super) async fn begin(desk: &Desk, way: Way, kind: RunKind, yes: Option<&str>) -> Result<Exit, Complaint> {
    let (request, manner) = way.request(kind)?;
    now(desk, request, manner, yes).await
}

/// The same for a request that is complete.
pub(super) async fn now(desk: &Desk, request: Request, manner: Manner, yes: Option<&str>) -> Result<Exit, Complaint> {
    let (kind, group) = (request.kind, request.group.clone());
    // A person at a terminal is told first what is about to happen; a script has said that it means it, or is refused at once.
    let asked = yes.is_none() && desk.screen.can_ask();
    if !asked {
        confirm(&desk.screen, verb(kind), &group, yes)?;
    }
    let app = desk.app()?;
    let prepared = app.prepare(request).await?;
    if asked {
        for line in at_stake(&prepared.opened) {
            desk.screen.remark(line);
        }
        confirm(&desk.screen, verb(kind), &group, None)?;
    }
    let rested = start(desk, &app, prepared, manner, None).await?;
    Ok(finish::finish(desk, &rested))
}

/// Where the run goes, and what would be lost as things stand.
fn at_stake(opened: &Opened) -> Vec<String> {
    let plan = &opened.plan;
    let mut lines = vec![format!(
        "{} of {} from {} to {}, runbook {}",
        opened.kind, plan.group.name, plan.source, plan.destination, plan.runbook
    )];
    lines.extend(opened.estimates.iter().map(|(target, loss)| {
        if opened.kind.planned() {
            format!("{target} in {} is {loss} behind, and catches up before it is promoted", plan.destination)
        } else {
            format!("{target} would lose {loss}, as things stand")
        }
    }));
    lines
}

/// `fail over`, `switch over`, `fail back`.
pub(super) fn verb(kind: RunKind) -> &'static str {
    match kind {
        RunKind::Failover => "fail over",
        RunKind::Switchover => "switch over",
        RunKind::Failback => "fail back",
    }
}

/// Opens and drives what was prepared.
pub(super) async fn start(
    desk: &Desk,
    app: &App,
    prepared: Prepared,
    manner: Manner,
    listening: Option<(Supervision, Underway)>,
) -> Result<Rested, Complaint> {
    keys(&desk.screen, app);
    let (supervision, underway) = match listening {
        Some(listening) => listening,
        None => listen(desk)?,
    };
    let mut told = Told::new(&desk.screen, underway);
    let mut waiting = waiting(&desk.screen);
    Ok(app.start(prepared, manner, &mut waiting, &mut told, supervision.stop()).await?)
}

/// Makes the ledger's keys on first need, and says so. What fails is said, and weighed where the run is opened.
pub(super) fn keys(screen: &Screen, app: &App) {
    match app.make_keys() {
        Ok(made) => {
            for file in made {
                screen.remark(format_args!("made {}; keep a copy of it in another place", file.display()));
            }
        }
        Err(error) => screen.warn(format_args!("the ledger has no keys: {error}")),
    }
}

/// Listens to Ctrl-C, and says what is waited for.
pub(super) fn listen(desk: &Desk) -> Result<(Supervision, Underway), Complaint> {
    let underway = Underway::default();
    let (screen, steps) = (Arc::clone(&desk.screen), underway.clone());
    let supervision = Supervision::listen(move |stop| match stop {
        Stop::No => {}
        Stop::Gently => {
            let names = steps.names();
            let waits = if names.is_empty() { String::new() } else { format!("; waiting for {}", names.join(", ")) };
            screen.warn(format_args!("asked to end: nothing new is started{waits}. Once more ends at once"));
        }
        Stop::Now => screen.warn("ending at once; what was under way is looked at when the run is resumed"),
    })
    .map_err(Complaint::machine("listen to signals"))?;
    Ok((supervision, underway))
}

/// Says that another process holds the lease.
pub(super) fn waiting(screen: &Screen) -> impl FnMut(&LeaseState) + Send + '_ {
    |state| {
        let holder = state.holder.as_deref().unwrap_or("nobody");
        screen.remark(format_args!("{holder} holds the lease; seeing whether it is still alive (3 s)"));
    }
}
