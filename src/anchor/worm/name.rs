//! What the objects of a ledger are called, below its prefix. Numbers have twenty digits, as many as 64 bits need, so that a
//! listing is in their order.

use std::fmt;

/// One object.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Name {
    /// Which ledger it is.
    Ledger,
    /// The frame of an entry, from 0.
    Entry(u64),
    /// The frame of a blob, by the SHA-256 of its content.
    Blob(String),
    /// The signed checkpoint of this many entries.
    Checkpoint(u64),
}

const LEDGER: &str = "ledger.json";
const ENTRIES: &str = "entries/";
const BLOBS: &str = "blobs/sha256/";
const CHECKPOINTS: &str = "checkpoints/";

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ledger => f.write_str(LEDGER),
            Self::Entry(index) => write!(f, "{ENTRIES}{index:020}"),
            Self::Blob(sha256) => write!(f, "{BLOBS}{sha256}"),
            Self::Checkpoint(size) => write!(f, "{CHECKPOINTS}{size:020}"),
        }
    }
}

impl Name {
    /// Reads it in its only form; `None`: no object of ours is called so.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let read = if text == LEDGER {
            Self::Ledger
        } else if let Some(index) = text.strip_prefix(ENTRIES) {
            Self::Entry(index.parse().ok()?)
        } else if let Some(sha256) = text.strip_prefix(BLOBS) {
            crate::evidence::key::unhex(sha256).filter(|bytes| bytes.len() == 32)?;
            Self::Blob(sha256.to_owned())
        } else {
            Self::Checkpoint(text.strip_prefix(CHECKPOINTS)?.parse().ok()?)
        };
        (read.to_string() == text).then_some(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_one_form_and_sort_as_their_numbers_do() {
        let names =
            [Name::Ledger, Name::Entry(0), Name::Entry(u64::MAX), Name::Blob("ab".repeat(32)), Name::Checkpoint(7)];
        for name in names {
            assert_eq!(Name::parse(&name.to_string()), Some(name));
        }
        assert!(Name::Entry(99).to_string() < Name::Entry(100).to_string());
        assert_eq!(Name::Entry(7).to_string(), "entries/00000000000000000007");
        for other in ["", "ledger", "entries/7", "entries/+0000000000000000007", "blobs/sha256/ab", "notes.txt"] {
            assert_eq!(Name::parse(other), None, "{other}");
        }
    }
}
