//! Entries of the ledger: in-toto Statement v1 with a predicate of our own, in an envelope.
//!
//! The words are for ever: fields and kinds are only added. A kind that this program does not know is an entry like
//! any other, with a signature that holds and a meaning that is not checked. Every entry has 16 random bytes, so that nobody guesses a small entry
//! from its hash.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    envelope::{self, BadEnvelope, Envelope, LONGEST},
    key::{Algorithm, BadKey, PublicKey, SigningKey, hex},
    later::{
        ActionClosed, ActionOpened, Anchored, AssuranceRecorded, FindingRaised, IncidentDrafted, PolicyChanged,
        SignOff, Waiver,
    },
    note::Verifier,
    tree::Hash,
};
use crate::model::{Actor, Digest, DrillMode, Outcome, RegionName, RunId, RunKind};

/// `_type` of every statement.
pub const STATEMENT: &str = "https://in-toto.io/Statement/v1";
/// `predicateType` of our entries.
pub const PREDICATE: &str = "https://lifeboat.dev/ledger-entry/v1";

/// What is signed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Statement {
    /// Always [`STATEMENT`].
    #[serde(rename = "_type")]
    pub type_: String,
    /// What the entry is about, by its digest.
    pub subject: Vec<Subject>,
    /// Always [`PREDICATE`].
    #[serde(rename = "predicateType")]
    pub predicate_type: String,
    /// The entry.
    pub predicate: Entry,
}

/// A thing by its digest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subject {
    /// What it is called.
    pub name: String,
    /// SHA-256 of it.
    pub digest: Sha256,
}

/// A SHA-256 digest as in-toto writes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sha256 {
    /// In hexadecimal.
    pub sha256: String,
}

/// An entry.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// When it was entered, by the writer's own clock.
    pub at: Timestamp,
    /// 16 random bytes, base64.
    pub salt: String,
    /// It is made up for: when it happened, nothing could be entered.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub late: bool,
    /// What is entered.
    #[serde(flatten)]
    pub what: What,
}

/// What is entered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all_fields = "camelCase")]
pub enum What {
    /// The first entry.
    #[serde(rename = "ledger.opened")]
    LedgerOpened {
        /// The ledger's name.
        origin: String,
        /// What signs checkpoints.
        ledger_key: NamedKey,
        /// What signs entries.
        record_key: NamedKey,
        /// The program's version.
        version: String,
    },
    /// Bytes after the last checkpoint were taken off: a crash had left them, and nobody had been told that they were in.
    #[serde(rename = "ledger.recovered")]
    LedgerRecovered {
        /// The file that held them.
        file: String,
        /// How many.
        bytes: u64,
        /// SHA-256 of them.
        sha256: String,
    },
    /// From the next entry, or checkpoint, on this key signs.
    #[serde(rename = "key.added")]
    KeyAdded {
        /// What it signs.
        role: Role,
        /// The key.
        key: NamedKey,
        /// Who asked.
        requested_by: Actor,
    },
    /// This key signs no more.
    #[serde(rename = "key.retired")]
    KeyRetired {
        /// What it signed.
        role: Role,
        /// The key's id.
        id: String,
        /// Who asked.
        requested_by: Actor,
    },
    /// A run is opened: entered before its first act.
    #[serde(rename = "run.opened")]
    RunOpened {
        /// The run.
        run: RunId,
        /// What for.
        run_kind: RunKind,
        /// Nothing is changed.
        rehearsal: bool,
        /// How far it goes, where it is a drill.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        drill: Option<DrillMode>,
        /// Away from here.
        source: RegionName,
        /// To here.
        destination: RegionName,
        /// Who asked.
        requested_by: Actor,
        /// When it was opened.
        opened_at: Timestamp,
        /// The digest of its compiled plan.
        plan: Digest,
    },
    /// A run is closed.
    #[serde(rename = "run.closed")]
    RunClosed {
        /// The run.
        run: RunId,
        /// How it ended.
        outcome: Outcome,
        /// When.
        closed_at: Timestamp,
        /// Its evidence record, a blob of the ledger; absent: the journal makes none.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        record: Option<Blob>,
    },
    /// The ledger is written to, also on a quiet day.
    #[serde(rename = "heartbeat")]
    Heartbeat {
        /// The program's version.
        version: String,
    },
    /// A person reviewed the record of a run.
    #[serde(rename = "signoff")]
    SignedOff(SignOff),
    /// A person found something.
    #[serde(rename = "finding")]
    FindingRaised(FindingRaised),
    /// Something is to be done.
    #[serde(rename = "action.opened")]
    ActionOpened(ActionOpened),
    /// It was done.
    #[serde(rename = "action.closed")]
    ActionClosed(ActionClosed),
    /// A requirement is not asked for a while.
    #[serde(rename = "waiver")]
    Waived(Waiver),
    /// A draft of an incident notice was made.
    #[serde(rename = "incident.drafted")]
    IncidentDrafted(IncidentDrafted),
    /// An assessment took place.
    #[serde(rename = "assurance.recorded")]
    AssuranceRecorded(AssuranceRecorded),
    /// From now on the drill policies ask this.
    #[serde(rename = "policy.changed")]
    PolicyChanged(PolicyChanged),
    /// A checkpoint is known elsewhere.
    #[serde(rename = "checkpoint.anchored")]
    Anchored(Anchored),
    /// Of a newer program.
    #[serde(other)]
    Other,
}

/// What a key signs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Checkpoints.
    Ledger,
    /// Entries and records.
    Record,
}

impl Role {
    /// As written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ledger => "ledger",
            Self::Record => "record",
        }
    }
}

/// A public key, whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NamedKey {
    /// SHA-256 of its `SubjectPublicKeyInfo`.
    pub id: String,
    /// Its kind.
    pub algorithm: Algorithm,
    /// PEM.
    pub pem: String,
}

impl From<&PublicKey> for NamedKey {
    fn from(key: &PublicKey) -> Self {
        Self { id: key.id(), algorithm: key.algorithm(), pem: key.pem() }
    }
}

impl NamedKey {
    /// The key; refused when its id is not its own.
    pub fn key(&self) -> Result<PublicKey, BadKey> {
        let key = PublicKey::from_pem(&self.pem)?;
        if key.id() == self.id && key.algorithm() == self.algorithm { Ok(key) } else { Err(BadKey::Kind) }
    }

    /// As a key of notes.
    pub fn verifier(&self, origin: &str) -> Result<Verifier, BadKey> {
        Verifier::new(origin, &self.key()?).map_err(|_| BadKey::NotEd25519)
    }
}

/// Something larger, kept beside the entries under its digest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Blob {
    /// SHA-256 in hexadecimal.
    pub sha256: String,
    /// How many bytes.
    pub bytes: u64,
}

impl Blob {
    /// Of these bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self { sha256: hex(&super::tree::sha256(bytes)), bytes: bytes.len() as u64 }
    }
}

/// An entry that cannot be made or read.
#[derive(Debug, thiserror::Error)]
pub enum BadEntry {
    /// The envelope.
    #[error(transparent)]
    Envelope(#[from] BadEnvelope),
    /// The key.
    #[error("the record key does not sign")]
    Key(#[from] BadKey),
    /// The statement.
    #[error("it is no statement of the ledger")]
    Statement(#[from] serde_json::Error),
    /// Another predicate or statement type.
    #[error("it is a statement of another kind: {0}")]
    Type(String),
    /// Too long for a bundle.
    #[error("the entry has {0} bytes, more than the {LONGEST} that an entry may have; what is large belongs in a blob")]
    TooLong(usize),
}

impl Entry {
    /// An entry of this moment, with these random bytes.
    pub fn new(at: Timestamp, salt: [u8; 16], what: What) -> Self {
        Self { at, salt: STANDARD.encode(salt), late: false, what }
    }

    /// The same, made up for.
    #[must_use]
    pub fn late(self) -> Self {
        Self { late: true, ..self }
    }

    /// What it is about, by digest. `head` is the root of the ledger before it.
    fn subjects(&self, head: &Hash) -> Vec<Subject> {
        let subject = |name: String, sha256: String| vec![Subject { name, digest: Sha256 { sha256 } }];
        match &self.what {
            What::LedgerOpened { record_key, .. } => subject("record-key".into(), record_key.id.clone()),
            What::KeyAdded { role, key, .. } => subject(format!("{}-key", role.as_str()), key.id.clone()),
            What::KeyRetired { role, id, .. } => subject(format!("{}-key", role.as_str()), id.clone()),
            What::LedgerRecovered { file, sha256, .. } => subject(file.clone(), sha256.clone()),
            What::RunOpened { run, plan, .. } => {
                subject(format!("{run}/plan"), plan.as_str().trim_start_matches("sha256:").to_owned())
            }
            What::RunClosed { run, record: Some(record), .. } => {
                subject(format!("{run}/record.json"), record.sha256.clone())
            }
            What::SignedOff(signed) => subject(format!("{}/record.json", signed.run), signed.record.clone()),
            What::IncidentDrafted(made) => {
                subject(format!("{}/incident-{}", made.run, made.version), made.draft.sha256.clone())
            }
            What::PolicyChanged(changed) => subject("drill-policies".into(), changed.policy.sha256.clone()),
            What::Anchored(anchored) => subject(format!("checkpoint-{}", anchored.size), anchored.root.clone()),
            What::AssuranceRecorded(AssuranceRecorded { item, report: Some(report), .. }) => {
                subject(item.clone(), report.clone())
            }
            What::RunClosed { record: None, .. }
            | What::AssuranceRecorded(_)
            | What::FindingRaised(_)
            | What::ActionOpened(_)
            | What::ActionClosed(_)
            | What::Waived(_)
            | What::Heartbeat { .. }
            | What::Other => subject("ledger-root".into(), hex(head)),
        }
    }

    /// The envelope that is entered after a ledger with the root `head`.
    pub fn seal(self, head: &Hash, key: &SigningKey) -> Result<Vec<u8>, BadEntry> {
        let statement = Statement {
            type_: STATEMENT.into(),
            subject: self.subjects(head),
            predicate_type: PREDICATE.into(),
            predicate: self,
        };
        let sealed = envelope::seal(&serde_json::to_vec(&statement)?, key)?;
        if sealed.len() > LONGEST { Err(BadEntry::TooLong(sealed.len())) } else { Ok(sealed) }
    }
}

/// Reads an entry with its envelope. The signature is not verified.
pub fn read(bytes: &[u8]) -> Result<(Envelope, Statement), BadEntry> {
    let envelope = Envelope::read(bytes)?;
    let statement: Statement = serde_json::from_slice(&envelope.payload)?;
    if statement.type_ != STATEMENT || statement.predicate_type != PREDICATE {
        return Err(BadEntry::Type(format!("{} with {}", statement.type_, statement.predicate_type)));
    }
    Ok((envelope, statement))
}

impl What {
    /// As written.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::LedgerOpened { .. } => "ledger.opened",
            Self::LedgerRecovered { .. } => "ledger.recovered",
            Self::KeyAdded { .. } => "key.added",
            Self::KeyRetired { .. } => "key.retired",
            Self::RunOpened { .. } => "run.opened",
            Self::RunClosed { .. } => "run.closed",
            Self::Heartbeat { .. } => "heartbeat",
            Self::SignedOff(_) => "signoff",
            Self::FindingRaised(_) => "finding",
            Self::ActionOpened(_) => "action.opened",
            Self::ActionClosed(_) => "action.closed",
            Self::Waived(_) => "waiver",
            Self::IncidentDrafted(_) => "incident.drafted",
            Self::AssuranceRecorded(_) => "assurance.recorded",
            Self::PolicyChanged(_) => "policy.changed",
            Self::Anchored(_) => "checkpoint.anchored",
            Self::Other => "of a newer program",
        }
    }

    /// The run that it is about.
    pub fn run(&self) -> Option<&RunId> {
        match self {
            Self::RunOpened { run, .. } | Self::RunClosed { run, .. } => Some(run),
            Self::SignedOff(signed) => Some(&signed.run),
            Self::FindingRaised(finding) => Some(&finding.run),
            Self::ActionOpened(action) => Some(&action.run),
            Self::IncidentDrafted(made) => Some(&made.run),
            Self::LedgerOpened { .. }
            | Self::LedgerRecovered { .. }
            | Self::KeyAdded { .. }
            | Self::KeyRetired { .. }
            | Self::Heartbeat { .. }
            | Self::ActionClosed(_)
            | Self::Waived(_)
            | Self::AssuranceRecorded(_)
            | Self::PolicyChanged(_)
            | Self::Anchored(_)
            | Self::Other => None,
        }
    }

    /// What it keeps beside the entries.
    pub fn blob(&self) -> Option<&Blob> {
        match self {
            Self::RunClosed { record, .. } => record.as_ref(),
            Self::IncidentDrafted(made) => Some(&made.draft),
            Self::Anchored(anchored) => anchored.receipt.as_ref(),
            Self::PolicyChanged(changed) => Some(&changed.policy),
            Self::LedgerOpened { .. }
            | Self::LedgerRecovered { .. }
            | Self::KeyAdded { .. }
            | Self::KeyRetired { .. }
            | Self::RunOpened { .. }
            | Self::SignedOff(_)
            | Self::FindingRaised(_)
            | Self::ActionOpened(_)
            | Self::ActionClosed(_)
            | Self::Waived(_)
            | Self::AssuranceRecorded(_)
            | Self::Heartbeat { .. }
            | Self::Other => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::key::private_pem;

    fn key() -> SigningKey {
        SigningKey::from_pem(&private_pem(&[1; 32])).unwrap()
    }

    fn closed() -> Entry {
        let what = What::RunClosed {
            run: "orders-17".parse().unwrap(),
            outcome: Outcome::Failed,
            closed_at: Timestamp::UNIX_EPOCH,
            record: Some(Blob::of(b"{}")),
        };
        Entry::new(Timestamp::UNIX_EPOCH, [7; 16], what)
    }

    #[test]
    fn the_words_of_an_entry_are_these_for_ever() {
        let sealed = closed().late().seal(&[0; 32], &key()).unwrap();
        let (envelope, _) = read(&sealed).unwrap();
        assert_eq!(
            String::from_utf8(envelope.payload).unwrap(),
            "{\"_type\":\"https://in-toto.io/Statement/v1\",\"subject\":[{\"name\":\"orders-17/record.json\",\"digest\":{\"sha256\":\
             \"44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a\"}}],\"predicateType\":\
             \"https://lifeboat.dev/ledger-entry/v1\",\"predicate\":{\"at\":\"1970-01-01T00:00:00Z\",\"salt\":\
             \"BwcHBwcHBwcHBwcHBwcHBw==\",\"late\":true,\"kind\":\"run.closed\",\"run\":\"orders-17\",\"outcome\":\"failed\",\
             \"closedAt\":\"1970-01-01T00:00:00Z\",\"record\":{\"sha256\":\
             \"44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a\",\"bytes\":2}}}"
        );
    }

    #[test]
    fn an_entry_is_read_as_it_was_made() {
        let (envelope, statement) = read(&closed().seal(&[0; 32], &key()).unwrap()).unwrap();
        assert_eq!(statement.predicate, closed());
        assert_eq!(envelope.verify(key().public()), Ok(()));
    }

    #[test]
    fn a_kind_of_a_newer_program_is_an_entry_too() {
        let text = serde_json::to_string(&closed()).unwrap().replace("run.closed", "run.praised");
        let entry: Entry = serde_json::from_str(&text).unwrap();
        assert_eq!(entry.what, What::Other);
    }

    #[test]
    fn what_is_too_long_for_a_bundle_is_refused() {
        let what = What::Heartbeat { version: "x".repeat(60_000) };
        let sealed = Entry::new(Timestamp::UNIX_EPOCH, [7; 16], what).seal(&[0; 32], &key());
        assert!(matches!(sealed, Err(BadEntry::TooLong(_))), "{sealed:?}");
    }
}
