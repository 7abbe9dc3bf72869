//! What both servers must have alike, so that the one can follow and then stand in for the other: versions, settings, room for clients.
//!
//! Sources: PostgreSQL documentation, "Hot Standby", administrator's overview, for the settings that must not be smaller on a standby
//! (since PostgreSQL 14 its replay pauses when the primary's are raised above its own, and it does not start again); "Log-Shipping Standby Servers",
//! planning, for versions.

use crate::port::Concern;

/// The settings that must not be smaller on the standby.
pub(super) const NOT_SMALLER: [&str; 5] = [
    "max_connections",
    "max_wal_senders",
    "max_prepared_transactions",
    "max_locks_per_transaction",
    "max_worker_processes",
];

/// What one server has.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Shape {
    /// `server_version_num`: 150006 is 15.6.
    pub(super) version: i32,
    /// In the order of `NOT_SMALLER`.
    pub(super) settings: Vec<i64>,
    /// `superuser_reserved_connections`.
    pub(super) reserved: i64,
    /// Sessions in a database, without ours.
    pub(super) used: i64,
}

/// Reads a [`Shape`]; `$1` is `NOT_SMALLER`. A role without rights sees which sessions there are, not what they do.
pub(super) const SHAPE: &str = "SELECT current_setting('server_version_num')::int AS version, \
    (SELECT array_agg(current_setting(name)::int8 ORDER BY at) FROM unnest($1::text[]) WITH ORDINALITY AS s(name, at)) \
        AS settings, \
    current_setting('superuser_reserved_connections')::int8 AS reserved, \
    (SELECT count(*) FROM pg_stat_activity WHERE datid IS NOT NULL AND pid <> pg_backend_pid()) AS used";

impl Shape {
    /// Of a row of `SHAPE`.
    pub(super) fn of(row: &tokio_postgres::Row) -> Result<Self, tokio_postgres::Error> {
        Ok(Self {
            version: row.try_get("version")?,
            settings: row.try_get("settings")?,
            reserved: row.try_get("reserved")?,
            used: row.try_get("used")?,
        })
    }

    fn major(&self) -> i32 {
        self.version / 10_000
    }

    /// `15.6`.
    fn release(&self) -> String {
        format!("{}.{}", self.major(), self.version % 10_000)
    }

    fn connections(&self) -> i64 {
        self.settings.first().copied().unwrap_or_default()
    }
}

/// What the two of them lack: each side is named, and what it has.
pub(super) fn judge((from, left): (&str, &Shape), (to, right): (&str, &Shape)) -> Vec<Concern> {
    let mut concerns = Vec::new();
    let mut add = |what: String, remedy: &str| concerns.push(Concern { what, remedy: remedy.into() });
    if left.major() != right.major() {
        add(
            format!("{from} runs PostgreSQL {}, {to} runs {}", left.major(), right.major()),
            "physical replication needs one major version; upgrade the standby",
        );
    } else if left.version != right.version {
        add(
            format!("{from} runs PostgreSQL {}, {to} runs {}", left.release(), right.release()),
            "bring both to one minor version, the standby first: a newer one reads an older one's WAL, and not always the other way",
        );
    }
    for (name, (here, there)) in NOT_SMALLER.iter().zip(left.settings.iter().zip(&right.settings)) {
        if there < here {
            let clients = if *name == "max_connections" { ", and clients find too few connections" } else { "" };
            add(
                format!(
                    "{name} is {there} in {to} and {here} in {from}: replay pauses, or the server does not start{clients}"
                ),
                "set it at least as high on the standby, and restart it",
            );
        }
    }
    let room = right.connections() - right.reserved - right.used;
    if room < left.used {
        add(
            format!(
                "{to} has room for {} more sessions ({} less {} reserved and {} in use), and {from} has {} now",
                room.max(0),
                right.connections(),
                right.reserved,
                right.used,
                left.used
            ),
            "raise max_connections on the standby, or let clients share sessions in a pool",
        );
    }
    concerns
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape() -> Shape {
        Shape { version: 150_006, settings: vec![100, 10, 0, 64, 8], reserved: 3, used: 20 }
    }

    #[test]
    fn two_that_are_alike_raise_no_concern_and_a_larger_standby_neither() {
        assert_eq!(judge(("fra", &shape()), ("dub", &shape())), []);
        let larger = Shape { settings: vec![200, 11, 1, 65, 9], used: 0, ..shape() };
        assert_eq!(judge(("fra", &shape()), ("dub", &larger)), []);
    }

    #[test]
    fn each_lack_of_the_standby_is_one_concern_with_both_figures() {
        let mut table = vec![
            (Shape { version: 160_002, ..shape() }, "fra runs PostgreSQL 15, dub runs 16"),
            (Shape { version: 150_004, ..shape() }, "fra runs PostgreSQL 15.6, dub runs 15.4"),
            (
                Shape { used: 78, ..shape() },
                "dub has room for 19 more sessions (100 less 3 reserved and 78 in use), and fra has 20 now",
            ),
        ];
        for (at, expected) in [
            "max_connections is 99 in dub and 100 in fra",
            "max_wal_senders is 9 in dub and 10 in fra",
            "max_prepared_transactions is -1 in dub and 0 in fra",
            "max_locks_per_transaction is 63 in dub and 64 in fra",
            "max_worker_processes is 7 in dub and 8 in fra",
        ]
        .into_iter()
        .enumerate()
        {
            let mut smaller = shape();
            smaller.settings[at] -= 1;
            table.push((smaller, expected));
        }
        for (to, expected) in table {
            let found = judge(("fra", &shape()), ("dub", &to));
            assert!(matches!(found.as_slice(), [one] if one.what.starts_with(expected)), "{expected}: {found:?}");
        }
    }
}
