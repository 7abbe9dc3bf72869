//! Drafts of incident notices: made from a run's record and from what persons say, entered into the ledger, and read back from it.
//!
//! A version is entered under the ledger's own lock and never twice; whoever comes second is refused and looks at what the first
//! wrote. A crash before the entry leaves no version; after it, the version is there. Nothing is sent anywhere.

use super::{App, AppError, Reading, bookkeeping::ledger};
use crate::{
    evidence::{
        incident::{BadChange, Change, IncidentDraft},
        later::IncidentDrafted,
        statement::{Blob, What},
    },
    model::RunId,
    port::{Ledger as _, LedgerError},
};

/// A draft as the ledger has it.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Drafted {
    /// The entry's number, from 0.
    pub entry: u64,
    /// When it was entered.
    pub at: jiff::Timestamp,
    /// What the entry says.
    #[serde(flatten)]
    pub made: IncidentDrafted,
}

impl App {
    /// Makes the next version of the draft about a run's outage and enters it.
    pub async fn draft_incident(&self, run: &RunId, changes: &[Change]) -> Result<IncidentDraft, AppError> {
        let (redacted, _) = self.redacted(run).await?;
        if redacted.record().rehearsal {
            return Err(AppError::Refused {
                what: format!("run {run} is a drill that moved nothing: there is no incident to draft a notice of"),
                remedy: "`lifeboat run list` shows the runs that really moved a service".into(),
            });
        }
        let last = self.last(run)?;
        if let Some(last) = last.as_ref().filter(|_| changes.is_empty()) {
            return Err(AppError::Refused {
                what: format!("draft {} about {run} is there, and nothing is to change", last.version),
                remedy: format!(
                    "`lifeboat incident show {run}` shows it; --set, --confirm and --unknown make the next one"
                ),
            });
        }
        let by = self.settings.actor.clone();
        let draft = IncidentDraft::next(&redacted, last.as_ref(), changes, &by, self.clock.now()).map_err(|error| {
            let remedy = match error {
                BadChange::NothingProposed(_) => "a field that the record says nothing of needs a person's words",
                BadChange::Twice(_) => "say it once; a later version can say something else",
                BadChange::Empty(_) => "a field is filled with words",
            };
            AppError::Missing { what: error.to_string(), remedy: remedy.into() }
        })?;
        let bytes = serde_json::to_vec(&draft).map_err(|error| AppError::Machine {
            intent: format!("write the draft about {run}"),
            source: error.into(),
        })?;
        let blob = Blob::of(&bytes);
        let made = IncidentDrafted {
            run: run.clone(),
            version: draft.version,
            complete: draft.ready,
            draft: blob.clone(),
            by,
        };
        self.state(What::IncidentDrafted(made), Some(bytes)).await?;
        match self.incidents()?.into_iter().find(|there| there.made.run == *run && there.made.version == draft.version)
        {
            Some(there) if there.made.draft == blob => Ok(draft),
            Some(there) => Err(AppError::Refused {
                what: format!("{} made draft {} about {run} a moment ago", there.made.by, draft.version),
                remedy: format!("look at it with `lifeboat incident show {run}`, and say yours again"),
            }),
            None => Err(AppError::Missing {
                what: format!("draft {} about {run} is not in the ledger", draft.version),
                remedy: "`lifeboat evidence verify` says what is wrong with it".into(),
            }),
        }
    }

    /// A version of the draft about a run; the newest where none is named.
    pub fn incident(&self, run: &RunId, version: Option<u32>) -> Result<IncidentDraft, AppError> {
        let found = self.versions(run)?.into_iter().rfind(|made| version.is_none_or(|version| made.version == version));
        let Some(found) = found else {
            let version = version.map(|version| format!("version {version} of a ")).unwrap_or_default();
            return Err(AppError::Missing {
                what: format!("there is no {version}draft about {run}"),
                remedy: format!("`lifeboat incident list` shows all; `lifeboat incident draft {run}` makes one"),
            });
        };
        self.read_draft(&found)
    }

    /// All drafts, oldest first. Without a ledger there are none.
    pub fn incidents(&self) -> Result<Vec<Drafted>, AppError> {
        let read = match self.reading() {
            Err(AppError::Ledger { source: LedgerError::None { .. } }) => Reading::default(),
            read => read?,
        };
        let drafted = |one: &super::Entered| match &one.entry.what {
            What::IncidentDrafted(made) => Some(Drafted { entry: one.index, at: one.entry.at, made: made.clone() }),
            _ => None,
        };
        Ok(read.entries().iter().filter_map(drafted).collect())
    }

    fn versions(&self, run: &RunId) -> Result<Vec<IncidentDrafted>, AppError> {
        Ok(self.incidents()?.into_iter().map(|one| one.made).filter(|made| made.run == *run).collect())
    }

    fn last(&self, run: &RunId) -> Result<Option<IncidentDraft>, AppError> {
        self.versions(run)?.last().map(|made| self.read_draft(made)).transpose()
    }

    fn read_draft(&self, made: &IncidentDrafted) -> Result<IncidentDraft, AppError> {
        let missing = |what: String| AppError::Missing {
            what: format!("draft {} about {} {what}", made.version, made.run),
            remedy: "`lifeboat evidence verify` says all that is wrong".into(),
        };
        let bytes = self.bookshelf()?.files.blob(&made.draft.sha256).map_err(ledger)?;
        let bytes = bytes.ok_or_else(|| missing("is missing from the ledger".into()))?;
        serde_json::from_slice(&bytes).map_err(|error| missing(format!("cannot be read: {error}")))
    }
}
