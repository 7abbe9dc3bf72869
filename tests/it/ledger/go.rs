//! Go's `golang.org/x/mod/sumdb/tlog` and `note` say what the right roots, proofs, tiles and signatures are.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use lifeboat::{
    evidence::{
        key::hex,
        note::Verifier,
        statement::What,
        tree::{self, Hash},
    },
    port::Ledger as _,
    store::ledger::Folder,
};

use super::{ORIGIN, enter, files, key, leaf_of};

/// Where Debian's `golang-golang-x-mod-dev` puts sources.
const GOPATH: &str = "/usr/share/gocode";

/// Builds and runs a Go program of one file, with Debian's sources alone.
pub(crate) fn go(program: &Path, words: &[&str], place: &Path) -> String {
    let home = std::env::var_os("HOME").map_or_else(|| "/tmp".into(), PathBuf::from);
    let done = Command::new("/usr/bin/go")
        .arg("run")
        .arg(program)
        .args(words)
        .current_dir(place)
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .env("HOME", &home)
        .env("GOCACHE", home.join(".cache/lifeboat/go"))
        .envs([("GO111MODULE", "off"), ("GOPATH", GOPATH), ("GOFLAGS", ""), ("CGO_ENABLED", "0")])
        .output()
        .unwrap_or_else(|error| panic!("{error}: is golang-go installed?"));
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(done.status.success(), "{}\n{}", text(&done.stdout), text(&done.stderr));
    text(&done.stdout)
}

/// Hashes of all whole subtrees of a tree, so that a proof costs its own length.
struct Whole(Vec<Vec<Hash>>);

impl Whole {
    fn of(leaves: Vec<Hash>) -> Self {
        let mut levels = vec![leaves];
        while let Some(below) = levels.last().filter(|below| below.len() > 1) {
            let above = below.chunks_exact(2).map(|pair| tree::node(&pair[0], &pair[1])).collect();
            levels.push(above);
        }
        Self(levels)
    }

    fn at(&self, height: u32, index: u64) -> Result<Hash, ()> {
        self.0.get(height as usize).and_then(|level| level.get(usize::try_from(index).ok()?)).copied().ok_or(())
    }

    /// What the oracle prints of a size.
    fn line(&self, size: u64, indexes: &[u64]) -> String {
        let mut from = |height: u32, index: u64| self.at(height, index);
        let root = tree::root_at(&mut from, size).unwrap();
        let (mut inclusion, mut consistency) = (Vec::new(), Vec::new());
        for index in indexes {
            let proof = tree::inclusion(&mut from, *index, size).unwrap();
            assert!(tree::included(&self.0[0][usize::try_from(*index).unwrap()], *index, size, &proof, &root));
            inclusion.extend(proof.concat());
            let proof = tree::consistency(&mut from, index + 1, size).unwrap();
            let old = tree::root_at(&mut from, index + 1).unwrap();
            assert!(tree::consistent(index + 1, &old, size, &root, &proof));
            consistency.extend(proof.concat());
        }
        let digest = |bytes: &[u8]| hex(&tree::sha256(bytes));
        format!("size {size} {} {} {}", hex(&root), digest(&inclusion), digest(&consistency))
    }
}

#[test]
fn go_agrees_on_roots_and_proofs_of_all_sizes_and_reads_our_ledger_through_its_tiles() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("ledger");
    let ledger = files(Folder::at(&place), Folder::at(folder.path()));
    // Over a bundle and a tile, in unequal batches.
    for batch in [1, 5, 250, 3, 300] {
        let beats: Vec<_> = (0..batch).map(|n| What::Heartbeat { version: n.to_string() }).collect();
        enter(&ledger, &beats, &[]).unwrap();
    }
    let program = folder.path().join("oracle.go");
    fs::write(&program, include_str!("oracle.go")).unwrap();
    let verifier = Verifier::new(ORIGIN, key(1).public()).unwrap().to_string();
    let said = go(&program, &[place.to_str().unwrap(), &verifier], folder.path());
    let mut lines = said.lines();

    let whole = Whole::of((0..65_538_u64).map(|n| tree::leaf(format!("entry {n}").as_bytes())).collect());
    for size in (1..=600).chain(65_535..=65_538) {
        let all: Vec<u64> = match size {
            1..=600 => (0..size).collect(),
            _ => vec![0, 1, 254, 255, 256, 257, 4095, 32_767, 32_768, 65_279, size - 2, size - 1],
        };
        assert_eq!(lines.next().unwrap(), whole.line(size, &all));
    }
    let entries = ledger.entries().unwrap();
    for (index, entry) in entries.iter().enumerate() {
        assert_eq!(lines.next().unwrap(), format!("leaf {index} {}", hex(&leaf_of(entry))));
    }
    assert_eq!(lines.next(), Some(format!("ledger {}", entries.len()).as_str()));
}
