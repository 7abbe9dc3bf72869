//! Servers that take TLS and SCRAM-SHA-256 alone.

use std::fs;

use lifeboat::{model::Role, port::Driver, probe::sql, spec::SqlProbe};

use super::*;
use crate::servers::authority::Authority;

/// The pair's target with another `tls`.
fn with_tls(pair: &Pair, tls: &Value) -> Postgres {
    let mut target = pair.target(&json!([pair.fence_command()]));
    for member in target["members"].as_array_mut().unwrap() {
        member["tls"] = tls.clone();
    }
    Postgres::open("orders-db", &target, Arc::new(Files)).unwrap()
}

/// Why fra's role is not known.
async fn unknown(driver: &Postgres) -> String {
    match driver.survey().await.role(&region(Node::Fra)) {
        Some(Role::Unknown(why)) => why.clone(),
        other => panic!("expected unknown, found {other:?}"),
    }
}

/// What proves that a server asked `lifeboat` for a password, or took one: it says so in its log.
fn logins(pair: &Pair, node: Node) -> usize {
    let log = pair.log(node);
    log.matches("connection authenticated: identity=\"lifeboat\"").count()
        + log.matches("password authentication failed for user \"lifeboat\"").count()
}

#[tokio::test]
async fn a_whole_failover_goes_over_verified_tls_and_scram() {
    let pair = Pair::start_secured();
    let driver = open(&pair, &json!([pair.fence_command()]));
    assert_eq!(roles(&driver).await, ["fra primary", "dub standby"]);
    let used = "select version like 'TLSv1.%' from pg_stat_ssl join pg_stat_activity using (pid) \
                where application_name = 'lifeboat' and usename = 'lifeboat' limit 1";
    let marker = beat(&driver, Node::Fra).await; // Its session stays open.
    assert_eq!(pair.psql(Node::Fra, used), "t");
    let log = pair.log(Node::Fra);
    assert!(log.contains("identity=\"lifeboat\" method=scram-sha-256"), "{log}");
    let streams = "select ssl from pg_stat_ssl join pg_stat_replication using (pid)";
    assert_eq!(pair.psql(Node::Fra, streams), "t", "replication is protected as well");

    await_marker(&driver, Node::Dub, marker.at).await;
    pair.kill(Node::Fra);
    let proof = act(&driver, &call(Verb::DatabaseFence)).await.fence.unwrap();
    assert_eq!(proof.method, "command");
    act(&driver, &call(Verb::DatabasePromote)).await;
    act(&driver, &call(Verb::DatabaseVerify)).await;
    pair.psql(Node::Dub, "create table t as select 1 a");
    let reverse = driver.act(&permit(), &call(Verb::DatabaseReverse)).await;
    assert!(matches!(reverse, Attempt::Applied { .. }), "{reverse:?}\n{}", pair.reverse_log());
    act(&driver, &back(Verb::DatabaseCatchUp)).await;
    assert_eq!(roles(&driver).await, ["fra standby", "dub primary"]);
    assert_eq!(pair.psql(Node::Fra, "select a from t"), "1");
    assert_eq!(pair.psql(Node::Dub, streams), "t");
}

#[tokio::test]
async fn a_read_only_fence_holds_over_tls_and_scram() {
    let pair = Pair::start_secured();
    let driver = open(&pair, &Value::Null);
    let proof = act(&driver, &call(Verb::DatabaseFence)).await.fence.unwrap();
    assert_eq!(proof.method, "readOnly");
    act(&driver, &call(Verb::DatabaseCatchUp)).await;
    act(&driver, &call(Verb::DatabasePromote)).await;
    act(&driver, &call(Verb::DatabaseVerify)).await;
}

#[tokio::test]
async fn a_server_whose_certificate_does_not_hold_gets_no_password() {
    let pair = Pair::start_secured();
    let folder = tempfile::tempdir().unwrap();
    let stranger = Authority::make(folder.path());
    let why = unknown(&with_tls(&pair, &json!({"mode": "verifyFull", "ca": stranger.file()}))).await;
    assert!(why.contains("TLS failed") && why.contains("invalid peer certificate"), "{why}");
    assert!(why.contains(&format!("{}:{}", Node::Fra.ip(), pair.port)) && !why.contains(PASSWORD), "{why}");

    // Of the right authority, but made for dub: as if somebody had turned the name of fra to another machine.
    let (certificate, key) = pair.authority().issue("elsewhere", &format!("IP:{}", Node::Dub.ip()));
    pair.certify(Node::Fra, &certificate, &key);
    crate::servers::await_until("fra's other certificate", Duration::from_secs(10), || {
        pair.try_psql(Node::Fra, "select 1").is_err()
    });
    let trusting = open(&pair, &Value::Null);
    let why = unknown(&trusting).await;
    assert!(why.contains("TLS failed") && why.contains("not valid for name"), "{why}");
    assert_eq!(logins(&pair, Node::Fra), 0, "{}", pair.log(Node::Fra));
    // The log would show a login: dub's certificate holds.
    assert!(logins(&pair, Node::Dub) > 0, "{}", pair.log(Node::Dub));

    // Nothing that changes anything goes through either.
    let fence = trusting.act(&permit(), &call(Verb::DatabaseFence)).await;
    assert!(matches!(&fence, Attempt::NotApplied { why, .. } if why.contains("TLS failed")), "{fence:?}");
}

#[tokio::test]
async fn no_tls_on_one_side_alone_is_refused_without_a_password() {
    // The server demands it, and the target says `disable`.
    let secured = Pair::start_secured();
    let why = unknown(&with_tls(&secured, &json!({"mode": "disable"}))).await;
    assert!(why.contains("rejects the login of lifeboat") && why.contains("no encryption"), "{why}");
    assert_eq!(logins(&secured, Node::Fra), 0, "{}", secured.log(Node::Fra));

    // The target demands it, and the server has none: never plain text instead.
    let plain = Pair::start_with("wal_retrieve_retry_interval = 100ms\nlog_connections = on");
    let ca = secured.authority().file();
    let why = unknown(&with_tls(&plain, &json!({"mode": "verifyFull", "ca": ca}))).await;
    assert!(why.contains("TLS failed") && why.contains("does not support TLS"), "{why}");
    assert_eq!(logins(&plain, Node::Fra), 0, "{}", plain.log(Node::Fra));
}

#[tokio::test]
async fn a_wrong_password_is_said_without_repeating_it() {
    let pair = Pair::start_secured();
    let driver = open(&pair, &Value::Null);
    let wrong = format!("{PASSWORD}-but-wrong");
    fs::write(pair.password_file(), &wrong).unwrap();
    let why = unknown(&driver).await;
    assert!(why.contains("rejects the login of lifeboat") && why.contains("28P01"), "{why}");
    let concerns = format!("{:?}", driver.preflight(&region(Node::Fra), &region(Node::Dub)).await);
    assert!(concerns.contains("correct user and password"), "{concerns}");
    let attempt = driver.act(&permit(), &call(Verb::DatabaseFence)).await;
    assert!(matches!(attempt, Attempt::NotApplied { .. }), "{attempt:?}");
    let promote = driver.observe(&call(Verb::DatabasePromote)).await;
    assert!(matches!(promote, Observed::Unknown { .. }), "a server that does not let us in is no standby: {promote:?}");
    let said = format!("{why} {concerns} {attempt:?} {promote:?} {driver:?}");
    assert!(!said.contains(PASSWORD), "{said}");

    fs::remove_file(pair.password_file()).unwrap();
    let why = unknown(&driver).await;
    assert!(why.contains("the password for lifeboat") && why.contains("cannot be had"), "{why}");
}

#[tokio::test]
async fn a_sql_probe_over_tls_tells_a_bad_certificate_from_silence() {
    let pair = Pair::start_secured();
    let spec = |ca: &std::path::Path| SqlProbe {
        url: pair.url(Node::Fra),
        user: "lifeboat".into(),
        password: Some(SecretRef::File(pair.password_file())),
        tls: Some(serde_json::from_value(json!({"mode": "verifyFull", "ca": ca})).unwrap()),
        writable: true,
    };
    let limit = Duration::from_secs(2);
    let good = sql::probe(&spec(&pair.authority().file()), limit, &Files).await;
    assert!(matches!(good, Health::Healthy { .. }), "{good:?}");
    let folder = tempfile::tempdir().unwrap();
    let bad = sql::probe(&spec(&Authority::make(folder.path()).file()), limit, &Files).await;
    assert!(matches!(&bad, Health::Unhealthy { why } if why.contains("TLS failed")), "{bad:?}");
}
