//! The peers, each on the core that lifeboat's prober has in its turn.

use std::{
    collections::BTreeSet,
    fmt::Write as _,
    fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use crate::{
    Figure, THRESHOLD,
    prober::{Kind, Plan, cpu_seconds, memory_bytes},
    servers::{Leash, await_port, await_until, free_port},
    target::count,
};

fn found(name: &str) -> Option<PathBuf> {
    ["/usr/sbin", "/usr/bin", "/usr/local/bin"]
        .iter()
        .map(|folder| Path::new(folder).join(name))
        .find(|path| path.exists())
}

/// `HAProxy` with one server for each target, which it does nothing for but check.
pub(crate) struct Haproxy {
    leash: Leash,
    socket: PathBuf,
    kind: Kind,
}

impl Haproxy {
    pub(crate) fn start(folder: &Path, plan: &Plan) -> Option<Self> {
        let program = found("haproxy")?;
        let (config, socket) = (folder.join("haproxy.cfg"), folder.join("haproxy.sock"));
        let check = match plan.kind {
            Kind::Http | Kind::Kept => "option httpchk GET /",
            Kind::Tcp => "option tcp-check",
        };
        let mut text = format!(
            "global\n  nbthread 1\n  maxconn 1000\n  spread-checks 5\n  stats socket {}\ndefaults\n  mode http\n  \
             timeout client 5s\n  timeout server 5s\n  timeout connect {connect}ms\n  timeout check {connect}ms\n\
             backend b\n  {check}\n",
            socket.display(),
            connect = plan.timeout.as_millis(),
        );
        for number in 0..plan.targets {
            let (address, period) = (plan.address, plan.period.as_millis());
            writeln!(text, "  server s{number} {address} check inter {period}ms fall {THRESHOLD} rise 2")
                .expect("a line");
        }
        fs::write(&config, text).expect("a file");
        let words = ["taskset", "-c", "0", program.to_str()?, "-db", "-f", config.to_str()?];
        let leash = Leash::start(&folder.join("haproxy.log"), words, &[]).expect("HAProxy");
        await_until("HAProxy's socket", Duration::from_secs(10), || UnixStream::connect(&socket).is_ok());
        thread::sleep(plan.period + Duration::from_millis(500));
        Some(Self { leash, socket, kind: plan.kind })
    }

    /// The servers that are not up.
    fn down(&self) -> BTreeSet<String> {
        let mut stream = UnixStream::connect(&self.socket).expect("HAProxy");
        stream.write_all(b"show stat -1 4 -1\n").expect("HAProxy");
        let mut text = String::new();
        stream.read_to_string(&mut text).expect("HAProxy");
        let rows = text.lines().filter(|line| line.starts_with("b,s")).map(|line| line.split(',').collect::<Vec<_>>());
        rows.filter(|row| !row[17].starts_with("UP")).map(|row| row[1].to_owned()).collect()
    }

    /// The checks that the target saw; by TCP it sees none, and one a period for each server is taken for granted.
    pub(crate) fn cost(self, target: SocketAddr, span: Duration) -> Figure {
        let pid = self.leash.pid();
        let (before, cpu, start) = (count(target), cpu_seconds(pid), Instant::now());
        thread::sleep(span);
        let (cpu, seconds) = (cpu_seconds(pid) - cpu, start.elapsed().as_secs_f64());
        let probes = match self.kind {
            Kind::Http | Kind::Kept => count(target) - before,
            Kind::Tcp => (1_000.0 * seconds) as u64,
        };
        let failed = self.down().len() as u64;
        Figure { probes, failed, missed: 0, seconds, cpu_seconds: cpu, memory_bytes: memory_bytes(pid) }
    }

    /// Seconds from `end` to each server's fall.
    pub(crate) fn detected(self, limit: Duration, targets: usize, end: impl FnOnce()) -> Vec<f64> {
        assert!(self.down().is_empty(), "every server is up before");
        let start = Instant::now();
        end();
        let (mut known, mut seconds) = (BTreeSet::new(), Vec::new());
        while known.len() < targets && start.elapsed() < limit {
            let (down, at) = (self.down(), start.elapsed().as_secs_f64());
            let fresh: Vec<_> = down.difference(&known).cloned().collect();
            seconds.extend(fresh.iter().map(|_| at));
            known.extend(fresh);
            thread::sleep(Duration::from_millis(5));
        }
        seconds
    }
}

/// prometheus-blackbox-exporter, asked over kept connections.
pub(crate) struct Blackbox {
    leash: Leash,
    address: SocketAddr,
}

impl Blackbox {
    pub(crate) fn start(folder: &Path) -> Option<Self> {
        let program = found("prometheus-blackbox-exporter")?;
        let config = folder.join("blackbox.yml");
        let text = "modules:\n  http: {prober: http, timeout: 1s, http: {preferred_ip_protocol: ip4}}\n";
        fs::write(&config, text).expect("a file");
        let ip = [127, 0, 55, 2].into();
        let address = SocketAddr::new(ip, free_port(&[ip]));
        let (file, listen) = (format!("--config.file={}", config.display()), format!("--web.listen-address={address}"));
        let words = ["taskset", "-c", "0", program.to_str()?, &file, &listen, "--log.level=error"];
        let leash = Leash::start(&folder.join("blackbox.log"), words, &[("GOMAXPROCS", "1")]).expect("the exporter");
        await_port(address, Duration::from_secs(10));
        Some(Self { leash, address })
    }

    pub(crate) fn cost(self, target: SocketAddr, each_second: u32, span: Duration) -> Figure {
        const CLIENTS: u32 = 4;
        let pid = self.leash.pid();
        let (cpu, start) = (cpu_seconds(pid), Instant::now());
        let clients: Vec<_> = (0..CLIENTS)
            .map(|number| {
                let (address, pause) = (self.address, Duration::from_secs(1) * CLIENTS / each_second);
                thread::spawn(move || client(address, target, start + pause * number / CLIENTS, pause, start + span))
            })
            .collect();
        let done: Vec<(u64, u64)> = clients.into_iter().map(|client| client.join().expect("a client")).collect();
        let (cpu, seconds) = (cpu_seconds(pid) - cpu, start.elapsed().as_secs_f64());
        Figure {
            probes: done.iter().map(|(probes, _)| probes).sum(),
            failed: done.iter().map(|(_, failed)| failed).sum(),
            missed: 0,
            seconds,
            cpu_seconds: cpu,
            memory_bytes: memory_bytes(pid),
        }
    }
}

/// Asks at its own pace until the end; how often, and how often in vain.
fn client(exporter: SocketAddr, target: SocketAddr, first: Instant, pause: Duration, end: Instant) -> (u64, u64) {
    let stream = TcpStream::connect(exporter).expect("the exporter");
    let mut reader = BufReader::new(stream.try_clone().expect("a socket"));
    let request = format!("GET /probe?module=http&target=http://{target}/ HTTP/1.1\r\nHost: {exporter}\r\n\r\n");
    let (mut due, mut probes, mut failed) = (first, 0, 0);
    while due < end {
        thread::sleep(due.saturating_duration_since(Instant::now()));
        due += pause;
        (&stream).write_all(request.as_bytes()).expect("the exporter");
        let body = answer(&mut reader);
        probes += 1;
        failed += u64::from(!body.contains("\nprobe_success 1"));
    }
    (probes, failed)
}

/// The body of one answer, by its length or in chunks.
fn answer(reader: &mut BufReader<TcpStream>) -> String {
    let (mut length, mut chunked) = (0, false);
    let line = |reader: &mut BufReader<TcpStream>| {
        let mut line = String::new();
        reader.read_line(&mut line).expect("the exporter");
        line.trim_end().to_lowercase()
    };
    loop {
        let head = line(reader);
        if head.is_empty() {
            break;
        }
        chunked |= head == "transfer-encoding: chunked";
        if let Some(text) = head.strip_prefix("content-length: ") {
            length = text.parse().expect("a length");
        }
    }
    let mut body = Vec::new();
    let take = |reader: &mut BufReader<TcpStream>, length: usize| {
        let mut bytes = vec![0; length];
        reader.read_exact(&mut bytes).expect("the exporter");
        bytes
    };
    if !chunked {
        body = take(reader, length);
    }
    if chunked {
        loop {
            let length = usize::from_str_radix(&line(reader), 16).expect("a length");
            body.extend(take(reader, length));
            line(reader);
            if length == 0 {
                break;
            }
        }
    }
    String::from_utf8_lossy(&body).into_owned()
}
