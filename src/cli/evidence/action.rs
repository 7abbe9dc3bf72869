//! `lifeboat evidence action`.

use clap::Subcommand;
use jiff::civil::Date;
use serde_json::json;

use super::finding::Matters;
use crate::{
    app::ToDo,
    cli::{
        Desk,
        complaint::Complaint,
        exit::Exit,
        screen::{Tone, columns, tint},
    },
    evidence::Action,
    model::{Actor, RunId},
};

/// What is to be done because of a run: open, close and list actions.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  lifeboat evidence action open orders-17 --finding F-1 --owner ben --due 2026-12-15 \"raise the quota in dub\"
  lifeboat evidence action list --open
  lifeboat evidence action close 42 --note \"raised to 400\" --retest orders-18

Each is a new entry of the ledger, in your name; an action is named by the number of its entry.

Exit codes:
  0  it is entered; with list: no open action is overdue
  1  with list: an open action is overdue
  2  there is no such run, finding or action
  4  it is refused: closed already, a day that is over, no words, a retest that did not pass")]
pub(super) struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Open one.
    Open(Open),
    /// Close one.
    Close(Close),
    /// List them.
    List(List),
}

#[derive(Debug, clap::Args)]
struct Open {
    /// The run that showed it.
    #[arg(value_name = "RUN")]
    run: RunId,
    /// The finding that it answers: F-1 of the run's report, or the number that `finding add` gave.
    #[arg(long, value_name = "FINDING")]
    finding: Option<String>,
    /// How much it matters; default: as much as the finding.
    #[arg(long, value_enum)]
    severity: Option<Matters>,
    /// Who does it.
    #[arg(long, value_name = "NAME")]
    owner: Actor,
    /// By the end of this day (UTC).
    #[arg(long, value_name = "DATE")]
    due: Date,
    /// What is to be done.
    #[arg(value_name = "TEXT")]
    text: String,
}

#[derive(Debug, clap::Args)]
struct Close {
    /// Its number.
    #[arg(value_name = "NUMBER")]
    number: u64,
    /// What was done.
    #[arg(long, value_name = "TEXT")]
    note: String,
    /// The run that shows that it helps: after it, of the same group, and passed.
    #[arg(long, value_name = "RUN")]
    retest: Option<RunId>,
}

#[derive(Debug, clap::Args)]
struct List {
    /// Only those that are open.
    #[arg(long)]
    open: bool,
}

pub(super) async fn run(args: Args, desk: &Desk) -> Result<Exit, Complaint> {
    match args.verb {
        Verb::Open(open) => begin(open, desk).await,
        Verb::Close(close) => end(close, desk).await,
        Verb::List(list) => show(&list, desk),
    }
}

async fn begin(args: Open, desk: &Desk) -> Result<Exit, Complaint> {
    let Open { run, finding, severity, owner, due, text } = args;
    let said = format!("{owner} by {due}");
    let severity = severity.map(Into::into);
    let todo = ToDo { run: run.clone(), finding, severity, text, owner, due };
    let number = desk.app()?.open_action(todo).await?;
    desk.screen.answer(&json!({ "action": number, "run": run, "due": due }), |screen, _| {
        screen.line(format_args!("action {number} of {run} is open: {said}"));
        screen.line(format_args!("  when it is done: lifeboat evidence action close {number} --note \"…\""));
    });
    Ok(Exit::Success)
}

async fn end(args: Close, desk: &Desk) -> Result<Exit, Complaint> {
    let Close { number, note, retest } = args;
    let entry = desk.app()?.close_action(number, &note, retest).await?;
    desk.screen.answer(&json!({ "action": number, "entry": entry }), |screen, _| {
        screen.line(format_args!("action {number} is closed"));
    });
    Ok(Exit::Success)
}

fn show(args: &List, desk: &Desk) -> Result<Exit, Complaint> {
    let app = desk.app()?;
    let mut actions = app.actions()?;
    if args.open {
        actions.retain(|action| action.closed.is_none());
    }
    let today = app.today();
    desk.screen.answer(&actions, |screen, actions| {
        let row = |action: &Action| {
            let (tone, state) = match &action.closed {
                Some(closed) => (Tone::Good, format!("closed by {}: {}", closed.what.by, closed.what.note)),
                None if action.is_overdue(today) => (Tone::Bad, "OVERDUE".to_owned()),
                None => (Tone::Warn, "open".to_owned()),
            };
            let opened = &action.opened;
            vec![
                action.number.to_string(),
                opened.run.to_string(),
                opened.finding.clone().unwrap_or_else(|| "-".into()),
                opened.severity.as_str().to_owned(),
                opened.owner.to_string(),
                opened.due.to_string(),
                tint(tone, state),
                opened.text.clone(),
            ]
        };
        screen.text(&columns(&actions.iter().map(row).collect::<Vec<_>>()));
        if actions.is_empty() {
            screen.line(if args.open { "no action is open" } else { "there are no actions" });
        }
    });
    let overdue = actions.iter().any(|action| action.is_overdue(today));
    Ok(if overdue { Exit::Failure } else { Exit::Success })
}
