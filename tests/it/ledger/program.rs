//! The real program: runs are entered, whatever came of them, and a ledger that is out of order stops what may wait.

use std::{fs, os::unix::fs::PermissionsExt as _, path::PathBuf};

use lifeboat::store::ledger::{Disk as _, Folder};
use serde_json::{Value, json};

use crate::cli::{FAILOVER, Stage};

const DRILL: &str = "drill orders --mode rehearse";
const SWITCHOVER: &str = "switchover orders --yes-i-mean orders";

fn kinds(stage: &Stage) -> Vec<String> {
    let entries = stage.run("evidence list -o json").with(0).json();
    let kind = |entry: &Value| {
        let run = entry["run"].as_str().map(|run| format!(" {run}")).unwrap_or_default();
        let late = if entry["late"] == json!(true) { " late" } else { "" };
        format!("{}{run}{late}", entry["kind"].as_str().unwrap())
    };
    entries.as_array().unwrap().iter().map(kind).collect()
}

#[track_caller]
fn verified(stage: &Stage) -> Value {
    let said = stage.run("evidence verify -o json").with(0).json();
    assert_eq!(said["flaws"], json!([]));
    said
}

/// Changes a byte of a file of the ledger, and gives its whole content.
fn spoil(stage: &Stage, file: &str) -> (PathBuf, Vec<u8>) {
    let path = stage.path("data/ledger").join(file);
    let whole = fs::read(&path).unwrap();
    let mut bytes = whole.clone();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&path, bytes).unwrap();
    (path, whole)
}

#[test]
fn every_run_is_in_the_ledger_whatever_came_of_it() {
    let stage = Stage::new(json!({ "steps": { "promote-db": { "fail": 1, "fatal": true } } }));
    stage.run(DRILL).with(0);
    stage.run(FAILOVER).with(3);
    assert_eq!(kinds(&stage), ["ledger.opened", "run.opened orders-1", "run.closed orders-1", "run.opened orders-2"]);
    stage.run_because("run cancel orders-2 --yes-i-mean orders", "enough").with(0);
    stage.run_because("run resume orders-2", "to its end").with(1);
    assert_eq!(kinds(&stage)[4..], ["run.closed orders-2"]);
    let said = verified(&stage);
    assert_eq!((said["runs"].as_u64(), said["records"].as_u64(), said["late"].as_u64()), (Some(2), Some(2), Some(0)));
    let entries = stage.run("evidence list -o json").with(0).json();
    assert_eq!(entries[4]["outcome"], "cancelled");
}

#[test]
fn keys_are_made_on_first_need_for_their_owner_alone_and_said_on_the_screen() {
    let stage = Stage::new(json!({}));
    let first = stage.run(DRILL).with(0);
    for name in ["ledger.key", "record.key", "data.key"] {
        let file = stage.path("data/keys").join(name);
        assert!(first.err.contains(&format!("made {}", file.display())), "{}", first.err);
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600, "{name}");
    }
    assert!(!stage.run(DRILL).with(0).err.contains("made "));
}

#[test]
fn a_ledger_that_is_damaged_keeps_drills_and_switchovers_from_opening_a_run() {
    let stage = Stage::new(json!({}));
    stage.run(DRILL).with(0);
    let (path, whole) = spoil(&stage, "tile/entries/000");
    for words in [DRILL, SWITCHOVER] {
        let refused = stage.run(words).with(4);
        assert!(refused.err.contains("tile/entries/000: the frame does not open"), "{}", refused.err);
        assert!(refused.err.contains("restore it from a copy"), "{}", refused.err);
    }
    assert_eq!(stage.run("run list orders -o json").with(0).json().as_array().unwrap().len(), 1);
    assert_eq!(stage.acts(), Vec::<String>::new());
    let flaws = stage.run("evidence verify").with(1);
    assert!(flaws.out.contains("NOT VERIFIED") && flaws.out.contains("tile/entries/000"), "{}", flaws.out);
    fs::write(path, whole).unwrap();
    stage.run(DRILL).with(0);
    verified(&stage);
}

#[test]
fn a_failover_goes_on_without_the_ledger_and_is_made_up_for() {
    let stage = Stage::new(json!({}));
    stage.run(DRILL).with(0);
    let (path, whole) = spoil(&stage, "checkpoint");
    let moved = stage.run(FAILOVER).with(0);
    assert!(moved.err.contains("orders-2 is not in the ledger yet"), "{}", moved.err);
    assert_eq!(stage.acts(), crate::cli::EFFECTS);
    let status = stage.run("status orders -o json").json();
    assert!(status.to_string().contains("the ledger is out of order"), "{status}");
    fs::write(path, whole).unwrap();
    let status = stage.run("status orders -o json").json();
    assert!(status.to_string().contains("not in the ledger yet: orders-2"), "{status}");
    stage.run(DRILL).with(0);
    assert_eq!(
        kinds(&stage)[3..],
        ["run.opened orders-2 late", "run.closed orders-2 late", "run.opened orders-3", "run.closed orders-3"]
    );
    verified(&stage);
    let status = stage.run("status orders -o json").with(0).json();
    assert!(!status.to_string().contains("in the ledger yet"), "{status}");
}

#[test]
fn a_ledger_that_another_process_holds_is_waited_for_and_then_refuses_a_drill() {
    let stage = Stage::new(json!({}));
    stage.run(DRILL).with(0);
    let held = Folder::at(&stage.path("data/ledger")).lock(true).unwrap().unwrap();
    let refused = stage.run(DRILL).with(5);
    assert!(refused.err.contains("for more than 2s") && refused.err.contains("fuser"), "{}", refused.err);
    drop(held);
    stage.run(DRILL).with(0);
}

#[test]
fn runs_from_before_the_ledger_are_made_up_for() {
    let stage = Stage::new(json!({}));
    stage.run(DRILL).with(0);
    stage.run(FAILOVER).with(0);
    fs::remove_dir_all(stage.path("data/ledger")).unwrap();
    // The mark remembers: without a ledger nothing is written.
    stage.run(DRILL).with(4).says("went back");
    fs::remove_file(stage.path("data/ledger.seen")).unwrap();
    stage.run(DRILL).with(0);
    let late: Vec<_> = kinds(&stage).into_iter().filter(|kind| kind.ends_with("late")).collect();
    assert_eq!(
        late,
        [
            "run.opened orders-1 late",
            "run.closed orders-1 late",
            "run.opened orders-2 late",
            "run.closed orders-2 late"
        ]
    );
    verified(&stage);
}

#[test]
fn a_key_that_was_lost_is_not_made_anew() {
    let stage = Stage::new(json!({}));
    stage.run(DRILL).with(0);
    fs::remove_file(stage.path("data/keys/record.key")).unwrap();
    stage.run(DRILL).with(4).says("LIFEBOAT_RECORD_KEY");
    assert!(!stage.path("data/keys/record.key").exists());
    stage.run(FAILOVER).with(0).says("is not in the ledger yet");
}

#[test]
fn keys_are_rotated_in_the_middle_of_the_ledger() {
    let stage = Stage::new(json!({}));
    stage.run(DRILL).with(0);
    let before = stage.run("evidence keygen -o json").with(0).json();
    for role in ["record", "ledger"] {
        stage.run(&format!("evidence keygen --rotate {role}")).with(0);
        stage.run(DRILL).with(0);
        verified(&stage);
    }
    let after = stage.run("evidence keygen -o json").with(0).json();
    assert_ne!((&before["keys"][0]["id"], &before["note"]), (&after["keys"][0]["id"], &after["note"]));
    assert_ne!(before["keys"][1]["id"], after["keys"][1]["id"]);
    // An old record is exported with the key of its time.
    let pack = stage.path("pack");
    stage.run(&format!("evidence export orders-1 {}", pack.display())).with(0);
    assert_eq!(fs::read_to_string(pack.join("keys/record.pub")).unwrap(), before["keys"][1]["pem"].as_str().unwrap());
}

#[test]
fn a_rotation_that_was_cut_off_after_its_entry_comes_to_its_end() {
    for role in ["record", "ledger"] {
        let stage = Stage::new(json!({}));
        stage.run(DRILL).with(0);
        let file = stage.path(&format!("data/keys/{role}.key"));
        let old = fs::read(&file).unwrap();
        stage.run(&format!("evidence keygen --rotate {role}")).with(0);
        // As if the process had been killed before the new key took its place.
        fs::rename(&file, file.with_extension("key.next")).unwrap();
        fs::write(&file, old).unwrap();
        stage.run(DRILL).with(4).says("--rotate");
        let entries = kinds_with_keys(&stage, role);
        stage.run(&format!("evidence keygen --rotate {role}")).with(0);
        stage.run(DRILL).with(0);
        verified(&stage);
        assert_eq!(kinds_with_keys(&stage, role), entries, "{role}");
    }
}

/// How many keys the entries add, read with the new key.
fn kinds_with_keys(stage: &Stage, role: &str) -> usize {
    let mut stage_with = stage.run("evidence list -o json");
    if stage_with.json().get("error").is_some() {
        let file = stage.path(&format!("data/keys/{role}.key"));
        let (old, next) = (fs::read(&file).unwrap(), fs::read(file.with_extension("key.next")).unwrap());
        fs::write(&file, next).unwrap();
        stage_with = stage.run("evidence list -o json").with(0);
        fs::write(&file, old).unwrap();
    }
    let entries = stage_with.json();
    entries.as_array().unwrap().iter().filter(|entry| entry["kind"] == "key.added").count()
}

#[test]
fn keys_come_from_files_variables_and_programs() {
    let mut stage = Stage::new(json!({}));
    let pem = lifeboat::evidence::key::private_pem(&[4; 32]);
    fs::write(stage.path("record.pem"), &pem).unwrap();
    stage.settings = vec![
        ("LIFEBOAT_LEDGER_ORIGIN", "example.com/fra/ledger".into()),
        ("LIFEBOAT_RECORD_KEY", format!("file:{}", stage.path("record.pem").display())),
        ("LIFEBOAT_LEDGER_KEY", "env:THE_KEY".into()),
        ("THE_KEY", lifeboat::evidence::key::private_pem(&[5; 32])),
        ("LIFEBOAT_DATA_KEY", "command:/bin/echo CQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQk=".into()),
    ];
    stage.run(DRILL).with(0);
    assert_eq!(verified(&stage)["origin"], "example.com/fra/ledger");
    assert!(!stage.path("data/keys/data.key").exists());
    stage.settings[4].1 = "command:/bin/false".into();
    stage.run(DRILL).with(4).says("ended with exit status: 1");
    stage.settings[4].1 = "vault".into();
    stage.run(DRILL).with(2).says("LIFEBOAT_DATA_KEY does not say where the key is");
    stage.settings.truncate(1);
    stage.settings[0].1 = "example.com/dub/ledger".into();
    stage.run(DRILL).with(4);
}

#[test]
fn a_record_key_on_p256_signs_too() {
    let mut stage = Stage::new(json!({}));
    let made = std::process::Command::new("openssl")
        .args(["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"])
        .output()
        .unwrap();
    fs::write(stage.path("p256.pem"), made.stdout).unwrap();
    stage.settings = vec![("LIFEBOAT_RECORD_KEY", format!("file:{}", stage.path("p256.pem").display()))];
    stage.run(DRILL).with(0);
    verified(&stage);
    let pack = stage.path("pack");
    stage.run(&format!("evidence export orders-1 {}", pack.display())).with(0);
    let script = super::pack::blocks(&pack, "sh");
    let done = std::process::Command::new("/bin/sh").args(["-c", &script]).current_dir(&pack).output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}
