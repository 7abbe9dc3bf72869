//! One question to one authoritative server.

use std::{fmt, io, net::SocketAddr, time::Duration};

use hickory_proto::{
    op::{Edns, Message, Query, ResponseCode},
    rr::{self, Name, RData},
};
use tokio::time;

use super::{RrSet, bare, wire, wire_type};
use crate::spec::RecordType;

/// What one server said. Every way of not answering is a value of its own: the reader decides what it means.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    /// The records.
    Records(RrSet),
    /// The name is an alias, and another type was asked for.
    Alias {
        /// Of what.
        target: String,
    },
    /// The name exists, without records of this type.
    NoData,
    /// The name does not exist.
    NoSuchName,
    /// It answered, but not as an authority for the zone.
    NotAuthoritative,
    /// It answered with an error code.
    Code {
        /// `REFUSED`, `SERVFAIL` …
        code: String,
    },
    /// The host says that nothing listens on the port.
    Closed,
    /// Nothing came back, or nothing that could be understood.
    Silent {
        /// What was seen instead.
        why: String,
    },
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Records(set) => write!(f, "{set}"),
            Self::Alias { target } => write!(f, "an alias (CNAME) of {target}"),
            Self::NoData => f.write_str("no records of this type"),
            Self::NoSuchName => f.write_str("no such name (NXDOMAIN)"),
            Self::NotAuthoritative => f.write_str("an answer without authority for the zone"),
            Self::Code { code } => write!(f, "the error {code}"),
            Self::Closed => f.write_str("nothing listens there (port closed)"),
            Self::Silent { why } => write!(f, "silence ({why})"),
        }
    }
}

/// The start of authority, as far as it matters here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Soa {
    /// The version of the zone.
    pub serial: u32,
    /// Seconds that a resolver may remember that a name does not exist (RFC 2308 section 5).
    pub negative_ttl: u32,
}

/// Asks `server` for the records of one name and type: UDP first, TCP when the answer does not fit, no recursion.
pub async fn ask(server: SocketAddr, name: &Name, kind: RecordType, timeout: Duration) -> Answer {
    let kind = wire_type(kind);
    match fetch(server, name, kind, timeout).await {
        Ok(reply) => read(&reply, name, kind),
        Err(answer) => answer,
    }
}

/// Asks `server` for the zone's start of authority.
pub async fn soa(server: SocketAddr, zone: &Name, timeout: Duration) -> Result<Soa, Answer> {
    let reply = fetch(server, zone, rr::RecordType::SOA, timeout).await?;
    match read(&reply, zone, rr::RecordType::SOA) {
        Answer::Records(set) => match set.data.first() {
            Some(RData::SOA(soa)) => Ok(Soa { serial: soa.serial, negative_ttl: soa.minimum.min(set.ttl) }),
            _ => Err(Answer::NoData),
        },
        other => Err(other),
    }
}

/// What the bytes of a reply say about the records of one name and type; `None`: they are no DNS message.
pub fn understand(bytes: &[u8], name: &Name, kind: RecordType) -> Option<Answer> {
    Message::from_vec(bytes).ok().map(|reply| read(&reply, name, wire_type(kind)))
}

async fn fetch(server: SocketAddr, name: &Name, kind: rr::RecordType, timeout: Duration) -> Result<Message, Answer> {
    let mut question = Message::query();
    question.metadata.recursion_desired = false;
    question.add_query(Query::query(name.clone(), kind));
    question.edns.get_or_insert_with(Edns::new).set_max_payload(wire::PAYLOAD);
    let asked = async {
        let reply = wire::over_udp(server, &question, timeout).await?;
        if reply.metadata.truncation { wire::over_tcp(server, &question).await } else { Ok(reply) }
    };
    match time::timeout(timeout, asked).await {
        Ok(Ok(reply)) => Ok(reply),
        Ok(Err(error)) => Err(silence(&error, timeout)),
        Err(_) => Err(silence(&io::ErrorKind::TimedOut.into(), timeout)),
    }
}

fn silence(error: &io::Error, timeout: Duration) -> Answer {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => Answer::Closed,
        io::ErrorKind::TimedOut => Answer::Silent { why: format!("no answer within {} ms", timeout.as_millis()) },
        _ => Answer::Silent { why: error.to_string() },
    }
}

/// What a reply says. An alias counts before the code, which speaks of the alias's target (RFC 6604 section 3).
fn read(reply: &Message, name: &Name, kind: rr::RecordType) -> Answer {
    let code = reply.metadata.response_code;
    if !matches!(code, ResponseCode::NoError | ResponseCode::NXDomain) {
        return Answer::Code { code: mnemonic(code) };
    }
    if !reply.metadata.authoritative {
        return Answer::NotAuthoritative;
    }
    let own = || reply.answers.iter().filter(|record| record.name == *name);
    let data: Vec<_> = own().filter(|record| record.record_type() == kind).collect();
    if let Some(ttl) = data.iter().map(|record| record.ttl).max() {
        return Answer::Records(RrSet::of(ttl, data.into_iter().map(|record| record.data.clone()).collect()));
    }
    let alias = own().find_map(|record| match &record.data {
        RData::CNAME(target) => Some(bare(&target.0)),
        _ => None,
    });
    match (alias, code) {
        (Some(target), _) => Answer::Alias { target },
        (None, ResponseCode::NXDomain) => Answer::NoSuchName,
        (None, _) => Answer::NoData,
    }
}

/// The code's name in the protocol's own words (RFC 6895 section 2.3).
pub(super) fn mnemonic(code: ResponseCode) -> String {
    match code {
        ResponseCode::NoError => "NOERROR".into(),
        ResponseCode::FormErr => "FORMERR".into(),
        ResponseCode::ServFail => "SERVFAIL".into(),
        ResponseCode::NXDomain => "NXDOMAIN".into(),
        ResponseCode::NotImp => "NOTIMP".into(),
        ResponseCode::Refused => "REFUSED".into(),
        ResponseCode::YXDomain => "YXDOMAIN".into(),
        ResponseCode::YXRRSet => "YXRRSET".into(),
        ResponseCode::NXRRSet => "NXRRSET".into(),
        ResponseCode::NotAuth => "NOTAUTH".into(),
        ResponseCode::NotZone => "NOTZONE".into(),
        other => format!("RCODE {}", u16::from(other)),
    }
}

#[cfg(test)]
mod tests {
    use hickory_proto::{
        op::OpCode,
        rr::{Record, rdata},
    };

    use super::*;
    use crate::net::dns::name;

    fn reply(code: ResponseCode, authoritative: bool, answers: &[(&str, u32, RData)]) -> Message {
        let mut message = Message::response(1, OpCode::Query);
        message.metadata.response_code = code;
        message.metadata.authoritative = authoritative;
        for (owner, ttl, data) in answers {
            message.add_answer(Record::from_rdata(name(owner).unwrap(), *ttl, data.clone()));
        }
        message
    }

    #[test]
    fn every_kind_of_reply_is_told_apart() {
        let a = |last| RData::A(rdata::A::new(10, 0, 0, last));
        let alias = || RData::CNAME(rdata::CNAME(name("Other.test").unwrap()));
        let two = RrSet::declared(RecordType::A, 60, &["10.0.0.1".into(), "10.0.0.2".into()]).unwrap();
        let target = || Answer::Alias { target: "other.test".into() };
        let cases = [
            (reply(ResponseCode::NoError, true, &[("W.test", 30, a(2)), ("w.test", 60, a(1))]), Answer::Records(two)),
            (reply(ResponseCode::NoError, true, &[("w.test", 30, alias()), ("other.test", 30, a(1))]), target()),
            (reply(ResponseCode::NXDomain, true, &[("w.test", 30, alias())]), target()),
            (reply(ResponseCode::NoError, true, &[("else.test", 30, a(1))]), Answer::NoData),
            (reply(ResponseCode::NoError, true, &[]), Answer::NoData),
            (reply(ResponseCode::NXDomain, true, &[]), Answer::NoSuchName),
            (reply(ResponseCode::NoError, false, &[("w.test", 30, a(1))]), Answer::NotAuthoritative),
            (reply(ResponseCode::NXDomain, false, &[]), Answer::NotAuthoritative),
            (reply(ResponseCode::Refused, false, &[]), Answer::Code { code: "REFUSED".into() }),
            (reply(ResponseCode::ServFail, true, &[]), Answer::Code { code: "SERVFAIL".into() }),
        ];
        for (message, expected) in cases {
            assert_eq!(read(&message, &name("w.test").unwrap(), rr::RecordType::A), expected, "{message}");
        }
    }
}
