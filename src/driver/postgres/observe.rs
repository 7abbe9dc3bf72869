//! Replies of servers become observations, as pure functions.
//!
//! Promise: the same replies give the same observation; no connection, clock or environment. A refused connection is
//! *down*, which is no fence: the server may come back. Silence and a rejected login are *unknown*.

use jiff::{SignedDuration, Timestamp};

use crate::{
    model::{Divergence, Facts, Loss, RegionName, Role, Side},
    port::Known,
};

/// What one server said of itself, in one moment.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Answer {
    /// `pg_is_in_recovery()`.
    pub(super) standby: bool,
    /// `default_transaction_read_only` of a fresh session.
    pub(super) read_only: bool,
    /// `pg_current_wal_lsn()`, where it is not in recovery.
    pub(super) written: Option<u64>,
    /// `pg_last_wal_receive_lsn()`.
    pub(super) received: Option<u64>,
    /// `pg_last_wal_replay_lsn()`.
    pub(super) replayed: Option<u64>,
    /// `pg_last_xact_replay_timestamp()`.
    pub(super) last_replayed: Option<Timestamp>,
    /// The server's own clock.
    pub(super) at: Timestamp,
    /// `pg_stat_wal_receiver`: status, host and port of the sender.
    pub(super) receiver: Option<Receiver>,
    /// Standbys that stream from it (`pg_stat_replication`).
    pub(super) streaming_to: i64,
    /// The newest heartbeat marker it holds.
    pub(super) marker: Option<Timestamp>,
    /// The timeline it writes or follows; a promotion begins a new one.
    pub(super) timeline: i32,
    /// The next transaction's number, `pg_snapshot_xmax(pg_current_snapshot())`.
    pub(super) next_xid: i64,
    /// Timelines that began with a promotion by this driver, each with the number of its first transaction.
    pub(super) begun: Vec<(i32, i64)>,
}

/// Whom a standby streams from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Receiver {
    /// `streaming`, `starting`, `waiting` …
    pub(super) status: String,
    /// As its `primary_conninfo` names it.
    pub(super) host: String,
    /// The port.
    pub(super) port: u16,
}

/// What became of asking one server.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Reply {
    /// It answered.
    Answered(Box<Answer>),
    /// The host answers that nothing listens.
    Refused(String),
    /// Nothing is known: no answer, or one that does not say the role (a rejected login, starting up).
    Silent(String),
}

impl Answer {
    /// How far the server's own history goes: what is written on a primary, the greater of received and replayed on
    /// a standby (the received position starts anew with each walreceiver).
    pub(super) fn position(&self) -> Option<u64> {
        if self.standby { self.received.max(self.replayed) } else { self.written }
    }
}

impl Reply {
    /// The answer, where there is one.
    pub(super) fn answer(&self) -> Option<&Answer> {
        match self {
            Self::Answered(answer) => Some(answer),
            Self::Refused(_) | Self::Silent(_) => None,
        }
    }

    /// The role it shows.
    pub(super) fn role(&self) -> Role {
        match self {
            Self::Answered(answer) if answer.standby => Role::Standby,
            Self::Answered(answer) if answer.read_only => Role::ReadOnly,
            Self::Answered(_) => Role::Primary,
            Self::Refused(why) => Role::Down(why.clone()),
            Self::Silent(why) => Role::Unknown(why.clone()),
        }
    }
}

/// All members' replies, source first.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct View {
    /// One a region.
    pub(super) replies: Vec<(RegionName, Reply)>,
}

impl View {
    /// The reply of a region's member.
    pub(super) fn of(&self, region: &RegionName) -> Option<&Reply> {
        self.replies.iter().find(|(name, _)| name == region).map(|(_, reply)| reply)
    }

    /// The role of a region's member.
    pub(super) fn role(&self, region: &RegionName) -> Role {
        self.of(region).map_or_else(|| Role::Unknown(format!("the target has no member in {region}")), Reply::role)
    }

    /// As facts.
    pub(super) fn facts(&self) -> Facts {
        let sides = self.replies.iter().map(|(region, reply)| Side {
            region: region.clone(),
            role: reply.role(),
            position: reply.answer().and_then(Answer::position),
        });
        Facts { sides: sides.collect(), ..Facts::default() }
    }

    /// The regions other than `but` whose member is a primary, and those whose member may be one unseen.
    pub(super) fn primaries_beside(&self, but: &RegionName) -> (Vec<&RegionName>, Vec<&RegionName>) {
        let others = || self.replies.iter().filter(|(region, _)| region != but);
        let named = |wanted: fn(&Role) -> bool| {
            others().filter(|(_, reply)| wanted(&reply.role())).map(|(region, _)| region).collect()
        };
        (named(|role| matches!(role, Role::Primary)), named(|role| matches!(role, Role::Unknown(_))))
    }
}

/// Seconds from `from` to `to`, 0 when it is the other way round.
fn seconds(from: Timestamp, to: Timestamp) -> f64 {
    to.duration_since(from).max(SignedDuration::ZERO).as_secs_f64()
}

/// What would be lost if the destination were promoted from where it is now.
///
/// The source's own position is exact. Without it the observers' last acknowledged marker says it, to within their
/// period; without markers, the first failed probe and the last replayed commit bound it. Nothing known: `None`.
pub(super) fn loss(source: Option<&Reply>, destination: &Answer, known: &Known) -> Loss {
    // Not what it wrote itself after its promotion: these two stand still from then on.
    let has = destination.received.max(destination.replayed);
    let of = |seconds, amount, basis: &str| Loss { seconds, amount, unit: "bytes".into(), basis: basis.into() };
    if let Some(answer) = source.and_then(Reply::answer)
        && let (Some(end), Some(has)) = (answer.position(), has)
    {
        let behind = end.saturating_sub(has);
        return of(lost_since(answer, destination, behind), Some(behind), "source readable");
    }
    if let Some(acknowledged) = &known.marker {
        let behind = acknowledged.position.zip(has).map(|(end, has)| end.saturating_sub(has));
        let age = match (behind, destination.marker) {
            // Received, if not yet replayed: a promotion replays all that was received.
            (Some(0), _) => Some(0.0),
            (_, Some(marker)) => Some(seconds(marker, acknowledged.at)),
            (_, None) => destination.last_replayed.map(|last| seconds(last, acknowledged.at)),
        };
        // Nothing missing up to the marker says nothing of what was written after it: within a period, and unknown.
        return of(age, behind.filter(|bytes| *bytes > 0), "last marker");
    }
    match known.onset.zip(destination.last_replayed) {
        Some((onset, last)) => of(Some(seconds(last, onset)), None, "onset of the outage and last replayed commit"),
        None => of(None, None, "nothing is known of the source"),
    }
}

/// Age of what the destination lacks, against a source that can be asked.
fn lost_since(source: &Answer, destination: &Answer, behind: u64) -> Option<f64> {
    if behind == 0 {
        return Some(0.0);
    }
    let has = destination.marker.max(destination.last_replayed);
    match (source.marker, destination.marker) {
        (Some(newest), Some(oldest)) if newest > oldest => Some(seconds(oldest, newest)),
        // No newer marker tells the age: whatever is missing was written after the last that arrived.
        (Some(_) | None, _) => has.map(|last| seconds(last, source.at)),
    }
}

/// What `behind` holds alone, when `ahead` went on without it on a timeline of its own; `None`: nothing.
///
/// Transaction numbers go on where a timeline begins, so a number that `behind` gave out and that is not below the first of
/// the next timeline was given out after they parted. Bytes do not tell: a server that serves nobody writes WAL, too.
/// Neither do numbers exactly: autovacuum takes some, so the figure is an upper bound.
pub(super) fn divergence(region: &RegionName, ahead: &Answer, behind: &Answer) -> Option<Divergence> {
    if ahead.timeline == behind.timeline {
        return None;
    }
    let next =
        ahead.begun.iter().filter(|(timeline, _)| *timeline > behind.timeline).min_by_key(|(timeline, _)| *timeline);
    let amount = match next {
        Some((_, first)) if behind.next_xid <= *first => return None,
        Some((_, first)) => u64::try_from(behind.next_xid - first).ok(),
        None => None,
    };
    let place = |answer: &Answer| {
        let position = answer.position().map_or_else(|| "an unknown position".into(), lsn);
        format!("{position} of timeline {}", answer.timeline)
    };
    let positions = format!("it is at {}, the other at {}", place(behind), place(ahead));
    Some(Divergence { region: region.clone(), amount, unit: "transactions".into(), positions })
}

/// A WAL position as PostgreSQL writes it.
fn lsn(position: u64) -> String {
    format!("{:X}/{:X}", position >> 32, position & u64::from(u32::MAX))
}

/// Whether the destination takes in what the source writes; `None`: one of them does not say. Addresses are not compared:
/// the standby may know the primary by another one, or follow it over a third server.
pub(super) fn replicates(source: &Reply, destination: &Reply) -> Option<bool> {
    let (source, destination) = (source.answer()?, destination.answer()?);
    let receives = destination.receiver.as_ref().is_some_and(|receiver| receiver.status == "streaming");
    Some(destination.standby && receives && source.streaming_to > 0 && source.timeline == destination.timeline)
}

/// Whether the source's member follows the destination's: in recovery, streaming, and from there.
///
/// `sender` of the source may be written as a name where the settings have an address, so a host that differs counts
/// only against it when both are addresses.
pub(super) fn follows(source: &Reply, destination: &Reply, host: &str, port: u16) -> bool {
    let (Some(source), Some(destination)) = (source.answer(), destination.answer()) else { return false };
    let addresses = |a: &str, b: &str| a.parse::<std::net::IpAddr>().is_ok() && b.parse::<std::net::IpAddr>().is_ok();
    source.standby
        && !destination.standby
        && destination.streaming_to > 0
        && source.receiver.as_ref().is_some_and(|receiver| {
            receiver.status == "streaming"
                && receiver.port == port
                && (receiver.host == host || !addresses(&receiver.host, host))
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{model::TargetName, port::MarkerSeen};

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + seconds).unwrap()
    }

    /// As PostgreSQL 15 replied: an idle primary, and its standby.
    fn primary(written: u64, marker: Option<i64>) -> Answer {
        Answer {
            standby: false,
            read_only: false,
            written: Some(written),
            received: None,
            replayed: None,
            last_replayed: None,
            at: at(100),
            receiver: None,
            streaming_to: 1,
            marker: marker.map(at),
            timeline: 1,
            next_xid: 700,
            begun: Vec::new(),
        }
    }
    fn standby(received: Option<u64>, replayed: u64, marker: Option<i64>) -> Answer {
        Answer {
            standby: true,
            written: None,
            received,
            replayed: Some(replayed),
            last_replayed: Some(at(50)),
            receiver: Some(Receiver { status: "streaming".into(), host: "10.1.0.10".into(), port: 5432 }),
            streaming_to: 0,
            ..primary(0, marker)
        }
    }
    fn answered(answer: Answer) -> Reply {
        Reply::Answered(Box::new(answer))
    }

    #[test]
    fn a_reply_shows_a_role_and_a_position() {
        let table = [
            (answered(primary(7, None)), "primary", Some(7)),
            (answered(Answer { read_only: true, ..primary(7, None) }), "read-only", Some(7)),
            (answered(standby(Some(5), 3, None)), "standby", Some(5)),
            // After a restart the received position starts anew, behind what was replayed from disk.
            (answered(standby(Some(2), 3, None)), "standby", Some(3)),
            (answered(standby(None, 3, None)), "standby", Some(3)),
            // A read-only standby is a standby: the flag came with a copy of a fenced primary.
            (answered(Answer { read_only: true, ..standby(None, 3, None) }), "standby", Some(3)),
            (Reply::Refused("nothing listens".into()), "down (nothing listens)", None),
            (Reply::Silent("no login within 2000 ms".into()), "unknown (no login within 2000 ms)", None),
        ];
        for (reply, role, position) in table {
            assert_eq!(reply.role().to_string(), role, "{reply:?}");
            assert_eq!(reply.answer().and_then(Answer::position), position, "{reply:?}");
        }
    }

    #[test]
    fn loss_is_measured_by_the_best_that_is_known() {
        let marker = |seconds, position| Known {
            marker: Some(MarkerSeen {
                target: TargetName::new("orders-db").unwrap(),
                region: RegionName::new("fra").unwrap(),
                at: at(seconds),
                position,
            }),
            onset: Some(at(95)),
        };
        let onset = Known { marker: None, onset: Some(at(95)) };
        let nothing = Known::default();
        let up = |answer| Some(answered(answer));
        let down = || Some(Reply::Refused("nothing listens".into()));
        let table = [
            ("equal", up(primary(9, Some(90))), standby(Some(9), 9, Some(90)), &nothing, Some(0.0), Some(0)),
            (
                "received, not replayed",
                up(primary(9, Some(90))),
                standby(Some(9), 3, Some(10)),
                &nothing,
                Some(0.0),
                Some(0),
            ),
            (
                "behind by markers",
                up(primary(9, Some(90))),
                standby(Some(5), 5, Some(70)),
                &nothing,
                Some(20.0),
                Some(4),
            ),
            (
                "behind, same marker",
                up(primary(9, Some(90))),
                standby(Some(5), 5, Some(90)),
                &nothing,
                Some(10.0),
                Some(4),
            ),
            ("behind, no marker", up(primary(9, None)), standby(Some(5), 5, None), &nothing, Some(50.0), Some(4)),
            (
                "dead, marker and position",
                down(),
                standby(Some(5), 5, Some(70)),
                &marker(90, Some(9)),
                Some(20.0),
                Some(4),
            ),
            ("dead, marker received", down(), standby(Some(9), 5, Some(70)), &marker(90, Some(9)), Some(0.0), None),
            ("dead, marker alone", down(), standby(Some(5), 5, Some(70)), &marker(90, None), Some(20.0), None),
            ("dead, newer than known", down(), standby(Some(5), 5, Some(91)), &marker(90, None), Some(0.0), None),
            ("dead, onset", down(), standby(Some(5), 5, None), &onset, Some(45.0), None),
            ("dead, nothing", down(), standby(Some(5), 5, None), &nothing, None, None),
            ("silent, nothing", Some(Reply::Silent("x".into())), standby(Some(5), 5, None), &nothing, None, None),
        ];
        for (story, source, destination, known, seconds, bytes) in table {
            let found = loss(source.as_ref(), &destination, known);
            assert_eq!((found.seconds, found.amount), (seconds, bytes), "{story}: {found}");
        }
    }

    #[test]
    fn a_source_follows_only_when_it_streams_from_the_destination() {
        let to = answered(primary(9, None));
        let from = |host: &str, port, status: &str| {
            let receiver = Some(Receiver { status: status.into(), host: host.into(), port });
            answered(Answer { receiver, ..standby(Some(9), 9, None) })
        };
        for (source, destination, expected) in [
            (from("10.2.0.10", 5432, "streaming"), to.clone(), true),
            (from("db.dub.example", 5432, "streaming"), to.clone(), true),
            (from("10.3.0.10", 5432, "streaming"), to.clone(), false),
            (from("10.2.0.10", 5433, "streaming"), to.clone(), false),
            (from("10.2.0.10", 5432, "waiting"), to.clone(), false),
            (from("10.2.0.10", 5432, "streaming"), answered(Answer { streaming_to: 0, ..primary(9, None) }), false),
            (answered(primary(9, None)), to.clone(), false),
            (Reply::Refused("x".into()), to, false),
        ] {
            assert_eq!(follows(&source, &destination, "10.2.0.10", 5432), expected, "{source:?} {destination:?}");
        }
    }

    #[test]
    fn what_one_side_holds_alone_is_told_by_the_first_transaction_of_the_next_timeline() {
        let on = |timeline, next_xid, begun: &[(i32, i64)]| Answer {
            timeline,
            next_xid,
            begun: begun.into(),
            ..primary(0x0100_0060, None)
        };
        let fra = RegionName::new("fra").unwrap();
        let table = [
            ("one timeline", on(1, 900, &[]), on(1, 900, &[]), None),
            ("a fenced primary that wrote nothing since", on(2, 950, &[(2, 700)]), on(1, 700, &[]), None),
            ("a standby that lags behind the promotion", on(2, 950, &[(2, 700)]), on(1, 650, &[]), None),
            ("it wrote on", on(2, 950, &[(2, 700)]), on(1, 737, &[]), Some(Some(37))),
            ("it parted two promotions ago", on(3, 990, &[(2, 700), (3, 950)]), on(1, 737, &[]), Some(Some(37))),
            (
                "it parted at the last promotion",
                on(3, 990, &[(2, 700), (3, 950)]),
                on(2, 960, &[(2, 700)]),
                Some(Some(10)),
            ),
            ("promoted by somebody else", on(2, 950, &[]), on(1, 700, &[]), Some(None)),
            ("the other one is older", on(1, 700, &[]), on(2, 950, &[(2, 700)]), Some(None)),
        ];
        for (story, ahead, behind, expected) in table {
            let found = divergence(&fra, &ahead, &behind);
            assert_eq!(found.as_ref().map(|found| found.amount), expected, "{story}: {found:?}");
        }
        let found = divergence(&fra, &on(2, 950, &[(2, 700)]), &on(1, 737, &[])).unwrap();
        assert_eq!(
            found.to_string(),
            "fra holds up to 37 transactions that the other side lacks \
             (it is at 0/1000060 of timeline 1, the other at 0/1000060 of timeline 2)"
        );
    }

    #[test]
    fn a_destination_replicates_when_both_sides_say_so() {
        let source = answered(primary(9, None));
        let receiver = |status: &str| Some(Receiver { status: status.into(), host: "10.9.9.9".into(), port: 6432 });
        let with = |status| answered(Answer { receiver: receiver(status), ..standby(Some(9), 9, None) });
        for (source, destination, expected) in [
            (source.clone(), with("streaming"), Some(true)),
            (source.clone(), with("waiting"), Some(false)),
            (source.clone(), answered(Answer { receiver: None, ..standby(Some(9), 9, None) }), Some(false)),
            (answered(Answer { streaming_to: 0, ..primary(9, None) }), with("streaming"), Some(false)),
            (answered(Answer { timeline: 2, ..primary(9, None) }), with("streaming"), Some(false)),
            (source.clone(), answered(primary(9, None)), Some(false)),
            (Reply::Silent("x".into()), with("streaming"), None),
            (source, Reply::Refused("x".into()), None),
        ] {
            assert_eq!(replicates(&source, &destination), expected, "{source:?} {destination:?}");
        }
    }

    #[test]
    fn a_silent_member_may_be_a_primary_unseen() {
        let name = |text| RegionName::new(text).unwrap();
        let view = View {
            replies: vec![
                (name("fra"), answered(Answer { read_only: true, ..primary(1, None) })),
                (name("dub"), answered(primary(1, None))),
                (name("ams"), Reply::Silent("x".into())),
                (name("lon"), Reply::Refused("x".into())),
            ],
        };
        let (primaries, unseen) = view.primaries_beside(&name("fra"));
        assert_eq!((primaries, unseen), (vec![&name("dub")], vec![&name("ams")]));
    }
}
