//! `lifeboat plan`.

use super::{
    Desk,
    complaint::Complaint,
    drill::Kind,
    exit::Exit,
    screen::{Screen, Tone, columns, tint},
};
use crate::{
    app::{Preview, Request, StepPreview, Would, documents},
    model::{GroupName, RegionName},
};

/// Show what a run would do now, step by step; changes nothing.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  lifeboat plan orders                      a failover
  lifeboat plan orders --kind switchover    a planned move
  lifeboat plan orders -o json              for machines

Every member, name and probe is really looked at. Exit code 4 when a gate or a check would refuse the run.")]
pub(super) struct Args {
    /// The protection group.
    #[arg(value_name = "GROUP")]
    group: GroupName,
    /// What kind of run.
    #[arg(long, value_enum, default_value_t = Kind::Failover)]
    kind: Kind,
    /// Away from this region; default: the one that serves now.
    #[arg(long, value_name = "REGION")]
    from: Option<RegionName>,
    /// To this region; default: the only other one that can serve.
    #[arg(long, value_name = "REGION")]
    to: Option<RegionName>,
}

pub(super) async fn run(args: Args, desk: &Desk) -> Result<Exit, Complaint> {
    let request = Request { from: args.from, to: args.to, ..Request::new(args.kind.into(), args.group) };
    let app = desk.app()?;
    let preview = app.preview(request).await?;
    desk.screen.answer(&preview, draw);
    let (_, findings) = documents::examine(&app.settings.files);
    if !findings.is_empty() {
        desk.screen.remark(format_args!("the documents have {} findings: lifeboat check", findings.len()));
    }
    Ok(if preview.refused() { Exit::Refused } else { Exit::Success })
}

fn draw(screen: &Screen, preview: &Preview) {
    screen.line(format_args!(
        "{} of {}: {} -> {}, runbook {} ({})",
        preview.kind,
        tint(Tone::Bold, &preview.group),
        preview.source,
        preview.destination,
        preview.runbook,
        preview.digest
    ));
    section(screen, "steps");
    screen.text(&columns(&preview.steps.iter().map(row).collect::<Vec<_>>()));
    section(screen, "loss if the destination were promoted now");
    for (target, loss) in &preview.estimates {
        screen.line(format_args!("  {target}: {loss}"));
    }
    if preview.estimates.is_empty() {
        screen.line("  nothing is promoted");
    }
    endpoints(screen, preview);
    health(screen, preview);
    section(screen, "recovery time");
    let path: Vec<&str> = preview.critical_path.iter().map(crate::model::StepName::as_str).collect();
    screen.line(format_args!(
        "  about {:.1} s of {} s after the decision, by {} ({} of {} steps from earlier runs, the rest as declared)",
        preview.predicted_seconds,
        preview.objective_seconds,
        path.join(" -> "),
        preview.learnt,
        preview.steps.len()
    ));
    worries(screen, preview);
    let verdict = if preview.refused() {
        tint(Tone::Bad, "this run would be refused")
    } else {
        tint(Tone::Good, "this run could start now; nothing was changed")
    };
    screen.line(format_args!("\n{verdict}"));
}

fn section(screen: &Screen, title: &str) {
    screen.line(format_args!("\n{}", tint(Tone::Bold, title)));
}

fn row(step: &StepPreview) -> Vec<String> {
    let (would, why) = match &step.would {
        Would::Nothing => (tint(Tone::Dim, "is so already"), String::new()),
        Would::Act => (tint(Tone::Good, "would act"), String::new()),
        Would::Ask => (tint(Tone::Warn, "would ask a person"), String::new()),
        Would::Skip { why } => (tint(Tone::Dim, "would be left out"), why.clone()),
        Would::Block { reasons } => {
            let why = reasons.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
            (tint(Tone::Bad, "would be blocked"), why)
        }
        Would::Unknown { why } => (tint(Tone::Warn, "unknown"), why.clone()),
    };
    let target = step.target.as_ref().map(ToString::to_string).unwrap_or_default();
    vec![format!("  {}", step.step), step.verb.to_string(), target, would, why]
}

fn endpoints(screen: &Screen, preview: &Preview) {
    section(screen, "endpoints");
    let mut rows: Vec<Vec<String>> = Vec::new();
    for step in &preview.steps {
        for endpoint in &step.endpoints {
            let region = endpoint.region.as_ref().map_or_else(|| "anywhere".into(), ToString::to_string);
            let depends = step.depends_on_source.contains(&endpoint.address);
            let warning = if depends {
                tint(Tone::Warn, format!("{} needs it, and it lives where the outage is", step.step))
            } else {
                String::new()
            };
            let row = vec![format!("  {}", endpoint.address), region, endpoint.purpose.clone(), warning];
            if !rows.contains(&row) {
                rows.push(row);
            }
        }
    }
    if rows.is_empty() {
        screen.line("  none");
    }
    screen.text(&columns(&rows));
}

fn health(screen: &Screen, preview: &Preview) {
    if preview.outage.probes.is_empty() && preview.outage.onset.is_none() {
        return;
    }
    section(screen, &format!("{} now", preview.source));
    for probe in &preview.outage.probes {
        let word = if probe.healthy { tint(Tone::Good, "healthy") } else { tint(Tone::Bad, "failing") };
        screen.line(format_args!("  {} {word}: {}", probe.probe, probe.detail));
    }
    if let Some(onset) = preview.outage.onset {
        screen.line(format_args!("  failing since {onset:.3} (by {})", preview.outage.basis));
    }
}

fn worries(screen: &Screen, preview: &Preview) {
    if !preview.concerns.is_empty() {
        section(screen, "concerns");
    }
    for (target, concern) in &preview.concerns {
        screen.line(format_args!("  {} {target}: {}", tint(Tone::Warn, "!"), concern.what));
        screen.line(format_args!("    {}", concern.remedy));
    }
    for objection in &preview.objections {
        screen.line(format_args!("\n{} {objection}", tint(Tone::Bad, "refused:")));
    }
    for gate in &preview.gates {
        let risk = gate.accepted_by().map(|risk| format!(" (or --accept {risk} --reason \"…\")")).unwrap_or_default();
        screen.line(format_args!("\n{} {gate}{risk}", tint(Tone::Bad, "gate:")));
    }
}
