//! A web server that receives what is told, keeps it, and answers as it is told to.

use std::{
    collections::{BTreeMap, VecDeque},
    io::{self, BufRead as _, BufReader, Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

use super::await_until;

/// How a request is answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// With this status.
    Status(u16),
    /// With this status and this body.
    Says(u16, String),
    /// 429, and how many seconds to stay away.
    Busy(u64),
    /// The connection closes without a word.
    Close,
    /// Never.
    Hang,
}

/// A request.
#[derive(Debug, Clone)]
pub struct Received {
    pub path: String,
    /// Names in lower case.
    pub headers: BTreeMap<String, String>,
    pub body: String,
}

impl Received {
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).expect("JSON")
    }
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }
}

#[derive(Default)]
struct Book {
    received: Vec<Received>,
    replies: VecDeque<Reply>,
    always: Option<Reply>,
    /// Connections that hang.
    hanging: Vec<TcpStream>,
}

pub struct Receiver {
    address: SocketAddr,
    book: Arc<Mutex<Book>>,
}

impl Receiver {
    /// Answers the first requests with these, and then 200.
    pub fn start(replies: impl IntoIterator<Item = Reply>) -> Self {
        Self::with(Book { replies: replies.into_iter().collect(), ..Book::default() })
    }

    /// Answers every request with this.
    pub fn always(reply: Reply) -> Self {
        Self::with(Book { always: Some(reply), ..Book::default() })
    }

    fn with(book: Book) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let book = Arc::new(Mutex::new(book));
        let shared = Arc::clone(&book);
        // It ends with the test's process: it holds nothing but its own port.
        thread::spawn(move || {
            while let Ok((stream, _)) = listener.accept() {
                let book = Arc::clone(&shared);
                thread::spawn(move || serve(stream, &book));
            }
        });
        Self { address, book }
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub fn received(&self) -> Vec<Received> {
        self.book.lock().unwrap().received.clone()
    }

    /// Waits until there are so many requests, and gives them.
    pub fn await_requests(&self, count: usize) -> Vec<Received> {
        await_until(&format!("request number {count}"), Duration::from_secs(20), || self.received().len() >= count);
        self.received()
    }
}

fn serve(mut stream: TcpStream, book: &Mutex<Book>) -> io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut first = String::new();
    reader.read_line(&mut first)?;
    let mut headers = BTreeMap::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 || line == "\r\n" {
            break;
        }
        if let Some((name, value)) = line.split_once(':') {
            headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
        }
    }
    let length = headers.get("content-length").and_then(|text| text.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let path = first.split(' ').nth(1).unwrap_or_default().to_owned();
    let body = String::from_utf8_lossy(&body).into_owned();
    let reply = {
        let mut book = book.lock().unwrap();
        book.received.push(Received { path, headers, body });
        let reply = book.replies.pop_front().or_else(|| book.always.clone()).unwrap_or(Reply::Status(200));
        if reply == Reply::Hang {
            book.hanging.push(stream.try_clone()?);
        }
        reply
    };
    let (status, extra, body) = match reply {
        Reply::Status(status) => (status, String::new(), String::new()),
        Reply::Says(status, body) => (status, String::new(), body),
        Reply::Busy(seconds) => (429, format!("retry-after: {seconds}\r\n"), String::new()),
        Reply::Close | Reply::Hang => return Ok(()),
    };
    let head = format!("HTTP/1.1 {status} x\r\n{extra}content-length: {}\r\nconnection: close\r\n\r\n", body.len());
    stream.write_all(format!("{head}{body}").as_bytes())
}
