//! Keys that sign the ledger: Ed25519 (RFC 8032), and for records also ECDSA on P-256 with SHA-256 (FIPS 186-5), which
//! the key services of clouds keep.
//!
//! A key is known by the SHA-256 of its `SubjectPublicKeyInfo` (RFC 5280). Private keys are PKCS#8 (RFC 5958), as PEM (RFC 7468).

use std::fmt;

use aws_lc_rs::{
    rand::SystemRandom,
    signature::{self, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::{Deserialize, Serialize};

use super::tree::{self, Hash};

/// What comes before the key in a `SubjectPublicKeyInfo` (RFC 8410 section 4, RFC 5480 section 2).
const ED25519_SPKI: &[u8] = &[0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];
const P256_SPKI: &[u8] = &[
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce,
    0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];
/// What comes before the seed in the PKCS#8 of an Ed25519 key (RFC 8410 section 7).
const ED25519_PKCS8: &[u8] =
    &[0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];

/// A key that cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadKey {
    /// No PEM.
    #[error("it is no PEM block `{0}`")]
    Pem(&'static str),
    /// None of ours.
    #[error("it is neither an Ed25519 nor a P-256 key")]
    Kind,
    /// The checkpoint takes one kind only.
    #[error("checkpoints are signed with an Ed25519 key, and this is none")]
    NotEd25519,
    /// The library would not.
    #[error("the cryptographic library refused to use it")]
    Refused,
}

/// The kind of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Algorithm {
    /// Ed25519.
    #[serde(rename = "ed25519")]
    Ed25519,
    /// ECDSA on P-256 with SHA-256; signatures are ASN.1.
    #[serde(rename = "ecdsa-p256-sha256")]
    P256,
}

/// A key that checks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKey {
    algorithm: Algorithm,
    raw: Vec<u8>,
}

impl PublicKey {
    /// Its kind.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The 32 bytes of an Ed25519 key.
    pub fn ed25519(&self) -> Option<[u8; 32]> {
        match self.algorithm {
            Algorithm::Ed25519 => self.raw.as_slice().try_into().ok(),
            Algorithm::P256 => None,
        }
    }

    /// `SubjectPublicKeyInfo`.
    pub fn spki(&self) -> Vec<u8> {
        let before = match self.algorithm {
            Algorithm::Ed25519 => ED25519_SPKI,
            Algorithm::P256 => P256_SPKI,
        };
        [before, &self.raw].concat()
    }

    /// SHA-256 of it.
    pub fn digest(&self) -> Hash {
        tree::sha256(&self.spki())
    }

    /// The same in hexadecimal: the key's name in envelopes and entries.
    pub fn id(&self) -> String {
        hex(&self.digest())
    }

    /// As PEM, with a line break at its end.
    pub fn pem(&self) -> String {
        armour("PUBLIC KEY", &self.spki())
    }

    /// From PEM.
    pub fn from_pem(text: &str) -> Result<Self, BadKey> {
        let spki = unarmour("PUBLIC KEY", text)?;
        let of = |algorithm, before: &[u8], length| {
            let raw = spki.strip_prefix(before).filter(|raw| raw.len() == length)?;
            Some(Self { algorithm, raw: raw.to_vec() })
        };
        let ed25519 = of(Algorithm::Ed25519, ED25519_SPKI, 32);
        ed25519.or_else(|| of(Algorithm::P256, P256_SPKI, 65)).ok_or(BadKey::Kind)
    }

    /// Whether the signature is this key's over these bytes.
    pub fn verifies(&self, message: &[u8], sig: &[u8]) -> bool {
        match self.algorithm {
            Algorithm::Ed25519 => UnparsedPublicKey::new(&signature::ED25519, &self.raw).verify(message, sig).is_ok(),
            Algorithm::P256 => {
                UnparsedPublicKey::new(&signature::ECDSA_P256_SHA256_ASN1, &self.raw).verify(message, sig).is_ok()
            }
        }
    }
}

enum Pair {
    Ed25519(Ed25519KeyPair),
    P256(EcdsaKeyPair),
}

/// A key that signs. It is never printed.
pub struct SigningKey {
    pair: Pair,
    public: PublicKey,
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey").field("id", &self.public.id()).finish_non_exhaustive()
    }
}

impl SigningKey {
    /// From PKCS#8 as PEM.
    pub fn from_pem(text: &str) -> Result<Self, BadKey> {
        Self::from_pkcs8(&unarmour("PRIVATE KEY", text)?)
    }

    fn from_pkcs8(der: &[u8]) -> Result<Self, BadKey> {
        if let Ok(pair) = Ed25519KeyPair::from_pkcs8_maybe_unchecked(der) {
            let public = PublicKey { algorithm: Algorithm::Ed25519, raw: pair.public_key().as_ref().to_vec() };
            return Ok(Self { pair: Pair::Ed25519(pair), public });
        }
        let pair =
            EcdsaKeyPair::from_pkcs8(&signature::ECDSA_P256_SHA256_ASN1_SIGNING, der).map_err(|_| BadKey::Kind)?;
        let public = PublicKey { algorithm: Algorithm::P256, raw: pair.public_key().as_ref().to_vec() };
        Ok(Self { pair: Pair::P256(pair), public })
    }

    /// Its other half.
    pub fn public(&self) -> &PublicKey {
        &self.public
    }

    /// Signs. ECDSA draws its own randomness inside the library (SP 800-90A).
    pub fn sign(&self, message: &[u8]) -> Result<Vec<u8>, BadKey> {
        match &self.pair {
            Pair::Ed25519(pair) => Ok(pair.sign(message).as_ref().to_vec()),
            Pair::P256(pair) => {
                let signed = pair.sign(&SystemRandom::new(), message).map_err(|_| BadKey::Refused)?;
                Ok(signed.as_ref().to_vec())
            }
        }
    }
}

/// An Ed25519 key made of 32 random bytes: PKCS#8 as PEM.
pub fn private_pem(seed: &[u8; 32]) -> String {
    armour("PRIVATE KEY", &[ED25519_PKCS8, seed].concat())
}

fn armour(label: &str, der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    let mut lines = vec![format!("-----BEGIN {label}-----")];
    let mut rest = text.as_str();
    while !rest.is_empty() {
        let (line, more) = rest.split_at(rest.len().min(64));
        lines.push(line.to_owned());
        rest = more;
    }
    lines.push(format!("-----END {label}-----\n"));
    lines.join("\n")
}

fn unarmour(label: &'static str, text: &str) -> Result<Vec<u8>, BadKey> {
    let inside = text.trim().strip_prefix(&format!("-----BEGIN {label}-----"));
    let inside = inside.and_then(|rest| rest.strip_suffix(&format!("-----END {label}-----")));
    let inside: String = inside.ok_or(BadKey::Pem(label))?.chars().filter(|c| !c.is_ascii_whitespace()).collect();
    STANDARD.decode(inside).map_err(|_| BadKey::Pem(label))
}

/// Lower-case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        for half in [byte >> 4, byte & 15] {
            text.extend(char::from_digit(u32::from(half), 16));
        }
        text
    })
}

/// Bytes from lower-case hexadecimal.
pub fn unhex(text: &str) -> Option<Vec<u8>> {
    if text.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return None;
    }
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    let byte = |[high, low]: &[u8; 2]| {
        let digit = |half: u8| char::from(half).to_digit(16);
        u8::try_from(digit(*high)? * 16 + digit(*low)?).ok()
    };
    if rest.is_empty() { pairs.iter().map(byte).collect() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ed25519_key_is_the_one_of_the_standard() {
        // RFC 8032 section 7.1, test 1: the public key and the signature of nothing.
        let seed = unhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60").unwrap();
        let key = SigningKey::from_pem(&private_pem(seed.as_slice().try_into().unwrap())).unwrap();
        let public = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";
        assert_eq!(hex(&key.public().ed25519().unwrap()), public);
        let signature = key.sign(b"").unwrap();
        assert!(hex(&signature).starts_with("e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155"));
        assert!(key.public().verifies(b"", &signature));
        assert!(!key.public().verifies(b"x", &signature));
        let again = PublicKey::from_pem(&key.public().pem()).unwrap();
        assert_eq!((&again, again.algorithm()), (key.public(), Algorithm::Ed25519));
    }

    #[test]
    fn what_is_no_key_is_refused_with_what_it_is_not() {
        assert_eq!(SigningKey::from_pem("secret").unwrap_err(), BadKey::Pem("PRIVATE KEY"));
        assert_eq!(PublicKey::from_pem(&armour("PUBLIC KEY", b"nothing")).unwrap_err(), BadKey::Kind);
        assert_eq!(SigningKey::from_pem(&armour("PRIVATE KEY", b"nothing")).unwrap_err(), BadKey::Kind);
    }

    #[test]
    fn a_key_that_signs_does_not_print_itself() {
        let pem = private_pem(&[7; 32]);
        let key = SigningKey::from_pem(&pem).unwrap();
        let inside = pem.lines().nth(1).unwrap();
        assert!(!format!("{key:?}").contains(inside));
    }
}
