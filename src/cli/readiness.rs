//! `lifeboat readiness`.

use serde::Serialize;

use super::{
    Desk,
    complaint::Complaint,
    exit::Exit,
    screen::{Screen, Tone, tint},
};
use crate::{
    app::{Gravity, Readiness, documents},
    decide::Uncovered,
    model::GroupName,
};

/// Would a failover work now? Findings with a remedy each; changes nothing.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  lifeboat readiness                    all groups
  lifeboat readiness orders --strict    for CI: also what only worries is a failure
  lifeboat readiness orders -o json

Credentials, lag, fences, names, versions, room for clients, the runbook, what lives in the source region, the last drill and the
observers are looked at; without GROUP also whether each service that a region lists is in a group. `lifeboat serve` does so every minute. Exit code 4 when a failover would be refused or would not get to its end.")]
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
    let (groups, uncovered) = if args.groups.is_empty() {
        let papers = documents::read(&app.settings)?;
        (papers.groups(), papers.uncovered())
    } else {
        (args.groups, Vec::new())
    };
    let mut all = Vec::new();
    for group in &groups {
        all.push(app.readiness(group).await?);
    }
    let answer = Answer { groups: all, uncovered };
    desk.screen.answer(&answer, |screen, answer| {
        answer.groups.iter().for_each(|one| draw(screen, one));
        answer.uncovered.iter().for_each(|one| bare(screen, one));
    });
    let fails = |one: &Readiness| !one.ready || (args.strict && !one.findings.is_empty());
    let bare = args.strict && !answer.uncovered.is_empty();
    Ok(if bare || answer.groups.iter().any(fails) { Exit::Refused } else { Exit::Success })
}

#[derive(Serialize)]
struct Answer {
    groups: Vec<Readiness>,
    /// Services in no group; empty when groups were named.
    uncovered: Vec<Uncovered>,
}

fn bare(screen: &Screen, uncovered: &Uncovered) {
    let regions = uncovered.regions.iter().map(ToString::to_string).collect::<Vec<_>>().join(" and ");
    let mark = tint(Tone::Warn, "!");
    screen.line(format_args!("{mark} service {} runs in {regions}, and no group covers it", uncovered.service));
    screen.line("    write a ProtectionGroup for it, or name it in `services` of the group that moves it");
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
