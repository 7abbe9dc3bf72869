//! Cosignatures: C2SP tlog-cosignature, version 1. A witness signs a checkpoint together with the time at which it saw it.
//!
//! What is signed is `cosignature/v1`, a line `time SECONDS`, and the checkpoint's text. The signature is a line of the note like
//! any other: after the key's id it holds the time in eight bytes, big-endian, and 64 bytes of Ed25519. The key's type is 0x04,
//! so that no cosignature is ever taken for a log's own signature.

use super::{
    key::{BadKey, SigningKey},
    note::{NoteKey, Signature},
};

/// The type of timestamped Ed25519 cosignatures.
const COSIGNATURE: u8 = 0x04;

/// The key of a witness.
pub type Cosigner = NoteKey<COSIGNATURE>;

impl Cosigner {
    /// When this key cosigned the text, in seconds since 1970; `None`: it did not, or the signature does not hold.
    pub fn cosigned(&self, text: &str, signature: &Signature) -> Option<u64> {
        let (time, signed) = signature.bytes.split_first_chunk::<8>()?;
        let time = u64::from_be_bytes(*time);
        (signature.is_by(self) && self.holds(message(time, text).as_bytes(), signed)).then_some(time)
    }
}

/// What is signed.
fn message(time: u64, text: &str) -> String {
    format!("cosignature/v1\ntime {time}\n{text}")
}

/// Cosigns the text of a checkpoint under this name, `time` in seconds since 1970.
///
/// # Errors
/// A key that is not Ed25519, or a name that no key may have.
pub fn cosign(text: &str, name: &str, key: &SigningKey, time: u64) -> Result<Signature, BadKey> {
    let own = Cosigner::new(name, key.public()).map_err(|_| BadKey::NotEd25519)?;
    let signed = key.sign(message(time, text).as_bytes())?;
    Ok(Signature { name: name.to_owned(), id: own.id(), bytes: [time.to_be_bytes().as_slice(), &signed].concat() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::{
        key::private_pem,
        note::{BadNote, Verifier},
    };

    const TEXT: &str = "example.com/fra/ledger\n3\nCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQk=\n";

    fn key(n: u8) -> SigningKey {
        SigningKey::from_pem(&private_pem(&[n; 32])).unwrap()
    }

    #[test]
    fn a_cosignature_holds_for_its_text_its_time_and_its_key_alone() {
        let made = cosign(TEXT, "example.com/witness", &key(1), 1_700_000_000).unwrap();
        let own = Cosigner::new("example.com/witness", key(1).public()).unwrap();
        assert_eq!(own.cosigned(TEXT, &made), Some(1_700_000_000));
        assert_eq!(own.cosigned("another\n", &made), None);
        let other = Cosigner::new("example.com/witness", key(2).public()).unwrap();
        assert_eq!(other.cosigned(TEXT, &made), None);
        for byte in 0..made.bytes.len() {
            let mut changed = made.clone();
            changed.bytes[byte] ^= 1;
            assert_eq!(own.cosigned(TEXT, &changed), None, "byte {byte}");
        }
        let short = Signature { bytes: made.bytes[..7].to_vec(), ..made };
        assert_eq!(own.cosigned(TEXT, &short), None);
    }

    #[test]
    fn a_cosignature_is_never_the_logs_own_signature_and_the_other_way_round() {
        let name = "example.com/fra/ledger";
        let made = cosign(TEXT, name, &key(1), 7).unwrap();
        assert!(!Verifier::new(name, key(1).public()).unwrap().verifies(TEXT, &made));
        let signed = Signature { bytes: key(1).sign(TEXT.as_bytes()).unwrap(), ..made };
        assert_eq!(Cosigner::new(name, key(1).public()).unwrap().cosigned(TEXT, &signed), None);
    }

    #[test]
    fn a_key_is_read_back_as_it_is_written_and_no_other_kind_is() {
        let own = Cosigner::new("example.com/witness", key(1).public()).unwrap();
        assert_eq!(own.to_string().parse(), Ok(own.clone()));
        let log = Verifier::new("example.com/witness", key(1).public()).unwrap().to_string();
        for text in ["", "name", "+00000000+BA==", &own.to_string().replace("+BI", "+AY"), &log] {
            assert_eq!(text.parse::<Cosigner>(), Err(BadNote::Key), "{text}");
        }
        assert_eq!(Cosigner::new("a b", key(1).public()), Err(BadNote::Name));
    }
}
