//! Would a failover work now? Known before the disaster, because it is asked all the time.
//!
//! Asks what `plan` asks, and adds what only time shows: how old the last passed drill is, and whether enough observers see. The
//! answer is a list of findings with a remedy each, never one number alone. Nothing is changed.

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::{App, AppError, Preview, Request, Would, documents, error::whole, status::observed};
use crate::{
    manifest::{Finding, Severity},
    model::{Automation, Group, GroupName, Loss, Outcome, RegionName, RunId, RunKind, TargetName},
    port::RunSummary,
};

/// How grave a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Gravity {
    /// A failover would be refused, or would not get to its end.
    Blocks,
    /// A failover would be slower, lossier or less sure than promised.
    Worries,
}

/// One finding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Unready {
    /// How grave.
    pub gravity: Gravity,
    /// What it is about: a target, a step, `documents`, `observers`, `drills`.
    pub about: String,
    /// What was found, with its figures.
    pub what: String,
    /// What to do about it.
    pub remedy: String,
}

/// How ready a group is.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Readiness {
    /// The group.
    pub group: GroupName,
    /// When it was looked at.
    pub at: Timestamp,
    /// No finding blocks.
    pub ready: bool,
    /// Away from here.
    pub source: Option<RegionName>,
    /// To here.
    pub destination: Option<RegionName>,
    /// What a failover would lose now.
    pub estimates: Vec<(TargetName, Loss)>,
    /// How long it should take after the decision, in seconds.
    pub predicted_seconds: Option<f64>,
    /// The gravest first.
    pub findings: Vec<Unready>,
}

impl App {
    /// Looks at one group.
    pub async fn readiness(&self, name: &GroupName) -> Result<Readiness, AppError> {
        let mut findings = self.defects(name);
        let preview = match self.preview(Request::new(RunKind::Failover, name.clone())).await {
            Ok(preview) => Some(preview),
            // Without a store nobody knows anything of the group.
            Err(error @ AppError::Store { .. }) => return Err(error),
            Err(AppError::Findings { .. }) => None,
            Err(error) => {
                let remedy = error.remedy().unwrap_or_else(|| "lifeboat plan shows more".into());
                findings.push(Unready::new(Gravity::Blocks, "plan", whole(&error), remedy));
                None
            }
        };
        findings.extend(preview.iter().flat_map(ahead));
        let now = self.clock.now();
        if let Ok(group) = documents::read(&self.settings)?.group(name) {
            let runs = self.runs_of(name).await?;
            findings.extend(drilled(&group, &runs, now));
            findings.extend(self.seen(&group, now).await?);
        }
        findings.sort_by(|one, other| (one.gravity, &one.about).cmp(&(other.gravity, &other.about)));
        findings.dedup();
        Ok(Readiness {
            group: name.clone(),
            at: now,
            ready: findings.iter().all(|finding| finding.gravity != Gravity::Blocks),
            source: preview.as_ref().map(|preview| preview.source.clone()),
            destination: preview.as_ref().map(|preview| preview.destination.clone()),
            predicted_seconds: preview.as_ref().map(|preview| preview.predicted_seconds),
            estimates: preview.map(|preview| preview.estimates).unwrap_or_default(),
            findings,
        })
    }

    /// What `check` finds: errors of all documents, since any of them may be needed, and warnings of the group's own.
    fn defects(&self, name: &GroupName) -> Vec<Unready> {
        let (_, findings) = documents::examine(&self.settings.files);
        let own = format!("ProtectionGroup/{name}");
        let of = |finding: &Finding| match finding.severity() {
            Severity::Error => Some(Gravity::Blocks),
            Severity::Warning => (finding.document == own).then_some(Gravity::Worries),
        };
        findings
            .iter()
            .filter_map(|finding| {
                let what = format!("{} {}: {}", finding.code, finding.document, finding.message);
                Some(Unready::new(of(finding)?, "documents", what, finding.help.clone()))
            })
            .collect()
    }

    /// Whether enough observers see for a verdict.
    async fn seen(&self, group: &Group, now: Timestamp) -> Result<Option<Unready>, AppError> {
        let reports = self.reports_of(&group.name).await?;
        let fresh = reports.into_iter().map(|report| observed(report, now)).filter(|seen| seen.fresh);
        let counts = fresh.filter(|seen| seen.report.abstains.is_none()).count();
        let quorum = usize::try_from(group.detection.observer_quorum).unwrap_or(usize::MAX);
        if counts >= quorum {
            return Ok(None);
        }
        let acts = match group.automation {
            Automation::Automatic => "nothing would start by itself",
            Automation::ProposeOnly => "nothing would be proposed",
            Automation::Manual => "nobody would notice an outage, and its onset would be a guess",
        };
        let what = format!("{counts} observers report, and {quorum} must agree: {acts}");
        let remedy = "start `lifeboat serve` at each vantage point, with the same --store".to_owned();
        Ok(Some(Unready::new(Gravity::Worries, "observers", what, remedy)))
    }
}

impl Unready {
    fn new(gravity: Gravity, about: impl Into<String>, what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { gravity, about: about.into(), what: what.into(), remedy: remedy.into() }
    }
}

/// What looking ahead finds.
fn ahead(preview: &Preview) -> Vec<Unready> {
    let plan = || format!("lifeboat plan {} shows the whole", preview.group);
    let mut found: Vec<Unready> = Vec::new();
    for objection in &preview.objections {
        found.push(Unready::new(Gravity::Blocks, "group", objection.clone(), plan()));
    }
    for gate in &preview.gates {
        let remedy = "wait, or accept SkipCooldown by name when it matters more".to_owned();
        found.push(Unready::new(Gravity::Worries, "group", gate.to_string(), remedy));
    }
    for step in &preview.steps {
        let about = step.target.as_ref().map_or_else(|| step.step.to_string(), ToString::to_string);
        match &step.would {
            Would::Block { reasons } => found.extend(
                reasons
                    .iter()
                    .map(|reason| Unready::new(Gravity::Blocks, &about, format!("{}: {reason}", step.step), plan())),
            ),
            Would::Unknown { why } => {
                found.push(Unready::new(
                    Gravity::Worries,
                    &about,
                    format!("{} cannot be told: {why}", step.step),
                    plan(),
                ));
            }
            Would::Nothing | Would::Act | Would::Ask | Would::Skip { .. } => {}
        }
        for address in &step.depends_on_source {
            let what = format!("{} needs {address}, which lives in {}", step.step, preview.source);
            let remedy = "point it at something that outlives the source, or say `bestEffort: true`".to_owned();
            found.push(Unready::new(Gravity::Blocks, &about, what, remedy));
        }
    }
    for (target, concern) in &preview.concerns {
        found.push(Unready::new(Gravity::Worries, target.as_str(), concern.what.clone(), concern.remedy.clone()));
    }
    #[expect(clippy::cast_precision_loss, reason = "objectives are far below 2^52 seconds")]
    let objective = preview.objective_seconds as f64;
    if preview.predicted_seconds > objective {
        let what = format!("it would take about {:.0} s, and {objective} s are promised", preview.predicted_seconds);
        found.push(Unready::new(Gravity::Worries, "objective", what, plan()));
    }
    found
}

/// The last drill that passed. A real run that succeeded is a better drill than any.
pub(super) fn last_drill(runs: &[RunSummary]) -> Option<(Timestamp, &RunId)> {
    let passed = |run: &RunSummary| match run.closed {
        Some((at, Outcome::Succeeded | Outcome::CompletedWithExceptions)) => Some(at),
        Some((_, Outcome::Failed | Outcome::Cancelled | Outcome::Unwound)) | None => None,
    };
    runs.iter().filter_map(|run| passed(run).map(|at| (at, &run.run))).max_by_key(|(at, _)| *at)
}

/// How old the last passed drill is.
fn drilled(group: &Group, runs: &[RunSummary], now: Timestamp) -> Option<Unready> {
    let last = last_drill(runs).map(|(at, _)| at);
    let allowed = SignedDuration::from_secs(i64::try_from(group.objectives.drill_max_age_seconds).unwrap_or(i64::MAX));
    let what = match last {
        None => "no drill was ever passed".to_owned(),
        Some(at) if now.duration_since(at) > allowed => {
            let days = |time: SignedDuration| time.as_secs() / 86_400;
            format!(
                "the last drill passed {} days ago, and {} are promised",
                days(now.duration_since(at)),
                days(allowed)
            )
        }
        Some(_) => return None,
    };
    let remedy = format!("lifeboat drill {} --mode rehearse", group.name);
    Some(Unready::new(Gravity::Worries, "drills", what, remedy))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::sample;

    fn run(number: u64, rehearsal: bool, ended: Option<(i64, Outcome)>) -> RunSummary {
        let at = |second| Timestamp::from_second(second).unwrap();
        RunSummary {
            run: RunId { group: "orders".parse().unwrap(), number },
            kind: RunKind::Failover,
            rehearsal,
            source: "fra".parse().unwrap(),
            destination: "dub".parse().unwrap(),
            opened_at: at(0),
            closed: ended.map(|(second, outcome)| (at(second), outcome)),
            drill: None,
            scheduled: None,
        }
    }

    #[test]
    fn a_drill_counts_when_it_passed_and_for_as_long_as_was_promised() {
        let mut group = sample::group();
        group.objectives.drill_max_age_seconds = 86_400 * 90;
        let day = |n: i64| 86_400 * n;
        for (story, runs, found) in [
            ("never", vec![], Some("no drill was ever passed")),
            (
                "failed ones only",
                vec![run(1, true, Some((day(99), Outcome::Failed)))],
                Some("no drill was ever passed"),
            ),
            ("fresh", vec![run(1, true, Some((day(20), Outcome::Succeeded)))], None),
            ("a real run is a drill", vec![run(1, false, Some((day(20), Outcome::CompletedWithExceptions)))], None),
            (
                "old",
                vec![run(2, true, None), run(1, true, Some((day(5), Outcome::Succeeded)))],
                Some("the last drill passed 95 days ago, and 90 are promised"),
            ),
        ] {
            let now = Timestamp::from_second(day(100)).unwrap();
            let finding = drilled(&group, &runs, now);
            assert_eq!(finding.as_ref().map(|finding| finding.what.as_str()), found, "{story}");
        }
    }
}
