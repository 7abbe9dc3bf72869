//! Signatures of persons: what an order says, to the byte, and whether the signature under it holds.
//!
//! The format is OpenSSH's (`PROTOCOL.sshsig`), so that the keys are those that people have already, also in a security token,
//! and `ssh-keygen -Y verify` checks them without this program.

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};

use super::{Command, CommandBody, Digest, RunId};

/// A signature of a person's own SSH key: what `ssh-keygen -Y sign` makes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PersonSignature {
    /// What was signed, byte for byte.
    pub text: String,
    /// The armoured signature (`-----BEGIN SSH SIGNATURE-----`).
    pub signature: String,
    /// The key: `SHA256:` and its fingerprint.
    pub key: String,
}

/// What a signature is for: its SSHSIG namespace, so that one made for one purpose counts for no other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// An order to a run: an approval, an accepted risk.
    Order,
    /// A word on the record of a run.
    SignOff,
}

impl Purpose {
    /// The namespace.
    pub fn namespace(self) -> &'static str {
        match self {
            Self::Order => "order@lifeboat.dev",
            Self::SignOff => "signoff@lifeboat.dev",
        }
    }
}

/// Whether the signature under an order holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Proof {
    /// There is none.
    Unsigned,
    /// It is that person's, and the key counts now.
    Holds,
    /// It is not, or nobody can tell; why.
    Broken(String),
}

/// Lines of `name: value`, each value in JSON, so that no value can pretend to be another line.
pub fn statement(title: &str, fields: &[(&str, serde_json::Value)]) -> String {
    let mut text = format!("{title}\n");
    for (name, value) in fields {
        // Writing to a string does not fail.
        let _written = writeln!(text, "{name}: {value}");
    }
    text
}

impl Command {
    /// What a person signs: the order, the run and the plan that it is for. An order for one run counts for no other.
    pub fn statement(&self, run: &RunId, plan: &Digest) -> String {
        let value = |value: Result<serde_json::Value, serde_json::Error>| value.unwrap_or_default();
        statement(
            "lifeboat order v1",
            &[
                ("run", run.to_string().into()),
                ("plan", plan.as_str().into()),
                ("order", value(serde_json::to_value(&self.body))),
                ("by", self.by.as_str().into()),
                ("at", self.at.to_string().into()),
                ("reason", self.reason.as_str().into()),
            ],
        )
    }
}

impl CommandBody {
    /// It stands for a person's word: where a group wants signatures, it needs one.
    pub fn is_word(&self) -> bool {
        match self {
            Self::Approve { .. } | Self::Accept { .. } => true,
            Self::Pause
            | Self::Resume
            | Self::Retry { .. }
            | Self::Skip { .. }
            | Self::Cancel { .. }
            | Self::Deny { .. } => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::model::Actor;

    #[test]
    fn what_is_signed_says_all_of_the_order_and_no_reason_can_pretend_to_be_a_line_of_it() {
        let order = Command {
            by: Actor::new("anna").unwrap(),
            reason: "all is well\nby: \"ben\"".into(),
            at: Timestamp::UNIX_EPOCH,
            expected_term: None,
            body: CommandBody::Approve { step: Some("go-ahead".parse().unwrap()) },
            signed: None,
        };
        let digest = Digest::of(b"plan");
        let text = order.statement(&"orders-17".parse().unwrap(), &digest);
        assert_eq!(
            text,
            format!(
                "lifeboat order v1\nrun: \"orders-17\"\nplan: \"{}\"\norder: {{\"do\":\"approve\",\"step\":\"go-ahead\"}}\nby: \"anna\"\n\
                 at: \"1970-01-01T00:00:00Z\"\nreason: \"all is well\\nby: \\\"ben\\\"\"\n",
                digest.as_str()
            )
        );
    }
}
