//! The hash tree of the ledger: RFC 6962 section 2.1, unchanged in RFC 9162 section 2.1. SHA-256.
//!
//! Proofs are made by [`inclusion`] and [`consistency`] and checked by [`included`] and [`consistent`]. The two halves share
//! nothing but the hash of a leaf and of a node: makers divide the tree from its top, checkers climb from the leaf as
//! RFC 9162 sections 2.1.3.2 and 2.1.4.2 say.

use aws_lc_rs::digest;

/// A SHA-256 hash of 32 bytes.
pub type Hash = [u8; 32];

/// Where the hashes of whole subtrees come from: the one over leaves `index << height` to `(index + 1) << height`, without
/// the last.
pub type Subtrees<'a, E> = &'a mut dyn FnMut(u32, u64) -> Result<Hash, E>;

/// SHA-256 (FIPS 180-4).
pub fn sha256(bytes: &[u8]) -> Hash {
    let mut context = digest::Context::new(&digest::SHA256);
    context.update(bytes);
    finish(context)
}

fn finish(context: digest::Context) -> Hash {
    let mut hash = [0; 32];
    for (to, from) in hash.iter_mut().zip(context.finish().as_ref()) {
        *to = *from;
    }
    hash
}

/// The hash of a leaf: SHA-256 over a zero byte and the entry.
pub fn leaf(entry: &[u8]) -> Hash {
    let mut context = digest::Context::new(&digest::SHA256);
    context.update(&[0]);
    context.update(entry);
    finish(context)
}

/// The hash of a node: SHA-256 over a one byte and both sides.
pub fn node(left: &Hash, right: &Hash) -> Hash {
    let mut context = digest::Context::new(&digest::SHA256);
    context.update(&[1]);
    context.update(left);
    context.update(right);
    finish(context)
}

/// The root of a tree whose leaves, or whole subtrees of one height, have these hashes. Of none: SHA-256 of nothing.
pub fn over(hashes: &[Hash]) -> Hash {
    match hashes {
        [] => sha256(&[]),
        [one] => *one,
        more => {
            let (left, right) = more.split_at(more.len().next_power_of_two() / 2);
            node(&over(left), &over(right))
        }
    }
}

/// The largest power of two below `size`, which is at least 2.
fn below(size: u64) -> u64 {
    size.next_power_of_two() / 2
}

/// The root over leaves `low` to `high`, without `high`. `low` is a multiple of the largest power of two that fits.
fn root<E>(subtrees: Subtrees<'_, E>, low: u64, high: u64) -> Result<Hash, E> {
    let size = high - low;
    if size.is_power_of_two() {
        return subtrees(size.trailing_zeros(), low / size);
    }
    if size == 0 {
        return Ok(over(&[]));
    }
    let middle = low + below(size);
    Ok(node(&root(subtrees, low, middle)?, &root(subtrees, middle, high)?))
}

/// The root of the tree over the first `size` leaves.
pub fn root_at<E>(subtrees: Subtrees<'_, E>, size: u64) -> Result<Hash, E> {
    root(subtrees, 0, size)
}

/// The proof that leaf `index` is in the tree over the first `size` leaves (RFC 9162 section 2.1.3.1). `index < size`.
pub fn inclusion<E>(subtrees: Subtrees<'_, E>, index: u64, size: u64) -> Result<Vec<Hash>, E> {
    let (mut low, mut high, mut path) = (0, size, Vec::new());
    while high - low > 1 {
        let middle = low + below(high - low);
        if index < middle {
            path.push(root(subtrees, middle, high)?);
            high = middle;
        } else {
            path.push(root(subtrees, low, middle)?);
            low = middle;
        }
    }
    path.reverse();
    Ok(path)
}

/// The proof that the tree over the first `from` leaves is the beginning of the tree over the first `to` (RFC 9162 section
/// 2.1.4.1). `0 < from <= to`.
pub fn consistency<E>(subtrees: Subtrees<'_, E>, from: u64, to: u64) -> Result<Vec<Hash>, E> {
    let (mut low, mut high, mut whole, mut path) = (0, to, true, Vec::new());
    while from != high {
        let middle = low + below(high - low);
        if from <= middle {
            path.push(root(subtrees, middle, high)?);
            high = middle;
        } else {
            path.push(root(subtrees, low, middle)?);
            (low, whole) = (middle, false);
        }
    }
    if !whole {
        path.push(root(subtrees, low, high)?);
    }
    path.reverse();
    Ok(path)
}

/// Whether the proof shows that a leaf with this hash is number `index` of the tree with this root (RFC 9162 section 2.1.3.2).
pub fn included(leaf: &Hash, index: u64, size: u64, proof: &[Hash], root: &Hash) -> bool {
    if index >= size {
        return false;
    }
    let (mut at, mut last, mut hash) = (index, size - 1, *leaf);
    for step in proof {
        if last == 0 {
            return false;
        }
        if at & 1 == 1 || at == last {
            hash = node(step, &hash);
            while at & 1 == 0 && at != 0 {
                at >>= 1;
                last >>= 1;
            }
        } else {
            hash = node(&hash, step);
        }
        at >>= 1;
        last >>= 1;
    }
    last == 0 && hash == *root
}

/// Whether the proof shows that the tree of `from` leaves is the beginning of the tree of `to` leaves (RFC 9162 section
/// 2.1.4.2). Of an empty tree nothing can be shown.
pub fn consistent(from: u64, old: &Hash, to: u64, new: &Hash, proof: &[Hash]) -> bool {
    if from == 0 || from > to {
        return false;
    }
    if from == to {
        return proof.is_empty() && old == new;
    }
    let mut steps = proof.iter();
    let first = if from.is_power_of_two() { Some(old) } else { steps.next() };
    let Some(first) = first else { return false };
    let (mut at, mut last) = (from - 1, to - 1);
    while at & 1 == 1 {
        at >>= 1;
        last >>= 1;
    }
    let (mut before, mut after) = (*first, *first);
    for step in steps {
        if last == 0 {
            return false;
        }
        if at & 1 == 1 || at == last {
            before = node(step, &before);
            after = node(step, &after);
            while at & 1 == 0 && at != 0 {
                at >>= 1;
                last >>= 1;
            }
        } else {
            after = node(&after, step);
        }
        at >>= 1;
        last >>= 1;
    }
    last == 0 && before == *old && after == *new
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(index: u64) -> usize {
        usize::try_from(index).unwrap()
    }

    fn leaves(size: u64) -> Vec<Hash> {
        (0..size).map(|n| leaf(n.to_string().as_bytes())).collect()
    }

    fn subtrees(leaves: &[Hash]) -> impl FnMut(u32, u64) -> Result<Hash, ()> + '_ {
        |height, index| leaves.get(at(index << height)..at((index + 1) << height)).map(over).ok_or(())
    }

    #[test]
    fn the_roots_are_those_of_the_standard() {
        let hex = |hash: Hash| crate::evidence::key::hex(&hash);
        // RFC 9162 section 2.1.1: the empty tree is SHA-256 of nothing (FIPS 180-4); the leaf of nothing is SHA-256 of 00.
        assert_eq!(hex(over(&[])), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
        assert_eq!(hex(leaf(&[])), "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d");
    }

    #[test]
    fn every_leaf_is_proved_to_be_in_every_tree_and_in_no_other_place() {
        let all = leaves(40);
        for size in 1..=40_u64 {
            let root = over(&all[..at(size)]);
            for index in 0..size {
                let proof = inclusion(&mut subtrees(&all), index, size).unwrap();
                let own = &all[at(index)];
                assert!(included(own, index, size, &proof, &root), "{index} of {size}");
                assert!(!included(own, index + 1, size, &proof, &root), "{index} of {size}, one further");
                assert!(!included(&leaf(b"other"), index, size, &proof, &root), "{index} of {size}, another leaf");
                for cut in 0..proof.len() {
                    assert!(!included(own, index, size, &proof[..cut], &root), "{index} of {size}, cut to {cut}");
                }
            }
        }
    }

    #[test]
    fn every_tree_is_proved_to_begin_every_longer_one_and_no_changed_one() {
        let all = leaves(40);
        for to in 1..=40_u64 {
            let new = over(&all[..at(to)]);
            for from in 1..=to {
                let old = over(&all[..at(from)]);
                let proof = consistency(&mut subtrees(&all), from, to).unwrap();
                assert!(consistent(from, &old, to, &new, &proof), "{from} in {to}");
                assert!(!consistent(from, &leaf(b"other"), to, &new, &proof), "{from} in {to}, another beginning");
                assert!(!consistent(from, &old, to, &leaf(b"other"), &proof), "{from} in {to}, another end");
                if let Some((_, rest)) = proof.split_first() {
                    assert!(!consistent(from, &old, to, &new, rest), "{from} in {to}, a step less");
                }
            }
        }
    }

    #[test]
    fn what_is_impossible_is_proved_by_nothing() {
        let one = leaf(b"one");
        assert!(!included(&one, 0, 0, &[], &one));
        assert!(!consistent(0, &over(&[]), 1, &one, &[]));
        assert!(!consistent(2, &one, 1, &one, &[]));
        assert!(!consistent(1, &one, 1, &one, &[one]));
    }
}
