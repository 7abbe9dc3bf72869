//! Forms in which one entry leaves the ledger, for tools that are not ours: a Sigstore bundle v0.3 around its envelope, and a
//! C2SP tlog-proof that it is in the ledger.

use std::fmt;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::json;

use super::{
    envelope::{Envelope, IN_TOTO},
    tree::Hash,
};

/// The media type of a bundle.
const BUNDLE: &str = "application/vnd.dev.sigstore.bundle.v0.3+json";
/// The first line of a proof.
const PROOF: &str = "c2sp.org/tlog-proof@v1";

/// The envelope as a Sigstore bundle, with the key named by a hint. It carries one signature; verifiers refuse two.
pub fn sigstore(envelope: &Envelope) -> serde_json::Value {
    json!({
        "mediaType": BUNDLE,
        "verificationMaterial": { "publicKey": { "hint": envelope.key }, "tlogEntries": [] },
        "dsseEnvelope": {
            "payload": STANDARD.encode(&envelope.payload),
            "payloadType": IN_TOTO,
            "signatures": [{ "sig": STANDARD.encode(&envelope.signature), "keyid": envelope.key }],
        },
    })
}

/// A proof that an entry is in the ledger of a checkpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proof<'a> {
    /// The entry's number, from 0.
    pub index: u64,
    /// The hashes beside its way to the root.
    pub path: Vec<Hash>,
    /// The signed note.
    pub checkpoint: &'a str,
}

/// As C2SP tlog-proof writes it.
impl fmt::Display for Proof<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{PROOF}\nindex {}", self.index)?;
        for hash in &self.path {
            writeln!(f, "{}", STANDARD.encode(hash))?;
        }
        write!(f, "\n{}", self.checkpoint)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proof_is_written_as_the_specification_says() {
        let proof = Proof { index: 7, path: vec![[0; 32]], checkpoint: "note\n" };
        let hash = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
        assert_eq!(proof.to_string(), format!("c2sp.org/tlog-proof@v1\nindex 7\n{hash}\n\nnote\n"));
    }

    #[test]
    fn a_bundle_holds_the_envelope_as_it_was_signed() {
        let envelope = Envelope { payload: b"{}".to_vec(), key: "ab".into(), signature: vec![1] };
        let bundle = sigstore(&envelope);
        assert_eq!(bundle["dsseEnvelope"]["payload"], "e30=");
        assert_eq!(bundle["verificationMaterial"]["publicKey"]["hint"], "ab");
    }
}
