//! `lifeboat incident`: drafts of the notice about an outage. Nothing is sent.

use std::{fs, path::PathBuf};

use clap::Subcommand;

use super::{
    Desk,
    complaint::Complaint,
    exit::Exit,
    screen::{Format, Tone, columns, tint},
};
use crate::{
    evidence::incident::{Change, Field, IncidentDraft},
    model::RunId,
    report,
};

/// Draft the notice about an outage, from the record of its run.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  lifeboat incident draft orders-17
  lifeboat incident draft orders-17 --confirm happened --set scope=\"orders of customers in the EU\"
  lifeboat incident draft orders-17 --unknown extent --into notice.md
  lifeboat incident show orders-17 --version 1
  lifeboat incident list

Lifeboat drafts; a person decides, fills and sends. Whether it was a breach is never inferred.")]
pub(super) struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    Draft(DraftArgs),
    Show(ShowArgs),
    List(ListArgs),
}

/// Make the next version of a draft, and enter it into the ledger.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Fields that a notice needs, each filled or marked unknown before it is ready:
  extent       to what extent data was used, accessed, acquired or disclosed
  happened     what happened
  occurred     the date of the event
  discovered   the date of its discovery; the clock runs from it (2026-05-04T03:00:00Z)
  scope        services, regions, time, so far as known
  response     what was done, and what is done to limit the harm

Optional:
  breach       whether it was one, and who decided so; default: not assessed
  delay        why notice is late, on whose authority, until when
  notified     when notice was given, and to whom
  categories, contact, consequences, measures: GDPR Article 33(3)(a) to (d)

What the record proposes counts for nothing until a person confirms it. Secrets are taken out.

Exit code 0: ready; 3: a needed field is neither filled nor marked unknown; 4: refused.")]
struct DraftArgs {
    /// The run.
    #[arg(value_name = "RUN")]
    run: RunId,
    /// Fill a field; may be given several times.
    #[arg(long, value_name = "FIELD=TEXT", value_parser = set)]
    set: Vec<(Field, String)>,
    /// What the record proposes for a field is right; may be given several times.
    #[arg(long, value_name = "FIELD")]
    confirm: Vec<Field>,
    /// Nobody knows yet; may be given several times.
    #[arg(long, value_name = "FIELD")]
    unknown: Vec<Field>,
    /// Where the draft is written as Markdown; default: standard output.
    #[arg(long, value_name = "FILE")]
    into: Option<PathBuf>,
}

/// Show a draft.
#[derive(Debug, clap::Args)]
#[command(after_help = "Exit code 0: ready; 3: a needed field is neither filled nor marked unknown.")]
struct ShowArgs {
    /// The run.
    #[arg(value_name = "RUN")]
    run: RunId,
    /// Which version; default: the newest.
    #[arg(long, value_name = "NUMBER")]
    version: Option<u32>,
}

/// List all drafts, oldest first.
#[derive(Debug, clap::Args)]
struct ListArgs {}

fn set(words: &str) -> Result<(Field, String), String> {
    let (field, text) = words.split_once('=').ok_or("it is FIELD=TEXT")?;
    Ok((field.parse()?, text.to_owned()))
}

pub(super) async fn run(args: Args, desk: &Desk) -> Result<Exit, Complaint> {
    match args.verb {
        Verb::Draft(args) => draft(args, desk).await,
        Verb::Show(args) => tell(&desk.app()?.incident(&args.run, args.version)?, None, desk),
        Verb::List(_) => list(desk),
    }
}

async fn draft(args: DraftArgs, desk: &Desk) -> Result<Exit, Complaint> {
    let set = args.set.into_iter().map(|(field, text)| Change::Set(field, text));
    let confirmed = args.confirm.into_iter().map(Change::Confirm);
    let changes: Vec<Change> = set.chain(confirmed).chain(args.unknown.into_iter().map(Change::Unknown)).collect();
    let draft = desk.app()?.draft_incident(&args.run, &changes).await?;
    tell(&draft, args.into, desk)
}

fn tell(draft: &IncidentDraft, into: Option<PathBuf>, desk: &Desk) -> Result<Exit, Complaint> {
    match into {
        Some(file) => {
            fs::write(&file, report::incident(draft))
                .map_err(Complaint::machine(format!("write the draft {}", file.display())))?;
            desk.screen.remark(format_args!("draft {} is written to {}", draft.version, file.display()));
            if desk.screen.format == Format::Json {
                desk.screen.json(draft);
            }
        }
        None => desk.screen.answer(draft, |screen, draft| screen.text(&report::incident(draft))),
    }
    let open: Vec<&str> = draft.open().into_iter().map(Field::as_str).collect();
    if !open.is_empty() {
        desk.screen.warn(format_args!("not ready: {} neither filled nor marked unknown", open.join(", ")));
    }
    Ok(if draft.ready { Exit::Success } else { Exit::Paused })
}

fn list(desk: &Desk) -> Result<Exit, Complaint> {
    let drafts = desk.app()?.incidents()?;
    desk.screen.answer(&drafts, |screen, drafts| {
        let row = |one: &crate::app::Drafted| {
            let made = &one.made;
            let ready = if made.complete { tint(Tone::Good, "ready") } else { tint(Tone::Warn, "not ready") };
            vec![made.run.to_string(), made.version.to_string(), format!("{:.3}", one.at), made.by.to_string(), ready]
        };
        screen.text(&columns(&drafts.iter().map(row).collect::<Vec<_>>()));
    });
    Ok(Exit::Success)
}
