//! Probes of real listeners, and waiting for health.

mod requests;
mod services;

use std::{
    io::{Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::Path,
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use lifeboat::{
    driver::awaiting::Awaiting,
    model::{Attempt, GroupName, Observed, Provider, Region, RegionName, RunKind, StepName, Term, Verb},
    port::{Call, Clock, Driver, Health, Known, LeaseKey, Permit, Prober, SecretError, Secrets, SystemClock},
    probe::Probes,
    spec::{ProbeSpec, SecretRef},
};
use rustls_pki_types::{CertificateDer, pem::PemObject};
use secrecy::SecretString;
use serde_json::{Value, json};

use crate::servers::{Leash, await_port, bind::Bind, free_port};

struct NoSecrets;

impl Secrets for NoSecrets {
    fn resolve(&self, _: &SecretRef) -> Result<SecretString, SecretError> {
        Err(SecretError::Literal)
    }
}

fn probes() -> Probes {
    Probes::new(Arc::new(NoSecrets))
}

fn spec(kind: &str, settings: Value) -> ProbeSpec {
    let mut spec = json!({"name": "edge", "timeoutMs": 800});
    spec[kind] = settings;
    serde_json::from_value(spec).unwrap()
}

/// Probes once; the word and the reason.
async fn ask(kind: &str, settings: Value) -> (&'static str, String) {
    let start = Instant::now();
    let found = probes().probe(&spec(kind, settings)).await;
    assert!(start.elapsed() < Duration::from_secs(5), "a probe keeps its timeout: {:?}", start.elapsed());
    match found {
        Health::Healthy { .. } => ("healthy", String::new()),
        Health::Degraded { why, .. } => ("degraded", why),
        Health::Unhealthy { why } => ("unhealthy", why),
        Health::Silent { why } => ("silent", why),
    }
}

fn expect(found: &(&'static str, String), word: &str, words: &str) {
    assert!(found.0 == word && found.1.contains(words), "expected {word}: {words}, found {found:?}");
}

fn address() -> SocketAddr {
    let ip = Ipv4Addr::new(127, 0, 54, 1).into();
    SocketAddr::new(ip, free_port(&[ip]))
}

/// Answers each connection with what `reply` says to the request's path and number, then closes it.
fn web(reply: impl Fn(&str, u32) -> String + Send + 'static) -> (SocketAddr, Arc<AtomicU32>) {
    let listener = TcpListener::bind((Ipv4Addr::new(127, 0, 54, 2), 0)).unwrap();
    let (address, count) = (listener.local_addr().unwrap(), Arc::new(AtomicU32::new(0)));
    let counter = count.clone();
    thread::spawn(move || {
        for client in listener.incoming() {
            let mut client = client.unwrap();
            let mut head = Vec::new();
            let mut byte = [0];
            while !head.ends_with(b"\r\n\r\n") && client.read(&mut byte).unwrap_or(0) == 1 {
                head.push(byte[0]);
            }
            let head = String::from_utf8_lossy(&head);
            let number = counter.fetch_add(1, Ordering::AcqRel) + 1;
            let _closed = client.write_all(reply(head.split(' ').nth(1).unwrap_or("/"), number).as_bytes());
        }
    });
    (address, count)
}

fn response(status: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

#[tokio::test]
async fn http_health_is_the_expected_status_and_body() {
    let far = format!("{}needle", " ".repeat(70_000));
    let (address, count) = web(move |path, _| match path {
        "/ok" => response("200 OK", "the service is ready"),
        "/far" => response("200 OK", &far),
        "/moved" => "HTTP/1.1 302 Found\r\nLocation: /ok\r\nContent-Length: 0\r\n\r\n".into(),
        "/teapot" => response("418 I'm a teapot", ""),
        "/cut" => "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort".into(),
        "/garbage" => "no HTTP at all\r\n\r\n".into(),
        _ => response("503 Service Unavailable", ""),
    });
    let cases = [
        ("/ok", json!({}), "healthy", ""),
        ("/ok", json!({"expectBody": "is ready"}), "healthy", ""),
        ("/ok", json!({"expectBody": "is red"}), "unhealthy", "expected `is red` in the first 20 bytes"),
        ("/far", json!({"expectBody": "needle"}), "unhealthy", "in the first 65536 bytes"),
        ("/ok", json!({"expectStatus": 204}), "unhealthy", "expected status 204, found 200 OK"),
        ("/moved", json!({}), "unhealthy", "expected status 2xx, found 302 Found"),
        ("/moved", json!({"expectStatus": 302}), "healthy", ""),
        ("/teapot", json!({"expectStatus": 418}), "healthy", ""),
        ("/down", json!({}), "unhealthy", "found 503"),
        ("/cut", json!({"expectBody": "long"}), "unhealthy", ""),
        ("/garbage", json!({}), "unhealthy", ""),
    ];
    let all = u32::try_from(cases.len()).unwrap();
    for (path, mut settings, word, words) in cases {
        settings["url"] = json!(format!("http://{address}{path}"));
        expect(&ask("http", settings).await, word, words);
    }
    assert_eq!(
        count.load(Ordering::Acquire),
        all,
        "one request a probe: no redirect is followed, nothing is sent again"
    );
}

/// A port where connections are neither accepted nor refused: its queue is full.
async fn black_hole() -> (SocketAddr, Vec<tokio::net::TcpStream>, tokio::net::TcpListener) {
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind((Ipv4Addr::new(127, 0, 54, 3), 0).into()).unwrap();
    let listener = socket.listen(1).unwrap();
    let address = listener.local_addr().unwrap();
    let mut held = Vec::new();
    let brief = Duration::from_millis(200);
    while let Ok(Ok(stream)) = tokio::time::timeout(brief, tokio::net::TcpStream::connect(address)).await {
        held.push(stream);
        assert!(held.len() < 64, "the queue never fills");
    }
    (address, held, listener)
}

#[tokio::test]
async fn a_refusal_is_an_answer_and_a_time_out_is_silence() {
    let closed = address();
    let mute = TcpListener::bind((Ipv4Addr::new(127, 0, 54, 4), 0)).unwrap();
    let mute = mute.local_addr().map(|address| (mute, address)).unwrap();
    let hole = black_hole().await;

    expect(&ask("tcp", json!({"address": closed.to_string()})).await, "unhealthy", "connection refused");
    expect(&ask("tcp", json!({"address": mute.1.to_string()})).await, "healthy", "");
    expect(&ask("tcp", json!({"address": hole.0.to_string()})).await, "silent", "within 800 ms");
    expect(&ask("tcp", json!({"address": "no port"})).await, "silent", "could not be asked");

    let url = |address: &dyn std::fmt::Display| json!({"url": format!("http://{address}/")});
    expect(&ask("http", url(&closed)).await, "unhealthy", "connection refused");
    expect(&ask("http", url(&mute.1)).await, "silent", "within 800 ms");
    expect(&ask("http", url(&hole.0)).await, "silent", "within 800 ms");
    expect(&ask("http", json!({"url": "no url"})).await, "silent", "write http(s)://host/path");
    let secret = ask("http", json!({"url": format!("http://me:hush@{closed}/ready?token=hush#hush")})).await;
    expect(&secret, "unhealthy", &format!("nothing listens on http://{closed}/ready"));
    assert!(!secret.1.contains("hush"), "{secret:?}");
    expect(&ask("dns", json!({"server": closed.to_string(), "name": "a.test"})).await, "unhealthy", "port is closed");
}

/// An HTTPS server with a certificate for `name` that it signed itself.
fn tls(folder: &Path, name: &str) -> (Leash, String, CertificateDer<'static>) {
    let (cert, key) = (folder.join(format!("{name}.cert")), folder.join(format!("{name}.key")));
    let made = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"])
        .args(["-subj", "/CN=edge", "-addext", "basicConstraints=critical,CA:FALSE"])
        .args(["-addext", &format!("subjectAltName=IP:{name}")])
        .args(["-out".as_ref(), cert.as_os_str(), "-keyout".as_ref(), key.as_os_str()])
        .output()
        .unwrap();
    assert!(made.status.success(), "{made:?}");
    let address = address();
    let files = ["-cert".to_owned(), cert.display().to_string(), "-key".to_owned(), key.display().to_string()];
    let words = ["openssl", "s_server", "-www", "-quiet", "-accept", &address.to_string()].map(str::to_owned);
    let server = Leash::start(&folder.join("log"), words.into_iter().chain(files), &[]).unwrap();
    await_port(address, Duration::from_secs(10));
    (server, format!("https://{address}/"), CertificateDer::from_pem_file(&cert).unwrap())
}

#[tokio::test]
async fn a_certificate_must_be_of_a_trusted_authority_and_of_that_host() {
    let folder = tempfile::tempdir().unwrap();
    let (_right, right, right_cert) = tls(folder.path(), "127.0.54.1");
    let (_wrong, wrong, wrong_cert) = tls(folder.path(), "127.0.54.9");
    expect(
        &ask("http", json!({"url": right})).await,
        "unhealthy",
        "TLS failed: invalid peer certificate: UnknownIssuer",
    );
    let trusting = Probes::trusting(Arc::new(NoSecrets), [right_cert, wrong_cert]);
    let found = trusting.probe(&spec("http", json!({"url": right}))).await;
    assert!(matches!(found, Health::Healthy { .. }), "{found:?}");
    let found = trusting.probe(&spec("http", json!({"url": wrong}))).await;
    assert!(matches!(&found, Health::Unhealthy { why } if why.contains("not valid for name")), "{found:?}");
}

#[tokio::test]
async fn a_dns_server_is_healthy_when_it_answers_as_an_authority() {
    let folder = tempfile::tempdir().unwrap();
    let lines = [
        ("www", 30, "A", "10.1.0.81"),
        ("www", 30, "A", "10.1.0.80"),
        ("text", 30, "TXT", "\"from fra\""),
        // What is below is somebody else's: the answer is a referral, and no authority's.
        ("below", 30, "NS", "ns.below"),
        ("ns.below", 30, "A", "127.0.0.1"),
    ];
    let bind = Bind::primary(folder.path(), &lines);
    let server = bind.address().to_string();
    let cases = [
        ("www.dr.test", vec![], "healthy", ""),
        ("www.dr.test", vec!["10.1.0.80", "10.1.0.81"], "healthy", ""),
        ("www.dr.test", vec!["10.1.0.80"], "unhealthy", "expected 10.1.0.80, found 10.1.0.80, 10.1.0.81"),
        ("text.dr.test", vec!["from fra"], "healthy", ""),
        ("gone.dr.test", vec![], "unhealthy", "NXDOMAIN"),
        ("www.elsewhere.test", vec![], "unhealthy", "REFUSED"),
        ("www.below.dr.test", vec![], "unhealthy", "an answer without authority for the zone"),
    ];
    for (name, values, word, words) in cases {
        expect(&ask("dns", json!({"server": server, "name": name, "expect": values})).await, word, words);
    }
    bind.signal("STOP");
    expect(&ask("dns", json!({"server": server, "name": "www.dr.test"})).await, "silent", "no answer within 800 ms");
    bind.signal("CONT");
}

fn awaiting(probe: &Value) -> Awaiting {
    let dub = Region {
        name: RegionName::new("dub").unwrap(),
        provider: Provider::Other,
        addresses: Vec::new(),
        probes: vec![probe.clone()],
    };
    Awaiting::new(Arc::new(probes()), vec![dub], Arc::new(SystemClock::start()))
}

fn call(with: Value, timeout: Duration) -> Call {
    let Value::Object(with) = with else { panic!("{with}") };
    Call {
        run: "orders-1".parse().unwrap(),
        kind: RunKind::Failover,
        step: StepName::new("serving").unwrap(),
        attempt: 1,
        in_doubt: false,
        verb: Verb::ProbeAwait,
        target: None,
        source: RegionName::new("fra").unwrap(),
        destination: RegionName::new("dub").unwrap(),
        with,
        timeout,
        now: SystemClock::start().now(),
        known: Known::default(),
    }
}

fn permit() -> Permit {
    Permit::granted(LeaseKey { group: GroupName::new("orders").unwrap(), rehearsal: false }, Term(1))
}

fn edge(address: SocketAddr) -> Value {
    json!({"name": "edge", "timeoutMs": 500, "http": {"url": format!("http://{address}/")}})
}

#[tokio::test]
async fn waiting_ends_with_the_first_healthy_probe() {
    let (address, count) = web(|_, number| match number {
        0..=4 => response("503 Service Unavailable", ""),
        _ => response("200 OK", ""),
    });
    let driver = awaiting(&edge(address));
    let call = call(json!({"probe": "edge", "within": 20}), Duration::from_secs(30));
    let Observed::Ready { facts } = driver.observe(&call).await else { panic!("not ready") };
    assert_eq!(facts.details["health"], "unhealthy");
    let Attempt::Applied { output, .. } = driver.act(&permit(), &call).await else { panic!("not applied") };
    assert!(output["took_ms"].as_u64().unwrap() >= 300, "three pauses: {output:?}");
    assert_eq!(count.load(Ordering::Acquire), 5);
    assert!(matches!(driver.observe(&call).await, Observed::Already { .. }));
    let endpoint = driver.endpoints(&call).remove(0);
    assert_eq!((endpoint.address, endpoint.region), (format!("http://{address}/"), Some(call.destination.clone())));
}

#[tokio::test]
async fn healthy_probes_must_come_in_a_row() {
    let (address, count) = web(|_, number| match number {
        3 => response("500 Internal Server Error", ""),
        _ => response("200 OK", ""),
    });
    let driver = awaiting(&edge(address));
    let call = call(json!({"probe": "edge", "rise": 3}), Duration::from_secs(30));
    assert!(matches!(driver.observe(&call).await, Observed::Ready { .. }), "one healthy probe is not three");
    let found = driver.act(&permit(), &call).await;
    assert!(matches!(found, Attempt::Applied { .. }), "{found:?}");
    assert_eq!(count.load(Ordering::Acquire), 6, "1 observed; 2 healthy, 3 not, 4 to 6 healthy");
}

#[tokio::test]
async fn waiting_gives_up_in_time_with_the_last_reason() {
    let closed = edge(address());
    let mute = TcpListener::bind((Ipv4Addr::new(127, 0, 54, 5), 0)).unwrap();
    let silent = edge(mute.local_addr().unwrap());
    let cases = [
        (&closed, json!({"probe": "edge", "within": 1}), 30_000, "connection refused"),
        (&closed, json!({"probe": "edge"}), 2000, "connection refused"),
        (&silent, json!({"probe": "edge", "within": 60}), 3000, "no answer from"),
    ];
    for (probe, with, timeout, words) in cases {
        let driver = awaiting(probe);
        let call = call(with, Duration::from_millis(timeout));
        let start = Instant::now();
        let Attempt::NotApplied { why, retry } = driver.act(&permit(), &call).await else { panic!("applied") };
        assert!(why.contains(words) && why.contains("probe edge of region dub") && retry, "{why}");
        assert!(start.elapsed() < Duration::from_millis(timeout.min(3000)), "{:?} {why}", start.elapsed());
    }
}

#[tokio::test]
async fn an_unknown_probe_or_a_lost_lease_ends_the_wait_at_once() {
    let driver = awaiting(&edge(address()));
    let other = call(json!({"probe": "front"}), Duration::from_secs(30));
    let Observed::Refused { found, .. } = driver.observe(&other).await else { panic!("not refused") };
    assert_eq!(found, "region dub has no probe `front`; it has edge");
    assert!(matches!(driver.act(&permit(), &other).await, Attempt::NotApplied { retry: false, .. }));
    let no_time = call(json!({"probe": "edge", "within": 0}), Duration::from_secs(30));
    assert!(matches!(driver.act(&permit(), &no_time).await, Attempt::NotApplied { retry: false, .. }));
    let out = permit();
    out.revoke();
    let call = call(json!({"probe": "edge"}), Duration::from_secs(30));
    let Attempt::NotApplied { why, retry } = driver.act(&out, &call).await else { panic!("applied") };
    assert!(why.contains("lost the lease") && !retry, "{why}");
}
