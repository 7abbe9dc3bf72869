//! Log lines, on standard error: standard output belongs to the answer.

use tracing_subscriber::{EnvFilter, fmt, prelude::*};

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// A filter that makes no sense.
#[derive(Debug, thiserror::Error)]
#[error("the log filter `{filter}` makes no sense; write a level (`info`) or `target=level,…`")]
pub struct BadFilter {
    /// What was written.
    filter: String,
    /// Why.
    #[source]
    source: tracing_subscriber::filter::ParseError,
}

/// Starts to write log lines. Without a filter only warnings are written; `verbose` counts `-v`.
pub fn start(filter: Option<&str>, verbose: u8, format: LogFormat, colour: bool) -> Result<(), BadFilter> {
    let default = match verbose {
        0 => "warn",
        1 => "warn,lifeboat=info",
        2 => "warn,lifeboat=debug",
        _ => "info,lifeboat=trace",
    };
    let text = filter.unwrap_or(default);
    let filter = EnvFilter::try_new(text).map_err(|source| BadFilter { filter: text.to_owned(), source })?;
    let registry = tracing_subscriber::registry().with(filter);
    let written = match format {
        LogFormat::Text => registry.with(fmt::layer().with_writer(std::io::stderr).with_ansi(colour)).try_init(),
        LogFormat::Json => registry.with(fmt::layer().json().with_writer(std::io::stderr)).try_init(),
    };
    if written.is_err() {
        // Somebody who uses the library writes its lines already.
        tracing::debug!("log lines go where they went before");
    }
    Ok(())
}
