//! One HTTP/1.1 exchange (RFC 9112) over a connection of its own or a kept one.
//!
//! As little as can be: no pool, no task of its own, nothing is sent twice, nothing is followed. The connection is driven by
//! whoever waits for its answer, and stands still in between.

use std::{
    error::Error,
    future::{Future, poll_fn},
    io,
    pin::{Pin, pin},
    sync::Arc,
    task::Poll,
};

use futures::FutureExt as _;
use hyper::{
    HeaderMap, Method, Request, Response, Uri,
    body::{Body as _, Incoming},
    client::conn::http1::{self, Connection, SendRequest},
    header::{HOST, HeaderValue},
};
use hyper_util::rt::TokioIo;
use reqwest::Url;
use rustls_pki_types::CertificateDer;

use super::{
    Ill,
    place::{Place, Stream, leave_nothing},
    trust::Trust,
};

/// What a URL says, ready to be asked.
pub(super) struct Site {
    pub(super) place: Place,
    trust: Option<Arc<Trust>>,
    host: HeaderValue,
    target: Uri,
}

/// An http or https URL.
pub(super) fn url(text: &str) -> Result<Url, Ill> {
    let bad = |why: String| Ill::Silent(format!("the probe's URL is none ({why}); write http(s)://host/path"));
    let url = Url::parse(text).map_err(|error| bad(error.to_string()))?;
    if matches!(url.scheme(), "http" | "https") {
        Ok(url)
    } else {
        Err(bad(format!("`{}` is not asked by HTTP", url.scheme())))
    }
}

impl Site {
    /// Takes a URL apart. `trust` is asked for where it is https.
    pub(super) fn new(url: &Url, trust: impl FnOnce() -> Arc<Trust>) -> Result<Self, Ill> {
        let shown = shown(url);
        let bad = |what: &str| Ill::Silent(format!("{shown} could not be asked: {what}"));
        let name = url.host_str().ok_or_else(|| bad("it has no host"))?;
        let port = url.port_or_known_default().ok_or_else(|| bad("it has no port"))?;
        let host = url.port().map_or_else(|| name.to_owned(), |port| format!("{name}:{port}"));
        let host = HeaderValue::try_from(host).map_err(|_| bad("its host cannot be sent"))?;
        let mut target = url.path().to_owned();
        if let Some(query) = url.query() {
            target = format!("{target}?{query}");
        }
        let target = Uri::try_from(target).map_err(|_| bad("its path cannot be sent"))?;
        let bare = name.strip_prefix('[').and_then(|inner| inner.strip_suffix(']')).unwrap_or(name);
        let place = Place::new(shown, bare, port);
        let trust = (url.scheme() == "https").then(trust);
        if let Some(trust) = &trust {
            // Now, before a clock runs: reading the system's authorities takes a while. What is wrong is said by each probe.
            let _later = trust.config();
        }
        Ok(Self { place, trust, host, target })
    }

    fn request(&self, method: &Method, headers: &HeaderMap) -> Request<String> {
        let mut request = Request::new(String::new());
        *request.method_mut() = method.clone();
        *request.uri_mut() = self.target.clone();
        *request.headers_mut() = headers.clone();
        request.headers_mut().entry(HOST).or_insert_with(|| self.host.clone());
        request
    }
}

/// A URL for reports: without user, password, query and fragment, which are where people put tokens.
fn shown(url: &Url) -> String {
    let mut bare = url.clone();
    bare.set_query(None);
    bare.set_fragment(None);
    // Only URLs without a host refuse this, and those have no user either.
    let (_user, _password) = (bare.set_username(""), bare.set_password(None));
    bare.to_string()
}

/// A connection.
pub(super) struct Line {
    sender: SendRequest<String>,
    /// `None` when it ended.
    connection: Option<Connection<TokioIo<Stream>, String>>,
    /// What the server showed, its own first.
    pub(super) certificates: Vec<CertificateDer<'static>>,
}

impl Line {
    /// Opens one. The certificates are kept where `look` says that somebody will look at them.
    pub(super) async fn open(site: &Site, look: bool) -> Result<Self, Ill> {
        let stream = Stream::open(&site.place, site.trust.as_ref()).await?;
        leave_nothing(stream.tcp());
        let certificates = match &stream {
            Stream::Secure(stream) if look => {
                let shown = stream.get_ref().1.peer_certificates().unwrap_or_default();
                shown.iter().map(|certificate| certificate.clone().into_owned()).collect()
            }
            Stream::Secure(_) | Stream::Plain(_) => Vec::new(),
        };
        let (sender, connection) = http1::Builder::new()
            .handshake(TokioIo::new(stream))
            .await
            .map_err(|error| ill(&site.place.shown, &error))?;
        Ok(Self { sender, connection: Some(connection), certificates })
    }

    /// Sends a request and waits for the head of its answer.
    pub(super) async fn send(
        &mut self,
        site: &Site,
        method: &Method,
        headers: &HeaderMap,
    ) -> Result<Response<Incoming>, Ill> {
        let Self { sender, connection, .. } = self;
        let request = site.request(method, headers);
        let exchange = async {
            sender.ready().await?;
            sender.send_request(request).await
        };
        beside(connection, exchange).await.map_err(|error| ill(&site.place.shown, &error))
    }

    /// Reads a body until `enough` says so, to its end, or to `cap` bytes. Answers whether it was read to its end.
    pub(super) async fn body(
        &mut self,
        site: &Site,
        mut body: Incoming,
        cap: usize,
        enough: impl Fn(&[u8]) -> bool,
    ) -> Result<(Vec<u8>, bool), Ill> {
        let mut read = Vec::new();
        loop {
            let frame = beside(&mut self.connection, poll_fn(|cx| Pin::new(&mut body).poll_frame(cx))).await;
            let Some(frame) = frame else { return Ok((read, true)) };
            let frame = frame.map_err(|error| ill(&site.place.shown, &error))?;
            if let Some(chunk) = frame.data_ref() {
                let room = cap.saturating_sub(read.len()).min(chunk.len());
                read.extend_from_slice(chunk.get(..room).unwrap_or_default());
                if read.len() >= cap || enough(&read) {
                    return Ok((read, false));
                }
            }
        }
    }

    /// Another request could be sent over it.
    pub(super) fn is_open(&self) -> bool {
        self.connection.is_some() && !self.sender.is_closed()
    }
}

/// Drives the connection while `work` waits for it.
async fn beside<T>(connection: &mut Option<Connection<TokioIo<Stream>, String>>, work: impl Future<Output = T>) -> T {
    let mut work = pin!(work);
    poll_fn(|cx| {
        if let Poll::Ready(done) = work.as_mut().poll(cx) {
            return Poll::Ready(done);
        }
        // How the connection ended is what the work is told; it never waits for one that is gone.
        if connection.as_mut().is_some_and(|connection| connection.poll_unpin(cx).is_ready()) {
            *connection = None;
        }
        work.as_mut().poll(cx)
    })
    .await
}

/// Finds the error of the connection under the one of HTTP. Without one, the server answered, and not in HTTP.
fn ill(shown: &str, error: &hyper::Error) -> Ill {
    let mut causes = std::iter::successors(error.source(), |cause: &&(dyn Error + 'static)| Error::source(*cause));
    let broken = causes.find_map(<dyn Error>::downcast_ref::<io::Error>);
    match broken {
        Some(broken) => Ill::of(shown, broken),
        None => Ill::Unhealthy(format!("{shown}: {error}")),
    }
}
