//! `lifeboat assurance`: what others examine, and when it is due again.

use std::path::PathBuf;

use clap::Subcommand;
use jiff::civil::Date;
use serde_json::json;

use super::{
    Desk,
    complaint::Complaint,
    exit::Exit,
    screen::{Tone, columns, tint},
};
use crate::{
    app::{Assured, Examined, documents},
    decide::Renewal,
};

/// Show and record what others examine: assessments, audits, penetration tests, scans.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  lifeboat assurance list
  lifeboat assurance list --as-of 2026-12-31 -o json
  lifeboat assurance record iso-27001 --on 2026-05-04 --assessor \"Example Audit Ltd\" --report audit.pdf

Lifeboat examines nothing of it.")]
pub(super) struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    List(ListArgs),
    Record(RecordArgs),
}

/// List all items: when each last took place, and when it is due again.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Items stand in a document of the kind AssuranceCalendar:

  apiVersion: lifeboat.dev/v1alpha1
  kind: AssuranceCalendar
  metadata: {name: company}
  spec:
    items:
    - {name: assessment, kind: Assessment, owner: security}
    - {name: iso-27001, kind: Audit, owner: security, warnDays: 90}
    - {name: pentest, kind: PenetrationTest, everyMonths: 6, owner: platform}
    - {name: scan, kind: VulnerabilityScan, everyDays: 30, owner: platform}

A day counts to its end, UTC. An item that was never recorded is overdue.

Exit code 0: nothing is overdue; 4: something is.")]
struct ListArgs {
    /// As it stood, or will stand, at the end of this day; default today.
    #[arg(long, value_name = "DATE")]
    as_of: Option<Date>,
}

/// Enter into the ledger that something took place.
#[derive(Debug, clap::Args)]
struct RecordArgs {
    /// The item, as the calendar names it.
    #[arg(value_name = "ITEM")]
    item: String,
    /// When it took place.
    #[arg(long, value_name = "DATE")]
    on: Date,
    /// Who did it.
    #[arg(long, value_name = "TEXT")]
    assessor: String,
    /// Its report; the SHA-256 of the file is kept, and not the file.
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
}

pub(super) async fn run(args: Args, desk: &Desk) -> Result<Exit, Complaint> {
    match args.verb {
        Verb::List(args) => list(&args, desk),
        Verb::Record(args) => record(args, desk).await,
    }
}

fn list(args: &ListArgs, desk: &Desk) -> Result<Exit, Complaint> {
    let app = desk.app()?;
    let papers = documents::read(&app.settings)?;
    let as_of = args.as_of.unwrap_or_else(|| app.today());
    let items = app.assurance(&papers, as_of)?;
    let missed = items.iter().any(|item| item.due.is_missed());
    let answer = json!({ "asOf": as_of, "overdue": missed, "items": items });
    desk.screen.answer(&answer, |screen, _| {
        if items.is_empty() {
            screen.line("the documents hold no AssuranceCalendar");
        }
        screen.text(&columns(&items.iter().map(row).collect::<Vec<_>>()));
    });
    Ok(if missed { Exit::Refused } else { Exit::Success })
}

fn row(item: &Assured) -> Vec<String> {
    let days = |days: i32| if days == 1 { "1 day".to_owned() } else { format!("{days} days") };
    let stands = match item.due {
        Renewal::Never => tint(Tone::Bad, "never recorded"),
        Renewal::Current { due, days: left } => format!("due {due}, in {}", days(left)),
        Renewal::Soon { due, days: 0 } => tint(Tone::Warn, format_args!("due {due}, today")),
        Renewal::Soon { due, days: left } => tint(Tone::Warn, format_args!("due {due}, in {}", days(left))),
        Renewal::Overdue { due, days: over } => tint(Tone::Bad, format_args!("overdue since {due}, {}", days(over))),
    };
    let last = item.last.as_ref().map_or_else(|| "-".into(), |made| format!("{} by {}", made.on, made.assessor));
    vec![item.item.clone(), item.kind.as_str().into(), item.owner.clone(), last, stands]
}

async fn record(args: RecordArgs, desk: &Desk) -> Result<Exit, Complaint> {
    let app = desk.app()?;
    let papers = documents::read(&app.settings)?;
    let said = Examined { item: &args.item, on: args.on, assessor: &args.assessor, report: args.report.as_deref() };
    let made = app.record_assurance(&papers, said).await?;
    desk.screen.answer(&made, |screen, made| {
        let report =
            made.report.as_ref().map(|sha256| format!("; its report has the SHA-256 {sha256}")).unwrap_or_default();
        screen.line(format_args!("recorded: {} on {} by {}{report}", made.item, made.on, made.assessor));
    });
    Ok(Exit::Success)
}
