//! `lifeboat evidence`: the record of a run, and the ledger that proves it. One file for each verb.

use clap::Subcommand;

use super::{Desk, complaint::Complaint, exit::Exit};

mod action;
mod anchor;
mod controls;
mod coverage;
mod export;
mod finding;
mod keygen;
mod list;
mod population;
mod receipts;
mod report;
mod show;
mod sign_off;
mod verify;
mod waive;

/// Look at evidence records, and at the ledger that proves them.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  lifeboat evidence show orders-17
  lifeboat evidence show orders-17 -o json > orders-17.json
  lifeboat evidence report orders-17 --into orders-17.html
  lifeboat evidence population > runs.csv
  lifeboat evidence coverage
  lifeboat evidence action open orders-17 --finding F-1 --owner ben --due 2026-12-15 \"raise the quota\"
  lifeboat evidence list
  lifeboat evidence verify
  lifeboat evidence sign-off orders-17 --key ~/.ssh/id_ed25519
  lifeboat evidence anchor
  lifeboat evidence export orders-17 ./for-the-auditor
  lifeboat evidence keygen --rotate record

A record is kept of every run whenever it comes to rest: also of paused, cancelled and failed ones.
Every run is entered into the ledger, in the data folder, before its first act and when it is
closed.

Environment:
  LIFEBOAT_LEDGER_ORIGIN  the ledger's name, when it is made; default HOST/ledger
  LIFEBOAT_LEDGER_KEY     where the key is that signs checkpoints: file:PATH, env:NAME or
                          command:PROGRAM WORD …; default keys/ledger.key in the data folder
  LIFEBOAT_RECORD_KEY     the same for the key that signs entries
  LIFEBOAT_DATA_KEY       the same for the key that keeps them secret at rest")]
pub(super) struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    Show(show::Args),
    Report(report::Args),
    Population(population::Args),
    Controls(controls::Args),
    Coverage(coverage::Args),
    Finding(finding::Args),
    Action(action::Args),
    Waive(waive::Args),
    List(list::Args),
    Verify(verify::Args),
    Anchor(anchor::Args),
    Receipts(receipts::Args),
    Export(export::Args),
    SignOff(sign_off::Args),
    Keygen(keygen::Args),
}

pub(super) async fn run(args: Args, desk: &Desk) -> Result<Exit, Complaint> {
    match args.verb {
        Verb::Show(args) => show::run(args, desk).await,
        Verb::Report(args) => report::run(args, desk).await,
        Verb::Population(args) => population::run(args, desk).await,
        Verb::Coverage(args) => coverage::run(args, desk).await,
        Verb::Finding(args) => finding::run(args, desk).await,
        Verb::Action(args) => action::run(args, desk).await,
        Verb::Waive(args) => waive::run(args, desk).await,
        Verb::Controls(_) => controls::run(desk),
        Verb::List(args) => list::run(&args, desk),
        Verb::Verify(args) => verify::run(args, desk).await,
        Verb::SignOff(args) => sign_off::run(args, desk).await,
        Verb::Anchor(args) => anchor::run(args, desk).await,
        Verb::Receipts(args) => receipts::run(&args, desk),
        Verb::Export(args) => export::run(&args, desk),
        Verb::Keygen(args) => keygen::run(&args, desk),
    }
}
