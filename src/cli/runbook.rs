//! `lifeboat runbook`.

use clap::Subcommand;
use serde_json::json;

use super::{Desk, complaint::Complaint, drill::Kind, exit::Exit, screen::Format};
use crate::{
    app::documents,
    model::{GroupName, RunKind, RunbookName},
};

/// Make runbooks.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  lifeboat runbook scaffold orders > failover.yaml")]
pub(super) struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Print the built-in runbook of a group, as a document to start from.
    #[command(after_help = "\
Examples:
  lifeboat runbook scaffold orders > failover.yaml
  lifeboat runbook scaffold orders --kind switchover --name orders-planned")]
    Scaffold {
        /// The protection group.
        #[arg(value_name = "GROUP")]
        group: GroupName,
        /// For what kind of run.
        #[arg(long, value_enum, default_value_t = Kind::Failover)]
        kind: Kind,
        /// Its name; default `GROUP-KIND`.
        #[arg(long, value_name = "NAME")]
        name: Option<RunbookName>,
    },
}

pub(super) fn run(args: Args, desk: &Desk) -> Result<Exit, Complaint> {
    let Verb::Scaffold { group, kind, name } = args.verb;
    let kind = RunKind::from(kind);
    let name = match name {
        Some(name) => name,
        None => RunbookName::new(format!("{group}-{kind}"))
            .map_err(|error| Complaint::typed(error.to_string(), "give it a name with --name"))?,
    };
    let text = documents::read(&desk.settings()?)?.scaffold(&group, kind, &name)?;
    match desk.screen.format {
        Format::Json => desk.screen.json(&json!({ "runbook": name, "text": text })),
        Format::Text => desk.screen.text(&text),
    }
    Ok(Exit::Success)
}
