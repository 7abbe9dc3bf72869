//! `lifeboat drill`.

use clap::{ArgMatches, FromArgMatches, Subcommand, ValueEnum};

use super::{
    Desk,
    begin::{self, Way},
    complaint::Complaint,
    exit::Exit,
    finish,
};
use crate::{
    app::Request,
    model::{DrillMode, RunKind},
};

mod live;
mod schedules;

/// Run a runbook to learn: the whole run is recorded as evidence.
#[derive(Debug, clap::Args)]
#[command(
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true,
    after_help = "\
Examples:
  lifeboat drill orders --mode rehearse                     a failover, observed and not done
  lifeboat drill orders --mode rehearse --kind switchover   a switchover
  lifeboat drill orders --mode isolated                     done on the group's stand-ins, which are taken down again
  lifeboat drill orders --mode live --yes-i-mean orders     really there and back, ended by the group's abort conditions
  lifeboat drill schedules                                  the drills that happen on their own

A rehearsal holds no permit, and neither it nor an isolated drill stands in the way of a real run. An isolated drill ends by proving that no stand-in is
left and that every real target is as it was."
)]
pub(super) struct Args {
    #[command(flatten)]
    now: Typed,
    #[command(subcommand)]
    verb: Option<Verb>,
}

#[derive(Debug, Subcommand)]
enum Verb {
    Schedules(schedules::Args),
}

/// A drill that was typed; nothing where a word of its own was typed instead.
///
/// clap's own `Option` asks a group whether anything of it was typed, and its groups do not nest.
#[derive(Debug)]
struct Typed(Option<Now>);

impl FromArgMatches for Typed {
    fn from_arg_matches(typed: &ArgMatches) -> Result<Self, clap::Error> {
        let other = typed.subcommand_name().is_some();
        if other { Ok(Self(None)) } else { Now::from_arg_matches(typed).map(Some).map(Self) }
    }

    fn update_from_arg_matches(&mut self, typed: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(typed)?;
        Ok(())
    }
}

impl clap::Args for Typed {
    fn augment_args(command: clap::Command) -> clap::Command {
        Now::augment_args(command)
    }

    fn augment_args_for_update(command: clap::Command) -> clap::Command {
        Now::augment_args_for_update(command)
    }
}

/// A drill that is run now.
#[derive(Debug, clap::Args)]
struct Now {
    #[command(flatten)]
    way: Way,
    /// How far it goes.
    #[arg(long, value_enum)]
    mode: Mode,
    /// What is drilled; a live drill is a switchover and the way back.
    #[arg(long, value_enum, default_value_t = Kind::Failover)]
    kind: Kind,
    /// For a live drill: the group's name, instead of typing it at the prompt.
    #[arg(long, value_name = "GROUP")]
    yes_i_mean: Option<String>,
}

/// How far a drill goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Mode {
    /// Everything is observed, nothing is changed.
    Rehearse,
    /// Everything is done, on stand-ins that are made for it and taken down again.
    Isolated,
    /// The group really moves, stays a while, and comes back.
    Live,
}

impl From<Mode> for DrillMode {
    fn from(mode: Mode) -> Self {
        match mode {
            Mode::Rehearse => Self::Rehearse,
            Mode::Isolated => Self::Isolated,
            Mode::Live => Self::Live,
        }
    }
}

/// What kind of run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Kind {
    /// Unplanned.
    Failover,
    /// Planned.
    Switchover,
    /// Back to the preferred region.
    Failback,
}

impl From<Kind> for RunKind {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Failover => Self::Failover,
            Kind::Switchover => Self::Switchover,
            Kind::Failback => Self::Failback,
        }
    }
}

pub(super) async fn run(args: Args, desk: &Desk) -> Result<Exit, Complaint> {
    let now = match (args.verb, args.now.0) {
        (Some(Verb::Schedules(args)), _) => return schedules::run(args, desk).await,
        (None, Some(now)) => now,
        (None, None) => return Err(Complaint::typed("no group is named", "lifeboat drill GROUP --mode rehearse")),
    };
    let (request, manner) = now.way.request(now.kind.into())?;
    let request = Request { rehearsal: now.mode != Mode::Live, drill: Some(now.mode.into()), ..request };
    if now.mode == Mode::Live {
        return Box::pin(live::run(request, manner, now.yes_i_mean.as_deref(), desk)).await;
    }
    let app = desk.app()?;
    let prepared = app.prepare(request).await?;
    let rested = begin::start(desk, &app, prepared, manner, None).await?;
    Ok(finish::finish(desk, &rested))
}
