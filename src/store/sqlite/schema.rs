//! Opening the file: permissions, pragmas, version.
//!
//! The version is in `user_version`; each entry of `MIGRATIONS` moves it up by one, inside a write transaction, so
//! that two processes that open an old file at once migrate it once. A file with a newer version is left alone. A crash
//! in the middle leaves the version, and the tables, as they were.

use std::{
    fs::{DirBuilder, OpenOptions},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::Path,
    sync::Arc,
    thread,
    time::Duration,
};

use rusqlite::{Connection, ErrorCode, OpenFlags, Transaction, TransactionBehavior};

use super::problem::Problem;
use crate::port::StoreError;

/// How long a writer waits for another process. A group's writes take milliseconds; 5 s is longer than any
/// checkpoint, and shorter than the patience of a person.
const BUSY: Duration = Duration::from_secs(5);

/// Pages that each connection may keep, in KiB: an append touches the last few pages of one table. The default, 2 MiB for
/// each of two connections, would be a tenth of the program.
const CACHE_KIB: i64 = 256;

/// Statements kept prepared: more than there are.
const STATEMENTS: usize = 64;

/// `LBOT`, in the header of every file of ours (<https://www.sqlite.org/fileformat2.html#application_id>).
const APPLICATION: i64 = 0x4C42_4F54;

/// What each version adds. Entries are for ever: new ones are added at the end.
const MIGRATIONS: &[&str] = &[
    "
    CREATE TABLE leases (
        grp TEXT NOT NULL, rehearsal INTEGER NOT NULL, holder TEXT, revision INTEGER NOT NULL, term INTEGER NOT NULL,
        PRIMARY KEY (grp, rehearsal)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE runs (
        grp TEXT NOT NULL, number INTEGER NOT NULL, rehearsal INTEGER NOT NULL, kind TEXT NOT NULL,
        source TEXT NOT NULL, destination TEXT NOT NULL, opened_at TEXT NOT NULL, closed_at TEXT, outcome TEXT,
        PRIMARY KEY (grp, number)
    ) STRICT, WITHOUT ROWID;
    CREATE UNIQUE INDEX one_open_run ON runs (grp, rehearsal) WHERE closed_at IS NULL;
    CREATE TABLE events (
        grp TEXT NOT NULL, number INTEGER NOT NULL, seq INTEGER NOT NULL, term INTEGER NOT NULL, at TEXT NOT NULL,
        body TEXT NOT NULL,
        PRIMARY KEY (grp, number, seq)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE inbox (
        grp TEXT NOT NULL, number INTEGER NOT NULL, entry INTEGER NOT NULL, command TEXT NOT NULL,
        PRIMARY KEY (grp, number, entry)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE reports (
        grp TEXT NOT NULL, observer TEXT NOT NULL, report TEXT NOT NULL,
        PRIMARY KEY (grp, observer)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE records (
        grp TEXT NOT NULL, number INTEGER NOT NULL, record TEXT NOT NULL,
        PRIMARY KEY (grp, number)
    ) STRICT, WITHOUT ROWID;
",
    "
    CREATE TABLE stops (number INTEGER PRIMARY KEY, stop TEXT NOT NULL) STRICT;
",
    // How far a drill goes, and the firing that it is the run of: a daemon asks for them every time before it starts one.
    "
    ALTER TABLE runs ADD COLUMN drill TEXT;
    ALTER TABLE runs ADD COLUMN scheduled TEXT;
",
];

/// Makes the file (0600) and its folder (0700) where they are missing. SQLite gives the `-wal` and `-shm` files
/// the mode of the database file.
pub(super) fn make(path: &Path) -> Result<(), Problem> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)
            .map_err(|source| Problem::Folder { folder: folder.to_owned(), source: Arc::new(source) })?;
    }
    OpenOptions::new()
        .read(true)
        .append(true)
        .create(true)
        .mode(0o600)
        .open(path)
        .map(drop)
        .map_err(|source| Problem::File { path: path.to_owned(), source: Arc::new(source) })
}

/// Opens a connection that syncs at every commit: what was committed survives power loss
/// (<https://www.sqlite.org/pragma.html#pragma_synchronous>).
pub(super) fn connect(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let db = Connection::open_with_flags(path, flags)?;
    db.busy_timeout(BUSY)?;
    db.set_prepared_statement_cache_capacity(STATEMENTS);
    db.pragma_update(None, "synchronous", "FULL")?;
    db.pragma_update(None, "cache_size", -CACHE_KIB)?;
    Ok(db)
}

/// Switches to the write-ahead log. Two processes that do so at once may see `SQLITE_BUSY` without a wait, so it is
/// tried again for as long as any other lock is waited for.
pub(super) fn write_ahead(db: &Connection) -> rusqlite::Result<()> {
    let rest = Duration::from_millis(10);
    let mut waited = Duration::ZERO;
    loop {
        match db.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get::<_, String>(0)) {
            Err(error) if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) && waited < BUSY => {
                thread::sleep(rest);
                waited += rest;
            }
            other => return other.map(|_| ()),
        }
    }
}

/// Brings the tables to this program's version, or refuses what is not ours or is newer.
pub(super) fn migrate(db: &mut Connection, path: &Path) -> Result<rusqlite::Result<()>, StoreError> {
    match versions_now(db) {
        Err(error) => return Ok(Err(error)),
        Ok(found) => {
            found.check(path)?;
            // Nothing to do, and so no lock to wait for: a status must not queue behind those who write.
            if found.version == newest() {
                return Ok(Ok(()));
            }
        }
    }
    let moved = (|| {
        let change = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        // Read again under the lock: another process may have migrated, even to a newer version.
        let version = versions(&change)?.version;
        for step in MIGRATIONS.iter().skip(usize::try_from(version).unwrap_or(usize::MAX)) {
            change.execute_batch(step)?;
        }
        if version < newest() {
            change.pragma_update(None, "application_id", APPLICATION)?;
            change.pragma_update(None, "user_version", newest())?;
        }
        change.commit()
    })();
    match moved.and_then(|()| versions_now(db)) {
        Err(error) => Ok(Err(error)),
        Ok(found) => found.check(path).map(Ok),
    }
}

fn newest() -> i64 {
    i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX)
}

/// What the file's header says of itself.
struct Versions {
    application: i64,
    version: i64,
    tables: i64,
}

/// What it says at one moment: read one by one, an empty file that another process fills meanwhile looks like somebody else's.
fn versions_now(db: &mut Connection) -> rusqlite::Result<Versions> {
    let look = db.transaction_with_behavior(TransactionBehavior::Deferred)?;
    let found = versions(&look)?;
    look.commit()?;
    Ok(found)
}

/// Inside a transaction.
fn versions(db: &Transaction<'_>) -> rusqlite::Result<Versions> {
    let pragma = |name| db.pragma_query_value(None, name, |row| row.get(0));
    Ok(Versions {
        application: pragma("application_id")?,
        version: pragma("user_version")?,
        tables: db.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?,
    })
}

impl Versions {
    fn check(&self, path: &Path) -> Result<(), StoreError> {
        let Self { application, version, tables } = self;
        let path = path.display();
        let empty = *application == 0 && *version == 0 && *tables == 0;
        if *application != APPLICATION && !empty {
            let what = format!("{path} is the database of another program; name another file as the store");
            return Err(StoreError::Corrupt { what });
        }
        if *version > newest() {
            let newest = newest();
            let what = format!(
                "{path} was written by a newer lifeboat (schema {version}; this one reads up to {newest}); \
                 use the newer program"
            );
            return Err(StoreError::Corrupt { what });
        }
        Ok(())
    }
}
