//! Anchoring: the heads of the ledger leave this machine, and what comes back is an entry with its receipt.
//!
//! An anchor that answered and whose entry was not made (a crash, a full disk) is asked again: it says yes to the same head, and the
//! entry is made then. What anchors themselves enter is not worth another round: an anchor is due when something else is new, or
//! when its last answer is older than its document says.
//!
//! An anchor that has seen more than there is, or something else, accuses this ledger. That is said loudly, again and again, and
//! stops nothing: what is at stake then is evidence, and users come first.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::{
    App, AppError, Reading,
    bookkeeping::{Bookshelf, ledger},
    documents::Papers,
    keys::draw,
    supervise::Crew,
    tidings::Tidings,
};
use crate::{
    anchor::{Anchor, AnchorError, Head, Means},
    evidence::{
        audit::Flaw,
        checkpoint::Checkpoint,
        key::hex,
        later::Anchored,
        note::Note,
        statement::{Blob, What},
    },
    model::AnchorName,
    port::{Ledger as _, LedgerError},
    store::ledger::Checked,
};

/// Between two looks at whether an anchor is due: what is entered is known elsewhere within a minute.
const ROUND: Duration = Duration::from_secs(30);
/// How many times its time an anchor may be late before `status` alarms: one try may fail.
const PATIENCE: i64 = 2;
/// The least that is waited before `status` alarms: a witness may be restarted.
const GRACE: SignedDuration = SignedDuration::from_mins(15);

/// How an anchor stands, by the entries of the ledger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AnchorState {
    /// Its name.
    pub name: AnchorName,
    /// `witness`, `worm`, `timestamp`.
    pub how: String,
    /// When it had a checkpoint last, by this machine's clock; `None`: never.
    pub last: Option<Timestamp>,
    /// How long ago that is, or the ledger was opened, in seconds.
    pub age_seconds: i64,
    /// Entries that it has seen.
    pub size: u64,
    /// Entries after them, those that say of an anchor left out.
    pub unanchored: u64,
    /// It is late: it failed more than once.
    pub late: bool,
}

impl AnchorState {
    /// Something new is entered, or the last answer is older than it may be. The entry that an anchor itself makes is no news.
    fn due(&self, every_seconds: u32) -> bool {
        self.unanchored > 0 || self.age_seconds >= i64::from(every_seconds)
    }
}

/// What became of an anchor that was asked.
#[derive(Debug)]
pub struct Asked {
    /// Its name.
    pub name: AnchorName,
    /// Entries under the checkpoint.
    pub size: u64,
    /// When it had it, by its own clock where it says so; or why it has not.
    pub outcome: Result<Option<Timestamp>, AnchorError>,
}

/// What the entries say of anchors.
struct Known {
    /// When the first entry was made.
    opened: Timestamp,
    /// The numbers of entries that are not about anchors.
    others: Vec<u64>,
    last: BTreeMap<String, Anchored>,
}

impl Known {
    fn of(read: &Reading) -> Self {
        let opened = read.entries().first().map_or(Timestamp::UNIX_EPOCH, |first| first.entry.at);
        let mut last = BTreeMap::new();
        let mut about = BTreeSet::new();
        for one in read.entries() {
            if let What::Anchored(anchored) = &one.entry.what {
                last.insert(anchored.anchor.clone(), anchored.clone());
                about.insert(one.index);
            }
        }
        let others = (0..read.leaves().len() as u64).filter(|index| !about.contains(index)).collect();
        Self { opened, others, last }
    }

    fn state(&self, anchor: &Anchor, now: Timestamp) -> AnchorState {
        let last = self.last.get(anchor.name.as_str());
        let size = last.map_or(0, |last| last.size);
        let age = now.duration_since(last.map_or(self.opened, |last| last.anchored_at));
        let due = SignedDuration::from_secs(i64::from(anchor.every_seconds) * PATIENCE);
        AnchorState {
            name: anchor.name.clone(),
            how: anchor.how().to_owned(),
            last: last.map(|last| last.anchored_at),
            age_seconds: age.as_secs().max(0),
            size,
            unanchored: self.others.iter().filter(|index| **index >= size).count() as u64,
            late: age > due.max(GRACE),
        }
    }
}

impl App {
    /// The anchors of the documents.
    pub(super) fn anchors(&self, papers: &Papers) -> Result<Vec<Anchor>, AppError> {
        let open = |document: &crate::manifest::Document<crate::spec::EvidenceAnchorSpec>| {
            let name = document.name.clone();
            Anchor::open(name, &document.spec, &self.tools.secrets)
                .map_err(|why| AppError::Driver { what: format!("anchor {}", document.name), why: why.to_string() })
        };
        papers.documents.anchors.iter().map(open).collect()
    }

    /// How the anchors stand. Without a ledger, or without anchors: nothing to say.
    pub(super) fn anchor_states(&self, anchors: &[Anchor]) -> Result<Vec<AnchorState>, AppError> {
        if anchors.is_empty() || !self.settings.ledger_folder().exists() {
            return Ok(Vec::new());
        }
        let read = match self.bookshelf()?.files.entries() {
            Ok(read) => read,
            Err(LedgerError::None { .. }) => return Ok(Vec::new()),
            Err(error) => return Err(ledger(error)),
        };
        let (known, now) = (Known::of(&read), self.clock.now());
        Ok(anchors.iter().map(|anchor| known.state(anchor, now)).collect())
    }

    /// Takes the head to this anchor, or to all of the documents, now, and enters what came back. Of several each is asked, whatever
    /// became of those before.
    pub async fn anchor(&self, papers: &Papers, name: Option<&AnchorName>) -> Result<Vec<Asked>, AppError> {
        let mut anchors = self.anchors(papers)?;
        anchors.retain(|anchor| name.is_none_or(|name| anchor.name == *name));
        if anchors.is_empty() {
            let what = match name {
                Some(name) => format!("the documents hold no EvidenceAnchor `{name}`"),
                None => "the documents hold no EvidenceAnchor, so the ledger is known to this machine alone".into(),
            };
            let remedy = "name the file with --file; `lifeboat witness` is one to begin with".into();
            return Err(AppError::Missing { what, remedy });
        }
        self.there()?;
        // What was missed is entered first, so that it is anchored, too.
        self.ledger_ready(false).await?;
        let mut asked = Vec::new();
        for anchor in &anchors {
            asked.push(self.ask(anchor).await?);
        }
        Ok(asked)
    }

    /// Asks the anchors that remember whether they have seen more, or something else, than there is: what it finds is a flaw of the
    /// ledger. Nothing is entered.
    pub async fn ask_anchors(&self, papers: &Papers, checked: &mut Checked) -> Result<(), AppError> {
        let anchors = self.anchors(papers)?;
        let remembering: Vec<_> = anchors.iter().filter(|anchor| anchor.remembers()).collect();
        if remembering.is_empty() {
            let what = "no document names a witness or a bucket, so nobody was asked";
            checked.remarks.push(Flaw::new("anchors", what));
        }
        for anchor in remembering {
            self.ask_one(anchor, checked).await?;
        }
        Ok(())
    }

    /// A bucket is read and compared, a witness asked to cosign.
    async fn ask_one(&self, anchor: &Anchor, checked: &mut Checked) -> Result<(), AppError> {
        let place = || format!("anchor {}", anchor.name);
        let (books, mut remarks) = (self.bookshelf()?, Vec::new());
        let (head, known) = Self::head(&books, anchor)?;
        let means = self.asking(&books, known)?;
        let error = match anchor.survey(&head, means).await {
            Some(Ok(found)) => {
                checked.flaws.extend(found.flaws.into_iter().map(|what| Flaw::new(place(), what)));
                remarks = found.remarks;
                None
            }
            Some(Err(error)) => Some(error),
            None => match anchor.take(&head, means).await {
                Ok(_) => {
                    let size = head.checkpoint.size;
                    remarks.push(format!("it was asked, and has seen no more than these {size} entries"));
                    None
                }
                Err(error) => Some(error),
            },
        };
        match error {
            Some(error) if error.accuses() => checked.flaws.push(Flaw::new(place(), error.to_string())),
            Some(error) => remarks.push(format!("it was asked, and does not say: {error}")),
            None => {}
        }
        checked.remarks.extend(remarks.into_iter().map(|what| Flaw::new(place(), what)));
        Ok(())
    }

    async fn ask(&self, anchor: &Anchor) -> Result<Asked, AppError> {
        let (name, books) = (anchor.name.clone(), self.bookshelf()?);
        let (head, known) = Self::head(&books, anchor)?;
        let receipt = match anchor.take(&head, self.asking(&books, known)?).await {
            Ok(receipt) => receipt,
            Err(error) => return Ok(Asked { name, size: head.checkpoint.size, outcome: Err(error) }),
        };
        let Checkpoint { size, root, .. } = head.checkpoint;
        let what = What::Anchored(Anchored {
            anchor: name.to_string(),
            how: anchor.how().to_owned(),
            size,
            root: hex(&root),
            anchored_at: self.clock.now(),
            receipt: Some(Blob::of(&receipt.bytes)),
            key: receipt.key,
        });
        self.state(what, Some(receipt.bytes)).await?;
        Ok(Asked { name, size, outcome: Ok(receipt.at) })
    }

    /// The head, and the size that this anchor had last.
    fn head(books: &Bookshelf, anchor: &Anchor) -> Result<(Head, u64), AppError> {
        let (note, read) = books.files.signed_head().map_err(ledger)?;
        let checkpoint = Note::parse(&note).ok().and_then(|note| Checkpoint::read(&note).ok());
        // It was read and verified a moment ago.
        let checkpoint = checkpoint.ok_or_else(|| AppError::Missing {
            what: "the ledger's checkpoint cannot be read".into(),
            remedy: "`lifeboat evidence verify` says all that is wrong".into(),
        })?;
        let known = Known::of(&read).last.get(anchor.name.as_str()).map_or(0, |last| last.size);
        let leaves = read.leaves().to_vec();
        let named = read.entries().iter().filter_map(|one| Some((one.index, one.entry.what.blob()?.sha256.clone())));
        let blobs = named.collect();
        Ok((Head { note, checkpoint, leaves, blobs }, known))
    }

    fn asking<'a>(&'a self, books: &'a Bookshelf, known: u64) -> Result<Means<'a>, AppError> {
        let nonce = draw().map_err(super::keys::machine("draw random bytes".into()))?;
        Ok(Means { known, nonce, clock: self.clock.as_ref(), ledger: &books.files })
    }

    /// Everything that anchors gave in return, by the entries: number, entry, receipt.
    pub fn receipts(&self) -> Result<Vec<(u64, Anchored, Vec<u8>)>, AppError> {
        let mut found = Vec::new();
        for entered in self.reading()?.entries() {
            let What::Anchored(anchored) = &entered.entry.what else { continue };
            let Some(blob) = &anchored.receipt else { continue };
            if let Some(bytes) = self.bookshelf()?.files.blob(&blob.sha256).map_err(ledger)? {
                found.push((entered.index, anchored.clone(), bytes));
            }
        }
        Ok(found)
    }

    /// What `status` must say of anchors.
    pub(super) fn anchor_alarms(states: &[AnchorState]) -> Vec<String> {
        let alarm = |state: &AnchorState| {
            let since = match state.last {
                Some(last) => format!("the anchor {} has not answered since {last:.0}", state.name),
                None => format!("the anchor {} has never answered", state.name),
            };
            format!("{since}; `lifeboat evidence anchor {}` says why", state.name)
        };
        states.iter().filter(|state| state.late).map(alarm).collect()
    }

    /// Anchors whatever is due until the process ends. What fails is tried again every round, and said when it is something else.
    pub(super) fn board_anchors(
        self: &Arc<Self>,
        crew: &mut Crew,
        papers: &Papers,
        tidings: &Arc<Tidings>,
    ) -> Result<(), AppError> {
        let anchors = self.anchors(papers)?;
        if anchors.is_empty() {
            return Ok(());
        }
        let (app, tidings) = (Arc::clone(self), Arc::clone(tidings));
        crew.board("anchors".into(), async move {
            let mut said = BTreeMap::new();
            loop {
                app.anchor_round(&anchors, &mut said, &tidings).await;
                app.clock.sleep(ROUND).await;
            }
        });
        Ok(())
    }

    async fn anchor_round(&self, anchors: &[Anchor], said: &mut BTreeMap<AnchorName, String>, tidings: &Tidings) {
        // A ledger that cannot be read is the alarm of another task.
        let Ok(states) = self.anchor_states(anchors) else { return };
        for (anchor, state) in anchors.iter().zip(&states) {
            if !state.due(anchor.every_seconds) {
                continue;
            }
            let failed = match self.ask(anchor).await {
                Ok(Asked { outcome: Ok(_), .. }) => None,
                Ok(Asked { outcome: Err(error), .. }) => {
                    Some((error.accuses(), format!("{error}; {}", error.remedy())))
                }
                Err(error) => Some((false, super::bookkeeping::said(&error))),
            };
            tidings.meter().anchor_accuses(&anchor.name, failed.as_ref().is_some_and(|(accuses, _)| *accuses));
            match failed {
                None => drop(said.remove(&anchor.name)),
                Some((accuses, why)) => {
                    if accuses || said.get(&anchor.name) != Some(&why) {
                        tracing::error!("the ledger is not anchored with {}: {why}", anchor.name);
                    }
                    said.insert(anchor.name.clone(), why);
                }
            }
        }
        for state in self.anchor_states(anchors).unwrap_or_default() {
            tidings.meter().anchor(&state.name, state.age_seconds, state.unanchored);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        evidence::{
            key::{SigningKey, private_pem},
            statement::Entry,
        },
        spec::{EvidenceAnchorSpec, TimestampAnchor},
        store::ledger::{Follow as _, Fresh},
    };

    struct NoSecrets;

    impl crate::port::Secrets for NoSecrets {
        fn resolve(&self, _: &crate::spec::SecretRef) -> Result<secrecy::SecretString, crate::port::SecretError> {
            Err(crate::port::SecretError::Literal)
        }
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn entry(second: i64, what: What) -> Vec<u8> {
        let key = SigningKey::from_pem(&private_pem(&[1; 32])).unwrap();
        Entry::new(at(second), [0; 16], what).seal(&[0; 32], &key).unwrap()
    }

    fn beat(second: i64) -> Vec<u8> {
        entry(second, What::Heartbeat { version: "0".into() })
    }

    fn anchored(second: i64, anchor: &str, size: u64) -> Vec<u8> {
        let (root, anchored_at) = (hex(&[9; 32]), at(second));
        let how = "timestamp".into();
        let anchor = anchor.into();
        entry(second, What::Anchored(Anchored { anchor, how, size, root, anchored_at, receipt: None, key: None }))
    }

    fn known(entries: &[Vec<u8>]) -> Known {
        let mut read = Reading::default();
        for (index, entry) in (0..).zip(entries) {
            read.entry(Fresh::of(index, entry.clone()));
        }
        Known::of(&read)
    }

    fn clock(every_seconds: u32) -> Anchor {
        let timestamp = Some(TimestampAnchor { url: "http://tsa.example.com".into(), ca: None });
        let spec = EvidenceAnchorSpec { witness: None, worm: None, timestamp, every_seconds };
        let secrets: Arc<dyn crate::port::Secrets> = Arc::new(NoSecrets);
        Anchor::open("clock".parse().unwrap(), &spec, &secrets).unwrap()
    }

    #[test]
    fn what_is_new_makes_an_anchor_due_and_what_anchors_enter_does_not() {
        let (first, second) = (beat(0), beat(40));
        let (own, others) = (anchored(60, "clock", 2), anchored(70, "peer", 3));
        let cases = [
            ("never", vec![&first], 90, (0, 1, 90, true)),
            ("just now", vec![&first, &second, &own], 90, (2, 0, 30, false)),
            ("another anchor, too", vec![&first, &second, &own, &others], 90, (2, 0, 30, false)),
            ("something new", vec![&first, &second, &own, &others, &second], 90, (2, 1, 30, true)),
            ("only another one", vec![&first, &second, &others], 90, (0, 2, 90, true)),
            ("quiet for long", vec![&first, &second, &own], 660, (2, 0, 600, true)),
        ];
        for (what, entries, now, expected) in cases {
            let entries: Vec<_> = entries.into_iter().cloned().collect();
            let state = known(&entries).state(&clock(600), at(now));
            assert_eq!((state.size, state.unanchored, state.age_seconds, state.due(600)), expected, "{what}");
        }
    }

    #[test]
    fn an_anchor_that_failed_more_than_once_is_an_alarm() {
        let entries = [beat(0), anchored(60, "clock", 1)];
        for (every, now, late) in
            [(600, 60 + 1_200, false), (600, 60 + 1_201, true), (60, 60 + 900, false), (60, 961, true)]
        {
            let state = known(&entries).state(&clock(every), at(now));
            assert_eq!(state.late, late, "every {every} s, at {now}");
            let alarms = App::anchor_alarms(&[state]);
            assert_eq!(alarms.len(), usize::from(late), "{alarms:?}");
        }
        let never = App::anchor_alarms(&[known(&[beat(0)]).state(&clock(60), at(7_200))]);
        assert_eq!(never, ["the anchor clock has never answered; `lifeboat evidence anchor clock` says why"]);
    }
}
