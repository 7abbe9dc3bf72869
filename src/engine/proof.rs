//! Whether the signature under an order holds: asked anew each time the order is looked at, so that a key that was revoked a
//! moment ago counts no more.

use jiff::Timestamp;

use crate::{
    model::{Command, Proof, Purpose, Run},
    port::{Claim, Persons},
};

/// Looks at the signature under an order to this run. What nobody can tell does not hold.
pub async fn proof(persons: &dyn Persons, run: &Run, command: &Command, now: Timestamp) -> Proof {
    let Some(signed) = &command.signed else { return Proof::Unsigned };
    if signed.text != command.statement(&run.id, &run.opened.digest) {
        return Proof::Broken("it was made for another order".into());
    }
    match persons.verify(Claim { purpose: Purpose::Order, by: &command.by, signed, at: now, past: false }).await {
        Ok(key) if key == signed.key => Proof::Holds,
        Ok(key) => Proof::Broken(format!("it is by the key {key}, and says {}", signed.key)),
        Err(error) => Proof::Broken(error.to_string()),
    }
}
