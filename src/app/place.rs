//! Where the store is: `sqlite:PATH`, or `etcd+https://h1:2379,h2:2379,h3:2379/prefix`.

use std::path::PathBuf;

use super::settings::{Environment, SettingsError};
use crate::store::etcd;

/// Where the store is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StorePlace {
    /// A file on this machine.
    File(PathBuf),
    /// A cluster.
    Etcd(etcd::Place),
}

/// The port that etcd's members listen on for clients.
const PORT: u16 = 2379;

/// Keys begin with it when nothing else is said.
const PREFIX: &str = "lifeboat";

/// Reads what `--store` or `LIFEBOAT_STORE` (`from`) says.
pub(super) fn parse(from: &'static str, text: &str, env: Environment<'_>) -> Result<StorePlace, SettingsError> {
    let bad = |why: &str| SettingsError::Store { from, found: text.to_owned(), why: why.to_owned() };
    if let Some(path) = text.strip_prefix("sqlite:") {
        return if path.is_empty() {
            Err(bad("sqlite: is followed by the path of a file"))
        } else {
            Ok(StorePlace::File(path.into()))
        };
    }
    let (tls, rest) = match (text.strip_prefix("etcd+https://"), text.strip_prefix("etcd+http://")) {
        (Some(rest), _) => (true, rest),
        (None, Some(rest)) => (false, rest),
        (None, None) => return Err(bad("it begins with none of sqlite:, etcd+https:// and etcd+http://")),
    };
    let (members, prefix) = rest.split_once('/').unwrap_or((rest, ""));
    let members = members.split(',').map(member).collect::<Option<Vec<_>>>();
    let members = members.ok_or_else(|| bad("each member is host:port, and commas stand between them"))?;
    let prefix = match prefix.trim_matches('/') {
        "" => PREFIX.to_owned(),
        prefix if prefix.bytes().all(|byte| byte.is_ascii_graphic()) => prefix.to_owned(),
        _ => return Err(bad("the prefix has characters that are not visible ASCII")),
    };
    let file = |name| env(name).map(PathBuf::from);
    let ca = file("LIFEBOAT_STORE_CA");
    let identity = match (file("LIFEBOAT_STORE_CERT"), file("LIFEBOAT_STORE_KEY")) {
        (Some(certificate), Some(key)) => Some((certificate, key)),
        (None, None) => None,
        (Some(_), None) => return Err(bad("LIFEBOAT_STORE_CERT is set and LIFEBOAT_STORE_KEY is not")),
        (None, Some(_)) => return Err(bad("LIFEBOAT_STORE_KEY is set and LIFEBOAT_STORE_CERT is not")),
    };
    if !tls && (ca.is_some() || identity.is_some()) {
        return Err(bad("certificates are set, and etcd+http:// uses none: write etcd+https://"));
    }
    Ok(StorePlace::Etcd(etcd::Place { tls, members, prefix, ca, identity }))
}

/// `host:port`, with etcd's own port where none is written. `None`: it is no such thing.
fn member(text: &str) -> Option<String> {
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, port.parse().ok()?),
        Some(_) | None => (text, PORT),
    };
    let bracketed = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    let known = match bracketed {
        Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
        None => !host.is_empty() && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte)),
    };
    (known && port != 0).then(|| format!("{host}:{port}"))
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use super::*;

    fn read(text: &str, env: &[(&str, &str)]) -> Result<StorePlace, String> {
        let get = |name: &str| env.iter().find(|(key, _)| *key == name).map(|(_, value)| OsString::from(value));
        parse("--store", text, &get).map_err(|error| error.to_string())
    }

    #[test]
    fn a_cluster_is_named_by_its_members_and_a_prefix() {
        let place = |tls, members: &[&str], prefix: &str| {
            let members = members.iter().map(|member| (*member).to_owned()).collect();
            Ok(StorePlace::Etcd(etcd::Place { tls, members, prefix: prefix.into(), ca: None, identity: None }))
        };
        assert_eq!(read("etcd+https://a:1,b,[::1]:3/x/y/", &[]), place(true, &["a:1", "b:2379", "[::1]:3"], "x/y"));
        assert_eq!(read("etcd+http://127.0.0.1:2379", &[]), place(false, &["127.0.0.1:2379"], "lifeboat"));
        assert_eq!(read("sqlite:/var/lib/x.db", &[]), Ok(StorePlace::File("/var/lib/x.db".into())));
    }

    #[test]
    fn what_makes_no_sense_is_refused_with_what_would() {
        let cert = ("LIFEBOAT_STORE_CERT", "/c.pem");
        let none: &[(&str, &str)] = &[];
        let table = [
            ("/var/lib/x.db", none, "begins with none of"),
            ("sqlite:", none, "the path of a file"),
            ("etcd+https://", none, "host:port"),
            ("etcd+https://a:1,,b:2", none, "host:port"),
            ("etcd+https://user@a:1", none, "host:port"),
            ("etcd+https://a:99999", none, "host:port"),
            ("etcd+https://a:1/a b", none, "prefix"),
            ("etcd+https://a:1", &[cert][..], "LIFEBOAT_STORE_KEY is not"),
            ("etcd+http://a:1", &[("LIFEBOAT_STORE_CA", "/ca.pem")][..], "write etcd+https://"),
        ];
        for (text, env, why) in table {
            let said = read(text, env).unwrap_err();
            assert!(said.contains(why) && said.contains("--store"), "{text}: {said}");
        }
    }
}
