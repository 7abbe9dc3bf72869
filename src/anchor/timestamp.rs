//! A time-stamping authority, asked (RFC 3161 section 3.4).

use super::{AnchorError, Head, Receipt, call::Place};
use crate::{
    evidence::{timestamp, tree},
    spec::TimestampAnchor,
};

/// An authority.
#[derive(Debug)]
pub(super) struct Authority {
    place: Place,
}

impl Authority {
    pub(super) fn open(spec: &TimestampAnchor) -> Result<Self, AnchorError> {
        Ok(Self { place: Place::open(&spec.url, spec.ca.clone())? })
    }

    pub(super) async fn take(&self, head: &Head, nonce: [u8; 8]) -> Result<Receipt, AnchorError> {
        let digest = tree::sha256(head.checkpoint.to_string().as_bytes());
        let answer = self.place.post(timestamp::QUERY, timestamp::request(&digest, nonce)).await?;
        if answer.status != 200 {
            return Err(self.place.refused(&answer));
        }
        let at = timestamp::read(&answer.body, &digest, Some(nonce));
        let at = at.map_err(|error| self.place.worthless(error.to_string()))?;
        Ok(Receipt { bytes: answer.body, at: Some(at), key: None })
    }
}
