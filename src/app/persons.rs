//! Persons and their own SSH keys, by OpenSSH's `ssh-keygen -Y` (ssh-keygen(1), "ALLOWED SIGNERS" and "KEY REVOCATION LISTS").
//!
//! The stock program is asked, and not a library: it speaks to the agent and to security tokens, asks for their PIN, and reads
//! revocation lists; and whoever doubts our word runs the same command. It promises that a signature counts only with a key that the
//! file of allowed signers gives to that person for that purpose and time, and that no list revokes. Each file is read anew every time.
//! Nothing is kept, so a crash in the middle means nothing.

use std::{
    ffi::OsString,
    io::{self, Write as _},
    path::{Path, PathBuf},
    process::{Output, Stdio},
    time::Duration,
};

use futures::future::BoxFuture;
use jiff::{Timestamp, tz::TimeZone};
use tokio::{io::AsyncWriteExt as _, process::Command, time};

use super::{App, AppError, settings::Environment};
use crate::{
    model::{Actor, PersonSignature, Purpose},
    port::{Claim, PersonError, Persons},
};

/// OpenSSH's program.
const PROGRAM: &str = "ssh-keygen";
/// It says nothing more in these cases.
const NO_REASON: &str = "no allowed signer of that name has that key, or what was signed was something else";
/// A check takes some 10 ms; a run waits for it.
const PATIENCE: Duration = Duration::from_secs(3);

/// Where persons' keys are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PersonSettings {
    /// One's own key, private or public: with a public one, the agent signs. `None`: one does not sign.
    pub key: Option<PathBuf>,
    /// Whose key is whose.
    pub allowed: PathBuf,
    /// Keys that count no more: a revocation list, or public keys line by line. It may be missing where it is not set.
    pub revoked: PathBuf,
    /// `revoked` was set, so it must be there.
    pub revoked_is_set: bool,
}

impl PersonSettings {
    /// What the environment says; the files are in the folder of the keys otherwise.
    pub(super) fn read(data: &Path, env: Environment<'_>) -> Self {
        let path = |name: &str| env(name).map(PathBuf::from);
        let keys = data.join("keys");
        let revoked = path("LIFEBOAT_REVOKED_KEYS");
        Self {
            key: path("LIFEBOAT_SSH_KEY"),
            allowed: path("LIFEBOAT_ALLOWED_SIGNERS").unwrap_or_else(|| keys.join("allowed_signers")),
            revoked_is_set: revoked.is_some(),
            revoked: revoked.unwrap_or_else(|| keys.join("revoked_keys")),
        }
    }

    /// The list of revoked keys, where there is one or must be one.
    fn revocations(&self) -> Option<&Path> {
        (self.revoked_is_set || self.revoked.exists()).then_some(self.revoked.as_path())
    }
}

impl PersonSettings {
    /// Asks the program, with or without a list of keys that count no more.
    async fn ask(&self, claim: Claim<'_>, revoked: Option<&Path>) -> Result<String, PersonError> {
        let unavailable = |source| PersonError::Unavailable { intent: "check a signature".into(), source };
        let file = written(claim.signed.signature.as_bytes()).map_err(unavailable)?;
        let mut words: Vec<OsString> = vec!["-Y".into(), "verify".into(), "-f".into(), self.allowed.clone().into()];
        words.extend(["-I".into(), claim.by.as_str().into(), "-n".into(), claim.purpose.namespace().into()]);
        words.extend(["-s".into(), file.path().into()]);
        words.extend(["-O".into(), format!("verify-time={}", second(claim.at)).into()]);
        words.extend(revoked.into_iter().flat_map(|list| ["-r".into(), list.into()]));
        let asked = time::timeout(PATIENCE, ask(&words, claim.signed.text.as_bytes()));
        let out = asked.await.map_err(|_| unavailable(io::ErrorKind::TimedOut.into()))?.map_err(unavailable)?;
        judge(&out, claim.by)
    }
}

impl Persons for PersonSettings {
    fn verify<'a>(&'a self, claim: Claim<'a>) -> BoxFuture<'a, Result<String, PersonError>> {
        Box::pin(async move {
            if !self.allowed.exists() {
                return Err(PersonError::NoSigners { file: self.allowed.display().to_string() });
            }
            let revoked = self.revocations().filter(|_| !claim.past);
            match self.ask(claim, revoked).await {
                // The program does not say which: what it takes without the list is in the list, or the list cannot be read.
                Err(PersonError::Refused { why }) if revoked.is_some() => match self.ask(claim, None).await {
                    Ok(key) => {
                        let list = self.revoked.display();
                        Err(PersonError::Refused { why: format!("the key {key} of {} is revoked by {list}", claim.by) })
                    }
                    Err(_) => Err(PersonError::Refused { why }),
                },
                answer => answer,
            }
        })
    }
}

/// What the program said: `Good "order@lifeboat.dev" signature for anna with ED25519 key SHA256:…`, or why not.
fn judge(out: &Output, by: &Actor) -> Result<String, PersonError> {
    let text = String::from_utf8_lossy(&out.stdout);
    let key = text.split_whitespace().rev().find(|word| word.starts_with("SHA256:"));
    if let Some(key) = key.filter(|_| out.status.success()) {
        return Ok(key.to_owned());
    }
    let said = String::from_utf8_lossy(&out.stderr);
    let said = said.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or(NO_REASON);
    Err(PersonError::Refused { why: format!("{PROGRAM} does not take it for {by}'s: {said}") })
}

/// `YYYYMMDDHHMMSSZ`, as ssh-keygen reads a time.
pub(super) fn second(at: Timestamp) -> String {
    at.to_zoned(TimeZone::UTC).strftime("%Y%m%d%H%M%SZ").to_string()
}

fn written(bytes: &[u8]) -> io::Result<tempfile::NamedTempFile> {
    let mut file = tempfile::NamedTempFile::new()?;
    file.write_all(bytes)?;
    file.flush()?;
    Ok(file)
}

/// Asks the program, with `text` on its standard input. Dropped, it ends the program.
async fn ask(words: &[OsString], text: &[u8]) -> io::Result<Output> {
    let mut command = Command::new(PROGRAM);
    command.args(words).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let mut child = command.spawn()?;
    if let Some(mut input) = child.stdin.take() {
        // One that ends without reading says why itself.
        let _read = input.write_all(text).await;
    }
    child.wait_with_output().await
}

impl App {
    /// Signs with the person's own key, `key` or the one that is set, and checks that it counts before anything is written. A
    /// passphrase or a PIN is asked for at the terminal.
    pub(super) async fn sign(
        &self,
        key: Option<&Path>,
        purpose: Purpose,
        text: String,
    ) -> Result<PersonSignature, AppError> {
        let persons = &self.settings.persons;
        let key = key.or(persons.key.as_deref()).ok_or_else(|| AppError::Missing {
            what: "there is no key to sign with".into(),
            remedy: "give --key FILE, or set LIFEBOAT_SSH_KEY; with a public key the agent signs".into(),
        })?;
        let intent = || format!("sign with {}", key.display());
        let words: Vec<OsString> =
            ["-Y".into(), "sign".into(), "-n".into(), purpose.namespace().into(), "-f".into(), key.into()].into();
        let out = ask(&words, text.as_bytes()).await;
        let out = out.map_err(|source| AppError::Machine { intent: intent(), source })?;
        let signature = String::from_utf8(out.stdout).unwrap_or_default();
        if !out.status.success() || !signature.starts_with("-----BEGIN SSH SIGNATURE-----") {
            let said = String::from_utf8_lossy(&out.stderr);
            return Err(AppError::Missing {
                what: format!("could not {}: {PROGRAM} says {}", intent(), said.trim().replace('\n', "; ")),
                remedy: "see that the file is your SSH key, and that the agent has it".into(),
            });
        }
        let mut signed = PersonSignature { text, signature, key: String::new() };
        let by = &self.settings.actor;
        let claim = Claim { purpose, by, signed: &signed, at: self.clock.now(), past: false };
        signed.key = self.settings.persons.verify(claim).await.map_err(|error| AppError::Refused {
            what: super::error::whole(&error),
            remedy: format!("{} must give the key to {by}, for {}", persons.allowed.display(), purpose.namespace()),
        })?;
        Ok(signed)
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt as _;

    use super::*;

    fn out(code: i32, stdout: &str, stderr: &str) -> Output {
        let status = std::process::ExitStatus::from_raw(code << 8);
        Output { status, stdout: stdout.into(), stderr: stderr.into() }
    }

    #[test]
    fn a_signature_counts_only_when_the_program_ends_well_and_names_the_key() {
        let anna = Actor::new("anna").unwrap();
        let good = "Good \"order@lifeboat.dev\" signature for anna with ED25519 key SHA256:abc\n";
        assert_eq!(judge(&out(0, good, ""), &anna).unwrap(), "SHA256:abc");
        for (out, says) in [
            (out(255, good, ""), NO_REASON),
            (out(255, "", "Signature verification failed: key is revoked\r\n"), "key is revoked"),
            (out(0, "Good\n", ""), NO_REASON),
        ] {
            let error = judge(&out, &anna).unwrap_err().to_string();
            assert!(error.contains(says) && error.contains("anna"), "{error}");
        }
    }

    #[test]
    fn a_time_is_written_in_utc_to_the_second() {
        assert_eq!(second("2026-03-29T02:30:00.999+02:00".parse().unwrap()), "20260329003000Z");
    }
}
