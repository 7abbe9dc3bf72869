//! HTTP probes: what is sent, what is followed, what is kept, and certificates.

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    net::TcpStream,
    sync::Mutex,
};

use lifeboat::port::Ready;

use super::*;
use crate::servers::authority::Authority;

/// Every request of every connection: which connection it came over, and its head.
type Heads = Arc<Mutex<Vec<(u32, String)>>>;

/// Answers request after request on each connection with what `reply` says to its number on that connection; `None` closes.
fn keeping(reply: impl Fn(u32) -> Option<String> + Send + Sync + 'static) -> (SocketAddr, Heads) {
    let listener = TcpListener::bind((Ipv4Addr::new(127, 0, 54, 6), 0)).unwrap();
    let (address, heads) = (listener.local_addr().unwrap(), Heads::default());
    let (seen, reply) = (heads.clone(), Arc::new(reply));
    thread::spawn(move || {
        for (number, client) in (1..).zip(listener.incoming()) {
            let (client, seen, reply) = (client.unwrap(), seen.clone(), reply.clone());
            thread::spawn(move || serve(&client, number, &seen, reply.as_ref()));
        }
    });
    (address, heads)
}

fn serve(client: &TcpStream, connection: u32, seen: &Heads, reply: &dyn Fn(u32) -> Option<String>) {
    let mut lines = BufReader::new(client);
    for number in 1.. {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if lines.read_line(&mut head).unwrap_or(0) == 0 {
                return;
            }
        }
        seen.lock().unwrap().push((connection, head));
        let mut client = client;
        match reply(number) {
            Some(text) => client.write_all(text.as_bytes()).unwrap(),
            None => return,
        }
    }
}

struct Token;

impl Secrets for Token {
    fn resolve(&self, _: &SecretRef) -> Result<SecretString, SecretError> {
        Ok("Bearer hush".to_owned().into())
    }
}

fn prepare(settings: Value) -> Arc<dyn Ready> {
    Arc::new(Probes::new(Arc::new(Token))).prepare(&spec("http", settings))
}

#[tokio::test]
async fn a_request_has_the_method_and_the_headers_that_are_declared() {
    let (address, heads) = keeping(|_| Some("HTTP/1.1 204 No Content\r\n\r\n".into()));
    let headers = json!([
        {"name": "Host", "value": "shop.example.com"},
        {"name": "X-Vantage", "value": "fra"},
        {"name": "Authorization", "secret": {"env": "TOKEN"}},
    ]);
    let url = format!("http://{address}/ready?deep=1");
    let probe = prepare(json!({"url": url, "method": "HEAD", "headers": headers}));
    assert!(matches!(probe.probe().await, Health::Healthy { .. }));
    let head = heads.lock().unwrap().remove(0).1.to_lowercase();
    assert!(head.starts_with("head /ready?deep=1 http/1.1\r\n"), "{head}");
    for line in ["host: shop.example.com", "x-vantage: fra", "authorization: bearer hush", "connection: close"] {
        assert_eq!(head.matches(line).count(), 1, "{line} in {head}");
    }
    assert_eq!(head.matches("host:").count(), 1, "{head}");
}

#[tokio::test]
async fn a_connection_is_kept_only_where_that_is_asked_for() {
    let (address, heads) = keeping(|_| Some(response("200 OK", "ready")));
    let url = format!("http://{address}/");
    for (settings, connections) in [(json!({"url": url}), 3), (json!({"url": url, "reuse": true}), 1)] {
        heads.lock().unwrap().clear();
        let probe = prepare(settings);
        for _ in 0..3 {
            assert!(matches!(probe.probe().await, Health::Healthy { .. }));
        }
        let seen: std::collections::BTreeSet<u32> = heads.lock().unwrap().iter().map(|(number, _)| *number).collect();
        assert_eq!(seen.len(), connections, "{seen:?}");
    }
}

#[tokio::test]
async fn a_kept_connection_that_was_closed_meanwhile_says_nothing_of_the_server() {
    let (address, heads) = keeping(|number| (number == 1).then(|| response("200 OK", "ready")));
    let probe = prepare(json!({"url": format!("http://{address}/"), "reuse": true}));
    for _ in 0..3 {
        let found = probe.probe().await;
        assert!(matches!(found, Health::Healthy { .. }), "{found:?}");
    }
    let requests = heads.lock().unwrap().iter().map(|(connection, _)| *connection).collect::<Vec<_>>();
    assert_eq!(requests, [1, 1, 2, 2, 3], "the second request of each connection is not answered");
}

#[tokio::test]
async fn redirects_are_followed_as_far_as_is_declared_and_no_secret_goes_to_another_server() {
    let (there, heads) = keeping(|_| Some(response("200 OK", "moved here")));
    let target = format!("http://{there}/new");
    let away = format!("HTTP/1.1 302 Found\r\nLocation: {target}\r\nContent-Length: 0\r\n\r\n");
    let (address, _) = web(move |path, _| match path {
        "/old" => away.clone(),
        "/older" => "HTTP/1.1 301 Moved\r\nLocation: old\r\nContent-Length: 0\r\n\r\n".into(),
        _ => "HTTP/1.1 308 Loop\r\nLocation: /loop\r\nContent-Length: 0\r\n\r\n".into(),
    });
    let ask = async |path: &str, most: u32| {
        let headers = json!([{"name": "Authorization", "secret": {"env": "TOKEN"}}]);
        let url = format!("http://{address}{path}");
        let settings = json!({"url": url, "followRedirects": most, "expectBody": "here", "headers": headers});
        prepare(settings).probe().await
    };
    assert!(matches!(ask("/older", 2).await, Health::Healthy { .. }));
    let head = heads.lock().unwrap().remove(0).1.to_lowercase();
    assert!(head.starts_with("get /new ") && !head.contains("hush"), "{head}");
    for (path, most, words) in [
        ("/older", 1, "/old: expected at most 1 redirects"),
        ("/loop", 10, "expected at most 10 redirects"),
        ("/old", 0, "expected status 2xx, found 302"),
    ] {
        let found = ask(path, most).await;
        assert!(matches!(&found, Health::Unhealthy { why } if why.contains(words)), "{path} {found:?}");
    }
}

#[tokio::test]
async fn what_serves_too_slowly_is_degraded() {
    let (address, _) = keeping(|_| {
        thread::sleep(Duration::from_millis(60));
        Some(response("200 OK", ""))
    });
    let ask = async |limit: Option<u64>| {
        let mut spec = spec("http", json!({"url": format!("http://{address}/")}));
        spec.degraded_ms = limit;
        probes().probe(&spec).await
    };
    assert!(matches!(ask(None).await, Health::Healthy { .. }));
    let found = ask(Some(50)).await;
    assert!(
        matches!(&found, Health::Degraded { took, why } if took.as_millis() >= 60 && why.contains("50 ms")),
        "{found:?}"
    );
}

/// An HTTPS server that shows this certificate.
fn secure(folder: &Path, files: &(std::path::PathBuf, std::path::PathBuf)) -> (Leash, String) {
    let address = address();
    let words = ["openssl", "s_server", "-www", "-quiet", "-accept", &address.to_string(), "-cert"].map(str::to_owned);
    let files = [files.0.display().to_string(), "-key".into(), files.1.display().to_string()];
    let server = Leash::start(&folder.join("log"), words.into_iter().chain(files), &[]).unwrap();
    await_port(address, Duration::from_secs(10));
    (server, format!("https://{address}/"))
}

#[tokio::test]
async fn a_certificate_that_ends_soon_is_a_warning_and_an_authority_that_was_replaced_counts_at_once() {
    let (folder, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let authority = Authority::make(folder.path());
    let (_server, url) = secure(folder.path(), &authority.issue("edge", "IP:127.0.54.1"));
    let trusted = folder.path().join("trusted.pem");
    fs::copy(authority.file(), &trusted).unwrap();

    // It is good for two days, or for a moment less.
    let probe = |days: u32| prepare(json!({"url": url, "ca": trusted, "minCertificateDays": days}));
    let found = probe(1).probe().await;
    assert!(matches!(found, Health::Healthy { .. }), "{found:?}");
    let standing = probe(14);
    for _ in 0..2 {
        let found = standing.probe().await;
        let words = "expected a certificate with 14 days left, found ";
        assert!(matches!(&found, Health::Degraded { why, .. } if why.contains(words)), "{found:?}");
    }
    let stranger = Authority::make(other.path());
    fs::write(&trusted, fs::read_to_string(stranger.file()).unwrap() + "\n").unwrap();
    let found = standing.probe().await;
    assert!(matches!(&found, Health::Unhealthy { why } if why.contains("TLS failed")), "{found:?}");
    fs::remove_file(&trusted).unwrap();
    let found = standing.probe().await;
    assert!(matches!(&found, Health::Silent { why } if why.contains("trusted.pem")), "our file, not theirs: {found:?}");
}
