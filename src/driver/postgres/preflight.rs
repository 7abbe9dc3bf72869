//! Looking ahead: what would make a failover slow, lossy or impossible.
//!
//! Changes nothing. The judgement of what was read is a pure function; each concern carries its figures and a remedy.

use std::time::Duration;

use futures::future::BoxFuture;

use super::{
    client::{LOOK, Members, ask},
    observe::{Reply, loss},
    params::{Member, Method},
    parity::{self, NOT_SMALLER, SHAPE, Shape},
};
use crate::{
    model::{RegionName, Role},
    net::postgres::{ConnectError, Limits, Session, told},
    port::{Concern, Known},
};

/// What was read from one member.
#[expect(clippy::struct_excessive_bools, reason = "independent readings of a server, not a state")]
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Checked {
    pub(super) region: RegionName,
    pub(super) reply: Reply,
    pub(super) shape: Shape,
    /// `wal_retrieve_retry_interval`, in milliseconds.
    pub(super) retry_ms: i64,
    /// `wal_log_hints` or data checksums.
    pub(super) rewindable: bool,
    pub(super) synchronous_standby_names: String,
    pub(super) may_promote: bool,
    /// May make itself read-only and end sessions.
    pub(super) may_fence: bool,
    pub(super) replay_paused: bool,
    /// The receiver's slot.
    pub(super) slot: Option<String>,
}

const CHECK: &str = "SELECT (SELECT setting::int8 FROM pg_settings WHERE name = 'wal_retrieve_retry_interval') AS retry_ms, \
    (current_setting('wal_log_hints')::bool OR current_setting('data_checksums')::bool) AS rewindable, \
    current_setting('synchronous_standby_names') AS synchronous_standby_names, \
    has_function_privilege('pg_promote(boolean,integer)', 'execute') AS may_promote, \
    (u.rolsuper OR (has_function_privilege('pg_reload_conf()', 'execute') \
       AND pg_has_role('pg_signal_backend', 'usage') AND pg_has_role('pg_read_all_stats', 'usage'))) AS may_fence, \
    CASE WHEN pg_is_in_recovery() THEN pg_is_wal_replay_paused() ELSE false END AS replay_paused, \
    (SELECT nullif(slot_name, '') FROM pg_stat_wal_receiver) AS slot \
    FROM pg_roles u WHERE u.rolname = current_user";

async fn check(members: &Members, member: &Member) -> Result<Checked, Concern> {
    let session = members.open(member, Limits::within(LOOK)).await.map_err(|error| no_login(member, &error))?;
    read(members, member, &session).await.map_err(|error| Concern {
        what: format!("the server in {} could not be checked: {}", member.region, told(&error)),
        remedy: "see whether it answers queries in time".into(),
    })
}

async fn read(members: &Members, member: &Member, session: &Session) -> Result<Checked, tokio_postgres::Error> {
    let reply = ask(session, &members.params.table).await?;
    let shape = Shape::of(&session.query_one(SHAPE, &[&NOT_SMALLER.as_slice()]).await?)?;
    let row = session.query_one(CHECK, &[]).await?;
    Ok(Checked {
        region: member.region.clone(),
        reply,
        shape,
        retry_ms: row.try_get("retry_ms")?,
        rewindable: row.try_get("rewindable")?,
        synchronous_standby_names: row.try_get("synchronous_standby_names")?,
        may_promote: row.try_get("may_promote")?,
        may_fence: row.try_get("may_fence")?,
        replay_paused: row.try_get("replay_paused")?,
        slot: row.try_get("slot")?,
    })
}

fn no_login(member: &Member, error: &ConnectError) -> Concern {
    let remedy = match error {
        ConnectError::Refused { .. } => "start the server, or correct host and port in the target's url",
        ConnectError::Silent { .. } => "see whether a firewall drops the connection, and whether the server is frozen",
        ConnectError::Rejected { code, .. } if code == "57P03" => {
            "wait until it has started; a standby with hot_standby = off never answers: set hot_standby = on"
        }
        ConnectError::Rejected { .. } => "correct user and password in the target, or pg_hba.conf on the server",
        ConnectError::Tls { .. } => "name the server's authority in tls.ca, or the certificate's host name in the url",
        ConnectError::TlsSettings { .. } => "correct `tls` in the target",
        ConnectError::Secret { .. } => "make the file or the variable readable where lifeboat runs",
    };
    Concern { what: format!("no login in {}: {}", member.region, told(error)), remedy: remedy.into() }
}

/// Everything that can be found by looking at both members.
pub(super) fn preflight<'a>(
    members: &'a Members,
    source: &'a RegionName,
    destination: &'a RegionName,
) -> BoxFuture<'a, Vec<Concern>> {
    Box::pin(async move {
        let mut concerns = Vec::new();
        let (Some(from), Some(to)) = (members.of(source), members.of(destination)) else {
            let what = format!("the target has no member in {source} or {destination}");
            return vec![Concern { what, remedy: "declare a member in both regions".into() }];
        };
        let (from, to) = futures::future::join(check(members, from), check(members, to)).await;
        let mut checked = Vec::new();
        for side in [from, to] {
            match side {
                Ok(side) => checked.push(side),
                Err(concern) => concerns.push(concern),
            }
        }
        let from = checked.iter().find(|side| side.region == *source);
        let to = checked.iter().find(|side| side.region == *destination);
        concerns.extend(judge(from, to));
        if let (Some(from), Some(to)) = (from, to) {
            concerns.extend(lag(members, from, to).await);
        }
        if members.params.fence.iter().all(|method| matches!(method, Method::ReadOnly)) {
            concerns.push(Concern {
                what: "the only fence method is readOnly, which cannot fence a dead or unreachable server".into(),
                remedy: "declare a command or http method with a verify after it".into(),
            });
        }
        concerns
    })
}

/// Whether the destination reaches, within half a second, what the source had written.
async fn lag(members: &Members, from: &Checked, to: &Checked) -> Option<Concern> {
    let member = members.of(&to.region)?;
    let mut reply = to.reply.clone();
    for _ in 0..5 {
        if loss(Some(&from.reply), reply.answer()?, &Known::default()).amount == Some(0) {
            return None;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
        reply = members.look(member).await;
    }
    let lost = loss(Some(&from.reply), reply.answer()?, &Known::default());
    Some(Concern {
        what: format!("{} lags behind {}: a failover now would lose {lost}", to.region, from.region),
        remedy: "see pg_stat_replication on the primary, and the standby's log".into(),
    })
}

/// What the readings mean.
pub(super) fn judge(from: Option<&Checked>, to: Option<&Checked>) -> Vec<Concern> {
    let mut concerns = Vec::new();
    let mut add = |what: String, remedy: &str| concerns.push(Concern { what, remedy: remedy.into() });
    if let Some(to) = to {
        judge_standby(to, &mut add);
    }
    if let Some(from) = from {
        judge_primary(from, &mut add);
    }
    if let (Some(from), Some(to)) = (from, to) {
        concerns.extend(parity::judge((from.region.as_str(), &from.shape), (to.region.as_str(), &to.shape)));
    }
    concerns
}

/// The member that would be promoted.
fn judge_standby(to: &Checked, add: &mut impl FnMut(String, &str)) {
    let region = &to.region;
    if to.retry_ms > 1_000 {
        add(
            format!(
                "wal_retrieve_retry_interval in {region} is {} ms: a promotion right after the primary's death \
                 stalled 5 s in about half of the runs measured at 5000 ms, and never at 100 ms",
                to.retry_ms
            ),
            "set wal_retrieve_retry_interval = 100ms there and reload",
        );
    }
    match to.reply.role() {
        Role::Standby => match to.reply.answer().and_then(|answer| answer.receiver.as_ref()) {
            Some(receiver) if receiver.status == "streaming" => {
                if to.slot.is_none() {
                    add(
                        format!("{region} streams without a replication slot: the primary may remove WAL it needs"),
                        "create a physical slot on the primary and name it in primary_slot_name",
                    );
                }
            }
            Some(receiver) => {
                add(format!("{region} does not stream: its WAL receiver is {}", receiver.status), "see its log");
            }
            None => add(
                format!("{region} does not stream: it has no WAL receiver"),
                "correct primary_conninfo and see its log",
            ),
        },
        role => add(
            format!("expected a standby in {region}, found {role}"),
            "make it a standby of the primary before anything fails over to it",
        ),
    }
    if to.replay_paused {
        add(format!("replay is paused in {region}"), "SELECT pg_wal_replay_resume() there");
    }
    if !to.may_promote {
        add(
            format!("the role may not promote in {region}"),
            "GRANT EXECUTE ON FUNCTION pg_promote(boolean, integer) TO the role, on the primary",
        );
    }
    if !to.synchronous_standby_names.is_empty() {
        add(
            format!(
                "synchronous_standby_names in {region} is `{}`: after a promotion every commit waits for standbys \
                 that may not be there",
                to.synchronous_standby_names
            ),
            "empty it on the standby, and set it again after the reverse",
        );
    }
}

/// The member that would be left.
fn judge_primary(from: &Checked, add: &mut impl FnMut(String, &str)) {
    let region = &from.region;
    if !from.may_fence {
        add(
            format!("the role may not make the server in {region} read-only and end its sessions"),
            "use a superuser, or grant pg_signal_backend, pg_read_all_stats, EXECUTE ON pg_reload_conf() and \
             ALTER SYSTEM ON PARAMETER default_transaction_read_only (PostgreSQL 15)",
        );
    }
    if !from.rewindable {
        add(
            format!("wal_log_hints and data checksums are off in {region}: pg_rewind cannot bring it back"),
            "set wal_log_hints = on and restart, or plan for a full copy after a failover",
        );
    }
    if !from.synchronous_standby_names.is_empty() {
        add(
            format!(
                "synchronous_standby_names in {region} is `{}`: commits hang while no such standby answers, and a \
                 commit whose client gave up becomes visible later",
                from.synchronous_standby_names
            ),
            "name more standbys than are needed (ANY 1 (a, b)), and keep an eye on the standbys",
        );
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::driver::postgres::observe::{Answer, Receiver};

    fn side(region: &str, standby: bool) -> Checked {
        let receiver = Receiver { status: "streaming".into(), host: "10.1.0.10".into(), port: 5432 };
        Checked {
            region: RegionName::new(region).unwrap(),
            reply: Reply::Answered(Box::new(Answer {
                standby,
                read_only: false,
                written: (!standby).then_some(9),
                received: standby.then_some(9),
                replayed: standby.then_some(9),
                last_replayed: None,
                at: Timestamp::UNIX_EPOCH,
                receiver: standby.then_some(receiver),
                streaming_to: 1,
                timeline: 1,
                next_xid: 700,
                begun: Vec::new(),
                marker: None,
            })),
            shape: Shape { version: 150_006, settings: vec![100, 10, 0, 64, 8], reserved: 3, used: 20 },
            retry_ms: 100,
            rewindable: true,
            synchronous_standby_names: String::new(),
            may_promote: true,
            may_fence: true,
            replay_paused: false,
            slot: standby.then(|| "peer".to_owned()),
        }
    }

    #[test]
    fn a_sound_pair_raises_no_concern() {
        assert_eq!(judge(Some(&side("fra", false)), Some(&side("dub", true))), []);
    }

    #[test]
    fn each_weakness_raises_one_concern_with_its_figure() {
        type Change = fn(&mut Checked, &mut Checked);
        let (from, to) = (side("fra", false), side("dub", true));
        let table: [(Change, &str); 10] = [
            (|_, to| to.retry_ms = 5_000, "is 5000 ms"),
            (|_, to| to.slot = None, "without a replication slot"),
            (|_, to| to.reply = side("dub", false).reply, "found primary"),
            (|_, to| to.replay_paused = true, "replay is paused"),
            (|_, to| to.may_promote = false, "may not promote"),
            (|_, to| to.synchronous_standby_names = "s1".into(), "every commit waits"),
            (|_, to| to.shape.version = 160_002, "dub runs 16"),
            (|from, _| from.may_fence = false, "read-only and end its sessions"),
            (|from, _| from.rewindable = false, "pg_rewind cannot"),
            (|from, _| from.synchronous_standby_names = "s1".into(), "commits hang"),
        ];
        for (change, expected) in table {
            let (mut from, mut to) = (from.clone(), to.clone());
            change(&mut from, &mut to);
            let found = judge(Some(&from), Some(&to));
            assert!(matches!(found.as_slice(), [one] if one.what.contains(expected)), "{expected}: {found:?}");
        }
    }
}
