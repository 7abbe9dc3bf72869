//! What a schedule means, told in another way than the program's: by walking every minute, as crond does, with the wall clock's
//! label in hand. It shares no code with what it judges.

use jiff::{Timestamp, civil::date, tz::TimeZone};

/// Minutes of a day.
const DAY: i64 = 1_440;
/// A clock that is moved by more than that many minutes is another clock.
const SEASON: i64 = 180;

/// One schedule, as tables.
struct Tables {
    minutes: Vec<bool>,
    hours: Vec<bool>,
    days: Vec<bool>,
    months: Vec<bool>,
    weekdays: Vec<bool>,
    either_day: bool,
    interval: bool,
}

/// The numbers that a field means; `index` is the number.
fn table(text: &str, low: usize, high: usize) -> Vec<bool> {
    let mut table = vec![false; 64];
    for part in text.split(',') {
        let (range, step) = part.split_once('/').map_or((part, 1), |(range, step)| (range, step.parse().unwrap()));
        let (from, to) = match range {
            "*" => (low, high),
            _ => range.split_once('-').map_or_else(
                || (range.parse().unwrap(), range.parse().unwrap()),
                |(from, to)| (from.parse().unwrap(), to.parse().unwrap()),
            ),
        };
        let mut value = from;
        while value <= to {
            table[value] = true;
            value += step;
        }
    }
    table
}

impl Tables {
    fn of(cron: &str) -> Self {
        let fields: Vec<&str> = cron.split(' ').collect();
        let mut weekdays = table(fields[4], 0, 6);
        weekdays[0] |= weekdays[7];
        Self {
            minutes: table(fields[0], 0, 59),
            hours: table(fields[1], 0, 23),
            days: table(fields[2], 1, 31),
            months: table(fields[3], 1, 12),
            weekdays,
            either_day: !fields[2].starts_with('*') && !fields[4].starts_with('*'),
            interval: fields[0].starts_with('*') || fields[1].starts_with('*'),
        }
    }

    fn on(&self, day: jiff::civil::Date) -> bool {
        let of = |number: i8| usize::try_from(number).unwrap();
        let in_month = self.days[of(day.day())];
        let in_week = self.weekdays[of(day.weekday().to_sunday_zero_offset())];
        let day_fits = if self.either_day { in_month || in_week } else { in_month && in_week };
        day_fits && self.months[of(day.month())]
    }
}

/// By how many minutes a zone's clock is ahead of UTC.
fn minutes_ahead(zone: &TimeZone, minute: i64) -> i64 {
    i64::from(zone.to_offset(Timestamp::from_second(minute * 60).unwrap()).seconds()) / 60
}

/// Until which minute that is the same: two hours on, or a minute where it changes meanwhile. No clock is moved and moved back
/// within two hours.
fn same_for(zone: &TimeZone, minute: i64) -> i64 {
    let later = minute + 120;
    if minutes_ahead(zone, later) == minutes_ahead(zone, minute) { later } else { minute + 1 }
}

/// All instants of several schedules in a zone, from `from` to `to`, by one walk.
pub(crate) fn walk(crons: &[&str], zone: &TimeZone, from: Timestamp, to: Timestamp) -> Vec<Vec<Timestamp>> {
    let tables: Vec<Tables> = crons.iter().map(|cron| Tables::of(cron)).collect();
    let bit = |fits: bool, at: usize| u32::from(fits) << at;
    let at_minute: Vec<u32> = (0..24 * 60)
        .map(|minute: usize| {
            let fits = |t: &Tables| t.hours[minute / 60] && t.minutes[minute % 60];
            tables.iter().enumerate().fold(0, |bits, (at, t)| bits | bit(fits(t), at))
        })
        .collect();
    let intervals = tables.iter().enumerate().fold(0, |bits, (at, t)| bits | bit(t.interval, at));
    // Which schedules come on which day, by days since 1970.
    let first = from.as_second().div_euclid(86_400) - 2;
    let last = to.as_second().div_euclid(86_400) + 2;
    let mut day = date(1970, 1, 1).checked_add(jiff::Span::new().days(first)).unwrap();
    let mut on_day = Vec::new();
    for _ in first..=last {
        on_day.push(tables.iter().enumerate().fold(0, |bits, (at, t)| bits | bit(t.on(day), at)));
        day = day.tomorrow().unwrap();
    }
    let fits = |label: i64| -> u32 {
        let day: u32 = on_day[usize::try_from(label.div_euclid(DAY) - first).unwrap()];
        day & at_minute[usize::try_from(label.rem_euclid(DAY)).unwrap()]
    };
    let mut found = vec![Vec::new(); crons.len()];
    let mut highest: Option<i64> = None;
    let (mut offset, mut same_until) = (0, i64::MIN);
    for minute in from.as_second().div_euclid(60)..to.as_second().div_euclid(60) {
        if minute >= same_until {
            offset = minutes_ahead(zone, minute);
            same_until = same_for(zone, minute);
        }
        let label = minute + offset;
        let since = match highest {
            Some(highest) if (label - highest - 1).abs() <= SEASON => highest + 1,
            Some(_) | None => label,
        };
        let mut hits = fits(label) & intervals;
        for shown in since..=label {
            hits |= fits(shown) & !intervals;
        }
        highest = Some(if since > label { since - 1 } else { label });
        if hits != 0 {
            let instant = Timestamp::from_second(minute * 60).unwrap();
            for (_, found) in found.iter_mut().enumerate().filter(|(at, _)| (hits >> at) & 1 == 1) {
                found.push(instant);
            }
        }
    }
    found
}

/// Whether a moment lies in the blackouts of these tests: Friday 18:00 to Saturday 06:00, each day from 12:30 to 12:45, and from 18
/// December to 3 January. Told by the label of the clock.
pub(crate) fn blacked_out(zone: &TimeZone, at: Timestamp) -> bool {
    let shown = at.to_zoned(zone.clone());
    let minute = i32::from(shown.hour()) * 60 + i32::from(shown.minute());
    let (friday, saturday) = (jiff::civil::Weekday::Friday, jiff::civil::Weekday::Saturday);
    let feast = (shown.month() == 12 && shown.day() >= 18) || (shown.month() == 1 && shown.day() <= 3);
    (shown.weekday() == friday && minute >= 18 * 60)
        || (shown.weekday() == saturday && minute < 6 * 60)
        || (750..765).contains(&minute)
        || feast
}

#[test]
fn the_walk_agrees_with_what_is_known_of_some_nights() {
    let shown = |cron: &str, zone: &str, from: &str, to: &str| -> Vec<String> {
        let zone = TimeZone::get(zone).unwrap();
        let found = walk(&[cron], &zone, from.parse().unwrap(), to.parse().unwrap());
        found[0].iter().map(|at| at.to_zoned(zone.clone()).strftime("%d %H:%M %:z").to_string()).collect()
    };
    let (spring, autumn) = (("2026-03-28T12:00Z", "2026-03-29T12:00Z"), ("2026-10-24T12:00Z", "2026-10-25T12:00Z"));
    assert_eq!(shown("30 2 * * *", "Europe/Berlin", spring.0, spring.1), ["29 03:00 +02:00"]);
    assert_eq!(shown("30 2 * * *", "Europe/Berlin", autumn.0, autumn.1), ["25 02:30 +02:00"]);
    assert_eq!(shown("*/30 2 * * *", "Europe/Berlin", spring.0, spring.1), [""; 0]);
    assert_eq!(
        shown("*/30 2 * * *", "Europe/Berlin", autumn.0, autumn.1),
        ["25 02:00 +02:00", "25 02:30 +02:00", "25 02:00 +01:00", "25 02:30 +01:00"]
    );
    assert_eq!(
        shown("0 2 * * *", "Pacific/Apia", "2011-12-28T20:00Z", "2012-01-01T00:00Z"),
        ["29 02:00 -10:00", "31 02:00 +14:00", "01 02:00 +14:00"]
    );
}
