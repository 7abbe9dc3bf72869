//! Ten years of drills, as fast as they can be judged: processes that end and start again, drills that take their time,
//! blackouts, and, in a second act, clocks that jump. The answers are compared with the oracle of `calendar.rs`.

use std::{collections::BTreeSet, fmt::Write as _};

use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use lifeboat::{
    decide::{Due, Past, due},
    manifest::{self, load_texts},
    model::Schedule,
};

use super::calendar::{blacked_out, walk};
use crate::{simulation::campaign::number, theatre::dice::Dice};

/// Seeds in `make test`. Each is ten years of three schedules in three zones; 18 are every schedule in every zone, with and
/// without blackouts.
const SEEDS: u64 = 1;

/// Ten years in each: Apia's begin before it left out a day and end after it had given up its summer time.
const ZONES: [(&str, i16); 9] = [
    ("Europe/Berlin", 2020),
    ("America/New_York", 2020),
    ("Asia/Kolkata", 2020),
    ("Australia/Lord_Howe", 2020),
    ("Africa/Casablanca", 2020),
    ("Europe/London", 2094),
    ("Pacific/Apia", 2010),
    ("America/Santiago", 2020),
    ("UTC", 2020),
];

const CRONS: [&str; 9] = [
    "30 2 * * *",
    "0 3 * * 0",
    "15 1,2,3 * * 6,0",
    "0 12 29 2 *",
    "0 0 31 * *",
    "*/20 1,2,3 * * 0",
    "0 */12 * * 1",
    "45 23 1-7 * 1",
    "40 12 1 */3 *",
];

const BLACKOUTS: &str = "
  blackouts:
  - {weekly: {days: [Fri], from: \"18:00\", to: \"06:00\"}}
  - {weekly: {from: \"12:30\", to: \"12:45\"}}
";

/// A schedule by way of its document. `since` and `until` are the years of its feasts.
fn schedule(cron: &str, zone: &str, blackouts: bool, years: std::ops::Range<i16>) -> Schedule {
    let mut text = format!(
        "apiVersion: lifeboat.dev/v1alpha1\nkind: DrillSchedule\nmetadata: {{name: nightly}}\nspec:\n  group: orders\n  \
         schedule: \"{cron}\"\n  timeZone: {zone}\n"
    );
    if blackouts {
        text.push_str(BLACKOUTS.trim_start_matches('\n'));
        for year in years {
            writeln!(text, "  - dates: {{from: {year}-12-18, to: {}-01-03}}", year + 1).unwrap();
        }
    }
    let loaded = load_texts([("drill.yaml", text.as_str())]);
    assert!(loaded.findings.is_empty(), "{:?}", loaded.findings);
    manifest::schedule(&loaded.documents.schedules[0]).unwrap()
}

fn new_year(year: i16) -> Timestamp {
    jiff::civil::date(year, 1, 1).to_zoned(TimeZone::UTC).unwrap().timestamp()
}

fn minutes(count: u64) -> SignedDuration {
    SignedDuration::from_mins(i64::try_from(count).unwrap())
}

/// What ten years of one schedule came to.
#[derive(Debug, Default)]
struct Tally {
    scheduled: usize,
    blacked_out: usize,
    started: usize,
    caught_up: usize,
    superseded: usize,
    kept_out: usize,
    restarts: usize,
    looks: usize,
    jumps: usize,
}

impl Tally {
    fn add(&mut self, other: &Self) {
        self.scheduled += other.scheduled;
        self.blacked_out += other.blacked_out;
        self.started += other.started;
        self.caught_up += other.caught_up;
        self.superseded += other.superseded;
        self.kept_out += other.kept_out;
        self.restarts += other.restarts;
        self.looks += other.looks;
        self.jumps += other.jumps;
    }
}

/// The last 400 that were started: more than fit into the days that a clock jumps by, and quick to look through.
fn remember(past: &mut Past, which: Timestamp) {
    past.fired.push(which);
    if past.fired.len() > 400 {
        past.fired.remove(0);
    }
}

/// How late a look may be: after a drill has started, and while one waits, the process here looks every five minutes.
const DELAY: SignedDuration = SignedDuration::from_mins(6);

/// Times in which nothing can start although something may be due.
#[derive(Default)]
struct Hindrances(Vec<(Timestamp, Timestamp)>);

impl Hindrances {
    fn at(&self, at: Timestamp) -> bool {
        self.0.iter().any(|(from, to)| (*from..=*to).contains(&at))
    }
}

/// A process that looks when it said it would, or sooner; that ends and starts again within 25 minutes; whose drills take up to 25
/// minutes. With an hour's deadline nothing may be missed, but where another one, or a blackout, came in between.
fn honest(schedule: &Schedule, oracle: &[Timestamp], from: Timestamp, to: Timestamp, dice: &mut Dice) -> Tally {
    let zone = &schedule.timetable.zone;
    let with_blackouts = !schedule.blackouts.is_empty();
    let dark = |at: Timestamp| with_blackouts && blacked_out(zone, at);
    let mut tally = Tally { scheduled: oracle.len(), ..Tally::default() };
    let mut past = Past { since: from, fired: Vec::new(), open: None };
    let (mut now, mut busy_until, mut crashed) = (from, Timestamp::MIN, None);
    let (mut hindered, mut fired) = (Hindrances::default(), BTreeSet::new());
    let run = || Some("orders-1".parse().unwrap());
    while now < to {
        tally.looks += 1;
        past.open = if now < busy_until { run() } else { None };
        let (mut next, mut down) = (None, dice.in_thousand(60));
        match due(schedule, &past, now) {
            Due::Nothing { next: at } | Due::Skip { next: at, .. } => next = at,
            Due::Hold { .. } => {}
            Due::Start { which } => {
                let first = crashed != Some(which);
                if first && dice.in_thousand(100) {
                    // It ends between the answer and the journal.
                    (crashed, down) = (Some(which), true);
                } else {
                    let late = now.duration_since(which);
                    assert!(
                        oracle.binary_search(&which).is_ok(),
                        "{which} is no instant of {}",
                        schedule.timetable.cron
                    );
                    assert!(!dark(which) && !dark(now), "{which} was started in a blackout, at {now}");
                    assert!(fired.insert(which), "{which} was started twice");
                    assert!(late >= SignedDuration::ZERO && late < schedule.deadline, "{which} was started at {now}");
                    tally.caught_up += usize::from(late > minutes(1));
                    remember(&mut past, which);
                    tally.started += 1;
                    busy_until = now + minutes(dice.below(25));
                    hindered.0.push((now - DELAY, busy_until));
                }
            }
        }
        if down {
            tally.restarts += 1;
            let up = now + minutes(1 + dice.below(24));
            hindered.0.push((now - DELAY, up));
            now = up;
            if past.fired.is_empty() {
                past.since = now;
            }
            continue;
        }
        // The next instant with up to five seconds' delay, or any moment before it.
        let nap = now + minutes(1 + dice.below(if next.is_some() { 3 * 1_440 } else { 5 }));
        let at = next.map(|next| next + SignedDuration::from_secs(i64::try_from(dice.below(5)).unwrap()));
        now = at.map_or(nap, |at| at.min(nap)).max(now + SignedDuration::from_secs(1));
    }
    let begins = fired.first().copied().unwrap_or(to);
    for (at, instant) in oracle.iter().enumerate() {
        if dark(*instant) {
            tally.blacked_out += 1;
            continue;
        }
        if fired.contains(instant) || *instant <= begins || *instant + schedule.deadline > to {
            continue;
        }
        // It was not started: only a process that was down, or a drill that was on, is a reason, and then only with
        // another instant, or a blackout, within the deadline.
        assert!(hindered.at(*instant), "{instant} was missed without a reason: {}", schedule.timetable.cron);
        let in_time = |next: Timestamp| next < *instant + schedule.deadline;
        let superseded = oracle[at + 1..].iter().take_while(|next| in_time(**next)).any(|next| !dark(*next));
        let darkened = (1..60).any(|minute| dark(*instant + minutes(minute)));
        assert!(superseded || darkened, "{instant} was missed: {}", schedule.timetable.cron);
        tally.superseded += usize::from(superseded);
        tally.kept_out += usize::from(!superseded);
    }
    tally
}

/// A process whose wall clock jumps by up to 40 days, forwards and backwards, and that ends and starts again for as long as it likes.
/// Each answer is judged by itself.
fn jumpy(schedule: &Schedule, oracle: &[Timestamp], from: Timestamp, to: Timestamp, dice: &mut Dice) -> Tally {
    let zone = &schedule.timetable.zone;
    let with_blackouts = !schedule.blackouts.is_empty();
    let dark = |at: Timestamp| with_blackouts && blacked_out(zone, at);
    let mut tally = Tally { scheduled: oracle.len(), ..Tally::default() };
    let mut past = Past { since: from, fired: Vec::new(), open: None };
    let (mut real, mut off, mut fired) = (from, SignedDuration::ZERO, BTreeSet::new());
    while real < to {
        tally.looks += 1;
        if dice.in_thousand(20) {
            let reach = *dice.pick(&[1, 60, 1_440, 40 * 1_440]);
            let by = minutes(dice.below(reach * 2)) - minutes(reach);
            off = if dice.in_thousand(400) { SignedDuration::ZERO } else { off + by };
            off = off.clamp(-minutes(60 * 1_440), minutes(60 * 1_440));
            tally.jumps += 1;
        }
        let now = real + off;
        past.open = dice.in_thousand(50).then(|| "orders-1".parse().unwrap());
        // The oracle's own answer.
        let recent = oracle[..oracle.partition_point(|instant| *instant <= now)].iter().rev();
        let newest = recent.take_while(|instant| **instant > now - schedule.deadline).find(|instant| !dark(**instant));
        let known = past.fired.iter().filter(|instant| **instant <= now + schedule.deadline).max();
        let started_later = |instant: Timestamp| match known {
            Some(known) => *known >= instant,
            None => past.fired.is_empty() && past.since >= instant,
        };
        let expected = newest.copied().filter(|instant| !started_later(*instant));
        match (due(schedule, &past, now), expected) {
            (Due::Start { which }, Some(expected)) if past.open.is_none() && !dark(now) => {
                assert_eq!(which, expected, "at {now}");
                assert!(fired.insert(which), "{which} was started twice");
                remember(&mut past, which);
                tally.started += 1;
            }
            (Due::Hold { which, .. }, Some(expected)) if past.open.is_some() || dark(now) => {
                assert_eq!(which, expected);
            }
            (Due::Nothing { .. } | Due::Skip { .. }, None) => {}
            (said, expected) => panic!("{} at {now}: {said:?}, expected {expected:?}", schedule.timetable.cron),
        }
        let ahead = oracle.partition_point(|instant| *instant <= now);
        let next = oracle.get(ahead).map_or(minutes(1_440), |next| next.duration_since(now));
        let nap = minutes(1 + dice.below(2 * 1_440));
        real += if dice.in_thousand(700) { next.min(nap) } else { nap }.max(SignedDuration::from_secs(1));
        if dice.in_thousand(30) {
            tally.restarts += 1;
            if past.fired.is_empty() {
                past.since = real + off;
            }
        }
    }
    tally
}

/// Plays the schedules in every zone, some of them with blackouts, two zones at a time: (the honest act, the jumpy one).
fn play() -> (Tally, Tally) {
    let (first, seeds) = (number("FROM").unwrap_or(0), number("SEEDS").unwrap_or(SEEDS));
    let total = std::sync::Mutex::new((Tally::default(), Tally::default()));
    std::thread::scope(|scope| {
        for half in 0..2 {
            let total = &total;
            scope.spawn(move || {
                for (at, (name, year)) in (0_u64..).zip(ZONES).filter(|(at, _)| at % 2 == half) {
                    let mine = (first..first + seeds).filter(|seed| (at + seed).is_multiple_of(3)).collect::<Vec<_>>();
                    if mine.is_empty() {
                        continue;
                    }
                    let zone = TimeZone::get(name).unwrap();
                    let (from, to) = (new_year(year), new_year(year + 10));
                    let around = minutes(90 * 1_440);
                    let oracle = walk(&CRONS, &zone, from - around, to + around);
                    for seed in mine {
                        // A third of them with each seed, and one of these with clocks that jump.
                        for (nth, cron) in
                            (0_u64..).zip(CRONS).filter(|(nth, _)| (at / 3 + nth + seed / 3).is_multiple_of(3))
                        {
                            let dice = Dice::new(seed).fork(at * 100 + nth);
                            let schedule = schedule(cron, name, (nth + seed / 9) % 2 == 1, year - 1..year + 11);
                            let oracle = &oracle[usize::try_from(nth).unwrap()];
                            let tally = honest(&schedule, oracle, from, to, &mut dice.fork(1));
                            total.lock().unwrap().0.add(&tally);
                            if (nth / 3 + seed / 9).is_multiple_of(3) {
                                let tally = jumpy(&schedule, oracle, from, to, &mut dice.fork(2));
                                total.lock().unwrap().1.add(&tally);
                            }
                        }
                    }
                }
            });
        }
    });
    total.into_inner().unwrap()
}

#[test]
fn in_ten_years_no_drill_is_missed_and_none_is_doubled_and_where_clocks_jump_each_answer_is_right() {
    let (honest, jumpy) = play();
    println!("as they should be: {honest:?}\nclocks that jump:  {jumpy:?}");
    assert!(honest.started > 1_000 && honest.caught_up > 50 && honest.restarts > 200, "{honest:?}");
    assert!(honest.blacked_out > 50 && honest.superseded > 5, "{honest:?}");
    assert!(jumpy.started > 100 && jumpy.jumps > 50 && jumpy.restarts > 50, "{jumpy:?}");
}
