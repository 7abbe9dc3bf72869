//! Floor 4: stores.
pub mod memory;
pub mod sqlite;
