//! `lifeboat heartbeat`.

use std::time::Duration;

use super::{Desk, begin, complaint::Complaint, exit::Exit};
use crate::{app::identity, controller::Pulse, model::GroupName};

/// Write markers, run probes, and report what was seen, until it is ended.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  lifeboat heartbeat orders
  lifeboat heartbeat orders --period 1 --observer ams-1

The markers measure data loss, the probes the onset of an outage. It starts no run.")]
pub(super) struct Args {
    /// The protection group.
    #[arg(value_name = "GROUP")]
    group: GroupName,
    /// Seconds between two markers, 0.05 to 3600.
    #[arg(long, value_name = "SECONDS", default_value = "0.5", value_parser = period)]
    period: Duration,
    /// The observer's name, unique among those of the group; default: the host's.
    #[arg(long, value_name = "NAME")]
    observer: Option<String>,
}

pub(super) fn period(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "a number of seconds is needed".to_owned())?;
    if (0.05..=3_600.0).contains(&seconds) {
        Ok(Duration::from_secs_f64(seconds))
    } else {
        Err("0.05 to 3600 seconds are possible".into())
    }
}

pub(super) async fn run(args: Args, desk: &Desk) -> Result<Exit, Complaint> {
    let app = desk.app()?;
    let (supervision, _) = begin::listen(desk)?;
    let observer = args.observer.unwrap_or_else(identity::host);
    let screen = &desk.screen;
    let mut told = |pulse: Pulse<'_>| match pulse {
        Pulse::Beating { report } => screen.progress(format_args!(
            "observer {} reports on {}, every {} s",
            report.observer,
            report.group,
            args.period.as_secs_f64()
        )),
        Pulse::Moved { target, region } => screen.progress(format_args!("markers of {target} go to {region}")),
        Pulse::Refused { target, why } => screen.warn(format_args!("no region takes markers of {target}: {why}")),
        Pulse::Unpublished { error } => screen.warn(format_args!("a report was not published: {error}")),
        Pulse::Probed { .. } => {}
        Pulse::StoodStill { time } => {
            screen.warn(format_args!("this process stood still for {:.1} s; it looks anew", time.as_secs_f64()));
        }
    };
    tokio::select! {
        ended = app.heartbeat(&args.group, observer, args.period, &mut told) => { ended?; Ok(Exit::Success) }
        () = supervision.asked() => Ok(Exit::Success),
    }
}
