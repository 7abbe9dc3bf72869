//! Floor 3: connections that drivers and probes share: TLS, PostgreSQL, HTTP, DNS.
pub mod dns;
pub mod http;
pub mod postgres;
pub mod tls;
