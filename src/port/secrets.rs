//! Where secrets come from. Drivers ask when they connect, so a rotated secret is picked up by the next connection.

use secrecy::SecretString;

use crate::spec::SecretRef;

/// A secret that could not be had.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The file cannot be read.
    #[error("could not read the secret in file {path}")]
    File {
        /// Which.
        path: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The variable is not set.
    #[error("the environment variable {name}, which should hold a secret, is not set")]
    Env {
        /// Which.
        name: String,
    },
    /// It was written into the document.
    #[error("the secret was written into the document; write {{file: PATH}} or {{env: NAME}} instead")]
    Literal,
}

/// Resolves references.
pub trait Secrets: Send + Sync {
    /// The secret's value.
    fn resolve(&self, reference: &SecretRef) -> Result<SecretString, SecretError>;
}
