//! A bucket under Object Lock: what is put there, who sees it, and what it looks like when somebody meddles with it.

use std::{collections::BTreeSet, fs, net::IpAddr, path::Path, process::Command, time::Duration};

use serde_json::{Value, json};

use super::anchors::{DRILL, declare, put_back};
use crate::{
    cli::Stage,
    servers::{
        await_until,
        moto::Moto,
        relay::{Relay, Rule},
    },
};

const BUCKET: &str = "evidence";
/// Below it is the ledger: its name, which a stage sets.
const PREFIX: &str = "example.com/fra/ledger/";
const SECRET: &str = "hush-hush-4711";

/// A stage with a drill in its ledger, and a server with a bucket.
struct Vault {
    stage: Stage,
    moto: Moto,
}

impl Vault {
    /// `made` says how the bucket is made.
    fn start(ip: &str, made: &str) -> Self {
        let mut stage = Stage::new(json!({}));
        stage.settings =
            vec![("LIFEBOAT_LEDGER_ORIGIN", PREFIX.trim_end_matches('/').into()), ("VAULT", SECRET.into())];
        stage.run(DRILL).with(0);
        let ip: IpAddr = ip.parse().unwrap();
        let vault = Self { moto: Moto::start(ip, &stage.path("")), stage };
        vault.boto(made);
        vault
    }

    /// Declares the anchor, reached at this address.
    fn declare(&self, endpoint: &str) {
        let key = "{env: VAULT}";
        let document = format!(
            "---\napiVersion: lifeboat.dev/v1alpha1\nkind: EvidenceAnchor\nmetadata: {{name: vault}}\nspec:\n  worm: \
             {{bucket: {BUCKET}, endpoint: \"{endpoint}\", accessKey: {key}, secretKey: {key}}}\n"
        );
        declare(&self.stage, &document);
    }

    fn ready(ip: &str) -> Self {
        let vault = Self::start(ip, "make");
        vault.declare(&vault.moto.url());
        vault
    }

    /// What boto3 says.
    fn boto(&self, verb: &str) -> Value {
        let done = Command::new(Moto::python())
            .arg("-c")
            .arg(include_str!("../../servers/vault.py"))
            .args([&self.moto.url(), BUCKET, verb])
            .output()
            .unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        serde_json::from_slice(&done.stdout).unwrap_or(Value::Null)
    }

    fn versions(&self) -> Vec<Value> {
        self.boto("versions").as_array().unwrap().clone()
    }

    fn ledger(&self, name: &str) -> Vec<u8> {
        fs::read(self.stage.path("data/ledger").join(name)).unwrap()
    }

    fn get(&self, name: &str) -> Vec<u8> {
        self.moto.get(BUCKET, &format!("{PREFIX}{name}")).unwrap_or_else(|| panic!("no {name}"))
    }

    /// What `verify --ask` says is wrong.
    fn flaws(&self) -> String {
        let checked = self.stage.run("evidence verify --ask -o json");
        assert!(!checked.out.contains(SECRET) && !checked.err.contains(SECRET));
        let checked = checked.json();
        for flaw in checked["flaws"].as_array().unwrap() {
            assert_eq!(flaw["place"], "anchor vault", "{flaw}");
        }
        let flaws: Vec<_> =
            checked["flaws"].as_array().unwrap().iter().map(|flaw| flaw["what"].as_str().unwrap()).collect();
        flaws.join("\n")
    }
}

fn keys(versions: &[Value]) -> Vec<&str> {
    versions.iter().map(|one| one["key"].as_str().unwrap().strip_prefix(PREFIX).unwrap()).collect()
}

fn entry(index: u64) -> String {
    format!("entries/{index:020}")
}

fn files(folder: &Path) -> BTreeSet<String> {
    fs::read_dir(folder).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap()).collect()
}

#[test]
fn a_bucket_gets_the_sealed_ledger_under_lock_and_then_only_what_is_new() {
    let vault = Vault::ready("127.3.0.10");
    let began = jiff::Timestamp::now().as_second();
    let first = vault.stage.run("evidence anchor -o json").with(0).json();
    assert_eq!((&first["anchors"][0]["anchored"], &first["anchors"][0]["size"]), (&json!(true), &json!(3)));
    let versions = vault.versions();
    let blobs = files(&vault.stage.path("data/ledger/blobs/sha256"));
    // The receipt of this anchoring is a blob by now, too; it was none then.
    assert_eq!(versions.len(), 1 + 3 + 1 + 1, "{versions:?}");
    let six_years = began + 2_192 * 86_400;
    for one in &versions {
        assert_eq!(one["mode"], "COMPLIANCE", "{one}");
        let until = one["until"].as_i64().unwrap();
        assert!((six_years - 2..six_years + 120).contains(&until), "{one}");
    }
    // As they are on the disk, and nothing of it is in clear.
    let bundle = vault.ledger("tile/entries/000");
    let frames: Vec<_> = (0..3).flat_map(|index| vault.get(&entry(index))).collect();
    assert_eq!(bundle.get(..frames.len()), Some(frames.as_slice()));
    assert_eq!(vault.get("ledger.json"), vault.ledger("ledger.json"));
    for name in keys(&versions).into_iter().filter(|name| !name.starts_with("checkpoints/")) {
        assert!(!String::from_utf8_lossy(&vault.get(name)).contains("orders"), "{name}");
    }
    let blob = keys(&versions).into_iter().find_map(|name| name.strip_prefix("blobs/sha256/")).unwrap();
    assert!(blobs.contains(blob));
    assert_eq!(vault.get(&format!("blobs/sha256/{blob}")), vault.ledger(&format!("blobs/sha256/{blob}")));
    // Nobody destroys any of it.
    let said = vault.boto("destroy");
    assert!(said.as_object().unwrap().values().all(|word| word == "AccessDenied"), "{said}");

    vault.stage.run(DRILL).with(0);
    vault.stage.run("evidence anchor").with(0).says("has 6 entries since");
    let after = vault.versions();
    for one in &versions {
        assert!(after.contains(one), "the same version still: {one}");
    }
    let new: BTreeSet<_> =
        after.iter().filter(|one| !versions.contains(one)).map(|one| one["key"].to_string()).collect();
    // Three entries, the receipt and the second record, and the checkpoint: no object has a second version.
    assert_eq!((new.len(), after.len()), (6, 12), "{new:?}");
    assert_eq!(vault.flaws(), "");
    let checked = vault.stage.run("evidence verify -o json").with(0).json();
    assert_eq!((&checked["receipts"], &checked["remembered"]), (&json!(2), &json!(6)));
    vault.stage.run("evidence verify --ask").with(0).says("bucket evidence was read: 12 objects");
    vault.stage.run("status orders").says("anchor vault had 6 entries of the ledger, 0 more wait");
    let folder = vault.stage.path("receipts");
    vault.stage.run(&format!("evidence receipts {}", folder.display())).with(0);
    let receipt: Value = serde_json::from_slice(&fs::read(folder.join("vault-6.worm.json")).unwrap()).unwrap();
    let kept = after.iter().find(|one| one["key"] == receipt["key"]).unwrap();
    assert_eq!(
        (&kept["version"], &receipt["size"], &receipt["bucket"]),
        (&receipt["versionId"], &json!(6), &json!(BUCKET))
    );
    let until: jiff::Timestamp = receipt["retainUntil"].as_str().unwrap().parse().unwrap();
    assert_eq!(kept["until"], json!(until.as_second()));
}

#[test]
fn a_process_killed_between_any_two_calls_goes_on_and_puts_nothing_twice() {
    let vault = Vault::start("127.3.1.10", "make");
    let line = std::sync::Arc::default();
    let relay = Relay::on(&line, vault.moto.address().ip(), vault.moto.address());
    vault.declare(&format!("http://{}", relay.address()));
    let mut seen = BTreeSet::new();
    for exchange in [1, 3, 5, 7] {
        line.put(Rule::Hold(exchange));
        let running = vault.stage.start("evidence anchor");
        await_until("a reply that is held", Duration::from_secs(20), || line.held() > 0);
        drop(running);
        line.heal();
        let listed = vault.versions();
        let there = keys(&listed);
        // The checkpoint comes last.
        let checkpoint = there.iter().any(|name| name.starts_with("checkpoints/"));
        assert!(!checkpoint || there.len() == 6, "{exchange}: {there:?}");
        seen.insert(there.len());
    }
    assert!(seen.len() > 1, "some were killed with objects there, and some without: {seen:?}");
    vault.stage.run("evidence anchor").with(0).says("has 3 entries");
    let versions = vault.versions();
    assert_eq!((versions.len(), keys(&versions).into_iter().collect::<BTreeSet<_>>().len()), (6, 6), "{versions:?}");
    assert_eq!(vault.flaws(), "");
    // The checkpoint is there, and its entry was not made: asked again, it gives the same receipt.
    vault.stage.run(DRILL).with(0);
    line.put(Rule::Hold(0));
    let running = vault.stage.start("evidence anchor");
    let checkpoint = format!("{PREFIX}checkpoints/{:020}", 6);
    await_until("the second checkpoint", Duration::from_secs(40), || {
        line.release();
        vault.moto.get(BUCKET, &checkpoint).is_some()
    });
    drop(running);
    line.heal();
    let before = vault.versions();
    vault.stage.run("evidence anchor").with(0).says("has 6 entries");
    assert_eq!(vault.versions(), before);
}

#[test]
fn a_bucket_accuses_an_older_copy_of_everything_and_what_is_not_ours() {
    let vault = Vault::ready("127.3.2.10");
    let stage = &vault.stage;
    stage.run("evidence anchor").with(0);
    let notes = format!("{PREFIX}notes.txt");
    assert_eq!(vault.moto.put(BUCKET, &notes, b"what is this?"), 200);
    let anchored = stage.run("evidence anchor").with(1);
    assert!(anchored.out.contains(&format!("{notes} is no object of this ledger")), "{}", anchored.out);
    assert_eq!(vault.flaws(), format!("{notes} is no object of this ledger"));
    // Nothing locks it, so it is all that can be destroyed.
    let said = vault.boto("destroy");
    let destroyed: Vec<_> = said.as_object().unwrap().iter().filter(|(_, word)| *word == "deleted").collect();
    assert_eq!(destroyed, [(&notes, &json!("deleted"))]);
    super::anchors::copy(&stage.path("data"), &stage.path("old"));
    stage.run(DRILL).with(0);
    stage.run("evidence anchor").with(0);
    put_back(stage, "old");
    stage.run("evidence verify").with(0);
    assert!(
        vault.flaws().contains("bucket evidence has seen 6 entries of this ledger, and there are 4"),
        "{}",
        vault.flaws()
    );
    let anchored = stage.run("evidence anchor").with(1);
    assert!(anchored.out.contains("ACCUSES") && anchored.out.contains("the ledger went back"), "{}", anchored.out);
    // It does not help to go on until there is as much: it is something else.
    stage.run(DRILL).with(0);
    let anchored = stage.run("evidence anchor").with(1);
    assert!(anchored.out.contains("checkpoints/00000000000000000006 is not ours"), "{}", anchored.out);
    stage.run(DRILL).with(0);
    let anchored = stage.run("evidence anchor").with(1);
    assert!(anchored.out.contains("is no checkpoint of our first 6 entries"), "{}", anchored.out);
    let flaws = vault.flaws();
    assert!(flaws.contains(&format!("{PREFIX}{} is not what the ledger has", entry(4))), "{flaws}");
    assert!(!flaws.contains(&format!("{PREFIX}{} is not what the ledger has", entry(3))), "{flaws}");
}

#[test]
fn what_hides_or_replaces_an_object_is_said_and_the_ledger_goes_on_being_anchored() {
    let vault = Vault::ready("127.3.4.10");
    vault.stage.run("evidence anchor").with(0);
    // Anybody who may delete puts a marker over it, and anybody who may write a newer version.
    vault.moto.delete(BUCKET, &format!("{PREFIX}{}", entry(1)));
    assert_eq!(vault.moto.get(BUCKET, &format!("{PREFIX}{}", entry(1))), None);
    assert_eq!(vault.moto.put(BUCKET, &format!("{PREFIX}{}", entry(2)), b"forged"), 200);
    let flaws = vault.flaws();
    assert_eq!(flaws.lines().count(), 2, "{flaws}");
    assert!(flaws.contains(&format!("{PREFIX}{} is hidden by a delete marker of ", entry(1))), "{flaws}");
    assert!(flaws.contains(&format!("{PREFIX}{} has another version of ", entry(2))), "{flaws}");
    vault.stage.run("evidence verify --ask").with(1);
    vault.stage.run(DRILL).with(0);
    let anchored = vault.stage.run("evidence anchor").with(0).says("has 6 entries");
    assert!(anchored.err.contains("2 objects of the ledger in bucket evidence are hidden"), "{}", anchored.err);
    // A lock that is none, under a name that is ours: whoever could write may take it away again.
    let next = format!("{PREFIX}{}", entry(6));
    let frames = vault.ledger("tile/entries/000");
    assert_eq!(vault.moto.put(BUCKET, &next, &frames[frames.len() - frame_length(&frames, 6)..]), 200);
    assert!(vault.flaws().contains(&format!("{next} is not locked in COMPLIANCE mode")), "{}", vault.flaws());
    vault.stage.run(DRILL).with(0);
    vault.stage.run("evidence anchor").with(5).says("was there already, and is not locked in COMPLIANCE mode");
}

/// Bytes of the frame of entry `index` in a bundle: 32 before its length, and the tag behind.
fn frame_length(bundle: &[u8], index: usize) -> usize {
    let mut at = 0;
    for number in 0..=index {
        let length = u32::from_be_bytes(bundle[at + 32..at + 36].try_into().unwrap()) as usize + 36 + 16;
        if number == index {
            return length;
        }
        at += length;
    }
    0
}

#[test]
fn a_bucket_that_cannot_lock_is_refused_and_nothing_is_put_there() {
    let vault = Vault::start("127.3.5.10", "plain");
    vault.declare(&vault.moto.url());
    for _ in 0..2 {
        let refused = vault.stage.run("evidence anchor").with(5).says("it has no Object Lock");
        refused.says("object-lock-enabled-for-bucket");
        assert_eq!(vault.versions(), Vec::<Value>::new());
        // Versions alone are not enough.
        vault.boto("version");
    }
}
