//! Anchors: exactly one place, a URL that can be asked, a key that checks something, an age that somebody would notice.

use super::{Notes, region};
use crate::{
    manifest::{code::Code, locate::Path},
    spec::{AnchorKind, EvidenceAnchorSpec},
};

/// A week: who looks for a rollback once a month finds it too late.
const RAREST: u32 = 604_800;

pub(super) fn check(notes: &mut Notes<'_, EvidenceAnchorSpec>) {
    let spec = &notes.document.spec;
    let path = Path::spec();
    match spec.kind() {
        Err(bad) => region::choice(&bad, &path, notes, "anchor"),
        Ok(AnchorKind::Witness(witness)) => {
            region::check_url(&witness.url, &["https", "http"], &path.key("witness").key("url"), notes);
            if !is_key(&witness.key) {
                let message = "this is no key of a witness";
                let help = "write NAME+ID+KEY as the witness prints it: `lifeboat witness` says it when it starts";
                notes.add(Code::BadWitnessKey, &path.key("witness").key("key"), message, help);
            }
        }
        Ok(AnchorKind::Timestamp(timestamp)) => {
            region::check_url(&timestamp.url, &["https", "http"], &path.key("timestamp").key("url"), notes);
        }
    }
    if !(1..=RAREST).contains(&spec.every_seconds) {
        let message = format!("{} s is no time between two anchors", spec.every_seconds);
        notes.add(Code::AnchorTooRare, &path.key("everySeconds"), message, "1 to 604800 are possible");
    }
}

fn is_key(text: &str) -> bool {
    text.parse::<crate::evidence::cosignature::Cosigner>().is_ok()
}
