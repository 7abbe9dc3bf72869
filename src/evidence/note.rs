//! Signed notes: C2SP signed-note, with Ed25519 signatures (type 1).
//!
//! A note is a text that ends with a line break, an empty line, and one line for each signature: `— NAME BASE64`. The first
//! four signed bytes are the key's id, SHA-256 over name, line break, type and key.

use std::{fmt, str::FromStr};

use base64::{Engine as _, engine::general_purpose::STANDARD};

use super::{
    key::{BadKey, PublicKey, SigningKey, hex, unhex},
    tree,
};

/// The type of Ed25519 signatures.
const ED25519: u8 = 0x01;

/// A text that is no note, or no key of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadNote {
    /// Not text, empty, or without the empty line.
    #[error("it is no signed note: a text, an empty line and signatures are needed")]
    Shape,
    /// A line after the empty one is no signature.
    #[error("line {0} after the text is no signature")]
    Signature(usize),
    /// A name that no key may have.
    #[error("a key's name has at least one character, and neither spaces nor `+`")]
    Name,
    /// Not `NAME+ID+KEY`.
    #[error("it is no key of a note: NAME+ID+KEY is needed, with an Ed25519 key")]
    Key,
}

/// An Ed25519 key of one type under a name, written `NAME+ID+KEY` (C2SP signed-note, "Verifier keys"). The type is part of the id, so a key
/// for one purpose is never taken for one for another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoteKey<const TYPE: u8> {
    name: String,
    key: [u8; 32],
}

/// A key that checks notes.
pub type Verifier = NoteKey<ED25519>;

/// Neither blanks nor `+`, nor what cannot be seen.
fn is_name(name: &str) -> bool {
    !name.is_empty() && !name.chars().any(|c| c.is_whitespace() || c.is_control() || c == '+')
}

impl<const TYPE: u8> NoteKey<TYPE> {
    /// The key under this name.
    ///
    /// # Errors
    /// A name that no key may have, and a key that is not Ed25519.
    pub fn new(name: &str, key: &PublicKey) -> Result<Self, BadNote> {
        if !is_name(name) {
            return Err(BadNote::Name);
        }
        Ok(Self { name: name.to_owned(), key: key.ed25519().ok_or(BadNote::Key)? })
    }

    /// The key's name; for a ledger its origin.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its id: SHA-256 over name, line break, type and key, the first four bytes.
    pub fn id(&self) -> [u8; 4] {
        let hash = tree::sha256(&[self.name.as_bytes(), b"\n", &[TYPE], &self.key].concat());
        let [a, b, c, d, ..] = hash;
        [a, b, c, d]
    }

    /// Whether `signed` is this key's over `message`.
    pub(super) fn holds(&self, message: &[u8], signed: &[u8]) -> bool {
        let key = aws_lc_rs::signature::UnparsedPublicKey::new(&aws_lc_rs::signature::ED25519, &self.key);
        key.verify(message, signed).is_ok()
    }
}

impl Verifier {
    /// Whether the signature is this key's over the text.
    pub fn verifies(&self, text: &str, signature: &Signature) -> bool {
        signature.is_by(self) && self.holds(text.as_bytes(), &signature.bytes)
    }
}

impl<const TYPE: u8> fmt::Display for NoteKey<TYPE> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}+{}+{}", self.name, hex(&self.id()), STANDARD.encode([&[TYPE], self.key.as_slice()].concat()))
    }
}

impl<const TYPE: u8> FromStr for NoteKey<TYPE> {
    type Err = BadNote;
    fn from_str(text: &str) -> Result<Self, BadNote> {
        let mut parts = text.splitn(3, '+');
        let (Some(name), Some(id), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(BadNote::Key);
        };
        let key = STANDARD.decode(key).map_err(|_| BadNote::Key)?;
        let key = key.strip_prefix(&[TYPE]).and_then(|key| key.try_into().ok()).ok_or(BadNote::Key)?;
        let read = Self { name: name.to_owned(), key };
        (is_name(name) && unhex(id).as_deref() == Some(&read.id())).then_some(read).ok_or(BadNote::Key)
    }
}

/// A signature line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature {
    /// The key's name.
    pub name: String,
    /// The key's id.
    pub id: [u8; 4],
    /// What was signed with it.
    pub bytes: Vec<u8>,
}

impl Signature {
    /// Whether it says that this key made it.
    pub fn is_by<const TYPE: u8>(&self, key: &NoteKey<TYPE>) -> bool {
        self.name == key.name && self.id == key.id()
    }
}

/// A text with signatures. Nothing is checked by reading one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// With the line break at its end.
    pub text: String,
    /// In order.
    pub signatures: Vec<Signature>,
}

impl Note {
    /// Signs a text with these keys under one name.
    pub fn sign(text: String, name: &str, keys: &[&SigningKey]) -> Result<Self, BadKey> {
        let signed = |key: &&SigningKey| {
            let verifier = Verifier::new(name, key.public()).map_err(|_| BadKey::NotEd25519)?;
            Ok(Signature { name: name.to_owned(), id: verifier.id(), bytes: key.sign(text.as_bytes())? })
        };
        let signatures = keys.iter().map(signed).collect::<Result<_, _>>()?;
        Ok(Self { text, signatures })
    }

    /// Reads one.
    pub fn parse(bytes: &[u8]) -> Result<Self, BadNote> {
        let text = std::str::from_utf8(bytes).map_err(|_| BadNote::Shape)?;
        if text.chars().any(|c| c != '\n' && c.is_control()) {
            return Err(BadNote::Shape);
        }
        let (said, signatures) = text.rsplit_once("\n\n").ok_or(BadNote::Shape)?;
        let signatures = signatures.strip_suffix('\n').filter(|all| !all.is_empty()).ok_or(BadNote::Shape)?;
        let read = |(n, line): (usize, &str)| signature(line).ok_or(BadNote::Signature(n + 1));
        let signatures = signatures.split('\n').enumerate().map(read).collect::<Result<_, _>>()?;
        Ok(Self { text: format!("{said}\n"), signatures })
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.text)?;
        for signature in &self.signatures {
            writeln!(f, "{signature}")?;
        }
        Ok(())
    }
}

/// As a line of a note, without its line break.
impl fmt::Display for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\u{2014} {} {}", self.name, STANDARD.encode([self.id.as_slice(), &self.bytes].concat()))
    }
}

/// From a line of a note, without its line break. Nothing is verified.
impl FromStr for Signature {
    type Err = BadNote;
    fn from_str(line: &str) -> Result<Self, BadNote> {
        signature(line).ok_or(BadNote::Signature(1))
    }
}

fn signature(line: &str) -> Option<Signature> {
    let (name, signed) = line.strip_prefix("\u{2014} ")?.split_once(' ')?;
    let signed = STANDARD.decode(signed).ok()?;
    let (id, bytes) = signed.split_first_chunk::<4>()?;
    (!name.is_empty() && !bytes.is_empty()).then(|| Signature { name: name.to_owned(), id: *id, bytes: bytes.to_vec() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::key::private_pem;

    /// The example in the documentation of Go's `golang.org/x/mod/sumdb/note`, which the specification was made from.
    const KEY: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
    const NOTE: &str = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n\n\
        \u{2014} PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";

    #[test]
    fn the_example_of_the_library_that_the_specification_comes_from_is_read_and_verified() {
        let verifier: Verifier = KEY.parse().unwrap();
        assert_eq!(verifier.to_string(), KEY);
        let note = Note::parse(NOTE.as_bytes()).unwrap();
        assert_eq!(note.to_string(), NOTE);
        assert!(verifier.verifies(&note.text, &note.signatures[0]));
        assert!(!verifier.verifies("another text\n", &note.signatures[0]));
    }

    #[test]
    fn what_we_sign_is_verified_by_its_key_alone() {
        let [one, other] = [1, 2].map(|n| SigningKey::from_pem(&private_pem(&[n; 32])).unwrap());
        let note = Note::sign("text\n".into(), "example.com/ledger", &[&one, &other]).unwrap();
        let read = Note::parse(note.to_string().as_bytes()).unwrap();
        assert_eq!(read, note);
        let verifier = Verifier::new("example.com/ledger", one.public()).unwrap();
        assert!(verifier.verifies(&note.text, &note.signatures[0]));
        assert!(!verifier.verifies(&note.text, &note.signatures[1]));
        let renamed = Verifier::new("example.com/other", one.public()).unwrap();
        assert!(!renamed.verifies(&note.text, &note.signatures[0]));
    }

    #[test]
    fn what_is_no_note_is_refused() {
        let cases = [
            ("", BadNote::Shape),
            ("text\n", BadNote::Shape),
            ("text\n\n", BadNote::Shape),
            ("text\n\n\u{2014} name AAAAAAA=", BadNote::Shape),
            ("te\u{1}xt\n\n\u{2014} name AAAAAAA=\n", BadNote::Shape),
            ("text\n\n- name AAAAAAA=\n", BadNote::Signature(1)),
            ("text\n\n\u{2014} name AAAA\n", BadNote::Signature(1)),
            ("text\n\n\u{2014} name AAAAAAB=\n", BadNote::Signature(1)),
        ];
        for (text, expected) in cases {
            assert_eq!(Note::parse(text.as_bytes()), Err(expected), "{text:?}");
        }
        for key in ["", "name", "name+00000000+AAAA", &KEY.replace("c74f", "c74e"), &KEY.replace("+AR", "+AB")] {
            assert_eq!(key.parse::<Verifier>(), Err(BadNote::Key), "{key}");
        }
    }
}
