//! `lifeboat evidence population`.

use jiff::{Timestamp, civil::Date, tz::TimeZone};

use crate::{
    cli::{Desk, complaint::Complaint, exit::Exit},
    model::GroupName,
};

/// List all runs of a period, one line each: what an auditor draws a sample from.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  lifeboat evidence population > runs.csv
  lifeboat evidence population --group orders --from 2026-01-01 --to 2027-01-01
  lifeboat evidence population -o json

Runs that failed, were cancelled or never ended are listed like the others. A group's runs are
numbered without a gap: a number that is missing has a line of its own whatever the period, and a
remark says so; the code is 0 all the same.")]
pub(in crate::cli) struct Args {
    /// Only this group's.
    #[arg(long, value_name = "GROUP")]
    group: Option<GroupName>,
    /// Only runs opened on this day or later (UTC).
    #[arg(long, value_name = "DATE")]
    from: Option<Date>,
    /// Only runs opened before this day (UTC).
    #[arg(long, value_name = "DATE")]
    to: Option<Date>,
}

pub(in crate::cli) async fn run(args: Args, desk: &Desk) -> Result<Exit, Complaint> {
    let (from, to) = (args.from.map(midnight).transpose()?, args.to.map(midnight).transpose()?);
    let app = desk.app()?;
    let population = app.population(args.group.as_ref(), from, to).await?;
    desk.screen.answer(&population, |screen, population| screen.text(&population.csv()));
    if !population.complete {
        let bad: Vec<String> = population
            .runs
            .iter()
            .filter(|line| line.state != crate::report::State::Recorded)
            .map(|line| line.run.to_string())
            .collect();
        desk.screen.warn(format_args!("the list is not complete: {} missing or unreadable", bad.join(", ")));
    }
    Ok(Exit::Success)
}

/// The day's first moment, in UTC.
fn midnight(date: Date) -> Result<Timestamp, Complaint> {
    let moment = TimeZone::UTC.to_timestamp(date.at(0, 0, 0, 0));
    moment.map_err(|_| {
        Complaint::typed(format!("{date} is no day that a run can have"), "write a date such as 2026-01-31")
    })
}
