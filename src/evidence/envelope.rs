//! DSSE 1.0.2: an envelope around the exact bytes that were signed. No canonical JSON is needed.
//!
//! An entry of the ledger is an envelope in one form only: compact, in the order of the fields here, with one signature. Whatever
//! else would be read as the same is refused, so that an entry has one hash.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::{Deserialize, Serialize};

use super::key::{BadKey, PublicKey, SigningKey};

/// What an in-toto statement is called in an envelope.
pub const IN_TOTO: &str = "application/vnd.in-toto+json";

/// Bytes of an entry at most: C2SP tlog-tiles writes its length in 16 bits.
pub const LONGEST: usize = 65_535;

/// No envelope of the ledger.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadEnvelope {
    /// Not the JSON of an envelope, or not in the one form.
    #[error("it is no DSSE envelope as the ledger writes it")]
    Shape,
    /// Not base64.
    #[error("its {0} is not base64")]
    Base64(&'static str),
    /// Something else inside.
    #[error("it holds {0:?}, and not an in-toto statement")]
    Type(String),
    /// Signed by somebody else.
    #[error("it is signed with key {found}, and not with {expected}")]
    Key {
        /// As it should be.
        expected: String,
        /// As it is.
        found: String,
    },
    /// The signature does not hold.
    #[error("its signature does not hold: the bytes are not the ones that were signed")]
    Signature,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Written {
    payload: String,
    payload_type: String,
    signatures: Vec<Signed>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Signed {
    keyid: String,
    sig: String,
}

/// An envelope, read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope {
    /// The bytes that were signed.
    pub payload: Vec<u8>,
    /// The key's id, as written.
    pub key: String,
    /// The signature.
    pub signature: Vec<u8>,
}

/// The bytes that a signature is over: DSSE's pre-authentication encoding.
pub fn pre_authentication(payload_type: &str, payload: &[u8]) -> Vec<u8> {
    let head = format!("DSSEv1 {} {payload_type} {} ", payload_type.len(), payload.len());
    [head.as_bytes(), payload].concat()
}

/// Signs an in-toto statement; gives the envelope as it is entered.
pub fn seal(payload: &[u8], key: &SigningKey) -> Result<Vec<u8>, BadKey> {
    let signature = key.sign(&pre_authentication(IN_TOTO, payload))?;
    let written = Written {
        payload: STANDARD.encode(payload),
        payload_type: IN_TOTO.to_owned(),
        signatures: vec![Signed { keyid: key.public().id(), sig: STANDARD.encode(signature) }],
    };
    serde_json::to_vec(&written).map_err(|_| BadKey::Refused)
}

impl Envelope {
    /// Reads one in its only form. Nothing is verified.
    pub fn read(bytes: &[u8]) -> Result<Self, BadEnvelope> {
        let written: Written = serde_json::from_slice(bytes).map_err(|_| BadEnvelope::Shape)?;
        if serde_json::to_vec(&written).ok().as_deref() != Some(bytes) {
            return Err(BadEnvelope::Shape);
        }
        if written.payload_type != IN_TOTO {
            return Err(BadEnvelope::Type(written.payload_type));
        }
        let [signed] = written.signatures.as_slice() else { return Err(BadEnvelope::Shape) };
        let payload = STANDARD.decode(&written.payload).map_err(|_| BadEnvelope::Base64("payload"))?;
        let signature = STANDARD.decode(&signed.sig).map_err(|_| BadEnvelope::Base64("signature"))?;
        Ok(Self { payload, key: signed.keyid.clone(), signature })
    }

    /// Whether this key signed it.
    pub fn verify(&self, key: &PublicKey) -> Result<(), BadEnvelope> {
        let expected = key.id();
        if self.key != expected {
            return Err(BadEnvelope::Key { expected, found: self.key.clone() });
        }
        let holds = key.verifies(&pre_authentication(IN_TOTO, &self.payload), &self.signature);
        if holds { Ok(()) } else { Err(BadEnvelope::Signature) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::key::private_pem;

    fn key(n: u8) -> SigningKey {
        SigningKey::from_pem(&private_pem(&[n; 32])).unwrap()
    }

    #[test]
    fn the_signed_bytes_are_those_of_the_specification() {
        // https://github.com/secure-systems-lab/dsse/blob/master/protocol.md, "Test vectors".
        let signed = pre_authentication("http://example.com/HelloWorld", b"hello world");
        assert_eq!(signed, b"DSSEv1 29 http://example.com/HelloWorld 11 hello world");
    }

    #[test]
    fn an_envelope_is_verified_by_its_own_key_and_bytes_alone() {
        let sealed = seal(b"{}", &key(1)).unwrap();
        let envelope = Envelope::read(&sealed).unwrap();
        assert_eq!(envelope.verify(key(1).public()), Ok(()));
        assert!(matches!(envelope.verify(key(2).public()), Err(BadEnvelope::Key { .. })));
        let changed = Envelope { payload: b"{ }".to_vec(), ..envelope };
        assert_eq!(changed.verify(key(1).public()), Err(BadEnvelope::Signature));
    }

    #[test]
    fn an_envelope_has_one_form() {
        let sealed = String::from_utf8(seal(b"{}", &key(1)).unwrap()).unwrap();
        let twice = sealed.replace("}]}", "},{\"keyid\":\"\",\"sig\":\"\"}]}");
        for other in [sealed.replace(":[", ": ["), format!("{sealed}\n"), sealed.replace('{', "{\"x\":1,"), twice] {
            assert_eq!(Envelope::read(other.as_bytes()), Err(BadEnvelope::Shape), "{other}");
        }
        let other = sealed.replace(IN_TOTO, "text/plain");
        assert_eq!(Envelope::read(other.as_bytes()), Err(BadEnvelope::Type("text/plain".into())));
    }
}
