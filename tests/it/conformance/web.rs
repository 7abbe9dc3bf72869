//! A small web server that counts what it does, and does a request with a known idempotency key once.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::{self, BufRead as _, BufReader, Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
};

#[derive(Default)]
struct Done {
    /// How often each path was called with an effect.
    effects: BTreeMap<String, u32>,
    keys: BTreeSet<String>,
}

/// `POST /once` has its effect once for each key, `POST` of anything else each time; `GET` has none.
pub(crate) struct Web {
    address: SocketAddr,
    done: Arc<Mutex<Done>>,
}

impl Web {
    /// Lets in whoever has this token; `None`: everybody.
    pub(crate) fn start(token: Option<&'static str>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let done = Arc::new(Mutex::new(Done::default()));
        let shared = Arc::clone(&done);
        thread::spawn(move || {
            while let Ok((stream, _)) = listener.accept() {
                let done = Arc::clone(&shared);
                thread::spawn(move || serve(stream, token, &done));
            }
        });
        Self { address, done }
    }
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }
    pub(crate) fn forget(&self) {
        *self.done.lock().unwrap() = Done::default();
    }
    pub(crate) fn effects(&self) -> String {
        format!("{:?}", self.done.lock().unwrap().effects)
    }
}

fn serve(mut stream: TcpStream, token: Option<&str>, done: &Mutex<Done>) -> io::Result<()> {
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
    reader.read_exact(&mut vec![0; length])?;
    let given = headers.get("authorization").cloned().unwrap_or_default();
    let allowed = token.is_none_or(|token| given == format!("Bearer {token}"));
    let mut words = first.split(' ');
    let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    if allowed && method == "POST" {
        let mut done = done.lock().unwrap();
        let key = headers.get("idempotency-key").cloned().unwrap_or_default();
        if path != "/once" || done.keys.insert(key) {
            *done.effects.entry(path.to_owned()).or_default() += 1;
        }
    }
    // A careless server repeats what it was given.
    let (status, body) = if allowed { ("200 OK", "done") } else { ("401 Unauthorized", given.as_str()) };
    let head = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
    stream.write_all(format!("{head}{body}").as_bytes())
}
