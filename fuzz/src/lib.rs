//! What is fuzzed: everything that reads bytes which somebody else wrote. Each function takes any bytes and panics when
//! a promise is broken.
//!
//! Two runners share this file: cargo-fuzz (`fuzz_targets/`, for hours) and a test of the house (`tests/it/fuzz.rs`, for seconds,
//! on a stable compiler). A new target gets a line in `TARGETS`, a file in `fuzz_targets/`, and seeds in `corpus/`.

mod dns;
mod documents;
mod expressions;
mod journals;
mod ledger;
mod s3;
mod words;

pub use dns::dns;
pub use documents::documents;
pub use expressions::expressions;
pub use journals::journals;
pub use ledger::ledger;
pub use s3::s3;
pub use words::words;

/// A target: any bytes in, a panic when a promise is broken.
pub type Target = fn(&[u8]);

/// All targets by name, which is also the name of the folder of their seeds.
pub const TARGETS: &[(&str, Target)] = &[
    ("documents", documents),
    ("journals", journals),
    ("dns", dns),
    ("s3", s3),
    ("expressions", expressions),
    ("words", words),
    ("ledger", ledger),
];
