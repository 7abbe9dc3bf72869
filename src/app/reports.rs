//! Reports: a run's record behind the one door, and all runs of a period.

use std::{fs, path::Path};

use jiff::Timestamp;

use super::{App, AppError, documents, error::whole};
use crate::{
    evidence::{FollowUp, Record, Redacted, words},
    manifest,
    model::{GroupName, RunId},
    port::RunSummary,
    report::{Controls, DEFAULT_CONTROLS, Keeping, Line, Population, Programme},
};

/// The cross-walk of controls: the file's, or the one that is built in.
pub fn controls(file: Option<&Path>) -> Result<Controls, AppError> {
    let (place, text) = match file {
        None => ("the built-in cross-walk".to_owned(), DEFAULT_CONTROLS.to_owned()),
        Some(path) => {
            let text = fs::read_to_string(path)
                .map_err(|source| AppError::Machine { intent: format!("read {}", path.display()), source })?;
            (path.display().to_string(), text)
        }
    };
    manifest::parse_one(&text).map_err(|why| AppError::Missing {
        what: format!("{place} is no cross-walk of controls: {why}"),
        remedy: "`lifeboat evidence controls` prints the one that is built in; change a copy of it".into(),
    })
}

impl App {
    /// The record of a run without its secrets, and how it is kept. What is kept comes first, since that is what others hold; a run
    /// that went on since, or whose process was killed before it kept one, is read from its journal.
    pub async fn redacted(&self, id: &RunId) -> Result<(Redacted, Keeping), AppError> {
        let (record, keeping) = self.newest(id).await?;
        let redacted = Redacted::of(&record).map_err(|error| AppError::Missing {
            what: whole(&error),
            remedy: "mend nothing: the record is as it was; please report this".into(),
        })?;
        Ok((redacted, keeping))
    }

    async fn newest(&self, id: &RunId) -> Result<(Record, Keeping), AppError> {
        let made = self.build(id).await?;
        let kept = self.store.record(id).await.map_err(AppError::store(format!("read the record of {id}")))?;
        let kept = kept.and_then(|text| serde_json::from_str::<Record>(&text).ok());
        Ok(match kept {
            Some(kept) if kept == made => (kept, Keeping::Kept),
            Some(kept) if kept.events == made.events => (kept, Keeping::Differs),
            Some(_) | None => (made, Keeping::Unkept),
        })
    }

    /// What came after a run, by the ledger and the documents as they are now; `None`: there is no ledger. Documents that cannot be
    /// read, or hold no drill policy, say nothing of the programme.
    pub fn programme(&self, run: &RunId) -> Result<Option<Programme>, AppError> {
        if !self.settings.ledger_folder().exists() {
            return Ok(None);
        }
        let read = self.reading()?;
        let follow_up = FollowUp::of(read.entries().iter().map(|one| (one.index, &one.entry)));
        let standings = documents::read(&self.settings).and_then(|papers| self.standings(&papers, &run.group));
        let standings = standings.ok().flatten().map(|covered| covered.requirements);
        let findings = follow_up.findings_of(run).cloned().map(|mut found| {
            found.what.text = words(&found.what.text);
            found
        });
        let actions = follow_up.actions_of(run).cloned().map(|mut action| {
            action.opened.text = words(&action.opened.text);
            if let Some(closed) = &mut action.closed {
                closed.what.note = words(&closed.what.note);
            }
            action
        });
        Ok(Some(Programme { as_of: self.today(), findings: findings.collect(), actions: actions.collect(), standings }))
    }

    /// All runs that were opened in a period, with what is missing. A run that cannot be read is in it like the others.
    pub async fn population(
        &self,
        group: Option<&GroupName>,
        from: Option<Timestamp>,
        to: Option<Timestamp>,
    ) -> Result<Population, AppError> {
        let runs = self.store.runs(group).await.map_err(AppError::store("list the runs"))?;
        let known: Vec<RunId> = runs.iter().map(|listed| listed.run.clone()).collect();
        let mut lines = Vec::with_capacity(runs.len());
        for listed in runs.iter().filter(|listed| Population::within(listed.opened_at, from, to)) {
            lines.push(self.line(listed).await?);
        }
        Ok(Population::of(lines, &known, from, to))
    }

    async fn line(&self, listed: &RunSummary) -> Result<Line, AppError> {
        match self.build(&listed.run).await {
            Ok(record) => Ok(match Redacted::of(&record) {
                Ok(redacted) => Line::of(&redacted),
                Err(error) => Line::unreadable(listed, whole(&error)),
            }),
            // A store that is out of reach says nothing of the run, and a list without it would be a lie.
            Err(error @ AppError::Store { source: crate::port::StoreError::Unavailable { .. }, .. }) => Err(error),
            Err(error) => Ok(Line::unreadable(listed, whole(&error))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_cross_walk_can_be_read_and_names_the_controls_of_a_failover() {
        let controls = controls(None).unwrap();
        let failover = &controls.activities["failover"];
        assert!(failover.iter().any(|support| support.id == "A.5.30"), "{failover:?}");
        assert_eq!(controls.activities["switchover"], *failover);
    }

    #[test]
    fn a_file_that_is_no_cross_walk_is_refused_with_its_place() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("controls.yaml");
        for (text, says) in [
            ("activities: {failover: [{framework: a, id: b}]}", "title"),
            ("activities: {}\nactivities: {}", "activities"),
            ("controls: {}", "controls"),
        ] {
            fs::write(&file, text).unwrap();
            let error = controls(Some(&file)).unwrap_err().to_string();
            assert!(error.contains("controls.yaml") && error.contains(says), "{error}");
        }
    }
}
