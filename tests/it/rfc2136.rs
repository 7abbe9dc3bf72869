//! DNS switches against real BIND servers.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream, UdpSocket},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use futures::future::{BoxFuture, join};
use jiff::{SignedDuration, Timestamp};
use lifeboat::{
    driver::rfc2136::Rfc2136,
    model::{Attempt, Facts, GroupName, Observed, Output, RegionName, Role, RunKind, StepName, TargetName, Term, Verb},
    net::dns::{self, Answer, Expect, Key, Replacement, Reply, RrSet},
    port::{Call, Clock, Driver, Known, LeaseKey, Permit, SecretError, Secrets, SystemClock},
    spec::{RecordType, SecretRef, TsigAlgorithm, TsigKey},
};
use secrecy::SecretString;
use serde_json::{Map, Value, json};

use crate::servers::{
    bind::{Bind, KEY, Line, SECRET},
    free_port,
};

const FRA: &str = "10.1.0.80";
const DUB: &str = "10.2.0.80";
const AMS: &str = "10.3.0.80";
const WWW: Line<'static> = ("www", 60, "A", FRA);

struct Fixed(&'static str);

impl Secrets for Fixed {
    fn resolve(&self, _: &SecretRef) -> Result<SecretString, SecretError> {
        Ok(SecretString::from(self.0))
    }
}

/// A machine whose clock is an hour ahead.
struct Ahead(SystemClock);

impl Clock for Ahead {
    fn now(&self) -> Timestamp {
        self.0.now() + SignedDuration::from_hours(1)
    }
    fn monotonic(&self) -> Duration {
        self.0.monotonic()
    }
    fn sleep(&self, time: Duration) -> BoxFuture<'static, ()> {
        self.0.sleep(time)
    }
}

fn region(name: &str) -> RegionName {
    RegionName::new(name).unwrap()
}

fn www() -> Value {
    json!({"name": "www.dr.test", "type": "A", "ttlSeconds": 30, "byRegion": [
        {"region": "fra", "values": [FRA]}, {"region": "dub", "values": [DUB]}, {"region": "ams", "values": [AMS]},
    ]})
}

fn settings(primary: SocketAddr, others: &[SocketAddr], key: &str, records: &[Value]) -> Value {
    json!({
        "zone": "dr.test", "server": primary.to_string(),
        "authoritative": others.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "key": {"name": key, "algorithm": "hmac-sha256", "secret": {"env": "TSIG_SECRET"}},
        "records": records,
    })
}

fn open_with(settings: &Value, secret: &'static str) -> Rfc2136 {
    Rfc2136::open(&TargetName::new("names").unwrap(), settings, Arc::new(Fixed(secret))).unwrap()
}

fn open(servers: &[&Bind]) -> Rfc2136 {
    let others: Vec<_> = servers[1..].iter().map(|server| server.address()).collect();
    open_with(&settings(servers[0].address(), &others, KEY, &[www()]), SECRET)
}

fn permit() -> Permit {
    Permit::granted(LeaseKey { group: GroupName::new("orders").unwrap(), rehearsal: false }, Term(1))
}

fn call_to(verb: Verb, from: &str, to: &str, timeout: Duration) -> Call {
    Call {
        run: "orders-1".parse().unwrap(),
        kind: RunKind::Failover,
        step: StepName::new("dns").unwrap(),
        attempt: 1,
        in_doubt: false,
        verb,
        target: Some(TargetName::new("names").unwrap()),
        source: region(from),
        destination: region(to),
        with: Map::new(),
        timeout,
        now: SystemClock::start().now(),
        known: Known::default(),
    }
}

fn switch() -> Call {
    call_to(Verb::DnsSwitch, "fra", "dub", Duration::from_secs(20))
}

async fn act(driver: &Rfc2136, call: &Call) -> Attempt {
    driver.act(&permit(), call).await
}

fn applied(attempt: Attempt) -> (Output, Facts) {
    match attempt {
        Attempt::Applied { output, facts } => (output, facts),
        other => panic!("expected applied, found {other:?}"),
    }
}

fn not_applied(attempt: Attempt) -> (String, bool) {
    match attempt {
        Attempt::NotApplied { why, retry } => (why, retry),
        other => panic!("expected not applied, found {other:?}"),
    }
}

fn unknown(attempt: Attempt) -> String {
    match attempt {
        Attempt::Unknown { why } => why,
        other => panic!("expected unknown, found {other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_switch_is_applied_and_read_back_from_both_servers_and_taken_back() {
    let folder = tempfile::tempdir().unwrap();
    let (first, second) = Bind::pair(folder.path(), &[WWW]);
    let driver = open(&[&first, &second]);
    let Observed::Ready { facts } = driver.observe(&switch()).await else { panic!("not ready") };
    assert_eq!(facts.details["records"][0]["values"], json!([FRA]));
    assert_eq!(facts.details["records"][0]["ttl_seconds"], 60);
    let before = first.serial();

    let (output, _) = applied(act(&driver, &switch()).await);
    for server in [&first, &second] {
        assert_eq!(server.values("www", "A"), [DUB], "{}", server.address());
    }
    assert_eq!(output["serial"], before + 1);
    assert_eq!(output["ttl_seconds"], 30);
    assert_eq!(output["stale_until_seconds"], 60);
    assert_eq!(output["servers"], json!([first.address().to_string(), second.address().to_string()]));
    let found =
        dns::ask(first.address(), &dns::name("www.dr.test").unwrap(), RecordType::A, Duration::from_secs(5)).await;
    assert!(matches!(&found, Answer::Records(set) if set.ttl == 30), "{found:?}");

    let Observed::Already { output, .. } = driver.observe(&switch()).await else { panic!("not already") };
    assert_eq!(output.keys().collect::<Vec<_>>(), ["ttl_seconds", "serial", "servers", "stale_until_seconds"]);
    applied(act(&driver, &switch()).await);
    assert_eq!(first.serial(), before + 1, "an act on what is already so sends nothing");

    applied(driver.undo(&permit(), &switch()).await);
    for server in [&first, &second] {
        assert_eq!(server.values("www", "A"), [FRA], "{}", server.address());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_the_server_does_not_accept_is_explained_and_nothing_changes() {
    let folder = tempfile::tempdir().unwrap();
    let bind = Bind::primary(folder.path(), &[WWW]);
    let with = |key: &str, secret| open_with(&settings(bind.address(), &[], key, &[www()]), secret);
    let algorithm = {
        let mut settings = settings(bind.address(), &[], KEY, &[www()]);
        settings["key"]["algorithm"] = json!("hmac-sha512");
        open_with(&settings, SECRET)
    };
    let cases = [
        (with(KEY, "d3Jvbmcgc2VjcmV0IGZvciB0aGUgcmlnaHQga2V5IQ=="), "another secret (BADSIG)"),
        (with("lifebuoy", SECRET), "has no TSIG key `lifebuoy` with algorithm hmac-sha256 (BADKEY)"),
        (algorithm, "has no TSIG key `lifeboat` with algorithm hmac-sha512 (BADKEY)"),
        (
            with(KEY, SECRET).with_clock(Arc::new(Ahead(SystemClock::start()))),
            "clocks differ by more than 300 s (BADTIME)",
        ),
        (with("narrow", SECRET), "does not let the key `narrow` update zone dr.test (REFUSED)"),
        (with(KEY, "~no base64~"), "is not base64 text"),
    ];
    for (driver, words) in cases {
        let (why, retry) = not_applied(act(&driver, &switch()).await);
        assert!(why.contains(words) && !retry, "expected {words:?}, found {why:?}");
        assert!(!why.contains("d3Jvbmc") && !why.contains("~no") && !why.contains(SECRET), "{why}");
        let concerns = driver.preflight(&region("fra"), &region("dub")).await;
        let of_key = concerns.iter().filter(|concern| !concern.what.contains("TTL")).collect::<Vec<_>>();
        assert_eq!(of_key.len(), 1, "{concerns:?}");
        assert_eq!(bind.values("www", "A"), [FRA]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unsigned_update_is_refused_by_the_server() {
    let folder = tempfile::tempdir().unwrap();
    let bind = Bind::primary(folder.path(), &[WWW]);
    let out = bind.nsupdate(None, "update delete www.dr.test. A\n");
    assert!(String::from_utf8_lossy(&out.stderr).contains("REFUSED"), "{out:?}");
    assert_eq!(bind.values("www", "A"), [FRA]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_somebody_else_changed_is_refused_and_not_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let bind = Bind::primary(folder.path(), &[WWW]);
    let driver = open(&[&bind]);
    assert!(matches!(driver.observe(&switch()).await, Observed::Ready { .. }));
    bind.change("www", 60, "A", &["10.9.9.9"]);
    let (why, retry) = not_applied(act(&driver, &switch()).await);
    assert!(why.contains("10.9.9.9") && why.contains("somebody else changed it") && !retry, "{why}");
    assert!(matches!(driver.observe(&switch()).await, Observed::Refused { .. }));
    assert_eq!(bind.values("www", "A"), ["10.9.9.9"]);
    let (why, _) = not_applied(driver.undo(&permit(), &switch()).await);
    assert!(why.contains("somebody else changed it"), "{why}");
    assert_eq!(bind.values("www", "A"), ["10.9.9.9"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_between_looking_and_updating_is_caught_by_the_condition() {
    let folder = tempfile::tempdir().unwrap();
    let bind = Arc::new(Bind::primary(folder.path(), &[WWW]));
    let other = bind.clone();
    let between = Between::start(bind.address(), move || {
        other.change("www", 60, "A", &[FRA, "10.9.9.9"]);
        Then::Forward
    });
    let driver = open_with(&settings(between.address, &[], KEY, &[www()]), SECRET);
    let (why, retry) = not_applied(act(&driver, &switch()).await);
    assert!(why.contains("somebody changed the record") && why.contains("NXRRSET") && !retry, "{why}");
    assert_eq!(bind.values("www", "A"), [FRA, "10.9.9.9"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_reply_is_unknown_and_the_next_look_finds_it_done() {
    let folder = tempfile::tempdir().unwrap();
    let bind = Bind::primary(folder.path(), &[WWW]);
    let between = Between::start(bind.address(), || Then::LoseReply);
    let driver = open_with(&settings(between.address, &[], KEY, &[www()]), SECRET);
    let why = unknown(act(&driver, &switch()).await);
    assert!(why.contains("after the update was sent"), "{why}");
    assert!(matches!(driver.observe(&switch()).await, Observed::Already { .. }));
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_switchers_that_saw_the_same_exactly_one_wins() {
    let folder = tempfile::tempdir().unwrap();
    let bind = Bind::primary(folder.path(), &[WWW]);
    let key = key();
    let zone = dns::name("dr.test").unwrap();
    let name = dns::name("www.dr.test").unwrap();
    let set = |value: &str| RrSet::declared(RecordType::A, 30, &[value.to_owned()]).unwrap();
    let now = SystemClock::start().now();
    let limit = Duration::from_secs(5);
    let mut seen = FRA;
    for round in 0..20 {
        let to = |value: &str| {
            let expect = Expect::Exactly(set(seen));
            [Replacement { name: name.clone(), kind: RecordType::A, expect, new: set(value) }]
        };
        let (left, right) = if round % 2 == 0 { (DUB, AMS) } else { (FRA, "10.4.0.80") };
        let (to_left, to_right) = (to(left), to(right));
        let replies = join(
            dns::replace(bind.address(), &zone, &key, &to_left, now, limit),
            dns::replace(bind.address(), &zone, &key, &to_right, now, limit),
        );
        let lost = || Reply::ConditionFailed { code: "NXRRSET".into() };
        seen = match replies.await {
            (Reply::Done, right) if right == lost() => left,
            (left, Reply::Done) if left == lost() => right,
            other => panic!("round {round}: {other:?}"),
        };
        assert_eq!(bind.values("www", "A"), [seen], "round {round}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_is_never_empty_during_fifty_switches() {
    let folder = tempfile::tempdir().unwrap();
    let bind = Bind::primary(folder.path(), &[WWW]);
    let driver = open(&[&bind]);
    let end = AtomicBool::new(false);
    let poll = async {
        let (name, mut polls) = (dns::name("www.dr.test").unwrap(), 0_u32);
        while !end.load(Ordering::Acquire) {
            let answer = dns::ask(bind.address(), &name, RecordType::A, Duration::from_secs(5)).await;
            let whole = matches!(&answer, Answer::Records(set) if set.values == [FRA] || set.values == [DUB]);
            assert!(whole, "poll {polls}: {answer:?}");
            polls += 1;
        }
        polls
    };
    let switches = async {
        for round in 0..50 {
            let (from, to) = if round % 2 == 0 { ("fra", "dub") } else { ("dub", "fra") };
            applied(act(&driver, &call_to(Verb::DnsSwitch, from, to, Duration::from_secs(20))).await);
        }
        end.store(true, Ordering::Release);
    };
    let (polls, ()) = join(poll, switches).await;
    assert!(polls >= 100, "only {polls} polls");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silent_primary_is_unknown_and_nothing_is_sent() {
    let folder = tempfile::tempdir().unwrap();
    let mut bind = Bind::primary(folder.path(), &[WWW]);
    let driver = open(&[&bind]);
    let call = call_to(Verb::DnsSwitch, "fra", "dub", Duration::from_millis(1500));
    bind.signal("STOP");
    let start = Instant::now();
    let Observed::Unknown { why } = driver.observe(&call).await else { panic!("not unknown") };
    assert!(start.elapsed() < call.timeout, "{:?}", start.elapsed());
    assert!(why.contains("silence (no answer within"), "{why}");
    let start = Instant::now();
    let (why, retry) = not_applied(act(&driver, &call).await);
    assert!(start.elapsed() < call.timeout, "{:?}", start.elapsed());
    assert!(why.contains("nothing was sent") && retry, "{why}");
    let survey = driver.survey().await;
    assert!(matches!(survey.role(&region("fra")), Some(Role::Unknown(_))), "{survey:?}");
    bind.signal("CONT");
    bind.kill();
    let Observed::Unknown { why } = driver.observe(&call).await else { panic!("not unknown") };
    assert!(why.contains("port closed"), "{why}");
    bind.restart();
    assert!(matches!(driver.observe(&switch()).await, Observed::Ready { .. }));
    applied(act(&driver, &switch()).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_update_that_the_server_never_answers_is_unknown() {
    let folder = tempfile::tempdir().unwrap();
    let bind = Arc::new(Bind::primary(folder.path(), &[WWW]));
    let stopped = bind.clone();
    let between = Between::start(bind.address(), move || {
        stopped.signal("STOP");
        Then::Forward
    });
    let driver = open_with(&settings(between.address, &[], KEY, &[www()]), SECRET);
    let call = call_to(Verb::DnsSwitch, "fra", "dub", Duration::from_secs(2));
    let start = Instant::now();
    let why = unknown(act(&driver, &call).await);
    assert!(why.contains("did not reply to the update"), "{why}");
    assert!(start.elapsed() < call.timeout, "{:?}", start.elapsed());
    bind.signal("CONT");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lagging_secondary_keeps_the_switch_open_until_it_follows() {
    let folder = tempfile::tempdir().unwrap();
    let (first, second) = Bind::lagging_pair(folder.path(), &[WWW]);
    let driver = open(&[&first, &second]);
    let call = call_to(Verb::DnsSwitch, "fra", "dub", Duration::from_secs(2));
    let start = Instant::now();
    let why = unknown(act(&driver, &call).await);
    assert!(start.elapsed() < call.timeout, "{:?}", start.elapsed());
    assert!(why.contains(&format!("{} answers {FRA}", second.address())), "{why}");
    let Observed::Ready { facts } = driver.observe(&call).await else { panic!("not ready") };
    assert!(facts.details["behind"][0].as_str().unwrap().contains(&second.address().to_string()), "{facts:?}");
    let verify = call_to(Verb::DnsVerify, "fra", "dub", Duration::from_secs(1));
    let (why, retry) = not_applied(act(&driver, &verify).await);
    assert!(why.contains(&second.address().to_string()) && retry, "{why}");

    let serial = first.serial();
    second.signal("STOP");
    assert!(matches!(driver.observe(&verify).await, Observed::Unknown { .. }), "a silent server verifies nothing");
    second.signal("CONT");
    let mut second = second;
    second.kill(); // It transfers the zone when it starts.
    second.restart_afresh();
    applied(act(&driver, &switch()).await);
    applied(act(&driver, &verify).await);
    assert_eq!(first.serial(), serial, "the primary had it already: nothing was sent again");
}

#[tokio::test(flavor = "multi_thread")]
async fn all_records_change_in_one_message_or_none_does() {
    let folder = tempfile::tempdir().unwrap();
    let long = "x".repeat(300);
    let quoted = format!("\"{}\" \"{}\"", &long[..200], &long[200..]);
    let lines = [
        ("www", 60, "A", FRA),
        ("six", 60, "AAAA", "2001:db8::1"),
        ("alias", 60, "CNAME", "fra.dr.test."),
        ("text", 60, "TXT", quoted.as_str()),
    ];
    let bind = Bind::primary(folder.path(), &lines);
    let record = |name: &str, kind: &str, fra: &[&str], dub: &[&str]| {
        json!({"name": format!("{name}.dr.test"), "type": kind, "ttlSeconds": 30, "byRegion": [
            {"region": "fra", "values": fra}, {"region": "dub", "values": dub},
        ]})
    };
    let records = [
        record("www", "A", &[FRA], &[DUB, "10.2.0.81"]),
        record("six", "AAAA", &["2001:DB8::1"], &["2001:db8::2"]),
        record("alias", "CNAME", &["fra.dr.test"], &["dub.dr.test"]),
        record("text", "TXT", &[&long], &["serving from dub"]),
        record("fresh", "A", &[FRA], &[DUB]),
    ];
    let driver = open_with(&settings(bind.address(), &[], KEY, &records), SECRET);
    let serial = bind.serial();
    bind.change("alias", 60, "CNAME", &["elsewhere.dr.test."]);
    not_applied(act(&driver, &switch()).await);
    assert_eq!(
        (bind.values("www", "A"), bind.serial()),
        (vec![FRA.to_owned()], serial + 1),
        "one foreign record stops all"
    );
    bind.change("alias", 60, "CNAME", &["fra.dr.test."]);

    applied(act(&driver, &switch()).await);
    assert_eq!(bind.values("www", "A"), [DUB, "10.2.0.81"]);
    assert_eq!(bind.values("six", "AAAA"), ["2001:db8::2"]);
    assert_eq!(bind.values("alias", "CNAME"), ["dub.dr.test."]);
    assert_eq!(bind.values("text", "TXT"), ["\"serving from dub\""]);
    assert_eq!(bind.values("fresh", "A"), [DUB]);
    assert_eq!(bind.serial(), serial + 3, "five sets, one change of the zone");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_does_not_fit_a_datagram_is_fetched_over_tcp() {
    let folder = tempfile::tempdir().unwrap();
    let values: Vec<_> = (0..80).map(|n| format!("value number {n:02} of a set that is far too long")).collect();
    let quoted: Vec<_> = values.iter().map(|value| format!("\"{value}\"")).collect();
    let lines: Vec<_> = quoted.iter().map(|value| ("big", 60, "TXT", value.as_str())).collect();
    let bind = Bind::primary(folder.path(), &lines);
    let answer =
        dns::ask(bind.address(), &dns::name("big.dr.test").unwrap(), RecordType::Txt, Duration::from_secs(5)).await;
    assert!(matches!(&answer, Answer::Records(set) if set.values == values), "{answer:?}");
}

#[tokio::test]
async fn parameters_that_a_verb_does_not_take_are_refused_before_anything_is_asked() {
    let driver = open_with(&settings("127.0.0.1:1".parse().unwrap(), &[], KEY, &[www()]), SECRET);
    let mut forced = switch();
    forced.with.insert("force".into(), json!(true));
    let (why, retry) = not_applied(act(&driver, &forced).await);
    assert!(why.contains("force") && !retry, "{why}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_without_the_lease_sends_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let bind = Bind::primary(folder.path(), &[WWW]);
    let out = permit();
    out.revoke();
    let (why, retry) = not_applied(open(&[&bind]).act(&out, &switch()).await);
    assert!(why.contains("lost the lease") && !retry, "{why}");
    assert_eq!(bind.values("www", "A"), [FRA]);
}

#[tokio::test(flavor = "multi_thread")]
async fn looking_ahead_finds_what_would_stop_a_switch_and_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (first, second) = Bind::pair(folder.path(), &[("www", 30, "A", FRA)]);
    let driver = open(&[&first, &second]);
    let (fra, dub) = (region("fra"), region("dub"));
    let serial = first.serial();
    assert_eq!(driver.preflight(&fra, &dub).await, []);
    assert_eq!(first.serial(), serial, "the test update is no change");
    assert_eq!(driver.survey().await.role(&fra), Some(&Role::Primary));
    assert_eq!(driver.survey().await.role(&dub), Some(&Role::Standby));

    first.change("www", 3600, "A", &[FRA]);
    second.signal("STOP");
    let rom = region("rom");
    let concerns = driver.preflight(&fra, &rom).await;
    let whats: Vec<_> = concerns.iter().map(|concern| concern.what.as_str()).collect();
    let expected = [
        "cannot be read",
        "no values for region rom",
        "served with a TTL of 3600 s, declared are 30 s",
        "would be refused",
    ];
    for (what, words) in whats.iter().zip(expected) {
        assert!(what.contains(words), "expected {words:?}, found {what:?}");
    }
    assert_eq!(whats.len(), expected.len(), "{whats:#?}");
    second.signal("CONT");

    first.change("www", 30, "A", &["10.9.9.9"]);
    let concerns = driver.preflight(&fra, &dub).await;
    assert!(concerns.iter().any(|concern| concern.what.contains("10.9.9.9")), "{concerns:?}");
    assert_eq!(driver.survey().await.role(&fra), Some(&Role::Standby));
    let endpoints: Vec<_> = driver.endpoints(&switch()).into_iter().map(|endpoint| endpoint.address).collect();
    assert_eq!(endpoints, [first.address().to_string(), second.address().to_string()]);
}

fn key() -> Key {
    let declared =
        TsigKey { name: KEY.into(), algorithm: TsigAlgorithm::HmacSha256, secret: SecretRef::Env("T".into()) };
    Key::new(&declared, &SecretString::from(SECRET)).unwrap()
}

/// What becomes of an update on its way.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Then {
    Forward,
    LoseReply,
}

/// Stands between the driver and the server: questions (UDP) pass, and each update (TCP) waits for `before`.
struct Between {
    address: SocketAddr,
}

impl Between {
    fn start(server: SocketAddr, before: impl Fn() -> Then + Send + 'static) -> Self {
        let address = SocketAddr::new(server.ip(), free_port(&[server.ip()]));
        let udp = UdpSocket::bind(address).unwrap();
        let tcp = TcpListener::bind(address).unwrap();
        thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok((length, from)) = udp.recv_from(&mut buffer) {
                let onward = UdpSocket::bind((server.ip(), 0)).unwrap();
                onward.set_read_timeout(Some(Duration::from_secs(1))).unwrap();
                onward.send_to(&buffer[..length], server).unwrap();
                if let Ok(length) = onward.recv(&mut buffer) {
                    udp.send_to(&buffer[..length], from).unwrap();
                }
            }
        });
        thread::spawn(move || {
            for client in tcp.incoming() {
                let mut client = client.unwrap();
                let update = frame(&mut client);
                let then = before();
                let mut onward = TcpStream::connect(server).unwrap();
                onward.write_all(&update).unwrap();
                let reply = frame(&mut onward);
                if then == Then::Forward {
                    client.write_all(&reply).unwrap();
                }
            }
        });
        Self { address }
    }
}

/// One message with its length.
fn frame(stream: &mut TcpStream) -> Vec<u8> {
    let mut length = [0; 2];
    stream.read_exact(&mut length).unwrap();
    let mut message = vec![0; usize::from(u16::from_be_bytes(length))];
    stream.read_exact(&mut message).unwrap();
    [length.as_slice(), &message].concat()
}
