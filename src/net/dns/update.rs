//! One signed, conditional update of a zone.
//!
//! A message replaces whole record sets: for each it names what must still be so (RFC 2136 section 2.4), deletes the set and adds
//! the new values (section 2.5). The server checks every condition first and applies all or nothing, so no reader ever sees
//! the name empty.

use std::{fmt, net::SocketAddr, time::Duration};

use base64::{Engine, engine::general_purpose::STANDARD};
use hickory_proto::{
    op::{Message, OpCode, Query, ResponseCode, UpdateMessage},
    rr::{
        DNSClass, Name, RData, Record, RecordType as WireType, TSigVerifier, TSigner,
        rdata::tsig::{self, TSIG, TsigError},
    },
};
use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use tokio::{net::TcpStream, time};

use super::{RrSet, ask::mnemonic, bare, name, parse, wire, wire_type};
use crate::spec::{RecordType, TsigAlgorithm, TsigKey};

/// Seconds by which our clock and the server's may differ: the value that RFC 8945 section 10 recommends.
const FUDGE: u16 = 300;

/// A key that cannot sign. The secret is in none of these.
#[derive(Debug, thiserror::Error)]
pub enum BadKey {
    /// The name is none.
    #[error("the TSIG key's name `{name}` is not a domain name")]
    Name {
        /// What was declared.
        name: String,
    },
    /// The secret is not base64, or is empty.
    #[error(
        "the secret of the TSIG key `{name}` is not base64 text; copy it from the `secret` line of the server's key file"
    )]
    Secret {
        /// The key.
        name: String,
    },
    /// The algorithm is not built in.
    #[error("the TSIG key `{name}` cannot sign with its algorithm")]
    Algorithm {
        /// The key.
        name: String,
    },
}

/// A key that signs updates. Printing it shows its name and algorithm.
#[derive(Clone)]
pub struct Key {
    signer: TSigner,
    name: String,
    algorithm: TsigAlgorithm,
}

impl Key {
    /// The key as declared, with its secret.
    pub fn new(declared: &TsigKey, secret: &SecretString) -> Result<Self, BadKey> {
        let key = declared.name.clone();
        let owner = name(&key).map_err(|_| BadKey::Name { name: key.clone() })?;
        let bytes = STANDARD.decode(secret.expose_secret().trim()).unwrap_or_default();
        if bytes.is_empty() {
            return Err(BadKey::Secret { name: key });
        }
        let algorithm = match declared.algorithm {
            TsigAlgorithm::HmacSha256 => tsig::TsigAlgorithm::HmacSha256,
            TsigAlgorithm::HmacSha384 => tsig::TsigAlgorithm::HmacSha384,
            TsigAlgorithm::HmacSha512 => tsig::TsigAlgorithm::HmacSha512,
        };
        let signer =
            TSigner::new(bytes, algorithm, owner, FUDGE).map_err(|_| BadKey::Algorithm { name: key.clone() })?;
        Ok(Self { signer, name: key, algorithm: declared.algorithm })
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key").field("name", &self.name).field("algorithm", &self.algorithm).finish_non_exhaustive()
    }
}

/// What must still be so when the server looks.
#[derive(Debug, Clone, PartialEq)]
pub enum Expect {
    /// The set exists with exactly these values, whatever its time to live (RFC 2136 section 2.4.2).
    Exactly(RrSet),
    /// There is no set of this type (section 2.4.3).
    NoRecords,
    /// Nothing at all has this name (section 2.4.5).
    NoName,
}

/// One set to replace.
#[derive(Debug, Clone, PartialEq)]
pub struct Replacement {
    /// The name.
    pub name: Name,
    /// The type.
    pub kind: RecordType,
    /// The condition.
    pub expect: Expect,
    /// The new set; its time to live is written as it stands here.
    pub new: RrSet,
}

/// Why the server did not accept the signature (RFC 8945 section 5.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyFault {
    /// BADKEY: it has no key of that name with that algorithm.
    Unknown,
    /// BADSIG: it has the key with another secret.
    Signature,
    /// BADTIME: the clocks differ by more than 300 s.
    Time {
        /// The server's time, where it said so.
        server: Option<Timestamp>,
    },
    /// BADTRUNC or a code that we do not know.
    Other {
        /// The code.
        code: u16,
    },
}

/// What became of an update.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// Applied, says a reply that the key signed.
    Done,
    /// Not applied: a condition did not hold.
    ConditionFailed {
        /// `NXRRSET`, `YXRRSET`, `YXDOMAIN` …
        code: String,
    },
    /// Not applied: the signature was not accepted.
    Key {
        /// The server's code.
        fault: KeyFault,
        /// What is wrong and what to do about it, for a person.
        why: String,
    },
    /// Not applied: the server would not.
    Refused {
        /// `REFUSED`, `NOTZONE` …
        code: String,
    },
    /// Not applied: it never left.
    NotSent {
        /// Why.
        why: String,
    },
    /// It left, and no reply that can be believed came back: it may or may not have been applied.
    Lost {
        /// What was seen instead.
        why: String,
    },
}

/// Replaces the sets, all or none, if every condition holds. `now` goes into the signature.
pub async fn replace(
    server: SocketAddr,
    zone: &Name,
    key: &Key,
    sets: &[Replacement],
    now: Timestamp,
    timeout: Duration,
) -> Reply {
    match Signed::new(zone, key, sets, now) {
        Ok(update) => update.send(server, timeout).await,
        Err(unsent) => unsent,
    }
}

/// Asks for a change that cannot change anything: to delete, from each set, a value that its condition says is not there (RFC 2136
/// section 3.4.2.4 passes over it). `Done` proves the key, the clock and the permission to update each name and type.
pub async fn rehearse(
    server: SocketAddr,
    zone: &Name,
    key: &Key,
    sets: &[Replacement],
    now: Timestamp,
    timeout: Duration,
) -> Reply {
    let mut message = blank(zone);
    for set in sets {
        let Some((text, data)) = absent(set.kind) else { continue };
        if matches!(&set.expect, Expect::Exactly(live) if live.values.contains(&text)) {
            continue;
        }
        conditions(&mut message, set);
        let mut delete = Record::from_rdata(set.name.clone(), 0, data);
        delete.dns_class = DNSClass::NONE;
        message.add_update(delete);
    }
    match Signed::of(message, key, now) {
        Ok(update) => update.send(server, timeout).await,
        Err(unsent) => unsent,
    }
}

/// A value that no service has: from the ranges kept for documentation (RFC 5737, RFC 3849) and the name that never resolves (RFC 6761).
fn absent(kind: RecordType) -> Option<(String, RData)> {
    let text = match kind {
        RecordType::A => "192.0.2.255",
        RecordType::Aaaa => "2001:db8::ffff",
        RecordType::Cname => "lifeboat-rehearsal.invalid",
        RecordType::Txt => "lifeboat rehearsal, never present",
    };
    parse(kind, text).ok().map(|data| (text.to_owned(), data))
}

fn blank(zone: &Name) -> Message {
    let mut message = Message::query(); // For its random identifier.
    message.metadata.op_code = OpCode::Update;
    message.metadata.recursion_desired = false;
    message.add_zone(Query::query(zone.clone(), WireType::SOA));
    message
}

fn conditions(message: &mut Message, set: &Replacement) {
    let nothing = |kind| {
        let mut record = Record::update0(set.name.clone(), 0, kind);
        record.dns_class = DNSClass::NONE;
        record
    };
    match &set.expect {
        Expect::Exactly(live) => {
            for data in &live.data {
                message.add_pre_requisite(Record::from_rdata(set.name.clone(), 0, data.clone()));
            }
        }
        Expect::NoRecords => message.add_pre_requisite(nothing(wire_type(set.kind))),
        Expect::NoName => message.add_pre_requisite(nothing(WireType::ANY)),
    }
}

/// An update as it leaves: signed, with what its reply is known by.
pub struct Signed {
    id: u16,
    bytes: Vec<u8>,
    verifier: TSigVerifier,
    key: Key,
    now: Timestamp,
}

impl Signed {
    /// A replacement of whole sets, all or none. `now` goes into the signature.
    pub fn new(zone: &Name, key: &Key, sets: &[Replacement], now: Timestamp) -> Result<Self, Reply> {
        let mut message = blank(zone);
        for set in sets {
            conditions(&mut message, set);
            let mut delete = Record::update0(set.name.clone(), 0, wire_type(set.kind));
            delete.dns_class = DNSClass::ANY;
            message.add_update(delete);
            for data in &set.new.data {
                message.add_update(Record::from_rdata(set.name.clone(), set.new.ttl, data.clone()));
            }
        }
        Self::of(message, key, now)
    }

    fn of(mut message: Message, key: &Key, now: Timestamp) -> Result<Self, Reply> {
        let seconds = u64::try_from(now.as_second()).unwrap_or_default();
        let verifier = match message.finalize(&key.signer, seconds) {
            Ok(Some(verifier)) => verifier,
            Ok(None) => return Err(Reply::NotSent { why: "the update could not be signed".into() }),
            Err(error) => return Err(Reply::NotSent { why: format!("the update could not be signed: {error}") }),
        };
        match message.to_vec() {
            Ok(bytes) => Ok(Self { id: message.metadata.id, bytes, verifier, key: key.clone(), now }),
            Err(error) => Err(Reply::NotSent { why: format!("the update does not fit a DNS message: {error}") }),
        }
    }

    /// The identifier that a reply repeats.
    pub fn id(&self) -> u16 {
        self.id
    }

    /// Sends it once over TCP: a retransmitted datagram could be applied twice.
    async fn send(self, server: SocketAddr, timeout: Duration) -> Reply {
        let mut stream = match time::timeout(timeout, TcpStream::connect(server)).await {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => return Reply::NotSent { why: format!("no TCP connection to {server}: {error}") },
            Err(_) => {
                let why = format!("no TCP connection to {server} within {} ms", timeout.as_millis());
                return Reply::NotSent { why };
            }
        };
        match time::timeout(timeout, wire::exchange(&mut stream, &self.bytes)).await {
            Ok(Ok(raw)) => self.reply(&raw, server),
            Ok(Err(error)) => {
                Reply::Lost { why: format!("the connection to {server} broke after the update was sent: {error}") }
            }
            Err(_) => {
                Reply::Lost { why: format!("{server} did not reply to the update within {} ms", timeout.as_millis()) }
            }
        }
    }

    /// What the bytes that came back say. Only a reply to this update, signed by its key, is believed.
    pub fn reply(mut self, raw: &[u8], server: SocketAddr) -> Reply {
        let Ok(reply) = Message::from_vec(raw) else {
            return Reply::Lost {
                why: format!("{server} replied to the update with something that is no DNS message"),
            };
        };
        if reply.metadata.id != self.id {
            return Reply::Lost { why: format!("{server} replied to another message than the update") };
        }
        let signed = self.verifier.verify(raw).is_ok();
        read(&reply, signed, server, |fault| fault.explain(&self.key, server, self.now))
    }
}

/// What a reply says. BADKEY and BADSIG cannot be signed (RFC 8945 section 5.3.2); any other reply is believed only when it is.
fn read(reply: &Message, signed: bool, server: SocketAddr, explain: impl Fn(KeyFault) -> String) -> Reply {
    let code = reply.metadata.response_code;
    let fault = reply.signature().and_then(|tsig| fault(&tsig.data));
    match (code, fault) {
        (ResponseCode::NotAuth, Some(fault)) => return Reply::Key { fault, why: explain(fault) },
        _ if !signed => {
            return Reply::Lost {
                why: format!("{server} replied {} without the key's signature, which proves nothing", mnemonic(code)),
            };
        }
        _ => {}
    }
    match code {
        ResponseCode::NoError => Reply::Done,
        ResponseCode::NXRRSet | ResponseCode::YXRRSet | ResponseCode::NXDomain | ResponseCode::YXDomain => {
            Reply::ConditionFailed { code: mnemonic(code) }
        }
        // A server that forwards updates says SERVFAIL when it lost the primary's reply (RFC 2136 section 6.3).
        ResponseCode::ServFail => Reply::Lost { why: format!("{server} replied SERVFAIL to the update") },
        code => Reply::Refused { code: mnemonic(code) },
    }
}

fn fault(tsig: &TSIG) -> Option<KeyFault> {
    Some(match tsig.error.as_ref()? {
        TsigError::BadKey => KeyFault::Unknown,
        TsigError::BadSig => KeyFault::Signature,
        // The server's time, 48 bits, stands in "other data" (RFC 8945 section 5.2.3).
        TsigError::BadTime => KeyFault::Time {
            server: <[u8; 6]>::try_from(tsig.other.as_slice()).ok().and_then(|bytes| {
                let seconds = bytes.iter().fold(0_i64, |sum, byte| (sum << 8) | i64::from(*byte));
                Timestamp::from_second(seconds).ok()
            }),
        },
        TsigError::BadTrunc => KeyFault::Other { code: 22 },
        TsigError::Unknown(code) => KeyFault::Other { code: *code },
    })
}

impl KeyFault {
    /// What is wrong and what to do about it, for a person. `now` is our own clock's time.
    fn explain(self, key: &Key, server: SocketAddr, now: Timestamp) -> String {
        let (name, algorithm) = (bare(key.signer.signer_name()), key.signer.algorithm());
        match self {
            Self::Unknown => format!(
                "{server} has no TSIG key `{name}` with algorithm {algorithm} (BADKEY); compare name and algorithm with the `key` statement of the server"
            ),
            Self::Signature => format!(
                "{server} knows the TSIG key `{name}` with another secret (BADSIG); compare the secret and the algorithm {algorithm} with the server's"
            ),
            Self::Time { server: theirs } => format!(
                "the clocks differ by more than {FUDGE} s (BADTIME): ours says {now}, {server} says {}; set both by NTP",
                theirs.map_or_else(|| "something else".to_owned(), |time| time.to_string())
            ),
            Self::Other { code } => {
                format!(
                    "{server} did not accept the signature of TSIG key `{name}` (TSIG error {code}, algorithm {algorithm})"
                )
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use hickory_proto::rr::rdata::tsig::make_tsig_record;

    use super::*;

    fn reply(code: ResponseCode, error: Option<TsigError>) -> Message {
        let mut message = Message::response(1, OpCode::Update);
        message.metadata.response_code = code;
        let other = vec![0, 0, 0x65, 0, 0, 0];
        let tsig = TSIG::new(tsig::TsigAlgorithm::HmacSha256, 0, FUDGE, Vec::new(), 1, error, other);
        message.set_signature(Box::new(make_tsig_record(name("k").unwrap(), tsig)));
        message
    }

    #[test]
    fn only_a_signed_reply_is_believed_and_only_key_errors_may_be_unsigned() {
        let server: SocketAddr = "127.0.0.1:53".parse().unwrap();
        let time = Timestamp::from_second(0x6500_0000).unwrap();
        let key = |fault| Reply::Key { fault, why: String::new() };
        let cases = [
            (reply(ResponseCode::NoError, None), true, Some(Reply::Done)),
            (reply(ResponseCode::NoError, None), false, None),
            (reply(ResponseCode::NXRRSet, None), true, Some(Reply::ConditionFailed { code: "NXRRSET".into() })),
            (reply(ResponseCode::NXRRSet, None), false, None),
            (reply(ResponseCode::YXDomain, None), true, Some(Reply::ConditionFailed { code: "YXDOMAIN".into() })),
            (reply(ResponseCode::Refused, None), true, Some(Reply::Refused { code: "REFUSED".into() })),
            (reply(ResponseCode::Refused, None), false, None),
            (reply(ResponseCode::NotAuth, None), true, Some(Reply::Refused { code: "NOTAUTH".into() })),
            (reply(ResponseCode::ServFail, None), true, None),
            (reply(ResponseCode::NotAuth, Some(TsigError::BadKey)), false, Some(key(KeyFault::Unknown))),
            (reply(ResponseCode::NotAuth, Some(TsigError::BadSig)), false, Some(key(KeyFault::Signature))),
            (
                reply(ResponseCode::NotAuth, Some(TsigError::BadTime)),
                true,
                Some(key(KeyFault::Time { server: Some(time) })),
            ),
        ];
        for (message, signed, expected) in cases {
            let found = read(&message, signed, server, |_| String::new());
            match expected {
                Some(expected) => assert_eq!(found, expected),
                None => assert!(matches!(found, Reply::Lost { .. }), "{found:?}"),
            }
        }
    }

    #[test]
    fn a_key_never_shows_its_secret() {
        let declared = |secret: &str| {
            let key = TsigKey {
                name: "k".into(),
                algorithm: TsigAlgorithm::HmacSha256,
                secret: crate::spec::SecretRef::Env("T".into()),
            };
            Key::new(&key, &SecretString::from(secret))
        };
        let key = declared("c2VjcmV0LXRleHQ=").unwrap();
        assert_eq!(format!("{key:?}"), "Key { name: \"k\", algorithm: HmacSha256, .. }");
        for bad in ["not base64 ~~~~", ""] {
            let error = declared(bad).unwrap_err();
            assert!(matches!(error, BadKey::Secret { .. }) && !error.to_string().contains("~~~~"), "{error}");
        }
    }
}
