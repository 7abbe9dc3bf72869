//! `lifeboat serve`.

use std::{net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use tokio::net::TcpListener;

use super::{
    Desk, begin,
    complaint::Complaint,
    exit::Exit,
    heartbeat::period,
    progress::{Told, Underway},
    readiness,
    screen::Screen,
};
use crate::{
    app::{Listeners, News, Serving, Teller, What, identity},
    controller::{Drilled, Noted, Started},
    decide::{Passed, Wait},
    engine::Progress,
    model::{Event, GroupName, Judged, Run},
};

/// Watch every group: probe, report, judge, and propose or start what its automation says.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  lifeboat serve --observer ams-1                 observe and judge every group in the documents
  lifeboat serve --observer ams-1 --observe-only  one more vantage point; it starts nothing
  lifeboat serve --listen 127.0.0.1:9464          with /livez, /readyz and /metrics
  lifeboat serve --record watch.jsonl             keep what was heard, for `lifeboat replay`
  lifeboat status orders                          what the observers say, and what is held back

Start one at each vantage point, in different places, all with the same --store. Any number of
them may judge: the store opens one run at a time. Ctrl-C lets a run that is under way come to
rest and pauses it. Documents that change on disk are taken up when they check clean; a change
that does not is refused as a whole, and `lifeboat status` says so.")]
pub(super) struct Args {
    /// The observer's name, unique among those of each group; default: the host's.
    #[arg(long, value_name = "NAME")]
    observer: Option<String>,
    /// Only probe and report: nothing is judged, proposed or started here.
    #[arg(long)]
    observe_only: bool,
    /// Seconds between two heartbeat markers through every primary, 0.05 to 3600.
    #[arg(long, value_name = "SECONDS", default_value = "1", value_parser = period)]
    markers: Duration,
    /// Answer /livez, /readyz and /metrics at this address; without it nothing listens.
    #[arg(long, value_name = "IP:PORT")]
    listen: Option<SocketAddr>,
    /// Append what the judges hear and answer to this file, for `lifeboat replay`.
    #[arg(long, value_name = "FILE", conflicts_with = "observe_only")]
    record: Option<PathBuf>,
    /// Write no markers: another process does.
    #[arg(long, conflicts_with = "markers")]
    no_markers: bool,
}

pub(super) async fn run(args: Args, desk: &Desk) -> Result<Exit, Complaint> {
    let app = Arc::new(desk.app()?);
    begin::keys(&desk.screen, &app);
    let (supervision, underway) = begin::listen(desk)?;
    let observer = args.observer.unwrap_or_else(identity::host);
    let screen = Arc::clone(&desk.screen);
    let does = if args.observe_only { "observes" } else { "observes and judges" };
    screen.progress(format_args!("{observer} {does}; Ctrl-C ends it"));
    let listener = match args.listen {
        None => None,
        Some(at) => {
            let bound = TcpListener::bind(at).await;
            Some(bound.map_err(Complaint::machine(format!("listen on {at}")))?)
        }
    };
    let markers = (!args.no_markers).then_some(args.markers);
    let serving = Serving { observer, markers, judges: !args.observe_only, record: args.record, listener };
    let tell: Teller = {
        let screen = Arc::clone(&screen);
        Arc::new(move |news: News| say(&screen, &news))
    };
    let listeners: Listeners = {
        let screen = Arc::clone(&screen);
        Arc::new(move || Box::new(Following { screen: Arc::clone(&screen), underway: underway.clone() }))
    };
    app.serve(serving, tell, listeners, Some(desk.answering), &supervision).await?;
    Ok(Exit::Success)
}

/// Prints the events of a run as they come.
struct Following {
    screen: Arc<Screen>,
    underway: Underway,
}

impl Progress for Following {
    fn event(&mut self, event: &Event, run: &Run) {
        // A daemon's output is a log, so nothing moves and nothing is kept from one event to the next.
        Told::new(&self.screen, self.underway.clone()).event(event, run);
    }
}

fn say(screen: &Screen, news: &News) {
    let group = &news.group;
    match &news.what {
        What::Observing { probes } => {
            screen.progress(format_args!("{group}: the first report is out, {probes} probes"));
        }
        What::MarkersMoved(target, region) => {
            screen.progress(format_args!("{group}: markers of {target} go to {region}"));
        }
        What::MarkersRefused(target, why) => {
            screen.warn(format_args!("{group}: no region takes markers of {target}: {why}"));
        }
        What::Unpublished(why) => screen.warn(format_args!("{group}: a report was not published: {why}")),
        What::StoodStill(time) => screen.warn(format_args!(
            "{group}: this process stood still for {:.1} s; it looks anew and abstains until then",
            time.as_secs_f64()
        )),
        What::Judged(judged) => judgement(screen, group, judged),
        What::Starting(order) => screen.warn(format_args!(
            "{group}: failing over from {} to {}: {}",
            order.source, order.destination, order.reason
        )),
        What::Started(Started::Refused(why)) => screen.warn(format_args!("{group}: the failover was refused: {why}")),
        What::Started(Started::Rested { run, how }) | What::Rested(run, how) => {
            screen.warn(format_args!("{group}: run {run} came to rest: {how}"));
        }
        What::TakenOver(run) => screen.warn(format_args!("{group}: nobody drives {run} any more; it goes on here")),
        What::Watched { anew: true } => {
            screen.warn(format_args!("{group}: its documents changed; its watch begins anew"));
        }
        What::Watched { anew: false } => {
            screen.warn(format_args!("{group}: it is in no document any more; its watch ended"));
        }
        What::Readiness(found) => readiness::draw(screen, found),
        What::Drill(noted) => drill(screen, group, noted),
        What::NotTakenOver(run, why) => screen.warn(format_args!("{group}: {run} could not be taken over: {why}")),
    }
}

fn drill(screen: &Screen, group: &GroupName, noted: &Noted) {
    match noted {
        Noted::Starts(firing) => screen.progress(format_args!("{group}: drill {firing} starts")),
        Noted::GoesOn(run) => screen.progress(format_args!("{group}: drill {run} is open, and is gone on with")),
        Noted::Rested(Drilled { run, outcome: Some(outcome) }) => {
            screen.progress(format_args!("{group}: drill {run} ended: {}", outcome.as_str()));
        }
        Noted::Rested(Drilled { run, outcome: None }) => {
            screen.progress(format_args!("{group}: drill {run} was interrupted; it is gone on with later"));
        }
        Noted::Waits(firing, wait) => screen.progress(format_args!("{group}: drill {firing} waits: {}", waits(wait))),
        Noted::Passed(firing, Passed::TooLate) => {
            screen.warn(format_args!("{group}: drill {firing} was missed: nobody was there within its deadline"));
        }
        Noted::Passed(firing, Passed::Blackout { reason }) => {
            screen.progress(format_args!("{group}: drill {firing} is left out: {reason}"));
        }
        Noted::Declined(schedule, declined) => {
            screen.warn(format_args!("{group}: the drill of {schedule} was declined: {declined}"));
        }
    }
}

fn waits(wait: &Wait) -> String {
    match wait {
        Wait::Suspended => "the schedule is suspended".into(),
        Wait::Blackout { reason, until: Some(until) } => format!("{reason}, until {until:.0}"),
        Wait::Blackout { reason, until: None } => reason.clone(),
        Wait::RunOpen { run } => format!("run {run} is open"),
    }
}

fn judgement(screen: &Screen, group: &GroupName, judged: &Judged) {
    let regions: Vec<String> =
        judged.verdicts.iter().map(|verdict| format!("{} {}", verdict.region, verdict.state)).collect();
    screen.progress(format_args!("{group}: {} ({})", judged.answer, regions.join(", ")));
    for reason in judged.reasons.iter().chain(judged.verdicts.iter().flat_map(|verdict| &verdict.reasons)) {
        screen.progress(format_args!("  {reason}"));
    }
    if let Some(command) = &judged.command {
        screen.warn(format_args!("{group}: a failover is proposed; approve it with\n  {command}"));
    }
}
