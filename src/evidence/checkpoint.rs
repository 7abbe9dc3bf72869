//! Checkpoints: C2SP tlog-checkpoint. Origin, size and root of a ledger in a signed note.

use std::fmt;

use base64::{Engine as _, engine::general_purpose::STANDARD};

use super::{
    key::{BadKey, SigningKey},
    note::{BadNote, Note, Verifier},
    tree::Hash,
};

/// A note that is no checkpoint of the ledger.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadCheckpoint {
    /// No note.
    #[error("the checkpoint is no signed note")]
    Note(#[from] BadNote),
    /// The text is none.
    #[error("the checkpoint's text is not an origin, a size and a root")]
    Text,
    /// Of another ledger.
    #[error("the checkpoint is of the ledger {found}, and not of {expected}")]
    Origin {
        /// As it should be.
        expected: String,
        /// As it is.
        found: String,
    },
    /// A signature line that no known key made.
    #[error("signature {0} of the checkpoint is by no key of this ledger, or is not over this text")]
    Stranger(usize),
    /// The key that must have signed it did not.
    #[error("the checkpoint is not signed with the key {0}")]
    Unsigned(String),
}

/// What a checkpoint says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// The ledger.
    pub origin: String,
    /// Entries.
    pub size: u64,
    /// The root over them.
    pub root: Hash,
}

/// The text that is signed.
impl fmt::Display for Checkpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\n{}\n{}\n", self.origin, self.size, STANDARD.encode(self.root))
    }
}

impl Checkpoint {
    /// Signs it with these keys.
    pub fn sign(&self, keys: &[&SigningKey]) -> Result<Note, BadKey> {
        Note::sign(self.to_string(), &self.origin, keys)
    }

    /// Reads the text of a note. Nothing is verified.
    pub fn read(note: &Note) -> Result<Self, BadCheckpoint> {
        let mut lines = note.text.split('\n');
        let (Some(origin), Some(size), Some(root)) = (lines.next(), lines.next(), lines.next()) else {
            return Err(BadCheckpoint::Text);
        };
        let root = STANDARD.decode(root).ok().and_then(|root| root.try_into().ok()).ok_or(BadCheckpoint::Text)?;
        let size = size.parse().map_err(|_| BadCheckpoint::Text)?;
        let read = Self { origin: origin.to_owned(), size, root };
        // One way to write it: no sign, no leading zero, nothing after it.
        if read.to_string() == note.text { Ok(read) } else { Err(BadCheckpoint::Text) }
    }

    /// Reads and verifies: `must` signed it, every signature is by `must` or one of `may`, and all of them hold.
    pub fn verified(bytes: &[u8], must: &Verifier, may: &[Verifier]) -> Result<Self, BadCheckpoint> {
        let note = Note::parse(bytes)?;
        let read = Self::read(&note)?;
        if read.origin != must.name() {
            return Err(BadCheckpoint::Origin { expected: must.name().to_owned(), found: read.origin });
        }
        for (n, signature) in note.signatures.iter().enumerate() {
            if !may.iter().chain([must]).any(|key| key.verifies(&note.text, signature)) {
                return Err(BadCheckpoint::Stranger(n + 1));
            }
        }
        let signed = note.signatures.iter().any(|signature| signature.is_by(must));
        if signed { Ok(read) } else { Err(BadCheckpoint::Unsigned(must.to_string())) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::key::private_pem;

    const ORIGIN: &str = "example.com/fra/ledger";

    fn key(n: u8) -> SigningKey {
        SigningKey::from_pem(&private_pem(&[n; 32])).unwrap()
    }

    fn verifier(key: &SigningKey) -> Verifier {
        Verifier::new(ORIGIN, key.public()).unwrap()
    }

    fn checkpoint() -> Checkpoint {
        Checkpoint { origin: ORIGIN.into(), size: 17, root: [9; 32] }
    }

    #[test]
    fn a_checkpoint_is_read_back_when_the_right_key_signed_it() {
        let own = key(1);
        let bytes = checkpoint().sign(&[&own]).unwrap().to_string();
        assert!(bytes.starts_with("example.com/fra/ledger\n17\nCQkJCQkJ"));
        assert_eq!(Checkpoint::verified(bytes.as_bytes(), &verifier(&own), &[]), Ok(checkpoint()));
    }

    #[test]
    fn another_key_another_origin_or_a_missing_line_is_refused() {
        let (own, next) = (key(1), key(2));
        let bytes = checkpoint().sign(&[&own, &next]).unwrap().to_string();
        let (own, next) = (verifier(&own), verifier(&next));
        assert_eq!(Checkpoint::verified(bytes.as_bytes(), &next, std::slice::from_ref(&own)), Ok(checkpoint()));
        assert_eq!(Checkpoint::verified(bytes.as_bytes(), &own, &[]), Err(BadCheckpoint::Stranger(2)));
        let lines: Vec<_> = bytes.lines().collect();
        let short = format!("{}\n", lines[..5].join("\n"));
        let unsigned = Checkpoint::verified(short.as_bytes(), &next, &[own]);
        assert!(matches!(unsigned, Err(BadCheckpoint::Unsigned(_))), "{unsigned:?}");
        let other = Verifier::new("example.com/dub/ledger", key(1).public()).unwrap();
        let moved = Checkpoint::verified(bytes.as_bytes(), &other, &[]);
        assert!(matches!(moved, Err(BadCheckpoint::Origin { .. })), "{moved:?}");
    }

    #[test]
    fn a_number_has_one_way_to_be_written() {
        for text in
            ["o\n017\nCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQk=\n", "o\n+1\nCQkJ\n", "o\n1\nCQkJ\n", "o\n1\n"]
        {
            let note = Note { text: text.into(), signatures: Vec::new() };
            assert_eq!(Checkpoint::read(&note), Err(BadCheckpoint::Text), "{text}");
        }
    }
}
