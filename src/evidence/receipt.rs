//! What an anchor gave in return, checked again: years later, offline, by whoever has the ledger.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    checkpoint::Checkpoint,
    cosignature::Cosigner,
    key::unhex,
    later::Anchored,
    note::{Note, Verifier},
    timestamp, tree,
};

/// The word of a witness in [`Anchored::how`].
pub const WITNESS: &str = "witness";
/// The word of a time-stamping authority.
pub const TIMESTAMP: &str = "timestamp";

/// The word of a bucket under Object Lock.
pub const WORM: &str = "worm";

/// Where a bucket keeps a checkpoint: what is checked by reading it there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Worm {
    /// The bucket.
    pub bucket: String,
    /// The object that holds the signed checkpoint.
    pub key: String,
    /// Its version.
    pub version_id: String,
    /// Entries under the checkpoint.
    pub size: u64,
    /// Its root, in hexadecimal.
    pub root: String,
    /// Until when nobody can delete that version.
    pub retain_until: Timestamp,
}

/// A receipt that holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Holds {
    /// When the anchor had the checkpoint, by its own clock.
    pub at: Option<Timestamp>,
    /// It rests on the ledger's own word: it was checked against the key that the entry itself names, or says where to look.
    pub own_word: bool,
}

/// The checkpoint that an entry says was anchored; `None`: its root is no hash.
pub fn checkpoint(origin: &str, anchored: &Anchored) -> Option<Checkpoint> {
    let root = unhex(&anchored.root)?.try_into().ok()?;
    Some(Checkpoint { origin: origin.to_owned(), size: anchored.size, root })
}

/// Whether the receipt is of this checkpoint. `logs` are the keys that signed checkpoints of the ledger, `witness` the witness's
/// key as it is trusted; without it, or when it is another one by now, the entry's own word counts.
///
/// # Errors
/// Why it is not, in words.
pub fn check(
    origin: &str,
    anchored: &Anchored,
    receipt: &[u8],
    logs: &[Verifier],
    witness: Option<&Cosigner>,
) -> Result<Holds, String> {
    let said = checkpoint(origin, anchored).ok_or("the entry names no root")?;
    match anchored.how.as_str() {
        WITNESS => cosigned(&said, anchored, receipt, logs, witness),
        TIMESTAMP => {
            let digest = tree::sha256(said.to_string().as_bytes());
            let at = timestamp::read(receipt, &digest, None).map_err(|error| format!("the time stamp: {error}"))?;
            Ok(Holds { at: Some(at), own_word: false })
        }
        WORM => {
            let written: Worm =
                serde_json::from_slice(receipt).map_err(|error| format!("the place in the bucket: {error}"))?;
            if (written.size, &written.root) == (anchored.size, &anchored.root) {
                Ok(Holds { at: None, own_word: true })
            } else {
                Err("the place in the bucket is of another checkpoint".into())
            }
        }
        // Of a newer program: its signature in the ledger holds, and what it means is not checked.
        _ => Ok(Holds { at: None, own_word: true }),
    }
}

fn cosigned(
    said: &Checkpoint,
    anchored: &Anchored,
    receipt: &[u8],
    logs: &[Verifier],
    witness: Option<&Cosigner>,
) -> Result<Holds, String> {
    let note = Note::parse(receipt).map_err(|error| format!("the cosigned checkpoint: {error}"))?;
    if note.text != said.to_string() {
        return Err("the cosigned checkpoint is not the one that the entry names".into());
    }
    if !note.signatures.iter().any(|line| logs.iter().any(|key| key.verifies(&note.text, line))) {
        return Err("the cosigned checkpoint is not signed with a key of this ledger".into());
    }
    let by = |key: &Cosigner| note.signatures.iter().find_map(|line| key.cosigned(&note.text, line));
    let named: Option<Cosigner> = anchored.key.as_deref().and_then(|key| key.parse().ok());
    let (seconds, own_word) = match (witness.and_then(by), named.as_ref().and_then(by)) {
        (Some(at), _) => (at, false),
        (None, Some(at)) => (at, true),
        (None, None) => return Err("no witness that is known cosigned the checkpoint".into()),
    };
    let at = i64::try_from(seconds).ok().and_then(|seconds| Timestamp::from_second(seconds).ok());
    Ok(Holds { at, own_word })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::{
        cosignature::cosign,
        key::{SigningKey, hex, private_pem},
    };

    const ORIGIN: &str = "example.com/fra/ledger";
    const NAME: &str = "example.com/witness";

    fn key(n: u8) -> SigningKey {
        SigningKey::from_pem(&private_pem(&[n; 32])).unwrap()
    }

    fn cosigner(n: u8) -> Cosigner {
        Cosigner::new(NAME, key(n).public()).unwrap()
    }

    fn anchored(size: u64) -> Anchored {
        Anchored {
            anchor: "peer".into(),
            how: WITNESS.into(),
            size,
            root: hex(&[9; 32]),
            anchored_at: Timestamp::UNIX_EPOCH,
            receipt: None,
            key: Some(cosigner(3).to_string()),
        }
    }

    /// Signed by the log's key 1, cosigned by 3.
    fn receipt() -> Vec<u8> {
        let mut note = checkpoint(ORIGIN, &anchored(7)).unwrap().sign(&[&key(1)]).unwrap();
        note.signatures.push(cosign(&note.text, NAME, &key(3), 1_700_000_000).unwrap());
        note.to_string().into_bytes()
    }

    fn checked(size: u64, receipt: &[u8], log: u8, witness: Option<u8>) -> Result<Holds, String> {
        let log = Verifier::new(ORIGIN, key(log).public()).unwrap();
        check(ORIGIN, &anchored(size), receipt, &[log], witness.map(cosigner).as_ref())
    }

    #[test]
    fn a_receipt_is_of_one_checkpoint_one_log_and_one_witness() {
        let at = Timestamp::from_second(1_700_000_000).ok();
        assert_eq!(checked(7, &receipt(), 1, Some(3)), Ok(Holds { at, own_word: false }));
        assert!(checked(8, &receipt(), 1, Some(3)).unwrap_err().contains("not the one that the entry names"));
        assert!(checked(7, &receipt(), 2, Some(3)).unwrap_err().contains("not signed with a key of this ledger"));
        let mut changed = receipt();
        let last = changed.len() - 5;
        changed[last] = if changed[last] == b'A' { b'B' } else { b'A' };
        assert!(checked(7, &changed, 1, Some(3)).is_err());
    }

    #[test]
    fn without_the_witnesss_key_the_entrys_own_word_counts_and_is_said_to() {
        for witness in [None, Some(4)] {
            assert!(checked(7, &receipt(), 1, witness).unwrap().own_word, "{witness:?}");
        }
        let nameless = Anchored { key: None, ..anchored(7) };
        let log = Verifier::new(ORIGIN, key(1).public()).unwrap();
        let refused = check(ORIGIN, &nameless, &receipt(), &[log], None).unwrap_err();
        assert!(refused.contains("no witness that is known"), "{refused}");
    }

    #[test]
    fn a_place_in_a_bucket_is_of_one_checkpoint_and_rests_on_our_own_word() {
        let of = |size: u64| Anchored { how: WORM.into(), key: None, ..anchored(size) };
        let written = Worm {
            bucket: "evidence".into(),
            key: "fra/checkpoints/00000000000000000007".into(),
            version_id: "v".into(),
            size: 7,
            root: hex(&[9; 32]),
            retain_until: Timestamp::UNIX_EPOCH,
        };
        let bytes = serde_json::to_vec(&written).unwrap();
        assert_eq!(check(ORIGIN, &of(7), &bytes, &[], None), Ok(Holds { at: None, own_word: true }));
        assert!(check(ORIGIN, &of(8), &bytes, &[], None).unwrap_err().contains("of another checkpoint"));
        assert!(check(ORIGIN, &of(7), b"{}", &[], None).unwrap_err().contains("the place in the bucket"));
    }
}
