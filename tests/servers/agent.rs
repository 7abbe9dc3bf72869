//! A fencing agent: a small HTTP or HTTPS server of the test's own, which does what the test tells it to.

use std::{
    io::{Read, Write},
    net::{IpAddr, SocketAddr, TcpListener, TcpStream},
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use rustls::{ServerConfig, ServerConnection, StreamOwned, crypto::aws_lc_rs};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};

/// One request, as it came.
#[derive(Debug, Clone)]
pub struct Asked {
    /// `POST`, `GET`.
    pub method: String,
    /// Request line and headers.
    pub head: String,
    /// The body.
    pub body: String,
}

impl Asked {
    /// A header's value.
    pub fn header(&self, name: &str) -> Option<&str> {
        let headers = self.head.lines().filter_map(|line| line.split_once(": "));
        headers.into_iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }
}

/// What the agent answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// This status, without a body.
    Status(u16),
    /// Nothing: the connection breaks.
    Nothing,
}

/// The server. Dropping it ends it.
pub struct Agent {
    address: SocketAddr,
    scheme: &'static str,
    asked: Arc<Mutex<Vec<Asked>>>,
    ended: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Agent {
    /// Starts one on a free port of `ip`; `act` is told of each request and says what is answered.
    pub fn start(ip: IpAddr, act: impl Fn(&Asked) -> Answer + Send + 'static) -> Self {
        Self::serve(ip, None, act)
    }

    /// The same over TLS, with this certificate and its key (PEM files).
    pub fn start_secure(
        ip: IpAddr,
        (certificate, key): (&Path, &Path),
        act: impl Fn(&Asked) -> Answer + Send + 'static,
    ) -> Self {
        let chain = CertificateDer::pem_file_iter(certificate).expect("a certificate");
        let chain = chain.map(|one| one.expect("a certificate")).collect();
        let tls = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("TLS versions")
            .with_no_client_auth()
            .with_single_cert(chain, PrivateKeyDer::from_pem_file(key).expect("a key"))
            .expect("a certificate that fits its key");
        Self::serve(ip, Some(Arc::new(tls)), act)
    }

    fn serve(ip: IpAddr, tls: Option<Arc<ServerConfig>>, act: impl Fn(&Asked) -> Answer + Send + 'static) -> Self {
        let listener = TcpListener::bind(SocketAddr::new(ip, 0)).expect("a port");
        let address = listener.local_addr().expect("an address");
        let scheme = if tls.is_some() { "https" } else { "http" };
        let asked: Arc<Mutex<Vec<Asked>>> = Arc::default();
        let ended: Arc<AtomicBool> = Arc::default();
        let (log, stop) = (Arc::clone(&asked), Arc::clone(&ended));
        let thread = thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if stop.load(Ordering::SeqCst) {
                    return;
                }
                let limit = Some(Duration::from_secs(10));
                stream.set_read_timeout(limit).and_then(|()| stream.set_write_timeout(limit)).expect("time limits");
                match &tls {
                    None => answer(stream, &log, &act),
                    Some(tls) => {
                        let session = ServerConnection::new(Arc::clone(tls)).expect("a TLS session");
                        answer(StreamOwned::new(session, stream), &log, &act);
                    }
                }
            }
        });
        Self { address, scheme, asked, ended, thread: Some(thread) }
    }

    /// A URL of it.
    pub fn url(&self, path: &str) -> String {
        format!("{}://{}{path}", self.scheme, self.address)
    }

    /// Everything that it was asked so far.
    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().expect("the log").clone()
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::SeqCst);
        let _woken = TcpStream::connect(self.address);
        let ended = self.thread.take().map(JoinHandle::join);
        if let Some(Err(panic)) = ended
            && !thread::panicking()
        {
            std::panic::resume_unwind(panic);
        }
    }
}

/// One request of one connection. A client that goes away, or that trusts us not, is no request.
fn answer(mut stream: impl Read + Write, log: &Mutex<Vec<Asked>>, act: &impl Fn(&Asked) -> Answer) {
    let Some(asked) = read(&mut stream) else { return };
    log.lock().expect("the log").push(asked.clone());
    if let Answer::Status(status) = act(&asked) {
        let text = format!("HTTP/1.1 {status} Said\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
        let _gone = stream.write_all(text.as_bytes()).and_then(|()| stream.flush());
    }
}

fn read(stream: &mut impl Read) -> Option<Asked> {
    let (mut bytes, mut chunk) = (Vec::new(), [0; 4096]);
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let asked = Asked {
                method: head.split(' ').next().unwrap_or_default().to_owned(),
                head: head.to_owned(),
                body: body.to_owned(),
            };
            let length = asked.header("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
            if body.len() >= length {
                return Some(asked);
            }
        }
        match stream.read(&mut chunk) {
            Ok(0) | Err(_) => return None,
            Ok(count) => bytes.extend_from_slice(&chunk[..count]),
        }
    }
}
