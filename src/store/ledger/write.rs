//! Writing: blobs, frames, tiles, checkpoint, mark. Each is durable before the next begins, and the checkpoint takes its place by
//! a rename: up to then nothing is in, from then on everything is.

use secrecy::ExposeSecret as _;

use super::{
    CHECKPOINT, Disk, Files, HEAD, Head, LedgerError, MARK, blob_path, failed,
    follow::{Follow, Fresh},
    load::State,
};
use crate::{
    evidence::{
        checkpoint::Checkpoint,
        envelope::LONGEST,
        key::{SigningKey, hex},
        note::Verifier,
        statement::BadEntry,
        tile::{self, Tile, WIDTH},
        tree,
    },
    port::Batch,
};

impl<F: Follow> Files<F> {
    /// Adds a batch. After an error the state is worth nothing.
    pub(super) fn write(&self, state: &mut State<F>, batch: &Batch) -> Result<(), LedgerError> {
        if let Some(long) = batch.entries.iter().map(Vec::len).find(|length| *length > LONGEST) {
            return Err(LedgerError::Entry(Box::new(BadEntry::TooLong(long))));
        }
        let head = self.headed(state)?;
        self.write_blobs(&head, &batch.blobs)?;
        let before = state.edge.size();
        self.write_frames(state, &head, &batch.entries)?;
        let mut tiles = Vec::new();
        for (index, entry) in (before..).zip(&batch.entries) {
            state.add(Fresh::of(index, entry.clone()), &head.origin, &mut tiles);
        }
        tiles.extend(state.edge.partial());
        self.write_tiles(&tiles)?;
        self.write_checkpoint(state, &head, batch)?;
        self.drop_partial(before, state.edge.size());
        Ok(())
    }

    /// Which ledger it is; a new one is made.
    fn headed(&self, state: &mut State<F>) -> Result<Head, LedgerError> {
        if let Some(head) = &state.head {
            return Ok(head.clone());
        }
        let intent = || format!("make the ledger {}", self.place());
        let head = Head { origin: self.means.origin.clone(), id: (self.means.draw)().map_err(failed(intent()))? };
        // A name that no key can have would be found only when the first checkpoint is signed.
        Verifier::new(&head.origin, self.means.key.public()).map_err(|error| LedgerError::Entry(Box::new(error)))?;
        let bytes = head.bytes().map_err(|error| LedgerError::Entry(Box::new(error)))?;
        replace(self.means.disk.as_ref(), HEAD, &bytes).map_err(failed(intent()))?;
        state.head = Some(head.clone());
        Ok(head)
    }

    fn write_blobs(&self, head: &Head, blobs: &[Vec<u8>]) -> Result<(), LedgerError> {
        let key = self.data_key(head);
        for blob in blobs {
            let digest = tree::sha256(blob);
            let path = blob_path(&hex(&digest));
            if self.has_blob(&hex(&digest))? {
                continue;
            }
            let sealed = (self.means.draw)().and_then(|segment| key.seal_blob(segment, &digest, blob));
            let written = sealed.and_then(|sealed| replace(self.means.disk.as_ref(), &path, &sealed));
            written.map_err(failed(format!("write {path} of the ledger {}", self.place())))?;
        }
        Ok(())
    }

    fn write_frames(&self, state: &mut State<F>, head: &Head, entries: &[Vec<u8>]) -> Result<(), LedgerError> {
        let intent = || format!("write entries of the ledger {}", self.place());
        let first = state.edge.size();
        let segment = (self.means.draw)().map_err(failed(intent()))?;
        let frames = self.data_key(head).seal(segment, first, entries).map_err(failed(intent()))?;
        let (mut rest, mut at) = (frames.as_slice(), first);
        while !rest.is_empty() {
            let room = usize::try_from(WIDTH - at % WIDTH).unwrap_or(1).min(rest.len());
            let (now, later) = rest.split_at(room);
            let path = tile::bundle(at / WIDTH);
            let from = if at.is_multiple_of(WIDTH) { 0 } else { state.tail };
            let bytes = now.concat();
            self.means.disk.append(&path, from, &bytes).map_err(failed(intent()))?;
            if from == 0 {
                self.means.disk.sync_names(&path).map_err(failed(intent()))?;
            }
            state.tail = from + bytes.len() as u64;
            (rest, at) = (later, at + now.len() as u64);
        }
        Ok(())
    }

    fn write_tiles(&self, tiles: &[Tile]) -> Result<(), LedgerError> {
        for tile in tiles {
            let path = tile.place.to_string();
            let written = replace(self.means.disk.as_ref(), &path, &tile.bytes());
            written.map_err(failed(format!("write {path} of the ledger {}", self.place())))?;
        }
        Ok(())
    }

    fn write_checkpoint(&self, state: &mut State<F>, head: &Head, batch: &Batch) -> Result<(), LedgerError> {
        let bad = |error| LedgerError::Entry(Box::new(error));
        let next = batch.next_key.as_ref().map(|pem| SigningKey::from_pem(pem.expose_secret())).transpose();
        let next = next.map_err(bad)?;
        let keys: Vec<_> = [&self.means.key].into_iter().chain(&next).collect();
        let said = Checkpoint { origin: head.origin.clone(), size: state.edge.size(), root: state.edge.root() };
        let note = said.sign(&keys).map_err(bad)?.to_string();
        let written = replace(self.means.disk.as_ref(), CHECKPOINT, note.as_bytes());
        written.map_err(failed(format!("write the checkpoint of the ledger {}", self.place())))?;
        let marked = replace(self.means.beside.as_ref(), MARK, note.as_bytes());
        marked.map_err(failed(format!("write {MARK} beside the ledger {}", self.place())))?;
        // After a rotation this key signs no more, which is looked at when the checkpoint is read.
        state.note = if batch.next_key.is_some() { Vec::new() } else { note.into_bytes() };
        Ok(())
    }

    /// Takes away partial tiles that newer ones stand for. One that stays harms nobody: the next process takes it away.
    fn drop_partial(&self, before: u64, now: u64) {
        let still = tile::partial(now);
        for old in tile::partial(before).into_iter().filter(|old| !still.contains(old)) {
            if let Err(error) = self.means.disk.remove(&old.to_string()) {
                tracing::debug!(%error, tile = %old, "a superseded tile stays");
            }
        }
    }
}

/// Writes a file whole or not at all, durably.
fn replace(disk: &dyn Disk, path: &str, bytes: &[u8]) -> std::io::Result<()> {
    let next = format!("{path}.next");
    disk.create(&next, bytes)?;
    disk.rename(&next, path)?;
    disk.sync_names(path)
}
