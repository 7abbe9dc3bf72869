//! Drill schedules: the group, the calendar, and whether anything is left of it.

use jiff::{SignedDuration, Timestamp};

use super::{Notes, World};
use crate::{
    decide,
    manifest::{code::Code, locate::Path, schedule, suggest},
    model::{DrillMode, Schedule, Window},
    spec::{DrillScheduleSpec, ProtectionGroupSpec},
};

/// A moment from which a calendar is looked at: the beginning of 2024, a leap year. Any would do; a check that depended on the
/// day on which it is made would find tomorrow what it did not find today.
const FROM: i64 = 1_704_067_200;

/// Drills that are looked at for the longest rest between two of them: of weekly ones nine years.
const LOOKED_AT: usize = 500;

pub(super) fn check(world: &World<'_>, notes: &mut Notes<'_, DrillScheduleSpec>) {
    let spec = &notes.document.spec;
    let group = world.documents.group(&spec.group);
    if group.is_none() && !world.documents.is_broken::<ProtectionGroupSpec>(&spec.group) {
        let known = world.documents.groups.iter().map(|group| group.name.as_str());
        let help = suggest::help(spec.group.as_str(), known, "load the file that declares it");
        let message = format!("there is no group `{}`", spec.group);
        notes.add(Code::UnknownGroup, &Path::spec().key("group"), message, help);
    }
    if spec.mode == DrillMode::Live {
        let message = "a live drill moves the service, and a schedule has nobody beside it";
        notes.add(Code::LiveOnSchedule, &Path::spec().key("mode"), message, "write Rehearse or Isolated");
    }
    let mut schedule = match schedule::schedule(notes.document) {
        Ok(schedule) => schedule,
        Err(findings) => return notes.findings.extend(findings),
    };
    // Dates pass; what is left out every week is left out for good.
    schedule.blackouts.retain(|blackout| matches!(blackout.window, Window::Weekly { .. }));
    let from = Timestamp::from_second(FROM).unwrap_or_default();
    let path = Path::spec().key("schedule");
    if schedule.timetable.after(from).is_none() {
        let message = format!("no calendar has a day on which `{}` comes", schedule.timetable.cron);
        notes.add(Code::NeverFires, &path, message, "look at the day of the month and the month");
    } else if decide::next_drill(&schedule, from).is_none() {
        let message = format!("every instant of `{}` lies in a weekly blackout", schedule.timetable.cron);
        let help = "move the schedule out of the blackouts, or make them shorter";
        notes.add(Code::AlwaysBlackedOut, &path, message, help);
    } else if let Some(group) = group {
        let promised = group.spec.objectives.drill_max_age_seconds;
        let rest = longest_rest(&schedule, from);
        if promised > 0 && rest.as_secs() > i64::try_from(promised).unwrap_or(i64::MAX) {
            let message = format!(
                "up to {} pass between two drills, and the last passed drill of `{}` may be {} old",
                days(rest.as_secs()),
                group.name,
                days(i64::try_from(promised).unwrap_or(i64::MAX)),
            );
            notes.add(
                Code::DrillTooRare,
                &path,
                message,
                "drill more often, or promise less with `drillMaxAgeSeconds`",
            );
        }
    }
}

/// The longest time between two drills.
fn longest_rest(schedule: &Schedule, from: Timestamp) -> SignedDuration {
    let mut longest = SignedDuration::ZERO;
    let mut last = decide::next_drill(schedule, from);
    for _ in 0..LOOKED_AT {
        let Some(before) = last else { break };
        last = decide::next_drill(schedule, before);
        longest = last.map_or(longest, |next| longest.max(next.duration_since(before)));
    }
    longest
}

/// Seconds as people say them.
fn days(seconds: i64) -> String {
    match (seconds / 86_400, seconds / 3_600) {
        (0, 0) => format!("{seconds} seconds"),
        (0, hours) => format!("{hours} hours"),
        (days, _) => format!("{days} days"),
    }
}
