//! `lifeboat readiness`.

use super::{
    Desk,
    complaint::Complaint,
    exit::Exit,
    screen::{Screen, Tone, tint},
};
use crate::{
    app::{Gravity, Readiness, documents},
    model::GroupName,
};

/// Would a failover work now? Findings with a remedy each; changes nothing.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  lifeboat readiness                    all groups
  lifeboat readiness orders --strict    for CI: also what only worries is a failure
  lifeboat readiness orders -o json

Credentials, lag, fences, names, the runbook, what lives in the source region, the last drill and the observers are looked at.
`lifeboat serve` does so every minute. Exit code 4 when a failover would be refused or would not get to its end.")]
pub(super) struct Args {
    /// Protection groups; default: all.
    #[arg(value_name = "GROUP")]
    groups: Vec<GroupName>,
    /// What only worries counts, too.
    #[arg(long)]
    strict: bool,
}

pub(super) async fn run(args: Args, desk: &Desk) -> Result<Exit, Complaint> {
    let app = desk.app()?;
    let groups = if args.groups.is_empty() { documents::read(&app.settings)?.groups() } else { args.groups };
    let mut all = Vec::new();
    for group in &groups {
        all.push(app.readiness(group).await?);
    }
    desk.screen.answer(&all, |screen, all| all.iter().for_each(|one| draw(screen, one)));
    let fails = |one: &Readiness| !one.ready || (args.strict && !one.findings.is_empty());
    Ok(if all.iter().any(fails) { Exit::Refused } else { Exit::Success })
}

pub(super) fn draw(screen: &Screen, readiness: &Readiness) {
    let word = if readiness.ready { tint(Tone::Good, "ready") } else { tint(Tone::Bad, "NOT ready") };
    let way = match (&readiness.source, &readiness.destination) {
        (Some(source), Some(destination)) => format!(": {source} -> {destination}"),
        (_, None) | (None, _) => String::new(),
    };
    let takes = readiness.predicted_seconds.map(|seconds| format!(", about {seconds:.1} s")).unwrap_or_default();
    screen.line(format_args!("{}  {word}{way}{takes}", tint(Tone::Bold, &readiness.group)));
    for (target, loss) in &readiness.estimates {
        screen.line(format_args!("  {target} would lose {loss}"));
    }
    for finding in &readiness.findings {
        let mark = match finding.gravity {
            Gravity::Blocks => tint(Tone::Bad, "!!"),
            Gravity::Worries => tint(Tone::Warn, "!"),
        };
        screen.line(format_args!("  {mark} {}: {}", finding.about, finding.what));
        screen.line(format_args!("    {}", finding.remedy));
    }
}
