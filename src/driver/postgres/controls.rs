//! What a server tells of its controls: TLS, who gets in and how, what it logs, versions, room.
//!
//! Changes nothing. Sources: PostgreSQL documentation, "`pg_stat_ssl`", "`pg_hba_file_rules`" (superusers alone may read it, or who was
//! granted it), "`pg_roles`", "`pg_available_extension_versions`". Whether the disk is encrypted, no server knows.
//!
//! A physical standby has the primary's roles as soon as it replays them: a role that was disabled on the primary gets in on a
//! standby whose replay is paused or far behind. `pg_hba.conf` and settings are each server's own.

use std::collections::BTreeSet;

use futures::future::BoxFuture;
use tokio_postgres::{Error, Row, error::SqlState};

use super::{
    Postgres,
    client::{LOOK, Members},
};
use crate::{
    model::{Control, RegionName, Strength},
    net::postgres::{Limits, Session, told},
    port::{Controls, Held, Reading},
};

const CONNECTIONS: &str = "connections";
const HBA: &str = "pg_hba.conf";
const ATTRIBUTES: &str = "role attributes";
const LOGINS: &str = "roles that may log in";
const LOG: &str = "log settings";
const SERVER: &str = "server";
const EXTENSIONS: &str = "extensions";
const ROOM: &str = "max_connections";

const TLS: &str = "SELECT ssl, version, cipher, bits FROM pg_stat_ssl WHERE pid = pg_backend_pid()";

const RULES: &str = "SELECT type, database, user_name, address, netmask, auth_method, coalesce(options, '{}') AS options, error \
    FROM pg_hba_file_rules ORDER BY line_number";

const ROLES: &str = "SELECT rolname, rolcanlogin AND coalesce(rolvaliduntil > now(), true) AS gets_in, \
    rolsuper, rolcreaterole, rolreplication, rolbypassrls FROM pg_roles WHERE rolname !~ '^pg_'";

/// What is written down of what people do; `pgaudit` writes it where it is loaded.
const SETTINGS: &str = "SELECT name || ' = ' || setting AS line FROM pg_settings \
    WHERE name IN ('log_connections', 'log_disconnections', 'log_statement', 'log_destination', 'shared_preload_libraries', 'pgaudit.log')";

const ABOUT: &str =
    "SELECT current_setting('server_version_num')::int AS version, current_setting('max_connections')::int8 AS room";

/// Installed, and there to be loaded on this very server.
const LOADED: &str = "SELECT e.extname || ' ' || e.extversion AS line FROM pg_extension e \
    JOIN pg_available_extension_versions v ON v.name = e.extname AND v.version = e.extversion";

impl Controls for Postgres {
    fn told(&self) -> Vec<(Control, &'static str)> {
        vec![
            (Control::EncryptionInTransit, CONNECTIONS),
            (Control::Access, HBA),
            (Control::Access, ATTRIBUTES),
            (Control::Revocation, LOGINS),
            (Control::Logging, LOG),
            (Control::Version, SERVER),
            (Control::Version, EXTENSIONS),
            (Control::Capacity, ROOM),
        ]
    }

    fn read<'a>(&'a self, region: &'a RegionName) -> BoxFuture<'a, Result<Vec<Reading>, String>> {
        Box::pin(read(&self.members, region))
    }
}

async fn read(members: &Members, region: &RegionName) -> Result<Vec<Reading>, String> {
    let member = members.of(region).ok_or("the target has no member there")?;
    let session = members.open(member, Limits::within(LOOK)).await.map_err(|error| told(&error))?;
    let stopped = |error: Error| format!("{} stopped answering: {}", member.server.address, told(&error));
    let mut readings = vec![tls(&session.query_one(TLS, &[]).await.map_err(stopped)?).map_err(stopped)?];
    readings.push(Reading::new(Control::Access, HBA, rules(&session).await.map_err(stopped)?));
    readings.extend(roles(&session.query(ROLES, &[]).await.map_err(stopped)?).map_err(stopped)?);
    let log = lines(&session.query(SETTINGS, &[]).await.map_err(stopped)?).map_err(stopped)?;
    readings.push(Reading::new(Control::Logging, LOG, Held::Rules(log)));
    readings.extend(about(&session.query_one(ABOUT, &[]).await.map_err(stopped)?).map_err(stopped)?);
    let loaded = lines(&session.query(LOADED, &[]).await.map_err(stopped)?).map_err(stopped)?;
    readings.push(Reading::new(Control::Version, EXTENSIONS, Held::Rules(loaded)));
    Ok(readings)
}

fn lines(rows: &[Row]) -> Result<BTreeSet<String>, Error> {
    rows.iter().map(|row| row.try_get("line")).collect()
}

/// As our own session has it: what this server agrees on with a client.
fn tls(row: &Row) -> Result<Reading, Error> {
    let held = if row.try_get("ssl")? {
        let (version, cipher): (String, String) = (row.try_get("version")?, row.try_get("cipher")?);
        let bits: i32 = row.try_get("bits")?;
        let strength = Strength::of_bits(u32::try_from(bits).unwrap_or(0));
        Held::Encryption { strength, said: format!("{version} {cipher} ({bits} bits)") }
    } else {
        Held::Encryption { strength: Strength::None, said: "no TLS".into() }
    };
    Ok(Reading::new(Control::EncryptionInTransit, CONNECTIONS, held))
}

async fn rules(session: &Session) -> Result<Held, Error> {
    let rows = match session.query(RULES, &[]).await {
        Ok(rows) => rows,
        Err(error) if error.code() == Some(&SqlState::INSUFFICIENT_PRIVILEGE) => {
            let remedy = "the role may not read pg_hba_file_rules; GRANT SELECT ON pg_hba_file_rules and GRANT EXECUTE ON \
                          FUNCTION pg_hba_file_rules() to it";
            return Ok(Held::Untold(remedy.into()));
        }
        Err(error) => return Err(error),
    };
    Ok(Held::Ordered(rows.iter().map(rule).collect::<Result<_, _>>()?))
}

/// A rule as it stands in the file, one space between its words.
fn rule(row: &Row) -> Result<String, Error> {
    if let Some(error) = row.try_get::<_, Option<String>>("error")? {
        return Ok(format!("a line that the server does not read: {error}"));
    }
    let word = |name: &str| row.try_get::<_, Option<String>>(name);
    let list = |name: &str| row.try_get::<_, Option<Vec<String>>>(name).map(|all| all.map(|all| all.join(",")));
    let options = row.try_get::<_, Vec<String>>("options")?;
    let options = options.iter().map(|option| shown(option)).collect::<Vec<_>>().join(" ");
    let words = [
        word("type")?,
        list("database")?,
        list("user_name")?,
        word("address")?,
        word("netmask")?.filter(|mask| !mask.is_empty()),
        word("auth_method")?,
        Some(options).filter(|options| !options.is_empty()),
    ];
    Ok(words.into_iter().flatten().collect::<Vec<_>>().join(" "))
}

/// An option of a rule. Those that hold a password (`ldapbindpasswd`, `radiussecrets`) are told without it: what is told is kept.
fn shown(option: &str) -> String {
    match option.split_once('=') {
        Some((name, _)) if name.contains("passw") || name.contains("secret") => format!("{name}=[REDACTED]"),
        Some(_) | None => option.to_owned(),
    }
}

fn roles(rows: &[Row]) -> Result<[Reading; 2], Error> {
    let (mut enabled, mut disabled, mut attributes) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    for row in rows {
        let name: String = row.try_get("rolname")?;
        for (column, word) in [
            ("rolsuper", "superuser"),
            ("rolcreaterole", "createrole"),
            ("rolreplication", "replication"),
            ("rolbypassrls", "bypassrls"),
        ] {
            if row.try_get(column)? {
                attributes.insert(format!("{name} {word}"));
            }
        }
        let known = if row.try_get("gets_in")? { &mut enabled } else { &mut disabled };
        known.insert(name);
    }
    Ok([
        Reading::new(Control::Access, ATTRIBUTES, Held::Rules(attributes)),
        Reading::new(Control::Revocation, LOGINS, Held::Identities { enabled, disabled }),
    ])
}

fn about(row: &Row) -> Result<[Reading; 2], Error> {
    let version: i32 = row.try_get("version")?;
    let room: i64 = row.try_get("room")?;
    let (major, minor) = (version / 10_000, version % 10_000);
    let parts = [major, minor].map(|part| u64::try_from(part).unwrap_or(0)).to_vec();
    let held = Held::Version { parts, said: format!("PostgreSQL {major}.{minor}") };
    let room = Held::Amount { amount: u64::try_from(room).unwrap_or(0), unit: "connections" };
    Ok([Reading::new(Control::Version, SERVER, held), Reading::new(Control::Capacity, ROOM, room)])
}

#[cfg(test)]
mod tests {
    use super::shown;

    #[test]
    fn a_password_in_an_access_list_is_not_told() {
        for (option, told) in [
            ("ldapbindpasswd=hunter2", "ldapbindpasswd=[REDACTED]"),
            ("radiussecrets=\"a\",\"b=c\"", "radiussecrets=[REDACTED]"),
            ("map=people", "map=people"),
            ("clientcert=verify-full", "clientcert=verify-full"),
        ] {
            assert_eq!(shown(option), told);
        }
    }
}
