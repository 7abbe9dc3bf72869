//! moto: an S3-compatible store in memory, with bucket policies that it enforces on PUT and DELETE of objects.

#![expect(clippy::unwrap_used, clippy::panic, unreachable_pub, reason = "a test's server: what it lacks ends the test")]

use std::{
    io::{self, Read as _, Write as _},
    net::{IpAddr, SocketAddr, TcpStream},
    path::{Path, PathBuf},
    time::Duration,
};

use super::{Leash, await_until, free_port, venv};

const VERSION: &str = "5.2.5";

/// A running server.
pub struct Moto {
    leash: Option<Leash>,
    address: SocketAddr,
    log: PathBuf,
}

impl Moto {
    /// Starts one on this address and a free port, with its log in `folder`, and waits until it answers.
    pub fn start(ip: IpAddr, folder: &Path) -> Self {
        let address = SocketAddr::new(ip, free_port(&[ip]));
        let log = folder.join(format!("moto-{address}.log"));
        let mut moto = Self { leash: None, address, log };
        moto.restart();
        moto
    }

    /// Its process id, while it runs.
    pub fn pid(&self) -> Option<u32> {
        self.leash.as_ref().map(Leash::pid)
    }

    /// `host:port`.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The endpoint's URL.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// `kill -9`. All buckets are gone with it.
    pub fn kill(&mut self) {
        if let Some(leash) = self.leash.take() {
            leash.kill();
        }
    }

    /// Starts it again on the same address, empty.
    pub fn restart(&mut self) {
        self.kill();
        let program = venv::program("moto", VERSION, "moto[server]", "moto_server");
        let port = self.address.port().to_string();
        let host = self.address.ip().to_string();
        let words = [program.as_os_str(), "-H".as_ref(), host.as_ref(), "-p".as_ref(), port.as_ref()];
        // Short pages, so that every listing that matters has several.
        let env = [("S3_IGNORE_SUBDOMAIN_BUCKETNAME", "true"), ("MOTO_S3_DEFAULT_MAX_KEYS", "100")];
        self.leash = Some(Leash::start(&self.log, words, &env).unwrap());
        await_until(&format!("moto on {}", self.address), Duration::from_mins(1), || {
            request(self.address, "GET", "/moto-api/", &[]).is_ok_and(|(status, _)| status == 200)
        });
    }

    /// The Python that has what moto needs, boto3 among it.
    pub fn python() -> PathBuf {
        venv::program("moto", VERSION, "moto[server]", "python3")
    }

    /// Freezes it: connections are accepted by the kernel and never answered.
    pub fn freeze(&self) {
        self.signal("STOP");
    }

    /// Lets it go on.
    pub fn thaw(&self) {
        self.signal("CONT");
    }

    fn signal(&self, name: &str) {
        if let Some(leash) = &self.leash {
            leash.signal(name);
        }
    }

    /// Makes a bucket.
    pub fn create_bucket(&self, bucket: &str) {
        assert_eq!(self.ask("PUT", &format!("/{bucket}"), &[]).0, 200, "bucket {bucket}");
    }

    /// Writes an object, as an application would; gives the status.
    pub fn put(&self, bucket: &str, key: &str, bytes: &[u8]) -> u16 {
        self.ask("PUT", &format!("/{bucket}/{key}"), bytes).0
    }

    /// An object's content.
    pub fn get(&self, bucket: &str, key: &str) -> Option<Vec<u8>> {
        let (status, body) = self.ask("GET", &format!("/{bucket}/{key}"), &[]);
        (status == 200).then_some(body)
    }

    /// Removes an object; gives the status.
    pub fn delete(&self, bucket: &str, key: &str) -> u16 {
        self.ask("DELETE", &format!("/{bucket}/{key}"), &[]).0
    }

    /// One request, unsigned unless a signature's shape is needed: moto checks none.
    pub fn ask(&self, method: &str, target: &str, body: &[u8]) -> (u16, Vec<u8>) {
        request(self.address, method, target, body).unwrap_or_else(|error| panic!("{method} {target}: {error}"))
    }
}

/// An HTTP/1.1 request over a connection of its own.
pub fn request(address: SocketAddr, method: &str, target: &str, body: &[u8]) -> io::Result<(u16, Vec<u8>)> {
    let mut stream = TcpStream::connect_timeout(&address, Duration::from_secs(1))?;
    stream.set_read_timeout(Some(Duration::from_secs(20)))?;
    // moto takes a request without this for an anonymous one, and refuses it.
    let authorization =
        "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0";
    write!(
        stream,
        "{method} {target} HTTP/1.1\r\nhost: {address}\r\nauthorization: {authorization}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    )?;
    stream.write_all(body)?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n").ok_or(io::ErrorKind::UnexpectedEof)?;
    let head = String::from_utf8_lossy(&answer[..end]).into_owned();
    let status = head.split(' ').nth(1).and_then(|word| word.parse().ok()).ok_or(io::ErrorKind::InvalidData)?;
    Ok((status, answer.split_off(end + 4)))
}
