//! What persons signed with keys of their own, found in entries and records: to be checked by whoever knows whose key is whose.

use jiff::Timestamp;

use super::{Record, later::SignOff};
use crate::model::{Actor, Command, EventBody, PersonSignature, Purpose, RunId, statement};

/// A signature with what is said of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Signed {
    /// Where it is: `entry 17`, `record of orders-17`.
    pub place: String,
    /// What it is for.
    pub purpose: Purpose,
    /// Whose it is said to be.
    pub by: Actor,
    /// When it was made.
    pub at: Timestamp,
    /// The signature.
    pub signature: PersonSignature,
}

impl Signed {
    /// The signed orders of a run, refused ones left out; `Err`: one of them is over another text than the order's.
    pub fn of_record(record: &Record) -> Result<Vec<Self>, String> {
        let mut all = Vec::new();
        for event in &record.events {
            let EventBody::Commanded { command, refused: None, .. } = &event.body else { continue };
            let Some(signature) = command.signed.as_deref().cloned() else { continue };
            let place = format!("record of {}", record.run);
            if signature.text != command.statement(&record.run, &record.runbook.digest) {
                return Err(format!("{place}: {} signed something else than the order in the journal", command.by));
            }
            let Command { by, at, .. } = command;
            all.push(Self { place, purpose: Purpose::Order, by: by.clone(), at: *at, signature });
        }
        Ok(all)
    }

    /// The signature of a sign-off; `Err`: it is over another text than the entry's.
    pub fn of_sign_off(index: u64, sign_off: &SignOff) -> Result<Self, String> {
        if sign_off.signed.text != sign_off.statement() {
            return Err(format!("{} signed something else than the entry says", sign_off.by));
        }
        let (by, at, signature) = (sign_off.by.clone(), sign_off.signed_at, sign_off.signed.clone());
        Ok(Self { place: format!("entry {index}"), purpose: Purpose::SignOff, by, at, signature })
    }
}

impl SignOff {
    /// What the person signs.
    pub fn statement(&self) -> String {
        words(&self.run, &self.record, self.opinion.as_str(), &self.comment, &self.by, self.signed_at)
    }
}

/// What a person signs who reviewed a record. `record` is its SHA-256 in hexadecimal.
fn words(run: &RunId, record: &str, opinion: &str, comment: &str, by: &Actor, at: Timestamp) -> String {
    statement(
        "lifeboat sign-off v1",
        &[
            ("run", run.to_string().into()),
            ("record", record.into()),
            ("opinion", opinion.into()),
            ("by", by.as_str().into()),
            ("at", at.to_string().into()),
            ("comment", comment.into()),
        ],
    )
}
