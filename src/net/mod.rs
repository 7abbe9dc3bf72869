//! Floor 3: what drivers, probes and anchors share: connections (TLS, PostgreSQL, HTTP, DNS, S3), and programs that they run.
pub mod dns;
pub mod http;
pub mod postgres;
pub mod program;
pub mod s3;
pub mod tls;
