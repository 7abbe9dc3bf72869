//! Real servers for tests and for the demonstration, on loopback, in temporary folders.
//!
//! Every server is on a [`Leash`]: a small shell that holds the server's process id and waits on a pipe whose other
//! end is in this process. When this process ends, however it ends (`kill -9` too), the pipe closes and the leash
//! kills the server. Nothing is ever ended by name.

#![allow(
    dead_code,
    missing_docs,
    unreachable_pub,
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "shared by several binaries that use parts of it; a server that does not start is a panic"
)]

use std::{
    ffi::OsStr,
    fs::File,
    io::{self, BufRead, BufReader, Write},
    net::{IpAddr, SocketAddr, TcpListener, TcpStream, UdpSocket},
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

pub mod agent;
pub mod authority;
pub mod bind;
pub mod etcd;
pub mod mail;
pub mod moto;
pub mod namespaces;
pub mod postgres;
pub mod reader;
pub mod receiver;
pub mod regions;
pub mod relay;
pub mod venv;
pub mod watched;

/// A server that cannot outlive this process.
pub struct Leash {
    shell: Child,
    pid: u32,
    log: PathBuf,
}

/// Starts `"$@"` in the background, says its process id, waits for the pipe to close, and kills it.
const LEASH: &str = r#""$@" </dev/null >>"$LEASH_LOG" 2>&1 3>&- & p=$!; echo "$p"; read -r _; kill -9 "$p" 2>/dev/null; wait "$p" 2>/dev/null; exit 0"#;

impl Leash {
    /// Starts a server. Its output goes to `log`.
    pub fn start<S: AsRef<OsStr>>(
        log: &Path,
        words: impl IntoIterator<Item = S>,
        env: &[(&str, &str)],
    ) -> io::Result<Self> {
        File::options().create(true).append(true).open(log)?;
        let mut shell = Command::new("bash")
            .args(["-c", LEASH, "leash"])
            .args(words)
            .env("LEASH_LOG", log)
            .envs(env.iter().copied())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .process_group(0) // Ctrl-C in a terminal goes to us; the leash follows through its pipe.
            .spawn()?;
        let mut line = String::new();
        let out = shell.stdout.take().ok_or_else(|| io::Error::other("the leash has no output"))?;
        BufReader::new(out).read_line(&mut line)?;
        let pid =
            line.trim().parse().map_err(|_| io::Error::other(format!("the leash said {line:?}, not a process id")))?;
        Ok(Self { shell, pid, log: log.to_owned() })
    }

    /// The server's own process id.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// What the server printed so far.
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// `kill -9`, at once, and waits until it is gone.
    pub fn kill(mut self) {
        self.end();
    }

    /// Sends a signal by name (`TERM`, `STOP`, `CONT`). After `STOP` every thread stands still.
    pub fn signal(&self, name: &str) {
        let _sent = Command::new("kill").args([&format!("-{name}"), &self.pid.to_string()]).status();
        if name == "STOP" {
            await_until("the standstill of a server", Duration::from_secs(10), || stands_still(self.pid));
        }
    }

    fn end(&mut self) {
        if let Some(mut pipe) = self.shell.stdin.take() {
            let _gone = pipe.write_all(b"\n");
        }
        let _status = self.shell.wait();
    }
}

/// Whether each thread of a process is stopped, or the process is gone, or dead and not yet taken note of by its parent.
fn stands_still(pid: u32) -> bool {
    let threads = std::fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    threads.into_iter().all(|thread| {
        std::fs::read_to_string(thread.path().join("stat"))
            .map_or(true, |stat| stat.contains(") T ") || stat.contains(") Z "))
    })
}

impl Drop for Leash {
    fn drop(&mut self) {
        self.end();
    }
}

/// A TCP and UDP port that is free on every one of these addresses.
pub fn free_port(addresses: &[IpAddr]) -> u16 {
    for _ in 0..200 {
        let Ok(first) = TcpListener::bind(SocketAddr::new(addresses[0], 0)) else { continue };
        let Ok(port) = first.local_addr().map(|a| a.port()) else { continue };
        drop(first);
        let free = |ip: &IpAddr| {
            TcpListener::bind(SocketAddr::new(*ip, port)).is_ok() && UdpSocket::bind(SocketAddr::new(*ip, port)).is_ok()
        };
        if addresses.iter().all(free) {
            return port;
        }
    }
    panic!("no port is free on {addresses:?}")
}

/// Waits until `ready` holds, looking every few milliseconds; panics with `what` after `limit`.
pub fn await_until(what: &str, limit: Duration, mut ready: impl FnMut() -> bool) {
    let start = Instant::now();
    while !ready() {
        assert!(start.elapsed() < limit, "{what} did not happen within {limit:?}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// Waits until something accepts connections there.
pub fn await_port(address: SocketAddr, limit: Duration) {
    await_until(&format!("a server on {address}"), limit, || {
        TcpStream::connect_timeout(&address, Duration::from_millis(200)).is_ok()
    });
}
