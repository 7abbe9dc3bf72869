//! Whom a probe trusts. Thousands of probes share what is the same for all: one configuration for each file of authorities.
//!
//! Promises: a certificate is verified anew at each connection (a resumed session would show none, RFC 8446 section 2.2); a
//! file that was replaced counts from the next connection; the system's authorities are read once.

use std::{
    collections::BTreeMap,
    fmt, fs,
    path::PathBuf,
    sync::{Arc, Mutex, OnceLock, PoisonError},
    time::SystemTime,
};

use rustls::{ClientConfig, RootCertStore, client::Resumption};

use super::Ill;
use crate::{
    net::{
        postgres::told,
        tls::{self, TlsError},
    },
    spec::{TlsMode, TlsSpec},
};

/// What changes when a file is replaced.
type Stamp = Vec<(Option<SystemTime>, u64)>;

/// The files of one configuration: authorities, and a certificate of our own with its key.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Files {
    ca: Option<PathBuf>,
    identity: Option<(PathBuf, PathBuf)>,
}

impl Files {
    fn stamp(&self) -> Stamp {
        let identity = self.identity.iter().flat_map(|(certificate, key)| [certificate, key]);
        let seen = |path: &PathBuf| fs::metadata(path).map_or((None, 0), |data| (data.modified().ok(), data.len()));
        self.ca.iter().chain(identity).map(seen).collect()
    }
}

/// Every configuration that is in use.
#[derive(Clone, Default)]
pub(super) struct Authorities {
    /// In place of the system's.
    roots: Option<Arc<RootCertStore>>,
    known: Arc<Mutex<BTreeMap<Files, Arc<Trust>>>>,
}

impl fmt::Debug for Authorities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authorities").finish_non_exhaustive()
    }
}

impl Authorities {
    /// These in place of the system's.
    pub(super) fn trusting(roots: RootCertStore) -> Self {
        Self { roots: Some(Arc::new(roots)), known: Arc::default() }
    }

    /// Whom to trust: the authorities in `ca` (`None`: the system's). With `identity`, a certificate and its key, the server
    /// is told who we are.
    pub(super) fn of(&self, ca: Option<&str>, identity: Option<(&str, &str)>) -> Arc<Trust> {
        let files = Files {
            ca: ca.map(PathBuf::from),
            identity: identity.map(|(certificate, key)| (certificate.into(), key.into())),
        };
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let trust = known.entry(files.clone()).or_insert_with(|| {
            Arc::new(Trust { files, roots: self.roots.clone(), fixed: OnceLock::new(), read: Mutex::default() })
        });
        Arc::clone(trust)
    }

    /// By TLS settings: `None` where they say `disable`.
    pub(super) fn by(&self, spec: Option<&TlsSpec>) -> Option<Arc<Trust>> {
        match spec {
            Some(TlsSpec { mode: TlsMode::Disable, .. }) => None,
            Some(TlsSpec { mode: TlsMode::VerifyFull, ca }) => Some(self.of(ca.as_deref(), None)),
            None => Some(self.of(None, None)),
        }
    }
}

/// One configuration.
pub(super) struct Trust {
    files: Files,
    roots: Option<Arc<RootCertStore>>,
    /// With the system's authorities, which are not watched.
    fixed: OnceLock<Arc<ClientConfig>>,
    /// With authorities from a file, and what the files looked like.
    read: Mutex<Option<(Stamp, Arc<ClientConfig>)>>,
}

impl Trust {
    /// The configuration, as the files say now.
    pub(super) fn config(&self) -> Result<Arc<ClientConfig>, Ill> {
        if self.files.ca.is_none() && self.files.identity.is_none() {
            if let Some(config) = self.fixed.get() {
                return Ok(Arc::clone(config));
            }
            let config = self.load()?;
            return Ok(Arc::clone(self.fixed.get_or_init(|| config)));
        }
        let stamp = self.files.stamp();
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        match read.as_ref() {
            Some((seen, config)) if *seen == stamp => Ok(Arc::clone(config)),
            Some(_) | None => {
                let config = self.load()?;
                *read = Some((stamp, Arc::clone(&config)));
                Ok(config)
            }
        }
    }

    fn load(&self) -> Result<Arc<ClientConfig>, Ill> {
        let silent = |error: TlsError| Ill::Silent(format!("TLS could not be set up: {}", told(&error)));
        let roots = match (&self.files.ca, &self.roots) {
            (Some(path), _) => tls::from_file(path, "ca").map_err(silent)?,
            (None, Some(roots)) => roots.as_ref().clone(),
            (None, None) => tls::from_system("ca").map_err(silent)?,
        };
        let identity = self.files.identity.as_ref().map(|(certificate, key)| (certificate.as_path(), key.as_path()));
        let mut config = tls::with_identity(roots, identity, IDENTITY).map_err(silent)?;
        config.resumption = Resumption::disabled();
        Ok(Arc::new(config))
    }
}

/// The fields that name our own certificate and its key.
const IDENTITY: (&str, &str) = ("certificate", "key");
