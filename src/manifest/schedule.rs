//! A drill schedule read into a [`Schedule`], with every defect of its texts reported.

use std::str::FromStr as _;

use jiff::SignedDuration;

use super::{blackout, code::Code, document::Document, finding::Finding, locate::Path};
use crate::{
    model::{Cron, HistoryLimit, Schedule, Timetable},
    spec::DrillScheduleSpec,
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
    let cron = Cron::from_str(&spec.schedule)
        .map_err(|bad| {
            let help = "write five fields, such as `30 3 * * 1-5`: at half past three on workdays";
            findings.push(document.finding(Code::BadCron, &Path::spec().key("schedule"), bad.to_string(), help));
        })
        .ok();
    let zone = blackout::zone_of(document, &spec.time_zone, &mut findings);
    if !DEADLINE.contains(&spec.starting_deadline_seconds) {
        let message = format!(
            "a drill may start {} to {} seconds late, found {}",
            DEADLINE.start(),
            DEADLINE.end(),
            spec.starting_deadline_seconds
        );
        let path = Path::spec().key("startingDeadlineSeconds");
        findings.push(document.finding(Code::OutOfRange, &path, message, "3600 is usual"));
    }
    let blackouts = blackout::windows(document, &Path::spec().key("blackouts"), &spec.blackouts, &mut findings);
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
