//! Keeping evidence: in the store, and as a file that people can carry away.
//!
//! The file appears whole or not at all: it is written beside its place and renamed. A crash in between leaves a file with
//! the ending `.next`, which the next record replaces.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, BufWriter, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use super::{App, AppError};
use crate::{evidence::Record, model::RunId};

/// Where a record is.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Kept {
    /// The file.
    pub file: PathBuf,
}

impl App {
    /// Builds the record of a run as it stands, and keeps it: with line breaks in the file, for people, and without in
    /// the store. What keeps it from that says nothing about the run.
    pub(super) async fn keep(&self, id: &RunId) -> Result<(Record, Kept), AppError> {
        self.write(id).await.map_err(|source| AppError::Unkept { run: id.clone(), source: Box::new(source) })
    }

    async fn write(&self, id: &RunId) -> Result<(Record, Kept), AppError> {
        let record = self.build(id).await?;
        let file = self.settings.evidence().join(format!("{id}.json"));
        write(&file, |out| Ok(serde_json::to_writer_pretty(out, &record)?))
            .map_err(|source| AppError::Machine { intent: format!("write the record {}", file.display()), source })?;
        let text = serde_json::to_string(&record)
            .map_err(|error| AppError::Machine { intent: format!("write the record of {id}"), source: error.into() })?;
        self.store.keep(id, text).await.map_err(AppError::store(format!("keep the record of {id}")))?;
        Ok((record, Kept { file }))
    }

    /// The record of a run as its journal says now.
    pub async fn build(&self, id: &RunId) -> Result<Record, AppError> {
        let (_, events) = self.read(id).await?;
        Record::of(id, events).map_err(AppError::Record)
    }
}

/// Writes a file of one's own (0600) in a folder of one's own (0700), whole or not at all.
fn write(file: &Path, text: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>) -> io::Result<()> {
    if let Some(folder) = file.parent() {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    }
    let next = file.with_extension("json.next");
    match fs::remove_file(&next) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    let mut out = BufWriter::new(OpenOptions::new().write(true).create_new(true).mode(0o600).open(&next)?);
    text(&mut out)?;
    out.write_all(b"\n")?;
    out.into_inner()?.sync_all()?;
    fs::rename(&next, file)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_record_is_for_its_owner_alone_and_replaces_the_last_one() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("evidence/orders-1.json");
        let say = |text: &'static str| move |out: &mut BufWriter<File>| out.write_all(text.as_bytes());
        write(&file, say("first")).unwrap();
        fs::write(file.with_extension("json.next"), b"left behind").unwrap();
        write(&file, say("second")).unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), "second\n");
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::metadata(file.parent().unwrap()).unwrap().permissions().mode() & 0o777, 0o700);
        assert!(!file.with_extension("json.next").exists());
    }
}
