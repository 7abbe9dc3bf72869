//! The target's settings, parsed once into types that cannot be wrong.

use std::net::SocketAddr;

use serde_json::Value;

use crate::{
    model::RegionName,
    net::dns::{self, BadData, Name, RrSet},
    spec::{RecordType, Rfc2136Target, TsigKey},
};

/// Settings that the driver cannot work with. The checker finds most of these earlier, with their place in the document.
#[derive(Debug, thiserror::Error)]
pub enum BadSettings {
    /// Not the shape of an `rfc2136` target.
    #[error("the settings are not those of an rfc2136 target")]
    Shape {
        /// Where and why.
        #[source]
        source: serde_json::Error,
    },
    /// A server that is no address.
    #[error("server `{text}` is not an address; write `ip:port`, such as 10.9.0.53:53")]
    Server {
        /// What was written.
        text: String,
    },
    /// A zone or a record's name that is none.
    #[error("the zone or a record has a name that is none")]
    Name {
        /// Which.
        #[source]
        source: BadData,
    },
    /// A record outside the zone.
    #[error("record {record} is not in zone {zone}")]
    Outside {
        /// The record's name.
        record: String,
        /// The zone.
        zone: String,
    },
    /// A value of another type.
    #[error("record {record} has a bad value for region {region}")]
    Value {
        /// The record's name.
        record: String,
        /// The region.
        region: RegionName,
        /// Which.
        #[source]
        source: BadData,
    },
    /// A number of values that would leave the name empty, or break it.
    #[error("record {record} has {found} values for region {region}, expected {expected}")]
    Count {
        /// The record's name.
        record: String,
        /// The region.
        region: RegionName,
        /// What is allowed.
        expected: &'static str,
        /// How many there are.
        found: usize,
    },
    /// Nothing to switch.
    #[error("the target has no records")]
    Empty,
}

/// The settings, checked.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The zone.
    pub(super) zone: Name,
    /// The primary: updates go there, and its answers are judged.
    pub(super) primary: SocketAddr,
    /// Every other server that is read back.
    pub(super) others: Vec<SocketAddr>,
    /// The key, without its secret.
    pub(super) key: TsigKey,
    /// The records; at least one.
    pub(super) records: Vec<Record>,
}

/// One record set and its values in each region.
#[derive(Debug, Clone)]
pub(super) struct Record {
    /// The name.
    pub(super) name: Name,
    /// The type.
    pub(super) kind: RecordType,
    /// The declared time to live in seconds.
    pub(super) ttl: u32,
    /// The values; none is empty.
    pub(super) by_region: Vec<(RegionName, RrSet)>,
}

impl Record {
    /// The set to serve in `region`.
    pub(super) fn set(&self, region: &RegionName) -> Option<&RrSet> {
        self.by_region.iter().find(|(name, _)| name == region).map(|(_, set)| set)
    }

    /// The first region that declares exactly these values.
    pub(super) fn region_of(&self, values: &[String]) -> Option<&RegionName> {
        self.by_region.iter().find(|(_, set)| set.values == values).map(|(name, _)| name)
    }

    /// `orders.example.com A`.
    pub(super) fn title(&self) -> String {
        format!("{} {}", dns::bare(&self.name), self.kind)
    }
}

impl Settings {
    pub(super) fn read(value: &Value) -> Result<Self, BadSettings> {
        let target: Rfc2136Target =
            serde_json::from_value(value.clone()).map_err(|source| BadSettings::Shape { source })?;
        let zone = dns::name(&target.zone).map_err(|source| BadSettings::Name { source })?;
        let primary = address(&target.server)?;
        let mut others = Vec::new();
        for text in &target.authoritative {
            let server = address(text)?;
            if server != primary && !others.contains(&server) {
                others.push(server);
            }
        }
        let mut records = Vec::new();
        for declared in &target.records {
            let name = dns::name(&declared.name).map_err(|source| BadSettings::Name { source })?;
            if !zone.zone_of(&name) {
                return Err(BadSettings::Outside { record: dns::bare(&name), zone: dns::bare(&zone) });
            }
            let mut by_region = Vec::new();
            for entry in &declared.by_region {
                let set = RrSet::declared(declared.kind, declared.ttl_seconds, &entry.values).map_err(|source| {
                    BadSettings::Value { record: dns::bare(&name), region: entry.region.clone(), source }
                })?;
                let expected = match (declared.kind, set.values.len()) {
                    (RecordType::Cname, 1) => None,
                    (RecordType::Cname, _) => Some("exactly 1"),
                    (RecordType::A | RecordType::Aaaa | RecordType::Txt, 0) => Some("at least 1"),
                    (RecordType::A | RecordType::Aaaa | RecordType::Txt, _) => None,
                };
                if let Some(expected) = expected {
                    let (record, region) = (dns::bare(&name), entry.region.clone());
                    return Err(BadSettings::Count { record, region, expected, found: set.values.len() });
                }
                by_region.push((entry.region.clone(), set));
            }
            records.push(Record { name, kind: declared.kind, ttl: declared.ttl_seconds, by_region });
        }
        if records.is_empty() {
            return Err(BadSettings::Empty);
        }
        Ok(Self { zone, primary, others, key: target.key, records })
    }

    /// Every server: the primary first.
    pub(super) fn servers(&self) -> impl Iterator<Item = SocketAddr> {
        std::iter::once(self.primary).chain(self.others.iter().copied())
    }
}

fn address(text: &str) -> Result<SocketAddr, BadSettings> {
    text.parse().map_err(|_| BadSettings::Server { text: text.to_owned() })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn settings(change: impl FnOnce(&mut Value)) -> Result<Settings, BadSettings> {
        let mut value = json!({
            "zone": "dr.test", "server": "127.0.0.1:53", "authoritative": ["127.0.0.2:53", "127.0.0.1:53"],
            "key": {"name": "k", "algorithm": "hmac-sha256", "secret": {"env": "T"}},
            "records": [{"name": "www.dr.test", "type": "A", "ttlSeconds": 30, "byRegion": [{"region": "fra", "values": ["10.1.0.80"]}]}],
        });
        change(&mut value);
        Settings::read(&value)
    }

    #[test]
    fn the_primary_is_read_once_even_if_it_is_listed_as_authoritative_too() {
        let servers: Vec<_> = settings(|_| {}).unwrap().servers().map(|server| server.to_string()).collect();
        assert_eq!(servers, ["127.0.0.1:53", "127.0.0.2:53"]);
    }

    #[test]
    fn settings_that_could_empty_or_break_a_name_are_refused() {
        let first = "/records/0";
        let cases: [(&str, Value, &str); 7] = [
            ("/server", json!("ns1:53"), "server `ns1:53` is not an address; write `ip:port`, such as 10.9.0.53:53"),
            ("/zone", json!("other.test"), "record www.dr.test is not in zone other.test"),
            ("/zone", json!("a..b"), "the zone or a record has a name that is none"),
            ("/records", json!([]), "the target has no records"),
            (
                "/records/0/byRegion/0/values",
                json!([]),
                "record www.dr.test has 0 values for region fra, expected at least 1",
            ),
            ("/records/0/byRegion/0/values", json!(["x"]), "record www.dr.test has a bad value for region fra"),
            (
                first,
                json!({"name": "www.dr.test", "type": "CNAME", "ttlSeconds": 30, "byRegion": [{"region": "fra", "values": ["a.test", "b.test"]}]}),
                "record www.dr.test has 2 values for region fra, expected exactly 1",
            ),
        ];
        for (path, bad, expected) in cases {
            let error = settings(|value| *value.pointer_mut(path).unwrap() = bad).unwrap_err();
            assert_eq!(error.to_string(), expected);
        }
    }
}
