//! Five fields of cron, as in crontab(5): when something happens, by a wall clock.
//!
//! Minute, hour, day of month, month, day of week; each is `*`, a number, a range `a-b`, either with a step `/n`, or a list of
//! those. Months and days of the week may be written by their first three letters; 7 is Sunday, too. When both days are
//! restricted (neither begins with `*`), either of them will do. What only some programs read (`@daily`, `L`, `#`, seconds) is
//! refused: a schedule means the same here and in a Kubernetes `CronJob`.

use std::{fmt, str::FromStr};

use jiff::civil::{Date, DateTime};

/// The farthest that a day is searched: 29 February is missing for eight years around 2100, and no pattern waits longer.
const HORIZON_YEARS: i16 = 9;

const MONTHS: [&str; 12] = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const DAYS: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

/// What one of the fields takes.
struct FieldRule {
    name: &'static str,
    low: u8,
    high: u8,
    /// Names of the values from `low` on.
    words: &'static [&'static str],
}

const RULES: [FieldRule; 5] = [
    FieldRule { name: "minute", low: 0, high: 59, words: &[] },
    FieldRule { name: "hour", low: 0, high: 23, words: &[] },
    FieldRule { name: "day of month", low: 1, high: 31, words: &[] },
    FieldRule { name: "month", low: 1, high: 12, words: &MONTHS },
    FieldRule { name: "day of week", low: 0, high: 7, words: &DAYS },
];

/// A text that is no cron expression.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadCron {
    /// Not five fields.
    #[error("a schedule has five fields (minute, hour, day of month, month, day of week), found {found}")]
    Fields {
        /// How many there are.
        found: usize,
    },
    /// A field that cannot be read.
    #[error("the {field} `{found}` cannot be read: {why}")]
    Field {
        /// Which.
        field: &'static str,
        /// What it says.
        found: String,
        /// What it takes.
        why: String,
    },
}

/// The values of a field that match.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Field {
    /// Bit n: the value n matches.
    bits: u64,
    /// It begins with `*`.
    star: bool,
}

impl Field {
    fn has(self, value: i8) -> bool {
        u32::try_from(value).is_ok_and(|value| value < 64 && (self.bits >> value) & 1 == 1)
    }

    /// The first value that matches and is not below `from`.
    fn first(self, from: i8) -> Option<i8> {
        (from..60).find(|value| self.has(*value))
    }

    fn parse(text: &str, rule: &FieldRule) -> Result<Self, BadCron> {
        let mut bits = 0;
        for part in text.split(',') {
            bits |= part_bits(part, rule).map_err(|why| BadCron::Field {
                field: rule.name,
                found: text.to_owned(),
                why,
            })?;
        }
        // Day 7 of the week is day 0.
        if rule.high == 7 && (bits >> 7) & 1 == 1 {
            bits = (bits & !(1 << 7)) | 1;
        }
        Ok(Self { bits, star: text.starts_with('*') })
    }
}

/// `*`, `a`, `a-b`, with or without `/n`.
fn part_bits(part: &str, rule: &FieldRule) -> Result<u64, String> {
    let (range, step) = match part.split_once('/') {
        None => (part, None),
        Some((range, step)) => match step.parse::<u8>() {
            Ok(step) if step > 0 && step <= rule.high => (range, Some(step)),
            Ok(_) | Err(_) => return Err(format!("a step is a number from 1 to {}, found `{step}`", rule.high)),
        },
    };
    let (low, high) = match (range, range.split_once('-')) {
        // `*/7` in the days of the week counts from 0 to 6: Sunday is not there twice.
        ("*", _) => (rule.low, if rule.high == 7 { 6 } else { rule.high }),
        (_, Some((low, high))) => (value(low, rule)?, value(high, rule)?),
        (_, None) if step.is_some() => {
            return Err(format!("a step needs a range before it: `{range}-{}` or `*`", rule.high));
        }
        (_, None) => (value(range, rule)?, value(range, rule)?),
    };
    if low > high {
        return Err(format!("the range `{range}` ends before it begins; write two, such as `{low}-{},…`", rule.high));
    }
    Ok((low..=high).step_by(usize::from(step.unwrap_or(1))).fold(0, |bits, value| bits | (1 << value)))
}

fn value(text: &str, rule: &FieldRule) -> Result<u8, String> {
    if let Some(at) = rule.words.iter().position(|word| word.eq_ignore_ascii_case(text)) {
        return Ok(rule.low + u8::try_from(at).unwrap_or(0));
    }
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    match text.parse::<u8>() {
        Ok(value) if is_number && (rule.low..=rule.high).contains(&value) => Ok(value),
        Ok(_) | Err(_) => {
            let names = match (rule.words.first(), rule.words.last()) {
                (Some(first), Some(last)) => format!(" or {first} to {last}"),
                (_, None) | (None, _) => String::new(),
            };
            Err(format!("it takes {} to {}{names}, found `{text}`", rule.low, rule.high))
        }
    }
}

/// A schedule by a wall clock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cron {
    text: String,
    minute: Field,
    hour: Field,
    day: Field,
    month: Field,
    weekday: Field,
}

impl Cron {
    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// It names times of the day, and not intervals: neither minute nor hour begins with `*`. cron(8) makes the difference
    /// where a clock is moved: what has a time of its own happens once a day, what has an interval follows the clock.
    pub fn has_times(&self) -> bool {
        !self.minute.star && !self.hour.star
    }

    /// Something happens on that day, in a month in which something does.
    fn on(&self, date: Date) -> bool {
        let (day, weekday) = (self.day.has(date.day()), self.weekday.has(date.weekday().to_sunday_zero_offset()));
        if self.day.star || self.weekday.star { day && weekday } else { day || weekday }
    }

    /// The first wall-clock time that matches and is not before `from`. `None`: there is none within nine years, which
    /// is never.
    pub fn at_or_after(&self, from: DateTime) -> Option<DateTime> {
        let whole = from.second() == 0 && from.subsec_nanosecond() == 0;
        let from = if whole { from } else { up_to_the_minute(from)? };
        let mut date = from.date();
        let (mut hour, mut minute) = (from.hour(), from.minute());
        let last = date.year().saturating_add(HORIZON_YEARS);
        while date.year() <= last {
            if !self.month.has(date.month()) {
                // A schedule of leap days would look at four years of days otherwise.
                date = date.last_of_month();
            } else if self.on(date) {
                if self.hour.has(hour)
                    && let Some(minute) = self.minute.first(minute)
                {
                    return Some(date.at(hour, minute, 0, 0));
                }
                if let (Some(hour), Some(minute)) = (self.hour.first(hour + 1), self.minute.first(0)) {
                    return Some(date.at(hour, minute, 0, 0));
                }
            }
            date = date.tomorrow().ok()?;
            // The whole next day: its first hour is looked at like any other.
            (hour, minute) = (0, 0);
        }
        None
    }
}

fn up_to_the_minute(time: DateTime) -> Option<DateTime> {
    let whole = time.date().at(time.hour(), time.minute(), 0, 0);
    whole.checked_add(jiff::SignedDuration::from_mins(1)).ok()
}

impl FromStr for Cron {
    type Err = BadCron;

    fn from_str(text: &str) -> Result<Self, BadCron> {
        let words: Vec<&str> = text.split_ascii_whitespace().collect();
        let ([minute, hour, day, month, weekday], [r0, r1, r2, r3, r4]) = (words.as_slice(), &RULES) else {
            return Err(BadCron::Fields { found: words.len() });
        };
        Ok(Self {
            text: words.join(" "),
            minute: Field::parse(minute, r0)?,
            hour: Field::parse(hour, r1)?,
            day: Field::parse(day, r2)?,
            month: Field::parse(month, r3)?,
            weekday: Field::parse(weekday, r4)?,
        })
    }
}

impl fmt::Display for Cron {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    fn cron(text: &str) -> Cron {
        text.parse().unwrap()
    }

    #[test]
    fn the_next_time_is_found_by_the_calendar() {
        let from = date(2026, 3, 27).at(12, 30, 0, 0);
        for (text, next) in [
            ("30 12 * * *", "2026-03-27T12:30:00"),
            ("29 12 * * *", "2026-03-28T12:29:00"),
            ("*/15 * * * *", "2026-03-27T12:30:00"),
            ("0 3 * * sun", "2026-03-29T03:00:00"),
            ("0 3 * * 7", "2026-03-29T03:00:00"),
            ("0 3 1 jan,jul *", "2026-07-01T03:00:00"),
            ("0 3 29 2 *", "2028-02-29T03:00:00"),
            ("59 23 31 12 *", "2026-12-31T23:59:00"),
            ("0 9-17/4 * * 1-5", "2026-03-27T13:00:00"),
            // Both days are restricted: the 13th, or a Friday.
            ("0 0 13 * fri", "2026-04-03T00:00:00"),
            // One of them begins with `*`: an odd day that is a Friday.
            ("0 0 */2 * fri", "2026-04-03T00:00:00"),
        ] {
            assert_eq!(cron(text).at_or_after(from).map(|next| next.to_string()).as_deref(), Some(next), "{text}");
        }
    }

    #[test]
    fn seconds_count_for_the_minute_after() {
        let from = date(2026, 3, 27).at(12, 30, 1, 0);
        assert_eq!(cron("30 12 * * *").at_or_after(from).unwrap().to_string(), "2026-03-28T12:30:00");
    }

    #[test]
    fn a_day_that_no_calendar_has_never_comes_and_a_leap_day_comes_after_eight_years() {
        let from = date(2096, 3, 1).at(0, 0, 0, 0);
        assert_eq!(cron("0 0 30 2 *").at_or_after(from), None);
        assert_eq!(cron("0 0 31 4,6,9,11 *").at_or_after(from), None);
        assert_eq!(cron("0 0 29 2 *").at_or_after(from).unwrap().to_string(), "2104-02-29T00:00:00");
    }

    #[test]
    fn what_cannot_be_read_is_named_with_its_field() {
        for (text, says) in [
            ("", "found 0"),
            ("0 3 * *", "found 4"),
            ("0 0 3 * * *", "found 6"),
            ("@daily", "found 1"),
            ("60 3 * * *", "the minute `60` cannot be read: it takes 0 to 59, found `60`"),
            ("0 24 * * *", "the hour `24`"),
            ("0 3 0 * *", "it takes 1 to 31, found `0`"),
            ("0 3 * 13 *", "it takes 1 to 12 or jan to dec, found `13`"),
            ("0 3 * * 8", "the day of week `8`"),
            ("0 3 * * fri-mon", "ends before it begins"),
            ("0/5 3 * * *", "a step needs a range"),
            ("*/0 3 * * *", "a step is a number from 1 to 59"),
            ("+1 3 * * *", "found `+1`"),
            ("1,,2 3 * * *", "found ``"),
            ("0 3 L * *", "found `L`"),
            ("0 3 ? * *", "found `?`"),
        ] {
            let error = text.parse::<Cron>().unwrap_err().to_string();
            assert!(error.contains(says), "{text}: {error}");
        }
    }
}
