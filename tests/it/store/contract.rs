//! What every store promises, as stories. Written once, run against each implementation.

use std::collections::BTreeSet;

use futures::future::join_all;
use lifeboat::{
    model::{Actor, Command, DrillMode, EventBody, Judged, Outcome, ProbeState, RunId, StopOrder, Term},
    port::{Disposition, LeaseError, MarkerSeen, ObserverReport, ProbeSeen, Store, StoreError},
};

use super::story::{at, closed, group, key, lease, note, opened, order, region};

pub(super) async fn a_run_is_read_back_as_it_was_written(store: &dyn Store) {
    let permit = lease(store, "orders").await;
    let (run, first) = store.open(&permit, at(0), opened("orders", false)).await.unwrap();
    assert_eq!((run.to_string().as_str(), first.seq, first.term), ("orders-1", 1, permit.term()));
    assert_eq!(store.read(&run, 0).await.unwrap(), [first]);
}

pub(super) async fn an_append_of_several_events_is_read_in_order_from_any_point(store: &dyn Store) {
    let permit = lease(store, "orders").await;
    let (run, _) = store.open(&permit, at(0), opened("orders", false)).await.unwrap();
    let events: Vec<_> = (2..=12).map(|n| (at(n), note(n.unsigned_abs()))).collect();
    store.append(&permit, &run, 1, events.clone()).await.unwrap();
    for after in 1..=12 {
        let read = store.read(&run, after).await.unwrap();
        assert_eq!(read.iter().map(|e| e.seq).collect::<Vec<_>>(), (after + 1..=12).collect::<Vec<_>>());
        let skip = usize::try_from(after - 1).unwrap();
        assert_eq!(read.into_iter().map(|e| (e.at, e.body)).collect::<Vec<_>>(), events[skip..]);
    }
}

pub(super) async fn an_existing_sequence_is_refused_and_nothing_of_the_append_is_kept(store: &dyn Store) {
    let permit = lease(store, "orders").await;
    let (run, _) = store.open(&permit, at(0), opened("orders", false)).await.unwrap();
    store.append(&permit, &run, 1, vec![(at(1), note(2))]).await.unwrap();
    let again = store.append(&permit, &run, 1, vec![(at(2), note(92)), (at(3), note(93))]).await.unwrap_err();
    assert!(matches!(&again, StoreError::Conflict { run: r, seq: 2 } if *r == run), "{again}");
    assert_eq!(again.disposition(), Disposition::StandDown);
    let bodies: Vec<_> = store.read(&run, 1).await.unwrap().into_iter().map(|e| e.body).collect();
    assert_eq!(bodies, [note(2)]);
}

pub(super) async fn a_gap_in_the_sequence_is_refused(store: &dyn Store) {
    let permit = lease(store, "orders").await;
    let (run, _) = store.open(&permit, at(0), opened("orders", false)).await.unwrap();
    let gap = store.append(&permit, &run, 2, vec![(at(1), note(3))]).await.unwrap_err();
    assert_eq!(gap.disposition(), Disposition::AskHuman, "{gap}");
    assert_eq!(store.read(&run, 1).await.unwrap(), []);
}

pub(super) async fn one_of_many_appends_at_the_same_place_wins(store: &dyn Store) {
    let permit = lease(store, "orders").await;
    let (run, _) = store.open(&permit, at(0), opened("orders", false)).await.unwrap();
    for after in (1..40).step_by(2) {
        let pair = |n: u64| vec![(at(1), note(n)), (at(2), note(n))];
        let tries = (0..8).map(|n| store.append(&permit, &run, after, pair(n)));
        let won: Vec<_> = join_all(tries).await.into_iter().flatten().collect();
        assert_eq!(won.len(), 1);
        let read = store.read(&run, after).await.unwrap();
        assert_eq!(read.len(), 2);
        assert_eq!(read[0].body, read[1].body, "two appends interleaved");
    }
}

pub(super) async fn a_stale_term_appends_nothing_and_its_permit_goes_out(store: &dyn Store) {
    let old = lease(store, "orders").await;
    let (run, _) = store.open(&old, at(0), opened("orders", false)).await.unwrap();
    let seen = store.lease(old.key()).await.unwrap();
    let new = store.acquire(old.key(), "host/2", Some(seen.revision)).await.unwrap();
    assert!(old.live());
    let late = store.append(&old, &run, 1, vec![(at(1), note(2))]).await.unwrap_err();
    assert!(matches!(&late, StoreError::StaleTerm { term, .. } if *term == old.term()), "{late}");
    assert!(!old.live());
    assert!(new.live());
    assert_eq!(store.read(&run, 1).await.unwrap(), []);
    store.append(&new, &run, 1, vec![(at(2), note(2)), (at(3), closed(Outcome::Failed))]).await.unwrap();
    assert_eq!(store.read(&run, 1).await.unwrap()[0].term, new.term());
    let open = store.open(&old, at(4), opened("orders", false)).await.unwrap_err();
    assert!(matches!(open, StoreError::StaleTerm { .. }), "{open}");
    assert_eq!(store.runs(None).await.unwrap().len(), 1);
}

pub(super) async fn a_lease_that_was_given_back_appends_nothing(store: &dyn Store) {
    let permit = lease(store, "orders").await;
    let (run, _) = store.open(&permit, at(0), opened("orders", false)).await.unwrap();
    store.release(&permit).await.unwrap();
    assert!(!permit.live());
    let late = store.append(&permit, &run, 1, vec![(at(1), note(2))]).await.unwrap_err();
    assert!(matches!(late, StoreError::StaleTerm { .. }), "{late}");
}

pub(super) async fn a_permit_for_another_group_or_for_rehearsals_appends_nothing(store: &dyn Store) {
    let permit = lease(store, "orders").await;
    let (run, _) = store.open(&permit, at(0), opened("orders", false)).await.unwrap();
    for other in [key("billing", false), key("orders", true)] {
        // The same term number, of another lease.
        let other = store.acquire(&other, "host/1", None).await.unwrap();
        assert_eq!(other.term(), permit.term());
        let refused = store.append(&other, &run, 1, vec![(at(1), note(2))]).await.unwrap_err();
        assert!(matches!(refused, StoreError::StaleTerm { .. }), "{refused}");
    }
    assert_eq!(store.read(&run, 1).await.unwrap(), []);
}

pub(super) async fn a_second_run_under_one_lease_is_refused_until_the_first_is_closed(store: &dyn Store) {
    let permit = lease(store, "orders").await;
    let (run, _) = store.open(&permit, at(0), opened("orders", false)).await.unwrap();
    let second = store.open(&permit, at(1), opened("orders", false)).await.unwrap_err();
    assert!(matches!(&second, StoreError::RunOpen { run: open } if *open == run), "{second}");
    store.append(&permit, &run, 1, vec![(at(2), closed(Outcome::Cancelled))]).await.unwrap();
    let (next, _) = store.open(&permit, at(3), opened("orders", false)).await.unwrap();
    assert_eq!(next.number, 2);
}

pub(super) async fn a_rehearsal_shares_the_numbers_and_not_the_lease(store: &dyn Store) {
    let real = lease(store, "orders").await;
    let rehearsal = store.acquire(&key("orders", true), "host/2", None).await.unwrap();
    let (first, _) = store.open(&rehearsal, at(0), opened("orders", true)).await.unwrap();
    let (second, _) = store.open(&real, at(1), opened("orders", false)).await.unwrap();
    assert_eq!((first.number, second.number), (1, 2));
    store.append(&rehearsal, &first, 1, vec![(at(2), closed(Outcome::Succeeded))]).await.unwrap();
    let (third, _) = store.open(&rehearsal, at(3), opened("orders", true)).await.unwrap();
    assert_eq!(third.number, 3);
    let (other, _) = store.open(&lease(store, "billing").await, at(4), opened("billing", false)).await.unwrap();
    assert_eq!(other.number, 1);
    // Which firing a run is the drill of is asked before another one is started.
    let runs = store.runs(Some(&group("orders"))).await.unwrap();
    let firing = runs[0].scheduled.as_ref().map(ToString::to_string);
    assert_eq!((firing, runs[0].drill), (Some(format!("{} of nightly", at(0))), Some(DrillMode::Rehearse)));
    assert_eq!((&runs[1].scheduled, runs[1].drill), (&None, None));
}

pub(super) async fn numbers_have_no_gap_under_eight_openers(store: &dyn Store) {
    let permits = [lease(store, "orders").await, store.acquire(&key("orders", true), "host/1", None).await.unwrap()];
    let opener = |n: usize| {
        let permit = &permits[n % 2];
        async move {
            let mut opened_here: Vec<u64> = Vec::new();
            while opened_here.len() < 5 {
                match store.open(permit, at(0), opened("orders", permit.key().rehearsal)).await {
                    Ok((run, _)) => {
                        tokio::task::yield_now().await;
                        store.append(permit, &run, 1, vec![(at(1), closed(Outcome::Failed))]).await.unwrap();
                        opened_here.push(run.number);
                    }
                    Err(StoreError::RunOpen { .. }) => tokio::task::yield_now().await,
                    Err(other) => panic!("{other}"),
                }
            }
            opened_here
        }
    };
    let numbers: Vec<u64> = join_all((0..8).map(opener)).await.into_iter().flatten().collect();
    assert_eq!(numbers.len(), 40);
    assert_eq!(numbers.into_iter().collect::<BTreeSet<_>>(), (1..=40).collect());
}

pub(super) async fn a_run_begins_with_opened_under_its_own_lease(store: &dyn Store) {
    let permit = lease(store, "orders").await;
    for wrong in [note(1), opened("billing", false), opened("orders", true)] {
        let refused = store.open(&permit, at(0), wrong).await.unwrap_err();
        assert_eq!(refused.disposition(), Disposition::AskHuman, "{refused}");
    }
    assert_eq!(store.runs(None).await.unwrap(), []);
}

pub(super) async fn the_summary_says_that_a_run_is_closed(store: &dyn Store) {
    let permit = lease(store, "orders").await;
    let (run, _) = store.open(&permit, at(0), opened("orders", false)).await.unwrap();
    let seen = store.runs(None).await.unwrap().remove(0);
    assert_eq!((&seen.run, seen.rehearsal, seen.opened_at, seen.closed), (&run, false, at(0), None));
    assert_eq!((seen.source.as_str(), seen.destination.as_str()), ("fra", "dub"));
    store
        .append(&permit, &run, 1, vec![(at(8), note(2)), (at(9), closed(Outcome::CompletedWithExceptions))])
        .await
        .unwrap();
    let seen = store.runs(None).await.unwrap().remove(0);
    assert_eq!(seen.closed, Some((at(9), Outcome::CompletedWithExceptions)));
}

pub(super) async fn a_closed_run_takes_no_events_and_no_orders(store: &dyn Store) {
    let permit = lease(store, "orders").await;
    let (run, _) = store.open(&permit, at(0), opened("orders", false)).await.unwrap();
    store.tell(&run, order("in time")).await.unwrap();
    store.append(&permit, &run, 1, vec![(at(2), closed(Outcome::Succeeded))]).await.unwrap();
    let event = store.append(&permit, &run, 2, vec![(at(3), note(3))]).await.unwrap_err();
    assert!(matches!(event, StoreError::RunClosed { .. }), "{event}");
    let late = store.tell(&run, order("late")).await.unwrap_err();
    assert!(matches!(late, StoreError::RunClosed { .. }), "{late}");
    assert_eq!(store.inbox(&run, 0).await.unwrap().len(), 1);
}

pub(super) async fn runs_are_listed_newest_first(store: &dyn Store) {
    let (orders, billing) = (lease(store, "orders").await, lease(store, "billing").await);
    for n in 0..12 {
        let (permit, name) = if n % 3 == 0 { (&billing, "billing") } else { (&orders, "orders") };
        let (run, _) = store.open(permit, at(n * 10), opened(name, false)).await.unwrap();
        store.append(permit, &run, 1, vec![(at(n * 10 + 1), closed(Outcome::Failed))]).await.unwrap();
    }
    let times: Vec<_> = store.runs(None).await.unwrap().into_iter().map(|run| run.opened_at).collect();
    assert_eq!(times, (0..12).rev().map(|n| at(n * 10)).collect::<Vec<_>>());
    let of_group = store.runs(Some(&group("orders"))).await.unwrap();
    assert_eq!(of_group.iter().map(|r| r.run.number).collect::<Vec<_>>(), [8, 7, 6, 5, 4, 3, 2, 1]);
    assert_eq!(store.runs(Some(&group("unknown"))).await.unwrap(), []);
}

pub(super) async fn orders_are_numbered_and_read_in_order(store: &dyn Store) {
    let permit = lease(store, "orders").await;
    let (run, _) = store.open(&permit, at(0), opened("orders", false)).await.unwrap();
    assert_eq!(store.inbox(&run, 0).await.unwrap(), []);
    let numbers: BTreeSet<_> = join_all((0..8).map(|n| store.tell(&run, order(&format!("{n}")))))
        .await
        .into_iter()
        .map(Result::unwrap)
        .collect();
    assert_eq!(numbers, (1..=8).collect());
    let read = store.inbox(&run, 3).await.unwrap();
    assert_eq!(read.iter().map(|entry| entry.number).collect::<Vec<_>>(), [4, 5, 6, 7, 8]);
    assert_eq!(read[0].command, order(&read[0].command.reason));
}

pub(super) async fn a_missing_run_is_named(store: &dyn Store) {
    let permit = lease(store, "orders").await;
    let run: RunId = "orders-7".parse().unwrap();
    let named = |error: StoreError| match error {
        StoreError::NoRun { run } => assert_eq!(run.number, 7),
        other => panic!("{other}"),
    };
    named(store.read(&run, 0).await.unwrap_err());
    named(store.append(&permit, &run, 1, vec![(at(1), note(2))]).await.unwrap_err());
    named(store.tell(&run, order("x")).await.unwrap_err());
    named(store.inbox(&run, 0).await.unwrap_err());
    named(store.keep(&run, "{}".into()).await.unwrap_err());
    named(store.record(&run).await.unwrap_err());
}

pub(super) async fn a_held_lease_is_refused_with_what_was_seen(store: &dyn Store) {
    let free = store.lease(&key("orders", false)).await.unwrap();
    assert_eq!((free.holder, free.term), (None, Term(0)));
    let permit = lease(store, "orders").await;
    let refused = store.acquire(permit.key(), "host/2", None).await.unwrap_err();
    let LeaseError::Held { state, .. } = &refused else { panic!("{refused}") };
    assert_eq!(state, &store.lease(permit.key()).await.unwrap());
    assert_eq!((state.holder.as_deref(), state.term), (Some("host/1"), permit.term()));
    assert_eq!(refused.to_string(), "the lease on orders is held by host/1");
}

pub(super) async fn a_lease_is_taken_over_only_while_its_revision_is_unchanged(store: &dyn Store) {
    let old = lease(store, "orders").await;
    let seen = store.lease(old.key()).await.unwrap().revision;
    store.renew(&old).await.unwrap();
    let renewed = store.acquire(old.key(), "host/2", Some(seen)).await.unwrap_err();
    assert!(matches!(renewed, LeaseError::Held { .. }), "{renewed}");
    assert!(old.live());
    let seen = store.lease(old.key()).await.unwrap().revision;
    let new = store.acquire(old.key(), "host/2", Some(seen)).await.unwrap();
    assert!(new.term() > old.term());
    assert_eq!(store.lease(old.key()).await.unwrap().holder.as_deref(), Some("host/2"));
}

pub(super) async fn one_of_many_contenders_gets_the_lease(store: &dyn Store) {
    let old = lease(store, "orders").await;
    let seen = store.lease(old.key()).await.unwrap().revision;
    let key = old.key();
    let tries = (0..8).map(|n| async move { store.acquire(key, &format!("host/{n}"), Some(seen)).await });
    let won: Vec<_> = join_all(tries).await.into_iter().filter_map(Result::ok).collect();
    assert_eq!(won.len(), 1);
    assert_eq!(won[0].term(), store.lease(old.key()).await.unwrap().term);
}

pub(super) async fn terms_only_grow(store: &dyn Store) {
    let mut last = Term(0);
    let mut revision = 0;
    for _ in 0..5 {
        let permit = lease(store, "orders").await;
        assert_eq!(permit.term(), Term(last.0 + 1));
        last = permit.term();
        store.renew(&permit).await.unwrap();
        store.release(&permit).await.unwrap();
        let now = store.lease(permit.key()).await.unwrap();
        assert_eq!((now.holder, now.term), (None, last));
        assert!(now.revision > revision);
        revision = now.revision;
    }
}

pub(super) async fn losing_the_lease_puts_the_permit_out(store: &dyn Store) {
    let old = lease(store, "orders").await;
    let copy = old.clone();
    let seen = store.lease(old.key()).await.unwrap().revision;
    let new = store.acquire(old.key(), "host/2", Some(seen)).await.unwrap();
    let lost = store.renew(&old).await.unwrap_err();
    assert!(matches!(&lost, LeaseError::Lost { term, .. } if *term == old.term()), "{lost}");
    assert!(!copy.live());
    let lost = store.release(&old).await.unwrap_err();
    assert!(matches!(lost, LeaseError::Lost { .. }), "{lost}");
    // The new holder lost nothing by it.
    store.renew(&new).await.unwrap();
    assert!(new.live());
}

pub(super) async fn a_report_replaces_the_observers_last_one(store: &dyn Store) {
    let report = |observer: &str, of: &str, falling| ObserverReport {
        observer: observer.into(),
        group: group(of),
        at: at(i64::from(falling)),
        valid_ms: 6000,
        abstains: Some("its own network is cut".into()),
        remark: None,
        judged: Some(Judged {
            answer: "hold".into(),
            reasons: vec!["automation is Manual".into()],
            command: None,
            verdicts: Vec::new(),
        }),
        probes: vec![ProbeSeen {
            region: region("fra"),
            probe: "edge".parse().unwrap(),
            state: ProbeState::Down,
            only_serving: true,
            degraded: None,
            rising: 0,
            falling,
            failing_since: Some(at(1)),
            last_healthy: None,
            detail: "connection refused".into(),
        }],
        markers: vec![MarkerSeen {
            target: "orders-db".parse().unwrap(),
            region: region("fra"),
            at: at(0),
            position: Some(u64::from(falling)),
        }],
    };
    for falling in 1..=3 {
        store.publish(&report("one", "orders", falling)).await.unwrap();
    }
    store.publish(&report("two", "orders", 7)).await.unwrap();
    store.publish(&report("one", "billing", 9)).await.unwrap();
    let seen = store.reports(&group("orders")).await.unwrap();
    assert_eq!(seen, [report("one", "orders", 3), report("two", "orders", 7)]);
}

pub(super) async fn a_record_replaces_the_runs_last_one(store: &dyn Store) {
    let permit = lease(store, "orders").await;
    let (run, _) = store.open(&permit, at(0), opened("orders", false)).await.unwrap();
    assert_eq!(store.record(&run).await.unwrap(), None);
    store.keep(&run, r#"{"outcome":null}"#.into()).await.unwrap();
    store.append(&permit, &run, 1, vec![(at(1), EventBody::Closed { outcome: Outcome::Failed })]).await.unwrap();
    store.keep(&run, r#"{"outcome":"failed"}"#.into()).await.unwrap();
    assert_eq!(store.record(&run).await.unwrap().as_deref(), Some(r#"{"outcome":"failed"}"#));
}

pub(super) async fn an_order_for_another_term_is_not_taken(store: &dyn Store) {
    let permit = lease(store, "orders").await;
    let (run, first) = store.open(&permit, at(0), opened("orders", false)).await.unwrap();
    let expecting = |term| Command { expected_term: Some(term), ..order("as I saw it") };
    assert_eq!(store.tell(&run, expecting(first.term)).await.unwrap(), 1);
    store.release(&permit).await.unwrap();
    let next = lease(store, "orders").await;
    // The lease alone says nothing: the run is at the term of its last event.
    assert_eq!(store.tell(&run, expecting(first.term)).await.unwrap(), 2);
    store.append(&next, &run, 1, vec![(at(1), note(2))]).await.unwrap();
    let moved = store.tell(&run, expecting(first.term)).await.unwrap_err();
    let StoreError::TermMoved { expected, found, .. } = &moved else { panic!("{moved}") };
    assert_eq!((*expected, *found), (first.term, next.term()));
    assert_eq!(store.tell(&run, expecting(next.term())).await.unwrap(), 3);
    assert_eq!(store.inbox(&run, 0).await.unwrap().len(), 3);
}

pub(super) async fn orders_to_stop_are_kept_in_the_order_they_were_given(store: &dyn Store) {
    assert_eq!(store.stop_orders().await.unwrap(), []);
    let order = |scope: Option<&str>, stops| StopOrder {
        group: scope.map(group),
        stops,
        by: Actor::new("Ada").unwrap(),
        reason: "the network team looks".into(),
        at: at(7),
    };
    let orders = [order(None, true), order(Some("orders"), true), order(None, false)];
    for order in &orders {
        store.order_stop(order).await.unwrap();
    }
    assert_eq!(store.stop_orders().await.unwrap(), orders);
}
