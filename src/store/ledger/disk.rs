//! What the ledger asks of a file system: one call for each thing that can be cut off in the middle.
//!
//! Paths are relative to the ledger's folder, with `/` between their parts.

use std::{
    fmt,
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Read as _, Seek as _, SeekFrom, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

/// Files in one folder. `Ok` means durable where a call says so.
pub trait Disk: fmt::Debug + Send + Sync {
    /// Where it is, for messages.
    fn place(&self) -> String;
    /// A file's content; `None`: there is no such file.
    fn read(&self, path: &str) -> io::Result<Option<Vec<u8>>>;
    /// How long a file is, in bytes; `None`: there is no such file. Its content is not read.
    fn length(&self, path: &str) -> io::Result<Option<u64>>;
    /// Every file with its length.
    fn list(&self) -> io::Result<Vec<(String, u64)>>;
    /// Writes a file with this content and syncs it, in place of one that is there. Its name is not durable yet.
    fn create(&self, path: &str, bytes: &[u8]) -> io::Result<()>;
    /// Writes at `at`, which is the end of the file, and syncs the data.
    fn append(&self, path: &str, at: u64, bytes: &[u8]) -> io::Result<()>;
    /// Cuts a file off and syncs it.
    fn cut(&self, path: &str, length: u64) -> io::Result<()>;
    /// Gives a file another name in its folder.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;
    /// Removes a file.
    fn remove(&self, path: &str) -> io::Result<()>;
    /// Makes the names in the folder of this path durable.
    fn sync_names(&self, path: &str) -> io::Result<()>;
    /// Tries once to be the only writer, or one of the readers. `None`: another process is. A reader without a file to lock
    /// reads without a lock.
    fn lock(&self, writes: bool) -> io::Result<Option<Box<dyn Send>>>;
}

/// A real folder. Files are made with mode 0600, folders with 0700.
#[derive(Debug)]
pub struct Folder(PathBuf);

impl Folder {
    /// This one. It need not exist.
    pub fn at(path: &Path) -> Self {
        Self(path.to_owned())
    }

    /// Where the file is; its folder is made, durably, when it is missing.
    fn make_way(&self, path: &str) -> io::Result<PathBuf> {
        let file = self.0.join(path);
        let Some(folder) = file.parent().filter(|folder| !folder.is_dir()) else { return Ok(file) };
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        for above in folder.ancestors().skip(1).take(path.matches('/').count() + 1) {
            File::open(if above.as_os_str().is_empty() { Path::new(".") } else { above })?.sync_all()?;
        }
        Ok(file)
    }
}

fn walk(folder: &Path, before: &str, found: &mut Vec<(String, u64)>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let path = format!("{before}{}", entry.file_name().to_string_lossy());
        let about = entry.metadata()?;
        if about.is_dir() {
            walk(&entry.path(), &format!("{path}/"), found)?;
        } else {
            found.push((path, about.len()));
        }
    }
    Ok(())
}

/// `None` for what is not there.
fn there<T>(done: io::Result<T>) -> io::Result<Option<T>> {
    match done {
        Ok(done) => Ok(Some(done)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

impl Disk for Folder {
    fn place(&self) -> String {
        self.0.display().to_string()
    }

    fn read(&self, path: &str) -> io::Result<Option<Vec<u8>>> {
        let Some(mut file) = there(File::open(self.0.join(path)))? else { return Ok(None) };
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        Ok(Some(bytes))
    }

    fn length(&self, path: &str) -> io::Result<Option<u64>> {
        Ok(there(fs::metadata(self.0.join(path)))?.map(|about| about.len()))
    }

    fn list(&self) -> io::Result<Vec<(String, u64)>> {
        let mut found = Vec::new();
        there(walk(&self.0, "", &mut found))?;
        found.sort_unstable();
        Ok(found)
    }

    fn create(&self, path: &str, bytes: &[u8]) -> io::Result<()> {
        let file = self.make_way(path)?;
        let mut out = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(file)?;
        out.write_all(bytes)?;
        out.sync_all()
    }

    fn append(&self, path: &str, at: u64, bytes: &[u8]) -> io::Result<()> {
        let file = self.make_way(path)?;
        let mut out = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(file)?;
        out.seek(SeekFrom::Start(at))?;
        out.write_all(bytes)?;
        out.sync_data()
    }

    fn cut(&self, path: &str, length: u64) -> io::Result<()> {
        let file = OpenOptions::new().write(true).open(self.0.join(path))?;
        file.set_len(length)?;
        file.sync_all()
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        fs::rename(self.0.join(from), self.0.join(to))
    }

    fn remove(&self, path: &str) -> io::Result<()> {
        fs::remove_file(self.0.join(path))
    }

    fn sync_names(&self, path: &str) -> io::Result<()> {
        match self.0.join(path).parent() {
            Some(folder) => File::open(folder)?.sync_all(),
            None => Ok(()),
        }
    }

    fn lock(&self, writes: bool) -> io::Result<Option<Box<dyn Send>>> {
        let free = |tried: Result<(), fs::TryLockError>, file: File| match tried {
            Ok(()) => Ok(Some(Box::new(file) as Box<dyn Send>)),
            Err(fs::TryLockError::WouldBlock) => Ok(None),
            Err(fs::TryLockError::Error(error)) => Err(error),
        };
        if writes {
            let path = self.make_way("lock")?;
            let file = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path)?;
            return free(file.try_lock(), file);
        }
        match File::open(self.0.join("lock")) {
            Ok(file) => free(file.try_lock_shared(), file),
            Err(_) => Ok(Some(Box::new(()))),
        }
    }
}
