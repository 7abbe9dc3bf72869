//! Entering runs into the ledger: opened before the first act, closed when they are (promise S13).
//!
//! Every append looks at all runs of the store first and makes up for what has no entry: a process was killed, or the ledger was out of
//! order. Such entries are marked late. Entries are known by their run, so what two processes want to enter at once is entered
//! once; and a crash anywhere means that the next append enters it.
//!
//! A ledger that cannot be written keeps a drill, a switchover and a failback from acting. A failover goes on: users wait. It is
//! said in the log and with the result, `status` alarms, and the entry is made up for.
//!
//! Files are read and written in place, like the records: an append takes milliseconds, and where another process holds the ledger at
//! most two seconds, or a fifth of one where users wait.

use std::{io, path::PathBuf, sync::Arc, time::Duration};

use jiff::{SignedDuration, Timestamp};

use super::{
    App, AppError, Order, StorePlace, identity,
    keys::draw,
    reading::{Book, Reading},
    supervise::Crew,
};
use crate::{
    evidence::{
        Record,
        key::SigningKey,
        statement::{Blob, Entry, NamedKey, What},
    },
    model::{CommandBody, RunId},
    port::{Batch, Ledger as _, LedgerError, Standing, StoreError},
    store::ledger::{Files, Follow, Means},
};

/// A quiet ledger has an entry at least this often.
const HEARTBEAT: SignedDuration = SignedDuration::from_hours(24);

/// How long the ledger of this machine may know nothing of a run: another machine on the same cluster drove it, and this one makes up
/// for it every hour.
const ELSEWHERE: SignedDuration = SignedDuration::from_hours(2);

/// Between two looks at whether an entry is due.
const ROUND: Duration = Duration::from_hours(1);

/// An entry that is to be made, with the blob that it names.
pub(super) struct Draft {
    pub(super) what: What,
    pub(super) late: bool,
    pub(super) blob: Option<Vec<u8>>,
}

impl Draft {
    fn on_time(what: What) -> Self {
        Self { what, late: false, blob: None }
    }
}

/// Where the ledger is.
pub(super) struct Bookshelf {
    pub(super) files: Files<Reading>,
    pub(super) record: SigningKey,
}

impl Bookshelf {
    /// For a run whose users wait.
    fn hurried(self) -> Self {
        Self { files: self.files.hurried(), ..self }
    }
}

/// The error of a ledger, said with its place and remedy.
pub(super) fn ledger(source: LedgerError) -> AppError {
    AppError::Ledger { source }
}

impl App {
    /// The ledger, with the keys read now. Nothing is read or written yet.
    pub(super) fn bookshelf(&self) -> Result<Bookshelf, AppError> {
        self.make_keys()?;
        let keys = self.ledger_keys()?;
        let (public, data) = (keys.ledger.public().clone(), keys.data);
        let open = || self.files_with(keys.ledger, data);
        let files = self.shelf.take(&self.settings.ledger_folder(), (&public, &data), open);
        Ok(Bookshelf { files, record: keys.record })
    }

    /// The signed checkpoint and the bytes of all entries under it, read anew.
    pub(super) fn raw_head(&self) -> Result<(Vec<u8>, Vec<Vec<u8>>), AppError> {
        let keys = self.ledger_keys()?;
        self.files_with::<Vec<Vec<u8>>>(keys.ledger, keys.data).signed_head().map_err(ledger)
    }

    /// The bytes of all entries, read anew.
    pub(super) fn raw_entries(&self) -> Result<Vec<Vec<u8>>, AppError> {
        let keys = self.ledger_keys()?;
        self.files_with::<Vec<Vec<u8>>>(keys.ledger, keys.data).entries().map_err(ledger)
    }

    /// The ledger, to be written with this key. Nothing of it is read yet.
    pub(super) fn files_with<F: Follow>(&self, key: SigningKey, data: [u8; 32]) -> Files<F> {
        let folder = self.settings.ledger_folder();
        let insists = self.settings.ledger.origin.is_some();
        let (disk, beside) = (self.shelf.disk(&folder), self.shelf.disk(&self.settings.data));
        let origin = self.new_origin();
        Files::new(Means { disk, beside, key, data, origin, insists, draw: draw::<16> })
    }

    /// What a new ledger is called.
    fn new_origin(&self) -> String {
        let host = || format!("{}/ledger", identity::host().replace([' ', '+'], "-"));
        self.settings.ledger.origin.clone().unwrap_or_else(host)
    }

    /// What the ledger is called: as its first entry says, or as a new one would be.
    pub fn origin(&self) -> String {
        let read = self.bookshelf().ok().and_then(|books| books.files.entries().ok());
        match read.as_ref().and_then(|read| read.entries().first()).map(|first| &first.entry.what) {
            Some(What::LedgerOpened { origin, .. }) => origin.clone(),
            Some(_) | None => self.new_origin(),
        }
    }

    /// Brings the ledger up to the store: every run has its entries. What happens to `now` is entered on time, everything else
    /// late.
    async fn enter(&self, now: Option<&RunId>) -> Result<(), AppError> {
        let books = self.bookshelf()?;
        self.enter_also(&books, now, false, Vec::new()).await
    }

    /// What the ledger says, where there is one.
    fn read_so_far(books: &Bookshelf) -> Result<Reading, AppError> {
        match books.files.entries() {
            Err(LedgerError::None { .. }) => Ok(Reading::default()),
            read => read.map_err(ledger),
        }
    }

    /// With `alone`, only what happens to `now`: the rest can wait.
    async fn enter_also(
        &self,
        books: &Bookshelf,
        now: Option<&RunId>,
        alone: bool,
        also: Vec<Draft>,
    ) -> Result<(), AppError> {
        let read = Self::read_so_far(books)?;
        let mut drafts = self.missing(read.book(), now, alone).await?;
        // Who holds a copy makes the next append copy everything.
        drop(read);
        drafts.extend(also);
        self.append(books, &drafts, None)
    }

    /// Entries that the store's runs want and the ledger does not have, by group and number.
    async fn missing(&self, book: &Book, now: Option<&RunId>, alone: bool) -> Result<Vec<Draft>, AppError> {
        let group = now.filter(|_| alone).map(|run| &run.group);
        let mut runs = self.store.runs(group).await.map_err(AppError::store("list the runs"))?;
        runs.retain(|summary| !alone || now == Some(&summary.run));
        runs.sort_by(|one, other| one.run.cmp(&other.run));
        let mut drafts = Vec::new();
        for summary in runs {
            let run = &summary.run;
            let late = now != Some(run);
            let (opened, closed) = (book.opened.contains(run), book.closed.contains(run));
            if opened && (closed || summary.closed.is_none()) {
                continue;
            }
            let (_, events) = self.read(run).await?;
            let Some(crate::model::EventBody::Opened(first)) = events.first().map(|event| event.body.clone()) else {
                continue;
            };
            if !opened {
                let what = What::RunOpened {
                    run: run.clone(),
                    run_kind: summary.kind,
                    rehearsal: summary.rehearsal,
                    drill: summary.drill,
                    source: summary.source.clone(),
                    destination: summary.destination.clone(),
                    requested_by: first.requested_by.clone(),
                    opened_at: summary.opened_at,
                    plan: first.digest.clone(),
                };
                drafts.push(Draft { what, late, blob: None });
            }
            if let Some((closed_at, outcome)) = summary.closed {
                let blob = Record::of(run, events).ok().and_then(|record| serde_json::to_vec(&record).ok());
                let record = blob.as_deref().map(Blob::of);
                let what = What::RunClosed { run: run.clone(), outcome, closed_at, record };
                drafts.push(Draft { what, late, blob });
            }
        }
        Ok(drafts)
    }

    /// Appends what is not there yet. A new ledger is opened first, and what crashes left is entered.
    pub(super) fn append(
        &self,
        books: &Bookshelf,
        drafts: &[Draft],
        next_key: Option<&secrecy::SecretString>,
    ) -> Result<(), AppError> {
        let at = self.clock.now();
        let mut compose = |standing: &Standing, read: &Reading| {
            let book = read.book();
            let own = books.record.public().id();
            if let Some(record) = book.record.as_ref().filter(|record| **record != own) {
                let what = format!("entries are signed with the record key {record}, and the one that is set is {own}");
                return Err(LedgerError::Other { place: self.settings.ledger_folder().display().to_string(), what });
            }
            let mut whats = Vec::new();
            if standing.size == 0 {
                whats.push((self.opening(&standing.origin, &books.record)?, false));
            }
            for left in &standing.leftovers {
                let (file, bytes, sha256) = (left.file.clone(), left.bytes, left.sha256.clone());
                whats.push((What::LedgerRecovered { file, bytes, sha256 }, false));
            }
            let wanted = drafts.iter().filter(|draft| !book.has(&draft.what)).collect::<Vec<_>>();
            let blobs = wanted.iter().filter_map(|draft| draft.blob.clone()).collect();
            whats.extend(wanted.iter().map(|draft| (draft.what.clone(), draft.late)));
            let entries = whats
                .into_iter()
                .map(|(what, late)| seal(at, what, late, standing, &books.record))
                .collect::<Result<_, _>>()?;
            Ok(Batch { entries, blobs, next_key: next_key.cloned() })
        };
        books.files.append(&mut compose).map(|_| ()).map_err(ledger)
    }

    fn opening(&self, origin: &str, record: &SigningKey) -> Result<What, LedgerError> {
        let keys = self.ledger_keys().map_err(|error| LedgerError::Entry(Box::new(error)))?;
        Ok(What::LedgerOpened {
            origin: origin.to_owned(),
            ledger_key: NamedKey::from(keys.ledger.public()),
            record_key: NamedKey::from(record.public()),
            version: env!("CARGO_PKG_VERSION").into(),
        })
    }

    /// Before a run is opened, and before its lease is taken: the ledger must be in order. Users who wait (`goes_on`) do not wait
    /// for what was missed earlier, nor for a ledger that is out of order.
    pub(super) async fn ledger_ready(&self, goes_on: bool) -> Result<(), AppError> {
        if goes_on { Ok(()) } else { self.enter_with_policy(Vec::new()).await }
    }

    /// Whatever is missing, the drill policy of the documents where it changed, and this.
    async fn enter_with_policy(&self, more: Vec<Draft>) -> Result<(), AppError> {
        let books = self.bookshelf()?;
        let policy = self.policy_draft(&Self::read_so_far(&books)?);
        self.enter_also(&books, None, false, policy.into_iter().chain(more).collect()).await
    }

    /// After a run was opened and before it acts. Where it must not act without an entry it is ordered to end, which it does
    /// before its first step.
    pub(super) async fn entered_opened(&self, run: &RunId, goes_on: bool) -> Result<(), AppError> {
        let books = self.bookshelf().map(|books| if goes_on { books.hurried() } else { books });
        let entered = match books {
            Ok(books) => self.enter_also(&books, Some(run), true, Vec::new()).await,
            Err(error) => Err(error),
        };
        let Err(error) = entered else { return Ok(()) };
        loudly(&error);
        if goes_on {
            return Ok(());
        }
        let reason = format!("it cannot be entered into the ledger: {}", super::error::whole(&error));
        let body = CommandBody::Cancel { unwind: false };
        self.order(run, Order { body, reason, expected_term: None, key: None }).await.map(|_| ())
    }

    /// Whenever a run came to rest. Gives what keeps it out of the ledger.
    pub(super) async fn entered(&self, now: Option<&RunId>) -> Option<String> {
        let error = self.enter(now).await.err()?;
        loudly(&error);
        Some(said(&error))
    }

    /// Enters a later fact with the blob that it names, and whatever is missing before it. A ledger that cannot be written refuses.
    pub(super) async fn state(&self, what: What, blob: Option<Vec<u8>>) -> Result<(), AppError> {
        let books = self.bookshelf()?;
        self.enter_also(&books, None, false, vec![Draft { what, late: false, blob }]).await
    }

    /// Once a day, the drill policy where it changed, and whatever is missing. `serve` asks every hour.
    pub async fn ledger_beat(&self) -> Result<(), AppError> {
        let last = Self::read_so_far(&self.bookshelf()?)?.book().last;
        let due = last.is_none_or(|last| self.clock.now().duration_since(last) >= HEARTBEAT);
        let beat = due.then(|| What::Heartbeat { version: env!("CARGO_PKG_VERSION").into() });
        self.enter_with_policy(beat.map(Draft::on_time).into_iter().collect()).await
    }

    /// Beats until the process ends. What fails is tried again an hour later, and is an alarm of `status` meanwhile.
    pub(super) fn board_ledger(self: &Arc<Self>, crew: &mut Crew) {
        let app = Arc::clone(self);
        crew.board("ledger".into(), async move {
            loop {
                if let Err(error) = app.ledger_beat().await {
                    tracing::error!("the ledger was not written to: {}", said(&error));
                }
                app.clock.sleep(ROUND).await;
            }
        });
    }

    /// What keeps the ledger from saying all that the store knows of a group; `None`: nothing. Looks, and writes nothing.
    pub(super) async fn ledger_alarm(&self, group: &crate::model::GroupName) -> Result<Option<String>, StoreError> {
        // A machine that never had to do with a run has no ledger.
        if !self.settings.keys().exists() && !self.settings.ledger_folder().exists() {
            return Ok(None);
        }
        let grace = match self.settings.store {
            StorePlace::File(_) => SignedDuration::ZERO,
            StorePlace::Etcd(_) => ELSEWHERE,
        };
        let before = self.clock.now().checked_sub(grace).unwrap_or(Timestamp::MIN);
        let runs = self.store.runs(Some(group)).await?;
        let read = match self.bookshelf().and_then(|books| books.files.entries().map_err(ledger)) {
            Ok(read) => read,
            Err(AppError::Ledger { source: LedgerError::None { .. } }) => Reading::default(),
            Err(error) => return Ok(Some(said(&error))),
        };
        let book = read.book();
        let missing: Vec<_> = runs
            .iter()
            .filter(|run| run.opened_at <= before)
            .filter(|run| !book.opened.contains(&run.run) || (run.closed.is_some() && !book.closed.contains(&run.run)))
            .map(|run| run.run.to_string())
            .collect();
        if missing.is_empty() {
            return Ok(None);
        }
        Ok(Some(format!("not in the ledger yet: {}; the next append makes up for it", missing.join(", "))))
    }

    /// All entries, in order.
    pub fn reading(&self) -> Result<Reading, AppError> {
        self.there()?;
        let read = self.bookshelf()?.files.entries().map_err(ledger)?;
        match read.unreadable() {
            None => Ok(read),
            Some((index, why)) => Err(AppError::Missing {
                what: format!("entry {index} cannot be read: {why}"),
                remedy: "`lifeboat evidence verify` says all that is wrong".into(),
            }),
        }
    }

    /// Refuses where there is no ledger: who only looks makes no keys.
    pub(super) fn there(&self) -> Result<(), AppError> {
        let folder = self.settings.ledger_folder();
        if folder.exists() { Ok(()) } else { Err(ledger(LedgerError::None { place: folder.display().to_string() })) }
    }
}

fn seal(at: Timestamp, what: What, late: bool, standing: &Standing, key: &SigningKey) -> Result<Vec<u8>, LedgerError> {
    let salt = draw().map_err(|error: io::Error| LedgerError::Entry(Box::new(error)))?;
    let entry = Entry::new(at, salt, what);
    let entry = if late { entry.late() } else { entry };
    entry.seal(&standing.root, key).map_err(|error| LedgerError::Entry(Box::new(error)))
}

fn loudly(error: &AppError) {
    tracing::error!("a run is not in the ledger: {}", said(error));
}

/// An error with its remedy, in one line.
pub(super) fn said(error: &AppError) -> String {
    let whole = super::error::whole(error);
    error.remedy().map_or_else(|| whole.clone(), |remedy| format!("{whole}; {remedy}"))
}

impl super::Settings {
    /// The folder of the ledger.
    pub fn ledger_folder(&self) -> PathBuf {
        self.data.join("ledger")
    }

    /// The folder of the keys.
    pub fn keys(&self) -> PathBuf {
        self.data.join("keys")
    }
}
