//! Whatever is changed in a ledger is noticed, by `verify` and before the next entry is written.

use std::thread;

use lifeboat::{
    evidence::{
        checkpoint::Checkpoint,
        later::PolicyChanged,
        statement::{Role, What},
        tree,
    },
    port::{Batch, Ledger as _, LedgerError},
    store::ledger::{Disk, Trusted, verify},
};
use secrecy::SecretString;

use super::{enter, files, files_with, flaws, key, memory::Memory, opened, record, seal, small, trusted};

#[test]
fn a_drill_policy_that_asks_something_else_than_its_entry_says_is_a_flaw() {
    let (disk, beside) = small();
    let (mut changed, text) = PolicyChanged::of(&[], "anna".parse().unwrap()).unwrap();
    changed.requirements = 2;
    let ledger = files(disk.clone(), beside.clone());
    enter(&ledger, &[What::PolicyChanged(changed)], &[text]).unwrap();
    assert_eq!(flaws(&disk, Some(&beside)), ["entry 3: it says 2 requirements, and its policy makes 0"]);
}

#[test]
fn a_ledger_as_it_was_written_has_no_flaw() {
    let (disk, beside) = small();
    assert_eq!(flaws(&disk, Some(&beside)), Vec::<String>::new());
    let paths: Vec<_> = disk.all().into_keys().collect();
    let blob = format!("blobs/sha256/{}", lifeboat::evidence::key::hex(&tree::sha256(&record(1))));
    assert_eq!(paths, [blob.as_str(), "checkpoint", "ledger.json", "tile/0/000.p/3", "tile/entries/000"]);
}

/// What a file might be changed to, each with what was done to it.
type Variations = fn(&[u8]) -> Vec<(String, Vec<u8>)>;

/// Every variation of every file of the small ledger, the mark included, on two threads. Gives those that passed.
fn passing(variations: Variations) -> Vec<String> {
    let (disk, beside) = small();
    let mut all: Vec<_> = disk.all().into_iter().map(|(path, bytes)| (true, path, bytes)).collect();
    all.extend(beside.all().into_iter().map(|(path, bytes)| (false, path, bytes)));
    let work: Vec<_> = all
        .iter()
        .flat_map(|(inside, path, bytes)| {
            variations(bytes).into_iter().map(move |(what, new)| (*inside, path, what, new))
        })
        .collect();
    assert!(work.len() > 100);
    let half = work.len() / 2;
    thread::scope(|scope| {
        let halves = [&work[..half], &work[half..]].map(|part| {
            let (disk, beside) = (disk.again(), beside.again());
            scope.spawn(move || {
                let mut passed = Vec::new();
                for (inside, path, what, new) in part {
                    let changed = if *inside { &disk } else { &beside };
                    let old = changed.content(path);
                    changed.put(path, new);
                    if flaws(&disk, Some(&beside)).is_empty() {
                        passed.push(format!("{path}: {what}"));
                    }
                    changed.put(path, &old);
                }
                passed
            })
        });
        halves.into_iter().flat_map(|half| half.join().unwrap()).collect()
    })
}

#[test]
fn every_bit_of_every_file_counts() {
    // Of the bundle, which is the largest, a bit of each byte: the next test has all of them.
    let passed = passing(|bytes| {
        let bits =
            if bytes.len() > 1_000 { (0..bytes.len()).map(|n| n * 8 + n % 8).collect() } else { all_bits(bytes) };
        bits.into_iter().map(|bit| (format!("bit {bit}"), flipped(bytes, bit))).collect()
    });
    assert_eq!(passed, Vec::<String>::new());
}

fn all_bits(bytes: &[u8]) -> Vec<usize> {
    (0..bytes.len() * 8).collect()
}

fn flipped(bytes: &[u8], bit: usize) -> Vec<u8> {
    let mut new = bytes.to_vec();
    new[bit / 8] ^= 1 << (bit % 8);
    new
}

#[test]
fn with_any_bit_of_the_entries_changed_nothing_is_read_and_nothing_written() {
    let (disk, beside) = small();
    let bytes = disk.content("tile/entries/000");
    for bit in all_bits(&bytes) {
        disk.put("tile/entries/000", &flipped(&bytes, bit));
        let read = files(disk.clone(), beside.clone()).entries();
        assert!(matches!(read, Err(LedgerError::Damaged { .. })), "bit {bit}: {read:?}");
    }
}

#[test]
fn every_byte_that_is_cut_off_counts() {
    let passed =
        passing(|bytes| (0..bytes.len()).map(|cut| (format!("cut to {cut}"), bytes[..cut].to_vec())).collect());
    assert_eq!(passed, Vec::<String>::new());
}

#[test]
fn every_file_that_is_missing_counts() {
    let (disk, beside) = small();
    for path in disk.all().into_keys() {
        let short = disk.again();
        short.take(&path);
        assert!(!flaws(&short, Some(&beside)).is_empty(), "without {path}");
    }
}

/// The frames of the small ledger's entries.
fn frames(disk: &Memory) -> Vec<Vec<u8>> {
    let (mut rest, mut frames) = (disk.content("tile/entries/000"), Vec::new());
    while !rest.is_empty() {
        let length = u32::from_be_bytes(rest[32..36].try_into().unwrap()) as usize;
        let more = rest.split_off(36 + length + 16);
        frames.push(rest);
        rest = more;
    }
    frames
}

#[test]
fn entries_that_are_swapped_doubled_left_out_or_from_another_ledger_are_noticed() {
    let (disk, beside) = small();
    let (frames, others) = (frames(&disk), frames(&small().0));
    let [a, b, c] = frames.as_slice() else { panic!("three entries") };
    let arrangements =
        [vec![a, c, b], vec![b, a, c], vec![a, a, b, c], vec![a, b, b], vec![a, c], vec![a, b, &others[2]]];
    for (n, arrangement) in arrangements.into_iter().enumerate() {
        let changed = disk.again();
        changed.put("tile/entries/000", &arrangement.into_iter().flatten().copied().collect::<Vec<_>>());
        assert!(!flaws(&changed, Some(&beside)).is_empty(), "arrangement {n}");
        let refused = enter(&files(changed, beside.again()), &[opened(2)], &[]);
        assert!(matches!(refused, Err(LedgerError::Damaged { .. })), "arrangement {n}: {refused:?}");
    }
}

#[test]
fn what_is_damaged_is_not_written_to() {
    let (disk, beside) = small();
    for path in ["checkpoint", "ledger.json", "tile/0/000.p/3", "tile/entries/000"] {
        let changed = disk.again();
        let mut bytes = changed.content(path);
        bytes[40] ^= 1;
        changed.put(path, &bytes);
        let before = changed.all();
        let refused = enter(&files(changed.clone(), beside.again()), &[opened(2)], &[]);
        assert!(
            matches!(refused, Err(LedgerError::Damaged { .. } | LedgerError::WentBack { .. })),
            "{path}: {refused:?}"
        );
        assert_eq!(changed.all(), before, "{path}");
    }
}

#[test]
fn an_older_copy_is_caught_by_the_mark_and_without_it_said_to_be_undetectable() {
    let (disk, beside) = small();
    let old = disk.again();
    enter(&files(disk, beside.clone()), &[opened(2)], &[]).unwrap();
    let seen = flaws(&old, Some(&beside));
    assert_eq!(seen, ["ledger.seen: this machine has seen 4 entries, and the checkpoint is over 3"]);
    let refused = enter(&files(old.again(), beside), &[opened(2)], &[]);
    assert!(matches!(refused, Err(LedgerError::WentBack { .. })), "{refused:?}");
    let alone = verify(&old, None, &trusted()).unwrap();
    assert_eq!(alone.flaws, []);
    assert!(
        alone.remarks.iter().any(|said| said.what.contains("an older copy of the whole folder would not be noticed"))
    );
}

#[test]
fn a_ledger_that_grew_another_way_is_caught_by_the_mark() {
    let (disk, beside) = small();
    let fork = disk.again();
    enter(&files(disk, beside.clone()), &[opened(2)], &[]).unwrap();
    let elsewhere = beside.again();
    elsewhere.take("ledger.seen");
    enter(&files(fork.clone(), elsewhere), &[opened(2), opened(3)], &[]).unwrap();
    assert!(flaws(&fork, Some(&beside)).iter().any(|flaw| flaw.contains("are not those that this machine has seen")));
    let refused = enter(&files(fork, beside), &[opened(4)], &[]);
    assert!(matches!(refused, Err(LedgerError::WentBack { .. })), "{refused:?}");
}

#[test]
fn another_key_or_another_origin_is_refused() {
    let (disk, beside) = small();
    let with = |trusted: Trusted| !verify(&disk, Some(&beside), &trusted).unwrap().flaws.is_empty();
    assert!(with(Trusted { ledger: key(3).public().clone(), ..trusted() }));
    assert!(with(Trusted { record: key(3).public().clone(), ..trusted() }));
    assert!(with(Trusted { data: [8; 32], ..trusted() }));
    let refused = enter(&files_with(disk.again(), beside.again(), key(3)), &[opened(2)], &[]);
    assert!(matches!(refused, Err(LedgerError::Damaged { .. } | LedgerError::Other { .. })), "{refused:?}");
    let moved = disk.again();
    let said = Checkpoint { origin: "example.com/dub/ledger".into(), size: 3, root: [0; 32] };
    moved.put("checkpoint", said.sign(&[&key(1)]).unwrap().to_string().as_bytes());
    assert!(flaws(&moved, None).iter().any(|flaw| flaw.contains("is of the ledger example.com/dub/ledger")));
}

#[test]
fn a_checkpoint_without_its_signature_line_is_refused() {
    let (disk, beside) = small();
    let text = String::from_utf8(disk.content("checkpoint")).unwrap();
    let (text, _) = text.rsplit_once('\u{2014}').unwrap();
    disk.put("checkpoint", text.as_bytes());
    assert!(!flaws(&disk, Some(&beside)).is_empty());
}

#[test]
fn after_a_rotation_the_new_key_signs_and_the_old_one_is_refused() {
    let (disk, beside) = small();
    let next = lifeboat::evidence::key::private_pem(&[5; 32]);
    let added =
        What::KeyAdded { role: Role::Ledger, key: key(5).public().into(), requested_by: "anna".parse().unwrap() };
    let rotate = files(disk.clone(), beside.clone()).append(&mut |standing, _| {
        let next_key = Some(SecretString::from(next.clone()));
        Ok(Batch { entries: vec![seal(standing, added.clone())], next_key, ..Batch::default() })
    });
    assert_eq!(rotate.unwrap(), 4);
    let trusts = Trusted { ledger: key(5).public().clone(), ..trusted() };
    assert_eq!(verify(&disk, Some(&beside), &trusts).unwrap().flaws, []);
    let stale = enter(&files(disk.again(), beside.again()), &[opened(2)], &[]);
    assert!(matches!(stale, Err(LedgerError::Other { .. })), "{stale:?}");
    assert_eq!(enter(&files_with(disk.clone(), beside.clone(), key(5)), &[opened(2)], &[]).unwrap(), 5);
    assert_eq!(verify(&disk, Some(&beside), &trusts).unwrap().flaws, []);
    assert!(!flaws(&disk, Some(&beside)).is_empty(), "the key that was retired is still trusted");
    let late = enter(&files(disk, beside), &[opened(3)], &[]);
    assert!(late.is_err(), "{late:?}");
}

#[test]
fn two_writers_see_each_others_entries() {
    let folder = tempfile::tempdir().unwrap();
    let open = || {
        let at = |path: &std::path::Path| lifeboat::store::ledger::Folder::at(path);
        files(at(&folder.path().join("ledger")), at(folder.path()))
    };
    thread::scope(|scope| {
        for writer in 0..2_u64 {
            let ledger = open();
            scope.spawn(move || {
                for n in 0..40 {
                    enter(&ledger, &[What::Heartbeat { version: format!("{writer}-{n}") }], &[]).unwrap();
                }
            });
        }
    });
    assert_eq!(open().entries().unwrap().len(), 81);
    let disk = lifeboat::store::ledger::Folder::at(&folder.path().join("ledger"));
    let beside = lifeboat::store::ledger::Folder::at(folder.path());
    assert_eq!(flaws(&disk, Some(&beside as &dyn Disk)), Vec::<String>::new());
}

const TWO_SECONDS: std::time::Duration = std::time::Duration::from_secs(2);
const A_FIFTH: std::time::Duration = std::time::Duration::from_millis(200);

#[test]
fn a_writer_waits_two_seconds_for_another_and_no_longer() {
    let folder = tempfile::tempdir().unwrap();
    let at = |path: &std::path::Path| lifeboat::store::ledger::Folder::at(path);
    let ledger = files(at(&folder.path().join("ledger")), at(folder.path()));
    enter(&ledger, &[opened(1)], &[]).unwrap();
    let other = at(&folder.path().join("ledger"));
    let held = other.lock(true).unwrap();
    let refused = enter(&ledger, &[opened(2)], &[]);
    assert!(matches!(refused, Err(LedgerError::Busy { waited: TWO_SECONDS, .. })), "{refused:?}");
    // Whoever has users waiting does not wait that long.
    let hurried = files(at(&folder.path().join("ledger")), at(folder.path())).hurried();
    let refused = enter(&hurried, &[opened(2)], &[]);
    assert!(matches!(refused, Err(LedgerError::Busy { waited: A_FIFTH, .. })), "{refused:?}");
    drop(held);
    assert_eq!(enter(&ledger, &[opened(2)], &[]).unwrap(), 3);
}
