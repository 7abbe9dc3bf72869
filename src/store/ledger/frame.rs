//! Frames: what is kept of entries and blobs at rest. AES-256-GCM (NIST SP 800-38D) over each.
//!
//! A *segment* is what one append writes. Its key is HKDF-SHA-256 (RFC 5869) of the data key with the ledger's id and the segment; the nonce
//! is the frame's counter in its segment. The segment is 128 random bits and not a counter: a counter would be used a second time
//! after torn frames were dropped, or after an old copy of the folder was put back, and with it key and nonce.
//!
//! ```text
//! magic and version 4 | segment 16 | counter 4 | index 8 | length 4 | sealed entry | tag 16      all numbers big-endian
//! ```
//!
//! Everything before the sealed bytes is associated data, together with the ledger's id and, for a blob, its digest: a frame
//! that was moved to another place, another ledger or another name does not open.

use std::fmt;

use aws_lc_rs::{
    aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey},
    hkdf::{HKDF_SHA256, Salt},
};
use secrecy::{ExposeSecret as _, SecretBox};

/// `LBF` and the version.
const MAGIC: [u8; 4] = *b"LBF\x01";
/// Bytes before the sealed ones.
#[cfg(test)]
const HEAD: usize = 36;
/// Bytes of the tag.
const TAG: usize = 16;
/// The index of a frame that holds a blob.
const BLOB: u64 = u64::MAX;

/// What is wrong with a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum BadFrame {
    /// Fewer bytes than it says.
    #[error("a frame is cut off")]
    Torn,
    /// No frame at all.
    #[error("there is no frame of this version")]
    Magic,
    /// Another place.
    #[error("the frame of entry {found} stands where that of {expected} belongs")]
    Moved {
        /// As it should be.
        expected: u64,
        /// As it is.
        found: u64,
    },
    /// It does not open.
    #[error("the frame does not open: it was changed or moved, or the data key is another")]
    Sealed,
}

/// The key for what is kept at rest, bound to one ledger.
pub(super) struct DataKey {
    secret: SecretBox<[u8; 32]>,
    ledger: [u8; 16],
}

impl fmt::Debug for DataKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DataKey")
    }
}

/// A library that refuses keys of the right length is broken; nothing is written then.
fn broken<E>(_: E) -> std::io::Error {
    std::io::Error::other("the cryptographic library refused to work")
}

impl DataKey {
    /// For the ledger with this id.
    pub(super) fn new(secret: [u8; 32], ledger: [u8; 16]) -> Self {
        Self { secret: SecretBox::new(Box::new(secret)), ledger }
    }

    fn of_segment(&self, segment: &[u8; 16]) -> std::io::Result<LessSafeKey> {
        let extracted = Salt::new(HKDF_SHA256, b"lifeboat ledger v1").extract(self.secret.expose_secret());
        let info = [self.ledger.as_slice(), segment];
        let key: UnboundKey = extracted.expand(&info, &AES_256_GCM).map_err(broken)?.into();
        Ok(LessSafeKey::new(key))
    }

    fn associated(&self, head: &[u8], digest: Option<&[u8; 32]>) -> Vec<u8> {
        [head, &self.ledger, digest.map_or(&[], <[u8; 32]>::as_slice)].concat()
    }

    /// Frames of consecutive entries from `first` on, in a segment that was never used before.
    pub(super) fn seal(&self, segment: [u8; 16], first: u64, entries: &[Vec<u8>]) -> std::io::Result<Vec<Vec<u8>>> {
        let key = self.of_segment(&segment)?;
        let numbered = entries.iter().zip(first..).zip(0_u32..);
        numbered.map(|((entry, index), n)| self.frame(&key, segment, n, index, None, entry)).collect()
    }

    /// The frame of a blob, in a segment that was never used before.
    pub(super) fn seal_blob(&self, segment: [u8; 16], digest: &[u8; 32], blob: &[u8]) -> std::io::Result<Vec<u8>> {
        self.frame(&self.of_segment(&segment)?, segment, 0, BLOB, Some(digest), blob)
    }

    fn frame(
        &self,
        key: &LessSafeKey,
        segment: [u8; 16],
        counter: u32,
        index: u64,
        digest: Option<&[u8; 32]>,
        plain: &[u8],
    ) -> std::io::Result<Vec<u8>> {
        let length = u32::try_from(plain.len()).map_err(broken)?;
        let head = Head { segment, counter, index, length }.bytes();
        let mut sealed = plain.to_vec();
        let aad = Aad::from(self.associated(&head, digest));
        key.seal_in_place_append_tag(nonce(counter), aad, &mut sealed).map_err(broken)?;
        Ok([head.as_slice(), &sealed].concat())
    }

    /// Opens frames that follow one another.
    pub(super) fn opener(&self) -> Opener<'_> {
        Opener { data: self, segment: None }
    }

    /// Opens the frame of a blob.
    pub(super) fn open_blob(&self, bytes: &[u8], digest: &[u8; 32]) -> Result<Vec<u8>, BadFrame> {
        let (head, sealed, rest) = split(bytes)?;
        if head.index == BLOB && rest.is_empty() {
            let key = self.of_segment(&head.segment).map_err(|_| BadFrame::Sealed)?;
            self.unseal(&key, &head, Some(digest), sealed)
        } else {
            Err(BadFrame::Sealed)
        }
    }

    fn unseal(
        &self,
        key: &LessSafeKey,
        head: &Head,
        digest: Option<&[u8; 32]>,
        sealed: &[u8],
    ) -> Result<Vec<u8>, BadFrame> {
        let mut opened = sealed.to_vec();
        let aad = Aad::from(self.associated(&head.bytes(), digest));
        key.open_in_place(nonce(head.counter), aad, &mut opened).map_err(|_| BadFrame::Sealed)?;
        opened.truncate(sealed.len() - TAG);
        Ok(opened)
    }
}

/// Opens frames one after the other. Those of one segment follow one another, so its key is derived once.
pub(super) struct Opener<'k> {
    data: &'k DataKey,
    segment: Option<([u8; 16], LessSafeKey)>,
}

impl Opener<'_> {
    /// Opens the frame of entry `index` at the beginning of these bytes; gives the entry and what follows the frame.
    pub(super) fn open<'b>(&mut self, bytes: &'b [u8], index: u64) -> Result<(Vec<u8>, &'b [u8]), BadFrame> {
        let (head, sealed, rest) = split(bytes)?;
        if head.index != index {
            return Err(BadFrame::Moved { expected: index, found: head.index });
        }
        let key = match self.segment.take().filter(|(segment, _)| *segment == head.segment) {
            Some((_, key)) => key,
            None => self.data.of_segment(&head.segment).map_err(|_| BadFrame::Sealed)?,
        };
        let (_, key) = self.segment.insert((head.segment, key));
        Ok((self.data.unseal(key, &head, None, sealed)?, rest))
    }
}

fn nonce(counter: u32) -> Nonce {
    let mut bytes = [0; 12];
    for (to, from) in bytes.iter_mut().rev().zip(counter.to_be_bytes().iter().rev()) {
        *to = *from;
    }
    Nonce::assume_unique_for_key(bytes)
}

struct Head {
    segment: [u8; 16],
    counter: u32,
    index: u64,
    length: u32,
}

impl Head {
    fn bytes(&self) -> Vec<u8> {
        let (counter, index, length) =
            (self.counter.to_be_bytes(), self.index.to_be_bytes(), self.length.to_be_bytes());
        [MAGIC.as_slice(), &self.segment, &counter, &index, &length].concat()
    }
}

/// The bytes of the frame of entry `index` at the beginning of these. It is not opened.
pub(super) fn first(bytes: &[u8], index: u64) -> Result<&[u8], BadFrame> {
    let (head, _, rest) = split(bytes)?;
    if head.index != index {
        return Err(BadFrame::Moved { expected: index, found: head.index });
    }
    bytes.get(..bytes.len() - rest.len()).ok_or(BadFrame::Torn)
}

/// The head, the sealed bytes with their tag, and what follows.
fn split(bytes: &[u8]) -> Result<(Head, &[u8], &[u8]), BadFrame> {
    let (magic, rest) = bytes.split_first_chunk::<4>().ok_or(BadFrame::Torn)?;
    if *magic != MAGIC {
        return Err(BadFrame::Magic);
    }
    let (segment, rest) = rest.split_first_chunk::<16>().ok_or(BadFrame::Torn)?;
    let (counter, rest) = rest.split_first_chunk::<4>().ok_or(BadFrame::Torn)?;
    let (index, rest) = rest.split_first_chunk::<8>().ok_or(BadFrame::Torn)?;
    let (length, rest) = rest.split_first_chunk::<4>().ok_or(BadFrame::Torn)?;
    let length = u32::from_be_bytes(*length);
    let head =
        Head { segment: *segment, counter: u32::from_be_bytes(*counter), index: u64::from_be_bytes(*index), length };
    let end = usize::try_from(length).ok().and_then(|length| length.checked_add(TAG)).ok_or(BadFrame::Torn)?;
    let (sealed, rest) = rest.split_at_checked(end).ok_or(BadFrame::Torn)?;
    Ok((head, sealed, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bytes of a frame with an entry of this length.
    fn framed(entry: usize) -> usize {
        HEAD + entry + TAG
    }

    fn key(ledger: u8) -> DataKey {
        DataKey::new([3; 32], [ledger; 16])
    }

    fn sealed() -> Vec<u8> {
        key(1).seal([5; 16], 7, &[b"one".to_vec(), b"other".to_vec()]).unwrap().concat()
    }

    #[test]
    fn frames_open_in_their_own_place_alone() {
        let bytes = sealed();
        assert_eq!(bytes.len(), framed(3) + framed(5));
        let (one, rest) = key(1).opener().open(&bytes, 7).unwrap();
        let (other, end) = key(1).opener().open(rest, 8).unwrap();
        assert_eq!((one.as_slice(), other.as_slice(), end.len()), (&b"one"[..], &b"other"[..], 0));
        assert_eq!(key(1).opener().open(rest, 7), Err(BadFrame::Moved { expected: 7, found: 8 }));
        assert_eq!(key(2).opener().open(&bytes, 7), Err(BadFrame::Sealed), "in another ledger");
        assert_eq!(DataKey::new([4; 32], [1; 16]).opener().open(&bytes, 7), Err(BadFrame::Sealed), "with another key");
    }

    #[test]
    fn every_bit_of_a_frame_counts() {
        let bytes = sealed();
        for bit in 0..framed(3) * 8 {
            let mut changed = bytes.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            assert!(key(1).opener().open(&changed, 7).is_err(), "bit {bit}");
        }
        for cut in 0..framed(3) {
            assert_eq!(key(1).opener().open(&bytes[..cut], 7), Err(BadFrame::Torn), "cut to {cut}");
        }
    }

    #[test]
    fn the_same_entries_are_sealed_otherwise_in_another_segment() {
        let other = key(1).seal([6; 16], 7, &[b"one".to_vec()]).unwrap().concat();
        assert_ne!(other[HEAD..], sealed()[HEAD..framed(3)]);
    }

    #[test]
    fn frames_of_several_segments_open_one_after_the_other() {
        let mut bytes = sealed();
        bytes.extend(key(1).seal([6; 16], 9, &[b"later".to_vec()]).unwrap().concat());
        bytes.extend(key(1).seal([5; 16], 10, &[b"first".to_vec()]).unwrap().concat());
        let (data, mut rest, mut found) = (key(1), bytes.as_slice(), Vec::new());
        let mut opener = data.opener();
        for index in 7..11 {
            let (entry, more) = opener.open(rest, index).unwrap();
            found.push(entry);
            rest = more;
        }
        assert_eq!(found, [b"one".to_vec(), b"other".to_vec(), b"later".to_vec(), b"first".to_vec()]);
    }

    #[test]
    fn a_blob_opens_under_its_own_digest_alone() {
        let frame = key(1).seal_blob([5; 16], &[8; 32], b"blob").unwrap();
        assert_eq!(key(1).open_blob(&frame, &[8; 32]).unwrap(), b"blob");
        assert_eq!(key(1).open_blob(&frame, &[9; 32]), Err(BadFrame::Sealed));
        assert!(key(1).opener().open(&frame, 0).is_err());
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_taken_apart_without_a_gap_or_refused(
            magic in proptest::bool::weighted(0.9),
            length in 0_u32..64,
            mut bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..128),
        ) {
            if magic && let Some(start) = bytes.first_chunk_mut::<4>() {
                *start = MAGIC;
            }
            // Most lengths by chance are longer than any file.
            if let Some(said) = bytes.get_mut(HEAD - 4..HEAD) {
                said.copy_from_slice(&length.to_be_bytes());
            }
            match split(&bytes) {
                Ok((head, sealed, rest)) => {
                    proptest::prop_assert_eq!([&head.bytes(), sealed, rest].concat(), bytes.clone());
                    proptest::prop_assert_eq!(first(&bytes, head.index).map(<[u8]>::len), Ok(bytes.len() - rest.len()));
                    proptest::prop_assert_eq!(key(1).opener().open(&bytes, head.index), Err(BadFrame::Sealed));
                }
                Err(bad) => proptest::prop_assert!(matches!(bad, BadFrame::Torn | BadFrame::Magic)),
            }
        }
    }
}
