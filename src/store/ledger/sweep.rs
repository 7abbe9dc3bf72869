//! Opening many frames on all processors: what costs time about an entry depends on no other one. What entries mean together is judged
//! in their order by `evidence::audit`, which takes nothing from here but what was read and whose signature holds.

use std::{ops::Range, sync::Arc, thread};

use super::frame::{BadFrame, DataKey};
use crate::evidence::{
    audit::Prepared,
    key::PublicKey,
    tree::{self, Hash},
};

/// Bundles that one processor opens at a time: some thousand entries are a few megabytes, and starting a thread costs nothing beside them.
pub(super) const SHARE: usize = 16;

/// A file with frames.
pub(super) struct Bundle {
    /// Its name.
    pub(super) path: String,
    /// The numbers of the entries that belong in it.
    pub(super) entries: Range<u64>,
    /// Its content.
    pub(super) bytes: Vec<u8>,
}

/// What a file holds.
pub(super) struct Swept {
    /// Its entries in order, each with its hash.
    pub(super) entries: Vec<(Hash, Prepared)>,
    /// Bytes after the last entry; or the entry whose frame does not open.
    pub(super) end: Result<usize, (u64, BadFrame)>,
}

/// How many processors there are, eight at most.
pub(super) fn hands() -> usize {
    thread::available_parallelism().map_or(1, usize::from).min(8)
}

/// Opens these files, in their order.
pub(super) fn all(bundles: &[Bundle], key: &DataKey, guess: &Arc<PublicKey>, hands: usize) -> Vec<Swept> {
    let share = bundles.len().div_ceil(hands).max(1);
    let work = |mine: &[Bundle]| mine.iter().map(|bundle| sweep(bundle, key, guess)).collect::<Vec<_>>();
    thread::scope(|scope| {
        let mut shares = bundles.chunks(share);
        let own = shares.next();
        let others: Vec<_> = shares.map(|mine| scope.spawn(move || work(mine))).collect();
        let mut swept = own.map(work).unwrap_or_default();
        for other in others {
            match other.join() {
                Ok(more) => swept.extend(more),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        swept
    })
}

fn sweep(bundle: &Bundle, key: &DataKey, guess: &Arc<PublicKey>) -> Swept {
    let (mut opener, mut rest, mut entries) = (key.opener(), bundle.bytes.as_slice(), Vec::new());
    for index in bundle.entries.clone() {
        match opener.open(rest, index) {
            Ok((entry, more)) => {
                entries.push((tree::leaf(&entry), Prepared::of(&entry, Some(guess))));
                rest = more;
            }
            Err(error) => return Swept { entries, end: Err((index, error)) },
        }
    }
    Swept { entries, end: Ok(rest.len()) }
}
