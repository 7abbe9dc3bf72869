//! Sign-offs: a person reviewed the record of a run, and says so with a key of their own.
//!
//! A sign-off is an entry of the ledger that points at the record by its digest; a later one of the same person stands in the place of an
//! earlier one. It promises that what is entered was signed by that person, and is about the record that the ledger holds. A crash in
//! the middle means that nothing was entered.

use std::{collections::BTreeMap, path::Path};

use super::{App, AppError};
use crate::{
    evidence::{
        checkpoint::Checkpoint,
        key::hex,
        later::{Opinion, SignOff},
        note::Note,
        statement::{Role, What},
    },
    model::{PersonSignature, Purpose, RunId},
    report::Signature,
};

/// What a person says.
#[derive(Debug, Clone)]
pub struct Review {
    /// The opinion.
    pub opinion: Opinion,
    /// In the person's words; a dissent needs some.
    pub comment: String,
}

/// What the ledger says of a run's record.
#[derive(Debug, Clone, Default)]
pub struct Reviewed {
    /// Where the record is entered; `None`: it is not.
    pub signature: Option<Signature>,
    /// The digest of the record that is entered, in hexadecimal.
    pub record: Option<String>,
    /// The last word of each person who reviewed it, in order.
    pub sign_offs: Vec<SignOff>,
}

impl App {
    /// What the ledger says of a run's record. A machine without a ledger says nothing.
    pub fn reviewed(&self, run: &RunId) -> Result<Reviewed, AppError> {
        let mut found = Reviewed::default();
        if !self.settings.ledger_folder().exists() {
            return Ok(found);
        }
        let (mut key, mut anchors) = (String::new(), BTreeMap::new());
        for entered in self.reading()?.entries() {
            match &entered.entry.what {
                What::LedgerOpened { record_key: named, .. }
                | What::KeyAdded { role: Role::Record, key: named, .. } => {
                    key.clone_from(&named.id);
                }
                What::RunClosed { run: closed, record: Some(record), .. } if closed == run => {
                    let (key, checkpoint) = (format!("record key {key}"), String::new());
                    let anchors = Vec::new();
                    found.signature = Some(Signature { key, entry: entered.index, checkpoint, anchors });
                    found.record = Some(record.sha256.clone());
                }
                // A head of this size has all entries before it.
                What::Anchored(anchored)
                    if found.signature.as_ref().is_some_and(|signature| anchored.size > signature.entry) =>
                {
                    anchors.entry(anchored.anchor.clone()).or_insert_with(|| {
                        format!("{} {} since {:.0}", anchored.how, anchored.anchor, anchored.anchored_at)
                    });
                }
                What::SignedOff(sign_off) if sign_off.run == *run => {
                    found.sign_offs.retain(|earlier| earlier.by != sign_off.by);
                    found.sign_offs.push(sign_off.clone());
                }
                _ => {}
            }
        }
        if let Some(signature) = &mut found.signature {
            signature.checkpoint = self.checkpoint()?;
            signature.anchors = anchors.into_values().collect();
        }
        Ok(found)
    }

    /// The newest checkpoint in words.
    fn checkpoint(&self) -> Result<String, AppError> {
        let file = self.settings.ledger_folder().join("checkpoint");
        let intent = || format!("read {}", file.display());
        let text = std::fs::read(&file).map_err(super::keys::machine(intent()))?;
        let said = Note::parse(&text).ok().and_then(|note| Checkpoint::read(&note).ok());
        let said = said.ok_or_else(|| AppError::Missing {
            what: format!("{} is no checkpoint", file.display()),
            remedy: "`lifeboat evidence verify` says all that is wrong".into(),
        })?;
        Ok(format!("{} entries, root {}", said.size, hex(&said.root)))
    }

    /// Signs the record of a closed run off, in the name of who asks.
    pub async fn sign_off(&self, run: &RunId, review: Review, key: Option<&Path>) -> Result<SignOff, AppError> {
        let refused = |what: String, remedy: &str| AppError::Refused { what, remedy: remedy.into() };
        if review.opinion == Opinion::Dissented && review.comment.trim().is_empty() {
            return Err(refused("a dissent without a comment helps nobody".into(), "say why with --comment \"…\""));
        }
        let record = self.reviewed(run)?.record.ok_or_else(|| AppError::Missing {
            what: format!("the ledger holds no record of {run}"),
            remedy: format!("`lifeboat run show {run}` says how it stands; a run is signed off when it is closed"),
        })?;
        let mut sign_off = SignOff {
            run: run.clone(),
            record,
            opinion: review.opinion,
            comment: review.comment,
            by: self.settings.actor.clone(),
            signed_at: self.clock.now(),
            signed: PersonSignature { text: String::new(), signature: String::new(), key: String::new() },
        };
        sign_off.signed = self.sign(key, Purpose::SignOff, sign_off.statement()).await?;
        self.state(What::SignedOff(sign_off.clone()), None).await?;
        Ok(sign_off)
    }
}
