//! A process that makes lifeboat's probes, on one thread, and says what it cost.

use std::{
    fs,
    io::{BufRead as _, BufReader, Lines, Write as _},
    net::SocketAddr,
    process::{Child, ChildStdout, Command, Stdio},
    sync::Arc,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use futures::{FutureExt as _, StreamExt as _, future::BoxFuture, stream::FuturesUnordered};
use lifeboat::{
    controller::Rota,
    port::{Prober, Ready},
    probe::Probes,
    spec::{ProbeSpec, SecretRef},
};
use serde_json::json;

use crate::{Figure, THRESHOLD};

/// What is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Http,
    Kept,
    Tcp,
}

/// How much of it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Plan {
    pub(crate) address: SocketAddr,
    pub(crate) kind: Kind,
    pub(crate) targets: usize,
    pub(crate) period: Duration,
    pub(crate) timeout: Duration,
}

/// CPU time in seconds of a process: all of its threads that live.
pub(crate) fn cpu_seconds(pid: u32) -> f64 {
    let threads = fs::read_dir(format!("/proc/{pid}/task")).expect("the process").flatten();
    let nanos = threads.filter_map(|thread| {
        let text = fs::read_to_string(thread.path().join("schedstat")).ok()?;
        text.split(' ').next()?.parse::<u64>().ok()
    });
    nanos.sum::<u64>() as f64 / 1e9
}

/// Resident memory in bytes.
pub(crate) fn memory_bytes(pid: u32) -> u64 {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).expect("the process");
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("VmRSS");
    line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") * 1024
}

fn now_micros() -> u64 {
    u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock").as_micros()).expect("a time")
}

/// The process as its parent sees it.
pub(crate) struct Run {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Run {
    /// Probes for `span`, and with `watch` for that much longer until every target was seen to fall.
    pub(crate) fn start(plan: &Plan, span: Duration, watch: Option<Duration>) -> Self {
        let own = std::env::current_exe().expect("our own path");
        let kind = match plan.kind {
            Kind::Http => "http",
            Kind::Kept => "kept",
            Kind::Tcp => "tcp",
        };
        let mut child = Command::new("taskset")
            .args(["-c", "0"])
            .arg(own)
            .args(["prober", &plan.address.to_string(), kind])
            .args([plan.targets.to_string(), plan.period.as_millis().to_string(), plan.timeout.as_millis().to_string()])
            .args([span.as_millis().to_string(), watch.unwrap_or_default().as_millis().to_string()])
            .stdout(Stdio::piped())
            .spawn()
            .expect("a prober");
        let lines = BufReader::new(child.stdout.take().expect("its output")).lines();
        Self { child, lines }
    }

    fn words(&mut self) -> Option<Vec<String>> {
        let line = self.lines.next()?.expect("its output");
        Some(line.split(' ').map(str::to_owned).collect())
    }

    /// What it cost.
    pub(crate) fn figure(mut self) -> Figure {
        let words = self.words().expect("a figure");
        let number = |at: usize| words[at].parse::<f64>().expect("a number");
        let figure = Figure {
            probes: number(0) as u64,
            failed: number(1) as u64,
            missed: number(2) as u64,
            seconds: number(3),
            cpu_seconds: number(4),
            memory_bytes: number(5) as u64,
        };
        self.child.wait().expect("its end");
        figure
    }

    /// Seconds from `end` to the fall of each target.
    pub(crate) fn detected(mut self, end: impl FnOnce()) -> Vec<f64> {
        let _warm = self.words();
        let start = now_micros();
        end();
        let mut seconds = Vec::new();
        while let Some(words) = self.words() {
            let at: u64 = words[1].parse().expect("a time");
            seconds.push(at.saturating_sub(start) as f64 / 1e6);
        }
        self.child.wait().expect("its end");
        seconds
    }
}

struct NoSecrets;

impl lifeboat::port::Secrets for NoSecrets {
    fn resolve(&self, _: &SecretRef) -> Result<secrecy::SecretString, lifeboat::port::SecretError> {
        Err(lifeboat::port::SecretError::Literal)
    }
}

/// The probes of one process, begun when the rota of an observer says so.
struct Rounds {
    rota: Rota,
    ready: Vec<Arc<dyn Ready>>,
    falling: Vec<u32>,
    flight: FuturesUnordered<BoxFuture<'static, Landed>>,
    start: Instant,
    period: Duration,
}

/// One probe that came back.
struct Landed {
    index: usize,
    begun: Duration,
    late: bool,
    serves: bool,
}

impl Rounds {
    /// Until the next probe is back. Gives it, and when it is the third bad one in a row, the time.
    async fn next(&mut self) -> (Landed, Option<u64>) {
        loop {
            let now = self.start.elapsed();
            while let Some((index, late)) = self.rota.take(now) {
                let ready = Arc::clone(&self.ready[index]);
                let late = late >= self.period / 10;
                self.flight.push(
                    async move {
                        let serves = ready.probe().await.serves();
                        Landed { index, begun: now, late, serves }
                    }
                    .boxed(),
                );
            }
            let due = self.rota.next().unwrap_or(now + self.period);
            let landed = tokio::select! {
                Some(landed) = self.flight.next() => landed,
                () = tokio::time::sleep_until((self.start + due).into()) => continue,
            };
            self.rota.back(landed.index, landed.begun, self.period, self.start.elapsed());
            let falling = &mut self.falling[landed.index];
            *falling = if landed.serves { 0 } else { *falling + 1 };
            let fell = (*falling == THRESHOLD).then(now_micros);
            return (landed, fell);
        }
    }
}

/// `ADDRESS KIND TARGETS PERIOD TIMEOUT SPAN WATCH`, times in milliseconds.
pub(crate) fn run(words: &[String]) {
    let millis = |at: usize| Duration::from_millis(words[at].parse().expect("milliseconds"));
    let (address, kind, targets) = (&words[0], words[1].as_str(), words[2].parse::<usize>().expect("a number"));
    let (period, span, watch) = (millis(3), millis(5), millis(6));
    let mut spec = json!({"name": "edge", "timeoutMs": words[4].parse::<u64>().expect("milliseconds")});
    if kind == "tcp" {
        spec["tcp"] = json!({"address": address});
    } else {
        spec["http"] = json!({"url": format!("http://{address}/"), "reuse": kind == "kept"});
    }
    let spec: ProbeSpec = serde_json::from_value(spec).expect("a probe");
    let prober = Arc::new(Probes::new(Arc::new(NoSecrets)));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let mut rounds = Rounds {
            rota: Rota::new("bench", &vec![period; targets], Duration::ZERO),
            ready: (0..targets).map(|_| Arc::clone(&prober).prepare(&spec)).collect(),
            falling: vec![0; targets],
            flight: FuturesUnordered::new(),
            start: Instant::now(),
            period,
        };
        let pid = std::process::id();
        // The first period opens files and memory.
        while rounds.start.elapsed() < period {
            rounds.next().await;
        }
        let (mut seen, begin, cpu) = (Figure::default(), Instant::now(), cpu_seconds(pid));
        while begin.elapsed() < span {
            let (landed, _) = rounds.next().await;
            seen.probes += 1;
            seen.failed += u64::from(!landed.serves);
            seen.missed += u64::from(landed.late);
        }
        let (seconds, cpu) = (begin.elapsed().as_secs_f64(), cpu_seconds(pid) - cpu);
        println!("{} {} {} {seconds} {cpu} {}", seen.probes, seen.failed, seen.missed, memory_bytes(pid));
        std::io::stdout().flush().expect("a reader");
        let watching = async {
            let mut left = targets;
            while left > 0 {
                if let (_, Some(at)) = rounds.next().await {
                    println!("fell {at}");
                    left -= 1;
                }
            }
        };
        let _late = tokio::time::timeout(watch, watching).await;
    });
    runtime.shutdown_background();
}
