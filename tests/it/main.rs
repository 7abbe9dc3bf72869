//! The integration tests: one binary. Real servers are started by the tests themselves (`tests/servers`).

#[path = "../servers/mod.rs"]
mod servers;

mod cli;
mod engine;
mod evidence;
mod general;
mod manifest;
mod postgres;
mod probe;
mod real;
mod rfc2136;
mod s3;
mod stage;
mod store;
