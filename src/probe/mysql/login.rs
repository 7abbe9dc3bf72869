//! The bytes of a MySQL login: greeting, answer, and what follows (MySQL internals, "Connection phase", protocol 10). Pure.

use aws_lc_rs::digest::{Algorithm, SHA1_FOR_LEGACY_USE_ONLY, SHA256, digest};

use crate::probe::Ill;

/// `CLIENT_LONG_PASSWORD`, `CLIENT_PROTOCOL_41`, `CLIENT_TRANSACTIONS`, `CLIENT_SECURE_CONNECTION`, `CLIENT_PLUGIN_AUTH`.
const SPOKEN: u32 = 0x1 | 0x200 | 0x2000 | 0x8000 | 0x8_0000;
/// `CLIENT_SSL`.
const TLS: u32 = 0x800;
/// utf8mb4, for names and messages.
const CHARSET: u8 = 45;

const NATIVE: &str = "mysql_native_password";
const CACHING: &str = "caching_sha2_password";

/// Why there is no login.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// The server says no.
    Said(String),
    /// What it says is not understood.
    NoMysql,
    /// It wants a way to log in that we do not have.
    Way(String),
}

impl Refusal {
    pub(super) fn ill(self, shown: &str) -> Ill {
        match self {
            Self::Said(text) => Ill::Unhealthy(format!("{shown} answered: {text}")),
            Self::NoMysql => Ill::Unhealthy(format!("{shown}: it does not speak the MySQL protocol")),
            Self::Way(why) => Ill::Silent(format!("{shown} could not be asked: {why}")),
        }
    }
}

/// The first packet.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Greeting {
    capabilities: u32,
    pub(super) scramble: Scramble,
}

/// What a password is mixed with, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Scramble {
    plugin: String,
    salt: Vec<u8>,
}

/// What comes next.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// The server let us in.
    In,
    /// It has more to say.
    Wait,
    /// It wants this.
    Send(Vec<u8>),
}

/// An error packet.
pub(super) fn refusal(packet: &[u8]) -> Option<Refusal> {
    let [0xff, low, high, rest @ ..] = packet else { return None };
    // A state of five letters may stand before the text.
    let text = if rest.first() == Some(&b'#') { rest.get(6..).unwrap_or_default() } else { rest };
    let text = String::from_utf8_lossy(text);
    Some(Refusal::Said(format!("{text} ({})", u16::from_le_bytes([*low, *high]))))
}

fn until_zero(bytes: &[u8]) -> (&[u8], &[u8]) {
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    (bytes.get(..end).unwrap_or_default(), bytes.get(end + 1..).unwrap_or_default())
}

impl Greeting {
    pub(super) fn read(packet: &[u8]) -> Result<Self, Refusal> {
        if let Some(refusal) = refusal(packet) {
            return Err(refusal);
        }
        let Some((10, rest)) = packet.split_first() else { return Err(Refusal::NoMysql) };
        let (_version, rest) = until_zero(rest);
        // 4 thread, 8 salt, 1 zero, 2 capabilities, 1 charset, 2 status, 2 capabilities, 1 length of the salt, 10 reserved.
        let (Some(first), Some(low), Some(high)) = (rest.get(4..12), rest.get(13..15), rest.get(18..20)) else {
            return Err(Refusal::NoMysql);
        };
        let capabilities = [low, high].concat();
        let capabilities = <[u8; 4]>::try_from(capabilities).map_or(0, u32::from_le_bytes);
        let second = rest.get(31..43).ok_or(Refusal::NoMysql)?;
        let (plugin, _) = until_zero(rest.get(44..).unwrap_or_default());
        let plugin = String::from_utf8_lossy(plugin).into_owned();
        let plugin = if plugin.is_empty() { NATIVE.to_owned() } else { plugin };
        Ok(Self { capabilities, scramble: Scramble { plugin, salt: [first, second].concat() } })
    }

    pub(super) fn offers_tls(&self) -> bool {
        self.capabilities & TLS != 0
    }

    /// Who we are. A way that we do not have is answered by the usual one: the server then names the account's own.
    pub(super) fn response(&self, user: &str, password: &str, secure: bool) -> Vec<u8> {
        let mut scramble = self.scramble.clone();
        if scramble.plugin != CACHING {
            NATIVE.clone_into(&mut scramble.plugin);
        }
        let mixed = scramble.mix(password).unwrap_or_default();
        let mut bytes = head(if secure { SPOKEN | TLS } else { SPOKEN });
        bytes.extend_from_slice(user.as_bytes());
        bytes.push(0);
        bytes.push(u8::try_from(mixed.len()).unwrap_or(0));
        bytes.extend_from_slice(&mixed);
        bytes.extend_from_slice(scramble.plugin.as_bytes());
        bytes.push(0);
        bytes
    }
}

/// Asks for TLS before anything is said.
pub(super) fn tls_request() -> Vec<u8> {
    head(SPOKEN | TLS)
}

fn head(capabilities: u32) -> Vec<u8> {
    let mut bytes = capabilities.to_le_bytes().to_vec();
    bytes.extend_from_slice(&(1_u32 << 24).to_le_bytes());
    bytes.push(CHARSET);
    bytes.extend_from_slice(&[0; 23]);
    bytes
}

impl Scramble {
    fn mix(&self, password: &str) -> Result<Vec<u8>, Refusal> {
        if password.is_empty() {
            return Ok(Vec::new());
        }
        let password = password.as_bytes();
        let hash =
            |algorithm: &'static Algorithm, parts: &[&[u8]]| digest(algorithm, &parts.concat()).as_ref().to_vec();
        let (one, two) = match self.plugin.as_str() {
            NATIVE => {
                let one = hash(&SHA1_FOR_LEGACY_USE_ONLY, &[password]);
                let twice = hash(&SHA1_FOR_LEGACY_USE_ONLY, &[&one]);
                (one, hash(&SHA1_FOR_LEGACY_USE_ONLY, &[&self.salt, &twice]))
            }
            CACHING => {
                let one = hash(&SHA256, &[password]);
                let twice = hash(&SHA256, &[&one]);
                (one, hash(&SHA256, &[&twice, &self.salt]))
            }
            other => {
                return Err(Refusal::Way(format!(
                    "the account logs in by `{other}`; use one with {CACHING} or {NATIVE}"
                )));
            }
        };
        Ok(one.iter().zip(&two).map(|(one, two)| one ^ two).collect())
    }
}

/// What a packet after our answer asks for.
pub(super) fn step(packet: &[u8], scramble: &mut Scramble, password: &str, secure: bool) -> Result<Step, Refusal> {
    if let Some(refusal) = refusal(packet) {
        return Err(refusal);
    }
    match packet {
        [0x00, ..] => Ok(Step::In),
        // Another way: its name and a new salt.
        [0xfe, rest @ ..] if !rest.is_empty() => {
            let (plugin, salt) = until_zero(rest);
            let salt = salt.strip_suffix(&[0]).unwrap_or(salt).to_vec();
            *scramble = Scramble { plugin: String::from_utf8_lossy(plugin).into_owned(), salt };
            scramble.mix(password).map(Step::Send)
        }
        // The server knows the account's hash by heart: it goes on.
        [0x01, 0x03] if scramble.plugin == CACHING => Ok(Step::Wait),
        // It does not, and wants the password itself, which only TLS may carry.
        [0x01, 0x04] if scramble.plugin == CACHING && secure => Ok(Step::Send([password.as_bytes(), &[0]].concat())),
        [0x01, 0x04] if scramble.plugin == CACHING => {
            Err(Refusal::Way("the account's first login after a start of the server needs TLS".into()))
        }
        _ => Err(Refusal::NoMysql),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn greeting(plugin: &str, tls: bool) -> Vec<u8> {
        let mut bytes = b"\x0a8.4.0\0".to_vec();
        bytes.extend_from_slice(&[1, 0, 0, 0]);
        bytes.extend_from_slice(b"abcdefgh\0");
        let low: u16 = if tls { 0xffff } else { 0xf7ff };
        bytes.extend_from_slice(&low.to_le_bytes());
        bytes.extend_from_slice(&[45, 2, 0]);
        bytes.extend_from_slice(&[0xff, 0xc1, 21]);
        bytes.extend_from_slice(&[0; 10]);
        bytes.extend_from_slice(b"ijklmnopqrst\0");
        bytes.extend_from_slice(plugin.as_bytes());
        bytes.push(0);
        bytes
    }

    #[test]
    fn a_greeting_gives_the_salt_the_way_and_tls() {
        let read = Greeting::read(&greeting(CACHING, true)).unwrap();
        assert_eq!(read.scramble, Scramble { plugin: CACHING.into(), salt: b"abcdefghijklmnopqrst".to_vec() });
        assert!(read.offers_tls() && !Greeting::read(&greeting(NATIVE, false)).unwrap().offers_tls());
        for cut in 0..greeting(NATIVE, true).len() - NATIVE.len() - 2 {
            assert_eq!(Greeting::read(&greeting(NATIVE, true)[..cut]), Err(Refusal::NoMysql), "{cut}");
        }
        let blocked = b"\xff\x69\x04Host '10.1.0.9' is blocked";
        assert_eq!(Greeting::read(blocked), Err(Refusal::Said("Host '10.1.0.9' is blocked (1129)".into())));
        assert_eq!(Greeting::read(b"HTTP/1.1 400 Bad Request"), Err(Refusal::NoMysql));
    }

    /// As the server checks it: the hash of the hash is what it keeps.
    #[test]
    fn the_server_can_check_the_password_with_what_it_keeps() {
        for (plugin, algorithm) in [(NATIVE, &SHA1_FOR_LEGACY_USE_ONLY), (CACHING, &SHA256)] {
            let salt = b"abcdefghijklmnopqrst".to_vec();
            let mixed = Scramble { plugin: plugin.into(), salt: salt.clone() }.mix("secret").unwrap();
            let kept = digest(algorithm, digest(algorithm, b"secret").as_ref());
            let mask = if plugin == NATIVE { [&salt, kept.as_ref()].concat() } else { [kept.as_ref(), &salt].concat() };
            let mask = digest(algorithm, &mask);
            let one: Vec<u8> = mixed.iter().zip(mask.as_ref()).map(|(mixed, mask)| mixed ^ mask).collect();
            assert_eq!(digest(algorithm, &one).as_ref(), kept.as_ref(), "{plugin}");
        }
    }

    #[test]
    fn a_server_may_ask_for_another_way_and_the_password_itself_goes_over_tls_alone() {
        let start = Scramble { plugin: CACHING.into(), salt: vec![1; 20] };
        let ask = |packet: &[u8], secure| step(packet, &mut start.clone(), "secret", secure);
        assert_eq!(ask(&[0, 0, 0, 2, 0, 0, 0], false), Ok(Step::In));
        assert_eq!(ask(&[1, 3], false), Ok(Step::Wait));
        assert_eq!(ask(&[1, 4], true), Ok(Step::Send(b"secret\0".to_vec())));
        assert!(matches!(ask(&[1, 4], false), Err(Refusal::Way(_))));
        let switch = [b"\xfemysql_native_password\0".as_slice(), &[7; 20], &[0]].concat();
        let Ok(Step::Send(bytes)) = ask(&switch, false) else { panic!("no answer") };
        assert_eq!(bytes, Scramble { plugin: NATIVE.into(), salt: vec![7; 20] }.mix("secret").unwrap());
        assert!(matches!(ask(b"\xfeauth_gssapi_client\0", true), Err(Refusal::Way(_))));
        let denied = b"\xff\x15\x04#28000Access denied for user 'x'";
        assert_eq!(ask(denied, true), Err(Refusal::Said("Access denied for user 'x' (1045)".into())));
        assert_eq!(ask(&[0xfe], false), Err(Refusal::NoMysql));
    }
}
