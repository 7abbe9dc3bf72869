//! Values with a mark, and those that are too large for one request.
//!
//! A value is its mark, a space, the number of its pieces, a line break, and its text; where there are pieces, they are the text. Pieces
//! are written before the transaction that names them, and each mark is used once, so nobody ever sees half a value.

use super::{Etcd, txn, txn::Txn};
use crate::port::StoreError;

/// The largest text that is kept as one value, in bytes: a sixth of what etcd takes in a request, and small enough that
/// its transfer between regions does not hold up the members' heartbeats.
pub(super) const PIECE: usize = 256 * 1024;

/// Whether the value was written with this mark.
pub(super) fn marked(value: &[u8], mark: &str) -> bool {
    value.strip_prefix(mark.as_bytes()).is_some_and(|rest| rest.first() == Some(&b' '))
}

/// A value ready to be written.
#[derive(Debug)]
pub(super) struct Parcel {
    pub(super) mark: String,
    pub(super) value: Vec<u8>,
    pieces: usize,
}

/// The head of a value: its mark, how many pieces it has, and what follows.
fn open(value: &[u8]) -> Option<(&str, usize, &[u8])> {
    let end = value.iter().position(|byte| *byte == b'\n')?;
    let (head, rest) = value.split_at_checked(end)?;
    let (mark, pieces) = std::str::from_utf8(head).ok()?.split_once(' ')?;
    Some((mark, pieces.parse().ok()?, rest.get(1..)?))
}

impl Etcd {
    /// Makes a value of a text; a large one is put aside in pieces.
    pub(super) async fn pack(&self, intent: impl Fn() -> String, text: &str) -> Result<Parcel, StoreError> {
        let mark = self.mark();
        if text.len() <= PIECE {
            let value = format!("{mark} 0\n{text}").into_bytes();
            return Ok(Parcel { mark, value, pieces: 0 });
        }
        let mut pieces = 0;
        for piece in text.as_bytes().chunks(PIECE) {
            // Under a new mark with the same bytes each time: writing it twice is writing it once.
            let put = Txn::default().then([txn::put(&self.layout.piece(&mark, pieces), piece)]);
            self.ask(&intent, &put).await?;
            pieces += 1;
        }
        let value = format!("{mark} {pieces}\n").into_bytes();
        Ok(Parcel { mark, value, pieces })
    }

    /// The text of a value.
    pub(super) async fn unpack(&self, place: impl Fn() -> String, value: &[u8]) -> Result<String, StoreError> {
        let corrupt = |why: &str| StoreError::Corrupt { what: format!("{}: {why}", place()) };
        let (mark, pieces, text) = open(value).ok_or_else(|| corrupt("no mark"))?;
        let mut text = text.to_vec();
        for piece in 0..pieces {
            let read = Txn::read([txn::get(&self.layout.piece(mark, piece))]);
            let answer = self.ask(|| format!("read {}", place()), &read).await?;
            let found = answer.one(0).ok_or_else(|| corrupt("a piece is missing"))?;
            text.extend_from_slice(&found.value);
        }
        String::from_utf8(text).map_err(|_| corrupt("not text"))
    }

    /// Removes the pieces of a value that nobody names. Failing to is harmless: they are in nobody's way.
    pub(super) async fn discard(&self, parcel: &Parcel) {
        if parcel.pieces > 0 {
            let remove = Txn::default().then([txn::delete_all(&self.layout.pieces(&parcel.mark))]);
            if let Err(error) = self.ask(String::new, &remove).await {
                tracing::debug!(%error, mark = parcel.mark, "pieces of a refused write are left");
            }
        }
    }

    /// What removes the pieces of a value that is about to be replaced.
    pub(super) fn forget(&self, value: &[u8]) -> Option<txn::Op> {
        let (mark, pieces, _) = open(value)?;
        (pieces > 0).then(|| txn::delete_all(&self.layout.pieces(mark)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_says_whose_it_is_and_how_many_pieces_it_has() {
        assert_eq!(open(b"ab-1 0\nx\ny"), Some(("ab-1", 0, &b"x\ny"[..])));
        assert_eq!(open(b"ab-1 3\n"), Some(("ab-1", 3, &b""[..])));
        assert_eq!(open(b"{}"), None);
        assert!(marked(b"ab-1 0\nx", "ab-1"));
        // ab-1 is not ab-12.
        assert!(!marked(b"ab-12 0\nx", "ab-1"));
    }
}
