//! A MySQL or MariaDB server lets an account in and, where asked, takes writes.
//!
//! Promises: a whole login and a farewell, because a server that sees clients leave before they logged in refuses their host after
//! a hundred (`max_connect_errors`); at most one query, which changes nothing. What the server refuses is *unhealthy*; a way to
//! log in that we do not speak, and a secret of ours that cannot be had, are *silent*.
//!
//! The bytes are in [`login`].

mod login;

use std::sync::Arc;

use futures::future::BoxFuture;
use secrecy::{ExposeSecret as _, SecretString};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio_rustls::TlsConnector;

use self::login::{Greeting, Step};
use super::{
    Asks, Found, Ill,
    place::{Place, Stream},
    trust::{Authorities, Trust},
};
use crate::{net::postgres::told, port::Secrets, spec::MysqlProbe};

/// No packet of a login or of one number is longer.
const MOST: usize = 64 * 1024;

/// Says good-bye (`COM_QUIT`).
const QUIT: &[u8] = &[0x01];

/// `COM_QUERY`, and the question. `super_read_only` sets `read_only` as well.
const QUESTION: &[u8] = b"\x03SELECT @@global.read_only";

pub(super) struct Mysql {
    spec: MysqlProbe,
    place: Place,
    trust: Option<Arc<Trust>>,
    secrets: Arc<dyn Secrets>,
}

impl Mysql {
    pub(super) fn new(spec: &MysqlProbe, authorities: &Authorities, secrets: Arc<dyn Secrets>) -> Result<Self, Ill> {
        let place = Place::parse(&spec.address)?;
        let trust = authorities.by(spec.tls.as_ref());
        if let Some(trust) = &trust {
            let _later = trust.config();
        }
        Ok(Self { spec: spec.clone(), place, trust, secrets })
    }

    async fn once(&self) -> Result<Found, Ill> {
        let shown = &self.place.shown;
        let silent = |why: String| Ill::Silent(format!("{shown} could not be asked: {why}"));
        let password = match &self.spec.password {
            Some(password) => self.secrets.resolve(password).map_err(|error| silent(told(&error)))?,
            None => SecretString::default(),
        };
        // Before the server is disturbed.
        let secure = match &self.trust {
            Some(trust) => Some((TlsConnector::from(trust.config()?), self.place.server_name()?)),
            None => None,
        };
        let mut wire = Wire { stream: Stream::Plain(self.place.connect().await?), number: 0, shown };
        let greeting = Greeting::read(&wire.receive().await?).map_err(|refusal| refusal.ill(shown))?;
        if let Some((connector, name)) = secure {
            if !greeting.offers_tls() {
                let why =
                    "expected a server that offers TLS, found one that does not; `tls: {mode: disable}` does without";
                return Err(Ill::Unhealthy(format!("{shown}: {why}")));
            }
            wire.send(&login::tls_request()).await?;
            wire = wire.secured(&self.place, connector, name).await?;
        }
        self.log_in(&mut wire, &greeting, password.expose_secret()).await?;
        let writable = if self.spec.writable == Some(true) { self.writable(&mut wire).await } else { Ok(()) };
        wire.number = 0;
        // It answers nothing, and a farewell that is lost changes nothing about what was found.
        if wire.send(QUIT).await.is_ok() {
            let _ended = wire.stream.shutdown().await;
        }
        writable.map(|()| Found::Well)
    }

    async fn log_in(&self, wire: &mut Wire<'_>, greeting: &Greeting, password: &str) -> Result<(), Ill> {
        let secure = matches!(wire.stream, Stream::Secure(_));
        wire.send(&greeting.response(&self.spec.user, password, secure)).await?;
        let mut scramble = greeting.scramble.clone();
        // A server may ask for another way once, then for the whole password: more is no login.
        for _ in 0..4 {
            match login::step(&wire.receive().await?, &mut scramble, password, secure) {
                Ok(Step::In) => return Ok(()),
                Ok(Step::Wait) => {}
                Ok(Step::Send(bytes)) => wire.send(&bytes).await?,
                Err(refusal) => return Err(refusal.ill(wire.shown)),
            }
        }
        Err(Ill::Unhealthy(format!("{}: its login has no end", wire.shown)))
    }

    async fn writable(&self, wire: &mut Wire<'_>) -> Result<(), Ill> {
        wire.number = 0;
        wire.send(QUESTION).await?;
        // How many columns, what they are, that these were all, the row, that this was all.
        let mut packets = Vec::new();
        for _ in 0..5 {
            let packet = wire.receive().await?;
            if let Some(refusal) = login::refusal(&packet) {
                return Err(refusal.ill(wire.shown));
            }
            packets.push(packet);
        }
        let row = packets.get(3).map(|row| String::from_utf8_lossy(row.get(1..).unwrap_or_default()).into_owned());
        match row.as_deref() {
            Some("0" | "OFF") => Ok(()),
            Some(found) => Err(Ill::Unhealthy(format!("{}: expected read_only to be 0, found {found}", wire.shown))),
            None => Err(Ill::Unhealthy(format!("{}: it did not say whether it is read-only", wire.shown))),
        }
    }
}

impl Asks for Mysql {
    fn ask(&self) -> BoxFuture<'_, Result<Found, Ill>> {
        Box::pin(self.once())
    }

    fn shown(&self) -> &str {
        &self.place.shown
    }
}

/// Packets: three bytes of length, one that counts, then what is said (MySQL internals, "Protocol basics").
struct Wire<'a> {
    stream: Stream,
    number: u8,
    shown: &'a str,
}

impl Wire<'_> {
    async fn send(&mut self, payload: &[u8]) -> Result<(), Ill> {
        let length = u32::try_from(payload.len()).unwrap_or(u32::MAX).to_le_bytes();
        let mut packet = Vec::with_capacity(payload.len() + 4);
        packet.extend_from_slice(length.get(..3).unwrap_or_default());
        packet.push(self.number);
        packet.extend_from_slice(payload);
        self.number = self.number.wrapping_add(1);
        self.stream.write_all(&packet).await.map_err(|error| Ill::of(self.shown, &error))?;
        self.stream.flush().await.map_err(|error| Ill::of(self.shown, &error))
    }

    async fn receive(&mut self) -> Result<Vec<u8>, Ill> {
        let mut head = [0; 4];
        self.stream.read_exact(&mut head).await.map_err(|error| Ill::of(self.shown, &error))?;
        let [one, two, three, number] = head;
        let length = u32::from_le_bytes([one, two, three, 0]) as usize;
        if length > MOST {
            return Err(Ill::Unhealthy(format!("{}: it does not speak the MySQL protocol", self.shown)));
        }
        self.number = number.wrapping_add(1);
        let mut payload = vec![0; length];
        self.stream.read_exact(&mut payload).await.map_err(|error| Ill::of(self.shown, &error))?;
        Ok(payload)
    }

    async fn secured(
        self,
        place: &Place,
        connector: TlsConnector,
        name: rustls_pki_types::ServerName<'static>,
    ) -> Result<Self, Ill> {
        match self.stream {
            Stream::Plain(stream) => {
                let stream = Stream::Secure(Box::new(place.over(stream, connector, name).await?));
                Ok(Self { stream, ..self })
            }
            Stream::Secure(_) => Ok(self),
        }
    }
}
