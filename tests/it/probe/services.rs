//! Probes of servers with a protocol of their own: real Redis, MariaDB and Prometheus; programs; and, for want of a real one that
//! starts in seconds, what a Kubernetes API server answers, served with TLS that asks for a client's certificate.

use std::{fs, path::PathBuf};

use super::*;
use crate::servers::{authority::Authority, await_until};

struct Hush;

impl Secrets for Hush {
    fn resolve(&self, reference: &SecretRef) -> Result<SecretString, SecretError> {
        match reference {
            SecretRef::Env(name) => Ok(name.clone().into()),
            SecretRef::File(_) | SecretRef::Literal => Err(SecretError::Literal),
        }
    }
}

/// Probes once; the word and the reason. A secret is the name of its variable.
async fn ask(kind: &str, settings: Value) -> (&'static str, String) {
    let mut spec = spec(kind, settings);
    if kind == "mysql" {
        // A login is several rounds, on a machine that does other things as well.
        spec.timeout_ms = 3000;
    }
    match Probes::new(Arc::new(Hush)).probe(&spec).await {
        Health::Healthy { .. } => ("healthy", String::new()),
        Health::Degraded { why, .. } => ("degraded", why),
        Health::Unhealthy { why } => ("unhealthy", why),
        Health::Silent { why } => ("silent", why),
    }
}

fn plain() -> Value {
    json!({"mode": "disable"})
}

fn redis(folder: &Path, master: Option<SocketAddr>) -> (Leash, SocketAddr) {
    let address = address();
    let (ip, port) = (address.ip().to_string(), address.port().to_string());
    let mut words: Vec<String> = ["redis-server", "--bind", &ip, "--port", &port, "--save", "", "--appendonly", "no"]
        .into_iter()
        .chain(["--requirepass", "hush", "--masterauth", "hush", "--dir"])
        .map(str::to_owned)
        .collect();
    words.push(folder.display().to_string());
    if let Some(master) = master {
        words.extend(["--replicaof".into(), master.ip().to_string(), master.port().to_string()]);
    }
    let server = Leash::start(&folder.join(format!("redis-{port}.log")), words, &[]).unwrap();
    await_port(address, Duration::from_secs(10));
    (server, address)
}

#[tokio::test]
async fn a_redis_server_is_healthy_in_its_role_alone() {
    let folder = tempfile::tempdir().unwrap();
    let (master, first) = redis(folder.path(), None);
    let (replica, second) = redis(folder.path(), Some(first));
    let settings = |address: SocketAddr, role: Option<&str>| {
        let mut settings = json!({"address": address.to_string(), "tls": plain(), "password": {"env": "hush"}});
        if let Some(role) = role {
            settings["role"] = json!(role);
        }
        settings
    };
    // The link comes up in its own time.
    let limit = Instant::now() + Duration::from_secs(20);
    while ask("redis", settings(second, Some("replica"))).await.0 != "healthy" {
        assert!(Instant::now() < limit, "{:?}", ask("redis", settings(second, Some("replica"))).await);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    expect(&ask("redis", settings(first, None)).await, "healthy", "");
    expect(&ask("redis", settings(first, Some("master"))).await, "healthy", "");
    expect(&ask("redis", settings(first, Some("replica"))).await, "unhealthy", "expected a replica, found `master`");
    expect(&ask("redis", settings(second, Some("master"))).await, "unhealthy", "expected a master, found `slave`");

    let open = json!({"address": first.to_string(), "tls": plain()});
    expect(&ask("redis", open).await, "unhealthy", "NOAUTH");
    let mut wrong = settings(first, None);
    wrong["password"] = json!({"env": "secret-of-another"});
    let found = ask("redis", wrong.clone()).await;
    expect(&found, "unhealthy", "WRONGPASS");
    assert!(!found.1.contains("secret-of-another"), "{found:?}");
    wrong["password"] = json!({"file": "/nowhere"});
    expect(&ask("redis", wrong).await, "silent", "could not be asked");

    master.signal("STOP");
    expect(&ask("redis", settings(first, None)).await, "silent", "within 800 ms");
    master.kill();
    expect(&ask("redis", settings(first, None)).await, "unhealthy", "connection refused");
    let limit = Instant::now() + Duration::from_secs(20);
    while ask("redis", settings(second, Some("replica"))).await.0 != "degraded" {
        assert!(Instant::now() < limit, "a replica without its master is degraded");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    drop(replica);
}

/// A MariaDB server with TLS and two accounts: `probe`, whose password is `hush`, and `open`, which has none.
fn mariadb(folder: &Path) -> (Leash, SocketAddr, PathBuf) {
    let (data, address) = (folder.join("data"), address());
    let authority = Authority::make(folder);
    let (certificate, key) = authority.issue("server", "IP:127.0.54.1");
    let root = Command::new("id").arg("-u").output().unwrap().stdout == b"0\n";
    let user = root.then(|| "--user=root".to_owned());
    let made = Command::new("mariadb-install-db")
        .args(["--no-defaults", "--auth-root-authentication-method=normal", "--skip-test-db"])
        .arg(format!("--datadir={}", data.display()))
        .args(&user)
        .output()
        .unwrap();
    assert!(made.status.success(), "{made:?}");
    let accounts = folder.join("accounts.sql");
    let text = "CREATE USER probe@'%' IDENTIFIED BY 'hush';\nCREATE USER open@'%';\n\
                CREATE USER strange@'%' IDENTIFIED VIA unix_socket;\n";
    fs::write(&accounts, text).unwrap();
    let words = [
        "mariadbd".to_owned(),
        "--no-defaults".into(),
        format!("--datadir={}", data.display()),
        format!("--socket={}", folder.join("socket").display()),
        format!("--bind-address={}", address.ip()),
        format!("--port={}", address.port()),
        format!("--init-file={}", accounts.display()),
        format!("--ssl-cert={}", certificate.display()),
        format!("--ssl-key={}", key.display()),
        "--innodb-buffer-pool-size=8M".into(),
        "--skip-name-resolve".into(),
        "--max-connect-errors=3".into(),
    ];
    let server = Leash::start(&folder.join("mariadb.log"), words.into_iter().chain(user), &[]).unwrap();
    await_until("MariaDB", Duration::from_mins(1), || server.log().contains("ready for connections"));
    (server, address, authority.file())
}

#[tokio::test]
async fn a_mariadb_server_is_healthy_when_it_lets_us_in_and_takes_writes() {
    let folder = tempfile::tempdir().unwrap();
    let (server, address, ca) = mariadb(folder.path());
    let settings = |user: &str, password: Option<&str>, tls: Value, writable: bool| {
        let mut settings = json!({"address": address.to_string(), "user": user, "tls": tls, "writable": writable});
        if let Some(password) = password {
            settings["password"] = json!({"env": password});
        }
        settings
    };
    let verified = json!({"mode": "verifyFull", "ca": ca});
    for tls in [plain(), verified.clone()] {
        // More often than `max_connect_errors`: no probe is an error of the server's.
        for _ in 0..5 {
            expect(&ask("mysql", settings("probe", Some("hush"), tls.clone(), true)).await, "healthy", "");
        }
        expect(&ask("mysql", settings("open", None, tls, false)).await, "healthy", "");
    }
    let found = ask("mysql", settings("probe", Some("secret-of-another"), plain(), false)).await;
    expect(&found, "unhealthy", "Access denied");
    assert!(!found.1.contains("secret-of-another"), "{found:?}");
    expect(&ask("mysql", settings("strange", Some("hush"), plain(), false)).await, "unhealthy", "(1698)");
    assert!(!server.log().contains("Aborted connection"), "a probe says good-bye: {}", server.log());
    let stranger = tempfile::tempdir().unwrap();
    let other = json!({"mode": "verifyFull", "ca": Authority::make(stranger.path()).file()});
    expect(&ask("mysql", settings("probe", Some("hush"), other, false)).await, "unhealthy", "TLS failed");

    let read_only = Command::new("mariadb")
        .args(["--no-defaults", "--user=root", "--execute=SET GLOBAL read_only = 1"])
        .arg(format!("--socket={}", folder.path().join("socket").display()))
        .output()
        .unwrap();
    assert!(read_only.status.success(), "{read_only:?}");
    expect(&ask("mysql", settings("probe", Some("hush"), plain(), true)).await, "unhealthy", "found 1");
    expect(&ask("mysql", settings("probe", Some("hush"), plain(), false)).await, "healthy", "");

    server.signal("STOP");
    expect(&ask("mysql", settings("probe", Some("hush"), plain(), false)).await, "silent", "within 3000 ms");
    server.kill();
    expect(&ask("mysql", settings("probe", Some("hush"), plain(), false)).await, "unhealthy", "connection refused");
    expect(&ask("mysql", settings("probe", Some("hush"), verified, false)).await, "unhealthy", "connection refused");
}

#[tokio::test]
async fn a_prometheus_server_is_a_witness() {
    let folder = tempfile::tempdir().unwrap();
    let address = address();
    let config = folder.path().join("prometheus.yml");
    let text = format!(
        "global: {{scrape_interval: 100ms}}\nscrape_configs:\n\
         - {{job_name: self, static_configs: [{{targets: [\"{address}\"]}}]}}\n\
         - {{job_name: gone, static_configs: [{{targets: [\"127.0.54.1:1\"]}}]}}\n"
    );
    fs::write(&config, text).unwrap();
    let words = [
        "prometheus".to_owned(),
        format!("--config.file={}", config.display()),
        format!("--storage.tsdb.path={}", folder.path().join("data").display()),
        format!("--web.listen-address={address}"),
    ];
    let server = Leash::start(&folder.path().join("log"), words, &[]).unwrap();
    await_port(address, Duration::from_secs(30));
    let query = async |expr: &str, above: f64| {
        ask("prometheus", json!({"url": format!("http://{address}"), "expr": expr, "above": above})).await
    };
    let limit = Instant::now() + Duration::from_secs(30);
    while query("up{job=\"self\"}", 0.5).await.0 != "healthy" || query("up{job=\"gone\"}", -1.0).await.0 != "healthy" {
        assert!(Instant::now() < limit, "nothing was scraped: {}", server.log());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    expect(&query("up", 0.5).await, "unhealthy", "expected a value above 0.5, found 0 of");
    expect(&query("scalar(sum(up))", 0.5).await, "healthy", "");
    expect(&query("up{job=\"nothing\"}", 0.5).await, "silent", "gives no value");
    expect(&query("up{", 0.5).await, "silent", "the query was refused with status 400");
    expect(&query("up[1m]", 0.5).await, "silent", "");
    server.kill();
    expect(&query("up", 0.5).await, "silent", "connection refused");
}

#[tokio::test]
async fn a_kubernetes_api_server_is_asked_with_a_certificate_of_our_own() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::make(folder.path());
    let (certificate, key) = authority.issue("api", "IP:127.0.54.1");
    let (ours, our_key) = authority.issue("lifeboat", "DNS:lifeboat");
    let page = |path: &str, status: &str, body: &str| {
        let path = folder.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, format!("HTTP/1.0 {status}\r\nContent-Type: application/json\r\n\r\n{body}")).unwrap();
    };
    page("readyz", "200 OK", "ok");
    let deployment = r#"{"kind":"Deployment","apiVersion":"apps/v1","metadata":{"name":"orders","namespace":"shop"},
        "spec":{"replicas":3},"status":{"replicas":3,"readyReplicas":2,"unavailableReplicas":1}}"#;
    page("apis/apps/v1/namespaces/shop/deployments/orders", "200 OK", deployment);
    let address = address();
    // -HTTP: files are whole answers. -Verify: nobody is served without a certificate.
    let script = format!(
        "cd '{}' && exec openssl s_server -HTTP -quiet -accept {address} -cert '{}' -key '{}' -Verify 1 \
         -verify_return_error -CAfile '{}'",
        folder.path().display(),
        certificate.display(),
        key.display(),
        authority.file().display(),
    );
    let _server = Leash::start(&folder.path().join("log"), ["sh", "-c", &script], &[]).unwrap();
    await_port(address, Duration::from_secs(10));
    let settings = |known: bool, deployment: Option<(&str, u32)>| {
        let mut settings = json!({"url": format!("https://{address}"), "ca": authority.file()});
        if known {
            settings["certificate"] = json!(ours);
            settings["key"] = json!(our_key);
        }
        if let Some((name, least)) = deployment {
            settings["deployment"] = json!({"namespace": "shop", "name": name, "minReady": least});
        }
        settings
    };
    expect(&ask("kubernetes", settings(true, None)).await, "healthy", "");
    expect(&ask("kubernetes", settings(false, None)).await, "unhealthy", "");
    let found = ask("kubernetes", settings(true, Some(("orders", 1)))).await;
    expect(&found, "degraded", "expected 3 ready replicas, found 2");
    expect(&ask("kubernetes", settings(true, Some(("orders", 3)))).await, "unhealthy", "found 2 of 3");
    expect(&ask("kubernetes", settings(false, Some(("orders", 1)))).await, "silent", "");
}

#[tokio::test]
async fn a_program_says_by_its_exit_code_what_it_knows() {
    let script = |text: &str| json!({"run": ["/bin/sh", "-c", text]});
    let cases = [
        ("echo fine", "healthy", ""),
        ("echo one; echo two; exit 1", "unhealthy", "/bin/sh says: two"),
        ("echo out; echo why >&2; exit 1", "unhealthy", "says: why"),
        ("echo three; exit 3", "silent", "expected exit code 0 or 1, found 3: three"),
        ("kill -9 $$", "silent", "ended by a signal"),
        ("echo begun; sleep 30", "silent", "did not end within 800 ms and was killed: begun"),
        ("yes | head -c 3000000; exit 1", "unhealthy", "says: y"),
    ];
    for (text, word, words) in cases {
        expect(&ask("command", script(text)).await, word, words);
    }
    expect(&ask("command", json!({"run": ["/nowhere/probe"]})).await, "silent", "could not be started");
    // No shell reads the words, and a secret that is printed is not told.
    let words = json!({"run": ["/bin/echo", "$HOME; exit 1"]});
    expect(&ask("command", words).await, "healthy", "");
    let mut telling = script("echo \"it is $TOKEN for $WHO\"; exit 1");
    telling["secretEnv"] = json!({"TOKEN": {"env": "hush-hush"}});
    telling["env"] = json!({"WHO": "you"});
    expect(&ask("command", telling).await, "unhealthy", "it is [REDACTED] for you");
}

#[tokio::test]
async fn nothing_that_a_program_started_outlives_its_probe() {
    let folder = tempfile::tempdir().unwrap();
    for (number, end) in ["exit 0", "exec sleep 30"].into_iter().enumerate() {
        let file = folder.path().join(number.to_string());
        let text = format!("sleep 30 & echo $! > '{}'; {end}", file.display());
        let start = Instant::now();
        let _found = ask("command", json!({"run": ["/bin/sh", "-c", text]})).await;
        assert!(start.elapsed() < Duration::from_secs(5), "{end}");
        let left = fs::read_to_string(&file).unwrap();
        let gone = || {
            let stat = fs::read_to_string(format!("/proc/{}/stat", left.trim()));
            stat.map_or(true, |stat| stat.contains(") Z "))
        };
        await_until("the end of what the program left behind", Duration::from_secs(5), gone);
    }
}

#[tokio::test]
async fn of_several_dns_servers_one_that_is_silent_is_a_warning() {
    let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let lines = [("www", 30, "A", "10.1.0.80")];
    let (first, second) = (Bind::primary(one.path(), &lines), Bind::primary(two.path(), &lines));
    let servers = json!([first.address().to_string(), second.address().to_string()]);
    let settings = json!({"servers": servers, "name": "www.dr.test", "expect": ["10.1.0.80"]});
    expect(&ask("dns", settings.clone()).await, "healthy", "");
    second.signal("STOP");
    expect(&ask("dns", settings.clone()).await, "degraded", "1 of 2 servers answer as expected");
    first.signal("STOP");
    expect(&ask("dns", settings).await, "silent", "no answer within 800 ms");
    second.signal("CONT");
    first.signal("CONT");
}
