//! Floor 3: what drivers and probes share: connections (TLS, PostgreSQL, HTTP, DNS), and programs that they run.
pub mod dns;
pub mod http;
pub mod postgres;
pub mod program;
pub mod tls;
