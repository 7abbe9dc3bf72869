//! The ledger's keys: where they are, and the making of them on first need, like the host keys of sshd.
//!
//! By default they are files of mode 0600 in `keys/` of the data folder. A file appears whole or not at all and never in place
//! of another, so of two processes that make keys at once one takes what the other made. With a ledger there, a key that is missing is not
//! made anew: it was lost, and a new one would belong to no entry.

use std::{
    fs::{self, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    process::Command,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use secrecy::{ExposeSecret as _, SecretString};

use super::{App, AppError, settings::Environment, settings::SettingsError};
use crate::{
    evidence::key::{PublicKey, SigningKey, private_pem},
    port::Secrets,
    spec::SecretRef,
};

/// Where a key is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyPlace {
    /// In a file or an environment variable.
    Secret(SecretRef),
    /// A program prints it: its words, the first one the program.
    Program(Vec<String>),
}

/// A key of the ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum KeyKind {
    /// Signs checkpoints: Ed25519.
    Ledger,
    /// Signs entries: Ed25519 or P-256.
    Record,
    /// Keeps entries secret at rest: 256 bits.
    Data,
}

impl KeyKind {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Ledger, Self::Record, Self::Data];

    /// As written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ledger => "ledger",
            Self::Record => "record",
            Self::Data => "data",
        }
    }

    /// The variable that says where it is.
    pub fn variable(self) -> &'static str {
        match self {
            Self::Ledger => "LIFEBOAT_LEDGER_KEY",
            Self::Record => "LIFEBOAT_RECORD_KEY",
            Self::Data => "LIFEBOAT_DATA_KEY",
        }
    }
}

/// What is set about the ledger.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LedgerSettings {
    /// Its name; `None`: the host's with `/ledger`, or whatever the ledger that is there is called.
    pub origin: Option<String>,
    /// Where keys are that are not in the data folder.
    pub keys: Vec<(KeyKind, KeyPlace)>,
}

impl LedgerSettings {
    /// What the environment says.
    pub(super) fn read(env: Environment<'_>) -> Result<Self, SettingsError> {
        let text = |name: &str| env(name).map(|value| value.to_string_lossy().into_owned());
        let mut keys = Vec::new();
        for kind in KeyKind::ALL {
            if let Some(found) = text(kind.variable()) {
                let place = place(&found).ok_or(SettingsError::Key { from: kind.variable(), found })?;
                keys.push((kind, place));
            }
        }
        Ok(Self { origin: text("LIFEBOAT_LEDGER_ORIGIN"), keys })
    }

    fn place(&self, kind: KeyKind) -> Option<&KeyPlace> {
        self.keys.iter().find(|(of, _)| *of == kind).map(|(_, place)| place)
    }
}

/// `file:PATH`, `env:NAME` or `command:PROGRAM WORD …`.
fn place(text: &str) -> Option<KeyPlace> {
    let (kind, rest) = text.split_once(':').filter(|(_, rest)| !rest.trim().is_empty())?;
    match kind {
        "file" => Some(KeyPlace::Secret(SecretRef::File(rest.into()))),
        "env" => Some(KeyPlace::Secret(SecretRef::Env(rest.to_owned()))),
        "command" => Some(KeyPlace::Program(rest.split_whitespace().map(str::to_owned).collect())),
        _ => None,
    }
}

/// The keys, read.
pub(super) struct LedgerKeys {
    pub(super) ledger: SigningKey,
    pub(super) record: SigningKey,
    pub(super) data: [u8; 32],
}

/// Random bytes of the operating system.
pub(super) fn draw<const N: usize>() -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    aws_lc_rs::rand::fill(&mut bytes).map_err(|_| io::Error::other("the machine gave no random bytes"))?;
    Ok(bytes)
}

impl App {
    /// The file of a key that is kept in the data folder or in a file of its own; `None`: it is kept elsewhere.
    pub(super) fn key_file(&self, kind: KeyKind) -> Option<PathBuf> {
        match self.settings.ledger.place(kind) {
            None => Some(self.settings.keys().join(format!("{}.key", kind.as_str()))),
            Some(KeyPlace::Secret(SecretRef::File(path))) => Some(path.clone()),
            Some(KeyPlace::Secret(SecretRef::Env(_) | SecretRef::Literal) | KeyPlace::Program(_)) => None,
        }
    }

    /// Makes the keys that are missing, and says which files it made. Public halves lie beside, as PEM.
    pub fn make_keys(&self) -> Result<Vec<PathBuf>, AppError> {
        let mut made = Vec::new();
        for kind in KeyKind::ALL {
            if self.settings.ledger.place(kind).is_some() {
                continue;
            }
            let file = self.settings.keys().join(format!("{}.key", kind.as_str()));
            if file.exists() {
                continue;
            }
            if self.settings.ledger_folder().join("ledger.json").exists() {
                return Err(AppError::Refused {
                    what: format!("the {} key {} is missing, and there is a ledger", kind.as_str(), file.display()),
                    remedy: format!(
                        "put the file back, or say where the key is with {}; a new key would belong to no entry",
                        kind.variable()
                    ),
                });
            }
            let intent = || format!("make the {} key {}", kind.as_str(), file.display());
            if fresh(kind).and_then(|text| place_once(&file, &text)).map_err(machine(intent()))? {
                made.push(file);
            }
        }
        if !made.is_empty() {
            self.publish_keys(&self.ledger_keys()?)?;
        }
        Ok(made)
    }

    /// Writes the public halves into the data folder: PEM, and the ledger key as the key of a note.
    pub(super) fn publish_keys(&self, keys: &LedgerKeys) -> Result<(), AppError> {
        for (name, key) in [("ledger", keys.ledger.public()), ("record", keys.record.public())] {
            let file = self.settings.keys().join(format!("{name}.pub"));
            let intent = format!("write the public key {}", file.display());
            put(&file, key.pem().as_bytes(), 0o644).map_err(machine(intent))?;
        }
        Ok(())
    }

    /// Reads the keys, and makes those that are missing.
    pub(super) fn ledger_keys(&self) -> Result<LedgerKeys, AppError> {
        let signing = |kind: KeyKind| {
            let text = self.key_text(kind)?;
            SigningKey::from_pem(text.expose_secret()).map_err(|error| self.bad_key(kind, &error.to_string()))
        };
        let (ledger, record) = (signing(KeyKind::Ledger)?, signing(KeyKind::Record)?);
        if ledger.public().ed25519().is_none() {
            return Err(self.bad_key(KeyKind::Ledger, "checkpoints are signed with Ed25519, and it is another kind"));
        }
        Ok(LedgerKeys { ledger, record, data: self.data_key()? })
    }

    /// Reads the data key alone.
    pub(super) fn data_key(&self) -> Result<[u8; 32], AppError> {
        let data = STANDARD.decode(self.key_text(KeyKind::Data)?.expose_secret().trim()).ok();
        let data = data.and_then(|bytes| bytes.try_into().ok());
        data.ok_or_else(|| self.bad_key(KeyKind::Data, "it is not 32 bytes in base64"))
    }

    /// The public halves.
    pub fn public_keys(&self) -> Result<[(KeyKind, PublicKey); 2], AppError> {
        let keys = self.ledger_keys()?;
        Ok([(KeyKind::Ledger, keys.ledger.public().clone()), (KeyKind::Record, keys.record.public().clone())])
    }

    fn bad_key(&self, kind: KeyKind, why: &str) -> AppError {
        let place = match self.settings.ledger.place(kind) {
            Some(KeyPlace::Secret(secret)) => secret.to_string(),
            Some(KeyPlace::Program(words)) => format!("command {}", words.join(" ")),
            None => self.key_file(kind).map(|file| format!("file {}", file.display())).unwrap_or_default(),
        };
        let remedy = match kind {
            KeyKind::Ledger | KeyKind::Record => {
                "a PKCS#8 key as PEM is needed: `openssl genpkey -algorithm ed25519` makes one"
            }
            KeyKind::Data => "32 random bytes in base64 are needed: `openssl rand -base64 32` makes them",
        };
        AppError::Refused {
            what: format!("the {} key in {place} cannot be used: {why}", kind.as_str()),
            remedy: remedy.into(),
        }
    }

    fn key_text(&self, kind: KeyKind) -> Result<SecretString, AppError> {
        let bad = |error: &dyn std::error::Error| self.bad_key(kind, &super::error::whole(error));
        match self.settings.ledger.place(kind) {
            None => {
                let file = self.settings.keys().join(format!("{}.key", kind.as_str()));
                if !file.exists() {
                    self.make_keys()?;
                }
                super::FilesAndEnvironment.resolve(&SecretRef::File(file)).map_err(|error| bad(&error))
            }
            Some(KeyPlace::Secret(secret)) => super::FilesAndEnvironment.resolve(secret).map_err(|error| bad(&error)),
            Some(KeyPlace::Program(words)) => printed(words).map_err(|error| bad(&error)),
        }
    }
}

/// What a program prints. It inherits the environment and standard error.
fn printed(words: &[String]) -> io::Result<SecretString> {
    let (program, rest) = words.split_first().ok_or_else(|| io::Error::other("no program is named"))?;
    let done = Command::new(program).args(rest).stdin(std::process::Stdio::null()).output()?;
    if !done.status.success() {
        return Err(io::Error::other(format!("{program} ended with {}", done.status)));
    }
    String::from_utf8(done.stdout).map(SecretString::from).map_err(|_| io::Error::other("what it printed is no text"))
}

fn fresh(kind: KeyKind) -> io::Result<String> {
    match kind {
        KeyKind::Ledger | KeyKind::Record => Ok(private_pem(&draw()?)),
        KeyKind::Data => Ok(format!("{}\n", STANDARD.encode(draw::<32>()?))),
    }
}

/// The machine did not do what it was asked.
pub(super) fn machine(intent: String) -> impl FnOnce(io::Error) -> AppError {
    move |source| AppError::Machine { intent, source }
}

/// Puts a file where none is, durably. `false`: somebody else was first, and theirs stays.
pub(super) fn place_once(file: &Path, text: &str) -> io::Result<bool> {
    let next = file.with_extension(format!("{}.next", std::process::id()));
    put(&next, text.as_bytes(), 0o600)?;
    let placed = fs::hard_link(&next, file);
    fs::remove_file(&next)?;
    match placed {
        Ok(()) => sync_folder(file).map(|()| true),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(error),
    }
}

/// Writes a file durably, in a folder of one's own.
pub(super) fn put(file: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    if let Some(folder) = file.parent() {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    }
    let mut out = OpenOptions::new().write(true).create(true).truncate(true).mode(mode).open(file)?;
    out.write_all(bytes)?;
    out.sync_all()?;
    sync_folder(file)
}

/// Makes the names beside this file durable.
pub(super) fn sync_folder(file: &Path) -> io::Result<()> {
    match file.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => fs::File::open(folder)?.sync_all(),
        Some(_) | None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_place_is_a_file_a_variable_or_a_program() {
        assert_eq!(place("file:/k"), Some(KeyPlace::Secret(SecretRef::File("/k".into()))));
        assert_eq!(place("env:K"), Some(KeyPlace::Secret(SecretRef::Env("K".into()))));
        assert_eq!(
            place("command:vault read k"),
            Some(KeyPlace::Program(["vault", "read", "k"].map(Into::into).into()))
        );
        for other in ["/k", "file:", "vault:k", ""] {
            assert_eq!(place(other), None, "{other}");
        }
    }

    #[test]
    fn a_key_that_is_there_is_never_written_over() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("keys/data.key");
        assert!(place_once(&file, "first").unwrap());
        assert!(!place_once(&file, "second").unwrap());
        assert_eq!(fs::read_to_string(&file).unwrap(), "first");
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(folder.path().join("keys")).unwrap().count(), 1);
    }

    #[test]
    fn a_program_that_fails_gives_no_key() {
        assert_eq!(printed(&["echo".into(), "k".into()]).unwrap().expose_secret(), "k\n");
        assert!(printed(&["false".into()]).unwrap_err().to_string().contains("false ended with"));
    }
}
