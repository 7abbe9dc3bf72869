//! A real PostgreSQL primary (`fra`, 127.1.0.10) and its streaming standby (`dub`, 127.2.0.10), both on one port.
//!
//! Two regions are two loopback networks. Servers run as the user `postgres`; their configuration lies outside
//! their data folders, so `pg_rewind` does not mix them up. A cluster is made once a machine and copied for each pair.
//!
//! The servers are started by `serve.sh`, also when a runbook's `reverse` program starts one, so the leash is a named
//! pipe: this process holds its other end open, and when that closes, however this process ended, each server's
//! leash kills it and its children. Nothing is ever ended by name.

#![expect(
    clippy::expect_used,
    clippy::panic,
    unreachable_pub,
    reason = "a test server: what fails here fails the test"
)]

use std::{
    fs::{self, File, OpenOptions},
    io::ErrorKind,
    net::{IpAddr, SocketAddr, TcpStream},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use serde_json::{Value, json};
use tempfile::TempDir;

use super::{authority::Authority, await_until, free_port, stands_still};

/// Debian's place for PostgreSQL 15.
const BIN: &str = "/usr/lib/postgresql/15/bin";
/// Servers and their tools refuse root, and libpq looks for certificates in `$HOME`, which is not theirs.
const AS_POSTGRES: [&str; 6] =
    ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups", "env", "HOME=/nowhere"];
/// The password of the role `lifeboat`. Recognisable, so that a leak is seen.
pub const PASSWORD: &str = "Leaky-Hunter2-7Qx";

/// One of the two servers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Node {
    /// The primary at the start.
    Fra,
    /// The standby at the start.
    Dub,
}

impl Node {
    /// Its region's name.
    pub fn region(self) -> &'static str {
        match self {
            Self::Fra => "fra",
            Self::Dub => "dub",
        }
    }
    /// Its address.
    pub fn ip(self) -> &'static str {
        match self {
            Self::Fra => "127.1.0.10",
            Self::Dub => "127.2.0.10",
        }
    }
    /// The other one.
    pub fn peer(self) -> Self {
        match self {
            Self::Fra => Self::Dub,
            Self::Dub => Self::Fra,
        }
    }
}

/// A primary and its standby. Dropping it ends both.
pub struct Pair {
    dir: TempDir,
    /// The port of both.
    pub port: u16,
    leash: Option<File>,
    secured: Option<Secured>,
}

/// Both servers take TLS and SCRAM-SHA-256 alone, for replication too.
struct Secured {
    authority: Authority,
    /// Passwords for libpq, of both roles.
    passwords: PathBuf,
}

impl Secured {
    /// What libpq needs, as its own environment variables.
    fn environment(&self) -> [(&'static str, String); 3] {
        [
            ("PGSSLMODE", "verify-full".into()),
            ("PGSSLROOTCERT", self.authority.file().display().to_string()),
            ("PGPASSFILE", self.passwords.display().to_string()),
        ]
    }
}

/// serve.sh NODE: starts the node's server on the leash.
const SERVE: &str = r#"#!/bin/bash
D=@DIR@; N=$1
setsid bash -c 'exec 3<"$1/leash"; shift
  "$@" </dev/null 3<&- & p=$!; read -r _ <&3 & r=$!; wait -n "$p" "$r"
  kids=$(cat "/proc/$p/task/$p/children" 2>/dev/null); kill -9 "$p" "$r" $kids 2>/dev/null; wait' leash "$D" \
  @AS@ @BIN@/postgres -D "$D/$N/data" -c config_file="$D/$N/postgresql.conf" </dev/null >>"$D/$N/log" 2>&1 &
exit 0
"#;

/// fence.sh NODE: kills the postmaster and makes sure that it comes back as a standby, if at all. A number in an old `postmaster.pid` may
/// be somebody else's by now: a postmaster has its data in its words, which everybody may read.
const FENCE: &str = r#"#!/bin/bash
D=@DIR@/$1/data
touch "$D/standby.signal"; chown postgres: "$D/standby.signal"
p=$(head -1 "$D/postmaster.pid" 2>/dev/null) || exit 0
grep -qsaF "$D" "/proc/$p/cmdline" || exit 0
# Its children follow it by themselves, unless they are stopped: then nobody would ever end them.
kids=$(cat "/proc/$p/task/$p/children" 2>/dev/null)
kill -9 "$p" $kids 2>/dev/null
while [ "$(cat "/proc/$p/comm" 2>/dev/null)" = postgres ]; do sleep 0.01; done
exit 0
"#;

/// fence-verify.sh NODE: exits 0 when the node's server is gone and cannot come back as a primary.
const FENCE_VERIFY: &str = r#"#!/bin/bash
D=@DIR@/$1/data
p=$(head -1 "$D/postmaster.pid" 2>/dev/null)
[ -n "$p" ] && grep -qsaF "$D" "/proc/$p/cmdline" && { echo "process $p still runs" >&2; exit 1; }
[ -e "$D/standby.signal" ] || { echo "no standby.signal: it would start as a primary" >&2; exit 1; }
"#;

/// reverse.sh SOURCE DESTINATION: makes the source's server a standby of the destination's. One at a time: what an earlier start began
/// holds the lock, also when the script itself was killed; the server that is started does not. It ends when that server runs.
const REVERSE: &str = r#"#!/bin/bash
D=@DIR@; S=$1; T=$2; exec >>"$D/reverse.log" 2>&1; set -x
exec 8>"$D/$S/reverse.lock"; flock -w 120 8 || exit 1
@EXPORT@
case $T in fra) H=127.1.0.10;; dub) H=127.2.0.10;; *) exit 2;; esac
runs() { p=$(head -1 "$D/$S/data/postmaster.pid" 2>/dev/null) && grep -qsaF "$D/$S/data" "/proc/$p/cmdline"; }
if runs; then @AS@ @BIN@/pg_ctl -D "$D/$S/data" -m fast -t 5 -w stop || "$D/fence.sh" "$S"; fi
rm -f "$D/$S/data/standby.signal"          # single-user recovery inside pg_rewind refuses standby mode
@BIN@/psql -h $H -p @PORT@ -U postgres -d postgres -c CHECKPOINT || exit 1   # so that its new timeline is on disk
# A server that was itself rewound has lost its slots.
@BIN@/psql -h $H -p @PORT@ -U postgres -d postgres -c "SELECT pg_create_physical_replication_slot('peer')
  WHERE NOT EXISTS (SELECT FROM pg_replication_slots WHERE slot_name = 'peer')" || exit 1
@AS@ @BIN@/pg_rewind -D "$D/$S/data" --config-file="$D/$S/postgresql.conf" --source-server="host=$H port=@PORT@ user=postgres dbname=postgres" || {
  runs && exit 1
  rm -rf "$D/$S/data"
  @AS@ @BIN@/pg_basebackup -h $H -p @PORT@ -U postgres -D "$D/$S/data" -X stream -c fast || exit 1
}
touch "$D/$S/data/standby.signal"; chown postgres: "$D/$S/data/standby.signal"
"$D/serve.sh" "$S" 8>&-
for _ in $(seq 500); do runs && exit 0; sleep 0.02; done 2>/dev/null
exit 1
"#;

/// clone.sh: a throw-away pair in dub, from a base backup of whatever dub serves: `clone-fra`, promoted, and `clone-dub`, which
/// follows it. The real servers notice a backup and nothing else.
const CLONE: &str = r#"#!/bin/bash
D=@DIR@; exec >>"$D/clone.log" 2>&1; set -ex
@EXPORT@
ask() { @BIN@/psql -XAtq -h "$1" -p @PORT@ -U postgres -d postgres -c "$2"; }
until_so() { for _ in $(seq 300); do [ "$(ask "$1" "$2" 2>/dev/null)" = "$3" ] && return; sleep 0.1; done; exit 1; }
make() { # NODE ADDRESS FROM UPSTREAM
  mkdir -p "$D/$1"; chown postgres: "$D/$1"
  sed -e "s/^listen_addresses = .*/listen_addresses = '$2'/" -e "s/^cluster_name = .*/cluster_name = '$1'/" \
    -e "s/^primary_conninfo = .*/primary_conninfo = '$4'/" "$D/dub/postgresql.conf" >"$D/$1/postgresql.conf"
  @AS@ @BIN@/pg_basebackup -h "$3" -p @PORT@ -U postgres -D "$D/$1/data" -X stream -c fast
  touch "$D/$1/data/standby.signal"; chown postgres: "$D/$1/data/standby.signal"
  "$D/serve.sh" "$1"
}
make clone-fra 127.2.0.11 127.2.0.10 ''
until_so 127.2.0.11 'SELECT pg_is_in_recovery()' t
ask 127.2.0.11 'SELECT pg_promote()'
until_so 127.2.0.11 'SELECT pg_is_in_recovery()' f
ask 127.2.0.11 "SELECT pg_create_physical_replication_slot('peer')"
make clone-dub 127.2.0.12 127.2.0.11 'host=127.2.0.11 port=@PORT@ user=postgres'
until_so 127.2.0.12 "SELECT count(*) FROM pg_stat_wal_receiver WHERE status = 'streaming'" 1
"#;

/// drop.sh: the throw-away pair is gone, with its data.
const DROP: &str = r#"#!/bin/bash
D=@DIR@; exec >>"$D/clone.log" 2>&1; set -x
for n in clone-fra clone-dub; do
  [ -e "$D/$n/data/postmaster.pid" ] && @AS@ @BIN@/pg_ctl -D "$D/$n/data" -m immediate -t 10 -w stop
  rm -rf "${D:?}/$n" || exit 1
done
exit 0
"#;

/// dropped.sh: exits 0 when nothing of the throw-away pair is there.
const DROPPED: &str = r#"#!/bin/bash
for n in clone-fra clone-dub; do [ -e "@DIR@/$n" ] && exit 1; done
exit 0
"#;

impl Pair {
    /// Starts both and waits until the standby streams.
    pub fn start() -> Self {
        Self::start_with("wal_retrieve_retry_interval = 100ms")
    }

    /// The same, with these lines at the end of both configurations.
    pub fn start_with(settings: &str) -> Self {
        Self::make(settings, false)
    }

    /// The same, but the servers talk TLS only, with certificates from an authority of the pair's own, and passwords are
    /// proven with SCRAM-SHA-256 (`pg_hba.conf`: `hostssl … scram-sha-256`). Connections are logged.
    pub fn start_secured() -> Self {
        Self::make("wal_retrieve_retry_interval = 100ms\nlog_connections = on", true)
    }

    fn make(settings: &str, secured: bool) -> Self {
        let dir = tempfile::Builder::new().prefix("lifeboat-pg-").tempdir().expect("a temporary folder");
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).expect("chmod of a temporary folder");
        let port = free_port(&[Node::Fra, Node::Dub].map(|node| node.ip().parse::<IpAddr>().expect("an address")));
        run(Command::new("mkfifo").arg(dir.path().join("leash")));
        let leash = OpenOptions::new().read(true).write(true).open(dir.path().join("leash")).expect("the leash");
        let secured = secured.then(|| secure(dir.path()));
        let pair = Self { dir, port, leash: Some(leash), secured };
        let exports = pair.environment().map(|(name, value)| format!("export {name}={value}"));
        let exports = exports.collect::<Vec<_>>().join("; ");
        for (name, text) in [
            ("serve.sh", SERVE),
            ("fence.sh", FENCE),
            ("fence-verify.sh", FENCE_VERIFY),
            ("reverse.sh", REVERSE),
            ("clone.sh", CLONE),
            ("drop.sh", DROP),
            ("dropped.sh", DROPPED),
        ] {
            let text = text
                .replace("@DIR@", &pair.dir.path().display().to_string())
                .replace("@AS@", &AS_POSTGRES.join(" "))
                .replace("@BIN@", BIN)
                .replace("@PORT@", &port.to_string())
                .replace("@EXPORT@", &exports);
            let path = pair.dir.path().join(name);
            fs::write(&path, text).expect("a script");
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("chmod of a script");
        }
        fs::write(pair.password_file(), format!("{PASSWORD}\n")).expect("the password file");
        let template = template();
        for node in [Node::Fra, Node::Dub] {
            fs::create_dir(pair.home(node)).expect("the node's folder");
            run(Command::new("chown").arg("postgres:").arg(pair.home(node))); // pg_basebackup makes `data` anew.
            pair.lay_out(node);
            let conf = format!(
                "listen_addresses = '{}'\nport = {port}\ncluster_name = '{}'\nunix_socket_directories = ''\n\
                 hba_file = '{}'\nprimary_conninfo = '{}'\nprimary_slot_name = 'peer'\n{COMMON}{settings}\n",
                node.ip(),
                node.region(),
                pair.access_list(&template).display(),
                pair.conninfo(node)
            ) + &pair.encryption(node);
            fs::write(pair.home(node).join("postgresql.conf"), conf).expect("the configuration");
        }
        pair.start_again(Node::Fra);
        pair.start_again(Node::Dub);
        pair.await_streaming(Node::Dub);
        pair
    }

    /// `postgres://host:port/database` of a node.
    pub fn url(&self, node: Node) -> String {
        format!("postgres://{}:{}/orders", node.ip(), self.port)
    }

    /// The file with the password of the role `lifeboat`.
    pub fn password_file(&self) -> PathBuf {
        self.dir.path().join("password")
    }

    /// The settings of a `postgres` target of this pair, with these fence methods (`null`: the default).
    pub fn target(&self, fence: &Value) -> Value {
        let member = |node: Node| {
            json!({
                "region": node.region(), "url": self.url(node), "user": "lifeboat",
                "password": {"file": self.password_file()}, "tls": self.tls(),
            })
        };
        let mut target = json!({
            "members": [member(Node::Fra), member(Node::Dub)],
            "reverse": {"run": [self.script("reverse.sh"), "{{ source }}", "{{ destination }}"]},
        });
        if !fence.is_null() {
            target["fence"] = fence.clone();
        }
        target
    }

    /// How the servers are reached: the `tls` of a member.
    pub fn tls(&self) -> Value {
        match &self.secured {
            Some(secured) => json!({"mode": "verifyFull", "ca": secured.authority.file()}),
            None => json!({"mode": "disable"}),
        }
    }

    /// The authority of a secured pair.
    pub fn authority(&self) -> &Authority {
        &self.secured.as_ref().expect("a secured pair").authority
    }

    /// A fence method that kills the source's server and proves it.
    pub fn fence_command(&self) -> Value {
        json!({"command": {
            "run": [self.script("fence.sh"), "{{ source }}"], "verify": [self.script("fence-verify.sh"), "{{ source }}"],
        }})
    }

    /// The path of one of the pair's scripts: `serve.sh`, `fence.sh`, `fence-verify.sh`, `reverse.sh`, `clone.sh`, `drop.sh`, `dropped.sh`.
    pub fn script(&self, name: &str) -> String {
        self.dir.path().join(name).display().to_string()
    }

    /// `kill -9` of a node's postmaster and its children: those of a frozen one would not follow by themselves.
    pub fn kill(&self, node: Node) {
        if let Some(pid) = self.pid(node) {
            send("KILL", &[vec![pid], children(pid)].concat());
            await_until("the end of a postmaster", Duration::from_secs(10), || !is_postgres(pid));
        }
    }

    /// Gives these nodes their first data again: `fra` is a primary then, `dub` a standby of it. A `fra` that stays keeps
    /// its timeline, so a fresh `dub` can follow it.
    pub fn afresh(&self, nodes: &[Node]) {
        for node in nodes {
            self.end_strays(*node);
            self.kill(*node);
            self.end_strays(*node);
        }
        for node in nodes {
            self.give_back_memory(*node);
            // A reverse that was ended in its middle may have taken it away itself.
            match fs::remove_dir_all(self.data(*node)) {
                Err(error) if error.kind() != ErrorKind::NotFound => panic!("the old data: {error}"),
                _gone => {}
            }
            let _begins_anew = File::create(self.home(*node).join("log"));
            self.lay_out(*node);
        }
        for node in nodes {
            self.start_again(*node);
        }
        self.await_streaming(Node::Dub);
    }

    /// A killed server leaves its System V segment behind, and the system has a few thousand of them: its identifier is the last
    /// word of the file's seventh line.
    fn give_back_memory(&self, node: Node) {
        let file = fs::read_to_string(self.data(node).join("postmaster.pid")).unwrap_or_default();
        if let Some(id) = file.lines().nth(6).and_then(|line| line.split_whitespace().last()) {
            let _gone_already = Command::new("ipcrm").args(["-m", id]).stderr(Stdio::null()).status();
        }
    }

    /// Ends what works on a node's data besides its server: the programs that a reverse began go on when it is given up.
    fn end_strays(&self, node: Node) {
        let data = self.data(node).display().to_string();
        let reverse = format!("{}\0{}", self.script("reverse.sh"), node.region());
        let server = self.pid(node);
        await_until("the end of what a program began", Duration::from_secs(10), || {
            let strays: Vec<u32> =
                working_on(&[&data, &reverse]).into_iter().filter(|pid| Some(*pid) != server).collect();
            send("KILL", &strays);
            strays.is_empty()
        });
    }

    /// Whether a node was told to promote since it got its data: until it has, it is not at rest. The server logs the request
    /// before it takes the signal's file away.
    pub fn told_to_promote(&self, node: Node) -> bool {
        self.data(node).join("promote").exists() || self.log(node).contains("received promote request")
    }

    /// Where everything lies.
    pub fn folder(&self) -> &Path {
        self.dir.path()
    }

    /// Whether a node's postmaster runs, whatever it answers.
    pub fn runs(&self, node: Node) -> bool {
        self.pid(node).is_some()
    }

    /// Copies the template's data to a node.
    fn lay_out(&self, node: Node) {
        run(Command::new("cp").arg("-a").arg(template()).arg(self.data(node)));
        if node == Node::Dub {
            let signal = self.data(node).join("standby.signal");
            run(Command::new("install").args(["-o", "postgres", "/dev/null"]).arg(signal));
        }
    }

    /// Starts a node's server and waits until it answers.
    pub fn start_again(&self, node: Node) {
        let at: SocketAddr = format!("{}:{}", node.ip(), self.port).parse().expect("an address");
        let mut wait = 0;
        run(Command::new(self.script("serve.sh")).arg(node.region()));
        await_until(&format!("{} answering", node.region()), Duration::from_secs(30), || {
            wait += 1;
            // A killed server's children hold its shared memory for a moment, and the new one gives up at once.
            if wait % 100 == 0 && !self.runs(node) {
                run(Command::new(self.script("serve.sh")).arg(node.region()));
            }
            assert!(wait < 3_000, "{} does not start:\n{}", node.region(), self.log(node));
            TcpStream::connect_timeout(&at, Duration::from_millis(100)).is_ok()
                && self.try_psql(node, "select 1").is_ok()
        });
    }

    /// Stops the node's processes where they are (`SIGSTOP`): the host answers, the server is silent.
    pub fn freeze(&self, node: Node) {
        let pid = self.pid(node).expect("a running server");
        send("STOP", &[pid]);
        // First the postmaster, so that it begets no more children; each is asked until it is seen to stand.
        await_until("the standstill of a postmaster", Duration::from_secs(10), || stands_still(pid));
        let children = children(pid);
        send("STOP", &children);
        await_until("the standstill of a server", Duration::from_secs(10), || {
            children.iter().all(|pid| stands_still(*pid))
        });
    }

    /// Lets a frozen node go on.
    pub fn thaw(&self, node: Node) {
        let pid = self.pid(node).expect("a frozen server");
        send("CONT", &[vec![pid], children(pid)].concat());
    }

    /// Stops `node` from receiving WAL, until `let_go`: what the other one writes now is not on it.
    pub fn hold_back(&self, node: Node) {
        self.set(node, "primary_conninfo", "");
        await_until("the end of streaming", Duration::from_secs(10), || {
            self.psql(node, "select count(*) from pg_stat_wal_receiver") == "0"
        });
    }

    /// Lets `node` receive again.
    pub fn let_go(&self, node: Node) {
        self.set(node, "primary_conninfo", &self.conninfo(node));
    }

    /// Waits until `node` streams from the other one.
    pub fn await_streaming(&self, node: Node) {
        await_until(&format!("streaming to {}", node.region()), Duration::from_secs(20), || {
            self.psql(node, "select count(*) from pg_stat_wal_receiver where status = 'streaming'") == "1"
        });
    }

    /// Changes one setting in a node's configuration and reloads it.
    pub fn set(&self, node: Node, name: &str, value: &str) {
        let path = self.home(node).join("postgresql.conf");
        let old = fs::read_to_string(&path).expect("the configuration");
        let kept = old.lines().filter(|line| line.split(' ').next() != Some(name));
        let new = kept.chain([format!("{name} = '{value}'").as_str()]).collect::<Vec<_>>().join("\n");
        fs::write(&path, new + "\n").expect("the configuration");
        send("HUP", &[self.pid(node).expect("a running server")]);
    }

    /// Gives a node of a secured pair another certificate.
    pub fn certify(&self, node: Node, certificate: &Path, key: &Path) {
        give_to_postgres(key);
        self.set(node, "ssl_key_file", &key.display().to_string());
        self.set(node, "ssl_cert_file", &certificate.display().to_string());
    }

    /// What one statement answers (as superuser `postgres`); panics when it fails.
    pub fn psql(&self, node: Node, sql: &str) -> String {
        self.try_psql(node, sql).unwrap_or_else(|error| panic!("{sql} on {}: {error}", node.region()))
    }

    /// What one statement answers, or the error.
    pub fn try_psql(&self, node: Node, sql: &str) -> Result<String, String> {
        let done = Command::new(format!("{BIN}/psql"))
            .args(["-XAtq", "-v", "ON_ERROR_STOP=1", "-U", "postgres", "-d", "orders", "-h", node.ip()])
            .args(["-p", &self.port.to_string(), "-c", sql])
            .env("PGCONNECT_TIMEOUT", "3")
            .envs(self.environment())
            .output()
            .expect("psql");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
        if done.status.success() { Ok(text(&done.stdout)) } else { Err(text(&done.stderr)) }
    }

    /// What a node's server logged.
    pub fn log(&self, node: Node) -> String {
        fs::read_to_string(self.home(node).join("log")).unwrap_or_default()
    }

    /// What the reverse program did.
    pub fn reverse_log(&self) -> String {
        fs::read_to_string(self.dir.path().join("reverse.log")).unwrap_or_default()
    }

    /// What the clones' programs did.
    pub fn clone_log(&self) -> String {
        fs::read_to_string(self.dir.path().join("clone.log")).unwrap_or_default()
    }

    fn home(&self, node: Node) -> PathBuf {
        self.dir.path().join(node.region())
    }
    fn data(&self, node: Node) -> PathBuf {
        self.home(node).join("data")
    }
    fn conninfo(&self, node: Node) -> String {
        let plain = format!("host={} port={} user=postgres", node.peer().ip(), self.port);
        match &self.secured {
            Some(Secured { authority, passwords }) => {
                let (ca, passwords) = (authority.file(), passwords.display());
                format!("{plain} sslmode=verify-full sslrootcert={} passfile={passwords}", ca.display())
            }
            None => plain,
        }
    }
    fn environment(&self) -> impl Iterator<Item = (&'static str, String)> {
        self.secured.iter().flat_map(Secured::environment)
    }
    fn access_list(&self, template: &Path) -> PathBuf {
        if self.secured.is_some() { self.dir.path().join("hba.conf") } else { template.join("lifeboat_hba.conf") }
    }
    /// The node's part of a secured pair's configuration, with a certificate of its own.
    fn encryption(&self, node: Node) -> String {
        let Some(secured) = &self.secured else { return String::new() };
        let (certificate, key) = secured.authority.issue(node.region(), &format!("IP:{}", node.ip()));
        give_to_postgres(&key);
        format!("ssl = on\nssl_cert_file = '{}'\nssl_key_file = '{}'\n", certificate.display(), key.display())
    }
    /// The process id in the postmaster's own file, while that is the postmaster's: the file of one that was killed stays.
    pub fn pid(&self, node: Node) -> Option<u32> {
        let file = fs::read_to_string(self.data(node).join("postmaster.pid")).ok()?;
        let data = self.data(node).display().to_string();
        file.lines().next()?.trim().parse().ok().filter(|pid| words(*pid).contains(&data))
    }
}

impl Drop for Pair {
    fn drop(&mut self) {
        let running: Vec<u32> = [Node::Fra, Node::Dub].into_iter().filter_map(|node| self.pid(node)).collect();
        drop(self.leash.take());
        // The folder goes next, so nothing may still write into it.
        await_until("the end of a pair", Duration::from_secs(10), || running.iter().all(|pid| !is_postgres(*pid)));
        for node in [Node::Fra, Node::Dub] {
            self.give_back_memory(node);
        }
    }
}

/// Settings of both servers. `fsync` is off: these clusters live for seconds, and no test pulls the plug.
const COMMON: &str = "wal_level = logical\nwal_log_hints = on\nhot_standby = on\nmax_wal_senders = 10\n\
    max_replication_slots = 10\nwal_keep_size = 64MB\nmin_wal_size = 4MB\nshared_buffers = 16MB\nfsync = off\n\
    max_connections = 100\ndynamic_shared_memory_type = mmap\nlog_line_prefix = '%m [%p] '\n\
    wal_receiver_status_interval = 1s\n";

/// `password` over loopback: the client's half of SCRAM takes a tenth of a second in an unoptimised build, at each look.
/// A cluster with the database `orders`, the role `lifeboat` and the slot `peer`, made once.
fn template() -> PathBuf {
    let home = std::env::temp_dir().join("lifeboat-postgres-15-template-3");
    let data = home.join("data");
    fs::create_dir_all(&home).expect("the template's folder");
    let lock = File::create(home.join("lock")).expect("the template's lock");
    lock.lock().expect("the template's lock");
    if home.join("ready").exists() {
        return data;
    }
    let _old = fs::remove_dir_all(&data);
    fs::set_permissions(&home, fs::Permissions::from_mode(0o755)).expect("chmod of the template");
    run(Command::new("chown").arg("postgres:").arg(&home));
    let tool = |name: &str| {
        let mut command = Command::new(AS_POSTGRES[0]);
        command.args(&AS_POSTGRES[1..]).arg(format!("{BIN}/{name}"));
        command
    };
    run(tool("initdb").arg("-D").arg(&data).args(["-U", "postgres", "-A", "trust", "-N", "--wal-segsize=1"]));
    single(&data, "postgres", "CREATE DATABASE orders");
    single(&data, "postgres", &format!("CREATE ROLE lifeboat LOGIN SUPERUSER PASSWORD '{PASSWORD}'"));
    single(&data, "postgres", &format!("ALTER ROLE postgres PASSWORD '{PASSWORD}'"));
    single(&data, "postgres", "SELECT pg_create_physical_replication_slot('peer')");
    let hba = "host replication all 127.0.0.0/8 trust\nhost all postgres 127.0.0.0/8 trust\n\
               host all all 127.0.0.0/8 password\n";
    fs::write(data.join("lifeboat_hba.conf"), hba).expect("the template's access list");
    fs::set_permissions(&data, fs::Permissions::from_mode(0o700)).expect("chmod of the template");
    run(Command::new("chown").arg("-R").arg("postgres:").arg(&data));
    File::create(home.join("ready")).expect("the template's mark");
    data
}

/// An authority, an access list that takes nothing but TLS and SCRAM, and passwords for libpq.
fn secure(dir: &Path) -> Secured {
    let authority = Authority::make(dir);
    let hba = "hostssl replication postgres 127.0.0.0/8 scram-sha-256\nhostssl all all 127.0.0.0/8 scram-sha-256\n";
    fs::write(dir.join("hba.conf"), hba).expect("the access list");
    let passwords = dir.join("pgpass");
    fs::write(&passwords, format!("*:*:*:*:{PASSWORD}\n")).expect("passwords for libpq");
    give_to_postgres(&passwords);
    Secured { authority, passwords }
}

/// For the user `postgres` alone.
fn give_to_postgres(file: &Path) {
    fs::set_permissions(file, fs::Permissions::from_mode(0o600)).expect("chmod");
    run(Command::new("chown").arg("postgres:").arg(file));
}

/// One statement in single-user mode: no port, no process to end.
fn single(data: &Path, database: &str, sql: &str) {
    let script = format!(
        "printf '%s\\n' \"$1\" | {} {BIN}/postgres --single -j -D \"$2\" -c wal_level=replica {database}",
        AS_POSTGRES.join(" ")
    );
    run(Command::new("bash").args(["-c", &script, "single", sql]).arg(data));
}

fn run(command: &mut Command) {
    let done = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(done.status.success(), "{command:?}: {}", String::from_utf8_lossy(&done.stderr));
}

fn send(signal: &str, pids: &[u32]) {
    let _some_may_be_gone =
        Command::new("kill").arg(format!("-{signal}")).args(pids.iter().map(u32::to_string)).output();
}

/// A process's words; none of one that is ending.
fn words(pid: u32) -> String {
    String::from_utf8_lossy(&fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default()).into_owned()
}

/// Processes that have one of these texts in their words.
fn working_on(texts: &[&str]) -> Vec<u32> {
    let names =
        fs::read_dir("/proc").expect("/proc").filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    names.filter(|pid| texts.iter().any(|text| words(*pid).contains(text))).collect()
}

/// Whether it is there still: a process that is ending has lost its words before it has closed its sockets.
fn is_postgres(pid: u32) -> bool {
    fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|name| name.trim() == "postgres")
        && !fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| stat.contains(") Z "))
}

fn children(pid: u32) -> Vec<u32> {
    let list = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    list.split_whitespace().filter_map(|pid| pid.parse().ok()).collect()
}
