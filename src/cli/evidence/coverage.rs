//! `lifeboat evidence coverage`.

use jiff::civil::Date;

use crate::{
    app::{Coverage, Covered},
    cli::{
        Desk,
        complaint::Complaint,
        exit::Exit,
        screen::{Screen, Tone, columns, tint},
    },
    decide::programme::{Score, Standing, Status},
    model::GroupName,
};

/// Show how the programme of drills stands: what the drill policies ask of each group, and what the ledger has.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  lifeboat evidence coverage
  lifeboat evidence coverage orders -o json
  lifeboat evidence coverage --as-of 2026-06-30     what the ledger said at the end of that day (UTC)

  CURRENT          the last run counts, and is in time
  DUE_SOON         the same, for a few more days
  AWAITING_SIGNOFF nobody signed the last run off, and there is still time to
  BLOCKED          the last run counts, and a failover would not work now
  STALE            the runbook, the topology, the objectives or the program changed since
  OVERDUE          its time is over
  FAILED           the last run does not count; an older pass does not hide it
  NEVER            there is no run
  WAIVED           it is not asked for, for a while: `lifeboat evidence waive`
  UNPROTECTED      no policy asks anything of the group

A run counts to the end of the day (UTC) on which it ended plus the period in calendar days. With
--as-of only what was in the ledger by then is used, also the drill policy that was entered last by
then: the answer is the same next year. What cannot be known of the past (readiness, documents, a
policy before the first one was entered) is said. A policy is entered when a run is opened, and by
`lifeboat serve` when it starts and every hour.

Exit codes:
  0  nothing below
  1  something is NEVER, OVERDUE, FAILED or STALE, a group is UNPROTECTED, or the ledger does not verify
  2  the documents have errors, or there is no such group")]
pub(super) struct Args {
    /// Only this group.
    #[arg(value_name = "GROUP")]
    group: Option<GroupName>,
    /// At the end of this day (UTC), by the ledger alone; default: now.
    #[arg(long, value_name = "DATE")]
    as_of: Option<Date>,
}

pub(super) async fn run(args: Args, desk: &Desk) -> Result<Exit, Complaint> {
    let coverage = desk.app()?.coverage(args.group.as_ref(), args.as_of).await?;
    desk.screen.answer(&coverage, people);
    Ok(if coverage.is_broken() { Exit::Failure } else { Exit::Success })
}

fn people(screen: &Screen, coverage: &Coverage) {
    let what = if coverage.now { "now".to_owned() } else { format!("at the end of {} (UTC)", coverage.as_of) };
    screen.line(format_args!("{} {what}", tint(Tone::Bold, "coverage")));
    for flaw in coverage.ledger.iter().flat_map(|ledger| &ledger.flaws) {
        screen.line(format_args!("  {} the ledger, {}: {}", tint(Tone::Bad, "!!"), flaw.place, flaw.what));
    }
    let mut rows =
        vec![["  group", "requirement", "status", "last valid run", "due", "why"].map(str::to_owned).to_vec()];
    for group in &coverage.groups {
        rows.extend(rows_of(group));
    }
    if coverage.groups.is_empty() {
        screen.line("  the documents hold no ProtectionGroup");
    } else {
        screen.text(&columns(&rows));
    }
    screen.line(format_args!("  {}", tint(Tone::Dim, coverage.rule)));
    let open = coverage.actions.len();
    if open > 0 {
        let overdue = coverage.actions.iter().filter(|action| action.is_overdue(coverage.as_of)).count();
        screen.line(format_args!("  {open} open actions, {overdue} overdue: lifeboat evidence action list --open"));
    }
    if let Some(score) = &coverage.score {
        draw_score(screen, score);
    }
    for note in &coverage.notes {
        screen.line(format_args!("  {} {note}", tint(Tone::Warn, "note")));
    }
}

fn rows_of(group: &Covered) -> Vec<Vec<String>> {
    let name = format!("  {}", group.group);
    if group.unprotected {
        let why = "no drill policy asks anything of it".to_owned();
        return vec![vec![name, String::new(), tint(Tone::Bad, "UNPROTECTED"), String::new(), String::new(), why]];
    }
    let row = |one: &Standing| {
        let hidden = one.hidden.map_or_else(String::new, |hidden| format!(" ({})", hidden.as_str()));
        let valid = match (&one.valid, one.valid_ended) {
            (Some(run), Some(ended)) => format!("{run} {ended:.0}"),
            (Some(_) | None, _) => "none".into(),
        };
        vec![
            name.clone(),
            one.requirement.clone(),
            tint(tone(one.status), format_args!("{}{hidden}", one.status.as_str())),
            valid,
            one.due.map_or_else(|| "-".into(), |due| due.to_string()),
            one.why.join("; "),
        ]
    };
    group.requirements.iter().map(row).collect()
}

/// A waiver is as loud as what it hides.
fn tone(status: Status) -> Tone {
    match status {
        Status::Current => Tone::Good,
        Status::DueSoon | Status::AwaitingSignoff | Status::Blocked => Tone::Warn,
        Status::Stale | Status::Overdue | Status::Failed | Status::Never | Status::Waived => Tone::Bad,
    }
}

fn draw_score(screen: &Screen, score: &Score) {
    let (tone, word) = if score.ready { (Tone::Bold, "") } else { (Tone::Bad, "  NOT READY") };
    screen.line(format_args!("score {}{}", tint(tone, format_args!("{} of 100", score.points)), tint(Tone::Bad, word)));
    let parts = score.parts.iter().map(|part| {
        let lost = if part.lost.is_empty() { String::new() } else { format!("lost: {}", part.lost.join("; ")) };
        vec![format!("  {}", part.name), format!("{} of {}", part.points, part.of), lost]
    });
    screen.text(&columns(&parts.collect::<Vec<_>>()));
    for why in &score.capped {
        screen.line(format_args!("  {} at most 49 points: {why}", tint(Tone::Bad, "!!")));
    }
    screen.line(format_args!("  {}", tint(Tone::Dim, score.formula)));
}
