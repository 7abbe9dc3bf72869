//! What is probed: an HTTP server that says `ok`, and counts.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpSocket, TcpStream},
};

/// Serves until it is ended.
pub(crate) fn serve(address: &str) {
    let address: SocketAddr = address.parse().expect("an address");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.set_reuseaddr(true).expect("a free address");
        socket.bind(address).expect("a free address");
        let listener = socket.listen(4096).expect("a listener");
        let count = Arc::new(AtomicU64::new(0));
        loop {
            let Ok((stream, _)) = listener.accept().await else { continue };
            tokio::spawn(answer(stream, count.clone()));
        }
    });
}

async fn answer(mut stream: TcpStream, count: Arc<AtomicU64>) -> Option<()> {
    let mut bytes = Vec::with_capacity(512);
    loop {
        bytes.clear();
        while !bytes.ends_with(b"\r\n\r\n") {
            if stream.read_buf(&mut bytes).await.ok()? == 0 {
                return None;
            }
        }
        let head = String::from_utf8_lossy(&bytes).to_lowercase();
        let counted = head.starts_with("get /count ");
        let number = if counted { count.load(Ordering::Relaxed) } else { count.fetch_add(1, Ordering::Relaxed) };
        let body = if counted { number.to_string() } else { "ok".into() };
        let text =
            format!("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        stream.write_all(text.as_bytes()).await.ok()?;
        if head.contains("connection: close") || head.contains(" http/1.0\r\n") {
            return None;
        }
    }
}

/// How many requests were answered.
pub(crate) fn count(address: SocketAddr) -> u64 {
    use std::io::{Read as _, Write as _};
    let mut stream = std::net::TcpStream::connect(address).expect("the target");
    stream.write_all(b"GET /count HTTP/1.0\r\n\r\n").expect("the target");
    let mut text = String::new();
    stream.read_to_string(&mut text).expect("the target");
    text.rsplit("\r\n").next().and_then(|body| body.parse().ok()).expect("a count")
}
