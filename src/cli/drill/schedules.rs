//! `lifeboat drill schedules`.

use jiff::{Timestamp, tz::TimeZone};

use crate::{
    app::{Scheduled, documents},
    cli::{
        Desk,
        complaint::Complaint,
        exit::Exit,
        screen::{Screen, Tone, columns, tint},
    },
    decide::Wait,
    model::{GroupName, Outcome},
    port::RunSummary,
};

/// Show the drill schedules: when the next drill is, how the last ones ended, and what one that is due waits for.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  lifeboat drill schedules              all of them
  lifeboat drill schedules orders       of one group
  lifeboat drill schedules -o json

A schedule is a document of the kind DrillSchedule:

  apiVersion: lifeboat.dev/v1alpha1
  kind: DrillSchedule
  metadata: {name: orders-weekly}
  spec:
    group: orders
    schedule: 30 3 * * 1
    timeZone: Europe/Berlin
    blackouts:
    - {dates: {from: 2026-12-18, to: 2027-01-03}, reason: peak season}")]
pub(super) struct Args {
    /// Only this group's.
    #[arg(value_name = "GROUP")]
    group: Option<GroupName>,
}

pub(super) async fn run(args: Args, desk: &Desk) -> Result<Exit, Complaint> {
    let app = desk.app()?;
    let papers = documents::read(&app.settings)?;
    let all = app.schedules(&papers, args.group.as_ref()).await?;
    desk.screen.answer(&all, |screen, all| {
        if all.is_empty() {
            screen.line("the documents hold no DrillSchedule");
        }
        for schedule in all {
            draw(screen, schedule);
        }
    });
    Ok(Exit::Success)
}

fn draw(screen: &Screen, schedule: &Scheduled) {
    let zone = TimeZone::get(&schedule.time_zone).unwrap_or(TimeZone::UTC);
    let name = tint(Tone::Bold, &schedule.name);
    screen.line(format_args!(
        "{name}  {} of {}, `{}` {}",
        schedule.mode, schedule.group, schedule.schedule, schedule.time_zone
    ));
    if schedule.suspended {
        screen.line(format_args!("  {} nothing starts while `suspend: true` stands", tint(Tone::Warn, "suspended")));
    }
    match schedule.next {
        Some(next) => screen.line(format_args!("  next   {}", local(next, &zone))),
        None => screen.line(format_args!("  next   {}", tint(Tone::Bad, "never"))),
    }
    if let Some(due) = schedule.due {
        let why = match &schedule.waits {
            None => "`lifeboat serve` starts it".to_owned(),
            Some(Wait::Suspended) => "it waits: the schedule is suspended".into(),
            Some(Wait::RunOpen { run }) => format!("it waits for run {run}, which is open: lifeboat run show {run}"),
            Some(Wait::Blackout { reason, until }) => {
                let until = until.map_or_else(String::new, |until| format!(" until {}", local(until, &zone)));
                let reason = if reason.is_empty() { String::new() } else { format!(": {reason}") };
                format!("it waits for the blackout to end{until}{reason}")
            }
        };
        screen.line(format_args!("  {}    {}; {why}", tint(Tone::Warn, "due"), local(due, &zone)));
    }
    if schedule.last.is_none() {
        screen.line("  no drill of this schedule yet");
    }
    let open = schedule.last.iter().filter(|run| run.closed.is_none());
    screen.text(&columns(&open.chain(&schedule.history).map(|run| row(run, &zone)).collect::<Vec<_>>()));
}

/// As the schedule's own clock shows it.
fn local(at: Timestamp, zone: &TimeZone) -> String {
    at.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M %:z").to_string()
}

fn row(run: &RunSummary, zone: &TimeZone) -> Vec<String> {
    let end = match run.closed {
        None => tint(Tone::Warn, "open"),
        Some((_, outcome @ Outcome::Succeeded)) => tint(Tone::Good, outcome.as_str()),
        Some((_, outcome)) => tint(Tone::Bad, outcome.as_str()),
    };
    let at = run.scheduled.as_ref().map_or(run.opened_at, |firing| firing.instant);
    vec![format!("  {}", run.run), local(at, zone), end]
}
