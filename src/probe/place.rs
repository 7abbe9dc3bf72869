//! Where a probe connects: taken apart once, asked again and again.

use std::{io, net::IpAddr, sync::Arc};

use rustls_pki_types::ServerName;
use tokio::net::{TcpStream, lookup_host};
use tokio_rustls::{TlsConnector, client::TlsStream};

use super::{Ill, trust::Trust};

/// A host and a port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    /// What reports say.
    pub(super) shown: String,
    host: Host,
    port: u16,
}

/// A name is looked up through the system for each connection: where it leads may be what changed.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Host {
    Address(IpAddr),
    Name(String),
}

impl Place {
    /// `host` without brackets.
    pub(super) fn new(shown: impl Into<String>, host: &str, port: u16) -> Self {
        let host = host.parse().map_or_else(|_| Host::Name(host.to_owned()), Host::Address);
        Self { shown: shown.into(), host, port }
    }

    /// `host:port`, with brackets around an IPv6 address.
    pub(super) fn parse(text: &str) -> Result<Self, Ill> {
        let bad = || Ill::Silent(format!("{text} could not be asked: it is not host:port"));
        let (host, port) = text.rsplit_once(':').ok_or_else(bad)?;
        let port = port.parse().map_err(|_| bad())?;
        let host = host.strip_prefix('[').and_then(|inner| inner.strip_suffix(']')).unwrap_or(host);
        if host.is_empty() || host.contains(char::is_whitespace) {
            return Err(bad());
        }
        Ok(Self::new(text, host, port))
    }

    /// What a certificate must be for.
    pub(super) fn server_name(&self) -> Result<ServerName<'static>, Ill> {
        match &self.host {
            Host::Address(ip) => Ok(ServerName::IpAddress((*ip).into())),
            Host::Name(name) => ServerName::try_from(name.trim_end_matches('.').to_owned())
                .map_err(|bad| Ill::Silent(format!("{} could not be asked: `{name}`: {bad}", self.shown))),
        }
    }

    /// A new connection, to the first of the name's addresses that takes one.
    pub(super) async fn connect(&self) -> Result<TcpStream, Ill> {
        let found = match &self.host {
            Host::Address(ip) => TcpStream::connect((*ip, self.port)).await,
            Host::Name(name) => connect_any(name, self.port).await,
        };
        found.map_err(|error| Ill::of(&self.shown, &error))
    }

    /// A new connection with TLS, and its certificate verified.
    pub(super) async fn secure(&self, trust: &Trust) -> Result<TlsStream<TcpStream>, Ill> {
        let (config, name) = (trust.config()?, self.server_name()?);
        self.over(self.connect().await?, TlsConnector::from(config), name).await
    }

    /// TLS over a connection that is there already.
    pub(super) async fn over(
        &self,
        stream: TcpStream,
        connector: TlsConnector,
        name: ServerName<'static>,
    ) -> Result<TlsStream<TcpStream>, Ill> {
        // On the heap: most probes are plain, and need not carry the room for a handshake.
        Box::pin(connector.connect(name, stream)).await.map_err(|error| Ill::of(&self.shown, &error))
    }
}

async fn connect_any(name: &str, port: u16) -> io::Result<TcpStream> {
    let mut last = None;
    for address in lookup_host((name, port)).await? {
        match TcpStream::connect(address).await {
            Ok(stream) => return Ok(stream),
            Err(error) => last = Some(error),
        }
    }
    Err(last.unwrap_or_else(|| io::Error::other("the name has no address")))
}

/// A connection that may be secured.
pub(super) enum Stream {
    Plain(TcpStream),
    Secure(Box<TlsStream<TcpStream>>),
}

impl Stream {
    /// The connection beneath.
    pub(super) fn tcp(&self) -> &TcpStream {
        match self {
            Self::Plain(stream) => stream,
            Self::Secure(stream) => stream.get_ref().0,
        }
    }

    /// Opens one: secured where there is somebody to trust.
    pub(super) async fn open(place: &Place, trust: Option<&Arc<Trust>>) -> Result<Self, Ill> {
        match trust {
            None => place.connect().await.map(Self::Plain),
            Some(trust) => place.secure(trust).await.map(|stream| Self::Secure(Box::new(stream))),
        }
    }
}

/// Lets a connection be closed by a reset, which leaves nothing behind: thousands of probes a second that each left an address
/// in `TIME_WAIT` for a minute would run out of ports (RFC 9293 section 3.6.1). For connections on which nothing is under way
/// when they are closed. Where it cannot be set, the connection closes as usual.
pub(super) fn leave_nothing(stream: &TcpStream) {
    let _as_usual = stream.set_zero_linger();
}

mod io_of_both {
    //! Reading and writing, whichever it is.

    use std::{
        io,
        pin::Pin,
        task::{Context, Poll},
    };

    use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

    use super::Stream;

    impl AsyncRead for Stream {
        fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
            match self.get_mut() {
                Self::Plain(stream) => Pin::new(stream).poll_read(cx, buf),
                Self::Secure(stream) => Pin::new(stream).poll_read(cx, buf),
            }
        }
    }

    impl AsyncWrite for Stream {
        fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
            match self.get_mut() {
                Self::Plain(stream) => Pin::new(stream).poll_write(cx, bytes),
                Self::Secure(stream) => Pin::new(stream).poll_write(cx, bytes),
            }
        }

        fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
            match self.get_mut() {
                Self::Plain(stream) => Pin::new(stream).poll_flush(cx),
                Self::Secure(stream) => Pin::new(stream).poll_flush(cx),
            }
        }

        fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
            match self.get_mut() {
                Self::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
                Self::Secure(stream) => Pin::new(stream).poll_shutdown(cx),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_a_host_and_a_port() {
        for (text, host, port) in
            [("a.test:53", "a.test", 53), ("10.0.0.1:80", "10.0.0.1", 80), ("[::1]:443", "::1", 443)]
        {
            assert_eq!(Place::parse(text).unwrap(), Place::new(text, host, port), "{text}");
        }
        for bad in ["", "a.test", ":80", "a b:80", "a:x", "a:70000"] {
            assert!(Place::parse(bad).is_err(), "{bad}");
        }
    }
}
