//! DNS as an operator of a zone needs it: ask one chosen server, without a cache, a resolver or recursion in between,
//! and change a zone by one signed, conditional message (RFC 2136, RFC 8945).
//!
//! Promises: an answer is believed only from the server that was asked, to the question that was asked, and with the
//! authoritative bit (RFC 1035 section 4.1.1); silence is told apart from a closed port and from an error code; an update is
//! sent at most once for each call, and a reply that was lost or is not signed by the key is [`Reply::Lost`].
//!
//! Assumes: servers are named by address, so nothing here needs DNS to work.
//!
//! A crash in the middle: questions leave nothing behind. An update that was sent is applied by the server as a whole or not at
//! all (RFC 2136 section 3.5); whoever comes next asks the server which.
//!
//! No background task is needed: each exchange owns its socket and ends with its future.

mod ask;
mod update;
mod wire;

use std::{fmt, net::IpAddr};

use hickory_proto::rr::{self, RData, rdata};

pub use self::{
    ask::{Answer, Soa, ask, soa, understand},
    update::{BadKey, Expect, Key, KeyFault, Replacement, Reply, Signed, rehearse, replace},
};
pub use hickory_proto::rr::Name;

use crate::spec::RecordType;

/// A name or a value that DNS cannot hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadData {
    /// Not a domain name.
    #[error("`{text}` is not a domain name")]
    Name {
        /// What was written.
        text: String,
    },
    /// Not a value of that type.
    #[error("`{text}` is not a value of a record of type {kind}")]
    Value {
        /// What was written.
        text: String,
        /// The type.
        kind: RecordType,
    },
}

/// Reads an absolute name; the final dot may be left out, and case makes no difference.
pub fn name(text: &str) -> Result<Name, BadData> {
    let bad = || BadData::Name { text: text.to_owned() };
    if text.is_empty() {
        return Err(bad());
    }
    let mut name = Name::from_ascii(text).map_err(|_| bad())?.to_lowercase();
    name.set_fqdn(true);
    Ok(name)
}

/// A name as people write it: lower case, no final dot.
pub fn bare(name: &Name) -> String {
    let text = name.to_lowercase().to_ascii();
    match text.strip_suffix('.') {
        Some("") | None => text,
        Some(bare) => bare.to_owned(),
    }
}

impl fmt::Display for RecordType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::A => "A",
            Self::Aaaa => "AAAA",
            Self::Cname => "CNAME",
            Self::Txt => "TXT",
        })
    }
}

/// A set of records: one name, one type. The values are in canonical text and sorted, so that two sets can be compared; the data
/// is kept as it came, because a prerequisite must repeat it byte for byte.
#[derive(Debug, Clone, PartialEq)]
pub struct RrSet {
    /// Time to live in seconds.
    pub ttl: u32,
    /// The values, canonical and sorted.
    pub values: Vec<String>,
    /// The same as data.
    data: Vec<RData>,
}

impl RrSet {
    /// A set as it is declared. Addresses are put in their canonical form, aliases in lower case, and duplicates are dropped.
    pub fn declared(kind: RecordType, ttl: u32, texts: &[String]) -> Result<Self, BadData> {
        let data = texts.iter().map(|text| parse(kind, text)).collect::<Result<Vec<_>, _>>()?;
        Ok(Self::of(ttl, data))
    }

    fn of(ttl: u32, data: Vec<RData>) -> Self {
        let mut pairs: Vec<_> = data.into_iter().map(|data| (text(&data), data)).collect();
        pairs.sort_by(|a, b| a.0.cmp(&b.0));
        pairs.dedup_by(|a, b| a.1 == b.1);
        let (values, data) = pairs.into_iter().unzip();
        Self { ttl, values, data }
    }
}

impl fmt::Display for RrSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (TTL {} s)", self.values.join(", "), self.ttl)
    }
}

/// The type's number in the protocol.
fn wire_type(kind: RecordType) -> rr::RecordType {
    match kind {
        RecordType::A => rr::RecordType::A,
        RecordType::Aaaa => rr::RecordType::AAAA,
        RecordType::Cname => rr::RecordType::CNAME,
        RecordType::Txt => rr::RecordType::TXT,
    }
}

/// A character-string of a TXT record holds at most 255 bytes (RFC 1035 section 3.3); longer texts are cut into several.
const CHARACTER_STRING: usize = 255;

fn parse(kind: RecordType, text: &str) -> Result<RData, BadData> {
    let bad = || BadData::Value { text: text.to_owned(), kind };
    Ok(match (kind, text.parse::<IpAddr>()) {
        (RecordType::A, Ok(IpAddr::V4(ip))) => RData::A(rdata::A(ip)),
        (RecordType::Aaaa, Ok(IpAddr::V6(ip))) => RData::AAAA(rdata::AAAA(ip)),
        (RecordType::A | RecordType::Aaaa, _) => return Err(bad()),
        (RecordType::Cname, _) => RData::CNAME(rdata::CNAME(name(text).map_err(|_| bad())?)),
        (RecordType::Txt, _) if text.is_empty() => RData::TXT(rdata::TXT::from_bytes(vec![b""])),
        (RecordType::Txt, _) => RData::TXT(rdata::TXT::from_bytes(text.as_bytes().chunks(CHARACTER_STRING).collect())),
    })
}

/// Canonical text. Bytes of a TXT record that are no UTF-8 are escaped, so two different texts never look the same.
fn text(data: &RData) -> String {
    match data {
        RData::A(ip) => ip.0.to_string(),
        RData::AAAA(ip) => ip.0.to_string(),
        RData::CNAME(name) => bare(&name.0),
        RData::TXT(txt) => {
            let bytes = txt.txt_data.concat();
            String::from_utf8(bytes).unwrap_or_else(|bad| bad.as_bytes().escape_ascii().to_string())
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_compared_in_canonical_form() {
        let texts = |texts: &[&str]| texts.iter().map(|t| (*t).to_owned()).collect::<Vec<_>>();
        let cases = [
            (RecordType::A, texts(&["10.0.0.2", "10.0.0.1", "10.0.0.2"]), Some(texts(&["10.0.0.1", "10.0.0.2"]))),
            (RecordType::Aaaa, texts(&["2001:DB8:0::1"]), Some(texts(&["2001:db8::1"]))),
            (RecordType::Cname, texts(&["WWW.Example.com."]), Some(texts(&["www.example.com"]))),
            (RecordType::Txt, texts(&["b", "A b"]), Some(texts(&["A b", "b"]))),
            (RecordType::A, texts(&["::1"]), None),
            (RecordType::Aaaa, texts(&["127.0.0.1"]), None),
            (RecordType::A, texts(&["10.0.0"]), None),
            (RecordType::Cname, texts(&[""]), None),
        ];
        for (kind, given, expected) in cases {
            assert_eq!(RrSet::declared(kind, 30, &given).ok().map(|set| set.values), expected, "{kind} {given:?}");
        }
    }

    #[test]
    fn a_long_text_is_cut_into_character_strings_and_read_back_whole() {
        let long = "x".repeat(600);
        let set = RrSet::declared(RecordType::Txt, 30, std::slice::from_ref(&long)).unwrap();
        assert_eq!(set.values, [long]);
        let RData::TXT(txt) = &set.data[0] else { panic!("{:?}", set.data) };
        assert_eq!(txt.txt_data.iter().map(|part| part.len()).collect::<Vec<_>>(), [255, 255, 90]);
    }

    #[test]
    fn a_name_is_absolute_and_lower_case() {
        assert_eq!(bare(&name("Orders.Example.com").unwrap()), "orders.example.com");
        assert_eq!(name("a.b.").unwrap(), name("A.b").unwrap());
        for bad in ["", "a..b", &"x".repeat(64)] {
            assert!(name(bad).is_err(), "{bad}");
        }
    }
}
