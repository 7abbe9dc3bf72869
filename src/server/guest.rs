//! Connections, counted and on a clock: hyper's own limits need a timer that `axum::serve` does not give it.

use std::{
    future::Future as _,
    io,
    net::SocketAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use axum::serve::Listener;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{self, Sleep},
};

/// Accepts so many connections at once; others wait in the kernel's queue.
pub(super) struct Guests {
    listener: TcpListener,
    seats: Arc<Semaphore>,
    idle: Duration,
}

impl Guests {
    pub(super) fn new(listener: TcpListener, most: usize, idle: Duration) -> Self {
        Self { listener, seats: Arc::new(Semaphore::new(most)), idle }
    }
}

impl Listener for Guests {
    type Io = Guest;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Guest, SocketAddr) {
        // The semaphore is never closed; without a seat there would be no limit, and no harm.
        let seat = Arc::clone(&self.seats).acquire_owned().await.ok();
        let (stream, address) = Listener::accept(&mut self.listener).await;
        (Guest { stream, idle: self.idle, patience: Box::pin(time::sleep(self.idle)), _seat: seat }, address)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

/// A connection that ends when its other side sends nothing, or takes nothing, for too long.
pub(super) struct Guest {
    stream: TcpStream,
    idle: Duration,
    patience: Pin<Box<Sleep>>,
    _seat: Option<OwnedSemaphorePermit>,
}

impl Guest {
    /// Something was sent or taken: patience begins anew. Nothing was: it may have run out.
    fn stirred<T>(&mut self, cx: &mut Context<'_>, done: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if done.is_ready() {
            self.patience.set(time::sleep(self.idle));
            return done;
        }
        ready!(self.patience.as_mut().poll(cx));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl AsyncRead for Guest {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let done = Pin::new(&mut self.stream).poll_read(cx, buffer);
        self.stirred(cx, done)
    }
}

impl AsyncWrite for Guest {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let done = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.stirred(cx, done)
    }
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
