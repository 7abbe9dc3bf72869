//! Regions: their networks and their probes.

use super::{Notes, address, probe, repeated_names};
use crate::{
    manifest::{code::Code, document::Documents, finding::Finding, locate::Path},
    spec::{BadChoice, RegionSpec},
};

pub(super) fn check(notes: &mut Notes<'_, RegionSpec>) {
    let spec = &notes.document.spec;
    let addresses = Path::spec().key("addresses");
    for (index, text) in spec.addresses.iter().enumerate() {
        if let Err(why) = address::Network::parse(text) {
            let message = format!("`{text}` is no network: {why}");
            notes.add(Code::BadNetwork, &addresses.at(index), message, "write it like 10.1.0.0/16");
        }
    }
    let probes = Path::spec().key("probes");
    repeated_names(notes, &probes, "probe", spec.probes.iter().map(|probe| probe.name.as_str()));
    for (index, probe) in spec.probes.iter().enumerate() {
        probe::check(probe, &probes.at(index), notes);
    }
}

/// Reports a choice of which not exactly one is made.
pub(super) fn choice<T: crate::manifest::Kind>(bad: &BadChoice, path: &Path, notes: &mut Notes<'_, T>, what: &str) {
    let help = match bad {
        BadChoice::None { choices } => format!("a {what} has exactly one of {}", choices.join(", ")),
        BadChoice::Several { .. } => "keep one of them".to_owned(),
    };
    notes.add(Code::NotOneChoice, path, bad.to_string(), help);
}

/// Reports a URL that is not of these schemes, or that names a user. (A password in one is reported on loading.)
pub(super) fn check_url<T: crate::manifest::Kind>(text: &str, schemes: &[&str], path: &Path, notes: &mut Notes<'_, T>) {
    let wanted = format!("write {}://HOST", schemes.first().copied().unwrap_or("https"));
    match address::Url::parse(text) {
        Err(why) => notes.add(Code::BadUrl, path, format!("this is no URL: {why}"), wanted),
        Ok(url) if url.password => {}
        Ok(url) if !schemes.contains(&url.scheme) => {
            notes.add(Code::BadUrl, path, format!("`{}` is no scheme that works here", url.scheme), wanted);
        }
        Ok(url) if url.user.is_some() => {
            notes.add(
                Code::BadUrl,
                path,
                "the URL names a user",
                "leave the user out of the URL, and write it in its own field",
            );
        }
        Ok(_) => {}
    }
}

/// Reports a DNS server that is not `ip:port`.
pub(super) fn check_server<T: crate::manifest::Kind>(text: &str, path: &Path, notes: &mut Notes<'_, T>) {
    if let Err(why) = address::ip_and_port(text) {
        notes.add(Code::BadAddress, path, format!("`{text}` is no server: {why}"), "write it like 10.9.0.53:53");
    }
}

/// Networks that two regions claim.
pub(super) fn check_overlaps(documents: &Documents, findings: &mut Vec<Finding>) {
    let mut seen: Vec<(usize, address::Network, &str)> = Vec::new();
    for (place, region) in documents.regions.iter().enumerate() {
        for (index, text) in region.spec.addresses.iter().enumerate() {
            let Ok(network) = address::Network::parse(text) else { continue };
            let other = seen.iter().find(|(other, known, _)| *other != place && known.overlaps(&network));
            if let Some((other, _, theirs)) =
                other.and_then(|(at, n, text)| Some((documents.regions.get(*at)?, n, text)))
            {
                let message = format!("`{text}` overlaps with `{theirs}` of region {}", other.name);
                let path = Path::spec().key("addresses").at(index);
                findings.push(region.finding(Code::NetworksOverlap, &path, message, "declare smaller networks"));
            }
            seen.push((place, network, text));
        }
    }
}
