//! What is due, as a table: one row for each rule.

use jiff::Timestamp;
use lifeboat::{
    decide::{Due, Past, due},
    manifest::{self, load_texts},
    model::Schedule,
};

/// At three every night, an hour late at most; nothing on Fridays from two to four, and on two days of March.
fn schedule(more: &str) -> Schedule {
    let text = format!(
        "apiVersion: lifeboat.dev/v1alpha1\nkind: DrillSchedule\nmetadata: {{name: nightly}}\nspec:\n  group: orders\n  \
         schedule: 0 3 * * *\n  blackouts:\n  - {{weekly: {{days: [Fri], from: \"02:30\", to: \"04:00\"}}, reason: backup}}\n  \
         - {{weekly: {{days: [Mon], from: \"03:20\", to: \"03:40\"}}, reason: reports}}\n  \
         - {{dates: {{from: 2026-03-10, to: 2026-03-11}}, reason: audit}}\n{more}"
    );
    let loaded = load_texts([("drill.yaml", text.as_str())]);
    manifest::schedule(&loaded.documents.schedules[0]).unwrap()
}

/// `03-02 03:00` of 2026.
fn at(text: &str) -> Timestamp {
    format!("2026-{}:00Z", text.replace(' ', "T")).parse().unwrap()
}

fn said(due: &Due) -> String {
    let time = |at: &Timestamp| at.strftime("%m-%d %H:%M").to_string();
    let next = |next: &Option<Timestamp>| next.as_ref().map_or_else(|| "never".into(), time);
    match due {
        Due::Nothing { next: at } => format!("nothing until {}", next(at)),
        Due::Hold { which, why } => format!("{} waits: {why:?}", time(which)),
        Due::Skip { which, why, next: at } => format!("{} is passed over: {why:?}, next {}", time(which), next(at)),
        Due::Start { which } => format!("start {}", time(which)),
    }
}

#[test]
fn each_rule_has_its_answer() {
    // 2 March 2026 is a Monday.
    let since = at("02-28 12:00");
    for (fired, now, expected) in [
        // On time, late, and too late.
        (&["03-01 03:00"][..], "03-02 02:59", "nothing until 03-02 03:00"),
        (&["03-01 03:00"], "03-02 03:00", "start 03-02 03:00"),
        (&["03-01 03:00"], "03-03 03:59", "start 03-03 03:00"),
        (&["03-01 03:00"], "03-03 04:00", "03-03 03:00 is passed over: TooLate, next 03-04 03:00"),
        // Once.
        (&["03-01 03:00", "03-02 03:00"], "03-02 03:01", "nothing until 03-03 03:00"),
        // A clock that was put back by ten minutes, and by two days.
        (&["03-03 03:00", "03-04 03:00"], "03-04 02:51", "nothing until 03-05 03:00"),
        (&["03-01 03:00", "03-04 03:00"], "03-02 03:00", "start 03-02 03:00"),
        // The instant lies in a blackout, of a week and of dates.
        (
            &["03-05 03:00"],
            "03-06 03:10",
            "03-06 03:00 is passed over: Blackout { reason: \"backup\" }, next 03-07 03:00",
        ),
        (
            &["03-09 03:00"],
            "03-10 03:00",
            "03-10 03:00 is passed over: Blackout { reason: \"audit\" }, next 03-12 03:00",
        ),
        // Late into a blackout: it waits, and starts when the blackout is over.
        (
            &["03-01 03:00"],
            "03-02 03:30",
            "03-02 03:00 waits: Blackout { reason: \"reports\", until: Some(2026-03-02T03:40:00Z) }",
        ),
        (&["03-01 03:00"], "03-02 03:40", "start 03-02 03:00"),
        // Nothing was started yet: what lies before the schedule was first read is none of its business.
        (&[], "02-28 12:01", "nothing until 03-01 03:00"),
        (&[], "03-01 03:00", "start 03-01 03:00"),
    ] {
        let past = Past { since, fired: fired.iter().map(|instant| at(instant)).collect(), open: None };
        assert_eq!(said(&due(&schedule(""), &past, at(now))), expected, "{fired:?} at {now}");
    }
}

#[test]
fn a_suspended_schedule_and_an_open_run_make_it_wait() {
    let past = Past { since: at("02-28 12:00"), fired: vec![at("03-01 03:00")], open: None };
    let suspended = due(&schedule("  suspend: true\n"), &past, at("03-02 03:00"));
    assert_eq!(said(&suspended), "03-02 03:00 waits: Suspended");
    let open = Past { open: Some("orders-7".parse().unwrap()), ..past };
    assert!(said(&due(&schedule(""), &open, at("03-02 03:00"))).starts_with("03-02 03:00 waits: RunOpen"));
    assert_eq!(said(&due(&schedule(""), &open, at("03-02 02:00"))), "nothing until 03-02 03:00");
}

#[test]
fn a_schedule_that_is_blacked_out_for_good_says_never() {
    let always = schedule("").timetable;
    let mut schedule = schedule("  - {weekly: {from: \"02:00\", to: \"05:00\"}}\n");
    assert_eq!(schedule.timetable, always);
    let past = Past { since: at("03-02 01:00"), fired: Vec::new(), open: None };
    assert_eq!(said(&due(&schedule, &past, at("03-02 02:00"))), "nothing until never");
    schedule.blackouts.clear();
    assert_eq!(said(&due(&schedule, &past, at("03-02 02:00"))), "nothing until 03-02 03:00");
}
