//! DNS targets: a switch must never leave a name empty, and must never be refused in the middle of a run.

use std::{collections::BTreeMap, net::IpAddr};

use super::{Notes, address, region, target};
use crate::{
    manifest::{code::Code, locate::Path},
    spec::{DnsRecord, ProtectionGroupSpec, RecordType, Rfc2136Target},
};

pub(super) fn check(
    group: &ProtectionGroupSpec,
    dns: &Rfc2136Target,
    path: &Path,
    notes: &mut Notes<'_, ProtectionGroupSpec>,
) {
    region::check_server(&dns.server, &path.key("server"), notes);
    for (index, server) in dns.authoritative.iter().enumerate() {
        region::check_server(server, &path.key("authoritative").at(index), notes);
    }
    if !address::is_host_name(&dns.zone) {
        notes.add(
            Code::BadAddress,
            &path.key("zone"),
            format!("`{}` is no zone", dns.zone),
            "write it like example.com",
        );
    }
    if dns.records.is_empty() {
        let message = "the target has no records, so a switch would do nothing";
        notes.add_at_key(Code::EmptyRecord, &path.key("records"), message, "declare the names that users know");
    }
    let mut seen: BTreeMap<_, usize> = BTreeMap::new();
    for (index, record) in dns.records.iter().enumerate() {
        let at = path.key("records").at(index);
        check_record(group, record, &dns.zone, &at, notes);
        if let Some(first) = seen.insert((bare(&record.name), record.kind as u8), index) {
            let message = format!("`{}` is declared already, number {} of the list", record.name, first + 1);
            notes.add(Code::RecordTwice, &at.key("name"), message, "merge the two");
        }
    }
}

fn check_record(
    group: &ProtectionGroupSpec,
    record: &DnsRecord,
    zone: &str,
    path: &Path,
    notes: &mut Notes<'_, ProtectionGroupSpec>,
) {
    let (name, zone) = (bare(&record.name), bare(zone));
    if !address::is_host_name(&record.name) {
        notes.add(
            Code::BadRecordValue,
            &path.key("name"),
            format!("`{}` is no name", record.name),
            "write the full name",
        );
    } else if name != zone && !name.ends_with(&format!(".{zone}")) {
        let message = format!("`{}` is not in the zone `{zone}`", record.name);
        notes.add(Code::OutsideZone, &path.key("name"), message, format!("write {name}.{zone}, or correct the zone"));
    }
    let list = path.key("byRegion");
    let regions = record.by_region.iter().map(|entry| &entry.region);
    target::check_regions(group, &list, regions, Code::RecordLacksRegion, "entry", notes);
    for (index, entry) in record.by_region.iter().enumerate() {
        let values = list.at(index).key("values");
        if entry.values.is_empty() {
            let message = format!("`{}` would have no values when `{}` serves", record.name, entry.region);
            notes.add(Code::EmptyRecord, &values, message, "write at least one value");
        }
        if record.kind == RecordType::Cname && entry.values.len() > 1 {
            let message = format!("a CNAME has one value, found {}", entry.values.len());
            notes.add(Code::CnameWithSeveral, &values, message, "keep one, or use A records");
        }
        for (at, value) in entry.values.iter().enumerate() {
            if let Err(wanted) = fits(record.kind, value) {
                notes.add(
                    Code::BadRecordValue,
                    &values.at(at),
                    format!("`{value}` is not {wanted}"),
                    format!("write {wanted}"),
                );
            }
        }
    }
}

fn fits(kind: RecordType, value: &str) -> Result<(), &'static str> {
    match kind {
        RecordType::A if !matches!(value.parse(), Ok(IpAddr::V4(_))) => Err("an IPv4 address"),
        RecordType::Aaaa if !matches!(value.parse(), Ok(IpAddr::V6(_))) => Err("an IPv6 address"),
        RecordType::Cname if value.parse::<IpAddr>().is_ok() || !address::is_host_name(value) => Err("a host name"),
        RecordType::Txt if value.is_empty() || value.len() > 255 => Err("a text of 1 to 255 bytes"),
        RecordType::A | RecordType::Aaaa | RecordType::Cname | RecordType::Txt => Ok(()),
    }
}

/// A name for comparing: lower case, without the dot at the end (RFC 1034 section 3.1).
fn bare(name: &str) -> String {
    name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase()
}
