//! TLS settings become a rustls configuration.
//!
//! Promises: the certificate and the host name are verified whenever there is TLS at all, with one crypto provider that
//! is given here and not taken from the process; no TLS only where `mode: disable` is written. Files are read at
//! each call, so a renewed authority counts from the next connection. Holds no state; a crash loses nothing.

use std::{path::Path, sync::Arc};

use rustls::{ClientConfig, RootCertStore, crypto::aws_lc_rs};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject};
use tokio::{net::TcpStream, time::timeout};
use tokio_rustls::TlsConnector;

use super::http::CONNECT_TIMEOUT;
use crate::spec::{TlsMode, TlsSpec};

/// TLS settings that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The file with the authorities cannot be read, or is not PEM.
    #[error("could not read the authorities in {path}; {setting} names a PEM file with certificates")]
    Authorities {
        /// Which file.
        path: String,
        /// What names it: `tls.ca`, `LIFEBOAT_STORE_CA`.
        setting: &'static str,
        /// Why.
        #[source]
        source: rustls_pki_types::pem::Error,
    },
    /// There is nothing to trust.
    #[error(
        "no usable authority in {found_in}, so no certificate can be verified; name a PEM file in {setting}, or install \
         the system's ca-certificates"
    )]
    NoAuthority {
        /// The file, or `the system's trust store`.
        found_in: String,
        /// What would name another.
        setting: &'static str,
    },
    /// The file with our own certificate or its key cannot be read, or is not PEM.
    #[error("could not read {path}; {setting} names a PEM file with our certificate or its key")]
    Identity {
        /// Which file.
        path: String,
        /// What names it.
        setting: &'static str,
        /// Why.
        #[source]
        source: rustls_pki_types::pem::Error,
    },
    /// Certificate and key do not fit together, or are of a kind that is not known.
    #[error("the certificate {certificate} and the key {key} cannot be used together")]
    Mismatch {
        /// The file with our certificate.
        certificate: String,
        /// The file with its key.
        key: String,
        /// Why.
        #[source]
        source: rustls::Error,
    },
    /// The provider and the protocol versions do not fit together.
    #[error("could not set TLS up")]
    Provider {
        /// Why.
        #[source]
        source: rustls::Error,
    },
}

/// The configuration for `tls`, or `None` where it says `disable`. Nothing written means: verify against the system's
/// authorities.
pub fn client_config(tls: Option<&TlsSpec>) -> Result<Option<ClientConfig>, TlsError> {
    let ca = match tls {
        Some(TlsSpec { mode: TlsMode::Disable, .. }) => return Ok(None),
        Some(TlsSpec { mode: TlsMode::VerifyFull, ca }) => ca.as_deref(),
        None => None,
    };
    let roots = match ca {
        Some(path) => from_file(Path::new(path), "tls.ca")?,
        None => from_system("tls.ca")?,
    };
    trusting(roots).map(Some)
}

/// The configuration that trusts exactly these authorities. Without any, no certificate is good enough.
pub fn trusting(roots: RootCertStore) -> Result<ClientConfig, TlsError> {
    ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .map(|config| config.with_root_certificates(roots).with_no_client_auth())
        .map_err(|source| TlsError::Provider { source })
}

/// The operating system's authorities, read now; empty where there are none. One unreadable certificate among them does
/// not spoil the others.
pub fn system_roots() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    let (_taken, _left_out) = roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    roots
}

/// The configuration for a store: the members' certificates are verified against the authorities in `ca` (`None`: the
/// system's), and the certificate and key of `identity`, two PEM files, say who we are.
pub fn store_config(ca: Option<&Path>, identity: Option<(&Path, &Path)>) -> Result<ClientConfig, TlsError> {
    const SETTING: &str = "LIFEBOAT_STORE_CA";
    let roots = match ca {
        Some(path) => from_file(path, SETTING)?,
        None => from_system(SETTING)?,
    };
    with_identity(roots, identity, ("LIFEBOAT_STORE_CERT", "LIFEBOAT_STORE_KEY"))
}

/// The configuration that trusts these authorities and, with `identity`, shows the certificate in the first of two PEM files,
/// whose key is in the second. `settings` name the two in messages.
pub fn with_identity(
    roots: RootCertStore,
    identity: Option<(&Path, &Path)>,
    settings: (&'static str, &'static str),
) -> Result<ClientConfig, TlsError> {
    let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|source| TlsError::Provider { source })?
        .with_root_certificates(roots);
    let Some((certificate, key)) = identity else { return Ok(config.with_no_client_auth()) };
    let unreadable = |path: &Path, setting| {
        let path = path.display().to_string();
        move |source| TlsError::Identity { path, setting, source }
    };
    let chain = CertificateDer::pem_file_iter(certificate)
        .and_then(Iterator::collect)
        .map_err(unreadable(certificate, settings.0))?;
    let secret = PrivateKeyDer::from_pem_file(key).map_err(unreadable(key, settings.1))?;
    config.with_client_auth_cert(chain, secret).map_err(|source| TlsError::Mismatch {
        certificate: certificate.display().to_string(),
        key: key.display().to_string(),
        source,
    })
}

/// The authorities in a PEM file, or (`None`) the system's, as certificates: for a library that makes its own configuration.
/// Those that cannot be used are left out; without any it is an error.
pub fn authorities(ca: Option<&Path>) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    const SETTING: &str = "ca";
    let (found, found_in) = match ca {
        None => (rustls_native_certs::load_native_certs().certs, "the system's trust store".to_owned()),
        Some(path) => {
            let found_in = path.display().to_string();
            let bad = |source| TlsError::Authorities { path: found_in.clone(), setting: SETTING, source };
            let all = CertificateDer::pem_file_iter(path).and_then(Iterator::collect).map_err(bad)?;
            (all, found_in)
        }
    };
    let usable = |certificate: &CertificateDer<'static>| RootCertStore::empty().add(certificate.clone()).is_ok();
    let found: Vec<_> = found.into_iter().filter(usable).collect();
    if found.is_empty() { Err(TlsError::NoAuthority { found_in, setting: SETTING }) } else { Ok(found) }
}

/// The authorities in a PEM file, or (`None`) the system's.
pub fn roots(ca: Option<&Path>) -> Result<RootCertStore, TlsError> {
    match ca {
        Some(path) => from_file(path, "ca"),
        None => from_system("ca"),
    }
}

/// The authorities in a PEM file, read now; `setting` names the file in messages.
pub fn from_file(path: &Path, setting: &'static str) -> Result<RootCertStore, TlsError> {
    let found_in = path.display().to_string();
    let bad = |source| TlsError::Authorities { path: found_in.clone(), setting, source };
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(path).map_err(bad)? {
        roots.add_parsable_certificates([certificate.map_err(bad)?]);
    }
    if roots.is_empty() { Err(TlsError::NoAuthority { found_in, setting }) } else { Ok(roots) }
}

/// The operating system's authorities, read now. None at all is an error, which names `setting` as the way out.
pub fn from_system(setting: &'static str) -> Result<RootCertStore, TlsError> {
    let roots = system_roots();
    if roots.is_empty() {
        Err(TlsError::NoAuthority { found_in: "the system's trust store".into(), setting })
    } else {
        Ok(roots)
    }
}

/// What a server agrees on with a client that trusts the system's authorities: the name of the cipher suite, and the bits of its key.
/// Nothing but the handshake is sent.
///
/// # Errors
/// Why there is no agreement, for a person.
pub async fn agreed(url: &str) -> Result<(String, u32), String> {
    let url = reqwest::Url::parse(url).map_err(|error| format!("its URL is none: {error}"))?;
    let (host, port) = (url.host_str().unwrap_or_default(), url.port_or_known_default().unwrap_or(443));
    let name = ServerName::try_from(host.trim_matches(['[', ']']).to_owned());
    let name = name.map_err(|_| format!("`{host}` is no name that a certificate could have"))?;
    let config = trusting(system_roots()).map_err(|error| error.to_string())?;
    let met = async {
        let stream = TcpStream::connect((host.trim_matches(['[', ']']), port)).await?;
        TlsConnector::from(Arc::new(config)).connect(name, stream).await
    };
    let met = timeout(CONNECT_TIMEOUT, met).await.map_err(|_| format!("{host}:{port} did not agree in time"))?;
    let stream = met.map_err(|error| format!("{host}:{port}: {error}"))?;
    let suite = stream.get_ref().1.negotiated_cipher_suite();
    let suite = suite.and_then(|suite| suite.suite().as_str()).ok_or("no cipher suite was agreed on")?;
    Ok((suite.to_owned(), bits(suite)))
}

/// By the suite's name (RFC 8446 appendix B.4, RFC 5289, RFC 7905).
fn bits(suite: &str) -> u32 {
    if suite.contains("AES_256") || suite.contains("CHACHA20") {
        256
    } else if suite.contains("AES_128") {
        128
    } else {
        // Not one that is known here: it counts as weak.
        1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(mode: TlsMode, ca: Option<&str>) -> TlsSpec {
        TlsSpec { mode, ca: ca.map(str::to_owned) }
    }

    #[test]
    fn no_tls_only_where_it_is_written() {
        assert!(client_config(Some(&spec(TlsMode::Disable, None))).unwrap().is_none());
        // Nothing written: verified, or an error that says what is missing; never plain text.
        assert!(!matches!(client_config(None), Ok(None)));
    }

    #[test]
    fn a_cipher_suite_is_as_strong_as_its_name_says() {
        for (suite, expected) in [
            ("TLS13_AES_256_GCM_SHA384", 256),
            ("TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256", 256),
            ("TLS13_AES_128_GCM_SHA256", 128),
            ("TLS_RSA_WITH_3DES_EDE_CBC_SHA", 1),
        ] {
            assert_eq!(bits(suite), expected, "{suite}");
        }
    }

    #[test]
    fn a_missing_or_empty_file_of_authorities_is_named() {
        let missing = client_config(Some(&spec(TlsMode::VerifyFull, Some("/nowhere/ca.pem")))).unwrap_err();
        assert!(missing.to_string().contains("/nowhere/ca.pem"), "{missing}");
        let empty = tempfile::NamedTempFile::new().unwrap();
        let path = empty.path().to_str().unwrap().to_owned();
        let found = client_config(Some(&spec(TlsMode::VerifyFull, Some(&path)))).unwrap_err();
        assert!(matches!(found, TlsError::NoAuthority { .. }), "{found:?}");
    }
}
