//! When a server's certificates end. Whether they are valid now is TLS's own business. Pure.

use jiff::Timestamp;
use rustls_pki_types::CertificateDer;
use x509_cert::{Certificate, der::Decode as _};

use super::Found;

const DAY: i64 = 24 * 60 * 60;

/// When the first of these ends (RFC 5280 section 4.1.2.5): an intermediate one that ends turns clients away as well. `None`
/// where there is none that can be read.
pub(super) fn ends(certificates: &[CertificateDer<'_>]) -> Option<Timestamp> {
    let end = |der: &CertificateDer<'_>| {
        let certificate = Certificate::from_der(der).ok()?;
        let end = certificate.tbs_certificate.validity.not_after.to_unix_duration();
        Timestamp::from_second(i64::try_from(end.as_secs()).ok()?).ok()
    };
    certificates.iter().filter_map(end).min()
}

/// The sooner of two ends.
pub(super) fn sooner(one: Option<Timestamp>, other: Option<Timestamp>) -> Option<Timestamp> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}

/// A certificate with fewer than `days` left is a warning.
pub(super) fn judge(shown: &str, ends: Option<Timestamp>, days: u32, now: Timestamp) -> Found {
    match ends {
        None => {
            Found::Weak(format!("{shown}: expected a certificate with {days} days left, found none that can be read"))
        }
        Some(ends) => {
            let left = (ends.as_second() - now.as_second()).div_euclid(DAY);
            if left < i64::from(days) {
                let found =
                    format!("{shown}: expected a certificate with {days} days left, found {left}: it ends {ends}");
                Found::Weak(found)
            } else {
                Found::Well
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_days_are_counted() {
        let at = |second: i64| Timestamp::from_second(second).unwrap();
        let weak = |found: &Found| matches!(found, Found::Weak(_));
        let cases =
            [(10 * DAY, 10, false), (10 * DAY - 1, 10, true), (10 * DAY, 11, true), (0, 1, true), (-1, 1, true)];
        for (left, days, expected) in cases {
            assert_eq!(weak(&judge("x", Some(at(1_000_000 + left)), days, at(1_000_000))), expected, "{left} {days}");
        }
        assert!(weak(&judge("x", None, 1, at(0))));
        assert_eq!(sooner(Some(at(2)), Some(at(1))), Some(at(1)));
        assert_eq!(sooner(None, Some(at(1))), Some(at(1)));
        assert_eq!(ends(&[CertificateDer::from(vec![1, 2, 3])]), None);
    }
}
