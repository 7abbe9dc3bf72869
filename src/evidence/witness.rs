//! What a log and its witness say to each other: C2SP tlog-witness. Pure: the text of a submission, and what a witness that has seen
//! this much makes of it.
//!
//! A witness cosigns a checkpoint only when the log's own key signed it and when the tree that it saw before is the beginning of
//! this one. So a log whose newest checkpoint has a cosignature cannot go back behind it, nor show others another tree, unless the
//! witness helps.

use std::fmt;

use base64::{Engine as _, engine::general_purpose::STANDARD};

use super::{
    checkpoint::Checkpoint,
    note::{Note, Verifier},
    tree::{self, Hash},
};

/// The most lines of a consistency proof: a tree of 2^63 leaves needs no more.
pub const PROOF_LINES: usize = 63;
/// The most bytes of a submission: 63 lines of proof, and a checkpoint with a hundred signatures.
pub const LONGEST: usize = 16 * 1024;
/// The path of the call, below the witness's URL.
pub const PATH: &str = "add-checkpoint";
/// The media type of the answer that says which size the witness has seen.
pub const SIZE: &str = "text/x.tlog.size";

/// What a log submits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Submission {
    /// Entries of the checkpoint that the witness cosigned last; 0: none.
    pub old: u64,
    /// Shows that the tree over them is the beginning of the new one.
    pub proof: Vec<Hash>,
    /// The new checkpoint, with its signatures.
    pub checkpoint: Note,
}

impl fmt::Display for Submission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "old {}", self.old)?;
        for hash in &self.proof {
            writeln!(f, "{}", STANDARD.encode(hash))?;
        }
        write!(f, "\n{}", self.checkpoint)
    }
}

impl Submission {
    /// Reads one. Nothing is verified.
    ///
    /// # Errors
    /// What is wrong with its form.
    pub fn read(bytes: &[u8]) -> Result<Self, &'static str> {
        if bytes.len() > LONGEST {
            return Err("the submission is longer than 16 KiB");
        }
        let text = std::str::from_utf8(bytes).map_err(|_| "the submission is no text")?;
        let (head, note) = text.split_once("\n\n").ok_or("an empty line and a checkpoint are needed")?;
        let mut lines = head.split('\n');
        let old = lines.next().and_then(|line| line.strip_prefix("old ")).and_then(decimal);
        let old = old.ok_or("the first line is `old SIZE`, with a decimal number")?;
        let hash = |line: &str| STANDARD.decode(line).ok()?.try_into().ok();
        let proof = lines.map(hash).collect::<Option<Vec<Hash>>>();
        let proof = proof.ok_or("a line of the proof is not 32 bytes of base64")?;
        if proof.len() > PROOF_LINES {
            return Err("the proof has more than 63 lines");
        }
        let checkpoint = Note::parse(note.as_bytes()).map_err(|_| "the checkpoint is no signed note")?;
        Ok(Self { old, proof, checkpoint })
    }
}

/// A number that is written in one way: no sign, no leading zero.
pub fn decimal(text: &str) -> Option<u64> {
    let number: u64 = text.parse().ok()?;
    (number.to_string() == text).then_some(number)
}

/// What a witness has seen of a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    /// Entries.
    pub size: u64,
    /// The root over them.
    pub root: Hash,
}

/// Why a witness does not cosign. Each has a status of its own in the protocol.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// 400: not of the form, or from a larger tree to a smaller one.
    #[error("{0}")]
    Malformed(&'static str),
    /// 404: none of the logs that it was told to witness.
    #[error("this witness does not know the log {0}")]
    Stranger(String),
    /// 403: no key of the log signed it.
    #[error("no key that this witness was given for the log {0} signed the checkpoint")]
    Unsigned(String),
    /// 409, with the size: another checkpoint than the log thinks was the last one.
    #[error("the last checkpoint that this witness cosigned has {0} entries")]
    Stale(u64),
    /// 409: another tree of the same size.
    #[error("this witness has cosigned another tree of {0} entries")]
    Fork(u64),
    /// 422: the proof does not hold.
    #[error("the proof does not show that the first {0} entries are those that this witness has seen")]
    Inconsistent(u64),
}

impl Refusal {
    /// The status code.
    pub fn status(&self) -> u16 {
        match self {
            Self::Malformed(_) => 400,
            Self::Unsigned(_) => 403,
            Self::Stranger(_) => 404,
            Self::Stale(_) | Self::Fork(_) => 409,
            Self::Inconsistent(_) => 422,
        }
    }
}

/// The checkpoint that is submitted, when a key of its log signed it. `logs` are the keys that are trusted; a log that passed on its
/// key has several.
///
/// # Errors
/// 400, 403 and 404.
pub fn admit(submission: &Submission, logs: &[Verifier]) -> Result<Checkpoint, Refusal> {
    let note = &submission.checkpoint;
    let checkpoint = Checkpoint::read(note).map_err(|_| {
        Refusal::Malformed("the checkpoint's text is not an origin, a size and a root, and nothing else")
    })?;
    let keys: Vec<_> = logs.iter().filter(|log| log.name() == checkpoint.origin).collect();
    if keys.is_empty() {
        return Err(Refusal::Stranger(checkpoint.origin));
    }
    let mut own = note.signatures.iter().flat_map(|signature| {
        keys.iter().filter(|key| signature.is_by(key)).map(|key| key.verifies(&note.text, signature))
    });
    // One that holds, and none in a trusted name that does not.
    match (own.next(), own.all(|holds| holds)) {
        (Some(true), true) => Ok(checkpoint),
        (Some(_) | None, _) => Err(Refusal::Unsigned(checkpoint.origin)),
    }
}

/// Whether the checkpoint may be cosigned after what was seen.
///
/// # Errors
/// 400, 409 and 422.
pub fn judge(submission: &Submission, checkpoint: &Checkpoint, seen: Option<&Seen>) -> Result<(), Refusal> {
    let (old, size, proof) = (submission.old, checkpoint.size, submission.proof.as_slice());
    if old > size {
        return Err(Refusal::Malformed("the old size is larger than the checkpoint's"));
    }
    let known = seen.map_or(0, |seen| seen.size);
    if old != known {
        return Err(Refusal::Stale(known));
    }
    let holds = match seen {
        Some(seen) if seen.size > 0 => {
            if size == seen.size && checkpoint.root != seen.root {
                return Err(Refusal::Fork(size));
            }
            tree::consistent(old, &seen.root, size, &checkpoint.root, proof)
        }
        // Everything begins with nothing; nothing has one root.
        Some(_) | None => proof.is_empty() && (size > 0 || checkpoint.root == tree::over(&[])),
    };
    if holds { Ok(()) } else { Err(Refusal::Inconsistent(old)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::key::{SigningKey, private_pem};

    const ORIGIN: &str = "example.com/fra/ledger";

    fn key(n: u8) -> SigningKey {
        SigningKey::from_pem(&private_pem(&[n; 32])).unwrap()
    }

    fn at(index: u64) -> usize {
        usize::try_from(index).unwrap()
    }

    /// A log of many leaves, of which the one with this number is another.
    fn leaves(other: Option<u64>) -> Vec<Hash> {
        let text = |n| if other == Some(n) { "another".into() } else { n.to_string() };
        (0..40).map(|n| tree::leaf(text(n).as_bytes())).collect()
    }

    fn checkpoint(leaves: &[Hash], size: u64) -> Checkpoint {
        Checkpoint { origin: ORIGIN.into(), size, root: tree::over(&leaves[..at(size)]) }
    }

    fn submission(leaves: &[Hash], old: u64, size: u64) -> Submission {
        let mut subtrees = |height: u32, index: u64| -> Result<Hash, ()> {
            Ok(tree::over(&leaves[at(index << height)..at((index + 1) << height)]))
        };
        let proof = if old == 0 { Vec::new() } else { tree::consistency(&mut subtrees, old, size).unwrap() };
        let checkpoint = checkpoint(leaves, size).sign(&[&key(1)]).unwrap();
        Submission { old, proof, checkpoint }
    }

    fn judged(submission: &Submission, seen: Option<Seen>) -> Result<(), Refusal> {
        let read = Submission::read(submission.to_string().as_bytes()).unwrap();
        assert_eq!(read, *submission);
        let logs = [Verifier::new(ORIGIN, key(1).public()).unwrap()];
        let checkpoint = admit(&read, &logs)?;
        judge(&read, &checkpoint, seen.as_ref())
    }

    fn seen(leaves: &[Hash], size: u64) -> Option<Seen> {
        (size > 0).then(|| Seen { size, root: tree::over(&leaves[..at(size)]) })
    }

    #[test]
    fn a_log_that_grows_is_cosigned_at_every_step() {
        let all = leaves(None);
        for old in 0..=40 {
            for size in old.max(1)..=40 {
                assert_eq!(judged(&submission(&all, old, size), seen(&all, old)), Ok(()), "{old} to {size}");
            }
        }
    }

    #[test]
    fn a_log_that_went_back_or_forked_is_refused_at_every_step() {
        let (all, forked) = (leaves(None), leaves(Some(2)));
        for old in 3..40 {
            let back = judged(&submission(&all, old - 1, old), seen(&all, old));
            assert_eq!(back, Err(Refusal::Stale(old)), "{old}");
            for size in old + 1..=40 {
                let other = judged(&submission(&forked, old, size), seen(&all, old));
                assert_eq!(other, Err(Refusal::Inconsistent(old)), "{old} to {size}");
            }
            assert_eq!(judged(&submission(&forked, old, old), seen(&all, old)), Err(Refusal::Fork(old)));
        }
    }

    #[test]
    fn who_signed_it_is_asked_before_what_was_seen() {
        let all = leaves(None);
        let logs = |origin: &str, n| [Verifier::new(origin, key(n).public()).unwrap()];
        let good = submission(&all, 0, 3);
        assert_eq!(admit(&good, &logs(ORIGIN, 1)), Ok(checkpoint(&all, 3)));
        assert_eq!(admit(&good, &logs(ORIGIN, 2)), Err(Refusal::Unsigned(ORIGIN.into())));
        assert_eq!(admit(&good, &logs("example.com/dub/ledger", 1)), Err(Refusal::Stranger(ORIGIN.into())));
        // A signature in the log's name that does not hold spoils one that does.
        let mut two = good.clone();
        let mut bad = two.checkpoint.signatures[0].clone();
        bad.bytes[5] ^= 1;
        two.checkpoint.signatures.push(bad);
        assert_eq!(admit(&two, &logs(ORIGIN, 1)), Err(Refusal::Unsigned(ORIGIN.into())));
        two.checkpoint.signatures.reverse();
        assert_eq!(admit(&two, &logs(ORIGIN, 1)), Err(Refusal::Unsigned(ORIGIN.into())));
        let mut extended = good;
        extended.checkpoint.text.push_str("more\n");
        assert!(matches!(admit(&extended, &logs(ORIGIN, 1)), Err(Refusal::Malformed(_))));
    }

    #[test]
    fn a_proof_that_is_not_needed_or_not_whole_is_refused() {
        let all = leaves(None);
        let mut first = submission(&all, 0, 3);
        first.proof.push([0; 32]);
        assert_eq!(judged(&first, None), Err(Refusal::Inconsistent(0)));
        let mut same = submission(&all, 3, 3);
        same.proof.push([0; 32]);
        assert_eq!(judged(&same, seen(&all, 3)), Err(Refusal::Inconsistent(3)));
        let mut short = submission(&all, 3, 9);
        short.proof.pop();
        assert_eq!(judged(&short, seen(&all, 3)), Err(Refusal::Inconsistent(3)));
    }

    #[test]
    fn what_is_no_submission_is_refused_with_what_it_lacks() {
        let good = submission(&leaves(None), 3, 9).to_string();
        for (bad, why) in [
            (String::new(), "empty line"),
            (good.replacen("old 3", "old 03", 1), "decimal"),
            (good.replacen("old 3", "old +3", 1), "decimal"),
            (good.replacen("old 3", "3", 1), "decimal"),
            (good.replacen('\n', "\nAAAA\n", 1), "32 bytes"),
            (
                good.replacen('\n', &format!("\n{}", format!("{}\n", STANDARD.encode([0; 32])).repeat(63)), 1),
                "63 lines",
            ),
            (good.replace("\u{2014}", "-"), "signed note"),
            ("x".repeat(LONGEST + 1), "16 KiB"),
        ] {
            let refused = Submission::read(bad.as_bytes()).unwrap_err();
            assert!(refused.contains(why), "{refused}: {bad}");
        }
    }
}
