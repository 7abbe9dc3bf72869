//! `lifeboat run`: looking at runs and giving them orders.

use clap::Subcommand;

use super::{Desk, complaint::Complaint, exit::Exit};

mod cancel;
mod list;
pub(super) mod order;
mod resume;
mod show;
mod watch;

/// Look at runs, and give them orders.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  lifeboat run list orders                       newest first
  lifeboat run show orders-17                    all of it
  lifeboat run watch orders-17                   as it goes, from any terminal
  lifeboat run resume orders-17                  go on, in this process
  lifeboat run retry orders-17 promote-db        an order to whoever drives it")]
pub(super) struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    List(list::Args),
    Show(show::Args),
    Watch(watch::Args),
    Resume(resume::Args),
    Pause(order::Pause),
    Retry(order::Retry),
    Skip(order::Skip),
    Cancel(cancel::Args),
    Accept(order::Accept),
}

pub(super) async fn run(args: Args, desk: &Desk) -> Result<Exit, Complaint> {
    match args.verb {
        Verb::List(args) => list::run(args, desk).await,
        Verb::Show(args) => show::run(args, desk).await,
        Verb::Watch(args) => watch::run(args, desk).await,
        Verb::Resume(args) => resume::run(args, desk).await,
        Verb::Pause(args) => order::pause(args, desk).await,
        Verb::Retry(args) => order::retry(args, desk).await,
        Verb::Skip(args) => order::skip(args, desk).await,
        Verb::Cancel(args) => cancel::run(args, desk).await,
        Verb::Accept(args) => order::accept(args, desk).await,
    }
}
