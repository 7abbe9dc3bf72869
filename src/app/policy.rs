//! The drill policy in the ledger: entered when it is another one than that before, so that a past day is judged by what held then.
//!
//! `serve` looks when it starts and every hour, and so does whoever opens a run, except where users wait. Who only asks enters nothing. What is entered is
//! what the policies ask of each group of the documents, as the program understood it: neither a file that is gone nor a label that changed
//! makes another day of it. A crash in the middle means that it is entered or is not; the next look sees which.

use jiff::{Timestamp, civil::Date};
use serde::Serialize;

use super::{
    App, AppError, Reading,
    bookkeeping::{Draft, ledger},
    documents,
};
use crate::{
    decide::programme::day,
    evidence::{later::PolicyChanged, statement::What},
    model::Asked,
    port::{Ledger as _, LedgerError},
};

/// Where the ledger holds a policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PolicyEntered {
    /// The number of its entry, from 0.
    pub entry: u64,
    /// When it was entered.
    pub at: Timestamp,
}

/// A policy of the past.
pub(super) enum Held {
    /// None was entered by then.
    None,
    /// This one.
    This(Vec<Asked>, PolicyEntered),
    /// One was, and it cannot be read.
    Unreadable(PolicyEntered),
}

impl App {
    /// The entry of the policy that the documents hold now, where it is another one than the last. Documents that cannot be read, or
    /// hold no group, say nothing about it.
    pub(super) fn policy_draft(&self, read: &Reading) -> Option<Draft> {
        let papers = documents::read(&self.settings).ok()?;
        let asked = papers.asked().ok().filter(|asked| !asked.is_empty())?;
        let (changed, text) = PolicyChanged::of(&asked, self.settings.actor.clone()).ok()?;
        let before = read.book().policy.as_ref();
        // A programme that never had a requirement has no policy yet.
        if before == Some(&changed.policy.sha256) || (before.is_none() && changed.requirements == 0) {
            return None;
        }
        Some(Draft { what: What::PolicyChanged(changed), late: false, blob: Some(text) })
    }

    /// The policy that was entered last at the end of a day (UTC).
    pub(super) fn policy_of(&self, until: Date) -> Result<Held, AppError> {
        if !self.settings.ledger_folder().exists() {
            return Ok(Held::None);
        }
        let read = self.reading()?;
        let entered = read.entries().iter().rev().filter(|one| day(one.entry.at) <= until).find_map(|one| {
            let What::PolicyChanged(changed) = &one.entry.what else { return None };
            Some((changed, PolicyEntered { entry: one.index, at: one.entry.at }))
        });
        let Some((changed, entered)) = entered else { return Ok(Held::None) };
        let books = self.bookshelf()?;
        let text = match books.files.blob(&changed.policy.sha256) {
            // `verify` says it with its place.
            Err(LedgerError::Damaged { .. }) => None,
            text => text.map_err(ledger)?,
        };
        Ok(match text.map(|text| PolicyChanged::read(&text)) {
            Some(Ok(asked)) => Held::This(asked, entered),
            Some(Err(_)) | None => Held::Unreadable(entered),
        })
    }
}
