//! `lifeboat status`.

use super::{
    Desk,
    complaint::Complaint,
    exit::Exit,
    record,
    screen::{Screen, Tone, columns, tint},
};
use crate::{
    app::{Observed, Status, documents},
    model::{GroupName, Judged, Role},
};

/// Show who serves, what the members say, what runs, and what worries.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  lifeboat status              all groups
  lifeboat status orders -o json

Exit code 1 when there is an alarm, such as two primaries.")]
pub(super) struct Args {
    /// Only this group.
    #[arg(value_name = "GROUP")]
    group: Option<GroupName>,
}

pub(super) async fn run(args: Args, desk: &Desk) -> Result<Exit, Complaint> {
    let app = desk.app()?;
    let papers = documents::read(&app.settings)?;
    let names = match args.group {
        Some(group) => vec![group],
        None => papers.groups(),
    };
    let asked = names.iter().map(|name| app.status(&papers, name));
    let all = futures::future::try_join_all(asked).await?;
    desk.screen.answer(&all, |screen, all| {
        for (place, status) in all.iter().enumerate() {
            if place > 0 {
                screen.line("");
            }
            draw(screen, status);
        }
        if all.is_empty() {
            screen.line("the documents hold no ProtectionGroup");
        }
    });
    Ok(if all.iter().any(|status| !status.alarms.is_empty()) { Exit::Failure } else { Exit::Success })
}

fn draw(screen: &Screen, status: &Status) {
    let serves = status.serves.as_ref().map_or_else(|| "nobody knows".into(), ToString::to_string);
    let (group, term) = (tint(Tone::Bold, &status.group), tint(Tone::Dim, format_args!("term {}", status.term)));
    screen.line(format_args!("{group}  serves from {}  {term}", tint(Tone::Bold, serves)));
    if let Some(order) = &status.stopped {
        let why = if order.reason.trim().is_empty() { String::new() } else { format!(": {}", order.reason) };
        let (by, scope, at) = (&order.by, order.scope(), order.at);
        screen.line(format_args!("  {} {by} stopped {scope} at {at:.0}{why}", tint(Tone::Warn, "stopped")));
    }
    if let Some(frozen) = &status.frozen {
        screen.line(format_args!("  {} nothing starts by itself: {frozen}", tint(Tone::Warn, "frozen")));
    }
    for alarm in &status.alarms {
        screen.line(format_args!("  {} {alarm}", tint(Tone::Bad, "!!")));
    }
    let members = status.members.iter().map(|member| {
        let tone = match member.role {
            Role::Primary | Role::Standby => Tone::Good,
            Role::ReadOnly => Tone::Warn,
            Role::Down(_) | Role::Unknown(_) => Tone::Bad,
        };
        vec![format!("  {}", member.target), member.region.to_string(), tint(tone, &member.role)]
    });
    screen.text(&columns(&members.collect::<Vec<_>>()));
    for open in &status.open {
        let driven = match &open.driven_by {
            Some(holder) => format!("driven by {holder}"),
            None => format!("nobody drives it; lifeboat run show {}", open.summary.run),
        };
        screen.line(format_args!(
            "  {} {} {}, {driven}",
            tint(Tone::Warn, "open run"),
            open.summary.run,
            open.summary.kind
        ));
    }
    if let Some(last) = &status.last {
        let end =
            last.summary.closed.map(|(at, outcome)| format!("{} at {at:.0}", outcome.as_str())).unwrap_or_default();
        screen.line(format_args!("  last run {} {}: {end}", last.summary.run, last.summary.kind));
        for line in record::measures(&last.measures) {
            screen.line(format_args!("    {line}"));
        }
    }
    if let Some(drill) = &status.last_drill {
        let end = drill.closed.map(|(at, outcome)| format!("{} at {at:.0}", outcome.as_str())).unwrap_or_default();
        screen.line(format_args!("  last drill {}: {end}", drill.run));
    }
    for one in &status.drills {
        let tone = if one.status.is_broken() { Tone::Bad } else { Tone::Warn };
        let (word, why) = (tint(tone, one.status.as_str()), one.why.join("; "));
        screen.line(format_args!(
            "  drills {} {word}: {why}; lifeboat evidence coverage {}",
            one.requirement, status.group
        ));
    }
    for anchor in &status.anchors {
        let tone = if anchor.late { Tone::Bad } else { Tone::Good };
        let age = match anchor.last {
            Some(_) => format!("{} s ago", anchor.age_seconds),
            None => "never yet".into(),
        };
        let (name, size, rest) = (&anchor.name, anchor.size, anchor.unanchored);
        let line = format!("{size} entries of the ledger, {rest} more wait");
        screen.line(format_args!("  anchor {name} had {line}: {}", tint(tone, age)));
    }
    for observed in &status.observers {
        observer(screen, observed);
    }
    for gone in &status.gone {
        let line = format!(
            "observer {} is gone: its last report is from {:.0}, and counts for nothing",
            gone.observer, gone.last
        );
        screen.line(format_args!("  {}", tint(Tone::Dim, line)));
    }
    if status.observers.is_empty() {
        screen.line(format_args!("  no observer; start one with: lifeboat heartbeat {}", status.group));
    }
    for (target, concern) in &status.concerns {
        screen.line(format_args!("  {} {target}: {}", tint(Tone::Warn, "!"), concern.what));
        screen.line(format_args!("    {}", concern.remedy));
    }
}

fn observer(screen: &Screen, observed: &Observed) {
    let report = &observed.report;
    let age = format!("{:.1} s ago", observed.age_seconds);
    let tone = if observed.fresh { Tone::Good } else { Tone::Bad };
    screen.line(format_args!("  observer {} reported {}", report.observer, tint(tone, age)));
    let probes = report.probes.iter().map(|probe| {
        let word = match probe.failing_since {
            Some(since) => tint(Tone::Bad, format!("failing since {since:.3}, {} in a row", probe.falling)),
            None => tint(Tone::Good, "healthy"),
        };
        vec![format!("    {}", probe.region), probe.probe.to_string(), word, probe.detail.clone()]
    });
    screen.text(&columns(&probes.collect::<Vec<_>>()));
    let markers = report.markers.iter().map(|marker| {
        let age = report.at.duration_since(marker.at).as_secs_f64().max(0.0);
        vec![
            format!("    {}", marker.region),
            marker.target.to_string(),
            format!("marker {age:.1} s before the report"),
        ]
    });
    screen.text(&columns(&markers.collect::<Vec<_>>()));
    if let Some(why) = &report.abstains {
        screen.line(format_args!("    {} {why}", tint(Tone::Warn, "abstains:")));
    }
    if let Some(judged) = report.judged.as_ref().filter(|_| observed.fresh) {
        verdict(screen, judged);
    }
}

/// What the observer's own process judges, and why.
fn verdict(screen: &Screen, judged: &Judged) {
    let regions = judged.verdicts.iter().map(|verdict| {
        let tone = match verdict.state.as_str() {
            "up" => Tone::Good,
            "down" => Tone::Bad,
            _ => Tone::Warn,
        };
        vec![format!("    {}", verdict.region), tint(tone, &verdict.state), verdict.reasons.join("; ")]
    });
    screen.text(&columns(&regions.collect::<Vec<_>>()));
    if judged.answer != "nothing" {
        screen.line(format_args!("    {} {}", tint(Tone::Warn, &judged.answer), judged.reasons.join("; ")));
    }
    if let Some(command) = &judged.command {
        screen.line(format_args!("    approve it with: {command}"));
    }
}
