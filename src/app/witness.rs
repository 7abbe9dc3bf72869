//! A witness for other people's logs: C2SP tlog-witness. It needs no documents, no store and no ledger: a folder, and the keys of the
//! logs that it is to witness.
//!
//! It promises to cosign a checkpoint only when a key of its log signed it and when it has grown from the last one that was
//! cosigned, and that the new one is durable before the cosignature leaves. So a crash in the middle may remember a checkpoint whose
//! cosignature nobody got; the log asks again and gets it. One process holds the folder at a time.
//!
//! It assumes that its folder is not put back to an older copy: whoever can do that to both the log and its witness can take back what
//! both said. Put it on another machine, under other hands.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use secrecy::ExposeSecret as _;

use super::{
    AppError, FilesAndEnvironment,
    keys::{draw, machine, place_once, put, sync_folder},
};
use crate::{
    evidence::{
        checkpoint::Checkpoint,
        cosignature::{self, Cosigner},
        key::{SigningKey, hex, private_pem},
        note::{Note, Verifier},
        tree,
        witness::{Refusal, SIZE, Seen, Submission, admit, judge},
    },
    port::{Clock, Secrets as _, SystemClock},
    spec::SecretRef,
};

/// The key's file.
const KEY: &str = "witness.key";

/// What is answered over HTTP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// The status.
    pub status: u16,
    /// The media type.
    pub content: &'static str,
    /// The body.
    pub body: String,
}

const TEXT: &str = "text/plain; charset=utf-8";

/// A witness.
pub struct Witness {
    folder: PathBuf,
    name: String,
    key: SigningKey,
    cosigner: Cosigner,
    logs: Vec<Verifier>,
    clock: Arc<dyn Clock>,
    /// Held while a checkpoint is judged, written and cosigned.
    one: Mutex<()>,
    _lock: fs::File,
}

impl std::fmt::Debug for Witness {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Witness").field("key", &self.cosigner).finish_non_exhaustive()
    }
}

impl Witness {
    /// Opens the folder, which is made when it is missing, and its key with it. `name` is the witness's name in cosignatures; it
    /// belongs to the key. Refused while another process holds the folder.
    pub fn open(folder: &Path, name: &str, logs: Vec<Verifier>) -> Result<Self, AppError> {
        let at = |intent: &str| machine(format!("{intent} the witness's folder {}", folder.display()));
        put(&folder.join("README"), README.as_bytes(), 0o600).map_err(at("make"))?;
        let lock = fs::File::create(folder.join("lock")).map_err(at("lock"))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(fs::TryLockError::WouldBlock) => {
                return Err(AppError::Refused {
                    what: format!("another process is the witness in {}", folder.display()),
                    remedy: format!("`fuser {}/lock` says which", folder.display()),
                });
            }
            Err(fs::TryLockError::Error(source)) => return Err(at("lock")(source)),
        }
        let file = folder.join(KEY);
        if !file.exists() {
            let made = draw().and_then(|seed| place_once(&file, &private_pem(&seed)));
            made.map_err(at("make the key in"))?;
        }
        let bad = |why: String| AppError::Refused {
            what: format!("the witness cannot cosign with {} as {name:?}: {why}", file.display()),
            remedy: "a name has neither blanks nor `+`, and the key is PKCS#8 of Ed25519 as PEM".into(),
        };
        let text =
            FilesAndEnvironment.resolve(&SecretRef::File(file.clone())).map_err(|error| bad(error.to_string()))?;
        let key = SigningKey::from_pem(text.expose_secret()).map_err(|error| bad(error.to_string()))?;
        let cosigner = Cosigner::new(name, key.public()).map_err(|error| bad(error.to_string()))?;
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::start());
        let (folder, name) = (folder.to_owned(), name.to_owned());
        Ok(Self { folder, name, key, cosigner, logs, clock, one: Mutex::default(), _lock: lock })
    }

    /// Its key, which those who use it must know.
    pub fn key(&self) -> &Cosigner {
        &self.cosigner
    }

    /// What it has cosigned last of each log, in their order; `None`: nothing yet.
    pub fn seen(&self) -> Vec<(String, Option<u64>)> {
        let mut origins: Vec<_> = self.logs.iter().map(|log| log.name().to_owned()).collect();
        origins.dedup();
        let size = |origin: &str| self.last(origin).ok().flatten().map(|seen| seen.size);
        origins.into_iter().map(|origin| (origin.clone(), size(&origin))).collect()
    }

    /// Answers a submission (`add-checkpoint`).
    pub fn add(&self, body: &[u8]) -> Said {
        let _one = self.one.lock().unwrap_or_else(PoisonError::into_inner);
        match self.cosign(body) {
            Ok(line) => Said { status: 200, content: TEXT, body: line },
            Err(Unsigned::Refused(Refusal::Stale(size))) => {
                Said { status: 409, content: SIZE, body: format!("{size}\n") }
            }
            Err(Unsigned::Refused(refusal)) => {
                tracing::warn!("refused a checkpoint: {refusal}");
                Said { status: refusal.status(), content: TEXT, body: format!("{refusal}\n") }
            }
            Err(Unsigned::Failed(why)) => {
                tracing::error!("could not cosign: {why}");
                Said { status: 500, content: TEXT, body: "the witness cannot cosign now\n".into() }
            }
        }
    }

    fn cosign(&self, body: &[u8]) -> Result<String, Unsigned> {
        let submission = Submission::read(body).map_err(Refusal::Malformed)?;
        let checkpoint = admit(&submission, &self.logs)?;
        let seen = self.last(&checkpoint.origin)?;
        judge(&submission, &checkpoint, seen.as_ref())?;
        let mut note = submission.checkpoint;
        // Only what was verified is kept.
        let own = |line: &crate::evidence::note::Signature| self.logs.iter().any(|log| log.verifies(&note.text, line));
        let kept: Vec<_> = note.signatures.iter().filter(|line| own(line)).cloned().collect();
        let time = u64::try_from(self.clock.now().as_second()).unwrap_or_default();
        let line = cosignature::cosign(&note.text, &self.name, &self.key, time);
        let line = line.map_err(|error| Unsigned::Failed(error.to_string()))?;
        note.signatures = kept;
        note.signatures.push(line.clone());
        let kept = self.keep(&checkpoint.origin, &note);
        kept.map_err(|error| Unsigned::Failed(format!("{}: {error}", self.folder.display())))?;
        Ok(format!("{line}\n"))
    }

    /// What was cosigned last. A file that is not what this witness wrote is no reason to begin anew.
    fn last(&self, origin: &str) -> Result<Option<Seen>, Unsigned> {
        let path = self.file(origin);
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(Unsigned::Failed(format!("{}: {error}", path.display()))),
        };
        let read = Note::parse(&bytes).ok().and_then(|note| {
            let checkpoint = Checkpoint::read(&note).ok().filter(|checkpoint| checkpoint.origin == origin)?;
            note.signatures.iter().find_map(|line| self.cosigner.cosigned(&note.text, line))?;
            Some(Seen { size: checkpoint.size, root: checkpoint.root })
        });
        let damaged = || format!("{} is not what this witness wrote under its name and key", path.display());
        read.map(Some).ok_or_else(|| Unsigned::Failed(damaged()))
    }

    /// Durable when it returns.
    fn keep(&self, origin: &str, note: &Note) -> io::Result<()> {
        let file = self.file(origin);
        let next = file.with_extension("next");
        put(&next, note.to_string().as_bytes(), 0o600)?;
        fs::rename(&next, &file)?;
        sync_folder(&file)
    }

    fn file(&self, origin: &str) -> PathBuf {
        self.folder.join(format!("{}.checkpoint", hex(&tree::sha256(origin.as_bytes()))))
    }
}

const README: &str = "\
The folder of a witness (lifeboat witness). Each *.checkpoint is the last one of a log that was cosigned; it is named by the
SHA-256 of the log's origin. Putting an older copy of this folder back takes back what the witness promised.
";

/// No cosignature.
enum Unsigned {
    Refused(Refusal),
    Failed(String),
}

impl From<Refusal> for Unsigned {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}
