//! A witness, asked (C2SP tlog-witness).

use jiff::Timestamp;

use super::{AnchorError, Head, Receipt, call::Place};
use crate::{
    evidence::{
        cosignature::Cosigner,
        note::{Note, Signature},
        tree,
        witness::{PATH, Submission, decimal},
    },
    net::http::Answer,
    port::Clock,
    spec::WitnessAnchor,
};

/// How often a witness may say another size before it is given up: a second process of ours may anchor at the same time.
const TRIES: u32 = 3;
/// How far the witness's clock may be from ours before it is said: its times are evidence.
const CLOCKS: i64 = 300;

/// A witness.
#[derive(Debug)]
pub(super) struct Witness {
    place: Place,
    pub(super) key: Cosigner,
}

impl Witness {
    pub(super) fn open(spec: &WitnessAnchor) -> Result<Self, AnchorError> {
        let key = spec.key.parse().map_err(|error| AnchorError::Setting(format!("the witness's key: {error}")))?;
        Ok(Self { place: Place::open(&spec.url, spec.ca.clone())?.below(PATH), key })
    }

    pub(super) async fn take(&self, head: &Head, known: u64, clock: &dyn Clock) -> Result<Receipt, AnchorError> {
        let ours = head.checkpoint.size;
        let note = Note::parse(&head.note).map_err(|error| AnchorError::Setting(format!("our checkpoint: {error}")))?;
        let mut old = known.min(ours);
        for _ in 0..TRIES {
            let submission = Submission { old, proof: proof(head, old), checkpoint: note.clone() };
            let answer = self.place.post("text/plain; charset=utf-8", submission.to_string().into_bytes()).await?;
            let fork = |what: &str| AnchorError::Fork { place: self.place.name(), what: what.to_owned() };
            match (answer.status, size(&answer)) {
                (200, _) => return self.cosigned(note, &answer, clock.now()),
                (409, Some(theirs)) if theirs > ours => {
                    return Err(AnchorError::Ahead { place: self.place.name(), theirs, ours });
                }
                (409, Some(theirs)) if theirs != old => old = theirs,
                (409, _) => return Err(fork(&format!("its first {old} entries have another root"))),
                (422, _) => return Err(fork(&format!("the first {old} entries that it has seen are not ours"))),
                _ => return Err(self.place.refused(&answer)),
            }
        }
        Err(self.place.worthless("it says another size each time that it is asked"))
    }

    /// Puts the witness's line below ours, when it holds.
    fn cosigned(&self, mut note: Note, answer: &Answer, now: Timestamp) -> Result<Receipt, AnchorError> {
        let text = std::str::from_utf8(&answer.body).unwrap_or_default();
        let lines = text.lines().filter_map(|line| line.parse::<Signature>().ok());
        let found = lines.into_iter().find_map(|line| Some((self.key.cosigned(&note.text, &line)?, line)));
        let Some((seconds, line)) = found else {
            return Err(self.place.worthless(format!("no line of it is a cosignature by {}", self.key)));
        };
        let at = i64::try_from(seconds).ok().and_then(|seconds| Timestamp::from_second(seconds).ok());
        let at = at.ok_or_else(|| self.place.worthless("its cosignature is of an impossible time"))?;
        let apart = at.as_second().abs_diff(now.as_second());
        if apart > CLOCKS.unsigned_abs() {
            tracing::warn!("the clock of the witness {} and ours are {apart} s apart", self.place.name());
        }
        note.signatures.push(line);
        Ok(Receipt { bytes: note.to_string().into_bytes(), at: Some(at), key: Some(self.key.to_string()) })
    }
}

fn proof(head: &Head, old: u64) -> Vec<tree::Hash> {
    let mut subtrees = |height: u32, index: u64| {
        let at = |index: u64| usize::try_from(index << height).ok();
        let leaves = at(index).zip(at(index + 1)).and_then(|(from, to)| head.leaves.get(from..to));
        leaves.map(tree::over).ok_or(())
    };
    if old == 0 || old > head.checkpoint.size {
        return Vec::new();
    }
    // Every subtree of our own tree is there.
    tree::consistency(&mut subtrees, old, head.checkpoint.size).unwrap_or_default()
}

/// The size in an answer of 409: a number and a line break.
fn size(answer: &Answer) -> Option<u64> {
    decimal(std::str::from_utf8(&answer.body).ok()?.strip_suffix('\n')?)
}
