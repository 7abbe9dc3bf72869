//! BIND: a primary that takes TSIG-signed updates, and secondaries that follow it by NOTIFY and transfer.
//!
//! All on 127.0.0.1, told apart by their ports: named listens only on addresses that an interface has, and the rest of 127.0.0.0/8 is none.

use std::{
    fmt::Write as _,
    fs,
    io::Write as _,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    time::Duration,
};

use super::{Leash, await_until, free_port};

/// The zone that every server here serves.
pub const ZONE: &str = "dr.test";
/// The key's name.
pub const KEY: &str = "lifeboat";
/// Its algorithm.
pub const ALGORITHM: &str = "hmac-sha256";
/// Its secret, base64: worth nothing outside these tests.
pub const SECRET: &str = "bGlmZWJvYXQgdGVzdCBrZXksIG9mIG5vIHVzZSBlbHNld2hlcmU=";

/// A record of the zone: name without the zone, TTL, type, value.
pub type Line<'a> = (&'a str, u32, &'a str, &'a str);

/// An address that is free for UDP and TCP.
fn free() -> SocketAddr {
    let ip = IpAddr::from(Ipv4Addr::LOCALHOST);
    SocketAddr::new(ip, free_port(&[ip]))
}

/// One named.
pub struct Bind {
    folder: PathBuf,
    address: SocketAddr,
    leash: Option<Leash>,
}

impl Bind {
    /// A primary for the records, in an empty `folder` of its own. It notifies nobody.
    pub fn primary(folder: &Path, records: &[Line<'_>]) -> Self {
        Self::primary_on(folder, free(), records, &[])
    }

    /// A primary and a secondary that follows at once.
    pub fn pair(folder: &Path, records: &[Line<'_>]) -> (Self, Self) {
        Self::both(folder, records, true)
    }

    /// A primary and a secondary that is never told of a change: it lags for ever.
    pub fn lagging_pair(folder: &Path, records: &[Line<'_>]) -> (Self, Self) {
        Self::both(folder, records, false)
    }

    fn both(folder: &Path, records: &[Line<'_>], follows: bool) -> (Self, Self) {
        let (first, second) = (free(), free());
        let notify: &[SocketAddr] = if follows { &[second] } else { &[] };
        let primary = Self::primary_on(&folder.join("primary"), first, records, notify);
        let zone = format!(
            "zone \"{ZONE}\" {{ type secondary; file \"zone\"; masterfile-format text; notify no; allow-notify {{ {}; }}; primaries {{ {} port {} key {KEY}; }}; }};",
            primary.address.ip(),
            primary.address.ip(),
            primary.address.port()
        );
        let secondary = Self::start(&folder.join("secondary"), second, &zone, None);
        (primary, secondary)
    }

    fn primary_on(folder: &Path, address: SocketAddr, records: &[Line<'_>], notify: &[SocketAddr]) -> Self {
        let mut text = format!(
            "$ORIGIN {ZONE}.\n$TTL 300\n@ SOA ns1 hostmaster 1 3600 600 86400 5\n@ NS ns1\nns1 A {}\n",
            address.ip()
        );
        for (name, ttl, kind, value) in records {
            writeln!(text, "{name} {ttl} {kind} {value}").unwrap();
        }
        let told = notify.iter().fold(String::new(), |list, to| format!("{list} {} port {};", to.ip(), to.port()));
        let told =
            if told.is_empty() { "notify no;".into() } else { format!("notify explicit; also-notify {{{told} }};") };
        let zone = format!(
            "zone \"{ZONE}\" {{ type primary; file \"zone\"; update-policy {{ grant {KEY} zonesub ANY; grant narrow name other.{ZONE} ANY; }}; notify-delay 0; {told} }};"
        );
        Self::start(folder, address, &zone, Some(&text))
    }

    fn start(folder: &Path, address: SocketAddr, zone: &str, records: Option<&str>) -> Self {
        fs::create_dir_all(folder).unwrap();
        if let Some(records) = records {
            fs::write(folder.join("zone"), records).unwrap();
        }
        let (ip, port) = (address.ip(), address.port());
        let at = folder.display();
        let keys = ["lifeboat", "narrow"]
            .map(|key| format!("key {key} {{ algorithm {ALGORITHM}; secret \"{SECRET}\"; }};\n"))
            .concat();
        let config = format!(
            r#"{keys}
options {{
  directory "{at}"; listen-on port {port} {{ {ip}; }}; listen-on-v6 {{ none; }}; recursion no;
  query-source address {ip}; transfer-source {ip}; notify-source {ip};
  pid-file "{at}/named.pid"; session-keyfile "{at}/session.key"; managed-keys-directory "{at}";
  allow-transfer {{ key {KEY}; }}; dnssec-validation no; empty-zones-enable no;
  minimal-responses yes; serial-query-rate 1000; notify-rate 1000; startup-notify-rate 1000;
}};
controls {{}};
{zone}
"#
        );
        fs::write(folder.join("named.conf"), config).unwrap();
        let mut server = Self { folder: folder.to_owned(), address, leash: None };
        server.restart();
        server
    }

    /// Starts it again where it was, after [`Self::kill`]; waits until it serves the zone.
    pub fn restart(&mut self) {
        self.leash = None;
        let config = self.folder.join("named.conf");
        let words = ["named", "-g", "-n", "1", "-c"].map(str::to_owned);
        let words = words.into_iter().chain([config.display().to_string()]);
        self.leash = Some(Leash::start(&self.folder.join("log"), words, &[]).expect("named starts"));
        await_until(&format!("BIND on {}", self.address), Duration::from_secs(20), || {
            let log = self.log();
            let dead = log.contains("exiting (due to") || log.contains("interface ignored");
            assert!(!dead, "BIND does not start:\n{log}");
            !self.dig(&[&format!("{ZONE}."), "SOA"]).is_empty()
        });
    }

    /// Starts a secondary again without its copy of the zone, so that it transfers the present one.
    pub fn restart_afresh(&mut self) {
        self.kill();
        for file in ["zone", "zone.jnl"] {
            let _gone = fs::remove_file(self.folder.join(file));
        }
        self.restart();
    }

    /// `kill -9`.
    pub fn kill(&mut self) {
        if let Some(leash) = self.leash.take() {
            leash.kill();
        }
    }

    /// Sends a signal by name (`STOP`, `CONT`).
    pub fn signal(&self, name: &str) {
        self.leash.as_ref().expect("named runs").signal(name);
    }

    /// Where it listens, UDP and TCP.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What it logged.
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.join("log")).unwrap_or_default()
    }

    /// The values it answers for a name without the zone, sorted, as `dig` sees them.
    pub fn values(&self, name: &str, kind: &str) -> Vec<String> {
        let mut values = self.dig(&[&format!("{name}.{ZONE}."), kind]);
        values.sort();
        values
    }

    /// The zone's serial.
    pub fn serial(&self) -> u32 {
        let line = self.dig(&[&format!("{ZONE}."), "SOA"]).concat();
        line.split(' ').nth(2).and_then(|serial| serial.parse().ok()).unwrap_or_else(|| panic!("no serial: {line:?}"))
    }

    fn dig(&self, question: &[&str]) -> Vec<String> {
        let (at, port) = (format!("@{}", self.address.ip()), self.address.port().to_string());
        let options = ["+short", "+norecurse", "+tries=1", "+time=1"];
        let out = Command::new("dig").arg(at).args(["-p", &port]).args(question).args(options).output().expect("dig");
        let text = String::from_utf8_lossy(&out.stdout);
        text.lines().filter(|line| !line.is_empty() && !line.starts_with(';')).map(str::to_owned).collect()
    }

    /// Somebody else changes a record: a set is replaced with the server's own tool, without a condition.
    pub fn change(&self, name: &str, ttl: u32, kind: &str, values: &[&str]) {
        let mut lines = format!("update delete {name}.{ZONE}. {kind}\n");
        for value in values {
            writeln!(lines, "update add {name}.{ZONE}. {ttl} {kind} {value}").unwrap();
        }
        let out = self.nsupdate(Some((KEY, SECRET)), &lines);
        assert!(out.status.success(), "nsupdate: {}", String::from_utf8_lossy(&out.stderr));
    }

    /// Sends lines of `nsupdate`, signed by the key or unsigned.
    pub fn nsupdate(&self, key: Option<(&str, &str)>, lines: &str) -> Output {
        let mut tool = Command::new("nsupdate");
        if let Some((name, secret)) = key {
            tool.args(["-y", &format!("{ALGORITHM}:{name}:{secret}")]);
        }
        let tool = tool.args(["-v", "-t", "5"]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut tool = tool.spawn().expect("nsupdate");
        let text = format!("server {} {}\nzone {ZONE}.\n{lines}send\n", self.address.ip(), self.address.port());
        tool.stdin.take().expect("a pipe").write_all(text.as_bytes()).expect("nsupdate reads");
        tool.wait_with_output().expect("nsupdate ends")
    }
}
