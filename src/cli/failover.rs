//! `lifeboat failover`.

use super::{
    Desk,
    begin::{self, Way},
    complaint::Complaint,
    confirm::confirm,
    exit::Exit,
    finish,
};
use crate::{
    app::{Manner, Request, Watch},
    model::RunKind,
};

/// Move a group although its source may be dead; data may be lost, within the objective.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  lifeboat plan orders                                   look before
  lifeboat failover orders                               asks for the group's name
  lifeboat failover orders --yes-i-mean orders           for scripts
  lifeboat failover orders --accept DataLoss --reason \"nine seconds of carts, agreed with the shop\"
  lifeboat failover orders --when-down --yes-i-mean orders
                                                         stand ready, and start when the source is down

A source whose probes all say that it serves is refused: use `lifeboat switchover`, which loses nothing.")]
pub(super) struct Args {
    #[command(flatten)]
    way: Way,
    /// Prepare everything now, and start when every probe of the source fails.
    #[arg(long)]
    when_down: bool,
    /// Fail over although every probe of the source says that it serves.
    #[arg(long, conflicts_with = "when_down")]
    source_is_healthy_anyway: bool,
    /// The group's name, instead of typing it at the prompt.
    #[arg(long, value_name = "GROUP")]
    yes_i_mean: Option<String>,
}

pub(super) async fn run(args: Args, desk: &Desk) -> Result<Exit, Complaint> {
    let (request, manner) = args.way.request(RunKind::Failover)?;
    let request = Request { healthy_anyway: args.source_is_healthy_anyway, ..request };
    let yes = args.yes_i_mean.as_deref();
    if args.when_down {
        confirm(&desk.screen, begin::verb(RunKind::Failover), &request.group, yes)?;
        return when_down(desk, request, manner).await;
    }
    begin::now(desk, request, manner, yes).await
}

async fn when_down(desk: &Desk, request: Request, manner: Manner) -> Result<Exit, Complaint> {
    let app = desk.app()?;
    let (supervision, underway) = begin::listen(desk)?;
    let screen = &desk.screen;
    let mut told = |watch: Watch| screen.progress(say(&watch));
    let prepared = tokio::select! {
        prepared = app.arm(request, &mut told) => prepared?,
        () = supervision.asked() => return Ok(Exit::Interrupted),
    };
    let rested = begin::start(desk, &app, prepared, manner, Some((supervision, underway))).await?;
    Ok(finish::finish(desk, &rested))
}

fn say(watch: &Watch) -> String {
    match watch {
        Watch::Armed { source, destination, probes, period, threshold } => format!(
            "ready: {source} -> {destination} starts when {probes} of {probes} probes fail {threshold} times in a row, every {} s",
            period.as_secs_f64()
        ),
        Watch::Failing { times, since } => format!("every probe failed, {times} in a row, since {since:.3}"),
        Watch::CannotTell { failing } => {
            format!("cannot tell: {} fails, and others do not; nothing starts", failing.join(", "))
        }
        Watch::Healthy => "every probe is healthy again".into(),
        Watch::DestinationNotFine { why } => {
            format!("the source is down, and the destination is not fine: {why}; nothing starts")
        }
        Watch::Moved { run } => format!("run {run} came in between; the plan is made anew"),
    }
}
