//! The permit of one act, and what the act has done with it so far.
//!
//! Promises: `NotApplied` is said only where nothing is done, or where what was done was taken back. An act of several effects
//! that stops between two of them is unknown, whatever stopped it.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::operation::Stop;
use crate::port::Permit;

/// Asked before each effect, told after it.
pub(super) struct Leave<'a> {
    permit: &'a Permit,
    done: AtomicUsize,
}

impl<'a> Leave<'a> {
    pub(super) fn of(permit: &'a Permit) -> Self {
        Self { permit, done: AtomicUsize::new(0) }
    }
    /// Whether another effect is allowed.
    pub(super) fn live(&self) -> bool {
        self.permit.live()
    }
    /// The same, as the end of the act.
    pub(super) fn ask(&self) -> Result<(), Stop> {
        if self.live() { Ok(()) } else { Err(Stop::not_applied("the lease was lost".into(), false)) }
    }
    /// The server acknowledged an effect.
    pub(super) fn did(&self) {
        self.done.fetch_add(1, Ordering::Relaxed);
    }
    /// So many of them are as if they had never been.
    pub(super) fn undid(&self, effects: usize) {
        let done = self.done.load(Ordering::Relaxed);
        self.done.store(done.saturating_sub(effects), Ordering::Relaxed);
    }
    /// How the act ended, as it must be told.
    pub(super) fn told(&self, stop: Stop) -> Stop {
        match stop {
            Stop::NotApplied { why, .. } if self.done.load(Ordering::Relaxed) > 0 => {
                Stop::Unknown { why: format!("a part of it was done, and then: {why}") }
            }
            Stop::NotApplied { .. } | Stop::Unknown { .. } => stop,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{model::Term, port::LeaseKey};

    #[test]
    fn an_act_that_stops_between_two_effects_is_unknown() {
        let permit = Permit::granted(LeaseKey { group: "orders".parse().unwrap(), rehearsal: false }, Term(1));
        let leave = Leave::of(&permit);
        permit.revoke();
        let lost = || leave.told(leave.ask().unwrap_err());
        assert!(matches!(lost(), Stop::NotApplied { retry: false, .. }));
        leave.did();
        assert!(matches!(lost(), Stop::Unknown { why } if why.contains("the lease was lost")));
        leave.undid(1);
        assert!(matches!(lost(), Stop::NotApplied { .. }), "what was taken back is not done");
    }
}
