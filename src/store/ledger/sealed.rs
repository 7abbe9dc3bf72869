//! The ledger as it is on the disk, for whoever keeps it and need not read it.

use super::{CHECKPOINT, Files, Follow, HEAD, LedgerError, blob_path, digest_of, failed, frame};
use crate::{
    evidence::{
        checkpoint::Checkpoint,
        note::Note,
        tile::{self, WIDTH},
    },
    port::{Frames, Sealed},
};

impl<F: Follow> Sealed for Files<F> {
    fn frames(&self) -> Result<Frames, LedgerError> {
        let _lock = self.locked(false)?;
        let missing = || LedgerError::None { place: self.place() };
        let damaged = |what: String| LedgerError::Damaged { place: self.place(), what };
        let head = self.read_file(HEAD)?.ok_or_else(missing)?;
        let note = self.read_file(CHECKPOINT)?.ok_or_else(missing)?;
        let said = Note::parse(&note).ok().and_then(|note| Checkpoint::read(&note).ok());
        let size = said.ok_or_else(|| damaged(format!("{CHECKPOINT} cannot be read")))?.size;
        let mut entries = Vec::new();
        for bundle in 0..size.div_ceil(WIDTH) {
            let path = tile::bundle(bundle);
            let bytes = self.read_file(&path)?.ok_or_else(|| damaged(format!("{path} is missing")))?;
            let mut rest = bytes.as_slice();
            for index in bundle * WIDTH..size.min((bundle + 1) * WIDTH) {
                let first = frame::first(rest, index).map_err(|error| damaged(format!("{path}: {error}")))?;
                entries.push(first.to_vec());
                rest = rest.get(first.len()..).unwrap_or_default();
            }
        }
        Ok(Frames { head, entries })
    }

    fn sealed_blob(&self, sha256: &str) -> Result<Option<Vec<u8>>, LedgerError> {
        let Some(_) = digest_of(sha256) else { return Ok(None) };
        let path = blob_path(sha256);
        self.means.disk.read(&path).map_err(failed(format!("read {path} of the ledger {}", self.place())))
    }
}
