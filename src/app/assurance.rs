//! The assurance calendar: what others examine, when it is due again, and what took place. What took place is an entry of the ledger; the
//! calendar is a document. Nothing is assessed here.

use std::{fs, path::Path};

use jiff::civil::Date;
use serde::Serialize;

use super::{App, AppError, Reading, documents::Papers};
use crate::{
    decide::{self, Period, Renewal},
    evidence::{key::hex, later::AssuranceRecorded, statement::What, tree, words},
    manifest::{self, Kind as _, Severity},
    port::LedgerError,
    spec::{AssuranceCalendarSpec, AssuranceItemSpec, AssuranceKind},
};

/// An item with where it stands.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Assured {
    /// Its name.
    pub item: String,
    /// What it is.
    pub kind: AssuranceKind,
    /// Who answers for it.
    pub owner: String,
    /// How often.
    pub period: Period,
    /// When it last took place, as far as recorded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last: Option<AssuranceRecorded>,
    /// Where it stands.
    pub due: Renewal,
}

/// What a person says took place.
#[derive(Debug, Clone)]
pub struct Examined<'a> {
    /// The item's name.
    pub item: &'a str,
    /// When.
    pub on: Date,
    /// Who did it.
    pub assessor: &'a str,
    /// Its report: a file of which the digest is kept.
    pub report: Option<&'a Path>,
}

/// The items of all calendars, checked.
fn items(papers: &Papers) -> Result<Vec<&AssuranceItemSpec>, AppError> {
    let mut findings = papers.findings.clone();
    findings.extend(manifest::check(&papers.documents, &super::wire::Wired));
    findings.retain(|finding| {
        finding.severity() == Severity::Error && finding.document.starts_with(AssuranceCalendarSpec::KIND)
    });
    if !findings.is_empty() {
        return Err(AppError::Findings { findings });
    }
    Ok(papers.documents.calendars.iter().flat_map(|calendar| &calendar.spec.items).collect())
}

fn period(item: &AssuranceItemSpec) -> Period {
    match (item.every_days, item.every_months) {
        (Some(days), _) => Period::Days(days),
        (None, Some(months)) => Period::Months(months),
        (None, None) => Period::Months(item.kind.usual_months()),
    }
}

impl App {
    /// Every item with where it stands at the end of a day.
    pub fn assurance(&self, papers: &Papers, as_of: Date) -> Result<Vec<Assured>, AppError> {
        let held = self.examined()?;
        let stands = |item: &AssuranceItemSpec| {
            let own = || held.iter().filter(|made| made.item == item.name);
            let warn = item.warn_days.unwrap_or(item.kind.usual_warning());
            Assured {
                item: item.name.clone(),
                kind: item.kind,
                owner: item.owner.clone(),
                period: period(item),
                last: own().filter(|made| made.on <= as_of).max_by_key(|made| made.on).cloned(),
                due: decide::renewal(own().map(|made| made.on), period(item), warn, as_of),
            }
        };
        Ok(items(papers)?.into_iter().map(stands).collect())
    }

    /// Everything that was recorded, oldest entry first. Without a ledger that is nothing.
    fn examined(&self) -> Result<Vec<AssuranceRecorded>, AppError> {
        let read = match self.reading() {
            Err(AppError::Ledger { source: LedgerError::None { .. } }) => Reading::default(),
            read => read?,
        };
        let made = |one: &super::Entered| match &one.entry.what {
            What::AssuranceRecorded(made) => Some(made.clone()),
            _ => None,
        };
        Ok(read.entries().iter().filter_map(made).collect())
    }

    /// Enters what took place into the ledger. The report itself is not kept: its digest proves later which one it was.
    pub async fn record_assurance(&self, papers: &Papers, said: Examined<'_>) -> Result<AssuranceRecorded, AppError> {
        let all = items(papers)?;
        if !all.iter().any(|item| item.name == said.item) {
            let names: Vec<&str> = all.iter().map(|item| item.name.as_str()).collect();
            let remedy = if names.is_empty() {
                "the documents hold no AssuranceCalendar; `lifeboat assurance list --help` shows one".into()
            } else {
                format!("there are {}", names.join(", "))
            };
            return Err(AppError::Missing {
                what: format!("no assurance calendar has an item `{}`", said.item),
                remedy,
            });
        }
        if said.on > self.today() {
            return Err(AppError::Missing {
                what: format!("{} is still to come (today is {}, UTC)", said.on, self.today()),
                remedy: "record it when it took place".into(),
            });
        }
        if said.assessor.trim().is_empty() {
            return Err(AppError::Missing {
                what: "nobody is named who did it".into(),
                remedy: "name a person, a company or a program with --assessor".into(),
            });
        }
        let report = said.report.map(|file| {
            fs::read(file)
                .map(|bytes| hex(&tree::sha256(&bytes)))
                .map_err(|source| AppError::Machine { intent: format!("read the report {}", file.display()), source })
        });
        let made = AssuranceRecorded {
            item: said.item.to_owned(),
            on: said.on,
            assessor: words(said.assessor.trim()),
            report: report.transpose()?,
            by: self.settings.actor.clone(),
        };
        self.state(What::AssuranceRecorded(made.clone()), None).await?;
        Ok(made)
    }
}
