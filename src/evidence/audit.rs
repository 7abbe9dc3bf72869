//! What the entries of a ledger say together, checked one after the other: who signed them, how keys passed on, and whether
//! every run is there (promise S13). Pure; the files are checked where they are (`store::ledger`).

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use serde::Serialize;

use super::{
    envelope::Envelope,
    key::PublicKey,
    later::{Anchored, FindingRaised, PolicyChanged, SignOff},
    note::Verifier,
    signed::Signed,
    statement::{self, BadEntry, Blob, NamedKey, Role, Statement, What},
};
use crate::model::{GroupName, RunId};

/// Something that is not as it was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Flaw {
    /// `entry 17`, `checkpoint`, `tile/0/000`.
    pub place: String,
    /// What is wrong.
    pub what: String,
}

impl Flaw {
    /// A flaw.
    pub fn new(place: impl Into<String>, what: impl Into<String>) -> Self {
        Self { place: place.into(), what: what.into() }
    }
}

#[derive(Debug, Default)]
struct Runs {
    opened: BTreeMap<u64, bool>,
    closed: BTreeSet<u64>,
}

/// Reads entries in order, and says at the end what is wrong.
#[derive(Debug, Default)]
pub struct Audit {
    origin: String,
    next: u64,
    record: Option<PublicKey>,
    ledger: Vec<Verifier>,
    runs: BTreeMap<GroupName, Runs>,
    blobs: BTreeMap<String, (u64, Option<RunId>)>,
    signed: Vec<Signed>,
    actions: BTreeMap<u64, bool>,
    anchored: Vec<(u64, Anchored)>,
    drafts: BTreeMap<RunId, u32>,
    policies: Vec<(u64, PolicyChanged)>,
    late: u64,
    unknown: u64,
    flaws: Vec<Flaw>,
}

/// What came of it.
#[derive(Debug)]
pub struct Audited {
    /// Entries.
    pub entries: u64,
    /// Runs that were opened.
    pub runs: u64,
    /// The runs that were opened.
    pub opened: BTreeSet<RunId>,
    /// Runs that were opened and not closed.
    pub open: Vec<RunId>,
    /// Entries that were made up for.
    pub late: u64,
    /// Entries of kinds that this program does not know.
    pub unknown: u64,
    /// The key that signs entries now.
    pub record: Option<PublicKey>,
    /// The keys that signed checkpoints, the last one now.
    pub ledger: Vec<Verifier>,
    /// Blobs that entries name, each with its length and the run whose record it is.
    pub blobs: BTreeMap<String, (u64, Option<RunId>)>,
    /// What persons signed with keys of their own, whose signatures are not verified here.
    pub signed: Vec<Signed>,
    /// The drill policies, each with the number of the entry from which on it held.
    pub policies: Vec<(u64, PolicyChanged)>,
    /// Entries that say that a checkpoint is known elsewhere, each with its number.
    pub anchored: Vec<(u64, Anchored)>,
    /// What is wrong.
    pub flaws: Vec<Flaw>,
}

impl Audited {
    /// How many records of runs are kept.
    pub fn records(&self) -> usize {
        self.blobs.values().filter(|(_, run)| run.is_some()).count()
    }
}

/// An entry that was read before its turn came: what costs time about it depends on no other entry, so that several cores can do it.
#[derive(Debug)]
pub struct Prepared {
    read: Result<(Envelope, Statement), BadEntry>,
    /// The key that signed it, as far as that was looked at.
    signed_by: Option<Arc<PublicKey>>,
}

impl Prepared {
    /// Reads an entry, and looks whether this key signed it. Which key had to sign it is told by the entries before it.
    pub fn of(bytes: &[u8], key: Option<&Arc<PublicKey>>) -> Self {
        let read = statement::read(bytes);
        let signed = |key: &&Arc<PublicKey>| read.as_ref().is_ok_and(|(envelope, _)| envelope.verify(key).is_ok());
        let signed_by = key.filter(signed).cloned();
        Self { read, signed_by }
    }
}

impl Audit {
    /// Of the ledger with this origin.
    pub fn of(origin: &str) -> Self {
        Self { origin: origin.to_owned(), ..Self::default() }
    }

    /// The key that signs entries now; `None`: no entry was read yet.
    pub fn record_key(&self) -> Option<&PublicKey> {
        self.record.as_ref()
    }

    /// The next entry.
    pub fn entry(&mut self, bytes: &[u8]) {
        self.prepared(Prepared::of(bytes, None));
    }

    /// The next entry, that was read before its turn came.
    pub fn prepared(&mut self, entry: Prepared) {
        let index = self.next;
        self.next += 1;
        if let Err(what) = self.read(index, entry) {
            self.flaws.push(Flaw::new(format!("entry {index}"), what));
        }
    }

    fn read(&mut self, index: u64, prepared: Prepared) -> Result<(), String> {
        let (envelope, statement) = prepared.read.map_err(|error| error.to_string())?;
        let entry = statement.predicate;
        if index == 0 {
            self.opened(&entry.what)?;
        }
        let key = self.record.as_ref().ok_or("the first entry names no record key, so nothing can be verified")?;
        // What another key signed, or none, gets its own word here.
        if prepared.signed_by.as_deref() != Some(key) {
            envelope.verify(key).map_err(|error| error.to_string())?;
        }
        self.late += u64::from(entry.late);
        if let Some(blob) = entry.what.blob() {
            self.blobs.entry(blob.sha256.clone()).or_insert((blob.bytes, None));
        }
        match entry.what {
            What::LedgerOpened { .. } if index > 0 => Err("the ledger is opened a second time".into()),
            What::KeyAdded { role, key, .. } => self.added(role, &key),
            What::KeyRetired { role, id, .. } => self.retired(role, &id),
            What::RunOpened { run, rehearsal, .. } => self.run_opened(&run, rehearsal),
            What::RunClosed { run, record, .. } => self.run_closed(run, record),
            What::ActionOpened(action) => {
                self.actions.insert(index, false);
                self.known(&action.run)
            }
            What::ActionClosed(closed) => self.action_closed(closed.action),
            What::IncidentDrafted(made) => self.drafted(&made.run, made.version),
            What::SignedOff(sign_off) => self.signed_off(index, &sign_off),
            What::FindingRaised(FindingRaised { run, .. }) => self.known(&run),
            What::Anchored(anchored) if anchored.size > index => Err(format!(
                "it says that a checkpoint of {} entries was anchored, and there were {index}",
                anchored.size
            )),
            What::LedgerOpened { .. }
            | What::LedgerRecovered { .. }
            | What::Heartbeat { .. }
            | What::Waived(_)
            | What::AssuranceRecorded(_) => Ok(()),
            What::PolicyChanged(changed) => self.policy_changed(index, changed),
            What::Anchored(anchored) => {
                self.anchored.push((index, anchored));
                Ok(())
            }
            What::Other => {
                self.unknown += 1;
                Ok(())
            }
        }
    }

    /// A policy is entered when it is another one than that before. The same once more would move the day from which on it held.
    fn policy_changed(&mut self, index: u64, changed: PolicyChanged) -> Result<(), String> {
        if self.policies.last().is_some_and(|(_, before)| before.policy == changed.policy) {
            return Err(format!("it enters the drill policy {}, which held already", changed.policy.sha256));
        }
        self.policies.push((index, changed));
        Ok(())
    }

    /// A run that something is said of was opened before.
    fn known(&self, run: &RunId) -> Result<(), String> {
        let opened = self.runs.get(&run.group).is_some_and(|runs| runs.opened.contains_key(&run.number));
        if opened { Ok(()) } else { Err(format!("it is about run {run}, and no entry opened it")) }
    }

    /// A sign-off is about the record that the run was closed with.
    fn signed_off(&mut self, index: u64, sign_off: &SignOff) -> Result<(), String> {
        self.known(&sign_off.run)?;
        if self.blobs.get(&sign_off.record).and_then(|(_, run)| run.as_ref()) != Some(&sign_off.run) {
            return Err(format!("it is about a record of {} that no entry before it names", sign_off.run));
        }
        self.signed.push(Signed::of_sign_off(index, sign_off)?);
        Ok(())
    }

    fn action_closed(&mut self, action: u64) -> Result<(), String> {
        match self.actions.insert(action, true) {
            Some(false) => Ok(()),
            Some(true) => Err(format!("action {action} is closed a second time")),
            None => Err(format!("action {action} is closed, and no entry opened it")),
        }
    }

    fn drafted(&mut self, run: &RunId, version: u32) -> Result<(), String> {
        self.known(run)?;
        let last = self.drafts.entry(run.clone()).or_default();
        if version == *last + 1 {
            *last = version;
            Ok(())
        } else {
            Err(format!("draft {version} about run {run} comes after draft {last}"))
        }
    }

    fn opened(&mut self, what: &What) -> Result<(), String> {
        let What::LedgerOpened { origin, ledger_key, record_key, .. } = what else {
            return Err("it is not the one that opens the ledger".into());
        };
        if *origin != self.origin {
            return Err(format!("it opens the ledger {origin}, and not {}", self.origin));
        }
        self.record = Some(record_key.key().map_err(|error| format!("the record key: {error}"))?);
        self.ledger.push(ledger_key.verifier(origin).map_err(|error| format!("the ledger key: {error}"))?);
        Ok(())
    }

    fn added(&mut self, role: Role, key: &NamedKey) -> Result<(), String> {
        let bad = |error| format!("the new {} key: {error}", role.as_str());
        match role {
            Role::Record => self.record = Some(key.key().map_err(bad)?),
            Role::Ledger => self.ledger.push(key.verifier(&self.origin).map_err(bad)?),
        }
        Ok(())
    }

    fn retired(&self, role: Role, id: &str) -> Result<(), String> {
        let now = match role {
            Role::Record => self.record.as_ref().is_some_and(|key| key.id() == id),
            Role::Ledger => false,
        };
        if now {
            Err(format!("the {} key {id} is retired, and no other was added before", role.as_str()))
        } else {
            Ok(())
        }
    }

    fn run_opened(&mut self, run: &RunId, rehearsal: bool) -> Result<(), String> {
        match self.runs.entry(run.group.clone()).or_default().opened.insert(run.number, rehearsal) {
            None => Ok(()),
            Some(_) => Err(format!("run {run} is opened a second time")),
        }
    }

    fn run_closed(&mut self, run: RunId, record: Option<Blob>) -> Result<(), String> {
        let runs = self.runs.entry(run.group.clone()).or_default();
        if !runs.opened.contains_key(&run.number) {
            return Err(format!("run {run} is closed, and no entry opened it"));
        }
        if !runs.closed.insert(run.number) {
            return Err(format!("run {run} is closed a second time"));
        }
        if let Some(blob) = record {
            self.blobs.insert(blob.sha256, (blob.bytes, Some(run)));
        }
        Ok(())
    }

    /// All entries were read.
    pub fn end(mut self) -> Audited {
        let mut open = Vec::new();
        let mut flaws = std::mem::take(&mut self.flaws);
        for (group, runs) in &self.runs {
            let last = runs.opened.keys().next_back().copied().unwrap_or(0);
            let missing: Vec<_> = (1..=last).filter(|n| !runs.opened.contains_key(n)).take(20).collect();
            for number in missing {
                let run = RunId { group: group.clone(), number };
                flaws.push(Flaw::new(format!("runs of {group}"), format!("no entry opens run {run}: there is a gap")));
            }
            for (number, rehearsal) in &runs.opened {
                if runs.closed.contains(number) {
                    continue;
                }
                let run = RunId { group: group.clone(), number: *number };
                let newest = runs.opened.iter().rev().find(|(_, other)| *other == rehearsal).map(|(number, _)| *number);
                if newest == Some(*number) {
                    open.push(run);
                } else {
                    flaws.push(Flaw::new(
                        format!("runs of {group}"),
                        format!("no entry closes run {run}, and a later run was opened"),
                    ));
                }
            }
        }
        if self.next == 0 {
            flaws.push(Flaw::new("entries", "there is none, not even the one that opens the ledger"));
        }
        let runs = self.runs.iter();
        let opened: BTreeSet<_> = runs
            .flat_map(|(group, runs)| runs.opened.keys().map(|number| RunId { group: group.clone(), number: *number }))
            .collect();
        Audited {
            entries: self.next,
            runs: opened.len() as u64,
            opened,
            open,
            late: self.late,
            unknown: self.unknown,
            record: self.record,
            ledger: self.ledger,
            blobs: self.blobs,
            signed: self.signed,
            policies: self.policies,
            anchored: self.anchored,
            flaws,
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::{
        evidence::{
            key::{SigningKey, private_pem},
            later::{ActionClosed, ActionOpened, IncidentDrafted, Opinion},
            statement::Entry,
        },
        model::{Digest, Outcome, PersonSignature, RunKind},
    };

    const ORIGIN: &str = "fra/ledger";

    fn key(n: u8) -> SigningKey {
        SigningKey::from_pem(&private_pem(&[n; 32])).unwrap()
    }

    fn by(n: u8, what: What) -> Vec<u8> {
        Entry::new(Timestamp::UNIX_EPOCH, [n; 16], what).seal(&[0; 32], &key(n)).unwrap()
    }

    fn first() -> Vec<u8> {
        let (ledger_key, record_key) = (key(9).public().into(), key(1).public().into());
        by(1, What::LedgerOpened { origin: ORIGIN.into(), ledger_key, record_key, version: "1".into() })
    }

    fn opened(run: &str, rehearsal: bool) -> What {
        What::RunOpened {
            run: run.parse().unwrap(),
            run_kind: RunKind::Failover,
            rehearsal,
            drill: None,
            source: "fra".parse().unwrap(),
            destination: "dub".parse().unwrap(),
            requested_by: "anna".parse().unwrap(),
            opened_at: Timestamp::UNIX_EPOCH,
            plan: Digest::of(b""),
        }
    }

    fn closed(run: &str) -> What {
        let (run, outcome) = (run.parse().unwrap(), Outcome::Cancelled);
        What::RunClosed { run, outcome, closed_at: Timestamp::UNIX_EPOCH, record: Some(Blob::of(b"{}")) }
    }

    fn added(role: Role, n: u8) -> What {
        What::KeyAdded { role, key: key(n).public().into(), requested_by: "anna".parse().unwrap() }
    }

    fn audited(entries: &[Vec<u8>]) -> Audited {
        let mut audit = Audit::of(ORIGIN);
        for entry in entries {
            audit.entry(entry);
        }
        audit.end()
    }

    fn flaws(entries: &[Vec<u8>]) -> Vec<String> {
        audited(entries).flaws.into_iter().map(|flaw| format!("{}: {}", flaw.place, flaw.what)).collect()
    }

    #[test]
    fn a_ledger_as_we_write_it_has_no_flaw() {
        let found = audited(&[
            first(),
            by(1, opened("orders-1", false)),
            by(1, opened("orders-2", true)),
            by(1, closed("orders-2")),
            by(1, closed("orders-1")),
            by(1, opened("orders-3", false)),
        ]);
        assert_eq!(found.flaws, []);
        assert_eq!((found.entries, found.runs, found.blobs.len()), (6, 3, 1));
        assert_eq!(found.open, ["orders-3".parse().unwrap()]);
    }

    #[test]
    fn a_drill_policy_is_entered_when_it_changed_and_may_come_back_later() {
        let policy = |text: &[u8]| {
            let anna = "anna".parse().unwrap();
            by(1, What::PolicyChanged(PolicyChanged { policy: Blob::of(text), requirements: 1, by: anna }))
        };
        let found = audited(&[first(), policy(b"strict"), policy(b"loose"), policy(b"strict")]);
        assert_eq!(found.flaws, []);
        assert_eq!((found.policies.len(), found.blobs.len()), (3, 2));
        let twice = flaws(&[first(), policy(b"strict"), policy(b"strict")]);
        assert!(twice.len() == 1 && twice[0].starts_with("entry 2: it enters the drill policy"), "{twice:?}");
    }

    #[test]
    fn a_gap_between_runs_is_a_flaw_and_so_is_a_run_that_nobody_closed() {
        let found = flaws(&[first(), by(1, opened("orders-2", false)), by(1, opened("orders-3", false))]);
        assert_eq!(
            found,
            [
                "runs of orders: no entry opens run orders-1: there is a gap",
                "runs of orders: no entry closes run orders-2, and a later run was opened"
            ]
        );
    }

    #[test]
    fn a_run_is_opened_and_closed_once_and_in_this_order() {
        let [one, end] = [by(1, opened("orders-1", false)), by(1, closed("orders-1"))];
        assert!(flaws(&[first(), end.clone()])[0].contains("no entry opened it"));
        assert!(flaws(&[first(), one.clone(), one.clone()])[0].contains("opened a second time"));
        assert!(flaws(&[first(), one, end.clone(), end])[0].contains("closed a second time"));
    }

    #[test]
    fn after_a_rotation_the_new_key_signs_and_the_old_one_does_not() {
        let rotated = [first(), by(1, added(Role::Record, 2)), by(2, opened("orders-1", false))];
        assert_eq!(flaws(&rotated), Vec::<String>::new());
        assert_eq!(audited(&rotated).record.as_ref(), Some(key(2).public()));
        let stale = [first(), by(1, added(Role::Record, 2)), by(1, opened("orders-1", false))];
        assert!(flaws(&stale)[0].starts_with("entry 2: it is signed with key"), "{:?}", flaws(&stale));
        let ledger = audited(&[first(), by(1, added(Role::Ledger, 7))]).ledger;
        assert_eq!(ledger.last(), Some(&Verifier::new(ORIGIN, key(7).public()).unwrap()));
    }

    #[test]
    fn who_signed_is_judged_by_the_key_of_that_entry_however_it_was_read() {
        let (old, new) = (Arc::new(key(1).public().clone()), Arc::new(key(2).public().clone()));
        let rotated = [first(), by(1, added(Role::Record, 2)), by(2, opened("orders-1", false))];
        let stale = [first(), by(1, added(Role::Record, 2)), by(1, opened("orders-1", false))];
        for looked_for in [None, Some(&old), Some(&new)] {
            let found = |entries: &[Vec<u8>]| {
                let mut audit = Audit::of(ORIGIN);
                for entry in entries {
                    audit.prepared(Prepared::of(entry, looked_for));
                }
                audit.end().flaws
            };
            assert_eq!(found(&rotated), [], "{looked_for:?}");
            assert!(found(&stale)[0].what.starts_with("it is signed with key"), "{looked_for:?}");
        }
        let mut forged = by(1, opened("orders-1", false));
        let at = forged.len() - 20;
        forged[at] = if forged[at] == b'A' { b'B' } else { b'A' };
        assert!(Prepared::of(&forged, Some(&old)).signed_by.is_none());
    }

    #[test]
    fn a_key_is_not_added_by_somebody_else() {
        assert!(flaws(&[first(), by(2, added(Role::Record, 2))])[0].starts_with("entry 1: it is signed with key"));
    }

    #[test]
    fn what_is_said_later_is_about_something_that_was_entered_before() {
        let by_anna = || "anna".parse().unwrap();
        let sign_off = |record: &[u8], text: Option<&str>| {
            let mut sign_off = SignOff {
                run: "orders-1".parse().unwrap(),
                record: Blob::of(record).sha256,
                opinion: Opinion::Accepted,
                comment: String::new(),
                by: by_anna(),
                signed_at: Timestamp::UNIX_EPOCH,
                signed: PersonSignature { text: String::new(), signature: "s".into(), key: "k".into() },
            };
            sign_off.signed.text = text.map_or_else(|| sign_off.statement(), str::to_owned);
            What::SignedOff(sign_off)
        };
        let close = |action| {
            let note = "done".to_owned();
            What::ActionClosed(ActionClosed { action, note, retest: None, by: by_anna() })
        };
        let open = |run: &str| {
            let (run, owner, due) = (run.parse().unwrap(), by_anna(), jiff::civil::date(2026, 12, 15));
            let (severity, text) = (crate::evidence::Severity::High, "mend it".into());
            What::ActionOpened(ActionOpened { run, finding: None, severity, text, owner, due, by: by_anna() })
        };
        let draft = |version| {
            let (run, draft) = ("orders-1".parse().unwrap(), Blob::of(b"draft"));
            What::IncidentDrafted(IncidentDrafted { run, version, complete: false, draft, by: by_anna() })
        };
        // Entries 0 to 2 open the ledger, and open and close a run.
        for (story, later, says) in [
            ("a sign-off", vec![sign_off(b"{}", None)], None),
            ("of another record", vec![sign_off(b"{ }", None)], Some("no entry before it names")),
            ("over another text", vec![sign_off(b"{}", Some("all is well"))], Some("signed something else")),
            ("an action", vec![open("orders-1"), close(3)], None),
            ("of no run", vec![open("orders-2")], Some("no entry opened it")),
            ("closed twice", vec![open("orders-1"), close(3), close(3)], Some("closed a second time")),
            ("that nobody opened", vec![close(7)], Some("no entry opened it")),
            ("two drafts", vec![draft(1), draft(2)], None),
            ("a draft that is missing", vec![draft(2)], Some("draft 2 about run orders-1 comes after draft 0")),
        ] {
            let mut entries = vec![first(), by(1, opened("orders-1", false)), by(1, closed("orders-1"))];
            entries.extend(later.into_iter().map(|what| by(1, what)));
            let found = flaws(&entries);
            match says {
                None => assert_eq!(found, Vec::<String>::new(), "{story}"),
                Some(says) => assert!(found.len() == 1 && found[0].contains(says), "{story}: {found:?}"),
            }
        }
    }

    #[test]
    fn nothing_is_verified_without_the_entry_that_opens_the_ledger() {
        assert!(flaws(&[])[0].contains("there is none"));
        assert!(flaws(&[by(1, opened("orders-1", false))])[0].contains("not the one that opens"));
        assert!(flaws(&[first(), first()])[0].contains("a second time"));
        let mut other = Audit::of("dub/ledger");
        other.entry(&first());
        assert!(other.end().flaws[0].what.contains("it opens the ledger fra/ledger"));
    }
}
