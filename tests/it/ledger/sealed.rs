//! `evidence export --seal-to`: openssl makes the keys and opens what was sealed for them, and nothing else.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::json;

use super::anchors::DRILL;
use crate::cli::Stage;

fn sh(folder: &Path, script: &str) -> (bool, String) {
    let done = Command::new("/bin/sh").args(["-ec", script]).current_dir(folder).output().unwrap();
    (done.status.success(), String::from_utf8_lossy(&done.stderr).into_owned())
}

#[track_caller]
fn must(folder: &Path, script: &str) {
    let (good, why) = sh(folder, script);
    assert!(good, "{why}");
}

/// A stage with a closed run, and keys with their certificates beside it.
fn stage(keys: &[(&str, &str)]) -> Stage {
    let stage = Stage::new(json!({}));
    stage.run(DRILL).with(0);
    for (name, kind) in keys {
        let subject = format!("-subj '/O=Example/CN={name}'");
        must(
            &stage.path(""),
            &format!("openssl req -x509 -newkey {kind} -nodes -keyout {name}.key -out {name}.pem -days 2 {subject}"),
        );
    }
    stage
}

fn sealed(stage: &Stage, names: &[&str], out: &str) -> PathBuf {
    let to: Vec<_> =
        names.iter().map(|name| format!("--seal-to {}", stage.path(&format!("{name}.pem")).display())).collect();
    let file = stage.path(out);
    let words = format!("evidence export orders-1 {} --out {}", to.join(" "), file.display());
    let said = stage.run(&words).with(0);
    for name in names {
        assert!(said.out.contains(&format!("CN={name}")), "{}", said.out);
    }
    file
}

/// Whether openssl opens it with this key, into `opened.tar`.
fn opens(stage: &Stage, file: &Path, name: &str) -> bool {
    let _none = fs::remove_file(stage.path("opened.tar"));
    let script = format!(
        "openssl cms -decrypt -inform DER -in {} -inkey {name}.key -recip {name}.pem -out opened.tar",
        file.display()
    );
    sh(&stage.path(""), &script).0
}

#[test]
fn openssl_opens_what_was_sealed_and_the_pack_inside_verifies() {
    let stage = stage(&[("anna", "rsa:2048"), ("mallory", "rsa:2048")]);
    let file = sealed(&stage, &["anna"], "orders-1.tar.p7m");
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(!String::from_utf8_lossy(&fs::read(&file).unwrap()).contains("orders"));
    assert!(opens(&stage, &file, "anna"));
    must(&stage.path(""), "tar -xf opened.tar");
    let pack = stage.path("orders-1");
    must(&pack, &super::pack::blocks(&pack, "sh"));
    assert!(!opens(&stage, &file, "mallory"));
    // What openssl sees of it: the algorithms that were promised.
    let printed =
        Command::new("openssl").args(["cms", "-cmsout", "-print", "-inform", "DER", "-in"]).arg(&file).output();
    let printed = String::from_utf8_lossy(&printed.unwrap().stdout).into_owned();
    for word in ["id-smime-ct-authEnvelopedData", "aes-256-gcm", "rsaesOaep", "sha256"] {
        assert!(printed.contains(word), "{word}\n{printed}");
    }
}

#[test]
fn a_byte_that_was_flipped_anywhere_in_the_content_or_its_tag_is_refused() {
    let stage = stage(&[("anna", "rsa:2048")]);
    let file = sealed(&stage, &["anna"], "whole.p7m");
    let whole = fs::read(&file).unwrap();
    assert!(opens(&stage, &file, "anna"));
    // The content is nearly all of it, and the tag its last 16 bytes.
    for at in [whole.len() / 4, whole.len() / 2, whole.len() - 20, whole.len() - 16, whole.len() - 1] {
        let mut spoilt = whole.clone();
        spoilt[at] ^= 1;
        let file = stage.path("spoilt.p7m");
        fs::write(&file, spoilt).unwrap();
        assert!(!opens(&stage, &file, "anna"), "byte {at} of {}", whole.len());
    }
}

#[test]
fn each_of_several_recipients_opens_it_alone_whatever_the_kind_of_the_key() {
    let ec = |curve: &str| format!("ec -pkeyopt ec_paramgen_curve:{curve}");
    let (p256, p384) = (ec("P-256"), ec("P-384"));
    let stage = stage(&[("anna", "rsa:3072"), ("ben", &p256), ("cleo", &p384), ("mallory", &p256)]);
    let file = sealed(&stage, &["anna", "ben", "cleo"], "orders-1.tar.p7m");
    let mut tars = Vec::new();
    for name in ["anna", "ben", "cleo"] {
        assert!(opens(&stage, &file, name), "{name}");
        tars.push(fs::read(stage.path("opened.tar")).unwrap());
    }
    assert!(tars.iter().all(|tar| *tar == tars[0] && tar.len() > 10_000));
    assert!(!opens(&stage, &file, "mallory"));
}

#[test]
fn a_key_that_nothing_is_sealed_for_is_refused_and_nothing_is_overwritten() {
    let stage = stage(&[("anna", "rsa:2048"), ("short", "rsa:1024"), ("ed", "ed25519")]);
    let export = |name: &str, out: &str| {
        let (certificate, out) = (stage.path(name), stage.path(out));
        stage.run(&format!("evidence export orders-1 --seal-to {} --out {}", certificate.display(), out.display()))
    };
    export("ed.pem", "a").with(2).says("EC P-256 and EC P-384 are possible");
    export("short.pem", "a").with(2).says("RSA of 2048 bits and more");
    export("anna.key", "a").with(2).says("it is no X.509 certificate in PEM");
    export("nobody.pem", "a").with(2).says("cannot be read");
    assert!(!stage.path("a").exists());
    fs::write(stage.path("b"), "mine").unwrap();
    export("anna.pem", "b").with(4).says("is there already");
    assert_eq!(fs::read(stage.path("b")).unwrap(), b"mine");
    // The default is a file in the folder where one is, named after the run.
    let folder = stage.path("data").display().to_string();
    stage.run(&format!("evidence export orders-1 {folder} --seal-to {}", stage.path("anna.pem").display())).with(2);
}
