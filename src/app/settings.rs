//! Settings: what was typed, what the environment says and what holds otherwise, settled once.
//!
//! The only reader of the environment. What was typed wins over the environment, which wins over the default. Nothing is
//! kept, so a crash in the middle means nothing.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
};

use secrecy::SecretString;

use super::{
    identity,
    keys::LedgerSettings,
    persons::PersonSettings,
    place::{self, StorePlace},
    traces::Collector,
};
use crate::{
    model::Actor,
    port::{SecretError, Secrets},
    spec::SecretRef,
};

/// What was typed for every verb.
#[derive(Debug, Clone, Default)]
pub struct Typed {
    /// `--data-dir`.
    pub data_dir: Option<PathBuf>,
    /// `--file`.
    pub files: Vec<PathBuf>,
    /// `--as`.
    pub actor: Option<String>,
    /// `--store`.
    pub store: Option<String>,
}

/// Settled.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The folder of the evidence, and of the store when it is a file and nothing else is said.
    pub data: PathBuf,
    /// Where the store is.
    pub store: StorePlace,
    /// Files and folders with documents.
    pub files: Vec<PathBuf>,
    /// `files` is the default, which may not exist.
    pub files_by_default: bool,
    /// Who asks.
    pub actor: Actor,
    /// Who is told of runs that ended; `None`: nobody.
    pub traces: Option<Collector>,
    /// The ledger: its name, and where its keys are.
    pub ledger: LedgerSettings,
    /// Where persons' keys are.
    pub persons: PersonSettings,
}

/// The environment: a name in, a value out.
pub type Environment<'a> = &'a dyn Fn(&str) -> Option<OsString>;

/// A setting that makes no sense.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// Who asks cannot be recorded.
    #[error("{from} does not name a person: 1 to 128 printable characters are needed, found {found:?}")]
    Actor {
        /// `--as`, `LIFEBOAT_AS`, `the operating system`.
        from: &'static str,
        /// What it said.
        found: String,
    },
    /// The store cannot be found by what is said.
    #[error(
        "{from} does not say where the store is: found {found:?}, and {why}; write sqlite:PATH, or \
         etcd+https://HOST:PORT,HOST:PORT,HOST:PORT/PREFIX"
    )]
    Store {
        /// `--store`, `LIFEBOAT_STORE`.
        from: &'static str,
        /// What it said.
        found: String,
        /// What is wrong with it.
        why: String,
    },
    /// A key of the ledger cannot be found by what is said.
    #[error(
        "{from} does not say where the key is: found {found:?}; write file:PATH, env:NAME or command:PROGRAM WORD …"
    )]
    Key {
        /// The variable.
        from: &'static str,
        /// What it said.
        found: String,
    },
    /// Neither `--data-dir` nor a home.
    #[error("there is no folder for the data: neither LIFEBOAT_DATA nor XDG_STATE_HOME nor HOME is set")]
    NoHome,
}

/// The process's environment.
#[expect(clippy::disallowed_methods, reason = "the one place where the environment is read")]
pub fn environment(name: &str) -> Option<OsString> {
    std::env::var_os(name).filter(|value| !value.is_empty())
}

/// The filter of log lines: `LIFEBOAT_LOG`, in the language of `RUST_LOG`.
pub fn log_filter(env: Environment<'_>) -> Option<String> {
    env("LIFEBOAT_LOG").map(|value| value.to_string_lossy().into_owned())
}

/// Settles.
pub fn settle(typed: Typed, env: Environment<'_>) -> Result<Settings, SettingsError> {
    let user = identity::user();
    let data = match typed.data_dir.or_else(|| env("LIFEBOAT_DATA").map(PathBuf::from)) {
        Some(data) => data,
        None => default_data(&user, env)?,
    };
    let store = match (&typed.store, env("LIFEBOAT_STORE")) {
        (Some(text), _) => place::parse("--store", text, env)?,
        (None, Some(text)) => place::parse("LIFEBOAT_STORE", &text.to_string_lossy(), env)?,
        (None, None) => StorePlace::File(data.join("lifeboat.db")),
    };
    let named = if typed.files.is_empty() { from_environment(env) } else { typed.files };
    let files_by_default = named.is_empty();
    let files = if files_by_default { vec![PathBuf::from("lifeboat")] } else { named };
    let (from, found) = match (typed.actor, env("LIFEBOAT_AS")) {
        (Some(name), _) => ("--as", name),
        (None, Some(name)) => ("LIFEBOAT_AS", name.to_string_lossy().into_owned()),
        (None, None) => ("the operating system", user.name),
    };
    let actor = Actor::new(found.clone()).map_err(|_| SettingsError::Actor { from, found })?;
    let (traces, ledger) = (Collector::of(env), LedgerSettings::read(env)?);
    let persons = PersonSettings::read(&data, env);
    Ok(Settings { data, store, files, files_by_default, actor, traces, ledger, persons })
}

fn from_environment(env: Environment<'_>) -> Vec<PathBuf> {
    env("LIFEBOAT_FILES").map(|value| std::env::split_paths(&value).collect()).unwrap_or_default()
}

fn default_data(user: &identity::User, env: Environment<'_>) -> Result<PathBuf, SettingsError> {
    if user.id == Some(0) {
        return Ok(PathBuf::from("/var/lib/lifeboat"));
    }
    if let Some(state) = env("XDG_STATE_HOME").map(PathBuf::from).filter(|path| path.is_absolute()) {
        return Ok(state.join("lifeboat"));
    }
    env("HOME").map(|home| Path::new(&home).join(".local/state/lifeboat")).ok_or(SettingsError::NoHome)
}

impl Settings {
    /// The folder of the evidence records.
    pub fn evidence(&self) -> PathBuf {
        self.data.join("evidence")
    }
}

/// Secrets in files and in environment variables, read anew each time.
#[derive(Debug, Clone, Copy, Default)]
pub struct FilesAndEnvironment;

impl Secrets for FilesAndEnvironment {
    fn resolve(&self, reference: &SecretRef) -> Result<SecretString, SecretError> {
        match reference {
            SecretRef::File(path) => {
                let unreadable = |source| SecretError::File { path: path.display().to_string(), source };
                let text = std::fs::read_to_string(path).map_err(unreadable)?;
                let text = text.strip_suffix('\n').unwrap_or(&text);
                Ok(SecretString::from(text.strip_suffix('\r').unwrap_or(text)))
            }
            SecretRef::Env(name) => environment(name)
                .and_then(|value| value.into_string().ok())
                .map(SecretString::from)
                .ok_or_else(|| SecretError::Env { name: name.clone() }),
            SecretRef::Literal => Err(SecretError::Literal),
        }
    }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret as _;

    use super::*;

    fn env(pairs: &'static [(&'static str, &'static str)]) -> impl Fn(&str) -> Option<OsString> {
        move |name| pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| OsString::from(value))
    }

    #[test]
    fn what_was_typed_wins_over_the_environment() {
        let env = env(&[("LIFEBOAT_DATA", "/env"), ("LIFEBOAT_AS", "env"), ("LIFEBOAT_FILES", "/a:/b")]);
        let typed = Typed {
            data_dir: Some("/typed".into()),
            files: vec!["/typed.yaml".into()],
            actor: Some("anna".into()),
            store: None,
        };
        let settled = settle(typed, &env).unwrap();
        assert_eq!((settled.data.as_path(), settled.actor.as_str()), (Path::new("/typed"), "anna"));
        assert_eq!(settled.files, [PathBuf::from("/typed.yaml")]);
        let settled = settle(Typed::default(), &env).unwrap();
        assert_eq!((settled.data.as_path(), settled.actor.as_str()), (Path::new("/env"), "env"));
        assert_eq!(settled.files, [PathBuf::from("/a"), PathBuf::from("/b")]);
    }

    #[test]
    fn the_store_is_where_it_is_said_to_be_and_otherwise_a_file_in_the_folder() {
        let file = |path: &str| StorePlace::File(path.into());
        let said = env(&[("LIFEBOAT_DATA", "/env"), ("LIFEBOAT_STORE", "sqlite:/env.db")]);
        let typed = Typed { store: Some("sqlite:/typed.db".into()), ..Typed::default() };
        assert_eq!(settle(typed, &said).unwrap().store, file("/typed.db"));
        assert_eq!(settle(Typed::default(), &said).unwrap().store, file("/env.db"));
        let unsaid = env(&[("LIFEBOAT_DATA", "/env")]);
        assert_eq!(settle(Typed::default(), &unsaid).unwrap().store, file("/env/lifeboat.db"));
        let typed = Typed { store: Some("/typed.db".into()), ..Typed::default() };
        assert!(matches!(settle(typed, &unsaid), Err(SettingsError::Store { from: "--store", .. })));
    }

    #[test]
    fn without_anything_said_documents_are_beside_and_the_actor_is_the_user() {
        let settled = settle(Typed::default(), &env(&[("HOME", "/home/anna")])).unwrap();
        assert!(settled.files_by_default);
        assert_eq!(settled.files, [PathBuf::from("lifeboat")]);
        assert_eq!(settled.actor.as_str(), identity::user().name);
    }

    #[test]
    fn state_goes_where_the_user_keeps_state() {
        let user = identity::User { id: Some(1000), name: "anna".into() };
        let find = |env: Environment<'_>| default_data(&user, env);
        assert_eq!(find(&env(&[("XDG_STATE_HOME", "/state")])).unwrap(), Path::new("/state/lifeboat"));
        assert_eq!(find(&env(&[("HOME", "/h")])).unwrap(), Path::new("/h/.local/state/lifeboat"));
        assert!(matches!(find(&env(&[])), Err(SettingsError::NoHome)));
        let root = identity::User { id: Some(0), name: "root".into() };
        assert_eq!(default_data(&root, &env(&[])).unwrap(), Path::new("/var/lib/lifeboat"));
    }

    #[test]
    fn a_person_without_a_name_is_refused() {
        let typed = Typed { actor: Some("  ".into()), data_dir: Some("/d".into()), ..Typed::default() };
        assert!(matches!(settle(typed, &env(&[])), Err(SettingsError::Actor { from: "--as", .. })));
    }

    #[test]
    fn a_secret_in_a_file_loses_only_its_line_break() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), " p w \n").unwrap();
        let secret = FilesAndEnvironment.resolve(&SecretRef::File(file.path().into())).unwrap();
        assert_eq!(secret.expose_secret(), " p w ");
    }

    #[test]
    fn a_missing_secret_is_named_and_a_literal_is_refused() {
        let missing = FilesAndEnvironment.resolve(&SecretRef::Env("LIFEBOAT_TEST_NO_SUCH_SECRET".into()));
        assert!(matches!(missing, Err(SecretError::Env { name }) if name == "LIFEBOAT_TEST_NO_SUCH_SECRET"));
        assert!(matches!(FilesAndEnvironment.resolve(&SecretRef::Literal), Err(SecretError::Literal)));
    }
}
