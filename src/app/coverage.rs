//! Coverage: how the programme of drills stands, now or at the end of a past day, and the score.
//!
//! Now, the documents say what is in force and readiness is looked at. Of a past day neither is known: what was in force is taken from
//! the newest runs of the ledger by then, readiness counts as unknown, and the answer is the same next year. The policy
//! is the one that was entered last by then (`policy.rs`), and today's where none was; which one, and its digest, is part of the answer. Nothing is written.

use std::{sync::Arc, time::Duration};

use jiff::{Timestamp, civil::Date};
use serde::Serialize;

use super::{
    App, AppError, Gravity, Route,
    documents::{self, Papers},
    error::whole,
    past::{Past, pins},
    policy::{Held, PolicyEntered},
    supervise::Crew,
    tidings::Tidings,
};
use crate::{
    decide::programme::{
        Compared, Force, GroupFacts, Overdue, Preparedness, RULE, Score, Standing, Trial, day, score, standing,
    },
    evidence::{Action, Severity, audit::Flaw},
    manifest::{self, Finding, Kind as _, Severity as Grave},
    meter::{LastTrial, ProgrammeFigures, RequirementFigures},
    model::{Asked, Digest, GroupName, RunId, RunKind, Tier},
    spec::DrillPolicySpec,
};

/// Between two looks for the figures: a drill is due by days, and a person who closes an action wants to see it soon.
const PACE: Duration = Duration::from_mins(1);

/// How the programme of drills stands.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Coverage {
    /// At the end of this day, UTC.
    pub as_of: Date,
    /// The documents and readiness were looked at; otherwise the ledger alone.
    pub now: bool,
    /// The ledger; absent: there is none yet.
    pub ledger: Option<LedgerSeen>,
    /// SHA-256 of what the policies ask of all groups, as JSON.
    pub policy: Digest,
    /// The entry of the ledger that holds it; absent: it is that of the documents as they are now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy_entered: Option<PolicyEntered>,
    /// How days are counted.
    pub rule: &'static str,
    /// The groups, in document order.
    pub groups: Vec<Covered>,
    /// Actions that are open.
    pub actions: Vec<Action>,
    /// Absent: the ledger does not verify, or there is none.
    pub score: Option<Score>,
    /// What cannot be known.
    pub notes: Vec<String>,
}

/// The ledger that the answer rests on.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LedgerSeen {
    /// Entries that were there by then.
    pub entries: u64,
    /// It is as it was written.
    pub verified: bool,
    /// What is not.
    pub flaws: Vec<Flaw>,
}

/// How one group stands.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Covered {
    /// Which.
    pub group: GroupName,
    /// How much it matters.
    pub tier: Tier,
    /// No policy asks anything of it.
    pub unprotected: bool,
    /// Its requirements.
    pub requirements: Vec<Standing>,
    /// The runs that moved it, newest first.
    #[serde(skip)]
    moved: Vec<(RunId, bool)>,
    /// The newest drill that compared controls, and what it found.
    #[serde(skip)]
    compared: Option<(RunId, Compared)>,
    #[serde(skip)]
    ready: Option<Preparedness>,
}

impl Coverage {
    /// Somebody must act: something is NEVER, OVERDUE, FAILED or STALE, a group is unprotected, or the ledger does not verify.
    pub fn is_broken(&self) -> bool {
        self.ledger.as_ref().is_some_and(|ledger| !ledger.verified)
            || self
                .groups
                .iter()
                .any(|group| group.unprotected || group.requirements.iter().any(|one| one.status.is_broken()))
    }
}

impl Papers {
    /// What the drill policies ask of each group.
    pub(super) fn asked(&self) -> Result<Vec<Asked>, AppError> {
        // One that could not even be read is a requirement that would silently not be.
        let is_policy = |finding: &&Finding| {
            finding.severity() == Grave::Error && finding.document.starts_with(DrillPolicySpec::KIND)
        };
        let findings: Vec<Finding> = self.findings.iter().filter(is_policy).cloned().collect();
        if !findings.is_empty() {
            return Err(AppError::Findings { findings });
        }
        manifest::asked(&self.documents).map_err(|findings| AppError::Findings { findings })
    }

    /// What a drill of now would show.
    pub(super) fn force(&self, name: &GroupName) -> Force {
        let mut force = Force { version: Some(env!("CARGO_PKG_VERSION").into()), ..Force::default() };
        let group = match self.group(name) {
            Ok(group) => group,
            Err(error) => {
                force.unknown.push(whole(&error));
                return force;
            }
        };
        let objectives = group.objectives;
        force.objectives = Some((objectives.recovery_time_seconds, objectives.recovery_point_seconds));
        let (Some(preferred), Some(other)) =
            (group.preferred(), group.serving().find(|region| Some(*region) != group.preferred()))
        else {
            force.unknown.push("the group has fewer than two regions that serve".into());
            return force;
        };
        let isolated = self.drills(name).is_ok_and(|drills| drills.isolated.is_some());
        for kind in [RunKind::Failover, RunKind::Switchover, RunKind::Failback] {
            let (source, destination) = match kind {
                RunKind::Failover | RunKind::Switchover => (preferred, other),
                RunKind::Failback => (other, preferred),
            };
            let route = Route { source: source.clone(), destination: destination.clone() };
            let plans = [
                (false, Some(self.plan(name, kind, &route))),
                (true, isolated.then(|| self.isolated(name, kind, &route))),
            ];
            for (stand_ins, plan) in plans.into_iter().filter_map(|(stand_ins, plan)| Some((stand_ins, plan?))) {
                match plan {
                    Ok(plan) => {
                        let pins = pins(&plan, env!("CARGO_PKG_VERSION"));
                        force.runbooks.insert((kind, stand_ins), pins.runbook);
                        force.topologies.insert(stand_ins, pins.topology);
                    }
                    Err(error) => force.unknown.push(format!("the documents make no {kind}: {}", whole(&error))),
                }
            }
        }
        if !isolated {
            force.unknown.push("the group has no `drills.isolated` now".into());
        }
        force
    }
}

impl App {
    /// How the programme of drills stands: of one group or of all, now (`None`) or at the end of a day (UTC).
    pub async fn coverage(&self, group: Option<&GroupName>, as_of: Option<Date>) -> Result<Coverage, AppError> {
        let papers = documents::read(&self.settings)?;
        let today = day(self.clock.now());
        let until = as_of.unwrap_or(today);
        let held = if as_of.is_some() { self.policy_of(until)? } else { Held::None };
        let said = policy_note(&held);
        let (mut asked, policy_entered) = match held {
            Held::This(asked, entered) => (asked, Some(entered)),
            Held::None | Held::Unreadable(_) => (papers.asked()?, None),
        };
        let policy = Digest::of(serde_json::to_string(&asked).unwrap_or_default().as_bytes());
        if let Some(group) = group
            && !asked.iter().any(|one| one.group == *group)
        {
            papers.group(group)?;
        }
        asked.retain(|one| group.is_none_or(|group| *group == one.group));
        let past = self.past(until, group)?;
        let mut groups = Vec::with_capacity(asked.len());
        for one in &asked {
            let ready = match as_of {
                None => self.preparedness(&one.group).await,
                Some(_) => Preparedness::Unknown("it was not looked at: only the ledger speaks of a day".into()),
            };
            groups.push(covered(one, &past, as_of.is_none().then_some(&papers), ready, until));
        }
        let ledger = self.seen_ledger(&past).await?;
        let actions: Vec<Action> = past
            .follow_up
            .actions
            .iter()
            .filter(|action| action.closed.is_none() && group.is_none_or(|group| *group == action.opened.run.group))
            .cloned()
            .collect();
        let verified = ledger.as_ref().is_some_and(|ledger| ledger.verified);
        let score = if verified { whole_score(&groups, &actions, until) } else { None };
        let notes = notes(as_of, today, ledger.as_ref(), &format!("{said} ({policy})"));
        let now = as_of.is_none();
        Ok(Coverage { as_of: until, now, ledger, policy, policy_entered, rule: RULE, groups, actions, score, notes })
    }

    /// How the requirements of a group stand now, by ledger and documents; nothing outside is asked. `None`: there is no policy.
    pub(super) fn standings(&self, papers: &Papers, group: &GroupName) -> Result<Option<Covered>, AppError> {
        if papers.documents.policies.is_empty() {
            return Ok(None);
        }
        let past = self.past(self.today(), Some(group))?;
        self.covered_by(papers, group, &past)
    }

    fn covered_by(&self, papers: &Papers, group: &GroupName, past: &Past) -> Result<Option<Covered>, AppError> {
        let asked = papers.asked()?.into_iter().find(|one| one.group == *group);
        let ready = || Preparedness::Unknown("it was not looked at".into());
        Ok(asked.map(|asked| covered(&asked, past, Some(papers), ready(), self.today())))
    }

    /// Keeps the figures of the programme. The ledger is read again when it has changed, and the documents each time.
    pub(super) fn board_coverage(self: &Arc<Self>, crew: &mut Crew, tidings: &Arc<Tidings>) {
        let (app, tidings) = (Arc::clone(self), Arc::clone(tidings));
        crew.board("coverage".into(), async move {
            let mut known: Option<(Vec<u8>, Past)> = None;
            loop {
                // The checkpoint names all entries: while it is the same, so are they.
                let file = app.settings.ledger_folder().join("checkpoint");
                let checkpoint = std::fs::read(file).unwrap_or_default();
                if known.as_ref().is_none_or(|(before, _)| *before != checkpoint) {
                    // A ledger that is out of order is an alarm of `status`; the figures stay as they were.
                    known = app.past(app.today(), None).ok().map(|past| (checkpoint, past));
                }
                if let (Some((_, past)), Ok(papers)) = (&known, documents::read(&app.settings)) {
                    for group in &papers.groups() {
                        if let Ok(Some(covered)) = app.covered_by(&papers, group, past) {
                            tidings.meter().programme(group, &figures(&covered, past, app.clock.now()));
                        }
                    }
                }
                app.clock.sleep(PACE).await;
            }
        });
    }

    async fn preparedness(&self, group: &GroupName) -> Preparedness {
        match self.readiness(group).await {
            Ok(found) => {
                let of = |gravity| found.findings.iter().filter(move |one| one.gravity == gravity);
                let blocks = of(Gravity::Blocks).map(|one| format!("{}: {}", one.about, one.what)).collect();
                Preparedness::Seen { blocks, worries: of(Gravity::Worries).count() }
            }
            Err(error) => Preparedness::Unknown(whole(&error)),
        }
    }

    async fn seen_ledger(&self, past: &Past) -> Result<Option<LedgerSeen>, AppError> {
        if !self.settings.ledger_folder().exists() {
            return Ok(None);
        }
        let checked = self.verify_ledger(None, None).await?;
        let verified = checked.flaws.is_empty();
        Ok(Some(LedgerSeen { entries: past.entries, verified, flaws: checked.flaws }))
    }
}

/// What Prometheus is told of a group.
fn figures(covered: &Covered, past: &Past, now: Timestamp) -> ProgrammeFigures {
    let requirement = |one: &Standing| RequirementFigures {
        requirement: one.requirement.clone(),
        age_seconds: one.valid_ended.map(|ended| now.duration_since(ended).as_secs_f64().max(0.0)),
        overdue: one.status.is_broken(),
        last: one.last.as_ref().map(|_| match one.last_counts {
            Some(true) => LastTrial::Valid,
            Some(false) => LastTrial::Invalid,
            None => LastTrial::Pending,
        }),
    };
    let overdue = |severity: Severity| {
        let mine = past.follow_up.actions.iter().filter(|action| action.opened.run.group == covered.group);
        let late = mine.filter(|action| action.opened.severity == severity && action.is_overdue(day(now)));
        (severity.as_str(), u32::try_from(late.count()).unwrap_or(u32::MAX))
    };
    ProgrammeFigures {
        requirements: covered.requirements.iter().map(requirement).collect(),
        overdue_actions: [Severity::High, Severity::Medium, Severity::Low].map(overdue).to_vec(),
    }
}

fn covered(asked: &Asked, past: &Past, papers: Option<&Papers>, ready: Preparedness, until: Date) -> Covered {
    let (trials, grants) = (past.of(&asked.group), past.grants(&asked.group));
    let mut force = papers.map_or_else(|| Force::of(trials), |papers| papers.force(&asked.group));
    if let Preparedness::Seen { blocks, .. } = &ready {
        force.blocks = Some(blocks.clone());
    }
    let requirements: Vec<Standing> =
        asked.requirements.iter().map(|one| standing(one, trials, &grants, &force, until)).collect();
    let mut moved: Vec<&Trial> = trials.iter().filter(|trial| trial.moved()).collect();
    moved.sort_by_key(|trial| std::cmp::Reverse((trial.ended, trial.run.number)));
    Covered {
        group: asked.group.clone(),
        tier: asked.tier,
        unprotected: requirements.is_empty(),
        requirements,
        compared: newest_comparison(trials),
        moved: moved.into_iter().map(|trial| (trial.run.clone(), trial.met())).collect(),
        ready: Some(ready),
    }
}

fn newest_comparison(trials: &[Trial]) -> Option<(RunId, Compared)> {
    let comparing = trials.iter().filter_map(|trial| Some((trial, trial.compared.clone()?)));
    let newest = comparing.max_by_key(|(trial, _)| (trial.ended, trial.run.number));
    newest.map(|(trial, compared)| (trial.run.clone(), compared))
}

fn whole_score(groups: &[Covered], actions: &[Action], until: Date) -> Option<Score> {
    let facts: Vec<GroupFacts<'_>> = groups
        .iter()
        .map(|group| GroupFacts {
            group: &group.group,
            tier: group.tier,
            standings: &group.requirements,
            moved: group.moved.clone(),
            compared: group.compared.clone(),
            ready: group.ready.clone().unwrap_or_else(|| Preparedness::Unknown("it was not looked at".into())),
        })
        .collect();
    let overdue: Vec<Overdue> = actions
        .iter()
        .filter(|action| action.is_overdue(until))
        .map(|action| Overdue {
            action: action.number,
            grave: action.opened.severity == Severity::High,
            what: format!("{} was due on {}: {}", action.opened.owner, action.opened.due, action.opened.text),
        })
        .collect();
    score(&facts, &overdue)
}

/// Which policy a past day is judged by.
fn policy_note(held: &Held) -> String {
    match held {
        Held::This(_, entered) => {
            format!("the policy is the one that held then: entry {} of the ledger, of {:.0}", entered.entry, entered.at)
        }
        Held::None => "the policy is that of the documents as they are now: the ledger held none by then".into(),
        Held::Unreadable(entered) => format!(
            "entry {} of the ledger names the policy that held then, and it cannot be read (`lifeboat evidence verify` says why): this is by \
             that of the documents as they are now",
            entered.entry
        ),
    }
}

fn notes(as_of: Option<Date>, today: Date, ledger: Option<&LedgerSeen>, policy: &str) -> Vec<String> {
    let mut notes = Vec::new();
    if ledger.is_none() {
        notes.push("there is no ledger yet: nothing was drilled, and there is no score".to_owned());
    }
    if ledger.is_some_and(|ledger| !ledger.verified) {
        notes.push("the ledger does not verify: do not rely on any line, and there is no score".into());
    }
    if let Some(day) = as_of {
        notes.push(
            "readiness of that day is not known, and counts as lost; what was in force is taken from the newest runs of the ledger by \
             then, not from documents"
                .into(),
        );
        notes.push(policy.to_owned());
        if day >= today {
            notes.push("the day is not over: what is entered until its end may change the answer".into());
        }
    }
    notes
}
