//! Authoritative answers of chosen servers, which are asked side by side.

use std::{
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};

use futures::future::{BoxFuture, join_all};
use hickory_proto::rr::Name;

use super::{Asks, Found, Ill};
use crate::{
    net::dns::{self, Answer, RrSet},
    spec::{DnsProbe, RecordType},
};

pub(super) struct Dns {
    spec: DnsProbe,
    servers: Vec<SocketAddr>,
    name: Name,
    kind: RecordType,
    timeout: Duration,
    shown: String,
}

impl Dns {
    pub(super) fn new(spec: &DnsProbe, timeout: Duration) -> Result<Self, Ill> {
        let parsed = |text: &str| {
            text.parse().map_err(|_| Ill::Silent(format!("server `{text}` is not an address; write `ip:port`")))
        };
        let servers = spec.asked().map(parsed).collect::<Result<Vec<_>, _>>()?;
        if servers.is_empty() {
            return Err(Ill::Silent("no server is named; write `server: ip:port`".into()));
        }
        let name = dns::name(&spec.name).map_err(|bad| Ill::Silent(bad.to_string()))?;
        let shown = servers.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        Ok(Self { kind: kind(&spec.expect), spec: spec.clone(), servers, name, timeout, shown })
    }

    async fn once(&self) -> Result<Found, Ill> {
        let asked = self.servers.iter().map(|server| async {
            let answer = dns::ask(*server, &self.name, self.kind, self.timeout).await;
            judge(&self.spec, &server.to_string(), self.kind, &answer)
        });
        together(join_all(asked).await)
    }
}

impl Asks for Dns {
    fn ask(&self) -> BoxFuture<'_, Result<Found, Ill>> {
        Box::pin(self.once())
    }

    fn shown(&self) -> &str {
        &self.shown
    }

    // One silent server of several is a warning, which must be told in time.
    fn keeps_time(&self) -> bool {
        true
    }
}

/// What several servers say together: resolvers use whichever answers, so one good one serves, and one bad one is a warning.
/// Where none is good, one that answered badly is evidence, and silence alone is silence.
fn together(found: Vec<Result<(), Ill>>) -> Result<Found, Ill> {
    let all = found.len();
    let (mut bad, mut silent) = (Vec::new(), Vec::new());
    for ill in found.into_iter().filter_map(Result::err) {
        match ill {
            Ill::Unhealthy(why) => bad.push(why),
            Ill::Silent(why) => silent.push(why),
        }
    }
    let (answered, good) = (!bad.is_empty(), all - bad.len() - silent.len());
    bad.append(&mut silent);
    let why = bad.join("; ");
    match (good, answered) {
        (good, _) if good == all => Ok(Found::Well),
        (0, true) => Err(Ill::Unhealthy(why)),
        (0, false) => Err(Ill::Silent(why)),
        (good, _) => Ok(Found::Weak(format!("{good} of {all} servers answer as expected: {why}"))),
    }
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

fn judge(spec: &DnsProbe, server: &str, kind: RecordType, answer: &Answer) -> Result<(), Ill> {
    let unhealthy = |expected: &str| {
        Err(Ill::Unhealthy(format!("{server} for {} {kind}: expected {expected}, found {answer}", spec.name)))
    };
    match answer {
        Answer::Silent { why } => Err(Ill::Silent(format!("{server}: {why}"))),
        Answer::Closed => Err(Ill::Unhealthy(format!("nothing listens on {server}: the port is closed"))),
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
                let spec = DnsProbe { server: None, servers: Vec::new(), name: "w.test".into(), expect };
                let found = match judge(&spec, "127.0.0.1:53", RecordType::A, &answer) {
                    Ok(()) => Some(true),
                    Err(Ill::Unhealthy(_)) => Some(false),
                    Err(Ill::Silent(_)) => None,
                };
                assert_eq!(found, healthy, "{answer:?} {:?}", spec.expect);
            }
        }
    }

    #[test]
    fn one_good_server_serves_and_silence_alone_is_silence() {
        let bad = || Err(Ill::Unhealthy("bad".into()));
        let silent = || Err(Ill::Silent("silent".into()));
        let cases = [
            (vec![Ok(()), Ok(())], "well"),
            (vec![Ok(()), bad()], "weak"),
            (vec![silent(), Ok(())], "weak"),
            (vec![silent(), bad()], "unhealthy"),
            (vec![silent(), silent()], "silent"),
        ];
        for (found, expected) in cases {
            let word = match together(found) {
                Ok(Found::Well) => "well",
                Ok(Found::Weak(_)) => "weak",
                Err(Ill::Unhealthy(_)) => "unhealthy",
                Err(Ill::Silent(_)) => "silent",
            };
            assert_eq!(word, expected);
        }
    }
}
