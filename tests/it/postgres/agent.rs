//! Fencing agents behind `http`: real servers of the test, which fence for real, lie, fail, and lose their answers.

use std::{
    net::{IpAddr, Ipv4Addr},
    process::Command,
    sync::atomic::{AtomicBool, Ordering},
};

use super::*;
use crate::servers::{
    agent::{Agent, Answer, Asked},
    authority::Authority,
};

/// Agents live in neither region.
const AWAY: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 3, 0, 10));
/// What `http` waits for an effect is at most this, so that the tests of agents without any end soon.
const SHORT: Duration = Duration::from_secs(6);

/// Ends fra's postmaster and makes sure that it comes back as a standby; 204, or 500 where that failed.
fn fences(pair: &Pair) -> impl Fn() -> Answer + Send + 'static {
    let script = pair.script("fence.sh");
    move || done(&script)
}

/// Whether fra is gone and cannot come back as a primary: 204 or 503.
fn verifies(pair: &Pair) -> impl Fn() -> Answer + Send + 'static {
    let script = pair.script("fence-verify.sh");
    move || if done(&script) == Answer::Status(204) { Answer::Status(204) } else { Answer::Status(503) }
}

fn done(script: &str) -> Answer {
    let done = Command::new(script).arg("fra").output().unwrap();
    Answer::Status(if done.status.success() { 204 } else { 500 })
}

/// A target that is fenced by this agent alone, with a bearer token.
fn fenced_by(pair: &Pair, agent: &Agent, verified: bool) -> Postgres {
    let token = pair.password_file().with_file_name("token");
    fs::write(&token, TOKEN).unwrap();
    let mut http = json!({"url": agent.url("/fence"), "bearer": {"file": token}});
    if verified {
        http["verifyUrl"] = json!(agent.url("/fenced"));
    }
    open(pair, &json!([{ "http": http }]))
}

/// Recognisable, so that a leak is seen.
const TOKEN: &str = "Leaky-Token-3Kd";

fn short() -> Call {
    Call { timeout: SHORT, ..call(Verb::DatabaseFence) }
}

/// Why the fence certainly did not hold.
fn not_applied(attempt: Attempt) -> String {
    match attempt {
        Attempt::NotApplied { why, .. } => why,
        other => panic!("expected NotApplied, found {other:?}"),
    }
}

#[tokio::test]
async fn an_agent_that_ends_the_old_primary_is_believed_by_what_the_server_does() {
    let pair = Pair::start();
    let fence = fences(&pair);
    let agent = Agent::start(AWAY, move |_: &Asked| fence());
    let driver = fenced_by(&pair, &agent, false);
    let proof = act(&driver, &call(Verb::DatabaseFence)).await.fence.unwrap();
    assert_eq!(proof.method, "http");
    assert!(proof.effect.contains("nothing listens"), "{}", proof.effect);

    let asked = agent.asked();
    assert_eq!(asked.len(), 1, "{asked:?}");
    assert_eq!(asked[0].method, "POST");
    assert_eq!(asked[0].header("authorization"), Some(format!("Bearer {TOKEN}").as_str()));
    assert_eq!(asked[0].header("idempotency-key"), Some("lifeboat/orders-1/step"));
    let body: Value = serde_json::from_str(&asked[0].body).unwrap();
    assert_eq!(
        body,
        json!({"run": "orders-1", "step": "step", "target": "orders-db", "source": "fra", "destination": "dub"})
    );

    act(&driver, &call(Verb::DatabasePromote)).await;
    act(&driver, &call(Verb::DatabaseVerify)).await;
    pair.start_again(Node::Fra);
    assert_eq!(roles(&driver).await, ["fra standby", "dub primary"], "it came back as a primary");
}

#[tokio::test]
async fn an_agent_that_makes_the_old_primary_read_only_is_believed_by_a_refused_write() {
    let pair = Pair::start();
    let port = pair.port.to_string();
    let agent = Agent::start(AWAY, move |_: &Asked| {
        let sql = ["alter system set default_transaction_read_only = on", "select pg_reload_conf()"];
        let psql = ["-h", Node::Fra.ip(), "-p", &port, "-U", "postgres", "-d", "orders"];
        let done = Command::new("psql").args(psql).args(sql.iter().flat_map(|one| ["-c", one])).output().unwrap();
        Answer::Status(if done.status.success() { 200 } else { 500 })
    });
    let driver = fenced_by(&pair, &agent, false);
    let proof = act(&driver, &call(Verb::DatabaseFence)).await.fence.unwrap();
    assert_eq!(proof.method, "http");
    assert!(proof.effect.contains("25006"), "{}", proof.effect);
    assert!(pair.try_psql(Node::Fra, "create table t ()").unwrap_err().contains("read-only transaction"));
}

#[tokio::test]
async fn a_silent_primary_is_fenced_by_an_agent_whose_verification_says_so() {
    let pair = Pair::start();
    pair.freeze(Node::Fra);
    let (fence, verify) = (fences(&pair), verifies(&pair));
    let agent = Agent::start(AWAY, move |asked: &Asked| if asked.method == "POST" { fence() } else { verify() });
    let driver = fenced_by(&pair, &agent, true);
    assert!(matches!(driver.observe(&call(Verb::DatabaseFence)).await, Observed::Ready { .. }), "frozen is not fenced");
    let proof = act(&driver, &call(Verb::DatabaseFence)).await.fence.unwrap();
    assert!(proof.method == "http" && proof.effect.contains("verify URL answers 2xx"), "{proof:?}");
    assert!(matches!(driver.observe(&call(Verb::DatabaseFence)).await, Observed::Already { .. }));
}

#[tokio::test]
async fn an_agent_that_says_yes_and_does_nothing_is_found_out() {
    let pair = Pair::start();
    let agent = Agent::start(AWAY, |_: &Asked| Answer::Status(200));
    for verified in [false, true] {
        // Also its verification lies: a server that is seen to accept writes is never fenced.
        let driver = fenced_by(&pair, &agent, verified);
        let why = not_applied(driver.act(&permit(), &short()).await);
        assert!(why.contains("it said that it is done, and no effect was seen"), "{why}");
        assert!(matches!(driver.observe(&short()).await, Observed::Ready { .. }));
        assert_eq!(roles(&driver).await, ["fra primary", "dub standby"]);
    }
}

#[tokio::test]
async fn an_agent_that_fails_or_cannot_be_reached_certainly_did_nothing() {
    let pair = Pair::start();
    let agent = Agent::start(AWAY, |_: &Asked| Answer::Status(500));
    let driver = fenced_by(&pair, &agent, false);
    let why = not_applied(driver.act(&permit(), &short()).await);
    assert!(why.contains("the agent answered 500"), "{why}");
    assert_eq!(agent.asked().len(), 1, "an answer is not asked for twice");

    drop(agent);
    let why = not_applied(driver.act(&permit(), &short()).await);
    assert!(why.contains("the agent could not be reached") && why.contains("nothing listens there"), "{why}");
    assert!(!why.contains(TOKEN), "{why}");
}

#[tokio::test]
async fn a_method_that_fails_leaves_the_next_one_to_fence() {
    let pair = Pair::start();
    let agent = Agent::start(AWAY, |_: &Asked| Answer::Status(500));
    let driver = open(&pair, &json!([{"http": {"url": agent.url("/fence")}}, pair.fence_command()]));
    assert_eq!(act(&driver, &call(Verb::DatabaseFence)).await.fence.unwrap().method, "command");
}

#[tokio::test]
async fn an_agent_whose_answer_is_lost_is_unknown_until_it_is_seen_what_it_did() {
    let pair = Pair::start();
    let (fence, verify) = (fences(&pair), verifies(&pair));
    let sees = Arc::new(AtomicBool::new(false));
    let eyes = Arc::clone(&sees);
    let agent = Agent::start(AWAY, move |asked: &Asked| match asked.method.as_str() {
        "POST" => {
            fence();
            Answer::Nothing
        }
        _ if eyes.load(Ordering::SeqCst) => verify(),
        _ => Answer::Status(503),
    });
    let driver = fenced_by(&pair, &agent, true);
    // It fenced, its answer was lost, and its eyes are shut: nobody knows.
    match driver.act(&permit(), &short()).await {
        Attempt::Unknown { why } => {
            assert!(why.contains("answer was lost") && why.contains("503"), "{why}");
            assert!(!why.contains(TOKEN), "{why}");
        }
        other => panic!("expected Unknown, found {other:?}"),
    }
    assert_eq!(
        agent.asked().iter().filter(|asked| asked.method == "POST").count(),
        1,
        "a lost request is not repeated"
    );
    assert!(matches!(driver.observe(&short()).await, Observed::Ready { .. }));
    sees.store(true, Ordering::SeqCst);
    match driver.observe(&short()).await {
        Observed::Already { facts, .. } => assert_eq!(facts.fence.unwrap().method, "http"),
        other => panic!("expected Already, found {other:?}"),
    }
}

#[tokio::test]
async fn a_lost_answer_is_made_up_for_by_the_verification_and_by_nothing_less() {
    let pair = Pair::start();
    let (fence, verify) = (fences(&pair), verifies(&pair));
    let agent = Agent::start(AWAY, move |asked: &Asked| {
        if asked.method == "POST" {
            fence();
            return Answer::Nothing;
        }
        verify()
    });
    // A server that refuses connections may have been refusing them before.
    match fenced_by(&pair, &agent, false).act(&permit(), &short()).await {
        Attempt::Unknown { why } => assert!(why.contains("nothing says that the method did it"), "{why}"),
        other => panic!("expected Unknown, found {other:?}"),
    }
    let proof = act(&fenced_by(&pair, &agent, true), &short()).await.fence.unwrap();
    assert!(proof.effect.contains("verify URL answers 2xx"), "{proof:?}");
}

#[tokio::test]
async fn an_agent_with_a_certificate_that_nobody_vouches_for_is_told_nothing() {
    let pair = Pair::start();
    let folder = tempfile::tempdir().unwrap();
    let (certificate, key) = Authority::make(folder.path()).issue("agent", &format!("IP:{AWAY}"));
    let agent = Agent::start_secure(AWAY, (&certificate, &key), |_: &Asked| Answer::Status(200));
    let why = not_applied(fenced_by(&pair, &agent, true).act(&permit(), &short()).await);
    assert!(why.contains("the agent could not be reached") && why.contains("UnknownIssuer"), "{why}");
    assert_eq!(agent.asked().len(), 0, "{:?}", agent.asked());
}

/// The program itself, over TLS and SCRAM to the servers and over HTTPS to the agent. A proxy is named in its environment, which
/// must not come between it and a fence.
#[test]
fn a_whole_run_over_tls_and_scram_is_fenced_by_an_https_agent() {
    let pair = Pair::start_secured();
    let (certificate, key) = pair.authority().issue("agent", &format!("IP:{AWAY}"));
    let (fence, verify) = (fences(&pair), verifies(&pair));
    let agent =
        Agent::start_secure(
            AWAY,
            (&certificate, &key),
            move |asked: &Asked| {
                if asked.method == "POST" { fence() } else { verify() }
            },
        );
    let folder = tempfile::tempdir().unwrap();
    let mut target = pair.target(&json!([{"http": {"url": agent.url("/fence"), "verifyUrl": agent.url("/fenced")}}]));
    target.as_object_mut().unwrap().remove("reverse");
    let region = |name: &str| json!({"kind": "Region", "metadata": {"name": name}, "spec": {"provider": "other"}});
    let steps = json!([
        {"name": "fence", "uses": "database.fence", "target": "orders-db"},
        {"name": "promote", "uses": "database.promote", "target": "orders-db", "needs": ["fence"]},
        {"name": "verify", "uses": "database.verify", "target": "orders-db", "needs": ["promote"]},
    ]);
    let documents = [
        region("fra"),
        region("dub"),
        json!({"kind": "Runbook", "metadata": {"name": "move"}, "spec": {"description": "Move.", "steps": steps}}),
        json!({"kind": "ProtectionGroup", "metadata": {"name": "orders"}, "spec": {
            "regions": [{"name": "fra", "role": "Preferred"}, {"name": "dub", "role": "Standby"}],
            "objectives": {"recoveryTimeSeconds": 300, "recoveryPointSeconds": 10},
            "targets": [{"name": "orders-db", "postgres": target}],
            "runbooks": {"failover": "move"},
        }}),
    ];
    let documents = documents.map(|mut document| {
        document["apiVersion"] = json!("lifeboat.dev/v1alpha1");
        document.to_string()
    });
    let file = folder.path().join("orders.yaml");
    fs::write(&file, documents.join("\n---\n")).unwrap();

    pair.kill(Node::Fra);
    let words =
        ["failover", "orders", "--accept", "DataLoss", "--reason", "a test", "--yes-i-mean", "orders", "--as", "anna"];
    let ended = Command::new(env!("CARGO_BIN_EXE_lifeboat"))
        .args(words)
        .arg("--file")
        .arg(&file)
        .arg("--data-dir")
        .arg(folder.path().join("data"))
        .env("SSL_CERT_FILE", pair.authority().file())
        .env_remove("SSL_CERT_DIR")
        .envs(["HTTPS_PROXY", "https_proxy", "ALL_PROXY"].map(|name| (name, "http://127.0.0.1:1")))
        .output()
        .unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&ended.stdout), String::from_utf8_lossy(&ended.stderr));
    assert_eq!(ended.status.code(), Some(0), "{said}\n{:?}", agent.asked());
    assert!(said.contains("fenced by http: its verify URL answers 2xx"), "{said}");
    assert!(!said.contains(PASSWORD), "{said}");
    assert_eq!(pair.psql(Node::Dub, "select pg_is_in_recovery()"), "f");
    let log = pair.log(Node::Dub);
    assert!(log.contains("identity=\"lifeboat\" method=scram-sha-256"), "{log}");
}
