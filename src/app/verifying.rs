//! Verifying the ledger: its files and entries (`store::ledger`), what anchors gave in return, and what persons signed.
//!
//! It looks, and writes nothing. A flaw is what is not as it was written; a remark is what nobody here can tell.

use std::{path::Path, time::Duration};

use super::{App, AppError, PersonSettings, bookkeeping::ledger, documents::Papers, error::whole};
use crate::{
    anchor::Anchor,
    evidence::{audit::Flaw, key::PublicKey},
    port::{Claim, LedgerError, PersonError, Persons as _},
    store::ledger::{Checked, Trusted, verify},
};

/// How often a verification tries again while another process writes, and how long it rests in between.
const TRIES: u32 = 250;
const PAUSE: Duration = Duration::from_millis(20);

impl App {
    /// Verifies everything, offline, against the keys that are set or those of somebody else in `trust`: a folder with
    /// `ledger.pub` and `record.pub`. With `trust` no key is needed but the data key. Runs of the store that are not in the ledger
    /// are remarked. `papers` say which keys witnesses have.
    pub async fn verify_ledger(&self, trust: Option<&Path>, papers: Option<&Papers>) -> Result<Checked, AppError> {
        self.there()?;
        let [ledger_key, record_key] = match trust {
            Some(folder) => [public_key(&folder.join("ledger.pub"))?, public_key(&folder.join("record.pub"))?],
            None => self.public_keys()?.map(|(_, key)| key),
        };
        // Documents that have defects do not keep the ledger from being verified.
        let anchors = papers.and_then(|papers| self.anchors(papers).ok()).unwrap_or_default();
        let witness = |anchor: &Anchor| Some((anchor.name.to_string(), anchor.witness()?.clone()));
        let witnesses = anchors.iter().filter_map(witness).collect();
        let trusted = Trusted { ledger: ledger_key, record: record_key, data: self.data_key()?, witnesses };
        let (disk, beside) = (self.shelf.disk(&self.settings.ledger_folder()), self.shelf.disk(&self.settings.data));
        let mut tried = 0;
        let mut checked = loop {
            match verify(disk.as_ref(), Some(beside.as_ref()), &trusted) {
                Err(LedgerError::Busy { .. }) if tried < TRIES => self.clock.sleep(PAUSE).await,
                done => break done.map_err(ledger)?,
            }
            tried += 1;
        };
        let persons = match trust.map(|folder| folder.join("allowed_signers")).filter(|file| file.exists()) {
            Some(allowed) => PersonSettings { allowed, ..self.settings.persons.clone() },
            None => self.settings.persons.clone(),
        };
        check_persons(&persons, &mut checked).await;
        let runs = self.store.runs(None).await.map_err(AppError::store("list all runs"))?;
        for run in runs.iter().filter(|run| !checked.audited.opened.contains(&run.run)) {
            let what = format!("it has run {}, and no entry opens it; the next append makes up for it", run.run);
            checked.remarks.push(Flaw::new("store", what));
        }
        Ok(checked)
    }
}

/// Checks what persons signed with keys of their own. A signature that is wrong is a flaw; what nobody can tell is remarked.
async fn check_persons(persons: &PersonSettings, checked: &mut Checked) {
    let signed = std::mem::take(&mut checked.audited.signed);
    for one in &signed {
        let claim = Claim { purpose: one.purpose, by: &one.by, signed: &one.signature, at: one.at, past: true };
        match persons.verify(claim).await {
            Ok(key) if key == one.signature.key => {}
            Ok(key) => {
                let what = format!("{} signed with {key}, and it says {}", one.by, one.signature.key);
                checked.flaws.push(Flaw::new(one.place.clone(), what));
            }
            Err(error @ PersonError::Refused { .. }) => {
                checked.flaws.push(Flaw::new(one.place.clone(), error.to_string()));
            }
            Err(error @ (PersonError::NoSigners { .. } | PersonError::Unavailable { .. })) => {
                let what = format!("{} signed, and nobody can tell whether it holds: {}", one.by, whole(&error));
                checked.remarks.push(Flaw::new(one.place.clone(), what));
            }
        }
    }
    checked.audited.signed = signed;
}

fn public_key(file: &Path) -> Result<PublicKey, AppError> {
    let at = |what: String| AppError::Missing { what, remedy: "a public key as PEM is needed".into() };
    let text =
        std::fs::read_to_string(file).map_err(|error| at(format!("{} cannot be read: {error}", file.display())))?;
    PublicKey::from_pem(&text).map_err(|error| at(format!("{}: {error}", file.display())))
}
