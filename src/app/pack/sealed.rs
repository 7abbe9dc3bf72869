//! A pack as one file that only chosen persons open: a tar in a CMS message (`evidence::seal`).
//!
//! The file is new: nothing is overwritten. It takes its name when it is whole, so a crash leaves none, or one beside it that ends in
//! `.part`.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use crate::{
    app::{
        App, AppError,
        keys::{draw, machine, put, sync_folder},
    },
    evidence::seal::{Drawn, Recipient, seal},
    model::RunId,
};

/// What was sealed.
#[derive(Debug)]
pub struct SealedPack {
    /// The file.
    pub file: PathBuf,
    /// Who opens it, by the subjects of their certificates.
    pub recipients: Vec<String>,
    /// Files in the tar.
    pub files: usize,
}

impl App {
    /// Seals the evidence of a closed run for the certificates in these PEM files, into `out`.
    pub fn export_sealed(&self, run: &RunId, certificates: &[PathBuf], out: &Path) -> Result<SealedPack, AppError> {
        let recipients = certificates.iter().map(|file| recipient(file)).collect::<Result<Vec<_>, _>>()?;
        if out.exists() {
            return Err(AppError::Refused {
                what: format!("{} is there already", out.display()),
                remedy: "name a file that is not there yet with --out".into(),
            });
        }
        let files = self.packed(run)?;
        let at = u64::try_from(self.clock.now().as_second()).unwrap_or_default();
        let packed = tar(&run.to_string(), &files, at).map_err(machine("pack the files".into()))?;
        let random = || machine("draw random bytes".into());
        let drawn = Drawn { key: draw().map_err(random())?, nonce: draw().map_err(random())? };
        let sealed = seal(&packed, &recipients, &drawn).map_err(|error| AppError::Refused {
            what: format!("the evidence of run {run} cannot be sealed: {error}"),
            remedy: "check the certificates with `openssl x509 -noout -text`".into(),
        })?;
        let intent = || machine(format!("write {}", out.display()));
        let mut part = out.as_os_str().to_owned();
        part.push(".part");
        let part = PathBuf::from(part);
        put(&part, &sealed, 0o600).map_err(intent())?;
        fs::rename(&part, out).and_then(|()| sync_folder(out)).map_err(intent())?;
        let recipients = recipients.iter().map(|recipient| recipient.subject().to_owned()).collect();
        Ok(SealedPack { file: out.to_owned(), recipients, files: files.len() })
    }
}

fn recipient(file: &Path) -> Result<Recipient, AppError> {
    let refused = |what: String| AppError::Missing {
        what,
        remedy: "--seal-to wants a file with the certificate of whoever shall open it, in PEM".into(),
    };
    let text = fs::read_to_string(file);
    let text = text.map_err(|error| refused(format!("{} cannot be read: {error}", file.display())))?;
    Recipient::from_pem(&text).map_err(|error| refused(format!("{}: {error}", file.display())))
}

/// The files in one folder.
fn tar(folder: &str, files: &[(String, Vec<u8>)], at: u64) -> io::Result<Vec<u8>> {
    let mut builder = ::tar::Builder::new(Vec::new());
    for (name, bytes) in files {
        let mut header = ::tar::Header::new_ustar();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o600);
        header.set_mtime(at);
        builder.append_data(&mut header, format!("{folder}/{name}"), bytes.as_slice())?;
    }
    builder.into_inner()
}
