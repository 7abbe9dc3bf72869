//! The binary.

use std::process::ExitCode;

fn main() -> ExitCode {
    lifeboat::cli::main(std::env::args_os(), lifeboat::server::answering, lifeboat::server::witnessing)
}
