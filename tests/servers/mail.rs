//! aiosmtpd: a mail server with STARTTLS or TLS and a login.

use std::{
    net::{IpAddr, SocketAddr},
    path::{Path, PathBuf},
    time::Duration,
};

use serde::Deserialize;

use super::{Leash, authority::Authority, await_port, await_until, free_port, venv};

const VERSION: &str = "1.4.6";
pub const USER: &str = "lifeboat";
pub const PASSWORD: &str = "mail-hunter2";

/// How the server protects connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protection {
    StartTls,
    Tls,
    Plain,
}

/// A message as it came.
#[derive(Debug, Clone, Deserialize)]
pub struct Letter {
    pub from: String,
    pub to: Vec<String>,
    /// It came over TLS.
    pub tls: bool,
    /// After a login.
    pub login: bool,
    /// Headers and body.
    pub text: String,
}

pub struct MailServer {
    _leash: Leash,
    address: SocketAddr,
    kept: PathBuf,
}

impl MailServer {
    /// Starts one whose certificate is for 127.0.0.1.
    pub fn start(protection: Protection, authority: &Authority, folder: &Path) -> Self {
        let python = venv::program("aiosmtpd", VERSION, "aiosmtpd", "python");
        let ip: IpAddr = [127, 0, 0, 1].into();
        let address = SocketAddr::new(ip, free_port(&[ip]));
        let (certificate, key) = authority.issue("mail", "IP:127.0.0.1");
        let kept = folder.join("letters.jsonl");
        let mode = match protection {
            Protection::StartTls => "starttls",
            Protection::Tls => "tls",
            Protection::Plain => "plain",
        };
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/servers/mail.py");
        let (host, port) = (ip.to_string(), address.port().to_string());
        let paths = [&certificate, &key, &kept].map(|path| path.display().to_string());
        let python = python.display().to_string();
        let words = [python.as_str(), script, &host, &port, mode, &paths[0], &paths[1], USER, PASSWORD, &paths[2]];
        let leash = Leash::start(&folder.join("mail.log"), words, &[]).unwrap();
        await_port(address, Duration::from_mins(1));
        Self { _leash: leash, address, kept }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn letters(&self) -> Vec<Letter> {
        let text = std::fs::read_to_string(&self.kept).unwrap_or_default();
        // The last line may be half written.
        text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    pub fn await_letters(&self, count: usize) -> Vec<Letter> {
        await_until(&format!("letter number {count}"), Duration::from_secs(20), || self.letters().len() >= count);
        self.letters()
    }
}
