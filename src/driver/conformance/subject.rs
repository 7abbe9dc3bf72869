//! What the author of a driver tells the kit: how to open it, what to try, and how to look at its target from the side.

use std::{sync::Arc, time::Duration};

use futures::future::BoxFuture;
use serde_json::{Map, Value};

use crate::{
    model::Verb,
    port::{Call, Driver, Permit},
};

/// How long a stalled target is waited for where a trial says nothing else: long beside a round trip on one machine, short
/// enough to try it at several points.
const PATIENCE: Duration = Duration::from_secs(1);

/// A driver with its target, as the kit handles them.
pub trait Subject: Send + Sync {
    /// The driver's name, for the report.
    fn name(&self) -> String;

    /// The calls to try: at least one for each verb that the driver offers, but for those [`Self::elsewhere`].
    fn trials(&self) -> Vec<Trial>;

    /// Verbs that the driver offers and another subject tries, where one target cannot serve them all.
    fn elsewhere(&self) -> Vec<Verb> {
        Vec::new()
    }

    /// Opens the driver afresh, through the [`Wire`] where there is one. It connects to nothing yet.
    fn open(&self) -> Arc<dyn Driver>;

    /// A permit that is live. The kit puts it out in some checks, so each is a new one.
    fn permit(&self) -> BoxFuture<'_, Permit>;

    /// Brings the target into the state in which the trial's act makes sense. It is called whenever the fingerprint is not
    /// the one of that state, and once before the trial.
    fn prepare<'a>(&'a self, trial: &'a Trial) -> BoxFuture<'a, ()>;

    /// What the world looks like, seen *without* the driver and not through the wire, in a text that is the same for the same
    /// state. Leave out what changes by itself (positions, times, counters of connections), put in everything that a call
    /// could change for better or worse. Where effects come with a delay, look when the target has come to rest.
    fn fingerprint(&self) -> BoxFuture<'_, String>;

    /// What must appear in nothing that the driver returns: passwords, tokens, keys; the wrong ones of
    /// [`Self::open_with_wrong_secrets`] too.
    fn secrets(&self) -> Vec<String> {
        Vec::new()
    }

    /// The driver with credentials that the target rejects; `None`: it has none. Its errors are where secrets leak.
    fn open_with_wrong_secrets(&self) -> Option<Arc<dyn Driver>> {
        None
    }

    /// Texts beside the calls that a person may see: `Debug` of the driver, and the errors of opening it with bad settings.
    fn printed(&self) -> Vec<String> {
        Vec::new()
    }

    /// What stands between the driver and the target; `None`: nothing that could fail by itself.
    fn wire(&self) -> Option<&dyn Wire> {
        None
    }

    /// What a call left open at the target: sessions, locks, processes. The kit asks after the driver was dropped, until it
    /// is empty or some seconds have passed.
    fn left_open(&self) -> BoxFuture<'_, Vec<String>> {
        Box::pin(std::future::ready(Vec::new()))
    }
}

/// A fault between the driver and the target.
///
/// An *exchange* is a request and the reply to it. They are counted from 0, over all connections, since [`Wire::heal`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Nothing listens: every connection is refused.
    Refuse,
    /// The request of exchange `after` reaches the target and is carried out; its connection is closed before the reply.
    /// Every other exchange passes.
    Cut {
        /// Which exchange.
        after: u32,
    },
    /// Requests reach the target and are carried out; from exchange `after` on, replies are held back until
    /// [`Wire::release`], or for ever.
    Hold {
        /// The first exchange that is held.
        after: u32,
    },
}

/// What can put faults between the driver and the target, and counts what passes.
pub trait Wire: Send + Sync {
    /// Puts a fault from now on. It frees nothing that is held. `Err`: it cannot, and why; the checks that need it are then
    /// not applicable.
    fn put(&self, fault: Fault) -> Result<(), String>;
    /// Lets everything pass again. What is held is thrown away with its connection; the counts begin anew.
    fn heal(&self);
    /// How many exchanges began.
    fn exchanges(&self) -> u32;
    /// Whether a reply is held now.
    fn holds(&self) -> bool;
    /// Hands out what is held.
    fn release(&self);
    /// Whether a request is on its way that was neither answered nor held: the target may be about to carry it out.
    fn in_flight(&self) -> bool {
        false
    }
    /// The addresses (`host:port`) that were contacted since [`Self::heal`].
    fn contacted(&self) -> Vec<String> {
        Vec::new()
    }
}

/// One call to try.
#[derive(Debug, Clone)]
pub struct Trial {
    /// The call. Its `attempt` and `in_doubt` are set by the kit.
    pub call: Call,
    /// What tells it from other trials of the verb.
    pub label: Option<String>,
    /// Parameters that the descriptor's `check` must refuse, and that must never reach the target.
    pub refused: Vec<Map<String, Value>>,
    /// Parameters with which the act alone lasts longer than [`Self::patience`], for a verb that needs no target to be slow.
    pub endless: Option<Map<String, Value>>,
    /// The call's timeout where the target stalls.
    pub patience: Duration,
    /// Why an observation after the act may say `Ready` again. Without it, it must say `Already`.
    pub again: Option<String>,
    /// For a verb that cannot be observed: acting twice in one step of one run does no more than once.
    pub repeatable: bool,
    /// The act cleans up after itself, so the world is in the end as it was at the start.
    pub traceless: bool,
    /// At how many exchanges of one act the connection is cut, at most. Those with an effect come first.
    pub points: usize,
}

impl Trial {
    /// A trial of this call, which nothing exempts.
    pub fn of(call: Call) -> Self {
        Self {
            call,
            label: None,
            refused: Vec::new(),
            endless: None,
            patience: PATIENCE,
            again: None,
            repeatable: false,
            traceless: false,
            points: 6,
        }
    }
    /// Tells it from other trials of the verb.
    #[must_use]
    pub fn labelled(self, label: &str) -> Self {
        Self { label: Some(label.to_owned()), ..self }
    }
    /// Parameters that must be refused.
    #[must_use]
    pub fn refusing(self, with: impl IntoIterator<Item = Value>) -> Self {
        let objects = with.into_iter().filter_map(|value| value.as_object().cloned());
        Self { refused: objects.collect(), ..self }
    }
    /// Parameters with which the act alone outlasts every patience.
    #[must_use]
    pub fn endless(self, with: &Value) -> Self {
        Self { endless: with.as_object().cloned(), ..self }
    }
    /// The call's timeout where the target stalls.
    #[must_use]
    pub fn patient(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }
    /// An observation after the act may say `Ready` again, and why.
    #[must_use]
    pub fn again(self, why: &str) -> Self {
        Self { again: Some(why.to_owned()), ..self }
    }
    /// Acting twice does no more than once.
    #[must_use]
    pub fn repeatable(self) -> Self {
        Self { repeatable: true, ..self }
    }
    /// The act cleans up after itself.
    #[must_use]
    pub fn traceless(self) -> Self {
        Self { traceless: true, ..self }
    }
    /// At how many exchanges the connection is cut, at most.
    #[must_use]
    pub fn points(self, points: usize) -> Self {
        Self { points, ..self }
    }
    /// `dns.switch`, or `http (idempotent)`.
    pub fn title(&self) -> String {
        match &self.label {
            Some(label) => format!("{} ({label})", self.call.verb),
            None => self.call.verb.to_string(),
        }
    }
    /// The call as a look before the first act.
    pub(super) fn look(&self) -> Call {
        Call { attempt: 0, in_doubt: false, ..self.call.clone() }
    }
    /// The call as a look after an act whose outcome is not known.
    pub(super) fn doubt(&self) -> Call {
        Call { attempt: 1, in_doubt: true, ..self.call.clone() }
    }
    /// The call as the given try.
    pub(super) fn attempt(&self, attempt: u32) -> Call {
        Call { attempt, in_doubt: false, ..self.call.clone() }
    }
}
