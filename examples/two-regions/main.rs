//! Two regions on this machine, a real outage, a real failover, and the way back.
//!
//! `make demo` (or `cargo build --bins --examples && cargo run --example two-regions`) starts a PostgreSQL primary with its
//! standby, two object stores and two name servers on loopback; a client that writes without pause; and then runs `lifeboat`
//! as a person would. At the end it sets the client's own list of acknowledged writes beside what Lifeboat measured, and
//! fails when the two disagree. `README.md` beside this file tells the story.
//!
//! The same program is the client (`shop`), the service's health (`service`) and the object stores' replication
//! (`replicate`): modes that the demonstration starts as processes of their own.

#![expect(
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "a program to be watched, with its own clock and its own tasks; the house's rules for both are the library's"
)]

mod comparison;
mod demo;
mod places;
mod replicate;
mod service;
mod shop;
mod terminal;
mod view;

#[path = "../../tests/servers/mod.rs"]
mod servers;

use std::{path::PathBuf, process::ExitCode};

use clap::{Parser, Subcommand};
use places::{Place, Ports};

/// Whatever goes wrong here is only ever shown.
type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Fails two regions over on this machine and compares what the client saw with what Lifeboat measured.
#[derive(Parser)]
#[command(name = "two-regions")]
struct Typed {
    /// Stop at the end, with everything running, until Enter is pressed.
    #[arg(long)]
    keep: bool,
    #[command(subcommand)]
    mode: Option<Mode>,
}

/// What the demonstration starts by itself.
#[derive(Subcommand)]
enum Mode {
    /// The client: orders and uploads without pause.
    Shop { ports: PathBuf, folder: PathBuf },
    /// The health of one region's service.
    Service { ports: PathBuf, region: String, address: std::net::SocketAddr },
    /// The object stores' own replication.
    Replicate { ports: PathBuf },
}

fn main() -> ExitCode {
    let typed = Typed::parse();
    let done = match typed.mode {
        None => demo::run(typed.keep),
        Some(mode) => work(mode).map(|()| ExitCode::SUCCESS),
    };
    done.unwrap_or_else(|failure| {
        eprintln!("two-regions: {failure}");
        ExitCode::FAILURE
    })
}

fn work(mode: Mode) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        match mode {
            Mode::Shop { ports, folder } => shop::run(&Ports::read(&ports)?, &folder).await,
            Mode::Service { ports, region, address } => {
                service::run(&Ports::read(&ports)?, Place::parse(&region)?, address).await
            }
            Mode::Replicate { ports } => replicate::run(&Ports::read(&ports)?).await,
        }
    })
}
