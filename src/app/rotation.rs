//! Rotating a key: an entry, signed with the old key, names the new one.
//!
//! The new key is durable beside the old one before the entry is made, and takes its place afterwards. A crash in between leaves both;
//! the same command again finds that the entry is there, and comes to its end.

use std::fs;

use secrecy::{ExposeSecret as _, SecretString};

use super::{
    App, AppError, KeyKind,
    bookkeeping::{Bookshelf, Draft, ledger},
    keys::{draw, machine, put, sync_folder},
};
use crate::{
    evidence::{
        key::{SigningKey, private_pem},
        note::Verifier,
        statement::{self, NamedKey, Role, What},
    },
    port::{Ledger as _, LedgerError},
};

impl App {
    /// Makes a new key for this role and retires the old one.
    pub fn rotate(&self, role: Role) -> Result<(), AppError> {
        let kind = match role {
            Role::Ledger => KeyKind::Ledger,
            Role::Record => KeyKind::Record,
        };
        let Some(file) = self.key_file(kind) else {
            return Err(AppError::Refused {
                what: format!("the {} key is kept outside, where {} says", kind.as_str(), kind.variable()),
                remedy: "keep it in a file (file:PATH) to have it rotated here".into(),
            });
        };
        let next = file.with_extension("key.next");
        let intent = || format!("make the new {} key {}", kind.as_str(), next.display());
        // One that is there is of a rotation that was cut off: it may be named by an entry already.
        let text = match fs::read_to_string(&next) {
            Ok(text) => SecretString::from(text),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                let text = SecretString::from(draw().map(|seed| private_pem(&seed)).map_err(machine(intent()))?);
                put(&next, text.expose_secret().as_bytes(), 0o600).map_err(machine(intent()))?;
                text
            }
            Err(error) => return Err(machine(intent())(error)),
        };
        self.enter_rotation(role, &text, kind)?;
        let intent = || format!("put the new {} key in its place, {}", kind.as_str(), file.display());
        fs::rename(&next, &file).and_then(|()| sync_folder(&file)).map_err(machine(intent()))?;
        self.publish_keys(&self.ledger_keys()?)
    }

    fn enter_rotation(&self, role: Role, text: &SecretString, kind: KeyKind) -> Result<(), AppError> {
        let bad = |error: crate::evidence::key::BadKey| AppError::Refused {
            what: format!("the new {} key beside the old one cannot be used: {error}", kind.as_str()),
            remedy: "move the file with the ending .next away, and try again".into(),
        };
        let new = SigningKey::from_pem(text.expose_secret()).map_err(bad)?;
        let keys = self.ledger_keys()?;
        let named = NamedKey::from(new.public());
        if self.is_entered(role, &named, &keys.data, SigningKey::from_pem(text.expose_secret()).map_err(bad)?)? {
            return Ok(());
        }
        let old = match role {
            Role::Ledger => keys.ledger.public().id(),
            Role::Record => keys.record.public().id(),
        };
        let requested_by = self.settings.actor.clone();
        let added = What::KeyAdded { role, key: named, requested_by: requested_by.clone() };
        let retired = What::KeyRetired { role, id: old, requested_by };
        let draft = |what| Draft { what, late: false, blob: None };
        let books = Bookshelf { files: self.files_with(keys.ledger, keys.data), record: keys.record };
        match role {
            Role::Ledger => self.append(&books, &[draft(added), draft(retired)], Some(text)),
            Role::Record => {
                self.append(&books, &[draft(added)], None)?;
                let books = Bookshelf { files: books.files, record: new };
                self.append(&books, &[draft(retired)], None)
            }
        }
    }

    /// Whether the entries name this key as the one that signs now.
    fn is_entered(&self, role: Role, key: &NamedKey, data: &[u8; 32], new: SigningKey) -> Result<bool, AppError> {
        let signing = match role {
            Role::Ledger => new,
            Role::Record => self.ledger_keys()?.ledger,
        };
        let entries = match self.files_with::<Vec<Vec<u8>>>(signing, *data).entries() {
            Ok(entries) => entries,
            // With the new key it cannot be read: it is not entered.
            Err(LedgerError::None { .. } | LedgerError::Other { .. } | LedgerError::Damaged { .. }) => {
                return Ok(false);
            }
            Err(error) => return Err(ledger(error)),
        };
        let names = |entry: &Vec<u8>| match statement::read(entry).ok()?.1.predicate.what {
            What::KeyAdded { role: of, key, .. } if of == role => Some(key),
            _ => None,
        };
        Ok(entries.iter().rev().find_map(names).as_ref() == Some(key))
    }

    /// The ledger key as the key of a note: `NAME+ID+KEY`.
    pub fn note_key(&self) -> Result<String, AppError> {
        let keys = self.ledger_keys()?;
        let origin = self.origin();
        let verifier = Verifier::new(&origin, keys.ledger.public()).map_err(|error| AppError::Refused {
            what: format!("the ledger's name {origin:?} cannot be that of a key: {error}"),
            remedy: "set LIFEBOAT_LEDGER_ORIGIN to a name such as example.com/fra/ledger".into(),
        })?;
        Ok(verifier.to_string())
    }
}
