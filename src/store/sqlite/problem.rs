//! What can be wrong with the file, the disk or the process, each with its way out. Kept as the source of
//! `StoreError::Unavailable`.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use rusqlite::{Error, ErrorCode};

/// A database that could not be used. Cloned, because one failed commit fails every caller whose events it held.
#[derive(Debug, Clone, thiserror::Error)]
pub(super) enum Problem {
    /// The folder cannot be made or entered.
    #[error("the folder {folder} cannot be made or used; make it, let this user write to it, or name another store")]
    Folder {
        /// Which.
        folder: PathBuf,
        /// Why.
        #[source]
        source: Arc<io::Error>,
    },
    /// The file cannot be made or opened.
    #[error(
        "the file {path} cannot be made or opened; let this user read and write it, see that the file system is mounted \
         for writing, or name another store"
    )]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: Arc<io::Error>,
    },
    /// The file, its folder or the file system is read-only.
    #[error(
        "{path} cannot be written; let this user write to the file and to its folder, and see that the file system \
         is mounted for writing"
    )]
    ReadOnly {
        /// Which.
        path: PathBuf,
        /// What SQLite said.
        #[source]
        source: Arc<Error>,
    },
    /// No room.
    #[error("the disk that holds {path} is full, and nothing was written; make room there and go on")]
    Full {
        /// Which.
        path: PathBuf,
        /// What SQLite said.
        #[source]
        source: Arc<Error>,
    },
    /// Another process writes for longer than the store waits.
    #[error("another process held the lock of {path} for more than 5 s; see which one (`fuser {path}`) and try again")]
    Busy {
        /// Which.
        path: PathBuf,
        /// What SQLite said.
        #[source]
        source: Arc<Error>,
    },
    /// The file is damaged, or is none of ours.
    #[error(
        "{path} is not a database of this program, or is damaged; move it away and restore a copy, or name another store"
    )]
    Damaged {
        /// Which.
        path: PathBuf,
        /// What SQLite said.
        #[source]
        source: Arc<Error>,
    },
    /// The disk did not do what it was told.
    #[error(
        "the disk that holds {path} failed; look at the kernel's log, and whether the file system is still there and \
         mounted for writing"
    )]
    Disk {
        /// Which.
        path: PathBuf,
        /// What SQLite said.
        #[source]
        source: Arc<Error>,
    },
    /// Anything else that SQLite says.
    #[error("SQLite refused to work on {path}")]
    Other {
        /// Which.
        path: PathBuf,
        /// What SQLite said.
        #[source]
        source: Arc<Error>,
    },
    /// No thread could be started.
    #[error("no thread could be started for {path}; see the limit on processes (`ulimit -u`)")]
    Thread {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: Arc<io::Error>,
    },
    /// The thread that owns the connection ended.
    #[error("the thread that works on {path} has ended; start the process again")]
    Ended {
        /// Which.
        path: PathBuf,
    },
}

impl Problem {
    /// What SQLite's answer means for a person (<https://www.sqlite.org/rescode.html>).
    pub(super) fn of(path: &Path, error: Error) -> Self {
        let path = path.to_owned();
        let code = error.sqlite_error_code();
        // SQLite has no checksums: what a damaged page holds may pass for a row until its columns are read.
        let unreadable = matches!(
            error,
            Error::Utf8Error(..)
                | Error::FromSqlConversionFailure(..)
                | Error::InvalidColumnType(..)
                | Error::IntegralValueOutOfRange(..)
        );
        let source = Arc::new(error);
        if unreadable {
            return Self::Damaged { path, source };
        }
        match code {
            Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied | ErrorCode::CannotOpen) => {
                Self::ReadOnly { path, source }
            }
            Some(ErrorCode::DiskFull) => Self::Full { path, source },
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::Busy { path, source },
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Self::Damaged { path, source },
            Some(ErrorCode::SystemIoFailure) => Self::Disk { path, source },
            Some(_) | None => Self::Other { path, source },
        }
    }
}
