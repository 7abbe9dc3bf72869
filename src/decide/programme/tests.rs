use proptest::prelude::*;

mod score;

use super::*;
use crate::model::{GroupName, Tier, Validity};

fn asked() -> Requirement {
    Requirement {
        policy: "tier1".parse().unwrap(),
        name: "live".parse().unwrap(),
        kind: Exercise::Live,
        every_days: 90,
        warn_days: 14,
        directions: Directions::Any,
        stale_on: Change::ALL.into_iter().collect(),
        valid: Validity {
            verdicts: [Acceptable::Passed, Acceptable::PassedWithFindings].into_iter().collect(),
            recovery_time_met: true,
            recovery_point_met: true,
            parity: ParityAsked::NoFail,
            signed_off_within_days: None,
        },
        retest_within_days: 30,
        counts_real_events: false,
    }
}

fn pins() -> Pins {
    Pins {
        runbook: Digest::of(b"runbook"),
        topology: Digest::of(b"topology"),
        objectives: (300, 10),
        version: "0.1.0".into(),
    }
}

/// A live drill away that passed and met both objectives.
fn trial(number: u64, ended: &str) -> Trial {
    Trial {
        run: format!("orders-{number}").parse().unwrap(),
        kind: RunKind::Switchover,
        drill: Some(DrillMode::Live),
        direction: Direction::Away,
        ended: ended.parse().unwrap(),
        shown: Shown::Passed,
        time_met: Some(true),
        loss_met: Some(true),
        compared: None,
        pins: Some(pins()),
        said: Vec::new(),
    }
}

fn said(who: &str, accepted: bool, at: &str) -> Said {
    Said { by: who.parse().unwrap(), accepted, at: at.parse().unwrap(), comment: "the lag was not real".into() }
}

/// As one would be drilled now.
fn force() -> Force {
    Force::of(&[trial(1, "2026-01-01T00:00:00Z")])
}

fn on(text: &str) -> Date {
    text.parse().unwrap()
}

fn status(asked: &Requirement, trials: &[Trial], as_of: &str) -> Status {
    standing(asked, trials, &[], &force(), on(as_of)).status
}

#[test]
fn a_drill_counts_to_the_end_of_its_last_day_and_not_a_day_longer() {
    // Ended at the last second of a day: 2026-03-01 plus 90 days is 2026-05-30.
    let trials = [trial(1, "2026-03-01T23:59:59Z")];
    for (as_of, expected) in [
        ("2026-02-28", Status::Never),
        ("2026-03-01", Status::Current),
        ("2026-05-15", Status::Current),
        ("2026-05-16", Status::DueSoon),
        ("2026-05-29", Status::DueSoon),
        ("2026-05-30", Status::DueSoon),
        ("2026-05-31", Status::Overdue),
        ("2036-05-31", Status::Overdue),
    ] {
        assert_eq!(status(&asked(), &trials, as_of), expected, "{as_of}");
    }
    let found = standing(&asked(), &trials, &[], &force(), on("2026-05-31"));
    assert_eq!((found.due, found.valid), (Some(on("2026-05-30")), Some("orders-1".parse().unwrap())));
}

#[test]
fn days_are_days_of_the_calendar_over_leap_days_and_the_ends_of_months() {
    for (ended, every_days, due) in [
        ("2028-02-28T12:00:00Z", 1, "2028-02-29"),
        ("2028-02-29T12:00:00Z", 365, "2029-02-28"),
        ("2027-02-28T12:00:00Z", 1, "2027-03-01"),
        ("2026-01-31T12:00:00Z", 30, "2026-03-02"),
        ("2028-01-31T12:00:00Z", 30, "2028-03-01"),
        ("2026-12-31T23:59:59Z", 1, "2027-01-01"),
        ("2026-01-01T00:00:00Z", 365, "2027-01-01"),
        // 23:30 in New York is the next day in UTC, and that is the day that counts.
        ("2026-06-30T23:30:00-04:00", 31, "2026-08-01"),
    ] {
        let asked = Requirement { every_days, warn_days: 0, ..asked() };
        let trials = [trial(1, ended)];
        let due_day = on(due);
        let found = |as_of: Date| standing(&asked, &trials, &[], &force(), as_of);
        assert_eq!(found(due_day).due, Some(due_day), "{ended} + {every_days}");
        assert_eq!(found(due_day).status, Status::DueSoon, "{ended} + {every_days}");
        assert_eq!(found(due_day.yesterday().unwrap()).status, Status::Current, "{ended} + {every_days}");
        assert_eq!(found(due_day.tomorrow().unwrap()).status, Status::Overdue, "{ended} + {every_days}");
    }
}

#[test]
fn an_older_pass_hides_no_failure() {
    let good = trial(1, "2026-03-01T12:00:00Z");
    let cases: [(&str, Trial, &str); 6] = [
        (
            "failed",
            Trial { shown: Shown::Failed("a step failed".into()), ..trial(2, "2026-03-10T12:00:00Z") },
            "a step failed",
        ),
        (
            "nobody can tell",
            Trial { shown: Shown::Inconclusive("cancelled".into()), ..trial(2, "2026-03-10T12:00:00Z") },
            "nobody can tell whether it passed: cancelled",
        ),
        ("too slow", Trial { time_met: Some(false), ..trial(2, "2026-03-10T12:00:00Z") }, "recovery time missed"),
        ("not timed", Trial { time_met: None, ..trial(2, "2026-03-10T12:00:00Z") }, "recovery time was not measured"),
        ("lossy", Trial { loss_met: Some(false), ..trial(2, "2026-03-10T12:00:00Z") }, "data loss missed"),
        ("loss unknown", Trial { loss_met: None, ..trial(2, "2026-03-10T12:00:00Z") }, "data loss was not measured"),
    ];
    for (story, bad, why) in cases {
        let trials = [bad.clone(), good.clone()];
        let found = standing(&asked(), &trials, &[], &force(), on("2026-03-11"));
        assert_eq!(found.status, Status::Failed, "{story}");
        assert!(found.why[0].contains(why), "{story}: {:?}", found.why);
        assert_eq!(found.valid, Some(good.run.clone()), "{story}");
        assert_eq!(found.due, Some(on("2026-04-09")), "{story}: a new try within 30 days");
        assert!(found.why[1].contains("is due by 2026-04-09"), "{story}: {:?}", found.why);
        let late = standing(&asked(), &trials, &[], &force(), on("2026-04-10"));
        assert!(late.why[1].contains("was due by 2026-04-09"), "{story}: {:?}", late.why);
        // The next pass ends it.
        let mended = [bad, good.clone(), trial(3, "2026-03-12T12:00:00Z")];
        assert_eq!(status(&asked(), &mended, "2026-03-12"), Status::Current, "{story}");
    }
    // A rehearsal moves nothing, so it has no recovery time to meet.
    let asked = Requirement { kind: Exercise::Rehearse, ..asked() };
    let rehearsal = Trial { drill: Some(DrillMode::Rehearse), time_met: None, loss_met: None, ..good };
    assert_eq!(
        standing(
            &asked,
            std::slice::from_ref(&rehearsal),
            &[],
            &Force::of(std::slice::from_ref(&rehearsal)),
            on("2026-03-11")
        )
        .status,
        Status::Current
    );
}

#[test]
fn what_changed_since_makes_it_stale_with_its_cause() {
    let trials = [trial(1, "2026-03-01T12:00:00Z")];
    let other = Digest::of(b"other");
    let key = (RunKind::Switchover, false);
    let with = |change: &dyn Fn(&mut Force)| {
        let mut force = force();
        change(&mut force);
        force
    };
    let cases: [(Change, Force, &str); 5] = [
        (Change::RunbookChange, with(&|force| drop(force.runbooks.insert(key, other.clone()))), "the runbook changed"),
        (
            Change::TopologyChange,
            with(&|force| drop(force.topologies.insert(false, other.clone()))),
            "the topology changed",
        ),
        (Change::ObjectiveChange, with(&|force| force.objectives = Some((60, 10))), "the objectives changed"),
        (Change::EngineMajor, with(&|force| force.version = Some("0.2.0".into())), "major version changed"),
        (Change::EngineMajor, with(&|force| force.version = Some("1.0.0".into())), "major version changed"),
    ];
    for (change, force, why) in cases {
        let found = standing(&asked(), &trials, &[], &force, on("2026-03-02"));
        assert_eq!(found.status, Status::Stale, "{change:?}");
        assert!(found.why[0].contains(why) && found.why[0].ends_with("since orders-1"), "{:?}", found.why);
        // A policy that does not mind is not stale.
        let calm = Requirement { stale_on: Change::ALL.into_iter().filter(|one| *one != change).collect(), ..asked() };
        assert_eq!(standing(&calm, &trials, &[], &force, on("2026-03-02")).status, Status::Current, "{change:?}");
        // What is over is over: that comes first.
        assert_eq!(standing(&asked(), &trials, &[], &force, on("2026-07-01")).status, Status::Overdue, "{change:?}");
    }
    let patch = with(&|force| force.version = Some("0.1.9".into()));
    assert_eq!(standing(&asked(), &trials, &[], &patch, on("2026-03-02")).status, Status::Current);
}

#[test]
fn a_past_day_is_judged_by_the_newest_run_of_that_day() {
    let old = trial(1, "2026-03-01T12:00:00Z");
    // A switchover by a person, which is no drill, shows that the runbook is another one since.
    let newer = Pins { runbook: Digest::of(b"other"), ..pins() };
    let moved = Trial { drill: None, pins: Some(newer), ..trial(2, "2026-04-01T12:00:00Z") };
    let found = |trials: &[Trial], as_of| standing(&asked(), trials, &[], &Force::of(trials), on(as_of)).status;
    assert_eq!(found(std::slice::from_ref(&old), "2026-03-31"), Status::Current);
    assert_eq!(found(&[old, moved], "2026-04-01"), Status::Stale);
}

#[test]
fn what_cannot_be_compared_or_would_not_work_now_is_blocked() {
    let trials = [trial(1, "2026-03-01T12:00:00Z")];
    let mut nothing = force();
    nothing.runbooks.clear();
    nothing.unknown = vec!["LB0103 in orders.yaml".into()];
    let found = standing(&asked(), &trials, &[], &nothing, on("2026-03-02"));
    assert_eq!(found.status, Status::Blocked);
    assert!(found.why[0].contains("whether the runbook changed") && found.why[0].contains("LB0103"), "{:?}", found.why);
    let blocked = Force { blocks: Some(vec!["db: no fence".into()]), ..force() };
    let found = standing(&asked(), &trials, &[], &blocked, on("2026-03-02"));
    assert_eq!((found.status, found.why[0].contains("no fence")), (Status::Blocked, true));
    assert_eq!(standing(&asked(), &trials, &[], &blocked, on("2026-07-02")).status, Status::Overdue);
    let looked = Force { blocks: Some(Vec::new()), ..force() };
    assert_eq!(standing(&asked(), &trials, &[], &looked, on("2026-03-02")).status, Status::Current);
}

#[test]
fn a_drill_waits_for_its_sign_off_and_fails_without_it() {
    let mut asked = asked();
    asked.valid.signed_off_within_days = Some(5);
    let with = |said: Vec<Said>| [Trial { said, ..trial(1, "2026-03-01T12:00:00Z") }];
    let none = with(Vec::new());
    for (as_of, expected) in [
        ("2026-03-01", Status::AwaitingSignoff),
        ("2026-03-06", Status::AwaitingSignoff),
        ("2026-03-07", Status::Failed),
    ] {
        assert_eq!(status(&asked, &none, as_of), expected, "{as_of}");
    }
    let accepted = with(vec![said("ben", true, "2026-03-06T23:59:59Z")]);
    // Whoever asks about the day before does not know of it.
    assert_eq!(status(&asked, &accepted, "2026-03-05"), Status::AwaitingSignoff);
    assert_eq!(status(&asked, &accepted, "2026-03-06"), Status::Current);
    assert_eq!(status(&asked, &accepted, "2026-03-20"), Status::Current);
    let late = with(vec![said("ben", true, "2026-03-07T00:00:00Z")]);
    assert_eq!(status(&asked, &late, "2026-03-07"), Status::Failed);
    let dissent = with(vec![said("ben", true, "2026-03-02T12:00:00Z"), said("anna", false, "2026-03-03T12:00:00Z")]);
    let found = standing(&asked, &dissent, &[], &force(), on("2026-03-04"));
    assert_eq!(found.status, Status::Failed);
    assert!(found.why[0].contains("anna does not stand behind its record: the lag was not real"), "{:?}", found.why);
    let convinced = with(vec![said("anna", false, "2026-03-03T12:00:00Z"), said("anna", true, "2026-03-04T12:00:00Z")]);
    assert_eq!(status(&asked, &convinced, "2026-03-04"), Status::Current);
    // One that waits longer than its period is not saved by waiting.
    asked.every_days = 3;
    assert_eq!(status(&asked, &none, "2026-03-05"), Status::Overdue);
}

#[test]
fn both_ways_are_asked_for_each_on_its_own() {
    let asked = Requirement { directions: Directions::Both, ..asked() };
    let away = trial(1, "2026-03-01T12:00:00Z");
    let home = Trial { direction: Direction::Home, kind: RunKind::Failback, ..trial(2, "2026-03-05T12:00:00Z") };
    let force = Force::of(&[away.clone(), home.clone()]);
    let found = |trials: &[Trial], as_of| standing(&asked, trials, &[], &force, on(as_of));
    let alone = found(std::slice::from_ref(&away), "2026-03-06");
    assert_eq!(alone.status, Status::Never);
    assert_eq!(alone.why, ["home: no live is in the ledger"]);
    let both = [away, home.clone()];
    assert_eq!(found(&both, "2026-03-06").status, Status::Current);
    assert_eq!(found(&both, "2026-03-06").due, Some(on("2026-05-30")), "the earlier of the two");
    assert_eq!(found(&both, "2026-05-31").status, Status::Overdue);
    let again = [trial(3, "2026-05-31T12:00:00Z"), home];
    assert_eq!(found(&again, "2026-05-31").status, Status::DueSoon, "the way home has four days left");
    assert_eq!(found(&again, "2026-06-04").status, Status::Overdue);
    // A run whose record is missing may have gone either way, and hides nothing.
    let shown = Shown::Inconclusive("the ledger has no record of it".into());
    let lost = Trial { shown, pins: None, direction: Direction::Between, ..trial(4, "2026-03-06T12:00:00Z") };
    assert_eq!(found(&[both[0].clone(), both[1].clone(), lost], "2026-03-07").status, Status::Failed);
}

#[test]
fn a_waiver_holds_for_its_days_names_who_answers_and_hides_nothing_that_is_kept() {
    let trials = [trial(1, "2026-03-01T12:00:00Z")];
    let grant = |requirement: &str, at: &str| Grant {
        requirement: requirement.into(),
        until: on("2026-06-30"),
        reason: "the data centre moves".into(),
        by: "ben".parse().unwrap(),
        at: at.parse().unwrap(),
    };
    let mine = [grant("tier1/live", "2026-06-02T12:00:00Z")];
    let found = |grants: &[Grant], as_of| standing(&asked(), &trials, grants, &force(), on(as_of));
    for (as_of, expected) in [
        ("2026-05-20", Status::DueSoon),
        ("2026-06-01", Status::Overdue),
        ("2026-06-02", Status::Waived),
        ("2026-06-30", Status::Waived),
        ("2026-07-01", Status::Overdue),
    ] {
        assert_eq!(found(&mine, as_of).status, expected, "{as_of}");
    }
    let waived = found(&mine, "2026-06-02");
    assert_eq!(waived.hidden, Some(Status::Overdue));
    assert_eq!(waived.why[0], "waived by ben until 2026-06-30: the data centre moves");
    assert_eq!(found(&[grant("tier1/other", "2026-05-02T12:00:00Z")], "2026-06-02").status, Status::Overdue);
    assert_eq!(found(&[grant("tier1/live", "2026-03-02T12:00:00Z")], "2026-03-03").status, Status::Current);
}

#[test]
fn real_events_count_only_where_the_policy_says_so() {
    let real = Trial { drill: None, ..trial(1, "2026-03-01T12:00:00Z") };
    assert_eq!(status(&asked(), std::slice::from_ref(&real), "2026-03-02"), Status::Never);
    let counting = Requirement { counts_real_events: true, ..asked() };
    assert_eq!(status(&counting, std::slice::from_ref(&real), "2026-03-02"), Status::Current);
    let lost = [Trial { shown: Shown::Failed("it was".into()), ..real }];
    assert_eq!(status(&counting, &lost, "2026-03-02"), Status::Failed, "a real failure counts too");
}

fn group(name: &str) -> GroupName {
    name.parse().unwrap()
}

fn well() -> Preparedness {
    Preparedness::Seen { blocks: Vec::new(), worries: 0 }
}

fn run(number: u64) -> RunId {
    format!("orders-{number}").parse().unwrap()
}

#[test]
fn a_drill_that_found_a_control_lost_does_not_count_unless_the_policy_says_so() {
    let with = |failed: &[&str], unchecked| {
        let failed = failed.iter().map(|what| (*what).to_owned()).collect();
        let compared = Some(Compared { passed: 5, unchecked, failed });
        Trial { compared, ..trial(1, "2026-03-01T12:00:00Z") }
    };
    let asked = |parity| Requirement { valid: Validity { parity, ..asked().valid }, ..asked() };
    let [any, no_fail, all] = [ParityAsked::Any, ParityAsked::NoFail, ParityAsked::AllChecked].map(asked);
    let bare = || trial(1, "2026-03-01T12:00:00Z");
    let lost = || with(&["versions of db: server"], 0);
    for (story, trial, policy, counts) in [
        ("nothing compared", bare(), &no_fail, true),
        ("nothing compared, and all is asked for", bare(), &all, false),
        ("all holds", with(&[], 0), &all, true),
        ("something was not checked", with(&[], 2), &no_fail, true),
        ("something was not checked, and all is asked for", with(&[], 2), &all, false),
        ("something differs", lost(), &no_fail, false),
        ("something differs, whatever it is", lost(), &any, true),
    ] {
        let found = standing(policy, &[trial], &[], &force(), on("2026-03-02"));
        let expected = if counts { Status::Current } else { Status::Failed };
        assert_eq!(found.status, expected, "{story}: {:?}", found.why);
    }
    let found = standing(&no_fail, &[lost()], &[], &force(), on("2026-03-02"));
    assert!(found.why[0].contains("controls differ between the regions: versions of db: server"), "{:?}", found.why);
    // A real failover compares none, and is no drill.
    let real = Trial { drill: None, ..bare() };
    let all = Requirement { counts_real_events: true, ..all };
    assert_eq!(status(&all, &[real], "2026-03-02"), Status::Current);
}

fn any_trial() -> impl Strategy<Value = Trial> {
    let shown = prop_oneof![
        4 => Just(Shown::Passed),
        1 => Just(Shown::Failed("it was".into())),
        1 => Just(Shown::Inconclusive("cancelled".into())),
    ];
    (1_u64..40, 0_i64..700, shown, any::<bool>(), any::<bool>(), prop::option::of(0_i64..10)).prop_map(
        |(number, days, shown, home, same, signed)| {
            let ended =
                "2026-01-01T09:00:00Z".parse::<Timestamp>().unwrap() + jiff::SignedDuration::from_hours(days * 24);
            let at = signed.map(|later| ended + jiff::SignedDuration::from_hours(later * 24));
            let runbook = if same { Digest::of(b"runbook") } else { Digest::of(b"other") };
            Trial {
                direction: if home { Direction::Home } else { Direction::Away },
                ended,
                shown,
                pins: Some(Pins { runbook, ..pins() }),
                said: at.map(|at| Said { at, ..said("ben", true, "2026-01-01T00:00:00Z") }).into_iter().collect(),
                ..trial(number, "2026-01-01T00:00:00Z")
            }
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    /// With nothing new in the ledger, days make it worse and never better.
    #[test]
    fn nothing_becomes_current_again_by_waiting(
        trials in prop::collection::vec(any_trial(), 0..6),
        both in any::<bool>(),
        sign in prop::option::of(1_u32..10),
        every in 1_u32..120,
        warn in 0_u32..30,
    ) {
        let mut asked = Requirement { every_days: every, warn_days: warn.min(every - 1), ..asked() };
        asked.directions = if both { Directions::Both } else { Directions::Any };
        asked.valid.signed_off_within_days = sign;
        let force = Force::of(&trials);
        // After the last thing that the ledger holds.
        let news = trials.iter().flat_map(|trial| trial.said.iter().map(|said| said.at).chain([trial.ended])).max();
        let mut as_of = day(news.unwrap_or(Timestamp::UNIX_EPOCH));
        let mut before = standing(&asked, &trials, &[], &force, as_of);
        for _ in 0..160 {
            as_of = as_of.tomorrow().unwrap();
            let now = standing(&asked, &trials, &[], &force, as_of);
            prop_assert!(!now.status.is_kept() || before.status.is_kept(), "{before:?} and then {now:?}");
            prop_assert!(
                before.status != Status::DueSoon || now.status != Status::Current,
                "{before:?} and then {now:?}"
            );
            prop_assert!(!before.status.is_broken() || now.status.is_broken(), "{before:?} and then {now:?}");
            before = now;
        }
    }

    /// What is kept stands on a valid run within its time, of each way that is asked for.
    #[test]
    fn what_is_kept_has_a_run_within_its_time(trials in prop::collection::vec(any_trial(), 0..6), at in 0_i32..800, every in 1_u32..120) {
        let asked = Requirement { every_days: every, warn_days: 0, ..asked() };
        let as_of = on("2026-01-01").checked_add(Span::new().days(at)).unwrap();
        let found = standing(&asked, &trials, &[], &Force::of(&trials), as_of);
        if found.status.is_kept() {
            let ended = day(found.valid_ended.unwrap());
            prop_assert!(ended <= as_of && as_of <= after(ended, every), "{found:?} as of {as_of}");
            prop_assert_eq!(&found.valid, &found.last);
        }
    }

    /// The order in which the ledger gives runs does not matter, and neither does what comes later.
    #[test]
    fn the_answer_does_not_depend_on_order_or_on_the_future(trials in prop::collection::vec(any_trial(), 0..6), at in 0_i32..800) {
        let as_of = on("2026-01-01").checked_add(Span::new().days(at)).unwrap();
        let force = force();
        let mut unique = trials;
        unique.sort_by_key(|trial| trial.run.number);
        unique.dedup_by_key(|trial| trial.run.number);
        let found = standing(&asked(), &unique, &[], &force, as_of);
        let reversed: Vec<Trial> = unique.iter().rev().cloned().collect();
        prop_assert_eq!(&standing(&asked(), &reversed, &[], &force, as_of), &found);
        let past: Vec<Trial> = unique.into_iter().filter(|trial| day(trial.ended) <= as_of).collect();
        prop_assert_eq!(standing(&asked(), &past, &[], &force, as_of), found);
    }
}
