//! An authority of a test's own, and certificates from it.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

/// An authority. Its files lie in the folder it was made in.
#[derive(Debug, Clone)]
pub struct Authority {
    folder: PathBuf,
}

impl Authority {
    /// Makes one in this folder, which is there.
    pub fn make(folder: &Path) -> Self {
        let own = Self { folder: folder.to_owned() };
        own.openssl("authority", &["-subj", "/CN=An authority for a test", "-addext", "keyUsage=critical,keyCertSign"]);
        own
    }

    /// The PEM file to trust.
    pub fn file(&self) -> PathBuf {
        self.folder.join("authority.crt")
    }

    /// A certificate for `name` (`IP:127.0.0.1`, `DNS:db.example`) and its key, both PEM files. `file` names them.
    pub fn issue(&self, file: &str, name: &str) -> (PathBuf, PathBuf) {
        let (own, key) = (self.file().display().to_string(), self.folder.join("authority.key").display().to_string());
        let (subject, name) = (format!("/CN={file}"), format!("subjectAltName={name}"));
        let words = ["-CA", &own, "-CAkey", &key, "-subj", &subject, "-addext", &name];
        self.openssl(file, &[&words[..], &["-addext", "basicConstraints=critical,CA:FALSE"]].concat());
        (self.folder.join(format!("{file}.crt")), self.folder.join(format!("{file}.key")))
    }

    fn openssl(&self, file: &str, words: &[&str]) {
        let place = |end: &str| self.folder.join(format!("{file}.{end}"));
        let made = Command::new("openssl")
            .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"])
            .arg("-keyout")
            .arg(place("key"))
            .arg("-out")
            .arg(place("crt"))
            .args(words)
            .output()
            .expect("openssl");
        assert!(made.status.success(), "{words:?}: {}", String::from_utf8_lossy(&made.stderr));
    }
}
