//! `lifeboat check`.

use std::path::PathBuf;

use serde_json::json;

use super::{Desk, complaint::Complaint, exit::Exit, screen::Format};
use crate::{app::documents, manifest};

/// Report everything that is wrong with documents, with places.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  lifeboat check ./lifeboat            a folder with all its *.yaml and *.yml
  lifeboat check a.yaml b.yaml         several files, checked together
  lifeboat check -o json ./lifeboat    for machines
  lifeboat explain LB0103              what a finding means

Exit code 2 when there is an error; warnings alone are 0.")]
pub(super) struct Args {
    /// Files and folders; default: what `--file`, `LIFEBOAT_FILES` or `./lifeboat` name.
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Warnings count as errors.
    #[arg(long)]
    strict: bool,
}

pub(super) fn run(args: &Args, desk: &Desk) -> Result<Exit, Complaint> {
    let paths = if args.paths.is_empty() { desk.settings()?.files } else { args.paths.clone() };
    let (documents, findings) = documents::examine(&paths);
    let bad = manifest::has_errors(&findings) || (args.strict && !findings.is_empty());
    match desk.screen.format {
        Format::Json => desk.screen.json(&json!({
            "ok": !bad,
            "regions": documents.regions.len(),
            "groups": documents.groups.len(),
            "runbooks": documents.runbooks.len(),
            "schedules": documents.schedules.len(),
            "channels": documents.channels.len(),
            "policies": documents.policies.len(),
            "calendars": documents.calendars.len(),
            "anchors": documents.anchors.len(),
            "findings": findings,
        })),
        Format::Text => {
            desk.screen.text(&manifest::render(&findings, desk.screen.look()));
            if findings.is_empty() {
                let (regions, groups) = (documents.regions.len(), documents.groups.len());
                let (runbooks, schedules) = (documents.runbooks.len(), documents.schedules.len());
                let channels = match documents.channels.len() {
                    0 => String::new(),
                    channels => format!(", NotificationChannel {channels}"),
                };
                let policies = match documents.policies.len() {
                    0 => String::new(),
                    policies => format!(", DrillPolicy {policies}"),
                };
                let calendars = match documents.calendars.len() {
                    0 => String::new(),
                    calendars => format!(", AssuranceCalendar {calendars}"),
                };
                let anchors = match documents.anchors.len() {
                    0 => String::new(),
                    anchors => format!(", EvidenceAnchor {anchors}"),
                };
                desk.screen.line(format_args!(
                    "checked: Region {regions}, ProtectionGroup {groups}, Runbook {runbooks}, DrillSchedule {schedules}{channels}{policies}{calendars}{anchors}"
                ));
            }
        }
    }
    Ok(if bad { Exit::Usage } else { Exit::Success })
}
