//! Later facts that persons state: findings, actions, waivers. Each is a new entry of the ledger; nothing is edited.
//!
//! What makes no sense is refused before anything is written: a run that the ledger does not have, an action that is closed, a day that
//! is over, no reason. A crash in the middle means that the entry is there or is not; whoever tries again sees it in the list.

use jiff::{Span, civil::Date};

use super::{App, AppError, Entered, documents};
use crate::{
    decide::programme::day,
    evidence::{
        Action, Conclusion, FollowUp, Judgement, Severity,
        later::{ActionClosed, ActionOpened, FindingRaised, Waiver},
        statement::What,
    },
    model::{Actor, GroupName, RunId},
};

/// A waiver is for a while: what is never drilled for longer than a year belongs out of the policy.
const LONGEST_WAIVER_DAYS: i32 = 366;

/// An action that somebody is to do.
#[derive(Debug, Clone)]
pub struct ToDo {
    /// The run that showed it.
    pub run: RunId,
    /// The finding: `F-1`, or the number of the entry that raised it.
    pub finding: Option<String>,
    /// How much it matters; `None`: as much as the finding.
    pub severity: Option<Severity>,
    /// What is to be done.
    pub text: String,
    /// Who does it.
    pub owner: Actor,
    /// By the end of this day, UTC.
    pub due: Date,
}

impl App {
    /// Raises a finding about a run; gives the number of its entry.
    pub async fn raise_finding(&self, run: RunId, severity: Severity, text: String) -> Result<u64, AppError> {
        let text = words(&text, "the finding says nothing", "say what was found")?;
        self.known(self.reading()?.entries(), &run)?;
        let by = self.settings.actor.clone();
        self.stated(What::FindingRaised(FindingRaised { run, severity, text, by })).await
    }

    /// Opens an action; gives its number.
    pub async fn open_action(&self, todo: ToDo) -> Result<u64, AppError> {
        let text = words(&todo.text, "the action says nothing", "say what is to be done")?;
        let read = self.reading()?;
        let entries = read.entries();
        self.known(entries, &todo.run)?;
        self.not_over(todo.due, "an action is done in the future")?;
        let found = match &todo.finding {
            None => None,
            Some(id) => Some(self.finding(entries, &todo.run, id)?),
        };
        let Some(severity) = todo.severity.or(found) else {
            return Err(refused(
                "nobody said how much the action matters",
                "give --severity, or the --finding that it answers",
            ));
        };
        let ToDo { run, finding, owner, due, .. } = todo;
        let by = self.settings.actor.clone();
        self.stated(What::ActionOpened(ActionOpened { run, finding, severity, text, owner, due, by })).await
    }

    /// Closes an action.
    pub async fn close_action(&self, number: u64, note: &str, retest: Option<RunId>) -> Result<u64, AppError> {
        let note = words(note, "the note says nothing", "say what was done: --note \"…\"")?;
        let read = self.reading()?;
        let entries = read.entries();
        let follow_up = FollowUp::of(entries.iter().map(|one| (one.index, &one.entry)));
        let Some(action) = follow_up.action(number) else {
            return Err(missing(
                format!("the ledger has no action {number}"),
                "`lifeboat evidence action list` shows them",
            ));
        };
        if let Some(closed) = &action.closed {
            return Err(refused(
                format!("action {number} was closed by {} on {}: {}", closed.what.by, day(closed.at), closed.what.note),
                "open another one with `lifeboat evidence action open` where there is more to do",
            ));
        }
        if let Some(run) = &retest {
            self.helps(entries, action, run)?;
        }
        let by = self.settings.actor.clone();
        self.stated(What::ActionClosed(ActionClosed { action: number, note, retest, by })).await
    }

    /// All actions, by number.
    pub fn actions(&self) -> Result<Vec<Action>, AppError> {
        let read = self.reading()?;
        let entries = read.entries();
        Ok(FollowUp::of(entries.iter().map(|one| (one.index, &one.entry))).actions)
    }

    /// Today, UTC.
    pub fn today(&self) -> Date {
        day(self.clock.now())
    }

    /// Waives a requirement on a group; gives the requirement's title.
    pub async fn waive(
        &self,
        group: GroupName,
        requirement: &str,
        until: Date,
        reason: &str,
    ) -> Result<String, AppError> {
        let reason = words(reason, "a waiver without a reason is none", "give --reason \"…\"")?;
        let papers = documents::read(&self.settings)?;
        papers.group(&group)?;
        let asked = papers.asked()?.into_iter().find(|one| one.group == group);
        let titles: Vec<(String, String)> =
            asked.iter().flat_map(|asked| &asked.requirements).map(|one| (one.title(), one.name.to_string())).collect();
        let there = titles.iter().map(|(title, _)| title.as_str()).collect::<Vec<_>>().join(", ");
        let mut named = titles.iter().filter(|(title, name)| title == requirement || name == requirement);
        let title = match (named.next(), named.next()) {
            (Some((title, _)), None) => title.clone(),
            (None, _) if titles.is_empty() => {
                let what = format!("no drill policy asks anything of {group}, so there is nothing to waive");
                return Err(missing(what, "`lifeboat evidence coverage` shows what is asked"));
            }
            (None, _) => {
                return Err(missing(format!("{group} has no requirement `{requirement}`"), format!("it has {there}")));
            }
            (Some(_), Some(_)) => {
                let what = format!("{group} has several requirements named `{requirement}`");
                return Err(missing(what, format!("name one of {there}")));
            }
        };
        self.not_over(until, "a waiver is for days that come")?;
        let longest = self.today().saturating_add(Span::new().days(LONGEST_WAIVER_DAYS));
        if until > longest {
            return Err(refused(
                format!("a waiver until {until} is longer than a year"),
                format!("give a day up to {longest}, or take the requirement out of the policy"),
            ));
        }
        let (requirement, by) = (title.clone(), self.settings.actor.clone());
        self.stated(What::Waived(Waiver { group, requirement, until, reason, by })).await?;
        Ok(title)
    }

    /// Enters it, and gives the number of its entry.
    async fn stated(&self, what: What) -> Result<u64, AppError> {
        self.state(what.clone(), None).await?;
        let read = self.reading()?;
        let entries = read.entries();
        entries.iter().rev().find(|one| one.entry.what == what).map(|one| one.index).ok_or_else(|| {
            refused("another process entered the same a moment ago", "`lifeboat evidence list` shows what is there now")
        })
    }

    /// The ledger has this run.
    #[expect(clippy::unused_self, reason = "said of this ledger")]
    fn known(&self, entries: &[Entered], run: &RunId) -> Result<(), AppError> {
        let opens = |one: &Entered| matches!(&one.entry.what, What::RunOpened { run: opened, .. } if opened == run);
        if entries.iter().any(opens) {
            return Ok(());
        }
        Err(missing(format!("the ledger has no run {run}"), "`lifeboat evidence list` shows what it has"))
    }

    fn not_over(&self, given: Date, because: &str) -> Result<(), AppError> {
        let today = self.today();
        if given >= today {
            return Ok(());
        }
        Err(refused(format!("{given} is over, and {because}"), format!("give {today} (UTC) or a later day")))
    }

    /// How much a finding matters: one of the record's verdict, or one that a person raised.
    fn finding(&self, entries: &[Entered], run: &RunId, id: &str) -> Result<Severity, AppError> {
        let follow_up = FollowUp::of(entries.iter().map(|one| (one.index, &one.entry)));
        let raised = id.parse().ok().and_then(|number: u64| {
            follow_up.findings_of(run).find(|raised| raised.number == number).map(|raised| raised.what.severity)
        });
        if let Some(severity) = raised {
            return Ok(severity);
        }
        let record = self.entered_record(entries, run)?;
        let of_record = record.as_ref().map(|record| Judgement::of(record).findings).unwrap_or_default();
        if let Some(found) = of_record.iter().find(|found| found.id == id) {
            return Ok(found.severity);
        }
        let mut there: Vec<String> = of_record.into_iter().map(|found| found.id).collect();
        there.extend(follow_up.findings_of(run).map(|raised| raised.number.to_string()));
        let there = if there.is_empty() { "none".to_owned() } else { there.join(", ") };
        Err(missing(format!("run {run} has no finding {id}"), format!("its findings: {there}")))
    }

    /// A run shows that an action helped when it came after it, of the same group, and passed.
    fn helps(&self, entries: &[Entered], action: &Action, run: &RunId) -> Result<(), AppError> {
        self.known(entries, run)?;
        let begun_after = entries.iter().any(|one| {
            matches!(&one.entry.what, What::RunOpened { run: opened, opened_at, .. } if opened == run && *opened_at >= action.at)
        });
        if run.group != action.opened.run.group || !begun_after {
            return Err(refused(
                format!(
                    "run {run} shows nothing of action {}: it is of another group, or began before it",
                    action.number
                ),
                "give a run that came after it",
            ));
        }
        let verdict = self.entered_record(entries, run)?.map(|record| Judgement::of(&record).verdict);
        match verdict {
            Some(Conclusion::Passed | Conclusion::PassedWithFindings) => Ok(()),
            Some(Conclusion::Failed | Conclusion::Inconclusive) | None => Err(refused(
                format!("run {run} did not pass, so it does not show that action {} helped", action.number),
                "drill again, or close the action without --retest",
            )),
        }
    }
}

fn words(text: &str, what: &str, remedy: &str) -> Result<String, AppError> {
    let text = text.trim();
    if text.is_empty() { Err(refused(what, remedy)) } else { Ok(text.to_owned()) }
}

fn refused(what: impl Into<String>, remedy: impl Into<String>) -> AppError {
    AppError::Refused { what: what.into(), remedy: remedy.into() }
}

fn missing(what: String, remedy: impl Into<String>) -> AppError {
    AppError::Missing { what, remedy: remedy.into() }
}
