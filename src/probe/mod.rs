//! Floor 4: probes.
pub mod sql;
