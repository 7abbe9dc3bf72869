//! Lifeboat.
pub mod app;
pub mod cli;
pub mod decide;
pub mod driver;
pub mod engine;
pub mod evidence;
pub mod manifest;
pub mod model;
pub mod net;
pub mod port;
pub mod probe;
pub mod spec;
pub mod store;
