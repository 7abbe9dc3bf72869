//! `ledger.json`: which ledger it is. Written once, before the first entry, and never again.

use serde::{Deserialize, Serialize};

use crate::evidence::key::{hex, unhex};

/// The version of the files.
const VERSION: u32 = 1;

/// Which ledger it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Head {
    /// Its name: the origin of its checkpoints, and the name of the keys that sign them.
    pub(super) origin: String,
    /// Random; binds frames to this ledger.
    pub(super) id: [u8; 16],
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    version: u32,
    origin: String,
    id: String,
}

impl Head {
    /// The content of the file.
    pub(super) fn bytes(&self) -> Result<Vec<u8>, serde_json::Error> {
        let written = Written { version: VERSION, origin: self.origin.clone(), id: hex(&self.id) };
        let mut bytes = serde_json::to_vec(&written)?;
        bytes.push(b'\n');
        Ok(bytes)
    }

    /// Reads it in its only form.
    pub(super) fn read(bytes: &[u8]) -> Result<Self, String> {
        let written: Written = serde_json::from_slice(bytes).map_err(|error| format!("it says no ledger: {error}"))?;
        if written.version != VERSION {
            return Err(format!("it is of version {}, and this program knows {VERSION}", written.version));
        }
        let id = unhex(&written.id).and_then(|id| id.try_into().ok()).ok_or("its id is not 16 bytes in hexadecimal")?;
        let head = Self { origin: written.origin, id };
        if head.bytes().ok().as_deref() == Some(bytes) {
            Ok(head)
        } else {
            Err("it was written by another program".into())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_head_has_one_form() {
        let head = Head { origin: "fra/ledger".into(), id: [7; 16] };
        let bytes = head.bytes().unwrap();
        assert_eq!(Head::read(&bytes), Ok(head));
        let text = String::from_utf8(bytes).unwrap();
        assert_eq!(text, "{\"version\":1,\"origin\":\"fra/ledger\",\"id\":\"07070707070707070707070707070707\"}\n");
        for other in [text.replace("\":1", "\":2"), text.replace(':', ": "), text.replace("07\"", "\"")] {
            assert!(Head::read(other.as_bytes()).is_err(), "{other}");
        }
    }
}
