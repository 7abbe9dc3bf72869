//! The `postgres` driver against real pairs: fences and promotions are judged by what the servers do afterwards.

#![expect(clippy::unwrap_used, clippy::panic, clippy::format_push_string, reason = "what fails here fails the test")]

mod agent;
mod secured;

use std::{fs, sync::Arc, time::Duration};

use jiff::Timestamp;
use lifeboat::{
    driver::postgres::Postgres,
    model::{Attempt, Facts, Observed, RegionName, Role, RunKind, StepName, TargetName, Term, Verb},
    port::{Beat, Call, Concern, Driver, Health, Known, LeaseKey, MarkerSeen, Permit, SecretError, Secrets},
    probe::sql,
    spec::{SecretRef, SqlProbe},
};
use secrecy::SecretString;
use serde_json::{Map, Value, json};

use crate::servers::postgres::{Node, PASSWORD, Pair};

/// Secrets from files.
struct Files;

impl Secrets for Files {
    fn resolve(&self, reference: &SecretRef) -> Result<SecretString, SecretError> {
        match reference {
            SecretRef::File(path) => fs::read_to_string(path)
                .map(|text| text.trim_end().into())
                .map_err(|source| SecretError::File { path: path.display().to_string(), source }),
            SecretRef::Env(name) => Err(SecretError::Env { name: name.clone() }),
            SecretRef::Literal => Err(SecretError::Literal),
        }
    }
}

fn region(node: Node) -> RegionName {
    RegionName::new(node.region()).unwrap()
}

fn open(pair: &Pair, fence: &Value) -> Postgres {
    Postgres::open("orders-db", &pair.target(fence), Arc::new(Files)).unwrap()
}

/// A call that moves from `fra` to `dub`.
fn call(verb: Verb) -> Call {
    Call {
        run: "orders-1".parse().unwrap(),
        kind: RunKind::Failover,
        step: StepName::new("step").unwrap(),
        attempt: 1,
        in_doubt: false,
        verb,
        target: Some(TargetName::new("orders-db").unwrap()),
        source: region(Node::Fra),
        destination: region(Node::Dub),
        with: Map::new(),
        timeout: Duration::from_secs(30),
        now: now(),
        known: Known::default(),
    }
}

/// The same, from `dub` back to `fra`.
fn back(verb: Verb) -> Call {
    Call { source: region(Node::Dub), destination: region(Node::Fra), ..call(verb) }
}

#[expect(clippy::disallowed_methods, reason = "a test's own clock")]
fn now() -> Timestamp {
    Timestamp::now()
}

fn permit() -> Permit {
    Permit::granted(LeaseKey { group: "orders".parse().unwrap(), rehearsal: false }, Term(1))
}

async fn act(driver: &Postgres, call: &Call) -> Facts {
    match driver.act(&permit(), call).await {
        Attempt::Applied { facts, .. } => facts,
        other => panic!("{} was not applied: {other:?}", call.verb),
    }
}

async fn roles(driver: &Postgres) -> Vec<String> {
    driver.survey().await.sides.iter().map(|side| format!("{} {}", side.region, side.role)).collect()
}

async fn beat(driver: &Postgres, node: Node) -> MarkerSeen {
    let at = now();
    match driver.heartbeat().unwrap().beat(&region(node), at).await {
        Beat::Acknowledged { position } => {
            MarkerSeen { target: TargetName::new("orders-db").unwrap(), region: region(node), at, position }
        }
        Beat::Refused { why } => panic!("no heartbeat in {}: {why}", node.region()),
    }
}

async fn await_marker(driver: &Postgres, node: Node, at: Timestamp) {
    for _ in 0..1_000 {
        let newest = driver.heartbeat().unwrap().newest(&region(node)).await.unwrap();
        if newest.is_some_and(|newest| newest.as_microsecond() >= at.as_microsecond()) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("the marker did not arrive in {}", node.region());
}

#[tokio::test]
async fn each_member_is_seen_in_its_role() {
    let pair = Pair::start();
    let driver = open(&pair, &Value::Null);
    let facts = driver.survey().await;
    assert_eq!(roles(&driver).await, ["fra primary", "dub standby"]);
    assert!(facts.sides.iter().all(|side| side.position.is_some()), "{facts:?}");
    pair.kill(Node::Dub);
    assert!(matches!(driver.survey().await.role(&region(Node::Dub)), Some(Role::Down(_))));
}

#[tokio::test]
async fn a_frozen_server_is_unknown_and_not_down() {
    let pair = Pair::start();
    let driver = open(&pair, &Value::Null);
    pair.freeze(Node::Fra);
    let role = driver.survey().await.role(&region(Node::Fra)).cloned();
    let promote = driver.observe(&back(Verb::DatabasePromote)).await;
    pair.thaw(Node::Fra);
    assert!(matches!(role, Some(Role::Unknown(_))), "{role:?}");
    assert!(matches!(promote, Observed::Unknown { .. }), "a silent destination: {promote:?}");
}

#[tokio::test]
async fn a_read_only_fence_is_proven_by_a_refused_write_and_ends_open_transactions() {
    let pair = Pair::start();
    let driver = open(&pair, &Value::Null);
    pair.psql(Node::Fra, "create table t (a int)");
    let fence = call(Verb::DatabaseFence);
    assert!(matches!(driver.observe(&fence).await, Observed::Ready { .. }));

    let (writer, connection) = tokio_postgres::connect(
        &format!("host={} port={} user=postgres dbname=orders", Node::Fra.ip(), pair.port),
        tokio_postgres::NoTls,
    )
    .await
    .unwrap();
    let _writer_task = lifeboat::port::Tied::start(async move { drop(connection.await) });
    writer.batch_execute("begin; insert into t values (1)").await.unwrap();

    let facts = act(&driver, &fence).await;
    let proof = facts.fence.unwrap();
    assert_eq!(proof.method, "readOnly");
    assert!(proof.effect.contains("25006"), "{}", proof.effect);
    assert!(writer.batch_execute("commit").await.is_err(), "an open transaction outlived the fence");
    assert!(pair.try_psql(Node::Fra, "insert into t values (2)").unwrap_err().contains("read-only transaction"));
    assert!(matches!(driver.observe(&fence).await, Observed::Already { .. }));
    assert_eq!(pair.psql(Node::Fra, "select count(*) from pg_stat_replication"), "1", "standbys go on streaming");
}

#[tokio::test]
async fn a_flag_with_an_older_session_is_no_fence_yet() {
    let pair = Pair::start();
    let driver = open(&pair, &Value::Null);
    let (older, connection) = tokio_postgres::connect(
        &format!("host={} port={} user=postgres dbname=orders", Node::Fra.ip(), pair.port),
        tokio_postgres::NoTls,
    )
    .await
    .unwrap();
    let _older_task = lifeboat::port::Tied::start(async move { drop(connection.await) });
    older.batch_execute("begin; create table t (a int)").await.unwrap();
    // As after a crash between the change and the end of the sessions.
    pair.psql(Node::Fra, "alter system set default_transaction_read_only = on");
    pair.psql(Node::Fra, "select pg_reload_conf()");
    for _ in 0..500 {
        if pair.psql(Node::Fra, "show default_transaction_read_only") == "on" {
            break;
        }
    }
    let observed = driver.observe(&call(Verb::DatabaseFence)).await;
    assert!(matches!(observed, Observed::Ready { .. }), "{observed:?}");
}

#[tokio::test]
async fn a_dead_server_is_not_fenced_by_read_only() {
    let pair = Pair::start();
    let driver = open(&pair, &Value::Null);
    pair.kill(Node::Fra);
    assert!(matches!(driver.observe(&call(Verb::DatabaseFence)).await, Observed::Ready { .. }));
    match driver.act(&permit(), &call(Verb::DatabaseFence)).await {
        Attempt::NotApplied { why, .. } => {
            assert!(why.contains("readOnly") && why.contains("command or http method"), "{why}");
        }
        other => panic!("a refused connection counted as a fence: {other:?}"),
    }
}

#[tokio::test]
async fn a_dead_server_is_fenced_by_a_command_that_is_verified() {
    let pair = Pair::start();
    let driver = open(&pair, &json!([{"readOnly": {}}, pair.fence_command()]));
    pair.kill(Node::Fra);
    let fence = call(Verb::DatabaseFence);
    let proof = act(&driver, &fence).await.fence.unwrap();
    assert_eq!(proof.method, "command");
    assert!(proof.effect.contains("verify program exits 0"), "{}", proof.effect);
    assert!(matches!(driver.observe(&fence).await, Observed::Already { .. }));
    pair.start_again(Node::Fra);
    assert_eq!(pair.psql(Node::Fra, "select pg_is_in_recovery()"), "t", "it came back as a primary");
}

#[tokio::test]
async fn a_frozen_server_is_fenced_by_a_command_and_not_by_one_that_lies() {
    let pair = Pair::start();
    pair.freeze(Node::Fra);
    let lying = open(&pair, &json!([{"command": {"run": ["true"]}}]));
    let short = Call { timeout: Duration::from_secs(4), ..call(Verb::DatabaseFence) };
    match lying.act(&permit(), &short).await {
        Attempt::NotApplied { why, .. } => assert!(why.contains("silent server"), "{why}"),
        other => panic!("silence counted as a fence: {other:?}"),
    }
    let driver = open(&pair, &json!([pair.fence_command()]));
    assert_eq!(act(&driver, &call(Verb::DatabaseFence)).await.fence.unwrap().method, "command");
}

#[tokio::test]
async fn a_command_that_fails_or_does_nothing_is_no_fence_of_a_living_server() {
    let pair = Pair::start();
    for words in [json!(["true"]), json!(["false"]), json!(["/nowhere/fence"])] {
        let driver = open(&pair, &json!([{"command": {"run": words, "verify": ["true"]}}]));
        let short = Call { timeout: Duration::from_secs(6), ..call(Verb::DatabaseFence) };
        let attempt = driver.act(&permit(), &short).await;
        assert!(matches!(attempt, Attempt::NotApplied { .. }), "{words}: {attempt:?}");
    }
}

#[tokio::test]
async fn a_standby_of_a_dead_source_is_promoted_and_takes_a_write() {
    let pair = Pair::start();
    let driver = open(&pair, &json!([pair.fence_command()]));
    let marker = beat(&driver, Node::Fra).await;
    await_marker(&driver, Node::Dub, marker.at).await;
    pair.kill(Node::Fra);
    act(&driver, &call(Verb::DatabaseFence)).await;

    let promote = Call { known: Known { marker: Some(marker.clone()), onset: None }, ..call(Verb::DatabasePromote) };
    match driver.observe(&promote).await {
        Observed::Ready { facts } => {
            let loss = facts.loss.unwrap();
            assert_eq!((loss.seconds, loss.amount, loss.basis.as_str()), (Some(0.0), None, "last marker"));
        }
        other => panic!("{other:?}"),
    }
    match driver.act(&permit(), &promote).await {
        Attempt::Applied { output, facts } => {
            assert_eq!(output["timeline"], json!(2));
            assert_eq!(output["lost_bytes"], json!(null));
            assert_eq!(facts.marker.map(Timestamp::as_microsecond), Some(marker.at.as_microsecond()));
        }
        other => panic!("{other:?}"),
    }
    act(&driver, &call(Verb::DatabaseVerify)).await;
    assert!(matches!(driver.observe(&promote).await, Observed::Already { .. }));
}

#[tokio::test]
async fn what_a_lagging_standby_lacks_shows_in_the_loss() {
    let pair = Pair::start();
    let driver = open(&pair, &Value::Null);
    let first = beat(&driver, Node::Fra).await;
    await_marker(&driver, Node::Dub, first.at).await;
    pair.hold_back(Node::Dub);
    pair.psql(Node::Fra, "create table t as select generate_series(1, 1000) a");
    let last = beat(&driver, Node::Fra).await;
    let apart = last.at.duration_since(first.at).as_secs_f64();

    let readable = driver.observe(&call(Verb::DatabasePromote)).await;
    let Observed::Ready { facts } = readable else { panic!("{readable:?}") };
    let exact = facts.loss.unwrap();
    assert_eq!(exact.basis, "source readable");
    assert!(exact.amount.unwrap() > 10_000 && (exact.seconds.unwrap() - apart).abs() < 0.001, "{exact}");

    pair.kill(Node::Fra);
    let promote = Call { known: Known { marker: Some(last.clone()), onset: None }, ..call(Verb::DatabasePromote) };
    let silent_source = driver.observe(&promote).await;
    let Observed::Ready { facts } = silent_source else { panic!("{silent_source:?}") };
    let estimate = facts.loss.unwrap();
    assert_eq!(estimate.basis.as_str(), "last marker");
    assert!((estimate.seconds.unwrap() - apart).abs() < 0.001, "{estimate} and {apart}");
    let measured = act(&driver, &promote).await.loss.unwrap();
    assert_eq!((measured.seconds, measured.amount), (estimate.seconds, estimate.amount), "measured as estimated");
}

#[tokio::test]
async fn the_loss_of_a_dead_source_that_nobody_watched_is_unknown_and_not_none() {
    let pair = Pair::start();
    pair.kill(Node::Fra);
    let observed = open(&pair, &Value::Null).observe(&call(Verb::DatabasePromote)).await;
    let Observed::Ready { facts } = observed else { panic!("{observed:?}") };
    let loss = facts.loss.unwrap();
    assert_eq!((loss.seconds, loss.amount), (None, None));
}

#[tokio::test]
async fn a_fence_that_somebody_takes_away_shows_as_a_primary() {
    let pair = Pair::start();
    let driver = open(&pair, &Value::Null);
    act(&driver, &call(Verb::DatabaseFence)).await;
    let held = driver.observe(&call(Verb::DatabasePromote)).await;
    let Observed::Ready { facts } = held else { panic!("{held:?}") };
    assert_eq!(facts.role(&region(Node::Fra)), Some(&Role::ReadOnly));
    assert_eq!(facts.loss.unwrap().amount, Some(0));

    pair.psql(Node::Fra, "alter system reset default_transaction_read_only");
    pair.psql(Node::Fra, "select pg_reload_conf()");
    for _ in 0..500 {
        if pair.psql(Node::Fra, "show default_transaction_read_only") == "off" {
            break;
        }
    }
    let gone = driver.observe(&call(Verb::DatabasePromote)).await;
    let Observed::Ready { facts } = gone else { panic!("{gone:?}") };
    assert_eq!(facts.role(&region(Node::Fra)), Some(&Role::Primary));
}

#[tokio::test]
async fn a_standby_that_is_none_is_refused() {
    let pair = Pair::start();
    let driver = open(&pair, &Value::Null);
    pair.kill(Node::Dub);
    // Towards the living primary: both accept writes after this, or it is the primary already.
    let primary = driver.observe(&back(Verb::DatabasePromote)).await;
    assert!(matches!(primary, Observed::Already { .. }), "{primary:?}");
    act(&driver, &call(Verb::DatabaseFence)).await;
    match driver.observe(&back(Verb::DatabasePromote)).await {
        Observed::Refused { expected, found, .. } => {
            assert_eq!((expected.as_str(), found.as_str()), ("a standby", "fra is read-only"));
        }
        other => panic!("{other:?}"),
    }
    match driver.observe(&call(Verb::DatabasePromote)).await {
        Observed::Refused { found, .. } => assert!(found.starts_with("dub is down"), "{found}"),
        other => panic!("{other:?}"),
    }
    let attempt = driver.act(&permit(), &back(Verb::DatabasePromote)).await;
    assert!(matches!(attempt, Attempt::NotApplied { .. }), "{attempt:?}");
}

#[tokio::test]
async fn a_switchover_loses_nothing_and_its_way_back_is_writable() {
    let pair = Pair::start();
    let driver = open(&pair, &Value::Null);
    pair.psql(Node::Fra, "create table t as select generate_series(1, 20000) a");
    act(&driver, &call(Verb::DatabaseFence)).await;
    act(&driver, &call(Verb::DatabaseCatchUp)).await;
    match driver.observe(&call(Verb::DatabaseCatchUp)).await {
        Observed::Already { output, .. } => assert_eq!(output["lag_bytes"], json!(0)),
        other => panic!("{other:?}"),
    }
    let lost = act(&driver, &call(Verb::DatabasePromote)).await.loss.unwrap();
    assert_eq!((lost.seconds, lost.amount), (Some(0.0), Some(0)));
    assert_eq!(pair.psql(Node::Dub, "select count(*) from t"), "20000");

    // The fenced source becomes a standby and keeps its flag; promoting it must take the flag away.
    act(&driver, &call(Verb::DatabaseReverse)).await;
    act(&driver, &back(Verb::DatabaseFence)).await;
    act(&driver, &back(Verb::DatabaseCatchUp)).await;
    act(&driver, &back(Verb::DatabasePromote)).await;
    act(&driver, &back(Verb::DatabaseVerify)).await;
    pair.psql(Node::Fra, "insert into t values (0)");
}

#[tokio::test]
async fn catching_up_with_a_standby_that_does_not_stream_says_how_much_is_missing() {
    let pair = Pair::start();
    let driver = open(&pair, &Value::Null);
    pair.hold_back(Node::Dub);
    pair.psql(Node::Fra, "create table t as select generate_series(1, 1000) a");
    let with = json!({"within": 1}).as_object().unwrap().clone();
    match driver.act(&permit(), &Call { with, ..call(Verb::DatabaseCatchUp) }).await {
        Attempt::NotApplied { why, retry } => {
            assert!(retry && why.contains("bytes") && why.contains("no WAL receiver"), "{why}");
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn the_old_primary_comes_back_as_a_standby_through_pg_rewind() {
    let pair = Pair::start();
    let driver = open(&pair, &json!([pair.fence_command()]));
    pair.psql(Node::Fra, "create table t (a int)");
    act(&driver, &call(Verb::DatabaseCatchUp)).await;
    pair.hold_back(Node::Dub);
    pair.psql(Node::Fra, "insert into t values (1)"); // Written and lost: the histories part here.
    pair.kill(Node::Fra);
    act(&driver, &call(Verb::DatabaseFence)).await;
    act(&driver, &call(Verb::DatabasePromote)).await;
    pair.psql(Node::Dub, "insert into t values (2)");
    let reverse = call(Verb::DatabaseReverse);
    assert!(matches!(driver.observe(&reverse).await, Observed::Ready { .. }));
    let attempt = driver.act(&permit(), &reverse).await;
    assert!(matches!(attempt, Attempt::Applied { .. }), "{attempt:?}\n{}", pair.reverse_log());
    assert!(matches!(driver.observe(&reverse).await, Observed::Already { .. }));
    assert_eq!(roles(&driver).await, ["fra standby", "dub primary"]);
    act(&driver, &back(Verb::DatabaseCatchUp)).await;
    assert_eq!(pair.psql(Node::Fra, "select string_agg(a::text, ',') from t"), "2");
    let log = pair.reverse_log();
    assert!(log.contains("pg_rewind: Done!"), "{log}");
}

#[tokio::test]
async fn what_an_old_primary_wrote_after_it_was_left_behind_is_seen_before_it_is_reversed() {
    let pair = Pair::start();
    let driver = open(&pair, &Value::Null);
    pair.psql(Node::Fra, "create table t (a int)");
    act(&driver, &call(Verb::DatabaseFence)).await;
    act(&driver, &call(Verb::DatabasePromote)).await;
    pair.psql(Node::Dub, "insert into t select generate_series(1, 100)");
    let alone = async || match driver.observe(&call(Verb::DatabaseReverse)).await {
        Observed::Ready { facts } => facts.divergence,
        other => panic!("{other:?}"),
    };
    assert_eq!(alone().await, None, "its history ends where the other's went on");
    // Somebody makes it writable again, an application finds it, somebody closes it.
    for order in
        ["begin read write; insert into t values (7); commit", "begin read write; insert into t values (8); commit"]
    {
        pair.psql(Node::Fra, order);
    }
    let found = alone().await.expect("what it holds alone");
    assert_eq!(found.region, region(Node::Fra));
    assert!(found.amount.is_some_and(|amount| amount >= 2), "{found}");
    assert!(found.to_string().contains("of timeline 1, the other at"), "{found}");
}

#[tokio::test]
async fn before_a_fence_it_is_seen_whether_the_destination_follows() {
    let pair = Pair::start();
    let driver = open(&pair, &Value::Null);
    let fence = async || match driver.observe(&call(Verb::DatabaseFence)).await {
        Observed::Ready { facts } => facts,
        other => panic!("{other:?}"),
    };
    let facts = fence().await;
    assert_eq!((facts.replicates, facts.loss), (Some(true), None));
    pair.hold_back(Node::Dub);
    pair.psql(Node::Fra, "create table t as select generate_series(1, 1000) a");
    let facts = fence().await;
    assert_eq!(facts.replicates, Some(false));
    assert!(facts.loss.is_some_and(|loss| loss.amount.is_some_and(|bytes| bytes > 0)));
}

#[tokio::test]
async fn a_setting_that_was_raised_on_the_primary_alone_is_a_concern_with_both_figures() {
    let pair = Pair::start();
    let driver = open(&pair, &Value::Null);
    let concerns = async || driver.preflight(&region(Node::Fra), &region(Node::Dub)).await;
    let about = |concerns: &[lifeboat::port::Concern], what: &str| concerns.iter().any(|one| one.what.contains(what));
    let sound = concerns().await;
    for lack in ["runs PostgreSQL", "replay pauses", "more sessions"] {
        assert!(!about(&sound, lack), "{lack}: {sound:?}");
    }
    pair.psql(Node::Fra, "alter system set max_worker_processes = 23");
    pair.kill(Node::Fra);
    pair.start_again(Node::Fra);
    let found = concerns().await;
    let own = pair.psql(Node::Dub, "show max_worker_processes");
    assert!(about(&found, &format!("max_worker_processes is {own} in dub and 23 in fra: replay pauses")), "{found:?}");
}

#[tokio::test]
async fn where_pg_rewind_cannot_work_the_old_primary_comes_back_through_pg_basebackup() {
    let pair = Pair::start_with("wal_retrieve_retry_interval = 100ms\nwal_log_hints = off");
    let driver = open(&pair, &json!([pair.fence_command()]));
    let concerns = driver.preflight(&region(Node::Fra), &region(Node::Dub)).await;
    assert!(concerns.iter().any(|concern| concern.what.contains("pg_rewind cannot bring it back")), "{concerns:?}");
    pair.psql(Node::Fra, "create table t (a int)");
    act(&driver, &call(Verb::DatabaseCatchUp)).await;
    pair.hold_back(Node::Dub);
    pair.psql(Node::Fra, "insert into t values (1)"); // Written and lost: the histories part here.
    pair.kill(Node::Fra);
    act(&driver, &call(Verb::DatabaseFence)).await;
    act(&driver, &call(Verb::DatabasePromote)).await;
    pair.psql(Node::Dub, "insert into t values (2)");
    let attempt = driver.act(&permit(), &call(Verb::DatabaseReverse)).await;
    let log = pair.reverse_log();
    assert!(matches!(attempt, Attempt::Applied { .. }), "{attempt:?}\n{log}");
    assert!(log.contains("pg_rewind: error: target server needs to use either data checksums"), "{log}");
    assert!(!log.contains("pg_rewind: Done!"), "{log}");
    assert_eq!(roles(&driver).await, ["fra standby", "dub primary"]);
    act(&driver, &back(Verb::DatabaseCatchUp)).await;
    assert_eq!(pair.psql(Node::Fra, "select string_agg(a::text, ',') from t"), "2");
    // A copy of dub, down to the timeline; and it can be moved back to.
    act(&driver, &back(Verb::DatabaseFence)).await;
    act(&driver, &back(Verb::DatabasePromote)).await;
    act(&driver, &back(Verb::DatabaseVerify)).await;
}

#[tokio::test]
async fn a_reverse_program_that_says_done_and_starts_nothing_is_not_waited_for_to_the_end() {
    let pair = Pair::start();
    let mut target = pair.target(&json!([pair.fence_command()]));
    target["reverse"] = json!({"run": ["true"]});
    let driver = Postgres::open("orders-db", &target, Arc::new(Files)).unwrap();
    pair.kill(Node::Fra);
    act(&driver, &call(Verb::DatabaseFence)).await;
    act(&driver, &call(Verb::DatabasePromote)).await;
    let reverse = Call { timeout: Duration::from_secs(20), ..call(Verb::DatabaseReverse) };
    match driver.act(&permit(), &reverse).await {
        Attempt::NotApplied { why, retry: true } => {
            assert!(why.starts_with("the program said done, and fra is down (") && why.contains("ever since"), "{why}");
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn reversing_a_source_that_still_writes_is_refused() {
    let pair = Pair::start();
    let driver = open(&pair, &Value::Null);
    pair.hold_back(Node::Dub);
    act(&driver, &call(Verb::DatabasePromote)).await; // Nobody fenced.
    let observed = driver.observe(&call(Verb::DatabaseReverse)).await;
    assert!(matches!(observed, Observed::Refused { .. }), "{observed:?}");
    let attempt = driver.act(&permit(), &call(Verb::DatabaseReverse)).await;
    assert!(matches!(attempt, Attempt::NotApplied { retry: false, .. }), "{attempt:?}");
    assert_eq!(pair.reverse_log(), "");
}

#[tokio::test]
async fn a_fence_is_taken_back_only_while_nobody_else_is_the_primary() {
    let pair = Pair::start();
    let driver = open(&pair, &Value::Null);
    let fence = call(Verb::DatabaseFence);
    act(&driver, &fence).await;
    assert!(matches!(driver.undo(&permit(), &fence).await, Attempt::Applied { .. }));
    assert_eq!(roles(&driver).await, ["fra primary", "dub standby"]);

    act(&driver, &fence).await;
    pair.freeze(Node::Dub);
    let unknown = driver.undo(&permit(), &fence).await;
    pair.thaw(Node::Dub);
    assert!(matches!(unknown, Attempt::NotApplied { retry: true, .. }), "un-fenced on unknown: {unknown:?}");

    act(&driver, &call(Verb::DatabasePromote)).await;
    let after = driver.undo(&permit(), &fence).await;
    assert!(matches!(after, Attempt::NotApplied { retry: false, .. }), "{after:?}");
    assert_eq!(roles(&driver).await, ["fra read-only", "dub primary"]);
}

#[tokio::test]
async fn nothing_is_done_without_the_lease() {
    let pair = Pair::start();
    let driver = open(&pair, &json!([{"readOnly": {}}, pair.fence_command()]));
    let lost = permit();
    lost.revoke();
    for verb in [Verb::DatabaseFence, Verb::DatabasePromote, Verb::DatabaseVerify, Verb::DatabaseReverse] {
        let attempt = driver.act(&lost, &call(verb)).await;
        assert!(matches!(attempt, Attempt::NotApplied { retry: false, .. }), "{verb}: {attempt:?}");
    }
    assert_eq!(roles(&driver).await, ["fra primary", "dub standby"]);
}

#[tokio::test]
async fn a_heartbeat_goes_on_after_its_session_was_ended_and_is_refused_by_a_standby() {
    let pair = Pair::start();
    let driver = open(&pair, &Value::Null);
    let first = beat(&driver, Node::Fra).await;
    pair.psql(Node::Fra, "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'lifeboat'");
    let second = beat(&driver, Node::Fra).await;
    assert!(second.position > first.position, "{first:?} {second:?}");
    await_marker(&driver, Node::Dub, second.at).await;
    let standby = driver.heartbeat().unwrap().beat(&region(Node::Dub), now()).await;
    assert!(matches!(&standby, Beat::Refused { why } if why.contains("25006")), "{standby:?}");
}

#[tokio::test]
async fn looking_ahead_finds_what_stalls_a_promotion() {
    let pair = Pair::start_with("wal_retrieve_retry_interval = 5s");
    let concerns = |fence: Value| {
        let driver = open(&pair, &fence);
        async move { driver.preflight(&region(Node::Fra), &region(Node::Dub)).await }
    };
    let found = concerns(json!([{"readOnly": {}}, pair.fence_command()])).await;
    assert!(matches!(found.as_slice(), [Concern { what, .. }] if what.contains("is 5000 ms")), "{found:?}");
    let found = concerns(Value::Null).await;
    assert!(found.iter().any(|one| one.what.contains("only fence method is readOnly")), "{found:?}");

    fs::write(pair.password_file(), "wrong").unwrap();
    let found = concerns(Value::Null).await;
    assert_eq!(found.iter().filter(|one| one.what.contains("28P01")).count(), 2, "one a member: {found:?}");
}

#[tokio::test]
async fn the_password_is_nowhere_to_be_seen() {
    let pair = Pair::start();
    let driver = open(&pair, &json!([{"readOnly": {}}, pair.fence_command()]));
    let mut seen = format!("{driver:?} {:?} {:?}", beat(&driver, Node::Fra).await, driver.survey().await);
    for verb in [Verb::DatabaseFence, Verb::DatabasePromote, Verb::DatabaseVerify, Verb::DatabaseReverse] {
        seen += &format!("{:?}", driver.observe(&call(verb)).await);
        seen += &format!("{:?}", driver.act(&permit(), &call(verb)).await);
        seen += &format!("{:?} {:?}", driver.endpoints(&call(verb)), call(verb));
    }
    // A wrong password is no less a secret.
    fs::write(pair.password_file(), format!("{PASSWORD}-but-wrong")).unwrap();
    seen += &format!("{:?}", driver.survey().await);
    seen += &format!("{:?}", driver.preflight(&region(Node::Fra), &region(Node::Dub)).await);
    assert!(seen.contains("28P01"), "{seen}");
    assert!(!seen.contains(PASSWORD), "{seen}");
}

#[tokio::test]
async fn letting_a_server_write_again_that_is_down_may_be_tried_again() {
    let pair = Pair::start();
    let driver = open(&pair, &Value::Null);
    pair.kill(Node::Fra);
    let attempt = driver.act(&permit(), &call(Verb::DatabaseUnfence)).await;
    assert!(matches!(attempt, Attempt::NotApplied { retry: true, .. }), "{attempt:?}");
    // A standby does not become a fenced primary by waiting.
    let attempt = driver.act(&permit(), &back(Verb::DatabaseUnfence)).await;
    assert!(matches!(attempt, Attempt::NotApplied { retry: false, .. }), "{attempt:?}");
}

#[tokio::test]
async fn parameters_that_a_verb_does_not_take_are_refused_before_anything_is_asked() {
    let member = |region: &str| json!({"region": region, "url": "postgres://127.0.0.1:1/orders", "user": "lifeboat"});
    let settings = json!({"members": [member("fra"), member("dub")]});
    let driver = Postgres::open("orders-db", &settings, Arc::new(Files)).unwrap();
    let mut forced = call(Verb::DatabasePromote);
    forced.with.insert("force".into(), true.into());
    let attempt = driver.act(&permit(), &forced).await;
    assert!(matches!(&attempt, Attempt::NotApplied { why, retry: false } if why.contains("force")), "{attempt:?}");
}

#[tokio::test]
async fn a_sql_probe_tells_unwell_from_silent() {
    let pair = Pair::start();
    let spec = |node: Node, writable: bool| SqlProbe {
        url: pair.url(node),
        user: "lifeboat".into(),
        password: Some(SecretRef::File(pair.password_file())),
        tls: Some(serde_json::from_value(json!({"mode": "disable"})).unwrap()),
        writable,
    };
    let limit = Duration::from_secs(1);
    let probe = async |node, writable| sql::probe(&spec(node, writable), limit, &Files).await;
    assert!(matches!(probe(Node::Fra, true).await, Health::Healthy { .. }));
    assert!(matches!(probe(Node::Dub, false).await, Health::Healthy { .. }));
    assert!(matches!(probe(Node::Dub, true).await, Health::Unhealthy { why } if why.contains("found a standby")));
    pair.freeze(Node::Fra);
    let frozen = probe(Node::Fra, true).await;
    pair.thaw(Node::Fra);
    assert!(matches!(frozen, Health::Silent { .. }), "{frozen:?}");
    pair.kill(Node::Dub);
    assert!(matches!(probe(Node::Dub, false).await, Health::Unhealthy { why } if why.contains("nothing listens")));
    // TLS is the default, and this server has none: never a silent fall back to plain text.
    let tls = SqlProbe { tls: None, ..spec(Node::Fra, true) };
    let refused = sql::probe(&tls, limit, &Files).await;
    assert!(!matches!(refused, Health::Healthy { .. }), "{refused:?}");
}
