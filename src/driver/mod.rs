//! Floor 4: the code that speaks to one technology each. Same file names in every folder.
//!
//! [`conformance`] is no driver: it puts drivers on trial, and is for whoever writes one.
pub mod aftermath;
pub mod awaiting;
pub mod command;
pub mod conformance;
pub mod fake;
pub mod http;
pub mod parity;
pub mod postgres;
pub mod rfc2136;
pub mod s3;
pub mod wait;
