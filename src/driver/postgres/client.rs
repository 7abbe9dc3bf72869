//! Asking the servers.
//!
//! Promises: looking changes nothing and ends within [`LOOK`]; every look is a fresh session, because only a fresh session
//! shows what a new client would meet. Members are asked at the same time, so a silent one costs its limit once.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use tokio_postgres::{Row, types::PgLsn};

use super::{
    observe::{Answer, Receiver, Reply, View},
    params::{Member, Params},
    program::Asking,
};
use crate::{
    model::RegionName,
    net::{
        http::Http,
        postgres::{ConnectError, Limits, Session, connect, told},
    },
    port::Secrets,
};

/// How long one member may take to say what it is: a login over TLS is about seven round trips, 1.75 s between the
/// farthest regions of the large providers.
pub(super) const LOOK: Duration = Duration::from_secs(2);

const ASK: &str = "SELECT pg_is_in_recovery() AS standby, \
    current_setting('default_transaction_read_only')::bool AS read_only, \
    CASE WHEN NOT pg_is_in_recovery() THEN pg_current_wal_lsn() END AS written, \
    pg_last_wal_receive_lsn() AS received, pg_last_wal_replay_lsn() AS replayed, \
    pg_last_xact_replay_timestamp() AS last_replayed, clock_timestamp() AS at, \
    r.status, r.sender_host, r.sender_port, \
    (SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming') AS streaming_to, \
    to_regclass($1) IS NOT NULL AS has_markers, pg_snapshot_xmax(pg_current_snapshot())::text::int8 AS next_xid, \
    CASE WHEN pg_is_in_recovery() THEN greatest(r.received_tli, c.timeline_id, v.min_recovery_end_timeline) \
        ELSE ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::int END AS timeline \
    FROM pg_control_checkpoint() c, pg_control_recovery() v LEFT JOIN pg_stat_wal_receiver r ON true";

/// What a `timeline` row is called in the marker table: it holds the first transaction of the timeline as its `seq`. A
/// region's name holds no `/`, so such a row is nobody's heartbeat.
pub(super) const TIMELINE: &str = "timeline/";

/// The servers of one target.
#[derive(Clone)]
pub(super) struct Members {
    pub(super) params: Arc<Params>,
    pub(super) secrets: Arc<dyn Secrets>,
    pub(super) http: Http,
}

impl Members {
    /// What asking a fencing agent takes.
    pub(super) fn asking(&self) -> Asking<'_> {
        Asking { http: &self.http, secrets: self.secrets.as_ref() }
    }

    /// A region's member.
    pub(super) fn of(&self, region: &RegionName) -> Option<&Member> {
        self.params.members.iter().find(|member| member.region == *region)
    }

    /// A fresh session.
    pub(super) async fn open(&self, member: &Member, limits: Limits) -> Result<Session, ConnectError> {
        connect(&member.server, self.secrets.as_ref(), limits).await
    }

    /// Asks every member, source first.
    pub(super) async fn view(&self, source: Option<&RegionName>) -> View {
        self.view_within(source, LOOK).await
    }

    /// Asks every member for at most `limit`, source first.
    pub(super) async fn view_within(&self, source: Option<&RegionName>, limit: Duration) -> View {
        let mut members: Vec<&Member> = self.params.members.iter().collect();
        members.sort_by_key(|member| source != Some(&member.region));
        let replies =
            members.into_iter().map(|member| async { (member.region.clone(), self.look_within(member, limit).await) });
        View { replies: futures::future::join_all(replies).await }
    }

    /// Asks one member.
    pub(super) async fn look(&self, member: &Member) -> Reply {
        self.look_within(member, LOOK).await
    }

    /// Asks one member, for at most `limit`.
    pub(super) async fn look_within(&self, member: &Member, limit: Duration) -> Reply {
        let asked = async {
            let session = match self.open(member, Limits::within(limit)).await {
                Ok(session) => session,
                Err(error) => return not_in(&error),
            };
            ask(&session, &self.params.table).await.unwrap_or_else(|error| {
                Reply::Silent(format!("{} stopped answering: {}", member.server.address, told(&error)))
            })
        };
        tokio::time::timeout(limit, asked).await.unwrap_or_else(|_elapsed| {
            Reply::Silent(format!("{} did not answer within {} ms", member.server.address, limit.as_millis()))
        })
    }
}

/// What a failed connection says of the server.
pub(super) fn not_in(error: &ConnectError) -> Reply {
    match error {
        ConnectError::Refused { .. } => Reply::Refused(told(error)),
        ConnectError::Silent { .. }
        | ConnectError::Rejected { .. }
        | ConnectError::Tls { .. }
        | ConnectError::TlsSettings { .. }
        | ConnectError::Secret { .. } => Reply::Silent(told(error)),
    }
}

/// Asks over an open session.
pub(super) async fn ask(session: &Session, table: &str) -> Result<Reply, tokio_postgres::Error> {
    let row = session.query_one(ASK, &[&table]).await?;
    let kept = if row.try_get::<_, bool>("has_markers")? { kept(session, table).await? } else { (None, Vec::new()) };
    Ok(Reply::Answered(Box::new(read(&row, kept)?)))
}

/// The newest marker, and the timelines whose first transaction is known.
type Kept = (Option<Timestamp>, Vec<(i32, i64)>);

async fn kept(session: &Session, table: &str) -> Result<Kept, tokio_postgres::Error> {
    let query = format!(
        "SELECT max(at), coalesce(array_agg(substr(region, {start})::int) FILTER (WHERE region LIKE '{TIMELINE}%'), '{{}}'), \
         coalesce(array_agg(seq) FILTER (WHERE region LIKE '{TIMELINE}%'), '{{}}') FROM {table}",
        start = TIMELINE.len() + 1,
    );
    let row = session.query_one(&query, &[]).await?;
    let (timelines, first): (Vec<i32>, Vec<i64>) = (row.try_get(1)?, row.try_get(2)?);
    Ok((row.try_get(0)?, timelines.into_iter().zip(first).collect()))
}

/// The newest marker in the table, which exists.
pub(super) async fn newest(session: &Session, table: &str) -> Result<Option<Timestamp>, tokio_postgres::Error> {
    session.query_one(&format!("SELECT max(at) FROM {table}"), &[]).await?.try_get(0)
}

/// The newest marker that was written in `region`.
pub(super) async fn newest_of(
    session: &Session,
    table: &str,
    region: &RegionName,
) -> Result<Option<Timestamp>, tokio_postgres::Error> {
    let newest = format!("SELECT max(at) FROM {table} WHERE region = $1");
    session.query_one(&newest, &[&region.as_str()]).await?.try_get(0)
}

fn read(row: &Row, (marker, begun): Kept) -> Result<Answer, tokio_postgres::Error> {
    let lsn = |name: &str| row.try_get::<_, Option<PgLsn>>(name).map(|lsn| lsn.map(u64::from));
    let receiver = row.try_get::<_, Option<String>>("status")?.map(|status| -> Result<_, tokio_postgres::Error> {
        Ok(Receiver {
            status,
            host: row.try_get::<_, Option<String>>("sender_host")?.unwrap_or_default(),
            port: row.try_get::<_, Option<i32>>("sender_port")?.and_then(|port| port.try_into().ok()).unwrap_or(0),
        })
    });
    Ok(Answer {
        standby: row.try_get("standby")?,
        read_only: row.try_get("read_only")?,
        written: lsn("written")?,
        received: lsn("received")?,
        replayed: lsn("replayed")?,
        last_replayed: row.try_get("last_replayed")?,
        at: row.try_get("at")?,
        receiver: receiver.transpose()?,
        streaming_to: row.try_get("streaming_to")?,
        marker,
        timeline: row.try_get("timeline")?,
        next_xid: row.try_get("next_xid")?,
        begun,
    })
}
