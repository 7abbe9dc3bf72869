//! What drills find when the controls of the destination are not those of the source: real servers that differ in one thing each.

#![expect(clippy::unwrap_used, clippy::panic, reason = "what fails here fails the test")]

use std::{fs, net::TcpListener, os::unix::fs::PermissionsExt as _, path::Path, sync::Arc, time::Duration};

use lifeboat::{
    driver::{parity::Parity, postgres::Postgres, s3::S3},
    evidence::Conclusion,
    model::{Control, ControlCheck, ControlState, RegionName},
    port::{Driver, SecretError, Secrets},
    probe::Probes,
    spec::{ControlsSpec, SecretRef},
};
use secrecy::SecretString;
use serde_json::{Value, json};

use crate::{
    real::World,
    servers::{
        await_until,
        moto::Moto,
        postgres::{Node, PASSWORD, Pair},
        receiver::{Receiver, Reply},
    },
};

struct One(&'static str);

impl Secrets for One {
    fn resolve(&self, _: &SecretRef) -> Result<SecretString, SecretError> {
        Ok(self.0.into())
    }
}

fn parity(targets: Vec<(&str, Arc<dyn Driver>)>) -> Parity {
    let targets = targets.into_iter().map(|(name, driver)| (name.parse().unwrap(), driver)).collect();
    Parity::new(targets, Arc::new(Probes::new(Arc::new(One("hush")))))
}

fn databases(pair: &Pair) -> Parity {
    let driver = Postgres::open("orders-db", &pair.target(&Value::Null), Arc::new(One(PASSWORD))).unwrap();
    parity(vec![("orders-db", Arc::new(driver))])
}

async fn compare(parity: &Parity, controls: Value) -> Vec<ControlCheck> {
    let spec: ControlsSpec = serde_json::from_value(controls).unwrap();
    let (fra, dub): (RegionName, RegionName) = ("fra".parse().unwrap(), "dub".parse().unwrap());
    parity.compare(&spec, &fra, &dub, "2026-11-29".parse().unwrap()).await
}

/// What became of a control's subject, with why.
fn found<'a>(checks: &'a [ControlCheck], control: Control, subject: &str) -> (ControlState, &'a str) {
    let check = checks.iter().find(|check| check.control == control && check.subject == subject);
    let check = check.unwrap_or_else(|| panic!("no {control} of {subject} in {checks:#?}"));
    (check.state, check.why.as_deref().unwrap_or_default())
}

fn failed(checks: &[ControlCheck]) -> Vec<String> {
    let failed = checks.iter().filter(|check| check.state == ControlState::Fail);
    failed
        .map(|check| format!("{} of {}: {}", check.control, check.what(), check.why.as_deref().unwrap_or("")))
        .collect()
}

#[tokio::test]
async fn a_pair_made_alike_holds_and_a_role_that_was_disabled_meanwhile_gets_in_on_a_standby_that_does_not_replay() {
    let pair = Pair::start();
    let parity = databases(&pair);
    pair.psql(Node::Fra, "CREATE ROLE ann LOGIN PASSWORD 'x'; CREATE ROLE ben LOGIN PASSWORD 'x'");
    await_until("ann on dub", Duration::from_secs(10), || {
        pair.psql(Node::Dub, "SELECT count(*) FROM pg_roles WHERE rolname = 'ben'") == "1"
    });
    let checks = compare(&parity, json!({})).await;
    assert_eq!(failed(&checks), Vec::<String>::new());
    assert!(checks.iter().all(|check| check.state == ControlState::Pass), "{checks:#?}");

    pair.psql(Node::Dub, "SELECT pg_wal_replay_pause()");
    pair.psql(Node::Fra, "ALTER ROLE ann NOLOGIN; ALTER ROLE ben VALID UNTIL '2020-01-01'; CREATE ROLE new SUPERUSER");
    let checks = compare(&parity, json!({})).await;
    let (state, why) = found(&checks, Control::Revocation, "roles that may log in");
    assert_eq!(state, ControlState::Fail);
    assert_eq!(why, "ann gets in on dub and is disabled in fra; ben gets in on dub and is disabled in fra");
    let (state, why) = found(&checks, Control::Access, "role attributes");
    assert_eq!((state, why), (ControlState::Fail, "dub lacks: new superuser"));

    // The replay that goes on mends it.
    pair.psql(Node::Dub, "SELECT pg_wal_replay_resume()");
    await_until("ann's end on dub", Duration::from_secs(10), || {
        pair.psql(Node::Dub, "SELECT count(*) FROM pg_roles WHERE rolname = 'new'") == "1"
    });
    assert_eq!(failed(&compare(&parity, json!({})).await), Vec::<String>::new());
}

#[tokio::test]
async fn a_door_a_log_and_an_older_limit_that_one_server_has_alone_are_named() {
    let pair = Pair::start();
    let parity = databases(&pair);
    // dub gets an access list of its own, with one more line, and logs nothing any more.
    let shared = pair.psql(Node::Dub, "SHOW hba_file");
    let own = pair.folder().join("dub/pg_hba.conf");
    let rules = fs::read_to_string(shared.trim()).unwrap();
    let ldap = "host all all 10.8.0.0/16 ldap ldapserver=127.0.0.1 ldapbasedn=x ldapbinddn=y ldapbindpasswd=hush-4711";
    fs::write(&own, format!("{rules}\nhost all all 10.9.0.0/16 trust\n{ldap}\n")).unwrap();
    fs::set_permissions(&own, fs::Permissions::from_mode(0o644)).unwrap();
    let conf = pair.folder().join("dub/postgresql.conf");
    let text = fs::read_to_string(&conf).unwrap();
    let more = format!("hba_file = '{}'\nlog_connections = on\nmax_connections = 222\n", own.display());
    fs::write(&conf, format!("{text}\n{more}")).unwrap();
    pair.kill(Node::Dub);
    pair.start_again(Node::Dub);
    pair.await_streaming(Node::Dub);
    let checks = compare(&parity, json!({})).await;
    let door = "dub alone has: host all all 10.9.0.0 255.255.0.0 trust";
    let (state, why) = found(&checks, Control::Access, "pg_hba.conf");
    assert!(state == ControlState::Fail && why.contains(door) && why.contains("ldapbindpasswd=[REDACTED]"), "{why}");
    assert!(!format!("{checks:?}").contains("hush-4711"), "a password of the access list is told");
    let (state, why) = found(&checks, Control::Logging, "log settings");
    assert!(state == ControlState::Fail && why.contains("dub alone has: log_connections = on"), "{why}");
    assert_eq!(found(&checks, Control::Capacity, "max_connections").0, ControlState::Pass, "more room is no loss");

    // The door is meant, for a while.
    let meant = |until| {
        json!({"exceptions": [
            {"control": "Access", "containing": "10.9.0.0", "reason": "its own network", "until": until},
            {"control": "Access", "containing": "10.8.0.0", "reason": "its own directory"},
        ]})
    };
    let checks = compare(&parity, meant("2026-11-29")).await;
    let (state, why) = found(&checks, Control::Access, "pg_hba.conf");
    assert_eq!(state, ControlState::Pass, "{why}");
    let checks = compare(&parity, meant("2026-11-28")).await;
    assert_eq!(found(&checks, Control::Access, "pg_hba.conf").0, ControlState::Fail);

    // Of a server that is gone nothing is said to hold.
    pair.kill(Node::Dub);
    let checks = compare(&parity, json!({})).await;
    assert_eq!(checks.len(), 8, "{checks:#?}");
    for check in checks {
        assert_eq!(check.state, ControlState::NotChecked, "{check:?}");
        assert!(check.why.as_deref().unwrap_or_default().starts_with("dub: "), "{check:?}");
    }
}

#[tokio::test]
async fn servers_that_agree_on_aes_256_pass_where_it_is_asked_for_and_plain_ones_do_not() {
    let (secured, plain) = (Pair::start_secured(), Pair::start());
    let asked = || json!({"encryption": "Aes256"});
    let checks = compare(&databases(&secured), asked()).await;
    assert_eq!(found(&checks, Control::EncryptionInTransit, "connections"), (ControlState::Pass, ""));
    let check = checks.iter().find(|check| check.control == Control::EncryptionInTransit).unwrap();
    assert!(check.source.contains("TLSv1.3") && check.source.contains("256 bits"), "{check:?}");
    let checks = compare(&databases(&plain), asked()).await;
    let (state, why) = found(&checks, Control::EncryptionInTransit, "connections");
    assert_eq!(state, ControlState::Fail);
    assert_eq!(why, "dub has no TLS, and Aes256 is asked for; fra has no TLS, and Aes256 is asked for");
    // Nobody asked: the one is as the other.
    assert_eq!(failed(&compare(&databases(&plain), json!({})).await), Vec::<String>::new());
}

const SSE: &[u8] = b"<ServerSideEncryptionConfiguration><Rule><ApplyServerSideEncryptionByDefault><SSEAlgorithm>AES256\
</SSEAlgorithm></ApplyServerSideEncryptionByDefault></Rule></ServerSideEncryptionConfiguration>";

fn policy(bucket: &str, let_in: &[&str]) -> Vec<u8> {
    let resource = format!("arn:aws:s3:::{bucket}/*");
    let statement = |effect: &str, who: &[&str], action: &str| {
        json!({
            "Effect": effect, "Principal": {"AWS": who}, "Action": action, "Resource": resource,
        })
    };
    let gone = "arn:aws:iam::123456789012:user/ann";
    let mut statements = vec![statement("Allow", let_in, "s3:GetObject")];
    if !let_in.contains(&gone) {
        statements.push(statement("Deny", &[gone], "s3:*"));
    }
    json!({"Version": "2012-10-17", "Statement": statements}).to_string().into_bytes()
}

#[tokio::test]
async fn buckets_that_differ_in_encryption_policy_or_public_access_are_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    let [fra, dub] = ["127.1.0.10", "127.2.0.10"].map(|ip| Moto::start(ip.parse().unwrap(), folder.path()));
    fra.create_bucket("uploads-fra");
    dub.create_bucket("uploads-dub");
    let key = json!({"env": "KEY"});
    let settings = json!({"members": [
        {"region": "fra", "bucket": "uploads-fra", "endpoint": fra.url(), "accessKey": key, "secretKey": key},
        {"region": "dub", "bucket": "uploads-dub", "endpoint": dub.url(), "accessKey": key, "secretKey": key},
    ]});
    let s3 = parity(vec![("uploads", Arc::new(S3::open("uploads", &settings, Arc::new(One("hush"))).unwrap()))]);
    let checks = compare(&s3, json!({})).await;
    assert_eq!(failed(&checks), Vec::<String>::new());
    let asked = compare(&s3, json!({"encryption": "Aes256"})).await;
    assert_eq!(failed(&asked).len(), 2, "plain HTTP, and nothing encrypted at rest: {asked:#?}");

    let put = |server: &Moto, target: &str, body: &[u8]| {
        let (status, said) = server.ask("PUT", target, body);
        assert!((200..300).contains(&status), "{target}: {status} {}", String::from_utf8_lossy(&said));
    };
    put(&fra, "/uploads-fra?encryption", SSE);
    let (app, ann) = ("arn:aws:iam::123456789012:user/app", "arn:aws:iam::123456789012:user/ann");
    put(&fra, "/uploads-fra?policy", &policy("uploads-fra", &[app]));
    put(&dub, "/uploads-dub?policy", &policy("uploads-dub", &[app, ann]));
    put(
        &fra,
        "/uploads-fra?publicAccessBlock",
        b"<PublicAccessBlockConfiguration><BlockPublicAcls>true</BlockPublicAcls></PublicAccessBlockConfiguration>",
    );
    let checks = compare(&s3, json!({})).await;
    let rest = found(&checks, Control::EncryptionAtRest, "default encryption");
    assert_eq!(rest, (ControlState::Fail, "dub has nothing, and fra has AES256"));
    let who = found(&checks, Control::Revocation, "principals of the policy");
    assert_eq!(who, (ControlState::Fail, format!("{ann} gets in on dub and is disabled in fra").as_str()));
    assert_eq!(found(&checks, Control::Access, "bucket policy").0, ControlState::Fail);
    let public = found(&checks, Control::Access, "public access block");
    assert_eq!(public, (ControlState::Fail, "dub lacks: BlockPublicAcls"));

    put(&dub, "/uploads-dub?encryption", SSE);
    put(&dub, "/uploads-dub?policy", &policy("uploads-dub", &[app]));
    put(
        &dub,
        "/uploads-dub?publicAccessBlock",
        b"<PublicAccessBlockConfiguration><BlockPublicAcls>true</BlockPublicAcls></PublicAccessBlockConfiguration>",
    );
    assert_eq!(failed(&compare(&s3, json!({})).await), Vec::<String>::new());
}

/// A program that prints what stands in a file for its region.
fn prints(folder: &Path, name: &str, by_region: [&str; 2]) -> Value {
    let script = folder.join(name);
    for (region, text) in ["fra", "dub"].into_iter().zip(by_region) {
        fs::write(folder.join(format!("{name}-{region}")), text).unwrap();
    }
    fs::write(&script, format!("#!/bin/sh\nexec cat \"{}-$1\"\n", script.display())).unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    json!([script, "{{ region }}"])
}

#[tokio::test]
async fn what_the_group_declares_is_looked_at_in_both_regions() {
    let folder = tempfile::tempdir().unwrap();
    let listens = TcpListener::bind("127.0.0.1:0").unwrap();
    let open = listens.local_addr().unwrap().to_string();
    let shut = { TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string() };
    let (served, refused) = (Receiver::always(Reply::Status(200)), Receiver::always(Reply::Status(403)));
    let tenant = |region: &str, other: &Receiver| {
        json!({
            "region": region,
            "own": {"name": "own", "http": {"url": served.url("/acme")}},
            "other": {"name": "other", "http": {"url": other.url("/globex"), "expectStatus": 403}},
        })
    };
    let rules = "# in force\ntcp 443 from any\ntcp 5432 from 10.1.0.0/16\n";
    let controls = |dub_rules: &str, closed: &str, other: &Receiver, disk: &str| {
        json!({
            "ingress": [{
                "name": "edge",
                "rules": ["tcp 443 from any", "tcp 5432 from 10.1.0.0/16"],
                "observed": prints(folder.path(), "rules", [rules, dub_rules]),
                "reach": [{"region": "fra", "open": [open], "closed": [shut]}, {"region": "dub", "open": [open], "closed": [closed]}],
            }],
            "tenants": [{"name": "acme-reads-globex", "byRegion": [tenant("fra", &refused), tenant("dub", other)]}],
            "checks": [
                {"name": "disk", "control": "EncryptionAtRest", "run": prints(folder.path(), "disk", ["aes-xts-plain64 256", disk])},
                {"name": "mfa", "control": "SecondFactor", "run": prints(folder.path(), "mfa", ["required", "required"]), "expect": ["required"]},
            ],
        })
    };
    let none = parity(Vec::new());
    let well = compare(&none, controls(rules, &shut, &refused, "aes-xts-plain64 256")).await;
    assert_eq!(well.len(), 5, "{well:#?}");
    assert!(well.iter().all(|check| check.state == ControlState::Pass), "{well:#?}");

    let bad = compare(&none, controls("tcp 443 from any\ntcp 22 from any\n", &open, &served, "none")).await;
    let edge = found(&bad, Control::Ingress, "edge, rules");
    let why = "dub lets in, undeclared: tcp 22 from any; dub lacks what is declared: tcp 5432 from 10.1.0.0/16";
    assert_eq!(edge, (ControlState::Fail, why));
    let (state, why) = found(&bad, Control::Ingress, "edge, as seen from here");
    assert_eq!((state, why), (ControlState::Fail, format!("dub: {open} is open").as_str()));
    let (state, why) = found(&bad, Control::TenantIsolation, "acme-reads-globex");
    assert!(state == ControlState::Fail && why.starts_with("dub: the other's data is not refused"), "{why}");
    let disk = found(&bad, Control::EncryptionAtRest, "disk");
    assert_eq!(disk, (ControlState::Fail, "dub has none, and fra has aes-xts-plain64 256"));
    assert_eq!(found(&bad, Control::SecondFactor, "mfa").0, ControlState::Pass);

    // A program that fails tells nothing.
    fs::remove_file(folder.path().join("disk-dub")).unwrap();
    let spec = json!({"checks": [{"name": "disk", "control": "EncryptionAtRest", "run": [folder.path().join("disk"), "{{ region }}"]}]});
    let checks = compare(&none, spec).await;
    let (state, why) = found(&checks, Control::EncryptionAtRest, "disk");
    assert!(state == ControlState::NotChecked && why.starts_with("dub: ") && why.contains("No such file"), "{why}");
}

const DRILL: [&str; 6] = ["drill", "orders", "--mode", "rehearse", "--reason", "a test"];

#[test]
fn a_drill_of_the_real_service_compares_its_controls_and_one_that_is_lost_fails_the_drill() {
    let world = World::start(|text| text);
    let said = world.ends(0, &DRILL);
    assert!(said.contains("0 differ"), "{said}");
    let record = world.record("orders-1");
    let of = |control| record.parity.iter().filter(move |check| check.control == control).count();
    assert!(of(Control::Revocation) == 2 && of(Control::EncryptionAtRest) >= 1, "{:#?}", record.parity);

    // The standby's bucket is the only one that is not encrypted any more.
    let (status, _) = world.regions.store(Node::Fra).ask(
        "PUT",
        &format!("/{}?encryption", crate::servers::regions::bucket(Node::Fra)),
        SSE,
    );
    assert!((200..300).contains(&status), "{status}");
    let said = world.ends(1, &DRILL);
    assert!(
        said.contains("FAIL encryption at rest of uploads: default encryption: dub has nothing, and fra has AES256"),
        "{said}"
    );
    let record = world.record("orders-2");
    let judged = lifeboat::evidence::Judgement::of(&record);
    assert_eq!(judged.verdict, Conclusion::Failed, "{judged:#?}");
    assert!(judged.findings.iter().any(|finding| finding.place.starts_with("/parity/")), "{judged:#?}");
    let report = world.ends(0, &["evidence", "report", "orders-2", "--format", "markdown"]);
    assert!(
        report.contains("| encryption at rest | uploads: default encryption | AES256 | nothing | FAIL |"),
        "{report}"
    );
    assert!(report.contains("SC-28"), "what a lost control leaves open is listed: {report}");
}
