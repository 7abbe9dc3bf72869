//! Looking at everything there is: every version, every delete marker, every byte, every lock. Nothing is changed.

use futures::{
    future::BoxFuture,
    stream::{self, StreamExt as _, TryStreamExt as _},
};
use jiff::{SignedDuration, Timestamp};

use super::{
    ABREAST, AnchorError, Copied, Head, Listing, Name, SLACK, Sealed, Worm, bucket::Version, copied, held, objects,
    oldest, same_root,
};
use crate::spec::LEAST_RETAINED_DAYS;

/// What was found in a bucket.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Survey {
    /// What is not as it was put.
    pub flaws: Vec<String>,
    /// What is worth knowing.
    pub remarks: Vec<String>,
}

/// One object that was read.
struct Read {
    flaw: Option<String>,
    /// Until when it is locked.
    until: Option<Timestamp>,
    /// Shorter than the document asks.
    short: bool,
}

impl Worm {
    /// Compares the bucket with the ledger. `known` is the size that it had last, as far as the ledger says.
    pub(in crate::anchor) async fn survey(
        &self,
        head: &Head,
        known: u64,
        ledger: &dyn Sealed,
    ) -> Result<Survey, AnchorError> {
        let mut found = Survey::default();
        found.flaws.extend(self.bucket.unfit().await?.map(str::to_owned));
        let prefix = self.prefix(head);
        let listing = self.bucket.versions(&prefix).await?;
        let copied = Copied { frames: copied(ledger)?, ledger, head };
        let frames = copied.frames.entries.len() as u64;
        if let Some(theirs) = held(&listing, frames, frames).more {
            let place = self.bucket.place();
            found.flaws.push(AnchorError::Ahead { place, theirs, ours: head.checkpoint.size }.to_string());
        }
        hidden(&prefix, &listing, &mut found);
        missing(&prefix, &listing, &copied, known, &mut found);
        let names: Vec<_> = listing.keys().map(|rest| (rest.clone(), Name::parse(rest))).collect();
        let reads = names.into_iter().filter_map(|(rest, name)| {
            let Some(name) = name else {
                found.flaws.push(format!("{prefix}{rest} is no object of this ledger"));
                return None;
            };
            // What is beyond the ledger was said.
            let beyond = matches!(name, Name::Entry(index) if index >= frames)
                || matches!(name, Name::Checkpoint(size) if size > frames);
            let version = oldest(&listing, &name).filter(|_| !beyond)?;
            Some(self.read(&copied, format!("{prefix}{rest}"), name, version))
        });
        let reads: Vec<_> = reads.collect();
        let reads: Vec<Read> = stream::iter(reads).buffered(ABREAST).try_collect().await?;
        let until = reads.iter().filter_map(|read| read.until).min();
        let short = reads.iter().filter(|read| read.short).count();
        if short > 0 {
            found.remarks.push(format!(
                "{short} objects are locked for less than the retainDays of its document, and for three years at least"
            ));
        }
        let count = reads.len();
        found.flaws.extend(reads.into_iter().filter_map(|read| read.flaw));
        let locked = until.map(|until| format!(", locked until {until:.0} at least")).unwrap_or_default();
        found.remarks.push(format!("{} was read: {count} objects under {prefix}{locked}", self.bucket.place()));
        Ok(found)
    }

    fn read<'f>(
        &'f self,
        copied: &'f Copied<'_>,
        key: String,
        name: Name,
        version: &'f Version,
    ) -> BoxFuture<'f, Result<Read, AnchorError>> {
        Box::pin(async move {
            let (bytes, kept) = self.bucket.get(&key, Some(&version.id)).await?;
            let same = match name {
                Name::Checkpoint(size) => same_root(copied.head, size, &bytes),
                Name::Ledger | Name::Entry(_) | Name::Blob(_) => copied.bytes(&name)?.as_ref() == Some(&bytes),
            };
            let until = kept.lock.until;
            let locked_for = |time: SignedDuration| until.is_some_and(|until| until >= version.at + time - SLACK);
            let least = SignedDuration::from_hours(24 * i64::from(LEAST_RETAINED_DAYS));
            let flaw = if !same {
                Some(format!("{key} is not what the ledger has"))
            } else if !kept.lock.compliance {
                Some(format!("{key} is not locked in COMPLIANCE mode"))
            } else if locked_for(least.min(self.retain)) {
                None
            } else {
                let until = until.map_or_else(|| "no day".into(), |until| format!("{until:.0}"));
                Some(format!("{key} is locked until {until}, which is less than three years after it was put"))
            };
            let short = flaw.is_none() && !locked_for(self.retain);
            Ok(Read { flaw, until, short })
        })
    }
}

/// Newer versions, and delete markers: the lock guards what they hide, and whoever reads the bucket by names sees them instead.
fn hidden(prefix: &str, listing: &Listing, found: &mut Survey) {
    for (rest, versions) in listing {
        for marker in versions.iter().filter(|version| version.marker) {
            let what = format!(
                "{prefix}{rest} is hidden by a delete marker of {:.0} (version {}); delete the marker to see it again",
                marker.at, marker.id
            );
            found.flaws.push(what);
        }
        for newer in objects(versions).skip(1) {
            let what = format!("{prefix}{rest} has another version of {:.0} (version {}) over it", newer.at, newer.id);
            found.flaws.push(what);
        }
    }
}

/// What was anchored and is not there.
fn missing(prefix: &str, listing: &Listing, copied: &Copied<'_>, known: u64, found: &mut Survey) {
    if known == 0 {
        found.remarks.push("the ledger was never taken there".into());
        return;
    }
    let blobs = copied.head.blobs.iter().filter(|(index, _)| *index < known);
    let blobs = blobs.map(|(_, sha256)| Name::Blob(sha256.clone()));
    let wanted = [Name::Ledger, Name::Checkpoint(known)].into_iter().chain((0..known).map(Name::Entry)).chain(blobs);
    for name in wanted.filter(|name| oldest(listing, name).is_none()) {
        found.flaws.push(format!("{prefix}{name} was put there, and is gone"));
    }
}
