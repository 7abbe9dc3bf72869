//! How the tree is cut into files: C2SP tlog-tiles.
//!
//! A tile at level L holds up to 256 hashes of subtrees of height 8 L. A full one never changes; the last of each level is
//! partial until it is full, and is named by its width.

use std::fmt;

use super::tree::{self, Hash};

/// Hashes in a full tile, and entries in a full bundle.
pub const WIDTH: u64 = 256;
/// The same, for slices.
pub const WIDE: usize = 256;

/// A tile by its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// 0 for hashes of leaves.
    pub level: u32,
    /// From 0.
    pub index: u64,
    /// Hashes in it, 1 to 256.
    pub width: u64,
}

/// The path below the ledger's folder, such as `tile/1/x001/x234/067.p/5`.
impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "tile/{}/{}", self.level, numbered(self.index))?;
        if self.width < WIDTH { write!(f, ".p/{}", self.width) } else { Ok(()) }
    }
}

/// The path of an entry bundle. Unlike the tiles it is one growing file, not one file for each width.
pub fn bundle(index: u64) -> String {
    format!("tile/entries/{}", numbered(index))
}

/// The path of an entry bundle as the specification has it, with its width: `tile/entries/001.p/44`.
fn clear_bundle(index: u64, width: usize) -> String {
    let path = bundle(index);
    if width < WIDE { format!("{path}.p/{width}") } else { path }
}

/// All tiles and all entry bundles over these entries, by their paths, in clear: C2SP tlog-tiles. Each entry has its length before it,
/// two bytes, the higher first; an entry is no longer than that can say.
pub fn files(entries: &[Vec<u8>]) -> Vec<(String, Vec<u8>)> {
    let (mut edge, mut tiles, mut files) = (Edge::default(), Vec::new(), Vec::new());
    for (index, bundle) in (0..).zip(entries.chunks(WIDE)) {
        let mut bytes = Vec::new();
        for entry in bundle {
            edge.push(tree::leaf(entry), &mut tiles);
            bytes.extend(u16::try_from(entry.len()).unwrap_or(u16::MAX).to_be_bytes());
            bytes.extend_from_slice(entry);
        }
        files.push((clear_bundle(index, bundle.len()), bytes));
    }
    tiles.extend(edge.partial());
    files.extend(tiles.iter().map(|tile| (tile.place.to_string(), tile.bytes())));
    files
}

/// Groups of three digits, all but the last with an `x` before them: `x001/x234/067`.
fn numbered(index: u64) -> String {
    let mut text = format!("{:03}", index % 1000);
    let mut rest = index / 1000;
    while rest > 0 {
        text = format!("x{:03}/{text}", rest % 1000);
        rest /= 1000;
    }
    text
}

/// All tiles of a tree of `size` leaves, full ones and partial ones.
pub fn places(size: u64) -> Vec<Place> {
    let (mut found, mut level, mut hashes) = (Vec::new(), 0, size);
    while hashes > 0 {
        found.extend((0..hashes / WIDTH).map(|index| Place { level, index, width: WIDTH }));
        found.extend(last(level, hashes));
        hashes /= WIDTH;
        level += 1;
    }
    found
}

/// The partial tiles of a tree of `size` leaves.
pub fn partial(size: u64) -> Vec<Place> {
    let levels = (0..8_u32).map(|level| (level, size >> (8 * level)));
    levels.filter_map(|(level, hashes)| last(level, hashes)).collect()
}

fn last(level: u32, hashes: u64) -> Option<Place> {
    let width = hashes % WIDTH;
    (width > 0).then_some(Place { level, index: hashes / WIDTH, width })
}

/// The tile that holds the hash of a subtree, in a tree of `size` leaves, and which of its hashes make it up.
///
/// `None` when the tree has no such subtree.
pub fn holding(height: u32, index: u64, size: u64) -> Option<(Place, std::ops::Range<usize>)> {
    let (level, inside) = (height / 8, height % 8);
    let hashes = size.checked_shr(8 * level).unwrap_or(0);
    let first = index.checked_shl(inside)?;
    let tile = first / WIDTH;
    let width = hashes.saturating_sub(tile * WIDTH).min(WIDTH);
    let (from, to) = (first % WIDTH, first % WIDTH + (1 << inside));
    (to <= width)
        .then_some((Place { level, index: tile, width }, usize::try_from(from).ok()?..usize::try_from(to).ok()?))
}

/// A tile with its hashes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tile {
    /// Where.
    pub place: Place,
    /// As many as its width.
    pub hashes: Vec<Hash>,
}

impl Tile {
    /// The content of its file: its hashes, one after the other.
    pub fn bytes(&self) -> Vec<u8> {
        self.hashes.concat()
    }
}

/// The hashes in the content of a tile's file; `None`: they are not `width`.
pub fn hashes(bytes: &[u8], width: u64) -> Option<Vec<Hash>> {
    let (hashes, rest) = bytes.as_chunks::<32>();
    (rest.is_empty() && hashes.len() as u64 == width).then(|| hashes.to_vec())
}

/// The right edge of a tree: all that is needed to add leaves. A few kilobytes, whatever the size.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Edge {
    size: u64,
    /// For each level the hashes of its last tile, fewer than 256.
    levels: Vec<Vec<Hash>>,
}

impl Edge {
    /// Leaves.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Adds a leaf, and hands over the tiles that it filled.
    pub fn push(&mut self, leaf: Hash, full: &mut Vec<Tile>) {
        self.size += 1;
        let (mut hash, mut level) = (leaf, 0_u32);
        loop {
            let at = level as usize;
            if self.levels.len() <= at {
                self.levels.push(Vec::new());
            }
            let Some(hashes) = self.levels.get_mut(at) else { return };
            hashes.push(hash);
            if (hashes.len() as u64) < WIDTH {
                return;
            }
            hash = tree::over(hashes);
            let index = (self.size >> (8 * (level + 1))) - 1;
            full.push(Tile { place: Place { level, index, width: WIDTH }, hashes: std::mem::take(hashes) });
            level += 1;
        }
    }

    /// The partial tiles.
    pub fn partial(&self) -> Vec<Tile> {
        let tile = |place: Place| {
            let hashes = self.levels.get(place.level as usize)?.clone();
            Some(Tile { place, hashes })
        };
        partial(self.size).into_iter().filter_map(tile).collect()
    }

    /// The root.
    pub fn root(&self) -> Hash {
        let mut right = None;
        for hashes in &self.levels {
            let mut all = hashes.clone();
            all.extend(right);
            right = (!all.is_empty()).then(|| tree::over(&all));
        }
        right.unwrap_or_else(|| tree::over(&[]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_those_of_the_specification() {
        let path = |level, index, width| Place { level, index, width }.to_string();
        // C2SP tlog-tiles, "Merkle Tree".
        assert_eq!(path(0, 1_234_067, 256), "tile/0/x001/x234/067");
        assert_eq!(path(1, 0, 5), "tile/1/000.p/5");
        assert_eq!(path(0, 999, 256), "tile/0/999");
        assert_eq!(path(0, 1000, 256), "tile/0/x001/000");
        assert_eq!(bundle(273), "tile/entries/273");
    }

    #[test]
    fn a_tree_of_70_000_leaves_has_the_tiles_of_the_specification() {
        // C2SP tlog-tiles: 273 full and one of 112 at level 0, one full and one of 17 at level 1, one of 1 at level 2.
        let found = places(70_000);
        assert_eq!(found.len(), 273 + 1 + 1 + 1 + 1);
        let names: Vec<_> = partial(70_000).iter().map(ToString::to_string).collect();
        assert_eq!(names, ["tile/0/273.p/112", "tile/1/001.p/17", "tile/2/000.p/1"]);
    }

    #[test]
    fn the_edge_has_the_root_and_the_tiles_of_the_whole_tree() {
        let leaves: Vec<_> = (0..1_400_u32).map(|n| tree::leaf(&n.to_be_bytes())).collect();
        let (mut edge, mut full) = (Edge::default(), Vec::new());
        assert_eq!(edge.root(), tree::over(&[]));
        for (n, leaf) in leaves.iter().enumerate() {
            edge.push(*leaf, &mut full);
            if n % 97 == 0 || n > 1_270 || (250..260).contains(&n) {
                assert_eq!(edge.root(), tree::over(&leaves[..=n]), "{} leaves", n + 1);
            }
        }
        let mut made: Vec<_> = full.iter().chain(&edge.partial()).map(|tile| tile.place).collect();
        let mut expected = places(1_400);
        made.sort_unstable();
        expected.sort_unstable();
        assert_eq!(made, expected);
        for tile in full.iter().chain(&edge.partial()) {
            assert_eq!(hashes(&tile.bytes(), tile.place.width).as_ref(), Some(&tile.hashes));
            let under = 1_usize << (8 * tile.place.level);
            let first = usize::try_from(tile.place.index * WIDTH).unwrap();
            for (n, hash) in tile.hashes.iter().enumerate() {
                let from = (first + n) * under;
                assert_eq!(*hash, tree::over(&leaves[from..from + under]), "{} hash {n}", tile.place);
            }
        }
    }

    #[test]
    fn a_subtree_is_found_in_the_tile_that_holds_it() {
        let place = |level, index, width| Place { level, index, width };
        assert_eq!(holding(0, 300, 301), Some((place(0, 1, 45), 44..45)));
        assert_eq!(holding(3, 1, 300), Some((place(0, 0, 256), 8..16)));
        assert_eq!(holding(8, 0, 300), Some((place(1, 0, 1), 0..1)));
        assert_eq!(holding(0, 301, 301), None);
        assert_eq!(holding(9, 0, 300), None);
    }
}
