//! etcd: one node in plain text, and three nodes with TLS and client certificates made here.

use std::{
    fs,
    net::IpAddr,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use lifeboat::store::etcd::Place;

use super::{Leash, await_until, free_port};

/// Long enough for a loaded machine; nothing waits for it when all is well.
const LIMIT: Duration = Duration::from_secs(30);

/// Certificates of a cluster: an authority, one certificate of all members, one of clients. The gateway of a member is
/// a client of the member itself and shows it the member's own certificate, so that one is for both uses.
pub struct Certificates {
    folder: PathBuf,
}

impl Certificates {
    /// Makes them, for members on these addresses.
    pub fn make(folder: &Path, members: &[IpAddr]) -> Self {
        fs::create_dir_all(folder).expect("a folder for certificates");
        let this = Self { folder: folder.to_owned() };
        let key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
        let ca = ["req", "-x509", "-days", "2", "-subj", "/CN=test-ca", "-keyout", "ca.key", "-out", "ca.pem"];
        this.openssl(ca.iter().chain(&key));
        let names: Vec<_> = members.iter().map(|ip| format!("IP:{ip}")).collect();
        let uses = [
            ("member", format!("subjectAltName={}\nextendedKeyUsage=serverAuth,clientAuth\n", names.join(","))),
            ("client", "extendedKeyUsage=clientAuth\n".to_owned()),
        ];
        for (name, extensions) in uses {
            fs::write(folder.join(format!("{name}.ext")), extensions).expect("the extensions");
            let (secret, request, out) = (format!("{name}.key"), format!("{name}.csr"), format!("{name}.pem"));
            let subject = format!("/CN={name}");
            let ask = ["req", "-subj", &subject, "-keyout", &secret, "-out", &request];
            this.openssl(ask.iter().chain(&key));
            let extensions = format!("{name}.ext");
            let sign =
                ["x509", "-req", "-in", &request, "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2"];
            this.openssl(sign.iter().chain(&["-extfile", &extensions, "-out", &out]));
        }
        this
    }

    fn openssl<'a>(&self, words: impl Iterator<Item = &'a &'a str>) {
        let output = Command::new("openssl").args(words).current_dir(&self.folder).output().expect("openssl");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }
}

/// One member, running or not.
pub struct Member {
    name: String,
    words: Vec<String>,
    log: PathBuf,
    leash: Option<Leash>,
    /// `host:port` for clients.
    pub client: String,
}

impl Member {
    /// `kill -9`.
    pub fn kill(&mut self) {
        if let Some(leash) = self.leash.take() {
            leash.kill();
        }
    }

    /// Sends a signal by name.
    pub fn signal(&self, name: &str) {
        if let Some(leash) = &self.leash {
            leash.signal(name);
        }
    }

    /// Starts it, again with the data it had.
    pub fn start(&mut self) {
        self.leash = Some(Leash::start(&self.log, &self.words, &[]).expect("etcd starts"));
    }
}

/// How a cluster is made.
pub struct Shape {
    /// The address of each member's clients.
    pub clients: Vec<IpAddr>,
    /// The address of each member's peers.
    pub peers: Vec<IpAddr>,
    /// TLS with client certificates.
    pub tls: bool,
    /// Put before each member's command: enters its network.
    pub inside: Vec<Vec<String>>,
    /// Heartbeat and election timeout, in milliseconds. etcd's defaults are 100 and 1000.
    pub pace: (u32, u32),
}

impl Shape {
    /// One member, in plain text.
    pub fn one() -> Self {
        let at = vec!["127.5.0.1".parse().expect("an address")];
        // Alone it has nobody to wait for.
        Self { clients: at.clone(), peers: at, tls: false, inside: Vec::new(), pace: (10, 100) }
    }

    /// Three members with TLS.
    pub fn three() -> Self {
        let at: Vec<IpAddr> = (1..=3).map(|n| format!("127.5.0.{n}").parse().expect("an address")).collect();
        Self { clients: at.clone(), peers: at, tls: true, inside: Vec::new(), pace: (100, 1000) }
    }
}

/// A cluster in a temporary folder.
pub struct Cluster {
    pub members: Vec<Member>,
    certificates: Option<Certificates>,
    folder: tempfile::TempDir,
}

impl Cluster {
    /// Starts it and waits until every member has a leader.
    pub fn start(shape: &Shape) -> Self {
        let folder = tempfile::Builder::new().prefix("lifeboat-etcd-").tempdir().expect("a folder");
        let certificates = shape.tls.then(|| Certificates::make(&folder.path().join("certificates"), &shape.clients));
        let scheme = if shape.tls { "https" } else { "http" };
        // In networks of their own every port is free.
        let port = |ip: &IpAddr, otherwise: u16| if shape.inside.is_empty() { free_port(&[*ip]) } else { otherwise };
        let peers: Vec<_> = shape.peers.iter().map(|ip| format!("http://{ip}:{}", port(ip, 2380))).collect();
        let cluster: Vec<_> = peers.iter().enumerate().map(|(n, url)| format!("n{n}={url}")).collect();
        let mut members = Vec::new();
        for (n, ip) in shape.clients.iter().enumerate() {
            let client = format!("{ip}:{}", port(ip, 2379));
            let url = format!("{scheme}://{client}");
            let (name, data) = (format!("n{n}"), folder.path().join(format!("n{n}")));
            let mut words = shape.inside.get(n).cloned().unwrap_or_default();
            words.push("etcd".into());
            let mut say = |flag: &str, value: &str| words.extend([flag.to_owned(), value.to_owned()]);
            say("--name", &name);
            say("--data-dir", data.to_str().expect("a path"));
            say("--listen-client-urls", &url);
            say("--advertise-client-urls", &url);
            say("--listen-peer-urls", &peers[n]);
            say("--initial-advertise-peer-urls", &peers[n]);
            say("--initial-cluster", &cluster.join(","));
            say("--heartbeat-interval", &shape.pace.0.to_string());
            say("--election-timeout", &shape.pace.1.to_string());
            if let Some(certificates) = &certificates {
                say("--cert-file", certificates.file("member.pem").to_str().expect("a path"));
                say("--key-file", certificates.file("member.key").to_str().expect("a path"));
                say("--trusted-ca-file", certificates.file("ca.pem").to_str().expect("a path"));
                words.push("--client-cert-auth".into());
            }
            let log = folder.path().join(format!("n{n}.log"));
            members.push(Member { name, words, log, leash: None, client });
        }
        members.iter_mut().for_each(Member::start);
        let cluster = Self { members, certificates, folder };
        await_until("a leader of the etcd cluster", LIMIT, || cluster.leader().is_some());
        cluster
    }

    /// Where the store is, in the order of these members.
    pub fn place(&self, order: &[usize]) -> Place {
        let file = |name| self.certificates.as_ref().map(|certificates| certificates.file(name));
        Place {
            tls: self.certificates.is_some(),
            members: order.iter().map(|n| self.members[*n].client.clone()).collect(),
            prefix: "test".into(),
            ca: file("ca.pem"),
            identity: file("client.pem").zip(file("client.key")),
        }
    }

    /// The same as settings of the program.
    pub fn environment(&self) -> Vec<(&'static str, String)> {
        let place = self.place(&(0..self.members.len()).collect::<Vec<_>>());
        let scheme = if place.tls { "etcd+https" } else { "etcd+http" };
        let text = |path: PathBuf| path.to_str().expect("a path").to_owned();
        let mut settings = vec![("LIFEBOAT_STORE", format!("{scheme}://{}/{}", place.members.join(","), place.prefix))];
        settings.extend(place.ca.map(|ca| ("LIFEBOAT_STORE_CA", text(ca))));
        if let Some((certificate, key)) = place.identity {
            settings.extend([("LIFEBOAT_STORE_CERT", text(certificate)), ("LIFEBOAT_STORE_KEY", text(key))]);
        }
        settings
    }

    /// Runs `etcdctl` against these members.
    pub fn ctl(&self, members: &[usize], words: &[&str]) -> Option<String> {
        let place = self.place(members);
        let mut command = Command::new("etcdctl");
        command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default()).env("ETCDCTL_API", "3");
        let scheme = if place.tls { "https" } else { "http" };
        let members: Vec<_> = place.members.iter().map(|member| format!("{scheme}://{member}")).collect();
        command.arg(format!("--endpoints={}", members.join(","))).args(["--dial-timeout=1s", "--command-timeout=2s"]);
        if let (Some(ca), Some((certificate, key))) = (place.ca, place.identity) {
            command.arg("--cacert").arg(ca).arg("--cert").arg(certificate).arg("--key").arg(key);
        }
        let output = command.args(words).output().expect("etcdctl");
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// The member that leads, by its own word and the others'; `None` while they do not agree.
    pub fn leader(&self) -> Option<usize> {
        let mut leader = None;
        for n in (0..self.members.len()).filter(|n| self.members[*n].leash.is_some()) {
            let status = self.ctl(&[n], &["endpoint", "status", "-w", "json"])?;
            let status: serde_json::Value = serde_json::from_str(&status).ok()?;
            let status = status.pointer("/0/Status")?;
            let (id, led_by) = (status.pointer("/header/member_id")?.as_u64()?, status.get("leader")?.as_u64()?);
            if led_by == 0 {
                return None;
            }
            if id == led_by {
                leader = Some(n);
            }
        }
        leader
    }

    /// What the members printed.
    pub fn logs(&self) -> String {
        let log =
            |member: &Member| format!("== {}\n{}", member.name, fs::read_to_string(&member.log).unwrap_or_default());
        self.members.iter().map(log).collect()
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }
}
