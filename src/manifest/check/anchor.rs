//! Anchors: exactly one place, a URL that can be asked, a key that checks something, an age that somebody would notice.

use super::{Notes, region};
use crate::{
    manifest::{code::Code, locate::Path},
    spec::{AnchorKind, EvidenceAnchorSpec, LEAST_RETAINED_DAYS, MOST_RETAINED_DAYS, WormAnchor},
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
        Ok(AnchorKind::Worm(worm)) => bucket(worm, &path.key("worm"), notes),
        Ok(AnchorKind::Timestamp(timestamp)) => {
            region::check_url(&timestamp.url, &["https", "http"], &path.key("timestamp").key("url"), notes);
        }
    }
    if !(1..=RAREST).contains(&spec.every_seconds) {
        let message = format!("{} s is no time between two anchors", spec.every_seconds);
        notes.add(Code::AnchorTooRare, &path.key("everySeconds"), message, "1 to 604800 are possible");
    }
}

fn bucket(worm: &WormAnchor, path: &Path, notes: &mut Notes<'_, EvidenceAnchorSpec>) {
    if let Some(endpoint) = &worm.endpoint {
        region::check_url(endpoint, &["https", "http"], &path.key("endpoint"), notes);
    }
    if worm.bucket.is_empty() || worm.bucket.contains('/') {
        let help = "write the name alone, and `prefix` for a place in it";
        notes.add(Code::BadBucket, &path.key("bucket"), "this is no name of a bucket", help);
    }
    if worm.prefix.as_deref().is_some_and(|prefix| prefix.trim_matches('/').is_empty()) {
        let help = "leave it out for the ledger's name, or write a name such as `fra`";
        notes.add(Code::BadBucket, &path.key("prefix"), "this names no place in the bucket", help);
    }
    if worm.access_key.is_some() != worm.secret_key.is_some() {
        let key = if worm.access_key.is_some() { "accessKey" } else { "secretKey" };
        let help = "give both halves, or neither for the AWS credential chain";
        notes.add_at_key(Code::BadBucket, &path.key(key), "this is one half of a key", help);
    }
    if !(LEAST_RETAINED_DAYS..=MOST_RETAINED_DAYS).contains(&worm.retain_days) {
        let message = format!("{} days are no time to keep evidence", worm.retain_days);
        let help =
            format!("{LEAST_RETAINED_DAYS} (three years) to {MOST_RETAINED_DAYS} are possible; 2192 is the default");
        notes.add(Code::RetainedTooShort, &path.key("retainDays"), message, help);
    }
}

fn is_key(text: &str) -> bool {
    text.parse::<crate::evidence::cosignature::Cosigner>().is_ok()
}
