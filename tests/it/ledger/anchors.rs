//! Anchors: what leaves the machine, who checks it, and what a rollback of everything looks like with and without one.

use std::{
    fs,
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    path::Path,
    process::Command,
    thread,
    time::Duration,
};

use lifeboat::{
    evidence::{
        key::hex,
        later::Anchored,
        note::Note,
        statement::{Blob, What},
        tree,
        witness::Submission,
    },
    port::Ledger as _,
};
use serde_json::{Value, json};

use super::{enter, files, flaws, go::go, small};
use crate::{
    cli::{Running, Stage},
    servers::{await_until, moto::request},
};

pub(super) const DRILL: &str = "drill orders --mode rehearse";

/// A witness of the stage's ledger, in a process of its own.
struct Witness {
    process: Running,
    address: SocketAddr,
    key: String,
}

/// The key of the stage's ledger, as witnesses want it.
fn log_key(stage: &Stage) -> String {
    stage.run("evidence keygen -o json").with(0).json()["note"].as_str().unwrap().to_owned()
}

impl Witness {
    fn start(stage: &Stage, log: &str) -> Self {
        let words = format!("witness --listen 127.0.0.1:0 --state {} --log {log} -o json", stage.path("w").display());
        let process = stage.start_on("peer", &words);
        process.until("\"logs\"");
        await_until("the witness's first words", Duration::from_secs(20), || said(&process).is_some());
        let said = said(&process).unwrap();
        let text = |name: &str| said[name].as_str().unwrap().to_owned();
        Self { address: text("listen").parse().unwrap(), key: text("key"), process }
    }

    fn document(&self) -> String {
        format!(
            "---\napiVersion: lifeboat.dev/v1alpha1\nkind: EvidenceAnchor\nmetadata: {{name: peer}}\nspec:\n  witness: \
             {{url: \"http://{}\", key: \"{}\"}}\n",
            self.address, self.key
        )
    }

    fn ask(&self, body: &str) -> (u16, String) {
        let (status, body) = request(self.address, "POST", "/add-checkpoint", body.as_bytes()).unwrap();
        (status, String::from_utf8(body).unwrap())
    }
}

fn said(process: &Running) -> Option<Value> {
    serde_json::from_str(&process.output()).ok()
}

pub(super) fn declare(stage: &Stage, document: &str) {
    let path = stage.path("orders.yaml");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(path, format!("{text}{document}")).unwrap();
}

/// A stage with one drill in its ledger, and a witness that is in its documents.
fn witnessed() -> (Stage, Witness) {
    let stage = Stage::new(json!({}));
    stage.run(DRILL).with(0);
    let witness = Witness::start(&stage, &log_key(&stage));
    declare(&stage, &witness.document());
    (stage, witness)
}

pub(super) fn copy(from: &Path, to: &Path) {
    assert!(Command::new("cp").arg("-a").arg(from).arg(to).status().unwrap().success());
}

/// Puts a whole data folder in place of the one that is there.
pub(super) fn put_back(stage: &Stage, old: &str) {
    fs::remove_dir_all(stage.path("data")).unwrap();
    copy(&stage.path(old), &stage.path("data"));
}

#[test]
fn a_witness_cosigns_each_checkpoint_and_go_verifies_what_it_gave() {
    let (stage, witness) = witnessed();
    let first = stage.run("evidence anchor -o json").with(0).json();
    assert_eq!((&first["anchors"][0]["anchored"], &first["anchors"][0]["size"]), (&json!(true), &json!(3)));
    stage.run(DRILL).with(0);
    let cover =
        |run: &str, words: &str| drop(stage.run(&format!("evidence report {run} --format markdown")).says(words));
    cover("orders-1", "witness peer since ");
    cover("orders-2", "none: the record is known to this machine alone");
    // The first anchor's entry and the second drill's two.
    stage.run("evidence anchor peer").with(0).says("has 6 entries");
    cover("orders-2", "witness peer since ");
    let checked = stage.run("evidence verify -o json").with(0).json();
    assert_eq!((&checked["receipts"], &checked["remembered"], &checked["flaws"]), (&json!(2), &json!(6), &json!([])));
    stage.run("evidence verify").with(0).says("6 entries are known elsewhere");

    let folder = stage.path("receipts");
    stage.run(&format!("evidence receipts {}", folder.display())).with(0).says("2 receipts");
    let program = stage.path("cosignature.go");
    fs::write(&program, include_str!("cosignature.go")).unwrap();
    let log = log_key(&stage);
    for size in [3, 6] {
        let cosigned = folder.join(format!("peer-{size}.cosigned"));
        let said = go(&program, &[cosigned.to_str().unwrap(), &log, &witness.key], &folder);
        let (time, text) = said.split_once('\n').unwrap();
        assert!(time.parse::<u64>().unwrap() > 1_700_000_000, "{time}");
        assert_eq!(text, fs::read_to_string(folder.join(format!("peer-{size}.checkpoint"))).unwrap());
    }
    let status = stage.run("status orders -o json").json();
    let anchor = &status[0]["anchors"][0];
    assert_eq!((&anchor["name"], &anchor["size"], &anchor["unanchored"]), (&json!("peer"), &json!(6), &json!(0)));
    stage.run("status orders").says("anchor peer had 6 entries of the ledger, 0 more wait");
}

#[test]
fn an_older_copy_of_everything_is_noticed_by_the_witness_and_by_nobody_else() {
    let (stage, _witness) = witnessed();
    stage.run("evidence anchor").with(0);
    copy(&stage.path("data"), &stage.path("old"));
    stage.run(DRILL).with(0);
    stage.run("evidence anchor").with(0);
    put_back(&stage, "old");
    // Offline it looks as it was written, and verify says what it cannot see.
    let offline = stage.run("evidence verify").with(0);
    assert!(offline.out.contains("noticed by asking there"), "{}", offline.out);
    let asked = stage.run("evidence verify --ask").with(1);
    assert!(
        asked.out.contains("has seen 6 entries of this ledger, and there are 4: the ledger went back"),
        "{}",
        asked.out
    );
    let anchored = stage.run("evidence anchor").with(1);
    assert!(anchored.out.contains("ACCUSES") && anchored.out.contains("restore the newest copy"), "{}", anchored.out);
    // It does not help to go on from there until it is longer: these are not the entries that were seen.
    for _ in 0..2 {
        stage.run(DRILL).with(0);
    }
    let forked = stage.run("evidence anchor").with(1);
    assert!(forked.out.contains("the first 6 entries that it has seen are not ours"), "{}", forked.out);
    let asked = stage.run("evidence verify --ask -o json").with(1).json();
    assert_eq!(asked["flaws"][0]["place"], "anchor peer");
}

#[test]
fn without_an_anchor_an_older_copy_of_everything_is_not_noticed_and_that_is_said() {
    let stage = Stage::new(json!({}));
    stage.run(DRILL).with(0);
    copy(&stage.path("data"), &stage.path("old"));
    stage.run(DRILL).with(0);
    put_back(&stage, "old");
    let checked = stage.run("evidence verify").with(0);
    assert!(checked.out.contains("no checkpoint is kept elsewhere"), "{}", checked.out);
    assert!(checked.out.contains("would not be noticed"), "{}", checked.out);
    stage.run("evidence anchor").with(2).says("known to this machine alone");
    stage.run("evidence verify --ask").with(0).says("nobody was asked");
}

#[test]
fn a_receipt_that_was_changed_or_belongs_to_another_witness_is_a_flaw() {
    let (stage, witness) = witnessed();
    stage.run("evidence anchor").with(0);
    // The document names another key now: the entry's own word counts, and is said to.
    let path = stage.path("orders.yaml");
    let text = fs::read_to_string(&path).unwrap();
    let other = Witness::start_at(&stage, "w2", &log_key(&stage));
    fs::write(&path, text.replace(&witness.key, &other.key)).unwrap();
    stage.run("evidence verify").with(0).says("its key is in no document that was read");
    // What the first witness cosigns is worth nothing under the other's key.
    stage.run("evidence anchor").with(5).says("no line of it is a cosignature by");
    assert_eq!(stage.run("evidence verify -o json").with(0).json()["receipts"], json!(1));
}

impl Witness {
    /// Another one, in a folder of its own.
    fn start_at(stage: &Stage, folder: &str, log: &str) -> Self {
        let words =
            format!("witness --listen 127.0.0.1:0 --state {} --log {log} -o json", stage.path(folder).display());
        let process = stage.start_on("other-peer", &words);
        await_until("the witness's first words", Duration::from_secs(20), || said(&process).is_some());
        let said = said(&process).unwrap();
        let text = |name: &str| said[name].as_str().unwrap().to_owned();
        Self { address: text("listen").parse().unwrap(), key: text("key"), process }
    }
}

#[test]
fn a_witness_that_was_killed_remembers_and_answers_as_the_protocol_says() {
    let (stage, mut witness) = witnessed();
    stage.run("evidence anchor").with(0);
    let note = Note::parse(&fs::read(stage.path("data/ledger/checkpoint")).unwrap()).unwrap();
    let submission =
        |old, checkpoint: &Note| Submission { old, proof: Vec::new(), checkpoint: checkpoint.clone() }.to_string();
    let log = log_key(&stage);
    let held = format!("witness --listen 127.0.0.1:0 --state {} --log {log}", stage.path("w").display());
    stage.run(&held).with(4).says("another process is the witness");
    witness.process.child.kill().unwrap();
    drop(witness.process.ends());
    let before = witness.address.to_string();
    witness = Witness::start(&stage, &log);
    let path = stage.path("orders.yaml");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(path, text.replace(&before, &witness.address.to_string())).unwrap();
    assert_eq!(said(&witness.process).unwrap()["logs"][0]["size"], json!(3));

    // It has seen 3 entries; there are 4 now.
    assert_eq!(witness.ask(&submission(0, &note)), (409, "3\n".into()));
    assert_eq!(witness.ask(&submission(3, &note)).0, 422, "a proof is needed");
    assert_eq!(witness.ask(&submission(9, &note)).0, 400);
    assert_eq!(witness.ask("old 3\n").0, 400);
    assert_eq!(witness.ask(&"x".repeat(20_000)).0, 413);
    let stranger = Note { text: note.text.replacen("ledger", "other", 1), ..note.clone() };
    assert_eq!(witness.ask(&submission(3, &stranger)).0, 404);
    let mut forged = note.clone();
    forged.signatures[0].bytes[9] ^= 1;
    assert_eq!(witness.ask(&submission(3, &forged)).0, 403);
    assert_eq!(request(witness.address, "GET", "/add-checkpoint", b"").unwrap().0, 405);
    assert_eq!(request(witness.address, "GET", "/metrics", b"").unwrap().0, 404);

    // A folder that somebody wrote to is no reason to begin anew.
    let state = fs::read_dir(stage.path("w")).unwrap().map(|file| file.unwrap().path());
    let state = state.into_iter().find(|path| path.extension().is_some_and(|end| end == "checkpoint")).unwrap();
    let kept = fs::read_to_string(&state).unwrap();
    fs::write(&state, kept.replacen("\n3\n", "\n2\n", 1)).unwrap();
    assert_eq!(witness.ask(&submission(2, &note)).0, 500);
    fs::write(&state, kept).unwrap();
    stage.run("evidence anchor").with(0).says("has 4 entries");
}

#[test]
fn an_anchor_that_speaks_of_other_entries_or_gave_something_else_is_a_flaw() {
    let (disk, beside) = small();
    let ledger = files(disk.clone(), beside.clone());
    let whats = |size: u64, root: tree::Hash, receipt: &[u8]| {
        What::Anchored(Anchored {
            anchor: "peer".into(),
            how: "witness".into(),
            size,
            root: hex(&root),
            anchored_at: jiff::Timestamp::UNIX_EPOCH,
            receipt: Some(Blob::of(receipt)),
            key: None,
        })
    };
    let root = tree::over(&ledger.entries().unwrap().iter().map(|entry| tree::leaf(entry)).collect::<Vec<_>>());
    enter(
        &ledger,
        &[whats(3, [7; 32], b"other"), whats(3, root, b"nothing")],
        &[b"other".to_vec(), b"nothing".to_vec()],
    )
    .unwrap();
    assert_eq!(
        flaws(&disk, Some(&beside)),
        [
            "entry 3: peer has another root over 3 entries",
            "entry 4: the receipt of peer: the cosigned checkpoint: it is no signed note: a text, an empty line and signatures are needed"
        ]
    );
}

/// A time-stamping authority: one answer of `openssl ts -reply` for each request.
struct Authority {
    address: SocketAddr,
}

impl Authority {
    fn start(folder: &Path) -> Self {
        let sh = |script: &str| {
            let done = Command::new("/bin/sh").args(["-ec", script]).current_dir(folder).output().unwrap();
            assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        };
        fs::write(folder.join("tsa.cnf"), include_str!("tsa.cnf")).unwrap();
        sh("openssl req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -days 2 -subj /CN=ca -config tsa.cnf -extensions ca
            openssl req -newkey rsa:2048 -nodes -keyout tsa.key -out tsa.csr -subj /CN=tsa -config tsa.cnf
            openssl x509 -req -in tsa.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -out tsa.pem -extfile tsa.cnf -extensions tsa
            echo 01 > serial");
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let folder = folder.to_owned();
        // It ends with the test's process.
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                reply(stream, &folder);
            }
        });
        Self { address }
    }
}

fn reply(mut stream: TcpStream, folder: &Path) {
    let mut got = Vec::new();
    let mut chunk = [0; 4096];
    let body = loop {
        let read = stream.read(&mut chunk).unwrap_or(0);
        got.extend_from_slice(&chunk[..read]);
        let head = got.windows(4).position(|four| four == b"\r\n\r\n");
        let Some(head) = head else {
            if read == 0 {
                return;
            }
            continue;
        };
        let text = String::from_utf8_lossy(&got[..head]).to_lowercase();
        assert!(text.contains("content-type: application/timestamp-query"), "{text}");
        let length =
            text.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap().parse::<usize>().unwrap();
        if got.len() >= head + 4 + length {
            break got[head + 4..].to_vec();
        }
    };
    fs::write(folder.join("query.tsq"), body).unwrap();
    let made = Command::new("openssl")
        .args([
            "ts",
            "-reply",
            "-config",
            "tsa.cnf",
            "-section",
            "tsa_policy",
            "-queryfile",
            "query.tsq",
            "-out",
            "reply.tsr",
        ])
        .current_dir(folder)
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let answer = fs::read(folder.join("reply.tsr")).unwrap();
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/timestamp-reply\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        answer.len()
    );
    let _gone = stream.write_all(&[head.into_bytes(), answer].concat());
}

#[test]
fn a_checkpoint_is_stamped_and_openssl_verifies_the_stamp() {
    let stage = Stage::new(json!({}));
    stage.run(DRILL).with(0);
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::start(folder.path());
    declare(
        &stage,
        &format!(
            "---\napiVersion: lifeboat.dev/v1alpha1\nkind: EvidenceAnchor\nmetadata: {{name: clock}}\nspec:\n  timestamp: {{url: \
             \"http://{}/tsr\"}}\n",
            authority.address
        ),
    );
    stage.run("evidence anchor").with(0).says("has 3 entries since");
    let checked = stage.run("evidence verify -o json").with(0).json();
    // It stamps, and remembers nothing.
    assert_eq!((&checked["receipts"], &checked["remembered"]), (&json!(1), &json!(0)));
    let receipts = stage.path("receipts");
    stage.run(&format!("evidence receipts {}", receipts.display())).with(0);
    let verify = |data: &Path| {
        let done = Command::new("openssl")
            .args(["ts", "-verify", "-CAfile"])
            .arg(folder.path().join("ca.pem"))
            .arg("-in")
            .arg(receipts.join("clock-3.tsr"))
            .arg("-data")
            .arg(data)
            .output()
            .unwrap();
        (done.status.success(), String::from_utf8_lossy(&done.stderr).into_owned())
    };
    let (good, why) = verify(&receipts.join("clock-3.checkpoint"));
    assert!(good, "{why}");
    let other = receipts.join("other");
    fs::write(&other, "another checkpoint\n").unwrap();
    assert!(!verify(&other).0);
}

#[test]
fn serve_anchors_by_itself_and_says_how_old_that_is() {
    let (stage, mut witness) = witnessed();
    let port = crate::servers::free_port(&["127.0.0.1".parse().unwrap()]);
    let running = stage.start(&format!("serve --observer ams-1 --no-markers --listen 127.0.0.1:{port}"));
    let metrics = || {
        let address = format!("127.0.0.1:{port}").parse().unwrap();
        request(address, "GET", "/metrics", b"").map(|(_, body)| String::from_utf8_lossy(&body).into_owned())
    };
    await_until("the anchor's figures", Duration::from_mins(1), || {
        metrics().is_ok_and(|text| text.contains("lifeboat_evidence_unanchored_entries{anchor=\"peer\"} 0"))
    });
    let text = metrics().unwrap();
    assert!(text.contains("lifeboat_evidence_anchor_age_seconds{anchor=\"peer\"} "), "{text}");
    assert!(text.contains("lifeboat_evidence_anchor_accuses{anchor=\"peer\"} 0"), "{text}");
    let entries = stage.run("evidence list -o json").with(0).json();
    let anchors = entries.as_array().unwrap().iter().filter(|entry| entry["kind"] == "checkpoint.anchored").count();
    assert_eq!(anchors, 1);
    witness.process.child.kill().unwrap();
    drop(running);
}
