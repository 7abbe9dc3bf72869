//! `lifeboat stop`.

use super::{
    Desk,
    complaint::Complaint,
    exit::Exit,
    screen::{Screen, Tone, tint},
};
use crate::{
    app::{Stands, Stopped},
    model::GroupName,
};

/// Stop everything, or one group: no run starts or goes on until it is lifted.
#[derive(Debug, clap::Args)]
#[command(group(clap::ArgGroup::new("scope").required(true)), after_help = "\
Examples:
  lifeboat stop --all --reason \"the network team cuts over tonight\"
  lifeboat stop orders --reason \"schema change\"
  lifeboat stop --all --resume                  lift it; paused runs stay paused

It asks the store and nothing else, so it works with a region gone and without documents. Runs that are under way start
nothing new and are paused; what is under way in them ends.")]
pub(super) struct Args {
    /// Only this protection group.
    #[arg(value_name = "GROUP", group = "scope")]
    group: Option<GroupName>,
    /// Everything in this store.
    #[arg(long, group = "scope")]
    all: bool,
    /// Lift the stop.
    #[arg(long)]
    resume: bool,
    /// Why; kept as evidence.
    #[arg(long, value_name = "TEXT", default_value = "")]
    reason: String,
}

pub(super) async fn run(args: Args, desk: &Desk) -> Result<Exit, Complaint> {
    let stopped = desk.app()?.stop(args.group, !args.resume, &args.reason).await?;
    desk.screen.answer(&stopped, draw);
    let silent = stopped.runs.iter().any(|(_, stands)| *stands == Stands::Silent);
    Ok(if silent { Exit::Failure } else { Exit::Success })
}

fn draw(screen: &Screen, stopped: &Stopped) {
    let (order, tone) = (&stopped.order, if stopped.order.stops { Tone::Warn } else { Tone::Good });
    let word = if order.stops { "stopped" } else { "lifted" };
    let what = if order.stops { "nothing starts or goes on" } else { "runs may start again" };
    screen.line(format_args!("{} {}: {what}", tint(tone, word), order.scope()));
    for (run, stands) in &stopped.runs {
        match stands {
            Stands::Paused if order.stops => screen.line(format_args!("  {run} is paused")),
            Stands::Paused => screen.line(format_args!("  {run} is open; go on with lifeboat run resume {run}")),
            Stands::Undriven => screen.line(format_args!("  {run} is open, and nobody drives it")),
            Stands::Silent => screen.warn(format_args!(
                "  {} the process that drives {run} has not paused it; see whether it still runs: lifeboat run show {run}",
                tint(Tone::Bad, "!!")
            )),
        }
    }
}
