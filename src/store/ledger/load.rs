//! Reading the ledger before it is written to: everything up to the checkpoint must be what was written.

use super::{
    CHECKPOINT, Files, HEAD, Head, LedgerError, MARK, blob_path, failed,
    follow::{Follow, Fresh},
};
use crate::{
    evidence::{
        checkpoint::{BadCheckpoint, Checkpoint},
        key::hex,
        note::{Note, Verifier},
        statement::{Role, What},
        tile::{self, Edge, Tile, WIDTH},
        tree,
    },
    port::Leftover,
};

/// The ledger as it was read, and as far as it was written since.
#[derive(Debug, Default)]
pub(super) struct State<F> {
    /// Which one; `None`: it is not made yet.
    pub(super) head: Option<Head>,
    /// What is kept of all entries.
    pub(super) seen: F,
    /// The ledger keys that they name.
    pub(super) named: Vec<Verifier>,
    /// The checkpoint over them, as its file was read or written; empty: none yet.
    pub(super) note: Vec<u8>,
    /// The tree over them.
    pub(super) edge: Edge,
    /// Bytes of the last bundle that has entries.
    pub(super) tail: u64,
    /// Bytes after the last entry: file, and from where on.
    pub(super) torn: Vec<(String, u64)>,
    /// The folder was looked through for what crashes leave.
    pub(super) tidy: bool,
}

impl<F: Follow> State<F> {
    /// The next entry, of the ledger with this origin.
    pub(super) fn add(&mut self, fresh: Fresh, origin: &str, full: &mut Vec<Tile>) {
        self.named.extend(named(&fresh, origin));
        self.edge.push(fresh.leaf, full);
        self.seen.entry(fresh);
    }
}

impl<F: Follow> Files<F> {
    fn damaged(&self, what: impl Into<String>) -> LedgerError {
        LedgerError::Damaged { place: self.place(), what: what.into() }
    }

    pub(super) fn read_file(&self, path: &str) -> Result<Option<Vec<u8>>, LedgerError> {
        self.means.disk.read(path).map_err(failed(format!("read {path} of the ledger {}", self.place())))
    }

    fn length(&self, path: &str) -> Result<Option<u64>, LedgerError> {
        let length = self.means.disk.length(path);
        length.map_err(failed(format!("look how long {path} of the ledger {} is", self.place())))
    }

    /// Brings the state up to the checkpoint. What this process has read or written before is not read again.
    pub(super) fn load(&self, state: &mut State<F>) -> Result<(), LedgerError> {
        let mark = self.means.beside.read(MARK);
        let mark = mark.map_err(failed(format!("read {MARK} beside the ledger {}", self.place())))?;
        let mark = mark.map(|bytes| self.marked(&bytes)).transpose()?;
        let (head, note) = (self.read_file(HEAD)?, self.read_file(CHECKPOINT)?);
        if let (Some(mark), None) = (&mark, &note) {
            let what =
                format!("this machine has seen {} entries ({MARK} beside it), and there is no checkpoint", mark.size);
            return Err(LedgerError::WentBack { place: self.place(), what });
        }
        let Some(head) = head else {
            return if note.is_some() { Err(self.damaged(format!("{HEAD} is missing"))) } else { Ok(()) };
        };
        let head = Head::read(&head).map_err(|what| self.damaged(format!("{HEAD}: {what}")))?;
        if self.means.insists && head.origin != self.means.origin {
            let what = format!("its origin is {}, and the setting says {}", head.origin, self.means.origin);
            return Err(LedgerError::Other { place: self.place(), what });
        }
        if state.head.as_ref().is_some_and(|known| *known != head) {
            return Err(self.damaged(format!("{HEAD} changed while this process ran")));
        }
        state.head = Some(head.clone());
        let Some(bytes) = note else { return self.after(state) };
        // The checkpoint names all entries: while it is the same, so are they.
        let more = mark.as_ref().is_some_and(|mark| mark.size > state.edge.size());
        if bytes == state.note && !more {
            return self.after(state);
        }
        let note = Note::parse(&bytes).map_err(|error| self.damaged(format!("{CHECKPOINT}: {error}")))?;
        let said = Checkpoint::read(&note).map_err(|error| self.damaged(format!("{CHECKPOINT}: {error}")))?;
        self.entries_up_to(state, &head, said.size, mark.as_ref())?;
        self.signed(state, &head, &bytes)?;
        if state.edge.root() != said.root {
            return Err(self.damaged(format!("the root over {} entries is not the one of the checkpoint", said.size)));
        }
        state.note = bytes;
        self.after(state)
    }

    fn marked(&self, bytes: &[u8]) -> Result<Checkpoint, LedgerError> {
        let read = Note::parse(bytes).map_err(BadCheckpoint::from).and_then(|note| Checkpoint::read(&note));
        read.map_err(|error| self.damaged(format!("{MARK} beside it: {error}")))
    }

    /// Reads the entries that are not known yet, and compares with the tiles and the mark.
    fn entries_up_to(
        &self,
        state: &mut State<F>,
        head: &Head,
        size: u64,
        mark: Option<&Checkpoint>,
    ) -> Result<(), LedgerError> {
        let known = state.edge.size();
        let seen = mark.map_or(0, |mark| mark.size).max(known);
        if size < seen {
            let what = format!("this machine has seen {seen} entries, and the checkpoint is over {size}");
            return Err(LedgerError::WentBack { place: self.place(), what });
        }
        let key = self.data_key(head);
        let (mut full, mut opener) = (Vec::new(), key.opener());
        while state.edge.size() < size {
            let first = state.edge.size();
            let path = tile::bundle(first / WIDTH);
            let bytes = self.read_file(&path)?.ok_or_else(|| self.damaged(format!("{path} is missing")))?;
            let skip = if first.is_multiple_of(WIDTH) { 0 } else { state.tail };
            let from = usize::try_from(skip).ok().and_then(|skip| bytes.get(skip..));
            let mut rest = from.ok_or_else(|| self.damaged(format!("{path} is shorter than it was")))?;
            for index in first..size.min((first / WIDTH + 1) * WIDTH) {
                let frame = opener.open(rest, index).map_err(|error| self.damaged(format!("{path}: {error}")))?;
                let (entry, more) = frame;
                state.add(Fresh::of(index, entry), &head.origin, &mut full);
                rest = more;
                if mark.is_some_and(|mark| mark.size == index + 1 && mark.root != state.edge.root()) {
                    let what = format!("its first {} entries are not those that this machine has seen", index + 1);
                    return Err(LedgerError::WentBack { place: self.place(), what });
                }
            }
            state.tail = (bytes.len() - rest.len()) as u64;
        }
        for tile in full.iter().chain(&state.edge.partial()) {
            self.same(tile)?;
        }
        Ok(())
    }

    fn same(&self, tile: &Tile) -> Result<(), LedgerError> {
        let path = tile.place.to_string();
        match self.read_file(&path)? {
            Some(bytes) if bytes == tile.bytes() => Ok(()),
            Some(_) => Err(self.damaged(format!("{path} does not hold the hashes of the entries"))),
            None => Err(self.damaged(format!("{path} is missing"))),
        }
    }

    /// The checkpoint is signed with our key; with others only where entries name them.
    fn signed(&self, state: &State<F>, head: &Head, bytes: &[u8]) -> Result<(), LedgerError> {
        let other = |what: String| LedgerError::Other { place: self.place(), what };
        let own = Verifier::new(&head.origin, self.means.key.public());
        let own = own.map_err(|error| other(format!("the ledger key: {error}")))?;
        match Checkpoint::verified(bytes, &own, &[]) {
            Ok(_) => return Ok(()),
            Err(BadCheckpoint::Stranger(_)) => {}
            Err(error) => return Err(self.damaged(format!("{CHECKPOINT}: {error}"))),
        }
        let named = &state.named;
        match Checkpoint::verified(bytes, &own, named) {
            Ok(_) if named.last() == Some(&own) => Ok(()),
            Ok(_) => Err(other(format!("the ledger key {own} was retired: its entries name a later one"))),
            Err(BadCheckpoint::Unsigned(_)) if !named.contains(&own) => {
                Err(other(format!("the ledger key {own} is none of its keys, and did not sign its checkpoint")))
            }
            Err(BadCheckpoint::Unsigned(_)) => {
                Err(other(format!("its checkpoint is signed with a later key than the ledger key {own}")))
            }
            Err(BadCheckpoint::Stranger(_)) if !named.contains(&own) => {
                Err(other(format!("the ledger key {own} is none of its keys")))
            }
            Err(error) => Err(self.damaged(format!("{CHECKPOINT}: {error}"))),
        }
    }

    /// Finds what stands after the last entry.
    fn after(&self, state: &mut State<F>) -> Result<(), LedgerError> {
        state.torn.clear();
        let size = state.edge.size();
        let mut bundle = size / WIDTH;
        if !size.is_multiple_of(WIDTH) {
            let path = tile::bundle(bundle);
            if self.length(&path)?.unwrap_or(0) > state.tail {
                state.torn.push((path, state.tail));
            }
            bundle += 1;
        }
        loop {
            let path = tile::bundle(bundle);
            match self.length(&path)? {
                Some(1..) => state.torn.push((path, 0)),
                Some(0) | None => return Ok(()),
            }
            bundle += 1;
        }
    }

    /// Puts what a crash left after the last entry into `recovered/`, takes it off, and says what is there that no entry names yet.
    pub(super) fn put_aside(&self, state: &mut State<F>) -> Result<Vec<Leftover>, LedgerError> {
        let mut found = Vec::new();
        state.tidy &= state.torn.is_empty();
        for (path, from) in std::mem::take(&mut state.torn) {
            let bytes = self.read_file(&path)?.unwrap_or_default();
            let Some(torn) = usize::try_from(from).ok().and_then(|from| bytes.get(from..)) else { continue };
            let aside = format!("recovered/{}-{}", hex(&tree::sha256(torn)), path.replace('/', "_"));
            let intent = || format!("put what a crash left in {path} of the ledger {} aside", self.place());
            self.means.disk.create(&aside, torn).map_err(failed(intent()))?;
            self.means.disk.sync_names(&aside).map_err(failed(intent()))?;
            self.means.disk.cut(&path, from).map_err(failed(intent()))?;
        }
        if state.tidy {
            return Ok(found);
        }
        let listed =
            self.means.disk.list().map_err(failed(format!("list the files of the ledger {}", self.place())))?;
        let places: Vec<_> = tile::partial(state.edge.size()).iter().map(ToString::to_string).collect();
        for (path, bytes) in listed {
            if let Some(named) = path.strip_prefix("recovered/").filter(|name| !name.ends_with(".entered")) {
                let Some((sha256, file)) = named.split_once('-') else { continue };
                found.push(Leftover { file: file.replace('_', "/"), bytes, sha256: sha256.to_owned() });
            } else if path.rsplit('.').next() == Some("next") || (path.contains(".p/") && !places.contains(&path)) {
                // Of an append that did not come to its end: nothing names it.
                self.means.disk.remove(&path).map_err(failed(format!("remove {path} of {}", self.place())))?;
            }
        }
        state.tidy = true;
        Ok(found)
    }

    /// Entries name them now.
    pub(super) fn entered(&self, leftovers: &[Leftover]) -> Result<(), LedgerError> {
        for Leftover { file, sha256, .. } in leftovers {
            let path = format!("recovered/{sha256}-{}", file.replace('/', "_"));
            let intent = || format!("mark {path} of the ledger {} as entered", self.place());
            self.means.disk.rename(&path, &format!("{path}.entered")).map_err(failed(intent()))?;
            self.means.disk.sync_names(&path).map_err(failed(intent()))?;
        }
        Ok(())
    }

    /// Whether the blob is there already.
    pub(super) fn has_blob(&self, sha256: &str) -> Result<bool, LedgerError> {
        Ok(self.length(&blob_path(sha256))?.is_some())
    }
}

/// The ledger key that an entry names.
fn named(fresh: &Fresh, origin: &str) -> Option<Verifier> {
    match &fresh.read.as_ref().ok()?.1.predicate.what {
        What::LedgerOpened { ledger_key, .. } => ledger_key.verifier(origin).ok(),
        What::KeyAdded { role: Role::Ledger, key, .. } => key.verifier(origin).ok(),
        _ => None,
    }
}
