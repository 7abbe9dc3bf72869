//! Two regions that serve orders, and a third that sees: the world of `examples/two-regions`, and of the tests of a whole
//! failover.
//!
//! | | fra, 127.1.0.0/16 | dub, 127.2.0.0/16 | ams, 127.3.0.0/16 |
//! |---|---|---|---|
//! | `.10` | PostgreSQL, primary | PostgreSQL, standby | |
//! | `.20` | moto, `uploads-fra` | moto, `uploads-dub` | |
//! | `.80` | the service's health | the service's health | |
//! | `.53` | | name server, secondary | name server, primary |
//!
//! The service is a mode of the example's own program, so the example must be built; `cargo nextest run` and `make demo` do.

use std::{
    collections::BTreeSet,
    env,
    fmt::Write as _,
    fs,
    net::{IpAddr, SocketAddr},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use serde_json::json;

use super::{
    Leash, await_port, await_until,
    bind::{Bind, SECRET},
    free_port,
    moto::Moto,
    postgres::{Node, PASSWORD, Pair},
    relay::Relay,
};

/// The documents, with ports and folders left open.
const DOCUMENTS: &str = include_str!("../../examples/two-regions/lifeboat.yaml");
/// The shipped runbooks that the group names.
const RUNBOOKS: [&str; 3] = ["region-failover.yaml", "region-switchover.yaml", "region-failback.yaml"];
/// What the shop and the service need: tables that are theirs, and a role that is nobody special.
const SCHEMA: [&str; 3] = [
    "CREATE ROLE shop LOGIN PASSWORD 'shop-secret'",
    "CREATE TABLE orders (id bigint PRIMARY KEY, placed_at timestamptz NOT NULL DEFAULT now());
     GRANT SELECT, INSERT ON orders TO shop",
    "CREATE TABLE health (at timestamptz NOT NULL); INSERT INTO health VALUES (now());
     GRANT SELECT, UPDATE ON health TO shop",
];

/// The servers of one region but its database.
struct Region {
    node: Node,
    store: Moto,
    service: Option<Leash>,
    address: SocketAddr,
}

/// All regions. Dropping it ends every server.
pub struct Regions {
    dir: PathBuf,
    /// The databases.
    pub databases: Pair,
    sides: [Region; 2],
    /// The name servers: primary in ams, secondary in dub.
    pub names: (Bind, Bind),
    /// Their addresses in those networks.
    doors: (Relay, Relay),
}

fn ip(network: u8, host: u8) -> IpAddr {
    IpAddr::from([127, network, 0, host])
}

fn network(node: Node) -> u8 {
    match node {
        Node::Fra => 1,
        Node::Dub => 2,
    }
}

/// The example's program. A test is in `target/PROFILE/deps`, the example itself in `target/PROFILE/examples`.
pub fn program() -> PathBuf {
    let own = env::current_exe().expect("the path of this program");
    let program = own.ancestors().nth(2).expect("target/PROFILE").join("examples/two-regions");
    assert!(program.exists(), "{} is missing: cargo build --example two-regions", program.display());
    program
}

/// The bucket of a region.
pub fn bucket(node: Node) -> String {
    format!("uploads-{}", node.region())
}

/// What a thread made; its panic is ours.
fn joined<T>(thread: thread::ScopedJoinHandle<'_, T>) -> T {
    thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

impl Regions {
    /// Starts all servers and writes Lifeboat's documents to `dir/lifeboat`. `dir` is there and empty.
    pub fn start(dir: &Path) -> Self {
        let address = |name, host| (name, 1, "A", host);
        let records = [
            address("orders", "127.1.0.80"),
            address("db", "127.1.0.10"),
            address("s3", "127.1.0.20"),
            address("drill", "127.1.0.80"),
        ];
        // Side by side: each of them waits for its own server most of the time.
        let (databases, [fra, dub], names) = thread::scope(|scope| {
            let databases = scope.spawn(|| {
                let pair = Pair::start();
                for sql in SCHEMA {
                    pair.psql(Node::Fra, sql);
                }
                pair
            });
            let stores = [Node::Fra, Node::Dub].map(|node| {
                scope.spawn(move || {
                    let store = Moto::start(ip(network(node), 20), dir);
                    store.create_bucket(&bucket(node));
                    store
                })
            });
            let names = Bind::pair(&dir.join("names"), &records);
            (joined(databases), stores.map(joined), names)
        });
        let doors = (Relay::start(ip(3, 53), names.0.address()), Relay::start(ip(2, 53), names.1.address()));
        let port = free_port(&[ip(1, 80), ip(2, 80)]);
        let region =
            |node, store| Region { node, store, service: None, address: SocketAddr::new(ip(network(node), 80), port) };
        let regions = [region(Node::Fra, fra), region(Node::Dub, dub)];
        let mut all = Self { dir: dir.to_owned(), databases, sides: regions, names, doors };
        all.write_down();
        for node in [Node::Fra, Node::Dub] {
            all.start_service(node);
        }
        all.await_healthy(Node::Fra);
        all
    }

    /// `kill -9` of every server of the region.
    pub fn kill_region(&mut self, node: Node) {
        // All in one breath: first the signals, then the waiting that each of them does.
        self.databases.kill(node);
        let region = self.region(node);
        region.service = None;
        region.store.kill();
    }

    /// The region's machines are back: the service, and an object store without an object. Its database is not: somebody has
    /// to decide first what it may come back as.
    pub fn start_region(&mut self, node: Node) {
        let region = self.region(node);
        region.store.restart();
        region.store.create_bucket(&bucket(node));
        self.start_service(node);
    }

    /// The process ids of a region's servers, with what they are.
    pub fn servers(&self, node: Node) -> Vec<(String, u32)> {
        let mut all = Vec::new();
        all.extend(self.databases.pid(node).map(|pid| ("PostgreSQL".to_owned(), pid)));
        for region in self.sides.iter().filter(|region| region.node == node) {
            all.extend(region.store.pid().map(|pid| ("object store".to_owned(), pid)));
            all.extend(region.service.as_ref().map(|leash| ("service".to_owned(), leash.pid())));
        }
        all
    }

    /// The folder with Lifeboat's documents.
    pub fn documents(&self) -> PathBuf {
        self.dir.join("lifeboat")
    }

    /// The file with the ports, for the modes of the example's program.
    pub fn ports(&self) -> PathBuf {
        self.dir.join("ports.json")
    }

    /// The ids of all orders in a region's database.
    pub fn orders(&self, node: Node) -> BTreeSet<u64> {
        let rows = self.databases.psql(node, "SELECT id FROM orders");
        rows.lines().map(|id| id.parse().expect("an id")).collect()
    }

    /// The region's object store.
    pub fn store(&self, node: Node) -> &Moto {
        let region = self.sides.iter().find(|region| region.node == node);
        &region.expect("both regions are there").store
    }

    /// Where the region's service answers whether it is healthy.
    pub fn health(&self, node: Node) -> SocketAddr {
        SocketAddr::new(ip(network(node), 80), self.sides[0].address.port())
    }

    /// Waits until the region's service says that it is healthy.
    pub fn await_healthy(&self, node: Node) {
        let at = self.health(node);
        let mut last = String::new();
        await_until(&format!("health of {} ({at})", node.region()), Duration::from_secs(30), || {
            last = super::moto::request(at, "GET", "/healthz", &[]).map_or_else(
                |error| error.to_string(),
                |(status, body)| format!("{status} {}", String::from_utf8_lossy(&body)),
            );
            last.starts_with("200")
        });
    }

    fn region(&mut self, node: Node) -> &mut Region {
        let region = self.sides.iter_mut().find(|region| region.node == node);
        region.expect("both regions are there")
    }

    fn start_service(&mut self, node: Node) {
        let (ports, log) = (self.ports(), self.dir.join(format!("service-{}.log", node.region())));
        let region = self.region(node);
        let words = [
            program().display().to_string(),
            "service".to_owned(),
            ports.display().to_string(),
            node.region().to_owned(),
            region.address.to_string(),
        ];
        region.service = Some(Leash::start(&log, words, &[]).expect("the service starts"));
        await_port(region.address, Duration::from_secs(20));
    }

    /// Ports for the example's modes, secrets and documents for Lifeboat.
    fn write_down(&self) {
        let (first, second) = (self.doors.0.address(), self.doors.1.address());
        let (fra, dub) = (self.store(Node::Fra), self.store(Node::Dub));
        let ports = json!({
            "postgres": self.databases.port,
            "s3": {"fra": fra.address().port(), "dub": dub.address().port()},
            "dns": [first, second],
        });
        fs::write(self.ports(), ports.to_string()).expect("the ports");
        let secrets = self.dir.join("secrets");
        fs::create_dir_all(&secrets).expect("a folder for secrets");
        let access = [
            ("postgres", PASSWORD),
            ("tsig", SECRET),
            ("s3-access-key", "lifeboat"),
            ("s3-secret-key", "bucket-Hunter2-8Wz"),
        ];
        for (name, secret) in access {
            fs::write(secrets.join(name), format!("{secret}\n")).expect("a secret");
        }
        let scripts = self.databases.script("");
        let reset = format!(
            "#!/bin/sh\nexec nsupdate -y hmac-sha256:lifeboat:{SECRET} <<END\nserver {} {}\nzone dr.test\n\
             update delete drill.dr.test A\nupdate add drill.dr.test 1 A 127.1.0.80\nsend\nEND\n",
            first.ip(),
            first.port()
        );
        let path = self.databases.script("reset-name.sh");
        fs::write(&path, reset).expect("a script");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).expect("chmod of a script");
        let mut text = DOCUMENTS.to_owned();
        for (name, value) in [
            ("POSTGRES", self.databases.port.to_string()),
            ("SERVICE", self.health(Node::Fra).port().to_string()),
            ("S3_FRA", fra.url()),
            ("S3_DUB", dub.url()),
            ("DNS_PRIMARY", first.to_string()),
            ("DNS_SECONDARY", second.to_string()),
            ("SECRETS", secrets.display().to_string()),
            ("SCRIPTS", scripts.trim_end_matches('/').to_owned()),
        ] {
            text = text.replace(&format!("@{name}@"), &value);
        }
        fs::create_dir_all(self.documents()).expect("a folder for documents");
        fs::write(self.documents().join("orders.yaml"), text).expect("the documents");
        for name in RUNBOOKS {
            let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("runbooks").join(name);
            fs::copy(&shipped, self.documents().join(name))
                .unwrap_or_else(|error| panic!("{}: {error}", shipped.display()));
        }
    }

    /// What every server logged, for a test that failed.
    pub fn logs(&self) -> String {
        let mut all = String::new();
        for node in [Node::Fra, Node::Dub] {
            let service =
                fs::read_to_string(self.dir.join(format!("service-{}.log", node.region()))).unwrap_or_default();
            write!(all, "== postgres {0}\n{1}\n== service {0}\n{service}\n", node.region(), self.databases.log(node))
                .expect("text");
        }
        all + "== reverse\n" + &self.databases.reverse_log()
    }
}
