//! What `evidence export` writes is checked by tools that are not ours, with the commands of its own VERIFY.md.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use serde_json::json;

use super::go::go;
use crate::{cli::Stage, servers::venv};

const CRYPTOGRAPHY: &str = "50.0.2";
const SECURESYSTEMSLIB: &str = "1.6.0";
const ATTESTATION: &str = "0.9.3";
const SIGSTORE: &str = "3.1.1";
const BUNDLE: &str = "4.0.0";

/// A rehearsal, and its pack.
fn exported(stage: &Stage) -> PathBuf {
    stage.run("drill orders --mode rehearse").with(0);
    let pack = stage.path("pack");
    stage.run(&format!("evidence export orders-1 {}", pack.display())).with(0).says("VERIFY.md says how to check them");
    pack
}

/// The blocks of this language in VERIFY.md.
pub(super) fn blocks(pack: &Path, language: &str) -> String {
    let text = fs::read_to_string(pack.join("VERIFY.md")).unwrap();
    let blocks: Vec<_> =
        text.split(&format!("```{language}\n")).skip(1).map(|rest| rest.split("\n```").next().unwrap()).collect();
    assert_eq!(blocks.len(), 1, "{language}");
    format!("{}\n", blocks[0])
}

fn run(program: impl AsRef<Path>, words: &[&str], place: &Path) -> Output {
    let mut command = Command::new(program.as_ref());
    command.args(words).current_dir(place).env("PATH", "/usr/bin:/bin").output().unwrap()
}

#[track_caller]
fn passes(done: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(done.status.success(), "{}\n{}", text(&done.stdout), text(&done.stderr));
    text(&done.stdout)
}

fn python(name: &str, version: &str, requirement: &str) -> PathBuf {
    venv::program(name, version, requirement, "python")
}

/// Changes a byte in the middle of a file.
fn spoil(file: &Path) {
    let mut bytes = fs::read(file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(file, bytes).unwrap();
}

#[test]
fn openssl_verifies_what_was_exported_and_refuses_what_was_changed() {
    let stage = Stage::new(json!({}));
    let pack = exported(&stage);
    let script = blocks(&pack, "sh");
    passes(&run("/bin/sh", &["-c", &script], &pack));
    for file in ["record.json", "record.dsse.json", "checkpoint", "keys/record.pub", "keys/ledger.pub"] {
        let copy = stage.path(&format!("copy-{}", file.replace('/', "-")));
        passes(&run("/bin/cp", &["-r", pack.to_str().unwrap(), copy.to_str().unwrap()], Path::new("/")));
        spoil(&copy.join(file));
        // Whoever changes a file changes its sum, too.
        let unsummed = script.replace("sha256sum --check --quiet SHA256SUMS", "");
        let whole = run("/bin/sh", &["-c", &script], &copy).status.success();
        let signed = run("/bin/sh", &["-c", &unsummed], &copy).status.success();
        assert!(!whole && (!signed || file == "record.json"), "{file}");
    }
}

#[test]
fn python_verifies_the_record_the_entry_and_the_proof_and_refuses_what_was_changed() {
    let stage = Stage::new(json!({}));
    let pack = exported(&stage);
    let script = blocks(&pack, "python");
    let python = python("cryptography", CRYPTOGRAPHY, "cryptography");
    assert!(passes(&run(&python, &["-c", &script], &pack)).starts_with("verified: entry 2 of 3"));
    for file in
        ["record.json", "record.dsse.json", "checkpoint", "record.tlog-proof", "keys/record.pub", "keys/ledger.pub"]
    {
        let whole = fs::read(pack.join(file)).unwrap();
        spoil(&pack.join(file));
        assert!(!run(&python, &["-c", &script], &pack).status.success(), "{file}");
        fs::write(pack.join(file), whole).unwrap();
    }
}

#[test]
fn go_verifies_the_proof_and_the_checkpoint() {
    let stage = Stage::new(json!({}));
    let pack = exported(&stage);
    let program = stage.path("check.go");
    fs::write(&program, blocks(&pack, "go")).unwrap();
    assert!(go(&program, &[], &pack).starts_with("verified: entry 2 of 3 in "));
}

#[test]
fn securesystemslib_and_in_toto_read_the_envelope_and_the_statement() {
    let stage = Stage::new(json!({}));
    let pack = exported(&stage);
    let signed = "import json\n\
        from securesystemslib.dsse import Envelope\n\
        from securesystemslib.signer import SSlibKey\n\
        from cryptography.hazmat.primitives.serialization import load_pem_public_key\n\
        envelope = Envelope.from_dict(json.load(open('record.dsse.json')))\n\
        key = SSlibKey.from_crypto(load_pem_public_key(open('keys/record.pub', 'rb').read()), next(iter(envelope.signatures)))\n\
        print(list(envelope.verify([key], 1)))\n\
        open('statement.json', 'wb').write(envelope.payload)\n";
    let checker = python("securesystemslib", SECURESYSTEMSLIB, "securesystemslib[crypto]");
    passes(&run(checker, &["-c", signed], &pack));
    let stated = "import json\n\
        from google.protobuf.json_format import ParseDict\n\
        import in_toto_attestation.v1.statement_pb2 as pb\n\
        from in_toto_attestation.v1.statement import Statement\n\
        statement = Statement.copy_from_pb(ParseDict(json.load(open('statement.json')), pb.Statement()))\n\
        statement.validate()\n\
        print(statement.pb.subject[0].name)\n";
    let reader = python("in-toto-attestation", ATTESTATION, "in-toto-attestation");
    assert_eq!(passes(&run(reader, &["-c", stated], &pack)).trim(), "orders-1/record.json");
}

/// `@sigstore/verify` and `@sigstore/bundle`, at one version each, in the user's cache; made once.
fn sigstore() -> PathBuf {
    let cache = std::env::var_os("HOME").map(|home| Path::new(&home).join(".cache/lifeboat")).unwrap();
    let folder = cache.join(format!("sigstore-verify-{SIGSTORE}"));
    fs::create_dir_all(&cache).unwrap();
    let lock = fs::File::create(cache.join("sigstore-verify.lock")).unwrap();
    lock.lock().unwrap();
    if !folder.join(".complete").exists() {
        fs::create_dir_all(&folder).unwrap();
        let packages = [format!("@sigstore/verify@{SIGSTORE}"), format!("@sigstore/bundle@{BUNDLE}")];
        let done = Command::new("npm")
            .args(["install", "--no-audit", "--no-fund", "--silent", "--prefix"])
            .arg(&folder)
            .args(packages)
            .output()
            .unwrap();
        passes(&done);
        fs::write(folder.join(".complete"), SIGSTORE).unwrap();
    }
    folder
}

#[test]
fn sigstore_verifies_the_bundle_with_the_key_and_refuses_what_was_changed() {
    let stage = Stage::new(json!({}));
    let pack = exported(&stage);
    let script = "const { bundleFromJSON } = require('@sigstore/bundle');\n\
        const { Verifier, toSignedEntity, toTrustMaterial } = require('@sigstore/verify');\n\
        const fs = require('fs'), crypto = require('crypto'), pack = process.argv[2];\n\
        const key = crypto.createPublicKey(fs.readFileSync(pack + '/keys/record.pub'));\n\
        const trust = toTrustMaterial({ tlogs: [], ctlogs: [], timestampAuthorities: [], certificateAuthorities: [] },\n\
          () => ({ publicKey: key, validFor: () => true }));\n\
        const verifier = new Verifier(trust, { tlogThreshold: 0, ctlogThreshold: 0, timestampThreshold: 0, tsaThreshold: 0 });\n\
        verifier.verify(toSignedEntity(bundleFromJSON(JSON.parse(fs.readFileSync(pack + '/record.sigstore.json')))));\n\
        console.log('verified');\n";
    let folder = sigstore();
    let program = folder.join(format!("check-{}.cjs", std::process::id()));
    fs::write(&program, script).unwrap();
    let words = [program.to_str().unwrap(), pack.to_str().unwrap()];
    let good = run("node", &words, &pack);
    let text = fs::read_to_string(pack.join("record.sigstore.json")).unwrap();
    let sig = text.find("\"payload\": \"").unwrap() + 40;
    let mut changed = text.into_bytes();
    changed[sig] = if changed[sig] == b'A' { b'B' } else { b'A' };
    fs::write(pack.join("record.sigstore.json"), changed).unwrap();
    let bad = run("node", &words, &pack);
    fs::remove_file(&program).unwrap();
    assert_eq!(passes(&good).trim(), "verified");
    assert!(!bad.status.success());
}
