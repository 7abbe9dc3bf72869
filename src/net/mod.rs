//! Floor 3: connections that drivers and probes share, and anchors: TLS, PostgreSQL, HTTP, DNS, S3.
pub mod dns;
pub mod http;
pub mod postgres;
pub mod s3;
pub mod tls;
