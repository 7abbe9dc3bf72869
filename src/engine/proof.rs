//! Whether the signature under an order holds: asked anew each time the order is looked at, so that a key that was revoked a
//! moment ago counts no more.

use jiff::Timestamp;

use crate::{
    model::{Command, EventBody, Proof, Purpose, Run},
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

/// Approvals that were taken and whose signature holds no more, as events. What nobody can tell does not hold: the person may approve again.
pub(super) async fn withdrawn(persons: &dyn Persons, run: &Run, now: Timestamp) -> Vec<EventBody> {
    let mut found = Vec::new();
    for command in &run.signed_approvals {
        match proof(persons, run, command, now).await {
            Proof::Holds | Proof::Unsigned => {}
            Proof::Broken(why) => found.push(EventBody::ApprovalWithdrawn { by: command.by.clone(), why }),
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use futures::{FutureExt as _, future::BoxFuture};

    use super::*;
    use crate::{
        model::{Actor, CommandBody, PersonSignature, sample},
        port::{Nobody, PersonError},
    };

    /// Takes every signature for one with the key `k`.
    struct Anybody;

    impl Persons for Anybody {
        fn verify<'a>(&'a self, _: Claim<'a>) -> BoxFuture<'a, Result<String, PersonError>> {
            Box::pin(async { Ok("k".into()) })
        }
    }

    #[test]
    fn a_signature_that_was_made_for_another_order_does_not_hold_whoever_made_it() {
        let run = sample::run(sample::opened(sample::plan(sample::steps())));
        let order = |reason: &str| Command {
            by: Actor::new("anna").unwrap(),
            reason: reason.into(),
            at: Timestamp::UNIX_EPOCH,
            expected_term: None,
            body: CommandBody::Approve { step: None },
            signed: None,
        };
        let sign = |signed: &Command, order: &Command, key: &str| {
            let text = signed.statement(&run.id, &run.opened.digest);
            let signed = PersonSignature { text, signature: String::new(), key: key.into() };
            Command { signed: Some(Box::new(signed)), ..order.clone() }
        };
        let (one, other) = (order("one"), order("other"));
        let ask = |persons: &dyn Persons, command: &Command| {
            proof(persons, &run, command, Timestamp::UNIX_EPOCH).now_or_never().unwrap()
        };
        assert_eq!(ask(&Anybody, &one), Proof::Unsigned);
        assert_eq!(ask(&Anybody, &sign(&one, &one, "k")), Proof::Holds);
        let broken = |command: &Command, persons: &dyn Persons| match ask(persons, command) {
            Proof::Broken(why) => why,
            other => panic!("{other:?}"),
        };
        assert!(broken(&sign(&other, &one, "k"), &Anybody).contains("another order"));
        assert!(broken(&sign(&one, &one, "another"), &Anybody).contains("by the key k"));
        assert!(broken(&sign(&one, &one, "k"), &Nobody).contains("whose key is whose"));
    }
}
