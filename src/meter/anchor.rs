//! What the anchors of the ledger know.

use prometheus_client::registry::{Registry, Unit};

use super::{
    Meter,
    family::{Fraction, Series},
    group::one,
    label::OfAnchor,
};
use crate::model::AnchorName;

#[derive(Clone)]
pub(super) struct AnchorSeries {
    age: Series<OfAnchor, Fraction>,
    unanchored: Series<OfAnchor, Fraction>,
    accuses: Series<OfAnchor, Fraction>,
}

impl AnchorSeries {
    pub(super) fn register(registry: &mut Registry) -> Self {
        Self {
            age: Series::register(
                registry,
                "evidence_anchor_age",
                "How long ago the anchor had a checkpoint of the ledger last, or the ledger was opened",
                Some(Unit::Seconds),
            ),
            unanchored: Series::register(
                registry,
                "evidence_unanchored_entries",
                "Entries of the ledger that the anchor has not seen, those about anchors left out",
                None,
            ),
            accuses: Series::register(
                registry,
                "evidence_anchor_accuses",
                "1: the anchor has seen more entries than there are, or other ones",
                None,
            ),
        }
    }
}

impl Meter {
    /// Takes down how an anchor stands: seconds since it had a checkpoint, and entries that it has not seen.
    pub fn anchor(&self, anchor: &AnchorName, age_seconds: i64, unanchored: u64) {
        let labels = OfAnchor { anchor: anchor.to_string() };
        #[expect(clippy::cast_precision_loss, reason = "an age and a count far below 2^52")]
        let (age, unanchored) = (age_seconds as f64, unanchored as f64);
        self.anchor.age.set(&labels, Some(age));
        self.anchor.unanchored.set(&labels, Some(unanchored));
    }

    /// Takes down whether an anchor has seen more of the ledger than there is, or something else.
    pub fn anchor_accuses(&self, anchor: &AnchorName, accuses: bool) {
        self.anchor.accuses.set(&OfAnchor { anchor: anchor.to_string() }, Some(one(accuses)));
    }
}
