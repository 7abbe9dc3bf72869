//! The integration tests: one binary. Real servers are started by the tests themselves (`tests/servers`).

#![allow(dead_code, unreachable_pub, missing_docs, reason = "shared modules, of which this binary uses parts")]

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
