//! What the client saw: how long nothing was acknowledged, and what was acknowledged and is not there. Worked out from
//! the client's own list alone; Lifeboat has no part in it.

use std::{collections::BTreeSet, fs, path::Path};

use jiff::Timestamp;

use crate::{
    Failure,
    places::Place,
    shop::{Acknowledged, Kind},
};

/// The client's list.
pub(crate) struct View(Vec<Acknowledged>);

/// What was acknowledged by a region and is missing afterwards.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Lost {
    /// How many writes.
    pub(crate) writes: usize,
    /// How far back: from the last acknowledgement before the first missing write to the region's last one.
    pub(crate) seconds: f64,
    /// Of how many that the region acknowledged.
    pub(crate) of: usize,
}

impl View {
    /// Reads the list as far as it is written.
    pub(crate) fn read(folder: &Path) -> Result<Self, Failure> {
        let mut list = Vec::new();
        for name in ["orders.jsonl", "uploads.jsonl"] {
            let text = fs::read_to_string(folder.join(name))?;
            // The last line may be half written.
            let whole = text.rfind('\n').and_then(|end| text.get(..end)).unwrap_or_default();
            for line in whole.lines() {
                list.push(serde_json::from_str(line)?);
            }
        }
        Ok(Self(list))
    }

    fn of(&self, kind: Kind) -> impl Iterator<Item = &Acknowledged> {
        self.0.iter().filter(move |write| write.kind == kind)
    }

    /// How many writes of the kind this region acknowledged after a moment.
    pub(crate) fn acknowledged(&self, kind: Kind, place: Place, after: Timestamp) -> usize {
        self.of(kind).filter(|write| write.region == place.name() && write.at > after).count()
    }

    /// The longest time after `since` in which no write of the kind was acknowledged, in seconds.
    pub(crate) fn longest_gap(&self, kind: Kind, since: Timestamp) -> f64 {
        let mut longest = 0.0_f64;
        let mut last: Option<Timestamp> = None;
        for write in self.of(kind) {
            if let Some(last) = last
                && write.at >= since
            {
                longest = longest.max(seconds(last, write.at));
            }
            last = Some(write.at);
        }
        longest
    }

    /// What `place` acknowledged in this span and is not among the ids that are `there` now.
    pub(crate) fn lost(&self, kind: Kind, place: Place, since: Timestamp, there: &BTreeSet<u64>) -> Lost {
        let acknowledged: Vec<_> =
            self.of(kind).filter(|write| write.region == place.name() && write.at >= since).collect();
        let writes = acknowledged.iter().filter(|write| !there.contains(&write.id)).count();
        let first = acknowledged.iter().position(|write| !there.contains(&write.id));
        let seconds = match (first, acknowledged.last()) {
            (Some(first), Some(last)) => {
                let safe = acknowledged.get(first.saturating_sub(1)).unwrap_or(last);
                seconds(safe.at, last.at)
            }
            (None, _) | (_, None) => 0.0,
        };
        Lost { writes, seconds, of: acknowledged.len() }
    }
}

fn seconds(from: Timestamp, to: Timestamp) -> f64 {
    to.duration_since(from).as_secs_f64()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_millisecond(ms).unwrap()
    }
    fn list(writes: &[(u64, i64, &str)]) -> View {
        let write = |(id, ms, region): &(u64, i64, &str)| Acknowledged {
            kind: Kind::Order,
            id: *id,
            at: at(*ms),
            region: (*region).to_owned(),
        };
        View(writes.iter().map(write).collect())
    }

    #[test]
    fn the_gap_spans_the_last_write_here_and_the_first_there() {
        let view = list(&[(1, 0, "fra"), (2, 5_000, "fra"), (3, 5_100, "fra"), (9, 8_100, "dub"), (10, 8_101, "dub")]);
        assert!((view.longest_gap(Kind::Order, at(5_050)) - 3.0).abs() < 1e-9);
        assert!((view.longest_gap(Kind::Order, at(8_101)) - 0.001).abs() < 1e-9);
        assert!(view.longest_gap(Kind::Upload, at(0)).abs() < 1e-9);
    }

    #[test]
    fn a_loss_counts_from_the_last_write_that_is_safe() {
        let view = list(&[(1, 0, "fra"), (2, 100, "fra"), (3, 200, "fra"), (4, 300, "fra"), (5, 900, "dub")]);
        let lost = |there: &[u64]| view.lost(Kind::Order, Place::Fra, at(0), &there.iter().copied().collect());
        assert_eq!(lost(&[1, 2, 3, 4]), Lost { writes: 0, seconds: 0.0, of: 4 });
        assert_eq!(lost(&[1, 2]), Lost { writes: 2, seconds: 0.2, of: 4 });
        assert_eq!(lost(&[1, 2, 4]), Lost { writes: 1, seconds: 0.2, of: 4 });
        assert_eq!(lost(&[]).writes, 4);
    }
}
