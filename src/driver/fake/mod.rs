//! A programmable thing that behaves like a database, a storage, a name or nothing in particular.
//!
//! It is for tests, simulations and for trying a runbook before real targets exist. It keeps the promises of
//! `port::Driver` unless its script says otherwise; every fault is data.
//!
//! | file | holds |
//! |---|---|
//! | `params.rs` | the script: what goes wrong, how often |
//! | `client.rs` | the world: what has been applied, in memory or in a file that survives the process |
//! | `observe.rs` | from the world to observations, pure |
//! | `operation.rs` | the driver |

mod client;
mod observe;
mod operation;
mod params;

pub use client::{Act, World};
pub use operation::{Fake, descriptor};
pub use params::{Script, Trouble};
