//! One message out, one message in, over UDP or TCP.
//!
//! Promises: a UDP reply counts only from the address that was asked (the socket is connected), with the identifier and the question
//! that were sent (RFC 5452 section 9.1). The kernel draws the source port and the identifier is random.

use std::{
    io::{self, ErrorKind},
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};

use hickory_proto::op::{Message, MessageType};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpStream, UdpSocket},
    time,
};

/// Times that a question is sent before it is called silence: two lost datagrams in a row are bad luck, three are a fact.
const SENDS: u32 = 3;

/// The largest datagram that is asked for: fits an IPv6 path of 1280 bytes (DNS flag day 2020).
pub(super) const PAYLOAD: u16 = 1232;

/// Asks over UDP, sending the question again after a third of `timeout`; the caller bounds the whole.
pub(super) async fn over_udp(server: SocketAddr, question: &Message, timeout: Duration) -> io::Result<Message> {
    let bytes = question.to_vec().map_err(io::Error::other)?;
    let any = match server {
        SocketAddr::V4(_) => SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)),
        SocketAddr::V6(_) => SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0)),
    };
    let socket = UdpSocket::bind(any).await?;
    socket.connect(server).await?;
    let pause = timeout / SENDS;
    for _ in 0..SENDS {
        socket.send(&bytes).await?;
        if let Ok(reply) = time::timeout(pause, matching(&socket, question)).await {
            return reply;
        }
    }
    Err(ErrorKind::TimedOut.into())
}

/// The first datagram that answers the question; anything else is passed over.
async fn matching(socket: &UdpSocket, question: &Message) -> io::Result<Message> {
    let mut buffer = vec![0; usize::from(u16::MAX)];
    loop {
        let length = socket.recv(&mut buffer).await?;
        let Some(Ok(reply)) = buffer.get(..length).map(Message::from_vec) else { continue };
        if answers(&reply, question) {
            return Ok(reply);
        }
    }
}

/// Whether `reply` belongs to `question`. Errors may leave the question out.
fn answers(reply: &Message, question: &Message) -> bool {
    reply.metadata.message_type == MessageType::Response
        && reply.metadata.id == question.metadata.id
        && (reply.queries.is_empty() || reply.queries == question.queries)
}

/// Asks over TCP.
pub(super) async fn over_tcp(server: SocketAddr, question: &Message) -> io::Result<Message> {
    let mut stream = TcpStream::connect(server).await?;
    let bytes = question.to_vec().map_err(io::Error::other)?;
    let reply = exchange(&mut stream, &bytes).await?;
    let reply = Message::from_vec(&reply).map_err(|bad| io::Error::new(ErrorKind::InvalidData, bad))?;
    if answers(&reply, question) { Ok(reply) } else { Err(ErrorKind::InvalidData.into()) }
}

/// Sends a message with its length before it (RFC 1035 section 4.2.2) and reads one back.
pub(super) async fn exchange(stream: &mut TcpStream, message: &[u8]) -> io::Result<Vec<u8>> {
    let length = u16::try_from(message.len()).map_err(|_| io::Error::from(ErrorKind::FileTooLarge))?;
    let mut framed = Vec::with_capacity(message.len() + 2);
    framed.extend_from_slice(&length.to_be_bytes());
    framed.extend_from_slice(message);
    stream.write_all(&framed).await?;
    let length = stream.read_u16().await?;
    let mut reply = vec![0; usize::from(length)];
    stream.read_exact(&mut reply).await?;
    Ok(reply)
}
