//! The runs of the ledger, as whoever asks for coverage needs them. From the entries and the records that they name alone, not from the
//! store: an auditor with a copy of the ledger gets the same. Nothing is written.

use std::collections::BTreeMap;

use jiff::civil::Date;

use super::{App, AppError, Entered, bookkeeping::ledger};
use crate::{
    decide::programme::{Compared, Grant, Pins, Said, Shown, Trial, day},
    evidence::{
        Bearing, Conclusion, FollowUp, Judgement, Record, Verdict,
        later::{Opinion, SignOff},
        statement::{Blob, What},
    },
    model::{Control, ControlState, Direction, DrillMode, EventBody, GroupName, Plan, RegionName, RunId, RunKind},
    port::{Ledger as _, LedgerError},
};

/// What the ledger said at the end of a day.
#[derive(Debug, Default)]
pub(super) struct Past {
    /// Runs that ended, by group, in the order of their entries.
    pub(super) trials: BTreeMap<GroupName, Vec<Trial>>,
    /// What persons said of them.
    pub(super) follow_up: FollowUp,
    /// Entries that were there.
    pub(super) entries: u64,
}

impl Past {
    /// The runs of a group.
    pub(super) fn of(&self, group: &GroupName) -> &[Trial] {
        self.trials.get(group).map_or(&[], Vec::as_slice)
    }

    /// The waivers of a group.
    pub(super) fn grants(&self, group: &GroupName) -> Vec<Grant> {
        let mine = self.follow_up.waivers.iter().filter(|(_, waiver)| waiver.group == *group);
        mine.map(|(at, waiver)| Grant {
            requirement: waiver.requirement.clone(),
            until: waiver.until,
            reason: waiver.reason.clone(),
            by: waiver.by.clone(),
            at: *at,
        })
        .collect()
    }
}

/// A run as its first entry says.
struct Begun {
    kind: RunKind,
    drill: Option<DrillMode>,
    source: RegionName,
    destination: RegionName,
}

impl App {
    /// What the ledger said at the end of a day (UTC), of one group or of all. A ledger that does not exist yet says nothing.
    pub(super) fn past(&self, until: Date, group: Option<&GroupName>) -> Result<Past, AppError> {
        if !self.settings.ledger_folder().exists() {
            return Ok(Past::default());
        }
        let read = self.reading()?;
        let entries: Vec<&Entered> = read.entries().iter().filter(|one| day(one.entry.at) <= until).collect();
        let books = self.bookshelf()?;
        let mut blob = |blob: &Blob| match books.files.blob(&blob.sha256) {
            // `verify` says it with its place; here it is a run of which nobody can tell.
            Err(LedgerError::Damaged { .. }) => Ok(None),
            read => read.map_err(ledger),
        };
        past(&entries, group, &mut blob)
    }

    /// The record that the ledger has of a run; `None`: the run is not closed, or made none.
    pub(super) fn entered_record(&self, entries: &[Entered], run: &RunId) -> Result<Option<Record>, AppError> {
        let named = entries.iter().find_map(|one| match &one.entry.what {
            What::RunClosed { run: closed, record, .. } if closed == run => record.as_ref(),
            _ => None,
        });
        let Some(named) = named else { return Ok(None) };
        let bytes = self.bookshelf()?.files.blob(&named.sha256).map_err(ledger)?;
        Ok(bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok()))
    }
}

/// Reads a blob by what names it.
type Blobs<'a> = &'a mut dyn FnMut(&Blob) -> Result<Option<Vec<u8>>, AppError>;

fn past(entries: &[&Entered], group: Option<&GroupName>, blobs: Blobs<'_>) -> Result<Past, AppError> {
    let follow_up = FollowUp::of(entries.iter().map(|one| (one.index, &one.entry)));
    let mut begun: BTreeMap<&RunId, Begun> = BTreeMap::new();
    let mut trials: BTreeMap<GroupName, Vec<Trial>> = BTreeMap::new();
    for one in entries {
        match &one.entry.what {
            What::RunOpened { run, run_kind, rehearsal, drill, source, destination, .. } => {
                let drill = drill.or(rehearsal.then_some(DrillMode::Rehearse));
                let (source, destination) = (source.clone(), destination.clone());
                begun.insert(run, Begun { kind: *run_kind, drill, source, destination });
            }
            What::RunClosed { run, closed_at, record, .. } if group.is_none_or(|group| *group == run.group) => {
                let Some(begun) = begun.remove(run) else { continue };
                let kept = match record {
                    None => None,
                    Some(named) => blobs(named)?.and_then(|bytes| serde_json::from_slice::<Record>(&bytes).ok()),
                };
                let kept = kept.filter(|record| record.run == *run);
                let said = said(&follow_up.sign_offs, run, record.as_ref());
                let mut trial = trial(run, &begun, *closed_at, kept.as_ref());
                trial.said = said;
                trials.entry(run.group.clone()).or_default().push(trial);
            }
            _ => {}
        }
    }
    let entries = entries.len() as u64;
    Ok(Past { trials, follow_up, entries })
}

/// Only what is said of this very record counts.
fn said(all: &[(jiff::Timestamp, SignOff)], run: &RunId, record: Option<&Blob>) -> Vec<Said> {
    let mine = |signed: &SignOff| signed.run == *run && record.is_some_and(|blob| blob.sha256 == signed.record);
    all.iter()
        .filter(|(_, signed)| mine(signed))
        .map(|(at, signed)| Said {
            by: signed.by.clone(),
            accepted: signed.opinion == Opinion::Accepted,
            at: *at,
            comment: signed.comment.clone(),
        })
        .collect()
}

fn trial(run: &RunId, begun: &Begun, ended: jiff::Timestamp, record: Option<&Record>) -> Trial {
    let plan = record.and_then(|record| match &record.events.first()?.body {
        EventBody::Opened(opened) => Some(opened.plan.as_ref()),
        _ => None,
    });
    let met = |verdict: Verdict| match verdict {
        Verdict::Met => Some(true),
        Verdict::Missed => Some(false),
        Verdict::Unknown => None,
    };
    let preferred = plan.and_then(|plan| plan.group.preferred());
    Trial {
        run: run.clone(),
        kind: begun.kind,
        drill: begun.drill,
        direction: Direction::of(&begun.source, &begun.destination, preferred),
        ended,
        shown: record.map_or_else(|| Shown::Inconclusive("the ledger has no record of it".into()), shown),
        time_met: record.and_then(|record| met(record.measures.recovery_time.verdict)),
        loss_met: record.and_then(|record| met(record.measures.recovery_point.verdict)),
        compared: record.and_then(compared),
        pins: plan.zip(record).map(|(plan, record)| pins(plan, &record.version)),
        said: Vec::new(),
    }
}

/// What the drill's comparison of controls found. A control of which nothing was told counts as not checked.
fn compared(record: &Record) -> Option<Compared> {
    if record.parity.is_empty() {
        return None;
    }
    let count = |state| record.parity.iter().filter(|check| check.state == state).count();
    let untold = Control::ALL.iter().filter(|control| !record.parity.iter().any(|check| check.control == **control));
    let number = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
    let failed = record.parity.iter().filter(|check| check.state == ControlState::Fail);
    Some(Compared {
        passed: number(count(ControlState::Pass)),
        unchecked: number(count(ControlState::NotChecked) + untold.count()),
        failed: failed.map(|check| format!("{} of {}", check.control, check.what())).collect(),
    })
}

/// What a plan pins of what it shows.
pub(super) fn pins(plan: &Plan, version: &str) -> Pins {
    let objectives = plan.group.objectives;
    Pins {
        runbook: plan.runbook_digest(),
        topology: plan.topology_digest(),
        objectives: (objectives.recovery_time_seconds, objectives.recovery_point_seconds),
        version: version.to_owned(),
    }
}

/// The verdict, with the findings that it rests on.
fn shown(record: &Record) -> Shown {
    let judged = Judgement::of(record);
    let because = |bearing: Bearing| {
        let why = judged.findings.iter().filter(|found| found.bearing == bearing);
        why.map(|found| format!("{} ({})", found.what, found.id)).collect::<Vec<_>>().join("; ")
    };
    match judged.verdict {
        Conclusion::Passed => Shown::Passed,
        Conclusion::PassedWithFindings => Shown::PassedWithFindings,
        Conclusion::Failed => Shown::Failed(because(Bearing::Fails)),
        Conclusion::Inconclusive => Shown::Inconclusive(because(Bearing::Doubts)),
    }
}
