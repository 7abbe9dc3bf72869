//! An address in front of a server that cannot listen there: UDP datagrams and TCP connections are passed on as they are.
//!
//! BIND listens only on addresses that an interface has, and of the loopback network that is 127.0.0.1 alone.

use std::{
    io,
    net::{IpAddr, Shutdown, SocketAddr, TcpListener, TcpStream, UdpSocket},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use super::free_port;

/// How long an answer to a datagram is waited for.
const ANSWER: Duration = Duration::from_secs(2);
/// How long it takes to notice that the relay was dropped.
const LOOK: Duration = Duration::from_millis(20);

/// Passes on what comes, until it is dropped.
pub struct Relay {
    address: SocketAddr,
    ended: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Relay {
    /// Listens on a free port of `ip`, in front of `server`.
    pub fn start(ip: IpAddr, server: SocketAddr) -> Self {
        let address = SocketAddr::new(ip, free_port(&[ip]));
        let ended = Arc::new(AtomicBool::new(false));
        let udp = UdpSocket::bind(address).expect("a UDP port");
        udp.set_read_timeout(Some(LOOK)).expect("a time limit");
        let tcp = TcpListener::bind(address).expect("a TCP port");
        tcp.set_nonblocking(true).expect("no waiting");
        let (first, second) = (Arc::clone(&ended), Arc::clone(&ended));
        let threads = vec![
            thread::spawn(move || datagrams(&udp, server, &first)),
            thread::spawn(move || streams(&tcp, server, &second)),
        ];
        Self { address, ended, threads }
    }

    /// Where it listens, UDP and TCP.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            let _ended = thread.join();
        }
    }
}

fn datagrams(here: &UdpSocket, server: SocketAddr, ended: &AtomicBool) {
    let mut buffer = vec![0; 65_535];
    while !ended.load(Ordering::Relaxed) {
        let Ok((length, from)) = here.recv_from(&mut buffer) else { continue };
        let (question, here) = (buffer[..length].to_vec(), here.try_clone());
        thread::spawn(move || -> io::Result<()> {
            let there = UdpSocket::bind((server.ip(), 0))?;
            there.set_read_timeout(Some(ANSWER))?;
            there.send_to(&question, server)?;
            let mut answer = vec![0; 65_535];
            let length = there.recv(&mut answer)?;
            here?.send_to(&answer[..length], from).map(drop)
        });
    }
}

fn streams(here: &TcpListener, server: SocketAddr, ended: &AtomicBool) {
    while !ended.load(Ordering::Relaxed) {
        let Ok((client, _)) = here.accept() else {
            thread::sleep(LOOK);
            continue;
        };
        thread::spawn(move || -> io::Result<()> {
            client.set_nonblocking(false)?;
            let there = TcpStream::connect(server)?;
            let (mut from_client, mut to_there) = (client.try_clone()?, there.try_clone()?);
            thread::spawn(move || {
                let _broken = io::copy(&mut from_client, &mut to_there);
                let _closed = to_there.shutdown(Shutdown::Write);
            });
            let (mut from_there, mut to_client) = (there, client);
            io::copy(&mut from_there, &mut to_client)?;
            to_client.shutdown(Shutdown::Write)
        });
    }
}
