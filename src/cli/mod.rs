//! Floor 7: the command line. What was typed is parsed here, turned into a request, and handed to a flow of `app`;
//! what comes back is drawn for people (`screen`) or written as JSON.
//!
//! One file for each verb. A verb decides nothing and names no driver and no store. Exit codes are a table (`exit`) that
//! scripts may rely on. When the reader of the output goes away, the work goes on.

use std::{ffi::OsString, path::PathBuf, process::ExitCode, sync::Arc};

use clap::{Parser, Subcommand};

mod advice;
mod approve;
mod assurance;
mod begin;
mod check;
mod complaint;
mod completions;
mod confirm;
mod crds;
mod drill;
mod evidence;
mod exit;
mod explain;
mod failback;
mod failover;
mod finish;
mod heartbeat;
mod incident;
mod man;
mod plan;
mod progress;
mod readiness;
mod record;
mod replay;
mod run;
mod runbook;
mod schema;
mod screen;
mod serve;
mod status;
mod stop;
mod switchover;
mod witness;

use complaint::Complaint;
use exit::Exit;
use screen::{Colour, Format, Screen};

use crate::app::{self, Answering, App, LogFormat, Settings, Typed, Witnessing};

/// Fails a service over to another region, safely, and proves that it can.
#[derive(Debug, Parser)]
#[command(name = "lifeboat", version, max_term_width = 100, after_help = exit::TABLE, after_long_help = long_help())]
#[command(disable_help_subcommand = true)]
pub struct Cli {
    #[command(flatten)]
    everywhere: Everywhere,
    #[command(subcommand)]
    verb: Verb,
}

const EXAMPLES: &str = "\
Examples:
  lifeboat check ./lifeboat              what is wrong with the documents
  lifeboat status                        who serves, and what worries
  lifeboat readiness                     would a failover work now, and what to mend
  lifeboat plan orders                   what a failover would do now, step by step
  lifeboat drill orders --mode rehearse  the same, recorded as evidence
  lifeboat switchover orders             move it without loss
  lifeboat failover orders               move it although the source may be dead
  lifeboat run resume orders-17          go on with a run that stands still
  lifeboat serve                         watch all groups, and act where their automation says so
  lifeboat stop --all                    nothing starts or goes on until it is lifted

Environment:
  LIFEBOAT_FILES  documents, separated by colons; default ./lifeboat
  LIFEBOAT_DATA   folder of the store and the evidence; default $XDG_STATE_HOME/lifeboat or
                  ~/.local/state/lifeboat, for root /var/lib/lifeboat
  LIFEBOAT_STORE  the store, as with --store; for etcd with client certificates also
                  LIFEBOAT_STORE_CA, LIFEBOAT_STORE_CERT, LIFEBOAT_STORE_KEY: PEM files
  LIFEBOAT_AS     who asks, in records; default the operating system's user
  LIFEBOAT_LOG    log filter: a level, or target=level,…
  NO_COLOR        no colour";

/// Examples, environment, exit codes.
fn long_help() -> String {
    format!("{EXAMPLES}\n\n{}", exit::TABLE)
}

/// Options of every verb.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Everywhere")]
struct Everywhere {
    /// File or folder with documents; may be given several times.
    #[arg(short, long, global = true, value_name = "PATH")]
    file: Vec<PathBuf>,
    /// Folder of the store and the evidence.
    #[arg(long, global = true, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// The store: sqlite:PATH, or etcd+https://HOST:PORT,…/PREFIX; default a file in that folder.
    #[arg(long, global = true, value_name = "PLACE")]
    store: Option<String>,
    /// Who asks: the name that records show.
    #[arg(long = "as", global = true, value_name = "NAME")]
    actor: Option<String>,
    /// How the answer is written.
    #[arg(short, long, global = true, value_enum, default_value_t, value_name = "FORMAT")]
    output: Format,
    /// When colour is used.
    #[arg(long, global = true, value_enum, default_value_t, value_name = "WHEN")]
    color: Colour,
    /// Only the answer: no progress, no remarks.
    #[arg(short, long, global = true)]
    quiet: bool,
    /// More log lines; twice: even more.
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    verbose: u8,
    /// Log lines as JSON.
    #[arg(long, global = true)]
    log_json: bool,
}

#[derive(Debug, Subcommand)]
enum Verb {
    Check(check::Args),
    Plan(plan::Args),
    Failover(failover::Args),
    Switchover(switchover::Args),
    Failback(failback::Args),
    Drill(drill::Args),
    Run(run::Args),
    Approve(approve::Args),
    Status(status::Args),
    Readiness(readiness::Args),
    Stop(stop::Args),
    Serve(serve::Args),
    Replay(replay::Args),
    Heartbeat(heartbeat::Args),
    Evidence(evidence::Args),
    Incident(incident::Args),
    Assurance(assurance::Args),
    Witness(witness::Args),
    Runbook(runbook::Args),
    Schema(schema::Args),
    Crds(crds::Args),
    Explain(explain::Args),
    Completions(completions::Args),
    Man(man::Args),
}

/// What every verb works with.
struct Desk {
    screen: Arc<Screen>,
    typed: Typed,
    /// What answers over HTTP for a process that stands.
    answering: Answering,
    /// What answers over HTTP for a witness.
    witnessing: Witnessing,
}

impl Desk {
    fn settings(&self) -> Result<Settings, Complaint> {
        Ok(app::settle(self.typed.clone(), &app::environment).map_err(app::AppError::from)?)
    }

    fn app(&self) -> Result<App, Complaint> {
        Ok(App::open(self.settings()?)?)
    }
}

/// Parses what was typed, does it, and says how it ended. Blocks; makes its own runtime. `answering` is what a process that stands
/// answers health checks and scrapes with, `witnessing` what a witness does: another face, which this one does not know.
pub fn main(words: impl IntoIterator<Item = OsString>, answering: Answering, witnessing: Witnessing) -> ExitCode {
    app::install_crypto();
    let cli = match Cli::try_parse_from(words) {
        Ok(cli) => cli,
        Err(error) => {
            // A reader that is gone cannot be told.
            let _gone = error.print();
            return if error.use_stderr() { Exit::Usage.into() } else { ExitCode::SUCCESS };
        }
    };
    let Everywhere { file, data_dir, store, actor, output, color, quiet, verbose, log_json } = cli.everywhere;
    let desk = Desk {
        screen: Arc::new(Screen::new(output, color, quiet)),
        typed: Typed { data_dir, files: file, actor, store },
        answering,
        witnessing,
    };
    let ended = start(verbose, log_json, &desk).and_then(|runtime| runtime.block_on(act(cli.verb, &desk)));
    ended.unwrap_or_else(|complaint| complaint::complain(&desk.screen, &complaint)).into()
}

fn start(verbose: u8, log_json: bool, desk: &Desk) -> Result<tokio::runtime::Runtime, Complaint> {
    let format = if log_json { LogFormat::Json } else { LogFormat::Text };
    app::start_log(app::log_filter(&app::environment).as_deref(), verbose, format, desk.screen.is_coloured())?;
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(Complaint::machine("start the runtime"))
}

async fn act(verb: Verb, desk: &Desk) -> Result<Exit, Complaint> {
    match verb {
        Verb::Check(args) => check::run(&args, desk),
        Verb::Plan(args) => plan::run(args, desk).await,
        Verb::Failover(args) => failover::run(args, desk).await,
        Verb::Switchover(args) => switchover::run(args, desk).await,
        Verb::Failback(args) => failback::run(args, desk).await,
        Verb::Drill(args) => drill::run(args, desk).await,
        Verb::Run(args) => run::run(args, desk).await,
        Verb::Approve(args) => approve::run(args, desk).await,
        Verb::Readiness(args) => readiness::run(args, desk).await,
        Verb::Status(args) => status::run(args, desk).await,
        Verb::Stop(args) => stop::run(args, desk).await,
        Verb::Serve(args) => serve::run(args, desk).await,
        Verb::Replay(args) => replay::run(&args, desk),
        Verb::Heartbeat(args) => heartbeat::run(args, desk).await,
        Verb::Evidence(args) => evidence::run(args, desk).await,
        Verb::Incident(args) => incident::run(args, desk).await,
        Verb::Assurance(args) => assurance::run(args, desk).await,
        Verb::Witness(args) => witness::run(args, desk).await,
        Verb::Runbook(args) => runbook::run(args, desk),
        Verb::Schema(_) => Ok(schema::run(desk)),
        Verb::Crds(_) => Ok(crds::run(desk)),
        Verb::Explain(args) => explain::run(&args, desk),
        Verb::Completions(args) => Ok(completions::run(&args, desk)),
        Verb::Man(args) => man::run(&args, desk),
    }
}
