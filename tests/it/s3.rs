//! The `s3` driver against real S3-compatible servers.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "what a test lacks ends the test; a test measures time itself"
)]

use std::{
    collections::HashMap,
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener},
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

use jiff::Timestamp;
use lifeboat::{
    driver::s3::S3,
    model::{Attempt, Facts, Observed, Output, RegionName, Role, RunKind, Term, Verb},
    port::{Beat, Call, Driver, Known, LeaseKey, MarkerSeen, Permit, SecretError, Secrets},
    spec::SecretRef,
};
use secrecy::SecretString;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::servers::moto::Moto;

const KEY: &str = "hush-hush-4711";

struct OneSecret;

impl Secrets for OneSecret {
    fn resolve(&self, reference: &SecretRef) -> Result<SecretString, SecretError> {
        match reference {
            SecretRef::Env(_) => Ok(KEY.into()),
            SecretRef::File(_) | SecretRef::Literal => Err(SecretError::Literal),
        }
    }
}

fn region(name: &str) -> RegionName {
    name.parse().unwrap()
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).unwrap()
}

fn driver(fra: &str, dub: &str) -> S3 {
    let key = json!({"env": "KEY"});
    let settings = json!({"members": [
        {"region": "fra", "bucket": "uploads-fra", "endpoint": fra, "accessKey": key, "secretKey": key},
        {"region": "dub", "bucket": "uploads-dub", "endpoint": dub, "accessKey": key, "secretKey": key},
    ]});
    S3::open("uploads", &settings, Arc::new(OneSecret)).unwrap()
}

/// Two regions, each with a server and a bucket, and the driver of both.
struct World {
    fra: Moto,
    dub: Moto,
    s3: S3,
    _folder: TempDir,
}

impl World {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (path, start) = (folder.path(), |ip: &str| Moto::start(ip.parse().unwrap(), folder.path()));
        assert!(path.exists());
        let (fra, dub) = thread::scope(|scope| {
            let fra = scope.spawn(|| start("127.1.0.10"));
            let dub = scope.spawn(|| start("127.2.0.10"));
            (fra.join().unwrap(), dub.join().unwrap())
        });
        fra.create_bucket("uploads-fra");
        dub.create_bucket("uploads-dub");
        let s3 = driver(&fra.url(), &dub.url());
        Self { fra, dub, s3, _folder: folder }
    }

    fn put_fra(&self, key: &str, text: &str) -> u16 {
        self.fra.put("uploads-fra", key, text.as_bytes())
    }
    fn put_dub(&self, key: &str, text: &str) -> u16 {
        self.dub.put("uploads-dub", key, text.as_bytes())
    }
    fn get_fra(&self, key: &str) -> Option<String> {
        self.fra.get("uploads-fra", key).map(|bytes| String::from_utf8(bytes).unwrap())
    }
    fn get_dub(&self, key: &str) -> Option<String> {
        self.dub.get("uploads-dub", key).map(|bytes| String::from_utf8(bytes).unwrap())
    }

    async fn act(&self, verb: Verb) -> Attempt {
        self.s3.act(&permit(), &call(verb, "fra", "dub")).await
    }
    async fn back(&self, verb: Verb) -> Attempt {
        self.s3.act(&permit(), &call(verb, "dub", "fra")).await
    }
    async fn observe(&self, verb: Verb) -> Observed {
        self.s3.observe(&call(verb, "fra", "dub")).await
    }
    async fn role(&self, name: &str) -> Role {
        self.s3.survey().await.role(&region(name)).unwrap().clone()
    }
}

fn permit() -> Permit {
    Permit::granted(LeaseKey { group: "orders".parse().unwrap(), rehearsal: false }, Term(1))
}

fn call(verb: Verb, source: &str, destination: &str) -> Call {
    Call {
        run: "orders-17".parse().unwrap(),
        kind: RunKind::Switchover,
        step: "uploads".parse().unwrap(),
        attempt: 1,
        in_doubt: false,
        verb,
        target: Some("uploads".parse().unwrap()),
        source: region(source),
        destination: region(destination),
        with: serde_json::Map::new(),
        timeout: Duration::from_mins(1),
        now: at(100),
        known: Known::default(),
    }
}

fn applied(attempt: Attempt) -> (Output, Facts) {
    match attempt {
        Attempt::Applied { output, facts } => (output, facts),
        other => panic!("expected Applied, found {other:?}"),
    }
}

fn facts(observed: Observed) -> Facts {
    match observed {
        Observed::Ready { facts } | Observed::Already { facts, .. } | Observed::Refused { facts, .. } => facts,
        Observed::Unknown { why } => panic!("unknown: {why}"),
    }
}

#[tokio::test]
async fn a_fence_is_proven_by_a_refused_write_and_lifted_again() {
    let world = World::start();
    let other = r#"{"Version":"2012-10-17","Statement":[{"Sid":"Read","Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::uploads-fra/*"}]}"#;
    assert_eq!(world.fra.ask("PUT", "/uploads-fra?policy", other.as_bytes()).0, 200);
    assert_eq!(world.put_fra("a", "1"), 200);
    assert!(matches!(world.observe(Verb::StorageFence).await, Observed::Ready { .. }));
    assert_eq!(world.role("fra").await, Role::Primary);
    assert_eq!(world.role("dub").await, Role::Standby);

    let (output, seen) = applied(world.act(Verb::StorageFence).await);
    assert_eq!(output["fenced"], true);
    let proof = seen.fence.unwrap();
    assert_eq!(proof.method, "denyPolicy");
    assert!(proof.effect.contains("403"), "{}", proof.effect);
    assert_eq!(world.put_fra("b", "2"), 403, "an application can still write");
    assert_eq!(world.put_fra("a", "2"), 403, "an application can still overwrite");
    assert_eq!(world.fra.delete("uploads-fra", "a"), 403, "an application can still delete");
    assert_eq!(world.get_fra("a").as_deref(), Some("1"), "reading goes on");
    assert_eq!(world.role("fra").await, Role::ReadOnly);
    let again = world.observe(Verb::StorageFence).await;
    assert!(matches!(&again, Observed::Already { facts, .. } if facts.fence.is_some()), "{again:?}");

    assert!(matches!(world.observe(Verb::StorageUnfence).await, Observed::Ready { .. }));
    applied(world.s3.undo(&permit(), &call(Verb::StorageFence, "fra", "dub")).await);
    assert_eq!(world.put_fra("b", "2"), 200);
    let (_, policy) = world.fra.ask("GET", "/uploads-fra?policy", &[]);
    assert_eq!(String::from_utf8(policy).unwrap(), other, "another statement was touched");
    assert!(matches!(world.observe(Verb::StorageUnfence).await, Observed::Already { .. }));
    assert_eq!(world.get_fra(".lifeboat/probe/fence"), None);
}

#[tokio::test]
async fn an_observation_and_a_survey_write_nothing() {
    let world = World::start();
    world.put_fra("a", "1");
    for verb in
        [Verb::StorageFence, Verb::StorageCatchUp, Verb::StoragePromote, Verb::StorageVerify, Verb::StorageReverse]
    {
        let _seen = world.observe(verb).await;
    }
    let _seen = world.s3.survey().await;
    let _found = world.s3.preflight(&region("fra"), &region("dub")).await;
    let listing = |moto: &Moto, bucket: &str| {
        String::from_utf8(moto.ask("GET", &format!("/{bucket}?list-type=2"), &[]).1).unwrap()
    };
    assert_eq!(listing(&world.fra, "uploads-fra").matches("<Key>").count(), 1);
    assert_eq!(listing(&world.dub, "uploads-dub").matches("<Key>").count(), 0);
}

#[tokio::test]
async fn an_object_missing_on_the_destination_is_a_loss_before_promotion_and_none_after_catching_up() {
    let world = World::start();
    for key in ["a", "b", "c"] {
        world.put_fra(key, key);
    }
    world.put_dub("a", "a");
    let seen = facts(world.observe(Verb::StoragePromote).await);
    let loss = seen.loss.unwrap();
    assert_eq!((loss.amount, loss.unit.as_str(), loss.basis.as_str()), (Some(2), "objects", "source readable"));
    assert_eq!(seen.details["firstMissing"], json!(["b", "c"]));

    let (output, seen) = applied(world.act(Verb::StorageCatchUp).await);
    assert_eq!((&output["copied"], &output["bytes"], &output["missing"]), (&json!(2), &json!(2), &json!(0)));
    assert_eq!(seen.loss.unwrap().amount, Some(0));
    assert_eq!(world.get_dub("c").as_deref(), Some("c"));
    let loss = facts(world.observe(Verb::StoragePromote).await).loss.unwrap();
    assert_eq!((loss.amount, loss.seconds), (Some(0), Some(0.0)));
}

#[tokio::test]
async fn the_loss_in_seconds_runs_from_the_last_moment_when_nothing_was_missing() {
    let world = World::start();
    let start = std::time::Instant::now();
    world.put_fra("a", "a");
    applied(world.act(Verb::StorageCatchUp).await);
    let mut told = 0.0;
    while told < 2.0 {
        world.put_fra("b", "b");
        told = facts(world.observe(Verb::StoragePromote).await).loss.unwrap().seconds.unwrap();
        // The store's times are whole seconds.
        assert!(told <= start.elapsed().as_secs_f64() + 1.0, "{told} s");
        assert!(start.elapsed() < Duration::from_mins(1), "{told} s");
    }
}

#[tokio::test]
async fn a_corrupted_copy_of_the_same_size_is_found_and_replaced() {
    let world = World::start();
    world.put_fra("a", "right");
    applied(world.act(Verb::StorageCatchUp).await);
    world.put_dub("a", "wrong");
    let loss = facts(world.observe(Verb::StoragePromote).await).loss.unwrap();
    assert_eq!(loss.amount, Some(1));
    let (output, _) = applied(world.act(Verb::StorageCatchUp).await);
    assert_eq!(output["copied"], 1);
    assert_eq!(world.get_dub("a").as_deref(), Some("right"));
}

#[tokio::test]
async fn catching_up_leaves_what_only_the_destination_has() {
    let world = World::start();
    world.put_fra("a", "a");
    world.put_dub("later", "later");
    applied(world.act(Verb::StorageCatchUp).await);
    assert_eq!(world.get_dub("later").as_deref(), Some("later"));
    // Already only with a fenced source: a writable one may write the next moment.
    assert!(matches!(world.observe(Verb::StorageCatchUp).await, Observed::Ready { .. }));
    applied(world.act(Verb::StorageFence).await);
    let seen = world.observe(Verb::StorageCatchUp).await;
    assert!(matches!(&seen, Observed::Already { output, .. } if output["missing"] == 0), "{seen:?}");
}

#[tokio::test]
async fn a_large_object_is_copied_in_parts_and_known_again_by_its_origin() {
    let world = World::start();
    let mut large = vec![0_u8; 40 * 1024 * 1024];
    for (index, byte) in large.iter_mut().enumerate() {
        *byte = u8::try_from(index % 251).unwrap();
    }
    assert_eq!(world.fra.put("uploads-fra", "large", &large), 200);
    let (output, _) = applied(world.act(Verb::StorageCatchUp).await);
    assert_eq!(output["bytes"], large.len());
    assert!(world.dub.get("uploads-dub", "large").unwrap() == large, "the copy differs");
    let (output, _) = applied(world.act(Verb::StorageCatchUp).await);
    assert_eq!(output["copied"], 0, "it was copied again");
}

#[tokio::test]
async fn many_objects_and_strange_keys_are_copied_page_by_page() {
    let world = World::start();
    for number in 0..210 {
        world.put_fra(&format!("n/{number:04}"), &number.to_string());
    }
    world.put_fra("a%20b/%C3%BC%2B", "strange");
    let (output, _) = applied(world.act(Verb::StorageCatchUp).await);
    assert_eq!((&output["copied"], &output["missing"]), (&json!(211), &json!(0)));
    assert_eq!(world.get_dub("a%20b/%C3%BC%2B").as_deref(), Some("strange"));
    assert_eq!(world.get_dub("n/0209").as_deref(), Some("209"));
}

#[tokio::test]
async fn a_switchover_and_the_way_back_lose_nothing_and_end_as_they_began() {
    let world = World::start();
    world.put_fra("a", "a1");
    world.put_fra("b", "b1");

    // There.
    applied(world.act(Verb::StorageFence).await);
    applied(world.act(Verb::StorageCatchUp).await);
    let (output, _) = applied(world.act(Verb::StoragePromote).await);
    assert_eq!((&output["objects"], &output["missing"]), (&json!(2), &json!(0)));
    assert!(matches!(world.observe(Verb::StoragePromote).await, Observed::Already { .. }));
    applied(world.act(Verb::StorageVerify).await);
    assert_eq!((world.role("fra").await, world.role("dub").await), (Role::ReadOnly, Role::Primary));
    assert_eq!(world.put_dub("a", "a2"), 200);
    assert_eq!(world.put_dub("c", "c1"), 200);
    let (output, _) = applied(world.act(Verb::StorageReverse).await);
    assert_eq!((&output["copied"], &output["fenced"]), (&json!(2), &json!(true)));
    assert_eq!((world.role("fra").await, world.role("dub").await), (Role::Standby, Role::Primary));
    assert_eq!(world.get_fra("a").as_deref(), Some("a2"));
    assert_eq!(world.get_fra(".lifeboat/replaced/orders-17/a").as_deref(), Some("a1"), "the replaced object is gone");
    assert_eq!(world.put_fra("lost", "x"), 403, "an application can still write to the old bucket");
    assert!(matches!(world.observe(Verb::StorageReverse).await, Observed::Already { .. }));

    // And back.
    assert_eq!(world.put_dub("d", "d1"), 200);
    applied(world.back(Verb::StorageFence).await);
    assert_eq!(world.put_dub("e", "e"), 403);
    let (output, _) = applied(world.back(Verb::StorageCatchUp).await);
    assert_eq!(output["copied"], 1);
    assert_eq!(world.put_fra("lost", "x"), 403, "catching up left the standby open");
    applied(world.back(Verb::StoragePromote).await);
    assert_eq!(world.put_fra("f", "f1"), 200, "the promoted bucket refuses writes");
    applied(world.back(Verb::StorageVerify).await);
    assert_eq!((world.role("fra").await, world.role("dub").await), (Role::Primary, Role::ReadOnly));
    applied(world.back(Verb::StorageReverse).await);
    assert_eq!((world.role("fra").await, world.role("dub").await), (Role::Primary, Role::Standby));
    for (key, text) in [("a", "a2"), ("b", "b1"), ("c", "c1"), ("d", "d1"), ("f", "f1")] {
        assert_eq!((world.get_fra(key).as_deref(), world.get_dub(key).as_deref()), (Some(text), Some(text)), "{key}");
    }
}

#[tokio::test]
async fn a_promotion_and_a_reverse_done_twice_end_as_done_once() {
    let world = World::start();
    world.put_fra("a", "a");
    applied(world.act(Verb::StorageCatchUp).await);
    applied(world.act(Verb::StoragePromote).await);
    applied(world.act(Verb::StoragePromote).await);
    applied(world.act(Verb::StorageReverse).await);
    applied(world.act(Verb::StorageReverse).await);
    assert_eq!((world.role("fra").await, world.role("dub").await), (Role::Standby, Role::Primary));
}

#[tokio::test]
async fn a_promoted_destination_keeps_the_source_fenced() {
    let world = World::start();
    applied(world.act(Verb::StorageFence).await);
    applied(world.act(Verb::StoragePromote).await);
    assert!(matches!(world.observe(Verb::StorageUnfence).await, Observed::Refused { .. }));
    let attempt = world.act(Verb::StorageUnfence).await;
    assert!(matches!(attempt, Attempt::NotApplied { retry: false, .. }), "{attempt:?}");
    assert_eq!(world.put_fra("a", "x"), 403);
}

#[tokio::test]
async fn a_source_that_comes_back_unfenced_after_a_failover_is_a_second_primary() {
    let mut world = World::start();
    world.fra.kill();
    applied(world.act(Verb::StoragePromote).await);
    assert!(matches!(world.role("fra").await, Role::Down(_)));
    world.fra.restart();
    world.fra.create_bucket("uploads-fra");
    assert_eq!((world.role("fra").await, world.role("dub").await), (Role::Primary, Role::Primary));
}

#[tokio::test]
async fn reversing_waits_for_the_promotion() {
    let world = World::start();
    assert!(matches!(world.observe(Verb::StorageReverse).await, Observed::Refused { .. }));
    assert!(matches!(world.act(Verb::StorageReverse).await, Attempt::NotApplied { .. }));
}

#[tokio::test]
async fn with_a_dead_source_the_loss_is_told_by_the_markers() {
    let mut world = World::start();
    let beats = world.s3.heartbeat().unwrap();
    assert_eq!(beats.beat(&region("fra"), at(10)).await, Beat::Acknowledged { position: None });
    applied(world.act(Verb::StorageCatchUp).await);
    assert_eq!(beats.beat(&region("fra"), at(17)).await, Beat::Acknowledged { position: None });
    assert_eq!(beats.newest(&region("dub")).await, Ok(Some(at(10))));
    assert_eq!(beats.newest(&region("fra")).await, Ok(Some(at(17))));
    world.fra.kill();

    let mut call = call(Verb::StoragePromote, "fra", "dub");
    let unknown = facts(world.s3.observe(&call).await).loss.unwrap();
    assert_eq!((unknown.seconds, unknown.amount), (None, None));
    call.known.onset = Some(at(30));
    let by_onset = facts(world.s3.observe(&call).await).loss.unwrap();
    assert_eq!((by_onset.seconds, by_onset.basis.as_str()), (Some(20.0), "onset"));
    let seen = MarkerSeen { target: "uploads".parse().unwrap(), region: region("fra"), at: at(17), position: None };
    call.known.marker = Some(seen);
    let seen = facts(world.s3.observe(&call).await);
    let loss = seen.loss.unwrap();
    assert_eq!((loss.seconds, loss.amount, loss.basis.as_str()), (Some(7.0), None, "last marker"));
    assert_eq!(seen.marker, Some(at(10)));
    assert!(matches!(seen.sides[0].role, Role::Down(_)), "{:?}", seen.sides);
    let (output, facts) = applied(world.s3.act(&permit(), &call).await);
    assert_eq!((&output["missing"], facts.loss.unwrap().seconds), (&Value::Null, Some(7.0)));
    assert_eq!(world.role("dub").await, Role::Primary);
}

#[tokio::test]
async fn only_the_primary_takes_heartbeats() {
    let world = World::start();
    let beats = world.s3.heartbeat().unwrap();
    assert!(matches!(beats.beat(&region("dub"), at(1)).await, Beat::Refused { .. }));
    applied(world.act(Verb::StorageFence).await);
    assert!(matches!(beats.beat(&region("fra"), at(2)).await, Beat::Refused { .. }));
    applied(world.act(Verb::StoragePromote).await);
    assert!(matches!(beats.beat(&region("dub"), at(3)).await, Beat::Acknowledged { .. }));
    applied(world.act(Verb::StorageReverse).await);
    assert!(matches!(beats.beat(&region("fra"), at(4)).await, Beat::Refused { .. }));
    assert_eq!(beats.newest(&region("fra")).await, Ok(Some(at(3))));
}

#[tokio::test]
async fn a_dead_source_is_certainly_not_fenced_and_a_silent_one_unknown() {
    let mut world = World::start();
    world.fra.freeze();
    let seen = world.observe(Verb::StorageFence).await;
    assert!(matches!(seen, Observed::Unknown { .. }), "{seen:?}");
    assert!(matches!(world.observe(Verb::StorageCatchUp).await, Observed::Unknown { .. }));
    assert!(matches!(world.role("fra").await, Role::Unknown(_)));
    world.fra.kill();
    assert!(matches!(world.observe(Verb::StorageFence).await, Observed::Ready { .. }));
    let attempt = world.act(Verb::StorageFence).await;
    assert!(matches!(&attempt, Attempt::NotApplied { why, retry: true } if why.contains("refused")), "{attempt:?}");
    assert!(matches!(world.observe(Verb::StorageCatchUp).await, Observed::Refused { .. }));
    assert!(matches!(world.act(Verb::StorageCatchUp).await, Attempt::NotApplied { retry: true, .. }));
}

#[tokio::test]
async fn without_a_lease_nothing_is_written() {
    let world = World::start();
    world.put_fra("a", "a");
    let permit = permit();
    permit.revoke();
    for verb in [Verb::StorageFence, Verb::StorageCatchUp, Verb::StoragePromote, Verb::StorageVerify] {
        let attempt = world.s3.act(&permit, &call(verb, "fra", "dub")).await;
        assert!(matches!(attempt, Attempt::NotApplied { retry: false, .. }), "{verb}: {attempt:?}");
    }
    assert_eq!(world.put_fra("b", "b"), 200);
    let (_, listing) = world.dub.ask("GET", "/uploads-dub?list-type=2", &[]);
    assert!(!String::from_utf8(listing).unwrap().contains("<Key>"));
}

#[tokio::test]
async fn preflight_names_what_is_missing_and_what_differs() {
    let mut world = World::start();
    let found =
        |concerns: Vec<lifeboat::port::Concern>| concerns.into_iter().map(|concern| concern.what).collect::<Vec<_>>();
    assert_eq!(found(world.s3.preflight(&region("fra"), &region("dub")).await), Vec::<String>::new());
    world.put_fra("a", "a");
    let what = found(world.s3.preflight(&region("fra"), &region("dub")).await);
    assert_eq!(what.len(), 1, "{what:?}");
    assert!(what[0].contains("dub lacks 1 objects of fra") && what[0].ends_with("first: a"), "{what:?}");
    world.dub.kill();
    let what = found(world.s3.preflight(&region("fra"), &region("dub")).await);
    assert!(what.iter().any(|what| what.contains("uploads-dub in dub cannot be used")), "{what:?}");
}

/// A server with one bucket whose policies are kept and not obeyed, or not known at all.
struct Lax {
    address: SocketAddr,
    objects: Arc<Mutex<HashMap<String, Vec<u8>>>>,
    policy: Arc<Mutex<Option<Vec<u8>>>>,
}

fn lax(knows_policies: bool) -> Lax {
    let listener = TcpListener::bind("127.1.0.11:0").unwrap();
    let lax = Lax { address: listener.local_addr().unwrap(), objects: Arc::default(), policy: Arc::default() };
    let (objects, policy) = (Arc::clone(&lax.objects), Arc::clone(&lax.policy));
    thread::spawn(move || {
        for stream in listener.incoming() {
            let (objects, policy) = (Arc::clone(&objects), Arc::clone(&policy));
            thread::spawn(move || {
                let mut stream = stream.unwrap();
                let mut reader = BufReader::new(stream.try_clone().unwrap());
                let (mut first, mut length) = (String::new(), 0);
                loop {
                    let mut line = String::new();
                    if reader.read_line(&mut line).unwrap_or(0) == 0 || line == "\r\n" {
                        break;
                    }
                    if let Some(text) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                        length = text.trim().parse().unwrap();
                    }
                    if first.is_empty() {
                        first = line;
                    }
                }
                let mut body = vec![0; length];
                reader.read_exact(&mut body).unwrap();
                let mut words = first.split(' ');
                let (method, target) = (words.next().unwrap(), words.next().unwrap_or_default().to_owned());
                let (path, query) = target.split_once('?').unwrap_or((&target, ""));
                let error =
                    |status: u16, code: &str| (status, format!("<Error><Code>{code}</Code></Error>").into_bytes());
                let is_policy = query.split('&').any(|part| part == "policy" || part == "policy=");
                let (status, answer) = match (method, is_policy) {
                    (_, true) if !knows_policies => error(501, "NotImplemented"),
                    ("GET", true) => policy
                        .lock()
                        .unwrap()
                        .clone()
                        .map_or_else(|| error(404, "NoSuchBucketPolicy"), |text| (200, text)),
                    ("PUT", true) => {
                        *policy.lock().unwrap() = Some(body);
                        (204, Vec::new())
                    }
                    ("DELETE", true) => {
                        *policy.lock().unwrap() = None;
                        (204, Vec::new())
                    }
                    ("GET", _) if query.contains("versioning") => {
                        let status = if knows_policies { "<Status>Enabled</Status>" } else { "" };
                        (200, format!("<VersioningConfiguration>{status}</VersioningConfiguration>").into_bytes())
                    }
                    ("GET", _) if query.contains("list-type") => {
                        (200, b"<ListBucketResult></ListBucketResult>".to_vec())
                    }
                    ("PUT", _) if query.contains("uploadId") => error(404, "NoSuchUpload"),
                    ("PUT", _) => {
                        objects.lock().unwrap().insert(path.to_owned(), body);
                        (200, Vec::new())
                    }
                    ("GET", _) => objects
                        .lock()
                        .unwrap()
                        .get(path)
                        .cloned()
                        .map_or_else(|| error(404, "NoSuchKey"), |bytes| (200, bytes)),
                    ("DELETE", _) => {
                        objects.lock().unwrap().remove(path);
                        (204, Vec::new())
                    }
                    _ => error(405, "MethodNotAllowed"),
                };
                let head = format!(
                    "HTTP/1.1 {status} x\r\ncontent-length: {}\r\netag: \"e\"\r\nconnection: close\r\n\r\n",
                    answer.len()
                );
                let _gone = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&answer));
            });
        }
    });
    lax
}

#[tokio::test]
async fn a_server_that_does_not_obey_policies_is_not_fenced_and_left_as_it_was() {
    let server = lax(true);
    let s3 = driver(&format!("http://{}", server.address), "http://127.2.0.10:1");
    let mut call = call(Verb::StorageFence, "fra", "dub");
    call.timeout = Duration::from_secs(4);
    let attempt = s3.act(&permit(), &call).await;
    assert!(
        matches!(&attempt, Attempt::NotApplied { why, retry: false } if why.contains("went on accepting writes")),
        "{attempt:?}"
    );
    assert_eq!(*server.policy.lock().unwrap(), None, "the statement was left behind");
    assert!(server.objects.lock().unwrap().is_empty(), "the probe was left behind");
}

#[tokio::test]
async fn preflight_tells_when_only_one_side_keeps_old_versions() {
    let (with, without) = (lax(true), lax(false));
    let s3 = driver(&format!("http://{}", with.address), &format!("http://{}", without.address));
    let found = s3.preflight(&region("fra"), &region("dub")).await;
    let what: Vec<_> = found.iter().map(|concern| concern.what.as_str()).collect();
    assert_eq!(what, ["old versions of objects are kept in fra and not in dub"]);
}

#[tokio::test]
async fn a_server_without_policies_is_not_fenced() {
    let server = lax(false);
    let s3 = driver(&format!("http://{}", server.address), "http://127.2.0.10:1");
    let attempt = s3.act(&permit(), &call(Verb::StorageFence, "fra", "dub")).await;
    assert!(
        matches!(&attempt, Attempt::NotApplied { why, retry: false } if why.contains("no bucket policies")),
        "{attempt:?}"
    );
}

#[tokio::test]
async fn credentials_that_may_not_write_prove_no_fence() {
    let world = World::start();
    let foreign = r#"{"Version":"2012-10-17","Statement":[{"Sid":"Theirs","Effect":"Deny","Principal":"*","Action":"s3:PutObject","Resource":"arn:aws:s3:::uploads-fra/*"}]}"#;
    assert_eq!(world.fra.ask("PUT", "/uploads-fra?policy", foreign.as_bytes()).0, 200);
    let attempt = world.act(Verb::StorageFence).await;
    assert!(
        matches!(&attempt, Attempt::NotApplied { why, retry: false } if why.contains("could not be proven")),
        "{attempt:?}"
    );
    assert!(matches!(world.role("fra").await, Role::Unknown(_)));
}

#[tokio::test]
async fn a_secret_shows_nowhere() {
    let s3 = driver("http://127.1.0.10:1", "http://127.2.0.10:1");
    let permit = permit();
    let call = call(Verb::StorageFence, "fra", "dub");
    let texts = [
        format!("{s3:?}"),
        format!("{:?}", s3.survey().await),
        format!("{:?}", s3.observe(&call).await),
        format!("{:?}", s3.act(&permit, &call).await),
        format!("{:?}", s3.preflight(&region("fra"), &region("dub")).await),
        format!("{:?}", s3.endpoints(&call)),
    ];
    for text in texts {
        assert!(!text.contains(KEY), "{text}");
    }
}

#[tokio::test]
async fn a_credential_that_cannot_be_had_is_told_by_its_reference() {
    let settings = json!({"members": [
        {"region": "fra", "bucket": "uploads-fra", "endpoint": "http://127.1.0.10:1", "accessKey": {"file": "/x"}, "secretKey": {"file": "/x"}},
        {"region": "dub", "bucket": "uploads-dub", "endpoint": "http://127.2.0.10:1", "accessKey": {"file": "/x"}, "secretKey": {"file": "/x"}},
    ]});
    let s3 = S3::open("uploads", &settings, Arc::new(OneSecret)).unwrap();
    let attempt = s3.act(&permit(), &call(Verb::StorageFence, "fra", "dub")).await;
    assert!(matches!(&attempt, Attempt::NotApplied { retry: false, .. }), "{attempt:?}");
}

#[tokio::test]
async fn a_silent_bucket_is_given_up_when_the_calls_time_is_up() {
    // Connections are accepted by the system, and nobody answers them.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", silent.local_addr().unwrap());
    let s3 = driver(&url, &url.replace("127.0.0.1", "localhost"));
    let call = Call { timeout: Duration::from_millis(300), ..call(Verb::StorageFence, "fra", "dub") };
    let start = std::time::Instant::now();
    let seen = s3.observe(&call).await;
    let attempt = s3.act(&permit(), &call).await;
    assert!(matches!(seen, Observed::Unknown { .. }), "{seen:?}");
    assert!(matches!(attempt, Attempt::Unknown { .. }), "{attempt:?}");
    assert!(start.elapsed() < Duration::from_secs(3), "one request alone is given three seconds");
}

#[tokio::test]
async fn parameters_that_a_verb_does_not_take_are_refused_before_anything_is_asked() {
    let s3 = driver("http://127.1.0.10:1", "http://127.2.0.10:1");
    let mut call = call(Verb::StoragePromote, "fra", "dub");
    call.with.insert("force".into(), true.into());
    let attempt = s3.act(&permit(), &call).await;
    assert!(matches!(&attempt, Attempt::NotApplied { why, retry: false } if why.contains("force")), "{attempt:?}");
}

#[test]
fn settings_that_would_harm_are_refused() {
    let member =
        |region: &str, bucket: &str| json!({"region": region, "bucket": bucket, "endpoint": "http://127.1.0.10:1"});
    let bad = [
        json!({"members": [member("fra", "a"), member("fra", "b")]}),
        json!({"members": [member("fra", "a"), member("dub", "a")]}),
        json!({"members": [member("fra", "a"), member("dub", "b")], "prefix": ".lifeboat/x"}),
        json!({"members": [{"region": "fra", "bucket": "a", "accessKey": {"env": "A"}}]}),
        json!({"bucket": "a"}),
    ];
    for settings in bad {
        assert!(S3::open("uploads", &settings, Arc::new(OneSecret)).is_err(), "{settings}");
    }
}

#[tokio::test]
async fn the_endpoints_of_a_call_carry_their_regions() {
    let s3 = driver("http://127.1.0.10:1", "http://127.2.0.10:2/");
    let found = s3.endpoints(&call(Verb::StorageCatchUp, "fra", "dub"));
    let shown: Vec<_> = found.iter().map(|e| (e.address.as_str(), e.region.as_ref().unwrap().as_str())).collect();
    assert_eq!(shown, [("http://127.1.0.10:1/uploads-fra", "fra"), ("http://127.2.0.10:2/uploads-dub", "dub")]);
    assert_eq!(s3.endpoints(&call(Verb::StorageVerify, "fra", "dub")).len(), 1);
}
