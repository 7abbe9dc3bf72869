//! Addresses, URLs and networks, as far as documents need them: what a text must look like, and where it points.

use std::net::{IpAddr, SocketAddr};

use crate::model::{Region, RegionName};

/// A network in CIDR notation (RFC 4632).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Network {
    first: IpAddr,
    prefix: u32,
}

impl Network {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let (address, prefix) = text.split_once('/').ok_or_else(|| "it has no prefix length".to_owned())?;
        let first: IpAddr = address.parse().map_err(|_| format!("`{address}` is no IP address"))?;
        let most = if first.is_ipv4() { 32 } else { 128 };
        let prefix: u32 = prefix.parse().map_err(|_| format!("`{prefix}` is no prefix length"))?;
        if prefix > most {
            return Err(format!("the prefix length is 0 to {most}"));
        }
        let network = Self { first, prefix };
        if bits(first) & !mask(first, prefix) == 0 {
            Ok(network)
        } else {
            Err("it has bits set behind the prefix".to_owned())
        }
    }
    pub(super) fn contains(&self, address: IpAddr) -> bool {
        self.first.is_ipv4() == address.is_ipv4() && bits(address) & mask(self.first, self.prefix) == bits(self.first)
    }
    pub(super) fn overlaps(&self, other: &Self) -> bool {
        self.contains(other.first) || other.contains(self.first)
    }
}

/// The region in whose declared networks an endpoint lives: `ip:port` or a URL with a literal address. `None` where the
/// documents do not say.
pub fn region_of(address: &str, regions: &[Region]) -> Option<RegionName> {
    let ip = match Url::parse(address) {
        Ok(url) => literal_ip(url.host)?,
        Err(_) => ip_and_port(address).ok()?.ip(),
    };
    let lives = |region: &&Region| {
        region.addresses.iter().any(|network| Network::parse(network).is_ok_and(|network| network.contains(ip)))
    };
    regions.iter().find(lives).map(|region| region.name.clone())
}

fn bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => u128::from(u32::from(address)),
        IpAddr::V6(address) => u128::from(address),
    }
}

fn mask(address: IpAddr, prefix: u32) -> u128 {
    let width = if address.is_ipv4() { 32 } else { 128 };
    let all = if width == 32 { u128::from(u32::MAX) } else { u128::MAX };
    all.checked_shl(width - prefix).unwrap_or(0) & all
}

/// The parts of a URL that a check needs (RFC 3986).
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Url<'a> {
    pub(super) scheme: &'a str,
    pub(super) user: Option<&'a str>,
    pub(super) password: bool,
    pub(super) host: &'a str,
    pub(super) port: Option<u16>,
    pub(super) path: &'a str,
}

impl<'a> Url<'a> {
    pub(super) fn parse(text: &'a str) -> Result<Self, String> {
        let (scheme, rest) = text.split_once("://").ok_or_else(|| "it has no `://`".to_owned())?;
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        let (user, place) = match authority.rsplit_once('@') {
            Some((user, place)) => (Some(user), place),
            None => (None, authority),
        };
        let (host, port) = host_and_port(place)?;
        if host.is_empty() {
            return Err("it has no host".to_owned());
        }
        if text.contains(char::is_whitespace) {
            return Err("it has a blank in it".to_owned());
        }
        let password = user.is_some_and(|user| user.contains(':'));
        Ok(Self { scheme, user, password, host, port, path })
    }
}

fn host_and_port(text: &str) -> Result<(&str, Option<u16>), String> {
    let (host, port) = if let Some(inner) = text.strip_prefix('[') {
        let (host, after) = inner.split_once(']').ok_or_else(|| "a `[` is not closed".to_owned())?;
        (host, after.strip_prefix(':'))
    } else {
        match text.rsplit_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        }
    };
    let port = match port {
        None => None,
        Some(port) => {
            Some(port.parse::<u16>().ok().filter(|port| *port > 0).ok_or_else(|| format!("`{port}` is no port"))?)
        }
    };
    Ok((host, port))
}

/// `ip:port`.
pub(super) fn ip_and_port(text: &str) -> Result<SocketAddr, String> {
    let address: SocketAddr = text.parse().map_err(|_| "it is not `ip:port`".to_owned())?;
    if address.port() == 0 { Err("port 0 is no port".to_owned()) } else { Ok(address) }
}

/// `host:port`.
pub(super) fn name_and_port(text: &str) -> Result<(), String> {
    match host_and_port(text)? {
        (host, Some(_)) if !host.is_empty() && !host.contains(['/', ' ']) => Ok(()),
        _ => Err("it is not `host:port`".to_owned()),
    }
}

/// The IP address that a text points to, where it says one: a URL, `ip:port` or an address alone.
pub(super) fn literal_ip(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    if let Ok(url) = Url::parse(text) {
        return url.host.parse().ok();
    }
    text.parse::<SocketAddr>().map(|address| address.ip()).or_else(|_| text.parse()).ok()
}

/// A host name (RFC 1123 section 2.1), with `_` allowed as DNS uses it, and a dot at the end.
pub(super) fn is_host_name(text: &str) -> bool {
    let name = text.strip_suffix('.').unwrap_or(text);
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
    };
    !name.is_empty() && name.len() <= 253 && name.split('.').all(label)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_knows_what_lives_in_it() {
        let network = Network::parse("10.1.0.0/16").unwrap();
        assert!(network.contains("10.1.255.1".parse().unwrap()));
        assert!(!network.contains("10.2.0.1".parse().unwrap()));
        assert!(!network.contains("::ffff".parse().unwrap()));
        assert!(Network::parse("0.0.0.0/0").unwrap().contains("1.2.3.4".parse().unwrap()));
        assert!(Network::parse("fd00::/8").unwrap().overlaps(&Network::parse("fd00:1::/32").unwrap()));
        for bad in ["10.1.0.0", "10.1.0.0/33", "10.1.0.1/16", "x/8", "10.1.0.0/x", "fd00::/129"] {
            assert!(Network::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_url_is_taken_apart() {
        let url = Url::parse("postgres://u:p@[fd00::1]:5432/orders").unwrap();
        assert_eq!((url.scheme, url.host, url.port, url.path), ("postgres", "fd00::1", Some(5432), "/orders"));
        assert!(url.password);
        for bad in ["orders", "http://", "http://h:x/", "http://h:0", "http://[::1", "http://a b/"] {
            assert!(Url::parse(bad).is_err(), "{bad}");
        }
        assert_eq!(literal_ip("https://10.1.0.7/x"), "10.1.0.7".parse().ok());
        assert_eq!(literal_ip("10.1.0.7:53"), "10.1.0.7".parse().ok());
        assert_eq!(literal_ip("https://fra.example.com"), None);
    }
}
