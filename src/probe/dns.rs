//! An authoritative answer of one chosen server.

use std::{
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};

use super::Ill;
use crate::{
    net::dns::{self, Answer, RrSet},
    spec::{DnsProbe, RecordType},
};

pub(super) async fn probe(spec: &DnsProbe, timeout: Duration) -> Result<(), Ill> {
    let server: SocketAddr = spec
        .server
        .parse()
        .map_err(|_| Ill::Silent(format!("server `{}` is not an address; write `ip:port`", spec.server)))?;
    let name = dns::name(&spec.name).map_err(|bad| Ill::Silent(bad.to_string()))?;
    let kind = kind(&spec.expect);
    judge(spec, kind, &dns::ask(server, &name, kind, timeout).await)
}

/// The type to ask for, told by the expected values: addresses are A or AAAA, a name with a dot and no space is CNAME, any other text is TXT.
/// Without expected values: A.
fn kind(expect: &[String]) -> RecordType {
    match expect.first() {
        None => RecordType::A,
        Some(value) if value.parse::<Ipv4Addr>().is_ok() => RecordType::A,
        Some(value) if value.parse::<Ipv6Addr>().is_ok() => RecordType::Aaaa,
        Some(value) if value.contains('.') && dns::name(value).is_ok() && !value.contains(char::is_whitespace) => {
            RecordType::Cname
        }
        Some(_) => RecordType::Txt,
    }
}

fn judge(spec: &DnsProbe, kind: RecordType, answer: &Answer) -> Result<(), Ill> {
    let unhealthy = |expected: &str| {
        Err(Ill::Unhealthy(format!("{} for {} {kind}: expected {expected}, found {answer}", spec.server, spec.name)))
    };
    match answer {
        Answer::Silent { why } => Err(Ill::Silent(format!("{}: {why}", spec.server))),
        Answer::Closed => Err(Ill::Unhealthy(format!("nothing listens on {}: the port is closed", spec.server))),
        Answer::Code { .. } | Answer::NotAuthoritative | Answer::NoSuchName => unhealthy("an authoritative answer"),
        Answer::Records(_) | Answer::Alias { .. } | Answer::NoData if spec.expect.is_empty() => Ok(()),
        Answer::Alias { .. } | Answer::NoData => unhealthy(&spec.expect.join(", ")),
        Answer::Records(live) => match RrSet::declared(kind, 0, &spec.expect) {
            Ok(wanted) if wanted.values == live.values => Ok(()),
            Ok(_) => unhealthy(&spec.expect.join(", ")),
            Err(bad) => Err(Ill::Silent(format!("the expected values cannot be compared: {bad}"))),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_expected_values_tell_the_type() {
        let cases = [
            (None, RecordType::A),
            (Some("10.0.0.1"), RecordType::A),
            (Some("::1"), RecordType::Aaaa),
            (Some("fra.example.com"), RecordType::Cname),
            (Some("serving from fra. today"), RecordType::Txt),
            (Some("fra"), RecordType::Txt),
        ];
        for (value, expected) in cases {
            let values: Vec<_> = value.iter().map(|v| (*v).to_owned()).collect();
            assert_eq!(kind(&values), expected, "{value:?}");
        }
    }

    #[test]
    fn only_silence_is_silence() {
        let set = |value: &str| RrSet::declared(RecordType::A, 30, &[value.to_owned()]).unwrap();
        let cases = [
            (Answer::Records(set("10.0.0.1")), Some(true), Some(true)),
            (Answer::Records(set("10.0.0.2")), Some(false), Some(true)),
            (Answer::Alias { target: "x.test".into() }, Some(false), Some(true)),
            (Answer::NoData, Some(false), Some(true)),
            (Answer::NoSuchName, Some(false), Some(false)),
            (Answer::NotAuthoritative, Some(false), Some(false)),
            (Answer::Code { code: "REFUSED".into() }, Some(false), Some(false)),
            (Answer::Closed, Some(false), Some(false)),
            (Answer::Silent { why: "no answer".into() }, None, None),
        ];
        for (answer, expecting, expecting_nothing) in cases {
            for (expect, healthy) in [(vec!["10.0.0.1".to_owned()], expecting), (Vec::new(), expecting_nothing)] {
                let spec = DnsProbe { server: "127.0.0.1:53".into(), name: "w.test".into(), expect };
                let found = match judge(&spec, RecordType::A, &answer) {
                    Ok(()) => Some(true),
                    Err(Ill::Unhealthy(_)) => Some(false),
                    Err(Ill::Silent(_)) => None,
                };
                assert_eq!(found, healthy, "{answer:?} {:?}", spec.expect);
            }
        }
    }
}
