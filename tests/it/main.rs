//! The integration tests: one binary. Real servers are started by the tests themselves (`tests/servers`).

#![allow(
    dead_code,
    missing_docs,
    unreachable_pub,
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::similar_names,
    clippy::unwrap_used,
    reason = "tests fail by panicking, and use parts of shared modules"
)]

#[path = "../servers/mod.rs"]
mod servers;

mod cli;
mod conformance;
mod coverage;
mod disk;
mod drills;
mod engine;
mod evidence;
mod fuzz;
mod general;
mod ledger;
mod manifest;
mod matrix;
mod memory;
mod meter;
mod notify;
mod parity;
mod persons;
mod postgres;
mod probe;
mod real;
mod report;
mod rfc2136;
mod rules;
mod s3;
mod scenario;
mod server;
mod simulation;
mod stage;
mod standby;
mod store;
mod theatre;
mod watch;
