//! An address in front of a server: UDP datagrams and TCP connections are passed on as they are, until a [`Line`] says otherwise.
//!
//! BIND listens only on addresses that an interface has, and of the loopback network that is 127.0.0.1 alone; and every test of
//! lost replies needs something that loses them. A request is what a client says until it is answered; with the answer it is
//! one exchange, and a line counts those of all its relays.

use std::{
    collections::BTreeSet,
    io::{self, Read, Write},
    net::{IpAddr, Shutdown, SocketAddr, TcpListener, TcpStream, UdpSocket},
    sync::{
        Arc, Condvar, Mutex, MutexGuard,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use super::{await_until, free_port};

/// How long an answer to a datagram is waited for.
const ANSWER: Duration = Duration::from_secs(2);
/// How long it takes to notice that the relay was dropped.
const LOOK: Duration = Duration::from_millis(20);

/// What happens to exchanges.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Rule {
    /// They pass.
    #[default]
    Pass,
    /// Nothing listens.
    Refuse,
    /// The request of exchange number `n` arrives; its connection is closed in place of the reply.
    Cut(u32),
    /// Requests arrive; from exchange number `n` on, replies wait for [`Line::release`].
    Hold(u32),
}

#[derive(Default)]
struct Now {
    rule: Rule,
    exchanges: u32,
    /// Requests whose reply has not arrived.
    flying: u32,
    /// Replies that were held back so far, and those that are no longer.
    entered: u64,
    left: u64,
    /// Relays that listen, and relays that there are.
    listening: u32,
    relays: u32,
    /// Changes when held replies are handed out, and when they are thrown away.
    released: u64,
    healed: u64,
    contacted: BTreeSet<SocketAddr>,
    /// Connections that are open now.
    open: u32,
}

/// What one or several relays do, together.
#[derive(Default)]
pub struct Line {
    now: Mutex<Now>,
    changed: Condvar,
}

impl Line {
    fn now(&self) -> MutexGuard<'_, Now> {
        self.now.lock().unwrap()
    }

    /// From now on.
    pub fn put(&self, rule: Rule) {
        let mut now = self.now();
        now.rule = rule;
        self.changed.notify_all();
        // A refusal is one only when nobody listens any more, and the end of it when all do.
        while now.listening != if rule == Rule::Refuse { 0 } else { now.relays } {
            now = self.changed.wait(now).unwrap();
        }
    }

    /// Everything passes; what is held is thrown away; the counts begin anew.
    pub fn heal(&self) {
        self.put(Rule::Pass);
        let mut now = self.now();
        now.healed += 1;
        now.exchanges = 0;
        now.contacted.clear();
        self.let_go(now);
    }

    /// Hands out what is held.
    pub fn release(&self) {
        let mut now = self.now();
        now.released += 1;
        self.let_go(now);
    }

    /// Waits until what is held now is held no longer; what comes meanwhile may be.
    fn let_go(&self, mut now: MutexGuard<'_, Now>) {
        let entered = now.entered;
        self.changed.notify_all();
        while now.left < entered {
            now = self.changed.wait(now).unwrap();
        }
    }

    /// Exchanges that began since the last healing.
    pub fn exchanges(&self) -> u32 {
        self.now().exchanges
    }

    /// Replies that wait.
    pub fn held(&self) -> u64 {
        let now = self.now();
        now.entered - now.left
    }

    /// Requests that the server has not answered.
    pub fn flying(&self) -> u32 {
        self.now().flying
    }

    /// Connections that are open.
    pub fn open(&self) -> u32 {
        self.now().open
    }

    /// Relays that were contacted since the last healing.
    pub fn contacted(&self) -> Vec<SocketAddr> {
        self.now().contacted.iter().copied().collect()
    }

    fn begin(&self) -> u32 {
        let mut now = self.now();
        now.exchanges += 1;
        now.flying += 1;
        now.exchanges - 1
    }

    /// A request will not be answered.
    fn gives_up(&self) {
        self.now().flying -= 1;
    }

    /// The reply to exchange `number` arrived; `true`: it passes. Waits while it is held, as long as `wanted`.
    fn passes(&self, number: u32, wanted: impl Fn() -> bool) -> bool {
        let mut now = self.now();
        now.flying -= 1;
        match now.rule {
            Rule::Cut(n) if number == n => false,
            Rule::Hold(n) if number >= n => {
                let (released, healed) = (now.released, now.healed);
                now.entered += 1;
                while now.released == released && now.healed == healed && wanted() {
                    now = self.changed.wait_timeout(now, LOOK).unwrap().0;
                }
                now.left += 1;
                self.changed.notify_all();
                now.healed == healed && wanted()
            }
            Rule::Pass | Rule::Refuse | Rule::Cut(_) | Rule::Hold(_) => true,
        }
    }

    /// Waits until it is to listen (`true`) or to end.
    fn awaits_listening(&self, ended: &AtomicBool) -> bool {
        let mut now = self.now();
        while now.rule == Rule::Refuse && !ended.load(Ordering::Relaxed) {
            now = self.changed.wait_timeout(now, LOOK).unwrap().0;
        }
        !ended.load(Ordering::Relaxed)
    }

    fn refuses(&self) -> bool {
        self.now().rule == Rule::Refuse
    }

    fn listens(&self, does: bool) {
        let mut now = self.now();
        now.listening = if does { now.listening + 1 } else { now.listening - 1 };
        self.changed.notify_all();
    }
}

/// Passes on what comes, until it is dropped.
pub struct Relay {
    address: SocketAddr,
    line: Arc<Line>,
    ended: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Relay {
    /// Listens on a free port of `ip`, in front of `server`.
    pub fn start(ip: IpAddr, server: SocketAddr) -> Self {
        Self::on(&Arc::default(), ip, server)
    }

    /// The same, as this line says.
    pub fn on(line: &Arc<Line>, ip: IpAddr, server: SocketAddr) -> Self {
        Self::at(line, SocketAddr::new(ip, free_port(&[ip])), server)
    }

    /// The same, on this very address.
    pub fn at(line: &Arc<Line>, address: SocketAddr, server: SocketAddr) -> Self {
        let ended = Arc::new(AtomicBool::new(false));
        line.now().relays += 1;
        let (line, flag) = (Arc::clone(line), Arc::clone(&ended));
        let own = Arc::clone(&line);
        let thread = thread::spawn(move || serve(address, server, &own, &flag));
        await_until("a relay", Duration::from_secs(10), || {
            let now = line.now();
            now.listening == now.relays
        });
        Self { address, line, ended, thread: Some(thread) }
    }

    /// Where it listens, UDP and TCP.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ended = thread.join();
        }
        self.line.now().relays -= 1;
    }
}

/// Listens, and stops as long as the line refuses.
fn serve(address: SocketAddr, server: SocketAddr, line: &Arc<Line>, ended: &AtomicBool) {
    while line.awaits_listening(ended) {
        let (Ok(udp), Ok(tcp)) = (UdpSocket::bind(address), TcpListener::bind(address)) else {
            thread::sleep(LOOK);
            continue;
        };
        udp.set_read_timeout(Some(LOOK)).expect("a time limit");
        tcp.set_nonblocking(true).expect("no waiting");
        line.listens(true);
        thread::scope(|scope| {
            let stops = || ended.load(Ordering::Relaxed) || line.refuses();
            scope.spawn(move || datagrams(&udp, address, server, line, stops));
            streams(&tcp, address, server, line, stops);
            drop(tcp);
        });
        line.listens(false);
    }
}

fn datagrams(here: &UdpSocket, own: SocketAddr, server: SocketAddr, line: &Arc<Line>, stops: impl Fn() -> bool) {
    let mut buffer = vec![0; 65_535];
    while !stops() {
        let Ok((length, from)) = here.recv_from(&mut buffer) else { continue };
        let (question, here, line) = (buffer[..length].to_vec(), here.try_clone(), Arc::clone(line));
        line.now().contacted.insert(own);
        let number = line.begin();
        thread::spawn(move || -> io::Result<()> {
            match asked(&question, server) {
                Ok(answer) if line.passes(number, || true) => here?.send_to(&answer, from).map(drop),
                Ok(_) => Ok(()),
                Err(silent) => {
                    line.gives_up();
                    Err(silent)
                }
            }
        });
    }
}

/// The answer to one datagram.
fn asked(question: &[u8], server: SocketAddr) -> io::Result<Vec<u8>> {
    let there = UdpSocket::bind((server.ip(), 0))?;
    there.set_read_timeout(Some(ANSWER))?;
    there.send_to(question, server)?;
    let mut answer = vec![0; 65_535];
    let length = there.recv(&mut answer)?;
    answer.truncate(length);
    Ok(answer)
}

fn streams(here: &TcpListener, own: SocketAddr, server: SocketAddr, line: &Arc<Line>, stops: impl Fn() -> bool) {
    // Between two looks for a new connection: far below what a server takes to answer.
    const AGAIN: Duration = Duration::from_millis(2);
    while !stops() {
        let Ok((client, _)) = here.accept() else {
            thread::sleep(AGAIN);
            continue;
        };
        let line = Arc::clone(line);
        thread::spawn(move || {
            {
                let mut now = line.now();
                now.contacted.insert(own);
                now.open += 1;
            }
            let _broken = passed_on(&client, server, &line);
            line.now().open -= 1;
        });
    }
}

/// Who spoke last on a connection, and in which exchange.
#[derive(Default)]
struct Turn {
    /// The exchange that the client began and the server has not answered.
    asked: Option<u32>,
    /// The first bytes of the answer are here.
    arrived: bool,
}

fn passed_on(client: &TcpStream, server: SocketAddr, line: &Arc<Line>) -> io::Result<()> {
    client.set_nonblocking(false)?;
    client.set_nodelay(true)?;
    let there = TcpStream::connect(server)?;
    there.set_nodelay(true)?;
    let (turn, gone) = (Mutex::new(Turn::default()), AtomicBool::new(false));
    thread::scope(|scope| {
        scope.spawn(|| {
            let _broken = requests(client, &there, line, &turn);
            gone.store(true, Ordering::Relaxed);
            let _closed = there.shutdown(Shutdown::Write);
        });
        let whole = replies(&there, client, line, &turn, &gone).unwrap_or(false);
        let how = if whole { Shutdown::Write } else { Shutdown::Both };
        let _closed = client.shutdown(how);
        if !whole {
            let _closed = there.shutdown(Shutdown::Both);
        }
    });
    let turn = turn.into_inner().unwrap();
    if turn.asked.is_some() && !turn.arrived {
        line.gives_up();
    }
    Ok(())
}

fn requests(mut client: &TcpStream, mut there: &TcpStream, line: &Line, turn: &Mutex<Turn>) -> io::Result<()> {
    let mut buffer = vec![0; 65_536];
    loop {
        let length = client.read(&mut buffer)?;
        if length == 0 {
            return Ok(());
        }
        {
            let mut turn = turn.lock().unwrap();
            if turn.asked.is_none() {
                turn.asked = Some(line.begin());
            }
        }
        there.write_all(&buffer[..length])?;
    }
}

/// Whether the server ended its side; `false`: the line, or the client, broke it off.
fn replies(
    mut there: &TcpStream,
    mut client: &TcpStream,
    line: &Line,
    turn: &Mutex<Turn>,
    gone: &AtomicBool,
) -> io::Result<bool> {
    let mut buffer = vec![0; 65_536];
    loop {
        let length = there.read(&mut buffer)?;
        if length == 0 {
            return Ok(true);
        }
        let asked = {
            let mut turn = turn.lock().unwrap();
            turn.arrived = turn.asked.is_some();
            turn.asked
        };
        if let Some(number) = asked {
            // Only the first bytes of a reply are asked about. A client that went away wants none.
            if !line.passes(number, || !gone.load(Ordering::Relaxed)) {
                return Ok(false);
            }
            *turn.lock().unwrap() = Turn::default();
        }
        client.write_all(&buffer[..length])?;
    }
}
