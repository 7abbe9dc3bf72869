//! `evidence export --log`: the whole ledger in clear, read by Go with the program of its own VERIFY.md.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::Command,
};

use lifeboat::{evidence::key::private_pem, evidence::statement::What, port::Ledger as _, store::ledger::Folder};
use serde_json::json;

use super::{ORIGIN, closed, enter, files, go::go, opened, pack::blocks, record};
use crate::cli::Stage;

/// A stage whose ledger has more entries than a tile is wide: one full tile and bundle of each, and a partial one.
fn long() -> Stage {
    let mut stage = Stage::new(json!({}));
    stage.settings = vec![
        ("LIFEBOAT_LEDGER_ORIGIN", ORIGIN.into()),
        ("LIFEBOAT_LEDGER_KEY", "env:LEDGER".into()),
        ("LEDGER", private_pem(&[1; 32])),
        ("LIFEBOAT_RECORD_KEY", "env:RECORD".into()),
        ("RECORD", private_pem(&[2; 32])),
        ("LIFEBOAT_DATA_KEY", "command:/bin/echo CQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQk=".into()),
    ];
    let ledger = files(Folder::at(&stage.path("data/ledger")), Folder::at(&stage.path("data")));
    enter(&ledger, &[opened(1)], &[]).unwrap();
    enter(&ledger, &[closed(1)], &[record(1)]).unwrap();
    let beats: Vec<_> = (0..297).map(|n| What::Heartbeat { version: n.to_string() }).collect();
    enter(&ledger, &beats, &[]).unwrap();
    assert_eq!(ledger.entries().unwrap().len(), 300);
    stage
}

fn exported(stage: &Stage) -> PathBuf {
    let log = stage.path("log");
    let said = stage.run(&format!("evidence export --log {}", log.display())).with(0);
    assert!(said.err.contains("holds the whole ledger in clear"), "{}", said.err);
    log
}

fn all(folder: &Path) -> Vec<PathBuf> {
    let inside = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    inside.flat_map(|path| if path.is_dir() { all(&path) } else { vec![path] }).collect()
}

#[test]
fn go_reads_the_exported_log_through_full_and_partial_tiles_and_refuses_one_flipped_byte() {
    let stage = long();
    let log = exported(&stage);
    for name in ["tile/0/000", "tile/0/001.p/44", "tile/1/000.p/1", "tile/entries/000", "tile/entries/001.p/44"] {
        assert!(log.join(name).is_file(), "{name}");
    }
    assert_eq!(fs::read(log.join("checkpoint")).unwrap(), fs::read(stage.path("data/ledger/checkpoint")).unwrap());
    let program = stage.path("check.go");
    // A wrong answer is for the test to see, and no reason to end it.
    fs::write(&program, blocks(&log, "go").replace("os.Exit(1)", "os.Exit(0)")).unwrap();
    let says = || go(&program, &[], &log);
    assert_eq!(says().trim(), format!("verified: 300 entries of {ORIGIN}"));
    for name in ["tile/0/000", "tile/0/001.p/44", "tile/1/000.p/1", "tile/entries/000", "tile/entries/001.p/44"] {
        let whole = fs::read(log.join(name)).unwrap();
        for at in [0, whole.len() / 2, whole.len() - 1] {
            let mut spoilt = whole.clone();
            spoilt[at] ^= 1;
            fs::write(log.join(name), spoilt).unwrap();
            assert!(!says().contains("verified: 300"), "{name}, byte {at}");
        }
        fs::write(log.join(name), whole).unwrap();
    }
    assert!(says().contains("verified: 300"));
}

#[test]
fn the_exported_log_is_whole_in_clear_and_for_its_owner_alone() {
    let stage = long();
    let log = exported(&stage);
    let script = blocks(&log, "sh");
    let check = || {
        let done = Command::new("/bin/sh").args(["-c", &script]).current_dir(&log).output().unwrap();
        (done.status.success(), String::from_utf8_lossy(&done.stderr).into_owned())
    };
    let (good, why) = check();
    assert!(good, "{why}");
    let blob = all(&log.join("blobs")).remove(0);
    assert_eq!(fs::read(&blob).unwrap(), record(1));
    for file in all(&log) {
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600, "{}", file.display());
    }
    let words = format!("evidence export --log {}", log.display());
    stage.run(&words).with(4).says("is not empty");
    stage.run(&format!("{words} orders-1")).with(2);
    stage.run("evidence export").with(2);
    stage.run("evidence export orders-1").with(2);
    fs::write(&blob, b"another").unwrap();
    assert!(!check().0);
}
