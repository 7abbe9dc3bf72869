//! Verifying what anchors gave in return: each entry that says "this checkpoint is known elsewhere" names a root that the entries have,
//! and a receipt that holds.

use super::{
    LedgerError, Pass, blob_path, digest_of,
    frame::DataKey,
    verify::{Checked, Trusted},
};
use crate::evidence::{
    audit::{Audited, Flaw},
    key::hex,
    later::Anchored,
    receipt::{self, TIMESTAMP, WITNESS, WORM},
    tile::Edge,
    tree::Hash,
};

/// What the receipts show together.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Receipts {
    /// Receipts that hold.
    pub hold: u64,
    /// The largest checkpoint that a witness, or another place that remembers, has seen; 0: none.
    pub remembered: u64,
}

pub(super) fn check(
    pass: &mut Pass<'_>,
    key: &DataKey,
    leaves: &[Hash],
    audited: &Audited,
    (origin, trusted): (&str, &Trusted),
) -> Result<Receipts, LedgerError> {
    let mut found = Receipts::default();
    let roots = roots(leaves, &audited.anchored);
    for (index, anchored) in &audited.anchored {
        let place = format!("entry {index}");
        match roots.iter().find(|(size, _)| *size == anchored.size) {
            Some((_, root)) if *root != anchored.root => {
                pass.flaw(place, format!("{} has another root over {} entries", anchored.anchor, anchored.size));
                continue;
            }
            // What is missing is a flaw already.
            Some(_) | None => {}
        }
        let Some(blob) = &anchored.receipt else {
            pass.remarks.push(Flaw::new(place, format!("{} gave no receipt", anchored.anchor)));
            continue;
        };
        let (Some(bytes), Some(digest)) = (pass.read(&blob_path(&blob.sha256))?, digest_of(&blob.sha256)) else {
            continue;
        };
        let Ok(bytes) = key.open_blob(&bytes, &digest) else { continue };
        let witness = trusted.witnesses.iter().find(|(name, _)| *name == anchored.anchor).map(|(_, key)| key);
        match receipt::check(origin, anchored, &bytes, &audited.ledger, witness) {
            Err(what) => pass.flaw(place, format!("the receipt of {}: {what}", anchored.anchor)),
            Ok(holds) => {
                found.hold += 1;
                if anchored.how != TIMESTAMP {
                    found.remembered = found.remembered.max(anchored.size);
                }
                let named = pass.remarks.iter().any(|remark| remark.place == format!("anchor {}", anchored.anchor));
                if holds.own_word && !named {
                    let why = match anchored.how.as_str() {
                        WITNESS => {
                            "its key is in no document that was read, so receipts are checked against the key that the entries name"
                        }
                        WORM => {
                            "its receipts say where the ledger is in a bucket; `lifeboat evidence verify --ask` reads it there"
                        }
                        _ => "this program does not know its kind, so what it gave is not checked",
                    };
                    pass.remarks.push(Flaw::new(format!("anchor {}", anchored.anchor), why));
                }
            }
        }
    }
    Ok(found)
}

/// The roots over as many entries as were anchored, in one pass.
fn roots(leaves: &[Hash], anchored: &[(u64, Anchored)]) -> Vec<(u64, String)> {
    let mut sizes: Vec<_> = anchored.iter().map(|(_, anchored)| anchored.size).collect();
    sizes.sort_unstable();
    sizes.dedup();
    let (mut edge, mut full, mut roots) = (Edge::default(), Vec::new(), Vec::new());
    let mut wanted = sizes.into_iter().peekable();
    for leaf in leaves {
        edge.push(*leaf, &mut full);
        full.clear();
        if wanted.next_if(|size| *size == edge.size()).is_some() {
            roots.push((edge.size(), hex(&edge.root())));
        }
    }
    roots
}

/// What cannot be seen from here, said as far as it is so.
pub(super) fn outside(checked: &mut Checked, mark: &str) {
    let remembered = checked.receipts.remembered;
    let what = if remembered > 0 {
        format!(
            "{remembered} entries are known elsewhere. An older copy of the whole folder, {mark} with it, is noticed by asking there: \
             `lifeboat evidence verify --ask`"
        )
    } else {
        format!(
            "no checkpoint is kept elsewhere: an older copy of the whole folder would not be noticed if {mark} was put back with it \
             (kind EvidenceAnchor)"
        )
    };
    checked.remarks.push(Flaw::new("anchors", what));
}
