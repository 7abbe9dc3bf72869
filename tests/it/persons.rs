//! Persons sign with keys of their own: approvals, accepted risks, sign-offs. The keys are made, revoked and checked by OpenSSH's own
//! programs.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use serde_json::{Value, json};

use crate::cli::{Ended, Stage};

const SWITCHOVER: &str = "switchover orders --yes-i-mean orders";
const DRILL: &str = "drill orders --mode rehearse";
const SIGNED: &str = "  approvals: {required: 2, signatures: Required}\n";

/// A stage, and persons with keys.
struct Office {
    stage: Stage,
}

impl Office {
    fn new(group: &str) -> Self {
        let mut stage = Stage::with(json!({}), group, "", "");
        stage.settings.push(("PATH", "/usr/bin:/bin".into()));
        fs::create_dir_all(stage.path("data/keys")).unwrap();
        let office = Self { stage };
        for person in ["anna", "ben", "eve"] {
            Office::keygen(&["-q", "-t", "ed25519", "-N", "", "-C", person, "-f", &office.key(person)]);
        }
        office.allow(&[("anna", ""), ("ben", "")]);
        office
    }

    fn path(&self, name: &str) -> PathBuf {
        self.stage.path(name)
    }

    fn key(&self, person: &str) -> String {
        self.path(person).display().to_string()
    }

    fn keygen(words: &[&str]) {
        let done = Command::new("ssh-keygen").args(words).stdin(Stdio::null()).output().unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    }

    /// Says whose key is whose, with options of `allowed_signers`.
    fn allow(&self, persons: &[(&str, &str)]) {
        let line = |(person, options): &(&str, &str)| {
            let key = fs::read_to_string(format!("{}.pub", self.key(person))).unwrap();
            format!("{person} {options} {key}")
        };
        fs::write(self.path("data/keys/allowed_signers"), persons.iter().map(line).collect::<String>()).unwrap();
    }

    /// Runs as this person, with that key.
    fn with_key(&self, person: &str, key: &str, words: &str) -> Ended {
        self.stage.run(&format!("{words} --as {person} --key {}", self.key(key)))
    }

    fn says(&self, person: &str, words: &str) -> Ended {
        self.with_key(person, person, words)
    }

    fn approvals(&self, run: &str) -> Vec<(String, bool)> {
        let record = self.stage.run(&format!("evidence show {run} -o json")).with(0).json();
        let approval = |one: &Value| (one["by"].as_str().unwrap().to_owned(), one["signed"]["key"].is_string());
        record["approvals"].as_array().unwrap().iter().map(approval).collect()
    }

    /// A switchover that waits for two signed approvals.
    fn waiting(group: &str) -> Self {
        let office = Self::new(group);
        office.stage.run(SWITCHOVER).with(3);
        office
    }
}

#[test]
fn a_run_of_a_group_that_wants_signatures_begins_when_two_persons_signed_with_their_own_keys() {
    let office = Office::waiting(SIGNED);
    assert_eq!(office.stage.acts(), Vec::<String>::new());
    office.stage.run("approve orders-1 --as ben").with(4).says("wants it signed by ben with a key of their own");
    office.says("ben", "approve orders-1").with(0);
    office.stage.run_because("run resume orders-1", "ben is there").with(3);
    assert_eq!(office.stage.acts(), Vec::<String>::new(), "who asked has not approved by asking");
    office.says("anna", "approve orders-1").with(0);
    office.says("anna", "approve orders-1").with(4).says("approved it already");
    office.stage.run_because("run resume orders-1", "both are there").with(0);
    assert_eq!(office.approvals("orders-1"), [("ben".to_owned(), true), ("anna".to_owned(), true)]);
}

#[test]
fn a_signature_counts_for_its_person_purpose_and_time_alone_and_not_when_its_key_is_revoked() {
    let office = Office::waiting(SIGNED);
    office.with_key("ben", "eve", "approve orders-1").with(4).says("no allowed signer of that name has that key");
    office.with_key("ben", "anna", "approve orders-1").with(4).says("ben");
    for (options, says) in [
        ("namespaces=\"signoff@lifeboat.dev\"", "not permitted for use in signature namespace"),
        ("valid-before=\"20200101Z\"", "key has expired"),
        ("valid-after=\"20990101Z\"", "key is not yet valid"),
    ] {
        office.allow(&[("anna", ""), ("ben", options)]);
        office.says("ben", "approve orders-1").with(4).says(says);
    }
    office.allow(&[("anna", ""), ("ben", "namespaces=\"order@lifeboat.dev\"")]);
    let list = office.path("data/keys/revoked_keys").display().to_string();
    Office::keygen(&["-q", "-k", "-f", &list, &format!("{}.pub", office.key("ben"))]);
    office.says("ben", "approve orders-1").with(4).says("of ben is revoked by ");
    fs::remove_file(list).unwrap();
    office.says("ben", "approve orders-1").with(0);
    fs::remove_file(office.path("data/keys/allowed_signers")).unwrap();
    office.says("anna", "approve orders-1").with(4).says("says whose key is whose");
}

#[test]
fn an_order_that_was_signed_and_then_waited_counts_for_nothing_once_its_key_is_revoked() {
    let office = Office::waiting(SIGNED);
    // Nobody drives the run: the order lies in its inbox until somebody resumes it.
    office.says("ben", "approve orders-1").with(0).says("recorded");
    let list = office.path("data/keys/revoked_keys").display().to_string();
    Office::keygen(&["-q", "-k", "-f", &list, &format!("{}.pub", office.key("ben"))]);
    office.stage.run_because("run resume orders-1", "is it enough?").with(3);
    assert_eq!(office.approvals("orders-1"), []);
    let shown = office.stage.run("evidence show orders-1").with(0);
    assert!(shown.out.contains("wanted to approve the run"), "{}", shown.out);
}

#[test]
fn an_approval_that_was_taken_counts_no_more_when_its_key_is_revoked_before_the_first_act() {
    let office = Office::waiting(SIGNED);
    office.says("ben", "approve orders-1").with(0);
    office.stage.run_because("run resume orders-1", "ben is there").with(3);
    assert_eq!(office.approvals("orders-1"), [("ben".to_owned(), true)], "it was taken");
    let list = office.path("data/keys/revoked_keys").display().to_string();
    Office::keygen(&["-q", "-k", "-f", &list, &format!("{}.pub", office.key("ben"))]);
    office.says("anna", "approve orders-1").with(0);
    // Two approved, and one of them counts no more: the run waits for another person.
    let stopped = office.stage.run_because("run resume orders-1", "both are there").with(3);
    stopped.says("the approval of ben counts no more: ");
    assert_eq!(office.stage.acts(), Vec::<String>::new());
    assert_eq!(office.approvals("orders-1"), [("anna".to_owned(), true)]);
    office.allow(&[("anna", ""), ("ben", ""), ("eve", "")]);
    office.says("eve", "approve orders-1").with(0);
    office.stage.run_because("run resume orders-1", "eve stands behind it").with(0);
    assert_eq!(office.approvals("orders-1"), [("anna".to_owned(), true), ("eve".to_owned(), true)]);
    assert!(!office.stage.acts().is_empty());
    office.stage.run("evidence verify").with(0);
}

#[test]
fn where_signatures_are_wanted_an_accepted_risk_is_signed_too_and_none_comes_with_the_request() {
    let office = Office::new(SIGNED);
    office
        .stage
        .run_because(&format!("{SWITCHOVER} --accept SkipCooldown"), "we know")
        .with(4)
        .says("lifeboat run accept RUN SkipCooldown");
    office.stage.run(SWITCHOVER).with(3);
    let accept = "run accept orders-1 SkipCooldown";
    office.stage.run_because(accept, "we know").with(4).says("wants it signed by anna");
    office.stage.run_because(&format!("{accept} --key {}", office.key("anna")), "we know").with(0);
}

#[test]
fn who_asks_with_a_key_at_hand_approves_by_asking_also_with_the_key_in_an_agent() {
    let mut office = Office::new("  approvals: {required: 1, signatures: Required}\n");
    let socket = office.path("agent").display().to_string();
    let mut agent = Command::new("ssh-agent").args(["-D", "-a", &socket]).stdout(Stdio::null()).spawn().unwrap();
    crate::servers::await_until("the agent", std::time::Duration::from_secs(20), || Path::new(&socket).exists());
    let key = office.key("anna");
    let added = Command::new("ssh-add").arg(&key).env("SSH_AUTH_SOCK", &socket).stderr(Stdio::null()).status();
    assert!(added.unwrap().success());
    fs::remove_file(&key).unwrap();
    office.stage.settings.push(("SSH_AUTH_SOCK", socket));
    office.stage.settings.push(("LIFEBOAT_SSH_KEY", format!("{key}.pub")));
    office.stage.run(SWITCHOVER).with(0);
    agent.kill().unwrap();
    agent.wait().unwrap();
    assert_eq!(office.approvals("orders-1"), [("anna".to_owned(), true)]);
}

#[test]
fn a_report_is_a_draft_until_somebody_else_signed_it_off_and_the_last_word_of_each_person_counts() {
    let office = Office::new("");
    office.stage.run(DRILL).with(0);
    let report = || office.stage.run("evidence report orders-1 --format markdown").with(0).out;
    assert!(report().contains("DRAFT") && report().contains("nobody accepted the record"), "{}", report());
    office.says("anna", "evidence sign-off orders-1").with(0).says("accepted by anna");
    assert!(report().contains("nobody but who asked for the run accepted"), "{}", report());
    office.says("ben", "evidence sign-off orders-1 --dissent --comment late").with(0);
    assert!(report().contains("DRAFT") && report().contains("dissented"));
    office.says("ben", "evidence sign-off orders-1").with(0);
    let page = report();
    assert!(!page.contains("DRAFT") && !page.contains("dissented"), "{page}");
    let verified = office.stage.run("evidence verify -o json").with(0).json();
    assert_eq!((verified["signatures"].as_u64(), verified["flaws"].clone()), (Some(3), json!([])));
}

#[test]
fn what_cannot_be_signed_off_is_refused_before_anything_is_entered() {
    let office = Office::new("");
    office.stage.run(DRILL).with(0);
    let entries = || office.stage.run("evidence list -o json").with(0).json().as_array().unwrap().len();
    let before = entries();
    office.stage.run("evidence sign-off orders-1").with(2).says("there is no key to sign with");
    office.says("ben", "evidence sign-off orders-7").with(2).says("orders-7");
    office.says("eve", "evidence sign-off orders-1").with(4).says("must give the key to eve, for signoff@lifeboat.dev");
    office.says("ben", "evidence sign-off orders-1 --dissent").with(2);
    assert_eq!(entries(), before);
}

#[test]
fn a_sign_off_outlives_its_key_and_one_of_somebody_else_is_a_flaw() {
    let office = Office::new("");
    office.stage.run(DRILL).with(0);
    office.says("ben", "evidence sign-off orders-1").with(0);
    let list = office.path("data/keys/revoked_keys").display().to_string();
    Office::keygen(&["-q", "-k", "-f", &list, &format!("{}.pub", office.key("ben"))]);
    office.stage.run("evidence verify").with(0).says("1 signatures of persons");
    // The same name, and another key: what was signed before is not that person's any more.
    let eve = fs::read_to_string(format!("{}.pub", office.key("eve"))).unwrap();
    fs::write(office.path("data/keys/allowed_signers"), format!("ben {eve}")).unwrap();
    office.stage.run("evidence verify").with(1).says("does not take it for ben's");
    fs::remove_file(office.path("data/keys/allowed_signers")).unwrap();
    office.stage.run("evidence verify").with(0).says("nobody can tell whether it holds");
}

#[test]
fn an_exported_pack_holds_what_persons_signed_and_ssh_keygen_checks_it() {
    let office = Office::waiting(SIGNED);
    office.says("ben", "approve orders-1").with(0);
    office.says("anna", "approve orders-1").with(0);
    office.stage.run_because("run resume orders-1", "both are there").with(0);
    office.says("ben", "evidence sign-off orders-1").with(0);
    let pack = office.path("pack");
    office.stage.run(&format!("evidence export orders-1 {}", pack.display())).with(0);
    let text = fs::read_to_string(pack.join("VERIFY.md")).unwrap();
    let commands: Vec<&str> = text.lines().filter(|line| line.starts_with("ssh-keygen -Y verify ")).collect();
    assert_eq!(commands.len(), 3, "{text}");
    let check = |command: &str| {
        let done = Command::new("/bin/sh").args(["-c", command]).current_dir(&pack).output().unwrap();
        (done.status.success(), String::from_utf8_lossy(&done.stdout).into_owned())
    };
    for (command, by) in commands.iter().zip(["ben", "anna", "ben"]) {
        let (holds, said) = check(command);
        assert!(holds && said.contains(&format!("for {by} with ED25519 key")), "{command}: {said}");
    }
    for number in 1..=3 {
        let file = pack.join(format!("persons/{number}.txt"));
        let signed = fs::read_to_string(&file).unwrap();
        fs::write(&file, signed.replace("orders-1", "orders-2")).unwrap();
        assert!(!check(commands[number - 1]).0, "{number}");
    }
}
