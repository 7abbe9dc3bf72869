//! `lifeboat evidence list`.

use crate::{
    app::Entered,
    cli::{
        Desk,
        complaint::Complaint,
        exit::Exit,
        screen::{Format, Tone, columns, tint},
    },
    evidence::statement::What,
    model::GroupName,
};

/// List the entries of the ledger, oldest first.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  lifeboat evidence list
  lifeboat evidence list --group orders
  lifeboat evidence list --last 20
  lifeboat evidence list -o json")]
pub(super) struct Args {
    /// Only entries about runs of this group.
    #[arg(long, value_name = "GROUP")]
    group: Option<GroupName>,
    /// Only so many, the newest.
    #[arg(long, value_name = "COUNT")]
    last: Option<usize>,
}

pub(super) fn run(args: &Args, desk: &Desk) -> Result<Exit, Complaint> {
    let read = desk.app()?.reading()?;
    let about = |one: &&Entered| {
        args.group.as_ref().is_none_or(|group| one.entry.what.run().is_some_and(|run| run.group == *group))
    };
    let entries: Vec<&Entered> = read.entries().iter().filter(about).collect();
    let first = args.last.map_or(0, |last| entries.len().saturating_sub(last));
    let entries = entries.get(first..).unwrap_or_default();
    match desk.screen.format {
        Format::Json => desk.screen.json(&entries),
        Format::Text => desk.screen.text(&columns(&entries.iter().map(|one| row(one)).collect::<Vec<_>>())),
    }
    Ok(Exit::Success)
}

fn row(one: &Entered) -> Vec<String> {
    let late = if one.entry.late { tint(Tone::Warn, "late") } else { String::new() };
    vec![
        one.index.to_string(),
        format!("{:.3}", one.entry.at),
        one.entry.what.kind().to_owned(),
        about(&one.entry.what),
        late,
    ]
}

fn about(what: &What) -> String {
    match what {
        What::LedgerOpened { origin, .. } => origin.clone(),
        What::LedgerRecovered { file, bytes, .. } => format!("{bytes} bytes that a crash left in {file}"),
        What::KeyAdded { role, key, requested_by } => format!("{} key {} by {requested_by}", role.as_str(), key.id),
        What::KeyRetired { role, id, requested_by } => format!("{} key {id} by {requested_by}", role.as_str()),
        What::RunOpened { run, run_kind, rehearsal, source, destination, requested_by, .. } => {
            let rehearsal = if *rehearsal { "rehearsal of a " } else { "" };
            format!("{run} {rehearsal}{run_kind} {source} -> {destination} by {requested_by}")
        }
        What::RunClosed { run, outcome, .. } => format!("{run} {}", outcome.as_str()),
        What::SignedOff(signed) => format!("{} {} by {}", signed.run, signed.opinion.as_str(), signed.by),
        What::FindingRaised(found) => format!("{} {} {}", found.run, found.severity.as_str(), found.text),
        What::ActionOpened(action) => {
            format!("{} {} by {}, {}: {}", action.run, action.severity.as_str(), action.owner, action.due, action.text)
        }
        What::ActionClosed(closed) => format!("action {} by {}: {}", closed.action, closed.by, closed.note),
        What::Waived(waiver) => {
            format!("{} {} to {} by {}: {}", waiver.group, waiver.requirement, waiver.until, waiver.by, waiver.reason)
        }
        What::IncidentDrafted(made) => format!("{} draft {} by {}", made.run, made.version, made.by),
        What::AssuranceRecorded(made) => format!("{} on {} by {}", made.item, made.on, made.assessor),
        What::PolicyChanged(changed) => {
            format!("{} requirements, sha256:{}", changed.requirements, changed.policy.sha256)
        }
        What::Anchored(anchored) => format!("{} entries with {} ({})", anchored.size, anchored.anchor, anchored.how),
        What::Heartbeat { version } => format!("lifeboat {version}"),
        What::Other => String::new(),
    }
}
