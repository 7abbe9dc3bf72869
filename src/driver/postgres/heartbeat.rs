//! Heartbeat markers: one row a region in a small table, which replication carries to the standbys.
//!
//! Promises: one open session a region, opened again when it broke (a fence ends it), so that a beat is two pipelined
//! statements; a beat is *acknowledged* only after its commit, and its position is read after it. The table is made where
//! it is missing. A crash leaves at most an older marker, which overstates a loss and never hides one.

use std::time::Duration;

use futures::future::BoxFuture;
use jiff::Timestamp;
use tokio::sync::Mutex;
use tokio_postgres::{Statement, error::SqlState, types::PgLsn};

use super::{
    client::{Members, newest},
    params::Member,
};
use crate::{
    model::RegionName,
    net::postgres::{Limits, Session, told},
    port::{Beat, Heartbeat},
};

/// A beat that takes longer is no sign of life: a commit may hang where a synchronous standby is gone.
const BEAT: Duration = Duration::from_secs(2);

/// An open session with its prepared statement.
struct Line {
    session: Session,
    upsert: Option<Statement>,
}

/// What a session is used for.
#[derive(Clone, Copy)]
enum Work {
    Beat(Timestamp),
    Newest,
}

/// What it found.
enum Found {
    Position(u64),
    Marker(Option<Timestamp>),
}

impl Work {
    async fn run(self, line: &mut Line, table: &str, region: &str) -> Result<Found, tokio_postgres::Error> {
        match self {
            Self::Beat(at) => beat(line, table, region, at).await.map(Found::Position),
            Self::Newest => match newest(&line.session, table).await {
                Err(error) if error.code() == Some(&SqlState::UNDEFINED_TABLE) => Ok(Found::Marker(None)),
                other => other.map(Found::Marker),
            },
        }
    }
}

/// The heartbeat of one target.
pub(super) struct Markers {
    members: Members,
    lines: Vec<(RegionName, Mutex<Option<Line>>)>,
}

/// Makes the table where it is missing. Two at once may both find it missing; one of them then hears of a
/// duplicate, which is as good.
pub(super) async fn make_table(session: &Session, table: &str) -> Result<(), tokio_postgres::Error> {
    let order = format!(
        "CREATE TABLE IF NOT EXISTS {table} (region text PRIMARY KEY, at timestamptz NOT NULL, seq bigint NOT NULL)"
    );
    match session.batch_execute(&order).await {
        Err(error) if error.code() == Some(&SqlState::UNIQUE_VIOLATION) => Ok(()),
        other => other,
    }
}

/// Writes or moves on the row `$1` to the time `$2`; a marker never goes back.
pub(super) fn upsert(table: &str) -> String {
    format!(
        "INSERT INTO {table} AS old (region, at, seq) VALUES ($1, $2, 1) ON CONFLICT (region) \
         DO UPDATE SET at = greatest(old.at, excluded.at), seq = old.seq + 1"
    )
}

/// Why a statement failed, and whether the session is of no more use.
fn failure(error: &tokio_postgres::Error) -> String {
    match error.as_db_error() {
        Some(db) => format!("{} (SQLSTATE {})", db.message(), db.code().code()),
        None => told(error),
    }
}

impl Markers {
    pub(super) fn new(members: Members) -> Self {
        let lines = members.params.members.iter().map(|member| (member.region.clone(), Mutex::new(None))).collect();
        Self { members, lines }
    }

    fn line(&self, region: &RegionName) -> Option<(&Member, &Mutex<Option<Line>>)> {
        let line = self.lines.iter().find(|(name, _)| name == region).map(|(_, line)| line)?;
        Some((self.members.of(region)?, line))
    }

    /// Uses the region's session, opening it first where it is closed. A session that broke since the last use is opened
    /// again once: the server may have been restarted in between.
    async fn with(&self, region: &RegionName, work: Work) -> Result<Found, String> {
        let (member, line) = self.line(region).ok_or_else(|| format!("the target has no member in {region}"))?;
        let all = async {
            let mut line = line.lock().await;
            let mut fresh = false;
            loop {
                if line.as_ref().is_none_or(|line| line.session.is_closed()) {
                    let session = self.members.open(member, Limits::within(BEAT)).await.map_err(|e| told(&e))?;
                    *line = Some(Line { session, upsert: None });
                    fresh = true;
                }
                // Taken out while in use: a dropped or failed call leaves no half-used session behind.
                let Some(mut taken) = line.take() else { return Err("no session".to_owned()) };
                match work.run(&mut taken, &self.members.params.table, region.as_str()).await {
                    Ok(done) => {
                        *line = Some(taken);
                        return Ok(done);
                    }
                    Err(error) if error.as_db_error().is_some() && !taken.session.is_closed() => {
                        *line = Some(taken);
                        return Err(failure(&error));
                    }
                    Err(error) if fresh => return Err(failure(&error)),
                    Err(_) => {}
                }
            }
        };
        let late = |_| Err(format!("{} did not answer within {} ms", member.server.address, BEAT.as_millis()));
        tokio::time::timeout(BEAT, all).await.unwrap_or_else(late)
    }
}

async fn beat(line: &mut Line, table: &str, region: &str, at: Timestamp) -> Result<u64, tokio_postgres::Error> {
    let upsert = if let Some(prepared) = &line.upsert {
        prepared.clone()
    } else {
        let text = upsert(table);
        let prepared = match line.session.prepare(&text).await {
            Err(error) if error.code() == Some(&SqlState::UNDEFINED_TABLE) => {
                make_table(&line.session, table).await?;
                line.session.prepare(&text).await?
            }
            other => other?,
        };
        line.upsert.insert(prepared).clone()
    };
    // Sent together, run one after the other: the position is read after the commit.
    let parameters: [&(dyn tokio_postgres::types::ToSql + Sync); 2] = [&region, &at];
    let written = line.session.execute(&upsert, &parameters);
    let position = line.session.query_one("SELECT pg_current_wal_lsn()", &[]);
    let (written, position) = futures::future::join(written, position).await;
    written?;
    Ok(position?.try_get::<_, PgLsn>(0)?.into())
}

impl Heartbeat for Markers {
    fn beat<'a>(&'a self, region: &'a RegionName, at: Timestamp) -> BoxFuture<'a, Beat> {
        Box::pin(async move {
            match self.with(region, Work::Beat(at)).await {
                Ok(Found::Position(position)) => Beat::Acknowledged { position: Some(position) },
                Ok(Found::Marker(_)) => Beat::Acknowledged { position: None },
                Err(why) => Beat::Refused { why },
            }
        })
    }

    fn newest<'a>(&'a self, region: &'a RegionName) -> BoxFuture<'a, Result<Option<Timestamp>, String>> {
        Box::pin(async move {
            match self.with(region, Work::Newest).await? {
                Found::Marker(marker) => Ok(marker),
                Found::Position(_) => Ok(None),
            }
        })
    }
}
